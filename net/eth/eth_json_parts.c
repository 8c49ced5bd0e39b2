#include "net/eth/eth_json_parts.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/hex.h"
#include "net/eth/header.h"
#include "net/eth/message_block.h"
#include "net/eth/tx.h"
#include "net/eth/version.h"

void mr_json_set_quantity_u64(struct mr_json *o, const char *key, uint64_t v)
{
    char text[24];

    snprintf(text, sizeof text, "0x%" PRIx64, v);
    mr_json_set_string(o, key, text);
}

void mr_json_set_quantity(struct mr_json *o, const char *key, const struct mr_u256 *v)
{
    char digits[65], text[67] = "0x";
    const char *first = digits;

    mr_hex_encode(digits, v->b, 32);
    while (first[0] == '0' && first[1] != '\0')
        first++;
    memcpy(text + 2, first, strlen(first) + 1);
    mr_json_set_string(o, key, text);
}

enum mr_err mr_json_set_list(struct mr_json *o, const char *key, struct mr_where *w,
                             struct mr_reader *r, mr_json_of_item *item)
{
    struct mr_json *all = mr_json_new_array(), *one;
    enum mr_err e;

    mr_json_set(o, key, all);
    while (!mr_reader_done(r)) {
        w->at = r->p;
        if ((e = item(&one, w, r)))
            return e;
        mr_json_push(all, one);
    }
    return MR_OK;
}

enum mr_err mr_json_of_access_list(struct mr_json **out, struct mr_where *w, struct mr_reader *r)
{
    struct mr_reader look = *r;
    struct mr_span item;
    enum mr_err e;

    (void)w;
    *out = NULL;
    if ((e = mr_rlp_item(&look, &item)))
        return e;
    if (item.p[0] < 0xc0 && item.p[0] != 0x80)
        return MR_MALFORMED;
    *out = mr_json_new_hex(item.p, item.n);
    *r = look;
    return MR_OK;
}

/* ---- headers and bodies ---- */

static void set_hash(struct mr_json *o, const char *key, const struct mr_hash *h)
{
    mr_json_set_hex(o, key, h->b, 32);
}

static void set_later(struct mr_json *o, const struct mr_header *h)
{
    if (h->fields >= MR_HEADER_HAS_BASE_FEE)
        mr_json_set_quantity(o, "baseFeePerGas", &h->base_fee);
    if (h->fields >= MR_HEADER_HAS_WITHDRAWALS)
        set_hash(o, "withdrawalsRoot", &h->withdrawals_root);
    if (h->fields >= MR_HEADER_HAS_BLOB_GAS - 1)
        mr_json_set_quantity_u64(o, "blobGasUsed", h->blob_gas_used);
    if (h->fields >= MR_HEADER_HAS_BLOB_GAS)
        mr_json_set_quantity_u64(o, "excessBlobGas", h->excess_blob_gas);
    if (h->fields >= MR_HEADER_HAS_BEACON_ROOT)
        set_hash(o, "parentBeaconBlockRoot", &h->parent_beacon_root);
    if (h->fields >= MR_HEADER_HAS_REQUESTS)
        set_hash(o, "requestsHash", &h->requests_hash);
    if (h->fields >= MR_HEADER_HAS_ACCESS_LIST)
        set_hash(o, "blockAccessListHash", &h->access_list_hash);
    if (h->fields >= MR_HEADER_HAS_SLOT)
        mr_json_set_quantity_u64(o, "slotNumber", h->slot_number);
}

enum mr_err mr_json_of_header(struct mr_json **out, struct mr_where *w, struct mr_reader *r)
{
    struct mr_header h;
    struct mr_json *o;
    enum mr_err e;

    (void)w;
    *out = NULL;
    if ((e = mr_header_read(r, &h)))
        return e;
    *out = o = mr_json_new_object();
    set_hash(o, "parentHash", &h.parent_hash);
    set_hash(o, "sha3Uncles", &h.ommers_hash);
    mr_json_set_hex(o, "miner", h.coinbase.b, 20);
    set_hash(o, "stateRoot", &h.state_root);
    set_hash(o, "transactionsRoot", &h.transactions_root);
    set_hash(o, "receiptsRoot", &h.receipts_root);
    mr_json_set_hex(o, "logsBloom", h.bloom, 256);
    mr_json_set_quantity(o, "difficulty", &h.difficulty);
    mr_json_set_quantity_u64(o, "number", h.number);
    mr_json_set_quantity_u64(o, "gasLimit", h.gas_limit);
    mr_json_set_quantity_u64(o, "gasUsed", h.gas_used);
    mr_json_set_quantity_u64(o, "timestamp", h.time);
    mr_json_set_hex(o, "extraData", h.extra.p, h.extra.n);
    set_hash(o, "mixHash", &h.mix);
    mr_json_set_hex(o, "nonce", h.nonce, 8);
    set_later(o, &h);
    set_hash(o, "hash", &h.hash);
    return MR_OK;
}

