/* Attacks on framing and the base protocol (attacks.md section 2.2), live: what headers claim,
 * bombs, floods of pings, peers that do not read, and TCP's own corners. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/rlpx/snappy.h"
#include "tests/attacks/crowd.h"
#include "tests/attacks/variant.h"

#define MIB (UINT64_C(1) << 20)

static uint8_t zeros[11u << 20];

static void open_from(struct mr_client *c, const struct process *p, uint64_t seed, uint32_t ip)
{
    struct mr_client_options o = peer_options(seed);
    enum mr_client_got g;

    mr_client_init(c, &o);
    if ((g = mr_client_connect(c, p->at, ip)) || (g = mr_client_initiate(c, &p->id)) ||
        (g = mr_client_hello(c)) || (g = mr_client_status(c)))
        fail_msg("attacker %llu: %s %s", (unsigned long long)seed, mr_client_got_text(g), c->why);
}

/* Seals the beginning of a frame of size zeros: at least its header. Gives the bytes. */
static size_t begin_frame(struct mr_client *c, uint32_t size, uint8_t *out, size_t cap)
{
    struct mr_span data = mr_span(zeros, size);
    struct mr_frame frame = {.spans = &data, .spans_count = 1, .size = size};
    struct mr_seal_job job = {
        .session = &c->session, .frames = &frame, .frames_count = 1, .out = out, .out_cap = cap};

    mr_rlpx_seal_one(&job, NULL);
    return job.out_len;
}

#ifdef MR_SANITIZED /* fewer of everything: instrumented code is slow */
#define CLAIMANTS 100
#define COMERS    1000
#else
#define CLAIMANTS 1000
#define COMERS    10000
#endif

/* F-01: headers that claim 10 MiB, and then a byte now and then: nothing is set aside for what they
 * claim, and the frame's time does not begin again with each byte. */
static void a_claim_in_a_header_costs_nothing_and_has_an_end(void **state)
{
    static struct mr_client bad[CLAIMANTS];
    uint8_t(*bytes)[4096] = malloc(CLAIMANTS * sizeof *bytes);
    struct variant v;
    struct process p;
    struct crowd crowd;
    uint64_t rss;
    int64_t begun;

    variant_init(&v);
    v.options.shards = (uint32_t)atoi(*state);
    v.options.frame_timeout_ns = 3 * MR_SECOND;
    v.options.maxpeers = CLAIMANTS + 10;
    v.options.handshake_budget_percent = 100;
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 5, 1, IP(1, 0, 1), 0);
    for (unsigned i = 0; i < CLAIMANTS; i++)
        open_from(&bad[i], &p, 1000 + i, IP(2, 0, 1) + i);
    crowd_traffic(&crowd, 300, 20);
    rss = process_rss(&p);
    begun = process_now_ms();
    for (unsigned i = 0; i < CLAIMANTS; i++) {
        assert_true(begin_frame(&bad[i], 10u << 20, bytes[i], sizeof bytes[i]) >= 2048);
        assert_true(mr_client_send_raw(&bad[i], bytes[i], 48)); /* the header, and a block */
    }
    for (unsigned k = 48; process_now_ms() < begun + 2000; k++) {
        for (unsigned i = 0; i < CLAIMANTS; i++)
            assert_true(mr_client_send_raw(&bad[i], bytes[i] + k, 1));
        crowd_send(&crowd, k % crowd.n, 100);
        crowd_pump(&crowd, 100);
    }
#ifndef MR_SANITIZED
    /* and what each shard's receive buffers are when they are used for the first time */
    assert_in_range(process_rss(&p), 0,
                    rss + CLAIMANTS * 65536u + (v.options.shards - 1) * 4 * MIB);
#endif
    assert_in_range(process_stat_now(&p, "gather_bytes"), 0, CLAIMANTS * 65536u);
    assert_int_equal(process_stat(&p, "frame_late"), 0);
    for (unsigned k = 100; process_stat(&p, "frame_late") < CLAIMANTS; k++) {
        if (process_now_ms() > begun + 8000)
            fail_msg("a frame that takes longer than its time goes on");
        for (unsigned i = 0; i < CLAIMANTS; i++)
            mr_client_send_raw(&bad[i], bytes[i] + k, 1);
        crowd_pump(&crowd, 100);
    }
    for (unsigned i = 0; i < CLAIMANTS; i++) {
        peer_expect_end(&bad[i], MR_REASON_TIMEOUT, 3000);
        mr_client_close(&bad[i]);
    }
    crowd_expect_unharmed(&crowd, 1000);
    process_alive(&p);
    free(bytes);
    (void)rss;
    crowd_close(&crowd);
    process_stop(&p);
}

#define HALF_SENDERS 20

