/* EIP-8's packets: every one opens, gives the fields it holds, and the secrets that follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/json.h"
#include "tests/net/rlpx/packets.h"

static struct mr_json *vectors;
static struct mr_secp *secp;
static struct mr_secp_keypair static_a, static_b;
static struct mr_rlpx_ephemerals ephemerals_a, ephemerals_b;
static uint8_t nonce_a[32], nonce_b[32];

static void get(void *out, size_t n, const char *group, const char *name)
{
    const struct mr_json *j = mr_json_get(mr_json_get(vectors, group), name);

    assert_int_equal(mr_json_hex_exact(j, out, n), MR_OK);
}

static const struct mr_json *packet_named(const char *name)
{
    const struct mr_json *packets = mr_json_get(vectors, "packets");

    for (size_t i = 0; i < mr_json_count(packets); i++) {
        const struct mr_json *p = mr_json_at(packets, i);

        if (strcmp(mr_json_string(mr_json_get(p, "name"), NULL), name) == 0)
            return p;
    }
    fail_msg("no packet %s", name);
    return NULL;
}

static size_t packet_bytes(uint8_t out[PACKET_MAX], const char *name)
{
    size_t n;

    assert_int_equal(mr_json_hex(mr_json_get(packet_named(name), "packet"), out, &n, PACKET_MAX),
                     MR_OK);
    return n;
}

/* Gives the vectors' nonce first (the first draw of a node that has its ephemeral keys). */
struct draws {
    const uint8_t *nonce;
    struct mr_random random;
};

static void draw(void *ctx, void *p, size_t n)
{
    struct draws *d = ctx;

    if (!d->nonce) {
        mr_random_fill(&d->random, p, n);
        return;
    }
    assert_int_equal(n, 32);
    memcpy(p, d->nonce, n);
    d->nonce = NULL;
}

static void assert_foo(struct mr_keccak *k, const char *expected)
{
    uint8_t want[32], got[32];

    get(want, 32, "derived_for_auth2_ack2", expected);
    mr_keccak_update(k, "foo", 3);
    mr_keccak_digest(k, got);
    assert_memory_equal(got, want, 32);
}

static void assert_secrets(const struct mr_rlpx_secrets *s)
{
    uint8_t want[32];

    get(want, 32, "derived_for_auth2_ack2", "aes_secret");
    assert_memory_equal(s->aes, want, 32);
    get(want, 32, "derived_for_auth2_ack2", "mac_secret");
    assert_memory_equal(s->mac, want, 32);
}

static void every_envelope_opens_to_its_plaintext(void **state)
{
    const struct mr_json *packets = mr_json_get(vectors, "packets");
    uint8_t packet[PACKET_MAX], plain[PACKET_MAX];

    (void)state;
    assert_int_equal(mr_json_count(packets), 6);
    for (size_t i = 0; i < mr_json_count(packets); i++) {
        const struct mr_json *p = mr_json_at(packets, i);
        bool old = strstr(mr_json_string(mr_json_get(p, "format"), NULL), "pre-EIP-8") != NULL;
        bool to_b = strcmp(mr_json_string(mr_json_get(p, "recipient"), NULL), "b") == 0;
        size_t n = packet_bytes(packet, mr_json_string(mr_json_get(p, "name"), NULL));
        size_t head = old ? 0 : 2, want_n;
        uint8_t *want = mr_json_hex_dup(mr_json_get(p, "plaintext"), &want_n);

        assert_true(mr_ecies_decrypt(secp, plain, to_b ? static_b.key : static_a.key,
                                     mr_span(packet + head, n - head), mr_span(packet, head)));
        assert_int_equal(want_n, n - head - MR_ECIES_OVERHEAD);
        assert_memory_equal(plain, want, want_n);
        free(want);
    }
}

static void the_recipient_reads_auth(const char *name, size_t step)
{
    struct mr_rlpx_handshake hs;
    struct draws d = {.nonce = nonce_b};
    uint8_t packet[PACKET_MAX], sent[PACKET_MAX];
    struct mr_writer out = mr_writer(sent, sizeof sent);
    size_t n = packet_bytes(packet, name);

    mr_random_init(&d.random, 1);
    mr_rlpx_handshake_init_recipient(&hs, secp, &static_b, &ephemerals_b, draw, &d);
    assert_int_equal(packet_feed(&hs, packet, n, step, &out), MR_OK);
    assert_int_equal(hs.phase, MR_RLPX_HANDSHAKE_DONE);
    assert_true(mr_node_id_equal(&hs.remote, &static_a.pub));
    assert_true(mr_node_id_equal(&hs.remote_ephemeral, &ephemerals_a.session.pub));
    assert_memory_equal(hs.remote_nonce, nonce_a, 32);
    assert_false(hs.remote_is_self);
    assert_secrets(&hs.secrets);
    if (strcmp(name, "auth2") == 0)
        assert_foo(&hs.secrets.ingress, "b_ingress_mac_of_foo");
    mr_rlpx_handshake_fini(&hs);
}

static void auth2_and_auth3_are_accepted(void **state)
{
    (void)state;
    the_recipient_reads_auth("auth2", PACKET_MAX);
    the_recipient_reads_auth("auth2", 1);
    the_recipient_reads_auth("auth3", PACKET_MAX);
    the_recipient_reads_auth("auth3", 7);
}

