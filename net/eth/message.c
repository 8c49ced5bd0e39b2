#include "net/eth/message.h"

#define HASH_ITEM 33 /* a 32-byte string with its prefix 0xa0 */

enum mr_err mr_eth_request_id(struct mr_span message, uint64_t *id, struct mr_reader *body)
{
    struct mr_reader r = mr_reader_of(message), list;
    uint64_t v;
    enum mr_err e;

    if ((e = mr_rlp_list(&r, &list)) || (e = mr_rlp_u64(&list, &v)))
        return e;
    if (!mr_reader_done(&r))
        return MR_MALFORMED;
    *id = v, *body = list;
    return MR_OK;
}

enum mr_err mr_hashes_read(struct mr_reader *r, struct mr_items *out, size_t max)
{
    struct mr_reader look = *r, list;
    enum mr_err e;

    if ((e = mr_rlp_list(&look, &list)))
        return e;
    if (mr_reader_left(&list) / HASH_ITEM > max)
        return MR_TOO_BIG;
    return mr_items_read(r, out, sizeof(struct mr_hash));
}

enum mr_err mr_hashes_put(struct mr_writer *w, const struct mr_hash *hashes, size_t n)
{
    struct mr_writer at = *w;
    size_t payload;
    enum mr_err e;

    if (n > (w->cap - w->n) / HASH_ITEM)
        return MR_FULL;
    payload = n * HASH_ITEM;
    if ((e = mr_rlp_put_list_head(&at, payload)))
        return e;
    if (at.cap - at.n < payload)
        return MR_FULL;
    for (size_t i = 0; i < n; i++) {
        at.p[at.n] = 0xa0;
        memcpy(at.p + at.n + 1, hashes[i].b, 32);
        at.n += HASH_ITEM;
    }
    *w = at;
    return MR_OK;
}

enum mr_err mr_hash_request_decode(struct mr_hash_request *out, struct mr_span message)
{
    struct mr_hash_request m;
    struct mr_reader body;
    enum mr_err e;

    if ((e = mr_eth_request_id(message, &m.request_id, &body)) ||
        (e = mr_hashes_read(&body, &m.hashes, MR_HASHES_REQUEST_MAX)))
        return e;
    if (!mr_reader_done(&body))
        return MR_MALFORMED;
    *out = m;
    return MR_OK;
}

enum mr_err mr_hash_request_encode(struct mr_writer *w, uint64_t request_id,
                                   const struct mr_hash *hashes, size_t n)
{
    struct mr_writer at = *w;
    size_t mark = mr_rlp_open(&at);
    enum mr_err e;

    if ((e = mr_rlp_put_u64(&at, request_id)) || (e = mr_hashes_put(&at, hashes, n)) ||
        (e = mr_rlp_close(&at, mark)))
        return e;
    *w = at;
    return MR_OK;
}

bool mr_eth_items_next(struct mr_eth_items *items, struct mr_span *out)
{
    if (mr_reader_done(&items->items))
        return false;
    /* The heads were walked when the items were counted. */
    MR_ASSERT(mr_rlp_item(&items->items, out) == MR_OK);
    return true;
}

enum mr_err mr_transactions_decode(struct mr_eth_items *out, struct mr_span message)
{
    struct mr_reader r = mr_reader_of(message);
    struct mr_eth_items m = {.request_id = 0};
    enum mr_err e;

    if ((e = mr_rlp_list(&r, &m.items)))
        return e;
    if (!mr_reader_done(&r))
        return MR_MALFORMED;
    if ((e = mr_rlp_count(m.items, &m.count, MR_TRANSACTIONS_MAX)))
        return e;
    *out = m;
    return MR_OK;
}

enum mr_err mr_response_decode(struct mr_eth_items *out, struct mr_span message, size_t max)
{
    struct mr_reader body;
    struct mr_eth_items m;
    enum mr_err e;

