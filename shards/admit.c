#include "shards/admit.h"

#include <stdlib.h>

#include "core/bitmap.h"
#include "core/clock.h"
#include "shards/senders.h"

#define NONE             UINT32_MAX
#define REFUSED_S        3600 /* a fault that the hash commits to */
#define RULES_S          60   /* one that another fork, or another head, may allow */
#define POLICY_S         30   /* ours: may be heard of again later */
#define BLOBS_PENDING    64
#define BLOBS_PER_PEER   2
#define BLOB_BYTES       (UINT64_C(64) << 20)
#define FEE_CAP_MIN      7 /* wei: the lowest base fee that EIP-1559 can reach */
#define SENDERS          65536u
#define RECOVERIES_PER_S 20000 /* of a whole core, about: what recovery_percent is a share of */

enum stage { FREE, QUEUED, PROVING };

/* One transaction on its way: raw as it came, behind a txmeta that is filled as it is judged. */
struct item {
    struct mr_buf *buf;
    uint32_t slot, generation;
    uint32_t next; /* in its peer's order; free list */
    uint32_t ticket;
    uint8_t stage;
    bool trusted; /* its peer, when it came: the slot may be another's by now */
    bool doubtful;
    bool settled; /* its transaction came in another way: to be dropped in its turn */
};

/* A peer's account here. */
struct account {
    bool present, trusted;
    uint32_t generation;
    uint32_t head, tail; /* its items, in order */
    uint32_t next_turn;  /* ring of peers with items */
    uint32_t blobs;      /* with the service */
    uint64_t pool_bytes; /* of bodies in the log that it brought lately */
    struct mr_bucket txs, bytes;
};

struct mr_admit {
    const struct mr_relay_options *o;
    const struct mr_network *network;
    const struct mr_secp *secp;
    struct mr_seen *seen;
    struct mr_buf_pool *pool;
    struct mr_shard_metrics *metrics;
    struct mr_admit_hooks hooks;
    struct mr_senders senders;
    unsigned self;
    uint32_t slots, words;
    struct item *items;
    uint64_t *known; /* a row an item */
    struct account *accounts;
    uint32_t free_head, used, queued;
    uint32_t turn_head, turn_tail;    /* peers with items, in turn */
    uint32_t tickets, blobs, proving; /* proving: with the service */
    uint64_t blob_bytes;
    bool blobs_ready, blocked;
    struct mr_bucket recoveries, doubtful;
    struct mr_rules_now rules;
    struct mr_admit_head head;
    uint8_t *scratch; /* one fragment */
    size_t scratch_bytes;
    uint64_t verdicts[MR_TX_VERDICTS];
};

static uint64_t *known_of(const struct mr_admit *a, uint32_t i)
{
    return a->known + (size_t)i * a->words;
}

static struct mr_txmeta *meta_of(const struct item *it)
{
    return (struct mr_txmeta *)(void *)it->buf->data;
}

/* ---- making and ending ---- */

struct mr_admit *mr_admit_new(const struct mr_relay_options *o, const struct mr_network *network,
                              const struct mr_secp *secp, uint32_t slots, struct mr_seen *seen,
                              struct mr_buf_pool *pool, struct mr_shard_metrics *metrics,
                              unsigned self, const struct mr_admit_hooks *hooks,
                              struct mr_random *random)
{
    struct mr_admit *a = calloc(1, sizeof *a);
    uint64_t recoveries = (uint64_t)RECOVERIES_PER_S * o->recovery_percent / 100 / o->shards;

