/* runtime.h: puts a relay together in a process: mesh, shards and their workers, dispatcher, blob
 * service, threads. Thread: main makes, starts, stops and frees it; what says any thread is for
 * others. Memory: all tables are made by mr_runtime_new. */
#pragma once
#include "shards/blob_service.h"
#include "shards/dispatch_loop.h"
#include "shards/worker.h"

struct mr_runtime_setup {
    const struct mr_relay_options *options; /* all borrowed, for its whole life */
    const struct mr_network *network;
    const struct mr_secp *secp;
    const struct mr_secp_keypair *self;
    struct mr_endpoint listen;
    const char *client; /* our client name in Hello */
    bool pin;           /* shards to CPUs of the affinity mask, if there are enough */
    bool blobs;         /* run the service of blob proofs */
};

struct mr_runtime;

/* Listens and makes everything; nothing runs yet. NULL: why holds one sentence. */
MR_MUST_USE struct mr_runtime *mr_runtime_new(const struct mr_runtime_setup *setup, char *why,
                                              size_t why_cap);
/* Static and trusted nodes; before start, and at any time after it. */
enum mr_err mr_runtime_set_nodes(struct mr_runtime *r, const struct mr_listed_node *nodes,
                                 size_t n);
bool mr_runtime_start(struct mr_runtime *r, char *why, size_t why_cap);
/* Disconnect(reason) to all peers, then the threads end: within 2 s. */
void mr_runtime_stop(struct mr_runtime *r, unsigned reason);
/* Frees what mr_runtime_new made; threads were stopped, or never started. */
void mr_runtime_free(struct mr_runtime *r);

/* Where it listens; the port is the kernel's if 0 was asked for. */
struct mr_endpoint mr_runtime_endpoint(const struct mr_runtime *r);
unsigned mr_runtime_shards(const struct mr_runtime *r);
/* Any thread: the metrics of all threads. */
const struct mr_shard_metrics *mr_runtime_shard_metrics(const struct mr_runtime *r, unsigned i);
const struct mr_worker_metrics *mr_runtime_worker_metrics(const struct mr_runtime *r, unsigned i);
struct mr_dispatcher *mr_runtime_dispatcher(const struct mr_runtime *r);
/* NULL without the service. */
const struct mr_blob_metrics *mr_runtime_blob_metrics(const struct mr_runtime *r);
const struct mr_dispatch_loop *mr_runtime_dispatch_loop(const struct mr_runtime *r);
