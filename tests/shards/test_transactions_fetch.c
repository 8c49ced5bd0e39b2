/* Announced transactions: whom the shard asks, and what it makes of each answer (E-03, E-04, E-07).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

static int setup(void **state)
{
    static struct stage st;
    struct stage_options o;

    stage_options_default(&o);
    o.actors_max = 2000;
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

/* a announces n of txs and is asked; gives the request's id. */
static uint64_t announced(struct stage *st, struct actor *a, const struct sample_tx *txs, size_t n)
{
    struct mr_hash asked[256];
    uint32_t before = actor_heard_count(a, true, MR_ETH_GET_POOLED_TRANSACTIONS);
    uint64_t id;
    size_t count;

    actor_announce(a, txs, n);
    stage_settle(st);
    assert_true(actor_asked(a, before, &id, asked, 256, &count));
    assert_int_equal(count, n);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(asked[i].b, txs[i].hash.b, 32);
    return id;
}

/* ---- the way that it should go ---- */

static void what_is_announced_is_asked_for_at_once_and_told_to_the_rest(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *also = actor_new(st), *rest = actor_new(st);
    struct sample_tx txs[10];
    uint64_t id;

    for (uint32_t i = 0; i < 10; i++)
        stage_tx(st, &txs[i], i, 0);
    id = announced(st, a, txs, 10);
    actor_announce(also, txs, 10);
    stage_settle(st);
    assert_int_equal(actor_heard_count(also, true, MR_ETH_GET_POOLED_TRANSACTIONS), 0);
    actor_answer(a, id, txs, 10);
    stage_settle(st);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(told(a, &txs[i].hash), 0); /* who announced it has it */
        assert_int_equal(told(also, &txs[i].hash), 0);
        assert_int_equal(told(rest, &txs[i].hash), 1);
    }
    assert_string_equal(stage_moved(st), "tx_in tx_recoveries tx_accepted announced_in "
                                         "fetch_requests fetch_answers");
    assert_int_equal(stage_count(st)->fetch_length, 0);
}

static void what_is_known_is_not_asked_for_and_not_told_to_its_announcer(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st), *c;
    struct sample_tx tx;

    stage_tx(st, &tx, 0, 0);
    st->relay.recoveries_per_turn = 0;
    actor_send_txs(a, &tx, 1);
    stage_turn(st);
    actor_announce(b, &tx, 1); /* while it is verified */
    stage_turn(st);
    st->relay.recoveries_per_turn = 32;
    stage_settle(st);
    assert_int_equal(told(b, &tx.hash), 0);
    c = actor_join(st, NULL);
    actor_send_status(c, NULL);
    actor_announce(c, &tx, 1); /* and when it is held: in the same breath as its Status */
    stage_settle(st);
    assert_true(c->active);
    assert_int_equal(stage_count(st)->announced_known, 2);
    assert_int_equal(stage_count(st)->fetch_requests, 0);
    assert_int_equal(told(c, &tx.hash), 0);
}

static void an_answer_may_lack_some_and_be_in_any_order(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);
    struct sample_tx txs[10], shuffled[6];
    struct mr_hash asked[10];
    uint64_t id;
    size_t n;

    for (uint32_t i = 0; i < 10; i++)
        stage_tx(st, &txs[i], i, 0);
    id = announced(st, a, txs, 10);
    actor_announce(b, txs, 10);
    stage_settle(st);
    for (unsigned i = 0; i < 6; i++)
        shuffled[i] = txs[i * 7 % 10]; /* 0 7 4 1 8 5 */
    actor_answer(a, id, shuffled, 6);
    stage_settle(st);
    assert_true(a->adopted);
    assert_int_equal(stage_count(st)->tx_accepted, 6);
    assert_true(actor_asked(b, 0, &id, asked, 10, &n)); /* what it lacks, of the other source */
    assert_int_equal(n, 3);
    assert_true(actor_asked(a, 1, &id, asked, 10, &n)); /* what may have been too much for one */
    assert_int_equal(n, 1);
    assert_memory_equal(asked[0].b, txs[9].hash.b, 32);
}

/* ---- answers that are none (E-03) ---- */

enum wrong_answer { NEVER_ASKED, ID_LOWER, ID_HIGHER, ID_OF_ANOTHER, TWICE, RIGHT_ID_WRONG_CODE };

