/* Attacks on the handshake (attacks.md section 2.1), live: half-open connections, work for the
 * dispatcher, replays, connections that end anywhere, and identities that are not one's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "crypto/entropy.h"
#include "crypto/secp.h"
#include "net/uring/socket.h"
#include "tests/attacks/crowd.h"
#include "tests/attacks/variant.h"

#ifdef MR_SANITIZED
#define SCALE          4 /* fewer of everything: instrumented code is slow */
#define BURST_MS       0
#define BUDGET_PERCENT 5
#else
#define SCALE          1
#define BURST_MS       8  /* between 40 auths: 5,000 a second, or as many as this machine begins */
#define BUDGET_PERCENT 10 /* of a core: less than a busy machine leaves to the dispatcher */
#endif

/* A connection that is begun and not waited for. */
static int dial(const struct process *p, uint32_t from_ip)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(p->at.port),
                             .sin_addr = {.s_addr = htonl(p->at.ip)}};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(from_ip)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof one);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void put(int fd, const void *p, size_t n)
{
    ssize_t sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

    assert_true(sent == (ssize_t)n || (sent < 0 && (errno == EPIPE || errno == ECONNRESET)));
}

static bool has_ended(int fd)
{
    uint8_t byte[512];
    ssize_t n;

    while ((n = recv(fd, byte, sizeof byte, MSG_DONTWAIT)) > 0)
        ;
    return n == 0 || errno != EAGAIN;
}

struct auth {
    uint8_t bytes[MR_RLPX_HANDSHAKE_OUT_MAX];
    size_t n;
};

/* A good auth for the relay, by a key of its own. */
static void auth_make(struct auth *a, const struct process *p, const struct mr_secp_keypair *key)
{
    struct mr_writer out = mr_writer(a->bytes, sizeof a->bytes);
    struct mr_rlpx_handshake hs;

    assert_int_equal(mr_rlpx_handshake_init_initiator(&hs, peers_secp(), key, &p->id, NULL,
                                                      mr_entropy_system, NULL),
                     MR_OK);
    assert_int_equal(mr_rlpx_handshake_start(&hs, &out), MR_OK);
    a->n = out.n;
    mr_rlpx_handshake_fini(&hs);
}

static void auth_random(struct auth *a, const struct process *p)
{
    struct mr_secp_keypair key;

    mr_secp_keypair_make(peers_secp(), &key, mr_entropy_system, NULL);
    auth_make(a, p, &key);
}

/* A whole session from an address; how long it took, or -1. */
static int64_t newcomer(const struct process *p, uint64_t seed, uint32_t from_ip)
{
    struct mr_client_options o = peer_options(seed);
    int64_t from = process_now_ms();
    struct mr_client c;
    bool ok;

    mr_client_init(&c, &o);
    ok = mr_client_connect(&c, p->at, from_ip) == MR_CLIENT_MESSAGE &&
         mr_client_initiate(&c, &p->id) == MR_CLIENT_MESSAGE &&
         mr_client_hello(&c) == MR_CLIENT_MESSAGE && mr_client_status(&c) == MR_CLIENT_MESSAGE;
    mr_client_close(&c);
    return ok ? process_now_ms() - from : -1;
}

#define HALF_OPEN_MAX 10000

/* Opens n: a quarter says nothing, a quarter one byte, a quarter a byte now and then, a quarter a
 * whole auth and nothing more; with traffic, and newcomers of whom the slowest one's time is given.
 */
static int64_t open_halves(int *fds, unsigned n, const struct process *p, struct crowd *crowd)
{
    struct auth auth, slow;
    int64_t worst = 0;

    auth_random(&slow, p);
    for (unsigned i = 0; i < n; i++) {
        fds[i] = dial(p, IP(2, 1 + i % 25, 1 + i / 25 % 100));
        if (i % 4 == 1 || i % 4 == 2)
            put(fds[i], slow.bytes, 1);
        if (i % 4 == 3) {
            auth_random(&auth, p);
            put(fds[i], auth.bytes, auth.n);
        }
        if (i % 64 == 0) { /* 1,600 a second, a byte more from the slow ones, and traffic */
            for (unsigned k = 2; k < i; k += 4)
                if (i / 64 % 5 == k / 4 % 5)
                    put(fds[k], slow.bytes + i / 64 % 300, 1);
            crowd_send(crowd, i / 64 % crowd->n, 100);
            crowd_pump(crowd, 40);
        }
        if (i % (n / 10) == n / 20) {
            int64_t took = newcomer(p, 100 + i, IP(3, 1, 1 + i / (n / 10)));

            assert_true(took >= 0);
            worst = MR_MAX(worst, took);
        }
    }
    return worst;
}

