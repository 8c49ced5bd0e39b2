#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/random.h"
#include "shards/dispatcher_addresses.h"

#define CAPACITY 64
#define THROTTLE (30 * MR_SECOND)

static struct mr_addresses a;
static uint64_t now;

static int setup(void **state)
{
    static const uint64_t key[2] = {1, 2};

    (void)state;
    now = 1000 * MR_SECOND;
    assert_int_equal(mr_addresses_init(&a, CAPACITY, key), MR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_addresses_fini(&a);
    return 0;
}

static enum mr_address_verdict enter(uint32_t ip)
{
    return mr_addresses_enter(&a, ip, 8, THROTTLE, now);
}

static void second_connection_within_the_throttle_is_refused(void **state)
{
    (void)state;
    assert_int_equal(enter(1), MR_ADDRESS_OK);
    assert_int_equal(enter(1), MR_ADDRESS_THROTTLED);
    assert_int_equal(enter(2), MR_ADDRESS_OK);
    mr_addresses_leave(&a, 1);
    now += THROTTLE - 1;
    assert_int_equal(enter(1), MR_ADDRESS_THROTTLED); /* and that is not held against it */
    now += 1;
    assert_int_equal(enter(1), MR_ADDRESS_OK);
}

static void pending_ones_are_counted_without_a_throttle(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(mr_addresses_enter(&a, 1, 8, 0, now), MR_ADDRESS_OK);
    assert_int_equal(mr_addresses_enter(&a, 1, 8, 0, now), MR_ADDRESS_PENDING);
    mr_addresses_leave(&a, 1);
    assert_int_equal(mr_addresses_enter(&a, 1, 8, 0, now), MR_ADDRESS_OK);
}

static void table_forgets_who_came_first_when_it_is_full(void **state)
{
    (void)state;
    assert_int_equal(enter(7), MR_ADDRESS_OK); /* stays pending */
    for (uint32_t ip = 100; ip < 100 + 1000; ip++) {
        assert_int_equal(enter(ip), MR_ADDRESS_OK);
        mr_addresses_leave(&a, ip);
        assert_true(a.count <= CAPACITY);
    }
    assert_true(a.evicted > 0);
    assert_int_equal(enter(7), MR_ADDRESS_THROTTLED); /* what is pending is never forgotten */
    assert_int_equal(enter(100), MR_ADDRESS_OK);      /* forgotten */
    assert_int_equal(enter(1099), MR_ADDRESS_THROTTLED);
}

static void what_has_passed_makes_room_without_being_counted(void **state)
{
    (void)state;
    for (uint32_t ip = 0; ip < 10000; ip++) {
        now += MR_SECOND;
        assert_int_equal(enter(ip), MR_ADDRESS_OK);
        mr_addresses_leave(&a, ip);
    }
    assert_int_equal(a.evicted, 0);
    assert_true(a.count <= 40);
}

static void agrees_with_a_model(void **state)
{
    uint64_t came[32] = {0};
    unsigned pending[32] = {0};
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 6);
    for (unsigned step = 0; step < 100000; step++) {
        uint32_t ip = (uint32_t)mr_random_below(&r, 32);

        now += mr_random_below(&r, 2 * MR_SECOND);
        if (pending[ip] > 0 && mr_random_below(&r, 2)) {
            mr_addresses_leave(&a, ip);
            pending[ip]--;
        } else {
            enum mr_address_verdict expected = MR_ADDRESS_OK;

            if (pending[ip] >= 3)
                expected = MR_ADDRESS_PENDING;
            else if (came[ip] && now < came[ip] + THROTTLE)
                expected = MR_ADDRESS_THROTTLED;
            assert_int_equal(mr_addresses_enter(&a, ip, 3, THROTTLE, now), expected);
            if (expected == MR_ADDRESS_OK)
                came[ip] = now, pending[ip]++;
        }
    }
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(second_connection_within_the_throttle_is_refused),
        TEST(pending_ones_are_counted_without_a_throttle),
        TEST(table_forgets_who_came_first_when_it_is_full),
        TEST(what_has_passed_makes_room_without_being_counted),
        TEST(agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
