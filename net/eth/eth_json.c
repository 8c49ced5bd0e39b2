#include "net/eth/eth_json.h"

#include "net/eth/announce.h"
#include "net/eth/cells.h"
#include "net/eth/eth_json_parts.h"
#include "net/eth/message.h"
#include "net/eth/message_check.h"
#include "net/eth/status.h"

static struct mr_json *hash_array(const struct mr_items *hashes)
{
    struct mr_json *a = mr_json_new_array();

    for (size_t i = 0; i < hashes->n; i++)
        mr_json_push(a, mr_json_new_hex(mr_items_at(hashes, i), 32));
    return a;
}

static void set_hash(struct mr_json *o, const char *key, const struct mr_hash *h)
{
    mr_json_set_hex(o, key, h->b, 32);
}

/* ---- messages without a request id ---- */

static enum mr_err show_status(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_eth_status s;
    struct mr_json *fork;
    uint8_t hash[4];
    enum mr_err e;

    if ((e = mr_eth_status_decode(&s, version, w->message)))
        return e;
    mr_json_set_u64(o, "ProtocolVersion", s.version);
    mr_json_set_u64(o, "NetworkID", s.network_id);
    if (version == MR_ETH_68) {
        mr_json_set_quantity(o, "TD", &s.total_difficulty);
        set_hash(o, "Head", &s.latest_hash);
    }
    set_hash(o, "Genesis", &s.genesis);
    fork = mr_json_new_object();
    mr_store_be32(hash, s.fork_id.hash);
    mr_json_set_hex(fork, "Hash", hash, 4);
    mr_json_set_u64(fork, "Next", s.fork_id.next);
    mr_json_set(o, "ForkID", fork);
    if (version >= MR_ETH_69) {
        mr_json_set_u64(o, "EarliestBlock", s.earliest);
        mr_json_set_u64(o, "LatestBlock", s.latest);
        set_hash(o, "LatestBlockHash", &s.latest_hash);
    }
    return MR_OK;
}

static enum mr_err show_range(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_block_range r;
    enum mr_err e;

    (void)version;
    if ((e = mr_block_range_decode(&r, w->message)))
        return e;
    mr_json_set_u64(o, "EarliestBlock", r.earliest);
    mr_json_set_u64(o, "LatestBlock", r.latest);
    set_hash(o, "LatestBlockHash", &r.latest_hash);
    return MR_OK;
}

static enum mr_err show_announce(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_announce a;
    struct mr_announce_item item;
    struct mr_json *sizes, *hashes;
    enum mr_err e;

    if ((e = mr_announce_decode(&a, version, w->message)))
        return e;
    mr_json_set_hex(o, "Types", a.type, a.stated);
    sizes = mr_json_new_array();
    hashes = mr_json_new_array();
    a.count = a.stated; /* what a session would leave unread is shown too */
    while (mr_announce_next(&a, &item)) {
        mr_json_push(sizes, mr_json_new_u64(item.size));
        mr_json_push(hashes, mr_json_new_hex(item.hash.b, 32));
    }
    mr_json_set(o, "Sizes", sizes);
    mr_json_set(o, "Hashes", hashes);
    if (a.has_cells)
        mr_json_set_hex(o, "Mask", a.cells.b, sizeof a.cells.b);
    return MR_OK;
}

static enum mr_err show_transactions(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_eth_items items;
    enum mr_err e;

    (void)version;
    if ((e = mr_transactions_decode(&items, w->message)))
        return e;
    return mr_json_set_list(o, "TransactionsPacket", w, &items.items, mr_json_of_tx);
}

