#include "shards/worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"
#include "net/uring/socket.h"

MR_METRICS_DEFINE(mr_worker_metrics, MR_WORKER_METRICS)

#define WAIT_MAX_NS (500 * MR_MS)
#define RETRY_NS    MR_MS /* the kernel had no memory for an operation */
#define NO_SLOT     UINT32_MAX

enum { OP_RECV = 1, OP_SEND, OP_CLOSE, OP_EVENT };
enum phase { EMPTY, OPEN, LINGER, DRAIN };

struct conn {
    int fd;
    uint32_t generation;
    uint8_t phase;
    bool wants;      /* bytes are welcome: to the shard, or to be dropped */
    bool armed;      /* a multishot receive is with the kernel */
    bool cancelling; /* and so is its cancel */
    bool sending;
    bool send_cancelling;
    bool sent;   /* something has left: worth waiting for */
    bool broken; /* a send ended short: what the kernel still holds is worth nothing */
    bool ended;  /* the remote closed, or receiving failed */
    bool dirty;  /* in the list of slots to be settled */
    uint32_t sending_n;
    uint32_t dropped;
    uint64_t linger_until_ns;
    uint32_t next, prev; /* in the list of those that linger: the oldest first */
};

struct mr_worker {
    struct mr_worker_options options;
    struct mr_ring *ring;
    struct mr_shard *shard;
    struct mr_mesh *mesh;
    const struct mr_wake_table *wake;
    unsigned self;
    uint32_t slots;
    uint64_t now_ns;
    uint64_t published_ns;

    struct conn *conns;
    uint32_t open;
    uint32_t *dirty;
    uint32_t dirty_count;
    uint32_t linger_head, linger_tail;
    struct mr_completion *completions;
    unsigned completions_count; /* of this turn */
    struct mr_shard_event *events;
    uint32_t events_count;
    struct mr_shard_event *later; /* events that arose while the shard was in its turn */
    uint32_t later_count;
    uint64_t wakes_owed; /* bit a thread */
    bool starved;        /* an operation found no room: come back soon */

    int event; /* written by threads without a ring */
    uint64_t event_value;
    bool event_armed;

    struct mr_worker_metrics metrics;
    pthread_t thread;
    bool started;
};

static uint64_t name_of(uint8_t op, uint32_t slot, const struct conn *c)
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

static void conn_close(struct mr_worker *w, uint32_t slot, struct conn *c)
{
    if (c->broken)
        mr_socket_abort_on_close(c->fd);
    if (mr_ring_close_file(w->ring, c->fd, name_of(OP_CLOSE, slot, c)) != MR_OK) {
        w->starved = true;
        touch(w, slot);
        return;
    }
    event_later(w, MR_EVENT_CLOSED, slot, 0);
    c->phase = EMPTY;
    w->open--;
    MR_COUNT(w->metrics.worker_closed, 1);
    MR_GAUGE_SET(w->metrics.worker_open, w->open);
}

/* Tells the kernel what changed. What it does not take now is tried again after the next turn. */
static void settle(struct mr_worker *w, uint32_t slot)
{
    struct conn *c = &w->conns[slot];
    bool ok = true;

    if (c->phase == EMPTY)
        return;
    if (c->wants && !c->armed && !c->ended) {
        ok = mr_ring_recv_multishot(w->ring, c->fd, name_of(OP_RECV, slot, c)) == MR_OK;
        c->armed = ok;
    } else if (!c->wants && c->armed && !c->cancelling) {
        ok = mr_ring_cancel(w->ring, name_of(OP_RECV, slot, c)) == MR_OK;
        c->cancelling = ok;
    }
    if (ok && c->phase == DRAIN && c->sending && !c->send_cancelling) {
        ok = mr_ring_cancel(w->ring, name_of(OP_SEND, slot, c)) == MR_OK;
        c->send_cancelling = ok;
    }
    if (!ok) {
        w->starved = true;
        touch(w, slot);
    } else if (c->phase == DRAIN && !c->armed && !c->sending) {
        conn_close(w, slot, c);
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
                                      mr_op_pack(OP_EVENT, 0, 0)) == MR_OK;
    w->starved |= !w->event_armed;
    for (uint64_t owed = w->wakes_owed; owed != 0; owed &= owed - 1) {
        unsigned thread = (unsigned)__builtin_ctzll(owed);

        if (mr_wake_from_ring(w->wake, w->ring, thread))
            w->wakes_owed &= ~(UINT64_C(1) << thread);
    }
}

/* ---- lingering ---- */

