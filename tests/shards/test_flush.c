/* The way out: who is told of what, in full or by its hash, once; windows, slices, lanes of a peer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "tests/shards/helper_shard.h"

static int setup(void **state)
{
    static struct stage st;
    struct stage_options o;

    stage_options_default(&o);
    o.relay.seen_entries = 65536; /* so that no bucket of it fills with what is held */
    stage_init(&st, &o);
    *state = &st;
    return 0;
}

static int teardown(void **state)
{
    stage_close(*state);
    return 0;
}

static uint32_t told(const struct actor *a, const struct mr_hash *hash)
{
    struct deliveries d = actor_got(a, hash);

    return d.bodies + d.announced;
}

/* ---- bodies or hashes ---- */

static void about_the_root_of_the_peers_get_bodies_and_the_rest_hashes(void **state)
{
    static const unsigned counts[] = {2, 10, 50, 150};
    enum { TXS = 150 };
    static struct sample_tx txs[TXS];

    (void)state;
    for (size_t c = 0; c < MR_COUNT_OF(counts); c++) {
        struct stage_options o;
        struct stage st;
        struct actor *from;
        double share = ceil(sqrt(counts[c])) / counts[c], bodies = 0, want, sigma;

        stage_options_default(&o);
        o.relay.maxpeers = 200;
        stage_init(&st, &o);
        from = actor_new(&st);
        for (unsigned i = 1; i < counts[c]; i++)
            actor_new(&st);
        for (uint32_t i = 0; i < TXS; i++)
            stage_tx(&st, &txs[i], i, 0);
        actor_send_txs(from, txs, TXS);
        stage_run(&st, 100);
        for (unsigned k = 1; k < counts[c]; k++)
            for (uint32_t i = 0; i < TXS; i++) {
                struct deliveries d = actor_got(&st.actors[k], &txs[i].hash);

                assert_int_equal(d.bodies + d.announced, 1);
                bodies += d.bodies;
            }
        want = share * TXS * (counts[c] - 1);
        sigma = sqrt(want * (1 - share));
        assert_true(fabs(bodies - want) <= 5 * sigma + 1);
        stage_close(&st);
    }
}

/* Always the same peers for one account: so its order is kept. */
static void one_accounts_transactions_go_the_same_way(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st), *ears[30];
    struct sample_tx txs[20];

    for (unsigned i = 0; i < 30; i++)
        ears[i] = actor_new(st);
    for (uint32_t i = 0; i < 20; i++) {
        stage_tx(st, &txs[i], 5, i);
        actor_send_txs(from, &txs[i], 1);
        stage_settle(st);
    }
    for (unsigned k = 0; k < 30; k++)
        for (uint32_t i = 1; i < 20; i++)
            assert_int_equal(actor_got(ears[k], &txs[i].hash).bodies,
                             actor_got(ears[k], &txs[0].hash).bodies);
}

static void over_4_kib_only_the_hash_is_sent(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st), *a = actor_new(st); /* two peers: all get bodies */
    struct sample_tx small, large;
    uint32_t data = 4096 - 100;

    do /* the largest that is not over the bound, and the smallest that is */
        stage_tx_make(
            st, &small,
            &(struct sample_tx_options){.who = 1, .type = MR_TX_DYNAMIC_FEE, .data_bytes = --data});
    while (small.size > st->relay.body_max);
    stage_tx_make(
        st, &large,
        &(struct sample_tx_options){.who = 2, .type = MR_TX_DYNAMIC_FEE, .data_bytes = data + 1});
    while (large.size <= st->relay.body_max)
        stage_tx_make(
            st, &large,
            &(struct sample_tx_options){.who = 2, .type = MR_TX_DYNAMIC_FEE, .data_bytes = ++data});
    assert_true(small.size + 8 > st->relay.body_max);
    assert_true(large.size < st->relay.body_max + 8);
    actor_send_txs(from, &small, 1);
    actor_send_txs(from, &large, 1);
    stage_settle(st);
    assert_int_equal(actor_got(a, &small.hash).bodies, 1);
    assert_int_equal(actor_got(a, &small.hash).announced, 0);
    assert_int_equal(actor_got(a, &large.hash).bodies, 0);
    assert_int_equal(actor_got(a, &large.hash).announced, 1);
}

