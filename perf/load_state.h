/* load_state.h: what the parts of the load generator share: a peer, and the run.
 * Thread: one, for all of it. Memory: peers at start; a peer's buffers grow with what it is sent.
 *
 * A peer's states, each named for what it waits for:
 *   IDLE -> DIALLING -> ACK -> HELLO -> STATUS -> ACTIVE
 *     ^        `----------`------`--------`---------`-> CLOSING (until its operations have ended)
 *     `--- tried again, while connecting -----------------'  `-> GONE */
#pragma once
#include "core/clock.h"
#include "core/random.h"
#include "net/eth/version.h"
#include "net/rlpx/keepalive.h"
#include "net/uring/ring.h"
#include "perf/corpus.h"
#include "perf/load_chain.h"
#include "perf/load_link.h"
#include "perf/load_options.h"
#include "perf/load_proc.h"
#include "perf/load_track.h"
#include "perf/strict.h"

#define MR_LOAD_WANTED_MAX  4096         /* announced and not asked for, of one peer (geth) */
#define MR_LOAD_ASK_MAX     256          /* hashes of one request (geth) */
#define MR_LOAD_ASK_BYTES   (128u << 10) /* ... and bytes that they announce together */
#define MR_LOAD_ASK_LATE_MS 5000         /* geth gives a request up then */
#define MR_LOAD_OUT_MAX     (256u << 10) /* bytes waiting, above which no more are queued to send */
#define MR_LOAD_ATTEMPTS    20           /* to connect one peer */
#define MR_LOAD_ATTEMPT_NS  (30 * MR_SECOND)

enum mr_load_state {
    MR_LOAD_IDLE,
    MR_LOAD_DIALLING,
    MR_LOAD_ACK,
    MR_LOAD_HELLO,
    MR_LOAD_STATUS,
    MR_LOAD_ACTIVE,
    MR_LOAD_CLOSING,
    MR_LOAD_GONE,
};

/* X(name, key in reports): why a connection ended, or was none. */
#define MR_LOAD_END_MAP(X)                                                                         \
    X(NONE, "none")                                                                                \
    X(DIAL, "dial_failed")                                                                         \
    X(CLOSED, "closed_by_remote")                                                                  \
    X(HANDSHAKE, "handshake_failed")                                                               \
    X(TIMEOUT, "timeout")                                                                          \
    X(DISCONNECT, "disconnected")                                                                  \
    X(TRANSPORT, "transport_fault")                                                                \
    X(USELESS, "nothing_shared")                                                                   \
    X(SILENT, "silent")                                                                            \
    X(MEMORY, "out_of_memory")
enum mr_load_end {
#define MR_LOAD_END_ENUM(name, key) MR_LOAD_END_##name,
    MR_LOAD_END_MAP(MR_LOAD_END_ENUM)
#undef MR_LOAD_END_ENUM
        MR_LOAD_ENDS
};

struct mr_load_peer {
    uint32_t index, generation;
    int fd;
    uint8_t state;                           /* enum mr_load_state */
    uint8_t attempts;                        /* to connect */
    uint8_t end;                             /* enum mr_load_end, from CLOSING on */
    bool connect_out, receive_out, send_out; /* operations that have not completed */
    bool ready, dirty;                       /* in the run's lists */
    bool ask_late;                           /* its request was counted as late */
    uint64_t since_ns, retry_ns;             /* this attempt began; the next may begin */
    uint64_t send_since_ns;

    struct mr_load_link link; /* its handshake: in ACK */
    struct mr_keepalive alive;
    struct mr_strict_peer strict;

    uint32_t *wanted; /* ring of MR_LOAD_WANTED_MAX, power of two, transactions in order */
    uint32_t wanted_head, wanted_n, wanted_cap;
    uint32_t *asked; /* MR_LOAD_ASK_MAX */
    uint32_t asked_n;
    uint64_t asked_ns, request_id;
    uint32_t next_tx; /* a sender's: index, steps of senders */
};

/* One message that waits for the hashes of its items. */
struct mr_load_pending {
    struct mr_load_peer *peer;
    struct mr_strict_message message;
};
#define MR_LOAD_PENDING_MAX   1024
#define MR_LOAD_ITEMS_MAX     (4 * MR_STRICT_ITEMS_MAX)
#define MR_LOAD_SCRATCH_BYTES (4u << 20)
#define MR_LOAD_ARENA_BYTES   (2 * (size_t)MR_MESSAGE_MAX)

struct mr_load_counts {
    uint64_t bytes_in, bytes_out, frames_in, frames_out;
    uint64_t ends[MR_LOAD_ENDS];         /* while connecting */
    uint64_t ends_later[MR_LOAD_ENDS];   /* behind the start of the load */
    uint64_t reasons[MR_REASON_COUNT];   /* of received Disconnects, at any time */
    uint64_t faults[MR_P2P_FAULT_COUNT]; /* of the transport */
    uint64_t retries;
    uint64_t requests, requests_late, withheld, unasked_bodies, over_wanted_max;
    uint64_t asked_of_us[MR_ETH_IDS_MAX]; /* requests of the relay */
};

struct mr_load {
    const struct mr_load_options *o;
    struct mr_secp *secp;
    struct mr_corpus corpus;
    struct mr_load_chain chain;
    struct mr_load_track track;
    struct mr_strict *strict;
    struct mr_ring *ring;
    struct mr_random random;
    struct mr_time now;

    struct mr_load_peer *peers;
    uint32_t peers_count, active, connecting;
    uint32_t next_new; /* peers from here on have never been dialled */
    uint64_t looked_ns;
    uint32_t *ready, *dirty; /* indices of peers with bytes to read, to seal */
    uint32_t ready_n, dirty_n;

    uint8_t *arena; /* inflated messages of one batch */
    size_t arena_n;
    uint8_t *scratch; /* a message being written */
    struct mr_strict_item *items;
    uint32_t items_n;
    struct mr_load_pending *pending;
    uint32_t pending_n;

    struct mr_load_counts counts;
    uint32_t released; /* transactions whose time has come */
    bool load_begun;   /* connections that end are not replaced any more */
    bool finished;     /* figures are taken: only goodbyes follow */
    bool interrupted;
    uint32_t peers_connected; /* when the load began, or connecting was given up */
    uint32_t peers_at_end;
    uint64_t connect_begin_ns, connect_end_ns, load_begin_ns, load_end_ns;
    uint64_t settle_end_ns, last_due_ns, finish_ns;
    struct mr_load_proc before, load_first, after; /* the relay's process */
    struct mr_load_proc own_first, own_after;
    uint64_t prepared_ns; /* what making transactions took */
};
