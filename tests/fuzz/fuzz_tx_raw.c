/* A transaction alone: what is refused changes nothing; what is accepted is canonical RLP, is
 * written as an element and read back as the same, and gets a verdict under every rule set. */
#include <stdlib.h>

#include "net/eth/tx_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void verdicts(const struct mr_tx *tx)
{
    static const char *const forks[] = {"homestead", "berlin", "cancun", "prague", "bpo2"};

    for (size_t i = 0; i < MR_COUNT_OF(forks); i++) {
        struct mr_rules rules;
        enum mr_tx_verdict v;

        MR_ASSERT(mr_rules_by_name(&rules, mr_network_find("mainnet"), forks[i]));
        v = mr_tx_check(tx, &rules);
        MR_ASSERT(v < MR_TX_VERDICT_BLOBS_MISSING);
        MR_ASSERT(v == MR_TX_VERDICT_TYPE || rules.types >> tx->type & 1);
        if (v == MR_TX_VERDICT_OK) {
            MR_ASSERT(tx->gas >= mr_tx_intrinsic_gas(tx, &rules));
            MR_ASSERT(tx->v_known);
            MR_ASSERT(tx->unprotected || tx->chain_id == rules.chain_id);
            MR_ASSERT(mr_tx_size_consensus(tx) <= MR_TX_SIZE_MAX);
        }
        v = mr_tx_check_sidecar(tx, &rules);
        MR_ASSERT(v == MR_TX_VERDICT_OK || v >= MR_TX_VERDICT_BLOBS_MISSING);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_tx tx, before, again;
    struct mr_hash a, b;
    struct mr_reader r;
    struct mr_writer w;

    memset(&tx, 0x3c, sizeof tx);
    before = tx;
    if (mr_tx_decode_raw(&tx, data, size) != MR_OK) {
        MR_ASSERT(memcmp(&tx, &before, sizeof tx) == 0);
        return 0;
    }
    r = mr_reader_of(tx.list);
    MR_ASSERT(mr_rlp_check(&r, MR_RLP_DEPTH_MAX) == MR_OK);
    MR_ASSERT(mr_reader_done(&r));
    MR_ASSERT(tx.raw.p == data && tx.raw.n == size);
    MR_ASSERT(tx.list.p >= data && tx.list.p + tx.list.n <= data + size);
    MR_ASSERT(mr_tx_size_consensus(&tx) <= mr_tx_size_network(&tx));
    MR_ASSERT(mr_tx_size_elided(&tx) <= mr_tx_size_network(&tx));
    (void)!mr_tx_signing_hash(&tx, &a);
    mr_tx_hash(&tx, &a);
    w = mr_writer(malloc(size + 16), size + 16);
    MR_ASSERT(mr_tx_put_item(&w, &tx) == MR_OK);
    r = mr_reader(w.p, w.n);
    MR_ASSERT(mr_tx_decode_item(&r, &again) == MR_OK);
    MR_ASSERT(mr_reader_done(&r));
    MR_ASSERT(again.raw.n == size);
    MR_ASSERT(memcmp(again.raw.p, data, size) == 0);
    mr_tx_hash(&again, &b);
    MR_ASSERT(mr_hash_equal(&a, &b));
    w.n = 0;
    MR_ASSERT(mr_tx_put_elided(&w, &tx) == MR_OK);
    r = mr_reader(w.p, w.n);
    MR_ASSERT(mr_tx_decode_item(&r, &again) == MR_OK);
    MR_ASSERT(again.raw.n == mr_tx_size_elided(&tx));
    mr_tx_hash(&again, &b);
    MR_ASSERT(mr_hash_equal(&a, &b));
    free(w.p);
    verdicts(&tx);
    return 0;
}
