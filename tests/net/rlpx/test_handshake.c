/* The handshake between two nodes of ours: agreement, sizes, bounds, replay, and what is left
 * behind. Rows H-05 and H-08 of the catalogue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/net/rlpx/packets.h"

static struct packet_rig rig;

static void same_state(const struct mr_keccak *a, const struct mr_keccak *b)
{
    uint8_t x[32], y[32];

    mr_keccak_digest(a, x);
    mr_keccak_digest(b, y);
    assert_memory_equal(x, y, 32);
}

/* Seals "ping" as one frame; returns its length. */
static size_t seal_ping(struct mr_rlpx_session *s, uint8_t *out, size_t cap)
{
    struct mr_span span = mr_span("ping", 4);
    struct mr_frame frame = {.spans = &span, .spans_count = 1, .size = 4};
    struct mr_seal_job job = {
        .session = s, .frames = &frame, .frames_count = 1, .out = out, .out_cap = cap};

    mr_rlpx_seal_one(&job, NULL);
    assert_int_equal(job.frames_done, 1);
    return job.out_len;
}

static enum mr_unseal_result unseal(struct mr_rlpx_session *s, const uint8_t *frame, size_t n)
{
    uint8_t copy[256];
    struct mr_unseal_job job = {.session = s, .in = copy, .in_len = n, .size_max = 1024};

    assert_true(n <= sizeof copy);
    memcpy(copy, frame, n);
    mr_rlpx_unseal_one(&job, NULL);
    if (job.result == MR_UNSEAL_FRAME) {
        assert_int_equal(job.size, 4);
        assert_memory_equal(job.payload, "ping", 4);
    }
    return job.result;
}

static void assert_frame_passes(struct mr_rlpx_session *from, struct mr_rlpx_session *to)
{
    uint8_t frame[256];
    size_t n = seal_ping(from, frame, sizeof frame);

    assert_int_equal(unseal(to, frame, n), MR_UNSEAL_FRAME);
}

static void both_roles_agree(void **state)
{
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX];

    (void)state;
    for (size_t round = 0; round < 200; round++) {
        struct mr_rlpx_handshake a, b;
        struct mr_rlpx_session sa, sb;
        struct mr_writer out = mr_writer(ack, sizeof ack);
        size_t n = packet_initiator(&rig, &a, auth);
        size_t step = round < 20 ? 1 + round : PACKET_MAX;

        packet_recipient(&rig, &b);
        assert_int_equal(packet_feed(&b, auth, n, step, &out), MR_OK);
        assert_int_equal(packet_feed(&a, ack, out.n, step, NULL), MR_OK);
        assert_int_equal(a.phase, MR_RLPX_HANDSHAKE_DONE);
        assert_int_equal(b.phase, MR_RLPX_HANDSHAKE_DONE);
        assert_true(mr_node_id_equal(&a.remote, &rig.b.pub));
        assert_true(mr_node_id_equal(&b.remote, &rig.a.pub));
        assert_memory_equal(a.secrets.aes, b.secrets.aes, 32);
        assert_memory_equal(a.secrets.mac, b.secrets.mac, 32);
        assert_memory_not_equal(a.secrets.aes, a.secrets.mac, 32);
        same_state(&a.secrets.egress, &b.secrets.ingress);
        same_state(&a.secrets.ingress, &b.secrets.egress);
        mr_rlpx_session_init(&sa, &a.secrets);
        mr_rlpx_session_init(&sb, &b.secrets);
        assert_frame_passes(&sa, &sb);
        assert_frame_passes(&sb, &sa);
        assert_frame_passes(&sa, &sb);
    }
}

/* Some clients read an auth only when 307 bytes are there, and an ack when 210 are. */
static void our_packets_are_padded_by_every_length_in_range(void **state)
{
    bool auth_seen[512] = {false}, ack_seen[512] = {false};
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX];

    (void)state;
    for (unsigned round = 0; round < 1500; round++) {
        struct mr_rlpx_handshake a, b;
        struct mr_writer out = mr_writer(ack, sizeof ack);
        size_t n = packet_initiator(&rig, &a, auth), auth_pad, ack_pad;

        auth_pad = n - 2 - MR_ECIES_OVERHEAD - AUTH_LIST;
        assert_in_range(auth_pad, MR_RLPX_HANDSHAKE_PAD_MIN, MR_RLPX_HANDSHAKE_PAD_MAX);
        assert_true(n >= 307);
        assert_true(n <= MR_RLPX_HANDSHAKE_OUT_MAX);
        auth_seen[auth_pad] = true;
        packet_recipient(&rig, &b);
        assert_int_equal(packet_feed(&b, auth, n, PACKET_MAX, &out), MR_OK);
        ack_pad = out.n - 2 - MR_ECIES_OVERHEAD - ACK_LIST;
        assert_in_range(ack_pad, MR_RLPX_HANDSHAKE_PAD_MIN, MR_RLPX_HANDSHAKE_PAD_MAX);
        assert_true(out.n >= 210);
        ack_seen[ack_pad] = true;
    }
    for (size_t pad = MR_RLPX_HANDSHAKE_PAD_MIN; pad <= MR_RLPX_HANDSHAKE_PAD_MAX; pad++)
        assert_true(auth_seen[pad] || ack_seen[pad]);
}

