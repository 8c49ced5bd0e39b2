#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/random.h"
#include "net/rlpx/snappy.h"
#include "tests/net/rlpx/snappy_reference.h"

/* Messages as they are sent: a preamble, RLP heads as literals, fragments that were compressed long
 * before and apart. Real transactions where the corpora are present, made-up ones of the same
 * shapes otherwise. */

#define POOL_MAX   4000
#define SUBSETS    5000
#define SUBSET_MAX 200

static struct {
    struct mr_span raw, fragment;
} pool[POOL_MAX];
static size_t pool_n;
static uint8_t *file;

static void pool_add(struct mr_span raw)
{
    size_t cap = MR_SNAPPY_DEFLATED_MAX(raw.n), n;
    uint8_t *fragment = malloc(cap);

    assert_non_null(fragment);
    assert_int_equal(mr_snappy_fragment(fragment, cap, &n, raw), MR_OK);
    pool[pool_n].raw = raw;
    pool[pool_n++].fragment = mr_span(fragment, n);
}

/* Every eighth record of a corpus: u32 little-endian length and that many bytes. */
static bool pool_load(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t n, at = 0;
    uint32_t length;

    if (!f)
        return false;
    file = malloc(32 << 20);
    assert_non_null(file);
    n = fread(file, 1, 32 << 20, f);
    fclose(f);
    for (unsigned i = 0; at + 4 <= n && pool_n < POOL_MAX; at += 4 + length, i++) {
        memcpy(&length, file + at, 4);
        assert_true(length <= n - at - 4);
        if (i % 8 == 0)
            pool_add(mr_span(file + at + 4, length));
    }
    return true;
}

/* Call data: words of 32 bytes, mostly zeros or addresses that come again, and a signature. */
static void pool_generate(struct mr_random *r)
{
    uint8_t addresses[16][20];

    file = malloc(POOL_MAX * 2048);
    assert_non_null(file);
    mr_random_fill(r, addresses, sizeof addresses);
    for (size_t at = 0; pool_n < POOL_MAX / 2; at += 2048) {
        size_t n = 100;

        memset(file + at, 0, 2048);
        mr_random_fill(r, file + at, n);
        for (uint64_t words = mr_random_below(r, 12); words > 0; words--, n += 32) {
            if (mr_random_below(r, 2))
                memcpy(file + at + n + 12, addresses[mr_random_below(r, 16)], 20);
            else if (mr_random_below(r, 2))
                memset(file + at + n, 0xff, 32);
            else
                file[at + n + 31] = (uint8_t)mr_random_u64(r);
        }
        mr_random_fill(r, file + at + n, 67);
        pool_add(mr_span(file + at, n + 67));
    }
}

static int set_up(void **state)
{
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 1);
    if (!pool_load(MR_SHARED_DATA "/corpora/mainnet_txs.bin")) {
        print_message("no corpora at " MR_SHARED_DATA ": transactions are made up\n");
        pool_generate(&r);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < pool_n; i++)
        free((void *)pool[i].fragment.p);
    free(file);
    return 0;
}

struct subset {
    unsigned n;
    size_t members[SUBSET_MAX];
    size_t raw_n, whole_n; /* of the items, of the message */
    bool bytes;            /* items are strings, as typed transactions are */
};

static void draw(struct subset *s, struct mr_random *r)
{
    *s =
        (struct subset){.n = (unsigned)mr_random_below(r, mr_random_below(r, 20) ? 20 : SUBSET_MAX),
                        .bytes = mr_random_below(r, 2)};
    for (unsigned i = 0; i < s->n; i++) {
        s->members[i] = mr_random_below(r, pool_n);
        s->raw_n += pool[s->members[i]].raw.n;
        if (s->bytes)
            s->raw_n += mr_rlp_head_len(pool[s->members[i]].raw.n);
    }
    s->whole_n = mr_rlp_head_len(s->raw_n) + s->raw_n;
}