/* F-01: large frames that do come, but not to their end, share one bounded pool a shard. */
static void large_frames_share_one_pool(void **state)
{
    static struct mr_client bad[HALF_SENDERS];
    uint8_t *bytes = malloc(8 * MIB);
    struct variant v;
    struct process p;
    struct crowd crowd;
    uint64_t rss, worst = 0;

    variant_init(&v);
    v.options.shards = (uint32_t)atoi(*state);
    v.options.handshake_budget_percent = 100;
    v.options.gather_bytes = 32 * MIB;
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 5, 1, IP(1, 0, 1), 0);
    for (unsigned i = 0; i < HALF_SENDERS; i++)
        open_from(&bad[i], &p, 1000 + i, IP(2, 0, 1) + i);
    crowd_traffic(&crowd, 300, 20);
    rss = process_rss(&p);
    for (unsigned i = 0; i < HALF_SENDERS; i++) {
        size_t n = begin_frame(&bad[i], 10u << 20, bytes, 8 * MIB);

        mr_client_send_raw(&bad[i], bytes, n);
        crowd_send(&crowd, i % crowd.n, 100);
        crowd_pump(&crowd, 100);
        worst = MR_MAX(worst, process_rss(&p));
    }
    print_message("memory: %llu MiB more, gather_full %llu\n",
                  (unsigned long long)((worst - rss) >> 20),
                  (unsigned long long)process_stat_now(&p, "gather_full"));
#ifndef MR_SANITIZED
    assert_in_range(worst, 0, rss + v.options.shards * 48 * MIB);
#endif
    assert_in_range(process_stat_now(&p, "gather_bytes"), 1, v.options.shards * 32 * MIB);
    assert_true(process_stat(&p, "gather_full") > 0);
    crowd_expect_unharmed(&crowd, 1500);
    for (unsigned i = 0; i < HALF_SENDERS; i++)
        mr_client_close(&bad[i]);
    process_await_equal(&p, "gather_bytes", 0, 3000);
    free(bytes);
    crowd_close(&crowd);
    process_stop(&p);
}

/* Frame data of an eth message of n zeros, compressed as well as snappy can: 21 to 1. */
static size_t bomb_make(uint8_t *out, size_t cap, uint8_t wire_id, uint32_t claim, uint32_t n)
{
    struct mr_writer w = mr_writer(out, cap);
    size_t at;

    out[0] = wire_id;
    w.n = 1;
    for (; claim >= 0x80; claim >>= 7)
        out[w.n++] = (uint8_t)(claim | 0x80);
    out[w.n++] = (uint8_t)claim;
    out[w.n++] = 0; /* a literal of one zero */
    out[w.n++] = 0;
    for (at = 1; at + 64 <= n && w.n + 3 <= cap; at += 64) { /* copies of 64 from one back */
        out[w.n++] = 63 << 2 | 2;
        out[w.n++] = 1;
        out[w.n++] = 0;
    }
    return w.n;
}

/* F-03: the largest legal bombs use the shard's one arena; a claim over the limit uses nothing. */
static void bombs_inflate_into_one_arena(void **state)
{
    size_t cap = MIB;
    uint8_t *data = malloc(cap);
    static struct mr_client bad[100];
    struct variant v;
    struct process p;
    struct crowd crowd;
    uint64_t rss;

    variant_init(&v);
    v.options.shards = (uint32_t)atoi(*state);
    v.options.handshake_budget_percent = 100;
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 5, 1, IP(1, 0, 1), 0);
    for (unsigned i = 0; i < MR_COUNT_OF(bad); i++)
        open_from(&bad[i], &p, 1000 + i, IP(2, 0, 1) + i);
    crowd_traffic(&crowd, 300, 20);
    rss = process_rss(&p);
    for (unsigned i = 0; i < MR_COUNT_OF(bad); i++) {
        static const uint32_t claims[] = {10u << 20, UINT32_MAX, (16u << 20) + 1, (10u << 20) + 1};
        uint32_t claim = claims[i < 96 ? 0 : i % 4];
        size_t n = bomb_make(data, cap, 0x12, claim, 10u << 20);

        assert_true(mr_client_send_frame_data(&bad[i], mr_span(data, n)));
    }
    for (unsigned i = 0; i < MR_COUNT_OF(bad); i++) {
        mr_client_wait_end(&bad[i], 5000);
        assert_true(bad[i].disconnected);
        /* what no layer could take is a breach of the base protocol, what only eth forbids of eth
         */
        assert_int_equal(bad[i].reason, i == 99 ? MR_REASON_SUBPROTOCOL : MR_REASON_PROTOCOL);
        mr_client_close(&bad[i]);
    }
#ifndef MR_SANITIZED
    /* not 96 x 10 MiB: the arenas, and a block of at most a MiB for each that came compressed */
    assert_in_range(process_rss(&p), 0, rss + v.options.shards * (11 * MIB) + 96 * MIB);
