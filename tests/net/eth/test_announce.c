#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/eth/announce.h"
#include "net/eth/version.h"
#include "tests/net/eth/helper_wire.h"

/* Lists of stated lengths, so that each can be wrong on its own. */
struct shape {
    size_t types, sizes, hashes;
    unsigned hash_len; /* bytes of the last hash */
    int mask;          /* bytes of the mask; -1: no such element */
    uint64_t last_size;
};

static struct mr_span make(const struct shape *s)
{
    size_t cap = 64 + s->types + 9 * s->sizes + 34 * s->hashes, outer, list;
    struct wire b;

    wire_begin(&b, cap);
    outer = wire_open(&b);
    wire_bytes(&b, wire_fill(2, s->types), s->types);
    list = wire_open(&b);
    for (size_t i = 0; i < s->sizes; i++)
        wire_u64(&b, i + 1 == s->sizes && s->last_size != 0 ? s->last_size : 100 + i % 1000);
    wire_close(&b, list);
    list = wire_open(&b);
    for (size_t i = 0; i < s->hashes; i++) {
        uint8_t hash[33] = {0};

        mr_store_be64(hash, i);
        wire_bytes(&b, hash, i + 1 == s->hashes ? s->hash_len : 32);
    }
    wire_close(&b, list);
    if (s->mask >= 0)
        wire_bytes(&b, wire_fill(0xff, (size_t)s->mask), (size_t)s->mask);
    wire_close(&b, outer);
    return wire_end(&b);
}

struct shape_row {
    enum mr_err want_71, want_72;
    struct shape shape;
};

/* E-08 */
static void shapes_are_taken_or_refused_by_table(void **state)
{
    static const struct shape_row rows[] = {
        {MR_OK, MR_SHORT, {0, 0, 0, 32, -1, 0}},
        {MR_OK, MR_SHORT, {1, 1, 1, 32, -1, 0}},
        {MR_OK, MR_SHORT, {4096, 4096, 4096, 32, -1, 0}},
        {MR_OK, MR_SHORT, {4097, 4097, 4097, 32, -1, 0}},
        {MR_OK, MR_SHORT, {65536, 65536, 65536, 32, -1, 0}},
        {MR_TOO_BIG, MR_TOO_BIG, {65537, 65537, 65537, 32, -1, 0}},
        {MR_TOO_BIG, MR_TOO_BIG, {100000, 100000, 100000, 32, -1, 0}},
        {MR_MALFORMED, MR_OK, {0, 0, 0, 32, 16, 0}},
        {MR_MALFORMED, MR_OK, {3, 3, 3, 32, 16, 0}},
        {MR_MALFORMED, MR_MALFORMED, {3, 3, 3, 32, 15, 0}},
        {MR_MALFORMED, MR_MALFORMED, {3, 3, 3, 32, 17, 0}},
        {MR_MALFORMED, MR_MALFORMED, {3, 3, 3, 32, 0, 0}},
        {MR_MALFORMED, MR_MALFORMED, {4, 3, 3, 32, 16, 0}},
        {MR_TOO_BIG, MR_TOO_BIG, {2, 3, 3, 32, 16, 0}},
        {MR_MALFORMED, MR_MALFORMED, {3, 4, 3, 32, 16, 0}},
        {MR_MALFORMED, MR_MALFORMED, {3, 2, 3, 32, 16, 0}},
        {MR_TOO_BIG, MR_TOO_BIG, {3, 3, 4, 32, 16, 0}},
        {MR_MALFORMED, MR_MALFORMED, {3, 3, 2, 32, 16, 0}},
        {MR_MALFORMED, MR_MALFORMED, {3, 3, 3, 31, 16, 0}},
        {MR_MALFORMED, MR_MALFORMED, {3, 3, 3, 33, 16, 0}},
        {MR_MALFORMED, MR_OK, {3, 3, 3, 32, 16, UINT32_MAX}},
        {MR_TOO_BIG, MR_TOO_BIG, {3, 3, 3, 32, 16, (uint64_t)UINT32_MAX + 1}},
        {MR_TOO_BIG, MR_TOO_BIG, {3, 3, 3, 32, 16, (uint64_t)1 << 63}},
        {MR_TOO_BIG, MR_TOO_BIG, {3, 3, 3, 32, 16, UINT64_MAX}},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_span message = make(&rows[i].shape);

        for (unsigned v = MR_ETH_VERSION_MIN; v <= MR_ETH_VERSION_MAX; v++) {
            struct mr_announce a, untouched;
            enum mr_err want = v == MR_ETH_72 ? rows[i].want_72 : rows[i].want_71;

            memset(&a, 0xee, sizeof a);
            memset(&untouched, 0xee, sizeof untouched);
            if (mr_announce_decode(&a, v, message) != want)
                fail_msg("row %zu, eth/%u", i, v);
            if (want != MR_OK)
                assert_memory_equal(&a, &untouched, sizeof a);
        }
    }
}

