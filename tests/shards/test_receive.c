/* Bytes of many peers to frames: cuts, bounds, memory, deadlines. Back-pressure has a file of its
 * own: test_receive_pressure.c. */
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

static const uint8_t empty_list = 0xc0;

static void ping(struct actor *a)
{
    actor_send_base(a, MR_BASE_PING, mr_span(&empty_list, 1));
}

static void assert_ended(const struct actor *a, unsigned reason, enum mr_closed_reason why)
{
    assert_true(a->closed);
    assert_true(a->disconnected);
    assert_int_equal(a->reason, reason);
    assert_int_equal(a->closed_why, why);
}

/* ---- cuts ---- */

/* Status, a transaction and a ping, then their effect. */
static void say_all(struct stage *st, struct actor *a, uint32_t who)
{
    struct sample_tx tx;

    stage_tx(st, &tx, who, 0);
    actor_send_status(a, NULL);
    actor_send_txs(a, &tx, 1);
    ping(a);
}

static void frames_may_be_cut_at_every_byte(void **state)
{
    struct stage *st = *state;
    uint32_t k = 1;

    for (size_t whole = SIZE_MAX; k < whole; k++) {
        struct actor *a = actor_join(st, NULL);

        say_all(st, a, k);
        whole = a->out_n;
        stage_turn(st); /* adopted */
        a->chunk = k;
        stage_turn(st);
        a->chunk = 0; /* the rest at once */
        stage_run(st, 1);
        assert_true(a->active);
        assert_int_equal(stage_count(st)->tx_accepted, k);
        assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 1);
        assert_null(actor_peer(a)->gather);
        actor_hang_up(a);
        stage_settle(st);
    }
    assert_true(k > 300);
    assert_string_equal(stage_moved(st), "tx_in tx_recoveries tx_accepted");
}

static void every_byte_may_come_alone(void **state)
{
    struct stage *st = *state;

    for (uint32_t k = 1; k < 40; k++) {
        struct actor *a = actor_join(st, NULL);

        say_all(st, a, k);
        a->chunk = k;
        a->bursts = k % 5; /* some of them in one turn */
        stage_settle(st);
        assert_int_equal(stage_count(st)->tx_accepted, k);
        assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 1);
        actor_hang_up(a);
        stage_settle(st);
    }
}

static void many_frames_in_one_receive_are_handled_in_order(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *trusted;
    struct sample_tx txs[200];
    struct mr_txlog *log = &st->shards[0]->log;
    uint64_t turns;

    trusted = actor_up(st, &(struct actor_options){.trusted = true});
    for (uint32_t i = 0; i < 200; i++) {
        stage_tx(st, &txs[i], i, 0);
        actor_send_txs(a, &txs[i], 1);
        actor_send_txs(trusted, &txs[i], 1);
    }
    ping(a);
    assert_true(a->out_n < 65536);
    turns = st->turns;
    stage_turn(st);
    assert_int_equal(stage_count(st)->tx_in, 400);
    assert_int_equal(st->turns, turns + 1);
    stage_run(st, 200); /* recoveries have a rate */
    for (uint32_t i = 0; i < 200; i++)
        assert_true(mr_hash_equal(&mr_txlog_at(log, i)->hash, &txs[i].hash));
    assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 1);
}

/* ---- bounds (F-02) ---- */

static void a_frame_over_the_bound_is_closed_on_its_header(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st), *c = actor_join(st, NULL);

    actor_send_claim(a, MR_MESSAGE_FRAME_MAX, MR_FRAME_HEADER_LEN);
    actor_send_claim(b, MR_MESSAGE_FRAME_MAX + 1, MR_FRAME_HEADER_LEN);
    stage_settle(st);
    assert_true(a->adopted); /* it may go on: its MAC will be wrong, or its content */
    assert_ended(b, MR_REASON_PROTOCOL, MR_CLOSED_BREACH);
    assert_string_equal(stage_moved(st), "frame_too_big");
    actor_send_claim(c, MR_FRAME_SIZE_MAX, MR_FRAME_HEADER_LEN);
    stage_settle(st);
    assert_ended(c, MR_REASON_PROTOCOL, MR_CLOSED_BREACH);
    assert_int_equal(stage_count(st)->frame_too_big, 2);
    assert_int_equal(stage_count(st)->gather_bytes, 0);
}