static void need_is_exact(void **state)
{
    struct mr_rlpx_handshake a, b;
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX];
    struct mr_writer out = mr_writer(ack, sizeof ack);
    size_t n;

    (void)state;
    assert_int_equal(mr_rlpx_handshake_init_initiator(&a, rig.secp, &rig.a, &rig.b.pub, NULL,
                                                      packet_entropy, &rig.random),
                     MR_OK);
    assert_int_equal(mr_rlpx_handshake_need(&a), 0); /* its auth comes first */
    n = packet_initiator(&rig, &a, auth);
    assert_int_equal(mr_rlpx_handshake_need(&a), 2);
    packet_recipient(&rig, &b);
    assert_int_equal(mr_rlpx_handshake_need(&b), 2);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(mr_rlpx_handshake_need(&b), i < 2 ? 2 - i : n - i);
        assert_int_equal(out.n, 0);
        assert_int_equal(mr_rlpx_handshake_feed(&b, auth + i, 1, &out), MR_OK);
    }
    assert_int_equal(mr_rlpx_handshake_need(&b), 0);
    for (size_t i = 0; i < out.n; i++) {
        assert_int_equal(a.phase,
                         i < 2 ? MR_RLPX_HANDSHAKE_AWAIT_SIZE : MR_RLPX_HANDSHAKE_AWAIT_PACKET);
        assert_int_equal(mr_rlpx_handshake_feed(&a, ack + i, 1, NULL), MR_OK);
    }
    assert_int_equal(a.phase, MR_RLPX_HANDSHAKE_DONE);
    assert_int_equal(mr_rlpx_handshake_need(&a), 0);
}

/* H-05 */
static void sizes_out_of_range_are_refused_after_two_bytes(void **state)
{
    static const uint32_t sizes[] = {0,    1,    112,  113,  214,  215,  281,   282,   283,  2046,
                                     2047, 2048, 2049, 2050, 4096, 8191, 32768, 65534, 65535};
    uint8_t head[2], auth[PACKET_MAX], ack[PACKET_MAX];

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(sizes); i++) {
        for (int initiator = 0; initiator < 2; initiator++) {
            struct mr_rlpx_handshake hs;
            struct mr_writer out = mr_writer(ack, sizeof ack);
            size_t least = MR_ECIES_OVERHEAD + (size_t)(initiator ? ACK_LIST : AUTH_LIST);
            uint64_t ecdh;
            enum mr_err e;

            if (initiator)
                packet_initiator(&rig, &hs, auth);
            else
                packet_recipient(&rig, &hs);
            ecdh = mr_secp_ecdh_count(rig.secp);
            mr_store_be16(head, (uint16_t)sizes[i]);
            assert_int_equal(mr_rlpx_handshake_feed(&hs, head, 1, &out), MR_OK);
            e = mr_rlpx_handshake_feed(&hs, head + 1, 1, &out);
            assert_int_equal(e, sizes[i] > 2048 ? MR_TOO_BIG : sizes[i] < least ? MR_SHORT : MR_OK);
            assert_int_equal(mr_rlpx_handshake_need(&hs), e ? 0 : sizes[i]);
            assert_int_equal(hs.phase,
                             e ? MR_RLPX_HANDSHAKE_FAILED : MR_RLPX_HANDSHAKE_AWAIT_PACKET);
            assert_int_equal(out.n, 0);
            assert_int_equal(mr_secp_ecdh_count(rig.secp), ecdh);
        }
    }
    assert_true(sizeof(struct mr_rlpx_handshake) <= 4096);
}

