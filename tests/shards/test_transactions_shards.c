/* Several shards: what one accepts leaves from all, once; who cannot publish stops admitting and
 * loses nothing; ties are no second delivery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

static void start(struct stage *st, unsigned shards, uint32_t flow_slots)
{
    struct stage_options o;

    stage_options_default(&o);
    o.shards = shards;
    o.flow_slots = flow_slots;
    stage_init(st, &o);
}

static struct actor *on(struct stage *st, unsigned shard)
{
    return actor_up(st, &(struct actor_options){.shard = shard});
}

static uint32_t told(const struct actor *a, const struct mr_hash *hash)
{
    struct deliveries d = actor_got(a, hash);

    return d.bodies + d.announced;
}

static uint64_t sum(const struct stage *st, size_t offset)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < st->o.shards; i++)
        n += *(const uint64_t *)(const void *)((const char *)&st->shards[i]->metrics + offset);
    return n;
}
#define SUM(st, name) sum(st, offsetof(struct mr_shard_metrics, name))

static void what_one_shard_accepts_leaves_from_all(void **state)
{
    struct stage st;
    struct actor *a[6];
    struct sample_tx txs[30];

    (void)state;
    start(&st, 3, 1024);
    for (unsigned i = 0; i < 6; i++)
        a[i] = on(&st, i / 2);
    for (uint32_t i = 0; i < 30; i++) {
        stage_tx(&st, &txs[i], i, 0);
        actor_send_txs(a[i % 6], &txs[i], 1);
    }
    stage_settle(&st);
    for (uint32_t i = 0; i < 30; i++)
        for (unsigned k = 0; k < 6; k++)
            assert_int_equal(told(a[k], &txs[i].hash), k != i % 6);
    assert_int_equal(SUM(&st, tx_accepted), 30);
    assert_int_equal(SUM(&st, tx_from_shards), 60);
    assert_int_equal(SUM(&st, tx_recoveries), 30);
    stage_close(&st);
}

/* Both shards have it in their verify queues when the first of them accepts it. */
static void a_tie_between_shards_is_delivered_once(void **state)
{
    struct stage st;
    struct actor *a[4];
    struct sample_tx txs[60];

    (void)state;
    start(&st, 2, 1024);
    for (unsigned i = 0; i < 4; i++)
        a[i] = on(&st, i % 2);
    for (uint32_t i = 0; i < 60; i++)
        stage_tx(&st, &txs[i], i, 0);
    st.relay.recoveries_per_turn = 3;
    actor_send_txs(a[0], txs, 60);
    actor_send_txs(a[1], txs, 60);
    stage_settle(&st);
    for (uint32_t i = 0; i < 60; i++)
        for (unsigned k = 0; k < 4; k++)
            assert_int_equal(told(a[k], &txs[i].hash), k >= 2);
    assert_int_equal(st.shards[0]->log.head, 60);
    assert_int_equal(st.shards[1]->log.head, 60);
    assert_true(SUM(&st, tx_recoveries) <= 120); /* E-22: at most one a shard */
    stage_close(&st);
}

/* One waits for its proof here while the other shard's holds already. */
static void a_tie_of_blob_transactions_is_announced_once(void **state)
{
    struct stage st;
    struct actor *a[4];
    struct sample_tx tx;
    struct mr_hash asked[1];
    uint64_t id;
    size_t n;

    (void)state;
    for (unsigned bad = 0; bad < 2; bad++) {
        struct mr_mail held[2];

        start(&st, 2, 1024);
        stage_blobs_ready(&st);
        for (unsigned i = 0; i < 4; i++)
            a[i] = on(&st, i % 2);
        stage_tx_make(&st, &tx, &(struct sample_tx_options){.type = MR_TX_BLOB, .blobs = 1});
        st.mute_service = true;
        for (unsigned i = 0; i < 2; i++)
            actor_announce(a[i], &tx, 1);
        stage_settle(&st);
        stage_run(&st, 500); /* the one that heard the other's claim waits no longer than this */
        for (unsigned i = 0; i < 2; i++) {
            assert_true(actor_asked(a[i], 0, &id, asked, 1, &n));
            actor_answer(a[i], id, &tx, 1);
        }
        stage_settle(&st);
        assert_int_equal(st.held_count, 2);
        held[0] = st.held[0], held[1] = st.held[1];
        st.held[0] = held[0], st.held_count = 1;
        stage_verdicts(&st, MR_BLOB_OK);
        stage_settle(&st);
        st.held[0] = held[1], st.held_count = 1;
        stage_verdicts(&st, bad ? MR_BLOB_BAD : MR_BLOB_OK);
        stage_settle(&st);
        for (unsigned k = 0; k < 4; k++)
            assert_int_equal(told(a[k], &tx.hash), k >= 2);
        assert_int_equal(st.shards[0]->log.head, 1);
        assert_int_equal(st.shards[1]->log.head, 1);
        stage_close(&st);
    }
}

