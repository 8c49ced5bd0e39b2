/* rlpx_frames.json: two sessions captured from Besu, opened and sealed again byte for byte, and
 * geth's golden frame. rlpx_eip8_handshake.json: the MAC states that a handshake starts from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/json.h"
#include "tests/net/rlpx/helper_frames.h"

static struct mr_json *load(const char *path)
{
    struct mr_json *j = mr_json_load(NULL, path);

    assert_non_null(j);
    return j;
}

static void hex(const struct mr_json *object, const char *key, void *out, size_t n)
{
    assert_int_equal(mr_json_hex_exact(mr_json_get(object, key), out, n), MR_OK);
}

static void mac_state(const struct mr_json *parts, struct mr_keccak *k)
{
    mr_keccak_init(k);
    for (size_t i = 0; i < mr_json_count(parts); i++) {
        size_t n;
        uint8_t *p = mr_json_hex_dup(mr_json_at(parts, i), &n);

        assert_non_null(p);
        mr_keccak_update(k, p, n);
        free(p);
    }
}

static struct mr_rlpx_secrets secrets_of(const struct mr_json *session)
{
    struct mr_rlpx_secrets s;

    hex(session, "aes_secret", s.aes, 32);
    hex(session, "mac_secret", s.mac, 32);
    mac_state(mr_json_get(session, "ingress_gen"), &s.ingress);
    mac_state(mr_json_get(session, "egress_gen"), &s.egress);
    return s;
}

static void check_message(const struct mr_json *m, struct mr_rlpx_session *ingress,
                          struct mr_rlpx_session *egress)
{
    const char *content = mr_json_string(mr_json_get(m, "content"), NULL);
    struct mr_hash expected, hash;
    size_t n, content_len;
    uint8_t *wire = mr_json_hex_dup(mr_json_get(m, "data"), &n);
    uint8_t *again = malloc(n + 64), *captured = malloc(n);
    struct mr_unseal_job job = {
        .session = ingress, .in = wire, .in_len = n, .size_max = MR_FRAME_SIZE_MAX};
    struct mr_span span;
    struct mr_frame frame;
    struct mr_seal_job seal = {
        .session = egress, .frames = &frame, .frames_count = 1, .out = again, .out_cap = n + 64};
    uint64_t size;

    assert_int_equal(mr_json_u64(mr_json_get(m, "frame_size"), &size), MR_OK);
    memcpy(captured, wire, n);
    mr_rlpx_unseal_one(&job, NULL);
    assert_int_equal(job.result, MR_UNSEAL_FRAME);
    assert_int_equal(job.consumed, n);
    assert_int_equal(job.size, size);
    hex(m, "content_keccak256", expected.b, 32);
    mr_keccak256(&hash, job.payload, job.size);
    assert_memory_equal(hash.b, expected.b, 32);
    if (content) {
        uint8_t *bytes = mr_json_hex_dup(mr_json_get(m, "content"), &content_len);

        assert_int_equal(content_len, size);
        assert_memory_equal(bytes, job.payload, size);
        free(bytes);
    }
    span = mr_span(job.payload, job.size);
    frame = (struct mr_frame){&span, 1, job.size};
    mr_rlpx_seal_one(&seal, NULL);
    assert_int_equal(seal.out_len, n);
    assert_memory_equal(again, captured, n);
    free(wire), free(again), free(captured);
}

static void captured_sessions_open_and_seal_to_the_same_bytes(void **state)
{
    struct mr_json *j = load(MR_TEST_VECTORS "/rlpx_frames.json");
    const struct mr_json *sessions = mr_json_get(j, "sessions");
    size_t messages = 0;

    (void)state;
    for (size_t v = 0; v < MR_COUNT_OF(frames_variants); v++) {
        if (!frames_use(frames_variants[v]))
            continue;
        for (size_t i = 0; i < mr_json_count(sessions); i++) {
            const struct mr_json *session = mr_json_at(sessions, i);
            const struct mr_json *list = mr_json_get(session, "messages");
            struct mr_rlpx_secrets s = secrets_of(session), mirrored = s;
            struct mr_rlpx_session ingress, egress;

            mirrored.egress = s.ingress, mirrored.ingress = s.egress;
            mr_rlpx_session_init(&ingress, &s);
            mr_rlpx_session_init(&egress, &mirrored);
            for (size_t m = 0; m < mr_json_count(list); m++, messages++)
                check_message(mr_json_at(list, m), &ingress, &egress);
        }
    }
    assert_true(messages >= 9);
    mr_json_free(j);
}

/* geth's golden frame was made with a fake MAC, so only its ciphertext can be compared. */
static void the_golden_frame_has_our_ciphertext(void **state)
{
    struct mr_json *j = load(MR_TEST_VECTORS "/rlpx_frames.json");
    const struct mr_json *golden = mr_json_get(j, "golden_fake_mac");
    struct mr_rlpx_secrets s = {.egress.off = 0};
    struct mr_rlpx_session session;
    uint8_t content[6], written[64], out[64];
    struct mr_span span = {content, 6};
    struct mr_frame frame = {&span, 1, 6};
    struct mr_seal_job seal = {
        .session = &session, .frames = &frame, .frames_count = 1, .out = out, .out_cap = 64};

    (void)state;
    hex(golden, "aes_secret", s.aes, 32);
    hex(golden, "mac_secret", s.mac, 32);
    hex(golden, "frame_content", content, 6);
    hex(golden, "written_frame", written, 64);
    mr_rlpx_session_init(&session, &s);
    mr_rlpx_seal_one(&seal, NULL);
    assert_int_equal(seal.out_len, 64);
    assert_memory_equal(out, written, 16);
    assert_memory_equal(out + 32, written + 32, 16);
    mr_json_free(j);
}