/* H-06, with one shard at the catalogue's size, from 2,500 addresses. */
static void half_open_connections_are_reaped_and_nobody_suffers(void **state)
{
    unsigned n = (strcmp(*state, "1") == 0 ? HALF_OPEN_MAX : 2000) / SCALE, ended = 0;
    int *fds = malloc(n * sizeof *fds);
    struct variant v;
    struct process p;
    struct crowd crowd;
    uint64_t rss, files;
    int64_t worst;

    assert_true(mr_descriptors_raise() > n + 1000);
    variant_init(&v);
    v.options.shards = (uint32_t)atoi(*state);
    v.options.maxpendpeers = n + 100;
    v.options.handshake_timeout_ns = (n > 5000 ? 8 : 3) * MR_SECOND; /* all are open at once */
    v.options.inbound_throttle_ns = 0; /* it would keep three of four out at once */
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 10, 1, IP(1, 0, 1), 0);
    crowd_traffic(&crowd, 300, 20);
    rss = process_rss(&p);
    files = process_files(&p);
    worst = open_halves(fds, n, &p, &crowd);
    print_message("%llu half open, the slowest newcomer took %lld ms\n",
                  (unsigned long long)process_stat_now(&p, "pending"), (long long)worst);
#ifndef MR_SANITIZED
    /* 4 KiB each, and 8 MiB for the traffic */
    assert_in_range(process_rss(&p), 0, rss + n * 4096u + (8u << 20));
    assert_in_range(worst, 0, 500);
#endif
    crowd_traffic(&crowd, (int)(v.options.handshake_timeout_ns / MR_MS) + 1500, 50);
    for (unsigned i = 0; i < n; i++)
        ended += has_ended(fds[i]);
    assert_int_equal(ended, n);
    process_await_equal(&p, "pending", 0, 500);
    assert_in_range(process_files(&p), 0, files + 10);
    assert_true(process_stat(&p, "end_late") > 0);
    crowd_expect_unharmed(&crowd, 1000);
    process_alive(&p);
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    free(fds);
    (void)rss;
    crowd_close(&crowd);
    process_stop(&p);
}

#define JUNK       (8000 / SCALE)
#define JUNK_AUTHS 500

/* H-07: more good auths than a fifth of a core can answer, each from an address of its own. */
static void handshakes_cost_no_more_than_their_budget(void **state)
{
    static struct auth auths[JUNK_AUTHS]; /* a relay cannot tell that they come again */
    int *fds = malloc(JUNK * sizeof *fds);
    unsigned welcome = 0;
    struct variant v;
    struct process p;
    struct crowd crowd;
    uint64_t cpu;
    int64_t from;

    (void)state; /* shards take no part in it */
    variant_init(&v);
    v.options.handshake_budget_percent = BUDGET_PERCENT;
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 10, 1, IP(1, 0, 1), 0);
    for (unsigned i = 0; i < JUNK_AUTHS; i++)
        auth_random(&auths[i], &p);
    process_sleep_ms(1000); /* the bucket fills */
    cpu = process_cpu_ms(&p);
    from = process_now_ms();
    for (unsigned i = 0; i < JUNK; i++) {
        fds[i] = dial(&p, IP(4 + i / 60000, 1 + i / 250 % 250, 1 + i % 250));
        put(fds[i], auths[i % JUNK_AUTHS].bytes, auths[i % JUNK_AUTHS].n);
        if (i % 40 == 0) {
            if (i % 400 == 0)
                crowd_send(&crowd, i / 400 % crowd.n, 100);
            crowd_pump(&crowd, BURST_MS);
        }
    }
#ifndef MR_SANITIZED
    {
        uint64_t spent = process_cpu_ms(&p) - cpu, wall = (uint64_t)(process_now_ms() - from);

        print_message("%u auths in %llu ms cost %llu ms\n", JUNK, (unsigned long long)wall,
                      (unsigned long long)spent);
        /* a second's budget at once, then the budget, accepting, and the traffic */
        assert_in_range(spent, 0, wall * (BUDGET_PERCENT + 15) / 100 + 150);
    }
#endif
    process_await(&p, "budget_waits", 1, 3000);
    for (unsigned i = 0; i < 10; i++)
        for (unsigned k = 0; k < 3; k++)
            if (newcomer(&p, 1000 + i, IP(3, k + 1, i + 1)) >= 0) {
                welcome++;
                break;
            }
    assert_in_range(welcome, 10, 10);
    crowd_expect_unharmed(&crowd, 1500);
    process_alive(&p);
    for (unsigned i = 0; i < JUNK; i++)
        close(fds[i]);
    free(fds);
    (void)cpu;
    (void)from;
    crowd_close(&crowd);
    process_stop(&p);
}

