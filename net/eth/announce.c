#include "net/eth/announce.h"

#include "net/eth/message.h"
#include "net/eth/version.h"

/* count integers below 2^32, as geth reads them. */
static enum mr_err sizes_check(struct mr_reader r, size_t count)
{
    uint64_t size;
    enum mr_err e;

    for (size_t i = 0; i < count; i++) {
        if (mr_reader_done(&r))
            return MR_MALFORMED;
        if ((e = mr_rlp_u64(&r, &size)))
            return e;
        if (size > UINT32_MAX)
            return MR_TOO_BIG;
    }
    return mr_reader_done(&r) ? MR_OK : MR_MALFORMED;
}

enum mr_err mr_announce_decode(struct mr_announce *out, unsigned version, struct mr_span message)
{
    struct mr_reader r = mr_reader_of(message), body;
    struct mr_announce m = {.has_cells = version >= MR_ETH_72};
    struct mr_span types;
    struct mr_items hashes;
    enum mr_err e;

    if ((e = mr_rlp_list(&r, &body)) || (e = mr_rlp_bytes(&body, &types)))
        return e;
    if (types.n > MR_ANNOUNCE_ITEMS_MAX)
        return MR_TOO_BIG;
    if ((e = mr_rlp_list(&body, &m.sizes)) || (e = mr_hashes_read(&body, &hashes, types.n)))
        return e;
    if (hashes.n != types.n)
        return MR_MALFORMED;
    if ((e = sizes_check(m.sizes, types.n)))
        return e;
    if (m.has_cells && (e = mr_cell_mask_read(&body, &m.cells)))
        return e;
    if (!mr_reader_done(&body) || !mr_reader_done(&r))
        return MR_MALFORMED;
    m.stated = types.n;
    m.count = MR_MIN(types.n, MR_ANNOUNCE_ITEMS_USED);
    m.type = types.p;
    m.hash = hashes.first;
    *out = m;
    return MR_OK;
}

bool mr_announce_next(struct mr_announce *a, struct mr_announce_item *out)
{
    uint64_t size;

    if (a->count == 0)
        return false;
    MR_ASSERT(mr_rlp_u64(&a->sizes, &size) == MR_OK); /* read once by mr_announce_decode */
    out->size = (uint32_t)size;
    out->type = *a->type;
    memcpy(out->hash.b, a->hash, 32);
    a->type++;
    a->hash += 33;
    a->count--;
    return true;
}

static size_t sizes_len(const uint32_t *sizes, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += mr_rlp_u64_len(sizes[i]);
    return sum;
}

static size_t list_len(size_t payload)
{
    return mr_rlp_head_len(payload) + payload;
}

static size_t payload_len(unsigned version, const uint8_t *types, size_t sizes, size_t n)
{
    return mr_rlp_bytes_len(types, n) + list_len(sizes) + list_len(33 * n) +
           (version >= MR_ETH_72 ? 17 : 0);
}

size_t mr_announce_len(unsigned version, const uint8_t *types, const uint32_t *sizes, size_t n)
{
    return list_len(payload_len(version, types, sizes_len(sizes, n), n));
}

enum mr_err mr_announce_encode(struct mr_writer *w, unsigned version, const uint8_t *types,
                               const uint32_t *sizes, const struct mr_hash *hashes, size_t n,
                               const struct mr_cell_mask *cells)
{
    struct mr_writer at = *w;
    size_t sizes_payload = sizes_len(sizes, n);
    enum mr_err e;

    MR_ASSERT(mr_eth_version_known(version));
    MR_ASSERT(version < MR_ETH_72 || cells != NULL);
    if ((e = mr_rlp_put_list_head(&at, payload_len(version, types, sizes_payload, n))) ||
        (e = mr_rlp_put_bytes(&at, types, n)) || (e = mr_rlp_put_list_head(&at, sizes_payload)))
        return e;
    for (size_t i = 0; i < n; i++) {
        if ((e = mr_rlp_put_u64(&at, sizes[i])))
            return e;
    }
    if ((e = mr_hashes_put(&at, hashes, n)) ||
        (version >= MR_ETH_72 && (e = mr_cell_mask_put(&at, cells))))
        return e;
    *w = at;
    return MR_OK;
}
