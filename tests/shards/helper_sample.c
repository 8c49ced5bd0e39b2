#include <stdlib.h>

#include "net/eth/announce.h"
#include "tests/shards/helper_shard.h"

#define BLOBS_MAX 6

/* ---- transactions ---- */

static uint8_t *keep(struct stage *st, size_t n)
{
    if (st->made_count == st->made_cap) {
        st->made_cap = MR_MAX(2 * st->made_cap, 64u);
        st->made = realloc(st->made, st->made_cap * sizeof *st->made);
        MR_ASSERT(st->made);
    }
    st->made[st->made_count] = malloc(n);
    MR_ASSERT(st->made[st->made_count]);
    return st->made[st->made_count++];
}

/* Blobs, commitments and proofs that fit together but for the proofs, which only the service could
 * tell: the stage is the service. */
struct sidecar {
    uint8_t *blobs;
    uint8_t commitments[BLOBS_MAX * MR_COMMITMENT_SIZE];
    uint8_t proofs[BLOBS_MAX * MR_CELLS_PER_BLOB * MR_PROOF_SIZE];
    struct mr_hash hashes[BLOBS_MAX];
};

static struct sidecar *sidecar_make(struct stage *st, unsigned blobs)
{
    struct sidecar *s = malloc(sizeof *s);

    MR_ASSERT(s);
    MR_ASSERT(blobs <= BLOBS_MAX);
    s->blobs = calloc(blobs, MR_BLOB_SIZE);
    MR_ASSERT(s->blobs);
    mr_random_fill(&st->random, s->commitments, sizeof s->commitments);
    memset(s->proofs, 0xc0, sizeof s->proofs);
    for (unsigned i = 0; i < blobs; i++) {
        mr_random_fill(&st->random, s->blobs + (size_t)i * MR_BLOB_SIZE + 1, 100);
        MR_ASSERT(mr_versioned_hash(&s->hashes[i], s->commitments + i * MR_COMMITMENT_SIZE));
    }
    return s;
}

static struct mr_span signed_raw(struct stage *st, struct mr_tx_fields *f, uint32_t who,
                                 unsigned blobs)
{
    struct sidecar *s = f->type == MR_TX_BLOB && blobs > 0 ? sidecar_make(st, blobs) : NULL;
    size_t cap = 1024 + f->data.n, whole = cap;
    uint8_t key[32] = {7};
    struct mr_writer w, network;
    struct mr_span v;

    if (s)
        f->blob_hashes = s->hashes, f->blob_hashes_count = blobs;
    mr_store_be32(key + 28, who + 1);
    w = mr_writer(keep(st, cap), cap);
    MR_ASSERT(mr_tx_build(&w, f, st->secp, key) == MR_OK);
    v = mr_writer_span(&w);
    if (!s)
        return v;
    whole += (size_t)blobs * (MR_BLOB_SIZE + 64 + MR_CELLS_PER_BLOB * 50);
    network = mr_writer(keep(st, whole), whole);
    MR_ASSERT(mr_tx_build_blob_wrapper(
                  &network, MR_WRAPPER_V1, v, mr_span(s->blobs, (size_t)blobs * MR_BLOB_SIZE),
                  mr_span(s->commitments, (size_t)blobs * MR_COMMITMENT_SIZE),
                  mr_span(s->proofs, (size_t)blobs * MR_CELLS_PER_BLOB * MR_PROOF_SIZE)) == MR_OK);
    free(s->blobs);
    free(s);
    return mr_writer_span(&network);
}

void stage_tx_make(struct stage *st, struct sample_tx *out, const struct sample_tx_options *o)
{
    unsigned price = MR_MAX(o->price, 1u);
    struct mr_tx_fields f = {.type = o->type,
                             .chain_id = o->chain_id ? o->chain_id : st->net->chain_id,
                             .nonce = o->nonce,
                             .gas = 100000 + 40ull * o->data_bytes,
                             .tip = mr_u256_of(UINT64_C(1000000000) * price),
                             .fee_cap = mr_u256_of(UINT64_C(30000000000) * price),
                             .blob_fee_cap = mr_u256_of(UINT64_C(1000000000) * price),
                             .value = mr_u256_of(1)};
    struct mr_authorization auth = {.chain_id = f.chain_id};
    const uint8_t auth_key[32] = {9, 9};
    uint8_t *data = NULL;
    struct mr_writer w;
    struct mr_tx tx;

    memset(f.to.b, 0x77, sizeof f.to.b);
    if (o->data_bytes > 0) {
        data = malloc(o->data_bytes);
        MR_ASSERT(data);
        mr_random_fill(&st->random, data, o->data_bytes);
        f.data = mr_span(data, o->data_bytes);
    }
    if (o->type == MR_TX_SET_CODE) {
        MR_ASSERT(mr_authorization_sign(&auth, st->secp, auth_key));
        f.authorizations = &auth, f.authorizations_count = 1;
    }
    *out = (struct sample_tx){.type = o->type, .raw = signed_raw(st, &f, o->who, o->blobs)};
    free(data);
    MR_ASSERT(mr_tx_decode_raw(&tx, out->raw.p, out->raw.n) == MR_OK);
    mr_tx_hash(&tx, &out->hash);
    MR_ASSERT(mr_tx_sender(&tx, &out->sender, st->secp));
    out->size = (uint32_t)mr_tx_size_network(&tx);
    w = mr_writer(keep(st, out->raw.n + 16), out->raw.n + 16);
    MR_ASSERT(mr_tx_put_item(&w, &tx) == MR_OK);
    out->item = mr_writer_span(&w);
}

