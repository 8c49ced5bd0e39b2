/* relay.h: one relay of the simulation: the real shards, mesh and mailboxes, each thread a turn
 * that happens some microseconds after it was woken; a port that binds them to simulated
 * connections; a service that takes as long as blob proofs do; and a door, which does what the
 * dispatcher does: handshakes, and handing over.
 * Thread: one plays them all. Memory: malloc. */
#pragma once
#include "core/endpoint.h"
#include "shards/shard.h"
#include "tests/sim/session.h"

#define SIM_SHARDS_MAX 16
#define SIM_DOOR_MAX   256 /* connections in a relay's life that its door may see */
#define SIM_BLOBS_MAX  64

struct sim_relay;
struct sim_front;
struct sim_slot { /* what a peer slot of a shard is bound to */
    int end;
    uint32_t generation;
    bool open, paused, sending, closing;
    uint64_t close_ns;
};
struct sim_shard {
    struct sim_relay *relay;
    unsigned index;
    struct mr_shard *shard;
    struct sim_slot *slots;
    struct mr_shard_event *events; /* for the next turn */
    size_t events_count, events_cap;
    uint64_t turn_ns, epoch; /* the turn that is planned */
    bool planned, turning;
    uint64_t turns;
};

/* A connection at the door. */
struct sim_visitor {
    struct sim_relay *relay;
    struct sim_session session;
    bool inbound, trusted, handed_over;
    struct mr_endpoint remote_endpoint;
    uint64_t serial, begun_ns;
    unsigned shard;
    /* told by the shard */
    bool active, closed;
    enum mr_closed_reason reason;
    uint64_t active_ns, closed_ns;
};

struct sim_relay {
    struct sim *sim;
    struct sim_net *net;
    const struct mr_network *network;
    const struct mr_secp *secp;
    struct mr_relay_options options;
    struct mr_secp_keypair key;
    struct mr_endpoint at;
    struct mr_mesh *mesh;
    struct sim_shard shards[SIM_SHARDS_MAX];
    uint64_t boot_key[2];
    struct sim_front *front; /* the real dispatcher, or NULL: then there is a door */
    /* the door */
    struct sim_visitor *visitors[SIM_DOOR_MAX];
    uint32_t visitors_count;
    struct mr_handover *handovers; /* SIM_DOOR_MAX */
    struct mr_stack home;
    uint32_t stopped_shards;
    bool door_planned;
    /* the service */
    struct mr_mail blobs[SIM_BLOBS_MAX];
    uint32_t blobs_head, blobs_count;
    bool service_planned, service_busy;
    uint32_t blobs_checked, blobs_bad; /* every blobs_bad-th is judged bad; 0: none */
};

struct sim_relay_setup {
    struct sim *sim;
    struct sim_net *net;
    const struct mr_network *network;
    const struct mr_secp *secp;
    struct mr_relay_options options; /* shards among them */
    struct mr_endpoint at;
    bool blobs; /* the trusted setup is loaded from the start */
};

struct sim_relay *sim_relay_new(const struct sim_relay_setup *setup);
/* Everything must have come home: asserted. */
void sim_relay_free(struct sim_relay *r);
/* A connection for the door: inbound, or dialled to remote. */
struct sim_visitor *sim_relay_visit(struct sim_relay *r, int end, bool inbound,
                                    struct mr_endpoint from, const struct mr_node_id *remote);
/* Wakes a thread of its mesh. */
void sim_relay_wake(struct sim_relay *r, unsigned thread);
/* Disconnect(reason) to all, as at the end of the process. */
void sim_relay_stop(struct sim_relay *r, unsigned reason);
bool sim_relay_stopped(const struct sim_relay *r);
/* Over all shards. */
uint64_t sim_relay_count(const struct sim_relay *r, size_t offset);
#define SIM_COUNT(relay, name) sim_relay_count((relay), offsetof(struct mr_shard_metrics, name))
