/* What peers ask for: bodies by hash, headers, and for all else the answer of one who has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/eth/cells.h"
#include "tests/shards/helper_shard.h"

static int setup(void **state)
{
    static struct stage st;
    struct stage_options o;

    stage_options_default(&o);
    o.relay.seen_entries = 65536;
    o.relay.sender_tx_burst = o.relay.sender_tx_per_s = 10000;
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

/* n transactions of so many bytes of data, accepted from somebody who then leaves. */
static void accepted(struct stage *st, struct sample_tx *txs, uint32_t n, uint32_t who,
                     uint32_t data_bytes)
{
    struct actor *from = actor_up(st, &(struct actor_options){.trusted = true});

    for (uint32_t i = 0; i < n; i++) {
        stage_tx_make(st, &txs[i],
                      &(struct sample_tx_options){
                          .who = who + i, .type = MR_TX_DYNAMIC_FEE, .data_bytes = data_bytes});
        actor_send_txs(from, &txs[i], 1);
    }
    stage_run(st, 1000);
    actor_hang_up(from);
    stage_settle(st);
}

/* The i-th answer that a heard: asserts its id, gives the number of its hashes. */
static size_t answer(const struct actor *a, uint32_t i, uint64_t want_id, struct mr_hash *hashes,
                     size_t max)
{
    const struct heard *h = actor_heard(a, true, MR_ETH_POOLED_TRANSACTIONS, i);
    uint64_t id;
    size_t n;

    assert_non_null(h);
    n = actor_answer_read(a, h, &id, hashes, max);
    assert_true(id == want_id);
    return n;
}

/* ---- pooled transactions ---- */

static void bodies_come_in_the_order_of_the_request_without_the_missing(void **state)
{
    struct stage *st = *state;
    struct sample_tx txs[40];
    struct mr_hash ask[60], got[60];

    accepted(st, txs, 40, 0, 100);
    for (unsigned v = MR_ETH_68; v <= MR_ETH_72; v++) {
        struct actor *a = actor_up(st, &(struct actor_options){.version = v});
        size_t n = 0, known = 0;

        actor_forget(a);
        for (unsigned i = 0; i < 40; i++) { /* backwards, with unknown ones between */
            ask[n++] = txs[39 - i].hash;
            if (i % 2)
                mr_random_fill(&st->random, &ask[n++], sizeof *ask);
        }
        actor_ask(a, UINT64_MAX - v, ask, n);
        stage_settle(st);
        assert_int_equal(answer(a, 0, UINT64_MAX - v, got, 60), 40);
        for (unsigned i = 0; i < 40; i++)
            known += mr_hash_equal(&got[i], &txs[39 - i].hash);
        assert_int_equal(known, 40);
        actor_ask(a, 0, ask + 2, 1); /* one that we have not */
        stage_settle(st);
        assert_int_equal(answer(a, 1, 0, got, 60), 0);
        actor_hang_up(a);
        stage_settle(st);
    }
    assert_int_equal(stage_count(st)->serve_pooled, 10);
    assert_int_equal(stage_count(st)->serve_pooled_items, 200);
}

static void an_answer_ends_at_128_kib(void **state)
{
    struct stage *st = *state;
    static struct sample_tx txs[200];
    struct mr_hash ask[200], got[256];
    struct actor *a;
    size_t n, bytes = 0;

    accepted(st, txs, 200, 0, 3000);
    a = actor_new(st);
    for (unsigned i = 0; i < 200; i++)
        ask[i] = txs[i].hash;
    actor_ask(a, 7, ask, 200);
    stage_settle(st);
    n = answer(a, 0, 7, got, 256);
    for (size_t i = 0; i < n; i++) {
        assert_memory_equal(got[i].b, ask[i].b, 32);
        bytes += txs[i].item.n;
    }
    assert_true(bytes <= st->relay.answer_max);
    assert_true(bytes + txs[n].item.n > st->relay.answer_max);
}

static void an_answer_holds_at_most_256(void **state)
{
    struct stage *st = *state;
    static struct sample_tx txs[300];
    struct mr_hash ask[300], got[300];
    struct actor *a;

    accepted(st, txs, 300, 0, 0);
    a = actor_new(st);
    for (unsigned i = 0; i < 300; i++)
        ask[i] = txs[i].hash;
    actor_ask(a, 7, ask, 300);
    stage_settle(st);
    assert_int_equal(answer(a, 0, 7, got, 300), 256);
}

