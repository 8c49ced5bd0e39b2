#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "crypto/keccak.h"
#include "net/rlpx/snappy.h"
#include "tests/net/rlpx/snappy_reference.h"

#define ROOM (17u << 20)

static struct mr_json *root;
static uint8_t *made, *again;

static int set_up(void **state)
{
    (void)state;
    root = mr_json_load(NULL, MR_TEST_VECTORS "/snappy.json");
    made = malloc(ROOM);
    again = malloc(ROOM);
    return root && made && again ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    mr_json_free(root);
    free(made), free(again);
    return 0;
}

static const char *name_of(const struct mr_json *row)
{
    return mr_json_string(mr_json_get(row, "name"), NULL);
}

/* made[0..n) is what the row says. */
static void check_content(const struct mr_json *row, size_t n)
{
    struct mr_hash expected, hash;
    uint64_t length;

    assert_int_equal(mr_json_u64(mr_json_get(row, "uncompressed_length"), &length), MR_OK);
    assert_int_equal(n, length);
    assert_int_equal(mr_json_hex_exact(mr_json_get(row, "uncompressed_keccak256"), expected.b,
                                       sizeof expected.b),
                     MR_OK);
    mr_keccak256(&hash, made, n);
    if (!mr_hash_equal(&hash, &expected))
        fail_msg("%s: other bytes", name_of(row));
}

/* Inflated, compressed by us, inflated again: the same bytes. */
static void check_round_trip(size_t n)
{
    uint8_t *fragment = malloc(MR_SNAPPY_DEFLATED_MAX(n));
    size_t fragment_n;

    assert_non_null(fragment);
    assert_int_equal(
        mr_snappy_fragment(fragment, MR_SNAPPY_DEFLATED_MAX(n), &fragment_n, mr_span(made, n)),
        MR_OK);
    assert_int_equal(mr_snappy_fragment_inflate(again, n, mr_span(fragment, fragment_n)), MR_OK);
    assert_memory_equal(made, again, n);
    free(fragment);
}

static void check_valid(const struct mr_json *row)
{
    size_t n, got = 0;
    uint8_t *p = mr_json_hex_dup(mr_json_get(row, "compressed"), &n);
    uint64_t reference_n;
    uint32_t claimed = 0;

    assert_non_null(p);
    assert_int_equal(mr_snappy_length(&claimed, mr_span(p, n), MR_SNAPPY_INFLATED_MAX), MR_OK);
    if (mr_snappy_inflate(made, ROOM, &got, mr_span(p, n)) != MR_OK)
        fail_msg("%s: refused", name_of(row));
    assert_int_equal(got, claimed);
    check_content(row, got);
    assert_true(snappy_reference_decode(again, ROOM, &reference_n, p, n));
    assert_int_equal(reference_n, got);
    assert_memory_equal(made, again, got);
    assert_true(mr_snappy_is_canonical(mr_span(p, n)));
    check_round_trip(got);
    free(p);
}

/* The one stream that is too long to be given: we compress what it holds. */
static void check_zeros(const struct mr_json *row)
{
    uint64_t n;

    assert_string_equal(name_of(row), "1 MiB zeros");
    assert_int_equal(mr_json_u64(mr_json_get(row, "uncompressed_length"), &n), MR_OK);
    memset(made, 0, n);
    check_content(row, n);
    check_round_trip(n);
}

static void published_streams_inflate(void **state)
{
    static const char *const lists[] = {"compress_roundtrip", "handmade_valid"};

    (void)state;
    for (size_t k = 0; k < MR_COUNT_OF(lists); k++) {
        const struct mr_json *list = mr_json_get(root, lists[k]);

        assert_true(mr_json_count(list) >= 6);
        for (size_t i = 0; i < mr_json_count(list); i++) {
            const struct mr_json *row = mr_json_at(list, i);

            if (mr_json_get(row, "compressed"))
                check_valid(row);
            else
                check_zeros(row);
        }
    }
}