static enum mr_err show_new_block_hashes(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_reader r = mr_reader_of(w->message), list, pair;
    struct mr_json *all = mr_json_new_array(), *one;
    struct mr_hash hash;
    uint64_t number;
    enum mr_err e;

    (void)version;
    mr_json_set(o, "NewBlockHashesPacket", all);
    if ((e = mr_rlp_list(&r, &list)))
        return e;
    while (!mr_reader_done(&list)) {
        w->at = list.p;
        if ((e = mr_rlp_list(&list, &pair)) || (e = mr_rlp_fixed(&pair, hash.b, 32)) ||
            (e = mr_rlp_u64(&pair, &number)))
            return e;
        one = mr_json_new_object();
        mr_json_push(all, one);
        set_hash(one, "Hash", &hash);
        mr_json_set_u64(one, "Number", number);
    }
    return MR_OK;
}

static enum mr_err show_new_block(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_reader r = mr_reader_of(w->message), both, block, txs, ommers;
    struct mr_json *b = mr_json_new_object(), *header;
    struct mr_u256 td;
    enum mr_err e;

    (void)version;
    mr_json_set(o, "Block", b);
    if ((e = mr_rlp_list(&r, &both)) || (e = mr_rlp_list(&both, &block)))
        return e;
    w->at = block.p;
    if ((e = mr_json_of_header(&header, w, &block)))
        return e;
    mr_json_set(b, "Header", header);
    w->at = block.p;
    if ((e = mr_rlp_list(&block, &txs)) || (e = mr_rlp_list(&block, &ommers)) ||
        (e = mr_json_set_list(b, "Transactions", w, &txs, mr_json_of_tx)) ||
        (e = mr_json_set_list(b, "Uncles", w, &ommers, mr_json_of_header)))
        return e;
    w->at = both.p;
    if ((e = mr_rlp_u256(&both, &td)))
        return e;
    mr_json_set_quantity(o, "TD", &td);
    return MR_OK;
}

/* ---- requests ---- */

static enum mr_err show_get_headers(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_get_block_headers q;
    struct mr_json *origin;
    uint64_t id;
    enum mr_err e;

    (void)version;
    if ((e = mr_get_block_headers_decode(&q, &id, w->message)))
        return e;
    mr_json_set_u64(o, "RequestId", id);
    origin = mr_json_new_object();
    set_hash(origin, "Hash", &q.origin_hash);
    mr_json_set_u64(origin, "Number", q.origin_number);
    mr_json_set(o, "Origin", origin);
    mr_json_set_u64(o, "Amount", q.amount);
    mr_json_set_u64(o, "Skip", q.skip);
    mr_json_set_bool(o, "Reverse", q.reverse);
    return MR_OK;
}

static enum mr_err show_hash_request(struct mr_json *o, struct mr_where *w, const char *key)
{
    struct mr_hash_request q;
    enum mr_err e;

    if ((e = mr_hash_request_decode(&q, w->message)))
        return e;
    mr_json_set_u64(o, "RequestId", q.request_id);
    mr_json_set(o, key, hash_array(&q.hashes));
    return MR_OK;
}

static enum mr_err show_get_bodies(struct mr_json *o, struct mr_where *w, unsigned version)
{
    (void)version;
    return show_hash_request(o, w, "GetBlockBodiesPacket");
}

static enum mr_err show_get_pooled(struct mr_json *o, struct mr_where *w, unsigned version)
{
    (void)version;
    return show_hash_request(o, w, "GetPooledTransactionsPacket");
}

static enum mr_err show_get_access_lists(struct mr_json *o, struct mr_where *w, unsigned version)
{
    (void)version;
    return show_hash_request(o, w, "GetBlockAccessListsPacket");
}

static enum mr_err show_get_receipts(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_reader body;
    struct mr_items hashes;
    uint64_t id, first;
    enum mr_err e;

    if ((e = mr_eth_request_id(w->message, &id, &body)))
        return e;
    mr_json_set_u64(o, "RequestId", id);
    w->at = body.p;
    if (version >= MR_ETH_70) {
        if ((e = mr_rlp_u64(&body, &first)))
            return e;
        mr_json_set_u64(o, "FirstBlockReceiptIndex", first);
    }
    w->at = body.p;
    if ((e = mr_hashes_read(&body, &hashes, MR_HASHES_REQUEST_MAX)))
        return e;
    mr_json_set(o, "GetReceiptsPacket", hash_array(&hashes));
    return MR_OK;
}