static void announcements_say_what_answers_will_bring(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st);
    struct sample_tx tx;

    stage_blobs_ready(st);
    for (unsigned v = MR_ETH_68; v <= MR_ETH_71; v++) {
        struct actor *a = actor_up(st, &(struct actor_options){.version = v});

        for (uint8_t type = 0; type < MR_TX_TYPES; type++) {
            struct mr_hash asked[1];
            struct delivery d;
            uint64_t id;
            size_t n;

            stage_tx_make(st, &tx,
                          &(struct sample_tx_options){.who = 10 * v + type,
                                                      .type = type,
                                                      .data_bytes = type == MR_TX_BLOB ? 0 : 5000,
                                                      .blobs = type == MR_TX_BLOB ? 2 : 0});
            actor_announce(from, &tx, 1);
            stage_settle(st);
            assert_true(actor_asked(from, 0, &id, asked, 1, &n));
            actor_forget(from);
            actor_answer(from, id, &tx, 1);
            stage_run(st, 1);
            assert_int_equal(actor_deliveries(a, &d, 1), 1);
            assert_false(d.body);
            assert_int_equal(d.type, type);
            assert_int_equal(d.size, tx.size);
            actor_forget(a);
        }
        actor_hang_up(a);
        stage_settle(st);
    }
}

/* ---- what waits merges ---- */

static void every_version_is_told_in_its_own_form(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st), *to[MR_ETH_72 + 1];
    struct sample_tx tx;

    for (unsigned v = MR_ETH_68; v <= MR_ETH_72; v++)
        to[v] = actor_up(st, &(struct actor_options){.version = v});
    stage_tx_make(st, &tx,
                  &(struct sample_tx_options){.type = MR_TX_DYNAMIC_FEE, .data_bytes = 5000});
    actor_send_txs(from, &tx, 1);
    stage_settle(st);
    for (unsigned v = MR_ETH_68; v <= MR_ETH_72; v++)
        assert_int_equal(actor_got(to[v], &tx.hash).announced, 1);
}

static void what_is_accepted_while_a_peer_is_busy_becomes_one_message(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st), *a = actor_new(st);
    struct sample_tx txs[300];

    for (unsigned i = 0; i < 40; i++)
        actor_new(st);
    for (uint32_t i = 0; i < 300; i++)
        stage_tx(st, &txs[i], i, 0);
    a->deaf = true;
    for (uint32_t i = 0; i < 300; i++) {
        actor_send_txs(from, &txs[i], 1);
        stage_run(st, 5);
    }
    a->deaf = false;
    stage_settle(st);
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(told(a, &txs[i].hash), 1);
    /* one of each for what was in flight, one of each for all the rest */
    assert_true(actor_heard_count(a, true, MR_ETH_NEW_POOLED_TRANSACTION_HASHES) +
                    actor_heard_count(a, true, MR_ETH_TRANSACTIONS) <=
                4);
}

static void who_falls_behind_the_log_misses_the_oldest_and_it_is_counted(void **state)
{
    enum { TXS = 1500 };
    static struct sample_tx txs[TXS];
    struct stage *st = *state;
    struct actor *from = actor_up(st, &(struct actor_options){.trusted = true});
    struct actor *a = actor_new(st);
    uint32_t missed = 0;

    for (uint32_t i = 0; i < TXS; i++)
        stage_tx(st, &txs[i], i, 0);
    a->deaf = true;
    for (uint32_t i = 0; i < TXS; i++) {
        actor_send_txs(from, &txs[i], 1);
        stage_run(st, 1);
    }
    stage_run(st, 100);
    assert_int_equal(st->shards[0]->log.tail, TXS - 1024);
    a->deaf = false;
    stage_settle(st);
    for (uint32_t i = 0; i < TXS; i++) {
        uint32_t times = told(a, &txs[i].hash);

        assert_true(times <= 1);
        assert_true(times == 1 || i < TXS - 1024);
        missed += times == 0;
    }
    assert_int_equal(stage_count(st)->log_overrun, missed);
    assert_true(missed > TXS - 1024 - 10); /* the first few were in flight */
}

