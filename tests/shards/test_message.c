/* One authenticated frame to one action: ids, order, the base protocol, and what ends a session
 * with which reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "tests/shards/helper_shard.h"

static const uint8_t empty_list = 0xc0;
/* Claims to inflate to 16 bytes, and does not. */
static const uint8_t garbage[] = {0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static int setup_on(void **state, const char *network)
{
    static struct stage st;
    struct stage_options o;

    stage_options_default(&o);
    o.network = network;
    o.relay.gather_bytes = 32u << 20;
    o.actors_max = 4000;
    stage_init(&st, &o);
    *state = &st;
    return 0;
}

static int setup(void **state)
{
    return setup_on(state, "mainnet");
}

static int setup_classic(void **state)
{
    return setup_on(state, "classic");
}

static int teardown(void **state)
{
    stage_close(*state);
    return 0;
}

static void assert_ended(struct stage *st, const struct actor *a, unsigned reason,
                         const char *counter)
{
    assert_string_equal(stage_moved(st), counter);
    assert_true(a->closed);
    assert_true(a->disconnected);
    assert_int_equal(a->reason, reason);
}

/* An active peer of this version, and the counters marked. */
static struct actor *fresh(struct stage *st, unsigned version)
{
    struct actor *a = actor_up(st, &(struct actor_options){.version = version});

    stage_mark(st);
    return a;
}

/* id and then bytes, as a frame's data. */
static void send_data(struct actor *a, uint64_t wire_id, const void *p, size_t n)
{
    uint8_t room[256];
    struct mr_writer w = mr_writer(room, sizeof room);

    assert_int_equal(mr_rlp_put_u64(&w, wire_id), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&w, p, n), MR_OK);
    actor_send_frame(a, mr_writer_span(&w));
}

/* ---- ids (F-06) ---- */

static void ids_behind_the_table_end_with_0x02(void **state)
{
    struct stage *st = *state;
    static const uint64_t far[] = {256, 300, 0x1000, 0xffff, 0x10000, 1ull << 32, UINT64_MAX};

    for (unsigned v = MR_ETH_68; v <= MR_ETH_72; v++)
        for (uint64_t k = 0; k < 80 + MR_COUNT_OF(far); k++) {
            uint64_t wire_id = k < 80 ? k : far[k - 80];
            bool known = wire_id == MR_BASE_DISCONNECT || wire_id == MR_BASE_PING ||
                         wire_id == MR_BASE_PONG ||
                         (wire_id >= 16 && mr_eth_message_find(v, wire_id - 16, false));
            struct actor *a;

            if (known)
                continue;
            a = fresh(st, v);
            send_data(a, wire_id, garbage, sizeof garbage); /* nothing is inflated for it */
            stage_settle(st);
            assert_ended(st, a, MR_REASON_PROTOCOL, "message_unknown");
        }
}

static void ids_that_are_no_canonical_integers_end_with_0x02(void **state)
{
    struct stage *st = *state;
    static const struct {
        uint8_t p[5], n;
    } rows[] = {{{0x00}, 1},       {{0x81, 0x00}, 2}, {{0x82, 0x00, 0x01}, 3},
                {{0x81, 0x12}, 2}, {{0xc1, 0x12}, 2}, {{0xc0}, 1},
                {{0x82}, 1},       {{0xff}, 1}};

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct actor *a = fresh(st, MR_ETH_69);

        actor_send_frame(a, mr_span(rows[i].p, rows[i].n));
        stage_settle(st);
        assert_ended(st, a, MR_REASON_PROTOCOL, "message_unknown");
    }
}

static void a_frame_without_data_ends_with_0x02(void **state)
{
    struct stage *st = *state;
    struct actor *a = fresh(st, MR_ETH_69);

    actor_send_frame(a, mr_span(garbage, 0));
    stage_settle(st);
    assert_ended(st, a, MR_REASON_PROTOCOL, "message_unknown");
}

/* E-21: on merged networks block gossip is an unknown id, whatever its size. */
static void block_gossip_ends_with_0x02_where_there_is_none(void **state)
{
    struct stage *st = *state;
    static const uint8_t ids[] = {MR_ETH_NEW_BLOCK_HASHES, MR_ETH_NEW_BLOCK, 13, 14};

    for (size_t i = 0; i < MR_COUNT_OF(ids); i++) {
        struct actor *a = fresh(st, MR_ETH_68);
        size_t n = 9u << 20;
        uint8_t *frame = calloc(1, n);

        assert_non_null(frame);
        frame[0] = (uint8_t)(16 + ids[i]);
        memset(frame + 1, 0xff, n - 1);
        memcpy(frame + 1, garbage, sizeof garbage);
        a->no_pongs = true;
        actor_send_frame(a, mr_span(frame, n));
        stage_settle(st);
        assert_ended(st, a, MR_REASON_PROTOCOL, "message_unknown");
        free(frame);
    }
}

