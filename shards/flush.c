/* flush.c: the relay's way out: for every peer that has work and room, its lanes in order, then its
 * part of the log from its cursor, made into frames late, sealed many peers side by side, and sent
 * with one operation a peer and turn. */
#include <math.h>

#include "core/siphash.h"
#include "shards/shard_state.h"

#define WINDOW_BYTES     (512u << 10) /* sealed before a submit: 8 large slices, or many small */
#define ANNOUNCE_ITEM    38           /* bytes of one announced hash at most, with type and size */
#define CROWDED_WRITE_NS (5 * MR_SECOND)

/* ---- the list of peers that are ready ---- */

static bool has_blob_work(const struct mr_shard *s, const struct mr_peer *p)
{
    return p->blob_chosen < s->blob_head ||
           (p->blob_cursor < p->blob_chosen && s->now_ns >= s->blob_retry_ns);
}

static bool has_work(const struct mr_shard *s, const struct mr_peer *p)
{
    if (p->control_count || p->long_frame)
        return true;
    if (p->state != MR_PEER_ACTIVE)
        return false;
    return p->want_request || p->want_header_request || p->want_range || p->pending_count ||
           p->cursor < s->log.head || has_blob_work(s, p);
}

void mr_flush_ready(struct mr_shard *s, struct mr_peer *p)
{
    if (p->ready || p->sending || !has_work(s, p))
        return;
    p->ready = true;
    p->next_ready = MR_NO_SLOT;
    if (s->ready_tail == MR_NO_SLOT)
        s->ready_head = p->slot;
    else
        mr_shard_peer(s, s->ready_tail)->next_ready = p->slot;
    s->ready_tail = p->slot;
}

static struct mr_peer *ready_pop(struct mr_shard *s)
{
    struct mr_peer *p;

    if (s->ready_head == MR_NO_SLOT)
        return NULL;
    p = mr_shard_peer(s, s->ready_head);
    s->ready_head = p->next_ready;
    if (s->ready_head == MR_NO_SLOT)
        s->ready_tail = MR_NO_SLOT;
    p->ready = false;
    return p;
}

static void ready_remove(struct mr_shard *s, struct mr_peer *p)
{
    uint32_t *at = &s->ready_head, before = MR_NO_SLOT;

    if (!p->ready)
        return;
    while (*at != p->slot) {
        before = *at;
        at = &mr_shard_peer(s, before)->next_ready;
    }
    *at = p->next_ready;
    if (s->ready_tail == p->slot)
        s->ready_tail = before;
    p->ready = false;
}

/* The log has grown, or blobs may be announced again: peers that were idle have work. Who found the
 * upload budget spent comes first. */
static void ready_all(struct mr_shard *s)
{
    size_t first = s->ready_from;

    for (size_t i = first; (i = mr_bitmap_next(s->live, s->slots, i)) != MR_BITMAP_NONE; i++)
        mr_flush_ready(s, mr_shard_peer(s, (uint32_t)i));
    for (size_t i = 0; (i = mr_bitmap_next(s->live, first, i)) != MR_BITMAP_NONE && i < first; i++)
        mr_flush_ready(s, mr_shard_peer(s, (uint32_t)i));
}

/* ---- building ---- */

bool mr_build_fits(const struct mr_build *b, uint32_t spans, uint32_t size)
{
    return !b->closed && b->frames_count < MR_FRAMES_PER_JOB && spans <= b->spans_left &&
           MR_FRAME_WIRE_LEN(size) <= b->room;
}

void mr_build_add(struct mr_build *b, uint32_t count, uint32_t size)
{
    MR_ASSERT(mr_build_fits(b, count, size));
    b->frames[b->frames_count++] =
        (struct mr_frame){.spans = b->spans, .spans_count = count, .size = size};
    b->spans += count;
    b->spans_left -= count;
    b->room -= MR_FRAME_WIRE_LEN(size);
}

bool mr_build_small(struct mr_build *b, const struct mr_peer *p, uint16_t wire_id, size_t mark)
{
    struct mr_transport t = {.shared = &p->caps, .snappy = p->snappy};
    struct mr_span payload = mr_span(b->literals.p + mark, b->literals.n - mark);
    uint8_t *head = b->literals.p + b->literals.n;
    uint32_t size = 0;
    size_t n;

    if (b->literals.cap - b->literals.n < MR_MESSAGE_HEAD_MAX || b->spans_left < 2) {
        b->literals.n = mark;
        return false;
    }
    n = mr_message_spans(b->spans, head, &t, wire_id, payload);
    for (size_t i = 0; i < n; i++)
        size += (uint32_t)b->spans[i].n;
    if (!mr_build_fits(b, (uint32_t)n, size)) {
        b->literals.n = mark;
        return false;
    }
    b->literals.n += MR_MESSAGE_HEAD_MAX;
    mr_build_add(b, (uint32_t)n, size);
    return true;
}