/* F-03 where sessions meet it: refused on the stated length, before anything is inflated. */
static void a_bomb_is_refused_on_its_stated_length(void **state)
{
    struct stage *st = *state;
    static const struct {
        uint8_t id;
        uint8_t preamble[5];
        unsigned reason;
        const char *counter;
    } rows[] = {
        {MR_BASE_PING, {0xff, 0xff, 0xff, 0xff, 0x0f}, MR_REASON_PROTOCOL, "frame_too_big"},
        {MR_BASE_PING, {0x81, 0x08}, MR_REASON_PROTOCOL, "frame_too_big"}, /* 1 KiB + 1 */
        {0x12, {0xff, 0xff, 0xff, 0xff, 0x0f}, MR_REASON_PROTOCOL, "frame_too_big"},
        {0x12, {0x80, 0x80, 0x80, 0x08}, MR_REASON_PROTOCOL, "frame_too_big"},    /* 16 MiB */
        {0x12, {0x81, 0x80, 0x80, 0x05}, MR_REASON_SUBPROTOCOL, "frame_too_big"}, /* 10 MiB + 1 */
        {0x12, {0x80, 0x80, 0x80, 0x05}, MR_REASON_PROTOCOL, "snappy_bad"},       /* but no bytes */
        {0x12, {0x80, 0x80, 0x80, 0x80, 0x80}, MR_REASON_PROTOCOL, "snappy_bad"},
    };

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct actor *a = actor_new(st);
        uint8_t data[6] = {rows[i].id};

        memcpy(data + 1, rows[i].preamble, 5);
        stage_mark(st);
        actor_send_frame(a, mr_span(data, sizeof data));
        stage_settle(st);
        assert_string_equal(stage_moved(st), rows[i].counter);
        assert_ended(a, rows[i].reason, MR_CLOSED_BREACH);
    }
}

static void the_largest_legal_message_costs_the_arena_and_no_more(void **state)
{
    struct stage *st = *state;
    size_t n = MR_ETH_MESSAGE_MAX;
    uint8_t *zeros = calloc(1, n);
    struct actor *a = actor_new(st);
    uint64_t before = stage_count(st)->buffers_bytes;

    assert_non_null(zeros);
    /* 10 MiB that inflate from half a megabyte, then are no list */
    actor_send_eth(a, MR_ETH_TRANSACTIONS, mr_span(zeros, n));
    assert_true(a->out_n < n / 16);
    for (unsigned i = 0; a->out_n > 0; i++) {
        stage_turn(st);
        assert_true(stage_count(st)->buffers_bytes < before + (2 << 20));
    }
    stage_settle(st);
    assert_ended(a, MR_REASON_PROTOCOL, MR_CLOSED_BREACH);
    assert_int_equal(stage_count(st)->message_malformed, 1);
    free(zeros);
}

/* ---- memory (F-01) ---- */

static void crowd_init(struct stage *st, uint64_t gather_bytes)
{
    struct stage_options o;

    stage_options_default(&o);
    o.actors_max = 1000;
    o.relay.maxpeers = 1000;
    o.relay.gather_bytes = gather_bytes;
    stage_init(st, &o);
    for (unsigned i = 0; i < 1000; i++)
        actor_send_status(actor_join(st, NULL), NULL);
    stage_settle(st);
    assert_int_equal(stage_count(st)->peers, 1000);
}

static void memory_grows_with_bytes_that_came_and_not_with_claims(void **state)
{
    struct stage st;
    uint64_t before, begun;

    (void)state;
    crowd_init(&st, 4u << 20); /* not even one of what they claim */
    before = stage_count(&st)->buffers_bytes;
    begun = st.now.mono_ns;
    for (unsigned i = 0; i < 1000; i++) {
        st.actors[i].chunk = MR_FRAME_HEADER_LEN;
        actor_send_claim(&st.actors[i], 10u << 20, MR_FRAME_HEADER_LEN + 40);
    }
    for (unsigned s = 0; s < 29; s++) { /* one byte a second */
        stage_turn(&st);
        for (unsigned i = 0; i < 1000; i++)
            st.actors[i].chunk = 1;
        assert_true(stage_count(&st)->buffers_bytes - before <= 1000 * 4096);
        assert_int_equal(stage_count(&st)->gather_full, 0);
        st.now.mono_ns += MR_SECOND;
    }
    assert_int_equal(stage_count(&st)->peers_closed, 0);
    st.now.mono_ns = begun + 30 * MR_SECOND + 5 * MR_MS;
    stage_settle(&st);
    assert_int_equal(stage_count(&st)->frame_late, 1000);
    assert_int_equal(stage_count(&st)->buffers_bytes, before);
    for (unsigned i = 0; i < 1000; i++)
        assert_ended(&st.actors[i], MR_REASON_TIMEOUT, MR_CLOSED_SLOW);
    stage_close(&st);
}

