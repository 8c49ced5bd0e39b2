#include "net/eth/tx_build.h"

#include "crypto/keccak.h"
#include "crypto/secp.h"

/* A writer that only counts when it has no memory, so that one walk gives both length and bytes. */
struct sink {
    struct mr_writer *w; /* NULL: count */
    size_t n;
    enum mr_err e;
};

static void sink_raw(struct sink *s, const void *p, size_t n)
{
    s->n += n;
    if (s->w && s->e == MR_OK)
        s->e = mr_rlp_put_raw(s->w, p, n);
}

static void sink_head(struct sink *s, size_t payload, bool list)
{
    uint8_t head[9];
    struct mr_writer w = mr_writer(head, sizeof head);

    if (mr_rlp_put_list_head(&w, payload) != MR_OK)
        return; /* nine bytes hold any prefix */
    if (!list)
        head[0] -= 0x40; /* a string's prefix is a list's, 0x40 lower */
    sink_raw(s, head, w.n);
}

static void sink_bytes(struct sink *s, const void *p, size_t n)
{
    if (n != 1 || *(const uint8_t *)p >= 0x80)
        sink_head(s, n, false);
    sink_raw(s, p, n);
}

/* A big-endian integer of n bytes without its leading zeros. */
static void sink_number(struct sink *s, const uint8_t *p, size_t n)
{
    while (n > 0 && *p == 0)
        p++, n--;
    sink_bytes(s, p, n);
}

static void sink_u64(struct sink *s, uint64_t v)
{
    uint8_t be[8];

    mr_store_be64(be, v);
    sink_number(s, be, sizeof be);
}

static void sink_u256(struct sink *s, const struct mr_u256 *v)
{
    sink_number(s, v->b, sizeof v->b);
}

static void sink_authorization(struct sink *s, const struct mr_authorization *a, bool with_head)
{
    struct sink count = {0};

    if (with_head) {
        sink_authorization(&count, a, false);
        sink_head(s, count.n, true);
    }
    sink_u64(s, a->chain_id);
    sink_bytes(s, a->address.b, sizeof a->address.b);
    sink_u64(s, a->nonce);
    sink_u64(s, a->y_parity);
    sink_u256(s, &a->r);
    sink_u256(s, &a->s);
}

static void sink_authorizations(struct sink *s, const struct mr_tx_fields *f)
{
    struct sink count = {0};

    for (size_t i = 0; i < f->authorizations_count; i++)
        sink_authorization(&count, &f->authorizations[i], true);
    sink_head(s, count.n, true);
    for (size_t i = 0; i < f->authorizations_count; i++)
        sink_authorization(s, &f->authorizations[i], true);
}

/* What stands between the list's prefix and the signature. */
static void sink_fields(struct sink *s, const struct mr_tx_fields *f)
{
    if (f->type != MR_TX_LEGACY)
        sink_u64(s, f->chain_id);
    sink_u64(s, f->nonce);
    if (f->type >= MR_TX_DYNAMIC_FEE)
        sink_u256(s, &f->tip);
    sink_u256(s, &f->fee_cap);
    sink_u64(s, f->gas);
    sink_bytes(s, f->to.b, f->creation ? 0 : sizeof f->to.b);
    sink_u256(s, &f->value);
    sink_bytes(s, f->data.p, f->data.n);
    if (f->type == MR_TX_LEGACY)
        return;
    sink_head(s, f->access_list.n, true);
    sink_raw(s, f->access_list.p, f->access_list.n);
    if (f->type == MR_TX_BLOB) {
        sink_u256(s, &f->blob_fee_cap);
        sink_head(s, 33 * f->blob_hashes_count, true);
        for (size_t i = 0; i < f->blob_hashes_count; i++)
            sink_bytes(s, f->blob_hashes[i].b, sizeof f->blob_hashes[i].b);
    }
    if (f->type == MR_TX_SET_CODE)
        sink_authorizations(s, f);
}

/* What follows the fields: the chain id of EIP-155 in what is signed, the signature in what is
 * sent.
 */
