/* The worker with a real shard on loopback: what goes in on one socket comes out on others, and
 * sessions end as they should. */
#include "tests/support/bare_relay.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY 24

static void status_is_exchanged(void **state)
{
    struct relay r;
    struct mr_client a;

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    assert_int_equal(a.status.network_id, r.network->network_id);
    assert_true(mr_hash_equal(&a.status.genesis, &r.network->genesis_hash));
    assert_int_equal(relay_sum(&r, "status_ok"), 1);
    mr_client_close(&a);
    relay_wait(&r, &r.closed, 1);
    assert_int_equal(r.last_reason, MR_CLOSED_REMOTE);
    relay_stop(&r);
}

static void transaction_reaches_all_others(void **state)
{
    struct relay r;
    struct mr_client a, b, c;
    struct sample s;

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    relay_peer(&r, &b, 0, 2);
    relay_peer(&r, &c, 0, 3);
    sample_make(&s, &r, 1, 0);
    assert_true(mr_client_send_transactions(&a, &(struct mr_span){s.raw, s.n}, 1));
    assert_true(sample_arrives(&b, &s, 5000));
    assert_true(sample_arrives(&c, &s, 5000));
    assert_false(sample_arrives(&a, &s, 100));
    assert_int_equal(relay_sum(&r, "tx_accepted"), 1);
    mr_client_close(&a);
    mr_client_close(&b);
    mr_client_close(&c);
    relay_stop(&r);
}

/* Asks for n hashes and gives how many transactions the answer holds. */
static size_t ask(struct mr_client *c, uint64_t id, const struct mr_hash *hashes, size_t n)
{
    uint8_t room[1024];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_client_message m;
    struct mr_eth_items items;

    assert_int_equal(mr_hash_request_encode(&w, id, hashes, n), MR_OK);
    assert_true(mr_client_send_eth(c, MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w)));
    assert_int_equal(mr_client_expect(c, &m, MR_ETH_POOLED_TRANSACTIONS, 5000), MR_CLIENT_MESSAGE);
    assert_int_equal(mr_response_decode(&items, m.payload, n), MR_OK);
    assert_int_equal(items.request_id, id);
    return items.count;
}

static void requests_for_transactions_are_answered(void **state)
{
    struct mr_hash hashes[3];
    struct relay r;
    struct mr_client a, b;
    struct sample s[2];

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    relay_peer(&r, &b, 0, 2);
    sample_make(&s[0], &r, 1, 0);
    sample_make(&s[1], &r, 2, 0);
    for (size_t i = 0; i < 2; i++)
        assert_true(mr_client_send_transactions(&a, &(struct mr_span){s[i].raw, s[i].n}, 1));
    relay_await(&r, "tx_accepted", 2);
    hashes[0] = s[0].hash, hashes[2] = s[1].hash;
    memset(&hashes[1], 0x77, sizeof hashes[1]);
    assert_int_equal(ask(&b, 1234567890123, hashes, 3), 2);
    assert_int_equal(ask(&b, 0, &hashes[1], 1), 0);
    assert_int_equal(relay_sum(&r, "serve_pooled"), 2);
    mr_client_close(&a);
    mr_client_close(&b);
    relay_stop(&r);
}

static void pings_are_answered(void **state)
{
    struct relay r;
    struct mr_client a;

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    assert_int_equal(mr_client_sync(&a, 5000), MR_CLIENT_MESSAGE);
    assert_int_equal(mr_client_sync(&a, 5000), MR_CLIENT_MESSAGE);
    assert_int_equal(relay_sum(&r, "ping_in"), 2);
    mr_client_close(&a);
    relay_stop(&r);
}

/* A breach with megabytes behind it that the relay will never read: without care its close would
 * be a reset, and the reset would destroy the Disconnect. */
static void disconnect_arrives_though_bytes_are_unread(void **state)
{
    struct relay r;
    struct mr_client a;
    size_t junk_n = 1u << 20;
    uint8_t *junk = calloc(1, junk_n);

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    assert_true(mr_client_send_wire(&a, 0x0f, mr_span("\xc0", 1))); /* an id that nobody has */
    assert_true(mr_client_send_raw(&a, junk, junk_n));
    assert_int_equal(mr_client_wait_end(&a, 5000), MR_CLIENT_CLOSED);
    assert_true(a.disconnected);
    assert_int_equal(a.reason, MR_REASON_PROTOCOL);
    mr_client_close(&a);
    relay_wait(&r, &r.closed, 1);
    assert_int_equal(r.last_reason, MR_CLOSED_BREACH);
    assert_int_equal(relay_sum(&r, "worker_lingered"), 1);
    assert_int_equal(relay_sum(&r, "worker_linger_late"), 0);
    assert_int_equal(relay_sum(&r, "worker_open"), 0);
    free(junk);
    relay_stop(&r);
}

