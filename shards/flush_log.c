/* flush_log.c: a peer's part of the log, from its cursor: bodies and hashes that it lacks, and blob
 * transactions as far as the upload budget goes. */
#include "core/siphash.h"
#include "shards/shard_state.h"

#define ANNOUNCE_ITEM 38 /* bytes of one announced hash at most, with type and size */

bool mr_flush_has_blobs(const struct mr_shard *s, const struct mr_peer *p)
{
    return p->blob_chosen < s->blob_head ||
           (p->blob_cursor < p->blob_chosen && s->now_ns >= s->blob_retry_ns);
}

struct walk {
    uint32_t announced, bodies;
    uint32_t announce_max;
    uint32_t body_room, body_bytes, body_items; /* fragments; inflated items */
    uint32_t bodies_max;
    struct mr_span *body_spans;
};

/* A peer gets the body when a keyed mix of both is small: about sqrt(n) of n peers, always the same
 * ones for one sender, unpredictable from outside (geth's rule without its global sort). */
static bool gets_body(const struct mr_shard *s, const struct mr_peer *p,
                      const struct mr_txlog_entry *e)
{
    uint64_t x = p->body_sip ^ (e->sender_sip << 32 | e->sender_sip >> 32);

    x ^= x >> 33, x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33, x *= UINT64_C(0xc4ceb9fe1a85ec53);
    x ^= x >> 33;
    return e->size <= s->o->body_max && x <= s->full_threshold;
}

static void announce_add(struct mr_shard *s, const struct mr_peer *p, struct walk *w,
                         const struct mr_txlog_entry *e)
{
    s->announce_types[w->announced] = e->type;
    s->announce_sizes[w->announced] = p->eth_version >= MR_ETH_72 ? e->size_elided : e->size;
    s->announce_hashes[w->announced] = e->hash;
    w->announced++;
}

#if defined MR_SABOTAGE_LOAD_DROP || defined MR_SABOTAGE_LOAD_TWICE
/* True for one delivery in 1,000, to see whether the load generator notices (tests/perf). */
static bool sabotaged(void)
{
    static unsigned long deliveries;

    return ++deliveries % 1000 == 0;
}
#endif

/* From the peer's cursor to the log's head or to what fits: bodies and hashes that it lacks. */
static void walk_log(struct mr_shard *s, struct mr_peer *p, struct walk *w)
{
    uint64_t seq = p->cursor;

    if (seq < s->log.tail) {
        MR_COUNT(s->metrics.log_overrun, s->log.tail - seq);
        seq = s->log.tail;
    }
    for (; seq < s->log.head; seq++) {
        const struct mr_txlog_entry *e = mr_txlog_at(&s->log, seq);
        uint64_t *known = mr_txlog_known(&s->log, seq);

        if (!e->buf || (e->flags & MR_TXF_BLOB) || mr_bitmap_test(known, p->slot))
            continue;
#ifdef MR_SABOTAGE_LOAD_DROP
        if (sabotaged())
            continue;
#endif
        if (gets_body(s, p, e)) {
            const struct mr_txmeta *m = mr_txmeta(e->buf);

            if (w->bodies == w->bodies_max || w->body_bytes + m->fragment_bytes > w->body_room)
                break;
            w->body_spans[w->bodies++] = mr_tx_body(e->buf);
            w->body_bytes += m->fragment_bytes;
            w->body_items += m->item_bytes;
        } else {
            if (w->announced == w->announce_max)
                break;
            announce_add(s, p, w, e);
        }
#ifdef MR_SABOTAGE_LOAD_TWICE
        if (sabotaged() && w->announced < w->announce_max)
            announce_add(s, p, w, e);
#endif
        mr_bitmap_set(known, p->slot);
        mr_histogram_record(&s->histograms.tx_relay_us, (s->now_ns - e->time_ns) / MR_US);
    }
    p->cursor = seq;
}

/* An entry of the blob log that p lacks; NULL if there is nothing to tell. */
static const struct mr_txlog_entry *blob_lacked(const struct mr_shard *s, const struct mr_peer *p,
                                                uint64_t at)
{
    uint64_t seq = s->blob_log[at % MR_BLOB_LOG];
    const struct mr_txlog_entry *e = mr_txlog_at(&s->log, seq);

    if (seq < s->log.tail || !e->buf || mr_bitmap_test(mr_txlog_known(&s->log, seq), p->slot))
        return NULL;
    return e;
}

/* Announces it if the upload budget pays for the answer that this promises. Trusted peers are
 * exempt: they neither wait nor pay. */
static bool blob_tell(struct mr_shard *s, struct mr_peer *p, struct walk *w, uint64_t at,
                      enum mr_blob_rank rank)
{
    uint64_t seq = s->blob_log[at % MR_BLOB_LOG];
    const struct mr_txlog_entry *e = mr_txlog_at(&s->log, seq);

    if (!p->trusted &&
        !mr_blob_upload_promise(&s->blob_upload, &p->blob_promise, rank, e->size, s->now_ns)) {
        MR_COUNT(s->metrics.blob_upload_wait, 1);
        if (s->blob_spent_ns != s->now_ns)
            s->ready_from = p->slot; /* the first of this turn to wait is the next one's first */
        s->blob_spent_ns = s->now_ns;
        return false;
    }
    announce_add(s, p, w, e);
    mr_bitmap_set(mr_txlog_known(&s->log, seq), p->slot);
    return true;
}