static void answer_wrongly(struct actor *a, enum wrong_answer how, uint64_t id, uint64_t other_id,
                           const struct sample_tx *tx)
{
    uint8_t room[16];
    struct mr_writer w = mr_writer(room, sizeof room);

    switch (how) {
    case NEVER_ASKED:
        actor_answer(a, 4711, tx, 1);
        return;
    case ID_LOWER:
        actor_answer(a, id - 1, tx, 1);
        return;
    case ID_HIGHER:
        actor_answer(a, id + 1, tx, 1);
        return;
    case ID_OF_ANOTHER:
        actor_answer(a, other_id, tx, 1);
        return;
    case TWICE:
        actor_answer(a, id, tx, 1);
        actor_answer(a, id, tx, 1);
        return;
    case RIGHT_ID_WRONG_CODE:
        assert_int_equal(mr_response_put_head(&w, id, 0), MR_OK);
        actor_send_eth(a, MR_ETH_BLOCK_HEADERS, mr_writer_span(&w));
        return;
    }
}

static void answers_to_nothing_end_with_0x10(void **state)
{
    struct stage *st = *state;

    for (unsigned how = NEVER_ASKED; how <= RIGHT_ID_WRONG_CODE; how++) {
        struct actor *a = actor_new(st), *b = actor_new(st);
        struct sample_tx txs[2];
        uint64_t id, other_id;

        stage_tx(st, &txs[0], 10 * how, 0);
        stage_tx(st, &txs[1], 10 * how + 1, 0);
        id = announced(st, a, &txs[0], 1);
        other_id = announced(st, b, &txs[1], 1);
        stage_mark(st);
        answer_wrongly(a, how, id, other_id, &txs[0]);
        stage_settle(st);
        assert_true(a->closed);
        assert_int_equal(a->reason, MR_REASON_SUBPROTOCOL);
        assert_true(b->adopted);
        if (how == TWICE)
            assert_string_equal(stage_moved(st), "tx_in tx_recoveries tx_accepted fetch_answers "
                                                 "fetch_unasked");
        else if (how == RIGHT_ID_WRONG_CODE)
            assert_string_equal(stage_moved(st), "fetch_gave_up head_bad");
        else
            assert_string_equal(stage_moved(st), "fetch_unasked fetch_gave_up");
        actor_hang_up(b);
        stage_settle(st);
        assert_int_equal(stage_count(st)->fetch_length, 0);
    }
}

/* geth's mass disconnects of honest peers: an answer that was asked for and comes late is ignored;
 * coming once more it answers nothing. */
static void a_late_answer_is_ignored_once(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);
    struct sample_tx tx;
    struct mr_hash asked[1];
    uint64_t id, other_id;
    size_t n;

    stage_tx(st, &tx, 0, 0);
    id = announced(st, a, &tx, 1);
    actor_announce(b, &tx, 1);
    stage_run(st, 4990);
    assert_int_equal(actor_heard_count(b, true, MR_ETH_GET_POOLED_TRANSACTIONS), 0);
    stage_run(st, 20);
    assert_int_equal(stage_count(st)->fetch_timeouts, 1);
    assert_true(actor_asked(b, 0, &other_id, asked, 1, &n)); /* the next source */
    actor_answer(a, id, &tx, 1);
    stage_settle(st);
    assert_true(a->adopted);
    assert_int_equal(stage_count(st)->fetch_late, 1);
    assert_int_equal(stage_count(st)->tx_in, 0);
    actor_answer(b, other_id, &tx, 1);
    stage_settle(st);
    assert_int_equal(stage_count(st)->tx_accepted, 1);
    assert_int_equal(told(a, &tx.hash), 0);
    actor_answer(a, id, &tx, 1);
    stage_settle(st);
    assert_true(a->closed);
    assert_int_equal(a->reason, MR_REASON_SUBPROTOCOL);
    assert_int_equal(stage_count(st)->fetch_unasked, 1);
}

static void a_source_that_leaves_is_replaced_by_the_next(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);
    struct sample_tx tx;
    struct mr_hash asked[1];
    uint64_t id;
    size_t n;

    stage_tx(st, &tx, 0, 0);
    announced(st, a, &tx, 1);
    actor_announce(b, &tx, 1);
    stage_settle(st);
    actor_hang_up(a);
    stage_settle(st);
    assert_true(actor_asked(b, 0, &id, asked, 1, &n));
    actor_answer(b, id, &tx, 1);
    stage_settle(st);
    assert_int_equal(stage_count(st)->tx_accepted, 1);
}

