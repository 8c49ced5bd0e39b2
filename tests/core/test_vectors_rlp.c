#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "core/json.h"
#include "core/rlp.h"

/* Vectors: tests/vectors/rlp_valid.json, rlp_invalid.json (go-ethereum's rlp tests and boundary
 * cases). F-09: non-canonical forms and lengths that lie; F-10: depth, without recursion. */

static const struct mr_json *rows_of(struct mr_json **root, const char *file, const char *key)
{
    *root = mr_json_load(NULL, file);
    assert_non_null(*root);
    assert_true(mr_json_count(mr_json_get(*root, key)) > 3);
    return mr_json_get(*root, key);
}

/* Whether the next item of r is what the vector says, list by list. */
static void item_equals(struct mr_reader *r, const struct mr_json *want)
{
    struct mr_reader body;
    struct mr_span s;
    uint8_t bytes[4096];
    size_t n;

    if (mr_json_kind(want) == MR_JSON_ARRAY) {
        assert_true(mr_rlp_is_list(r));
        assert_int_equal(mr_rlp_list(r, &body), MR_OK);
        for (size_t i = 0; i < mr_json_count(want); i++)
            item_equals(&body, mr_json_at(want, i));
        assert_true(mr_reader_done(&body));
        return;
    }
    assert_int_equal(mr_json_hex(want, bytes, &n, sizeof bytes), MR_OK);
    assert_int_equal(mr_rlp_bytes(r, &s), MR_OK);
    assert_int_equal(s.n, n);
    if (n > 0)
        assert_memory_equal(s.p, bytes, n);
}

static void item_put(struct mr_writer *w, const struct mr_json *value)
{
    uint8_t bytes[4096];
    size_t n, mark;

    if (mr_json_kind(value) == MR_JSON_ARRAY) {
        mark = mr_rlp_open(w);
        for (size_t i = 0; i < mr_json_count(value); i++)
            item_put(w, mr_json_at(value, i));
        assert_int_equal(mr_rlp_close(w, mark), MR_OK);
        return;
    }
    assert_int_equal(mr_json_hex(value, bytes, &n, sizeof bytes), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(w, bytes, n), MR_OK);
}

static void valid_items_are_read_written_back_and_refused_when_cut(void **state)
{
    struct mr_json *root;
    const struct mr_json *rows = rows_of(&root, MR_TEST_VECTORS "/rlp_valid.json", "items");

    (void)state;
    for (size_t i = 0; i < mr_json_count(rows); i++) {
        const struct mr_json *row = mr_json_at(rows, i), *value = mr_json_get(row, "decoded");
        size_t n;
        uint8_t *rlp = mr_json_hex_dup(mr_json_get(row, "rlp"), &n), out[8192];
        struct mr_reader r = mr_reader(rlp, n);
        struct mr_writer w = mr_writer(out, sizeof out);

        if (!rlp)
            continue; /* given by its pattern only */
        assert_int_equal(mr_rlp_check(&r, MR_RLP_DEPTH_MAX), MR_OK);
        assert_true(mr_reader_done(&r));
        if (value) { /* rows too long to spell out have none */
            r = mr_reader(rlp, n);
            item_equals(&r, value);
            item_put(&w, value);
            assert_int_equal(w.n, n);
            assert_memory_equal(out, rlp, n);
        }
        for (size_t cut = 0; cut < n; cut++) {
            r = mr_reader(rlp, cut);
            assert_int_not_equal(mr_rlp_check(&r, MR_RLP_DEPTH_MAX), MR_OK);
            assert_ptr_equal(r.p, rlp);
        }
        free(rlp);
    }
    mr_json_free(root);
}

static void invalid_items_are_refused_and_nothing_is_consumed(void **state)
{
    struct mr_json *root;
    const struct mr_json *rows = rows_of(&root, MR_TEST_VECTORS "/rlp_invalid.json", "items");

    (void)state;
    for (size_t i = 0; i < mr_json_count(rows); i++) {
        size_t n;
        uint8_t *rlp = mr_json_hex_dup(mr_json_get(mr_json_at(rows, i), "rlp"), &n);
        struct mr_reader r = mr_reader(rlp, n);
        bool whole = mr_rlp_check(&r, MR_RLP_DEPTH_MAX) == MR_OK && mr_reader_done(&r);

        assert_false(whole);
        free(rlp);
    }
    mr_json_free(root);
}