static void every_prefix_of_a_packet_is_still_wanting(void **state)
{
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX];
    struct mr_rlpx_handshake a, b;
    size_t n = packet_initiator(&rig, &a, auth);

    (void)state;
    for (size_t cut = 0; cut < n; cut++) {
        struct mr_writer out = mr_writer(ack, sizeof ack);

        packet_recipient(&rig, &b);
        assert_int_equal(packet_feed(&b, auth, cut, PACKET_MAX, &out), MR_OK);
        assert_true(mr_rlpx_handshake_need(&b) > 0);
        assert_int_equal(out.n, 0);
    }
}

static void every_flipped_bit_is_refused(void **state)
{
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX], zeros[PACKET_MAX] = {0};
    struct mr_rlpx_handshake a, b, done;
    struct mr_writer out = mr_writer(ack, sizeof ack);
    size_t n = packet_initiator(&rig, &a, auth);

    (void)state;
    packet_recipient(&rig, &b);
    assert_int_equal(packet_feed(&b, auth, n, PACKET_MAX, &out), MR_OK);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        struct mr_rlpx_handshake hs;
        struct mr_writer none = mr_writer(zeros, 0);
        enum mr_err e;

        auth[bit / 8] ^= (uint8_t)(1u << bit % 8);
        packet_recipient(&rig, &hs);
        e = packet_peek(&hs, auth, n);
        if (e == MR_OK) /* the size grew: the rest comes from elsewhere */
            e = packet_peek(&hs, zeros, sizeof zeros);
        assert_int_not_equal(e, MR_OK);
        assert_int_equal(hs.phase, MR_RLPX_HANDSHAKE_FAILED);
        assert_int_equal(none.n, 0);
        auth[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * out.n; bit++) {
        struct mr_rlpx_handshake hs = a;

        ack[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (packet_feed(&hs, ack, out.n, PACKET_MAX, NULL) == MR_OK)
            assert_int_not_equal(packet_feed(&hs, zeros, sizeof zeros, PACKET_MAX, NULL), MR_OK);
        assert_int_equal(hs.phase, MR_RLPX_HANDSHAKE_FAILED);
        ack[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    done = a;
    assert_int_equal(packet_feed(&done, ack, out.n, PACKET_MAX, NULL), MR_OK);
}

/* H-08: a replayed auth is answered, for nothing in it is new or old; but who replays it has
 * neither the ephemeral key nor the secrets, and cannot send a frame. */
static void a_replayed_auth_cannot_complete(void **state)
{
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX], frame[256], last[32] = {0};
    struct mr_rlpx_handshake a, b;
    struct mr_rlpx_session sa, sb;
    struct mr_writer out = mr_writer(ack, sizeof ack);
    size_t n = packet_initiator(&rig, &a, auth), frame_n;

    (void)state;
    packet_recipient(&rig, &b);
    assert_int_equal(packet_feed(&b, auth, n, PACKET_MAX, &out), MR_OK);
    assert_int_equal(packet_feed(&a, ack, out.n, PACKET_MAX, NULL), MR_OK);
    mr_rlpx_session_init(&sa, &a.secrets);
    frame_n = seal_ping(&sa, frame, sizeof frame);
    for (unsigned i = 0; i < 2000; i++) {
        struct mr_rlpx_handshake hs;

        out.n = 0;
        packet_recipient(&rig, &hs);
        assert_int_equal(packet_feed(&hs, auth, n, PACKET_MAX, &out), MR_OK);
        assert_memory_not_equal(hs.secrets.aes, a.secrets.aes, 32);
        assert_memory_not_equal(hs.secrets.aes, last, 32);
        memcpy(last, hs.secrets.aes, 32);
        mr_rlpx_session_init(&sb, &hs.secrets);
        assert_int_equal(unseal(&sb, frame, frame_n), MR_UNSEAL_AUTH);
        mr_rlpx_handshake_fini(&hs);
    }
    mr_rlpx_session_init(&sb, &b.secrets);
    assert_int_equal(unseal(&sb, frame, frame_n), MR_UNSEAL_FRAME);
}

/* An ack that answers another auth: secrets differ, the first frame fails. */
static void a_replayed_ack_cannot_complete(void **state)
{
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX], frame[256];
    struct mr_rlpx_handshake a, b, other;
    struct mr_rlpx_session sb, so;
    struct mr_writer out = mr_writer(ack, sizeof ack);
    size_t n = packet_initiator(&rig, &a, auth);

    (void)state;
    packet_recipient(&rig, &b);
    assert_int_equal(packet_feed(&b, auth, n, PACKET_MAX, &out), MR_OK);
    packet_initiator(&rig, &other, auth);
    assert_int_equal(packet_feed(&other, ack, out.n, PACKET_MAX, NULL), MR_OK);
    mr_rlpx_session_init(&sb, &b.secrets);
    mr_rlpx_session_init(&so, &other.secrets);
    n = seal_ping(&sb, frame, sizeof frame);
    assert_int_equal(unseal(&so, frame, n), MR_UNSEAL_AUTH);
}