static void linger_begin(struct mr_worker *w, uint32_t slot, struct conn *c)
{
    c->phase = LINGER;
    c->wants = true;
    c->linger_until_ns = w->now_ns + w->options.linger_ns;
    c->next = NO_SLOT;
    c->prev = w->linger_tail;
    if (c->prev == NO_SLOT)
        w->linger_head = slot;
    else
        w->conns[c->prev].next = slot;
    w->linger_tail = slot;
    touch(w, slot);
    MR_COUNT(w->metrics.worker_lingered, 1);
}

static void linger_end(struct mr_worker *w, const struct conn *c)
{
    if (c->prev == NO_SLOT)
        w->linger_head = c->next;
    else
        w->conns[c->prev].next = c->next;
    if (c->next == NO_SLOT)
        w->linger_tail = c->prev;
    else
        w->conns[c->next].prev = c->prev;
}

static void drain(struct mr_worker *w, uint32_t slot, struct conn *c)
{
    if (c->phase == LINGER)
        linger_end(w, c);
    c->phase = DRAIN;
    c->wants = false;
    touch(w, slot);
}

static void linger_expire(struct mr_worker *w)
{
    while (w->linger_head != NO_SLOT) {
        struct conn *c = &w->conns[w->linger_head];

        if (w->now_ns < c->linger_until_ns)
            return;
        MR_COUNT(w->metrics.worker_linger_late, 1);
        drain(w, w->linger_head, c);
    }
}

/* ---- the port: what the shard asks for in its turn ---- */

static struct conn *conn_of(struct mr_worker *w, uint32_t slot, uint32_t generation)
{
    struct conn *c = &w->conns[slot];

    MR_ASSERT(slot < w->slots);
    MR_ASSERT(c->phase == OPEN);
    MR_ASSERT(c->generation == generation);
    return c;
}

static void port_adopt(void *ctx, uint32_t slot, uint32_t generation, int fd)
{
    struct mr_worker *w = ctx;
    struct conn *c = &w->conns[slot];
    bool dirty = c->dirty;

    MR_ASSERT(slot < w->slots);
    MR_ASSERT(c->phase == EMPTY);
    MR_ASSERT(c->generation != generation || generation == 0);
    *c = (struct conn){
        .fd = fd, .generation = generation, .phase = OPEN, .wants = true, .dirty = dirty};
    w->open++;
    MR_GAUGE_SET(w->metrics.worker_open, w->open);
    touch(w, slot);
}

