#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/hex.h"
#include "core/rlp.h"
#include "node/decode.h"

/* What is printed for a hex text; "" when refused, and then *error says why. */
static char *printed(const char *hex, enum mr_decode_form form, struct mr_decode_error *error)
{
    size_t n = strlen(hex) / 2, used;
    uint8_t *bytes = malloc(n + 1);
    char *text = NULL;
    FILE *out = open_memstream(&text, &used);
    bool ok;

    assert_non_null(bytes);
    assert_non_null(out);
    assert_int_equal(mr_hex_decode_exact(bytes, n, hex, strlen(hex)), MR_OK);
    ok = mr_decode_rlp(error, out, form, mr_span(bytes, n));
    assert_true(ok == mr_decode_rlp(error, NULL, form, mr_span(bytes, n)));
    fclose(out);
    assert_true(ok == (used > 0));
    free(bytes);
    return text;
}

static void items_become_nested_arrays(void **state)
{
    static const struct {
        const char *hex, *json, *lines;
    } rows[] = {
        {"00", "\"0x00\"\n", "value: 0x00\n"},
        {"80", "\"0x\"\n", "value: 0x\n"},
        {"c0", "[]\n", "value: []\n"},
        {"c1c0", "[[]]\n", "0: []\n"},
        {"c601c402c203c0", "[\"0x01\",[\"0x02\",[\"0x03\",[]]]]\n",
         "0: 0x01\n1.0: 0x02\n1.1.0: 0x03\n1.1.1: []\n"},
        {"c7c50583343434c0", "[[\"0x05\",\"0x343434\"],[]]\n", "0.0: 0x05\n0.1: 0x343434\n1: []\n"},
    };
    struct mr_decode_error error;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        char *json = printed(rows[i].hex, MR_DECODE_JSON, &error);
        char *lines = printed(rows[i].hex, MR_DECODE_LINES, &error);

        assert_string_equal(json, rows[i].json);
        assert_string_equal(lines, rows[i].lines);
        free(json);
        free(lines);
    }
}

static void faults_are_named_with_their_offset(void **state)
{
    static const struct {
        const char *hex, *text;
        size_t offset;
    } rows[] = {
        {"", "an item is missing: the input ends", 0},
        {"8322", "an item of 3 bytes, but the input ends after 1", 0},
        {"c20105ff", "1 byte behind the item", 3},
        {"c180c0c0", "2 bytes behind the item", 2},
        {"c28105", "a byte below 0x80 stands for itself, without a prefix", 1},
        {"c383222222", "an item of 3 bytes, but its list ends after 2", 1},
        {"b800", "a length with leading zeros", 0},
        {"f83780", "a length of 55 in the long form, which starts at 56", 0},
        {"b90038", "a length with leading zeros", 0},
        {"b9ff", "a length of 2 bytes, but the input ends after 1", 0},
        {"ffffffffffffffffff", "an item of 18446744073709551615 bytes, but the input ends after 0",
         0},
    };
    struct mr_decode_error error;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        free(printed(rows[i].hex, MR_DECODE_JSON, &error));
        assert_string_equal(error.text, rows[i].text);
        assert_int_equal(error.offset, rows[i].offset);
    }
}

static void lists_end_at_the_stated_depth(void **state)
{
    static uint8_t bytes[8 * 100000];
    struct mr_decode_error error;

    (void)state;
    for (size_t depth = MR_DECODE_DEPTH_MAX - 1; depth < 100000; depth *= 7) {
        /* From the inside out: each list's prefix in front of what is there. */
        size_t n = 0, levels = 0;
        uint8_t *end = bytes + sizeof bytes, *p = end;

        for (; levels < depth; levels++) {
            uint8_t head[9];
            struct mr_writer w = mr_writer(head, sizeof head);

            n = (size_t)(end - p);
            assert_int_equal(mr_rlp_put_list_head(&w, n), MR_OK);
            p -= w.n;
            memcpy(p, head, w.n);
        }
        assert_true(mr_decode_rlp(&error, NULL, MR_DECODE_JSON, mr_span(p, (size_t)(end - p))) ==
                    (depth <= MR_DECODE_DEPTH_MAX));
    }
    assert_string_equal(error.text, "lists nested deeper than 1024");
}

static void every_prefix_is_refused_and_agrees_with_the_reader(void **state)
{
    /* [[0x05, "444"], [], 60 bytes, [1, [2]]] */
    static const char *const hex =
        "f848c50583343434c0b83c"
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "202122232425262728292a2b2c2d2e2f303132333435363738393a3b"
        "c301c102";
    struct mr_decode_error error;
    uint8_t bytes[128];
    size_t n;

    (void)state;
    assert_int_equal(mr_hex_decode(bytes, &n, sizeof bytes, hex, strlen(hex)), MR_OK);
    bytes[1] = (uint8_t)(n - 2);
    assert_true(mr_decode_rlp(&error, NULL, MR_DECODE_JSON, mr_span(bytes, n)));
    for (size_t i = 0; i < n; i++)
        assert_false(mr_decode_rlp(&error, NULL, MR_DECODE_JSON, mr_span(bytes, i)));
    for (size_t i = 0; i < n; i++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t old = bytes[i];
            struct mr_reader r = mr_reader(bytes, n);

            bytes[i] = (uint8_t)v;
            assert_true(mr_decode_rlp(&error, NULL, MR_DECODE_JSON, mr_span(bytes, n)) ==
                        (mr_rlp_check(&r, MR_RLP_DEPTH_MAX) == MR_OK && mr_reader_done(&r)));
            bytes[i] = old;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_become_nested_arrays),
        cmocka_unit_test(faults_are_named_with_their_offset),
        cmocka_unit_test(lists_end_at_the_stated_depth),
        cmocka_unit_test(every_prefix_is_refused_and_agrees_with_the_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
