#include "perf/hub_policy.h"

#include "shards/shard_state.h"

#define BENCH_MESSAGE 0
#define HEAD_ROOM     32 /* a message's id and preamble */

static const struct mr_protocol bench = {.capability = {.name = "bench", .version = 1},
                                         .ids_count = 4};

/* No two messages are one: the log's memory of what was seen is fed with numbers. */
static void name_message(const struct mr_shard *s, struct mr_hash *out)
{
    memset(out, 0, sizeof *out);
    mr_store_be64(out->b, s->log.head);
    mr_store_be64(out->b + 8, s->setup.self);
}

/* Compressed once, whatever the number of peers. */
static void take(struct mr_shard *s, struct mr_peer *p, uint16_t id, struct mr_span payload)
{
    size_t cap = MR_SNAPPY_DEFLATED_MAX(payload.n), n;
    struct mr_txmeta *m;
    struct mr_buf *buf;

    if (id != BENCH_MESSAGE) {
        mr_message_breach(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
        return;
    }
    buf = mr_buf_get(&s->pool, sizeof *m + cap);
    if (!buf ||
        (mr_mesh_shards(s->setup.mesh) > 1 && !mr_mail_room(s->setup.mesh, s->setup.self, 1))) {
        if (buf)
            mr_buf_put(&s->pool, buf);
        mr_peer_end(s, p, MR_CLOSED_RESOURCES, MR_REASON_REQUESTED);
        return;
    }
    m = (struct mr_txmeta *)(void *)buf->data;
    memset(m, 0, sizeof *m);
    if (mr_snappy_fragment(buf->data + sizeof *m, cap, &n, payload) != MR_OK)
        MR_ASSERT(!"the longest form has room");
    name_message(s, &m->hash);
    m->size = m->size_elided = m->item_bytes = (uint32_t)payload.n;
    m->fragment_bytes = (uint32_t)n;
    buf->size = (uint32_t)(sizeof *m + n);
    mr_bitmap_zero(s->sources, s->slots);
    mr_bitmap_set(s->sources, p->slot);
    mr_transactions_publish(s, buf);
    mr_transactions_append(s, buf, s->sources);
}

static void from_shard(struct mr_shard *s, struct mr_buf *buf)
{
    mr_transactions_append(s, buf, NULL);
}

static void put_head(const struct mr_peer *p, struct mr_writer *w, const struct mr_txmeta *m)
{
    struct mr_transport t = {.shared = &p->caps, .snappy = true};

    if (mr_message_put_head(w, &t, p->eth_first + BENCH_MESSAGE, m->item_bytes) != MR_OK)
        MR_ASSERT(!"room was made sure of");
}

/* As the last frame of the slice, and of those that follow. */
static bool build_long(struct mr_shard *s, struct mr_peer *p, struct mr_build *b,
                       struct mr_txlog_entry *e)
{
    const struct mr_txmeta *m = mr_txmeta(e->buf);
    struct mr_long_frame *f = mr_long_frame_new(s);
    struct mr_writer w;

    if (!f)
        return false;
    w = mr_writer(f->head, sizeof f->head);
    put_head(p, &w, m);
    f->used[0] = mr_txlog_use(&s->log, e);
    if (!f->used[0]) {
        mr_long_frame_free(s, f);
        return false;
    }
    f->used_count = 1;
    f->spans[0] = mr_writer_span(&w);
    f->spans[1] = mr_tx_body(e->buf);
    f->frame = (struct mr_frame){
        .spans = f->spans, .spans_count = 2, .size = (uint32_t)w.n + m->fragment_bytes};
    mr_build_long(b, p, f);
    return true;
}

static bool build_one(struct mr_shard *s, struct mr_peer *p, struct mr_build *b,
                      struct mr_txlog_entry *e)
{
    const struct mr_txmeta *m = mr_txmeta(e->buf);
    uint32_t size = HEAD_ROOM + m->fragment_bytes;
    size_t mark = b->literals.n;

    if (MR_FRAME_WIRE_LEN(size) > MR_SLICE_BYTES)
        return !b->closed && b->room >= 1024 && b->frames_count < MR_FRAMES_PER_JOB &&
               build_long(s, p, b, e);
    if (!mr_build_fits(b, 2, size) || b->literals.cap - mark < HEAD_ROOM)
        return false;
    put_head(p, &b->literals, m);
    b->spans[0] = mr_span(b->literals.p + mark, b->literals.n - mark);
    b->spans[1] = mr_tx_body(e->buf);
    mr_build_add(b, 2, (uint32_t)b->spans[0].n + m->fragment_bytes);
    return true;
}

static void build(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
{
    if (p->cursor < s->log.tail) {
        MR_COUNT(s->metrics.log_overrun, s->log.tail - p->cursor);
        p->cursor = s->log.tail;
    }
    for (; p->cursor < s->log.head; p->cursor++) {
        struct mr_txlog_entry *e = mr_txlog_at(&s->log, p->cursor);
        uint64_t *known = mr_txlog_known(&s->log, p->cursor);

        if (!e->buf || mr_bitmap_test(known, p->slot))
            continue;
        if (!build_one(s, p, b, e))
            return;
        mr_bitmap_set(known, p->slot);
        MR_COUNT(s->metrics.bodies_out, 1);
    }
}

const struct mr_shard_policy mr_hub_policy = {
    .protocol = &bench, .take = take, .build = build, .from_shard = from_shard};