/* H-08: an auth that a peer once used, again and again. */
static void a_replayed_auth_ends_nobody_and_leads_nowhere(void **state)
{
    struct variant v;
    struct process p;
    struct crowd crowd;
    struct auth auth;
    uint64_t done;
    int fds[2000 / SCALE];

    variant_init(&v);
    v.options.shards = (uint32_t)atoi(*state);
    v.options.handshake_timeout_ns = 2 * MR_SECOND;
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 4, 1, IP(1, 0, 1), 0);
    auth_make(&auth, &p, &crowd.peers[0].key);
    done = process_stat_now(&p, "handshakes_inbound");
    for (unsigned i = 0; i < MR_COUNT_OF(fds); i++) {
        fds[i] = dial(&p, IP(5, 1 + i / 100, 1 + i % 100));
        put(fds[i], auth.bytes, auth.n);
        if (i % 50 == 0)
            crowd_pump(&crowd, 20);
    }
    crowd_traffic(&crowd, 3500, 100);
    assert_int_equal(process_stat_now(&p, "sessions_begun"), 4);
    assert_int_equal(process_stat(&p, "sessions_second"), 0);
    assert_int_equal(process_stat(&p, "pending"), 0);
    (void)done;
    for (unsigned i = 0; i < MR_COUNT_OF(fds); i++) {
        assert_true(has_ended(fds[i]));
        close(fds[i]);
    }
    crowd_expect_unharmed(&crowd, 1000);
    crowd_close(&crowd);
    process_stop(&p);
}

/* H-09: aborts a connection at some point, as the peer with this key. */
static void abort_at(const struct process *p, const struct mr_client_options *o, unsigned point)
{
    struct mr_client c;
    struct auth a;
    uint8_t ff[307];

    memset(ff, 0xff, sizeof ff);
    mr_client_init(&c, o);
    assert_int_equal(mr_client_connect(&c, p->at, 0), MR_CLIENT_MESSAGE);
    if (point < 40) { /* within auth */
        auth_make(&a, p, &c.key);
        assert_true(mr_client_send_raw(&c, a.bytes, a.n * point / 40));
    } else if (point == 40) {
        assert_true(mr_client_send_raw(&c, ff, sizeof ff));
    } else {
        assert_int_equal(mr_client_initiate(&c, &p->id), MR_CLIENT_MESSAGE);
        if (point == 42) /* half a header */
            assert_true(mr_client_send_raw(&c, ff, 16));
        if (point == 43) /* a wrong one */
            assert_true(mr_client_send_raw(&c, ff, 64));
        if (point >= 44)
            assert_int_equal(mr_client_hello(&c), MR_CLIENT_MESSAGE);
        if (point >= 45)
            assert_int_equal(mr_client_status(&c), MR_CLIENT_MESSAGE);
        if (point >= 46) { /* a valid request for what nobody has: GetBlockBodies, GetReceipts */
            static const uint8_t bodies[] = {0xe3, 0x07, 0xe1, 0xa0};
            uint8_t request[sizeof bodies + 32] = {0};

            memcpy(request, bodies, sizeof bodies);
            assert_true(
                mr_client_send_eth(&c, point % 2 ? MR_ETH_GET_RECEIPTS : MR_ETH_GET_BLOCK_BODIES,
                                   mr_span(request, sizeof request)));
        }
    }
    if (point % 3 == 0)
        mr_client_abort(&c);
    else
        mr_client_close(&c);
}

static void an_aborted_connection_does_not_spoil_the_next(void **state)
{
    struct process p;

    process_start(&p, ARGS("--handshake-budget", "100", "--shards", *state), NULL);
    for (unsigned point = 0; point < 50; point++) {
        struct mr_client_options o = peer_options(7);
        struct mr_client c;
        enum mr_client_got g;

        o.version_min = o.version_max = 68 + point % 2; /* GetReceipts has this form up to 69 */
        abort_at(&p, &o, point);
        g = mr_client_open(&c, &o, p.at, &p.id);
        if (g != MR_CLIENT_MESSAGE)
            fail_msg("after an abort at point %u: %s %s, reason %u", point, mr_client_got_text(g),
                     c.why, c.disconnected ? c.reason : 999);
        assert_int_equal(mr_client_sync(&c, 3000), MR_CLIENT_MESSAGE);
        mr_client_close(&c);
    }
    process_await_equal(&p, "sessions", 0, 5000);
    process_stop(&p);
}

