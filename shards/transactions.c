/* transactions.c: the relay's way in: from a message's items to the verify queue, and from an
 * accepted transaction to the other shards and the log. */
#include "shards/shard_state.h"

/* ---- one hash twice in one message ---- */

/* True when hash was met before in this message. The set is cleared by a new stamp, and cannot
 * fill: a message holds at most 5,000 items. */
static bool met_before(struct mr_shard *s, const struct mr_hash *hash)
{
    uint64_t fp = mr_siphash_32(s->seen.key, hash->b);

    for (uint32_t i = (uint32_t)fp;; i++) {
        struct mr_dupe *d = &s->dupes[i % MR_DUPE_SLOTS];

        if (d->stamp != s->dupe_stamp) {
            *d = (struct mr_dupe){.fingerprint = fp, .stamp = s->dupe_stamp};
            return false;
        }
        if (d->fingerprint == fp)
            return true;
    }
}

/* ---- items ---- */

/* Finds what is hashed. Only a blob transaction must be decoded for that: its network form holds
 * more than what the hash covers. */
static void item_hash_input(struct mr_item *it, struct mr_span *out, bool *hashed)
{
    struct mr_reader r = mr_reader_of(it->item);
    struct mr_span raw = it->item;

    *hashed = false;
    *out = mr_span(it->item.p, 0);
    if (!mr_rlp_is_list(&r) && mr_rlp_bytes(&r, &raw) != MR_OK) {
        it->malformed = true;
        return;
    }
    if (raw.n > 0 && raw.p[0] == MR_TX_BLOB &&
        !mr_rlp_is_list(&(struct mr_reader){it->item.p, it->item.p + it->item.n})) {
        r = mr_reader_of(it->item);
        if (mr_tx_decode_item(&r, &it->tx) != MR_OK) {
            it->malformed = true;
            return;
        }
        it->decoded = true;
        mr_tx_hash(&it->tx, &it->hash);
        *hashed = true;
        return;
    }
    *out = raw;
}

/* Takes up to MR_ITEM_BATCH items off the reader and hashes them side by side. */
static uint32_t batch_hash(struct mr_shard *s, struct mr_reader *items)
{
    uint32_t n = 0, spans = 0;
    uint32_t where[MR_ITEM_BATCH];

    while (n < MR_ITEM_BATCH && !mr_reader_done(items)) {
        struct mr_item *it = &s->items[n];
        bool hashed;

        it->decoded = it->malformed = false;
        if (mr_rlp_item(items, &it->item) != MR_OK)
            break; /* the message's decoder has walked the list: cannot happen */
        item_hash_input(it, &s->item_spans[spans], &hashed);
        if (!hashed && !it->malformed)
            where[spans++] = n;
        n++;
    }
    mr_keccak256_many_counted(s->item_hashes, s->item_spans, spans, &s->keccak);
    for (uint32_t i = 0; i < spans; i++)
        s->items[where[i]].hash = s->item_hashes[i];
    return n;
}

/* A hash that is known in some state: only who has it is news. */
static void known_already(struct mr_shard *s, struct mr_peer *p, const struct mr_seen_entry *e)
{
    if (e->state == MR_SEEN_HELD) {
        uint64_t seq = s->log.head - 1 - ((s->log.head - 1 - e->index) & s->log.mask);

        mr_bitmap_set(mr_txlog_known(&s->log, seq), p->slot);
    } else if (e->state == MR_SEEN_VERIFYING) {
        mr_admit_source(s->admit, e->index, p->slot);
    }
}

static bool decode_item(struct mr_item *it)
{
    struct mr_reader r = mr_reader_of(it->item);

    if (it->malformed)
        return false;
    if (!it->decoded && mr_tx_decode_item(&r, &it->tx) != MR_OK)
        return false;
    it->decoded = true;
    return true;
}

static void refuse(struct mr_shard *s, const struct mr_hash *hash)
{
    mr_fetch_settle(s->fetch, hash, NULL, mr_shard_ms(s));
    mr_seen_put(&s->seen, hash, MR_SEEN_REFUSED, 0, mr_shard_s(s) + 300);
}

/* What an item's announcements said against what came. False: its sender was ended. *liar: its
 * sender had announced something else, and goes when the item is taken; the item may be good all
 * the same, and its other sources have announced it for the last time. */