void stage_tx(struct stage *st, struct sample_tx *out, uint32_t who, uint64_t nonce)
{
    stage_tx_make(
        st, out,
        &(struct sample_tx_options){.who = who, .nonce = nonce, .type = MR_TX_DYNAMIC_FEE});
}

/* ---- messages of transactions ---- */

static struct mr_span *items_of(const struct sample_tx *txs, size_t n, size_t *bytes)
{
    struct mr_span *items = malloc((n + 1) * sizeof *items);

    MR_ASSERT(items);
    *bytes = 64;
    for (size_t i = 0; i < n; i++) {
        items[i] = txs[i].item;
        *bytes += txs[i].item.n;
    }
    return items;
}

void actor_send_txs(struct actor *a, const struct sample_tx *txs, size_t n)
{
    size_t bytes;
    struct mr_span *items = items_of(txs, n, &bytes);
    uint8_t *p = malloc(bytes);
    struct mr_writer w = mr_writer(p, bytes);

    MR_ASSERT(p);
    MR_ASSERT(mr_transactions_encode(&w, items, n) == MR_OK);
    actor_send_eth(a, MR_ETH_TRANSACTIONS, mr_writer_span(&w));
    free(items);
    free(p);
}

void actor_answer(struct actor *a, uint64_t request_id, const struct sample_tx *txs, size_t n)
{
    size_t bytes;
    struct mr_span *items = items_of(txs, n, &bytes);
    uint8_t *p = malloc(bytes);
    struct mr_writer w = mr_writer(p, bytes);

    MR_ASSERT(p);
    MR_ASSERT(mr_response_encode(&w, request_id, items, n) == MR_OK);
    actor_send_eth(a, MR_ETH_POOLED_TRANSACTIONS, mr_writer_span(&w));
    free(items);
    free(p);
}

void actor_announce_as(struct actor *a, const struct mr_hash *hashes, const uint8_t *types,
                       const uint32_t *sizes, size_t n)
{
    struct mr_cell_mask cells = {{0}};
    size_t bytes = mr_announce_len(a->o.version, types, sizes, n);
    uint8_t *p = malloc(bytes);
    struct mr_writer w = mr_writer(p, bytes);

    MR_ASSERT(p);
    MR_ASSERT(mr_announce_encode(&w, a->o.version, types, sizes, hashes, n, &cells) == MR_OK);
    actor_send_eth(a, MR_ETH_NEW_POOLED_TRANSACTION_HASHES, mr_writer_span(&w));
    free(p);
}

void actor_announce(struct actor *a, const struct sample_tx *txs, size_t n)
{
    struct mr_hash *hashes = malloc((n + 1) * sizeof *hashes);
    uint32_t *sizes = malloc((n + 1) * sizeof *sizes);
    uint8_t *types = malloc(n + 1);

    MR_ASSERT(hashes && sizes && types);
    for (size_t i = 0; i < n; i++)
        hashes[i] = txs[i].hash, types[i] = txs[i].type, sizes[i] = txs[i].size;
    actor_announce_as(a, hashes, types, sizes, n);
    free(hashes);
    free(sizes);
    free(types);
}

void actor_ask(struct actor *a, uint64_t request_id, const struct mr_hash *hashes, size_t n)
{
    size_t bytes = 64 + n * 33;
    uint8_t *p = malloc(bytes);
    struct mr_writer w = mr_writer(p, bytes);

    MR_ASSERT(p);
    MR_ASSERT(mr_hash_request_encode(&w, request_id, hashes, n) == MR_OK);
    actor_send_eth(a, MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w));
    free(p);
}

/* ---- what was heard of them ---- */