    if (!a)
        return NULL;
    a->o = o, a->network = network, a->secp = secp, a->seen = seen, a->pool = pool;
    a->metrics = metrics, a->hooks = *hooks, a->self = self;
    a->slots = slots;
    a->words = (uint32_t)MR_BITMAP_WORDS(slots);
    a->turn_head = a->turn_tail = a->free_head = NONE;
    a->scratch_bytes = MR_TX_BLOB_SIZE_MAX + MR_TX_BLOB_SIZE_MAX / 4;
    a->items = calloc(o->verify_entries, sizeof *a->items);
    a->known = calloc((size_t)o->verify_entries * a->words, sizeof *a->known);
    a->accounts = calloc(slots, sizeof *a->accounts);
    a->scratch = malloc(a->scratch_bytes);
    if (!a->items || !a->known || !a->accounts || !a->scratch ||
        !mr_senders_init(&a->senders, o, MR_MIN(SENDERS, o->seen_entries), random)) {
        mr_admit_free(a);
        return NULL;
    }
    for (uint32_t i = o->verify_entries; i-- > 0;) {
        a->items[i].next = a->free_head;
        a->free_head = i;
    }
    for (uint32_t i = 0; i < slots; i++)
        a->accounts[i].head = a->accounts[i].tail = NONE;
    mr_bucket_init(&a->recoveries, MR_MAX(recoveries, 1u), MR_MAX(recoveries / 50, 64u), 0);
    /* A transaction takes as many tokens as there are shards, so that together they have the node's
     * rate; each may save up a second of its part, or one transaction if that is more. */
    mr_bucket_init(&a->doubtful, o->doubtful_per_s,
                   o->doubtful_per_s ? MR_MAX(o->doubtful_per_s, o->shards) : 0, 0);
    return a;
}

static void item_free(struct mr_admit *a, uint32_t i)
{
    struct item *it = &a->items[i];

    if (it->buf)
        mr_buf_put(a->pool, it->buf);
    *it = (struct item){.next = a->free_head, .ticket = it->ticket};
    a->free_head = i;
    a->used--;
}

void mr_admit_free(struct mr_admit *a)
{
    if (!a)
        return;
    for (uint32_t i = 0; a->items && i < a->o->verify_entries; i++)
        if (a->items[i].stage != FREE)
            item_free(a, i);
    mr_senders_fini(&a->senders);
    free(a->items);
    free(a->known);
    free(a->accounts);
    free(a->scratch);
    free(a);
}

void mr_admit_peer_add(struct mr_admit *a, uint32_t slot, uint32_t generation, bool trusted,
                       uint64_t now_ns)
{
    struct account *p = &a->accounts[slot];

    p->present = true;
    p->trusted = trusted;
    p->generation = generation;
    p->blobs = 0;
    p->pool_bytes = 0;
    mr_bucket_init(&p->txs, a->o->peer_tx_per_s, a->o->peer_tx_burst, now_ns);
    mr_bucket_init(&p->bytes, a->o->peer_bytes_per_s, a->o->peer_bytes_burst, now_ns);
}

void mr_admit_peer_remove(struct mr_admit *a, uint32_t slot)
{
    a->accounts[slot].present = false;
    for (uint32_t i = 0; a->used > 0 && i < a->o->verify_entries; i++)
        if (a->items[i].stage != FREE)
            mr_bitmap_clear(known_of(a, i), slot); /* whoever has the slot next knows nothing */
}

void mr_admit_set_head(struct mr_admit *a, const struct mr_admit_head *head, uint64_t head_number,
                       uint64_t head_time_s, uint64_t wall_s)
{
    struct mr_chain_point at = {.number = head_number, .time = head_time_s};

    a->head = *head;
    mr_rules_now(&a->rules, a->network, head->known ? &at : NULL, wall_s);
}

void mr_admit_blobs_ready(struct mr_admit *a, bool ready)
{
    a->blobs_ready = ready;
}

/* ---- buckets ---- */

void mr_admit_charge(struct mr_admit *a, uint32_t slot, uint64_t bytes, uint64_t now_ns)
{
    struct account *p = &a->accounts[slot];

    if (p->present && !p->trusted)
        mr_bucket_force(&p->bytes, bytes, now_ns);
}

uint64_t mr_admit_ready_at(const struct mr_admit *a, uint32_t slot)
{
    const struct account *p = &a->accounts[slot];
    uint64_t txs, bytes;

    if (!p->present || p->trusted || (p->txs.level >= 0 && p->bytes.level >= 0))
        return 0;
    txs = p->txs.level < 0 ? mr_bucket_ready_at(&p->txs, 1) : 0;
    bytes = p->bytes.level < 0 ? mr_bucket_ready_at(&p->bytes, 1) : 0;
    return MR_MAX(txs, bytes);
}

bool mr_admit_full(const struct mr_admit *a, uint32_t n)
{
    return a->o->verify_entries - a->used < n;
}

/* ---- offering ---- */

