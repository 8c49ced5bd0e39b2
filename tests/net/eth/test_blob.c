#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>

#include "crypto/secp.h"
#include "net/eth/tx_build.h"
#include "net/eth/tx_check.h"

static const uint8_t key[32] = {[31] = 11};

/* Proofs are not looked at here: any bytes do. */
#define BLOBS 8
static uint8_t blobs[BLOBS * MR_BLOB_SIZE], commitments[BLOBS * MR_COMMITMENT_SIZE];
static uint8_t proofs[BLOBS * MR_CELLS_PER_BLOB * MR_PROOF_SIZE];
static struct mr_hash hashes[BLOBS];
static uint8_t consensus_bytes[2048], wrapped[2 << 20];

static int setup(void **state)
{
    static const uint8_t seed[32] = {4};

    for (size_t i = 0; i < BLOBS; i++) {
        commitments[i * MR_COMMITMENT_SIZE] = (uint8_t)(0xc0 + i);
        if (!mr_versioned_hash(&hashes[i], commitments + i * MR_COMMITMENT_SIZE))
            return -1;
    }
    *state = mr_secp_create(seed);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    mr_secp_destroy(*state);
    return 0;
}

static struct mr_span consensus(size_t n, const struct mr_secp *secp)
{
    struct mr_writer w = mr_writer(consensus_bytes, sizeof consensus_bytes);
    struct mr_tx_fields f = {
        .type = MR_TX_BLOB,
        .chain_id = 1,
        .gas = 21000,
        .fee_cap = mr_u256_of(7),
        .blob_fee_cap = mr_u256_of(1),
        .blob_hashes = hashes,
        .blob_hashes_count = n,
    };

    assert_int_equal(mr_tx_build(&w, &f, secp, key), MR_OK);
    return mr_writer_span(&w);
}

static struct mr_span wrap(enum mr_wrapper wrapper, size_t hashes_n, size_t blobs_n,
                           size_t commitments_n, size_t proofs_n, const struct mr_secp *secp)
{
    struct mr_writer w = mr_writer(wrapped, sizeof wrapped);

    assert_int_equal(
        mr_tx_build_blob_wrapper(&w, wrapper, consensus(hashes_n, secp),
                                 mr_span(blobs, blobs_n * MR_BLOB_SIZE),
                                 mr_span(commitments, commitments_n * MR_COMMITMENT_SIZE),
                                 mr_span(proofs, proofs_n * MR_PROOF_SIZE)),
        MR_OK);
    return mr_writer_span(&w);
}

static struct mr_rules rules_of(const char *fork)
{
    struct mr_rules r;

    assert_true(mr_rules_by_name(&r, mr_network_find("mainnet"), fork));
    return r;
}

static void both_forms_are_read_and_hash_as_the_consensus_form(void **state)
{
    for (int v = MR_WRAPPER_V0; v <= MR_WRAPPER_V1; v++) {
        size_t per_blob = v ? MR_CELLS_PER_BLOB : 1;
        struct mr_span whole = wrap((enum mr_wrapper)v, 2, 2, 2, 2 * per_blob, *state);
        struct mr_span inner = mr_span(consensus_bytes, consensus(2, *state).n), parts[2];
        struct mr_address a, b;
        struct mr_hash x, y;
        struct mr_tx tx, bare;

        assert_int_equal(mr_tx_decode_raw(&tx, whole.p, whole.n), MR_OK);
        assert_int_equal(mr_tx_decode_raw(&bare, inner.p, inner.n), MR_OK);
        assert_int_equal(tx.sidecar.wrapper, v);
        assert_int_equal(bare.sidecar.wrapper, MR_WRAPPER_NONE);
        assert_int_equal(tx.sidecar.blobs.n, 2);
        assert_int_equal(tx.sidecar.commitments.n, 2);
        assert_int_equal(tx.sidecar.proofs.n, 2 * per_blob);
        assert_memory_equal(mr_items_at(&tx.sidecar.commitments, 1),
                            commitments + MR_COMMITMENT_SIZE, MR_COMMITMENT_SIZE);
        mr_tx_hash(&tx, &x);
        mr_tx_hash(&bare, &y);
        assert_memory_equal(&x, &y, sizeof x);
        assert_int_equal(mr_tx_hash_input(&tx, parts), 2);
        assert_int_equal(parts[0].n + parts[1].n, inner.n);
        assert_int_equal(mr_tx_hash_input(&bare, parts), 1);
        assert_true(mr_tx_sender(&tx, &a, *state));
        assert_true(mr_tx_sender(&bare, &b, *state));
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(mr_tx_size_consensus(&tx), inner.n);
        assert_int_equal(mr_tx_size_network(&tx), whole.n);
        assert_int_equal(mr_tx_size_network(&bare), inner.n);
        assert_int_equal(mr_tx_size_elided(&bare), inner.n);
    }
}