static void the_initiator_reads_ack(const char *name, size_t step)
{
    struct mr_rlpx_handshake hs;
    struct draws d = {.nonce = nonce_a};
    uint8_t packet[PACKET_MAX], sent[PACKET_MAX];
    struct mr_writer out = mr_writer(sent, sizeof sent);
    size_t n = packet_bytes(packet, name);

    mr_random_init(&d.random, 2);
    assert_int_equal(mr_rlpx_handshake_init_initiator(&hs, secp, &static_a, &static_b.pub,
                                                      &ephemerals_a, draw, &d),
                     MR_OK);
    assert_int_equal(mr_rlpx_handshake_start(&hs, &out), MR_OK);
    assert_int_equal(packet_feed(&hs, packet, n, step, NULL), MR_OK);
    assert_int_equal(hs.phase, MR_RLPX_HANDSHAKE_DONE);
    assert_true(mr_node_id_equal(&hs.remote_ephemeral, &ephemerals_b.session.pub));
    assert_memory_equal(hs.remote_nonce, nonce_b, 32);
    assert_secrets(&hs.secrets);
    /* What a hears of b's ack is what b says of it. */
    if (strcmp(name, "ack2") == 0)
        assert_foo(&hs.secrets.ingress, "b_egress_mac_of_foo");
    mr_rlpx_handshake_fini(&hs);
}

static void ack2_and_ack3_are_accepted(void **state)
{
    (void)state;
    the_initiator_reads_ack("ack2", PACKET_MAX);
    the_initiator_reads_ack("ack2", 1);
    the_initiator_reads_ack("ack3", PACKET_MAX);
    the_initiator_reads_ack("ack3", 11);
}

static void packets_older_than_eip_8_are_refused_at_their_third_byte(void **state)
{
    struct mr_rlpx_handshake hs;
    struct draws d = {0};
    uint8_t packet[PACKET_MAX], sent[PACKET_MAX];
    struct mr_writer out = mr_writer(sent, sizeof sent);
    size_t n;

    (void)state;
    mr_random_init(&d.random, 3);
    n = packet_bytes(packet, "auth1");
    mr_rlpx_handshake_init_recipient(&hs, secp, &static_b, NULL, draw, &d);
    assert_int_equal(packet_feed(&hs, packet, n, 1, &out), MR_UNSUPPORTED);
    assert_int_equal(hs.fault, MR_RLPX_HANDSHAKE_FAULT_PLAIN);
    assert_int_equal(hs.phase, MR_RLPX_HANDSHAKE_FAILED);
    assert_int_equal(out.n, 0);

    n = packet_bytes(packet, "ack1");
    assert_int_equal(
        mr_rlpx_handshake_init_initiator(&hs, secp, &static_a, &static_b.pub, NULL, draw, &d),
        MR_OK);
    assert_int_equal(mr_rlpx_handshake_start(&hs, &out), MR_OK);
    assert_int_equal(packet_feed(&hs, packet, n, 1, NULL), MR_UNSUPPORTED);
    assert_int_equal(hs.fault, MR_RLPX_HANDSHAKE_FAULT_PLAIN);
}

static void an_auth_for_another_node_is_refused(void **state)
{
    static const char *const names[] = {"auth2", "auth3", "ack2", "ack3"};
    uint8_t packet[PACKET_MAX], sent[PACKET_MAX];
    struct mr_writer out = mr_writer(sent, sizeof sent);
    struct draws d = {0};

    (void)state;
    mr_random_init(&d.random, 4);
    for (size_t i = 0; i < MR_COUNT_OF(names); i++) {
        struct mr_rlpx_handshake hs;
        size_t n = packet_bytes(packet, names[i]);

        mr_rlpx_handshake_init_recipient(&hs, secp, &static_a, NULL, draw, &d);
        /* An ack opens for a, but holds no signature. */
        assert_int_equal(packet_feed(&hs, packet, n, PACKET_MAX, &out),
                         i < 2 ? MR_AUTH : MR_MALFORMED);
        assert_int_equal(out.n, 0);
    }
}

static int setup(void **state)
{
    uint8_t seed[32] = {5};

    (void)state;
    vectors = mr_json_load(NULL, MR_TEST_VECTORS "/rlpx_eip8_handshake.json");
    secp = mr_secp_create(seed);
    if (!vectors || !secp)
        return -1;
    get(static_a.key, 32, "keys", "static_key_a");
    get(static_b.key, 32, "keys", "static_key_b");
    get(ephemerals_a.session.key, 32, "keys", "ephemeral_key_a");
    get(ephemerals_b.session.key, 32, "keys", "ephemeral_key_b");
    get(nonce_a, 32, "keys", "nonce_a");
    get(nonce_b, 32, "keys", "nonce_b");
    get(static_a.pub.b, 64, "public_keys", "static_a");
    get(static_b.pub.b, 64, "public_keys", "static_b");
    get(ephemerals_a.session.pub.b, 64, "public_keys", "ephemeral_a");
    get(ephemerals_b.session.pub.b, 64, "public_keys", "ephemeral_b");
    memset(ephemerals_a.ecies.key, 0x11, 32);
    memset(ephemerals_b.ecies.key, 0x22, 32);
    return mr_secp_public(secp, &ephemerals_a.ecies.pub, ephemerals_a.ecies.key) &&
                   mr_secp_public(secp, &ephemerals_b.ecies.pub, ephemerals_b.ecies.key)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    mr_json_free(vectors);
    mr_secp_destroy(secp);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_envelope_opens_to_its_plaintext),
        cmocka_unit_test(auth2_and_auth3_are_accepted),
        cmocka_unit_test(ack2_and_ack3_are_accepted),
        cmocka_unit_test(packets_older_than_eip_8_are_refused_at_their_third_byte),
        cmocka_unit_test(an_auth_for_another_node_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
