#include "net/eth/cells.h"

#include "net/eth/message.h"

#define CELL_ITEM (3 + MR_CELL_SIZE) /* b9 08 00 and the cell */

unsigned mr_cell_mask_count(const struct mr_cell_mask *m)
{
    return (unsigned)(__builtin_popcountll(mr_load_le64(m->b)) +
                      __builtin_popcountll(mr_load_le64(m->b + 8)));
}

unsigned mr_cell_mask_rank(const struct mr_cell_mask *m, unsigned i)
{
    struct mr_cell_mask below = *m;

    MR_ASSERT(i < MR_CELLS_PER_BLOB);
    below.b[i / 8] &= (uint8_t)((1u << i % 8) - 1);
    memset(below.b + i / 8 + 1, 0, sizeof below.b - 1 - i / 8);
    return mr_cell_mask_count(&below);
}

bool mr_cell_mask_within(const struct mr_cell_mask *part, const struct mr_cell_mask *whole)
{
    uint64_t outside = mr_load_le64(part->b) & ~mr_load_le64(whole->b);

    return (outside | (mr_load_le64(part->b + 8) & ~mr_load_le64(whole->b + 8))) == 0;
}

enum mr_err mr_cell_mask_read(struct mr_reader *r, struct mr_cell_mask *out)
{
    return mr_rlp_fixed(r, out->b, sizeof out->b);
}

enum mr_err mr_cell_mask_put(struct mr_writer *w, const struct mr_cell_mask *m)
{
    return mr_rlp_put_bytes(w, m->b, sizeof m->b);
}

enum mr_err mr_get_cells_decode(struct mr_get_cells *out, struct mr_span message)
{
    struct mr_get_cells m;
    struct mr_reader body;
    enum mr_err e;

    if ((e = mr_eth_request_id(message, &m.request_id, &body)) ||
        (e = mr_hashes_read(&body, &m.hashes, MR_HASHES_REQUEST_MAX)) ||
        (e = mr_cell_mask_read(&body, &m.mask)))
        return e;
    if (!mr_reader_done(&body))
        return MR_MALFORMED;
    *out = m;
    return MR_OK;
}

enum mr_err mr_get_cells_encode(struct mr_writer *w, uint64_t request_id,
                                const struct mr_hash *hashes, size_t n,
                                const struct mr_cell_mask *mask)
{
    struct mr_writer at = *w;
    size_t mark = mr_rlp_open(&at);
    enum mr_err e;

    if ((e = mr_rlp_put_u64(&at, request_id)) || (e = mr_hashes_put(&at, hashes, n)) ||
        (e = mr_cell_mask_put(&at, mask)) || (e = mr_rlp_close(&at, mark)))
        return e;
    *w = at;
    return MR_OK;
}

static enum mr_err groups_check(struct mr_cells *m)
{
    size_t columns = mr_cell_mask_count(&m->mask), groups = 0;
    struct mr_reader r = m->groups;
    struct mr_items cells;
    enum mr_err e;

    for (; !mr_reader_done(&r); groups++) {
        if (groups == m->hashes.n)
            return MR_INVALID;
        if ((e = mr_items_read(&r, &cells, MR_CELL_SIZE)))
            return e;
        if (columns == 0 ? cells.n > 0 : cells.n == 0 || cells.n % columns != 0)
            return MR_INVALID;
        if (cells.n > columns * MR_BLOBS_PER_TX_MAX)
            return MR_TOO_BIG;
        m->cells_count += cells.n;
    }
    return groups == m->hashes.n ? MR_OK : MR_INVALID;
}

enum mr_err mr_cells_decode(struct mr_cells *out, struct mr_span message)
{
    struct mr_cells m = {.taken = 0};
    struct mr_reader body;
    enum mr_err e;

    if ((e = mr_eth_request_id(message, &m.request_id, &body)) ||
        (e = mr_hashes_read(&body, &m.hashes, MR_HASHES_REQUEST_MAX)) ||
        (e = mr_rlp_list(&body, &m.groups)) || (e = mr_cell_mask_read(&body, &m.mask)))
        return e;
    if (!mr_reader_done(&body))
        return MR_MALFORMED;
    if ((e = groups_check(&m)))
        return e;
    *out = m;
    return MR_OK;
}

bool mr_cells_next(struct mr_cells *c, struct mr_cell_group *out)
{
    if (c->taken == c->hashes.n)
        return false;
    MR_ASSERT(mr_items_read(&c->groups, &out->cells, MR_CELL_SIZE) ==
              MR_OK); /* read once by mr_cells_decode */
    memcpy(out->tx.b, mr_items_at(&c->hashes, c->taken), 32);
    out->columns = mr_cell_mask_count(&c->mask);
    out->blobs = out->columns == 0 ? 0 : out->cells.n / out->columns;
    c->taken++;
    return true;
}

static bool holds(const struct mr_items *hashes, size_t n, const uint8_t *hash)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(mr_items_at(hashes, i), hash, 32) == 0)
            return true;
    }
    return false;
}

enum mr_err mr_cells_check_answer(const struct mr_cells *answer, const struct mr_get_cells *request)
{
    if (answer->request_id != request->request_id || answer->hashes.n > request->hashes.n ||
        !mr_cell_mask_within(&answer->mask, &request->mask))
        return MR_INVALID;
    for (size_t i = 0; i < answer->hashes.n; i++) {
        const uint8_t *hash = mr_items_at(&answer->hashes, i);

        if (!holds(&request->hashes, request->hashes.n, hash) || holds(&answer->hashes, i, hash))
            return MR_INVALID;
    }
    return MR_OK;
}

static enum mr_err group_put(struct mr_writer *w, const struct mr_cells_group_in *group)
{
    enum mr_err e;

    if ((e = mr_rlp_put_list_head(w, group->count * CELL_ITEM)))
        return e;
    for (size_t i = 0; i < group->count; i++) {
        if ((e = mr_rlp_put_bytes(w, group->cells[i], MR_CELL_SIZE)))
            return e;
    }
    return MR_OK;
}

static size_t list_len(size_t payload)
{
    return mr_rlp_head_len(payload) + payload;
}

enum mr_err mr_cells_encode(struct mr_writer *w, uint64_t request_id,
                            const struct mr_cells_group_in *groups, size_t n,
                            const struct mr_cell_mask *mask)
{
    struct mr_writer at = *w;
    size_t payload = 0;
    enum mr_err e;

    for (size_t i = 0; i < n; i++)
        payload += list_len(groups[i].count * CELL_ITEM);
    if ((e = mr_rlp_put_list_head(&at, mr_rlp_u64_len(request_id) + list_len(33 * n) +
                                           list_len(payload) + 17)) ||
        (e = mr_rlp_put_u64(&at, request_id)) || (e = mr_rlp_put_list_head(&at, 33 * n)))
        return e;
    for (size_t i = 0; i < n; i++) {
        if ((e = mr_rlp_put_bytes(&at, groups[i].tx.b, 32)))
            return e;
    }
    if ((e = mr_rlp_put_list_head(&at, payload)))
        return e;
    for (size_t i = 0; i < n; i++) {
        if ((e = group_put(&at, &groups[i])))
            return e;
    }
    if ((e = mr_cell_mask_put(&at, mask)))
        return e;
    *w = at;
    return MR_OK;
}
