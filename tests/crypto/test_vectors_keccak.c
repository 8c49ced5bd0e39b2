/* keccak256.json: known answers, every prefix of a sentence, and patterns across block borders; one
 * by one and all together, with every variant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/json.h"
#include "crypto/keccak.h"

#define CASES_MAX 256

static struct mr_span in[CASES_MAX];
static struct mr_hash expected[CASES_MAX];
static size_t cases;

static void add(const uint8_t *p, size_t n, const struct mr_json *hash)
{
    assert_true(cases < CASES_MAX);
    assert_int_equal(mr_json_hex_exact(hash, expected[cases].b, 32), MR_OK);
    in[cases++] = mr_span(p, n);
}

static void add_table(const struct mr_json *table, const uint8_t *p, size_t cap)
{
    assert_true(mr_json_count(table) > 0);
    for (size_t i = 0; i < mr_json_count(table); i++) {
        const struct mr_json *row = mr_json_at(table, i);
        uint64_t n;

        assert_int_equal(mr_json_u64(mr_json_get(row, "length"), &n), MR_OK);
        assert_true(n <= cap);
        add(p, n, mr_json_get(row, "keccak256"));
    }
}

static void all_vectors_match(void **state)
{
    static const char *const variants[] = {"plain", "avx2", "avx512"};
    static uint8_t pattern[1 << 20];
    struct mr_json *j = mr_json_load(NULL, MR_TEST_VECTORS "/keccak256.json");
    const struct mr_json *known = mr_json_get(j, "known");
    size_t prefix_len;
    const char *prefix = mr_json_string(mr_json_get(j, "prefix_text"), &prefix_len);

    (void)state;
    assert_non_null(j);
    assert_non_null(prefix);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)i;
    for (size_t i = 0; i < mr_json_count(known); i++) {
        const struct mr_json *row = mr_json_at(known, i);
        size_t n;
        const char *ascii = mr_json_string(mr_json_get(row, "ascii"), &n);
        uint8_t *bytes = ascii ? NULL : mr_json_hex_dup(mr_json_get(row, "hex"), &n);

        add(ascii ? (const uint8_t *)ascii : bytes, n, mr_json_get(row, "keccak256"));
    }
    add_table(mr_json_get(j, "prefix_table"), (const uint8_t *)prefix, prefix_len);
    add_table(mr_json_get(j, "pattern_table"), pattern, sizeof pattern);
    assert_true(cases > 180);
    for (size_t v = 0; v < MR_COUNT_OF(variants); v++) {
        struct mr_hash out[CASES_MAX];

        if (!mr_keccak_use(variants[v]))
            continue;
        mr_keccak256_many(out, in, cases);
        for (size_t i = 0; i < cases; i++) {
            struct mr_hash one;

            mr_keccak256(&one, in[i].p, in[i].n);
            assert_memory_equal(one.b, expected[i].b, 32);
            assert_memory_equal(out[i].b, expected[i].b, 32);
        }
    }
    for (size_t i = 0; i < mr_json_count(known); i++)
        if (!mr_json_get(mr_json_at(known, i), "ascii"))
            free((void *)in[i].p);
    mr_json_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_vectors_match)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
