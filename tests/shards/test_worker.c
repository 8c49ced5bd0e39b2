/* The worker with a real shard on loopback: what goes in on one socket comes out on others, and
 * sessions end as they should. */
#include "tests/shards/helper_relay.h"

static void status_is_exchanged(void **state)
{
    struct relay r;
    struct mr_client a;

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    assert_int_equal(a.status.network_id, r.network->network_id);
    assert_true(mr_hash_equal(&a.status.genesis, &r.network->genesis_hash));
    assert_int_equal(relay_sum(&r, "status_ok"), 1);
    mr_client_close(&a);
    relay_wait(&r, &r.closed, 1);
    assert_int_equal(r.last_reason, MR_CLOSED_REMOTE);
    relay_stop(&r);
}

static void transaction_reaches_all_others(void **state)
{
    struct relay r;
    struct mr_client a, b, c;
    struct sample s;

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    relay_peer(&r, &b, 0, 2);
    relay_peer(&r, &c, 0, 3);
    sample_make(&s, &r, 1, 0);
    assert_true(mr_client_send_transactions(&a, &(struct mr_span){s.raw, s.n}, 1));
    assert_true(sample_arrives(&b, &s, 5000));
    assert_true(sample_arrives(&c, &s, 5000));
    assert_false(sample_arrives(&a, &s, 100));
    assert_int_equal(relay_sum(&r, "tx_accepted"), 1);
    mr_client_close(&a);
    mr_client_close(&b);
    mr_client_close(&c);
    relay_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_is_exchanged),
        cmocka_unit_test(transaction_reaches_all_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
