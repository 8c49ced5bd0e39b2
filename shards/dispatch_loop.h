/* dispatch_loop.h: the dispatcher's thread: binds mr_dispatcher_turn to one io_uring and a
 * listening socket. The only file besides those of the worker that submits to a ring in
 * shards/.
 * Thread: made and freed by the main thread, run by its own; what says any thread is for others.
 * Memory: at mr_dispatch_loop_new. */
#pragma once
#include "net/uring/ring.h"
#include "shards/dispatcher.h"
#include "shards/wake.h"

struct mr_dispatch_loop;

struct mr_dispatch_loop_setup {
    struct mr_dispatcher_setup dispatcher; /* port and now are filled in */
    int listen_fd;                         /* -1: nothing is accepted. The caller's. */
    struct mr_endpoint local;              /* source address of our dials; ip 0: any */
    const struct mr_wake_table *wake;
    uint64_t stop_limit_ns; /* give up waiting for shards when stopping; 0: 5 s */
    bool nice;              /* lower our weight (nice 5), so that shards go first */
};

/* NULL: one sentence in why. */
struct mr_dispatch_loop *mr_dispatch_loop_new(const struct mr_dispatch_loop_setup *setup, char *why,
                                              size_t why_cap);
/* After run has returned, or if it never began. */
void mr_dispatch_loop_free(struct mr_dispatch_loop *l);

/* What mr_wake_table wants for the dispatcher (mr_mesh_dispatcher). Any thread. */
int mr_dispatch_loop_ring_fd(const struct mr_dispatch_loop *l);
/* The dispatcher, for mr_dispatcher_metrics and _counts, and for set_nodes before run. */
struct mr_dispatcher *mr_dispatch_loop_dispatcher(struct mr_dispatch_loop *l);
const struct mr_dispatch_loop_metrics *mr_dispatch_loop_metrics(const struct mr_dispatch_loop *l);

/* The thread's function: runs until stopped. MR_OK; MR_AGAIN: stopped, but shards did not say so in
 * time; MR_SYSTEM: the ring broke. */
enum mr_err mr_dispatch_loop_run(struct mr_dispatch_loop *l);
/* Any thread: asks run to end: mr_dispatcher_stop(reason), wait for the shards, return. */
void mr_dispatch_loop_stop(struct mr_dispatch_loop *l, unsigned reason);
/* Any one thread at a time: mr_dispatcher_set_nodes on the loop's thread, soon. Copies the list.
 * MR_SYSTEM without memory, MR_FULL over MR_LISTED_MAX (nothing happens then). */
enum mr_err mr_dispatch_loop_set_nodes(struct mr_dispatch_loop *l,
                                       const struct mr_listed_node *nodes, size_t n);
