/* A positive control for each rule of perf/strict.h, and what must pass. */
#include "tests/perf/helper_strict.h"

#include <stdlib.h>

#include "net/eth/blob.h"
#include "net/eth/message.h"
#include "net/eth/status.h"

static bool bitten[MR_STRICT_RULES];

/* The rule that a message must break, which counts as its control. */
static void bites(struct rig *r, enum mr_strict_rule rule, uint64_t id, struct mr_span payload)
{
    uint64_t before = mr_strict_faults(r->s)[rule];

    assert_string_equal(mr_strict_rule_name(verdict(r, id, payload)), mr_strict_rule_name(rule));
    assert_int_equal(mr_strict_faults(r->s)[rule], before + 1);
    bitten[rule] = true;
}

static void passes(struct rig *r, uint64_t id, struct mr_span payload)
{
    assert_string_equal(mr_strict_rule_name(verdict(r, id, payload)), "NONE");
}

static struct mr_span bytes(const char *p, size_t n)
{
    return mr_span(p, n);
}

/* ---- Status and order ---- */

static struct mr_eth_status good_status(const struct rig *r)
{
    struct mr_chain_point at = mr_network_point(r->net, NULL, WALL_S);

    return (struct mr_eth_status){.version = r->peer.version,
                                  .network_id = r->net->network_id,
                                  .genesis = r->net->genesis_hash,
                                  .fork_id = mr_fork_id_at(r->net, at),
                                  .latest_hash = r->net->genesis_hash};
}

static struct mr_span status_message(struct rig *r, const struct mr_eth_status *s)
{
    struct mr_writer w = mr_writer(r->message, ROOM);

    assert_int_equal(mr_eth_status_encode(&w, s), MR_OK);
    return mr_writer_span(&w);
}

static void status_is_checked_like_geth(void **state)
{
    struct mr_eth_status s;
    struct rig r;

    (void)state;
    rig_open(&r, 69);
    for (unsigned i = 0; i < 3; i++) {
        s = good_status(&r);
        if (i == 0)
            s.network_id++;
        else if (i == 1)
            s.genesis.b[0] ^= 1;
        else
            s.fork_id.hash ^= 1;
        r.peer.has_status = false;
        bites(&r, MR_STRICT_STATUS_OTHER_CHAIN, MR_ETH_STATUS, status_message(&r, &s));
    }
    s = good_status(&r);
    r.peer.has_status = false;
    s.version = 70;
    bites(&r, MR_STRICT_STATUS_INVALID, MR_ETH_STATUS, status_message(&r, &s));
    r.peer.has_status = false;
    bites(&r, MR_STRICT_STATUS_MISSING, MR_ETH_TRANSACTIONS, bytes("\xc0", 1));
    s = good_status(&r);
    passes(&r, MR_ETH_STATUS, status_message(&r, &s));
    bites(&r, MR_STRICT_STATUS_TWICE, MR_ETH_STATUS, status_message(&r, &s));
    rig_close(&r);
}

static void silence_and_lateness_are_punished_when_due(void **state)
{
    struct rig r;

    (void)state;
    rig_open(&r, 69);
    assert_int_equal(mr_strict_time(r.s, &r.peer, NOW_MS + MR_STRICT_SILENT_MS, 0), MR_STRICT_NONE);
    assert_int_equal(mr_strict_time(r.s, &r.peer, NOW_MS + MR_STRICT_SILENT_MS + 1, 0),
                     MR_STRICT_SILENT);
    mr_strict_heard(&r.peer, NOW_MS + MR_STRICT_STALLED_MS + 1);
    assert_int_equal(mr_strict_time(r.s, &r.peer, NOW_MS + MR_STRICT_STALLED_MS, NOW_MS),
                     MR_STRICT_NONE);
    assert_int_equal(mr_strict_time(r.s, &r.peer, NOW_MS + MR_STRICT_STALLED_MS + 1, NOW_MS),
                     MR_STRICT_STALLED);
    r.peer.has_status = false;
    assert_int_equal(mr_strict_time(r.s, &r.peer, NOW_MS + MR_STRICT_STALLED_MS + 1, 0),
                     MR_STRICT_STATUS_LATE);
    bitten[MR_STRICT_SILENT] = bitten[MR_STRICT_STALLED] = bitten[MR_STRICT_STATUS_LATE] = true;
    assert_int_equal(r.peer.faults, 3);
    assert_int_equal(r.peer.first_fault, MR_STRICT_SILENT);
    mr_strict_fault(r.s, &r.peer, MR_STRICT_TRANSPORT); /* what the session finds */
    bitten[MR_STRICT_TRANSPORT] = true;
    assert_int_equal(mr_strict_faults_sum(r.s), 4);
    rig_close(&r);
}

