#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <string.h>

#include "crypto/ct.h"
#include "crypto/entropy.h"

static void equal_sees_every_bit(void **state)
{
    uint8_t a[67], b[67];

    (void)state;
    memset(a, 0x5a, sizeof a);
    memcpy(b, a, sizeof b);
    assert_true(mr_ct_equal(a, b, sizeof a));
    for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(mr_ct_equal(a, b, sizeof a));
        assert_true(mr_ct_equal(a, b, bit / 8));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (unsigned v = 0; v < 256; v++) {
        a[0] = (uint8_t)v, b[0] = (uint8_t)~v;
        assert_false(mr_ct_equal(a, b, 1));
    }
}

static void nothing_equals_nothing(void **state)
{
    (void)state;
    assert_true(mr_ct_equal("a", "b", 0));
    assert_true(mr_ct_equal(NULL, NULL, 0));
}

static void wipe_touches_exactly_its_bytes(void **state)
{
    uint8_t a[40];

    (void)state;
    memset(a, 0xff, sizeof a);
    mr_wipe(a + 4, 32);
    for (size_t i = 0; i < sizeof a; i++)
        assert_int_equal(a[i], i < 4 || i >= 36 ? 0xff : 0);
    mr_wipe(NULL, 0);
}

static void entropy_fills_everything_and_never_repeats(void **state)
{
    static uint8_t big[1 << 16];
    uint8_t a[32], b[32];
    unsigned seen[256] = {0};

    (void)state;
    assert_true(mr_entropy(a, sizeof a));
    mr_entropy_system(NULL, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(mr_entropy(big, sizeof big));
    assert_true(mr_entropy(NULL, 0));
    for (size_t i = 0; i < sizeof big; i++)
        seen[big[i]]++;
    /* 256 expected of each, deviation 16: ten of them are never seen. */
    for (size_t v = 0; v < 256; v++)
        assert_in_range(seen[v], 96, 416);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_sees_every_bit),
        cmocka_unit_test(nothing_equals_nothing),
        cmocka_unit_test(wipe_touches_exactly_its_bytes),
        cmocka_unit_test(entropy_fills_everything_and_never_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
