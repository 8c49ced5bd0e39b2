#include "net/eth/version.h"

#include "net/eth/announce.h"
#include "net/eth/cells.h"
#include "net/eth/header.h"
#include "net/eth/message.h"
#include "net/eth/status.h"

/* Items of one answer: what geth and reth serve at most. */
#define ANSWER_ITEMS_MAX 1024
/* Lists inside lists: the deepest that the protocol knows is a block access list (8). */
#define DEPTH_MAX MR_RLP_DEPTH_MAX

unsigned mr_eth_version_length(unsigned version)
{
    static const uint8_t length[] = {17, 18, 18, 20, 22};

    return mr_eth_version_known(version) ? length[version - MR_ETH_VERSION_MIN] : 0;
}

/* ---- decoders ---- */

/* What a decoder passes over unread must be canonical and shallow too. */
static enum mr_err inside(struct mr_span message)
{
#ifndef MR_SABOTAGE_F_10
    struct mr_reader r = mr_reader_of(message);

    return mr_rlp_check(&r, DEPTH_MAX);
#else
    (void)message;
    return MR_OK;
#endif
}

static enum mr_err check_status(unsigned version, struct mr_span message)
{
    struct mr_eth_status s;

    return mr_eth_status_decode(&s, version, message);
}

static enum mr_err check_announce(unsigned version, struct mr_span message)
{
    struct mr_announce a;

    return mr_announce_decode(&a, version, message);
}

static enum mr_err check_range(unsigned version, struct mr_span message)
{
    struct mr_block_range r;

    (void)version;
    return mr_block_range_decode(&r, message);
}

/* Every item a list, or a byte string that is not empty. */
static enum mr_err check_typed(struct mr_eth_items items)
{
    struct mr_span item;

    while (mr_eth_items_next(&items, &item)) {
        if (item.p[0] == 0x80)
            return MR_MALFORMED;
    }
    return MR_OK;
}

static enum mr_err check_transactions(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    enum mr_err e;

    (void)version;
    if ((e = mr_transactions_decode(&items, message)) || (e = check_typed(items)))
        return e;
    return inside(message);
}

static enum mr_err check_pooled(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    enum mr_err e;

    (void)version;
    if ((e = mr_response_decode(&items, message, MR_HASHES_REQUEST_MAX)) ||
        (e = check_typed(items)))
        return e;
    return inside(message);
}

static enum mr_err check_get_headers(unsigned version, struct mr_span message)
{
    struct mr_get_block_headers q;
    uint64_t id;

    (void)version;
    return mr_get_block_headers_decode(&q, &id, message);
}

static enum mr_err check_headers(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    struct mr_header h;
    struct mr_span item;
    enum mr_err e;

    (void)version;
    if ((e = mr_response_decode(&items, message, MR_HEADERS_ANSWER_MAX)))
        return e;
    while (mr_eth_items_next(&items, &item)) {
        if ((e = mr_header_decode(&h, item)))
            return e;
    }
    return MR_OK;
}

static enum mr_err check_hash_request(unsigned version, struct mr_span message)
{
    struct mr_hash_request q;

    (void)version;
    return mr_hash_request_decode(&q, message);
}

/* Nothing but lists. */
static enum mr_err only_lists(struct mr_reader r, size_t min, size_t max)
{
    size_t n = 0;
    enum mr_err e;

    for (; !mr_reader_done(&r); n++) {
        if (n == max)
            return MR_TOO_BIG;
        if (!mr_rlp_is_list(&r))
            return MR_MALFORMED;
        if ((e = mr_rlp_skip(&r)))
            return e;
    }
    return n < min ? MR_MALFORMED : MR_OK;
}

static enum mr_err check_bodies(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    struct mr_reader body;
    enum mr_err e;

    (void)version;
    if ((e = mr_response_decode(&items, message, ANSWER_ITEMS_MAX)))
        return e;
    while (!mr_reader_done(&items.items)) { /* transactions, ommers, and withdrawals of Shanghai */
        if ((e = mr_rlp_list(&items.items, &body)) || (e = only_lists(body, 2, 3)))
            return e;
    }
    return inside(message);
}

