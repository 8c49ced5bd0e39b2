/* GetCells and Cells: what is read is written back byte for byte, cell by cell; no answer passes
 * that goes beyond the request it is held against. The input is a request and an answer, the first
 * two bytes the request's length. */
#include <stdlib.h>

#include "net/eth/cells.h"
#include "net/eth/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool request_read(struct mr_get_cells *q, struct mr_span message)
{
    struct mr_hash *hashes;
    struct mr_writer w;

    if (mr_get_cells_decode(q, message))
        return false;
    hashes = malloc(q->hashes.n * sizeof *hashes + 1);
    w = mr_writer(malloc(message.n), message.n);
    for (size_t i = 0; i < q->hashes.n; i++)
        memcpy(hashes[i].b, mr_items_at(&q->hashes, i), 32);
    MR_ASSERT(mr_get_cells_encode(&w, q->request_id, hashes, q->hashes.n, &q->mask) == MR_OK);
    MR_ASSERT(w.n == message.n);
    MR_ASSERT(memcmp(w.p, message.p, w.n) == 0);
    free(hashes);
    free(w.p);
    return true;
}

static bool answer_read(struct mr_cells *c, struct mr_span message)
{
    struct mr_cells_group_in *in;
    const uint8_t **cells;
    struct mr_cells walk;
    struct mr_cell_group g;
    struct mr_writer w;
    size_t n = 0, at = 0;

    if (mr_cells_decode(c, message))
        return false;
    walk = *c;
    in = malloc(c->hashes.n * sizeof *in + 1);
    cells = malloc(c->cells_count * sizeof *cells + 1);
    w = mr_writer(malloc(message.n), message.n);
    for (; mr_cells_next(&walk, &g); n++) {
        in[n] = (struct mr_cells_group_in){.tx = g.tx, .cells = cells + at, .count = g.cells.n};
        for (unsigned b = 0; b < g.blobs; b++) {
            for (unsigned k = 0; k < g.columns; k++)
                cells[at++] = mr_cell_at(&g, b, k);
        }
    }
    MR_ASSERT(n == c->hashes.n);
    MR_ASSERT(at == c->cells_count);
    MR_ASSERT(mr_cells_encode(&w, c->request_id, in, n, &c->mask) == MR_OK);
    MR_ASSERT(w.n == message.n);
    MR_ASSERT(memcmp(w.p, message.p, w.n) == 0);
    free(in);
    free(cells);
    free(w.p);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_get_cells q;
    struct mr_cells c;
    size_t n;

    if (size < 2)
        return 0;
    n = MR_MIN(mr_load_be16(data), size - 2);
    if (!request_read(&q, mr_span(data + 2, n)) ||
        !answer_read(&c, mr_span(data + 2 + n, size - 2 - n)) ||
        (size_t)q.hashes.n * c.hashes.n > 100000)
        return 0;
    if (mr_cells_check_answer(&c, &q) == MR_OK) {
        MR_ASSERT(c.request_id == q.request_id);
        MR_ASSERT(c.hashes.n <= q.hashes.n);
        for (unsigned i = 0; i < MR_CELLS_PER_BLOB; i++)
            MR_ASSERT(!mr_cell_mask_has(&c.mask, i) || mr_cell_mask_has(&q.mask, i));
    }
    return 0;
}