struct mr_long_frame *mr_long_frame_new(struct mr_shard *s)
{
    struct mr_buf *self = mr_buf_get(&s->pool, sizeof(struct mr_long_frame));
    struct mr_long_frame *f;

    if (!self)
        return NULL;
    f = (struct mr_long_frame *)(void *)self->data;
    memset(f, 0, offsetof(struct mr_long_frame, used));
    f->self = self;
    return f;
}

void mr_long_frame_free(struct mr_shard *s, struct mr_long_frame *f)
{
    for (uint32_t i = 0; i < f->used_count; i++)
        mr_txlog_unuse(&s->log, f->used[i]);
    if (f->literals)
        mr_buf_put(&s->pool, f->literals);
    mr_buf_put(&s->pool, f->self);
}

void mr_build_long(struct mr_build *b, struct mr_peer *p, struct mr_long_frame *f)
{
    MR_ASSERT(!b->closed);
    MR_ASSERT(!p->long_frame);
    b->frames[b->frames_count++] = f->frame;
    b->closed = true;
    p->long_frame = f;
}

/* ---- control lane ---- */

static bool put_control(struct mr_shard *s, struct mr_peer *p, struct mr_control c,
                        struct mr_writer *w, uint16_t *wire_id)
{
    struct mr_eth_status st;

    switch ((enum mr_control_kind)c.kind) {
    case MR_CONTROL_STATUS:
        mr_head_status(s->head, &st, p->eth_version, mr_time_wall_s(s->now));
        *wire_id = p->eth_first + MR_ETH_STATUS;
        return mr_eth_status_encode(w, &st) == MR_OK;
    case MR_CONTROL_PING:
        *wire_id = MR_BASE_PING;
        return mr_ping_encode(w) == MR_OK;
    case MR_CONTROL_PONG:
        *wire_id = MR_BASE_PONG;
        return mr_ping_encode(w) == MR_OK;
    case MR_CONTROL_DISCONNECT:
        *wire_id = MR_BASE_DISCONNECT;
        return mr_disconnect_encode(w, c.reason) == MR_OK;
    }
    return false;
}

static void control_sealed(struct mr_shard *s, struct mr_peer *p, struct mr_control c)
{
    if (c.kind == MR_CONTROL_PONG)
        mr_keepalive_ponged(&p->keepalive, mr_shard_ms(s));
    else if (c.kind == MR_CONTROL_PING)
        MR_COUNT(s->metrics.ping_out, 1);
    else if (c.kind == MR_CONTROL_STATUS) {
        p->status_out = true;
        p->range_told = mr_head_number(s->head);
    }
}

