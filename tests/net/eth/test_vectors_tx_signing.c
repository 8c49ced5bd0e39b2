#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/rlp.h"
#include "crypto/secp.h"
#include "net/eth/tx_build.h"
#include "net/eth/tx_check.h"
#include "tests/net/eth/helper_corpus.h"

static int secp_open(void **state)
{
    static const uint8_t seed[32] = {2};

    *state = mr_secp_create(seed);
    return *state ? 0 : -1;
}

static int secp_close(void **state)
{
    mr_secp_destroy(*state);
    return 0;
}

static const char *text(const struct mr_json *c, const char *key)
{
    return mr_json_string(mr_json_get(c, key), NULL);
}

static void valid_ones_have_their_hash_and_sender(void **state)
{
    struct mr_json *v = vectors_load("tx_signing.json");
    const struct mr_json *cases = mr_json_get(v, "valid");
    size_t signing_hashes = 0;

    assert_int_equal(mr_json_count(cases), 33);
    for (size_t i = 0; i < mr_json_count(cases); i++) {
        const struct mr_json *c = mr_json_at(cases, i);
        struct mr_address sender;
        struct mr_hash h;
        struct mr_tx tx;
        uint64_t number;
        size_t n;
        uint8_t *raw = hex_dup(&n, text(c, "raw"));

        if (mr_tx_decode_raw(&tx, raw, n) != MR_OK)
            fail_msg("%s", text(c, "name"));
        mr_tx_hash(&tx, &h);
        assert_true(hex_is(text(c, "hash"), h.b, sizeof h.b));
        assert_true(mr_tx_sender(&tx, &sender, *state));
        assert_true(hex_is(text(c, "sender"), sender.b, sizeof sender.b));
        assert_int_equal(mr_json_u64(mr_json_get(c, "type"), &number), MR_OK);
        assert_int_equal(tx.type, number);
        if (mr_json_u64(mr_json_get(c, "chain_id"), &number) == MR_OK)
            assert_int_equal(tx.chain_id, number);
        else
            assert_true(tx.unprotected);
        if (text(c, "signing_hash")) {
            assert_true(mr_tx_signing_hash(&tx, &h));
            assert_true(hex_is(text(c, "signing_hash"), h.b, sizeof h.b));
            signing_hashes++;
        }
        if (mr_json_u64(mr_json_get(c, "authorizations"), &number) == MR_OK)
            assert_int_equal(tx.authorizations_count, number);
        if (mr_json_get(c, "blob_versioned_hashes")) {
            assert_int_equal(tx.blob_hashes.n, 1);
            assert_true(
                hex_is(mr_json_string(mr_json_at(mr_json_get(c, "blob_versioned_hashes"), 0), NULL),
                       mr_items_at(&tx.blob_hashes, 0), 32));
        }
        if (text(c, "in_block_body")) { /* the same as an element of a list */
            uint8_t item[1024];
            struct mr_writer w = mr_writer(item, sizeof item);
            size_t item_n;
            uint8_t *expected = hex_dup(&item_n, text(c, "in_block_body"));

            assert_int_equal(mr_tx_put_item(&w, &tx), MR_OK);
            assert_int_equal(w.n, item_n);
            assert_memory_equal(w.p, expected, item_n);
            free(expected);
        }
        free(raw);
    }
    assert_int_equal(signing_hashes, 2);
    mr_json_free(v);
}

/* In the file's order: the error of decoding, or the verdict. */
static const struct {
    enum mr_err e;
    enum mr_tx_verdict v;
} invalid[] = {
    {MR_OK, MR_TX_VERDICT_SIGNATURE_HIGH_S}, /* high s */
    {MR_OK, MR_TX_VERDICT_SIGNATURE_R},      /* r = 0 */
    {MR_OK, MR_TX_VERDICT_SIGNATURE_S},      /* s = 0 */
    {MR_OK, MR_TX_VERDICT_SIGNATURE_R},      /* r = n */
    {MR_OK, MR_TX_VERDICT_SIGNATURE_V},      /* v = 26 */
    {MR_OK, MR_TX_VERDICT_SIGNATURE_V},      /* v = 29 */
    {MR_OK, MR_TX_VERDICT_CHAIN_ID},         /* v = 35: chain 0 */
    {MR_MALFORMED, 0},                       /* nonce with leading zero */
    {MR_MALFORMED, 0},                       /* 19-byte to */
    {MR_MALFORMED, 0},                       /* 8 fields */
    {MR_MALFORMED, 0},                       /* 10 fields */
    {MR_UNSUPPORTED, 0},                     /* type 5 */
    {MR_UNSUPPORTED, 0},                     /* type 0 envelope */
    {MR_MALFORMED, 0},                       /* 0x80 */
    {MR_OK, MR_TX_VERDICT_SIGNATURE_V},      /* y parity 2 */
    {MR_MALFORMED, 0},                       /* trailing byte */
};

static void invalid_ones_are_refused_for_their_reason(void **state)
{
    struct mr_json *v = vectors_load("tx_signing.json");
    const struct mr_json *cases = mr_json_get(v, "invalid");
    struct mr_rules rules;

    (void)state;
    assert_int_equal(mr_json_count(cases), MR_COUNT_OF(invalid));
    assert_true(mr_rules_by_name(&rules, mr_network_find("mainnet"), "bpo2"));
    for (size_t i = 0; i < mr_json_count(cases); i++) {
        const struct mr_json *c = mr_json_at(cases, i);
        struct mr_tx tx;
        size_t n;
        uint8_t *raw = hex_dup(&n, text(c, "raw"));
        enum mr_err e = mr_tx_decode_raw(&tx, raw, n);

        if (e != invalid[i].e)
            fail_msg("%s: %s", text(c, "name"), mr_err_name(e));
        if (e == MR_OK && mr_tx_check(&tx, &rules) != invalid[i].v)
            fail_msg("%s: %s", text(c, "name"), mr_tx_verdict_name(mr_tx_check(&tx, &rules)));
        free(raw);
    }
    mr_json_free(v);
}

