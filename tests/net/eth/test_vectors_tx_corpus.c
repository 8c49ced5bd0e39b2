#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/rlp.h"
#include "crypto/secp.h"
#include "net/eth/tx_check.h"
#include "tests/net/eth/helper_corpus.h"

/* 2026-06-01: BPO2 is active on mainnet, sepolia and hoodi. */
#define TODAY 1780272000u

static int secp_open(void **state)
{
    static const uint8_t seed[32] = {1};

    *state = mr_secp_create(seed);
    return *state ? 0 : -1;
}

static int secp_close(void **state)
{
    mr_secp_destroy(*state);
    return 0;
}

/* Decodes a record, compares hash, sender, type and chain id with its line, and decodes it again as
 * an element of a list. */
static void record_check(struct mr_tx *tx, const struct corpus *c, struct mr_span record,
                         const struct mr_secp *secp)
{
    struct mr_address sender;
    struct mr_reader in;
    struct mr_writer w;
    struct mr_tx again;
    struct mr_hash h;
    char chain[32] = "-";

    if (mr_tx_decode_raw(tx, record.p, record.n) != MR_OK)
        fail_msg("record %s is refused", c->column[0]);
    mr_tx_hash(tx, &h);
    assert_true(hex_is(c->column[1], h.b, sizeof h.b));
    assert_true(mr_tx_sender(tx, &sender, secp));
    assert_true(hex_is(c->column[2], sender.b, sizeof sender.b));
    assert_int_equal(tx->type, atoi(c->column[3]));
    if (!tx->unprotected)
        snprintf(chain, sizeof chain, "%llu", (unsigned long long)tx->chain_id);
    assert_string_equal(chain, c->column[4]);
    assert_int_equal(mr_tx_size_consensus(tx), record.n);
    assert_int_equal(mr_tx_size_network(tx), record.n);

    w = mr_writer(malloc(record.n + 9), record.n + 9);
    assert_int_equal(mr_tx_put_item(&w, tx), MR_OK);
    in = mr_reader(w.p, w.n);
    assert_int_equal(mr_tx_decode_item(&in, &again), MR_OK);
    assert_true(mr_reader_done(&in));
    mr_tx_hash(&again, &h);
    assert_true(hex_is(c->column[1], h.b, sizeof h.b));
    free(w.p);
}

struct tally {
    size_t records, accepted;
    size_t by_type[MR_TX_TYPES], accepted_by_type[MR_TX_TYPES];
    size_t by_verdict[MR_TX_VERDICTS];
    size_t unprotected_accepted;
};

enum chains { ALL, OWN, OWN_AND_UNPROTECTED };

/* The relay's verdict: the transaction's, then its sidecar's. */
static void tally(struct tally *t, const char *name, const struct mr_rules_now *now,
                  enum chains chains, const struct mr_secp *secp)
{
    struct mr_span record;
    struct corpus c;

    memset(t, 0, sizeof *t);
    if (!corpus_open(&c, name))
        skip();
    while (corpus_next(&c, &record)) {
        struct mr_tx tx;
        enum mr_tx_verdict v;

        record_check(&tx, &c, record, secp);
        if (tx.unprotected ? chains == OWN : chains != ALL && tx.chain_id != now->rules[0].chain_id)
            continue;
        v = mr_tx_check_now(&tx, now);
        t->records++;
        t->by_type[tx.type]++;
        t->by_verdict[v]++;
        t->accepted += v == MR_TX_VERDICT_OK;
        t->unprotected_accepted += v == MR_TX_VERDICT_OK && tx.unprotected;
        t->accepted_by_type[tx.type] += v == MR_TX_VERDICT_OK;
    }
    corpus_close(&c);
}

