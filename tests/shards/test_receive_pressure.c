/* Back-pressure: a peer over its buckets or behind a full queue is not read, then read on; nothing
 * is lost and order is kept, however its bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "tests/shards/helper_shard.h"

static const uint8_t empty_list = 0xc0;

static void many(struct stage *st, struct sample_tx *txs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        stage_tx(st, &txs[i], i, 0);
}

/* The log holds exactly these, in this order. */
static void assert_log(struct stage *st, const struct sample_tx *txs, uint32_t n)
{
    const struct mr_txlog *l = &st->shards[0]->log;

    assert_int_equal(l->head, n);
    for (uint32_t i = 0; i < n; i++)
        assert_memory_equal(mr_txlog_at(l, i)->hash.b, txs[i].hash.b, 32);
}

static void start(struct stage *st, void (*change)(struct mr_relay_options *))
{
    struct stage_options o;

    stage_options_default(&o);
    o.relay.log_entries = 4096;
    o.relay.seen_entries = 65536;
    change(&o.relay);
    stage_init(st, &o);
}

static void slow_txs(struct mr_relay_options *o)
{
    o->peer_tx_per_s = 10;
    o->peer_tx_burst = 20;
}

static void a_peer_over_its_transactions_is_read_at_its_rate(void **state)
{
    static struct sample_tx txs[120];
    struct stage st;
    struct actor *a, *trusted;

    (void)state;
    start(&st, slow_txs);
    a = actor_new(&st);
    trusted = actor_up(&st, &(struct actor_options){.trusted = true});
    a->chunk = 150; /* about one a receive */
    many(&st, txs, 120);
    for (uint32_t i = 0; i < 100; i++)
        actor_send_txs(a, &txs[i], 1);
    stage_settle(&st);
    assert_true(stage_count(&st)->tx_in >= 20 && stage_count(&st)->tx_in <= 24);
    assert_true(a->paused);
    stage_run(&st, 4000);
    assert_true(stage_count(&st)->tx_in >= 58 && stage_count(&st)->tx_in <= 64);
    stage_run(&st, 5000);
    assert_log(&st, txs, 100);
    assert_false(a->paused);
    assert_int_equal(a->pauses, a->resumes);
    assert_true(a->pauses >= 40);
    for (uint32_t i = 100; i < 120; i++) /* trusted peers have no rate */
        actor_send_txs(trusted, &txs[i], 1);
    actor_send_txs(trusted, txs, 100);
    trusted->chunk = 150;
    stage_settle(&st);
    assert_int_equal(trusted->pauses, 0);
    assert_log(&st, txs, 120);
    stage_close(&st);
}

static void slow_bytes(struct mr_relay_options *o)
{
    o->peer_bytes_per_s = 20000;
    o->peer_bytes_burst = 20000;
}

static void a_peer_over_its_bytes_is_read_at_its_rate(void **state)
{
    static struct sample_tx txs[50];
    struct stage st;
    struct actor *a;
    uint64_t came = 0;

    (void)state;
    start(&st, slow_bytes);
    a = actor_new(&st);
    a->chunk = 1000;
    for (uint32_t i = 0; i < 50; i++) {
        stage_tx_make(
            &st, &txs[i],
            &(struct sample_tx_options){.who = i, .type = MR_TX_DYNAMIC_FEE, .data_bytes = 3000});
        actor_send_txs(a, &txs[i], 1);
    }
    for (unsigned s = 0; s < 8; s++) {
        assert_true(came <= 20000u + 20000u * s + 2 * a->chunk);
        stage_run(&st, 1000);
        came = stage_count(&st)->bytes_in;
    }
    assert_log(&st, txs, 50);
    assert_true(a->pauses >= 100);
    stage_close(&st);
}

