#include "net/eth/message_check.h"

#include "net/eth/announce.h"
#include "net/eth/cells.h"
#include "net/eth/header.h"
#include "net/eth/message.h"
#include "net/eth/message_block.h"
#include "net/eth/status.h"
#include "net/eth/tx.h"

enum mr_err mr_check_status(unsigned version, struct mr_span message)
{
    struct mr_eth_status s;

    return mr_eth_status_decode(&s, version, message);
}

enum mr_err mr_check_announce(unsigned version, struct mr_span message)
{
    struct mr_announce a;

    return mr_announce_decode(&a, version, message);
}

enum mr_err mr_check_range(unsigned version, struct mr_span message)
{
    struct mr_block_range r;

    (void)version;
    return mr_block_range_decode(&r, message);
}

static enum mr_err transactions(struct mr_reader r)
{
    struct mr_tx tx;
    enum mr_err e;

    while (!mr_reader_done(&r)) {
        if ((e = mr_tx_decode_item(&r, &tx)))
            return e;
    }
    return MR_OK;
}

enum mr_err mr_check_transactions(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    enum mr_err e;

    (void)version;
    if ((e = mr_transactions_decode(&items, message)))
        return e;
    return transactions(items.items);
}

enum mr_err mr_check_pooled(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    enum mr_err e;

    (void)version;
    if ((e = mr_response_decode(&items, message, MR_HASHES_REQUEST_MAX)))
        return e;
    return transactions(items.items);
}

enum mr_err mr_check_get_headers(unsigned version, struct mr_span message)
{
    struct mr_get_block_headers q;
    uint64_t id;

    (void)version;
    return mr_get_block_headers_decode(&q, &id, message);
}

static enum mr_err headers(struct mr_reader r)
{
    struct mr_header h;
    enum mr_err e;

    while (!mr_reader_done(&r)) {
        if ((e = mr_header_read(&r, &h)))
            return e;
    }
    return MR_OK;
}

enum mr_err mr_check_headers(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    enum mr_err e;

    (void)version;
    if ((e = mr_response_decode(&items, message, MR_HEADERS_ANSWER_MAX)))
        return e;
    return headers(items.items);
}

enum mr_err mr_check_hash_request(unsigned version, struct mr_span message)
{
    struct mr_hash_request q;

    (void)version;
    return mr_hash_request_decode(&q, message);
}

static enum mr_err body(struct mr_reader *r)
{
    struct mr_block_body b;
    struct mr_withdrawal w;
    enum mr_err e;

    if ((e = mr_block_body_read(r, &b)) || (e = transactions(b.transactions)) ||
        (e = headers(b.ommers)))
        return e;
    while (!mr_reader_done(&b.withdrawals)) {
        if ((e = mr_withdrawal_read(&b.withdrawals, &w)))
            return e;
    }
    return MR_OK;
}

enum mr_err mr_check_bodies(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    enum mr_err e;

    (void)version;
    if ((e = mr_response_decode(&items, message, MR_ETH_ANSWER_ITEMS_MAX)))
        return e;
    while (!mr_reader_done(&items.items)) {
        if ((e = body(&items.items)))
            return e;
    }
    return MR_OK;
}

/* [id, [hash, ...]], from eth/70 on [id, first receipt, [hash, ...]]. */
enum mr_err mr_check_get_receipts(unsigned version, struct mr_span message)
{
    struct mr_reader r;
    struct mr_items hashes;
    uint64_t id, first;
    enum mr_err e;

    if ((e = mr_eth_request_id(message, &id, &r)) ||
        (version >= MR_ETH_70 && (e = mr_rlp_u64(&r, &first))) ||
        (e = mr_hashes_read(&r, &hashes, MR_HASHES_REQUEST_MAX)))
        return e;
    return mr_reader_done(&r) ? MR_OK : MR_MALFORMED;
}

static enum mr_err block_receipts(struct mr_reader *r, unsigned version)
{
    struct mr_reader block;
    struct mr_receipt receipt;
    enum mr_err e;

    if ((e = mr_rlp_list(r, &block)))
        return e;
    while (!mr_reader_done(&block)) {
        if ((e = mr_receipt_read(&block, &receipt, version)))
            return e;
    }
    return MR_OK;
}

