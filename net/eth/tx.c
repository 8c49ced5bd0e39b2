#include "net/eth/tx.h"

#include "crypto/keccak.h"
#include "crypto/secp.h"

/* Readers inside a list that is whole: what ends early there is malformed, not cut off. */
static enum mr_err inside(enum mr_err e)
{
    return e == MR_SHORT ? MR_MALFORMED : e;
}

static bool u256_fits_64(const struct mr_u256 *v)
{
    for (size_t i = 0; i < 24; i++)
        if (v->b[i])
            return false;
    return true;
}

static enum mr_err chain_id_read(struct mr_reader *r, struct mr_tx *t)
{
    struct mr_u256 v;
    enum mr_err e;

    if ((e = mr_rlp_u256(r, &v)))
        return e;
    t->chain_id_huge = !u256_fits_64(&v);
    t->chain_id = mr_load_be64(v.b + 24);
    return MR_OK;
}

static enum mr_err to_read(struct mr_reader *r, struct mr_tx *t)
{
    struct mr_span s;
    enum mr_err e;

    if ((e = mr_rlp_bytes(r, &s)))
        return e;
    t->creation = s.n == 0;
    if (t->creation)
        return MR_OK;
    if (s.n != sizeof t->to.b)
        return MR_MALFORMED;
    memcpy(t->to.b, s.p, sizeof t->to.b);
    return MR_OK;
}

/* EIP-2930: [[address, [key, ...]], ...]. */
static enum mr_err access_list_read(struct mr_reader *r, struct mr_tx *t)
{
    struct mr_reader list, tuple;
    struct mr_address address;
    struct mr_items keys;
    enum mr_err e;

    if ((e = mr_rlp_list(r, &list)))
        return e;
    t->access_list = mr_span(list.p, mr_reader_left(&list));
    while (!mr_reader_done(&list)) {
        if ((e = mr_rlp_list(&list, &tuple)) ||
            (e = mr_rlp_fixed(&tuple, address.b, sizeof address.b)) ||
            (e = mr_items_read(&tuple, &keys, sizeof(struct mr_hash))))
            return e;
        if (!mr_reader_done(&tuple))
            return MR_MALFORMED;
        t->access_addresses++;
        t->access_keys += keys.n;
    }
    return MR_OK;
}

/* EIP-7702: [[chain_id, address, nonce, y_parity, r, s], ...], each within its bounds. */
static enum mr_err authorizations_read(struct mr_reader *r, struct mr_tx *t)
{
    struct mr_reader list, tuple;
    struct mr_address address;
    struct mr_u256 u;
    uint64_t nonce, y_parity;
    enum mr_err e;

    if ((e = mr_rlp_list(r, &list)))
        return e;
    t->authorizations = mr_span(list.p, mr_reader_left(&list));
    while (!mr_reader_done(&list)) {
        if ((e = mr_rlp_list(&list, &tuple)) || (e = mr_rlp_u256(&tuple, &u)) ||
            (e = mr_rlp_fixed(&tuple, address.b, sizeof address.b)) ||
            (e = mr_rlp_u64(&tuple, &nonce)) || (e = mr_rlp_u64(&tuple, &y_parity)) ||
            (e = mr_rlp_u256(&tuple, &u)) || (e = mr_rlp_u256(&tuple, &u)))
            return e;
        if (!mr_reader_done(&tuple))
            return MR_MALFORMED;
        if (y_parity > UINT8_MAX)
            return MR_TOO_BIG;
        t->authorizations_count++;
    }
    return MR_OK;
}

/* 27 and 28 name no chain; 35 and above are 35 + 2 * chain id + parity (EIP-155). */
static void legacy_v(struct mr_tx *t, const struct mr_u256 *v)
{
    uint64_t high = mr_load_be64(v->b + 16), low = mr_load_be64(v->b + 24);

    t->unprotected = true;
    t->v_known = false;
    for (size_t i = 0; i < 16; i++)
        if (v->b[i]) {
            t->unprotected = false;
            t->chain_id_huge = true;
            return;
        }
    if (high == 0 && low < 35) {
        t->v_known = low == 27 || low == 28;
        t->y_parity = low == 28;
        return;
    }
    t->unprotected = false;
    high -= low < 35;
    low -= 35;
    t->chain_id_huge = high > 1;
    t->chain_id = high << 63 | low >> 1;
    t->y_parity = low & 1;
    t->v_known = !t->chain_id_huge;
}

static enum mr_err legacy_read(struct mr_reader *b, struct mr_tx *t)
{
    struct mr_u256 v;
    const uint8_t *first = b->p;
    enum mr_err e;

