/* Packets whose envelope is right and whose content is not, or is odd: rows H-01, H-03, H-04 and
 * H-17 of the catalogue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/crypto/bad_points.h"
#include "tests/net/rlpx/packets.h"

static struct packet_rig rig;
static struct packet_auth sample; /* a's, for b */
static struct mr_secp_keypair sample_ephemeral;
static struct mr_rlpx_handshake waiting; /* a, that awaits an ack: copied for each try */

static const uint8_t version_4[] = {4};

static struct mr_span version(void)
{
    return mr_span(version_4, sizeof version_4);
}

/* Offers plain as b's auth, up to where the initiator is known. */
static enum mr_err offer_auth(struct mr_rlpx_handshake *hs, struct mr_span plain)
{
    uint8_t packet[PACKET_MAX];
    size_t n = packet_seal(&rig, packet, rig.shared_b, plain);

    packet_recipient(&rig, hs);
    return packet_peek(hs, packet, n);
}

/* Offers plain as a's ack. */
static enum mr_err offer_ack(struct mr_rlpx_handshake *hs, struct mr_span plain)
{
    uint8_t packet[PACKET_MAX];
    size_t n = packet_seal(&rig, packet, rig.shared_a, plain);

    *hs = waiting;
    return packet_feed(hs, packet, n, PACKET_MAX, NULL);
}

/* H-01: whoever knows our public key can make a right tag for any length. */
static void only_what_can_hold_the_list_reaches_the_decoder(void **state)
{
    static const uint8_t iv[16] = {1}, junk[PACKET_MAX] = {0};
    uint8_t packet[PACKET_MAX], point[65] = {4}, body[PACKET_MAX];

    (void)state;
    memcpy(point + 1, rig.stranger.pub.b, 64);
    for (int initiator = 0; initiator < 2; initiator++) {
        const uint8_t *shared = initiator ? rig.shared_a : rig.shared_b;
        size_t least = MR_ECIES_OVERHEAD + (size_t)(initiator ? ACK_LIST : AUTH_LIST);

        for (size_t size = 0; size <= MR_RLPX_HANDSHAKE_BODY_MAX; size++) {
            struct mr_rlpx_handshake hs;
            struct mr_writer out = mr_writer(body, sizeof body);
            uint64_t ecdh = mr_secp_ecdh_count(rig.secp);

            memset(packet, 0, sizeof packet);
            mr_store_be16(packet, (uint16_t)size);
            if (size >= 97) {
                craft_body(body, shared, iv, mr_span(junk, size));
                craft_envelope(packet + 2, point, shared, mr_span(body, size - 97),
                               mr_span(packet, 2));
            }
            if (initiator)
                hs = waiting;
            else
                packet_recipient(&rig, &hs);
            assert_int_equal(packet_feed(&hs, packet, 2 + size, PACKET_MAX, &out),
                             size < least ? MR_SHORT : MR_MALFORMED);
            assert_int_equal(hs.fault, size < least ? MR_RLPX_HANDSHAKE_FAULT_SIZE_SMALL
                                                    : MR_RLPX_HANDSHAKE_FAULT_BODY);
            assert_int_equal(mr_secp_ecdh_count(rig.secp) - ecdh, size >= least);
            assert_int_equal(out.n, 0);
        }
    }
}

/* H-03, H-04: in the place of the initiator's static key. */
static void bad_points_in_an_auth_are_refused_without_use(void **state)
{
    uint8_t plain[PACKET_LIST];

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        enum bad_point_kind kind = i % BAD_KINDS_XY;
        struct mr_writer w = mr_writer(plain, sizeof plain);
        struct packet_auth auth = sample;
        struct mr_rlpx_handshake hs;
        uint64_t ecdh = mr_secp_ecdh_count(rig.secp);

        bad_point_xy(rig.secp, &rig.random, kind, auth.pub.b);
        packet_put_auth(&w, &auth, version());
        assert_int_equal(offer_auth(&hs, mr_writer_span(&w)), MR_INVALID);
        assert_int_equal(hs.fault, kind == BAD_ZERO ? MR_RLPX_HANDSHAKE_FAULT_NULL_ID
                                                    : MR_RLPX_HANDSHAKE_FAULT_KEY);
        assert_int_equal(mr_secp_ecdh_count(rig.secp) - ecdh, 1); /* the envelope's */
    }
}

/* H-03, H-04: in the place of the recipient's ephemeral key. */
static void bad_points_in_an_ack_are_refused_without_use(void **state)
{
    uint8_t plain[PACKET_LIST], nonce[32] = {3};

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        struct mr_writer w = mr_writer(plain, sizeof plain);
        struct mr_rlpx_handshake hs;
        struct mr_node_id key;
        uint64_t ecdh = mr_secp_ecdh_count(rig.secp);

        bad_point_xy(rig.secp, &rig.random, i % BAD_KINDS_XY, key.b);
        packet_put_ack(&w, &key, nonce, version());
        assert_int_equal(offer_ack(&hs, mr_writer_span(&w)), MR_INVALID);
        assert_int_equal(hs.fault, MR_RLPX_HANDSHAKE_FAULT_KEY);
        assert_int_equal(mr_secp_ecdh_count(rig.secp) - ecdh, 1);
    }
}

