#include "net/eth/version.h"

#include "net/eth/cells.h"
#include "net/eth/message.h"
#include "net/eth/message_check.h"

unsigned mr_eth_version_length(unsigned version)
{
    static const uint8_t length[] = {17, 18, 18, 20, 22};

    return mr_eth_version_known(version) ? length[version - MR_ETH_VERSION_MIN] : 0;
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
    n = MR_MIN(q.hashes.n, MR_ETH_ANSWER_ITEMS_MAX);
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
    {MR_ETH_STATUS, ALL, MR_ETH_HANDSHAKE, NO_ANSWER, "Status", mr_check_status, NULL},
    {MR_ETH_NEW_BLOCK_HASHES, ALL, LEGACY, "NewBlockHashes", mr_check_new_block_hashes, NULL},
    {MR_ETH_TRANSACTIONS, ALL, NOTIFIES, "Transactions", mr_check_transactions, NULL},
    {MR_ETH_GET_BLOCK_HEADERS, ALL, REQUESTS(MR_ETH_BLOCK_HEADERS), "GetBlockHeaders",
     mr_check_get_headers, empty_list},
    {MR_ETH_BLOCK_HEADERS, ALL, RESPONDS, "BlockHeaders", mr_check_headers, NULL},
    {MR_ETH_GET_BLOCK_BODIES, ALL, REQUESTS(MR_ETH_BLOCK_BODIES), "GetBlockBodies",
     mr_check_hash_request, empty_list},
    {MR_ETH_BLOCK_BODIES, ALL, RESPONDS, "BlockBodies", mr_check_bodies, NULL},
    {MR_ETH_NEW_BLOCK, ALL, LEGACY, "NewBlock", mr_check_new_block, NULL},
    {MR_ETH_NEW_POOLED_TRANSACTION_HASHES, ALL, NOTIFIES, "NewPooledTransactionHashes",
     mr_check_announce, NULL},
    {MR_ETH_GET_POOLED_TRANSACTIONS, ALL, REQUESTS(MR_ETH_POOLED_TRANSACTIONS),
     "GetPooledTransactions", mr_check_hash_request, empty_list},
    {MR_ETH_POOLED_TRANSACTIONS, ALL, RESPONDS, "PooledTransactions", mr_check_pooled, NULL},
    {MR_ETH_GET_RECEIPTS, UPTO(MR_ETH_69), REQUESTS(MR_ETH_RECEIPTS), "GetReceipts",
     mr_check_get_receipts, empty_list},
    {MR_ETH_GET_RECEIPTS, FROM(MR_ETH_70), REQUESTS(MR_ETH_RECEIPTS), "GetReceipts",
     mr_check_get_receipts, empty_receipts},
    {MR_ETH_RECEIPTS, ALL, RESPONDS, "Receipts", mr_check_receipts, NULL},
    {MR_ETH_BLOCK_RANGE_UPDATE, FROM(MR_ETH_69), NOTIFIES, "BlockRangeUpdate", mr_check_range,
     NULL},
    {MR_ETH_GET_BLOCK_ACCESS_LISTS, FROM(MR_ETH_71), REQUESTS(MR_ETH_BLOCK_ACCESS_LISTS),
     "GetBlockAccessLists", mr_check_hash_request, empty_access_lists},
    {MR_ETH_BLOCK_ACCESS_LISTS, FROM(MR_ETH_71), RESPONDS, "BlockAccessLists",
     mr_check_access_lists, NULL},
    {MR_ETH_GET_CELLS, FROM(MR_ETH_72), REQUESTS(MR_ETH_CELLS), "GetCells", mr_check_get_cells,
     empty_cells},
    {MR_ETH_CELLS, FROM(MR_ETH_72), RESPONDS, "Cells", mr_check_cells, NULL},
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