static void integers_are_canonical_and_fit(void **state)
{
    struct mr_json *root;
    const struct mr_json *rows = rows_of(&root, MR_TEST_VECTORS "/rlp_valid.json", "uint64");

    (void)state;
    for (size_t i = 0; i < mr_json_count(rows); i++) {
        uint64_t want, got;
        uint8_t rlp[16], out[16];
        struct mr_writer w = mr_writer(out, sizeof out);
        struct mr_reader r;
        size_t n;

        assert_int_equal(mr_json_hex(mr_json_get(mr_json_at(rows, i), "rlp"), rlp, &n, 16), MR_OK);
        assert_int_equal(mr_json_u64(mr_json_get(mr_json_at(rows, i), "u64"), &want), MR_OK);
        r = mr_reader(rlp, n);
        assert_int_equal(mr_rlp_u64(&r, &got), MR_OK);
        assert_true(got == want);
        assert_int_equal(mr_rlp_put_u64(&w, want), MR_OK);
        assert_int_equal(mr_rlp_u64_len(want), n);
        assert_memory_equal(out, rlp, n);
    }
    mr_json_free(root);
    rows = rows_of(&root, MR_TEST_VECTORS "/rlp_invalid.json", "uint64");
    for (size_t i = 0; i < mr_json_count(rows); i++) {
        uint8_t rlp[16];
        struct mr_reader r;
        uint64_t got = 77;
        size_t n;

        assert_int_equal(mr_json_hex(mr_json_get(mr_json_at(rows, i), "rlp"), rlp, &n, 16), MR_OK);
        r = mr_reader(rlp, n);
        assert_int_not_equal(mr_rlp_u64(&r, &got), MR_OK);
        assert_int_equal(got, 77);
        assert_ptr_equal(r.p, rlp);
    }
    mr_json_free(root);
}

/* n lists inside each other, with true lengths: 2.4 MB at 600,000 (go-ethereum PR 35760). */
static void depth_is_refused_at_any_size_on_a_small_stack(void **state)
{
    static const size_t depths[] = {16, 17, 1000, 100000, 600000};

    (void)state;
    for (size_t d = 0; d < MR_COUNT_OF(depths); d++) {
        size_t cap = depths[d] * 6 + 16, at = cap, inner = 0;
        uint8_t *p = malloc(cap);
        struct mr_reader r;

        for (size_t i = 0; i < depths[d]; i++) { /* from the inside out */
            uint8_t head[9];
            struct mr_writer w = mr_writer(head, sizeof head);

            assert_int_equal(mr_rlp_put_list_head(&w, inner), MR_OK);
            at -= w.n;
            memcpy(p + at, head, w.n);
            inner += w.n;
        }
        r = mr_reader(p + at, inner);
        assert_int_equal(mr_rlp_check(&r, 16), depths[d] <= 16 ? MR_OK : MR_TOO_BIG);
        free(p);
    }
}

static void lengths_near_the_limits_of_64_bits_do_not_wrap(void **state)
{
    static const uint8_t rows[][9] = {
        {0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {0xbf, 0x80, 0, 0, 0, 0, 0, 0, 0},
        {0xff, 0x80, 0, 0, 0, 0, 0, 0, 0},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf7},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_reader r = mr_reader(rows[i], sizeof rows[i]), body;
        struct mr_span s;

        assert_int_not_equal(mr_rlp_item(&r, &s), MR_OK);
        assert_int_not_equal(mr_rlp_bytes(&r, &s), MR_OK);
        assert_int_not_equal(mr_rlp_list(&r, &body), MR_OK);
        assert_int_not_equal(mr_rlp_check(&r, 16), MR_OK);
        assert_ptr_equal(r.p, rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_items_are_read_written_back_and_refused_when_cut),
        cmocka_unit_test(invalid_items_are_refused_and_nothing_is_consumed),
        cmocka_unit_test(integers_are_canonical_and_fit),
        cmocka_unit_test(depth_is_refused_at_any_size_on_a_small_stack),
        cmocka_unit_test(lengths_near_the_limits_of_64_bits_do_not_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