static void find_packet(const struct mr_json *j, const char *name, uint8_t **p, size_t *n)
{
    const struct mr_json *packets = mr_json_get(j, "packets");

    for (size_t i = 0; i < mr_json_count(packets); i++) {
        const struct mr_json *packet = mr_json_at(packets, i);

        if (strcmp(mr_json_string(mr_json_get(packet, "name"), NULL), name) == 0)
            *p = mr_json_hex_dup(mr_json_get(packet, "packet"), n);
    }
}

static void handshake_mac_states_give_the_known_digests(void **state)
{
    struct mr_json *j = load(MR_TEST_VECTORS "/rlpx_eip8_handshake.json");
    const struct mr_json *keys = mr_json_get(j, "keys");
    const struct mr_json *derived = mr_json_get(j, "derived_for_auth2_ack2");
    static const char *const cases[][3] = {{"nonce_b", "auth2", "b_ingress_mac_of_foo"},
                                           {"nonce_a", "ack2", "b_egress_mac_of_foo"}};

    (void)state;
    for (size_t c = 0; c < MR_COUNT_OF(cases); c++) {
        uint8_t mac[32], nonce[32], expected[32], digest[32], *packet = NULL;
        struct mr_keccak k;
        size_t n = 0;

        hex(derived, "mac_secret", mac, 32);
        hex(keys, cases[c][0], nonce, 32);
        hex(derived, cases[c][2], expected, 32);
        find_packet(j, cases[c][1], &packet, &n);
        assert_non_null(packet);
        for (int i = 0; i < 32; i++)
            mac[i] ^= nonce[i];
        mr_keccak_init(&k);
        mr_keccak_update(&k, mac, 32);
        mr_keccak_update(&k, packet, n);
        mr_keccak_update(&k, "foo", 3);
        mr_keccak_digest(&k, digest);
        assert_memory_equal(digest, expected, 32);
        free(packet);
    }
    mr_json_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_sessions_open_and_seal_to_the_same_bytes),
        cmocka_unit_test(the_golden_frame_has_our_ciphertext),
        cmocka_unit_test(handshake_mac_states_give_the_known_digests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