/* Authenticates by its own key, and says in Hello that it is somebody else. */
static void claim_to_be(struct mr_client *c, const struct process *p, const struct mr_node_id *id,
                        uint64_t seed)
{
    const struct mr_client_options o = peer_options(seed);
    struct mr_hello h = {.version = MR_P2P_VERSION, .id = *id, .capabilities_count = 1};
    uint8_t room[512];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_client_message m;

    h.capabilities[0] = mr_protocol_find("eth", 68)->capability;
    mr_client_init(c, &o);
    assert_int_equal(mr_client_connect(c, p->at, 0), MR_CLIENT_MESSAGE);
    assert_int_equal(mr_client_initiate(c, &p->id), MR_CLIENT_MESSAGE);
    assert_int_equal(mr_hello_encode(&w, &h), MR_OK);
    assert_int_equal(mr_client_receive(c, &m, 3000), MR_CLIENT_MESSAGE);
    assert_int_equal(m.id, MR_BASE_HELLO);
    assert_true(mr_client_send_wire(c, MR_BASE_HELLO, mr_writer_span(&w)));
    c->transport.shared = &c->caps;
    c->helloed = c->transport.snappy = true; /* from here on both sides compress */
}

/* H-10 */
static void nobody_can_speak_as_another(void **state)
{
    struct mr_client victim, liars[3];
    struct mr_node_id null = {{0}};
    struct process p;

    process_start(&p, ARGS("--shards", *state), NULL);
    peer_open(&victim, &p, 2);
    claim_to_be(&liars[0], &p, &victim.key.pub, 1);
    claim_to_be(&liars[1], &p, &null, 3);
    claim_to_be(&liars[2], &p, &p.id, 4);
    peer_expect_end(&liars[0], MR_REASON_UNEXPECTED_IDENTITY, 3000);
    peer_expect_end(&liars[1], MR_REASON_NULL_IDENTITY, 3000);
    peer_expect_end(&liars[2], MR_REASON_UNEXPECTED_IDENTITY, 3000);
    for (unsigned i = 0; i < MR_COUNT_OF(liars); i++)
        mr_client_close(&liars[i]);
    assert_int_equal(mr_client_sync(&victim, 2000), MR_CLIENT_MESSAGE);
    assert_int_equal(process_stat_now(&p, "sessions_begun"), 1);
    assert_int_equal(process_stat(&p, "end_other_id"), 2);
    assert_int_equal(process_stat(&p, "end_null_id"), 1);
    mr_client_close(&victim);
    process_stop(&p);
}

/* H-11: what Hello may be is a table of net/rlpx; here, what no table sees: Hello twice, and other
 * messages in its place. */
static void only_one_hello_and_nothing_before_it(void **state)
{
    static const uint8_t wire_ids[] = {2, 3, 16, 18, 60};
    struct mr_client early[MR_COUNT_OF(wire_ids)], twice;
    struct process p;

    process_start(&p, ARGS("--shards", *state), NULL);
    for (unsigned i = 0; i < MR_COUNT_OF(wire_ids); i++) {
        struct mr_client_options o = peer_options(10 + i);

        mr_client_init(&early[i], &o);
        assert_int_equal(mr_client_connect(&early[i], p.at, 0), MR_CLIENT_MESSAGE);
        assert_int_equal(mr_client_initiate(&early[i], &p.id), MR_CLIENT_MESSAGE);
        assert_true(mr_client_send_wire(&early[i], wire_ids[i], mr_span("\xc0", 1)));
    }
    peer_open(&twice, &p, 1);
    assert_true(mr_client_send_base(&twice, MR_BASE_HELLO, mr_span("\xc0", 1)));
    for (unsigned i = 0; i < MR_COUNT_OF(wire_ids); i++) {
        peer_expect_end(&early[i], MR_REASON_PROTOCOL, 3000);
        mr_client_close(&early[i]);
    }
    peer_expect_end(&twice, MR_REASON_PROTOCOL, 3000);
    mr_client_close(&twice);
    assert_int_equal(process_stat_now(&p, "end_not_hello"), MR_COUNT_OF(wire_ids));
    process_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(half_open_connections_are_reaped_and_nobody_suffers),
        cmocka_unit_test(handshakes_cost_no_more_than_their_budget),
        BOTH(a_replayed_auth_ends_nobody_and_leads_nowhere),
        BOTH(an_aborted_connection_does_not_spoil_the_next),
        BOTH(nobody_can_speak_as_another),
        BOTH(only_one_hello_and_nothing_before_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
