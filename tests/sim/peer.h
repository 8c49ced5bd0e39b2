/* peer.h: a scripted peer: a real RLPx session and eth, and whatever behaviour the test wants. It
 * holds every message that it gets against the rules of world.h.
 * Thread: one. Memory: malloc, freed with the world. */
#pragma once
#include "perf/load_chain.h"
#include "tests/sim/world.h"

enum sim_peer_phase {
    SIM_PEER_ABSENT,
    SIM_PEER_GREETING, /* handshake and Hello */
    SIM_PEER_STATUS,   /* our Status is sent */
    SIM_PEER_ACTIVE,
    SIM_PEER_GONE,
};

/* What a peer and one transaction had to do with each other. */
struct sim_record {
    uint8_t announced, bodies, fetched; /* how often the relay did it */
    bool has, sourced, asked;
    uint64_t sourced_offset; /* of our stream: the message that told of it ends there */
    uint64_t has_ns;
};

struct sim_out {
    struct sim_out *next;
    size_t n;
    uint8_t data[];
};

struct sim_peer {
    struct sim_world *world;
    struct sim_relay *relay;
    unsigned index;
    struct mr_secp_keypair key;
    struct mr_endpoint at;
    /* behaviour */
    bool answers;       /* GetPooledTransactions */
    bool fetches;       /* what is announced to it */
    bool deaf;          /* reads nothing any more */
    bool silent_status; /* never sends its Status */
    uint64_t answer_delay_ns;
    struct mr_load_chain *chain; /* what it claims and serves, grown with the clock; NULL: none */
    struct sim_peer *twin; /* the same node: whichever of both has its session first keeps it */
    unsigned eth_min, eth_max;
    struct sim_profile profile, back;

    int end;
    enum sim_peer_phase phase;
    struct sim_session session;
    struct sim_visitor *visitor;
    struct mr_rlpx_session rlpx;
    unsigned version;
    uint64_t active_ns, gone_ns;
    int disconnect_in; /* reason, or -1 */
    bool ended_by_relay;
    /* bytes */
    uint8_t *in;
    size_t in_n, in_cap;
    struct sim_out *out_head, *out_tail;
    bool sending, refusing;
    uint64_t written; /* bytes of our stream, queued ones included */
    uint64_t read;    /* bytes of the relay's stream that made whole frames */
    /* fetching */
    uint64_t request_id;
    bool request_open;
    uint32_t wanted[SIM_TXS_MAX], wanted_count; /* announced, not yet asked for */
    uint32_t asked[256], asked_count;
    /* what the relay asked of us */
    unsigned requests_in, requests_open;
    struct sim_record *records; /* SIM_TXS_MAX */
    uint64_t bodies_sent;       /* the order in which we sent bodies */
    uint64_t last_body[SIM_PEERS_MAX], last_announced[SIM_PEERS_MAX];
    uint64_t headers_asked;
    uint64_t range; /* latest of the newest BlockRangeUpdate */
};

/* A peer that answers and fetches; change its behaviour before connecting. */
struct sim_peer *sim_peer_new(struct sim_world *w, struct sim_relay *relay);
/* Dials the relay, or lets the relay dial it. Again after it has gone, too: a new session. */
void sim_peer_connect(struct sim_peer *p, bool relay_dials);
void sim_peer_broadcast(struct sim_peer *p, struct sim_tx *const *txs, unsigned n);
void sim_peer_announce(struct sim_peer *p, struct sim_tx *const *txs, unsigned n);
/* Any message of eth or (id below 16) of the base protocol. */
void sim_peer_send(struct sim_peer *p, unsigned wire_id, struct mr_span payload);
void sim_peer_close(struct sim_peer *p); /* with a FIN */
void sim_peer_cut(struct sim_peer *p);   /* without a word */
void sim_peer_go_deaf(struct sim_peer *p);
void sim_peer_free(struct sim_peer *p);
/* A new peer hears of what is younger than 24 s; this is below it by what travelling takes. */
#define SIM_FRESH_NS (20 * MR_SECOND)
/* Held against the rules at the end: everything that was born while p was active, or little before,
 * must have come. Counts violations. */
void sim_peer_check_complete(struct sim_peer *p);