/* Bytes that were on their way when the peer was paused wait, and are taken in order. */
static void what_comes_although_paused_is_kept_in_order(void **state)
{
    static struct sample_tx txs[100];

    (void)state;
    for (unsigned k = 0; k < 6; k++) {
        static const uint32_t chunks[] = {1, 37, 150, 1000, 5000, 65536};
        struct stage st;
        struct actor *a;

        start(&st, slow_txs);
        a = actor_new(&st);
        many(&st, txs, 60);
        for (uint32_t i = 0; i < 60; i++)
            actor_send_txs(a, &txs[i], 1);
        a->late_data = true;
        a->chunk = chunks[k];
        a->bursts = 1 + k % 3;
        stage_run(&st, 6000);
        assert_log(&st, txs, 60);
        assert_int_equal(a->pauses, a->resumes);
        assert_null(actor_peer(a)->gather);
        stage_close(&st);
    }
}

static void slow_recovery(struct mr_relay_options *o)
{
    o->recoveries_per_turn = 4;
}

/* More than the verify queue holds: the rest of the message waits, and its sender is not read. */
static void a_message_over_the_verify_queue_is_parked_and_taken_up_again(void **state)
{
    static struct sample_tx txs[1500];
    struct stage st;
    struct actor *a, *b;

    (void)state;
    start(&st, slow_recovery);
    a = actor_new(&st);
    b = actor_new(&st);
    many(&st, txs, 1500);
    actor_send_txs(a, txs, 1200);
    actor_send_base(a, MR_BASE_PING, mr_span(&empty_list, 1));
    actor_send_txs(a, txs + 1200, 300);
    while (!a->paused)
        stage_turn(&st);
    assert_non_null(actor_peer(a)->parked);
    assert_int_equal(stage_count(&st)->verify_full, 1);
    assert_int_equal(mr_admit_length(st.shards[0]->admit), st.relay.verify_entries - 4);
    stage_turn(&st);
    assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 0); /* it stands behind */
    assert_false(b->paused);
    for (unsigned i = 0; i < 1000 && stage_count(&st)->tx_accepted < 1500; i++)
        stage_run(&st, 1);
    assert_log(&st, txs, 1500);
    assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 1);
    stage_run(&st, 3000); /* 1,500 are over its bucket, too */
    assert_int_equal(a->pauses, a->resumes);
    assert_int_equal(stage_count(&st)->tx_duplicate, 0);
    stage_close(&st);
}

static void an_answer_over_the_verify_queue_ends_nobody(void **state)
{
    static struct sample_tx txs[1200];
    struct mr_hash asked[256];
    uint64_t id;
    size_t n;
    struct stage st;
    struct actor *a, *b;

    (void)state;
    start(&st, slow_recovery);
    a = actor_new(&st);
    b = actor_new(&st);
    many(&st, txs, 1200);
    actor_announce(b, txs + 1000, 200);
    stage_settle(&st);
    assert_true(actor_asked(b, 0, &id, asked, 256, &n));
    assert_int_equal(n, 200);
    st.relay.recoveries_per_turn = 0; /* judging stands still: other shards have no room, say */
    actor_send_txs(a, txs, 1000);
    stage_turn(&st);
    actor_answer(b, id, txs + 1000, 200); /* in time, but there is no room */
    stage_turn(&st);
    assert_non_null(actor_peer(b)->parked);
    for (unsigned i = 0; i < 80; i++) { /* longer than a request may take */
        st.now.mono_ns += 100 * MR_MS;
        stage_turn(&st);
    }
    st.relay.recoveries_per_turn = 32;
    stage_run(&st, 500);
    assert_true(b->adopted);
    assert_int_equal(stage_count(&st)->tx_accepted, 1200);
    assert_int_equal(stage_count(&st)->fetch_unasked, 0);
    assert_int_equal(stage_count(&st)->fetch_timeouts, 0);
    stage_close(&st);
}

/* When many wait, each gets its turn: the first slots do not keep the others out. */
static void parked_messages_take_turns(void **state)
{
    static struct sample_tx txs[8 * 1500];
    struct stage st;
    struct actor *a[8];
    unsigned served = 0;

    (void)state;
    start(&st, slow_recovery);
    st.relay.recoveries_per_turn = 32;
    for (unsigned i = 0; i < 8; i++)
        a[i] = actor_up(&st, &(struct actor_options){.trusted = true});
    many(&st, txs, 8 * 1500);
    for (unsigned i = 0; i < 8; i++)
        actor_send_txs(a[i], txs + 1500 * (size_t)i, 1500);
    while (stage_count(&st)->tx_accepted < 3000)
        stage_run(&st, 1);
    for (unsigned i = 0; i < 8; i++) {
        struct mr_seen_entry *e =
            mr_seen_find(&st.shards[0]->seen, &txs[1500 * i].hash, mr_shard_s(st.shards[0]));

        served += e && e->state == MR_SEEN_HELD;
    }
    assert_int_equal(served, 8); /* a quarter of all: everybody's first is through */
    stage_close(&st);
}