/* ---- shape of messages ---- */

static void ids_sizes_and_encodings_are_checked(void **state)
{
    struct rig r;

    (void)state;
    rig_open(&r, 68);
    bites(&r, MR_STRICT_UNKNOWN_ID, MR_ETH_BLOCK_RANGE_UPDATE, bytes("\xc0", 1));
    bites(&r, MR_STRICT_UNKNOWN_ID, MR_ETH_NEW_BLOCK, bytes("\xc0", 1));
    bites(&r, MR_STRICT_UNKNOWN_ID, 13, bytes("\xc0", 1));
    bites(&r, MR_STRICT_UNKNOWN_ID, UINT64_MAX, bytes("\xc0", 1));
    bites(&r, MR_STRICT_MALFORMED, MR_ETH_TRANSACTIONS, bytes("\xc1\x80", 2));
    bites(&r, MR_STRICT_MALFORMED, MR_ETH_TRANSACTIONS, bytes("\xc0\xc0", 2));
    bites(&r, MR_STRICT_MALFORMED, MR_ETH_GET_BLOCK_HEADERS, bytes("\xc0", 1));
    bites(&r, MR_STRICT_ANNOUNCE_SHAPE, MR_ETH_NEW_POOLED_TRANSACTION_HASHES,
          bytes("\xc4\x02\xc1\x01\xc0", 5)); /* a type and a size, no hash */
    bites(&r, MR_STRICT_MESSAGE_TOO_BIG, MR_ETH_TRANSACTIONS,
          mr_span(r.message, MR_ETH_MESSAGE_MAX + 1)); /* refused before it is read */
    rig_close(&r);
    rig_open(&r, 69);
    bites(&r, MR_STRICT_RANGE, MR_ETH_BLOCK_RANGE_UPDATE,
          bytes("\xe3\x02\x01\xa0"
                "12345678901234567890123456789012",
                36));
    passes(&r, MR_ETH_BLOCK_RANGE_UPDATE,
           bytes("\xe3\x01\x02\xa0"
                 "12345678901234567890123456789012",
                 36));
    rig_close(&r);
}

static void responses_are_matched_with_requests(void **state)
{
    struct mr_span tx[2];
    struct rig r;

    (void)state;
    rig_open(&r, 69);
    tx[0] = tx_make(&r, 1);
    tx[1] = tx_make(&r, 2);
    bites(&r, MR_STRICT_UNREQUESTED, MR_ETH_POOLED_TRANSACTIONS, pooled(&r, 5, tx, 1));
    assert_true(mr_strict_asked(&r.peer, MR_ETH_POOLED_TRANSACTIONS, 5, 1));
    bites(&r, MR_STRICT_UNREQUESTED, MR_ETH_POOLED_TRANSACTIONS, pooled(&r, 6, tx, 1));
    bites(&r, MR_STRICT_UNREQUESTED, MR_ETH_BLOCK_HEADERS, bytes("\xc2\x05\xc0", 3));
    passes(&r, MR_ETH_POOLED_TRANSACTIONS, pooled(&r, 5, tx, 1));
    bites(&r, MR_STRICT_UNREQUESTED, MR_ETH_POOLED_TRANSACTIONS, pooled(&r, 5, tx, 1));
    assert_true(mr_strict_asked(&r.peer, MR_ETH_POOLED_TRANSACTIONS, 7, 1));
    bites(&r, MR_STRICT_RESPONSE_MANY, MR_ETH_POOLED_TRANSACTIONS, pooled(&r, 7, tx, 2));
    for (uint64_t i = 0; i < MR_STRICT_ASKED_MAX; i++)
        assert_true(mr_strict_asked(&r.peer, MR_ETH_POOLED_TRANSACTIONS, i, 1));
    assert_false(mr_strict_asked(&r.peer, MR_ETH_POOLED_TRANSACTIONS, 99, 1));
    free((void *)(uintptr_t)tx[0].p);
    free((void *)(uintptr_t)tx[1].p);
    rig_close(&r);
}