static void build_control(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
{
    while (p->control_count > 0) {
        struct mr_control c = p->control[p->control_head];
        size_t mark = b->literals.n;
        uint16_t id;

        if (!put_control(s, p, c, &b->literals, &id)) {
            b->literals.n = mark;
            return;
        }
        if (!mr_build_small(b, p, id, mark))
            return;
        control_sealed(s, p, c);
        p->control_head = (p->control_head + 1) % MR_CONTROL_SLOTS;
        p->control_count--;
    }
}

/* ---- our requests ---- */

static void build_fetch(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
{
    struct mr_fetch_request r;
    size_t mark = b->literals.n;

    /* the request starts its deadline when it is taken, so room is made sure of before */
    if (!mr_build_fits(b, 2, MR_FETCH_HASHES_MAX * 33 + 64) ||
        b->literals.cap - b->literals.n < MR_FETCH_HASHES_MAX * 33 + 128)
        return;
    p->want_request = false;
    if (!mr_fetch_take_request(s->fetch, p->slot, &r, mr_shard_ms(s)))
        return;
    if (mr_hash_request_encode(&b->literals, r.id, r.hashes, r.count) != MR_OK ||
        !mr_build_small(b, p, p->eth_first + MR_ETH_GET_POOLED_TRANSACTIONS, mark))
        MR_ASSERT(!"room was checked");
    MR_COUNT(s->metrics.fetch_requests, 1);
}

static void build_head(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
{
    size_t mark = b->literals.n;
    struct mr_block_range range;
    struct mr_eth_status st;

    if (p->want_header_request &&
        mr_get_block_headers_encode(&b->literals, p->header_request_id, &p->header_query) ==
            MR_OK &&
        mr_build_small(b, p, p->eth_first + MR_ETH_GET_BLOCK_HEADERS, mark))
        p->want_header_request = false;
    if (!p->want_range)
        return;
    mark = b->literals.n;
    mr_head_status(s->head, &st, p->eth_version, mr_time_wall_s(s->now));
    range = (struct mr_block_range){
        .earliest = st.earliest, .latest = st.latest, .latest_hash = st.latest_hash};
    if (mr_block_range_encode(&b->literals, &range) == MR_OK &&
        mr_build_small(b, p, p->eth_first + MR_ETH_BLOCK_RANGE_UPDATE, mark)) {
        p->want_range = false;
        p->range_told = st.latest;
    }
}

/* ---- the log ---- */

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

static void build_log(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
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
    if (has_blob_work(s, p))
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

/* ---- one peer, one window ---- */

static void build_peer(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
{
    if (p->long_frame) {
        b->frames[b->frames_count++] = p->long_frame->frame;
        b->closed = true; /* what fits behind it goes with the next slice */
        return;
    }
    build_control(s, p, b);
    if (p->state != MR_PEER_ACTIVE)
        return;
    if (s->setup.policy) {
        s->setup.policy->build(s, p, b);
        return;
    }
    if (p->want_request)
        build_fetch(s, p, b);
    if (p->want_header_request || p->want_range)
        build_head(s, p, b);
    if (p->bulk_first)
        while (mr_answer_build(s, p, b))
            ;
    build_log(s, p, b);
    if (!p->bulk_first)
        while (mr_answer_build(s, p, b))
            ;
    p->bulk_first = !p->bulk_first;
}

/* Bytes that the frames will take, at most a slice. */
static uint32_t out_bytes(const struct mr_build *b)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < b->frames_count; i++)
        n += MR_FRAME_WIRE_LEN(b->frames[i].size);
    return (uint32_t)MR_MIN(n, MR_SLICE_BYTES);
}

/* Builds the jobs of one window. Returns how many. */
static uint32_t window_build(struct mr_shard *s)
{
    struct mr_writer literals = mr_writer(s->literals, MR_WINDOW_LITERALS);
    struct mr_span *spans = s->spans;
    uint32_t jobs = 0, bytes = 0;

    while (jobs < MR_WINDOW_JOBS && bytes < WINDOW_BYTES &&
           MR_WINDOW_LITERALS - literals.n > 2 * MR_SLICE_BYTES &&
           s->spans + MR_WINDOW_SPANS - spans > 2048) {
        struct mr_peer *p = ready_pop(s);
        struct mr_build b = {.frames = s->frames + (size_t)jobs * MR_FRAMES_PER_JOB,
                             .spans = spans,
                             .spans_left = (uint32_t)(s->spans + MR_WINDOW_SPANS - spans),
                             .literals = literals,
                             .room = MR_SLICE_BYTES};

        if (!p)
            break;
        if (p->state == MR_PEER_FREE || p->state == MR_PEER_SWEEP || p->shut)
            continue;
        build_peer(s, p, &b);
        if (b.frames_count == 0)
            continue;
        p->send_buf = mr_buf_get(&s->pool, out_bytes(&b));
        if (!p->send_buf) { /* what was taken off the log is lost to it: better to part */
            mr_peer_end(s, p, MR_CLOSED_RESOURCES, MR_SILENTLY);
            continue;
        }
        s->job_slots[jobs] = p->slot;
        s->jobs[jobs++] = (struct mr_seal_job){.session = &p->session,
                                               .frames = b.frames,
                                               .frames_count = b.frames_count,
                                               .out = p->send_buf->data,
                                               .out_cap = p->send_buf->size};
        bytes += p->send_buf->size;
        literals = b.literals;
        spans = b.spans;
    }
    return jobs;
}

static uint64_t window_send(struct mr_shard *s, uint32_t jobs)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < jobs; i++) {
        struct mr_peer *p = mr_shard_peer(s, s->job_slots[i]);
        const struct mr_seal_job *j = &s->jobs[i];

        MR_COUNT(s->metrics.frames_out, j->frames_done);
        if (p->long_frame && j->frames_done == j->frames_count) {
            mr_long_frame_free(s, p->long_frame);
            p->long_frame = NULL;
        }
        p->send_buf->size = (uint32_t)j->out_len;
        p->sending = true;
        p->send_begun_ns = s->now_ns;
        s->sending_bytes += j->out_len;
        bytes += j->out_len;
        s->setup.port.send(s->setup.port.ctx, p->slot, p->generation, j->out, j->out_len);
        mr_peer_arm(s, p);
    }
    MR_COUNT(s->metrics.sends, jobs);
    MR_COUNT(s->metrics.bytes_out, bytes);
    s->setup.port.submit(s->setup.port.ctx);
    return bytes;
}

static uint64_t body_threshold(uint32_t peers)
{
    double share = peers < 2 ? 1.0 : ceil(sqrt(peers)) / peers;

    return share >= 1.0 ? UINT64_MAX : (uint64_t)(share * 18446744073709551616.0);
}

/* All memory for sends is in flight, and somebody waits for it: those who have not read for long
 * give it back. (Otherwise a thousand that read nothing would keep all others waiting until their
 * own timeouts.) */
static void part_slow(struct mr_shard *s)
{
    if (s->ready_head == MR_NO_SLOT || s->sending_bytes < s->o->send_bytes ||
        s->now_ns < s->slow_look_ns)
        return;
    s->slow_look_ns = s->now_ns + MR_SECOND / 2;
    for (size_t i = 0; (i = mr_bitmap_next(s->live, s->slots, i)) != MR_BITMAP_NONE; i++) {
        struct mr_peer *p = mr_shard_peer(s, (uint32_t)i);

        if (!p->sending || !mr_peer_is_open(p) || s->now_ns < p->send_begun_ns + CROWDED_WRITE_NS)
            continue;
        MR_COUNT(s->metrics.slow_readers, 1);
        mr_peer_end(s, p, MR_CLOSED_SLOW, MR_SILENTLY);
    }
}

bool mr_flush(struct mr_shard *s)
{
    bool blobs_again = s->blob_retry_ns && s->now_ns >= s->blob_retry_ns;
    uint64_t sealed = 0;
    uint32_t sends = 0;

    if (s->told_head != s->log.head || blobs_again) {
        if (blobs_again)
            s->blob_retry_ns = 0;
        s->told_head = s->log.head;
        s->full_threshold = body_threshold(mr_mesh_peers(s->setup.mesh));
        ready_all(s);
    }
    while (s->ready_head != MR_NO_SLOT && sealed < s->o->sealed_per_turn &&
           sends < s->o->sends_per_turn && s->sending_bytes < s->o->send_bytes) {
        uint32_t jobs = window_build(s);

        if (jobs == 0)
            continue;
        mr_rlpx_seal(s->jobs, jobs, &s->keccak);
        sealed += window_send(s, jobs);
        sends += jobs;
    }
    part_slow(s);
    return s->ready_head != MR_NO_SLOT && s->sending_bytes < s->o->send_bytes;
}

void mr_flush_sent(struct mr_shard *s, struct mr_peer *p, int32_t result)
{
    uint32_t size = p->send_buf->size;

    MR_ASSERT(p->sending);
    p->sending = false;
    s->sending_bytes -= size;
    mr_buf_put(&s->pool, p->send_buf);
    p->send_buf = NULL;
    if (result < 0 || (uint32_t)result != size) {
        if (p->state == MR_PEER_CLOSING)
            mr_peer_shut(s, p);
        mr_peer_end(s, p, MR_CLOSED_REMOTE, MR_SILENTLY);
        return;
    }
    mr_keepalive_spoke(&p->keepalive, mr_shard_ms(s));
    if (p->closing_after_send && p->control_count == 0)
        mr_peer_shut(s, p);
    else
        mr_flush_ready(s, p);
}

/* The connection is closed: nothing is in flight any more. */
void mr_flush_forget(struct mr_shard *s, struct mr_peer *p)
{
    if (p->send_buf) {
        s->sending_bytes -= p->send_buf->size;
        mr_buf_put(&s->pool, p->send_buf);
        p->send_buf = NULL;
    }
    p->sending = false;
    p->control_count = 0;
    ready_remove(s, p);
    if (p->long_frame) {
        mr_long_frame_free(s, p->long_frame);
        p->long_frame = NULL;
    }
}