/* Remembers a refusal for some time. */
static void refuse(struct mr_admit *a, const struct mr_hash *hash, uint32_t seconds,
                   uint64_t now_ns)
{
    mr_seen_put(a->seen, hash, MR_SEEN_REFUSED, 0, (uint32_t)(now_ns / MR_SECOND) + seconds);
}

static enum mr_admit_result judge_rules(struct mr_admit *a, const struct mr_tx *tx,
                                        const struct mr_hash *hash, uint64_t now_ns)
{
    enum mr_tx_verdict v = mr_tx_check_now(tx, &a->rules);

    MR_COUNT(a->verdicts[v], 1);
    if (v == MR_TX_VERDICT_OK)
        return MR_ADMIT_QUEUED;
#ifdef MR_SABOTAGE_E_10
    if (mr_tx_verdict_fault(v) != MR_TX_FAULT_PEER)
        return MR_ADMIT_QUEUED;
#endif
    MR_COUNT(a->metrics->tx_invalid, 1);
    switch (mr_tx_verdict_fault(v)) {
    case MR_TX_FAULT_TX:
        refuse(a, hash, REFUSED_S, now_ns);
        return MR_ADMIT_INVALID;
    case MR_TX_FAULT_RULES:
        refuse(a, hash, RULES_S, now_ns);
        return MR_ADMIT_INVALID;
    case MR_TX_FAULT_PEER:
        MR_COUNT(a->metrics->blob_bad, 1);
        return MR_ADMIT_BREACH;
    }
    return MR_ADMIT_INVALID;
}

/* What pools refuse against their head. */
static bool fits_head(struct mr_admit *a, const struct mr_tx *tx)
{
    if (a->head.known && tx->gas > a->head.gas_limit) {
        MR_COUNT(a->metrics->tx_gas_over_block, 1);
        return false;
    }
    if (a->head.has_base_fee && mr_fee_of(&tx->fee_cap) < FEE_CAP_MIN) {
        MR_COUNT(a->metrics->tx_under_base_fee, 1);
        return false;
    }
    return true;
}

bool mr_admit_blob_room(const struct mr_admit *a, uint32_t slot, uint64_t bytes)
{
    const struct account *p = &a->accounts[slot];

    return a->blobs_ready && a->blobs < BLOBS_PENDING && a->blob_bytes + bytes <= BLOB_BYTES &&
           (p->trusted || p->blobs < BLOBS_PER_PEER);
}

static void meta_fill(struct mr_txmeta *m, const struct mr_admit *a, const struct mr_tx *tx,
                      const struct mr_hash *hash, struct mr_span item, uint64_t now_ns)
{
    *m = (struct mr_txmeta){.hash = *hash,
                            .type = tx->type,
                            .flags = tx->type == MR_TX_BLOB ? MR_TXF_BLOB : 0,
                            .origin_shard = (uint8_t)a->self,
                            .size = (uint32_t)mr_tx_size_network(tx),
                            .size_elided = (uint32_t)mr_tx_size_elided(tx),
                            .item_bytes = (uint32_t)item.n,
                            .fragment_bytes = (uint32_t)item.n, /* raw so far */
                            .nonce = tx->nonce,
                            .received_ns = now_ns,
                            .fee_cap = tx->fee_cap,
                            .tip_cap = tx->tip,
                            .blob_fee_cap = tx->blob_fee_cap};
}

static void order_push(struct mr_admit *a, uint32_t slot, uint32_t i)
{
    struct account *p = &a->accounts[slot];

    a->items[i].next = NONE;
    if (p->head != NONE) {
        a->items[p->tail].next = i;
    } else { /* its first: it joins the round */
        p->head = i;
        p->next_turn = NONE;
        if (a->turn_tail == NONE)
            a->turn_head = slot;
        else
            a->accounts[a->turn_tail].next_turn = slot;
        a->turn_tail = slot;
    }
    p->tail = i;
    a->queued++;
}