/* A peer's time does not run while we do not read it. */
static void a_paused_peer_is_neither_silent_nor_late(void **state)
{
    static struct sample_tx txs[900];
    struct stage st;
    struct actor *a;

    (void)state;
    start(&st, slow_recovery);
    a = actor_new(&st);
    a->no_pongs = true;
    many(&st, txs, 900);
    st.relay.recoveries_per_turn = 0;
    a->chunk = 60000;
    actor_send_txs(a, txs, 600);
    actor_send_txs(a, txs + 600, 300); /* cut in its middle */
    stage_turn(&st);
    stage_turn(&st);
    assert_true(a->paused);
    for (unsigned i = 0; i < 400; i++) {
        st.now.mono_ns += 100 * MR_MS;
        stage_turn(&st);
    }
    assert_true(a->adopted);
    st.relay.recoveries_per_turn = 32;
    stage_run(&st, 2000);
    assert_log(&st, txs, 900);
    stage_close(&st);
}

/* However the bytes of several peers are cut, held up and mixed: the same frames, each peer's
 * transactions in its order, all of them. */
static void cuts_and_pauses_change_no_outcome(void **state)
{
    static struct sample_tx txs[240];

    (void)state;
    for (unsigned k = 0; k < 40; k++) {
        struct stage_options o;
        struct stage st;
        struct actor *a[4];
        uint64_t frames = 0, next[4] = {0, 60, 120, 180};
        const struct mr_txlog *l;

        stage_options_default(&o);
        o.seed = k;
        o.relay.peer_tx_burst = 10 + k;
        o.relay.peer_bytes_burst = 2000 * (k + 1);
        o.relay.peer_bytes_per_s = 50000;
        o.relay.recoveries_per_turn = 1 + k % 7;
        stage_init(&st, &o);
        many(&st, txs, 240);
        for (unsigned i = 0; i < 4; i++) {
            a[i] = actor_new(&st);
            a[i]->chunk = 1 + (uint32_t)mr_random_below(&st.random, k % 2 ? 300 : 9000);
            a[i]->bursts = (unsigned)mr_random_below(&st.random, 4);
            a[i]->late_data = mr_random_below(&st.random, 2);
            for (uint32_t at = 0; at < 60; frames++) {
                uint32_t n = 1 + (uint32_t)mr_random_below(&st.random, 60 - at);

                actor_send_txs(a[i], txs + 60 * i + at, n);
                at += n;
            }
        }
        stage_run(&st, 10000);
        assert_int_equal(stage_count(&st)->frames_in, frames + 4);
        l = &st.shards[0]->log;
        assert_int_equal(l->head, 240);
        for (uint64_t seq = 0; seq < 240; seq++) {
            unsigned i = 0;

            while (i < 4 && (next[i] == 60 * (i + 1) ||
                             !mr_hash_equal(&mr_txlog_at(l, seq)->hash, &txs[next[i]].hash)))
                i++;
            assert_true(i < 4);
            next[i]++;
        }
        stage_close(&st);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_over_its_transactions_is_read_at_its_rate),
        cmocka_unit_test(a_peer_over_its_bytes_is_read_at_its_rate),
        cmocka_unit_test(what_comes_although_paused_is_kept_in_order),
        cmocka_unit_test(a_message_over_the_verify_queue_is_parked_and_taken_up_again),
        cmocka_unit_test(an_answer_over_the_verify_queue_ends_nobody),
        cmocka_unit_test(parked_messages_take_turns),
        cmocka_unit_test(a_paused_peer_is_neither_silent_nor_late),
        cmocka_unit_test(cuts_and_pauses_change_no_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
