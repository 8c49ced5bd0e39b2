/* runtime.h: puts a relay together in a process: mesh, shards and their workers, dispatcher, blob
 * service, threads. node/ reads flags and calls this; so do tests.
 *
 *   new -> set_nodes -> start -> threads run -> stop -> last look at the metrics -> free
 *
 * Thread: one (the main one) makes, starts, stops and frees it; what says any thread is for others.
 * All threads made here have every signal blocked: signals are the main thread's.
 * Memory: all tables are made by mr_runtime_new. */
#pragma once
#include "shards/blob_service.h"
#include "shards/dispatch_loop.h"
#include "shards/worker.h"

struct mr_runtime_setup {
    const struct mr_relay_options *options; /* all borrowed, for its whole life */
    const struct mr_network *network;
    const struct mr_secp *secp;
    const struct mr_secp_keypair *self;
    struct mr_endpoint listen; /* port 0: the kernel chooses */
    const char *client;        /* our client name in Hello */
    bool pin;                  /* shards to CPUs of the affinity mask, if there are enough */
    const struct mr_shard_policy *policy; /* NULL: the relay of eth */
    bool blobs;                           /* run the service of blob proofs */
    bool equal_weight; /* the dispatcher does not step back (nice 5) behind the shards */
    /* tests: 0 or NULL for what is usual */
    uint64_t seed;          /* of keyed tables and choices; the system's randomness else */
    unsigned buffers;       /* provided buffers of a shard */
    unsigned ring_fallback; /* of shards' rings: see mr_ring_options */
    struct mr_kzg *(*kzg_load)(void);
};

struct mr_runtime;

/* CPUs that this process may use (sched_getaffinity), less one; at least 1, at most MR_SHARDS_MAX.
 */
unsigned mr_runtime_default_shards(void);

/* Open files that a relay with so many listed nodes cannot do without. */
uint64_t mr_runtime_files(const struct mr_relay_options *o, size_t listed);

/* Listens and makes everything; nothing runs yet. NULL: why holds one sentence. */
MR_MUST_USE struct mr_runtime *mr_runtime_new(const struct mr_runtime_setup *setup, char *why,
                                              size_t why_cap);
/* Static and trusted nodes; before start, and at any time after it. MR_SYSTEM without memory,
 * MR_FULL: over MR_LISTED_MAX, nothing happens. */
enum mr_err mr_runtime_set_nodes(struct mr_runtime *r, const struct mr_listed_node *nodes,
                                 size_t n);
/* False: why holds one sentence; nothing runs then, and only free is left to do. */
bool mr_runtime_start(struct mr_runtime *r, char *why, size_t why_cap);
/* Disconnect(reason) to all peers, then the threads end: within 2 s. False: a shard did not end in
 * time. free then does nothing, and the process should leave by _exit. The blob service, if it is
 * just loading, is left behind for the process to end, see blob_service.h. */
bool mr_runtime_stop(struct mr_runtime *r, unsigned reason);
/* Frees what mr_runtime_new made; threads were stopped, or never started. NULL is fine. */
void mr_runtime_free(struct mr_runtime *r);

/* Where it listens; the port is the kernel's if 0 was asked for. */
struct mr_endpoint mr_runtime_endpoint(const struct mr_runtime *r);
unsigned mr_runtime_shards(const struct mr_runtime *r);
struct mr_dispatcher *mr_runtime_dispatcher(const struct mr_runtime *r);

/* ---- any thread, until free ---- */

/* How often each verdict of net/eth/tx_check.h was given, over all shards: MR_TX_VERDICTS numbers.
 */
void mr_runtime_verdicts(const struct mr_runtime *r, uint64_t *out);
/* One set of metrics with an instance a thread. */
struct mr_runtime_metrics {
    const struct mr_metric_set *set;
    const void *const *instances;
    size_t count;
};
#define MR_RUNTIME_METRICS 5
/* Shards, workers, dispatcher, its loop, blob service (no instance where there is none). */
void mr_runtime_metrics(const struct mr_runtime *r,
                        struct mr_runtime_metrics out[MR_RUNTIME_METRICS]);
/* One histogram with an instance a shard; any thread may merge from them. */
struct mr_runtime_histogram {
    const char *name; /* with its unit */
    const struct mr_histogram *instances[MR_SHARDS_MAX];
    size_t count;
};
#define MR_RUNTIME_HISTOGRAMS 3
void mr_runtime_histograms(const struct mr_runtime *r,
                           struct mr_runtime_histogram out[MR_RUNTIME_HISTOGRAMS]);
/* The sum over all threads (or the largest, of a peak) of the metric of that name in set; 0 for a
 * name that there is not. */
uint64_t mr_runtime_metric(const struct mr_runtime *r, const struct mr_metric_set *set,
                           const char *name);