#endif
    assert_int_equal(process_stat_now(&p, "frame_too_big") + process_stat(&p, "snappy_bad") +
                         process_stat(&p, "message_malformed"),
                     MR_COUNT_OF(bad));
    (void)rss;
    crowd_expect_unharmed(&crowd, 1000);
    crowd_close(&crowd);
    free(data);
    process_stop(&p);
}

/* Seals n frames of the same data behind each other and sends as much of them as is taken. */
static void flood(struct mr_client *c, struct mr_span data, unsigned n)
{
    size_t room = MR_FRAME_WIRE_LEN(data.n);
    uint8_t *out = malloc(room * 1024);

    for (unsigned done = 0; done < n; done += 1024) {
        size_t at = 0;

        for (unsigned i = 0; i < 1024; i++) {
            struct mr_frame frame = {.spans = &data, .spans_count = 1, .size = (uint32_t)data.n};
            struct mr_seal_job job = {.session = &c->session,
                                      .frames = &frame,
                                      .frames_count = 1,
                                      .out = out + at,
                                      .out_cap = room};

            mr_rlpx_seal_one(&job, NULL);
            at += job.out_len;
        }
        if (!mr_client_send_raw(c, out, at))
            break; /* closed by its budget, in the midst */
    }
    free(out);
}

/* F-07 */
static void floods_of_pings_and_pongs_end_by_their_budget(void **state)
{
    static const uint8_t wire[] = {MR_BASE_PING, 0x01, 0x00, 0xc0};
    struct variant v;
    struct process p;
    struct crowd crowd;
    struct mr_client bad;
    uint64_t rss;

    variant_init(&v);
    v.options.shards = (uint32_t)atoi(*state);
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 5, 1, IP(1, 0, 1), 0);
    crowd_traffic(&crowd, 300, 20);
    rss = process_rss(&p);
    for (unsigned k = 0; k < 2; k++) {
        uint8_t data[sizeof wire];

        memcpy(data, wire, sizeof wire);
        data[0] = k == 0 ? MR_BASE_PING : MR_BASE_PONG;
        open_from(&bad, &p, 1000 + k, IP(2, 0, 1 + k));
        flood(&bad, mr_span(data, sizeof data), k == 0 ? 100000 : 1000000);
        mr_client_wait_end(&bad, 3000);
        assert_in_range(bad.pongs, 0, 16);
        mr_client_close(&bad);
        process_await_equal(&p, "ping_flood", k + 1, 3000);
    }
#ifndef MR_SANITIZED
    assert_in_range(process_rss(&p), 0, rss + 12 * MIB); /* receive buffers used for once */
#endif
    (void)rss;
    crowd_traffic(&crowd, 200, 20);
    crowd_expect_unharmed(&crowd, 1000);
    crowd_close(&crowd);
    process_stop(&p);
}

#define STALLED 20

/* F-12: peers that ask for much and read nothing: what waits for them is bounded, they are closed
 * when nothing moved for the write timeout, and nobody else notices. */
static void peers_that_do_not_read_are_closed_and_hold_little(void **state)
{
    struct mr_client bad[STALLED];
    struct variant v;
    struct process p;
    struct crowd crowd;
    struct sample large[8];
    uint64_t rss, worst = 0;

    variant_init(&v);
    v.options.shards = (uint32_t)atoi(*state);
    v.options.handshake_budget_percent = 100;
    v.options.write_timeout_ns = 2 * MR_SECOND;
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 10, 1, IP(1, 0, 1), 0);
    for (unsigned i = 0; i < STALLED; i++)
        open_from(&bad[i], &p, 1000 + i, IP(2, 0, 1) + i);
    for (unsigned k = 0; k < MR_COUNT_OF(large); k++) {
        sample_make(&large[k], 5000 + k, 0, 120000);
        sample_send(&crowd.peers[k], &large[k]);
    }
    crowd_traffic(&crowd, 700, 20);
    rss = process_rss(&p);
    for (unsigned i = 0; i < STALLED; i++) { /* 100 answers of 120 KB each: 12 MB a peer */
        uint8_t room[64 + 32 * MR_COUNT_OF(large)];

        for (unsigned k = 0; k < 100; k++) {
            struct mr_writer w = mr_writer(room, sizeof room);

            assert_int_equal(mr_hash_request_encode(&w, k, &large[k % MR_COUNT_OF(large)].hash, 1),
                             MR_OK);
            assert_true(
                mr_client_send_eth(&bad[i], MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w)));
        }
    }
    for (unsigned i = 0; i < 50; i++) {
        crowd_send(&crowd, i % crowd.n, 100);
        crowd_pump(&crowd, 80);
        worst = MR_MAX(worst, process_rss(&p));
    }
    print_message("memory: %llu KiB more for each\n",
                  (unsigned long long)((worst - rss) / STALLED >> 10));
