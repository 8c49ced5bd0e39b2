/* cells.h: GetCells and Cells of eth/72 (EIP-8070): cells of blobs by transaction hash and column
 * mask. Thread: any. Decoded messages are views into the message.
 *
 * Order of the cells of one transaction: caps/eth.md reads as if index came before blob; geth and
 * reth send blob before index, and that is what is written and read here: the cell of blob b at the
 * k-th set bit of the mask is number b * (bits set) + k. */
#pragma once
#include "core/rlp.h"
#include "net/eth/blob.h"

#define MR_CELLS_HASHES_ASKED                                                                      \
    64 /* what a request of ours holds at most (soft limit of the spec)                            \
        */

/* Which of the 128 columns: bit i is byte i / 8, value 1 << i % 8. */
struct mr_cell_mask {
    uint8_t b[16];
};
static inline bool mr_cell_mask_has(const struct mr_cell_mask *m, unsigned i)
{
    return m->b[i / 8] >> i % 8 & 1;
}
static inline void mr_cell_mask_add(struct mr_cell_mask *m, unsigned i)
{
    m->b[i / 8] |= (uint8_t)(1u << i % 8);
}
unsigned mr_cell_mask_count(const struct mr_cell_mask *m);
/* How many bits are set below i: the rank of column i among the cells of one blob. */
unsigned mr_cell_mask_rank(const struct mr_cell_mask *m, unsigned i);
bool mr_cell_mask_within(const struct mr_cell_mask *part, const struct mr_cell_mask *whole);
/* A byte string of exactly 16 bytes. */
MR_MUST_USE enum mr_err mr_cell_mask_read(struct mr_reader *r, struct mr_cell_mask *out);
MR_MUST_USE enum mr_err mr_cell_mask_put(struct mr_writer *w, const struct mr_cell_mask *m);

struct mr_get_cells {
    uint64_t request_id;
    struct mr_items hashes;
    struct mr_cell_mask mask;
};
MR_MUST_USE enum mr_err mr_get_cells_decode(struct mr_get_cells *out, struct mr_span message);
MR_MUST_USE enum mr_err mr_get_cells_encode(struct mr_writer *w, uint64_t request_id,
                                            const struct mr_hash *hashes, size_t n,
                                            const struct mr_cell_mask *mask);

struct mr_cells {
    uint64_t request_id;
    struct mr_items hashes;
    struct mr_cell_mask mask;
    size_t cells_count; /* over all transactions */
    /* Private, for mr_cells_next. */
    struct mr_reader groups;
    size_t taken;
};

/* One transaction's cells. */
struct mr_cell_group {
    struct mr_hash tx;
    struct mr_items cells;
    unsigned blobs, columns; /* cells.n = blobs * columns */
};

/* Reads a whole answer. MR_INVALID: as many groups as hashes, a number of cells in each that the
 * mask's bits divide, and no cells without bits. Cells of another size than 2,048 are malformed. */
MR_MUST_USE enum mr_err mr_cells_decode(struct mr_cells *out, struct mr_span message);
/* Takes the next transaction's cells off the view; false behind the last. */
bool mr_cells_next(struct mr_cells *c, struct mr_cell_group *out);
/* The cell of that blob at the rank-th set bit of the mask. */
static inline const uint8_t *mr_cell_at(const struct mr_cell_group *g, unsigned blob, unsigned rank)
{
    return mr_items_at(&g->cells, (size_t)blob * g->columns + rank);
}
/* Whether an answer keeps to its request: same id, a mask within the one asked for, only hashes
 * that were asked for, each once. MR_INVALID otherwise: the peer is disconnected (caps/eth.md). */
MR_MUST_USE enum mr_err mr_cells_check_answer(const struct mr_cells *answer,
                                              const struct mr_get_cells *request);

struct mr_cells_group_in {
    struct mr_hash tx;
    const uint8_t *const *cells; /* blob before column; pointers to 2,048 bytes each */
    size_t count;
};
/* On MR_FULL the writer is as before. */
MR_MUST_USE enum mr_err mr_cells_encode(struct mr_writer *w, uint64_t request_id,
                                        const struct mr_cells_group_in *groups, size_t n,
                                        const struct mr_cell_mask *mask);
