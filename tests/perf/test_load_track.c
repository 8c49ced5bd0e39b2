/* What counts as delivered, and what as a duplicate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/clock.h"
#include "perf/load_track.h"

#define PEERS   4
#define TXS     10
#define SENDERS 2
#define START   (100 * MR_SECOND)

static void track_open(struct mr_load_track *t)
{
    assert_int_equal(mr_load_track_init(t, PEERS, TXS, SENDERS), MR_OK);
    mr_load_track_schedule(t, START, 1000);
}

static void send_times_are_fixed_beforehand(void **state)
{
    struct mr_load_track t;

    (void)state;
    track_open(&t);
    for (uint64_t i = 0; i < TXS; i++)
        assert_int_equal(t.due_ns[i], START + i * MR_MS);
    mr_load_track_fini(&t);
}

static void latency_counts_from_the_scheduled_send(void **state)
{
    struct mr_load_track t;

    (void)state;
    track_open(&t);
    mr_load_track_sent(&t, 0, START + 50 * MR_MS); /* the generator itself was late */
    assert_int_equal(t.late_sends_max_ns, 50 * MR_MS);
    assert_true(mr_load_track_announced(&t, 2, 0, START + 60 * MR_MS));
    mr_load_track_body(&t, 2, 0, true, START + 70 * MR_MS);
    assert_in_range(mr_histogram_max(&t.notice), 60000, 60100);
    assert_in_range(mr_histogram_max(&t.body), 70000, 70100);
    assert_int_equal(t.delivered, 1);
    assert_int_equal(t.noticed, 1);
    assert_int_equal(mr_load_track_duplicates(&t), 0);
    mr_load_track_fini(&t);
}

static void a_body_is_a_notice_too(void **state)
{
    struct mr_load_track t;

    (void)state;
    track_open(&t);
    mr_load_track_sent(&t, 0, START);
    mr_load_track_body(&t, 1, 0, false, START + MR_MS);
    assert_int_equal(t.noticed, 1);
    assert_int_equal(mr_histogram_count(&t.notice), 1);
    mr_load_track_fini(&t);
}

static void every_kind_of_duplicate_is_counted(void **state)
{
    struct mr_load_track t;

    (void)state;
    track_open(&t);
    mr_load_track_sent(&t, 0, START);
    assert_true(mr_load_track_announced(&t, 2, 0, START));
    assert_false(mr_load_track_announced(&t, 2, 0, START));
    assert_int_equal(t.twice_announced, 1);
    mr_load_track_body(&t, 2, 0, true, START);
    mr_load_track_body(&t, 2, 0, false, START);
    assert_int_equal(t.twice_in_full, 1);
    assert_false(mr_load_track_announced(&t, 0, 0, START)); /* peer 0 has sent transaction 0 */
    mr_load_track_body(&t, 0, 0, false, START);
    assert_int_equal(t.sent_back, 2);
    assert_int_equal(mr_load_track_duplicates(&t), 4);
    assert_int_equal(t.delivered, 1); /* none of them is a delivery */
    assert_int_equal(mr_histogram_count(&t.notice), 1);
    mr_load_track_fini(&t);
}

static void what_is_odd_but_no_duplicate_is_told_apart(void **state)
{
    struct mr_load_track t;

    (void)state;
    track_open(&t);
    mr_load_track_sent(&t, 1, START);
    mr_load_track_body(&t, 2, 1, false, START);
    assert_false(mr_load_track_announced(&t, 2, 1, START)); /* it has it: nothing to ask for */
    assert_int_equal(t.announced_to_owner, 1);
    assert_true(mr_load_track_announced(&t, 3, 1, START));
    mr_load_track_body(&t, 3, 1, false, START);
    assert_int_equal(t.in_full_announced, 1);
    assert_false(mr_load_track_announced(&t, 3, 4, START)); /* not sent yet */
    mr_load_track_body(&t, 3, 4, false, START);
    assert_int_equal(t.before_sent, 2);
    assert_int_equal(t.delivered, 2);
    assert_int_equal(mr_load_track_duplicates(&t), 0);
    mr_load_track_fini(&t);
}

static void expected_are_the_transactions_that_were_due(void **state)
{
    struct mr_load_track t;

    (void)state;
    track_open(&t);
    assert_int_equal(mr_load_track_expected(&t, PEERS, START), 0);
    assert_int_equal(mr_load_track_expected(&t, PEERS, START + 1), 3);
    assert_int_equal(mr_load_track_expected(&t, PEERS, START + 4 * MR_MS + 1), 15);
    assert_int_equal(mr_load_track_expected(&t, PEERS, UINT64_MAX), 30);
    assert_int_equal(mr_load_track_expected(&t, 0, UINT64_MAX), 0);
    mr_load_track_fini(&t);
}

static void tables_over_the_limit_are_refused(void **state)
{
    struct mr_load_track t;

    (void)state;
    assert_int_equal(mr_load_track_init(&t, 0, 1, 1), MR_INVALID);
    assert_int_equal(mr_load_track_init(&t, 1, 0, 1), MR_INVALID);
    assert_int_equal(mr_load_track_init(&t, 1, 1, 0), MR_INVALID);
    assert_int_equal(mr_load_track_init(&t, 1, 1, 2), MR_INVALID);
    assert_int_equal(mr_load_track_init(&t, 16384, 4000000, 10), MR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(send_times_are_fixed_beforehand),
        cmocka_unit_test(latency_counts_from_the_scheduled_send),
        cmocka_unit_test(a_body_is_a_notice_too),
        cmocka_unit_test(every_kind_of_duplicate_is_counted),
        cmocka_unit_test(what_is_odd_but_no_duplicate_is_told_apart),
        cmocka_unit_test(expected_are_the_transactions_that_were_due),
        cmocka_unit_test(tables_over_the_limit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
