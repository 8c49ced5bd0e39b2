/* The way in: from a message to the log, and from there once to everybody who lacks it. */
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
    struct stage_options o;

    stage_options_default(&o);
    o.relay.verify_entries = 1024; /* no message here is parked: test_receive_pressure.c */
    o.relay.gather_bytes = 64u << 20;
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

static void assert_ended(struct stage *st, const struct actor *a, unsigned reason,
                         const char *counters)
{
    assert_string_equal(stage_moved(st), counters);
    assert_true(a->closed);
    assert_true(a->disconnected);
    assert_int_equal(a->reason, reason);
}

/* ---- what is accepted ---- */

static void a_transaction_of_every_type_reaches_every_other_peer_once(void **state)
{
    struct stage *st = *state;
    struct actor *a[5];

    for (unsigned i = 0; i < 5; i++)
        a[i] = actor_up(st, &(struct actor_options){.version = MR_ETH_68 + i});
    for (uint8_t type = 0; type < MR_TX_TYPES; type++) {
        struct sample_tx tx;

        if (type == MR_TX_BLOB)
            continue; /* never in full: test_flush_blobs.c */
        stage_tx_make(st, &tx, &(struct sample_tx_options){.who = type, .type = type});
        actor_send_txs(a[0], &tx, 1);
        stage_settle(st);
        assert_int_equal(told(a[0], &tx.hash), 0);
        for (unsigned i = 1; i < 5; i++)
            assert_int_equal(told(a[i], &tx.hash), 1);
    }
    assert_string_equal(stage_moved(st), "tx_in tx_recoveries tx_accepted");
}

static void what_is_known_is_neither_judged_nor_told_again(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st), *c = actor_new(st);
    struct sample_tx tx;

    stage_tx(st, &tx, 0, 0);
    for (unsigned i = 0; i < 10; i++) {
        actor_send_txs(i % 2 ? a : b, &tx, 1);
        stage_settle(st);
    }
    assert_int_equal(stage_count(st)->tx_accepted, 1);
    assert_int_equal(stage_count(st)->tx_recoveries, 1);
    assert_int_equal(stage_count(st)->tx_duplicate, 9);
    assert_int_equal(told(c, &tx.hash), 1);
    assert_int_equal(told(b, &tx.hash), 0);
    assert_int_equal(told(a, &tx.hash), 1); /* before it sent it itself */
}

/* Who sends it while its signature waits to be checked is not told of it afterwards. */
static void who_sends_what_is_being_verified_is_not_told(void **state)
{
    struct stage *st = *state;
    struct actor *a[6];
    struct sample_tx tx;

    for (unsigned i = 0; i < 6; i++)
        a[i] = actor_new(st);
    st->relay.recoveries_per_turn = 0;
    stage_tx(st, &tx, 0, 0);
    for (unsigned i = 0; i < 5; i++)
        actor_send_txs(a[i], &tx, 1);
    stage_turn(st);
    assert_int_equal(stage_count(st)->tx_duplicate, 4);
    st->relay.recoveries_per_turn = 32;
    stage_settle(st);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(told(a[i], &tx.hash), 0);
    assert_int_equal(told(a[5], &tx.hash), 1);
}

/* E-22: the work is done once, whoever brings it; and memory holds it once. */
static void a_large_one_from_a_hundred_peers_is_judged_and_held_once(void **state)
{
    struct stage *st = *state;
    struct actor *a[100];
    struct sample_tx tx;
    uint64_t before;

    for (unsigned i = 0; i < 100; i++)
        a[i] = actor_new(st);
    before = stage_count(st)->buffers_bytes;
    stage_tx_make(st, &tx,
                  &(struct sample_tx_options){.type = MR_TX_DYNAMIC_FEE, .data_bytes = 120000});
    for (unsigned i = 0; i < 100; i++)
        actor_send_txs(a[i], &tx, 1);
    stage_settle(st);
    assert_int_equal(stage_count(st)->tx_recoveries, 1);
    assert_int_equal(stage_count(st)->tx_accepted, 1);
    assert_int_equal(stage_count(st)->tx_duplicate, 99);
    assert_true(stage_count(st)->buffers_bytes - before < 2 * tx.size);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(told(a[i], &tx.hash), 0);
}

/* ---- what is refused ---- */