/* ---- more or other than asked for (E-04) ---- */

static void more_items_than_asked_for_end_with_0x10_unread(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    struct sample_tx txs[4];
    static uint8_t many[100016];
    struct mr_writer w = mr_writer(many, sizeof many);
    uint64_t id;

    for (uint32_t i = 0; i < 4; i++)
        stage_tx(st, &txs[i], i, 0);
    id = announced(st, a, txs, 3);
    stage_mark(st);
    actor_answer(a, id, txs, 4);
    stage_settle(st);
    assert_true(a->closed);
    assert_int_equal(a->reason, MR_REASON_SUBPROTOCOL);
    assert_string_equal(stage_moved(st), "fetch_answers fetch_unasked fetch_gave_up");
    assert_int_equal(stage_count(st)->tx_in, 0);

    a = actor_new(st);
    id = announced(st, a, txs, 3);
    stage_mark(st);
    assert_int_equal(mr_response_put_head(&w, id, 100000), MR_OK);
    memset(many + w.n, 0xc0, 100000);
    actor_send_eth(a, MR_ETH_POOLED_TRANSACTIONS, mr_span(many, w.n + 100000));
    stage_settle(st);
    assert_true(a->closed);
    assert_string_equal(stage_moved(st), "fetch_answers fetch_unasked fetch_gave_up");
    assert_int_equal(stage_count(st)->tx_in, 0);
}

static void an_item_that_was_not_asked_for_ends_with_0x10(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);
    struct sample_tx txs[3];
    uint64_t id;

    for (uint32_t i = 0; i < 3; i++)
        stage_tx(st, &txs[i], i, 0);
    id = announced(st, a, &txs[0], 1);
    stage_mark(st);
    actor_answer(a, id, &txs[1], 1); /* known to nobody */
    stage_settle(st);
    assert_true(a->closed);
    assert_int_equal(a->reason, MR_REASON_SUBPROTOCOL);
    assert_string_equal(stage_moved(st), "tx_in fetch_answers fetch_unasked fetch_gave_up");
    a = actor_new(st);
    id = announced(st, a, &txs[0], 1);
    announced(st, b, &txs[2], 1);
    actor_answer(a, id, &txs[2], 1); /* asked of another */
    stage_settle(st);
    assert_true(a->closed);
    assert_true(b->adopted);
    assert_int_equal(stage_count(st)->tx_accepted, 0);
}

static void one_transaction_twice_in_an_answer_ends_with_0x10(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);
    struct sample_tx txs[3];
    uint64_t id;

    for (uint32_t i = 0; i < 3; i++)
        stage_tx(st, &txs[i], i, 0);
    id = announced(st, a, txs, 3);
    txs[2] = txs[0];
    stage_mark(st);
    actor_answer(a, id, txs, 3);
    stage_settle(st);
    assert_true(a->closed);
    assert_int_equal(a->reason, MR_REASON_SUBPROTOCOL);
    assert_string_equal(stage_moved(st), "tx_in tx_duplicate_in_message tx_recoveries tx_accepted "
                                         "fetch_answers fetch_gave_up");
    assert_int_equal(told(b, &txs[0].hash), 1);
}

/* ---- type and size against what was announced (E-07) ---- */

/* What geth does (eth/fetcher, eth/handler): no announcement of an unknown type is followed; sizes
 * may be off by eight; who announced another type or size than came is dropped. */
