/* dispatcher.h: the control plane: who may connect. Accepts, dials, performs RLPx and Hello, and
 * hands agreed sessions to their shards; owns the table of identities and all counts.
 *
 *   mr_dispatcher_turn(dispatcher, now, events) -> operations through the port
 *
 * It reads no clock and no randomness but its entropy function, and allocates in
 * mr_dispatcher_new only.
 *
 * A count rises before a session is handed over and falls when its shard says MR_MAIL_CLOSED: so
 * --maxpeers holds at every moment for sessions that are neither static nor trusted.
 *
 * CPU time is a budget (--handshake-budget, percent of a core): a peek at an auth costs 50 us, an
 * answer 350 more; over it, connections whose auth has come wait, first come first served, with
 * nothing armed, until their deadline. While full, with static or trusted nodes missing, auths are
 * opened at 100 a second to look for these; while less than half the budget is used, others are
 * answered to say 0x04; else they are closed before any curve work.
 *
 * Thread: its own, but for what says any thread. Files: dispatcher.c the books and decisions,
 * dispatcher_turn.c the turn; handshakes.h, node_table.h, dial.h, dispatcher_addresses.h parts;
 * dispatch_loop.h binds it to a ring. */
#pragma once
#include "core/base.h"
#include "core/clock.h"
#include "core/endpoint.h"
#include "crypto/entropy.h"
#include "crypto/secp.h"
#include "shards/dial.h"
#include "shards/dispatcher_metrics.h"
#include "shards/mailbox.h"
#include "shards/options.h"

#define MR_HANDSHAKE_PEEK_US      50
#define MR_HANDSHAKE_ANSWER_US    350
#define MR_FULL_PEEKS_PER_SECOND  100
#define MR_DISPATCHER_CURVE_STEPS 8  /* a turn */
#define MR_DISPATCHER_ACCEPTS     64 /* a turn */
/* How long a Disconnect may take to leave, and its reader to close. */
#define MR_LINGER_NS (1 * MR_SECOND)
/* How long a third session of one identity waits, agreed, for one of the two to be gone: a remote
 * that closes and comes again is often faster than the shard that tells us of the end (H-09). */
#define MR_THIRD_WAIT_NS (500 * MR_MS)

enum mr_dispatcher_event_kind {
    MR_DISPATCHER_ACCEPTED, /* result: a connected descriptor; remote: whose */
    MR_DISPATCHER_DIALLED,  /* result: a connected descriptor, or -errno */
    MR_DISPATCHER_RECEIVED, /* result: n as asked for, fewer if the stream ended, or -errno */
    MR_DISPATCHER_SENT,     /* likewise */
    MR_DISPATCHER_CLOSED,   /* after close(): nothing is in flight, the descriptor is gone */
};

struct mr_dispatcher_event {
    enum mr_dispatcher_event_kind kind;
    uint32_t slot, generation; /* but for ACCEPTED */
    int32_t result;
    struct mr_endpoint remote;
};

/* What a turn may ask for. All calls return at once; none fails (failures come back as events).
 * At most one receive and one send are in flight per slot; their memory is the dispatcher's and
 * stays until their events. Slots and generations are the dispatcher's, below
 * mr_dispatcher_slots(options). */
struct mr_dispatcher_port {
    void *ctx;
    /* From now on at most room MR_DISPATCHER_ACCEPTED, until called again; 0 pauses accepting. */
    void (*accept)(void *ctx, uint32_t room);
    /* The answer to an ACCEPTED is one of: the connection gets this slot; or it is closed. */
    void (*take)(void *ctx, uint32_t slot, uint32_t generation, int fd);
    void (*refuse)(void *ctx, int fd);
    /* Ends with MR_DISPATCHER_DIALLED. */
    void (*dial)(void *ctx, uint32_t slot, uint32_t generation, struct mr_endpoint to);
    void (*receive)(void *ctx, uint32_t slot, uint32_t generation, uint8_t *p, size_t n);
    void (*send)(void *ctx, uint32_t slot, uint32_t generation, const uint8_t *p, size_t n);
    /* Shuts down, waits for every operation in flight (a dial too), closes, then gives
     * MR_DISPATCHER_CLOSED, whether or not there ever was a descriptor. */
    void (*close)(void *ctx, uint32_t slot, uint32_t generation);
    /* The descriptor is a shard's from here on: nothing is in flight, no event follows. */
    void (*release)(void *ctx, uint32_t slot, uint32_t generation);
    /* Wakes another thread of the mesh (mailbox.h) that sleeps. */
    void (*wake)(void *ctx, unsigned thread);
};

struct mr_dispatcher_setup {
    const struct mr_relay_options *options;
    const struct mr_secp *secp;
    const struct mr_secp_keypair *self; /* borrowed, like all pointers here */
    struct mr_mesh *mesh;
    struct mr_dispatcher_port port;
    const char *client;   /* our client name, at most 64 bytes */
    uint16_t listen_port; /* told in Hello */
    uint64_t boot_key[2]; /* the same as the shards': chooses the shard of a peer */
    mr_entropy_fn entropy;
    void *entropy_ctx;
    const struct mr_protocol *protocol; /* what Hello offers; NULL: eth/68 to 71 */
    struct mr_time now;
};

struct mr_dispatcher;

/* Pending connections: maxpendpeers inbound ones, and our own dials beside them. */
uint32_t mr_dispatcher_slots(const struct mr_relay_options *o);
/* What mr_mesh_new needs as sure_slots for the mails between dispatcher and shards (the blob
 * service may need more). */
uint32_t mr_dispatcher_sure_slots(const struct mr_relay_options *o);

/* NULL without memory, with one sentence in why. */
struct mr_dispatcher *mr_dispatcher_new(const struct mr_dispatcher_setup *setup, char *why,
                                        size_t why_cap);
/* Nothing may be in flight. */
void mr_dispatcher_free(struct mr_dispatcher *d);

/* One turn. Returns when the next one is wanted at the latest (mono ns): now or earlier means at
 * once. events may be empty. The first turn asks to accept. */
uint64_t mr_dispatcher_turn(struct mr_dispatcher *d, struct mr_time now,
                            const struct mr_dispatcher_event *events, size_t n);
/* Replaces the static and trusted nodes (--static, --trusted; SIGHUP). Between turns. MR_FULL: over
 * MR_LISTED_MAX, those behind are left out. Sessions that exist keep the terms they came on. */
enum mr_err mr_dispatcher_set_nodes(struct mr_dispatcher *d, const struct mr_listed_node *nodes,
                                    size_t n, struct mr_time now);
/* Between turns: from the next turn on nothing is accepted, dialled or handed over; pending
 * connections and all shards (MR_MAIL_STOP) end their peers with this Disconnect reason. */
void mr_dispatcher_stop(struct mr_dispatcher *d, unsigned reason);
/* After mr_dispatcher_stop: nothing is pending, and all shards said MR_MAIL_STOPPED. */
bool mr_dispatcher_stopped(const struct mr_dispatcher *d);

/* Any thread. */
const struct mr_dispatcher_metrics *mr_dispatcher_metrics(const struct mr_dispatcher *d);

/* For the summary line. Any thread; each number is one that was true lately. */
struct mr_dispatcher_counts {
    uint32_t sessions, counted, inbound, active; /* counted: against maxpeers */
    uint32_t pending, listed, listed_absent;
};
void mr_dispatcher_counts(const struct mr_dispatcher *d, struct mr_dispatcher_counts *out);

/* Which shard a peer belongs to. */
unsigned mr_dispatcher_shard_of(const uint64_t boot_key[2], const struct mr_node_id *id,
                                unsigned shards);