/* [id, [block, ...]], from eth/70 on [id, last block incomplete, [block, ...]]. */
enum mr_err mr_check_receipts(unsigned version, struct mr_span message)
{
    struct mr_reader r, blocks;
    uint64_t id, incomplete = 0;
    size_t n;
    enum mr_err e;

    if ((e = mr_eth_request_id(message, &id, &r)) ||
        (version >= MR_ETH_70 && (e = mr_rlp_u64(&r, &incomplete))) ||
        (e = mr_rlp_list(&r, &blocks)))
        return e;
    if (!mr_reader_done(&r) || incomplete > 1)
        return MR_MALFORMED;
    if ((e = mr_rlp_count(blocks, &n, MR_ETH_ANSWER_ITEMS_MAX)))
        return e;
    while (!mr_reader_done(&blocks)) {
        if ((e = block_receipts(&blocks, version)))
            return e;
    }
    return MR_OK;
}

/* Passed over unread, hence walked for its form: canonical, and as shallow as every list here. A
 * block access list needs 6 levels. */
static enum mr_err access_list(struct mr_span item)
{
#ifndef MR_SABOTAGE_F_10
    struct mr_reader r = mr_reader_of(item);

    return mr_rlp_check(&r, MR_RLP_DEPTH_MAX);
#else
    (void)item;
    return MR_OK;
#endif
}

/* Each a list, or the empty string for one that is not held (EIP-8159). */
enum mr_err mr_check_access_lists(unsigned version, struct mr_span message)
{
    struct mr_eth_items items;
    struct mr_span item;
    enum mr_err e;

    (void)version;
    if ((e = mr_response_decode(&items, message, MR_ETH_ANSWER_ITEMS_MAX)))
        return e;
    while (mr_eth_items_next(&items, &item)) {
        if (item.p[0] < 0xc0 && item.p[0] != 0x80)
            return MR_MALFORMED;
        if ((e = access_list(item)))
            return e;
    }
    return MR_OK;
}

enum mr_err mr_check_get_cells(unsigned version, struct mr_span message)
{
    struct mr_get_cells q;

    (void)version;
    return mr_get_cells_decode(&q, message);
}

enum mr_err mr_check_cells(unsigned version, struct mr_span message)
{
    struct mr_cells c;

    (void)version;
    return mr_cells_decode(&c, message);
}

/* [[hash, number], ...] */
enum mr_err mr_check_new_block_hashes(unsigned version, struct mr_span message)
{
    struct mr_reader r = mr_reader_of(message), list, pair;
    struct mr_hash hash;
    uint64_t number;
    size_t n;
    enum mr_err e;

    (void)version;
    if ((e = mr_rlp_list(&r, &list)))
        return e;
    if (!mr_reader_done(&r))
        return MR_MALFORMED;
    if ((e = mr_rlp_count(list, &n, MR_ETH_ANSWER_ITEMS_MAX)))
        return e;
    while (!mr_reader_done(&list)) {
        if ((e = mr_rlp_list(&list, &pair)) || (e = mr_rlp_fixed(&pair, hash.b, 32)) ||
            (e = mr_rlp_u64(&pair, &number)))
            return e;
        if (!mr_reader_done(&pair))
            return MR_MALFORMED;
    }
    return MR_OK;
}

/* [[header, transactions, ommers], total difficulty] */
enum mr_err mr_check_new_block(unsigned version, struct mr_span message)
{
    struct mr_reader r = mr_reader_of(message), both, block, txs, ommers;
    struct mr_header h;
    struct mr_u256 td;
    enum mr_err e;

    (void)version;
    if ((e = mr_rlp_list(&r, &both)) || (e = mr_rlp_list(&both, &block)) ||
        (e = mr_rlp_u256(&both, &td)) || (e = mr_header_read(&block, &h)) ||
        (e = mr_rlp_list(&block, &txs)) || (e = mr_rlp_list(&block, &ommers)) ||
        (e = transactions(txs)) || (e = headers(ommers)))
        return e;
    return mr_reader_done(&block) && mr_reader_done(&both) && mr_reader_done(&r) ? MR_OK
                                                                                 : MR_MALFORMED;
}