/* E-12: what a sidecar can lack or have too much of. */
static void sidecars_are_refused_for_their_reason(void **state)
{
    static const struct {
        const char *fork;
        enum mr_wrapper wrapper;
        size_t hashes, blobs, commitments, proofs;
        enum mr_tx_verdict tx, sidecar;
    } rows[] = {
        {"bpo2", 1, 1, 1, 1, 128, 0, 0},
        {"bpo2", 1, 6, 6, 6, 768, 0, 0},
        {"bpo2", 1, 7, 7, 7, 896, MR_TX_VERDICT_BLOBS_MANY, 0},
        {"bpo2", 1, 0, 0, 0, 0, MR_TX_VERDICT_BLOBS_NONE, 0},
        {"bpo2", 0, 1, 1, 1, 1, 0, MR_TX_VERDICT_SIDECAR_VERSION},
        {"osaka", 0, 1, 1, 1, 1, 0, MR_TX_VERDICT_SIDECAR_VERSION},
        {"prague", 1, 1, 1, 1, 128, 0, MR_TX_VERDICT_SIDECAR_VERSION},
        {"cancun", 1, 1, 1, 1, 128, 0, MR_TX_VERDICT_SIDECAR_VERSION},
        {"prague", 0, 1, 1, 1, 1, 0, 0},
        {"cancun", 0, 6, 6, 6, 6, 0, 0},
        {"cancun", 0, 7, 7, 7, 7, MR_TX_VERDICT_BLOBS_MANY, 0},
        {"prague", 0, 7, 7, 7, 7, 0, 0},
        {"prague", 0, 8, 8, 8, 8, 0, MR_TX_VERDICT_SIDECAR_SIZE},
        {"bpo2", 1, 2, 1, 2, 256, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"bpo2", 1, 2, 3, 2, 256, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"bpo2", 1, 2, 2, 1, 256, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"bpo2", 1, 2, 2, 3, 256, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"bpo2", 1, 2, 2, 2, 255, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"bpo2", 1, 2, 2, 2, 257, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"bpo2", 1, 2, 2, 2, 2, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"bpo2", 1, 2, 2, 2, 0, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"prague", 0, 2, 2, 2, 256, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"bpo2", 1, 2, 0, 2, 256, 0, MR_TX_VERDICT_BLOBS_MISSING},
        {"bpo2", 1, 2, 0, 0, 0, 0, MR_TX_VERDICT_SIDECAR_COUNT},
        {"prague", 0, 2, 0, 2, 2, 0, MR_TX_VERDICT_SIDECAR_COUNT},
    };

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_rules rules = rules_of(rows[i].fork);
        struct mr_span s = wrap(rows[i].wrapper, rows[i].hashes, rows[i].blobs, rows[i].commitments,
                                rows[i].proofs, *state);
        enum mr_tx_verdict v;
        struct mr_tx tx;

        assert_int_equal(mr_tx_decode_raw(&tx, s.p, s.n), MR_OK);
        v = mr_tx_check(&tx, &rules);
        if (v != rows[i].tx)
            fail_msg("row %zu: %s", i, mr_tx_verdict_name(v));
        v = rows[i].tx ? rows[i].sidecar : mr_tx_check_sidecar(&tx, &rules);
        if (v != rows[i].sidecar)
            fail_msg("row %zu: %s", i, mr_tx_verdict_name(v));
    }
}

static void commitments_must_match_their_hashes_in_order(void **state)
{
    struct mr_rules rules = rules_of("bpo2");
    struct mr_span s = wrap(MR_WRAPPER_V1, 2, 2, 2, 256, *state);
    struct mr_tx tx;
    uint8_t *first;

    assert_int_equal(mr_tx_decode_raw(&tx, s.p, s.n), MR_OK);
    assert_int_equal(mr_tx_check_sidecar(&tx, &rules), MR_TX_VERDICT_OK);
    first = wrapped + (mr_items_at(&tx.sidecar.commitments, 0) - wrapped);
    first[0] = 0xc1, first[49] = 0xc0; /* swapped */
    assert_int_equal(mr_tx_check_sidecar(&tx, &rules), MR_TX_VERDICT_SIDECAR_HASH);
    first[0] = 0xc0, first[49] = 0xc1;
    assert_int_equal(mr_tx_check_sidecar(&tx, &rules), MR_TX_VERDICT_OK);
    first[49 + 47] = 1;
    assert_int_equal(mr_tx_check_sidecar(&tx, &rules), MR_TX_VERDICT_SIDECAR_HASH);
}

