#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/hex.h"
#include "core/random.h"
#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "node/decode.h"

struct fixture {
    struct mr_tx_judge judge;
    struct mr_secp *secp;
    struct mr_json *signing;
};

static int setup(void **state)
{
    static const uint8_t seed[32] = {1};
    struct fixture *f = calloc(1, sizeof *f);

    mr_keccak_select();
    f->secp = mr_secp_create(seed);
    f->judge.secp = f->secp;
    f->judge.now.n = 1;
    assert_true(mr_rules_by_name(&f->judge.now.rules[0], mr_network_find("mainnet"), "bpo2"));
    f->signing = mr_json_load(NULL, MR_TEST_VECTORS "/tx_signing.json");
    assert_non_null(f->signing);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    mr_json_free(f->signing);
    mr_secp_destroy(f->secp);
    free(f);
    return 0;
}

static const char *text_of(const struct mr_json *o, const char *key)
{
    return mr_json_string(mr_json_get(o, key), NULL);
}

static void vectors_give_their_hash_and_sender(void **state)
{
    struct fixture *f = *state;
    const struct mr_json *all = mr_json_get(f->signing, "valid");

    assert_true(mr_json_count(all) > 20);
    for (size_t i = 0; i < mr_json_count(all); i++) {
        const struct mr_json *row = mr_json_at(all, i);
        struct mr_json *o = mr_json_new_object();
        struct mr_decode_error error;
        struct mr_tx_report r;
        uint64_t type;
        size_t n;
        uint8_t *raw = mr_json_hex_dup(mr_json_get(row, "raw"), &n);

        assert_true(mr_decode_tx(&r, &error, &f->judge, mr_span(raw, n)));
        assert_false(mr_decode_tx_blame(&error, mr_span(raw, n)));
        mr_tx_report_json(o, &r);
        assert_string_equal(text_of(o, "hash") + 2, text_of(row, "hash"));
        assert_string_equal(text_of(o, "sender") + 2, text_of(row, "sender"));
        assert_int_equal(mr_json_u64(mr_json_get(row, "type"), &type), MR_OK);
        assert_int_equal(r.type, type);
        assert_int_equal(r.size, n);
        mr_json_free(o);
        free(raw);
    }
}

static void invalid_vectors_are_refused_with_a_reason(void **state)
{
    struct fixture *f = *state;
    const struct mr_json *all = mr_json_get(f->signing, "invalid");
    size_t blob_less = 0;

    assert_true(mr_json_count(all) > 10);
    for (size_t i = 0; i < mr_json_count(all); i++) {
        struct mr_decode_error error = {.text = ""};
        struct mr_tx_report r;
        size_t n;
        uint8_t *raw = mr_json_hex_dup(mr_json_get(mr_json_at(all, i), "raw"), &n);
        bool decoded = mr_decode_tx(&r, &error, &f->judge, mr_span(raw, n));

        if (decoded && r.verdict == MR_TX_VERDICT_OK)
            fail_msg("accepted: %s", text_of(mr_json_at(all, i), "name"));
        if (!decoded) {
            assert_true(error.text[0] != 0);
            assert_true(mr_decode_tx_blame(&error, mr_span(raw, n)));
            assert_true(error.offset <= n);
        }
        blob_less += decoded && r.blobs_missing;
        free(raw);
    }
    assert_int_equal(blob_less, 0);
}

/* The one place that explains must agree with the one that decides. */
static void whatever_is_no_transaction_has_a_field_to_blame(void **state)
{
    struct fixture *f = *state;
    const struct mr_json *all = mr_json_get(f->signing, "valid");
    struct mr_random random;

    mr_random_init(&random, 1);
    for (size_t i = 0; i < mr_json_count(all); i++) {
        struct mr_decode_error error;
        struct mr_tx tx;
        size_t n;
        uint8_t *raw = mr_json_hex_dup(mr_json_get(mr_json_at(all, i), "raw"), &n);

        for (size_t k = 0; k < n; k++)
            assert_true(mr_decode_tx_blame(&error, mr_span(raw, k)));
        for (size_t k = 0; k < 20000 / (n / 64 + 1); k++) {
            size_t at = mr_random_below(&random, n);
            uint8_t old = raw[at];
            bool decoded;

            raw[at] = (uint8_t)mr_random_u64(&random);
            decoded = mr_tx_decode_raw(&tx, raw, n) == MR_OK;
            if (mr_decode_tx_blame(&error, mr_span(raw, n)) == decoded)
                fail_msg("vector %zu, byte %zu = %02x: %s", i, at, raw[at],
                         decoded ? error.text : "nothing to blame");
            assert_true(decoded || error.offset <= n);
            raw[at] = old;
        }
        free(raw);
    }
}

static void blame_names_the_field(void **state)
{
    static const struct {
        const char *hex, *text;
        size_t offset;
    } rows[] = {
        {"", "no bytes at all", 0},
        {"b8",
         "starts with 0xb8: neither a type, which is below 0x80, nor the list of a legacy "
         "transaction",
         0},
        {"05c0", "transactions of type 5 are not known", 0},
        {"02", "an item is missing: the input ends", 1},
        {"0280", "transaction: bytes, not a list", 1},
        {"02c0", "chain id: missing: its list ends before it", 2},
        {"02c101", "nonce: missing: its list ends before it", 3},
        {"02c20100", "nonce: a number with leading zeros", 3},
        {"02cb0189010101010101010101", "nonce: a number over 64 bits", 3},
        {"02c6018080808041", "to: an address has 20 bytes", 7},
        {"02c9018080808080808001", "access list: bytes, not a list", 10},
        {"02cb0180808080808080c2c101", "access list, address: an address has 20 bytes", 12},
        {"c9808080808080808080", NULL, 0},
        {"ca80808080808080808080", "transaction: an element too many", 10},
        {"c9808080808080c08080", "v: a list, not bytes", 7},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_decode_error error;
        uint8_t bytes[64];
        size_t n;

        assert_int_equal(mr_hex_decode(bytes, &n, sizeof bytes, rows[i].hex, strlen(rows[i].hex)),
                         MR_OK);
        if (rows[i].text == NULL) {
            assert_false(mr_decode_tx_blame(&error, mr_span(bytes, n)));
            continue;
        }
        if (!mr_decode_tx_blame(&error, mr_span(bytes, n)) ||
            strcmp(error.text, rows[i].text) != 0 || error.offset != rows[i].offset)
            fail_msg("%s: %s at %zu", rows[i].hex, error.text, error.offset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_give_their_hash_and_sender),
        cmocka_unit_test(invalid_vectors_are_refused_with_a_reason),
        cmocka_unit_test(whatever_is_no_transaction_has_a_field_to_blame),
        cmocka_unit_test(blame_names_the_field),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
