/* blob.h: the sidecar of a blob transaction: blobs, commitments and proofs behind the transaction
 * in its network form. Views only: everything borrows from the message. Thread: any. */
#pragma once
#include "core/rlp.h"
#include "net/eth/rules.h"

#define MR_BLOB_SIZE       131072
#define MR_COMMITMENT_SIZE 48
#define MR_PROOF_SIZE      48
#define MR_CELLS_PER_BLOB  128
#define MR_CELL_SIZE       2048
#define MR_GAS_PER_BLOB    131072
#define MR_VERSIONED_HASH  0x01 /* first byte: KZG (EIP-4844) */

/* Items of one size inside an RLP list: the i-th stands at first + i * stride. */
struct mr_items {
    const uint8_t *first;
    uint32_t n, stride;
};
static inline const uint8_t *mr_items_at(const struct mr_items *a, size_t i)
{
    return a->first + i * a->stride;
}

/* Reads a list of byte strings of one size. */
MR_MUST_USE enum mr_err mr_items_read(struct mr_reader *r, struct mr_items *out, size_t size);

struct mr_sidecar {
    enum mr_wrapper wrapper; /* MR_WRAPPER_NONE: no sidecar at all */
    struct mr_items blobs, commitments, proofs;
    /* What stands around the blobs' list, to make the form without blobs. */
    struct mr_span before, after;
};

/* Reads what follows the transaction in the wrapper: [.., blobs, commitments, proofs] (EIP-4844) or
 * [.., 1, blobs, commitments, proofs] (EIP-7594); r must end there. Items of a wrong size are
 * malformed; counts are left to mr_tx_check_sidecar. */
MR_MUST_USE enum mr_err mr_sidecar_decode(struct mr_reader *r, struct mr_sidecar *out);

/* Whether the blobs are left out, as eth/72 sends them: wrapper v1, commitments and proofs, an
 * empty list of blobs. */
static inline bool mr_sidecar_elided(const struct mr_sidecar *s)
{
    return s->wrapper == MR_WRAPPER_V1 && s->blobs.n == 0 && s->commitments.n > 0;
}

/* 0x01 and the last 31 bytes of SHA-256 of the commitment (EIP-4844). */
bool mr_versioned_hash(struct mr_hash *out, const uint8_t commitment[MR_COMMITMENT_SIZE]);