static void lack_of_room_changes_nothing(void **state)
{
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX];
    struct mr_rlpx_handshake a, b;
    struct mr_writer out = mr_writer(ack, MR_RLPX_HANDSHAKE_OUT_MAX - 1);
    size_t n = packet_initiator(&rig, &a, auth);

    (void)state;
    packet_recipient(&rig, &b);
    assert_int_equal(packet_feed(&b, auth, n, PACKET_MAX, &out), MR_FULL);
    assert_int_equal(packet_feed(&b, auth, n, PACKET_MAX, NULL), MR_FULL);
    assert_int_equal(packet_peek(&b, auth, n), MR_OK);
    assert_int_equal(mr_rlpx_handshake_answer(&b, &out), MR_FULL);
    assert_int_equal(b.phase, MR_RLPX_HANDSHAKE_PEEKED);
    assert_int_equal(out.n, 0);
    out.cap++;
    assert_int_equal(mr_rlpx_handshake_answer(&b, &out), MR_OK);
    assert_int_equal(packet_feed(&a, ack, out.n, PACKET_MAX, NULL), MR_OK);
    assert_int_equal(mr_rlpx_handshake_init_initiator(&a, rig.secp, &rig.a, &rig.b.pub, NULL,
                                                      packet_entropy, &rig.random),
                     MR_OK);
    assert_int_equal(mr_rlpx_handshake_start(&a, &out), MR_FULL);
    out = mr_writer(ack, sizeof ack);
    assert_int_equal(mr_rlpx_handshake_start(&a, &out), MR_OK);
}

static void peeking_costs_one_ecdh_and_the_rest_three_more(void **state)
{
    uint8_t auth[PACKET_MAX], ack_1[PACKET_MAX], ack_2[PACKET_MAX];
    struct mr_rlpx_handshake a, b;
    struct mr_random before;
    struct mr_writer out_1 = mr_writer(ack_1, sizeof ack_1), out_2 = mr_writer(ack_2, sizeof ack_2);
    uint64_t ecdh = mr_secp_ecdh_count(rig.secp);
    size_t n = packet_initiator(&rig, &a, auth);

    (void)state;
    assert_int_equal(mr_secp_ecdh_count(rig.secp) - ecdh, 2);
    ecdh = mr_secp_ecdh_count(rig.secp);
    before = rig.random;
    packet_recipient(&rig, &b);
    assert_int_equal(packet_peek(&b, auth, n), MR_OK);
    assert_int_equal(b.phase, MR_RLPX_HANDSHAKE_PEEKED);
    assert_true(mr_node_id_equal(&b.remote, &rig.a.pub));
    assert_int_equal(mr_rlpx_handshake_need(&b), 0);
    assert_int_equal(mr_secp_ecdh_count(rig.secp) - ecdh, 1);
    assert_int_equal(mr_rlpx_handshake_answer(&b, &out_1), MR_OK);
    assert_int_equal(mr_secp_ecdh_count(rig.secp) - ecdh, 4);
    rig.random = before;
    packet_recipient(&rig, &b);
    assert_int_equal(packet_feed(&b, auth, n, PACKET_MAX, &out_2), MR_OK);
    assert_int_equal(out_1.n, out_2.n);
    assert_memory_equal(ack_1, ack_2, out_1.n);
}

static void prepared_keys_are_the_ones_used(void **state)
{
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX];
    struct mr_rlpx_ephemerals ours, theirs;
    struct mr_rlpx_handshake a, b;
    struct mr_writer w = mr_writer(auth, sizeof auth), out = mr_writer(ack, sizeof ack);

    (void)state;
    mr_rlpx_ephemerals_make(rig.secp, &ours, packet_entropy, &rig.random);
    mr_rlpx_ephemerals_make(rig.secp, &theirs, packet_entropy, &rig.random);
    assert_int_equal(mr_rlpx_handshake_init_initiator(&a, rig.secp, &rig.a, &rig.b.pub, &ours,
                                                      packet_entropy, &rig.random),
                     MR_OK);
    assert_int_equal(mr_rlpx_handshake_start(&a, &w), MR_OK);
    assert_memory_equal(auth + 3, ours.ecies.pub.b, 64);
    mr_rlpx_handshake_init_recipient(&b, rig.secp, &rig.b, &theirs, packet_entropy, &rig.random);
    assert_int_equal(packet_feed(&b, auth, w.n, PACKET_MAX, &out), MR_OK);
    assert_memory_equal(ack + 3, theirs.ecies.pub.b, 64);
    assert_true(mr_node_id_equal(&b.remote_ephemeral, &ours.session.pub));
    assert_int_equal(packet_feed(&a, ack, out.n, PACKET_MAX, NULL), MR_OK);
    assert_true(mr_node_id_equal(&a.remote_ephemeral, &theirs.session.pub));
    assert_memory_equal(a.secrets.mac, b.secrets.mac, 32);
}