static void malformed_streams_are_refused(void **state)
{
    const struct mr_json *list = mr_json_get(root, "malformed");

    (void)state;
    assert_true(mr_json_count(list) >= 17);
    for (size_t i = 0; i < mr_json_count(list); i++) {
        const struct mr_json *row = mr_json_at(list, i);
        size_t n, got = 4711;
        uint8_t *p = mr_json_hex_dup(mr_json_get(row, "compressed"), &n);
        uint64_t reference_n;

        assert_non_null(p);
        if (mr_snappy_inflate(made, MR_SNAPPY_INFLATED_MAX, &got, mr_span(p, n)) == MR_OK)
            fail_msg("%s: taken", name_of(row));
        assert_int_equal(got, 4711);
        assert_false(snappy_reference_decode(again, ROOM, &reference_n, p, n));
        assert_false(mr_snappy_is_canonical(mr_span(p, n)));
        free(p);
    }
}

/* The bombs of the vectors are built as they describe: one literal, then copies of 64 bytes. */
static void bombs_are_built_and_judged_by_their_claim(void **state)
{
    static const struct {
        uint32_t total, limit;
        enum mr_err e;
    } rows[] = {
        {1u << 24, MR_SNAPPY_INFLATED_MAX, MR_TOO_BIG},
        {(1u << 24) - 1, MR_SNAPPY_INFLATED_MAX, MR_OK},
        {(10u << 20) + 1, MR_SNAPPY_INFLATED_MAX, MR_OK},
        {(10u << 20) + 1, 10u << 20, MR_TOO_BIG},
        {10u << 20, 10u << 20, MR_OK},
    };
    uint8_t *p = malloc(1 << 20);

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_writer w = mr_writer(p, 1 << 20);
        uint32_t n = 0;
        size_t got = 0;

        assert_int_equal(mr_snappy_put_preamble(&w, rows[i].total), MR_OK);
        assert_int_equal(mr_snappy_put_literal(&w, "", 1), MR_OK);
        for (uint32_t left = rows[i].total - 1; left > 0;) {
            uint32_t part = MR_MIN(left, 64);
            const uint8_t copy[3] = {(uint8_t)((part - 1) << 2 | 2), 1, 0};

            assert_int_equal(mr_rlp_put_raw(&w, copy, 3), MR_OK);
            left -= part;
        }
        assert_int_equal(mr_snappy_length(&n, mr_writer_span(&w), rows[i].limit), rows[i].e);
        if (rows[i].e == MR_OK) {
            assert_int_equal(mr_snappy_inflate(made, rows[i].limit, &got, mr_writer_span(&w)),
                             MR_OK);
            assert_int_equal(got, rows[i].total);
        }
    }
    free(p);
}

/* EIP-706: one block by two compressors. */
static void the_blocks_of_eip_706_inflate_to_the_same(void **state)
{
    static const char *const files[] = {MR_TEST_VECTORS "/snappy_eip706_block.go.snappy",
                                        MR_TEST_VECTORS "/snappy_eip706_block.py.snappy"};
    const struct mr_json *row = mr_json_get(root, "eip706");
    uint8_t *p = malloc(1 << 20);

    (void)state;
    assert_non_null(p);
    for (size_t i = 0; i < MR_COUNT_OF(files); i++) {
        FILE *f = fopen(files[i], "rb");
        size_t n, got = 0;

        assert_non_null(f);
        n = fread(p, 1, 1 << 20, f);
        fclose(f);
        assert_int_equal(n, 71954);
        assert_int_equal(mr_snappy_inflate(made, ROOM, &got, mr_span(p, n)), MR_OK);
        check_content(row, got);
        assert_true(mr_snappy_is_canonical(mr_span(p, n)));
        check_round_trip(got);
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_streams_inflate),
        cmocka_unit_test(malformed_streams_are_refused),
        cmocka_unit_test(bombs_are_built_and_judged_by_their_claim),
        cmocka_unit_test(the_blocks_of_eip_706_inflate_to_the_same),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