enum mr_admit_result mr_admit_offer(struct mr_admit *a, uint32_t slot, uint32_t generation,
                                    const struct mr_tx *tx, struct mr_span item,
                                    const struct mr_hash *hash, const uint64_t *sources,
                                    uint64_t now_ns)
{
    struct account *p = &a->accounts[slot];
    enum mr_admit_result r;
    struct item *it;
    uint32_t i = a->free_head;

    if (!p->trusted)
        mr_bucket_force(&p->txs, 1, now_ns);
    if ((r = judge_rules(a, tx, hash, now_ns)) != MR_ADMIT_QUEUED)
        return r;
    if (!p->trusted && !fits_head(a, tx)) {
        refuse(a, hash, RULES_S, now_ns);
        return MR_ADMIT_DROPPED;
    }
    if (!p->trusted && p->pool_bytes + item.n > a->o->pool_bytes / a->o->peer_pool_share) {
        MR_COUNT(a->metrics->tx_pool_share, 1);
        return MR_ADMIT_DROPPED;
    }
    if (tx->type == MR_TX_BLOB && !mr_admit_blob_room(a, slot, item.n)) {
        MR_COUNT(a->metrics->blob_unready, !a->blobs_ready);
        return MR_ADMIT_DROPPED;
    }
    if (i == NONE)
        return MR_ADMIT_FULL;
    it = &a->items[i];
    it->buf = mr_buf_get(a->pool, sizeof(struct mr_txmeta) + item.n);
    if (!it->buf ||
        !mr_seen_put(a->seen, hash, MR_SEEN_VERIFYING, i, (uint32_t)(now_ns / MR_SECOND))) {
        MR_COUNT(a->metrics->tx_pool_full, 1);
        if (it->buf)
            mr_buf_put(a->pool, it->buf);
        it->buf = NULL;
        return MR_ADMIT_DROPPED;
    }
    a->free_head = it->next;
    a->used++;
    it->slot = slot, it->generation = generation;
    it->stage = QUEUED;
    it->trusted = p->trusted;
    it->doubtful = it->settled = false;
    meta_fill(meta_of(it), a, tx, hash, item, now_ns);
    memcpy(it->buf->data + sizeof(struct mr_txmeta), item.p, item.n);
    memcpy(known_of(a, i), sources, a->words * sizeof *sources);
    if (tx->type == MR_TX_BLOB)
        a->blobs++, p->blobs++, a->blob_bytes += item.n;
    order_push(a, slot, i);
    return MR_ADMIT_QUEUED;
}

void mr_admit_source(struct mr_admit *a, uint32_t index, uint32_t slot)
{
    if (index < a->o->verify_entries && a->items[index].stage != FREE)
        mr_bitmap_set(known_of(a, index), slot);
}

void mr_admit_copy_source(struct mr_admit *a, uint32_t to, uint32_t from)
{
    for (uint32_t i = 0; a->used > 0 && i < a->o->verify_entries; i++)
        if (a->items[i].stage != FREE && mr_bitmap_test(known_of(a, i), from))
            mr_bitmap_set(known_of(a, i), to);
}

/* ---- judging ---- */

/* An item's end, whatever it was. */
static void item_end(struct mr_admit *a, uint32_t i)
{
    struct item *it = &a->items[i];
    struct account *p = &a->accounts[it->slot];

    a->proving -= it->stage == PROVING;
    if (meta_of(it)->flags & MR_TXF_BLOB) {
        a->blobs--;
        a->blob_bytes -= meta_of(it)->item_bytes;
        if (p->present && p->generation == it->generation)
            p->blobs--;
    }
    item_free(a, i);
}

/* Not relayed, by our own policy: nobody's fault. */
static void item_drop(struct mr_admit *a, uint32_t i, uint64_t now_ns)
{
    refuse(a, &meta_of(&a->items[i])->hash, POLICY_S, now_ns);
    item_end(a, i);
}

/* Stored form: meta and fragment in a buffer of the right size; then it is the shard's. */
static void item_accept(struct mr_admit *a, uint32_t i)
{
    struct item *it = &a->items[i];
    struct mr_txmeta *m = meta_of(it);
    struct mr_span raw = mr_span(it->buf->data + sizeof *m, m->item_bytes);
    size_t n = a->hooks.fragment(a->hooks.ctx, a->scratch, a->scratch_bytes, raw);
    struct account *p = &a->accounts[it->slot];
    struct mr_buf *stored = n ? mr_buf_get(a->pool, sizeof *m + n) : NULL;

    if (!stored) {
        MR_COUNT(a->metrics->tx_pool_full, 1);
        mr_seen_remove(a->seen, &m->hash);
        item_end(a, i);
        return;
    }
    m->fragment_bytes = (uint32_t)n;
    m->origin_slot = it->slot, m->origin_generation = it->generation;
    if (it->doubtful)
        m->flags |= MR_TXF_DOUBTFUL;
    memcpy(stored->data, m, sizeof *m);
    memcpy(stored->data + sizeof *m, a->scratch, n);
    if (p->present && p->generation == it->generation)
        p->pool_bytes += stored->size;
    a->hooks.accepted(a->hooks.ctx, stored, known_of(a, i));
    item_end(a, i);
}