static bool fetched(struct mr_shard *s, struct mr_peer *p, struct mr_item *it, bool *liar)
{
    uint32_t size = (uint32_t)(p->eth_version >= MR_ETH_72 ? mr_tx_size_elided(&it->tx)
                                                           : mr_tx_size_network(&it->tx));

    switch (mr_fetch_delivered(s->fetch, p->slot, &it->hash, it->tx.type, size, s->sources,
                               mr_shard_ms(s))) {
    case MR_FETCH_DELIVERED:
        return true;
    case MR_FETCH_WRONG_VARIANT:
#ifndef MR_SABOTAGE_E_07
        MR_COUNT(s->metrics.announced_wrong, 1);
        *liar = true;
#else
        (void)liar;
#endif
        return true;
    case MR_FETCH_SETTLED:
        return true;
    case MR_FETCH_UNKNOWN:
        MR_COUNT(s->metrics.fetch_unasked, 1);
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
        return false;
    }
    return true;
}

/* What slot delivered was bad in a way that the hash does not cover: the others that have it are
 * asked. Their announced sizes are lost, and the bad item's own would make liars of them. */
static void ask_others(struct mr_shard *s, uint32_t slot, const struct mr_hash *hash, uint8_t type,
                       const uint64_t *known)
{
    for (size_t i = 0; (i = mr_bitmap_next(known, s->slots, i)) != MR_BITMAP_NONE; i++)
        if (i != slot && mr_shard_peer(s, (uint32_t)i)->state == MR_PEER_ACTIVE)
            mr_fetch_announced(s->fetch, (uint32_t)i, hash, type, MR_FETCH_SIZE_ANY,
                               mr_shard_ms(s));
}

static void offer(struct mr_shard *s, struct mr_peer *p, struct mr_item *it)
{
    mr_bitmap_set(s->sources, p->slot);
    switch (mr_admit_offer(s->admit, p->slot, p->generation, &it->tx, it->item, &it->hash,
                           s->sources, s->now_ns)) {
    case MR_ADMIT_QUEUED:
    case MR_ADMIT_DROPPED:
    case MR_ADMIT_INVALID:
    case MR_ADMIT_FULL: /* room was asked for before */
        break;
    case MR_ADMIT_BREACH:
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
        ask_others(s, p->slot, &it->hash, it->tx.type, s->sources);
        break;
    }
}