/* [id, [hash, ...]], from eth/70 on [id, first receipt, [hash, ...]]. */
static enum mr_err check_get_receipts(unsigned version, struct mr_span message)
{
    struct mr_reader body;
    struct mr_items hashes;
    uint64_t id, first;
    enum mr_err e;

    if ((e = mr_eth_request_id(message, &id, &body)) ||
        (version >= MR_ETH_70 && (e = mr_rlp_u64(&body, &first))) ||
        (e = mr_hashes_read(&body, &hashes, MR_HASHES_REQUEST_MAX)))
        return e;
    return mr_reader_done(&body) ? MR_OK : MR_MALFORMED;
}

/* The receipts of a block. eth/68 sends a typed one as a byte string, later versions lists only. */
static enum mr_err block_receipts(struct mr_reader *r, unsigned version)
{
    struct mr_reader block;
    enum mr_err e;

    if ((e = mr_rlp_list(r, &block)))
        return e;
    while (!mr_reader_done(&block)) {
        if (version >= MR_ETH_69 && !mr_rlp_is_list(&block))
            return MR_MALFORMED;
        if (*block.p == 0x80)
            return MR_MALFORMED;
        if ((e = mr_rlp_skip(&block)))
            return e;
    }
    return MR_OK;
}

/* [id, [block, ...]], from eth/70 on [id, last block incomplete, [block, ...]]. */
static enum mr_err check_receipts(unsigned version, struct mr_span message)
{
    struct mr_reader body, blocks;
    uint64_t id, incomplete = 0;
    size_t n;
    enum mr_err e;

    if ((e = mr_eth_request_id(message, &id, &body)) ||
        (version >= MR_ETH_70 && (e = mr_rlp_u64(&body, &incomplete))) ||
        (e = mr_rlp_list(&body, &blocks)))
        return e;
    if (!mr_reader_done(&body) || incomplete > 1)
        return MR_MALFORMED;
    if ((e = mr_rlp_count(blocks, &n, ANSWER_ITEMS_MAX)))
        return e;
    while (!mr_reader_done(&blocks)) {
        if ((e = block_receipts(&blocks, version)))
            return e;
    }
    return inside(message);
}

/* Each a list, or the empty string for one that is not held (EIP-8159). */
static enum mr_err check_access_lists(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    struct mr_span item;
    enum mr_err e;

    (void)version;
    if ((e = mr_response_decode(&items, message, ANSWER_ITEMS_MAX)))
        return e;
    while (mr_eth_items_next(&items, &item)) {
        if (item.p[0] < 0xc0 && item.p[0] != 0x80)
            return MR_MALFORMED;
    }
    return inside(message);
}

static enum mr_err check_get_cells(unsigned version, struct mr_span message)
{
    struct mr_get_cells q;

    (void)version;
    return mr_get_cells_decode(&q, message);
}

static enum mr_err check_cells(unsigned version, struct mr_span message)
{
    struct mr_cells c;

    (void)version;
    return mr_cells_decode(&c, message);
}

/* [[hash, number], ...] */
static enum mr_err check_new_block_hashes(unsigned version, struct mr_span message)
{
    struct mr_reader r = mr_reader_of(message), list, pair;
    struct mr_hash hash;
    uint64_t number;
    size_t n;
    enum mr_err e;

    (void)version;
    if ((e = mr_rlp_list(&r, &list)) || (e = mr_rlp_count(list, &n, ANSWER_ITEMS_MAX)))
        return e;
    while (!mr_reader_done(&list)) {
        if ((e = mr_rlp_list(&list, &pair)) || (e = mr_rlp_fixed(&pair, hash.b, 32)) ||
            (e = mr_rlp_u64(&pair, &number)))
            return e;
        if (!mr_reader_done(&pair))
            return MR_MALFORMED;
    }
    return mr_reader_done(&r) ? MR_OK : MR_MALFORMED;
}

