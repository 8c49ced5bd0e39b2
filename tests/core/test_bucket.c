#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/bucket.h"
#include "core/clock.h"
#include "core/random.h"

static void a_new_bucket_gives_its_burst_and_no_more(void **state)
{
    struct mr_bucket b;

    (void)state;
    mr_bucket_init(&b, 10, 5, 1000);
    for (int i = 0; i < 5; i++)
        assert_true(mr_bucket_take(&b, 1, 1000));
    assert_false(mr_bucket_take(&b, 1, 1000));
    assert_true(mr_bucket_take(&b, 0, 1000));
    mr_bucket_init(&b, 10, 5, 1000);
    assert_false(mr_bucket_take(&b, 6, 1000));
    assert_true(mr_bucket_take(&b, 5, 1000)); /* the refusal took nothing */
}

static void over_an_hour_of_small_steps_the_rate_is_exact(void **state)
{
    struct mr_bucket b;
    struct mr_random r;
    uint64_t now = 12345, taken = 0;

    (void)state;
    mr_random_init(&r, 1);
    mr_bucket_init(&b, 7, 1000, now);
    assert_true(mr_bucket_take(&b, 1000, now));
    while (now < 12345 + 3600 * MR_SECOND) {
        now = MR_MIN(now + 1 + mr_random_below(&r, 30 * MR_MS), 12345 + 3600 * MR_SECOND);
        while (mr_bucket_take(&b, 1, now))
            taken++;
    }
    assert_int_equal(taken, 7 * 3600); /* fractions are carried, not lost */
}

static void rates_above_one_token_a_nanosecond_are_exact(void **state)
{
    struct mr_bucket b;

    (void)state;
    mr_bucket_init(&b, 10 * MR_SECOND, 1000, 0);
    assert_true(mr_bucket_take(&b, 1000, 0));
    assert_false(mr_bucket_take(&b, 31, 3));
    assert_true(mr_bucket_take(&b, 30, 3));
}

static void ready_at_is_the_first_moment_that_take_succeeds(void **state)
{
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 2);
    for (int i = 0; i < 20000; i++) {
        uint64_t rate = 1 + mr_random_u64(&r) % (UINT64_C(1) << mr_random_below(&r, 40));
        uint64_t burst = 1 + mr_random_below(&r, 1000000), now = mr_random_below(&r, 1 << 30);
        uint64_t n = 1 + mr_random_below(&r, burst), at;
        struct mr_bucket b, early;

        mr_bucket_init(&b, rate, burst, now);
        now += mr_random_below(&r, MR_SECOND);
        mr_bucket_force(&b, mr_random_below(&r, 3 * burst), now);
        at = mr_bucket_ready_at(&b, n);
        early = b;
        if (at > now)
            assert_false(mr_bucket_take(&early, n, at - 1));
        assert_true(mr_bucket_take(&b, n, at));
    }
}

static void debt_is_worked_off_before_anything_is_given(void **state)
{
    struct mr_bucket b;

    (void)state;
    mr_bucket_init(&b, 100, 10, 0);
    mr_bucket_force(&b, 110, 0);
    assert_int_equal(mr_bucket_ready_at(&b, 1), MR_SECOND + 10 * MR_MS);
    assert_false(mr_bucket_take(&b, 0, MR_SECOND / 2));
    assert_false(mr_bucket_take(&b, 1, MR_SECOND));
    assert_true(mr_bucket_take(&b, 1, MR_SECOND + 10 * MR_MS));
}

static void a_clock_that_goes_back_neither_gives_nor_starves(void **state)
{
    struct mr_bucket b;
    uint64_t hour = 3600 * MR_SECOND;

    (void)state;
    mr_bucket_init(&b, 10, 10, hour);
    assert_true(mr_bucket_take(&b, 10, hour));
    assert_false(mr_bucket_take(&b, 1, 0));
    assert_false(mr_bucket_take(&b, 1, 99 * MR_MS));
    assert_true(mr_bucket_take(&b, 1, 100 * MR_MS)); /* not an hour later */
}

static void the_ends_of_the_number_range_are_safe(void **state)
{
    struct mr_bucket b;

    (void)state;
    mr_bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
    assert_true(mr_bucket_take(&b, UINT64_C(1) << 62, UINT64_MAX));
    assert_false(mr_bucket_take(&b, UINT64_MAX, UINT64_MAX));
    assert_int_equal(mr_bucket_ready_at(&b, UINT64_MAX), UINT64_MAX);
    for (int i = 0; i < 5; i++)
        mr_bucket_force(&b, UINT64_MAX, UINT64_MAX);
    assert_false(mr_bucket_take(&b, 0, UINT64_MAX));
    assert_false(mr_bucket_take(&b, 1, 0));
    assert_true(mr_bucket_take(&b, UINT64_C(1) << 62, UINT64_MAX));

    mr_bucket_init(&b, 1, UINT64_MAX, UINT64_MAX);
    mr_bucket_force(&b, UINT64_MAX, UINT64_MAX);
    assert_int_equal(mr_bucket_ready_at(&b, UINT64_C(1) << 62), UINT64_MAX);

    mr_bucket_init(&b, 0, 3, 0);
    assert_true(mr_bucket_take(&b, 3, 0));
    assert_false(mr_bucket_take(&b, 1, UINT64_MAX));
    assert_int_equal(mr_bucket_ready_at(&b, 1), UINT64_MAX);
    mr_bucket_init(&b, 5, 0, 0);
    assert_false(mr_bucket_take(&b, 1, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_bucket_gives_its_burst_and_no_more),
        cmocka_unit_test(over_an_hour_of_small_steps_the_rate_is_exact),
        cmocka_unit_test(rates_above_one_token_a_nanosecond_are_exact),
        cmocka_unit_test(ready_at_is_the_first_moment_that_take_succeeds),
        cmocka_unit_test(debt_is_worked_off_before_anything_is_given),
        cmocka_unit_test(a_clock_that_goes_back_neither_gives_nor_starves),
        cmocka_unit_test(the_ends_of_the_number_range_are_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
