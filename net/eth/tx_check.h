/* tx_check.h: every check of a transaction that needs no state, each a numbered verdict. Thread:
 * any.
 */
#pragma once
#include "net/eth/rules.h"
#include "net/eth/tx.h"

#define MR_TX_SIZE_MAX      131072  /* bytes of a transaction without its sidecar: geth's pools */
#define MR_TX_BLOB_SIZE_MAX 1048576 /* with it */

/* X(name, owner, sentence). The owner says what the fault belongs to: TX: the hash commits to it,
 * so it may be kept against the hash; RULES: the same, but another fork's rules may allow it; PEER:
 * it lies in the sidecar, which the hash does not cover: its sender's fault and never the hash's.
 */
#define MR_TX_VERDICT_MAP(X)                                                                       \
    X(OK, TX, "ok")                                                                                \
    X(TYPE, RULES, "type not allowed by this fork")                                                \
    X(TOO_LARGE, TX, "over 128 KiB without blobs")                                                 \
    X(CHAIN_ID, TX, "signed for another chain")                                                    \
    X(SIGNATURE_V, TX, "v or y parity is no value that a signature can have")                      \
    X(SIGNATURE_R, TX, "r is zero or not below the curve's order")                                 \
    X(SIGNATURE_S, TX, "s is zero or not below the curve's order")                                 \
    X(SIGNATURE_HIGH_S, TX, "s is above half of the curve's order (EIP-2)")                        \
    X(SIGNATURE, TX, "no sender can be recovered from the signature")                              \
    X(NONCE, TX, "nonce is 2^64-1 (EIP-2681)")                                                     \
    X(TIP_OVER_CAP, TX, "priority fee above the fee cap")                                          \
    X(COST_OVERFLOW, TX, "gas times price plus value exceeds 2^256-1")                             \
    X(GAS_CAP, RULES, "gas limit over 16,777,216 (EIP-7825)")                                      \
    X(INIT_CODE, RULES, "init code over 49,152 bytes (EIP-3860)")                                  \
    X(GAS_INTRINSIC, RULES, "gas limit below the intrinsic gas")                                   \
    X(GAS_FLOOR, RULES, "gas limit below the calldata floor (EIP-7623)")                           \
    X(CREATION, TX, "blob and set-code transactions need a recipient")                             \
    X(AUTH_EMPTY, TX, "no authorization (EIP-7702)")                                               \
    X(BLOBS_NONE, TX, "no blob (EIP-4844)")                                                        \
    X(BLOBS_MANY, RULES, "more blobs than a transaction may carry")                                \
    X(BLOB_HASH_VERSION, TX, "versioned hash does not start with 0x01")                            \
    X(BLOB_FEE, TX, "fee cap per blob gas is zero")                                                \
    X(BLOBS_MISSING, PEER, "blobs missing")                                                        \
    X(SIDECAR_VERSION, PEER, "sidecar is not of the form that this fork asks for")                 \
    X(SIDECAR_SIZE, RULES, "over 1 MiB with blobs")                                                \
    X(SIDECAR_COUNT, PEER, "blobs, commitments, proofs and hashes differ in number")               \
    X(SIDECAR_HASH, PEER, "commitment does not match its versioned hash")                          \
    X(SIDECAR_PROOF, PEER, "blob proof is wrong")

enum mr_tx_verdict {
#define MR_TX_VERDICT_ENUM(name, owner, text) MR_TX_VERDICT_##name,
    MR_TX_VERDICT_MAP(MR_TX_VERDICT_ENUM)
#undef MR_TX_VERDICT_ENUM
        MR_TX_VERDICTS
};

enum mr_tx_fault { MR_TX_FAULT_TX, MR_TX_FAULT_RULES, MR_TX_FAULT_PEER };

const char *mr_tx_verdict_name(enum mr_tx_verdict v); /* "GAS_FLOOR" */
const char *mr_tx_verdict_text(enum mr_tx_verdict v);
enum mr_tx_fault mr_tx_verdict_fault(enum mr_tx_verdict v);

/* Everything but the recovery of the sender (mr_tx_sender: SIGNATURE), and nothing about a sidecar:
 * the verdict on the signed transaction. The first failing check decides, cheap ones first. */
enum mr_tx_verdict mr_tx_check(const struct mr_tx *tx, const struct mr_rules *rules);
/* The sidecar of a blob transaction: present, of the fork's form, complete, and its commitments
 * match the signed hashes. Proofs are left to crypto/kzg.h (SIDECAR_PROOF). OK for other types. */
enum mr_tx_verdict mr_tx_check_sidecar(const struct mr_tx *tx, const struct mr_rules *rules);
/* The same for the form of eth/72, which leaves the blobs out. */
enum mr_tx_verdict mr_tx_check_sidecar_elided(const struct mr_tx *tx, const struct mr_rules *rules);
/* Both, under every rule set in force. */
enum mr_tx_verdict mr_tx_check_now(const struct mr_tx *tx, const struct mr_rules_now *now);

/* What a transaction costs before its first instruction, saturating at 2^64-1: 21,000, creation,
 * data, access list, init code words, authorizations. */
uint64_t mr_tx_intrinsic_gas(const struct mr_tx *tx, const struct mr_rules *rules);
/* EIP-7623: 21,000 and 10 for each token of calldata. */
uint64_t mr_tx_floor_gas(const struct mr_tx *tx);