static enum mr_err of_withdrawal(struct mr_json **out, struct mr_where *w, struct mr_reader *r)
{
    struct mr_withdrawal d;
    enum mr_err e;

    (void)w;
    *out = NULL;
    if ((e = mr_withdrawal_read(r, &d)))
        return e;
    *out = mr_json_new_object();
    mr_json_set_quantity_u64(*out, "index", d.index);
    mr_json_set_quantity_u64(*out, "validatorIndex", d.validator);
    mr_json_set_hex(*out, "address", d.address.b, 20);
    mr_json_set_quantity_u64(*out, "amount", d.amount_gwei);
    return MR_OK;
}

enum mr_err mr_json_of_body(struct mr_json **out, struct mr_where *w, struct mr_reader *r)
{
    struct mr_json *o;
    struct mr_block_body b;
    enum mr_err e;

    *out = NULL;
    if ((e = mr_block_body_read(r, &b)))
        return e;
    o = mr_json_new_object();
    if ((e = mr_json_set_list(o, "Transactions", w, &b.transactions, mr_json_of_tx)) ||
        (e = mr_json_set_list(o, "Uncles", w, &b.ommers, mr_json_of_header)) ||
        (b.has_withdrawals &&
         (e = mr_json_set_list(o, "Withdrawals", w, &b.withdrawals, of_withdrawal)))) {
        mr_json_free(o);
        return e;
    }
    *out = o;
    return MR_OK;
}

/* ---- receipts ---- */

static enum mr_err of_log(struct mr_json **out, struct mr_where *w, struct mr_reader *r)
{
    struct mr_json *topics = NULL;
    struct mr_log l;
    enum mr_err e;

    (void)w;
    *out = NULL;
    if ((e = mr_log_read(r, &l)))
        return e;
    *out = mr_json_new_object();
    mr_json_set_hex(*out, "address", l.address.b, 20);
    topics = mr_json_new_array();
    for (unsigned i = 0; i < l.topics_count; i++)
        mr_json_push(topics, mr_json_new_hex(l.topics[i].b, 32));
    mr_json_set(*out, "topics", topics);
    mr_json_set_hex(*out, "data", l.data.p, l.data.n);
    return MR_OK;
}

static enum mr_err of_receipt(struct mr_json **out, struct mr_where *w, struct mr_reader *r,
                              unsigned version)
{
    struct mr_receipt t;
    struct mr_json *o;
    enum mr_err e;

    *out = NULL;
    if ((e = mr_receipt_read(r, &t, version)))
        return e;
    o = mr_json_new_object();
    mr_json_set_quantity_u64(o, "type", t.type);
    mr_json_set_hex(o, "root", t.status.p, t.status.n == 32 ? 32 : 0);
    mr_json_set_quantity_u64(o, "status", t.status.n == 1);
    mr_json_set_quantity_u64(o, "cumulativeGasUsed", t.cumulative_gas);
    if (t.bloom != NULL)
        mr_json_set_hex(o, "logsBloom", t.bloom, 256);
    if ((e = mr_json_set_list(o, "logs", w, &t.logs, of_log))) {
        mr_json_free(o);
        return e;
    }
    *out = o;
    return MR_OK;
}

static enum mr_err of_block(struct mr_json **out, struct mr_where *w, struct mr_reader *r,
                            unsigned version)
{
    struct mr_json *all, *one;
    struct mr_reader block;
    enum mr_err e;

    *out = NULL;
    if ((e = mr_rlp_list(r, &block)))
        return e;
    all = mr_json_new_array();
    while (!mr_reader_done(&block)) {
        w->at = block.p;
        if ((e = of_receipt(&one, w, &block, version))) {
            mr_json_free(all);
            return e;
        }
        mr_json_push(all, one);
    }
    *out = all;
    return MR_OK;
}

enum mr_err mr_json_of_receipts_68(struct mr_json **out, struct mr_where *w, struct mr_reader *r)
{
    return of_block(out, w, r, MR_ETH_68);
}

enum mr_err mr_json_of_receipts_69(struct mr_json **out, struct mr_where *w, struct mr_reader *r)
{
    return of_block(out, w, r, MR_ETH_69);
}

/* ---- transactions ---- */

/* Elements that mr_tx_decode_item has walked: reading them again cannot fail. */
static struct mr_u256 again_u256(struct mr_reader *r)
{
    struct mr_u256 v;

    MR_ASSERT(mr_rlp_u256(r, &v) == MR_OK);
    return v;
}

static struct mr_reader again_list(struct mr_reader *r)
{
    struct mr_reader body;

    MR_ASSERT(mr_rlp_list(r, &body) == MR_OK);
    return body;
}

static struct mr_span again_bytes(struct mr_reader *r)
{
    struct mr_span s;

    MR_ASSERT(mr_rlp_bytes(r, &s) == MR_OK);
    return s;
}

static void set_again(struct mr_json *o, const char *key, struct mr_reader *r)
{
    struct mr_u256 v = again_u256(r);

    mr_json_set_quantity(o, key, &v);
}

