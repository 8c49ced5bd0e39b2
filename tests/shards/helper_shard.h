/* helper_shard.h: shards without sockets. A stage holds a mesh, shards behind scripted ports, and a
 * clock of its own; actors are the remote nodes: they speak real RLPx over memory, with secrets
 * that the stage makes up instead of a handshake. The stage plays dispatcher and blob service too.
 * Everything follows from the seed: no clock, no descriptors, one thread.
 *
 *   an actor's bytes -> RECEIVED -> mr_shard_turn -> send -> (next turn) SENT -> heard by the actor
 *
 * The port asserts what worker.c relies on: nothing is asked of a connection after its close, one
 * send is in flight at once, and its bytes stay as they are until it ends.
 * Uses no cmocka, so that fuzz targets can play on it: what must hold is asserted by MR_ASSERT. */
#pragma once
#include "net/eth/tx_build.h"
#include "shards/shard_state.h"

#define STAGE_SHARDS_MAX 4
#define STAGE_NOBODY     UINT32_MAX

struct stage_options {
    struct mr_relay_options relay;
    const char *network;          /* a preset */
    const struct mr_network *net; /* or any other */
    unsigned shards;
    uint64_t seed;
    uint32_t actors_max;
    uint32_t flow_slots;
    uint32_t sure_slots;   /* 0: enough for a full log of blob transactions */
    uint64_t wall_s;       /* when the play begins; mono starts at 1,000 s */
    bool unverified_sends; /* for long runs: sends in flight are not compared with what they were */
};
/* One shard with small tables, mainnet in 2026, room for 512 actors. */
void stage_options_default(struct stage_options *o);

struct delivery; /* below */

/* One message that an actor received. */
struct heard {
    bool is_eth;
    uint8_t id; /* inside its capability */
    uint64_t at_ns;
    uint64_t at_turn;
    uint32_t offset, n; /* of the payload, in the actor's book */
};

struct actor_options {
    unsigned shard;
    unsigned version; /* of eth; 0: 69 */
    bool inbound, trusted, is_static;
    const struct mr_node_id *id; /* NULL: its own */
    struct mr_endpoint remote;   /* 0: 10.x.y.1, another network of 16 bits each */
};

struct actor {
    struct stage *stage;
    uint32_t index;
    struct actor_options o;
    struct mr_node_id id;
    uint64_t serial;

    /* what the script may change at any time */
    bool deaf;       /* it does not read: sends to it stay in flight */
    bool no_pongs;   /* it leaves pings unanswered */
    bool no_book;    /* it keeps no messages (for long runs): see stage.on_heard */
    bool late_data;  /* bytes reach the shard although it paused */
    bool broken;     /* nothing reaches it any more: sends to it fail */
    uint32_t chunk;  /* bytes of one RECEIVED at most; 0: 64 KiB */
    unsigned bursts; /* RECEIVEDs of one turn; 0: one */

    /* its session */
    struct mr_rlpx_session session;
    struct mr_capabilities caps;
    struct mr_transport transport;
    uint8_t eth_index;

    /* the port's side */
    uint32_t slot, generation; /* STAGE_NOBODY: not adopted */
    bool adopted, paused, close_asked, closed, hung_up, end_told;
    uint64_t pauses, resumes, sends;
    const uint8_t *flight;
    size_t flight_n;
    uint64_t flight_print, flight_turn;
    uint64_t sealed_turn; /* when what is being heard was given to the port */

    uint8_t *out; /* to the shard */
    size_t out_n, out_off, out_cap;
    uint8_t *in; /* from the shard, not yet a frame */
    size_t in_n, in_off, in_cap;

    /* what it learnt */
    struct heard *heard;
    uint32_t heard_count, heard_cap;
    uint8_t *book;
    size_t book_n, book_cap;
    struct delivery *index_all; /* what stands in the book up to message index_heard */
    size_t index_n, index_cap;
    uint32_t index_heard;
    uint64_t messages, pings, bytes_in;
    bool disconnected;
    unsigned reason; /* of the Disconnect, if any */
    bool active;     /* the shard said so to the dispatcher */
    int closed_why;  /* enum mr_closed_reason; -1: still open */
};