static enum mr_err show_get_cells(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_get_cells q;
    enum mr_err e;

    (void)version;
    if ((e = mr_get_cells_decode(&q, w->message)))
        return e;
    mr_json_set_u64(o, "RequestId", q.request_id);
    mr_json_set(o, "Hashes", hash_array(&q.hashes));
    mr_json_set_hex(o, "Mask", q.mask.b, sizeof q.mask.b);
    return MR_OK;
}

/* ---- responses ---- */

static enum mr_err show_response(struct mr_json *o, struct mr_where *w, const char *key, size_t max,
                                 mr_json_of_item *item)
{
    struct mr_eth_items items;
    enum mr_err e;

    if ((e = mr_response_decode(&items, w->message, max)))
        return e;
    mr_json_set_u64(o, "RequestId", items.request_id);
    return mr_json_set_list(o, key, w, &items.items, item);
}

static enum mr_err show_headers(struct mr_json *o, struct mr_where *w, unsigned version)
{
    (void)version;
    return show_response(o, w, "BlockHeadersPacket", MR_HEADERS_ANSWER_MAX, mr_json_of_header);
}

static enum mr_err show_bodies(struct mr_json *o, struct mr_where *w, unsigned version)
{
    (void)version;
    return show_response(o, w, "BlockBodiesPacket", MR_ETH_ANSWER_ITEMS_MAX, mr_json_of_body);
}

static enum mr_err show_pooled(struct mr_json *o, struct mr_where *w, unsigned version)
{
    (void)version;
    return show_response(o, w, "PooledTransactionsPacket", MR_HASHES_REQUEST_MAX, mr_json_of_tx);
}

static enum mr_err show_access_lists(struct mr_json *o, struct mr_where *w, unsigned version)
{
    (void)version;
    return show_response(o, w, "BlockAccessListsPacket", MR_ETH_ANSWER_ITEMS_MAX,
                         mr_json_of_access_list);
}

static enum mr_err show_receipts(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_reader body, blocks;
    uint64_t id, incomplete;
    enum mr_err e;

    if ((e = mr_eth_request_id(w->message, &id, &body)))
        return e;
    mr_json_set_u64(o, "RequestId", id);
    w->at = body.p;
    if (version >= MR_ETH_70) {
        if ((e = mr_rlp_u64(&body, &incomplete)))
            return e;
        mr_json_set_bool(o, "LastBlockIncomplete", incomplete != 0);
    }
    w->at = body.p;
    if ((e = mr_rlp_list(&body, &blocks)))
        return e;
    return mr_json_set_list(o, "ReceiptsPacket", w, &blocks,
                            version == MR_ETH_68 ? mr_json_of_receipts_68 : mr_json_of_receipts_69);
}

static enum mr_err show_cells(struct mr_json *o, struct mr_where *w, unsigned version)
{
    struct mr_json *groups, *group;
    struct mr_cells c;
    struct mr_cell_group g;
    enum mr_err e;

    (void)version;
    if ((e = mr_cells_decode(&c, w->message)))
        return e;
    mr_json_set_u64(o, "RequestId", c.request_id);
    mr_json_set(o, "Hashes", hash_array(&c.hashes));
    groups = mr_json_new_array();
    mr_json_set(o, "Cells", groups);
    while (mr_cells_next(&c, &g)) {
        group = mr_json_new_array();
        mr_json_push(groups, group);
        for (size_t i = 0; i < g.cells.n; i++)
            mr_json_push(group, mr_json_new_hex(mr_items_at(&g.cells, i), MR_CELL_SIZE));
    }
    mr_json_set_hex(o, "Mask", c.mask.b, sizeof c.mask.b);
    return MR_OK;
}

