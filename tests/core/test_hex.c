#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/hex.h"

static void encoding_is_lower_case_and_ends_with_nul(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0xab, 0xff};
    char out[9];

    (void)state;
    assert_int_equal(mr_hex_encode(out, bytes, sizeof bytes), 8);
    assert_string_equal(out, "0001abff");
    assert_int_equal(mr_hex_encode(out, bytes, 0), 0);
    assert_string_equal(out, "");
}

static void decoding_takes_both_cases_and_a_prefix(void **state)
{
    static const char *const forms[] = {"deadBEEF", "0xDEADbeef", "0Xdeadbeef"};
    uint8_t out[4];
    size_t n;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(forms); i++) {
        memset(out, 0, sizeof out);
        assert_int_equal(mr_hex_decode(out, &n, sizeof out, forms[i], strlen(forms[i])), MR_OK);
        assert_int_equal(n, 4);
        assert_memory_equal(out, "\xde\xad\xbe\xef", 4);
    }
    assert_int_equal(mr_hex_decode(out, &n, sizeof out, "0x", 2), MR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(mr_hex_decode(out, &n, sizeof out, "", 0), MR_OK);
    assert_int_equal(n, 0);
}

static void every_byte_that_is_no_digit_is_refused_and_named(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[5] = "0123";
        uint8_t out[2] = {0x5a, 0x5a};
        size_t n = 99, bad = 99;
        bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

        text[2] = (char)c;
        if (is_digit) {
            assert_int_equal(mr_hex_decode(out, &n, 2, text, 4), MR_OK);
            continue;
        }
        assert_int_equal(mr_hex_decode(out, &n, 2, text, 4), MR_MALFORMED);
        assert_int_equal(n, 99);
        assert_int_equal(out[0], 0x5a);
        assert_int_equal(mr_hex_check(&n, &bad, text, 4), MR_MALFORMED);
        assert_int_equal(bad, 2);
    }
}

static void an_odd_number_of_digits_is_refused_at_the_end(void **state)
{
    size_t bad = 99;

    (void)state;
    assert_int_equal(mr_hex_check(NULL, &bad, "abc", 3), MR_MALFORMED);
    assert_int_equal(bad, 3);
    assert_int_equal(mr_hex_check(NULL, &bad, "0x1", 3), MR_MALFORMED);
    assert_int_equal(bad, 3);
    assert_int_equal(mr_hex_check(NULL, &bad, "x1", 2), MR_MALFORMED);
    assert_int_equal(bad, 0);
    assert_int_equal(mr_hex_check(NULL, &bad, "0x0x", 4), MR_MALFORMED);
    assert_int_equal(bad, 3);
}

static void capacity_is_checked_before_anything_is_written(void **state)
{
    uint8_t out[3] = {1, 2, 3};
    size_t n = 99;

    (void)state;
    assert_int_equal(mr_hex_decode(out, &n, 2, "aabbcc", 6), MR_TOO_BIG);
    assert_int_equal(n, 99);
    assert_memory_equal(out, "\x01\x02\x03", 3);
    assert_int_equal(mr_hex_decode_exact(out, 2, "aabbcc", 6), MR_INVALID);
    assert_int_equal(mr_hex_decode_exact(out, 4, "aabbcc", 6), MR_INVALID);
    assert_int_equal(mr_hex_decode_exact(out, 3, "aabbc", 5), MR_MALFORMED);
    assert_memory_equal(out, "\x01\x02\x03", 3);
    assert_int_equal(mr_hex_decode_exact(out, 3, "aabbcc", 6), MR_OK);
    assert_memory_equal(out, "\xaa\xbb\xcc", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding_is_lower_case_and_ends_with_nul),
        cmocka_unit_test(decoding_takes_both_cases_and_a_prefix),
        cmocka_unit_test(every_byte_that_is_no_digit_is_refused_and_named),
        cmocka_unit_test(an_odd_number_of_digits_is_refused_at_the_end),
        cmocka_unit_test(capacity_is_checked_before_anything_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
