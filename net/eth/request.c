#include "net/eth/request.h"

#include "net/eth/message.h"

/* A hash or a number: their lengths tell. */
static enum mr_err origin_read(struct mr_reader *r, struct mr_get_block_headers *q)
{
    struct mr_reader look = *r;
    struct mr_span s;
    enum mr_err e;

    if ((e = mr_rlp_bytes(&look, &s)))
        return e;
    q->by_hash = s.n == 32;
    if (q->by_hash)
        return mr_rlp_fixed(r, q->origin_hash.b, 32);
    return mr_rlp_u64(r, &q->origin_number);
}

enum mr_err mr_get_block_headers_decode(struct mr_get_block_headers *out, uint64_t *request_id,
                                        struct mr_span message)
{
    struct mr_get_block_headers q = {.by_hash = false};
    struct mr_reader body, list;
    uint64_t id, reverse;
    enum mr_err e;

    if ((e = mr_eth_request_id(message, &id, &body)) || (e = mr_rlp_list(&body, &list)) ||
        (e = origin_read(&list, &q)) || (e = mr_rlp_u64(&list, &q.amount)) ||
        (e = mr_rlp_u64(&list, &q.skip)) || (e = mr_rlp_u64(&list, &reverse)))
        return e;
    if (!mr_reader_done(&list) || !mr_reader_done(&body) || reverse > 1)
        return MR_MALFORMED;
    q.reverse = reverse == 1;
    *out = q, *request_id = id;
    return MR_OK;
}

enum mr_err mr_get_block_headers_encode(struct mr_writer *w, uint64_t request_id,
                                        const struct mr_get_block_headers *q)
{
    struct mr_writer at = *w;
    size_t outer = mr_rlp_open(&at), inner;
    enum mr_err e;

    if ((e = mr_rlp_put_u64(&at, request_id)))
        return e;
    inner = mr_rlp_open(&at);
    if ((e = q->by_hash ? mr_rlp_put_bytes(&at, q->origin_hash.b, 32)
                        : mr_rlp_put_u64(&at, q->origin_number)) ||
        (e = mr_rlp_put_u64(&at, q->amount)) || (e = mr_rlp_put_u64(&at, q->skip)) ||
        (e = mr_rlp_put_u64(&at, q->reverse)) || (e = mr_rlp_close(&at, inner)) ||
        (e = mr_rlp_close(&at, outer)))
        return e;
    *w = at;
    return MR_OK;
}

struct mr_header_walk mr_header_query_start(const struct mr_get_block_headers *q, uint64_t origin)
{
    return (struct mr_header_walk){
        .next = origin,
        .skip = q->skip,
        .left = (uint32_t)MR_MIN(q->amount, MR_HEADERS_ANSWER_MAX),
        .reverse = q->reverse,
    };
}

bool mr_header_query_next(struct mr_header_walk *walk, uint64_t *number)
{
    uint64_t room;

    if (walk->left == 0)
        return false;
    *number = walk->next;
    walk->left--;
    /* A step is skip + 1; it fits if skip is below what is left in that direction. */
    room = walk->reverse ? walk->next : UINT64_MAX - walk->next;
    if (walk->skip >= room)
        walk->left = 0;
    else if (walk->reverse)
        walk->next -= walk->skip + 1;
    else
        walk->next += walk->skip + 1;
    return true;
}