/* ---- transactions ---- */

static void transactions_are_judged_one_by_one(void **state)
{
    struct mr_span tx[3], same[3], bad;
    uint8_t *changed;
    struct rig r;

    (void)state;
    rig_open(&r, 69);
    for (uint64_t i = 0; i < 3; i++)
        tx[i] = tx_make(&r, i);
    passes(&r, MR_ETH_TRANSACTIONS, transactions(&r, tx, 3));
    same[0] = tx[1], same[1] = tx[2], same[2] = tx[1];
    bites(&r, MR_STRICT_TRANSACTION_TWICE, MR_ETH_TRANSACTIONS, transactions(&r, same, 3));
    passes(&r, MR_ETH_TRANSACTIONS, transactions(&r, tx, 3)); /* again, but in another message */

    changed = malloc(tx[0].n);
    memcpy(changed, tx[0].p, tx[0].n);
    changed[3] = 5; /* 02 f8 xx 01: chain id 1 becomes 5 */
    bad = mr_span(changed, tx[0].n);
    bites(&r, MR_STRICT_TRANSACTION_INVALID, MR_ETH_TRANSACTIONS, transactions(&r, &bad, 1));
    bites(&r, MR_STRICT_TRANSACTION_INVALID, MR_ETH_TRANSACTIONS, transactions(&r, &bad, 1));
    changed[0] = 5; /* no such type */
    bites(&r, MR_STRICT_MALFORMED, MR_ETH_TRANSACTIONS, transactions(&r, &bad, 1));
    free(changed);
    for (size_t i = 0; i < 3; i++)
        free((void *)(uintptr_t)tx[i].p);
    rig_close(&r);
}

static void over_5000_transactions_are_too_many(void **state)
{
    struct mr_writer w;
    uint8_t *items;
    struct rig r;

    (void)state;
    rig_open(&r, 69);
    items = malloc(MR_TRANSACTIONS_MAX + 1);
    memset(items, 0xc0, MR_TRANSACTIONS_MAX + 1);
    w = mr_writer(r.message, ROOM);
    assert_int_equal(
        mr_transactions_encode(&w, &(struct mr_span){.p = items, .n = MR_TRANSACTIONS_MAX + 1}, 1),
        MR_OK);
    bites(&r, MR_STRICT_TRANSACTIONS_MANY, MR_ETH_TRANSACTIONS, mr_writer_span(&w));
    free(items);
    rig_close(&r);
}

static void announced_type_and_size_must_hold(void **state)
{
    struct mr_span tx[3];
    struct rig r;

    (void)state;
    rig_open(&r, 69);
    for (uint64_t i = 0; i < 3; i++)
        tx[i] = tx_make(&r, i);
    /* before the delivery, and off by what is tolerated */
    passes(&r, MR_ETH_NEW_POOLED_TRANSACTION_HASHES,
           announcement(&r, tx[0], 2, (uint32_t)tx[0].n + 8));
    passes(&r, MR_ETH_TRANSACTIONS, transactions(&r, &tx[0], 1));
    /* before the delivery, and wrong */
    passes(&r, MR_ETH_NEW_POOLED_TRANSACTION_HASHES,
           announcement(&r, tx[1], 2, (uint32_t)tx[1].n - 9));
    bites(&r, MR_STRICT_ANNOUNCED_SIZE, MR_ETH_TRANSACTIONS, transactions(&r, &tx[1], 1));
    passes(&r, MR_ETH_NEW_POOLED_TRANSACTION_HASHES, announcement(&r, tx[2], 1, (uint32_t)tx[2].n));
    bites(&r, MR_STRICT_ANNOUNCED_TYPE, MR_ETH_TRANSACTIONS, transactions(&r, &tx[2], 1));
    /* behind the delivery, and against each other */
    bites(&r, MR_STRICT_ANNOUNCED_SIZE, MR_ETH_NEW_POOLED_TRANSACTION_HASHES,
          announcement(&r, tx[0], 2, (uint32_t)tx[0].n + 9));
    bites(&r, MR_STRICT_ANNOUNCED_TYPE, MR_ETH_NEW_POOLED_TRANSACTION_HASHES,
          announcement(&r, tx[0], 0, (uint32_t)tx[0].n));
    for (size_t i = 0; i < 3; i++)
        free((void *)(uintptr_t)tx[i].p);
    rig_close(&r);
}