#ifndef MR_SANITIZED
    assert_in_range(worst, 0, rss + STALLED * MIB);
#endif
    process_await_equal(&p, "slow_readers", STALLED, 3000);
    process_await_equal(&p, "peers", 10, 3000);
    process_await_equal(&p, "send_bytes", 0, 3000);
    crowd_expect_unharmed(&crowd, 1000);
    for (unsigned i = 0; i < STALLED; i++)
        mr_client_close(&bad[i]);
    for (unsigned k = 0; k < MR_COUNT_OF(large); k++)
        sample_free(&large[k]);
    crowd_close(&crowd);
    process_stop(&p);
}

enum { TCP_ONLY, HALF_AUTH, SHAKEN, HALF_HEADER, HELLOED, AGREED, HALF_BODY, STATES };

static void reach(struct mr_client *c, const struct process *p, unsigned at)
{
    struct mr_client_options o = peer_options(77);
    uint8_t bytes[4096];

    mr_client_init(c, &o);
    assert_int_equal(mr_client_connect(c, p->at, 0), MR_CLIENT_MESSAGE);
    if (at == HALF_AUTH)
        assert_true(mr_client_send_raw(c, "\x01\x80\x04", 3));
    if (at >= SHAKEN)
        assert_int_equal(mr_client_initiate(c, &p->id), MR_CLIENT_MESSAGE);
    if (at == HALF_HEADER)
        assert_true(mr_client_send_raw(c, bytes, (memset(bytes, 1, 16), 16)));
    if (at >= HELLOED)
        assert_int_equal(mr_client_hello(c), MR_CLIENT_MESSAGE);
    if (at >= AGREED)
        assert_int_equal(mr_client_status(c), MR_CLIENT_MESSAGE);
    if (at == HALF_BODY) {
        size_t n = begin_frame(c, 100000, bytes, sizeof bytes);

        assert_true(mr_client_send_raw(c, bytes, n));
    }
}

/* F-13: every state meets every way in which TCP may end or trickle. */
static void tcp_may_end_anywhere(void **state)
{
    struct process p;
    struct crowd crowd;
    unsigned files;

    process_start(&p, ARGS("--handshake-budget", "100", "--shards", *state), NULL);
    crowd_open(&crowd, &p, 4, 1, IP(1, 0, 1), 0);
    crowd_traffic(&crowd, 200, 20);
    files = process_files(&p);
    for (unsigned at = 0; at < STATES; at++)
        for (unsigned how = 0; how < 6; how++) {
            static const uint8_t garbage[200] = {0x55};
            struct mr_client c;

            reach(&c, &p, at);
            switch (how) {
            case 0: /* FIN */
                break;
            case 1: /* RST */
                mr_client_abort(&c);
                crowd_pump(&crowd, 0);
                continue;
            case 2: /* half closed, and read to the end */
                shutdown(c.fd, SHUT_WR);
                if (at != TCP_ONLY && at != HALF_AUTH)
                    mr_client_wait_end(&c, 500);
                break;
            case 3: /* urgent data */
                send(c.fd, "!", 1, MSG_OOB | MSG_NOSIGNAL);
                break;
            case 4: /* garbage in segments of one byte */
                for (unsigned i = 0; i < sizeof garbage; i++)
                    send(c.fd, garbage + i, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
                break;
            case 5: /* FIN with bytes unread on our side */
                send(c.fd, garbage, sizeof garbage, MSG_NOSIGNAL | MSG_DONTWAIT);
                shutdown(c.fd, SHUT_RDWR);
                break;
            }
            mr_client_close(&c);
            crowd_send(&crowd, how % crowd.n, 50);
            crowd_pump(&crowd, 5);
        }
    for (unsigned i = 0; i < COMERS; i++) { /* connections that come and go */
        struct mr_client_options o = peer_options(78);
        struct mr_client c;

        if (i % 50 == 0)
            crowd_pump(&crowd, 0);
        mr_client_init(&c, &o);
        assert_int_equal(mr_client_connect(&c, p.at, 0), MR_CLIENT_MESSAGE);
        if (i % 2)
            mr_client_abort(&c);
        else
            mr_client_close(&c);
    }
    process_await_equal(&p, "pending", 0, 8000);
    process_await_equal(&p, "sessions", crowd.n, 8000);
    assert_in_range(process_files(&p), 0, files + 2);
    crowd_expect_unharmed(&crowd, 1000);
    crowd_close(&crowd);
    process_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_claim_in_a_header_costs_nothing_and_has_an_end),
        BOTH(large_frames_share_one_pool),
        BOTH(bombs_inflate_into_one_arena),
        BOTH(floods_of_pings_and_pongs_end_by_their_budget),
        BOTH(peers_that_do_not_read_are_closed_and_hold_little),
        BOTH(tcp_may_end_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