static void items_over_the_soft_limit_are_not_given_out(void **state)
{
    static const size_t stated[] = {0, 1, 4095, 4096, 4097, 65536};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(stated); i++) {
        struct shape s = {stated[i], stated[i], stated[i], 32, -1, 0};
        struct mr_announce a;
        struct mr_announce_item item;
        size_t taken = 0;

        assert_int_equal(mr_announce_decode(&a, MR_ETH_68, make(&s)), MR_OK);
        assert_int_equal(a.stated, stated[i]);
        assert_int_equal(a.count, MR_MIN(stated[i], 4096));
        while (mr_announce_next(&a, &item)) {
            assert_int_equal(mr_load_be64(item.hash.b), taken);
            assert_int_equal(item.size, 100 + taken % 1000);
            assert_int_equal(item.type, 2);
            taken++;
        }
        assert_int_equal(taken, MR_MIN(stated[i], 4096));
    }
}

static void repeated_hashes_and_unknown_types_pass(void **state)
{
    static const uint8_t types[] = {0, 5, 0x7f, 0xff};
    static const uint32_t sizes[] = {0, 1, 127, UINT32_MAX};
    struct mr_hash hashes[4];
    uint8_t buf[512];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    struct mr_announce a;
    struct mr_announce_item item;

    (void)state;
    memset(hashes, 7, sizeof hashes);
    assert_int_equal(mr_announce_encode(&w, MR_ETH_69, types, sizes, hashes, 4, NULL), MR_OK);
    assert_int_equal(mr_announce_decode(&a, MR_ETH_69, mr_writer_span(&w)), MR_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_true(mr_announce_next(&a, &item));
        assert_int_equal(item.type, types[i]);
        assert_int_equal(item.size, sizes[i]);
        assert_memory_equal(item.hash.b, hashes[i].b, 32);
    }
    assert_false(mr_announce_next(&a, &item));
}

static enum mr_err read_announce(struct mr_span message, void *context)
{
    struct mr_announce a;

    return mr_announce_decode(&a, *(unsigned *)context, message);
}

/* Lengths on both sides of each step of the prefixes. */
static void announcements_survive_a_round_trip(void **state)
{
    static const size_t lengths[] = {0, 1, 2, 7, 8, 55, 56, 57, 255, 256, 257, 1985, 4096};
    static uint8_t types[4096];
    static uint32_t sizes[4096];
    static struct mr_hash hashes[4096];
    struct mr_cell_mask mask = {{0}};

    (void)state;
    mr_cell_mask_add(&mask, 127);
    for (size_t i = 0; i < 4096; i++) {
        types[i] = (uint8_t)(i % 5);
        sizes[i] = (uint32_t)(i * i * 131);
        memset(hashes[i].b, (int)i, 32);
    }
    for (size_t i = 0; i < MR_COUNT_OF(lengths); i++) {
        for (unsigned v = MR_ETH_VERSION_MIN; v <= MR_ETH_VERSION_MAX; v++) {
            size_t n = lengths[i], len = mr_announce_len(v, types, sizes, n), at = 0;
            struct mr_writer w = mr_writer(wire_fill(0, len), len);
            struct mr_writer tight = mr_writer(wire_fill(0, len), len - 1);
            struct mr_announce a;
            struct mr_announce_item item;

            assert_int_equal(mr_announce_encode(&w, v, types, sizes, hashes, n, &mask), MR_OK);
            assert_int_equal(w.n, len);
            assert_int_equal(mr_announce_encode(&tight, v, types, sizes, hashes, n, &mask),
                             MR_FULL);
            assert_int_equal(tight.n, 0);
            assert_int_equal(mr_announce_decode(&a, v, mr_writer_span(&w)), MR_OK);
            assert_int_equal(a.has_cells, v == MR_ETH_72);
            assert_int_equal(mr_cell_mask_count(&a.cells), v == MR_ETH_72);
            for (; mr_announce_next(&a, &item); at++) {
                assert_int_equal(item.type, types[at]);
                assert_int_equal(item.size, sizes[at]);
                assert_memory_equal(item.hash.b, hashes[at].b, 32);
            }
            assert_int_equal(at, n);
            if (n < 60)
                wire_refuses_all_but(read_announce, &v, mr_writer_span(&w));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_taken_or_refused_by_table),
        cmocka_unit_test(items_over_the_soft_limit_are_not_given_out),
        cmocka_unit_test(repeated_hashes_and_unknown_types_pass),
        cmocka_unit_test(announcements_survive_a_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