static void of_29282_mainnet_transactions_today_accepts_29192(void **state)
{
    struct mr_rules_now now;
    struct tally t;

    mr_rules_now(&now, mr_network_find("mainnet"), NULL, TODAY);
    assert_int_equal(now.n, 1);
    tally(&t, "mainnet_txs", &now, ALL, *state);
    assert_int_equal(t.records, 29282);
    assert_int_equal(t.accepted, 29192);
    assert_int_equal(t.by_verdict[MR_TX_VERDICT_GAS_CAP], 6);
    assert_int_equal(t.by_verdict[MR_TX_VERDICT_GAS_FLOOR], 51);
    assert_int_equal(t.by_verdict[MR_TX_VERDICT_SIGNATURE_HIGH_S], 4);
    assert_int_equal(t.by_verdict[MR_TX_VERDICT_BLOBS_MISSING], 29);
    assert_int_equal(t.accepted_by_type[0], 12692);
    assert_int_equal(t.accepted_by_type[1], 47);
    assert_int_equal(t.accepted_by_type[2], 16442);
    assert_int_equal(t.accepted_by_type[3], 0);
    assert_int_equal(t.accepted_by_type[4], 11);
    assert_int_equal(t.unprotected_accepted, 1268);
}

static void of_goerlis_transactions_todays_rules_accept_388(void **state)
{
    struct mr_network goerli = *mr_network_find("mainnet");
    struct mr_rules_now now;
    struct tally t;

    goerli.chain_id = 5;
    mr_rules_now(&now, &goerli, NULL, TODAY);
    tally(&t, "testnet_txs", &now, OWN_AND_UNPROTECTED, *state);
    assert_int_equal(t.records, 1434);
    assert_int_equal(t.accepted, 388);
    assert_int_equal(t.by_verdict[MR_TX_VERDICT_GAS_FLOOR], 1029);
}

static void real_testnet_transactions_pass_their_own_networks_rules(void **state)
{
    static const char *const networks[] = {"sepolia", "hoodi"};
    static const size_t counts[] = {93, 11};

    for (size_t i = 0; i < MR_COUNT_OF(networks); i++) {
        const struct mr_network *net = mr_network_find(networks[i]);
        struct mr_rules_now now = {.n = 1};
        struct tally t;

        assert_true(mr_rules_by_name(&now.rules[0], net, i == 0 ? "london" : "prague"));
        tally(&t, "testnet_txs", &now, OWN, *state);
        assert_int_equal(t.records, counts[i]);
        assert_int_equal(t.accepted + t.by_verdict[MR_TX_VERDICT_BLOBS_MISSING], counts[i]);
    }
}

static void classic_and_mordor_accept_their_own(void **state)
{
    static const char *const networks[] = {"classic", "mordor"};
    static const size_t counts[] = {6, 15};

    for (size_t i = 0; i < MR_COUNT_OF(networks); i++) {
        const struct mr_network *net = mr_network_find(networks[i]);
        struct mr_rules_now now;
        struct tally t;

        mr_rules_now(&now, net, NULL, TODAY);
        tally(&t, "etc_mordor_txs", &now, OWN, *state);
        assert_int_equal(t.records, counts[i]);
        assert_int_equal(t.accepted, counts[i]);
    }
}

static void every_record_of_the_tracer_tests_has_its_hash_and_sender(void **state)
{
    struct mr_rules_now now;
    struct tally t;

    mr_rules_now(&now, mr_network_find("mainnet"), NULL, TODAY);
    tally(&t, "tracetest_txs", &now, ALL, *state);
    assert_int_equal(t.records, 53);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_29282_mainnet_transactions_today_accepts_29192),
        cmocka_unit_test(of_goerlis_transactions_todays_rules_accept_388),
        cmocka_unit_test(real_testnet_transactions_pass_their_own_networks_rules),
        cmocka_unit_test(classic_and_mordor_accept_their_own),
        cmocka_unit_test(every_record_of_the_tracer_tests_has_its_hash_and_sender),
    };

    return cmocka_run_group_tests(tests, secp_open, secp_close);
}