/* [[header, transactions, ommers], total difficulty] */
static enum mr_err check_new_block(unsigned version, struct mr_span message)
{
    struct mr_reader r = mr_reader_of(message), body, block;
    struct mr_header h;
    struct mr_u256 td;
    enum mr_err e;

    (void)version;
    if ((e = mr_rlp_list(&r, &body)) || (e = mr_rlp_list(&body, &block)) ||
        (e = mr_rlp_u256(&body, &td)) || (e = mr_header_read(&block, &h)) ||
        (e = only_lists(block, 2, 2)))
        return e;
    if (!mr_reader_done(&body) || !mr_reader_done(&r))
        return MR_MALFORMED;
    return inside(message);
}

/* ---- empty answers ---- */

static enum mr_err empty_list(struct mr_span request, struct mr_writer *answer)
{
    struct mr_reader body;
    uint64_t id;
    enum mr_err e;

    if ((e = mr_eth_request_id(request, &id, &body)))
        return e;
    return mr_response_put_head(answer, id, 0);
}

/* From eth/70 on: [id, 0, []], the 0 for "the last block is complete". */
static enum mr_err empty_receipts(struct mr_span request, struct mr_writer *answer)
{
    size_t mark = mr_rlp_open(answer);
    struct mr_reader body;
    uint64_t id;
    enum mr_err e;

    if ((e = mr_eth_request_id(request, &id, &body)) || (e = mr_rlp_put_u64(answer, id)) ||
        (e = mr_rlp_put_u64(answer, 0)) || (e = mr_rlp_put_list_head(answer, 0)))
        return e;
    return mr_rlp_close(answer, mark);
}

/* The empty string for each hash, since an empty list would be an access list. */
static enum mr_err empty_access_lists(struct mr_span request, struct mr_writer *answer)
{
    struct mr_hash_request q;
    size_t n;
    enum mr_err e;

    if ((e = mr_hash_request_decode(&q, request)))
        return e;
    n = MR_MIN(q.hashes.n, ANSWER_ITEMS_MAX);
    if ((e = mr_response_put_head(answer, q.request_id, n)))
        return e;
    for (size_t i = 0; i < n; i++) {
        if ((e = mr_rlp_put_bytes(answer, NULL, 0)))
            return e;
    }
    return MR_OK;
}

static enum mr_err empty_cells(struct mr_span request, struct mr_writer *answer)
{
    static const struct mr_cell_mask none;
    struct mr_reader body;
    uint64_t id;
    enum mr_err e;

    if ((e = mr_eth_request_id(request, &id, &body)))
        return e;
    return mr_cells_encode(answer, id, NULL, 0, &none);
}

/* ---- the table ---- */

#define ALL         MR_ETH_VERSION_MIN, MR_ETH_VERSION_MAX
#define FROM(v)     (v), MR_ETH_VERSION_MAX
#define UPTO(v)     MR_ETH_VERSION_MIN, (v)
#define NO_ANSWER   0
#define NOTIFIES    MR_ETH_NOTIFICATION, NO_ANSWER
#define LEGACY      MR_ETH_LEGACY_BLOCK, NO_ANSWER
#define RESPONDS    MR_ETH_RESPONSE, NO_ANSWER
#define REQUESTS(a) MR_ETH_REQUEST, (a)

