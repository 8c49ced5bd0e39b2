#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/clock.h"

static void monotonic_time_never_goes_back(void **state)
{
    struct mr_time last = mr_clock_now();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct mr_time t = mr_clock_now();

        assert_true(t.mono_ns >= last.mono_ns);
        last = t;
    }
}

static void wall_time_is_in_this_century(void **state)
{
    struct mr_time t = mr_clock_now();

    (void)state;
    assert_in_range(mr_time_wall_s(t), UINT64_C(1577836800), UINT64_C(4102444800)); /* 2020, 2100 */
}

static void units_agree(void **state)
{
    struct mr_time t = {.mono_ns = 5 * MR_SECOND + 7 * MR_MS + 999999,
                        .wall_ns = 3 * MR_SECOND - 1};

    (void)state;
    assert_int_equal(mr_time_mono_ms(t), 5007);
    assert_int_equal(mr_time_wall_s(t), 2);
    assert_int_equal(1000 * MR_US, MR_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_time_never_goes_back),
        cmocka_unit_test(wall_time_is_in_this_century),
        cmocka_unit_test(units_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