struct stage {
    struct stage_options o;
    struct mr_relay_options relay;
    const struct mr_network *net;
    struct mr_secp *secp;
    struct mr_random random;
    struct mr_mesh *mesh;
    struct mr_shard *shards[STAGE_SHARDS_MAX];
    uint64_t next_ns[STAGE_SHARDS_MAX];
    struct stage_port {
        struct stage *stage;
        unsigned shard;
    } ports[STAGE_SHARDS_MAX];
    struct mr_time now;
    uint64_t turns, submits, wakes;
    uint64_t out_print; /* of all bytes that the shards gave to the port, in their order */
    struct actor *actors;
    uint32_t actors_count;
    uint32_t *at_slot[STAGE_SHARDS_MAX]; /* slot to actor */
    struct mr_handover *handovers;
    struct mr_stack home;
    bool stopped[STAGE_SHARDS_MAX];
    bool asleep[STAGE_SHARDS_MAX]; /* may be set: the shard has no turns */
    bool doubt_blobs;              /* the service's next verdicts: bad */
    bool mute_service;             /* it keeps them: stage_verdicts */
    uint64_t blob_checks;
    struct mr_shard_event *events;
    uint8_t **event_bytes;
    struct mr_unseal_job *jobs;
    uint32_t *job_actors;
    uint8_t *arena; /* inflated */
    size_t arena_bytes;
    void **made; /* samples' bytes */
    uint32_t made_count, made_cap;
    struct mr_mail *held; /* of the service, kept */
    uint32_t held_count;
    struct mr_shard_metrics before;

    /* may be set */
    void (*on_heard)(struct stage *st, struct actor *a, bool is_eth, uint8_t id,
                     struct mr_span payload);
    void (*on_turn)(struct stage *st, unsigned shard, bool begins);
    void *ctx;
};

void stage_init(struct stage *st, const struct stage_options *o); /* NULL: the default */
/* Ends everything; what the shards hold must come home. */
void stage_free(struct stage *st);
/* Stops the shards as the dispatcher does, plays until they have stopped, asserts that no peer
 * holds a buffer, then frees. */
void stage_close(struct stage *st);

/* One turn of every shard, and what comes of it. */
void stage_turn(struct stage *st);
/* Turns without passing of time, until nothing moves any more. */
void stage_settle(struct stage *st);
/* Lets time pass, with a turn whenever a shard asked for one. */
void stage_run(struct stage *st, uint64_t ms);

/* From here on stage_moved tells which counters change, traffic and comings and goings apart: their
 * names with a space between, in the order of the list; "" if none. */
void stage_mark(struct stage *st);
const char *stage_moved(const struct stage *st);
static inline struct mr_shard_metrics *stage_count(struct stage *st)
{
    return &st->shards[0]->metrics;
}

/* Mail from the dispatcher, or from another shard, to shard 0. */
void stage_mail(struct stage *st, unsigned from, enum mr_mail_class c, const struct mr_mail *mail);
void stage_stop(struct stage *st, uint8_t reason);
/* The service says that it has loaded its setup: blob transactions are taken from here on. */
void stage_blobs_ready(struct stage *st);
/* The verdicts that a mute service kept. */
void stage_verdicts(struct stage *st, enum mr_blob_verdict v);
/* Buffers that peers hold: all of the shard's but the log's bodies and the verify queue's. */
uint64_t stage_peer_buffers(const struct stage *st, unsigned shard);

/* ---- actors ---- */

/* Hands a session to the shard. o may be NULL. The actor's address stays until stage_free. */
struct actor *actor_join(struct stage *st, const struct actor_options *o);
/* The peer's struct in the shard; NULL before it is adopted and after it is closed. */
struct mr_peer *actor_peer(struct actor *a);
/* The Status that agrees with the shard's. */
void actor_status_default(const struct actor *a, struct mr_eth_status *out);
void actor_send_status(struct actor *a, const struct mr_eth_status *status); /* NULL: default */
/* Joins, exchanges Status, and settles: an active peer with an empty book. */
struct actor *actor_up(struct stage *st, const struct actor_options *o);
static inline struct actor *actor_new(struct stage *st)
{
    return actor_up(st, NULL);
}