    if ((e = mr_rlp_u64(b, &t->nonce)) || (e = mr_rlp_u256(b, &t->fee_cap)) ||
        (e = mr_rlp_u64(b, &t->gas)) || (e = to_read(b, t)) || (e = mr_rlp_u256(b, &t->value)) ||
        (e = mr_rlp_bytes(b, &t->data)))
        return e;
    t->tip = t->fee_cap;
    t->fields = mr_span(first, (size_t)(b->p - first));
    if ((e = mr_rlp_u256(b, &v)) || (e = mr_rlp_u256(b, &t->r)) || (e = mr_rlp_u256(b, &t->s)))
        return e;
    legacy_v(t, &v);
    return MR_OK;
}

static enum mr_err typed_read(struct mr_reader *b, struct mr_tx *t)
{
    const uint8_t *first = b->p;
    struct mr_u256 v;
    enum mr_err e;

    if ((e = chain_id_read(b, t)) || (e = mr_rlp_u64(b, &t->nonce)) ||
        (e = mr_rlp_u256(b, &t->tip)))
        return e;
    t->fee_cap = t->tip;
    if (t->type != MR_TX_ACCESS_LIST && (e = mr_rlp_u256(b, &t->fee_cap)))
        return e;
    if ((e = mr_rlp_u64(b, &t->gas)) || (e = to_read(b, t)) || (e = mr_rlp_u256(b, &t->value)) ||
        (e = mr_rlp_bytes(b, &t->data)) || (e = access_list_read(b, t)))
        return e;
    if (t->type == MR_TX_BLOB && ((e = mr_rlp_u256(b, &t->blob_fee_cap)) ||
                                  (e = mr_items_read(b, &t->blob_hashes, sizeof(struct mr_hash)))))
        return e;
    if (t->type == MR_TX_SET_CODE && (e = authorizations_read(b, t)))
        return e;
    t->fields = mr_span(first, (size_t)(b->p - first));
    if ((e = mr_rlp_u256(b, &v)) || (e = mr_rlp_u256(b, &t->r)) || (e = mr_rlp_u256(b, &t->s)))
        return e;
    t->v_known = u256_fits_64(&v) && mr_load_be64(v.b + 24) <= 1;
    t->y_parity = v.b[31] & 1;
    return MR_OK;
}

/* The signed list, which must fill its reader; the sidecar around a blob transaction is read first.
 */
static enum mr_err list_read(struct mr_reader *r, struct mr_tx *t)
{
    struct mr_reader body, inner;
    enum mr_err e;

    t->list = mr_span(r->p, mr_reader_left(r));
    t->sidecar.wrapper = MR_WRAPPER_NONE;
    if ((e = mr_rlp_list(r, &body)))
        return e;
    if (!mr_reader_done(r))
        return MR_MALFORMED;
    if (t->type == MR_TX_BLOB && mr_rlp_is_list(&body)) {
        if ((e = mr_rlp_item(&body, &t->list)) || (e = mr_sidecar_decode(&body, &t->sidecar)))
            return inside(e);
        inner = mr_reader_of(t->list);
        if ((e = mr_rlp_list(&inner, &body)))
            return inside(e);
    }
    if ((e = t->type == MR_TX_LEGACY ? legacy_read(&body, t) : typed_read(&body, t)))
        return inside(e);
    return mr_reader_done(&body) ? MR_OK : MR_MALFORMED;
}

enum mr_err mr_tx_decode_raw(struct mr_tx *out, const void *raw, size_t n)
{
    struct mr_reader r = mr_reader(raw, n);
    struct mr_tx t;
    enum mr_err e;

    if (n == 0)
        return MR_SHORT;
    if (n > UINT32_MAX)
        return MR_TOO_BIG;
    memset(&t, 0, sizeof t);
    t.raw = mr_span(raw, n);
    if (*r.p < 0xc0) {
        t.type = *r.p++;
        if (t.type >= 0x80)
            return MR_MALFORMED; /* EIP-2718: types end at 0x7f */
        if (t.type == MR_TX_LEGACY || t.type >= MR_TX_TYPES)
            return MR_UNSUPPORTED;
    }
    if ((e = list_read(&r, &t)))
        return e;
    *out = t;
    return MR_OK;
}

enum mr_err mr_tx_decode_item(struct mr_reader *in, struct mr_tx *out)
{
    struct mr_reader r = *in;
    struct mr_span s;
    enum mr_err e;

    if (mr_rlp_is_list(&r)) {
        if ((e = mr_rlp_item(&r, &s)))
            return e;
    } else {
        if ((e = mr_rlp_bytes(&r, &s)))
            return e;
        if (s.n == 0 || *s.p >= 0x80)
            return MR_MALFORMED; /* not even the beginning of a typed transaction */
    }
    if ((e = inside(mr_tx_decode_raw(out, s.p, s.n))))
        return e;
    *in = r;
    return MR_OK;
}

size_t mr_tx_hash_input(const struct mr_tx *tx, struct mr_span out[2])
{
    if (tx->sidecar.wrapper == MR_WRAPPER_NONE) {
        out[0] = tx->raw;
        return 1;
    }
    out[0] = mr_span(tx->raw.p, 1);
    out[1] = tx->list;
    return 2;
}