static void what_several_shards_hear_announced_is_asked_for_once(void **state)
{
    struct stage st;
    struct actor *a[6];
    struct sample_tx txs[20];
    uint32_t requests = 0;

    (void)state;
    start(&st, 3, 1024);
    for (unsigned i = 0; i < 6; i++)
        a[i] = on(&st, i / 2);
    for (uint32_t i = 0; i < 20; i++)
        stage_tx(&st, &txs[i], i, 0);
    for (unsigned i = 0; i < 3; i++) {
        actor_announce(a[2 * i], txs, 20);
        stage_settle(&st);
    }
    for (unsigned i = 0; i < 6; i++) {
        struct mr_hash asked[20];
        uint64_t id;
        size_t n;

        if (actor_asked(a[i], 0, &id, asked, 20, &n)) {
            requests++;
            assert_int_equal(n, 20);
            actor_answer(a[i], id, txs, 20);
        }
    }
    assert_int_equal(requests, 1);
    stage_settle(&st);
    for (uint32_t i = 0; i < 20; i++)
        for (unsigned k = 0; k < 6; k++)
            assert_int_equal(told(a[k], &txs[i].hash), k % 2); /* announcers have it */
    assert_int_equal(SUM(&st, fetch_requests), 1);
    assert_int_equal(SUM(&st, fetch_length), 0);
    stage_close(&st);
}

/* The shard that was to ask does not get it: another asks its own source after a while. */
static void a_claim_is_never_a_lock(void **state)
{
    struct stage st;
    struct actor *a, *b;
    struct sample_tx tx;
    struct mr_hash asked[1];
    uint64_t id;
    size_t n;

    (void)state;
    start(&st, 2, 1024);
    a = on(&st, 0);
    b = on(&st, 1);
    stage_tx(&st, &tx, 0, 0);
    actor_announce(a, &tx, 1);
    stage_settle(&st);
    actor_announce(b, &tx, 1);
    stage_settle(&st);
    assert_true(actor_asked(a, 0, &id, asked, 1, &n));
    assert_false(actor_asked(b, 0, &id, asked, 1, &n));
    stage_run(&st, 500); /* a says nothing */
    assert_true(actor_asked(b, 0, &id, asked, 1, &n));
    actor_answer(b, id, &tx, 1);
    stage_settle(&st);
    assert_int_equal(SUM(&st, tx_accepted), 1);
    assert_int_equal(told(a, &tx.hash), 0);
    stage_close(&st);
}

/* A shard that does not drain its mail: the other stops admitting, then reading; when it comes back
 * all of it arrives, in order. */