/* All of a busy minute through messages of bounded size. */
static void messages_stay_within_a_slice(void **state)
{
    enum { TXS = 500 };
    static struct sample_tx txs[TXS];
    struct stage *st = *state;
    struct actor *from = actor_up(st, &(struct actor_options){.trusted = true});
    struct actor *a = actor_new(st), *b = actor_new(st);

    for (uint32_t i = 0; i < TXS; i++)
        stage_tx_make(
            st, &txs[i],
            &(struct sample_tx_options){.who = i, .type = MR_TX_DYNAMIC_FEE, .data_bytes = 3900});
    a->deaf = true;
    actor_send_txs(from, txs, TXS / 2);
    stage_run(st, 1000);
    actor_send_txs(from, txs + TXS / 2, TXS / 2);
    stage_run(st, 1000);
    a->deaf = false;
    while (a->flight || a->bytes_in < 1000000) {
        assert_true(a->flight_n <= MR_SLICE_BYTES);
        stage_turn(st);
    }
    stage_settle(st);
    for (uint32_t i = 0; i < TXS; i++) {
        assert_int_equal(told(a, &txs[i].hash), 1);
        assert_int_equal(told(b, &txs[i].hash), 1);
    }
}

/* ---- newcomers ---- */

static void a_new_peer_hears_what_is_younger_than_24_s_and_a_trusted_one_all(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st), *a, *b, *c;
    struct sample_tx txs[60], blobs[60];

    stage_blobs_ready(st);
    for (uint32_t i = 0; i < 60; i++) { /* one of each kind a second */
        struct mr_hash asked[1];
        uint64_t id;
        size_t n;

        stage_tx(st, &txs[i], i, 0);
        actor_send_txs(from, &txs[i], 1);
        if (i % 10 == 0) {
            stage_tx_make(
                st, &blobs[i],
                &(struct sample_tx_options){.who = 1000 + i, .type = MR_TX_BLOB, .blobs = 1});
            actor_announce(from, &blobs[i], 1);
            stage_settle(st);
            assert_true(actor_asked(from, 0, &id, asked, 1, &n));
            actor_forget(from);
            actor_answer(from, id, &blobs[i], 1);
        }
        stage_run(st, 1000);
    }
    a = actor_join(st, NULL);
    b = actor_join(st, &(struct actor_options){.trusted = true});
    c = actor_join(st, &(struct actor_options){.is_static = true});
    actor_send_status(a, NULL);
    actor_send_status(b, NULL);
    actor_send_status(c, NULL);
    stage_run(st, 5000);
    for (uint32_t i = 0; i < 60; i++) {
        bool young = 60 - i <= 24; /* seconds ago */

        assert_int_equal(told(a, &txs[i].hash), young);
        assert_int_equal(told(b, &txs[i].hash), 1);
        assert_int_equal(told(c, &txs[i].hash), young);
        if (i % 10 == 0) {
            assert_int_equal(told(a, &blobs[i].hash), young);
            assert_int_equal(told(b, &blobs[i].hash), 1);
        }
    }
}

/* A slot's next user knows nothing of what its last one knew. */
static void a_slot_that_is_used_again_begins_with_a_clean_column(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st), *old = actor_new(st), *next;
    struct sample_tx txs[40], one;
    uint32_t slot = old->slot;

    for (uint32_t i = 0; i < 40; i++)
        stage_tx(st, &txs[i], i, 0);
    actor_send_txs(from, txs, 20);
    actor_send_txs(old, txs + 20, 20);
    stage_settle(st);
    st->relay.recoveries_per_turn = 0;
    stage_tx(st, &one, 99, 0);
    actor_send_txs(old, &one, 1); /* and one that is being verified when it leaves */
    stage_turn(st);
    actor_hang_up(old);
    for (unsigned i = 0; i < 4; i++)
        stage_turn(st);
    assert_true(old->closed);
    next = actor_join(st, NULL);
    actor_send_status(next, NULL);
    for (unsigned i = 0; i < 4; i++)
        stage_turn(st);
    assert_int_equal(next->slot, slot);
    st->relay.recoveries_per_turn = 32;
    stage_settle(st);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(told(next, &txs[i].hash), 1);
    assert_int_equal(told(next, &one.hash), 1);
}