static void port_send(void *ctx, uint32_t slot, uint32_t generation, const uint8_t *p, size_t n)
{
    struct mr_worker *w = ctx;
    struct conn *c = conn_of(w, slot, generation);

    MR_ASSERT(!c->sending);
    if (mr_ring_send(w->ring, c->fd, p, n, name_of(OP_SEND, slot, c)) != MR_OK) {
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
    struct conn *c = conn_of(w, slot, generation);

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
static void on_end(struct mr_worker *w, struct conn *c, const struct mr_completion *done)
{
    c->ended = true;
    c->wants = false;
    if (c->phase == OPEN)
        event_now(w, MR_EVENT_ENDED, done, 0, NULL);
    else if (c->phase == LINGER)
        drain(w, done->slot, c);
}

static void on_bytes(struct mr_worker *w, struct conn *c, const struct mr_completion *done)
{
    if (c->phase == OPEN) {
        event_now(w, MR_EVENT_RECEIVED, done, (uint32_t)done->res,
                  mr_ring_buffer(w->ring, done->bid));
        return;
    }
    MR_COUNT(w->metrics.worker_dropped_bytes, done->res);
    c->dropped += (uint32_t)done->res;
    if (c->phase == LINGER && c->dropped > w->options.linger_bytes)
        drain(w, done->slot, c);
}

static void on_recv(struct mr_worker *w, struct conn *c, const struct mr_completion *done)
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

static void on_send(struct mr_worker *w, struct conn *c, const struct mr_completion *done)
{
    c->sending = c->send_cancelling = false;
    c->sent = true;
    if (done->res < 0 || (uint32_t)done->res != c->sending_n)
        c->broken = true;
    event_now(w, MR_EVENT_SENT, done, 0, NULL);
    if (c->phase == DRAIN)
        touch(w, done->slot);
}

static void take(struct mr_worker *w, const struct mr_completion *done)
{
    struct conn *c;

    if (done->op == MR_WAKE_OP || done->op == OP_EVENT) {
        MR_COUNT(w->metrics.worker_wakes_in, 1);
        w->event_armed &= done->op != OP_EVENT;
        return;
    }
    if (done->op == OP_CLOSE) {
        MR_LOG_WARN("close failed", mr_log_text("error", strerror(-done->res)));
        return;
    }
    MR_ASSERT(done->slot < w->slots);
    c = &w->conns[done->slot];
    if (c->phase == EMPTY || mr_completion_is_stale(done, c->generation)) {
        /* cannot be, as a slot waits for all that is in flight; its buffer goes back all the same
         */
        MR_COUNT(w->metrics.worker_stale, 1);
    } else if (done->op == OP_RECV) {
        on_recv(w, c, done);
    } else {
        MR_ASSERT(done->op == OP_SEND);
        on_send(w, c, done);
    }
}

static void gather_events(struct mr_worker *w)
{
    memcpy(w->events, w->later, w->later_count * sizeof *w->later);
    w->events_count = w->later_count;
    w->later_count = 0;
    w->completions_count =
        mr_ring_completions(w->ring, w->completions, w->options.completions_per_turn);
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

/* ---- the loop ---- */

/* How long to wait: not at all while there is work, else until the next of all deadlines. */
static uint64_t wait_ns(const struct mr_worker *w, uint64_t next_turn_ns, uint64_t now_ns)
{
    uint64_t at = MR_MIN(next_turn_ns, now_ns + WAIT_MAX_NS);

    if (w->options.busy_poll || w->later_count > 0 ||
        w->completions_count == w->options.completions_per_turn)
        return 0;
    if (w->starved || w->wakes_owed)
        at = MR_MIN(at, now_ns + RETRY_NS);
    if (w->linger_head != NO_SLOT)
        at = MR_MIN(at, w->conns[w->linger_head].linger_until_ns);
    return at > now_ns ? at - now_ns : 0;
}

/* The ring lost completions, or the kernel refuses to serve it: nothing can be trusted to end. */
MR_COLD static void ring_failed(void)
{
    MR_LOG_ERROR("the ring of a shard failed", mr_log_text("error", strerror(errno)));
    MR_ASSERT(!"io_uring failed: see the line above");
}

static void wait_for_work(struct mr_worker *w, uint64_t next_turn_ns)
{
    uint64_t now_ns = mr_clock_now().mono_ns;
    uint64_t ns = wait_ns(w, next_turn_ns, now_ns);
    bool asleep = ns > 0 && mr_mail_sleep(w->mesh, w->self);

    MR_COUNT(w->metrics.worker_busy_ns, now_ns - w->now_ns);
    if (asleep)
        MR_COUNT(w->metrics.worker_sleeps, 1);
    if (mr_ring_wait(w->ring, asleep ? ns : 0, 1) != MR_OK)
        ring_failed();
    if (asleep)
        mr_mail_awake(w->mesh, w->self);
}

/* Ten times a second suffices. */
static void publish_ring(struct mr_worker *w)
{
    struct mr_ring_stats s;

    if (w->now_ns < w->published_ns + WAIT_MAX_NS / 5)
        return;
    w->published_ns = w->now_ns;
    mr_ring_stats(&s, w->ring);
    MR_GAUGE_SET(w->metrics.ring_submits, s.submits);
    MR_GAUGE_SET(w->metrics.ring_sq_full, s.sq_full);
    MR_GAUGE_SET(w->metrics.ring_cq_overflow, s.cq_overflow);
    MR_GAUGE_SET(w->metrics.ring_busy, s.busy);
    MR_GAUGE_SET(w->metrics.ring_unheard, s.unheard_failures);
    MR_GAUGE_SET(w->metrics.ring_buffers_out, s.buffers_out);
}

static void pin(const struct mr_worker *w)
{
    char name[16];
    cpu_set_t set;

    snprintf(name, sizeof name, "mr-shard-%u", w->self);
    pthread_setname_np(pthread_self(), name);
    if (w->options.cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET(w->options.cpu, &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0)
        MR_LOG_WARN("a shard could not be pinned", mr_log_i64("cpu", w->options.cpu));
}

static void *run(void *arg)
{
    struct mr_worker *w = arg;
    uint64_t next_turn_ns = 0;

    pin(w);
    if (mr_ring_enable(w->ring) != MR_OK)
        ring_failed();
    w->now_ns = mr_clock_now().mono_ns;
    while (!mr_shard_stopped(w->shard)) {
        struct mr_time now;
        uint64_t took_ns;

        wait_for_work(w, next_turn_ns);
        now = mr_clock_now();
        w->now_ns = now.mono_ns;
        gather_events(w);
        next_turn_ns = mr_shard_turn(w->shard, now, w->events, w->events_count);
        linger_expire(w);
        return_buffers(w);
        settle_all(w);
        publish_ring(w);
        took_ns = mr_clock_now().mono_ns - now.mono_ns;
        MR_PEAK(w->metrics.worker_turn_max_ns, took_ns);
        MR_COUNT(w->metrics.worker_loops, 1);
    }
    MR_ASSERT(w->open == 0);
    mr_ring_retire(w->ring);
    return NULL;
}

/* ---- making and ending one ---- */

static unsigned power_of_two_from(uint64_t n)
{
    unsigned p = 1;

    while (p < n)
        p *= 2;
    return p;
}

void mr_worker_options_default(struct mr_worker_options *o, uint32_t slots)
{
    *o = (struct mr_worker_options){
        /* completions: a send and some receives of every peer, before the kernel keeps them in a
         * list of its own; buffers: 8 MiB, or what 64 KiB a peer are if that is less */
        .ring = {.entries = 1024,
                 .completions = MR_MIN(power_of_two_from(4 * (uint64_t)slots + 1024), 65536u),
                 .buffers = MR_MIN(power_of_two_from(8 * (uint64_t)slots), 1024u),
                 .buffer_bytes = 8192},
        .completions_per_turn = 4096,
        .linger_ns = 500 * MR_MS,
        .linger_bytes = 4u << 20,
        .cpu = -1,
    };
}

static bool arrays_new(struct mr_worker *w)
{
    size_t slots = w->slots;

    return (w->conns = calloc(slots, sizeof *w->conns)) &&
           (w->dirty = calloc(slots, sizeof *w->dirty)) &&
           (w->later = calloc(2 * slots, sizeof *w->later)) &&
           (w->completions = calloc(w->options.completions_per_turn, sizeof *w->completions)) &&
           (w->events = calloc(2 * slots + w->options.completions_per_turn, sizeof *w->events));
}

struct mr_worker *mr_worker_new(const struct mr_shard_setup *setup,
                                const struct mr_worker_options *options,
                                const struct mr_wake_table *wake, char *why, size_t why_cap)
{
    struct mr_shard_setup with_port = *setup;
    struct mr_worker *w = calloc(1, sizeof *w);

    if (!w) {
        snprintf(why, why_cap, "no memory for a shard's thread");
        return NULL;
    }
    w->options = *options;
    w->mesh = setup->mesh;
    w->wake = wake;
    w->self = setup->self;
    w->slots = mr_relay_slots(setup->options);
    w->linger_head = w->linger_tail = NO_SLOT;
    w->event = mr_event_open();
    with_port.port = (struct mr_shard_port){.ctx = w,
                                            .adopt = port_adopt,
                                            .send = port_send,
                                            .pause = port_pause,
                                            .resume = port_resume,
                                            .close = port_close,
                                            .submit = port_submit,
                                            .wake = port_wake};
    if (!arrays_new(w) || w->event < 0)
        snprintf(why, why_cap, "no memory for a shard's thread: %s", strerror(errno));
    else if ((w->ring = mr_ring_open(&options->ring, why, why_cap)))
        w->shard = mr_shard_new(&with_port, why, why_cap);
    if (!w->shard) {
        mr_worker_free(w);
        return NULL;
    }
    return w;
}

bool mr_worker_start(struct mr_worker *w)
{
    sigset_t all, before;
    int rc;

    MR_ASSERT(!w->started);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    rc = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = rc;
    w->started = rc == 0;
    return w->started;
}

void mr_worker_join(struct mr_worker *w)
{
    if (!w->started)
        return;
    pthread_join(w->thread, NULL);
    w->started = false;
}

void mr_worker_let_go(struct mr_worker *w)
{
    MR_ASSERT(!w->started);
    mr_shard_let_go(w->shard);
}

void mr_worker_free(struct mr_worker *w)
{
    if (!w)
        return;
    MR_ASSERT(!w->started);
    mr_shard_free(w->shard);
    mr_ring_close(w->ring);
    if (w->event >= 0)
        close(w->event);
    free(w->conns);
    free(w->dirty);
    free(w->later);
    free(w->completions);
    free(w->events);
    free(w);
}

struct mr_wake_target mr_worker_wake_target(const struct mr_worker *w)
{
    return (struct mr_wake_target){.ring_fd = mr_ring_fd(w->ring), .event_fd = w->event};
}

const struct mr_shard_metrics *mr_worker_shard_metrics(const struct mr_worker *w)
{
    return mr_shard_metrics(w->shard);
}

const struct mr_worker_metrics *mr_worker_metrics(const struct mr_worker *w)
{
    return &w->metrics;
}

const uint64_t *mr_worker_verdicts(const struct mr_worker *w)
{
    return mr_shard_verdicts(w->shard);
}

void mr_worker_ring_stats(struct mr_ring_stats *out, const struct mr_worker *w)
{
    mr_ring_stats(out, w->ring);
}
