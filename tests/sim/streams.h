/* streams.h: connections of a simulated network: two byte streams, each with latency, bandwidth, a
 * window, and cuts at random places. An end is named by a number, as a descriptor is; it has one
 * owner at a time, who is told of what happens on it.
 * Thread: one. Memory: malloc, all of it until fini. */
#pragma once
#include "tests/sim/sim.h"

struct sim_profile {
    uint64_t latency_ns, jitter_ns;
    uint64_t bytes_per_s;
    uint32_t segment_max; /* cuts: 1 to so many bytes */
    uint32_t window;      /* sent and not yet read, at most */
};

/* What an owner is told. data is valid during the call only. */
struct sim_handlers {
    void *ctx;
    uint64_t tag;
    void (*received)(void *ctx, uint64_t tag, uint8_t *data, size_t n);
    void (*sent)(void *ctx, uint64_t tag, int32_t result); /* bytes, or -errno */
    void (*ended)(void *ctx, uint64_t tag);                /* the other side closed */
};

enum sim_reading {
    SIM_READ_NONE,
    SIM_READ_STREAM, /* whatever comes, as it comes */
    SIM_READ_EXACT,  /* so many bytes into a place, once; fewer if the stream ends before */
    SIM_READ_DROP,   /* thrown away */
};

/* When which byte of a stream was reached. */
struct sim_marks {
    struct sim_mark {
        uint64_t offset, at_ns;
    } * v;
    size_t n, cap;
};

struct sim_chunk;
struct sim_pipe {
    struct sim_profile profile;
    uint32_t reader_end, writer_end;
    struct sim_net *net;
    /* writing */
    const uint8_t *out;
    size_t out_n, out_done;
    uint32_t out_owner; /* changes with the owner: a completion for an old one is dropped */
    bool sending, fin;
    bool gone;   /* the reader reads no more */
    bool broken; /* and the writer has noticed */
    uint64_t free_ns, last_arrival_ns;
    size_t in_flight, unread;
    /* reading */
    enum sim_reading reading;
    struct sim_chunk *head, *tail;
    uint8_t *into;
    size_t want, have;
    bool fin_arrived, end_told, feeding;
    uint64_t sent_total, read_total;
    struct sim_marks sends, reads; /* where each send began, and each read ended */
};

struct sim_end {
    struct sim_handlers h;
    struct sim_pipe *in, *out;
    uint32_t owner; /* a number for each owner in turn */
    bool closed;
};

struct sim_net {
    struct sim *sim;
    struct sim_end *ends;
    uint32_t ends_count, ends_cap;
    struct sim_chunk *all; /* chunks in flight, for fini */
};

void sim_net_init(struct sim_net *n, struct sim *sim);
void sim_net_fini(struct sim_net *n);
/* A new connection: ends a and b. there: from a to b; back: from b to a. */
void sim_net_connect(struct sim_net *n, int *a, int *b, const struct sim_profile *there,
                     const struct sim_profile *back);
/* The end gets a new owner; what the old one had begun is its own business no more. */
void sim_net_own(struct sim_net *n, int end, const struct sim_handlers *h);
void sim_net_read(struct sim_net *n, int end, enum sim_reading how);
void sim_net_read_exact(struct sim_net *n, int end, uint8_t *into, size_t want);
/* One at a time; p stays until sent() is told. */
void sim_net_send(struct sim_net *n, int end, const uint8_t *p, size_t bytes);
/* No more is written: the other side is told when it has read all. */
void sim_net_shut(struct sim_net *n, int end);
/* Shut, and nothing is read any more; no handler of this end is called again. */
void sim_net_close(struct sim_net *n, int end);
/* When the send began that carried the byte before offset, of what end reads; and when the byte
 * before offset, of what end writes, was read: UINT64_MAX if it was not. */
uint64_t sim_net_sent_at(const struct sim_net *n, int end, uint64_t offset);
uint64_t sim_net_read_at(const struct sim_net *n, int end, uint64_t offset);
/* A cut cable: whatever is in flight is lost, and nobody is told. */
void sim_net_cut(struct sim_net *n, int end);
