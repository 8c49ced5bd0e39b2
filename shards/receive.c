/* receive.c: bytes of many peers to frames, in rounds: each round unseals one step of every peer
 * that has input, side by side, then handles the frames that came out. What does not make a frame
 * waits in the peer's gather block. */
#include "shards/shard_state.h"

#define GATHER_SMALL 65536u /* larger gather blocks draw on the bounded pool */

bool mr_receive_blocked(const struct mr_peer *p)
{
    return p->state == MR_PEER_HELD || p->parked || p->resume_ns ||
           p->pending_count == MR_PENDING_REQUESTS;
}

void mr_receive_block(struct mr_shard *s, struct mr_peer *p)
{
    if (p->resume_ns) /* also when it is paused already, by something that may end sooner */
        mr_peer_arm(s, p);
    if (p->paused)
        return;
    p->paused = true;
    MR_COUNT(s->metrics.receive_paused, 1);
    s->setup.port.pause(s->setup.port.ctx, p->slot, p->generation);
}

static void rx_push(struct mr_shard *s, struct mr_peer *p)
{
    if (!p->in_queued && p->in_n > 0) {
        p->in_queued = true;
        s->rx[s->rx_count++] = p->slot;
    }
}

void mr_receive_unblock(struct mr_shard *s, struct mr_peer *p)
{
    if (!p->paused || !mr_peer_is_open(p) || mr_receive_blocked(p))
        return;
    p->paused = false;
    mr_keepalive_heard(&p->keepalive, mr_shard_ms(s));
    if (p->frame_begun_ns)
        p->frame_begun_ns = s->now_ns; /* we were the ones who did not read */
    s->setup.port.resume(s->setup.port.ctx, p->slot, p->generation);
    rx_push(s, p);
}

static bool in_gather(const struct mr_peer *p)
{
    return p->gather && p->in >= p->gather->data && p->in <= p->gather->data + p->gather->capacity;
}

static void gather_drop(struct mr_shard *s, struct mr_peer *p)
{
    if (!p->gather)
        return;
    if (p->gather->capacity > GATHER_SMALL)
        s->gather_bytes -= p->gather->capacity;
    mr_buf_put(&s->pool, p->gather);
    p->gather = NULL;
}

void mr_receive_forget(struct mr_shard *s, struct mr_peer *p)
{
    gather_drop(s, p);
    p->in = NULL;
    p->in_n = 0;
    if (p->parked) {
        mr_buf_put(&s->pool, p->parked);
        p->parked = NULL;
        mr_bitmap_clear(s->parked, p->slot);
    }
}

/* The pool for large frames is empty: the peer whose large frame began first makes room. */
static bool gather_make_room(struct mr_shard *s, const struct mr_peer *keep, uint64_t bytes)
{
    while (s->gather_bytes + bytes > s->o->gather_bytes) {
        struct mr_peer *oldest = NULL;

        for (uint32_t i = 0; i < s->slots; i++) {
            struct mr_peer *q = &s->peers[i];

            if (mr_peer_is_open(q) && q != keep && q->gather &&
                q->gather->capacity > GATHER_SMALL &&
                (!oldest || q->frame_begun_ns < oldest->frame_begun_ns))
                oldest = q;
        }
        if (!oldest)
            return false;
        MR_COUNT(s->metrics.gather_full, 1);
        mr_peer_end(s, oldest, MR_CLOSED_RESOURCES, MR_REASON_REQUESTED);
    }
    return true;
}

/* Bytes that the frame at p->in will have in all, as far as known. */
static uint32_t frame_total(const struct mr_peer *p)
{
    if (p->session.ingress.stage == MR_RLPX_BODY)
        return MR_FRAME_PADDED(p->session.ingress.size) + MR_FRAME_MAC_LEN;
    return MR_FRAME_HEADER_LEN;
}

/* Makes the gather block hold p->in[in_n] and extra more bytes. Blocks grow as bytes arrive, never
 * by what a header claims (F-01). False: no memory, the peer was ended. */
static bool gather_grow(struct mr_shard *s, struct mr_peer *p, uint32_t extra)
{
    uint64_t need = (uint64_t)p->in_n + extra;
    uint64_t want = MR_MAX(need, MR_MIN((uint64_t)frame_total(p), MR_MAX(2 * need, 2048u)));
    struct mr_buf *b;

    if (in_gather(p)) /* a fast peer brings hundreds of pieces a turn: not a copy of all for each */
        want = MR_MAX(
            want, MR_MIN(need + need / 2, need <= GATHER_SMALL ? GATHER_SMALL : MR_BUF_SIZE_MAX));
#ifdef MR_SABOTAGE_F_01
    want = MR_MAX(need, (uint64_t)frame_total(p));
#endif
    if (in_gather(p) && (size_t)(p->in - p->gather->data) + need <= p->gather->capacity)
        return true;
    if (in_gather(p) && need <= p->gather->capacity) {
        memmove(p->gather->data, p->in, p->in_n);
        p->in = p->gather->data;
        return true;
    }
    if (want > GATHER_SMALL && !gather_make_room(s, p, want)) {
        MR_COUNT(s->metrics.gather_full, 1);
        mr_peer_end(s, p, MR_CLOSED_RESOURCES, MR_REASON_REQUESTED);
        return false;
    }
    b = want <= MR_BUF_SIZE_MAX ? mr_buf_get(&s->pool, want) : NULL;
    if (!b) {
        MR_COUNT(s->metrics.gather_full, 1);
        mr_peer_end(s, p, MR_CLOSED_RESOURCES, MR_REASON_REQUESTED);
        return false;
    }
    if (p->in_n > 0)
        memcpy(b->data, p->in, p->in_n);
    gather_drop(s, p);
    if (b->capacity > GATHER_SMALL)
        s->gather_bytes += b->capacity;
    p->gather = b;
    p->in = b->data;
    return true;
}

