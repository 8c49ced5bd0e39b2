/* worker_connections.c: the slots of a worker: what the shard asks for through its port, against
 * what the kernel was told and what it answers. */
#include <errno.h>

#include "core/log.h"
#include "net/uring/socket.h"
#include "shards/worker_state.h"

static uint64_t name_of(uint8_t op, uint32_t slot, const struct mr_conn *c)
{
    return mr_op_pack(op, slot, c->generation);
}

static void touch(struct mr_worker *w, uint32_t slot)
{
    if (w->conns[slot].dirty)
        return;
    w->conns[slot].dirty = true;
    w->dirty[w->dirty_count++] = slot;
}

/* An event that the shard gets at the beginning of its next turn. At most two a slot wait at once:
 * a send refused, and the end. */
static void event_later(struct mr_worker *w, enum mr_shard_event_kind kind, uint32_t slot,
                        int32_t result)
{
    MR_ASSERT(w->later_count < 2 * w->slots);
    w->later[w->later_count++] = (struct mr_shard_event){
        .kind = kind, .slot = slot, .generation = w->conns[slot].generation, .result = result};
}

/* ---- what a connection is to be, against what the kernel was told ---- */

/* A registered descriptor saves the kernel a look-up an operation. Where the table is too small for
 * the slot, or the kernel refuses, it does without. */
static int file_register(struct mr_worker *w, uint32_t slot, int fd)
{
    if (slot < w->options.ring.files && mr_ring_file_set(w->ring, slot, fd) == MR_OK)
        return mr_file(slot);
    MR_COUNT(w->metrics.worker_plain_files, 1);
    return fd;
}

/* Nothing is in flight: with its descriptor closed too, the connection is gone. */
static void file_forget(struct mr_worker *w, uint32_t slot, struct mr_conn *c)
{
    if (c->file != c->fd && mr_ring_file_clear(w->ring, slot) != MR_OK)
        MR_LOG_WARN("a descriptor stays registered", mr_log_text("error", strerror(errno)));
    c->file = c->fd;
}

static void conn_close(struct mr_worker *w, uint32_t slot, struct mr_conn *c)
{
    if (c->broken)
        mr_socket_abort_on_close(c->fd);
    file_forget(w, slot, c);
    if (mr_ring_close_file(w->ring, c->fd, name_of(MR_WORKER_CLOSE, slot, c)) != MR_OK) {
        w->starved = true;
        touch(w, slot);
        return;
    }
    event_later(w, MR_EVENT_CLOSED, slot, 0);
    c->phase = MR_CONN_EMPTY;
    w->open--;
    MR_COUNT(w->metrics.worker_closed, 1);
    MR_GAUGE_SET(w->metrics.worker_open, w->open);
}

/* Tells the kernel what changed. What it does not take now is tried again after the next turn. */
static void settle(struct mr_worker *w, uint32_t slot)
{
    struct mr_conn *c = &w->conns[slot];
    bool ok = true;

    if (c->phase == MR_CONN_EMPTY)
        return;
    if (c->wants && !c->armed && !c->ended) {
        ok = mr_ring_recv_multishot(w->ring, c->file, name_of(MR_WORKER_RECV, slot, c)) == MR_OK;
        c->armed = ok;
    } else if (!c->wants && c->armed && !c->cancelling) {
        ok = mr_ring_cancel(w->ring, name_of(MR_WORKER_RECV, slot, c)) == MR_OK;
        c->cancelling = ok;
    }
    if (ok && c->phase == MR_CONN_DRAIN && c->sending && !c->send_cancelling) {
        ok = mr_ring_cancel(w->ring, name_of(MR_WORKER_SEND, slot, c)) == MR_OK;
        c->send_cancelling = ok;
    }
    if (!ok) {
        w->starved = true;
        touch(w, slot);
    } else if (c->phase == MR_CONN_DRAIN && !c->armed && !c->sending) {
        conn_close(w, slot, c);
    }
}

void mr_worker_wake_owed(struct mr_worker *w)
{
    for (uint64_t owed = w->wakes_owed; owed != 0; owed &= owed - 1) {
        unsigned thread = (unsigned)__builtin_ctzll(owed);

        if (mr_wake_from_ring(w->wake, w->ring, thread))
            w->wakes_owed &= ~(UINT64_C(1) << thread);
    }
}

static void settle_all(struct mr_worker *w)
{
    uint32_t n = w->dirty_count;

    w->starved = false;
    w->dirty_count = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = w->dirty[i];

        /* what is touched meanwhile is written behind dirty_count, which stays at or before i */
        w->conns[slot].dirty = false;
        settle(w, slot);
    }
    if (!w->event_armed)
        w->event_armed = mr_ring_read(w->ring, w->event, &w->event_value, sizeof w->event_value,
                                      mr_op_pack(MR_WORKER_EVENT, 0, 0)) == MR_OK;
    w->starved |= !w->event_armed;
    mr_worker_wake_owed(w);
}

