#include "shards/worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"
#include "net/uring/socket.h"
#include "shards/worker_state.h"

MR_METRICS_DEFINE(mr_worker_metrics, MR_WORKER_METRICS)

#define WAIT_MAX_NS (500 * MR_MS)
#define RETRY_NS    MR_MS /* the kernel had no memory for an operation */
#define LAST_WAKES  1000  /* tries to wake the dispatcher at the end */

/* ---- the loop ---- */

/* How long to wait: not at all while there is work, else until the next of all deadlines. */
static uint64_t wait_ns(const struct mr_worker *w, uint64_t next_turn_ns, uint64_t now_ns)
{
    uint64_t at = MR_MIN(next_turn_ns, now_ns + WAIT_MAX_NS);

    if (w->later_count > 0 || w->completions_count == w->options.completions_per_turn ||
        now_ns - w->worked_ns < w->options.busy_poll_ns)
        return 0;
    if (w->starved || w->wakes_owed)
        at = MR_MIN(at, now_ns + RETRY_NS);
    if (w->linger_head != MR_NO_SLOT)
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
    uint64_t now_ns = w->ended_ns;
    uint64_t ns = wait_ns(w, next_turn_ns, now_ns);
    bool asleep = ns > 0 && mr_mail_sleep(w->mesh, w->self);
    unsigned completions = 1;

    MR_COUNT(w->metrics.worker_busy_ns, now_ns - w->now_ns);
    if (asleep)
        MR_COUNT(w->metrics.worker_sleeps, 1);
    if (asleep && w->received_count >= w->options.batch_from && w->options.batch_ns < ns) {
        MR_COUNT(w->metrics.worker_batched, 1);
        completions = w->options.batch;
        ns = w->options.batch_ns;
    }
    if (mr_ring_wait(w->ring, asleep ? ns : 0, completions) != MR_OK)
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
    w->now_ns = w->ended_ns = mr_clock_now().mono_ns;
    while (!mr_shard_stopped(w->shard)) {
        struct mr_time now;

        wait_for_work(w, next_turn_ns);
        now = mr_clock_now();
        w->now_ns = now.mono_ns;
        mr_worker_gather(w);
        next_turn_ns = mr_shard_turn(w->shard, now, w->events, w->events_count);
        mr_worker_settle(w);
        publish_ring(w);
        w->ended_ns = mr_clock_now().mono_ns;
        mr_histogram_record(&w->turn_us, (w->ended_ns - w->now_ns) / MR_US);
        MR_COUNT(w->metrics.worker_loops, 1);
    }
    MR_ASSERT(w->open == 0);
    /* that it has stopped is the last that it says, and somebody waits for it */
    for (unsigned i = 0; w->wakes_owed && i < LAST_WAKES; i++) {
        if (mr_ring_wait(w->ring, RETRY_NS, 1) != MR_OK)
            ring_failed();
        mr_worker_wake_owed(w);
    }
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
                 .buffer_bytes = 8192,
                 /* the kernel allows as many as descriptors */
                 .files = (unsigned)MR_MIN(MR_MIN((uint64_t)slots, UINT64_C(65536)),
                                           mr_descriptors_raise())},
        .completions_per_turn = 4096,
        .batch_from = 8,
        .batch = 64,
        .batch_ns = 200 * MR_US,
        .linger_ns = 500 * MR_MS,
        .linger_bytes = 4u << 20,
        .cpu = -1,
    };
}

static bool arrays_new(struct mr_worker *w)
{
    const struct mr_histogram_options turns = {.highest = MR_SHARD_HISTOGRAM_MAX_US, .digits = 2};
    size_t slots = w->slots;

    return mr_histogram_init(&w->turn_us, &turns) == MR_OK &&
           (w->conns = calloc(slots, sizeof *w->conns)) &&
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
    w->linger_head = w->linger_tail = MR_NO_SLOT;
    w->event = mr_event_open();
    with_port.port = mr_worker_port(w);
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
    mr_histogram_fini(&w->turn_us);
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

const struct mr_shard_histograms *mr_worker_shard_histograms(const struct mr_worker *w)
{
    return mr_shard_histograms(w->shard);
}

const struct mr_histogram *mr_worker_turn_us(const struct mr_worker *w)
{
    return &w->turn_us;
}

const uint64_t *mr_worker_verdicts(const struct mr_worker *w)
{
    return mr_shard_verdicts(w->shard);
}