static bool under_base_fee(const struct mr_admit *a, const struct mr_txmeta *m)
{
    return a->head.has_base_fee && memcmp(m->fee_cap.b, a->head.base_fee.b, 32) < 0;
}

static enum mr_sender_verdict judge_sender(struct mr_admit *a, const struct mr_txmeta *m,
                                           uint64_t now_ns)
{
    struct mr_sender_fees fees = {.fee_cap = mr_fee_of(&m->fee_cap),
                                  .tip = mr_fee_of(&m->tip_cap),
                                  .blob_fee_cap = mr_fee_of(&m->blob_fee_cap)};

    return mr_senders_judge(&a->senders, &m->sender, m->nonce, mr_load_le64(m->hash.b), &fees,
                            m->type == MR_TX_BLOB, now_ns);
}

void mr_admit_note(struct mr_admit *a, const struct mr_txmeta *meta, uint64_t now_ns)
{
    (void)judge_sender(a, meta, now_ns); /* it is admitted already */
}

/* The relay's policy on a transaction whose sender is known. False: it was dropped. */
static bool policy_allows(struct mr_admit *a, uint32_t i, uint64_t now_ns)
{
    struct item *it = &a->items[i];
    const struct mr_txmeta *m = meta_of(it);
    enum mr_sender_verdict v = judge_sender(a, m, now_ns);

    if (it->trusted)
        return true;
    switch (v) {
    case MR_SENDER_REPLACEMENT_LOW:
        MR_COUNT(a->metrics->tx_replacement_low, 1);
        return false;
    case MR_SENDER_REPLACEMENT_FAST:
        MR_COUNT(a->metrics->tx_replacement_fast, 1);
        return false;
    case MR_SENDER_FAST:
        MR_COUNT(a->metrics->tx_over_sender_rate, 1);
        it->doubtful = true;
        break;
    case MR_SENDER_OK:
        break;
    }
    if (under_base_fee(a, m)) {
        MR_COUNT(a->metrics->tx_under_base_fee, 1);
        it->doubtful = true;
    }
    if (it->doubtful && !mr_bucket_take(&a->doubtful, a->o->shards, now_ns)) {
        MR_COUNT(a->metrics->tx_doubtful_dropped, 1);
        return false;
    }
    return true;
}

static void item_prove(struct mr_admit *a, uint32_t i, uint64_t now_ns)
{
    struct item *it = &a->items[i];

    it->stage = PROVING;
    a->proving++;
    it->ticket = ++a->tickets;
    if (!a->hooks.blob_check(a->hooks.ctx, it->buf, (uint64_t)it->ticket << 32 | i))
        item_drop(a, i, now_ns);
}

static void item_judge(struct mr_admit *a, uint32_t i, uint64_t now_ns)
{
    struct item *it = &a->items[i];
    struct mr_txmeta *m = meta_of(it);
    struct mr_reader r = mr_reader(it->buf->data + sizeof *m, m->item_bytes);
    struct mr_tx tx;

    if (mr_tx_decode_item(&r, &tx) != MR_OK)
        MR_ASSERT(!"it was decoded when it was offered");
    MR_COUNT(a->metrics->tx_recoveries, 1);
    if (!mr_tx_sender(&tx, &m->sender, a->secp)) {
        MR_COUNT(a->verdicts[MR_TX_VERDICT_SIGNATURE], 1);
        MR_COUNT(a->metrics->tx_sender_bad, 1);
        refuse(a, &m->hash, REFUSED_S, now_ns);
        a->hooks.refused(a->hooks.ctx, m, it->slot, it->generation, known_of(a, i), true, false);
        item_end(a, i);
    } else if (!policy_allows(a, i, now_ns)) {
        item_drop(a, i, now_ns);
    } else if (m->type == MR_TX_BLOB) {
        item_prove(a, i, now_ns);
    } else {
        item_accept(a, i);
    }
}

