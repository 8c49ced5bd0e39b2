/* worker_state.h: the inside of a worker, shared by worker.c (thread, loop, life) and
 * worker_connections.c (slots, port, completions) and by nobody else. Thread: the worker's. */
#pragma once
#include <pthread.h>

#include "shards/worker.h"

/* What a ring's operation is, in its name. */
enum { MR_WORKER_RECV = 1, MR_WORKER_SEND, MR_WORKER_CLOSE, MR_WORKER_EVENT };

enum mr_conn_phase { MR_CONN_EMPTY, MR_CONN_OPEN, MR_CONN_LINGER, MR_CONN_DRAIN };

struct mr_conn {
    int fd;
    int file; /* what operations name it by: its registered entry, or fd */
    uint32_t generation;
    uint8_t phase;   /* enum mr_conn_phase */
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
    uint64_t now_ns, ended_ns; /* the turn began; it ended, and waiting begins */
    uint64_t published_ns;

    struct mr_conn *conns;
    uint32_t open;
    uint32_t *dirty;
    uint32_t dirty_count;
    uint32_t linger_head, linger_tail;
    struct mr_completion *completions;
    unsigned completions_count; /* of this turn */
    unsigned received_count;    /* of these, how many brought bytes */
    uint64_t worked_ns;         /* the last turn that had any */
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
    struct mr_histogram turn_us;
    pthread_t thread;
    bool started;
};

/* worker_connections.c */
struct mr_shard_port mr_worker_port(struct mr_worker *w);
/* Takes completions, and makes w->events of them. */
void mr_worker_gather(struct mr_worker *w);
/* After the shard's turn: provided buffers go back, late lingerers are cut, and the kernel is told
 * what changed. */
void mr_worker_settle(struct mr_worker *w);
/* Wakes whom the kernel had no room to wake before. */
void mr_worker_wake_owed(struct mr_worker *w);
