#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/random.h"
#include "net/rlpx/snappy.h"
#include "net/rlpx/varint.h"
#include "tests/net/rlpx/snappy_reference.h"

#define MIB (1u << 20)

static uint8_t in[MIB], out[MIB], other[MIB];

/* Bytes of the shapes that messages have: noise, runs, words that come again. */
static void fill(struct mr_random *r, uint8_t *p, size_t n)
{
    size_t i = 0;

    while (i < n) {
        size_t part = MR_MIN(n - i, 1 + mr_random_below(r, 80));

        switch (mr_random_below(r, 4)) {
        case 0:
            mr_random_fill(r, p + i, part);
            break;
        case 1:
            memset(p + i, (int)mr_random_below(r, 256), part);
            break;
        case 2: /* what stood somewhere before */
            for (size_t from = i ? mr_random_below(r, i) : 0, k = 0; k < part; k++)
                p[i + k] = i ? p[from + k % (i - from)] : 0;
            break;
        default:
            memset(p + i, 0xff, part);
            break;
        }
        i += part;
    }
}

/* Preamble and fragment of in[0..n) at out. */
static size_t compress(uint8_t *to, size_t cap, struct mr_span what)
{
    struct mr_writer w = mr_writer(to, cap);
    size_t n;

    assert_int_equal(mr_snappy_put_preamble(&w, (uint32_t)what.n), MR_OK);
    assert_int_equal(mr_snappy_fragment(w.p + w.n, w.cap - w.n, &n, what), MR_OK);
    return w.n + n;
}

static void fragments_inflate_to_what_they_were_made_of(void **state)
{
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 1);
    for (unsigned i = 0; i < 3000; i++) {
        size_t n = i < 300 ? i : mr_random_below(&r, i % 100 == 0 ? 300000 : 3000);
        size_t deflated, back = 0;

        fill(&r, in, n);
        deflated = compress(out, sizeof out, mr_span(in, n));
        assert_true(deflated <= MR_SNAPPY_DEFLATED_MAX(n));
        assert_int_equal(mr_snappy_inflate(other, n, &back, mr_span(out, deflated)), MR_OK);
        assert_int_equal(back, n);
        assert_memory_equal(other, in, n);
        assert_true(mr_snappy_is_canonical(mr_span(out, deflated)));
        memset(other, 0x11, n);
        assert_int_equal(mr_snappy_fragment_inflate(other, n,
                                                    mr_span(out + mr_varint_len((uint32_t)n),
                                                            deflated - mr_varint_len((uint32_t)n))),
                         MR_OK);
        assert_memory_equal(other, in, n);
    }
}

static void repeating_input_shrinks(void **state)
{
    size_t n;

    (void)state;
    memset(in, 0, sizeof in);
    assert_int_equal(mr_snappy_fragment(out, sizeof out, &n, mr_span(in, sizeof in)), MR_OK);
    assert_true(n < sizeof in / 20);
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t) "a transaction's call data comes again "[i % 38];
    assert_int_equal(mr_snappy_fragment(out, sizeof out, &n, mr_span(in, sizeof in)), MR_OK);
    assert_true(n < sizeof in / 18);
}

static void a_fragment_never_passes_its_room(void **state)
{
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 2);
    for (unsigned i = 0; i < 400; i++) {
        size_t n = mr_random_below(&r, 300), need = 0;

        fill(&r, in, n);
        assert_int_equal(mr_snappy_fragment(out, MR_SNAPPY_DEFLATED_MAX(n), &need, mr_span(in, n)),
                         MR_OK);
        for (size_t cap = 0; cap <= need; cap++) {
            uint8_t *exact = malloc(cap + 1); /* a write behind it is seen */
            size_t got = 4711;
            enum mr_err e;

            assert_non_null(exact);
            exact[cap] = 0xa5;
            e = mr_snappy_fragment(exact, cap, &got, mr_span(in, n));
            assert_int_equal(e, cap < need ? MR_FULL : MR_OK);
            assert_int_equal(got, cap < need ? 4711 : need);
            assert_int_equal(exact[cap], 0xa5);
            free(exact);
        }
    }
}