static void block_gossip_is_counted_and_ignored_uninflated_on_proof_of_work(void **state)
{
    struct stage *st = *state;
    static const uint8_t ids[] = {MR_ETH_NEW_BLOCK_HASHES, MR_ETH_NEW_BLOCK};
    struct actor *a = fresh(st, MR_ETH_68);

    for (unsigned k = 0; k < 1000; k++)
        send_data(a, 16 + ids[k % 2], garbage, sizeof garbage);
    actor_send_base(a, MR_BASE_PING, mr_span(&empty_list, 1));
    stage_settle(st);
    assert_true(a->adopted);
    assert_string_equal(stage_moved(st), "block_gossip");
    assert_int_equal(stage_count(st)->block_gossip, 1000);
    assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 1);
}

/* ---- order (E-01) ---- */

static void any_message_before_status_ends_with_0x02(void **state)
{
    struct stage *st = *state;

    for (unsigned v = MR_ETH_68; v <= MR_ETH_72; v++)
        for (uint8_t id = 1; id < MR_ETH_IDS_MAX; id++) {
            struct actor *a;

            if (!mr_eth_message_find(v, id, false))
                continue;
            a = actor_join(st, &(struct actor_options){.version = v});
            stage_mark(st);
            send_data(a, 16 + id, garbage, sizeof garbage); /* not inflated */
            stage_settle(st);
            assert_ended(st, a, MR_REASON_PROTOCOL, "message_early");
            assert_int_equal(a->closed_why, MR_CLOSED_BREACH);
        }
}

static void a_second_status_ends_with_0x10_at_any_time(void **state)
{
    struct stage *st = *state;

    for (unsigned k = 0; k < 3; k++) {
        struct actor *a = k == 0 ? actor_join(st, NULL) : actor_new(st);

        stage_mark(st);
        if (k == 0)
            actor_send_status(a, NULL); /* both in one receive */
        else if (k == 2)
            stage_run(st, 3600 * 1000);
        actor_send_status(a, NULL);
        stage_settle(st);
        assert_ended(st, a, MR_REASON_SUBPROTOCOL, "status_bad_shape");
        assert_int_equal(a->closed_why, MR_CLOSED_SUBPROTOCOL);
    }
}

/* ---- answers to nothing (E-03): refused before they are looked at ---- */

static void answers_that_we_never_ask_for_end_with_0x10(void **state)
{
    struct stage *st = *state;

    for (unsigned v = MR_ETH_68; v <= MR_ETH_72; v++)
        for (uint8_t id = 0; id < MR_ETH_IDS_MAX; id++) {
            const struct mr_eth_message *e = mr_eth_message_find(v, id, false);
            struct actor *a;

            if (!e || e->kind != MR_ETH_RESPONSE || id == MR_ETH_POOLED_TRANSACTIONS ||
                id == MR_ETH_BLOCK_HEADERS)
                continue;
            a = fresh(st, v);
            send_data(a, 16 + id, garbage, sizeof garbage); /* not inflated */
            stage_settle(st);
            assert_ended(st, a, MR_REASON_SUBPROTOCOL, "fetch_unasked");
        }
}

static void answers_with_an_id_of_nobody_end_with_0x10(void **state)
{
    struct stage *st = *state;
    static const struct {
        uint8_t id;
        const char *counter;
    } rows[] = {{MR_ETH_POOLED_TRANSACTIONS, "fetch_unasked"}, {MR_ETH_BLOCK_HEADERS, "head_bad"}};

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        for (unsigned broken = 0; broken < 2; broken++) {
            struct actor *a = fresh(st, MR_ETH_69);
            /* a million items behind the id are not walked */
            static uint8_t body[1 << 20];
            struct mr_writer w = mr_writer(body, sizeof body);

            assert_int_equal(mr_response_put_head(&w, 4711, sizeof body - 16), MR_OK);
            memset(body + w.n, broken ? 0xff : 0x80, sizeof body - 16);
            actor_send_eth(a, rows[i].id, mr_span(body, w.n + sizeof body - 16));
            stage_settle(st);
            assert_ended(st, a, MR_REASON_SUBPROTOCOL, rows[i].counter);
        }
}

/* ---- broken encodings ---- */