static void announced_types_and_sizes_are_held_against_what_comes(void **state)
{
    struct stage *st = *state;
    static const uint8_t types[] = {0, 1, 2, 3, 4, 5, 0x7f, 0xff};
    static const int64_t offs[] = {0, 8, -8, 9, -9, INT32_MAX, -1000000, UINT32_MAX};
    uint32_t who = 0, unknown = 0;

    stage_blobs_ready(st);
    for (unsigned v = MR_ETH_68; v <= MR_ETH_71; v++)
        for (uint8_t real = 0; real < MR_TX_TYPES; real++)
            for (size_t t = 0; t < MR_COUNT_OF(types); t++)
                for (size_t o = 0; o < MR_COUNT_OF(offs); o++) {
                    bool followed = types[t] < MR_TX_TYPES;
                    bool honest = types[t] == real && offs[o] >= -8 && offs[o] <= 8;
                    struct actor *a, *b;
                    struct sample_tx tx;
                    struct mr_hash asked[1];
                    uint64_t id;
                    uint32_t size;
                    size_t n;

                    if (types[t] != real && offs[o] != 0)
                        continue; /* one lie at a time */
                    unknown += !followed;
                    a = actor_up(st, &(struct actor_options){.version = v});
                    b = actor_new(st);
                    stage_tx_make(st, &tx,
                                  &(struct sample_tx_options){
                                      .who = who++, .type = real, .blobs = real == MR_TX_BLOB});
                    size = offs[o] == UINT32_MAX  ? UINT32_MAX
                           : offs[o] == -1000000  ? 0
                           : offs[o] == INT32_MAX ? 2 * tx.size
                                                  : (uint32_t)(tx.size + offs[o]);
                    actor_announce_as(a, &tx.hash, &types[t], &size, 1);
                    stage_settle(st);
                    assert_int_equal(actor_asked(a, 0, &id, asked, 1, &n), followed);
                    if (followed)
                        actor_answer(a, id, &tx, 1);
                    stage_run(st, 1);
                    assert_int_equal(a->adopted, honest || !followed);
                    if (a->closed)
                        assert_int_equal(a->reason, MR_REASON_SUBPROTOCOL);
                    assert_true(b->adopted);
                    actor_hang_up(a);
                    actor_hang_up(b);
                    stage_settle(st);
                }
    /* hundreds of sessions hear of all young blob transactions within a blink: the upload budget
     * does not reach for that */
    assert_string_equal(stage_moved(st), "tx_in tx_recoveries tx_accepted blob_ok announced_in "
                                         "announced_unknown_type announced_wrong fetch_requests "
                                         "fetch_answers blob_upload_wait");
    assert_int_equal(stage_count(st)->announced_unknown_type, unknown);
}

/* F-15: what peers state is added up, and must not wrap. */
static void announced_sizes_do_not_overflow_a_request(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    struct mr_hash hashes[300], asked[256];
    uint8_t types[300];
    uint32_t sizes[300];
    uint64_t id;
    size_t n;

    mr_random_fill(&st->random, hashes, sizeof hashes);
    for (unsigned i = 0; i < 300; i++)
        types[i] = MR_TX_DYNAMIC_FEE, sizes[i] = i % 2 ? UINT32_MAX : 0x80000000u;
    actor_announce_as(a, hashes, types, sizes, 300);
    stage_settle(st);
    for (unsigned k = 0; k < 5; k++) {
        assert_true(actor_asked(a, k, &id, asked, 256, &n));
        assert_int_equal(n, 1); /* each is more than a request should bring */
        assert_memory_equal(asked[0].b, hashes[k].b, 32);
        actor_answer(a, id, NULL, 0);
        stage_settle(st);
    }
    assert_true(a->adopted);
}

static void blob_transactions_are_not_followed_before_proofs_can_be_checked(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    struct sample_tx tx;

    stage_tx_make(st, &tx, &(struct sample_tx_options){.type = MR_TX_BLOB, .blobs = 1});
    actor_announce(a, &tx, 1);
    stage_settle(st);
    assert_int_equal(actor_heard_count(a, true, MR_ETH_GET_POOLED_TRANSACTIONS), 0);
    assert_string_equal(stage_moved(st), "blob_unready announced_in");
    stage_blobs_ready(st);
    actor_announce(a, &tx, 1);
    stage_settle(st);
    assert_int_equal(actor_heard_count(a, true, MR_ETH_GET_POOLED_TRANSACTIONS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_announced_is_asked_for_at_once_and_told_to_the_rest,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_is_known_is_not_asked_for_and_not_told_to_its_announcer, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_may_lack_some_and_be_in_any_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(answers_to_nothing_end_with_0x10, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_answer_is_ignored_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_that_leaves_is_replaced_by_the_next, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(more_items_than_asked_for_end_with_0x10_unread, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_item_that_was_not_asked_for_ends_with_0x10, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_transaction_twice_in_an_answer_ends_with_0x10, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(announced_types_and_sizes_are_held_against_what_comes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(announced_sizes_do_not_overflow_a_request, setup, teardown),
        cmocka_unit_test_setup_teardown(
            blob_transactions_are_not_followed_before_proofs_can_be_checked, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