static void what_is_vouched_for_is_not_judged_again(void **state)
{
    struct mr_hash hash = {{9}};
    uint32_t number;
    struct mr_span tx;
    struct mr_tx t;
    struct rig r;

    (void)state;
    rig_open(&r, 69);
    tx = tx_make(&r, 1);
    assert_int_equal(mr_tx_decode_raw(&t, tx.p, tx.n), MR_OK);
    assert_int_equal(mr_strict_vouch(r.s, &number, &hash, 2, 100), MR_OK);
    assert_int_equal(number, 0);
    mr_tx_hash(&t, &hash);
    assert_int_equal(mr_strict_vouch(r.s, &number, &hash, 2, (uint32_t)tx.n), MR_OK);
    assert_int_equal(number, 1);
    assert_int_equal(mr_strict_vouch(r.s, &number, &hash, 2, (uint32_t)tx.n), MR_EXISTS);
    passes(&r, MR_ETH_TRANSACTIONS, transactions(&r, &tx, 1));
    bites(&r, MR_STRICT_ANNOUNCED_SIZE, MR_ETH_NEW_POOLED_TRANSACTION_HASHES,
          announcement(&r, tx, 2, (uint32_t)tx.n + 9));
    free((void *)(uintptr_t)tx.p);
    rig_close(&r);
}

static void a_full_table_still_judges_messages(void **state)
{
    struct mr_span tx[2];
    struct rig r;

    (void)state;
    rig_open(&r, 69);
    mr_strict_close_table(r.s);
    r.options.transactions_max = 1;
    r.s = mr_strict_open_table(&r.options);
    tx[0] = tx_make(&r, 0);
    tx[1] = tx_make(&r, 1);
    passes(&r, MR_ETH_TRANSACTIONS, transactions(&r, tx, 2));
    assert_int_equal(mr_strict_unremembered(r.s), 1);
    ((uint8_t *)(uintptr_t)tx[1].p)[3] = 5;
    bites(&r, MR_STRICT_TRANSACTION_INVALID, MR_ETH_TRANSACTIONS, transactions(&r, &tx[1], 1));
    free((void *)(uintptr_t)tx[0].p);
    free((void *)(uintptr_t)tx[1].p);
    rig_close(&r);
}

/* ---- blobs ---- */

struct blob {
    uint8_t *blob, commitment[MR_COMMITMENT_SIZE];
    uint8_t proofs[MR_CELLS_PER_BLOB * MR_PROOF_SIZE];
    struct mr_hash hash;
};

static void blob_make(struct blob *b, struct mr_kzg *kzg)
{
    b->blob = calloc(1, MR_BLOB_SIZE);
    b->blob[31] = 42;
    memset(b->commitment, 0xc0, 1); /* without c-kzg: any bytes do, the proofs are not looked at */
    memset(b->proofs, 0, sizeof b->proofs);
    if (kzg)
        assert_int_equal(mr_kzg_prove_blob(kzg, b->commitment, b->proofs, true, b->blob),
                         MR_KZG_VALID);
    assert_true(mr_versioned_hash(&b->hash, b->commitment));
}

/* The network form, in new memory. */
static struct mr_span wrapped(struct mr_span consensus, const struct blob *b, enum mr_wrapper form)
{
    struct mr_writer w = mr_writer(malloc(TX_ROOM), TX_ROOM);
    size_t proofs = form == MR_WRAPPER_V1 ? MR_CELLS_PER_BLOB : 1;

    assert_int_equal(mr_tx_build_blob_wrapper(&w, form, consensus, mr_span(b->blob, MR_BLOB_SIZE),
                                              mr_span(b->commitment, MR_COMMITMENT_SIZE),
                                              mr_span(b->proofs, proofs * MR_PROOF_SIZE)),
                     MR_OK);
    return mr_writer_span(&w);
}

/* Asks for one transaction and gets tx. */
static struct mr_span asked_and_answered(struct rig *r, struct mr_span tx)
{
    static uint64_t request_id = 1000;

