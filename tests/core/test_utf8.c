#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/utf8.h"

static size_t encode(uint8_t out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xc0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 63));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xe0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (cp & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (cp & 63));
    return 4;
}

static void every_code_point_but_surrogates_is_read_and_no_prefix_of_it(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x120000; cp++) {
        bool good = cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff);
        uint32_t back = 0xdead;
        uint8_t b[4];
        size_t n = encode(b, cp);

        if (mr_utf8_decode(&back, b, n) != (good ? n : 0) || back != (good ? cp : 0xdead))
            fail_msg("code point %x", cp);
        for (size_t cut = 1; cut < n; cut++)
            if (mr_utf8_decode(&back, b, cut) != 0)
                fail_msg("code point %x cut to %zu", cp, cut);
    }
}

static void overlong_and_stray_bytes_are_refused(void **state)
{
    static const char *const bad[] = {
        "\x80",         "\xbf", "\xc0\x80", "\xc1\xbf",  "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
        "\xf5\x80\x80", "\xff", "\xc3(",    "\xe2\x82(", "\xf0\x9f\x98("};
    uint32_t cp;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(bad); i++)
        assert_int_equal(mr_utf8_decode(&cp, bad[i], strlen(bad[i])), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_surrogates_is_read_and_no_prefix_of_it),
        cmocka_unit_test(overlong_and_stray_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
