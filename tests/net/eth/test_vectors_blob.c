#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "crypto/kzg.h"
#include "crypto/secp.h"
#include "net/eth/tx_build.h"
#include "net/eth/tx_check.h"
#include "tests/net/eth/helper_corpus.h"

struct tools {
    struct mr_secp *secp;
    struct mr_kzg *kzg;
};

static int tools_open(void **state)
{
    static const uint8_t seed[32] = {5};
    static struct tools tools;

    tools.secp = mr_secp_create(seed);
    tools.kzg = mr_kzg_load();
    *state = &tools;
    return tools.secp ? 0 : -1;
}

static int tools_close(void **state)
{
    struct tools *t = *state;

    mr_secp_destroy(t->secp);
    mr_kzg_free(t->kzg);
    return 0;
}

static struct mr_kzg_items items(const struct mr_items *a)
{
    return (struct mr_kzg_items){a->first, a->stride};
}

static enum mr_kzg_result prove(const struct mr_tx *tx, const struct tools *t)
{
    const struct mr_sidecar *s = &tx->sidecar;

    return (s->wrapper == MR_WRAPPER_V1 ? mr_kzg_verify_cells : mr_kzg_verify_blobs)(
        t->kzg, s->blobs.n, items(&s->blobs), items(&s->commitments), items(&s->proofs));
}

static struct mr_rules rules_of(const char *network, const char *fork, uint64_t chain_id)
{
    struct mr_rules r;

    assert_true(mr_rules_by_name(&r, mr_network_find(network), fork));
    r.chain_id = chain_id;
    return r;
}

/* Hash, sender and counts of a corpus's every record; cheap and KZG verdicts as given. */
static void corpus_check(const char *name, size_t records, const char *network, const char *fork,
                         enum mr_kzg_result proofs, const struct tools *t)
{
    struct mr_span record;
    struct corpus c;
    size_t n = 0;

    if (!corpus_open(&c, name))
        skip();
    for (; corpus_next(&c, &record); n++) {
        struct mr_address sender;
        struct mr_rules rules;
        enum mr_tx_verdict v;
        struct mr_hash h;
        struct mr_tx tx;

        assert_int_equal(mr_tx_decode_raw(&tx, record.p, record.n), MR_OK);
        mr_tx_hash(&tx, &h);
        assert_true(hex_is(c.column[1], h.b, sizeof h.b));
        assert_true(mr_tx_sender(&tx, &sender, t->secp));
        assert_true(hex_is(c.column[2], sender.b, sizeof sender.b));
        assert_int_equal(tx.chain_id, atoll(c.column[3]));
        assert_int_equal(tx.sidecar.blobs.n, atoi(c.column[4]));
        assert_int_equal(tx.sidecar.wrapper, atoi(c.column[5]));
        assert_int_equal(tx.sidecar.proofs.n, atoi(c.column[6]));
        assert_int_equal(mr_tx_size_network(&tx), atoi(c.column[7]));
        rules = rules_of(network, fork, tx.chain_id);
        assert_int_equal(mr_tx_check(&tx, &rules), MR_TX_VERDICT_OK);
        v = mr_tx_check_sidecar(&tx, &rules);
        /* A changed commitment shows in its hash already. */
        assert_true(v == MR_TX_VERDICT_OK ||
                    (proofs == MR_KZG_INVALID && v == MR_TX_VERDICT_SIDECAR_HASH));
        if (t->kzg)
            assert_int_equal(prove(&tx, t), proofs);
    }
    assert_int_equal(n, records);
    corpus_close(&c);
}

static void real_v0_sidecars_are_valid_11_of_11(void **state)
{
    corpus_check("blob_txs_network_v0", 11, "mainnet", "prague", MR_KZG_VALID, *state);
}

static void v1_sidecars_are_valid_2_of_2(void **state)
{
    corpus_check("blob_txs_network_v1", 2, "sepolia", "bpo2", MR_KZG_VALID, *state);
}

static void invalid_v1_sidecars_are_refused_3_of_3(void **state)
{
    corpus_check("blob_txs_network_v1_invalid", 3, "sepolia", "bpo2", MR_KZG_INVALID, *state);
}

/* Sepolia today asks for v1, mainnet's v0 sidecars are refused there and then. */
static void the_fork_chooses_the_form(void **state)
{
    static const char *const names[] = {"blob_txs_network_v0", "blob_txs_network_v1"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct mr_span record;
        struct mr_rules rules;
        struct corpus c;
        struct mr_tx tx;

        if (!corpus_open(&c, names[i]))
            skip();
        assert_true(corpus_next(&c, &record));
        assert_int_equal(mr_tx_decode_raw(&tx, record.p, record.n), MR_OK);
        rules = rules_of("mainnet", "prague", tx.chain_id);
        assert_int_equal(mr_tx_check_sidecar(&tx, &rules),
                         i == 0 ? MR_TX_VERDICT_OK : MR_TX_VERDICT_SIDECAR_VERSION);
        rules = rules_of("mainnet", "osaka", tx.chain_id);
        assert_int_equal(mr_tx_check_sidecar(&tx, &rules),
                         i == 1 ? MR_TX_VERDICT_OK : MR_TX_VERDICT_SIDECAR_VERSION);
        corpus_close(&c);
    }
}

static const char *text(const struct mr_json *c, const char *key)
{
    return mr_json_string(mr_json_get(c, key), NULL);
}