    assert_true(mr_strict_asked(&r->peer, MR_ETH_POOLED_TRANSACTIONS, ++request_id, 1));
    return pooled(r, request_id, &tx, 1);
}

static void sidecars_are_judged_at_each_delivery(void **state)
{
    struct mr_span consensus, v0, v1;
    struct blob b;
    struct rig r;

    (void)state;
    rig_open(&r, 69);
    if (mr_kzg_available())
        r.options.kzg = mr_kzg_load();
    mr_strict_close_table(r.s);
    r.s = mr_strict_open_table(&r.options);
    blob_make(&b, r.options.kzg);
    consensus = tx_make_blob(&r, 1, &b.hash);
    v0 = wrapped(consensus, &b, MR_WRAPPER_V0);
    v1 = wrapped(consensus, &b, MR_WRAPPER_V1);
    bites(&r, MR_STRICT_BLOB_BROADCAST, MR_ETH_TRANSACTIONS, transactions(&r, &v1, 1));
    bites(&r, MR_STRICT_BLOB_BROADCAST, MR_ETH_TRANSACTIONS, transactions(&r, &consensus, 1));
    passes(&r, MR_ETH_POOLED_TRANSACTIONS, asked_and_answered(&r, v1));
    bites(&r, MR_STRICT_BLOB_BARE, MR_ETH_POOLED_TRANSACTIONS, asked_and_answered(&r, consensus));
    bites(&r, MR_STRICT_BLOB_FORM, MR_ETH_POOLED_TRANSACTIONS, asked_and_answered(&r, v0));
    r.peer.version = 72; /* there blobs are left out */
    bites(&r, MR_STRICT_BLOB_FORM, MR_ETH_POOLED_TRANSACTIONS, asked_and_answered(&r, v1));
    r.peer.version = 69;
    free((void *)(uintptr_t)v1.p);
    b.commitment[7] ^= 1;
    v1 = wrapped(consensus, &b, MR_WRAPPER_V1);
    bites(&r, MR_STRICT_BLOB_COMMITMENT, MR_ETH_POOLED_TRANSACTIONS, asked_and_answered(&r, v1));
    b.commitment[7] ^= 1;
    free((void *)(uintptr_t)v1.p);
    memcpy(b.proofs + MR_PROOF_SIZE, b.commitment, MR_PROOF_SIZE); /* a point, but no proof */
    v1 = wrapped(consensus, &b, MR_WRAPPER_V1);
    if (r.options.kzg)
        bites(&r, MR_STRICT_BLOB_PROOF, MR_ETH_POOLED_TRANSACTIONS, asked_and_answered(&r, v1));
    else
        bitten[MR_STRICT_BLOB_PROOF] = true, print_message("skipped: no c-kzg in this build\n");
    free((void *)(uintptr_t)v1.p);
    free((void *)(uintptr_t)v0.p);
    free((void *)(uintptr_t)consensus.p);
    free(b.blob);
    mr_kzg_free(r.options.kzg);
    rig_close(&r);
}

static void every_rule_of_the_table_has_bitten(void **state)
{
    (void)state;
    for (unsigned i = 1; i < MR_STRICT_RULES; i++) {
        if (!bitten[i])
            fail_msg("no control for %s", mr_strict_rule_name((enum mr_strict_rule)i));
        assert_true(strlen(mr_strict_rule_who((enum mr_strict_rule)i)) > 1);
        assert_true(strlen(mr_strict_rule_text((enum mr_strict_rule)i)) > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_is_checked_like_geth),
        cmocka_unit_test(silence_and_lateness_are_punished_when_due),
        cmocka_unit_test(ids_sizes_and_encodings_are_checked),
        cmocka_unit_test(responses_are_matched_with_requests),
        cmocka_unit_test(transactions_are_judged_one_by_one),
        cmocka_unit_test(over_5000_transactions_are_too_many),
        cmocka_unit_test(announced_type_and_size_must_hold),
        cmocka_unit_test(what_is_vouched_for_is_not_judged_again),
        cmocka_unit_test(a_full_table_still_judges_messages),
        cmocka_unit_test(sidecars_are_judged_at_each_delivery),
        cmocka_unit_test(every_rule_of_the_table_has_bitten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