    if ((e = mr_eth_request_id(message, &m.request_id, &body)) ||
        (e = mr_rlp_list(&body, &m.items)))
        return e;
    if (!mr_reader_done(&body))
        return MR_MALFORMED;
    if ((e = mr_rlp_count(m.items, &m.count, max)))
        return e;
    *out = m;
    return MR_OK;
}

enum mr_err mr_transactions_put_head(struct mr_writer *w, size_t payload)
{
    return mr_rlp_put_list_head(w, payload);
}

enum mr_err mr_response_put_head(struct mr_writer *w, uint64_t request_id, size_t payload)
{
    struct mr_writer at = *w;
    size_t list = mr_rlp_head_len(payload) + payload;
    enum mr_err e;

    if ((e = mr_rlp_put_list_head(&at, mr_rlp_u64_len(request_id) + list)) ||
        (e = mr_rlp_put_u64(&at, request_id)) || (e = mr_rlp_put_list_head(&at, payload)))
        return e;
    *w = at;
    return MR_OK;
}

static size_t total(const struct mr_span *items, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += items[i].n;
    return sum;
}

static enum mr_err put_all(struct mr_writer *w, const struct mr_span *items, size_t n)
{
    enum mr_err e;

    for (size_t i = 0; i < n; i++) {
        if ((e = mr_rlp_put_raw(w, items[i].p, items[i].n)))
            return e;
    }
    return MR_OK;
}

enum mr_err mr_transactions_encode(struct mr_writer *w, const struct mr_span *items, size_t n)
{
    struct mr_writer at = *w;
    enum mr_err e;

    if ((e = mr_transactions_put_head(&at, total(items, n))) || (e = put_all(&at, items, n)))
        return e;
    *w = at;
    return MR_OK;
}

enum mr_err mr_response_encode(struct mr_writer *w, uint64_t request_id,
                               const struct mr_span *items, size_t n)
{
    struct mr_writer at = *w;
    enum mr_err e;

    if ((e = mr_response_put_head(&at, request_id, total(items, n))) ||
        (e = put_all(&at, items, n)))
        return e;
    *w = at;
    return MR_OK;
}

static bool legacy(struct mr_span raw)
{
    return raw.n > 0 && raw.p[0] >= 0xc0;
}

enum mr_err mr_tx_item_put(struct mr_writer *w, struct mr_span raw)
{
    return legacy(raw) ? mr_rlp_put_raw(w, raw.p, raw.n) : mr_rlp_put_bytes(w, raw.p, raw.n);
}

size_t mr_tx_item_len(struct mr_span raw)
{
    return legacy(raw) ? raw.n : mr_rlp_bytes_len(raw.p, raw.n);
}

static bool range_valid(const struct mr_block_range *r)
{
    static const struct mr_hash zero;

    return r->earliest <= r->latest && !mr_hash_equal(&r->latest_hash, &zero);
}

enum mr_err mr_block_range_decode(struct mr_block_range *out, struct mr_span message)
{
    struct mr_reader r = mr_reader_of(message), body;
    struct mr_block_range m;
    enum mr_err e;

    if ((e = mr_rlp_list(&r, &body)) || (e = mr_rlp_u64(&body, &m.earliest)) ||
        (e = mr_rlp_u64(&body, &m.latest)) || (e = mr_rlp_fixed(&body, m.latest_hash.b, 32)))
        return e;
    if (!mr_reader_done(&body) || !mr_reader_done(&r))
        return MR_MALFORMED;
    if (!range_valid(&m))
        return MR_INVALID;
    *out = m;
    return MR_OK;
}

enum mr_err mr_block_range_encode(struct mr_writer *w, const struct mr_block_range *r)
{
    struct mr_writer at = *w;
    size_t mark = mr_rlp_open(&at);
    enum mr_err e;

    MR_ASSERT(range_valid(r)); /* peers would end the session */
    if ((e = mr_rlp_put_u64(&at, r->earliest)) || (e = mr_rlp_put_u64(&at, r->latest)) ||
        (e = mr_rlp_put_bytes(&at, r->latest_hash.b, 32)) || (e = mr_rlp_close(&at, mark)))
        return e;
    *w = at;
    return MR_OK;
}