/* cells_eth72.json: the item of PooledTransactions as geth wants it from eth/72 on. */
static void an_elided_sidecar_is_read_and_written_as_the_vector_has_it(void **state)
{
    struct mr_json *v = vectors_load("cells_eth72.json");
    struct mr_rules rules = rules_of("mainnet", "bpo2", 1);
    static uint8_t item[32768];
    struct mr_writer w = mr_writer(item, sizeof item);
    size_t n, consensus_n;
    uint8_t *raw = hex_dup(&n, text(v, "eth72_pooled_tx"));
    uint8_t *consensus = hex_dup(&consensus_n, text(v, "consensus_tx_raw"));
    struct mr_reader in;
    struct mr_hash h;
    struct mr_tx tx, again;

    (void)state;
    assert_int_equal(mr_tx_decode_raw(&tx, raw, n), MR_OK);
    mr_tx_hash(&tx, &h);
    assert_true(hex_is(text(v, "tx_hash"), h.b, sizeof h.b));
    assert_int_equal(mr_tx_size_consensus(&tx), consensus_n);
    assert_memory_equal(tx.list.p, consensus + 1, consensus_n - 1);
    assert_true(mr_sidecar_elided(&tx.sidecar));
    assert_int_equal(tx.sidecar.commitments.n, 2);
    assert_int_equal(tx.sidecar.proofs.n, 256);
    assert_int_equal(mr_tx_size_elided(&tx), n);
    assert_int_equal(mr_tx_check(&tx, &rules), MR_TX_VERDICT_OK);
    assert_int_equal(mr_tx_check_sidecar_elided(&tx, &rules), MR_TX_VERDICT_OK);
    assert_int_equal(mr_tx_check_sidecar(&tx, &rules), MR_TX_VERDICT_BLOBS_MISSING);
    assert_int_equal(mr_tx_put_elided(&w, &tx), MR_OK);
    in = mr_reader(w.p, w.n);
    assert_int_equal(mr_tx_decode_item(&in, &again), MR_OK);
    assert_int_equal(again.raw.n, n);
    assert_memory_equal(again.raw.p, raw, n);
    free(raw);
    free(consensus);
    mr_json_free(v);
}

/* The same transaction with its blobs (from its v0 form) and its cell proofs. */
static void the_vectors_v1_form_is_rebuilt_and_elides_to_its_item(void **state)
{
    const struct tools *t = *state;
    struct mr_json *v = vectors_load("cells_eth72.json");
    const struct mr_json *form = mr_json_get(v, "v1_network_form");
    static uint8_t out[300000], item[32768], blobs[2 * MR_BLOB_SIZE];
    struct mr_writer w = mr_writer(out, sizeof out), e = mr_writer(item, sizeof item);
    struct mr_reader in;
    struct mr_span record;
    uint64_t length;
    struct corpus c;
    struct mr_tx tx, elided;
    struct mr_hash h;
    uint8_t *raw;
    size_t n;

    if (!corpus_open(&c, "blob_txs_network_v0")) {
        mr_json_free(v);
        skip();
    }
    for (size_t i = 0; i <= 6; i++)
        assert_true(corpus_next(&c, &record));
    assert_int_equal(mr_tx_decode_raw(&tx, record.p, record.n), MR_OK);
    for (size_t i = 0; i < 2; i++)
        memcpy(blobs + i * MR_BLOB_SIZE, mr_items_at(&tx.sidecar.blobs, i), MR_BLOB_SIZE);
    raw = hex_dup(&n, text(v, "eth72_pooled_tx"));
    assert_int_equal(mr_tx_decode_raw(&elided, raw, n), MR_OK);
    {
        static uint8_t consensus[512], commitments[2 * 48], proofs[256 * 48];

        consensus[0] = MR_TX_BLOB;
        memcpy(consensus + 1, elided.list.p, elided.list.n);
        for (size_t i = 0; i < 2; i++)
            memcpy(commitments + i * 48, mr_items_at(&elided.sidecar.commitments, i), 48);
        for (size_t i = 0; i < 256; i++)
            memcpy(proofs + i * 48, mr_items_at(&elided.sidecar.proofs, i), 48);
        assert_int_equal(mr_tx_build_blob_wrapper(
                             &w, MR_WRAPPER_V1, mr_span(consensus, 1 + elided.list.n),
                             mr_span(blobs, sizeof blobs), mr_span(commitments, sizeof commitments),
                             mr_span(proofs, sizeof proofs)),
                         MR_OK);
    }
    assert_int_equal(mr_json_u64(mr_json_get(form, "length"), &length), MR_OK);
    assert_int_equal(w.n, length);
    mr_keccak256(&h, w.p, w.n);
    assert_true(hex_is(text(form, "keccak256"), h.b, sizeof h.b));
    assert_int_equal(mr_tx_decode_raw(&tx, w.p, w.n), MR_OK);
    assert_int_equal(mr_tx_put_elided(&e, &tx), MR_OK);
    in = mr_reader(e.p, e.n);
    assert_int_equal(mr_tx_decode_item(&in, &elided), MR_OK);
    assert_int_equal(elided.raw.n, n);
    assert_memory_equal(elided.raw.p, raw, n);
    if (t->kzg)
        assert_int_equal(prove(&tx, t), MR_KZG_VALID);
    free(raw);
    corpus_close(&c);
    mr_json_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_v0_sidecars_are_valid_11_of_11),
        cmocka_unit_test(v1_sidecars_are_valid_2_of_2),
        cmocka_unit_test(invalid_v1_sidecars_are_refused_3_of_3),
        cmocka_unit_test(the_fork_chooses_the_form),
        cmocka_unit_test(an_elided_sidecar_is_read_and_written_as_the_vector_has_it),
        cmocka_unit_test(the_vectors_v1_form_is_rebuilt_and_elides_to_its_item),
    };

    return cmocka_run_group_tests(tests, tools_open, tools_close);
}