/* Larger than a slice: sealed in several turns, whatever happens meanwhile. */
static void one_large_item_is_a_frame_over_several_slices(void **state)
{
    struct stage *st = *state;
    const uint8_t empty = 0xc0;
    struct sample_tx big[2];
    struct mr_hash got[2];
    struct actor *a;

    accepted(st, big, 2, 0, 120000);
    a = actor_new(st);
    actor_ask(a, 1, &big[0].hash, 1);
    actor_ask(a, 2, &big[1].hash, 1);
    actor_send_base(a, MR_BASE_PING, mr_span(&empty, 1));
    stage_turn(st);
    assert_int_equal(a->flight_n, MR_SLICE_BYTES);
    for (unsigned i = 0; a->flight; i++) {
        assert_true(a->flight_n <= MR_SLICE_BYTES);
        assert_true(i < 8);
        stage_turn(st);
    }
    stage_settle(st);
    assert_int_equal(answer(a, 0, 1, got, 2), 1);
    assert_memory_equal(got[0].b, big[0].hash.b, 32);
    assert_int_equal(answer(a, 1, 2, got, 2), 1);
    assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 1);
}

static void a_body_that_leaves_the_log_is_sent_to_its_end(void **state)
{
    struct stage *st = *state;
    static struct sample_tx more[100];
    struct sample_tx big;
    struct mr_hash got;
    struct actor *a;

    st->shards[0]->log.bytes_max = 1 << 20; /* room for eight such */
    accepted(st, &big, 1, 0, 120000);
    a = actor_new(st);
    actor_ask(a, 1, &big.hash, 1);
    stage_turn(st);
    assert_non_null(actor_peer(a)->long_frame);
    a->deaf = true;
    accepted(st, more, 12, 100, 120000);
    assert_int_equal(
        mr_txlog_find(&st->shards[0]->log, &big.hash, mr_shard_s(st->shards[0])) == NULL, 1);
    a->deaf = false;
    stage_settle(st);
    assert_int_equal(answer(a, 0, 1, &got, 1), 1);
    assert_memory_equal(got.b, big.hash.b, 32);
}

static void a_peer_that_leaves_in_the_middle_of_a_frame_holds_nothing(void **state)
{
    struct stage *st = *state;
    struct sample_tx big;
    struct mr_mail drop = {.kind = MR_MAIL_DROP, .b = MR_REASON_USELESS};
    struct actor *a, *b;

    accepted(st, &big, 1, 0, 120000);
    a = actor_new(st);
    b = actor_new(st);
    actor_ask(a, 1, &big.hash, 1);
    actor_ask(b, 1, &big.hash, 1);
    a->deaf = b->deaf = true;
    stage_turn(st);
    assert_non_null(actor_peer(b)->long_frame);
    actor_hang_up(a);
    drop.a = b->serial;
    stage_mail(st, mr_mesh_dispatcher(1), MR_MAIL_SURE, &drop);
    stage_settle(st);
    assert_true(a->closed);
    assert_true(b->closed);
    assert_false(b->disconnected); /* nothing can be said inside a frame */
    assert_int_equal(stage_peer_buffers(st, 0), 0);
}

/* ---- a queue of four (E-05) ---- */

static void four_requests_wait_and_then_a_peer_is_not_read(void **state)
{
    struct stage *st = *state;
    static struct sample_tx txs[60];
    struct mr_hash ask[60], got[60];
    struct actor *a;
    uint64_t before;

    accepted(st, txs, 60, 0, 2000);
    for (unsigned i = 0; i < 60; i++)
        ask[i] = txs[i].hash;
    a = actor_new(st);
    a->deaf = true;
    before = stage_count(st)->buffers_bytes;
    a->chunk = 2048;
    for (uint64_t id = 0; id < 100; id++)
        actor_ask(a, id, ask, 60);
    stage_settle(st);
    assert_true(a->paused);
    assert_true(actor_peer(a)->pending_count == MR_PENDING_REQUESTS);
    /* what is held for it: four requests, what was read behind them, what is in flight */
    assert_true(stage_count(st)->buffers_bytes - before <=
                5 * 60 * 33 + 2 * 65536 + 32768 + sizeof(struct mr_long_frame));
    a->deaf = false;
    stage_settle(st);
    for (uint32_t id = 0; id < 100; id++)
        assert_int_equal(answer(a, id, id, got, 60), 60);
    assert_false(a->paused);
    assert_int_equal(a->pauses, a->resumes);
    assert_true(a->pauses >= 10);
}

/* One that asks without end hears of what is new all the same. */
static void answers_leave_room_for_what_is_new(void **state)
{
    struct stage *st = *state;
    static struct sample_tx txs[60];
    struct mr_hash ask[60];
    struct actor *a, *from;
    unsigned turns = 0;
    struct sample_tx news;

    accepted(st, txs, 60, 0, 2000);
    for (unsigned i = 0; i < 60; i++)
        ask[i] = txs[i].hash;
    a = actor_new(st);
    from = actor_new(st);
    for (uint64_t id = 0; id < 200; id++)
        actor_ask(a, id, ask, 60);
    for (unsigned i = 0; i < 5; i++)
        stage_turn(st);
    stage_tx(st, &news, 500, 0);
    actor_send_txs(from, &news, 1);
    while (told(a, &news.hash) == 0) {
        stage_turn(st);
        assert_true(++turns < 8);
    }
    assert_true(a->out_n > 0); /* it is still asking */
    stage_settle(st);
}