/* ---- lingering ---- */

static void linger_begin(struct mr_worker *w, uint32_t slot, struct mr_conn *c)
{
    c->phase = MR_CONN_LINGER;
    c->wants = true;
    c->linger_until_ns = w->now_ns + w->options.linger_ns;
    c->next = MR_NO_SLOT;
    c->prev = w->linger_tail;
    if (c->prev == MR_NO_SLOT)
        w->linger_head = slot;
    else
        w->conns[c->prev].next = slot;
    w->linger_tail = slot;
    touch(w, slot);
    MR_COUNT(w->metrics.worker_lingered, 1);
}

static void linger_end(struct mr_worker *w, const struct mr_conn *c)
{
    if (c->prev == MR_NO_SLOT)
        w->linger_head = c->next;
    else
        w->conns[c->prev].next = c->next;
    if (c->next == MR_NO_SLOT)
        w->linger_tail = c->prev;
    else
        w->conns[c->next].prev = c->prev;
}

static void drain(struct mr_worker *w, uint32_t slot, struct mr_conn *c)
{
    if (c->phase == MR_CONN_LINGER)
        linger_end(w, c);
    c->phase = MR_CONN_DRAIN;
    c->wants = false;
    touch(w, slot);
}

static void linger_expire(struct mr_worker *w)
{
    while (w->linger_head != MR_NO_SLOT) {
        struct mr_conn *c = &w->conns[w->linger_head];

        if (w->now_ns < c->linger_until_ns)
            return;
        MR_COUNT(w->metrics.worker_linger_late, 1);
        drain(w, w->linger_head, c);
    }
}

/* ---- the port: what the shard asks for in its turn ---- */

static struct mr_conn *conn_of(struct mr_worker *w, uint32_t slot, uint32_t generation)
{
    struct mr_conn *c = &w->conns[slot];

    MR_ASSERT(slot < w->slots);
    MR_ASSERT(c->phase == MR_CONN_OPEN);
    MR_ASSERT(c->generation == generation);
    return c;
}

static void port_adopt(void *ctx, uint32_t slot, uint32_t generation, int fd)
{
    struct mr_worker *w = ctx;
    struct mr_conn *c = &w->conns[slot];
    bool dirty = c->dirty;

    MR_ASSERT(slot < w->slots);
    MR_ASSERT(c->phase == MR_CONN_EMPTY);
    MR_ASSERT(c->generation != generation || generation == 0);
    *c = (struct mr_conn){.fd = fd,
                          .file = file_register(w, slot, fd),
                          .generation = generation,
                          .phase = MR_CONN_OPEN,
                          .wants = true,
                          .dirty = dirty};
    w->open++;
    MR_GAUGE_SET(w->metrics.worker_open, w->open);
    touch(w, slot);
}

static void port_send(void *ctx, uint32_t slot, uint32_t generation, const uint8_t *p, size_t n)
{
    struct mr_worker *w = ctx;
    struct mr_conn *c = conn_of(w, slot, generation);

    MR_ASSERT(!c->sending);
    if (mr_ring_send(w->ring, c->file, p, n, name_of(MR_WORKER_SEND, slot, c)) != MR_OK) {
        MR_COUNT(w->metrics.worker_sends_refused, 1);
        c->broken = true;
        event_later(w, MR_EVENT_SENT, slot, -ENOMEM);
        return;
    }
    c->sending = true;
    c->sending_n = (uint32_t)n;
}

static void port_pause(void *ctx, uint32_t slot, uint32_t generation)
{
    struct mr_worker *w = ctx;

    conn_of(w, slot, generation)->wants = false;
    touch(w, slot);
}

static void port_resume(void *ctx, uint32_t slot, uint32_t generation)
{
    struct mr_worker *w = ctx;

    conn_of(w, slot, generation)->wants = true;
    touch(w, slot);
}

static void port_close(void *ctx, uint32_t slot, uint32_t generation)
{
    struct mr_worker *w = ctx;
    struct mr_conn *c = conn_of(w, slot, generation);

    if (c->sending)
        c->broken = true; /* the rest of the stream makes no sense to anybody */
    if (c->sent && !c->broken && !c->ended && w->options.linger_ns > 0 && mr_socket_finish(c->fd))
        linger_begin(w, slot, c);
    else
        drain(w, slot, c);
}

static void port_submit(void *ctx)
{
    struct mr_worker *w = ctx;

    mr_ring_submit(w->ring);
}

static void port_wake(void *ctx, unsigned thread)
{
    struct mr_worker *w = ctx;

    if (!mr_wake_from_ring(w->wake, w->ring, thread))
        w->wakes_owed |= UINT64_C(1) << thread;
}

/* ---- completions to events ---- */

static void event_now(struct mr_worker *w, enum mr_shard_event_kind kind,
                      const struct mr_completion *c, uint32_t n, uint8_t *data)
{
    w->events[w->events_count++] = (struct mr_shard_event){.kind = kind,
                                                           .slot = c->slot,
                                                           .generation = c->generation,
                                                           .result = c->res,
                                                           .n = n,
                                                           .data = data};
}