static void literals_of_every_size_class_inflate(void **state)
{
    static const uint32_t sizes[] = {1,     2,     59,    60,      61,           62,
                                     255,   256,   257,   258,     65535,        65536,
                                     65537, 65538, 70000, 1 << 24, (1 << 24) + 1};
    uint8_t *raw = malloc(17 << 20), *made = malloc(17 << 20), *deflated = malloc(17 << 20);
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 3);
    mr_random_fill(&r, raw, 17 << 20);
    for (size_t i = 0; i < MR_COUNT_OF(sizes); i++) {
        struct mr_writer w = mr_writer(deflated, 17 << 20);
        size_t n = 0;

        assert_int_equal(mr_snappy_put_preamble(&w, sizes[i]), MR_OK);
        assert_int_equal(mr_snappy_put_literal(&w, raw, sizes[i]), MR_OK);
        assert_int_equal(mr_snappy_inflate(made, 17 << 20, &n, mr_writer_span(&w)), MR_OK);
        assert_int_equal(n, sizes[i]);
        assert_memory_equal(made, raw, n);
        assert_true(mr_snappy_is_canonical(mr_writer_span(&w)));
        w = mr_writer(deflated, w.n - mr_varint_len(sizes[i]) - 1);
        assert_int_equal(mr_snappy_put_literal(&w, raw, sizes[i]), MR_FULL);
        assert_int_equal(w.n, 0);
        w.cap++;
        assert_int_equal(mr_snappy_put_literal(&w, raw, sizes[i]), MR_OK);
    }
    free(raw), free(made), free(deflated);
}

static void an_empty_literal_writes_nothing(void **state)
{
    struct mr_writer w = mr_writer(out, 0);

    (void)state;
    assert_int_equal(mr_snappy_put_literal(&w, in, 0), MR_OK);
    assert_int_equal(w.n, 0);
    assert_int_equal(mr_snappy_put_preamble(&w, 0), MR_FULL);
    assert_int_equal(mr_snappy_put_literal(&w, in, 1), MR_FULL);
    assert_int_equal(mr_snappy_put_literal_head(&w, 1), MR_FULL);
    assert_int_equal(w.n, 0);
}

/* F-03: refused on the preamble, whatever follows. */
static void claims_over_the_limit_are_refused_on_the_preamble(void **state)
{
    static const uint32_t limits[] = {1, 1024, 10u << 20, MR_SNAPPY_INFLATED_MAX};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(limits); i++) {
        const uint32_t claims[] = {limits[i] + 1, limits[i] * 2, 1u << 24, 1u << 31, UINT32_MAX};
        uint32_t n = 4711;
        uint8_t b[MR_VARINT_MAX + 3] = {0};

        for (size_t k = 0; k < MR_COUNT_OF(claims); k++) {
            size_t len = mr_varint_put(b, claims[k]);

            assert_int_equal(mr_snappy_length(&n, mr_span(b, len), limits[i]), MR_TOO_BIG);
            assert_int_equal(mr_snappy_length(&n, mr_span(b, len + 3), limits[i]), MR_TOO_BIG);
            assert_int_equal(n, 4711);
        }
        assert_int_equal(mr_snappy_length(&n, mr_span(b, mr_varint_put(b, limits[i])), limits[i]),
                         MR_OK);
        assert_int_equal(n, limits[i]);
    }
}

/* The largest legal bomb: 2^24 - 1 zeros out of 21 times fewer bytes. */
static void the_largest_bomb_fits_one_arena(void **state)
{
    uint8_t *deflated = malloc(MIB), *arena = malloc(MR_SNAPPY_INFLATED_MAX);
    struct mr_writer w = mr_writer(deflated, MIB);
    uint32_t left = MR_SNAPPY_INFLATED_MAX - 1;
    size_t n = 4711;

    (void)state;
    assert_int_equal(mr_snappy_put_preamble(&w, MR_SNAPPY_INFLATED_MAX), MR_OK);
    assert_int_equal(mr_snappy_put_literal(&w, "", 1), MR_OK);
    for (; left > 0; left -= MR_MIN(left, 64)) {
        const uint8_t copy[3] = {(uint8_t)((MR_MIN(left, 64) - 1) << 2 | 2), 1, 0};

        assert_int_equal(mr_rlp_put_raw(&w, copy, 3), MR_OK);
    }
    assert_int_equal(mr_snappy_inflate(arena, MR_SNAPPY_INFLATED_MAX, &n, mr_writer_span(&w)),
                     MR_OK);
    assert_int_equal(n, MR_SNAPPY_INFLATED_MAX);
    assert_true(arena[0] == 0 && memcmp(arena, arena + 1, n - 1) == 0);
    n = 4711;
    assert_int_equal(mr_snappy_inflate(arena, MR_SNAPPY_INFLATED_MAX - 1, &n, mr_writer_span(&w)),
                     MR_TOO_BIG);
    assert_int_equal(n, 4711);
    free(deflated), free(arena);
}