/* One who is told to go and does not close: the relay closes after its 500 ms. */
static void who_does_not_close_is_closed(void **state)
{
    struct relay r;
    struct mr_client a;

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    assert_true(mr_client_send_wire(&a, 0x0f, mr_span("\xc0", 1)));
    relay_wait(&r, &r.closed, 1);
    assert_int_equal(relay_sum(&r, "worker_linger_late"), 1);
    assert_int_equal(relay_sum(&r, "worker_open"), 0);
    assert_int_equal(mr_client_wait_end(&a, 5000), MR_CLIENT_CLOSED);
    assert_true(a.disconnected);
    mr_client_close(&a);
    relay_stop(&r);
}

/* Nothing is said to one whose frame has a wrong MAC. */
static void a_wrong_mac_ends_without_a_word(void **state)
{
    struct relay r;
    struct mr_client a;
    uint8_t junk[64] = {1};

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    assert_true(mr_client_send_raw(&a, junk, sizeof junk));
    assert_int_equal(mr_client_wait_end(&a, 5000), MR_CLIENT_CLOSED);
    assert_false(a.disconnected);
    mr_client_close(&a);
    relay_wait(&r, &r.closed, 1);
    assert_int_equal(r.last_reason, MR_CLOSED_MAC);
    relay_stop(&r);
}

static void stop_says_goodbye_to_all(void **state)
{
    struct relay r;
    struct mr_client c[MANY];
    struct mr_mail stop = {.kind = MR_MAIL_STOP, .a = MR_REASON_QUITTING};

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    for (uint64_t i = 0; i < MANY; i++)
        relay_peer(&r, &c[i], 0, i + 1);
    relay_send(&r, 0, &stop);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(mr_client_wait_end(&c[i], 5000), MR_CLIENT_CLOSED);
        assert_true(c[i].disconnected);
        assert_int_equal(c[i].reason, MR_REASON_QUITTING);
        mr_client_close(&c[i]);
    }
    relay_wait(&r, &r.closed, MANY);
    relay_wait(&r, &r.stopped, 1);
    assert_int_equal(relay_sum(&r, "worker_linger_late"), 0);
    r.has_stopped = true;
    relay_stop(&r);
}

/* Who says something and closes at once has said it: bytes and end arrive in one turn. */
static void what_came_before_the_end_counts(void **state)
{
    enum { N = 40 };
    struct sample *s = calloc(N, sizeof *s);
    struct mr_client a, b;
    struct relay r;

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &b, 0, 1000);
    for (uint32_t i = 0; i < N; i++) {
        relay_peer(&r, &a, 0, i + 1);
        sample_make(&s[i], &r, i + 1, 0);
        assert_true(mr_client_send_transactions(&a, &(struct mr_span){s[i].raw, s[i].n}, 1));
        assert_true(mr_client_send_base(&a, MR_BASE_DISCONNECT, mr_span("\xc1\x04", 2)));
        shutdown(a.fd, SHUT_WR);
        relay_wait(&r, &r.closed, i + 1);
        assert_int_equal(r.last_reason, MR_CLOSED_REMOTE_DISCONNECT);
        mr_client_close(&a);
    }
    assert_int_equal(samples_arrive(&b, s, N, 10000), N);
    mr_client_close(&b);
    free(s);
    relay_stop(&r);
}

/* ---- pausing ---- */

/* A peer over its rate of bytes is read again when it has paid, and loses nothing. */
static void a_paused_peer_loses_nothing(void **state)
{
    enum { N = 150 };
    struct sample *s = calloc(N, sizeof *s);
    struct relay r;
    struct mr_client a, b;

    (void)state;
    relay_init(&r, 1);
    r.options.peer_bytes_per_s = 20000;
    r.options.peer_bytes_burst = 4000;
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    relay_peer(&r, &b, 0, 2);
    for (size_t i = 0; i < N; i++) {
        sample_make(&s[i], &r, i + 1, 0);
        assert_true(mr_client_send_transactions(&a, &(struct mr_span){s[i].raw, s[i].n}, 1));
    }
    relay_await(&r, "tx_accepted", N);
    assert_true(relay_sum(&r, "receive_paused") > 0);
    assert_int_equal(samples_arrive(&b, s, N, 10000), N);
    assert_int_equal(mr_client_sync(&a, 5000), MR_CLIENT_MESSAGE);
    mr_client_close(&a);
    mr_client_close(&b);
    free(s);
    relay_stop(&r);
}

