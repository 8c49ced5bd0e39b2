/* answer.c: what peers ask for: bodies by hash, headers of the window, and for everything else the
 * answer of one who has none. A request is parsed when it comes and answered when its lane has its
 * turn; at most MR_PENDING_REQUESTS wait, then the peer is not read. */
#include "shards/shard_state.h"

static void pending_add(struct mr_peer *p, uint8_t id, bool ready, struct mr_buf *buf)
{
    MR_ASSERT(p->pending_count < MR_PENDING_REQUESTS);
    p->pending[(p->pending_head + p->pending_count++) % MR_PENDING_REQUESTS] =
        (struct mr_pending_request){.id = id, .ready = ready, .buf = buf};
}

static void pending_drop(struct mr_shard *s, struct mr_peer *p)
{
    mr_buf_put(&s->pool, p->pending[p->pending_head].buf);
    p->pending_head = (p->pending_head + 1) % MR_PENDING_REQUESTS;
    p->pending_count--;
    mr_receive_unblock(s, p);
}

void mr_answer_forget(struct mr_shard *s, struct mr_peer *p)
{
    for (; p->pending_count > 0; p->pending_count--) {
        mr_buf_put(&s->pool, p->pending[p->pending_head].buf);
        p->pending_head = (p->pending_head + 1) % MR_PENDING_REQUESTS;
    }
}

static enum mr_err request_check(uint8_t id, struct mr_span payload)
{
    struct mr_hash_request hashes;
    struct mr_get_block_headers query;
    uint64_t request_id;

    if (id == MR_ETH_GET_POOLED_TRANSACTIONS)
        return mr_hash_request_decode(&hashes, payload);
    return mr_get_block_headers_decode(&query, &request_id, payload);
}