/* The first item of the next peer in turn; the peer goes to the end of the round if it has more. */
static uint32_t next_item(struct mr_admit *a)
{
    uint32_t slot = a->turn_head, i;
    struct account *p;

    if (slot == NONE)
        return NONE;
    p = &a->accounts[slot];
    i = p->head;
    p->head = a->items[i].next;
    a->turn_head = p->next_turn;
    if (a->turn_head == NONE)
        a->turn_tail = NONE;
    if (p->head == NONE) {
        p->tail = NONE;
    } else {
        p->next_turn = NONE;
        if (a->turn_tail == NONE)
            a->turn_head = slot;
        else
            a->accounts[a->turn_tail].next_turn = slot;
        a->turn_tail = slot;
    }
    a->queued--;
    return i;
}

bool mr_admit_settle(struct mr_admit *a, uint32_t index, const struct mr_hash *hash,
                     uint64_t *sources)
{
    struct item *it = &a->items[index];

    if (index >= a->o->verify_entries || it->stage == FREE || it->settled ||
        !mr_hash_equal(&meta_of(it)->hash, hash))
        return false;
    mr_bitmap_or(sources, sources, known_of(a, index), a->slots);
    if (it->stage == PROVING)
        item_end(a, index); /* the service's verdict will find another ticket */
    else
        it->settled = true; /* it stands in its peer's order */
    return true;
}

/* Whether the next item in turn was settled meanwhile; it is dropped then. */
static bool settled_drop(struct mr_admit *a)
{
    if (a->turn_head == NONE || !a->items[a->accounts[a->turn_head].head].settled)
        return false;
    item_end(a, next_item(a));
    return true;
}

uint32_t mr_admit_verify(struct mr_admit *a, uint64_t now_ns)
{
    uint32_t done = 0;

    a->blocked = false;
    while (done < a->o->recoveries_per_turn && a->queued > 0) {
        if (settled_drop(a))
            continue;
        /* verdicts come when they come: what is being proven has its room kept */
        if (!a->hooks.room(a->hooks.ctx, 1 + a->proving)) {
            a->blocked = true;
            break;
        }
        if (!mr_bucket_take(&a->recoveries, 1, now_ns))
            break;
        item_judge(a, next_item(a), now_ns);
        done++;
    }
    return done;
}

void mr_admit_blob_verdict(struct mr_admit *a, uint64_t ticket, bool ok, bool senders_fault)
{
    uint32_t i = (uint32_t)ticket;
    struct item *it;

    if (i >= a->o->verify_entries)
        return;
    it = &a->items[i];
    if (it->stage != PROVING || it->ticket != ticket >> 32)
        return;
    if (ok) {
        MR_COUNT(a->metrics->blob_ok, 1);
        item_accept(a, i);
        return;
    }
    mr_seen_remove(a->seen, &meta_of(it)->hash);
    if (senders_fault) {
        MR_COUNT(a->metrics->blob_bad, 1);
        MR_COUNT(a->verdicts[MR_TX_VERDICT_SIDECAR_PROOF], 1);
        a->hooks.refused(a->hooks.ctx, meta_of(it), it->slot, it->generation, known_of(a, i), false,
                         true);
    }
    item_end(a, i);
}

uint64_t mr_admit_next_ns(const struct mr_admit *a, uint64_t now_ns)
{
    if (a->queued == 0)
        return UINT64_MAX;
    if (a->blocked)
        return now_ns + MR_MS; /* another shard must drain its mail first */
    return mr_bucket_ready_at(&a->recoveries, 1);
}

uint32_t mr_admit_length(const struct mr_admit *a)
{
    return a->used;
}

const uint64_t *mr_admit_verdicts(const struct mr_admit *a)
{
    return a->verdicts;
}

void mr_admit_body_left(struct mr_admit *a, const struct mr_txmeta *m)
{
    struct account *p;

    if (m->origin_shard != a->self || m->origin_slot >= a->slots)
        return;
    p = &a->accounts[m->origin_slot];
    if (p->present && p->generation == m->origin_generation) {
        uint64_t bytes = sizeof *m + m->fragment_bytes;

        p->pool_bytes -= MR_MIN(bytes, p->pool_bytes);
    }
}