/* More requests at once than may wait: the peer is not read meanwhile, and each is answered. */
static void a_burst_of_requests_is_answered_in_order(void **state)
{
    enum { N = 500 };
    struct mr_client_message m;
    struct mr_eth_items items;
    struct mr_hash hash = {{9}};
    struct relay r;
    struct mr_client a;

    (void)state;
    relay_init(&r, 1);
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    for (uint64_t i = 0; i < N; i++) {
        uint8_t room[64];
        struct mr_writer w = mr_writer(room, sizeof room);

        assert_int_equal(mr_hash_request_encode(&w, i + 1, &hash, 1), MR_OK);
        assert_true(mr_client_send_eth(&a, MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w)));
    }
    for (uint64_t i = 0; i < N; i++) {
        assert_int_equal(mr_client_expect(&a, &m, MR_ETH_POOLED_TRANSACTIONS, 5000),
                         MR_CLIENT_MESSAGE);
        assert_int_equal(mr_response_decode(&items, m.payload, 1), MR_OK);
        assert_int_equal(items.request_id, i + 1);
    }
    assert_true(relay_sum(&r, "receive_paused") > 0);
    mr_client_close(&a);
    relay_stop(&r);
}

/* ---- exhaustion ---- */

/* S-06: 16 buffers of 64 bytes for many peers that all send at once. */
static void too_few_buffers_lose_no_byte(void **state)
{
    enum { N = 20 };
    struct sample *s = calloc(MANY * N, sizeof *s);
    struct mr_client c[MANY], b;
    struct relay r;

    (void)state;
    relay_init(&r, 1);
    r.worker.ring.buffers = 16;
    r.worker.ring.buffer_bytes = 64;
    relay_start(&r);
    relay_peer(&r, &b, 0, 1000);
    for (uint64_t i = 0; i < MANY; i++)
        relay_peer(&r, &c[i], 0, i + 1);
    for (size_t k = 0; k < N; k++)
        for (size_t i = 0; i < MANY; i++) {
            struct sample *one = &s[k * MANY + i];

            sample_make(one, &r, k * MANY + i, 0);
            assert_true(mr_client_send_transactions(&c[i], &(struct mr_span){one->raw, one->n}, 1));
        }
    relay_await(&r, "tx_accepted", MANY * N);
    assert_int_equal(samples_arrive(&b, s, MANY * N, 10000), MANY * N);
    assert_true(relay_sum(&r, "worker_no_buffers") > 0);
    assert_int_equal(relay_sum(&r, "frame_mac_bad"), 0);
    for (size_t i = 0; i < MANY; i++)
        mr_client_close(&c[i]);
    relay_wait(&r, &r.closed, MANY);
    assert_int_equal(mr_client_sync(&b, 5000), MR_CLIENT_MESSAGE);
    mr_client_close(&b);
    free(s);
    relay_stop(&r);
}

/* S-05: a completion queue that every burst overflows. */
static void a_small_completion_queue_loses_nothing(void **state)
{
    enum { N = 20 };
    struct mr_client c[MANY];
    struct relay r;

    (void)state;
    relay_init(&r, 1);
    r.worker.ring.entries = 8;
    r.worker.ring.completions = 8;
    relay_start(&r);
    for (uint64_t i = 0; i < MANY; i++)
        relay_peer(&r, &c[i], 0, i + 1);
    for (size_t k = 0; k < N; k++) {
        struct sample s;

        sample_make(&s, &r, k, 0);
        assert_true(mr_client_send_transactions(&c[k], &(struct mr_span){s.raw, s.n}, 1));
        for (size_t i = 0; i < MANY; i++)
            if (i != k)
                assert_true(sample_arrives(&c[i], &s, 5000));
    }
    relay_await(&r, "ring_sq_full", 1);
    for (size_t i = 0; i < MANY; i++)
        mr_client_close(&c[i]);
    relay_wait(&r, &r.closed, MANY);
    relay_stop(&r);
}