static void a_signature_that_recovers_nothing_is_refused(void **state)
{
    uint8_t plain[PACKET_LIST], ack[PACKET_MAX];

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        struct mr_writer w = mr_writer(plain, sizeof plain), out = mr_writer(ack, sizeof ack);
        struct packet_auth auth = sample;
        struct mr_rlpx_handshake hs;

        if (i < 252) {
            auth.sig[64] = (uint8_t)(4 + i);
        } else {
            memset(auth.sig + 32 * (i % 2), i % 4 < 2 ? 0 : 0xff, 32);
        }
        packet_put_auth(&w, &auth, version());
        assert_int_equal(offer_auth(&hs, mr_writer_span(&w)), MR_OK);
        assert_int_equal(mr_rlpx_handshake_answer(&hs, &out), MR_AUTH);
        assert_int_equal(hs.fault, MR_RLPX_HANDSHAKE_FAULT_SIGNATURE);
        assert_int_equal(out.n, 0);
    }
}

/* Somebody who does not know a's static key cannot be a: the ephemeral key that b recovers is one
 * that nobody holds. */
static void a_stolen_name_gives_keys_that_nobody_has(void **state)
{
    uint8_t plain[PACKET_LIST], ack[PACKET_MAX];
    struct mr_writer w = mr_writer(plain, sizeof plain), out = mr_writer(ack, sizeof ack);
    struct packet_auth auth = sample;
    struct mr_rlpx_handshake hs;
    struct mr_hash guess = {{1}};

    (void)state;
    assert_true(mr_secp_sign(rig.secp, auth.sig, &guess, rig.stranger.key));
    packet_put_auth(&w, &auth, version());
    assert_int_equal(offer_auth(&hs, mr_writer_span(&w)), MR_OK);
    assert_int_equal(mr_rlpx_handshake_answer(&hs, &out), MR_OK);
    assert_true(mr_node_id_equal(&hs.remote, &rig.a.pub));
    assert_false(mr_node_id_equal(&hs.remote_ephemeral, &rig.stranger.pub));
}

static void a_call_from_ourselves_completes_and_says_so(void **state)
{
    uint8_t plain[PACKET_LIST], ack[PACKET_MAX], token[32];
    struct mr_writer w = mr_writer(plain, sizeof plain), out = mr_writer(ack, sizeof ack);
    struct packet_auth auth = sample;
    struct mr_rlpx_handshake hs;
    struct mr_hash value;

    (void)state;
    auth.pub = rig.b.pub;
    assert_true(mr_secp_ecdh_x(rig.secp, token, &rig.b.pub, rig.b.key));
    for (size_t i = 0; i < 32; i++)
        value.b[i] = token[i] ^ auth.nonce[i];
    assert_true(mr_secp_sign(rig.secp, auth.sig, &value, sample_ephemeral.key));
    packet_put_auth(&w, &auth, version());
    assert_int_equal(offer_auth(&hs, mr_writer_span(&w)), MR_OK);
    assert_true(hs.remote_is_self);
    assert_int_equal(mr_rlpx_handshake_answer(&hs, &out), MR_OK);
    assert_true(hs.remote_is_self);
    assert_int_equal(hs.phase, MR_RLPX_HANDSHAKE_DONE);
}

/* A list of full length of which only a part is there: the packet is long enough by itself. */
static void every_prefix_of_a_list_is_refused(void **state)
{
    uint8_t plain[PACKET_LIST], tail[900] = {4, 0xb9, 0x03, 0x20}, nonce[32] = {5};
    struct mr_writer w = mr_writer(plain, sizeof plain);
    struct mr_rlpx_handshake hs;

    (void)state;
    packet_put_auth(&w, &sample, mr_span(tail, 4 + 0x320));
    assert_int_equal(offer_auth(&hs, mr_writer_span(&w)), MR_OK);
    for (size_t n = AUTH_LIST; n < w.n; n++)
        assert_int_equal(offer_auth(&hs, mr_span(plain, n)), MR_MALFORMED);
    w.n = 0;
    packet_put_ack(&w, &sample_ephemeral.pub, nonce, mr_span(tail, 4 + 0x320));
    assert_int_equal(offer_ack(&hs, mr_writer_span(&w)), MR_OK);
    for (size_t n = ACK_LIST; n < w.n; n++)
        assert_int_equal(offer_ack(&hs, mr_span(plain, n)), MR_MALFORMED);
}