/* E-09: in one message, of any form, wherever the second stands. */
static void one_transaction_twice_in_a_message_ends_with_0x10(void **state)
{
    struct stage *st = *state;

    for (uint32_t k = 0; k < 6; k++) {
        struct actor *a = actor_new(st), *b = actor_new(st);
        static struct sample_tx txs[600];
        uint32_t n = k < 3 ? 2 + k : 600; /* over batches that are hashed together */
        uint32_t first = k == 4 ? 255 : 0;

        for (uint32_t i = 0; i < n; i++)
            stage_tx_make(
                st, &txs[i],
                &(struct sample_tx_options){.who = 1000 * k + i,
                                            .type = i % 2 ? MR_TX_DYNAMIC_FEE : MR_TX_LEGACY});
        txs[n - 1] = txs[first];
        stage_mark(st);
        actor_send_txs(a, txs, n);
        stage_run(st, 100);
        assert_true(a->closed);
        assert_int_equal(a->reason, MR_REASON_SUBPROTOCOL);
        assert_int_equal(stage_count(st)->tx_duplicate_in_message,
                         st->before.tx_duplicate_in_message + 1);
        assert_int_equal(told(b, &txs[first].hash), 1); /* the first was no fault */
    }
}

static struct sample_tx spoilt(struct stage *st, uint32_t who, unsigned how)
{
    static uint8_t rooms[8][512];
    struct sample_tx tx;
    uint8_t *room = rooms[how];

    stage_tx(st, &tx, who, 0);
    assert_true(tx.item.n <= sizeof rooms[0]);
    memcpy(room, tx.item.p, tx.item.n);
    tx.item.p = room;
    switch (how) {
    case 0: /* of a type that there is not: b8 NN 02 f8 .. */
        room[2] = 0x05;
        break;
    case 1:
        room[2] = 0x7f;
        break;
    case 2: /* its list is longer than it says */
        room[4]--;
        break;
    case 3: /* chain id as a list */
        room[5] = 0xc1;
        break;
    default: /* a byte of the signature: some other key's, or none */
        room[tx.item.n - 1] ^= 0x55;
        break;
    }
    return tx;
}

/* eth.md: discarded, and no reason to part. */
static void a_broken_transaction_is_discarded_and_its_message_goes_on(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);

    for (unsigned how = 0; how < 4; how++) {
        struct sample_tx txs[3];

        stage_tx(st, &txs[0], 10 * how, 0);
        txs[1] = spoilt(st, 10 * how + 1, how);
        stage_tx(st, &txs[2], 10 * how + 2, 0);
        stage_mark(st);
        actor_send_txs(a, txs, 3);
        stage_settle(st);
        assert_string_equal(stage_moved(st), "tx_in tx_malformed tx_recoveries tx_accepted");
        assert_true(a->adopted);
        assert_int_equal(told(b, &txs[0].hash), 1);
        assert_int_equal(told(b, &txs[2].hash), 1);
        stage_mark(st);
        actor_send_txs(a, &txs[1], 1); /* and again: it is remembered */
        stage_settle(st);
        assert_string_equal(stage_moved(st), "tx_in tx_refused_before");
    }
}

static void items_that_are_no_items_end_with_0x02(void **state)
{
    struct stage *st = *state;
    static const uint8_t rows[][6] = {{0xc2, 0xb8, 0x01},
                                      {0xc1, 0x81},
                                      {0xc2, 0x81, 0x05},
                                      {0xc1, 0xf8},
                                      {0xc3, 0xb9, 0x00, 0x01}};

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct actor *a = actor_new(st);

        stage_mark(st);
        actor_send_eth(a, MR_ETH_TRANSACTIONS, mr_span(rows[i], 1u + rows[i][0] - 0xc0));
        stage_settle(st);
        assert_ended(st, a, MR_REASON_PROTOCOL, "message_malformed");
    }
}

static void a_transaction_that_breaks_a_rule_ends_nobody_and_goes_nowhere(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);
    struct sample_tx tx;

    stage_tx_make(st, &tx, &(struct sample_tx_options){.type = MR_TX_DYNAMIC_FEE, .chain_id = 5});
    actor_send_txs(a, &tx, 1);
    stage_settle(st);
    assert_true(a->adopted);
    assert_string_equal(stage_moved(st), "tx_in tx_invalid");
    assert_int_equal(told(b, &tx.hash), 0);
    assert_int_equal(mr_shard_verdicts(st->shards[0])[MR_TX_VERDICT_CHAIN_ID], 1);
}