static void broken_rlp_ends_with_0x02(void **state)
{
    struct stage *st = *state;
    static uint8_t deep[4000];
    const struct mr_span rows[] = {{(const uint8_t *)"", 0},
                                   {(const uint8_t *)"\x01", 1},
                                   {(const uint8_t *)"\xc1", 1},
                                   {(const uint8_t *)"\xc0\x80", 2},
                                   {(const uint8_t *)"\xf8\x01\x80", 3},
                                   {(const uint8_t *)"\xbf\xff\xff\xff\xff\xff\xff\xff\xff", 9},
                                   {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9},
                                   {deep, sizeof deep}};

    for (size_t i = sizeof deep, n = 0; i > 3; i -= 3, n += 3) /* lists in lists */
        deep[i - 3] = 0xf9, mr_store_be16(deep + i - 2, (uint16_t)n);
    for (uint8_t id = 1; id < MR_ETH_IDS_MAX; id++) {
        const struct mr_eth_message *e = mr_eth_message_find(MR_ETH_71, id, false);

        if (!e || (e->kind != MR_ETH_NOTIFICATION && e->kind != MR_ETH_REQUEST))
            continue;
        for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
            struct actor *a = fresh(st, MR_ETH_71);
            const char *counter = id == MR_ETH_NEW_POOLED_TRANSACTION_HASHES ? "announced_bad_shape"
                                                                             : "message_malformed";

            actor_send_eth(a, id, rows[i]);
            stage_settle(st);
            assert_true(a->closed);
            assert_int_equal(a->reason, MR_REASON_PROTOCOL);
            if (e->kind == MR_ETH_NOTIFICATION)
                assert_string_equal(stage_moved(st), counter);
        }
    }
}

/* F-11: too many items are refused on their number. */
static void more_than_5000_transactions_end_with_0x10(void **state)
{
    struct stage *st = *state;
    struct actor *a = fresh(st, MR_ETH_69);
    static uint8_t body[9 << 20];
    struct mr_writer w = mr_writer(body, sizeof body);

    assert_int_equal(mr_transactions_put_head(&w, 5001), MR_OK);
    memset(body + w.n, 0xc0, 5001);
    actor_send_eth(a, MR_ETH_TRANSACTIONS, mr_span(body, w.n + 5001));
    stage_settle(st);
    assert_ended(st, a, MR_REASON_SUBPROTOCOL, "frame_too_big");
    a = fresh(st, MR_ETH_69);
    w = mr_writer(body, sizeof body);
    assert_int_equal(mr_transactions_put_head(&w, sizeof body - 8), MR_OK);
    memset(body + w.n, 0xc0, sizeof body - 8);
    actor_send_eth(a, MR_ETH_TRANSACTIONS, mr_span(body, w.n + sizeof body - 8));
    stage_settle(st);
    assert_ended(st, a, MR_REASON_SUBPROTOCOL, "frame_too_big");
    assert_int_equal(stage_count(st)->tx_in, 0);
}

/* ---- announcements' shape (E-08) ---- */

struct shape {
    unsigned version;
    uint32_t types, sizes, hashes; /* items of each list */
    uint32_t hash_len;
    int mask_len; /* eth/72; -1: none */
    bool same;    /* all hashes are one */
    bool bad;
};

static struct mr_span shape_write(const struct shape *s, uint8_t *room, size_t cap,
                                  struct mr_random *random)
{
    static uint8_t types[70000], inner[70000 * 35], hash[40];
    struct mr_writer w = mr_writer(inner, sizeof inner);
    size_t mark;

    memset(types, MR_TX_DYNAMIC_FEE, sizeof types);
    assert_int_equal(mr_rlp_put_bytes(&w, types, s->types), MR_OK);
    for (unsigned list = 0; list < 2; list++) {
        static uint8_t items[70000 * 34];
        struct mr_writer i = mr_writer(items, sizeof items);

        mr_random_fill(random, hash, sizeof hash);
        for (uint32_t k = 0; k < (list ? s->hashes : s->sizes); k++) {
            if (!s->same)
                mr_store_be32(hash + 4, k);
            assert_int_equal(list ? mr_rlp_put_bytes(&i, hash, s->hash_len)
                                  : mr_rlp_put_u64(&i, 100 + k),
                             MR_OK);
        }
        assert_int_equal(mr_rlp_put_list_head(&w, i.n), MR_OK);
        assert_int_equal(mr_rlp_put_raw(&w, items, i.n), MR_OK);
    }
    if (s->mask_len >= 0)
        assert_int_equal(mr_rlp_put_bytes(&w, types, (size_t)s->mask_len), MR_OK);
    mark = w.n;
    w = mr_writer(room, cap);
    assert_int_equal(mr_rlp_put_list_head(&w, mark), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&w, inner, mark), MR_OK);
    return mr_writer_span(&w);
}

