#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shards/options.h"
#include "shards/seen.h"

static struct mr_hash hash_of(uint64_t n)
{
    struct mr_hash h = {{0}};

    mr_store_be64(h.b + 8, n);
    return h;
}

static void a_state_is_found_changed_and_forgotten(void **state)
{
    struct mr_hash h = hash_of(1);
    struct mr_random r;
    struct mr_seen s;

    (void)state;
    mr_random_init(&r, 1);
    assert_true(mr_seen_init(&s, 64, &r));
    assert_null(mr_seen_find(&s, &h, 0));
    assert_non_null(mr_seen_put(&s, &h, MR_SEEN_ANNOUNCED, 77, 5));
    assert_int_equal(mr_seen_find(&s, &h, 5)->index, 77);
    assert_non_null(mr_seen_put(&s, &h, MR_SEEN_HELD, 3, 6));
    assert_int_equal(mr_seen_find(&s, &h, 6)->state, MR_SEEN_HELD);
    mr_seen_remove(&s, &h);
    assert_null(mr_seen_find(&s, &h, 6));
    mr_seen_fini(&s);
}

static void a_refusal_ends_by_itself(void **state)
{
    struct mr_hash h = hash_of(1);
    struct mr_random r;
    struct mr_seen s;

    (void)state;
    mr_random_init(&r, 1);
    assert_true(mr_seen_init(&s, 64, &r));
    mr_seen_put(&s, &h, MR_SEEN_REFUSED, 0, 100);
    assert_non_null(mr_seen_find(&s, &h, 99));
    assert_null(mr_seen_find(&s, &h, 100));
    assert_null(mr_seen_find(&s, &h, 50));
    mr_seen_fini(&s);
}

/* Memory is fixed: old judgements leave, entries that something points to never do. */
static void the_oldest_judgements_leave_and_live_entries_stay(void **state)
{
    struct mr_random r;
    struct mr_seen s;
    unsigned live = 0;

    (void)state;
    mr_random_init(&r, 1);
    assert_true(mr_seen_init(&s, 1024, &r));
    for (uint64_t i = 0; i < 100; i++) {
        struct mr_hash h = hash_of(i);

        assert_non_null(mr_seen_put(&s, &h, MR_SEEN_HELD, (uint32_t)i, 1));
    }
    for (uint64_t i = 1000; i < 100000; i++) {
        struct mr_hash h = hash_of(i);

        mr_seen_put(&s, &h, MR_SEEN_GONE, 0, (uint32_t)i);
    }
    for (uint64_t i = 0; i < 100; i++) {
        struct mr_hash h = hash_of(i);
        struct mr_seen_entry *e = mr_seen_find(&s, &h, 1);

        live += e && e->state == MR_SEEN_HELD && e->index == i;
    }
    assert_int_equal(live, 100);
    assert_true(s.evicted > 90000);
    mr_seen_fini(&s);
}

static void a_bucket_of_live_entries_refuses_and_counts(void **state)
{
    struct mr_random r;
    struct mr_seen s;
    unsigned refused = 0;

    (void)state;
    mr_random_init(&r, 1);
    assert_true(mr_seen_init(&s, 64, &r));
    for (uint64_t i = 0; i < 200; i++) {
        struct mr_hash h = hash_of(i);

        refused += mr_seen_put(&s, &h, MR_SEEN_VERIFYING, 0, 1) == NULL;
    }
    assert_int_equal(refused, 200 - 64);
    assert_int_equal(s.full, refused);
    mr_seen_fini(&s);
}

static void options_out_of_bounds_get_a_sentence_that_names_the_flag(void **state)
{
    struct mr_relay_options o;
    char why[200];

    (void)state;
    mr_relay_options_default(&o);
    assert_true(mr_relay_options_check(&o, why, sizeof why));
    o.shards = 61;
    assert_false(mr_relay_options_check(&o, why, sizeof why));
    assert_non_null(strstr(why, "--shards"));
    mr_relay_options_tiny(&o);
    assert_true(mr_relay_options_check(&o, why, sizeof why));
    o.handshake_budget_percent = 0;
    assert_false(mr_relay_options_check(&o, why, sizeof why));
    assert_non_null(strstr(why, "--handshake-budget"));
    mr_relay_options_default(&o);
    o.pool_bytes = UINT64_MAX;
    assert_false(mr_relay_options_check(&o, why, sizeof why));
    assert_non_null(strstr(why, "--max-tx-pool-bytes"));
    mr_relay_options_default(&o);
    o.peer_tx_burst = 0;
    assert_false(mr_relay_options_check(&o, why, sizeof why));
    assert_non_null(strstr(why, "--peer-tx-burst"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_found_changed_and_forgotten),
        cmocka_unit_test(a_refusal_ends_by_itself),
        cmocka_unit_test(the_oldest_judgements_leave_and_live_entries_stay),
        cmocka_unit_test(a_bucket_of_live_entries_refuses_and_counts),
        cmocka_unit_test(options_out_of_bounds_get_a_sentence_that_names_the_flag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