static void a_blob_transaction_in_a_broadcast_ends_with_0x10(void **state)
{
    struct stage *st = *state;

    stage_blobs_ready(st);
    for (unsigned blobs = 0; blobs < 2; blobs++) { /* without its blobs too */
        struct actor *a = actor_new(st), *b = actor_new(st);
        struct sample_tx tx;

        stage_tx_make(st, &tx,
                      &(struct sample_tx_options){.who = blobs, .type = MR_TX_BLOB, .blobs = 1});
        if (!blobs) { /* the signed part alone */
            struct mr_reader r = mr_reader_of(tx.item);
            struct mr_writer w;
            static uint8_t room[1024];
            uint8_t raw[1024] = {MR_TX_BLOB};
            struct mr_tx t;

            assert_int_equal(mr_tx_decode_item(&r, &t), MR_OK);
            memcpy(raw + 1, t.list.p, t.list.n);
            w = mr_writer(room, sizeof room);
            assert_int_equal(mr_tx_item_put(&w, mr_span(raw, 1 + t.list.n)), MR_OK);
            tx.item = mr_writer_span(&w);
        }
        stage_mark(st);
        actor_send_txs(a, &tx, 1);
        stage_settle(st);
        assert_ended(st, a, MR_REASON_SUBPROTOCOL, "tx_in tx_blob_in_broadcast");
        assert_int_equal(told(b, &tx.hash), 0);
    }
}

/* ---- order (design-evidence item 30) ---- */

/* What came from one peer leaves in that order, to every peer: in full and as announcements each,
 * and of one account altogether, since it is always the one or the other. */
static void what_came_from_one_peer_leaves_in_its_order(void **state)
{
    enum { SOURCES = 3, EACH = 200, EARS = 20, ACCOUNTS = 25 };
    static struct sample_tx txs[SOURCES][EACH];
    static struct delivery got[SOURCES * EACH];
    struct stage *st = *state;
    struct actor *from[SOURCES], *ears[EARS];
    uint32_t sent[SOURCES] = {0};

    for (unsigned i = 0; i < EARS; i++)
        ears[i] = actor_new(st);
    for (uint32_t s = 0; s < SOURCES; s++) {
        from[s] = actor_new(st);
        for (uint32_t i = 0; i < EACH; i++)
            stage_tx(st, &txs[s][i], 100 * s + i % ACCOUNTS, i / ACCOUNTS);
    }
    st->relay.recoveries_per_turn = 5;
    while (sent[0] + sent[1] + sent[2] < SOURCES * EACH) {
        uint32_t s = (uint32_t)mr_random_below(&st->random, SOURCES);
        uint32_t n = 1 + (uint32_t)mr_random_below(&st->random, 30);

        n = MR_MIN(n, EACH - sent[s]);
        if (n > 0)
            actor_send_txs(from[s], txs[s] + sent[s], n);
        sent[s] += n;
        for (unsigned i = 0; i < EARS; i++)
            ears[i]->deaf = mr_random_below(&st->random, 2);
        stage_run(st, mr_random_below(&st->random, 4));
    }
    for (unsigned i = 0; i < EARS; i++)
        ears[i]->deaf = false;
    stage_run(st, 1000);
    for (unsigned e = 0; e < EARS; e++) {
        /* of each source, in full or announced: the newest heard; of each account likewise */
        int32_t newest[SOURCES][2], of_account[SOURCES][ACCOUNTS];
        size_t n = actor_deliveries(ears[e], got, SOURCES * EACH);

        memset(newest, -1, sizeof newest);
        memset(of_account, -1, sizeof of_account);
        assert_int_equal(n, SOURCES * EACH);
        for (size_t k = 0; k < n; k++) {
            int32_t s = 0, i = 0;

            while (!mr_hash_equal(&txs[s][i].hash, &got[k].hash))
                if (++i == EACH)
                    s++, i = 0;
            assert_true(i > newest[s][got[k].body]);
            newest[s][got[k].body] = i;
            assert_true(i > of_account[s][i % ACCOUNTS]);
            of_account[s][i % ACCOUNTS] = i;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_transaction_of_every_type_reaches_every_other_peer_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_known_is_neither_judged_nor_told_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_sends_what_is_being_verified_is_not_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_large_one_from_a_hundred_peers_is_judged_and_held_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(one_transaction_twice_in_a_message_ends_with_0x10, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_broken_transaction_is_discarded_and_its_message_goes_on,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(items_that_are_no_items_end_with_0x02, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_transaction_that_breaks_a_rule_ends_nobody_and_goes_nowhere, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blob_transaction_in_a_broadcast_ends_with_0x10, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_came_from_one_peer_leaves_in_its_order, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
