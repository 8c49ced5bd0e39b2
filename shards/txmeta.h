/* txmeta.h: what lies in front of a stored transaction: one mr_buf holds a struct mr_txmeta and
 * then its body. After admission the body is the snappy fragment of the wire item (design.md
 * section 4); in the verify queue it is the raw item as it arrived. Immutable once published. */
#pragma once
#include "core/base.h"
#include "core/buffer.h"

struct mr_txmeta {
    struct mr_hash hash;
    struct mr_address sender;
    uint8_t type;
    uint8_t flags; /* MR_TXF_* */
    uint8_t origin_shard;
    uint8_t unused;
    uint32_t size;           /* as announced on eth/68 to 71: with the sidecar */
    uint32_t size_elided;    /* as announced on eth/72: without it */
    uint32_t item_bytes;     /* the wire item, RLP prefix included, inflated */
    uint32_t fragment_bytes; /* what follows this struct */
    uint32_t origin_slot;    /* who delivered it first, on origin_shard: whose share of the pool */
    uint32_t origin_generation;
    uint64_t nonce;
    uint64_t received_ns; /* mono, when its last byte was read: for latency histograms */
    struct mr_u256 fee_cap, tip_cap, blob_fee_cap;
};
enum { MR_TXF_BLOB = 1, MR_TXF_DOUBTFUL = 2 };

static inline const struct mr_txmeta *mr_txmeta(const struct mr_buf *b)
{
    return (const struct mr_txmeta *)(const void *)b->data;
}
static inline struct mr_span mr_tx_body(const struct mr_buf *b)
{
    return mr_span(b->data + sizeof(struct mr_txmeta), mr_txmeta(b)->fragment_bytes);
}
