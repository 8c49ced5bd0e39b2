/* message.h: the messages that carry transactions, headers and ranges, and the two shapes that the
 * others share: [request-id, ...] and lists of hashes. Thread: any. Views only: a decoded message
 * borrows from its bytes and costs no memory, however many items it holds. */
#pragma once
#include "core/rlp.h"
#include "net/eth/blob.h"
#include "net/eth/request.h"
#include "net/eth/version.h"

/* geth disconnects above this number of items in Transactions. */
#define MR_TRANSACTIONS_MAX 5000
/* Hashes that we ask for at most, and that a peer may ask for, in one request. */
#define MR_HASHES_ASKED_MAX   256
#define MR_HASHES_REQUEST_MAX 4096

/* Opens any request or response: its id, and the elements behind it, not walked. Trailing bytes
 * behind the message are malformed. A response whose id nobody waits for is refused on this alone.
 */
MR_MUST_USE enum mr_err mr_eth_request_id(struct mr_span message, uint64_t *id,
                                          struct mr_reader *body);

/* A list of 32-byte hashes and nothing else, at most max of them (MR_TOO_BIG, found before the list
 * is walked). Hash i: mr_items_at. */
MR_MUST_USE enum mr_err mr_hashes_read(struct mr_reader *r, struct mr_items *out, size_t max);
MR_MUST_USE enum mr_err mr_hashes_put(struct mr_writer *w, const struct mr_hash *hashes, size_t n);

/* Requests of the form [id, [hash, ...]]: GetPooledTransactions, GetBlockBodies, GetReceipts up to
 * eth/69, GetBlockAccessLists. */
struct mr_hash_request {
    uint64_t request_id;
    struct mr_items hashes;
};
MR_MUST_USE enum mr_err mr_hash_request_decode(struct mr_hash_request *out, struct mr_span message);
MR_MUST_USE enum mr_err mr_hash_request_encode(struct mr_writer *w, uint64_t request_id,
                                               const struct mr_hash *hashes, size_t n);

/* A list of items, each to be decoded as it is taken: mr_tx_decode_item for transactions,
 * mr_header_decode for headers. */
struct mr_eth_items {
    uint64_t request_id;    /* of a response */
    size_t count;           /* items in front of us when decoded */
    struct mr_reader items; /* what is not taken yet */
};
/* Takes the next item whole, prefix included; false at the end. */
bool mr_eth_items_next(struct mr_eth_items *items, struct mr_span *out);

/* [tx, ...]: at most MR_TRANSACTIONS_MAX, none entered; an item is a list or a byte string. */
MR_MUST_USE enum mr_err mr_transactions_decode(struct mr_eth_items *out, struct mr_span message);
/* The response [id, [item, ...]] (PooledTransactions, BlockHeaders), at most max items: what was
 * asked for. More is MR_TOO_BIG, found without entering any. */
MR_MUST_USE enum mr_err mr_response_decode(struct mr_eth_items *out, struct mr_span message,
                                           size_t max);

/* Messages of transactions or headers that are RLP already: heads only, so that bodies are sent
 * from where they lie. payload: the sum of the items' lengths. */
MR_MUST_USE enum mr_err mr_transactions_put_head(struct mr_writer *w, size_t payload);
MR_MUST_USE enum mr_err mr_response_put_head(struct mr_writer *w, uint64_t request_id,
                                             size_t payload);
/* The same with the items behind it. */
MR_MUST_USE enum mr_err mr_transactions_encode(struct mr_writer *w, const struct mr_span *items,
                                               size_t n);
MR_MUST_USE enum mr_err mr_response_encode(struct mr_writer *w, uint64_t request_id,
                                           const struct mr_span *items, size_t n);
/* A transaction's bytes as an item: a legacy list as it is, a typed one (type || payload) as a byte
 * string. */
MR_MUST_USE enum mr_err mr_tx_item_put(struct mr_writer *w, struct mr_span raw);
size_t mr_tx_item_len(struct mr_span raw);

/* BlockRangeUpdate of eth/69 and later. */
struct mr_block_range {
    uint64_t earliest, latest;
    struct mr_hash latest_hash;
};
/* MR_INVALID: earliest > latest, or the zero hash; such a peer is disconnected (0x10). */
MR_MUST_USE enum mr_err mr_block_range_decode(struct mr_block_range *out, struct mr_span message);
MR_MUST_USE enum mr_err mr_block_range_encode(struct mr_writer *w, const struct mr_block_range *r);
