/* worker.h: a thread that runs one shard on one ring: the only module besides dispatch_loop.c that
 * submits to a ring (design.md section 3).
 *
 *   wait -> completions -> events -> mr_shard_turn -> buffers back, operations settled -> wait
 *
 * A connection in its slot:
 *
 *   OPEN --close--> LINGER --remote's end, 500 ms, or too much still sent--> DRAIN --> closed
 *     `-------------close, nothing worth waiting for-------------------------^
 *
 *   LINGER: our side is shut down, so that what was sent last (a Disconnect) is not destroyed by
 *   the reset that closing a socket with unread bytes causes; what still comes is dropped.
 *   DRAIN: everything armed is cancelled; the descriptor is closed with the last completion.
 *
 * Thread: made, started, joined and freed by one thread; the loop is its own. Memory: all sized at
 * mr_worker_new; provided buffers are lent to the shard for one turn. */
#pragma once
#include "shards/shard.h"
#include "shards/wake.h"

#define MR_WORKER_METRICS(X)                                                                       \
    X(worker_loops, "times round a worker's loop")                                                 \
    X(worker_sleeps, "times that a worker waited for the kernel")                                  \
    X(worker_batched, "of these, for several completions at once")                                 \
    X(worker_busy_ns, "time that workers did not wait")                                            \
    X(worker_completions, "completions worked off")                                                \
    X(worker_wakes_in, "times that another thread woke a worker")                                  \
    X(worker_stale, "completions of an earlier user of their slot")                                \
    X(worker_rearmed, "receives armed again")                                                      \
    X(worker_no_buffers, "receives that found all buffers taken")                                  \
    X(worker_sends_refused, "sends that the kernel had no memory for")                             \
    X(worker_lingered, "connections closed politely")                                              \
    X(worker_linger_late, "of these, those whose remote did not close in time")                    \
    X(worker_dropped_bytes, "bytes received from peers that were being closed")                    \
    X(worker_closed, "descriptors closed")                                                         \
    X(worker_plain_files, "connections that found no registered entry of their ring")              \
    X(worker_open, "descriptors open", GAUGE)                                                      \
    X(ring_submits, "system calls of shards that took operations along")                           \
    X(ring_sq_full, "operations that found the submission queue full")                             \
    X(ring_cq_overflow, "times that completions waited for room in their queue")                   \
    X(ring_busy, "waits that the kernel put off")                                                  \
    X(ring_unheard, "failures of wake-ups, cancels and shutdowns")                                 \
    X(ring_buffers_out, "provided buffers held between turns", GAUGE)
MR_METRICS_DECLARE(mr_worker_metrics, MR_WORKER_METRICS)

struct mr_worker_options {
    struct mr_ring_options ring;   /* .buffers and .buffer_bytes: what a turn may receive */
    unsigned completions_per_turn; /* so that a turn comes round under any load */
    uint64_t linger_ns;
    uint32_t linger_bytes; /* received and dropped meanwhile, at most */
    int cpu;               /* to pin the thread to; -1: none */
    uint64_t busy_poll_ns; /* looks for work so long before it sleeps; UINT64_MAX: always */
    /* After a turn that received from at least batch_from connections: sleeps until as many
     * completions as `batch` are there, or batch_ns have passed. Many peers in one turn share
     * wake-ups, lanes and sends; a lone message never waits. */
    unsigned batch_from, batch;
    uint64_t batch_ns;
};
/* For a shard with room for so many sessions. */
void mr_worker_options_default(struct mr_worker_options *o, uint32_t slots);

struct mr_worker;

/* Makes ring and shard; setup->port is filled here, setup->self names the thread. wake is borrowed
 * and read from the first turn on. NULL: why holds one sentence. */
MR_MUST_USE struct mr_worker *mr_worker_new(const struct mr_shard_setup *setup,
                                            const struct mr_worker_options *options,
                                            const struct mr_wake_table *wake, char *why,
                                            size_t why_cap);
/* False: no thread could be made (errno). It ends by itself once its shard has stopped
 * (MR_MAIL_STOP) and every descriptor is closed. */
MR_MUST_USE bool mr_worker_start(struct mr_worker *w);
/* Waits for its end. Nothing happens if it was never started. */
void mr_worker_join(struct mr_worker *w);
/* After all threads of the mesh have been joined. First what the shard holds (other shards'
 * buffers among it), for every worker, then free. NULL is fine. */
void mr_worker_let_go(struct mr_worker *w);
void mr_worker_free(struct mr_worker *w);

/* What other threads wake it by: its entry in the table. */
struct mr_wake_target mr_worker_wake_target(const struct mr_worker *w);
/* Any thread. */
const struct mr_shard_metrics *mr_worker_shard_metrics(const struct mr_worker *w);
const struct mr_worker_metrics *mr_worker_metrics(const struct mr_worker *w);
/* MR_TX_VERDICTS counters: see mr_admit_verdicts. */
const struct mr_shard_histograms *mr_worker_shard_histograms(const struct mr_worker *w);
/* How long turns took, in microseconds. */
const struct mr_histogram *mr_worker_turn_us(const struct mr_worker *w);
const uint64_t *mr_worker_verdicts(const struct mr_worker *w);