/* ---- the table ---- */

typedef enum mr_err show_function(struct mr_json *o, struct mr_where *w, unsigned version);

static show_function *const shows[MR_ETH_IDS_MAX] = {
    [MR_ETH_STATUS] = show_status,
    [MR_ETH_NEW_BLOCK_HASHES] = show_new_block_hashes,
    [MR_ETH_TRANSACTIONS] = show_transactions,
    [MR_ETH_GET_BLOCK_HEADERS] = show_get_headers,
    [MR_ETH_BLOCK_HEADERS] = show_headers,
    [MR_ETH_GET_BLOCK_BODIES] = show_get_bodies,
    [MR_ETH_BLOCK_BODIES] = show_bodies,
    [MR_ETH_NEW_BLOCK] = show_new_block,
    [MR_ETH_NEW_POOLED_TRANSACTION_HASHES] = show_announce,
    [MR_ETH_GET_POOLED_TRANSACTIONS] = show_get_pooled,
    [MR_ETH_POOLED_TRANSACTIONS] = show_pooled,
    [MR_ETH_GET_RECEIPTS] = show_get_receipts,
    [MR_ETH_RECEIPTS] = show_receipts,
    [MR_ETH_BLOCK_RANGE_UPDATE] = show_range,
    [MR_ETH_GET_BLOCK_ACCESS_LISTS] = show_get_access_lists,
    [MR_ETH_BLOCK_ACCESS_LISTS] = show_access_lists,
    [MR_ETH_GET_CELLS] = show_get_cells,
    [MR_ETH_CELLS] = show_cells,
};

/* Where the RLP itself breaks: the first item that does not fit what it stands in. */
static const uint8_t *first_break(struct mr_span message)
{
    const uint8_t *ends[MR_RLP_DEPTH_MAX + 1];
    struct mr_reader at = mr_reader_of(message), body;
    unsigned depth = 0;

    do {
        if (mr_rlp_is_list(&at)) {
            if (depth == MR_RLP_DEPTH_MAX || mr_rlp_list(&at, &body))
                return at.p;
            ends[depth++] = at.end;
            at = body;
        } else if (mr_rlp_skip(&at)) {
            return at.p;
        }
        while (depth > 0 && mr_reader_done(&at))
            at.end = ends[--depth];
    } while (depth > 0);
    return mr_reader_done(&at) ? NULL : at.p; /* bytes behind the message */
}

struct mr_json *mr_eth_json(enum mr_err *error, size_t *offset, unsigned version, uint64_t id,
                            bool legacy_blocks, struct mr_span message)
{
    const struct mr_eth_message *m = mr_eth_message_find(version, id, legacy_blocks);
    enum mr_err e = mr_eth_message_check(version, id, legacy_blocks, message);
    struct mr_where w = {.message = message, .at = message.p};
    const uint8_t *broken;
    enum mr_err shown;
    struct mr_json *o;

    *error = e;
    *offset = 0;
    if (m == NULL || message.n > MR_ETH_MESSAGE_MAX)
        return NULL;
    broken = e == MR_OK ? NULL : first_break(message);
    if (broken != NULL) {
        *offset = (size_t)(broken - message.p);
        return NULL;
    }
    o = mr_json_new_object();
    mr_json_set_string(o, "name", m->name);
    mr_json_set_u64(o, "version", version);
    mr_json_set_u64(o, "id", id);
    MR_ASSERT(shows[id] != NULL);
    shown = shows[id](o, &w, version);
    if (e == MR_OK) {
        MR_ASSERT(shown == MR_OK); /* the check is the stricter of the two */
        return o;
    }
    if (shown != MR_OK) /* the item at which it stopped broke the rule */
        *offset = (size_t)(w.at - message.p);
    mr_json_free(o);
    return NULL;
}
