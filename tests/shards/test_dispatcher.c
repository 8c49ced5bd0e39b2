/* The dispatcher against scripted remotes: the whole way of both directions, and every row of the
 * table of reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "helper_dispatch.h"
#include "shards/dispatcher.h"

#define IP 0x05060708u /* 5.6.7.8: a public address */

struct fixture {
    struct dsp_world w;
    struct dsp_peer peer;
    struct dsp_wired at;
    struct dsp_wire wire;
};
static struct fixture f;

static void begin_with(const struct mr_relay_options *o)
{
    dsp_open(&f.w, o);
    dsp_peer_init(&f.peer, &f.w);
    f.at = (struct dsp_wired){.w = &f.w};
    f.wire = dsp_wire_of(&f.at);
}

static int setup(void **state)
{
    (void)state;
    begin_with(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dsp_close(&f.w);
    return 0;
}

static void connect_from(uint32_t ip)
{
    f.at.l = dsp_connect(&f.w, ip);
    assert_non_null(f.at.l);
}

/* Everything about the connection is given back. */
static void assert_all_gone(void)
{
    struct mr_dispatcher_counts c;

    dsp_advance(&f.w, 2 * MR_SECOND); /* linger */
    mr_dispatcher_counts(f.w.d, &c);
    assert_int_equal(c.pending, 0);
    for (unsigned i = 0; i < DSP_SLOTS; i++)
        assert_false(f.w.links[i].used);
}

/* ---- the whole way ---- */

static void inbound_handshake_hands_over_a_working_session(void **state)
{
    struct dsp_session *s;
    uint8_t status[] = {0xc0}, frame[200];
    struct mr_unseal_job job = {.in = frame, .size_max = 1000};

    (void)state;
    connect_from(IP);
    assert_true(dsp_peer_join(&f.peer, &f.wire, &f.w.self.pub));
    dsp_peer_send(&f.peer, &f.wire, 0x10, mr_span(status, sizeof status)); /* right behind Hello */
    dsp_run(&f.w);
    s = dsp_last(&f.w);
    assert_non_null(s);
    assert_true(s->h.inbound);
    assert_true(s->h.snappy);
    assert_false(s->h.trusted);
    assert_int_equal(s->h.remote.ip, IP);
    assert_string_equal(s->h.client, "peer/1");
    assert_memory_equal(s->h.id.b, f.peer.key.pub.b, 64);
    assert_int_equal(s->h.caps.count, 1);
    assert_int_equal(s->h.caps.shared[0].capability.version, 69);
    /* not a byte behind Hello was read: the next frame lies there whole, and opens */
    assert_true(s->rest.in_n > 0);
    memcpy(frame, s->rest.in, s->rest.in_n);
    job.in_len = s->rest.in_n;
    job.session = &s->h.session;
    mr_rlpx_unseal_one(&job, NULL);
    assert_int_equal(job.result, MR_UNSEAL_FRAME);
    assert_int_equal(job.consumed, s->rest.in_n);
    assert_int_equal(dsp_metric(&f.w, "handshakes_inbound"), 1);
    assert_int_equal(dsp_metric(&f.w, "sessions_counted"), 1);
    dsp_session_active(&f.w, s);
    dsp_run(&f.w);
    assert_int_equal(dsp_metric(&f.w, "sessions_active"), 1);
    dsp_session_end(&f.w, s, MR_CLOSED_REMOTE);
    dsp_run(&f.w);
    assert_int_equal(dsp_metric(&f.w, "sessions"), 0);
    assert_int_equal(dsp_metric(&f.w, "sessions_active"), 0);
    assert_all_gone();
}

static void list_peer(bool is_static, bool trusted)
{
    struct mr_listed_node node = {.id = f.peer.key.pub,
                                  .at = {.ip = IP, .port = 30303},
                                  .is_static = is_static,
                                  .trusted = trusted};

    assert_int_equal(mr_dispatcher_set_nodes(f.w.d, &node, 1, f.w.now), MR_OK);
    dsp_turn(&f.w);
}

static void dial_arrives(void)
{
    f.at.l = dsp_dialling(&f.w);
    assert_non_null(f.at.l);
    assert_int_equal(f.at.l->remote.ip, IP);
    dsp_dial_done(&f.w, f.at.l, true);
}

static void outbound_handshake_hands_over_a_working_session(void **state)
{
    struct dsp_session *s;
    struct mr_hello hello, ours;
    uint8_t buf[2048];

    (void)state;
    list_peer(true, false);
    dial_arrives();
    assert_true(dsp_peer_answer(&f.peer, &f.wire));
    ours = dsp_hello(&f.peer);
    dsp_peer_hello(&f.peer, &f.wire, &ours);
    assert_true(dsp_peer_read_hello(&f.peer, &f.wire, &hello, buf));
    assert_int_equal(hello.version, 5);
    assert_int_equal(hello.capabilities_count, 4);
    assert_memory_equal(hello.id.b, f.w.self.pub.b, 64);
    dsp_run(&f.w);
    s = dsp_last(&f.w);
    assert_non_null(s);
    assert_false(s->h.inbound);
    assert_true(s->h.is_static);
    assert_int_equal(s->rest.in_n, 0);
    assert_int_equal(dsp_metric(&f.w, "sessions"), 1);
    assert_int_equal(dsp_metric(&f.w, "sessions_counted"), 0); /* static: exempt */
    assert_int_equal(dsp_metric(&f.w, "listed_absent"), 0);
    dsp_advance(&f.w, 100 * MR_SECOND);
    assert_int_equal(f.w.dials, 1); /* connected: not dialled again */
    dsp_session_end(&f.w, s, MR_CLOSED_REMOTE);
    dsp_advance(&f.w, 20 * MR_SECOND);
    assert_int_equal(f.w.dials, 2);
}

/* An auth that comes byte by byte, and an ack likewise, change nothing. */
static void ack_before_auth_is_out_waits_for_it(void **state)
{
    struct mr_hello ours;

    (void)state;
    list_peer(true, false);
    dial_arrives();
    dsp_turn(&f.w);
    assert_true(f.at.l->sending);
    /* the remote has auth while the completion of our send is still on its way */
    memcpy(f.at.l->out, f.at.l->send, f.at.l->send_n);
    f.at.l->out_n = f.at.l->send_n;
    f.at.l->stalled = true;
    assert_true(dsp_peer_answer(&f.peer, &f.wire));
    ours = dsp_hello(&f.peer);
    dsp_peer_hello(&f.peer, &f.wire, &ours);
    dsp_run(&f.w);
    assert_int_equal(f.w.sessions_n, 0);
    f.at.l->out_n = 0;
    f.at.l->stalled = false;
    dsp_run(&f.w);
    assert_int_equal(f.w.sessions_n, 1);
}

static void hello_on_its_way_out_delays_the_hand_over(void **state)
{
    struct mr_hello ours = dsp_hello(&f.peer), theirs;
    uint8_t buf[2048];

    (void)state;
    connect_from(IP);
    dsp_peer_auth(&f.peer, &f.wire, &f.w.self.pub);
    while (!f.at.l->sending) {
        f.at.l->stalled = true;
        dsp_run(&f.w);
    }
    memcpy(f.at.l->out, f.at.l->send, f.at.l->send_n);
    f.at.l->out_n = f.at.l->send_n;
    assert_true(dsp_peer_ack(&f.peer, &f.wire));
    assert_true(dsp_peer_read_hello(&f.peer, &f.wire, &theirs, buf));
    dsp_peer_hello(&f.peer, &f.wire, &ours);
    dsp_run(&f.w);
    assert_int_equal(f.w.sessions_n, 0); /* a send is in flight from our memory */
    f.at.l->stalled = false;
    dsp_run(&f.w);
    assert_int_equal(f.w.sessions_n, 1);
}

static void session_waits_for_a_hand_over_object(void **state)
{
    struct mr_relay_options o = f.w.options;
    struct dsp_peer peers[3];

    dsp_close(&f.w);
    o.maxpendpeers = 2; /* so many objects */
    o.maxpeers = 10;
    begin_with(&o);
    (void)state;
    f.w.hold_handovers = true;
    for (unsigned i = 0; i < 3; i++) {
        dsp_peer_init(&peers[i], &f.w);
        connect_from(IP + i);
        assert_true(dsp_peer_join(&peers[i], &f.wire, &f.w.self.pub));
        dsp_run(&f.w);
    }
    assert_int_equal(f.w.sessions_n, 2);
    assert_int_equal(dsp_metric(&f.w, "handover_waits"), 1);
    assert_true(f.w.next_ns <= f.w.now.mono_ns + MR_MS);
    dsp_handovers_go_home(&f.w);
    dsp_turn(&f.w);
    assert_int_equal(f.w.sessions_n, 3);
    assert_all_gone();
}

/* ---- reasons ---- */

/* A remote that got through the handshake sends hello; says what it hears back. */
static int reason_for(struct mr_hello *hello, bool compressed)
{
    struct mr_hello ours;
    uint8_t buf[2048];

    connect_from(IP);
    dsp_peer_auth(&f.peer, &f.wire, &f.w.self.pub);
    assert_true(dsp_peer_ack(&f.peer, &f.wire));
    assert_true(dsp_peer_read_hello(&f.peer, &f.wire, &ours, buf));
    dsp_peer_hello(&f.peer, &f.wire, hello);
    f.peer.snappy = compressed;
    return dsp_peer_reason(&f.peer, &f.wire);
}

static void other_id_is_told_0x09(void **state)
{
    struct mr_hello h = dsp_hello(&f.peer);

    (void)state;
    h.id.b[63] ^= 1;
    assert_int_equal(reason_for(&h, true), 0x09);
    assert_int_equal(dsp_metric(&f.w, "end_other_id"), 1);
    assert_int_equal(f.w.sessions_n, 0);
    assert_all_gone();
}

/* H-10: whoever says in Hello that it is B does nothing to B. */
static void claiming_another_id_leaves_that_node_alone(void **state)
{
    struct dsp_peer victim;
    struct mr_hello h;

    (void)state;
    dsp_peer_init(&victim, &f.w);
    connect_from(IP + 1);
    assert_true(dsp_peer_join(&victim, &f.wire, &f.w.self.pub));
    dsp_run(&f.w);
    assert_int_equal(f.w.sessions_n, 1);
    h = dsp_hello(&f.peer);
    h.id = victim.key.pub;
    assert_int_equal(reason_for(&h, true), 0x09);
    assert_int_equal(f.w.sessions_n, 1);
    assert_true(f.w.sessions[0].live);
    assert_int_equal(dsp_metric(&f.w, "sessions"), 1);
}

static void null_id_is_told_0x07(void **state)
{
    struct mr_hello h = dsp_hello(&f.peer);

    (void)state;
    memset(&h.id, 0, sizeof h.id);
    assert_int_equal(reason_for(&h, false), 0x07); /* its version was not taken in */
    assert_int_equal(dsp_metric(&f.w, "end_null_id"), 1);
    assert_all_gone();
}

static void own_id_is_told_0x0a(void **state)
{
    uint8_t buf[MR_RLPX_HANDSHAKE_OUT_MAX];
    struct mr_writer out = mr_writer(buf, sizeof buf);
    struct mr_node_id other = f.peer.key.pub;

    (void)state;
    connect_from(IP);
    /* The handshake refuses to dial ourselves, so it is told at the last moment whom it dials. */
    f.peer.key = f.w.self;
    assert_int_equal(mr_rlpx_handshake_init_initiator(&f.peer.hs, f.w.secp, &f.peer.key, &other,
                                                      NULL, mr_entropy_system, NULL),
                     MR_OK);
    f.peer.hs.remote = f.w.self.pub;
    assert_int_equal(mr_rlpx_handshake_start(&f.peer.hs, &out), MR_OK);
    dsp_write(f.at.l, buf, out.n);
    assert_true(dsp_peer_ack(&f.peer, &f.wire));
    assert_int_equal(dsp_peer_reason(&f.peer, &f.wire), 0x0a);
    assert_int_equal(dsp_metric(&f.w, "end_own_id"), 1);
    assert_all_gone();
}

static void nothing_shared_is_told_0x03(void **state)
{
    struct mr_hello h = dsp_hello(&f.peer);

    (void)state;
    h.capabilities[0].version = 66;
    h.capabilities[1] = (struct mr_capability){.name = "snap", .version = 1};
    assert_int_equal(reason_for(&h, true), 0x03);
    assert_int_equal(dsp_metric(&f.w, "end_useless"), 1);
    assert_all_gone();
}

static void version_4_is_told_0x06_uncompressed(void **state)
{
    struct mr_hello h = dsp_hello(&f.peer);

    (void)state;
    h.version = 4;
    assert_int_equal(reason_for(&h, false), 0x06);
    assert_int_equal(dsp_metric(&f.w, "end_old_version"), 1);
    assert_all_gone();
}

/* After the handshake the remote sends this frame in place of Hello. */
static int reason_for_frame(struct mr_span data)
{
    struct mr_hello ours;
    uint8_t buf[2048];

    connect_from(IP);
    dsp_peer_auth(&f.peer, &f.wire, &f.w.self.pub);
    assert_true(dsp_peer_ack(&f.peer, &f.wire));
    assert_true(dsp_peer_read_hello(&f.peer, &f.wire, &ours, buf));
    dsp_peer_frame(&f.peer, &f.wire, data);
    return dsp_peer_reason(&f.peer, &f.wire);
}

static void message_before_hello_is_told_0x02(void **state)
{
    (void)state;
    assert_int_equal(reason_for_frame(mr_span("\x02\xc0", 2)), 0x02);
    assert_int_equal(dsp_metric(&f.w, "end_not_hello"), 1);
    assert_all_gone();
}

static void malformed_hello_is_told_0x02(void **state)
{
    (void)state;
    assert_int_equal(reason_for_frame(mr_span("\x80\xc3\x05\x05", 4)), 0x02);
    assert_int_equal(dsp_metric(&f.w, "end_hello_malformed"), 1);
    assert_all_gone();
}

static void empty_frame_is_told_0x02(void **state)
{
    (void)state;
    assert_int_equal(reason_for_frame(mr_span(NULL, 0)), 0x02);
    assert_int_equal(dsp_metric(&f.w, "end_not_hello"), 1);
    assert_all_gone();
}

static void big_hello_is_closed_on_its_header(void **state)
{
    static uint8_t data[2049] = {0x80};

    (void)state;
    assert_int_equal(reason_for_frame(mr_span(data, sizeof data)), 0x02);
    assert_int_equal(dsp_metric(&f.w, "end_hello_big"), 1);
    assert_all_gone();
}

static void hello_of_2_kib_is_read(void **state)
{
    static uint8_t data[2048] = {0x80};

    (void)state;
    assert_int_equal(reason_for_frame(mr_span(data, sizeof data)), 0x02);
    assert_int_equal(dsp_metric(&f.w, "end_hello_malformed"), 1);
}

static void disconnect_instead_of_hello_ends_it_silently(void **state)
{
    (void)state;
    assert_int_equal(reason_for_frame(mr_span("\x01\xc1\x04", 3)), -1);
    assert_int_equal(dsp_metric(&f.w, "end_disconnected"), 1);
    assert_int_equal(dsp_metric(&f.w, "hello_disconnect_in"), 1);
    assert_all_gone();
}

static void wrong_mac_is_told_nothing(void **state)
{
    struct mr_hello ours, h = dsp_hello(&f.peer);
    uint8_t buf[2048];

    (void)state;
    connect_from(IP);
    dsp_peer_auth(&f.peer, &f.wire, &f.w.self.pub);
    assert_true(dsp_peer_ack(&f.peer, &f.wire));
    assert_true(dsp_peer_read_hello(&f.peer, &f.wire, &ours, buf));
    dsp_peer_hello(&f.peer, &f.wire, &h);
    f.at.l->in[20] ^= 1;
    assert_int_equal(dsp_peer_reason(&f.peer, &f.wire), -1);
    assert_int_equal(dsp_metric(&f.w, "end_mac"), 1);
    assert_int_equal(dsp_metric(&f.w, "hello_disconnect_out"), 0);
    assert_all_gone();
}

static void silence_after_the_handshake_is_told_0x0b(void **state)
{
    struct mr_hello ours;
    uint8_t buf[2048];

    (void)state;
    connect_from(IP);
    dsp_peer_auth(&f.peer, &f.wire, &f.w.self.pub);
    assert_true(dsp_peer_ack(&f.peer, &f.wire));
    assert_true(dsp_peer_read_hello(&f.peer, &f.wire, &ours, buf));
    dsp_advance(&f.w, 5 * MR_SECOND - 20 * MR_MS);
    assert_true(f.at.l->used);
    dsp_advance(&f.w, 40 * MR_MS);
    assert_int_equal(dsp_peer_reason(&f.peer, &f.wire), 0x0b);
    assert_int_equal(dsp_metric(&f.w, "end_late"), 1);
    assert_all_gone();
}

static void shutdown_is_told_to_those_who_wait(void **state)
{
    struct mr_hello ours;
    uint8_t buf[2048];

    (void)state;
    connect_from(IP);
    dsp_peer_auth(&f.peer, &f.wire, &f.w.self.pub);
    assert_true(dsp_peer_ack(&f.peer, &f.wire));
    assert_true(dsp_peer_read_hello(&f.peer, &f.wire, &ours, buf));
    mr_dispatcher_stop(f.w.d, 0x08);
    dsp_turn(&f.w);
    assert_int_equal(dsp_peer_reason(&f.peer, &f.wire), 0x08);
    assert_int_equal(f.w.stops, f.w.options.shards);
    assert_null(dsp_connect(&f.w, IP + 9));
    assert_int_equal(f.w.room, 0);
    dsp_end(f.at.l); /* it closes as it was told to */
    dsp_run(&f.w);
    assert_true(mr_dispatcher_stopped(f.w.d));
    assert_all_gone();
}

static void stop_waits_for_pending_ones_and_sessions(void **state)
{
    (void)state;
    connect_from(IP);
    assert_true(dsp_peer_join(&f.peer, &f.wire, &f.w.self.pub));
    dsp_run(&f.w);
    connect_from(IP + 1);
    mr_dispatcher_stop(f.w.d, 0x08);
    assert_false(mr_dispatcher_stopped(f.w.d));
    dsp_turn(&f.w);
    dsp_run(&f.w);
    assert_true(mr_dispatcher_stopped(f.w.d));
    assert_int_equal(f.w.live, 0);
}

/* ---- H-05, H-06 ---- */

static void sizes_over_2_kib_are_refused_after_two_bytes(void **state)
{
    static const unsigned sizes[] = {0, 1, 281, 2049, 2050, 65535};
    uint8_t bytes[2];

    (void)state;
    for (unsigned i = 0; i < MR_COUNT_OF(sizes); i++) {
        connect_from(IP + i);
        mr_store_be16(bytes, (uint16_t)sizes[i]);
        dsp_write(f.at.l, bytes, 2);
        dsp_write(f.at.l, "\x04\x04\x04", 3);
        dsp_run(&f.w);
        assert_false(f.at.l->used);
        assert_int_equal(f.at.l->received, 2);
    }
    assert_int_equal(dsp_metric(&f.w, "end_packet_big"), 3);
    assert_int_equal(dsp_metric(&f.w, "end_packet_small"), 3);
    for (unsigned size = 2047; size <= 2048; size++) {
        connect_from(IP + size);
        mr_store_be16(bytes, (uint16_t)size);
        dsp_write(f.at.l, bytes, 2);
        dsp_run(&f.w);
        assert_true(f.at.l->used);
        assert_int_equal(f.at.l->want_n, size);
    }
    assert_true(dsp_metric(&f.w, "pending_slot_bytes") <= 4096);
}

static void silent_connections_are_reaped_in_time(void **state)
{
    struct dsp_link *l[32];

    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        l[i] = dsp_connect(&f.w, IP + i);
        assert_non_null(l[i]);
        dsp_write(l[i], "\x01", i % 2);
    }
    assert_null(dsp_connect(&f.w, IP + 99)); /* all slots are taken */
    assert_int_equal(dsp_metric(&f.w, "refused_no_slot"), 1);
    dsp_run(&f.w);
    assert_int_equal(f.w.room, 0);
    dsp_advance(&f.w, 5 * MR_SECOND + 20 * MR_MS);
    assert_int_equal(dsp_metric(&f.w, "end_late"), 32);
    assert_int_equal(dsp_metric(&f.w, "pending"), 0);
    assert_true(f.w.room > 0);
    connect_from(IP + 100);
}