void mr_tx_hash(const struct mr_tx *tx, struct mr_hash *out)
{
    struct mr_span in[2];
    struct mr_keccak k;

    if (mr_tx_hash_input(tx, in) == 1) {
        mr_keccak256(out, in[0].p, in[0].n);
        return;
    }
    mr_keccak_init(&k);
    mr_keccak_update(&k, in[0].p, in[0].n);
    mr_keccak_update(&k, in[1].p, in[1].n);
    mr_keccak_digest(&k, out->b);
}

bool mr_tx_signing_hash(const struct mr_tx *tx, struct mr_hash *out)
{
    uint8_t head_bytes[16], tail_bytes[16];
    struct mr_writer head = mr_writer(head_bytes, sizeof head_bytes);
    struct mr_writer tail = mr_writer(tail_bytes, sizeof tail_bytes);
    struct mr_keccak k;

    if (tx->chain_id_huge && tx->type == MR_TX_LEGACY)
        return false;
    if (!tx->v_known)
        return false;
    if (tx->type != MR_TX_LEGACY) {
        head.p[head.n++] = tx->type;
    } else if (!tx->unprotected) { /* EIP-155 */
        if (mr_rlp_put_u64(&tail, tx->chain_id) || mr_rlp_put_u64(&tail, 0) ||
            mr_rlp_put_u64(&tail, 0))
            return false;
    }
    if (mr_rlp_put_list_head(&head, tx->fields.n + tail.n))
        return false;
    mr_keccak_init(&k);
    mr_keccak_update(&k, head.p, head.n);
    mr_keccak_update(&k, tx->fields.p, tx->fields.n);
    mr_keccak_update(&k, tail.p, tail.n);
    mr_keccak_digest(&k, out->b);
    return true;
}

bool mr_tx_sender(const struct mr_tx *tx, struct mr_address *out, const struct mr_secp *secp)
{
    struct mr_node_id key;
    struct mr_hash h;
    uint8_t sig[65];

    if (!mr_tx_signing_hash(tx, &h))
        return false;
    memcpy(sig, tx->r.b, 32);
    memcpy(sig + 32, tx->s.b, 32);
    sig[64] = tx->y_parity;
    if (!mr_secp_recover(secp, &key, &h, sig))
        return false;
    mr_keccak256(&h, key.b, sizeof key.b);
    memcpy(out->b, h.b + sizeof h.b - sizeof out->b, sizeof out->b);
    return true;
}

size_t mr_tx_size_consensus(const struct mr_tx *tx)
{
    return tx->list.n + (tx->type != MR_TX_LEGACY);
}

size_t mr_tx_size_network(const struct mr_tx *tx)
{
    return tx->raw.n;
}

/* The list's payload in the form of eth/72. */
static size_t elided_payload(const struct mr_tx *tx)
{
    return tx->list.n + tx->sidecar.before.n + 1 + tx->sidecar.after.n;
}

size_t mr_tx_size_elided(const struct mr_tx *tx)
{
    size_t payload = elided_payload(tx);

    if (tx->sidecar.wrapper == MR_WRAPPER_NONE)
        return tx->raw.n;
    return 1 + mr_rlp_head_len(payload) + payload;
}

/* The prefix of a byte string of n >= 2 bytes: a list's, 0x40 lower. */
static enum mr_err put_string_head(struct mr_writer *w, size_t n)
{
    size_t at = w->n;
    enum mr_err e = mr_rlp_put_list_head(w, n);

    if (e == MR_OK)
        w->p[at] -= 0x40;
    return e;
}

enum mr_err mr_tx_put_elided(struct mr_writer *w, const struct mr_tx *tx)
{
    const struct mr_sidecar *s = &tx->sidecar;
    struct mr_writer copy = *w;
    enum mr_err e;

    if (s->wrapper == MR_WRAPPER_NONE)
        return mr_tx_put_item(w, tx);
    if ((e = put_string_head(&copy, mr_tx_size_elided(tx))) ||
        (e = mr_rlp_put_raw(&copy, &tx->type, 1)) ||
        (e = mr_rlp_put_list_head(&copy, elided_payload(tx))) ||
        (e = mr_rlp_put_raw(&copy, tx->list.p, tx->list.n)) ||
        (e = mr_rlp_put_raw(&copy, s->before.p, s->before.n)) ||
        (e = mr_rlp_put_list_head(&copy, 0)) || (e = mr_rlp_put_raw(&copy, s->after.p, s->after.n)))
        return e;
    *w = copy;
    return MR_OK;
}

enum mr_err mr_tx_put_item(struct mr_writer *w, const struct mr_tx *tx)
{
    if (tx->type == MR_TX_LEGACY)
        return mr_rlp_put_raw(w, tx->raw.p, tx->raw.n);
    return mr_rlp_put_bytes(w, tx->raw.p, tx->raw.n);
}
