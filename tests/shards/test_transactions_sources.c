/* What one source spoils, the others still bring; what cannot be taken now is taken later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "tests/shards/helper_shard.h"

static int setup(void **state)
{
    static struct stage st;

    stage_init(&st, NULL);
    stage_blobs_ready(&st);
    *state = &st;
    return 0;
}

static int teardown(void **state)
{
    stage_close(*state);
    return 0;
}

static void blob_make(struct stage *st, struct sample_tx *t, uint32_t who, uint64_t nonce)
{
    stage_tx_make(
        st, t,
        &(struct sample_tx_options){.who = who, .nonce = nonce, .type = MR_TX_BLOB, .blobs = 1});
}

/* Answers the k-th request that a heard, which must be for t alone. */
static void answer_with(struct actor *a, uint32_t k, const struct sample_tx *t)
{
    struct mr_hash asked[4];
    uint64_t id;
    size_t n;

    assert_true(actor_asked(a, k, &id, asked, 4, &n));
    assert_int_equal(n, 1);
    assert_memory_equal(asked[0].b, t->hash.b, 32);
    actor_answer(a, id, t, 1);
}

static uint32_t told(const struct actor *a, const struct mr_hash *hash)
{
    struct deliveries d = actor_got(a, hash);

    return d.bodies + d.announced;
}

/* The signed part is the same, so the hash is; the commitment is not what was signed. */
static void another_sources_sidecar_is_asked_for_when_the_first_is_wrong(void **state)
{
    struct stage *st = *state;
    struct actor *liar = actor_new(st), *honest = actor_new(st), *other = actor_new(st);
    struct sample_tx good, bad;
    struct mr_reader r;
    struct mr_tx tx;
    uint8_t *copy;

    blob_make(st, &good, 1, 0);
    copy = malloc(good.item.n);
    assert_non_null(copy);
    memcpy(copy, good.item.p, good.item.n);
    r = mr_reader(copy, good.item.n);
    assert_int_equal(mr_tx_decode_item(&r, &tx), MR_OK);
    copy[tx.sidecar.commitments.first - copy + 5] ^= 1;
    bad = good;
    bad.item.p = copy;

    actor_announce(liar, &good, 1);
    stage_settle(st);
    actor_announce(honest, &good, 1);
    stage_settle(st);
    answer_with(liar, 0, &bad);
    stage_settle(st);
    assert_int_equal(liar->closed_why, MR_CLOSED_SUBPROTOCOL);
    answer_with(honest, 0, &good);
    stage_settle(st);
    assert_int_equal(honest->closed_why, -1);
    assert_int_equal(stage_count(st)->tx_accepted, 1);
    assert_int_equal(told(other, &good.hash), 1);
    free(copy);
}

static void a_liar_about_sizes_goes_and_what_it_delivered_stays(void **state)
{
    struct stage *st = *state;
    struct actor *liar = actor_new(st), *honest = actor_new(st), *other = actor_new(st);
    uint32_t size;
    struct sample_tx t;

    stage_tx(st, &t, 1, 0);
    size = t.size + 100;
    actor_announce_as(liar, &t.hash, &t.type, &size, 1);
    stage_settle(st);
    actor_announce(honest, &t, 1);
    stage_settle(st);
    answer_with(liar, 0, &t);
    stage_settle(st);
    assert_int_equal(liar->closed_why, MR_CLOSED_SUBPROTOCOL);
    assert_int_equal(honest->closed_why, -1);
    assert_int_equal(stage_count(st)->tx_accepted, 1);
    assert_int_equal(told(other, &t.hash), 1);
    assert_int_equal(told(honest, &t.hash), 0);
}

/* Two of a peer may be in the service; proofs take longer than a round trip. */
static void blob_transactions_wait_for_proofs_and_none_is_lost(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st), *to = actor_new(st);
    struct sample_tx t[6];
    uint32_t answered = 0;

    for (uint32_t i = 0; i < 6; i++)
        blob_make(st, &t[i], i, 0);
    st->mute_service = true;
    actor_announce(from, t, 6);
    stage_settle(st);
    for (unsigned round = 0; round < 6; round++) {
        while (actor_heard_count(from, true, MR_ETH_GET_POOLED_TRANSACTIONS) > answered) {
            answer_with(from, answered, &t[answered]);
            answered++;
            stage_settle(st);
        }
        assert_true(round > 0 || (answered == 3 && actor_peer(from)->paused));
        stage_run(st, 6000); /* longer than an answer may take */
        stage_verdicts(st, MR_BLOB_OK);
        stage_settle(st);
    }
    assert_true(stage_count(st)->blob_waits > 0);
    assert_int_equal(from->closed_why, -1);
    assert_int_equal(stage_count(st)->tx_accepted, 6);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(told(to, &t[i].hash), 1);
}

/* An eighth of the pool is a peer's, of what it brought in the last five minutes. */
static void a_peer_at_its_share_of_the_pool_goes_on_when_that_is_old(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st);
    uint64_t dropped;
    struct sample_tx t;

    for (uint32_t i = 0; stage_count(st)->tx_pool_share == 0; i++) {
        assert_true(i < 2000);
        stage_tx_make(
            st, &t,
            &(struct sample_tx_options){.who = i, .type = MR_TX_DYNAMIC_FEE, .data_bytes = 20000});
        actor_send_txs(from, &t, 1);
        stage_run(st, 20);
    }
    dropped = stage_count(st)->tx_pool_share;
    assert_true(stage_count(st)->tx_accepted >= 40);
    stage_run(st, 301000);
    assert_int_equal(from->closed_why, -1);
    stage_tx(st, &t, 5000, 0);
    actor_send_txs(from, &t, 1);
    stage_settle(st);
    assert_int_equal(stage_count(st)->tx_pool_share, dropped);
    assert_non_null(mr_txlog_find(&st->shards[0]->log, &t.hash, mr_shard_s(st->shards[0])));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(another_sources_sidecar_is_asked_for_when_the_first_is_wrong),
        CASE(a_liar_about_sizes_goes_and_what_it_delivered_stays),
        CASE(blob_transactions_wait_for_proofs_and_none_is_lost),
        CASE(a_peer_at_its_share_of_the_pool_goes_on_when_that_is_old),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
