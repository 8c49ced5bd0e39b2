/* rules.h: which transactions a network allows at a point of its chain: one table from fork names
 * to rules. Thread: any. */
#pragma once
#include "net/eth/network.h"

/* Blobs of one transaction that we are ready to hold, whatever a network file says. */
#define MR_BLOBS_PER_TX_MAX 32

enum mr_wrapper { /* form of a blob transaction on the wire */
                  MR_WRAPPER_NONE = -1,
                  MR_WRAPPER_V0 = 0, /* EIP-4844: one proof a blob */
                  MR_WRAPPER_V1 = 1, /* EIP-7594: 128 cell proofs a blob */
};

struct mr_rules {
    const char *fork; /* the newest fork in force; "frontier" before any */
    uint64_t chain_id;
    uint32_t types;            /* bit t: type t is allowed */
    uint32_t gas_creation;     /* what a creation costs on top of 21,000 (EIP-2) */
    uint32_t gas_nonzero_byte; /* 68, or 16 (EIP-2028) */
    uint32_t init_code_max;    /* bytes; 0: no limit (EIP-3860) */
    uint64_t gas_cap;          /* of one transaction; 0: none (EIP-7825) */
    uint32_t blobs_tx_max, blobs_block_max, blobs_block_target;
    uint64_t blob_base_fee_update_fraction;
    enum mr_wrapper wrapper;
    bool low_s;          /* s <= n/2 (EIP-2) */
    bool replay_guard;   /* legacy signatures may name the chain (EIP-155) */
    bool calldata_floor; /* EIP-7623 */
};

/* Rules in force for a block of that number and time. */
struct mr_rules mr_rules_at(const struct mr_network *net, struct mr_chain_point at);

/* Rules once the named fork is active and nothing that the network lists behind it. False if the
 * network has no such fork. */
MR_MUST_USE bool mr_rules_by_name(struct mr_rules *out, const struct mr_network *net,
                                  const char *fork);

/* Rules that a transaction has to pass now. With a head (NULL: none) those of the block after it,
 * 12 s later; without one those of the wall clock and, within 60 s of a fork, those on its other
 * side too: pools apply the rules of their head, which may lie on either side. */
struct mr_rules_now {
    size_t n; /* 1 or 2: all must accept */
    struct mr_rules rules[2];
};
void mr_rules_now(struct mr_rules_now *out, const struct mr_network *net,
                  const struct mr_chain_point *head, uint64_t wall_s);