/* ---- budgets of a turn ---- */

static void a_turn_seals_no_more_than_its_budget_and_goes_on_in_the_next(void **state)
{
    struct stage_options o;
    struct stage st;
    struct actor *from;
    static struct sample_tx txs[100];
    unsigned turns = 0;

    (void)state;
    stage_options_default(&o);
    o.relay.sealed_per_turn = 256 << 10;
    o.relay.maxpeers = 100;
    stage_init(&st, &o);
    from = actor_new(&st);
    for (unsigned i = 0; i < 9; i++)
        actor_new(&st);
    for (uint32_t i = 0; i < 100; i++)
        stage_tx_make(
            &st, &txs[i],
            &(struct sample_tx_options){.who = i, .type = MR_TX_DYNAMIC_FEE, .data_bytes = 3900});
    st.relay.body_max = 8192;
    st.relay.recoveries_per_turn = 200;
    for (unsigned i = 1; i < 10; i++)
        st.actors[i].deaf = true; /* all at once, later */
    actor_send_txs(from, txs, 100);
    stage_run(&st, 100);
    for (unsigned i = 1; i < 10; i++)
        st.actors[i].deaf = false;
    do {
        uint64_t before = stage_count(&st)->bytes_out;

        stage_turn(&st);
        assert_true(stage_count(&st)->bytes_out - before <= (256u << 10) + (512u << 10) + 65536);
        turns++;
    } while (st.next_ns[0] <= st.now.mono_ns);
    stage_settle(&st);
    for (unsigned k = 1; k < 10; k++)
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(told(&st.actors[k], &txs[i].hash), 1);
    assert_true(turns >= 1);
    stage_close(&st);
}

static void sends_in_flight_are_bounded_over_all_peers(void **state)
{
    struct stage_options o;
    struct stage st;
    struct actor *from;
    static struct sample_tx txs[200];

    (void)state;
    stage_options_default(&o);
    o.relay.send_bytes = 300 << 10;
    o.relay.maxpeers = 100;
    stage_init(&st, &o);
    from = actor_up(&st, &(struct actor_options){.trusted = true});
    for (unsigned i = 0; i < 40; i++)
        actor_new(&st)->deaf = true;
    for (uint32_t i = 0; i < 200; i++)
        stage_tx_make(
            &st, &txs[i],
            &(struct sample_tx_options){.who = i, .type = MR_TX_DYNAMIC_FEE, .data_bytes = 3900});
    for (unsigned i = 1; i < 41; i++)
        st.actors[i].deaf = true;
    actor_send_txs(from, txs, 200);
    stage_run(&st, 1000);
    /* at most one window over the bound: it is looked at between windows */
    assert_true(stage_count(&st)->send_bytes <= (300u << 10) + (512u << 10) + 65536);
    for (unsigned i = 1; i < 41; i++)
        st.actors[i].deaf = false;
    stage_run(&st, 1000);
    for (unsigned k = 1; k < 41; k++)
        for (uint32_t i = 0; i < 200; i++)
            assert_int_equal(told(&st.actors[k], &txs[i].hash), 1);
    stage_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(about_the_root_of_the_peers_get_bodies_and_the_rest_hashes),
        cmocka_unit_test_setup_teardown(one_accounts_transactions_go_the_same_way, setup, teardown),
        cmocka_unit_test_setup_teardown(over_4_kib_only_the_hash_is_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(announcements_say_what_answers_will_bring, setup, teardown),
        cmocka_unit_test_setup_teardown(every_version_is_told_in_its_own_form, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_accepted_while_a_peer_is_busy_becomes_one_message,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            who_falls_behind_the_log_misses_the_oldest_and_it_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_stay_within_a_slice, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_new_peer_hears_what_is_younger_than_24_s_and_a_trusted_one_all, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slot_that_is_used_again_begins_with_a_clean_column, setup,
                                        teardown),
        cmocka_unit_test(a_turn_seals_no_more_than_its_budget_and_goes_on_in_the_next),
        cmocka_unit_test(sends_in_flight_are_bounded_over_all_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