/* What is left of this turn's input moves out of the event's memory. */
static void keep_rest(struct mr_shard *s, struct mr_peer *p)
{
    if (p->in_n == 0) {
        gather_drop(s, p);
        p->in = NULL;
        return;
    }
    if (!in_gather(p))
        gather_grow(s, p, 0);
}

/* Over a bucket: it is not read, nor what it sent already, until that has filled. */
static void look_at_buckets(const struct mr_shard *s, struct mr_peer *p)
{
    uint64_t ready = mr_admit_ready_at(s->admit, p->slot);

    if (ready > s->now_ns)
        p->resume_ns = ready;
}

void mr_receive_data(struct mr_shard *s, struct mr_peer *p, uint8_t *data, uint32_t n)
{
    MR_COUNT(s->metrics.bytes_in, n);
    if (!mr_peer_is_open(p) || n == 0)
        return;
    mr_keepalive_heard(&p->keepalive, mr_shard_ms(s));
    if (p->state == MR_PEER_ACTIVE) {
        mr_admit_charge(s->admit, p->slot, n, s->now_ns);
        look_at_buckets(s, p);
    }
    if (p->in_n == 0) {
        MR_VERIFY_THAT(!p->in_queued);
        p->in = data;
        p->in_n = n;
    } else {
        if (!gather_grow(s, p, n))
            return;
        memcpy(p->in + p->in_n, data, n);
        p->in_n += n;
    }
    if (mr_receive_blocked(p)) {
        mr_receive_block(s, p);
        if (!p->in_queued)
            keep_rest(s, p);
    } else {
        rx_push(s, p);
    }
}

/* One step's result for one peer. True: look at it again in the next round. */
static bool step_done(struct mr_shard *s, struct mr_peer *p, const struct mr_unseal_job *job)
{
    p->in += job->consumed;
    p->in_n -= (uint32_t)job->consumed;
    switch (job->result) {
    case MR_UNSEAL_NEED:
        if (!p->frame_begun_ns && (p->in_n > 0 || p->session.ingress.stage == MR_RLPX_BODY)) {
            p->frame_begun_ns = s->now_ns;
            mr_peer_arm(s, p);
        }
        return false;
    case MR_UNSEAL_HEADER: /* the step went on by itself unless the frame is over the bound */
        MR_COUNT(s->metrics.frame_too_big, 1);
        mr_peer_end(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
        return false;
    case MR_UNSEAL_AUTH:
        MR_COUNT(s->metrics.frame_mac_bad, 1);
        mr_peer_end(s, p, MR_CLOSED_MAC, MR_SILENTLY);
        return false;
    case MR_UNSEAL_MALFORMED:
        MR_COUNT(s->metrics.frame_malformed, 1);
        mr_peer_end(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
        return false;
    case MR_UNSEAL_FRAME:
        MR_COUNT(s->metrics.frames_in, 1);
        p->frame_begun_ns = 0;
        mr_message_take(s, p, mr_span(job->payload, job->size));
        if (!mr_peer_is_open(p))
            return false;
        if (p->state == MR_PEER_ACTIVE)
            look_at_buckets(s, p);
        if (mr_receive_blocked(p)) {
            mr_receive_block(s, p);
            return false;
        }
        return p->in_n > 0;
    }
    return false;
}

void mr_receive_rounds(struct mr_shard *s)
{
    struct mr_transport t = {.snappy = true};

    while (s->rx_count > 0) {
        uint32_t jobs = 0, again = 0;

        for (uint32_t i = 0; i < s->rx_count; i++) {
            struct mr_peer *p = mr_shard_peer(s, s->rx[i]);

            p->in_queued = false;
            if (!mr_peer_is_open(p) || p->in_n == 0)
                continue;
            t.shared = &p->caps;
            s->unseal_slots[jobs] = p->slot;
            s->unseal_jobs[jobs++] = (struct mr_unseal_job){.session = &p->session,
                                                            .in = p->in,
                                                            .in_len = p->in_n,
                                                            .size_max = mr_transport_frame_max(&t)};
        }
        s->rx_count = 0;
        mr_rlpx_unseal(s->unseal_jobs, jobs, &s->keccak);
        for (uint32_t i = 0; i < jobs; i++) {
            struct mr_peer *p = mr_shard_peer(s, s->unseal_slots[i]);

            /* handling another peer's frame may have ended this one */
            if (!mr_peer_is_open(p))
                continue;
            if (step_done(s, p, &s->unseal_jobs[i]) && !p->in_queued)
                s->rx_next[again++] = p->slot, p->in_queued = true;
            else if (mr_peer_is_open(p) && !p->in_queued)
                keep_rest(s, p);
        }
        /* peers unblocked meanwhile were pushed to rx */
        for (uint32_t i = 0; i < again; i++)
            s->rx[s->rx_count++] = s->rx_next[i];
    }
}