/* One item of a message. False: its sender was ended. */
static bool item_take(struct mr_shard *s, struct mr_peer *p, struct mr_item *it, bool broadcast)
{
    struct mr_seen_entry *seen;
    bool announced, liar = false;

    MR_COUNT(s->metrics.tx_in, 1);
    if (it->malformed) {
        MR_COUNT(s->metrics.tx_malformed, 1);
        mr_message_breach(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
        return false;
    }
#ifndef MR_SABOTAGE_E_09
    if (met_before(s, &it->hash)) {
        MR_COUNT(s->metrics.tx_duplicate_in_message, 1);
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
        return false;
    }
#endif
    seen = mr_seen_find(&s->seen, &it->hash, mr_shard_s(s));
    announced = seen && seen->state == MR_SEEN_ANNOUNCED;
    if (seen && !announced) {
        if (seen->state == MR_SEEN_REFUSED)
            MR_COUNT(s->metrics.tx_refused_before, 1);
        else
            MR_COUNT(s->metrics.tx_duplicate, 1);
        known_already(s, p, seen);
        if (!broadcast)
            mr_fetch_met(s->fetch, p->slot, &it->hash);
        return true;
    }
    mr_bitmap_zero(s->sources, s->slots);
    if (!decode_item(it)) { /* discarded; an unknown type or a broken field ends nothing (eth.md) */
        MR_COUNT(s->metrics.tx_malformed, 1);
        refuse(s, &it->hash);
        return true;
    }
    if (broadcast && it->tx.type == MR_TX_BLOB) {
        MR_COUNT(s->metrics.tx_blob_in_broadcast, 1);
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
        return false;
    }
    if (!broadcast) {
        if (!fetched(s, p, it, &liar))
            return false;
    } else if (announced) {
        mr_fetch_settle(s->fetch, &it->hash, s->sources, mr_shard_ms(s));
    }
    offer(s, p, it);
    if (liar)
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
    return mr_peer_is_open(p);
}

/* Keeps the rest of a message until the verify queue has room; its sender is not read till then. */
static void park(struct mr_shard *s, struct mr_peer *p, struct mr_span rest, bool broadcast,
                 uint32_t blob_bytes)
{
    struct mr_buf *b = mr_buf_get(&s->pool, rest.n);

    if (blob_bytes)
        MR_COUNT(s->metrics.blob_waits, 1);
    else
        MR_COUNT(s->metrics.verify_full, 1);
    if (!b) {
        mr_peer_end(s, p, MR_CLOSED_RESOURCES, MR_REASON_REQUESTED);
        return;
    }
    memcpy(b->data, rest.p, rest.n);
    p->parked = b;
    p->parked_id = broadcast ? MR_ETH_TRANSACTIONS : MR_ETH_POOLED_TRANSACTIONS;
    p->parked_blob = blob_bytes;
    mr_bitmap_set(s->parked, p->slot);
}

/* A new blob transaction that must wait for others' proofs: its bytes; else 0. */
static uint32_t blob_must_wait(struct mr_shard *s, const struct mr_peer *p,
                               const struct mr_item *it, bool broadcast)
{
    const struct mr_seen_entry *seen;

    if (broadcast || !it->decoded || it->malformed || it->tx.type != MR_TX_BLOB ||
        !s->blobs_ready || mr_admit_blob_room(s->admit, p->slot, it->item.n))
        return 0;
    seen = mr_seen_find(&s->seen, &it->hash, mr_shard_s(s));
    return !seen || seen->state == MR_SEEN_ANNOUNCED ? (uint32_t)it->item.n : 0;
}

void mr_transactions_take(struct mr_shard *s, struct mr_peer *p, struct mr_reader items,
                          bool broadcast)
{
    while (!mr_reader_done(&items)) {
        uint32_t n = batch_hash(s, &items);

        if (n == 0)
            break;
        for (uint32_t i = 0; i < n; i++) {
            struct mr_item *it = &s->items[i];
            uint32_t blob_bytes = blob_must_wait(s, p, it, broadcast);

            if (blob_bytes || mr_admit_full(s->admit, 1)) {
                park(s, p, mr_span(it->item.p, (size_t)(items.end - it->item.p)), broadcast,
                     blob_bytes);
                return;
            }
            if (!item_take(s, p, it, broadcast))
                return;
        }
    }
    if (!broadcast)
        mr_fetch_answer_end(s->fetch, p->slot);
}

static void resume(struct mr_shard *s, struct mr_peer *p)
{
    struct mr_buf *b = p->parked;

    p->parked = NULL;
    mr_bitmap_clear(s->parked, p->slot);
    s->dupe_stamp++;
    mr_transactions_take(s, p, mr_reader(b->data, b->size), p->parked_id == MR_ETH_TRANSACTIONS);
    mr_buf_put(&s->pool, b);
    mr_receive_unblock(s, p);
}

/* Goes on with messages that were parked while there is room, from where the last round ended. */
void mr_transactions_resume(struct mr_shard *s)
{
    uint32_t first = s->parked_turn;

    for (unsigned half = 0; half < 2; half++) {
        size_t slot = half == 0 ? first : 0, end = half == 0 ? s->slots : first;

        for (; (slot = mr_bitmap_next(s->parked, end, slot)) != MR_BITMAP_NONE && slot < end;
             slot++) {
            struct mr_peer *p = mr_shard_peer(s, (uint32_t)slot);

            if (mr_admit_full(s->admit, MR_ITEM_BATCH)) {
                s->parked_turn = (uint32_t)slot;
                return;
            }
            if (!p->parked_blob || mr_admit_blob_room(s->admit, p->slot, p->parked_blob)) {
                resume(s, p);
                s->parked_turn = (uint32_t)slot + 1; /* behind all others, if it is parked again */
            }
        }
    }
}

void mr_transactions_pooled(struct mr_shard *s, struct mr_peer *p, struct mr_span message)
{
    struct mr_eth_items items;
    struct mr_reader body;
    uint32_t asked;
    uint64_t id;
    enum mr_err e;

    if (mr_eth_request_id(message, &id, &body) != MR_OK) {
        MR_COUNT(s->metrics.message_malformed, 1);
        mr_message_breach(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
        return;
    }
    e = mr_fetch_answer_begin(s->fetch, p->slot, id, &asked);
    if (e == MR_AGAIN) {
        MR_COUNT(s->metrics.fetch_late, 1);
        return;
    }
    if (e == MR_OK) {
        MR_COUNT(s->metrics.fetch_answers, 1);
        e = mr_response_decode(&items, message, asked);
        if (e == MR_SHORT || e == MR_MALFORMED) {
            MR_COUNT(s->metrics.message_malformed, 1);
            mr_message_breach(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
            return;
        }
    }
    if (e != MR_OK) { /* never asked, or more than asked */
        MR_COUNT(s->metrics.fetch_unasked, 1);
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
        return;
    }
    s->dupe_stamp++;
    mr_transactions_take(s, p, items.items, false);
}

void mr_transactions_announced(struct mr_shard *s, struct mr_peer *p, struct mr_span message)
{
    struct mr_announce_item it;
    struct mr_announce a;

    if (mr_announce_decode(&a, p->eth_version, message) != MR_OK) {
        MR_COUNT(s->metrics.announced_bad_shape, 1);
        mr_message_breach(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
        return;
    }
    MR_COUNT(s->metrics.announced_in, a.stated);
    if (a.stated > a.count)
        MR_COUNT(s->metrics.announced_cut, a.stated - a.count);
    while (mr_announce_next(&a, &it)) {
        struct mr_seen_entry *seen = mr_seen_find(&s->seen, &it.hash, mr_shard_s(s));

        if (seen && seen->state != MR_SEEN_ANNOUNCED) {
            MR_COUNT(s->metrics.announced_known, 1);
            known_already(s, p, seen);
            continue;
        }
        if (it.type == MR_TX_BLOB && !s->blobs_ready) {
            MR_COUNT(s->metrics.blob_unready, 1);
            continue;
        }
        if (it.type >= MR_TX_TYPES) { /* nobody could relay it */
            MR_COUNT(s->metrics.announced_unknown_type, 1);
            continue;
        }
        it.size = MR_MIN(it.size, MR_FETCH_SIZE_ANY - 1); /* no peer's word is "any" */
        mr_fetch_announced(s->fetch, p->slot, &it.hash, it.type, it.size, mr_shard_ms(s));
    }
}

/* ---- out of the verify queue ---- */

void mr_transactions_append(struct mr_shard *s, struct mr_buf *buf, const uint64_t *known)
{
    const struct mr_txmeta *m = mr_txmeta(buf);
    uint64_t sip = mr_siphash(s->setup.boot_key, m->sender.b, sizeof m->sender.b);
    uint64_t seq = mr_txlog_append(&s->log, buf, known, sip, s->now_ns);

    if (m->flags & MR_TXF_BLOB)
        s->blob_log[s->blob_head++ % MR_BLOB_LOG] = seq;
}

void mr_transactions_from_shard(struct mr_shard *s, struct mr_buf *buf)
{
    const struct mr_txmeta *m = mr_txmeta(buf);
    struct mr_seen_entry *seen = mr_seen_find(&s->seen, &m->hash, mr_shard_s(s));

    if (seen && (seen->state == MR_SEEN_HELD || seen->state == MR_SEEN_GONE)) {
        mr_buf_put(&s->pool, buf); /* both shards accepted it: a tie */
        return;
    }
    MR_COUNT(s->metrics.tx_from_shards, 1);
    mr_bitmap_zero(s->sources, s->slots);
    if (seen && seen->state == MR_SEEN_VERIFYING)
        mr_admit_settle(s->admit, seen->index, &m->hash, s->sources);
    else if (seen && seen->state == MR_SEEN_ANNOUNCED)
        mr_fetch_settle(s->fetch, &m->hash, s->sources, mr_shard_ms(s));
    mr_admit_note(s->admit, m, s->now_ns);
    mr_transactions_append(s, buf, s->sources);
}

void mr_transactions_publish(struct mr_shard *s, struct mr_buf *buf)
{
    struct mr_mail mail = {.kind = MR_MAIL_TX, .buf = buf};
    unsigned shards = mr_mesh_shards(s->setup.mesh);

    if (shards == 1)
        return;
    mr_buf_hold(buf, shards - 1);
    for (unsigned to = 0; to < shards; to++) {
        bool wake = false;

        if (to == s->setup.self)
            continue;
        if (!mr_mail_send(s->setup.mesh, s->setup.self, to, MR_MAIL_FLOW, &mail, &wake))
            MR_ASSERT(!"room was asked for before admission");
        if (wake) {
            MR_COUNT(s->metrics.mail_wakes, 1);
            s->setup.port.wake(s->setup.port.ctx, to);
        }
    }
}

/* Publishes to the other shards before the local fan-out: they may begin while we seal. */
static void on_accepted(void *ctx, struct mr_buf *buf, const uint64_t *known)
{
    struct mr_shard *s = ctx;

    MR_COUNT(s->metrics.tx_accepted, 1);
    mr_histogram_record(&s->histograms.tx_verify_us,
                        (s->now_ns - mr_txmeta(buf)->received_ns) / MR_US);
    mr_transactions_publish(s, buf);
    mr_transactions_append(s, buf, known);
}

static void on_refused(void *ctx, const struct mr_txmeta *meta, uint32_t slot, uint32_t generation,
                       const uint64_t *known, bool hash_fault, bool breach)
{
    struct mr_shard *s = ctx;

    if (hash_fault && s->hints_count < MR_ITEM_BATCH && mr_mesh_shards(s->setup.mesh) > 1)
        s->hints[s->hints_count++] = (struct mr_mail){
            .kind = MR_MAIL_REFUSED, .hash = meta->hash, .a = s->now_ns + 300 * MR_SECOND};
    if (breach && mr_shard_peer(s, slot)->generation == generation) {
        mr_bitmap_set(s->doomed, slot);
        s->any_doomed = true;
    }
    if (hash_fault)
        return;
    ask_others(s, slot, &meta->hash, meta->type, known);
}

static size_t on_fragment(void *ctx, uint8_t *out, size_t cap, struct mr_span item)
{
    size_t n = 0;

    (void)ctx;
    return mr_snappy_fragment(out, cap, &n, item) == MR_OK ? n : 0;
}

static bool on_blob_check(void *ctx, struct mr_buf *network_form, uint64_t ticket)
{
    struct mr_shard *s = ctx;
    struct mr_mail mail = {.kind = MR_MAIL_BLOB, .buf = network_form, .a = ticket};
    unsigned to = mr_mesh_service(mr_mesh_shards(s->setup.mesh));
    bool wake = false;

    mr_buf_hold(network_form, 1); /* the service's */
    if (!mr_mail_send(s->setup.mesh, s->setup.self, to, MR_MAIL_FLOW, &mail, &wake)) {
        mr_buf_put(&s->pool, network_form);
        return false;
    }
    if (wake)
        s->setup.port.wake(s->setup.port.ctx, to);
    return true;
}

static bool on_room(void *ctx, uint32_t n)
{
    struct mr_shard *s = ctx;

    if (mr_mesh_shards(s->setup.mesh) == 1 || mr_mail_room(s->setup.mesh, s->setup.self, n))
        return true;
    MR_COUNT(s->metrics.mail_tx_blocked, 1);
    return false;
}

void mr_shard_admit_hooks(struct mr_shard *s, struct mr_admit_hooks *hooks)
{
    *hooks = (struct mr_admit_hooks){.ctx = s,
                                     .accepted = on_accepted,
                                     .refused = on_refused,
                                     .fragment = on_fragment,
                                     .blob_check = on_blob_check,
                                     .room = on_room};
}

static void on_fetch_ready(void *ctx, uint32_t slot)
{
    struct mr_shard *s = ctx;
    struct mr_peer *p = mr_shard_peer(s, slot);

    p->want_request = true;
    mr_flush_ready(s, p);
}

static void on_fetch_hint(void *ctx, unsigned mail_kind, const struct mr_hash *hash, uint64_t a)
{
    struct mr_shard *s = ctx;

    if (s->hints_count == MR_ITEM_BATCH) {
        MR_COUNT(s->metrics.claims_lost, 1);
        return;
    }
    s->hints[s->hints_count++] =
        (struct mr_mail){.kind = (uint8_t)mail_kind, .hash = *hash, .a = a};
}

static void on_fetch_liar(void *ctx, uint32_t slot)
{
    struct mr_shard *s = ctx;

    MR_COUNT(s->metrics.announced_wrong, 1);
    mr_bitmap_set(s->doomed, slot); /* later: fetch is in the middle of its entry */
    s->any_doomed = true;
}

void mr_transactions_doom(struct mr_shard *s)
{
    if (!s->any_doomed)
        return;
    for (size_t i = 0; (i = mr_bitmap_next(s->doomed, s->slots, i)) != MR_BITMAP_NONE; i++) {
        struct mr_peer *p = mr_shard_peer(s, (uint32_t)i);

        mr_bitmap_clear(s->doomed, i);
        if (mr_peer_is_open(p))
            mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
    }
    s->any_doomed = false;
}

void mr_shard_fetch_hooks(struct mr_shard *s, struct mr_fetch_hooks *hooks)
{
    *hooks = (struct mr_fetch_hooks){
        .ctx = s, .ready = on_fetch_ready, .hint = on_fetch_hint, .liar = on_fetch_liar};
}
