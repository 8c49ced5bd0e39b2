/* What a peer can make the shard wait for, or do, without breaking a rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

/* Two reasons to pause it, the second found when it was paused already: its bucket is looked at
 * when it fills, and not at the next deadline of something else. */
static void a_peer_paused_for_two_reasons_is_read_when_both_are_over(void **state)
{
    static struct stage st;
    struct stage_options o;
    struct mr_hash nothing = {{1}};
    struct actor *a;

    (void)state;
    stage_options_default(&o);
    o.relay.peer_bytes_per_s = 20000;
    o.relay.peer_bytes_burst = 4000;
    stage_init(&st, &o);
    a = actor_new(&st);
    a->deaf = true;
    for (uint64_t i = 0; i < 9; i++) /* four leave, four wait: it is not read */
        actor_ask(a, i, &nothing, 1);
    stage_settle(&st);
    assert_true(actor_peer(a)->paused);
    assert_int_equal(actor_peer(a)->resume_ns, 0);
    a->late_data = true;
    for (unsigned i = 0; i < 300; i++)
        actor_ask(a, 100 + i, &nothing, 1);
    stage_turn(&st);
    assert_true(actor_peer(a)->resume_ns > 0);
    a->deaf = a->late_data = false;
    stage_run(&st, 3000);
    assert_int_equal(a->closed_why, -1);
    assert_int_equal(actor_heard_count(a, true, MR_ETH_POOLED_TRANSACTIONS), 309);
    stage_close(&st);
}

/* Pieces behind a frame that waits are gathered: each piece must not cost a copy of all of them. */
static void hundreds_of_pieces_in_a_turn_cost_a_few_blocks(void **state)
{
    static struct stage st;
    struct actor *a;
    uint64_t gets;

    (void)state;
    stage_init(&st, NULL);
    a = actor_new(&st);
    a->chunk = 1000;
    a->bursts = 1000;
    for (unsigned i = 0; i < 400; i++) { /* 1 KB each */
        struct mr_hash hashes[30];

        mr_random_fill(&st.random, hashes, sizeof hashes);

        actor_ask(a, i, hashes, 30);
    }
    gets = st.shards[0]->pool.gets;
    stage_turn(&st);
    assert_int_equal(a->closed_why, -1);
    assert_true(stage_count(&st)->bytes_in > 390000);
    assert_true(st.shards[0]->pool.gets - gets < 40);
    stage_close(&st);
}

/* Asks for 4,096 times one hash: 135 KB to walk and to look up, some KB on the wire. */
static void ask_compressed(struct actor *a, uint64_t id)
{
    static struct mr_hash same[MR_HASHES_REQUEST_MAX];
    static uint8_t payload[200000], frame[200000];
    struct mr_writer p = mr_writer(payload, sizeof payload), w = mr_writer(frame, sizeof frame);
    size_t n;

    assert_int_equal(mr_hash_request_encode(&p, id, same, MR_COUNT_OF(same)), MR_OK);
    assert_int_equal(
        mr_message_put_head(&w, &a->transport,
                            a->caps.shared[a->eth_index].first_id + MR_ETH_GET_POOLED_TRANSACTIONS,
                            (uint32_t)p.n),
        MR_OK);
    assert_int_equal(mr_snappy_fragment(frame + w.n, sizeof frame - w.n, &n, mr_writer_span(&p)),
                     MR_OK);
    assert_true(w.n + n < 8000);
    actor_send_frame(a, mr_span(frame, w.n + n));
}

static void what_a_message_inflates_to_counts_against_the_bucket(void **state)
{
    static struct stage st;
    struct actor *a;
    uint64_t served;

    (void)state;
    stage_init(&st, NULL);
    a = actor_new(&st);
    a->no_book = true;
    for (unsigned i = 0; i < 400; i++)
        ask_compressed(a, i);
    stage_run(&st, 2000);
    served = stage_count(&st)->serve_pooled;
    assert_true(served < 200); /* 12 MiB at once, and 2 MiB a second */
    assert_true(served > 80);
    stage_run(&st, 2000);
    assert_true(stage_count(&st)->serve_pooled > served + 10);
    assert_true(stage_count(&st)->serve_pooled < served + 50);
    stage_close(&st);
}

/* All memory for sends is with readers that do not read: the others wait for seconds and not until
 * these have timed out. */
static void deaf_readers_keep_the_others_waiting_for_five_seconds_at_most(void **state)
{
    static struct stage st;
    struct stage_options o;
    struct actor *from, *good, *deaf[5];
    struct sample_tx large, t;

    (void)state;
    stage_options_default(&o);
    o.relay.send_bytes = 4 * MR_SLICE_BYTES;
    stage_init(&st, &o);
    from = actor_new(&st);
    good = actor_new(&st);
    stage_tx_make(
        &st, &large,
        &(struct sample_tx_options){.who = 1, .type = MR_TX_DYNAMIC_FEE, .data_bytes = 100000});
    actor_send_txs(from, &large, 1);
    stage_settle(&st);
    for (unsigned i = 0; i < 5; i++) {
        deaf[i] = actor_new(&st);
        deaf[i]->deaf = true;
        actor_ask(deaf[i], 1, &large.hash, 1);
    }
    stage_settle(&st);
    assert_int_equal(stage_count(&st)->send_bytes, 4 * MR_SLICE_BYTES);
    stage_tx(&st, &t, 2, 0);
    actor_send_txs(from, &t, 1);
    stage_run(&st, 4000);
    assert_int_equal(actor_got(good, &t.hash).bodies + actor_got(good, &t.hash).announced, 0);
    stage_run(&st, 2500);
    assert_int_equal(actor_got(good, &t.hash).bodies + actor_got(good, &t.hash).announced, 1);
    assert_int_equal(stage_count(&st)->slow_readers, 4);
    assert_int_equal(deaf[0]->closed_why, MR_CLOSED_SLOW);
    stage_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_paused_for_two_reasons_is_read_when_both_are_over),
        cmocka_unit_test(hundreds_of_pieces_in_a_turn_cost_a_few_blocks),
        cmocka_unit_test(what_a_message_inflates_to_counts_against_the_bucket),
        cmocka_unit_test(deaf_readers_keep_the_others_waiting_for_five_seconds_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