/* ---- H-08, H-09 ---- */

static void replayed_auth_never_reaches_hello(void **state)
{
    uint8_t auth[MR_RLPX_HANDSHAKE_OUT_MAX];
    size_t n;

    (void)state;
    connect_from(IP);
    dsp_peer_auth(&f.peer, &f.wire, &f.w.self.pub);
    n = f.at.l->in_n;
    memcpy(auth, f.at.l->in, n);
    dsp_run(&f.w);
    assert_true(dsp_peer_ack(&f.peer, &f.wire));
    {
        struct mr_hello theirs, ours = dsp_hello(&f.peer);
        uint8_t buf[2048];

        assert_true(dsp_peer_read_hello(&f.peer, &f.wire, &theirs, buf));
        dsp_peer_hello(&f.peer, &f.wire, &ours);
        dsp_run(&f.w);
    }
    assert_int_equal(f.w.sessions_n, 1);
    for (unsigned i = 0; i < 200; i++) {
        struct dsp_link *l = dsp_connect(&f.w, IP + 1 + i);

        assert_non_null(l);
        dsp_write(l, auth, n);
        dsp_advance(&f.w, 20 * MR_MS);
        assert_true(l->out_n > 0); /* it is answered, which the replayer cannot open */
        for (unsigned k = 0; k < 400; k++)
            dsp_write(l, "\xa5", 1);
        dsp_run(&f.w);
        assert_false(l->used);
    }
    assert_int_equal(dsp_metric(&f.w, "end_mac"), 200);
    assert_int_equal(f.w.sessions_n, 1);
    assert_true(f.w.sessions[0].live);
}