/* What may stand behind the version, by its RLP. depth lists inside of each other. */
static void put_nested(struct mr_writer *w, size_t depth)
{
    for (size_t left = depth; left > 0; left--) {
        /* The payload of the list that has left - 1 lists inside. */
        uint8_t inner[400];
        struct mr_writer heads = mr_writer(inner, sizeof inner);
        size_t payload = 0;

        for (size_t i = 1; i < left; i++)
            payload += mr_rlp_head_len(payload);
        assert_int_equal(mr_rlp_put_list_head(&heads, payload), MR_OK);
        assert_int_equal(mr_rlp_put_raw(w, inner, heads.n), MR_OK);
    }
}

static void assert_both_accept(struct mr_span tail, size_t padding)
{
    uint8_t plain[PACKET_LIST] = {0}, ack[PACKET_MAX], nonce[32] = {6};
    struct mr_writer w = mr_writer(plain, sizeof plain), out = mr_writer(ack, sizeof ack);
    struct mr_rlpx_handshake hs;

    packet_put_auth(&w, &sample, tail);
    mr_random_fill(&rig.random, plain + w.n, padding);
    assert_int_equal(offer_auth(&hs, mr_span(plain, w.n + padding)), MR_OK);
    assert_int_equal(mr_rlpx_handshake_answer(&hs, &out), MR_OK);
    assert_true(mr_node_id_equal(&hs.remote, &rig.a.pub));
    assert_true(mr_node_id_equal(&hs.remote_ephemeral, &sample_ephemeral.pub));
    assert_memory_equal(hs.remote_nonce, sample.nonce, 32);
    w.n = 0;
    packet_put_ack(&w, &sample_ephemeral.pub, nonce, tail);
    mr_random_fill(&rig.random, plain + w.n, padding);
    assert_int_equal(offer_ack(&hs, mr_span(plain, w.n + padding)), MR_OK);
    assert_true(mr_node_id_equal(&hs.remote_ephemeral, &sample_ephemeral.pub));
}