static void nobody_dials_nothing_itself_or_no_point(void **state)
{
    struct mr_rlpx_handshake hs;
    struct mr_node_id id = {{0}};

    (void)state;
    assert_int_equal(mr_rlpx_handshake_init_initiator(&hs, rig.secp, &rig.a, &id, NULL,
                                                      packet_entropy, &rig.random),
                     MR_INVALID);
    assert_int_equal(hs.fault, MR_RLPX_HANDSHAKE_FAULT_NULL_ID);
    assert_int_equal(mr_rlpx_handshake_init_initiator(&hs, rig.secp, &rig.a, &rig.a.pub, NULL,
                                                      packet_entropy, &rig.random),
                     MR_EXISTS);
    assert_int_equal(hs.fault, MR_RLPX_HANDSHAKE_FAULT_OWN_ID);
    id = rig.b.pub;
    id.b[63] ^= 1;
    assert_int_equal(mr_rlpx_handshake_init_initiator(&hs, rig.secp, &rig.a, &id, NULL,
                                                      packet_entropy, &rig.random),
                     MR_INVALID);
    assert_int_equal(hs.fault, MR_RLPX_HANDSHAKE_FAULT_KEY);
    assert_int_equal(hs.phase, MR_RLPX_HANDSHAKE_FAILED);
}

static void assert_wiped(const struct mr_rlpx_handshake *hs)
{
    struct mr_rlpx_handshake copy = *hs;
    const uint8_t *p = (const uint8_t *)&copy;

    assert_int_equal(copy.phase, MR_RLPX_HANDSHAKE_FAILED);
    copy.phase = 0;
    copy.fault = 0;
    for (size_t i = 0; i < sizeof copy; i++)
        assert_int_equal(p[i], 0);
}

static void nothing_is_left_after_the_end(void **state)
{
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX], zeros[32] = {0};
    struct mr_rlpx_handshake a, b, early;
    struct mr_writer out = mr_writer(ack, sizeof ack);
    size_t n = packet_initiator(&rig, &a, auth);

    (void)state;
    early = a;
    mr_rlpx_handshake_fini(&early);
    assert_wiped(&early);
    packet_recipient(&rig, &b);
    assert_int_equal(packet_feed(&b, auth, n, PACKET_MAX, &out), MR_OK);
    assert_memory_equal(b.ours.session.key, zeros, 32); /* needed no more */
    assert_memory_equal(b.ours.ecies.key, zeros, 32);
    mr_rlpx_handshake_fini(&b);
    assert_wiped(&b);
    mr_rlpx_handshake_fini(&b);
    assert_wiped(&b);
    ack[40] ^= 1;
    assert_int_equal(packet_feed(&a, ack, out.n, PACKET_MAX, NULL), MR_AUTH);
    assert_int_equal(a.fault, MR_RLPX_HANDSHAKE_FAULT_ECIES);
    assert_wiped(&a);
}

static int setup(void **state)
{
    (void)state;
    packet_rig_init(&rig, 21);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    packet_rig_fini(&rig);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_roles_agree),
        cmocka_unit_test(our_packets_are_padded_by_every_length_in_range),
        cmocka_unit_test(need_is_exact),
        cmocka_unit_test(sizes_out_of_range_are_refused_after_two_bytes),
        cmocka_unit_test(every_prefix_of_a_packet_is_still_wanting),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(a_replayed_auth_cannot_complete),
        cmocka_unit_test(a_replayed_ack_cannot_complete),
        cmocka_unit_test(lack_of_room_changes_nothing),
        cmocka_unit_test(peeking_costs_one_ecdh_and_the_rest_three_more),
        cmocka_unit_test(prepared_keys_are_the_ones_used),
        cmocka_unit_test(nobody_dials_nothing_itself_or_no_point),
        cmocka_unit_test(nothing_is_left_after_the_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