/* F-04: same verdict and same bytes as the slow decoder. */
static void compare_with_reference(const uint8_t *p, size_t p_n, size_t cap)
{
    static uint8_t a[1 << 16], b[1 << 16];
    size_t n = 4711;
    uint64_t reference_n;
    enum mr_err e = mr_snappy_inflate(a, cap, &n, mr_span(p, p_n));
    bool ok = snappy_reference_decode(b, cap, &reference_n, p, p_n);

    if ((e == MR_OK) != ok)
        fail_msg("%zu bytes from %02x: %s, the reference says %d", p_n, p_n ? p[0] : 0u,
                 mr_err_name(e), ok);
    assert_int_equal(n, ok ? reference_n : 4711);
    if (ok)
        assert_memory_equal(a, b, n);
    if (mr_snappy_is_canonical(mr_span(p, p_n)))
        assert_true(ok || e == MR_TOO_BIG);
}

/* Elements drawn with their rules in mind, so that many streams are valid and most nearly so. */
static size_t draw_stream(struct mr_random *r, uint8_t *p, size_t cap)
{
    struct mr_writer w = mr_writer(p, cap);
    uint8_t body[4096];
    struct mr_writer b = mr_writer(body, sizeof body);
    uint32_t total = 0;

    for (uint64_t left = mr_random_below(r, 12); left > 0; left--) {
        uint32_t n = 1 + (uint32_t)mr_random_below(r, 70),
                 kind = (uint32_t)mr_random_below(r, total ? 4 : 1);
        uint32_t back = total ? 1 + (uint32_t)mr_random_below(r, total) : 1;
        uint8_t e[5];

        if (kind == 1 && back < 2048) {
            n = 4 + n % 8;
            e[0] = (uint8_t)(back >> 8 << 5 | (n - 4) << 2 | 1), e[1] = (uint8_t)back;
            assert_int_equal(mr_rlp_put_raw(&b, e, 2), MR_OK);
        } else if (kind > 1) {
            n = 1 + n % 64;
            e[0] = (uint8_t)((n - 1) << 2 | kind), e[1] = (uint8_t)back;
            e[2] = (uint8_t)(back >> 8), e[3] = 0, e[4] = 0;
            assert_int_equal(mr_rlp_put_raw(&b, e, kind == 2 ? 3 : 5), MR_OK);
        } else {
            uint8_t noise[80];

            mr_random_fill(r, noise, n);
            assert_int_equal(mr_snappy_put_literal(&b, noise, n), MR_OK);
        }
        total += n;
    }
    assert_int_equal(mr_snappy_put_preamble(&w, total), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&w, b.p, b.n), MR_OK);
    return w.n;
}

static size_t mutate(struct mr_random *r, uint8_t *p, size_t n, size_t cap)
{
    size_t at = n ? mr_random_below(r, n) : 0;

    switch (mr_random_below(r, 6)) {
    case 0:
        return at; /* cut */
    case 1:
        p[n] = (uint8_t)mr_random_u64(r);
        return n < cap - 1 ? n + 1 : n;
    case 2:
        if (n)
            p[at] ^= (uint8_t)(1u << mr_random_below(r, 8));
        return n;
    case 3:
        if (n)
            p[at] = (uint8_t)(mr_random_below(r, 2) ? 0xff : 0);
        return n;
    case 4: /* a length of 2^32 - 1 + 1 */
        if (n > 5 && at + 5 <= n)
            memcpy(p + at, "\xfc\xff\xff\xff\xff", 5);
        return n;
    default:
        memmove(p + at, p + at + (n > at), n - at - (n > at));
        return n ? n - 1 : 0;
    }
}

static void random_and_mutated_streams_agree_with_the_reference(void **state)
{
    struct mr_random r;
    uint8_t p[8192];
    unsigned taken = 0;

    (void)state;
    mr_random_init(&r, 4);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t mutations = i % 4;
        size_t n, ignored = 0;

        if (i % 10 == 0) {
            n = mr_random_below(&r, 24);
            mr_random_fill(&r, p, n);
        } else {
            n = draw_stream(&r, p, sizeof p);
        }
        while (mutations-- > 0)
            n = mutate(&r, p, n, sizeof p);
        compare_with_reference(p, n, 4096);
        taken += mr_snappy_inflate(other, 4096, &ignored, mr_span(p, n)) == MR_OK;
    }
    assert_in_range(taken, 20000, 80000); /* both verdicts were tried in earnest */
}