static void sink_tail(struct sink *s, const struct mr_tx_fields *f, const uint8_t *sig)
{
    if (!sig) {
        if (f->type == MR_TX_LEGACY && !f->unprotected) {
            sink_u64(s, f->chain_id);
            sink_u64(s, 0);
            sink_u64(s, 0);
        }
        return;
    }
    if (f->type != MR_TX_LEGACY) {
        sink_u64(s, sig[64]);
    } else if (f->unprotected) {
        sink_u64(s, 27u + sig[64]);
    } else { /* 35 + 2 * chain id + parity may need 65 bits */
        unsigned __int128 v = 35 + 2 * (unsigned __int128)f->chain_id + sig[64];
        uint8_t be[16];

        mr_store_be64(be, (uint64_t)(v >> 64));
        mr_store_be64(be + 8, (uint64_t)v);
        sink_number(s, be, sizeof be);
    }
    sink_number(s, sig, 32);
    sink_number(s, sig + 32, 32);
}

static void sink_whole(struct sink *s, const struct mr_tx_fields *f, const uint8_t *sig)
{
    struct sink count = {0};

    sink_fields(&count, f);
    sink_tail(&count, f, sig);
    if (f->type != MR_TX_LEGACY)
        sink_raw(s, &f->type, 1);
    sink_head(s, count.n, true);
    sink_fields(s, f);
    sink_tail(s, f, sig);
}

enum mr_err mr_tx_build(struct mr_writer *w, const struct mr_tx_fields *f,
                        const struct mr_secp *secp, const uint8_t key[32])
{
    struct mr_writer copy = *w;
    struct sink s = {.w = &copy};
    struct mr_hash hash;
    uint8_t sig[MR_SECP_SIG_SIZE];

    MR_ASSERT(f->type < MR_TX_TYPES);
    /* What is signed is written where the result will stand: no other memory is needed. */
    sink_whole(&s, f, NULL);
    if (s.e)
        return s.e;
    mr_keccak256(&hash, copy.p + w->n, copy.n - w->n);
    if (!mr_secp_sign(secp, sig, &hash, key))
        return MR_INVALID;
    copy = *w;
    s = (struct sink){.w = &copy};
    sink_whole(&s, f, sig);
    if (s.e)
        return s.e;
    *w = copy;
    return MR_OK;
}

bool mr_authorization_sign(struct mr_authorization *a, const struct mr_secp *secp,
                           const uint8_t key[32])
{
    uint8_t text[64] = {0x05}; /* MAGIC of EIP-7702 */
    struct mr_writer w = {text, 1, sizeof text};
    struct sink count = {0}, s = {.w = &w};
    struct mr_hash hash;
    uint8_t sig[MR_SECP_SIG_SIZE];

    sink_u64(&count, a->chain_id);
    sink_bytes(&count, a->address.b, sizeof a->address.b);
    sink_u64(&count, a->nonce);
    sink_head(&s, count.n, true);
    sink_u64(&s, a->chain_id);
    sink_bytes(&s, a->address.b, sizeof a->address.b);
    sink_u64(&s, a->nonce);
    MR_ASSERT(s.e == MR_OK);
    mr_keccak256(&hash, w.p, w.n);
    if (!mr_secp_sign(secp, sig, &hash, key))
        return false;
    memcpy(a->r.b, sig, 32);
    memcpy(a->s.b, sig + 32, 32);
    a->y_parity = sig[64];
    return true;
}

static void sink_items(struct sink *s, struct mr_span items, size_t size)
{
    size_t n = items.n / size;

    sink_head(s, n * (mr_rlp_head_len(size) + size), true);
    for (size_t i = 0; i < n; i++)
        sink_bytes(s, items.p + i * size, size);
}

enum mr_err mr_tx_build_blob_wrapper(struct mr_writer *w, enum mr_wrapper wrapper,
                                     struct mr_span consensus, struct mr_span blobs,
                                     struct mr_span commitments, struct mr_span proofs)
{
    struct mr_writer copy = *w;
    struct sink count = {0}, put = {.w = &copy};
    const uint8_t type = MR_TX_BLOB;

    MR_ASSERT(consensus.n > 1);
    MR_ASSERT(consensus.p[0] == MR_TX_BLOB);
    MR_ASSERT(wrapper != MR_WRAPPER_NONE);
    sink_raw(&put, &type, 1);
    for (int pass = 0; pass < 2; pass++) {
        struct sink *s = pass == 0 ? &count : &put;

        if (pass == 1)
            sink_head(s, count.n, true);
        sink_raw(s, consensus.p + 1, consensus.n - 1);
        if (wrapper == MR_WRAPPER_V1)
            sink_u64(s, 1);
        sink_items(s, blobs, MR_BLOB_SIZE);
        sink_items(s, commitments, MR_COMMITMENT_SIZE);
        sink_items(s, proofs, MR_PROOF_SIZE);
    }
    if (put.e)
        return put.e;
    *w = copy;
    return MR_OK;
}