/* Blob transactions are announced only: each to about sqrt(n) peers at once, before what the others
 * are told, as far as the budget goes, ... */
static void walk_blobs_chosen(struct mr_shard *s, struct mr_peer *p, struct walk *w)
{
    uint64_t key[2] = {p->body_sip, s->setup.boot_key[0]};

    for (; p->blob_chosen < s->blob_head && w->announced < w->announce_max; p->blob_chosen++) {
        const struct mr_txlog_entry *e = blob_lacked(s, p, p->blob_chosen);

        if (e && (p->trusted || mr_siphash_32(key, e->hash.b) <= s->full_threshold))
            (void)blob_tell(s, p, w, p->blob_chosen, MR_BLOB_FRESH); /* or later, in its turn */
    }
}

/* ... and to the others, one at a time and in turn, while there is budget: what it does not reach
 * while it is young, blocks have reached. */
static void walk_blobs_others(struct mr_shard *s, struct mr_peer *p, struct walk *w)
{
    for (; p->blob_cursor < p->blob_chosen && w->announced < w->announce_max; p->blob_cursor++) {
        const struct mr_txlog_entry *e = blob_lacked(s, p, p->blob_cursor);

        if (!e)
            continue;
        if (s->now_ns - e->time_ns > s->o->fresh_ns) {
            MR_COUNT(s->metrics.blob_untold, 1);
            continue;
        }
        if (blob_tell(s, p, w, p->blob_cursor, MR_BLOB_IN_TURN))
            p->blob_cursor++;
        else
            s->blob_retry_ns =
                MR_MAX(s->now_ns + 50 * MR_MS,
                       mr_blob_upload_ready_at(&s->blob_upload, MR_BLOB_IN_TURN, e->size));
        return;
    }
}

static void walk_blobs(struct mr_shard *s, struct mr_peer *p, struct walk *w)
{
    uint64_t oldest = s->blob_head > MR_BLOB_LOG ? s->blob_head - MR_BLOB_LOG : 0;

    p->blob_chosen = MR_MAX(p->blob_chosen, oldest);
    p->blob_cursor = MR_MAX(p->blob_cursor, oldest);
    walk_blobs_chosen(s, p, w);
    if (s->now_ns >= s->blob_retry_ns)
        walk_blobs_others(s, p, w);
}

static void build_announcement(struct mr_shard *s, struct mr_peer *p, struct mr_build *b,
                               const struct walk *w)
{
    static const struct mr_cell_mask none; /* eth/72: we serve no cells */
    size_t mark = b->literals.n;

    if (w->announced == 0)
        return;
    if (mr_announce_encode(&b->literals, p->eth_version, s->announce_types, s->announce_sizes,
                           s->announce_hashes, w->announced, &none) != MR_OK ||
        !mr_build_small(b, p, p->eth_first + MR_ETH_NEW_POOLED_TRANSACTION_HASHES, mark))
        MR_ASSERT(!"the walk left room for it");
    MR_COUNT(s->metrics.announced_out, w->announced);
}

/* Transactions: a literal for the list's prefix, then the stored fragments. */
static void build_bodies(struct mr_shard *s, struct mr_peer *p, struct mr_build *b,
                         const struct walk *w)
{
    struct mr_transport t = {.shared = &p->caps, .snappy = true};
    uint8_t rlp[9];
    struct mr_writer head = mr_writer(rlp, sizeof rlp);
    size_t mark = b->literals.n;

    if (w->bodies == 0)
        return;
    if (mr_transactions_put_head(&head, w->body_items) != MR_OK ||
        mr_message_put_head(&b->literals, &t, p->eth_first + MR_ETH_TRANSACTIONS,
                            (uint32_t)(head.n + w->body_items)) != MR_OK ||
        mr_snappy_put_literal(&b->literals, rlp, (uint32_t)head.n) != MR_OK)
        MR_ASSERT(!"the walk left room for it");
    b->spans[0] = mr_span(b->literals.p + mark, b->literals.n - mark);
    mr_build_add(b, w->bodies + 1, (uint32_t)b->spans[0].n + w->body_bytes);
    MR_COUNT(s->metrics.bodies_out, w->bodies);
}

void mr_build_log(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
{
    struct walk w = {0};
    uint32_t half = b->room / 2;

    if (b->closed || half < 1024 || b->frames_count + 2 > MR_FRAMES_PER_JOB || b->spans_left < 8)
        return;
    w.announce_max = MR_MIN(MR_ANNOUNCE_BATCH, (half - 256) / ANNOUNCE_ITEM);
    w.body_room = half - 256;
    w.bodies_max = MR_MIN(MR_BODIES_BATCH, b->spans_left - 4);
    /* bodies are noted behind the spans that the announcement's frame and their own head take */
    w.body_spans = b->spans + 3;
    walk_log(s, p, &w);
    if (mr_flush_has_blobs(s, p))
        walk_blobs(s, p, &w);
    if (w.announced == 0) {
        memmove(b->spans + 1, w.body_spans, w.bodies * sizeof *b->spans);
        build_bodies(s, p, b, &w);
        return;
    }
    build_announcement(s, p, b, &w); /* takes 2 spans: b->spans + 1 is now where bodies begin */
    MR_ASSERT(b->spans + 1 == w.body_spans || w.bodies == 0);
    build_bodies(s, p, b, &w);
}