static void a_gather_block_is_at_most_twice_what_came(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    uint64_t before = stage_count(st)->buffers_bytes, came = 0;

    a->chunk = 4096;
    actor_send_claim(a, 3u << 20, 2u << 20);
    while (a->out_n > 0) {
        stage_turn(st);
        came += 4096;
        assert_true(stage_count(st)->buffers_bytes - before <= 2 * came + came / 4 + 4096);
    }
    actor_hang_up(a);
}

static void when_the_pool_is_empty_the_oldest_large_frame_makes_room(void **state)
{
    struct stage st;
    unsigned closed = 0;

    (void)state;
    crowd_init(&st, 4u << 20);
    for (unsigned i = 0; i < 40; i++) {
        actor_send_claim(&st.actors[i], 10u << 20, 300 * 1024);
        stage_settle(&st);
        assert_true(stage_count(&st)->gather_bytes <= 4u << 20);
        st.now.mono_ns += MR_MS;
    }
    for (unsigned i = 0; i < 40; i++) {
        struct actor *a = &st.actors[i];

        closed += a->closed;
        assert_true(i == 0 || a->closed <= a[-1].closed); /* the oldest went first */
        if (a->closed)
            assert_ended(a, MR_REASON_REQUESTED, MR_CLOSED_RESOURCES);
    }
    assert_true(closed >= 25 && closed < 40);
    assert_int_equal(stage_count(&st)->gather_full, closed);
    assert_int_equal(stage_count(&st)->peers, 1000 - closed);
    stage_close(&st);
}

static void large_frames_get_through_whatever_their_cuts(void **state)
{
    struct stage *st = *state;
    struct actor *witness = actor_new(st);

    for (uint32_t k = 0; k < 12; k++) {
        struct actor *a = actor_new(st);
        struct sample_tx tx;

        stage_tx_make(st, &tx,
                      &(struct sample_tx_options){
                          .who = k, .type = MR_TX_DYNAMIC_FEE, .data_bytes = 10000 * (k + 1)});
        actor_send_txs(a, &tx, 1);
        ping(a);
        a->chunk = 1000 + 777 * k;
        a->bursts = k % 4;
        stage_settle(st);
        assert_int_equal(actor_got(witness, &tx.hash).announced, 1);
        assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 1);
    }
    assert_int_equal(stage_count(st)->gather_bytes, 0);
}

/* ---- deadlines ---- */

static void a_frame_has_30_s_from_its_first_byte_to_its_last(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);
    uint8_t data[500] = {MR_BASE_PONG, 1, 0, 0xc0};
    size_t n, m;
    uint8_t *one, *other;

    one = actor_seal(a, mr_span(data, 4), &n);
    other = actor_seal(b, mr_span(data, 4), &m);
    for (size_t i = 0; i < n; i++) { /* 80 bytes in 29.9 s, and the other's last is missing */
        actor_send_bytes(a, one + i, 1);
        if (i + 1 < n)
            actor_send_bytes(b, other + i, 1);
        stage_settle(st);
        if (i + 1 < n)
            stage_run(st, 29900 / n);
    }
    free(one);
    free(other);
    assert_null(actor_peer(a)->gather);
    stage_run(st, 1000);
    assert_true(a->adopted);
    assert_ended(b, MR_REASON_TIMEOUT, MR_CLOSED_SLOW);
    assert_string_equal(stage_moved(st), "frame_late");
}

static void frames_one_behind_the_other_have_30_s_each(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    uint8_t data[4] = {MR_BASE_PING, 1, 0, 0xc0};
    uint8_t *stream = NULL;
    size_t n = 0;

    for (unsigned i = 0; i < 10; i++) { /* each begins inside the same receive as the last ends */
        size_t more;
        uint8_t *next = actor_seal(a, mr_span(data, 4), &more);

        stream = realloc(stream, n + more);
        assert_non_null(stream);
        memcpy(stream + n, next, more);
        n += more;
        free(next);
    }
    for (size_t at = 0; at < n; at += 50) { /* 80 bytes a frame: 50 in every 12 s */
        actor_send_bytes(a, stream + at, MR_MIN(n - at, (size_t)50));
        stage_run(st, 12000);
    }
    free(stream);
    assert_true(a->adopted);
    assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 10);
    assert_int_equal(stage_count(st)->frame_late, 0);
}