/* Fields taken from a decoded transaction, as far as its type has them. */
static void fields_of(struct mr_tx_fields *f, struct mr_authorization *auths,
                      struct mr_hash *hashes, const struct mr_tx *tx)
{
    *f = (struct mr_tx_fields){
        .type = tx->type,
        .unprotected = tx->unprotected,
        .creation = tx->creation,
        .chain_id = tx->chain_id,
        .nonce = tx->nonce,
        .gas = tx->gas,
        .tip = tx->tip,
        .fee_cap = tx->fee_cap,
        .blob_fee_cap = tx->blob_fee_cap,
        .value = tx->value,
        .to = tx->to,
        .data = tx->data,
        .access_list = tx->access_list,
        .blob_hashes = hashes,
        .blob_hashes_count = tx->blob_hashes.n,
        .authorizations = auths,
        .authorizations_count = tx->authorizations_count,
    };
    struct mr_reader list = mr_reader_of(tx->authorizations);
    for (size_t i = 0; i < tx->blob_hashes.n; i++)
        memcpy(hashes[i].b, mr_items_at(&tx->blob_hashes, i), 32);
    for (size_t i = 0; i < tx->authorizations_count; i++) {
        struct mr_reader t;
        uint64_t parity;

        assert_int_equal(mr_rlp_list(&list, &t), MR_OK);
        assert_int_equal(mr_rlp_u64(&t, &auths[i].chain_id), MR_OK);
        assert_int_equal(mr_rlp_fixed(&t, auths[i].address.b, 20), MR_OK);
        assert_int_equal(mr_rlp_u64(&t, &auths[i].nonce), MR_OK);
        assert_int_equal(mr_rlp_u64(&t, &parity), MR_OK);
        assert_int_equal(mr_rlp_u256(&t, &auths[i].r), MR_OK);
        assert_int_equal(mr_rlp_u256(&t, &auths[i].s), MR_OK);
        auths[i].y_parity = (uint8_t)parity;
    }
}

static void building_eip_155s_example_gives_its_bytes(void **state)
{
    struct mr_json *v = vectors_load("tx_signing.json");
    const struct mr_json *c = mr_json_at(mr_json_get(v, "valid"), 0);
    uint8_t out[256], key[32];
    struct mr_writer w = mr_writer(out, sizeof out);
    struct mr_tx_fields f;
    struct mr_tx tx;
    size_t n;
    uint8_t *raw = hex_dup(&n, text(c, "raw"));

    assert_int_equal(mr_json_hex_exact(mr_json_get(c, "private_key"), key, sizeof key), MR_OK);
    assert_int_equal(mr_tx_decode_raw(&tx, raw, n), MR_OK);
    fields_of(&f, NULL, NULL, &tx);
    assert_int_equal(mr_tx_build(&w, &f, *state, key), MR_OK);
    assert_int_equal(w.n, n);
    assert_memory_equal(out, raw, n);
    free(raw);
    mr_json_free(v);
}

/* Signed anew with another key, every part but the signature is the same bytes. */
static void rebuilding_the_valid_ones_keeps_what_was_signed(void **state)
{
    static const uint8_t key[32] = {[31] = 7};
    struct mr_json *v = vectors_load("tx_signing.json");
    const struct mr_json *cases = mr_json_get(v, "valid");

    for (size_t i = 0; i < mr_json_count(cases); i++) {
        const struct mr_json *c = mr_json_at(cases, i);
        struct mr_authorization auths[8];
        struct mr_hash hashes[8], before, after;
        struct mr_address sender;
        uint8_t out[2048];
        struct mr_writer w = mr_writer(out, sizeof out), small;
        struct mr_tx_fields f;
        struct mr_tx tx, again;
        size_t n;
        uint8_t *raw = hex_dup(&n, text(c, "raw"));

        assert_int_equal(mr_tx_decode_raw(&tx, raw, n), MR_OK);
        fields_of(&f, auths, hashes, &tx);
        assert_int_equal(mr_tx_build(&w, &f, *state, key), MR_OK);
        assert_int_equal(mr_tx_decode_raw(&again, w.p, w.n), MR_OK);
        assert_int_equal(again.fields.n, tx.fields.n);
        assert_memory_equal(again.fields.p, tx.fields.p, tx.fields.n);
        assert_true(mr_tx_signing_hash(&tx, &before));
        assert_true(mr_tx_signing_hash(&again, &after));
        assert_memory_equal(&before, &after, sizeof before);
        assert_true(mr_tx_sender(&again, &sender, *state));
        /* the address of key 7 */
        assert_true(hex_is("d41c057fd1c78805aac12b0a94a405c0461a6fbb", sender.b, 20));
        for (size_t cut = 0; cut < w.n; cut += 7) {
            uint8_t few[2048];

            small = mr_writer(few, cut);
            assert_int_equal(mr_tx_build(&small, &f, *state, key), MR_FULL);
            assert_int_equal(small.n, 0);
        }
        free(raw);
    }
    mr_json_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_ones_have_their_hash_and_sender),
        cmocka_unit_test(invalid_ones_are_refused_for_their_reason),
        cmocka_unit_test(building_eip_155s_example_gives_its_bytes),
        cmocka_unit_test(rebuilding_the_valid_ones_keeps_what_was_signed),
    };

    return cmocka_run_group_tests(tests, secp_open, secp_close);
}
