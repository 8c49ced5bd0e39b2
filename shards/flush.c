/* flush.c: the relay's way out: peers that have work and room, what each gets in this turn, sealed
 * many peers side by side, and sent with one operation a peer and turn. What the frames of a peer
 * hold is made in flush_build.c and flush_log.c. */
#include <math.h>

#include "shards/shard_state.h"

#define WINDOW_BYTES     (512u << 10) /* sealed before a submit: 8 large slices, or many small */
#define CROWDED_WRITE_NS (5 * MR_SECOND)

/* ---- the list of peers that are ready ---- */

static bool has_work(const struct mr_shard *s, const struct mr_peer *p)
{
    if (p->control_count || p->long_frame)
        return true;
    if (p->state != MR_PEER_ACTIVE)
        return false;
    return p->want_request || p->want_header_request || p->want_range || p->pending_count ||
           p->cursor < s->log.head || mr_flush_has_blobs(s, p);
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

/* ---- one peer, one window ---- */

static void build_peer(struct mr_shard *s, struct mr_peer *p, struct mr_build *b)
{
    if (p->long_frame) {
        b->frames[b->frames_count++] = p->long_frame->frame;
        b->closed = true; /* what fits behind it goes with the next slice */
        return;
    }
    mr_build_control(s, p, b);
    if (p->state != MR_PEER_ACTIVE)
        return;
    if (s->setup.policy) {
        s->setup.policy->build(s, p, b);
        return;
    }
    if (p->want_request)
        mr_build_fetch(s, p, b);
    if (p->want_header_request || p->want_range)
        mr_build_head(s, p, b);
    if (p->bulk_first)
        while (mr_answer_build(s, p, b))
            ;
    mr_build_log(s, p, b);
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
    if (s->ready_head == MR_NO_SLOT)
        return false;
    if (s->sending_bytes >= s->o->send_bytes) { /* goes on when a send ends */
        MR_COUNT(s->metrics.send_bytes_full, 1);
        return false;
    }
    MR_COUNT(s->metrics.turns_cut, 1);
    return true;
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