/* Bytes as they are; frame data sealed; messages by id. Nothing moves before the next turn. */
void actor_send_bytes(struct actor *a, const void *p, size_t n);
void actor_send_frame(struct actor *a, struct mr_span frame_data);
void actor_send_base(struct actor *a, uint8_t id, struct mr_span payload);
void actor_send_eth(struct actor *a, uint8_t id, struct mr_span payload);
void actor_send_wire(struct actor *a, uint64_t wire_id, struct mr_span payload);
/* The first n wire bytes of a frame that claims size bytes of zeros as its data; nothing may be
 * sealed behind it. Returns what it would take in all. */
size_t actor_send_claim(struct actor *a, uint32_t size, size_t n);
/* Seals without sending: into *out (free it), n bytes. */
uint8_t *actor_seal(struct actor *a, struct mr_span frame_data, size_t *n);
/* Ends its side of the connection behind what it has sent. */
void actor_hang_up(struct actor *a);

/* The i-th message with this id, NULL if there are not so many. */
const struct heard *actor_heard(const struct actor *a, bool is_eth, uint8_t id, uint32_t i);
uint32_t actor_heard_count(const struct actor *a, bool is_eth, uint8_t id);
struct mr_span actor_payload(const struct actor *a, const struct heard *h);
void actor_forget(struct actor *a);

/* ---- transactions ---- */

struct sample_tx {
    struct mr_hash hash;
    struct mr_address sender;
    uint8_t type;
    uint32_t size;       /* as announced */
    struct mr_span raw;  /* consensus or network form */
    struct mr_span item; /* as an element of a message */
};
/* A transfer of account `who`; its fee cap is 30 gwei and its tip 1 gwei times price. */
void stage_tx(struct stage *st, struct sample_tx *out, uint32_t who, uint64_t nonce);
struct sample_tx_options {
    uint32_t who;
    uint64_t nonce;
    uint8_t type;        /* 0 to 4 */
    uint32_t data_bytes; /* of calldata */
    unsigned price;      /* 0: 1 */
    unsigned blobs;
    uint64_t chain_id; /* 0: the network's */
};
void stage_tx_make(struct stage *st, struct sample_tx *out, const struct sample_tx_options *o);

void actor_send_txs(struct actor *a, const struct sample_tx *txs, size_t n);
void actor_announce(struct actor *a, const struct sample_tx *txs, size_t n);
void actor_announce_as(struct actor *a, const struct mr_hash *hashes, const uint8_t *types,
                       const uint32_t *sizes, size_t n);
void actor_ask(struct actor *a, uint64_t request_id, const struct mr_hash *hashes, size_t n);
/* PooledTransactions. */
void actor_answer(struct actor *a, uint64_t request_id, const struct sample_tx *txs, size_t n);
/* The i-th GetPooledTransactions heard: its id, and its hashes (up to max); false: none such. */
bool actor_asked(const struct actor *a, uint32_t i, uint64_t *request_id, struct mr_hash *hashes,
                 size_t max, size_t *n);

/* How often a hash came in Transactions, in announcements, in answers. */
struct deliveries {
    uint32_t bodies, announced, answered;
};
struct deliveries actor_got(const struct actor *a, const struct mr_hash *hash);
/* Hashes in the order in which they came: bodies and announcements, message by message. */
struct delivery {
    struct mr_hash hash;
    uint32_t message; /* index of the message in the book */
    uint32_t size;    /* announced, or of the body */
    uint8_t type;
    bool body;
    bool answered; /* in PooledTransactions: not among actor_deliveries */
};
size_t actor_deliveries(const struct actor *a, struct delivery *out, size_t max);
/* Hashes of the answer h. */
size_t actor_answer_read(const struct actor *a, const struct heard *h, uint64_t *request_id,
                         struct mr_hash *hashes, size_t max);