static void a_blob_transaction_without_sidecar_is_valid_but_not_for_relay(void **state)
{
    struct mr_rules_now now = {.n = 1, .rules = {rules_of("bpo2")}};
    struct mr_span s = consensus(1, *state);
    struct mr_tx tx;

    assert_int_equal(mr_tx_decode_raw(&tx, s.p, s.n), MR_OK);
    assert_int_equal(mr_tx_check(&tx, &now.rules[0]), MR_TX_VERDICT_OK);
    assert_int_equal(mr_tx_check_sidecar(&tx, &now.rules[0]), MR_TX_VERDICT_BLOBS_MISSING);
    assert_int_equal(mr_tx_check_sidecar_elided(&tx, &now.rules[0]), MR_TX_VERDICT_BLOBS_MISSING);
    assert_int_equal(mr_tx_check_now(&tx, &now), MR_TX_VERDICT_BLOBS_MISSING);
}

static void the_form_of_eth_72_keeps_all_but_the_blobs(void **state)
{
    struct mr_rules rules = rules_of("bpo2");
    struct mr_span s = wrap(MR_WRAPPER_V1, 3, 3, 3, 384, *state);
    static uint8_t item[65536];
    struct mr_writer w = mr_writer(item, sizeof item), small;
    struct mr_reader in;
    struct mr_hash a, b;
    struct mr_tx tx, elided;

    assert_int_equal(mr_tx_decode_raw(&tx, s.p, s.n), MR_OK);
    assert_int_equal(mr_tx_put_elided(&w, &tx), MR_OK);
    in = mr_reader(w.p, w.n);
    assert_int_equal(mr_tx_decode_item(&in, &elided), MR_OK);
    assert_true(mr_reader_done(&in));
    assert_true(mr_sidecar_elided(&elided.sidecar));
    assert_false(mr_sidecar_elided(&tx.sidecar));
    assert_int_equal(elided.raw.n, mr_tx_size_elided(&tx));
    assert_int_equal(elided.raw.n, mr_tx_size_elided(&elided));
    mr_tx_hash(&tx, &a);
    mr_tx_hash(&elided, &b);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(elided.sidecar.after.n, tx.sidecar.after.n);
    assert_memory_equal(elided.sidecar.after.p, tx.sidecar.after.p, tx.sidecar.after.n);
    assert_int_equal(mr_tx_check_sidecar(&elided, &rules), MR_TX_VERDICT_BLOBS_MISSING);
    assert_int_equal(mr_tx_check_sidecar_elided(&elided, &rules), MR_TX_VERDICT_OK);
    /* eth/72 must not carry blobs (geth ends the session). */
    assert_int_equal(mr_tx_check_sidecar_elided(&tx, &rules), MR_TX_VERDICT_SIDECAR_COUNT);
    for (size_t cut = 0; cut < w.n; cut += 101) {
        small = mr_writer(wrapped, cut);
        assert_int_equal(mr_tx_put_elided(&small, &elided), MR_FULL);
        assert_int_equal(small.n, 0);
    }
}

/* A wrapper of hand-made items around the consensus form. */
static enum mr_err wrapper_of(struct mr_tx *tx, const uint8_t *rest, size_t n,
                              const struct mr_secp *secp)
{
    struct mr_span inner = consensus(1, secp);
    struct mr_writer w = mr_writer(wrapped, sizeof wrapped);

    w.p[w.n++] = MR_TX_BLOB;
    assert_int_equal(mr_rlp_put_list_head(&w, inner.n - 1 + n), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&w, inner.p + 1, inner.n - 1), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&w, rest, n), MR_OK);
    return mr_tx_decode_raw(tx, w.p, w.n);
}

