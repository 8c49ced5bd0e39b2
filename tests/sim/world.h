/* world.h: a simulation: relays, scripted peers, the transactions that exist, and the rules that
 * every delivery is held against:
 *   - a peer hears of a transaction once: in full, or by an announcement that it fetches from
 *   - never of one that it had sent or announced itself, when the relay had read that
 *   - no hash twice in one message
 *   - what one peer sent leaves in that order to every other peer of the same relay
 *   - types and sizes announced are true; what was announced can be fetched
 * Thread: one. Memory: malloc. */
#pragma once
#include "core/map.h"
#include "net/eth/tx.h"
#include "tests/sim/relay.h"

#define SIM_RELAYS_MAX 2
#define SIM_PEERS_MAX  64
#define SIM_TXS_MAX    4096

struct sim_peer;

/* Who answers calls to an address. */
typedef void sim_arrives_fn(void *ctx, int end, struct mr_endpoint from);

struct sim_tx {
    struct mr_hash hash;
    uint8_t *raw; /* type || payload, or a legacy list; blob transactions in network form */
    size_t n;
    uint8_t type;
    uint32_t size;         /* as announced */
    uint32_t sources;      /* peers that sent or announced it */
    struct sim_peer *from; /* the first of them */
    uint64_t order;        /* among those that from sent in full */
    uint64_t born_ns;
};

struct sim_world {
    struct sim sim;
    struct sim_net net;
    struct mr_secp *secp;
    const struct mr_network *network;
    struct sim_relay *relays[SIM_RELAYS_MAX];
    unsigned relays_count;
    struct sim_peer *peers[SIM_PEERS_MAX];
    unsigned peers_count;
    struct sim_listener {
        struct mr_endpoint at;
        sim_arrives_fn *fn;
        void *ctx;
    } listeners[SIM_PEERS_MAX];
    unsigned listeners_count;
    struct sim_tx txs[SIM_TXS_MAX];
    unsigned txs_count;
    struct mr_map by_hash;
    uint64_t seed;
    unsigned violations;
    char violation[256]; /* the first one */
};

/* Heap: it is large. */
struct sim_world *sim_world_new(uint64_t seed);
/* Frees everything, relays included (which asserts that all buffers came home). */
void sim_world_free(struct sim_world *w);
struct sim_relay *sim_world_relay(struct sim_world *w, const struct mr_relay_options *options,
                                  bool blobs);
/* The same with the real dispatcher, which listens. */
struct sim_relay *sim_world_relay_whole(struct sim_world *w,
                                        const struct mr_relay_options *options);
void sim_world_listen(struct sim_world *w, struct mr_endpoint at, sim_arrives_fn *fn, void *ctx);
/* Calls `to`, from: told of the end of the connection when it is made, or of -1. */
typedef void sim_dialled_fn(void *ctx, uint64_t tag, int end);
void sim_world_dial(struct sim_world *w, struct mr_endpoint from, struct mr_endpoint to,
                    sim_dialled_fn *fn, void *ctx, uint64_t tag);
/* relay `from` dials relay `to`; the visitors on both sides, if wanted. */
void sim_world_link(struct sim_world *w, struct sim_relay *from, struct sim_relay *to,
                    const struct sim_profile *profile, struct sim_visitor **dialler,
                    struct sim_visitor **listener);
/* A new valid transaction of a new account. */
struct sim_tx *sim_world_tx(struct sim_world *w);
/* One with data of so many bytes. */
struct sim_tx *sim_world_tx_sized(struct sim_world *w, size_t data);
struct sim_tx *sim_world_tx_blob(struct sim_world *w, unsigned blobs);
struct sim_tx *sim_world_find(struct sim_world *w, const struct mr_hash *hash);
void sim_world_run(struct sim_world *w, uint64_t ns); /* so much longer */
void sim_violation(struct sim_world *w, const char *format, ...) MR_PRINTF(2, 3);
/* A profile drawn from the seed: 0.2 to 120 ms, 1 to 100 MB/s, any cuts. */
struct sim_profile sim_world_profile(struct sim_world *w);
