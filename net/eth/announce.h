/* announce.h: NewPooledTransactionHashes: types, sizes and hashes of pooled transactions
 * (EIP-5793), from eth/72 on with a mask of the cells that the sender serves (EIP-8070). Thread:
 * any. A decoded announcement is a view into the message and costs no memory whatever its length.
 */
#pragma once
#include "core/rlp.h"
#include "net/eth/cells.h"

/* Items of one message that count; further ones are ignored (caps/eth.md: soft limit). */
#define MR_ANNOUNCE_ITEMS_USED 4096
/* Items that are tolerated; more end the session. */
#define MR_ANNOUNCE_ITEMS_MAX 65536

struct mr_announce {
    size_t count;  /* items to use: at most MR_ANNOUNCE_ITEMS_USED */
    size_t stated; /* items in the message */
    bool has_cells;
    struct mr_cell_mask cells; /* eth/72; no bits otherwise */
    /* Private, for mr_announce_next. */
    const uint8_t *type, *hash;
    struct mr_reader sizes;
};

struct mr_announce_item {
    struct mr_hash hash;
    uint32_t size; /* bytes, as announced */
    uint8_t type;  /* any byte: unknown types are the caller's business, as are repeated hashes */
};

/* Reads a whole message. Equal lengths of the three lists, hashes of 32 bytes, sizes below 2^32.
 * MR_TOO_BIG above MR_ANNOUNCE_ITEMS_MAX items (found before the lists are walked) or a size. */
MR_MUST_USE enum mr_err mr_announce_decode(struct mr_announce *out, unsigned version,
                                           struct mr_span message);
/* Takes the next item off the view; false when a->count are taken. */
bool mr_announce_next(struct mr_announce *a, struct mr_announce_item *out);

/* Writes n items. cells must be given for eth/72 and is ignored for earlier versions. MR_FULL
 * without room: mr_announce_len(...) bytes. Hot path: one encoding per class of versions (up to 71,
 * 72) serves all peers. */
MR_MUST_USE enum mr_err mr_announce_encode(struct mr_writer *w, unsigned version,
                                           const uint8_t *types, const uint32_t *sizes,
                                           const struct mr_hash *hashes, size_t n,
                                           const struct mr_cell_mask *cells);
size_t mr_announce_len(unsigned version, const uint8_t *types, const uint32_t *sizes, size_t n);