static void every_short_stream_agrees_with_the_reference(void **state)
{
    uint8_t p[3] = {0};

    (void)state;
    compare_with_reference(p, 0, 64);
    for (unsigned v = 0; v < 1u << 24; v += v < 1u << 16 ? 1 : 97) {
        p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)(v >> 16);
        compare_with_reference(p, 1 + (v > 255) + (v > 65535), 64);
    }
}

/* libsnappy alone takes these five bytes for nothing. */
static void a_literal_of_2_to_the_32_is_refused_wherever_it_stands(void **state)
{
    uint8_t p[128];

    (void)state;
    for (size_t before = 0; before < 40; before++) {
        for (size_t after = 0; after < 10; after++) {
            struct mr_writer w = mr_writer(p, sizeof p);
            size_t n = 4711;

            assert_int_equal(mr_snappy_put_preamble(&w, (uint32_t)(before + after)), MR_OK);
            for (size_t i = 0; i < before; i++)
                assert_int_equal(mr_snappy_put_literal(&w, "\xff", 1), MR_OK);
            assert_int_equal(mr_rlp_put_raw(&w, "\xfc\xff\xff\xff\xff", 5), MR_OK);
            assert_int_equal(mr_snappy_put_literal(&w, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                                   (uint32_t)after),
                             MR_OK);
            assert_int_equal(mr_snappy_inflate(other, 64, &n, mr_writer_span(&w)), MR_MALFORMED);
            assert_int_equal(n, 4711);
            assert_false(mr_snappy_is_canonical(mr_writer_span(&w)));
        }
    }
    /* inside of a literal the same bytes are content */
    memcpy(p, "\x05\x10\xfc\xff\xff\xff\xff", 7);
    compare_with_reference(p, 7, 64);
    assert_true(mr_snappy_is_canonical(mr_span(p, 7)));
}

static void inflate_refuses_every_prefix(void **state)
{
    struct mr_random r;
    size_t n, got = 4711;

    (void)state;
    mr_random_init(&r, 5);
    fill(&r, in, 5000);
    n = compress(out, sizeof out, mr_span(in, 5000));
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_not_equal(mr_snappy_inflate(other, 5000, &got, mr_span(out, cut)), MR_OK);
        assert_int_equal(got, 4711);
    }
}

/* What may be sent on as it came: F-04, and no amplification by wasteful encodings. */
static void only_sane_encodings_are_canonical(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        bool canonical;
    } rows[] = {
        {"\x00", 1, true},
        {"\x01\x00"
         "a",
         3, true},
        {"\x80\x00", 2, false}, /* a preamble with a needless group */
        {"\x81\x00\x00"
         "a",
         4, false},
        {"", 0, false},
        {"\x01\x00"
         "a\x00"
         "b",
         5, false}, /* more than it says */
        {"\x02\x00"
         "a",
         3, false},
        {"\x01\x00"
         "a\x00",
         4, false},
        {"\x05\x00"
         "a\x0e\x01\x00",
         6, true},
        {"\x05\x00"
         "a\x0e\x00\x00",
         6, false},
        {"\x05\x00"
         "a\x0e\x02\x00",
         6, false},
    };
    struct mr_writer w = mr_writer(out, sizeof out);

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        assert_int_equal(mr_snappy_is_canonical(mr_span(rows[i].p, rows[i].n)), rows[i].canonical);
    /* literals of one byte behind the longest head inflate, but six times as long */
    assert_int_equal(mr_snappy_put_preamble(&w, 100), MR_OK);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(mr_rlp_put_raw(&w, "\xfc\x00\x00\x00\x00z", 6), MR_OK);
    compare_with_reference(w.p, w.n, 100);
    assert_false(mr_snappy_is_canonical(mr_writer_span(&w)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_inflate_to_what_they_were_made_of),
        cmocka_unit_test(repeating_input_shrinks),
        cmocka_unit_test(a_fragment_never_passes_its_room),
        cmocka_unit_test(literals_of_every_size_class_inflate),
        cmocka_unit_test(an_empty_literal_writes_nothing),
        cmocka_unit_test(claims_over_the_limit_are_refused_on_the_preamble),
        cmocka_unit_test(the_largest_bomb_fits_one_arena),
        cmocka_unit_test(random_and_mutated_streams_agree_with_the_reference),
        cmocka_unit_test(every_short_stream_agrees_with_the_reference),
        cmocka_unit_test(a_literal_of_2_to_the_32_is_refused_wherever_it_stands),
        cmocka_unit_test(inflate_refuses_every_prefix),
        cmocka_unit_test(only_sane_encodings_are_canonical),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