static void any_version_is_accepted(void **state)
{
    static const struct {
        uint8_t n, bytes[34];
    } versions[] = {
        {1, {0x80}},        {1, {0x01}},
        {1, {0x05}},        {1, {0x38}},
        {2, {0x81, 0xff}},  {9, {0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {33, {0xa0, 0xff}}, {2, {0x81, 0x80}},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(versions); i++)
        assert_both_accept(mr_span(versions[i].bytes, versions[i].n), 0);
}

static void further_elements_are_ignored_up_to_2_kib(void **state)
{
    uint8_t tail[PACKET_LIST];
    struct mr_writer w = mr_writer(tail, sizeof tail);

    (void)state;
    /* As many one-byte elements as fit: the list's head is then 3 bytes. */
    memset(tail, 4, sizeof tail);
    for (size_t n = 1; n <= PACKET_LIST - (AUTH_LIST - 2 - 1) - 3; n += 43)
        assert_both_accept(mr_span(tail, n), 0);
    assert_both_accept(mr_span(tail, PACKET_LIST - (AUTH_LIST - 2 - 1) - 3), 0);
    for (size_t depth = 0; depth <= 100; depth++) {
        w.n = 0;
        assert_int_equal(mr_rlp_put_u64(&w, 4), MR_OK);
        put_nested(&w, depth);
        assert_both_accept(mr_writer_span(&w), 0);
    }
}

static void any_padding_is_accepted(void **state)
{
    (void)state;
    for (size_t n = 0; n <= PACKET_LIST - AUTH_LIST; n += 11)
        assert_both_accept(version(), n);
    assert_both_accept(version(), PACKET_LIST - AUTH_LIST);
}

/* One field replaced by something else; whether the whole is still to be accepted. */
struct mutation {
    uint8_t plain[PACKET_LIST];
    struct mr_writer w;
    bool good;
};

/* A field that must be n bytes: as it is, or with another length, kind or form. */
static void mutate_field(struct mutation *m, const uint8_t *p, size_t n, bool spoil)
{
    uint8_t other[128] = {0};
    size_t length = mr_random_below(&rig.random, 100);

    memcpy(other, p, n);
    if (!spoil) {
        assert_int_equal(mr_rlp_put_bytes(&m->w, p, n), MR_OK);
        return;
    }
    m->good = false;
    switch (mr_random_below(&rig.random, 5)) {
    case 0: /* another length */
        assert_int_equal(mr_rlp_put_bytes(&m->w, other, length == n ? n + 1 : length), MR_OK);
        break;
    case 1: /* a list of the same payload */
        assert_int_equal(mr_rlp_put_list_head(&m->w, n), MR_OK);
        assert_int_equal(mr_rlp_put_raw(&m->w, other, n), MR_OK);
        break;
    case 2: /* length of a length with a leading zero */
        assert_int_equal(mr_rlp_put_raw(&m->w, (uint8_t[]){0xb9, 0, (uint8_t)n}, 3), MR_OK);
        assert_int_equal(mr_rlp_put_raw(&m->w, other, n), MR_OK);
        break;
    case 3: /* longer than all there is */
        assert_int_equal(mr_rlp_put_raw(&m->w, (uint8_t[]){0xbb, 0xff, 0xff, 0xff, 0xff}, 5),
                         MR_OK);
        assert_int_equal(mr_rlp_put_raw(&m->w, other, n), MR_OK);
        break;
    default: /* missing: the next one stands here, with another length */
        break;
    }
}

static void mutate_tail(struct mutation *m, bool spoil_version)
{
    uint8_t junk[64];
    size_t n = mr_random_below(&rig.random, 200);

    mr_random_fill(&rig.random, junk, sizeof junk);
    if (spoil_version) {
        m->good = false;
        if (junk[0] & 1)
            return; /* none */
        assert_int_equal(mr_rlp_put_list_head(&m->w, 1), MR_OK);
    } else {
        size_t v = mr_random_below(&rig.random, 32); /* 32 could stand for a missing nonce */

        assert_int_equal(mr_rlp_put_bytes(&m->w, junk + 1, v), MR_OK);
    }
    /* Further elements: RLP or not, nobody reads them. */
    while (n-- > 0 && m->w.n < 1200)
        assert_int_equal(mr_rlp_put_raw(&m->w, junk + n % 60, 1 + n % 4), MR_OK);
}

/* Draws a list of fields, at most one of them spoilt, wraps it, and pads it. */
static void mutate(struct mutation *m, bool ack)
{
    static const uint8_t nonce[32] = {8};
    uint64_t spoil = mr_random_below(&rig.random, ack ? 6 : 8); /* above the last: nothing */
    size_t mark, pad;

    m->w = mr_writer(m->plain, sizeof m->plain);
    m->good = true;
    mark = mr_rlp_open(&m->w);
    if (!ack)
        mutate_field(m, sample.sig, 65, spoil == 4);
    mutate_field(m, ack ? sample_ephemeral.pub.b : sample.pub.b, 64, spoil == 0);
    mutate_field(m, ack ? nonce : sample.nonce, 32, spoil == 1);
    mutate_tail(m, spoil == 2);
    assert_int_equal(mr_rlp_close(&m->w, mark), MR_OK);
    if (spoil == 3) { /* the list is a string, or longer than what there is */
        m->good = false;
        if (m->plain[0] == 0xf8 || mr_random_below(&rig.random, 2))
            m->plain[0] = (uint8_t)(m->plain[0] - 0x40);
        else
            m->plain[1] = 0xff;
    }
    pad = mr_random_below(&rig.random, 300) + (ack ? ACK_LIST : AUTH_LIST);
    mr_random_fill(&rig.random, m->plain + m->w.n, pad);
    m->w.n += pad;
}

static void mutations_are_judged_as_they_were_made(void **state)
{
    static struct mutation m;
    unsigned good = 0, bad = 0;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        struct mr_rlpx_handshake hs;
        /* Without the ECDH that a good ack costs, mostly: three of four are auths. */
        bool ack = i % 4 == 3;
        enum mr_err e;

        mutate(&m, ack);
        e = ack ? offer_ack(&hs, mr_writer_span(&m.w)) : offer_auth(&hs, mr_writer_span(&m.w));
        assert_int_equal(e, m.good ? MR_OK : MR_MALFORMED);
        good += m.good, bad += !m.good;
    }
    assert_true(good > 10000);
    assert_true(bad > 10000);
}

static int setup(void **state)
{
    uint8_t auth[PACKET_MAX];

    (void)state;
    packet_rig_init(&rig, 31);
    packet_auth_make(&rig, &sample, &sample_ephemeral);
    packet_initiator(&rig, &waiting, auth);
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
        cmocka_unit_test(only_what_can_hold_the_list_reaches_the_decoder),
        cmocka_unit_test(bad_points_in_an_auth_are_refused_without_use),
        cmocka_unit_test(bad_points_in_an_ack_are_refused_without_use),
        cmocka_unit_test(a_signature_that_recovers_nothing_is_refused),
        cmocka_unit_test(a_stolen_name_gives_keys_that_nobody_has),
        cmocka_unit_test(a_call_from_ourselves_completes_and_says_so),
        cmocka_unit_test(every_prefix_of_a_list_is_refused),
        cmocka_unit_test(any_version_is_accepted),
        cmocka_unit_test(further_elements_are_ignored_up_to_2_kib),
        cmocka_unit_test(any_padding_is_accepted),
        cmocka_unit_test(mutations_are_judged_as_they_were_made),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