/* ---- everything else ---- */

static struct mr_span request_of(uint8_t id, uint64_t request_id, uint8_t *room, size_t cap,
                                 unsigned version)
{
    struct mr_writer w = mr_writer(room, cap);
    struct mr_hash hashes[3];
    struct mr_cell_mask mask = {{1}};

    memset(hashes, 7, sizeof hashes);
    if (id == MR_ETH_GET_CELLS) {
        assert_int_equal(mr_get_cells_encode(&w, request_id, hashes, 3, &mask), MR_OK);
    } else if (id == MR_ETH_GET_RECEIPTS && version >= MR_ETH_70) {
        size_t list = mr_rlp_open(&w), inner;

        assert_int_equal(mr_rlp_put_u64(&w, request_id), MR_OK);
        assert_int_equal(mr_rlp_put_u64(&w, 0), MR_OK);
        inner = mr_rlp_open(&w);
        assert_int_equal(mr_rlp_put_bytes(&w, hashes[0].b, 32), MR_OK);
        assert_int_equal(mr_rlp_close(&w, inner), MR_OK);
        assert_int_equal(mr_rlp_close(&w, list), MR_OK);
    } else {
        assert_int_equal(mr_hash_request_encode(&w, request_id, hashes, 3), MR_OK);
    }
    return mr_writer_span(&w);
}

static void every_other_request_gets_the_answer_of_one_who_has_none(void **state)
{
    struct stage *st = *state;
    unsigned kinds = 0;

    for (unsigned v = MR_ETH_68; v <= MR_ETH_72; v++) {
        struct actor *a = actor_up(st, &(struct actor_options){.version = v});

        for (uint8_t id = 0; id < MR_ETH_IDS_MAX; id++) {
            const struct mr_eth_message *e = mr_eth_message_find(v, id, false);
            uint8_t room[512], want[512];
            struct mr_writer w = mr_writer(want, sizeof want);
            struct mr_span request, got;
            uint64_t answer_id;

            if (!e || e->kind != MR_ETH_REQUEST || id == MR_ETH_GET_POOLED_TRANSACTIONS ||
                id == MR_ETH_GET_BLOCK_HEADERS)
                continue;
            request = request_of(id, 1000 + id, room, sizeof room, v);
            actor_send_eth(a, id, request);
            stage_settle(st);
            assert_true(a->adopted);
            assert_int_equal(mr_eth_empty_answer(v, id, request, &w, &answer_id), MR_OK);
            assert_int_equal(actor_heard_count(a, true, (uint8_t)answer_id), 1);
            got = actor_payload(a, actor_heard(a, true, (uint8_t)answer_id, 0));
            assert_int_equal(got.n, w.n);
            assert_memory_equal(got.p, want, w.n);
            kinds++;
        }
    }
    assert_int_equal(stage_count(st)->serve_empty, kinds);
    assert_true(kinds >= 2 * 5 + 2 + 1);
}

static void a_request_for_more_than_4096_hashes_ends_with_0x02(void **state)
{
    struct stage *st = *state;
    static struct mr_hash ask[MR_HASHES_REQUEST_MAX + 1];
    struct mr_hash got;
    struct actor *a = actor_new(st);

    mr_random_fill(&st->random, ask, sizeof ask);
    actor_ask(a, 5, ask, MR_HASHES_REQUEST_MAX);
    stage_settle(st);
    assert_int_equal(answer(a, 0, 5, &got, 1), 0);
    stage_mark(st);
    actor_ask(a, 6, ask, MR_HASHES_REQUEST_MAX + 1);
    stage_settle(st);
    assert_true(a->closed);
    assert_int_equal(a->reason, MR_REASON_PROTOCOL);
    assert_string_equal(stage_moved(st), "message_malformed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bodies_come_in_the_order_of_the_request_without_the_missing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_ends_at_128_kib, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_holds_at_most_256, setup, teardown),
        cmocka_unit_test_setup_teardown(one_large_item_is_a_frame_over_several_slices, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_body_that_leaves_the_log_is_sent_to_its_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_leaves_in_the_middle_of_a_frame_holds_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(four_requests_wait_and_then_a_peer_is_not_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(answers_leave_room_for_what_is_new, setup, teardown),
        cmocka_unit_test_setup_teardown(every_other_request_gets_the_answer_of_one_who_has_none,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_for_more_than_4096_hashes_ends_with_0x02, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