static struct mr_json *of_access_list(struct mr_span payload)
{
    struct mr_json *all = mr_json_new_array();
    struct mr_reader r = mr_reader_of(payload);

    while (!mr_reader_done(&r)) {
        struct mr_json *one = mr_json_new_object(), *keys = mr_json_new_array();
        struct mr_reader entry = again_list(&r), list;
        struct mr_span s = again_bytes(&entry);

        mr_json_push(all, one);
        mr_json_set_hex(one, "address", s.p, s.n);
        mr_json_set(one, "storageKeys", keys);
        for (list = again_list(&entry); !mr_reader_done(&list);) {
            s = again_bytes(&list);
            mr_json_push(keys, mr_json_new_hex(s.p, s.n));
        }
    }
    return all;
}

static struct mr_json *of_authorizations(struct mr_span payload)
{
    struct mr_json *all = mr_json_new_array();
    struct mr_reader r = mr_reader_of(payload);

    while (!mr_reader_done(&r)) {
        struct mr_json *one = mr_json_new_object();
        struct mr_reader entry = again_list(&r);
        struct mr_span address;

        mr_json_push(all, one);
        set_again(one, "chainId", &entry);
        address = again_bytes(&entry);
        mr_json_set_hex(one, "address", address.p, address.n);
        set_again(one, "nonce", &entry);
        set_again(one, "yParity", &entry);
        set_again(one, "r", &entry);
        set_again(one, "s", &entry);
    }
    return all;
}

static void set_fees(struct mr_json *o, const struct mr_tx *tx)
{
    if (tx->type == MR_TX_LEGACY || tx->type == MR_TX_ACCESS_LIST) {
        mr_json_set_quantity(o, "gasPrice", &tx->fee_cap);
        return;
    }
    mr_json_set_quantity(o, "maxPriorityFeePerGas", &tx->tip);
    mr_json_set_quantity(o, "maxFeePerGas", &tx->fee_cap);
    if (tx->type == MR_TX_BLOB)
        mr_json_set_quantity(o, "maxFeePerBlobGas", &tx->blob_fee_cap);
}

/* What the types brought. */
static void set_lists(struct mr_json *o, const struct mr_tx *tx)
{
    struct mr_json *hashes;

    if (tx->type >= MR_TX_ACCESS_LIST)
        mr_json_set(o, "accessList", of_access_list(tx->access_list));
    if (tx->type == MR_TX_BLOB) {
        hashes = mr_json_new_array();
        for (size_t i = 0; i < tx->blob_hashes.n; i++)
            mr_json_push(hashes, mr_json_new_hex(mr_items_at(&tx->blob_hashes, i), 32));
        mr_json_set(o, "blobVersionedHashes", hashes);
        if (tx->sidecar.wrapper != MR_WRAPPER_NONE) {
            mr_json_set_u64(o, "wrapperVersion", (uint64_t)tx->sidecar.wrapper);
            mr_json_set_u64(o, "blobs", tx->sidecar.blobs.n);
            mr_json_set_u64(o, "commitments", tx->sidecar.commitments.n);
            mr_json_set_u64(o, "proofs", tx->sidecar.proofs.n);
        }
    }
    if (tx->type == MR_TX_SET_CODE)
        mr_json_set(o, "authorizationList", of_authorizations(tx->authorizations));
}

enum mr_err mr_json_of_tx(struct mr_json **out, struct mr_where *w, struct mr_reader *r)
{
    struct mr_reader whole, list;
    struct mr_json *o;
    struct mr_hash hash;
    struct mr_tx tx;
    enum mr_err e;

    (void)w;
    *out = NULL;
    if ((e = mr_tx_decode_item(r, &tx)))
        return e;
    *out = o = mr_json_new_object();
    mr_json_set_quantity_u64(o, "type", tx.type);
    if (!tx.unprotected && !tx.chain_id_huge)
        mr_json_set_quantity_u64(o, "chainId", tx.chain_id);
    mr_json_set_quantity_u64(o, "nonce", tx.nonce);
    set_fees(o, &tx);
    mr_json_set_quantity_u64(o, "gas", tx.gas);
    if (tx.creation)
        mr_json_set(o, "to", mr_json_new_null());
    else
        mr_json_set_hex(o, "to", tx.to.b, 20);
    mr_json_set_quantity(o, "value", &tx.value);
    mr_json_set_hex(o, "input", tx.data.p, tx.data.n);
    set_lists(o, &tx);
    whole = mr_reader_of(tx.list);
    list = again_list(&whole);
    list.p = tx.fields.p + tx.fields.n; /* the signature stands behind the fields */
    set_again(o, tx.type == MR_TX_LEGACY ? "v" : "yParity", &list);
    set_again(o, "r", &list);
    set_again(o, "s", &list);
    mr_tx_hash(&tx, &hash);
    set_hash(o, "hash", &hash);
    mr_json_set_u64(o, "size", mr_tx_size_consensus(&tx));
    return MR_OK;
}