/* The message uncompressed, and as a span list put one behind the other. */
static void write_both(struct mr_writer *plain, struct mr_writer *wire, const struct subset *s)
{
    size_t mark = mr_rlp_open(plain);
    uint8_t head[9];
    struct mr_writer h = mr_writer(head, sizeof head);

    assert_int_equal(mr_snappy_put_preamble(wire, (uint32_t)s->whole_n), MR_OK);
    assert_int_equal(mr_rlp_put_list_head(&h, s->raw_n), MR_OK);
    assert_int_equal(mr_snappy_put_literal(wire, h.p, (uint32_t)h.n), MR_OK);
    for (unsigned i = 0; i < s->n; i++) {
        struct mr_span raw = pool[s->members[i]].raw, fragment = pool[s->members[i]].fragment;

        if (s->bytes) {
            size_t before = plain->n;

            assert_int_equal(mr_rlp_put_bytes(plain, raw.p, raw.n), MR_OK);
            assert_int_equal(mr_snappy_put_literal(wire, plain->p + before,
                                                   (uint32_t)(plain->n - before - raw.n)),
                             MR_OK);
        } else {
            assert_int_equal(mr_rlp_put_raw(plain, raw.p, raw.n), MR_OK);
        }
        assert_int_equal(mr_rlp_put_raw(wire, fragment.p, fragment.n), MR_OK);
    }
    assert_int_equal(mr_rlp_close(plain, mark), MR_OK);
    assert_int_equal(plain->n, s->whole_n);
}

#define ROOM (40u << 20)

static void random_subsets_inflate_to_the_plain_message(void **state)
{
    uint8_t *plain_buf = malloc(ROOM), *wire_buf = malloc(ROOM), *made = malloc(ROOM);
    size_t plain_sum = 0, wire_sum = 0;
    struct mr_random r;
    struct subset s;

    (void)state;
    mr_random_init(&r, 7);
    for (unsigned i = 0; i < SUBSETS; i++) {
        struct mr_writer plain = mr_writer(plain_buf, ROOM), wire = mr_writer(wire_buf, ROOM);
        uint64_t reference_n;
        size_t n = 0;

        draw(&s, &r);
        write_both(&plain, &wire, &s);
        assert_int_equal(mr_snappy_inflate(made, ROOM, &n, mr_writer_span(&wire)), MR_OK);
        assert_int_equal(n, plain.n);
        assert_memory_equal(made, plain.p, n);
        assert_true(mr_snappy_is_canonical(mr_writer_span(&wire)));
        if (i % 16 == 0) {
            memset(made, 0, n);
            assert_true(snappy_reference_decode(made, ROOM, &reference_n, wire.p, wire.n));
            assert_memory_equal(made, plain.p, plain.n);
        }
        plain_sum += plain.n, wire_sum += wire.n;
    }
    assert_true(wire_sum <
                plain_sum); /* compressing apart must not cost what it is meant to save */
    print_message("%zu transactions, %zu bytes as %zu\n", pool_n, plain_sum, wire_sum);
    free(plain_buf), free(wire_buf), free(made);
}

static void fragments_inflate_alone(void **state)
{
    uint8_t *made = malloc(ROOM);

    (void)state;
    for (size_t i = 0; i < pool_n; i++) {
        struct mr_span raw = pool[i].raw, fragment = pool[i].fragment;

        memset(made, 0, raw.n);
        assert_int_equal(mr_snappy_fragment_inflate(made, raw.n, fragment), MR_OK);
        assert_memory_equal(made, raw.p, raw.n);
        assert_int_equal(mr_snappy_fragment_inflate(made, raw.n + 1, fragment), MR_MALFORMED);
        assert_int_equal(mr_snappy_fragment_inflate(made, raw.n - 1, fragment), MR_MALFORMED);
        fragment.n--;
        assert_int_equal(mr_snappy_fragment_inflate(made, raw.n, fragment), MR_MALFORMED);
    }
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_subsets_inflate_to_the_plain_message),
        cmocka_unit_test(fragments_inflate_alone),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