bool actor_asked(const struct actor *a, uint32_t i, uint64_t *request_id, struct mr_hash *hashes,
                 size_t max, size_t *n)
{
    const struct heard *h = actor_heard(a, true, MR_ETH_GET_POOLED_TRANSACTIONS, i);
    struct mr_hash_request r;

    if (!h)
        return false;
    MR_ASSERT(mr_hash_request_decode(&r, actor_payload(a, h)) == MR_OK);
    *request_id = r.request_id;
    *n = r.hashes.n;
    for (uint32_t k = 0; k < r.hashes.n && k < max; k++)
        memcpy(hashes[k].b, mr_items_at(&r.hashes, k), 32);
    return true;
}

static struct mr_tx item_decode(struct mr_eth_items *items, struct mr_hash *hash)
{
    struct mr_tx tx;

    MR_ASSERT(mr_tx_decode_item(&items->items, &tx) == MR_OK);
    mr_tx_hash(&tx, hash);
    return tx;
}

static void index_add(struct actor *a, const struct delivery *d)
{
    if (a->index_n == a->index_cap) {
        a->index_cap = MR_MAX(2 * a->index_cap, (size_t)64);
        a->index_all = realloc(a->index_all, a->index_cap * sizeof *a->index_all);
        MR_ASSERT(a->index_all);
    }
    a->index_all[a->index_n++] = *d;
}

static void index_items(struct actor *a, uint32_t k, struct mr_eth_items items, bool answered)
{
    while (!mr_reader_done(&items.items)) {
        struct delivery d = {.message = k, .body = !answered, .answered = answered};
        struct mr_tx tx = item_decode(&items, &d.hash);

        d.type = tx.type;
        d.size = (uint32_t)mr_tx_size_network(&tx);
        index_add(a, &d);
    }
}

static void index_announced(struct actor *a, uint32_t k)
{
    struct mr_announce_item it;
    struct mr_announce m;

    MR_ASSERT(mr_announce_decode(&m, a->o.version, actor_payload(a, &a->heard[k])) == MR_OK);
    MR_ASSERT(m.count > 0);
    MR_ASSERT(m.count == m.stated);
    while (mr_announce_next(&m, &it))
        index_add(
            a, &(struct delivery){.hash = it.hash, .message = k, .size = it.size, .type = it.type});
}

/* Reads what was heard since the last time. The index is a memory of the book and changes nothing
 * that a caller sees. */
static void index_update(const struct actor *reader)
{
    struct actor *a = (struct actor *)(uintptr_t)reader;
    struct mr_eth_items items;

    for (uint32_t k = a->index_heard; k < a->heard_count; k++) {
        if (!a->heard[k].is_eth)
            continue;
        if (a->heard[k].id == MR_ETH_TRANSACTIONS) {
            MR_ASSERT(mr_transactions_decode(&items, actor_payload(a, &a->heard[k])) == MR_OK);
            MR_ASSERT(items.count > 0);
            index_items(a, k, items, false);
        } else if (a->heard[k].id == MR_ETH_NEW_POOLED_TRANSACTION_HASHES) {
            index_announced(a, k);
        } else if (a->heard[k].id == MR_ETH_POOLED_TRANSACTIONS) {
            MR_ASSERT(mr_response_decode(&items, actor_payload(a, &a->heard[k]), SIZE_MAX) ==
                      MR_OK);
            index_items(a, k, items, true);
        }
    }
    a->index_heard = a->heard_count;
}

size_t actor_deliveries(const struct actor *a, struct delivery *out, size_t max)
{
    size_t n = 0;

    index_update(a);
    for (size_t i = 0; i < a->index_n; i++) {
        if (a->index_all[i].answered)
            continue;
        if (n < max)
            out[n] = a->index_all[i];
        n++;
    }
    return n;
}

size_t actor_answer_read(const struct actor *a, const struct heard *h, uint64_t *request_id,
                         struct mr_hash *hashes, size_t max)
{
    struct mr_eth_items items;
    size_t n = 0;

    MR_ASSERT(mr_response_decode(&items, actor_payload(a, h), SIZE_MAX) == MR_OK);
    *request_id = items.request_id;
    for (struct mr_hash hash; !mr_reader_done(&items.items); n++) {
        item_decode(&items, &hash);
        if (n < max)
            hashes[n] = hash;
    }
    return n;
}

struct deliveries actor_got(const struct actor *a, const struct mr_hash *hash)
{
    struct deliveries got = {0};

    index_update(a);
    for (size_t i = 0; i < a->index_n; i++) {
        const struct delivery *d = &a->index_all[i];

        if (!mr_hash_equal(&d->hash, hash))
            continue;
        got.bodies += d->body;
        got.answered += d->answered;
        got.announced += !d->body && !d->answered;
    }
    return got;
}