static void wrappers_of_another_shape_are_refused(void **state)
{
    static const struct {
        uint8_t b[8], n;
        enum mr_err e;
    } rows[] = {
        {{0xc0, 0xc0, 0xc0}, 3, MR_OK},                /* v0, all empty: left to the counts */
        {{0x01, 0xc0, 0xc0, 0xc0}, 4, MR_OK},          /* v1 */
        {{0x80, 0xc0, 0xc0, 0xc0}, 4, MR_UNSUPPORTED}, /* version 0 has no number */
        {{0x02, 0xc0, 0xc0, 0xc0}, 4, MR_UNSUPPORTED},
        {{0x7f, 0xc0, 0xc0, 0xc0}, 4, MR_UNSUPPORTED},
        {{0x82, 0x01, 0x01, 0xc0, 0xc0, 0xc0}, 6, MR_UNSUPPORTED},
        {{0x00, 0xc0, 0xc0, 0xc0}, 4, MR_MALFORMED},
        {{0x81, 0x01, 0xc0, 0xc0, 0xc0}, 5, MR_MALFORMED},
        {{0xc0}, 0, MR_MALFORMED},
        {{0xc0}, 1, MR_MALFORMED},
        {{0xc0, 0xc0}, 2, MR_MALFORMED},
        {{0xc0, 0xc0, 0xc0, 0xc0}, 4, MR_MALFORMED},
        {{0x01, 0xc0, 0xc0}, 3, MR_MALFORMED},
        {{0x01, 0xc0, 0xc0, 0xc0, 0xc0}, 5, MR_MALFORMED},
        {{0x01, 0x01, 0xc0, 0xc0, 0xc0}, 5, MR_MALFORMED},
        {{0xc0, 0xc0, 0x80}, 3, MR_MALFORMED},
        {{0xc0, 0x80, 0xc0}, 3, MR_MALFORMED},
        {{0x01, 0x80, 0xc0, 0xc0}, 4, MR_MALFORMED},
        {{0xc1, 0x80, 0xc0, 0xc0}, 4, MR_MALFORMED}, /* an empty blob */
        {{0xc0, 0xc1, 0x80, 0xc0}, 4, MR_MALFORMED},
        {{0xc0, 0xc0, 0xc1, 0x01}, 4, MR_MALFORMED},
        {{0xc0, 0xc0, 0xc1, 0xc0}, 4, MR_MALFORMED},
    };

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_tx tx;
        enum mr_err e = wrapper_of(&tx, rows[i].b, rows[i].n, *state);

        if (e != rows[i].e)
            fail_msg("row %zu: %s", i, mr_err_name(e));
    }
}

static void items_of_a_wrong_size_are_malformed(void **state)
{
    static const size_t sizes[3] = {MR_BLOB_SIZE, MR_COMMITMENT_SIZE, MR_PROOF_SIZE};
    static uint8_t rest[MR_BLOB_SIZE + 1024];

    for (size_t list = 0; list < 3; list++) {
        for (int off = -1; off <= 1; off++) {
            struct mr_writer w = mr_writer(rest, sizeof rest);
            struct mr_tx tx;

            for (size_t i = 0; i < 3; i++) {
                size_t n = sizes[i] + (i == list ? (size_t)off : 0), mark = mr_rlp_open(&w);

                assert_int_equal(mr_rlp_put_bytes(&w, blobs, n), MR_OK);
                assert_int_equal(mr_rlp_close(&w, mark), MR_OK);
            }
            assert_int_equal(wrapper_of(&tx, rest, w.n, *state), off ? MR_MALFORMED : MR_OK);
        }
    }
}

static void every_prefix_of_a_wrapper_is_refused(void **state)
{
    struct mr_span s = wrap(MR_WRAPPER_V1, 1, 1, 1, 128, *state);
    struct mr_tx tx, before;

    memset(&tx, 0x77, sizeof tx);
    before = tx;
    for (size_t cut = 0; cut < s.n; cut++)
        assert_int_equal(mr_tx_decode_raw(&tx, s.p, cut), MR_SHORT);
    wrapped[s.n] = 0;
    assert_int_equal(mr_tx_decode_raw(&tx, s.p, s.n + 1), MR_MALFORMED);
    assert_memory_equal(&tx, &before, sizeof tx);
}

/* The sidecar's own reader, whose input has no outer length: a cut shows where it falls. */
static void every_prefix_of_a_sidecar_is_refused(void **state)
{
    struct mr_span s = wrap(MR_WRAPPER_V1, 1, 1, 1, 128, *state);
    struct mr_sidecar out, before;
    struct mr_tx tx;
    const uint8_t *first;

    assert_int_equal(mr_tx_decode_raw(&tx, s.p, s.n), MR_OK);
    first = tx.sidecar.before.p;
    memset(&out, 0x66, sizeof out);
    before = out;
    for (size_t n = 0; n < (size_t)(s.p + s.n - first); n++) {
        struct mr_reader r = mr_reader(first, n);

        assert_int_equal(mr_sidecar_decode(&r, &out), MR_SHORT);
        assert_ptr_equal(r.p, first);
    }
    assert_memory_equal(&out, &before, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_are_read_and_hash_as_the_consensus_form),
        cmocka_unit_test(sidecars_are_refused_for_their_reason),
        cmocka_unit_test(commitments_must_match_their_hashes_in_order),
        cmocka_unit_test(a_blob_transaction_without_sidecar_is_valid_but_not_for_relay),
        cmocka_unit_test(the_form_of_eth_72_keeps_all_but_the_blobs),
        cmocka_unit_test(wrappers_of_another_shape_are_refused),
        cmocka_unit_test(items_of_a_wrong_size_are_malformed),
        cmocka_unit_test(every_prefix_of_a_wrapper_is_refused),
        cmocka_unit_test(every_prefix_of_a_sidecar_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