/* ---- what is not authentic ---- */

static void a_wrong_mac_is_closed_without_a_word(void **state)
{
    struct stage *st = *state;
    static const size_t flips[] = {0, 3, 16, 31, 32, 40, 64, 79};

    for (size_t i = 0; i < MR_COUNT_OF(flips); i++) {
        struct actor *a = actor_new(st), *b = actor_new(st);
        struct sample_tx tx;
        size_t n;
        uint8_t data[20] = {MR_BASE_PING, 1, 0, 0xc0}, *frame;

        stage_tx(st, &tx, (uint32_t)i, 0);
        actor_send_txs(a, &tx, 1); /* what came before counts */
        frame = actor_seal(a, mr_span(data, 4), &n);
        assert_int_equal(n, 80 - 16);
        frame[flips[i] % n] ^= 0x40;
        actor_send_bytes(a, frame, n);
        free(frame);
        stage_tx(st, &tx, 1000 + (uint32_t)i, 0);
        actor_send_txs(a, &tx, 1); /* what comes behind does not */
        stage_mark(st);
        stage_settle(st);
        assert_true(a->closed);
        assert_false(a->disconnected);
        assert_int_equal(a->closed_why, MR_CLOSED_MAC);
        assert_string_equal(stage_moved(st), "frame_mac_bad tx_in tx_recoveries tx_accepted");
        assert_int_equal(actor_got(b, &tx.hash).bodies, 0);
    }
    assert_int_equal(stage_count(st)->tx_in, MR_COUNT_OF(flips));
}

/* A header-data list with a third element, as chunked frames had: sealed by hand, since our own
 * code cannot. */
static void a_chunked_frame_ends_with_0x02(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    struct mr_rlpx_direction *d = &a->session.egress;
    static const uint8_t ours[4] = {0xc2, 0x80, 0x80, 0}, chunked[4] = {0xc3, 0x80, 0x05, 0x20};
    uint8_t out[MR_FRAME_HEADER_LEN], seed[16], digest[32], data[4] = {MR_BASE_PING, 1, 0, 0xc0};
    struct mr_keccak mac = d->mac;
    size_t n;
    uint8_t *frame;

    memcpy(digest, d->digest, 16);
    mr_aes256_block(&a->session.mac, seed, digest);
    frame = actor_seal(a, mr_span(data, 4), &n);
    memcpy(out, frame, 16);
    for (unsigned i = 0; i < 4; i++) /* a stream cipher: what is changed is changed */
        out[3 + i] ^= ours[i] ^ chunked[i];
    for (unsigned i = 0; i < 16; i++)
        seed[i] ^= out[i];
    mr_keccak_update(&mac, seed, 16);
    mr_keccak_digest(&mac, digest);
    memcpy(out + 16, digest, 16);
    actor_send_bytes(a, out, sizeof out);
    stage_settle(st);
    free(frame);
    assert_ended(a, MR_REASON_PROTOCOL, MR_CLOSED_BREACH);
    assert_string_equal(stage_moved(st), "frame_malformed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_may_be_cut_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(every_byte_may_come_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(many_frames_in_one_receive_are_handled_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_frame_over_the_bound_is_closed_on_its_header, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_bomb_is_refused_on_its_stated_length, setup, teardown),
        cmocka_unit_test_setup_teardown(the_largest_legal_message_costs_the_arena_and_no_more,
                                        setup, teardown),
        cmocka_unit_test(memory_grows_with_bytes_that_came_and_not_with_claims),
        cmocka_unit_test_setup_teardown(a_gather_block_is_at_most_twice_what_came, setup, teardown),
        cmocka_unit_test(when_the_pool_is_empty_the_oldest_large_frame_makes_room),
        cmocka_unit_test_setup_teardown(large_frames_get_through_whatever_their_cuts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_frame_has_30_s_from_its_first_byte_to_its_last, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(frames_one_behind_the_other_have_30_s_each, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_wrong_mac_is_closed_without_a_word, setup, teardown),
        cmocka_unit_test_setup_teardown(a_chunked_frame_ends_with_0x02, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