static void aborted_connection_never_poisons_the_next(void **state)
{
    struct mr_relay_options o = f.w.options;

    (void)state;
    dsp_close(&f.w);
    o.inbound_throttle_ns = 0;
    begin_with(&o);
    for (unsigned point = 0; point < 50; point++) {
        struct dsp_wired bad_at = {.w = &f.w};
        struct dsp_wire bad = dsp_wire_of(&bad_at);
        struct mr_hello hello = dsp_hello(&f.peer);
        struct dsp_link *l = dsp_connect(&f.w, IP);

        assert_non_null(l);
        bad_at.l = l;
        if (point == 0) {
            for (unsigned k = 0; k < 307; k++)
                dsp_write(l, "\xff", 1);
        } else {
            dsp_peer_auth(&f.peer, &bad, &f.w.self.pub);
            if (point < 40) {
                l->in_n = point < 20 ? point : l->in_n * (point - 19) / 21; /* inside auth */
            } else {
                assert_true(dsp_peer_ack(&f.peer, &bad));
                l->in_n = 0;
                dsp_peer_hello(&f.peer, &bad, &hello);
                l->in_n = l->in_n * (point - 40) / 10; /* before and inside Hello */
            }
        }
        dsp_run(&f.w);
        dsp_end(l);
        dsp_run(&f.w);
        connect_from(IP);
        assert_true(dsp_peer_join(&f.peer, &f.wire, &f.w.self.pub));
        dsp_run(&f.w);
        assert_int_equal(f.w.sessions_n, point + 1);
        dsp_session_end(&f.w, dsp_last(&f.w), MR_CLOSED_REMOTE);
        dsp_advance(&f.w, 10 * MR_MS);
    }
    assert_all_gone();
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(inbound_handshake_hands_over_a_working_session),
        TEST(outbound_handshake_hands_over_a_working_session),
        TEST(ack_before_auth_is_out_waits_for_it),
        TEST(hello_on_its_way_out_delays_the_hand_over),
        TEST(session_waits_for_a_hand_over_object),
        TEST(other_id_is_told_0x09),
        TEST(claiming_another_id_leaves_that_node_alone),
        TEST(null_id_is_told_0x07),
        TEST(own_id_is_told_0x0a),
        TEST(nothing_shared_is_told_0x03),
        TEST(version_4_is_told_0x06_uncompressed),
        TEST(message_before_hello_is_told_0x02),
        TEST(malformed_hello_is_told_0x02),
        TEST(empty_frame_is_told_0x02),
        TEST(big_hello_is_closed_on_its_header),
        TEST(hello_of_2_kib_is_read),
        TEST(disconnect_instead_of_hello_ends_it_silently),
        TEST(wrong_mac_is_told_nothing),
        TEST(silence_after_the_handshake_is_told_0x0b),
        TEST(shutdown_is_told_to_those_who_wait),
        TEST(stop_waits_for_pending_ones_and_sessions),
        TEST(sizes_over_2_kib_are_refused_after_two_bytes),
        TEST(silent_connections_are_reaped_in_time),
        TEST(replayed_auth_never_reaches_hello),
        TEST(aborted_connection_never_poisons_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
