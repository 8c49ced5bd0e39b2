/* tx_build.h: builds and signs transactions of types 0 to 4: for the load generator, for tests and
 * for simulations. Thread: any. Nothing is allocated; all spans are borrowed for the call. */
#pragma once
#include "core/rlp.h"
#include "net/eth/tx.h"

struct mr_secp;

/* One authorization of EIP-7702, signed. */
struct mr_authorization {
    uint64_t chain_id, nonce;
    struct mr_address address;
    uint8_t y_parity;
    struct mr_u256 r, s;
};

struct mr_tx_fields {
    uint8_t type;     /* enum mr_tx_type */
    bool unprotected; /* type 0 without chain id */
    bool creation;
    uint64_t chain_id, nonce, gas;
    struct mr_u256 tip;     /* types 2 to 4 */
    struct mr_u256 fee_cap; /* gas price for types 0 and 1 */
    struct mr_u256 blob_fee_cap;
    struct mr_u256 value;
    struct mr_address to;
    struct mr_span data;
    struct mr_span access_list; /* payload of the RLP list; empty for none */
    const struct mr_hash *blob_hashes;
    size_t blob_hashes_count;
    const struct mr_authorization *authorizations;
    size_t authorizations_count;
};

/* Writes the signed consensus form (no string prefix: see mr_tx_put_item for messages). MR_FULL
 * without room, MR_INVALID if the key is no private key. Key: 32 bytes. */
MR_MUST_USE enum mr_err mr_tx_build(struct mr_writer *w, const struct mr_tx_fields *f,
                                    const struct mr_secp *secp, const uint8_t key[32]);
/* Wraps a consensus form of type 3 with a sidecar in network form v0 or v1. Items stand one after
 * the other: blobs of 131,072 bytes, commitments and proofs of 48. */
MR_MUST_USE enum mr_err mr_tx_build_blob_wrapper(struct mr_writer *w, enum mr_wrapper wrapper,
                                                 struct mr_span consensus, struct mr_span blobs,
                                                 struct mr_span commitments, struct mr_span proofs);
/* Signs the authorization's chain id, address and nonce (EIP-7702). */
MR_MUST_USE bool mr_authorization_sign(struct mr_authorization *a, const struct mr_secp *secp,
                                       const uint8_t key[32]);

static inline struct mr_u256 mr_u256_of(uint64_t v)
{
    struct mr_u256 u = {{0}};
    mr_store_be64(u.b + 24, v);
    return u;
}