/* S-07: sessions end in every way, with operations in flight, and slots and descriptors are used
 * again at once; a peer that stays sees nothing of it. */
static void reused_slots_see_nothing_of_their_past(void **state)
{
    enum { ROUNDS = 300 };
    struct mr_client stays, c;
    struct relay r;
    uint8_t junk[48] = {3};
    uint32_t closed = 0;

    (void)state;
    relay_init(&r, 1);
    r.options.maxpeers = 8; /* 137 slots: each is used again */
    relay_start(&r);
    relay_peer(&r, &stays, 0, 999999);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct sample s;

        if (i % 6 == 5)
            relay_connect(&r, &c, 0, i); /* ended before its Status */
        else
            relay_peer(&r, &c, 0, i);
        switch (i % 6) {
        case 0:
            mr_client_abort(&c);
            break;
        case 1:
            sample_make(&s, &r, i, 0);
            mr_client_send_transactions(&c, &(struct mr_span){s.raw, s.n}, 1);
            mr_client_abort(&c);
            break;
        case 2:
            mr_client_send_wire(&c, 0x0f, mr_span("\xc0", 1));
            mr_client_send_raw(&c, junk, sizeof junk);
            mr_client_abort(&c);
            break;
        case 3:
            shutdown(c.fd, SHUT_WR);
            assert_int_equal(mr_client_wait_end(&c, 5000), MR_CLIENT_CLOSED);
            mr_client_close(&c);
            break;
        case 4:
            mr_client_send_raw(&c, junk, 20);
            mr_client_close(&c);
            break;
        default:
            mr_client_close(&c);
        }
        relay_wait(&r, &r.closed, ++closed);
    }
    assert_int_equal(relay_sum(&r, "worker_stale"), 0);
    assert_int_equal(relay_sum(&r, "worker_open"), 1);
    assert_int_equal(relay_sum(&r, "worker_closed"), ROUNDS);
    assert_int_equal(mr_client_sync(&stays, 5000), MR_CLIENT_MESSAGE);
    mr_client_close(&stays);
    relay_stop(&r);
}

/* F-12: one who does not read, while others do. */
static void a_peer_that_does_not_read_is_closed(void **state)
{
    struct relay r;
    struct mr_client a, b;
    int small = 4096;

    (void)state;
    relay_init(&r, 1);
    r.options.write_timeout_ns = 300 * MR_MS;
    relay_start(&r);
    relay_peer(&r, &a, 0, 1);
    relay_peer(&r, &b, 0, 2);
    setsockopt(a.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (unsigned i = 0; r.closed == 0 && i < 100000; i++) {
        uint8_t room[64];
        struct mr_writer w = mr_writer(room, sizeof room);
        struct mr_get_block_headers q = {.amount = 1};

        assert_int_equal(mr_get_block_headers_encode(&w, i, &q), MR_OK);
        a.options.timeout_ms = 200;
        if (!mr_client_send_eth(&a, MR_ETH_GET_BLOCK_HEADERS, mr_writer_span(&w)))
            break;
    }
    relay_wait(&r, &r.closed, 1);
    assert_int_equal(r.last_reason, MR_CLOSED_SLOW);
    assert_int_equal(relay_sum(&r, "slow_readers"), 1);
    assert_int_equal(mr_client_sync(&b, 5000), MR_CLIENT_MESSAGE);
    mr_client_close(&a);
    mr_client_close(&b);
    relay_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_is_exchanged),
        cmocka_unit_test(transaction_reaches_all_others),
        cmocka_unit_test(requests_for_transactions_are_answered),
        cmocka_unit_test(pings_are_answered),
        cmocka_unit_test(disconnect_arrives_though_bytes_are_unread),
        cmocka_unit_test(who_does_not_close_is_closed),
        cmocka_unit_test(a_wrong_mac_ends_without_a_word),
        cmocka_unit_test(stop_says_goodbye_to_all),
        cmocka_unit_test(what_came_before_the_end_counts),
        cmocka_unit_test(a_paused_peer_loses_nothing),
        cmocka_unit_test(a_burst_of_requests_is_answered_in_order),
        cmocka_unit_test(too_few_buffers_lose_no_byte),
        cmocka_unit_test(a_small_completion_queue_loses_nothing),
        cmocka_unit_test(reused_slots_see_nothing_of_their_past),
        cmocka_unit_test(a_peer_that_does_not_read_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