void mr_answer_request(struct mr_shard *s, struct mr_peer *p, uint8_t id, struct mr_span payload)
{
    bool ours = id == MR_ETH_GET_POOLED_TRANSACTIONS || id == MR_ETH_GET_BLOCK_HEADERS;
    uint8_t scratch[4096];
    struct mr_writer w = mr_writer(scratch, sizeof scratch);
    struct mr_span keep = payload;
    uint64_t answer_id = id;
    struct mr_buf *b;
    enum mr_err e;

    if (ours) {
        e = request_check(id, payload);
    } else {
        e = mr_eth_empty_answer(p->eth_version, id, payload, &w, &answer_id);
        keep = mr_writer_span(&w);
        MR_COUNT(s->metrics.serve_empty, 1);
    }
    if (e != MR_OK) {
        MR_COUNT(s->metrics.message_malformed, 1);
        mr_message_breach(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
        return;
    }
    b = mr_buf_get(&s->pool, keep.n);
    if (!b) {
        mr_peer_end(s, p, MR_CLOSED_RESOURCES, MR_REASON_REQUESTED);
        return;
    }
    memcpy(b->data, keep.p, keep.n);
    pending_add(p, (uint8_t)answer_id, !ours, b);
    mr_flush_ready(s, p);
}

/* ---- pooled transactions ---- */

struct pooled {
    uint64_t request_id;
    uint32_t count, fragment_bytes, item_bytes;
    uint64_t blob_bytes; /* against the upload budget */
    struct mr_txlog_entry *entries[MR_HASHES_ASKED_MAX];
};

/* Upload of blobs is charged when they are announced. Whoever asks for others, again, or late, gets
 * what the budget can spare: a request costs 50 bytes and an answer up to a megabyte. */
static bool blob_allowed(const struct mr_shard *s, const struct mr_peer *p, uint64_t bytes)
{
    return p->trusted || mr_blob_upload_allows(&s->blob_upload, &p->blob_promise, bytes, s->now_ns);
}

/* Looks up what was asked for, in the request's order, up to the size of one answer. */
static void pooled_collect(struct mr_shard *s, struct mr_peer *p, const struct mr_buf *request,
                           struct pooled *out)
{
    struct mr_hash_request r;

    out->count = out->fragment_bytes = out->item_bytes = 0;
    out->blob_bytes = 0;
    if (mr_hash_request_decode(&r, mr_buf_span(request)) != MR_OK)
        MR_ASSERT(!"it was decoded when it came");
    out->request_id = r.request_id;
    for (uint32_t i = 0; i < r.hashes.n && out->count < MR_HASHES_ASKED_MAX; i++) {
        struct mr_txlog_entry *e;
        const struct mr_txmeta *m;
        struct mr_hash h;

        memcpy(h.b, mr_items_at(&r.hashes, i), sizeof h.b);
        e = mr_txlog_find(&s->log, &h, mr_shard_s(s));
        if (!e || (p->eth_version >= MR_ETH_72 && (e->flags & MR_TXF_BLOB)))
            continue;
        m = mr_txmeta(e->buf);
        if (out->count > 0 && out->item_bytes + m->item_bytes > s->o->answer_max)
            break;
        if (e->flags & MR_TXF_BLOB) {
            if (!blob_allowed(s, p, out->blob_bytes + e->size)) {
                MR_COUNT(s->metrics.blob_upload_refused, 1);
                continue;
            }
            out->blob_bytes += e->size;
        }
        out->entries[out->count++] = e;
        out->item_bytes += m->item_bytes;
        out->fragment_bytes += m->fragment_bytes;
        mr_bitmap_set(s->log.known + (size_t)(e - s->log.ring) * s->log.words, p->slot);
    }
}

/* Id, preamble, and one literal with the RLP heads of the answer. */
static void pooled_head(struct mr_peer *p, const struct pooled *a, struct mr_writer *w)
{
    struct mr_transport t = {.shared = &p->caps, .snappy = true};
    uint8_t rlp[32];
    struct mr_writer head = mr_writer(rlp, sizeof rlp);

    if (mr_response_put_head(&head, a->request_id, a->item_bytes) != MR_OK ||
        mr_message_put_head(w, &t, p->eth_first + MR_ETH_POOLED_TRANSACTIONS,
                            (uint32_t)(head.n + a->item_bytes)) != MR_OK ||
        mr_snappy_put_literal(w, rlp, (uint32_t)head.n) != MR_OK)
        MR_ASSERT(!"callers give 64 bytes");
}

static bool pooled_long(struct mr_shard *s, struct mr_peer *p, struct mr_build *b,
                        const struct pooled *a)
{
    struct mr_long_frame *f;
    struct mr_writer w;

    if (b->closed || b->room < 1024 || b->frames_count == MR_FRAMES_PER_JOB)
        return false;
    f = mr_long_frame_new(s);
    if (!f)
        return false;
    w = mr_writer(f->head, sizeof f->head);
    pooled_head(p, a, &w);
    f->spans[0] = mr_writer_span(&w);
    for (uint32_t i = 0; i < a->count; i++) {
        f->used[i] = mr_txlog_use(&s->log, a->entries[i]);
        if (!f->used[i]) {
            mr_long_frame_free(s, f);
            return false;
        }
        f->used_count++;
        f->spans[1 + i] = mr_tx_body(a->entries[i]->buf);
    }
    f->frame = (struct mr_frame){
        .spans = f->spans, .spans_count = 1 + a->count, .size = (uint32_t)w.n + a->fragment_bytes};
    mr_build_long(b, p, f);
    return true;
}

static bool pooled_build(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
{
    struct pooled a;
    struct mr_span *spans = b->spans;
    size_t mark = b->literals.n;
    uint32_t size;

    pooled_collect(s, p, p->pending[p->pending_head].buf, &a);
    size = 64 + a.fragment_bytes;
    if (MR_FRAME_WIRE_LEN(size) > MR_SLICE_BYTES) {
        if (!pooled_long(s, p, b, &a))
            return false;
    } else {
        if (!mr_build_fits(b, a.count + 1, size) || b->literals.cap - b->literals.n < 64)
            return false;
        pooled_head(p, &a, &b->literals);
        spans[0] = mr_span(b->literals.p + mark, b->literals.n - mark);
        for (uint32_t i = 0; i < a.count; i++)
            spans[1 + i] = mr_tx_body(a.entries[i]->buf);
        mr_build_add(b, a.count + 1, (uint32_t)spans[0].n + a.fragment_bytes);
    }
    if (!p->trusted)
        mr_blob_upload_answer(&s->blob_upload, &p->blob_promise, a.blob_bytes, s->now_ns);
    MR_COUNT(s->metrics.serve_pooled, 1);
    MR_COUNT(s->metrics.serve_pooled_items, a.count);
    return true;
}

/* ---- headers ---- */

/* Writes the whole payload of BlockHeaders into the arena; nothing else uses it while flushing. */
static struct mr_span headers_payload(struct mr_shard *s, const struct mr_buf *request)
{
    struct mr_get_block_headers q;
    uint64_t request_id;
    uint8_t rlp[32];
    struct mr_writer head = mr_writer(rlp, sizeof rlp);
    struct mr_writer items = mr_writer(s->arena + sizeof rlp, s->arena_bytes - sizeof rlp);

    if (mr_get_block_headers_decode(&q, &request_id, mr_buf_span(request)) != MR_OK)
        MR_ASSERT(!"it was decoded when it came");
    if (mr_head_serve(s->head, &q, s->o->answer_max, &items) != MR_OK)
        items.n = 0;
    if (mr_response_put_head(&head, request_id, items.n) != MR_OK)
        MR_ASSERT(!"32 bytes suffice");
    memcpy(items.p - head.n, rlp, head.n);
    return mr_span(items.p - head.n, head.n + items.n);
}

/* A payload that is complete: as literals of this window, or of a long frame of its own. */
static bool payload_build(struct mr_shard *s, struct mr_peer *p, struct mr_build *b, uint8_t id,
                          struct mr_span payload)
{
    uint16_t wire_id = p->eth_first + id;
    struct mr_transport t = {.shared = &p->caps, .snappy = p->snappy};
    struct mr_long_frame *f;
    size_t mark = b->literals.n;

    if (MR_FRAME_WIRE_LEN(payload.n + MR_MESSAGE_HEAD_MAX) <= MR_SLICE_BYTES)
        return mr_rlp_put_raw(&b->literals, payload.p, payload.n) == MR_OK &&
               mr_build_small(b, p, wire_id, mark);
    if (b->closed || b->room < 1024 || b->frames_count == MR_FRAMES_PER_JOB)
        return false;
    f = mr_long_frame_new(s);
    if (!f)
        return false;
    f->literals = mr_buf_get(&s->pool, payload.n);
    if (!f->literals) {
        mr_long_frame_free(s, f);
        return false;
    }
    memcpy(f->literals->data, payload.p, payload.n);
    f->frame.spans = f->spans;
    f->frame.spans_count =
        (uint32_t)mr_message_spans(f->spans, f->head, &t, wire_id, mr_buf_span(f->literals));
    for (uint32_t i = 0; i < f->frame.spans_count; i++)
        f->frame.size += (uint32_t)f->spans[i].n;
    mr_build_long(b, p, f);
    return true;
}

bool mr_answer_build(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
{
    const struct mr_pending_request *r = &p->pending[p->pending_head];
    bool built;

    if (p->pending_count == 0 || b->closed)
        return false;
    if (r->ready)
        built = payload_build(s, p, b, r->id, mr_buf_span(r->buf));
    else if (r->id == MR_ETH_GET_POOLED_TRANSACTIONS)
        built = pooled_build(s, p, b);
    else {
        built = payload_build(s, p, b, MR_ETH_BLOCK_HEADERS, headers_payload(s, r->buf));
        if (built)
            MR_COUNT(s->metrics.serve_headers, 1);
    }
    if (built)
        pending_drop(s, p);
    return built;
}