/* The stream is over, whatever the reason. */
static void on_end(struct mr_worker *w, struct mr_conn *c, const struct mr_completion *done)
{
    c->ended = true;
    c->wants = false;
    if (c->phase == MR_CONN_OPEN)
        event_now(w, MR_EVENT_ENDED, done, 0, NULL);
    else if (c->phase == MR_CONN_LINGER)
        drain(w, done->slot, c);
}

static void on_bytes(struct mr_worker *w, struct mr_conn *c, const struct mr_completion *done)
{
    w->received_count++;
    if (c->phase == MR_CONN_OPEN) {
        event_now(w, MR_EVENT_RECEIVED, done, (uint32_t)done->res,
                  mr_ring_buffer(w->ring, done->bid));
        return;
    }
    MR_COUNT(w->metrics.worker_dropped_bytes, done->res);
    c->dropped += (uint32_t)done->res;
    if (c->phase == MR_CONN_LINGER && c->dropped > w->options.linger_bytes)
        drain(w, done->slot, c);
}

static void on_recv(struct mr_worker *w, struct mr_conn *c, const struct mr_completion *done)
{
    if (!done->more) {
        c->armed = c->cancelling = false;
        touch(w, done->slot); /* armed again behind this turn, unless it is over */
    }
    if (done->res > 0) {
        if (!done->more)
            MR_COUNT(w->metrics.worker_rearmed, 1);
        on_bytes(w, c, done);
        return;
    }
    switch (-done->res) {
    case ENOBUFS: /* none was free; they are when this turn ends */
        MR_COUNT(w->metrics.worker_no_buffers, 1);
        MR_COUNT(w->metrics.worker_rearmed, 1);
        return;
    case ECANCELED: /* paused, or closing; if resumed meanwhile it is armed again */
    case EINTR:
    case EAGAIN:
        return;
    default: /* 0: the remote closed */
        on_end(w, c, done);
    }
}

static void on_send(struct mr_worker *w, struct mr_conn *c, const struct mr_completion *done)
{
    c->sending = c->send_cancelling = false;
    c->sent = true;
    if (done->res < 0 || (uint32_t)done->res != c->sending_n)
        c->broken = true;
    event_now(w, MR_EVENT_SENT, done, 0, NULL);
    if (c->phase == MR_CONN_DRAIN)
        touch(w, done->slot);
}

static void take(struct mr_worker *w, const struct mr_completion *done)
{
    struct mr_conn *c;

    if (done->op == MR_WAKE_OP || done->op == MR_WORKER_EVENT) {
        MR_COUNT(w->metrics.worker_wakes_in, 1);
        w->event_armed &= done->op != MR_WORKER_EVENT;
        return;
    }
    if (done->op == MR_WORKER_CLOSE) {
        MR_LOG_WARN("close failed", mr_log_text("error", strerror(-done->res)));
        return;
    }
    MR_ASSERT(done->slot < w->slots);
    c = &w->conns[done->slot];
    if (c->phase == MR_CONN_EMPTY || mr_completion_is_stale(done, c->generation)) {
        /* cannot be, as a slot waits for all that is in flight; its buffer goes back all the same
         */
        MR_COUNT(w->metrics.worker_stale, 1);
    } else if (done->op == MR_WORKER_RECV) {
        on_recv(w, c, done);
    } else {
        MR_ASSERT(done->op == MR_WORKER_SEND);
        on_send(w, c, done);
    }
}

void mr_worker_gather(struct mr_worker *w)
{
    memcpy(w->events, w->later, w->later_count * sizeof *w->later);
    w->events_count = w->later_count;
    w->later_count = 0;
    w->received_count = 0;
    w->completions_count =
        mr_ring_completions(w->ring, w->completions, w->options.completions_per_turn);
    if (w->completions_count > 0)
        w->worked_ns = w->now_ns;
    MR_COUNT(w->metrics.worker_completions, w->completions_count);
    for (unsigned i = 0; i < w->completions_count; i++)
        take(w, &w->completions[i]);
}

static void return_buffers(struct mr_worker *w)
{
    for (unsigned i = 0; i < w->completions_count; i++)
        if (w->completions[i].bid != MR_NO_BUFFER)
            mr_ring_buffer_return(w->ring, w->completions[i].bid);
}

void mr_worker_settle(struct mr_worker *w)
{
    linger_expire(w);
    return_buffers(w);
    settle_all(w);
}

struct mr_shard_port mr_worker_port(struct mr_worker *w)
{
    return (struct mr_shard_port){.ctx = w,
                                  .adopt = port_adopt,
                                  .send = port_send,
                                  .pause = port_pause,
                                  .resume = port_resume,
                                  .close = port_close,
                                  .submit = port_submit,
                                  .wake = port_wake};
}