static void a_shard_that_sleeps_holds_the_others_up_and_loses_nothing(void **state)
{
    static struct sample_tx txs[900];
    struct stage st;
    struct actor *a, *b;

    (void)state;
    start(&st, 2, 15);
    a = on(&st, 0);
    b = on(&st, 1);
    for (uint32_t i = 0; i < 900; i++)
        stage_tx(&st, &txs[i], i, 0);
    st.asleep[1] = true;
    actor_send_txs(a, txs, 600);
    actor_send_txs(a, txs + 600, 300);
    for (unsigned i = 0; i < 100; i++)
        stage_run(&st, 10);
    assert_int_equal(SUM(&st, tx_accepted), 15);
    assert_true(SUM(&st, mail_tx_blocked) > 0);
    assert_true(a->paused); /* and the queue is full */
    assert_non_null(actor_peer(a)->parked);
    st.asleep[1] = false;
    stage_run(&st, 2000);
    assert_int_equal(SUM(&st, tx_accepted), 900);
    assert_false(a->paused);
    for (uint32_t i = 0; i < 900; i++) {
        assert_memory_equal(mr_txlog_at(&st.shards[1]->log, i)->hash.b, txs[i].hash.b, 32);
        assert_int_equal(told(b, &txs[i].hash), 1);
    }
    stage_close(&st);
}

/* Shards that sleep at random, ties, announcements and broadcasts: everybody hears of everything
 * once, but who brought it. */
static void whatever_the_shards_do_everybody_hears_once(void **state)
{
    enum { SHARDS = 3, PEERS = 9, TXS = 300 };
    static struct sample_tx txs[TXS];
    static bool brought[PEERS][TXS];
    struct stage st;
    struct actor *a[PEERS];
    uint32_t answered[PEERS] = {0};

    (void)state;
    start(&st, SHARDS, 31);
    memset(brought, 0, sizeof brought);
    for (unsigned i = 0; i < PEERS; i++)
        a[i] = on(&st, i % SHARDS);
    for (uint32_t i = 0; i < TXS; i++)
        stage_tx(&st, &txs[i], i, 0);
    for (uint32_t step = 0; step < 12000; step++) {
        uint32_t i = step / 41 + (uint32_t)mr_random_below(&st.random, 3);
        unsigned k = (unsigned)mr_random_below(&st.random, PEERS);
        struct mr_hash asked[256];
        uint64_t id;
        size_t n;

        for (unsigned s = 0; s < SHARDS; s++)
            if (mr_random_below(&st.random, 20) == 0)
                st.asleep[s] = !st.asleep[s];
        if (step % 3 == 0 && !brought[k][i] && told(a[k], &txs[i].hash) == 0) {
            brought[k][i] = true;
            if (mr_random_below(&st.random, 2))
                actor_send_txs(a[k], &txs[i], 1);
            else
                actor_announce(a[k], &txs[i], 1);
        }
        for (unsigned p = 0; p < PEERS; p++)
            while (actor_asked(a[p], answered[p], &id, asked, 256, &n)) {
                struct sample_tx answer[256];

                for (size_t h = 0; h < n; h++)
                    for (uint32_t t = 0; t < TXS; t++)
                        if (mr_hash_equal(&asked[h], &txs[t].hash))
                            answer[h] = txs[t];
                actor_answer(a[p], id, answer, n);
                answered[p]++;
            }
        stage_turn(&st);
        st.now.mono_ns += mr_random_below(&st.random, 20) * MR_MS;
    }
    memset(st.asleep, 0, sizeof st.asleep);
    stage_run(&st, 3000);
    for (unsigned k = 0; k < PEERS; k++) {
        assert_true(a[k]->adopted);
        for (uint32_t i = 0; i < TXS; i++) {
            uint32_t times = told(a[k], &txs[i].hash);
            bool any = false;

            for (unsigned p = 0; p < PEERS; p++)
                any |= brought[p][i];
            assert_true(times <= 1);
            if (any && !brought[k][i])
                assert_int_equal(times, 1);
        }
    }
    for (unsigned s = 0; s < SHARDS; s++)
        assert_int_equal(st.shards[s]->metrics.log_overrun, 0);
    stage_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_shard_accepts_leaves_from_all),
        cmocka_unit_test(a_tie_between_shards_is_delivered_once),
        cmocka_unit_test(a_tie_of_blob_transactions_is_announced_once),
        cmocka_unit_test(what_several_shards_hear_announced_is_asked_for_once),
        cmocka_unit_test(a_claim_is_never_a_lock),
        cmocka_unit_test(a_shard_that_sleeps_holds_the_others_up_and_loses_nothing),
        cmocka_unit_test(whatever_the_shards_do_everybody_hears_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