/* id, versions, kind and answer, name, decoder, empty answer; sorted by id. */
static const struct mr_eth_message messages[] = {
    {MR_ETH_STATUS, ALL, MR_ETH_HANDSHAKE, NO_ANSWER, "Status", check_status, NULL},
    {MR_ETH_NEW_BLOCK_HASHES, ALL, LEGACY, "NewBlockHashes", check_new_block_hashes, NULL},
    {MR_ETH_TRANSACTIONS, ALL, NOTIFIES, "Transactions", check_transactions, NULL},
    {MR_ETH_GET_BLOCK_HEADERS, ALL, REQUESTS(MR_ETH_BLOCK_HEADERS), "GetBlockHeaders",
     check_get_headers, empty_list},
    {MR_ETH_BLOCK_HEADERS, ALL, RESPONDS, "BlockHeaders", check_headers, NULL},
    {MR_ETH_GET_BLOCK_BODIES, ALL, REQUESTS(MR_ETH_BLOCK_BODIES), "GetBlockBodies",
     check_hash_request, empty_list},
    {MR_ETH_BLOCK_BODIES, ALL, RESPONDS, "BlockBodies", check_bodies, NULL},
    {MR_ETH_NEW_BLOCK, ALL, LEGACY, "NewBlock", check_new_block, NULL},
    {MR_ETH_NEW_POOLED_TRANSACTION_HASHES, ALL, NOTIFIES, "NewPooledTransactionHashes",
     check_announce, NULL},
    {MR_ETH_GET_POOLED_TRANSACTIONS, ALL, REQUESTS(MR_ETH_POOLED_TRANSACTIONS),
     "GetPooledTransactions", check_hash_request, empty_list},
    {MR_ETH_POOLED_TRANSACTIONS, ALL, RESPONDS, "PooledTransactions", check_pooled, NULL},
    {MR_ETH_GET_RECEIPTS, UPTO(MR_ETH_69), REQUESTS(MR_ETH_RECEIPTS), "GetReceipts",
     check_get_receipts, empty_list},
    {MR_ETH_GET_RECEIPTS, FROM(MR_ETH_70), REQUESTS(MR_ETH_RECEIPTS), "GetReceipts",
     check_get_receipts, empty_receipts},
    {MR_ETH_RECEIPTS, ALL, RESPONDS, "Receipts", check_receipts, NULL},
    {MR_ETH_BLOCK_RANGE_UPDATE, FROM(MR_ETH_69), NOTIFIES, "BlockRangeUpdate", check_range, NULL},
    {MR_ETH_GET_BLOCK_ACCESS_LISTS, FROM(MR_ETH_71), REQUESTS(MR_ETH_BLOCK_ACCESS_LISTS),
     "GetBlockAccessLists", check_hash_request, empty_access_lists},
    {MR_ETH_BLOCK_ACCESS_LISTS, FROM(MR_ETH_71), RESPONDS, "BlockAccessLists", check_access_lists,
     NULL},
    {MR_ETH_GET_CELLS, FROM(MR_ETH_72), REQUESTS(MR_ETH_CELLS), "GetCells", check_get_cells,
     empty_cells},
    {MR_ETH_CELLS, FROM(MR_ETH_72), RESPONDS, "Cells", check_cells, NULL},
};

const struct mr_eth_message *mr_eth_message_find(unsigned version, uint64_t id, bool legacy_blocks)
{
    if (!mr_eth_version_known(version))
        return NULL;
    for (size_t i = 0; i < MR_COUNT_OF(messages) && messages[i].id <= id; i++) {
        const struct mr_eth_message *m = &messages[i];

        if (m->id != id || version < m->first || version > m->last)
            continue;
        return m->kind == MR_ETH_LEGACY_BLOCK && !legacy_blocks ? NULL : m;
    }
    return NULL;
}

enum mr_err mr_eth_message_check(unsigned version, uint64_t id, bool legacy_blocks,
                                 struct mr_span message)
{
    const struct mr_eth_message *m = mr_eth_message_find(version, id, legacy_blocks);

    if (m == NULL)
        return MR_NOT_FOUND;
    if (message.n > MR_ETH_MESSAGE_MAX)
        return MR_TOO_BIG;
    return m->check(version, message);
}

enum mr_err mr_eth_empty_answer(unsigned version, uint64_t id, struct mr_span request,
                                struct mr_writer *answer, uint64_t *answer_id)
{
    const struct mr_eth_message *m = mr_eth_message_find(version, id, false);
    struct mr_writer at = *answer;
    enum mr_err e;

    if (m == NULL || m->empty == NULL)
        return MR_NOT_FOUND;
    if (request.n > MR_ETH_MESSAGE_MAX)
        return MR_TOO_BIG;
    if ((e = m->check(version, request)) || (e = m->empty(request, &at)))
        return e;
    *answer = at;
    *answer_id = m->answer_id;
    return MR_OK;
}
