#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/rlpx/keepalive.h"

#define START 1000000u

static struct mr_keepalive fresh(void)
{
    struct mr_keepalive k;

    mr_keepalive_init(&k, START);
    return k;
}

static void a_silent_peer_is_pinged_at_15_s_and_gone_at_30_s(void **state)
{
    struct mr_keepalive k = fresh();

    (void)state;
    assert_int_equal(mr_keepalive_due(&k, START), MR_KEEPALIVE_WAIT);
    assert_int_equal(mr_keepalive_due(&k, START + 14999), MR_KEEPALIVE_WAIT);
    assert_int_equal(mr_keepalive_deadline_ms(&k), START + 15000);
    assert_int_equal(mr_keepalive_due(&k, START + 15000), MR_KEEPALIVE_PING);
    mr_keepalive_pinged(&k, START + 15000);
    assert_int_equal(mr_keepalive_due(&k, START + 15000), MR_KEEPALIVE_WAIT);
    assert_int_equal(mr_keepalive_deadline_ms(&k), START + 30000);
    assert_int_equal(mr_keepalive_due(&k, START + 29999), MR_KEEPALIVE_WAIT);
    assert_int_equal(mr_keepalive_due(&k, START + 30000), MR_KEEPALIVE_GONE);
}

static void a_pong_keeps_the_session(void **state)
{
    struct mr_keepalive k = fresh();
    uint64_t now = START;

    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        now = mr_keepalive_deadline_ms(&k);
        assert_int_equal(mr_keepalive_due(&k, now), MR_KEEPALIVE_PING);
        mr_keepalive_pinged(&k, now);
        now += 40;
        mr_keepalive_heard(&k, now);
        assert_int_equal(mr_keepalive_on_pong(&k, now), MR_P2P_NONE);
        assert_int_equal(k.pongs_awaited, 0);
    }
}

/* Peers give up those who say nothing for 30 s, however much they talk themselves. */
static void a_talking_peer_hears_from_us_too(void **state)
{
    struct mr_keepalive k = fresh();
    unsigned pings = 0;

    (void)state;
    for (uint64_t now = START; now < START + 300000; now += 100) {
        mr_keepalive_heard(&k, now);
        if (mr_keepalive_due(&k, now) == MR_KEEPALIVE_PING) {
            assert_int_equal(now, mr_keepalive_deadline_ms(&k));
            mr_keepalive_pinged(&k, now);
            pings++;
        }
    }
    assert_int_equal(pings, 19);
}

static void a_busy_session_is_never_pinged(void **state)
{
    struct mr_keepalive k = fresh();

    (void)state;
    for (uint64_t now = START; now < START + 300000; now += 14000) {
        mr_keepalive_heard(&k, now);
        mr_keepalive_spoke(&k, now);
        assert_int_equal(mr_keepalive_due(&k, now), MR_KEEPALIVE_WAIT);
        assert_int_equal(mr_keepalive_due(&k, now + 13999), MR_KEEPALIVE_WAIT);
    }
}

/* The deadline is exact: at it something is due, just before it nothing. */
static void due_and_deadline_agree(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        struct mr_keepalive k = fresh();
        uint64_t now = START, at;

        for (unsigned step = 0; step < 8; step++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            now += (seed >> 33) % 12000;
            if (mr_keepalive_due(&k, now) == MR_KEEPALIVE_GONE)
                break;
            switch ((seed >> 60) % 3) {
            case 0:
                mr_keepalive_heard(&k, now);
                break;
            case 1:
                mr_keepalive_spoke(&k, now);
                break;
            default:
                mr_keepalive_pinged(&k, now);
                break;
            }
        }
        at = mr_keepalive_deadline_ms(&k);
        assert_int_equal(mr_keepalive_due(&k, at - 1), MR_KEEPALIVE_WAIT);
        assert_int_not_equal(mr_keepalive_due(&k, at), MR_KEEPALIVE_WAIT);
    }
}

/* F-07 */
static void a_burst_of_pings_ends_the_session(void **state)
{
    struct mr_keepalive k = fresh();
    unsigned taken = 0;

    (void)state;
    while (mr_keepalive_on_ping(&k, START) == MR_P2P_NONE)
        taken++;
    assert_int_equal(taken, MR_PING_BURST);
    assert_int_equal(k.pongs_queued, MR_PING_BURST);
    assert_int_equal(mr_keepalive_on_ping(&k, START + 999), MR_P2P_PING_FLOOD);
    assert_int_equal(mr_keepalive_on_ping(&k, START + 1000), MR_P2P_NONE);
    assert_int_equal(mr_keepalive_on_ping(&k, START + 1001), MR_P2P_PING_FLOOD);
}

static void one_ping_a_second_is_tolerated_forever(void **state)
{
    struct mr_keepalive k = fresh();

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(mr_keepalive_on_ping(&k, START + 1000u * i), MR_P2P_NONE);
        mr_keepalive_ponged(&k, START + 1000u * i);
    }
    assert_int_equal(k.pongs_queued, 0);
    for (unsigned i = 0; i < 5; i++) /* after a rest the burst is whole again */
        assert_int_equal(mr_keepalive_on_ping(&k, START + 200000000u), MR_P2P_NONE);
}

static void pongs_that_nobody_takes_are_bounded(void **state)
{
    struct mr_keepalive k = fresh();
    uint64_t now = START;

    (void)state;
    while (mr_keepalive_on_ping(&k, now) == MR_P2P_NONE) {
        now += 1000;
        assert_true(k.pongs_queued <= MR_PONGS_QUEUED_MAX);
    }
    assert_int_equal(k.pongs_queued, MR_PONGS_QUEUED_MAX);
}

static void unasked_pongs_have_a_budget_and_asked_ones_do_not_use_it(void **state)
{
    struct mr_keepalive k = fresh();
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        mr_keepalive_pinged(&k, START);
        assert_int_equal(mr_keepalive_on_pong(&k, START), MR_P2P_NONE);
    }
    while (mr_keepalive_on_pong(&k, START) == MR_P2P_NONE)
        taken++;
    assert_int_equal(taken, MR_PING_BURST);
    for (unsigned i = 0; i < 1000; i++) /* unanswered pings do not add up to a licence */
        mr_keepalive_pinged(&k, START);
    for (taken = 0; mr_keepalive_on_pong(&k, START) == MR_P2P_NONE;)
        taken++;
    assert_int_equal(taken, MR_PONGS_QUEUED_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_peer_is_pinged_at_15_s_and_gone_at_30_s),
        cmocka_unit_test(a_pong_keeps_the_session),
        cmocka_unit_test(a_talking_peer_hears_from_us_too),
        cmocka_unit_test(a_busy_session_is_never_pinged),
        cmocka_unit_test(due_and_deadline_agree),
        cmocka_unit_test(a_burst_of_pings_ends_the_session),
        cmocka_unit_test(one_ping_a_second_is_tolerated_forever),
        cmocka_unit_test(pongs_that_nobody_takes_are_bounded),
        cmocka_unit_test(unasked_pongs_have_a_budget_and_asked_ones_do_not_use_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
