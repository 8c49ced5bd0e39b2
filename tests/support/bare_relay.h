/* bare_relay.h: shards on rings without a dispatcher: the test's thread plays its part, makes
 * both ends of a session by itself and hands one over. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "shards/worker.h"
#include "tests/support/client.h"

#define RELAY_SHARDS    4
#define RELAY_HANDOVERS 256
#define LOOPBACK        0x7f000001u

struct relay {
    unsigned shards;
    struct mr_relay_options options;
    struct mr_worker_options worker; /* as mr_worker_options_default gives them, then the test's */
    struct mr_secp *secp;
    struct mr_secp_keypair key;
    const struct mr_network *network;
    struct mr_mesh *mesh;
    struct mr_wake_table wake;
    struct mr_worker *workers[RELAY_SHARDS];
    struct mr_stack home;
    struct mr_handover handovers[RELAY_HANDOVERS];
    uint32_t handed;
    uint64_t serial;
    int event;            /* wakes us */
    struct mr_ring *ring; /* to wake shards from */
    bool running;
    bool has_stopped; /* the test has stopped it and taken the mail about it */
    /* mail received, counted */
    uint32_t active, closed, stopped;
    uint64_t last_closed; /* serial */
    enum mr_closed_reason last_reason;
};

/* Options may be changed between the two. */
void relay_init(struct relay *r, unsigned shards);
void relay_start(struct relay *r);
/* Disconnect 8 to all, join, free. */
void relay_stop(struct relay *r);

/* A session on shard `shard`, Status not yet exchanged. Gives its serial. */
uint64_t relay_connect(struct relay *r, struct mr_client *c, unsigned shard, uint64_t key_seed);
/* And Status. */
uint64_t relay_peer(struct relay *r, struct mr_client *c, unsigned shard, uint64_t key_seed);
/* Takes mail for the dispatcher until *counter (a field above) is n. */
void relay_wait(struct relay *r, const uint32_t *counter, uint32_t n);
void relay_send(struct relay *r, unsigned shard, const struct mr_mail *mail);

/* The sum of a shard metric, and of a worker metric, over all shards. */
uint64_t relay_sum(const struct relay *r, const char *metric);
/* Waits until that sum is n or more (5 s). */
void relay_await(struct relay *r, const char *metric, uint64_t n);

/* A valid transaction of the network's chain, by a sender named by seed. */
struct sample {
    uint8_t raw[1024];
    size_t n;
    struct mr_hash hash;
};
void sample_make(struct sample *s, const struct relay *r, uint64_t sender_seed, uint64_t nonce);
/* How many of these transactions reach c within timeout_ms, in full, or announced and then fetched.
 * Ends early when all are there, or when c gets something that it should not. */
size_t samples_arrive(struct mr_client *c, const struct sample *s, size_t n, int timeout_ms);
bool sample_arrives(struct mr_client *c, const struct sample *s, int timeout_ms);
