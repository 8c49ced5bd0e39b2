/* flush_build.c: the frames that one peer gets in a turn, as lists of spans: what all lanes are
 * built with, and the lanes before the log: control, and our requests. */
#include "shards/shard_state.h"

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

void mr_build_control(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
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

void mr_build_fetch(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
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

void mr_build_head(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
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
