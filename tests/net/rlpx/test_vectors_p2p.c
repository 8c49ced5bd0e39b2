#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/json.h"
#include "net/rlpx/hello.h"
#include "net/rlpx/transport.h"

static struct mr_json *load(const char *path)
{
    struct mr_json_error err;
    struct mr_json *j = mr_json_load(&err, path);

    if (!j)
        fail_msg("%s: %s", path, err.text);
    return j;
}

static const char *text(const struct mr_json *object, const char *key)
{
    const char *s = mr_json_string(mr_json_get(object, key), NULL);

    assert_non_null(s);
    return s;
}

static void check_hello(const char *name, struct mr_span payload)
{
    static const struct {
        const char *name, *client;
        uint64_t version;
        unsigned capabilities;
    } expected[] = {
        {"hello eth/68 eth/69 snap/1", "Geth/v1.16.3-stable/linux-amd64/go1.24", 5, 3},
        {"hello no caps", "Geth/v1.16.3-stable/linux-amd64/go1.24", 5, 0},
        {"eip8 hello v22", "kneth/v0.91/plan9", 0x37, 2},
    };
    struct mr_hello h;
    char client[MR_HELLO_CLIENT_ID_MAX + 1];

    assert_int_equal(mr_hello_decode(&h, payload), MR_P2P_NONE);
    mr_hello_client_text(client, sizeof client, &h);
    for (size_t i = 0; i < MR_COUNT_OF(expected); i++) {
        if (strcmp(name, expected[i].name) != 0)
            continue;
        assert_int_equal(h.version, expected[i].version);
        assert_int_equal(h.capabilities_count, expected[i].capabilities);
        assert_string_equal(client, expected[i].client);
        return;
    }
    fail_msg("unknown Hello: %s", name);
}

static void check_disconnect(const char *name, struct mr_span payload)
{
    static const struct {
        const char *name;
        unsigned reason;
    } expected[] = {
        {"disconnect reason 4 as list", 4},
        {"disconnect reason 0 as list", 0},
        {"disconnect bare byte (seen in the wild)", 4},
        {"disconnect empty list", MR_REASON_ABSENT},
    };

    for (size_t i = 0; i < MR_COUNT_OF(expected); i++) {
        if (strcmp(name, expected[i].name) == 0) {
            assert_int_equal(mr_disconnect_decode(payload), expected[i].reason);
            return;
        }
    }
    fail_msg("unknown Disconnect: %s", name);
}

static void messages_read_as_published(void **state)
{
    struct mr_json *root = load(MR_TEST_VECTORS "/p2p_messages.json");
    const struct mr_json *messages = mr_json_get(root, "messages");

    (void)state;
    assert_true(mr_json_count(messages) >= 9);
    for (size_t i = 0; i < mr_json_count(messages); i++) {
        const struct mr_json *m = mr_json_at(messages, i);
        uint64_t id;
        size_t n;
        uint8_t *p = mr_json_hex_dup(mr_json_get(m, "rlp"), &n);

        assert_non_null(p);
        assert_int_equal(mr_json_u64(mr_json_get(m, "msg_id"), &id), MR_OK);
        if (id == MR_BASE_HELLO)
            check_hello(text(m, "name"), mr_span(p, n));
        else if (id == MR_BASE_DISCONNECT)
            check_disconnect(text(m, "name"), mr_span(p, n));
        else
            assert_true(mr_ping_check(mr_span(p, n)));
        free(p);
    }
    mr_json_free(root);
}

static void capabilities_have_the_published_lengths(void **state)
{
    struct mr_json *root = load(MR_TEST_VECTORS "/p2p_messages.json");
    const struct mr_json *spaces = mr_json_get(root, "capability_message_space");

    (void)state;
    assert_int_equal(mr_json_count(spaces), mr_protocols_count + 1); /* and a note */
    for (size_t i = 0; i < mr_protocols_count; i++) {
        const struct mr_capability *c = &mr_protocols[i].capability;
        char key[MR_CAPABILITY_TEXT_MAX], name[MR_CAPABILITY_TEXT_MAX];
        uint64_t ids;
        size_t n = 0;

        mr_capability_text(key, c);
        for (const char *at = key; *at; at++) { /* "eth/68" is "eth68" there */
            if (*at != '/')
                name[n++] = *at;
        }
        name[n] = '\0';
        assert_int_equal(mr_json_u64(mr_json_get(spaces, name), &ids), MR_OK);
        assert_int_equal(mr_protocols[i].ids_count, ids);
    }
    mr_json_free(root);
}

/* EIP-8: an unknown version (its text says 22, its bytes 0x37) and three more elements. The same
 * key signed the handshake of that EIP. */
static void the_hello_of_eip_8_is_taken_and_bound_to_its_key(void **state)
{
    struct mr_json *root = load(MR_TEST_VECTORS "/rlpx_eip8_handshake.json");
    struct mr_node_id a, b;
    struct mr_hello h;
    size_t n;
    uint8_t *p = mr_json_hex_dup(mr_json_get(mr_json_get(root, "hello_eip8"), "packet_body"), &n);
    const struct mr_json *keys = mr_json_get(root, "public_keys");

    (void)state;
    assert_non_null(p);
    assert_int_equal(mr_json_hex_exact(mr_json_get(keys, "static_a"), a.b, sizeof a.b), MR_OK);
    assert_int_equal(mr_json_hex_exact(mr_json_get(keys, "static_b"), b.b, sizeof b.b), MR_OK);
    assert_int_equal(mr_hello_decode(&h, mr_span(p, n)), MR_P2P_NONE);
    assert_int_equal(h.version, 0x37);
    assert_int_equal(h.listen_port, 9999);
    assert_int_equal(h.client_id.n, 17);
    assert_memory_equal(h.client_id.p, "kneth/v0.91/plan9", 17);
    assert_int_equal(h.capabilities_count, 2);
    assert_int_equal(mr_hello_check_identity(&h, &a, &b), MR_P2P_NONE);
    assert_int_equal(mr_hello_check_identity(&h, &b, &a), MR_P2P_HELLO_OTHER_ID);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(mr_hello_decode(&h, mr_span(p, cut)), MR_P2P_HELLO_MALFORMED);
    free(p);
    mr_json_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_read_as_published),
        cmocka_unit_test(capabilities_have_the_published_lengths),
        cmocka_unit_test(the_hello_of_eip_8_is_taken_and_bound_to_its_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