static void announcements_of_a_wrong_shape_end_with_0x02(void **state)
{
    struct stage *st = *state;
    static uint8_t room[70000 * 40];
    static const struct shape rows[] = {
        {68, 0, 0, 0, 32, -1, false, false},
        {68, 3, 3, 3, 32, -1, false, false},
        {68, 4, 3, 3, 32, -1, false, true},
        {68, 3, 4, 3, 32, -1, false, true},
        {68, 3, 3, 4, 32, -1, false, true},
        {68, 2, 3, 3, 32, -1, false, true},
        {68, 3, 3, 3, 31, -1, false, true},
        {68, 3, 3, 3, 33, -1, false, true},
        {68, 3, 3, 3, 32, 16, false, true}, /* a fourth element */
        {71, 4096, 4096, 4096, 32, -1, false, false},
        {71, 4097, 4097, 4097, 32, -1, false, false}, /* soft limit: ignored from there on */
        {71, 65536, 65536, 65536, 32, -1, false, false},
        {71, 65537, 65537, 65537, 32, -1, false, true},
        {71, 5, 5, 5, 32, -1, true, false}, /* one hash five times: once is enough */
        {72, 3, 3, 3, 32, 16, false, false},
        {72, 3, 3, 3, 32, -1, false, true},
        {72, 3, 3, 3, 32, 15, false, true},
        {72, 3, 3, 3, 32, 17, false, true},
    };

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct actor *a = fresh(st, rows[i].version);
        struct mr_span m = shape_write(&rows[i], room, sizeof room, &st->random);

        actor_send_eth(a, MR_ETH_NEW_POOLED_TRANSACTION_HASHES, m);
        stage_turn(st);
        if (rows[i].bad) {
            stage_settle(st);
            assert_ended(st, a, MR_REASON_PROTOCOL, "announced_bad_shape");
            continue;
        }
        stage_settle(st);
        assert_true(a->adopted);
        assert_true(stage_count(st)->fetch_announced <=
                    MR_MIN(rows[i].same ? 1u : rows[i].hashes, st->relay.announced_per_peer));
        actor_hang_up(a);
        stage_settle(st);
        assert_int_equal(stage_count(st)->fetch_announced, 0);
        assert_int_equal(stage_count(st)->fetch_length, 0);
    }
}

/* ---- BlockRangeUpdate (E-20) ---- */

static void range(struct actor *a, uint64_t earliest, uint64_t latest, uint8_t hash)
{
    uint8_t room[64], latest_hash[32];
    struct mr_writer w = mr_writer(room, sizeof room);
    size_t mark = mr_rlp_open(&w);

    memset(latest_hash, hash, 32);
    assert_int_equal(mr_rlp_put_u64(&w, earliest), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, latest), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, latest_hash, 32), MR_OK);
    assert_int_equal(mr_rlp_close(&w, mark), MR_OK);
    actor_send_eth(a, MR_ETH_BLOCK_RANGE_UPDATE, mr_writer_span(&w));
}

static void ranges_that_cannot_be_end_with_0x10(void **state)
{
    struct stage *st = *state;
    struct actor *a = fresh(st, MR_ETH_69);

    range(a, 5, 4, 1);
    stage_settle(st);
    assert_ended(st, a, MR_REASON_SUBPROTOCOL, "range_bad");
    a = fresh(st, MR_ETH_69);
    range(a, 4, 5, 0);
    stage_settle(st);
    assert_ended(st, a, MR_REASON_SUBPROTOCOL, "range_bad");
    a = fresh(st, MR_ETH_68);
    range(a, 4, 5, 1);
    stage_settle(st);
    assert_ended(st, a, MR_REASON_PROTOCOL, "message_unknown");
}

static void a_hundred_thousand_ranges_cost_nothing_and_answer_nothing(void **state)
{
    struct stage *st = *state;
    struct actor *a = fresh(st, MR_ETH_69);
    uint64_t messages = a->messages;

    for (unsigned i = 0; i < 100000; i++)
        range(a, i, i + 1000, (uint8_t)(1 + i % 255));
    range(a, UINT64_MAX - 1, UINT64_MAX, 7); /* of a far future */
    stage_settle(st);
    assert_true(a->adopted);
    assert_int_equal(a->messages, messages);
    assert_int_equal(actor_peer(a)->claim.number, UINT64_MAX);
    assert_string_equal(stage_moved(st), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ids_behind_the_table_end_with_0x02, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_that_are_no_canonical_integers_end_with_0x02, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_frame_without_data_ends_with_0x02, setup, teardown),
        cmocka_unit_test_setup_teardown(block_gossip_ends_with_0x02_where_there_is_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            block_gossip_is_counted_and_ignored_uninflated_on_proof_of_work, setup_classic,
            teardown),
        cmocka_unit_test_setup_teardown(any_message_before_status_ends_with_0x02, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_status_ends_with_0x10_at_any_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(answers_that_we_never_ask_for_end_with_0x10, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(answers_with_an_id_of_nobody_end_with_0x10, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(broken_rlp_ends_with_0x02, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_5000_transactions_end_with_0x10, setup, teardown),
        cmocka_unit_test_setup_teardown(announcements_of_a_wrong_shape_end_with_0x02, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ranges_that_cannot_be_end_with_0x10, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hundred_thousand_ranges_cost_nothing_and_answer_nothing,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
