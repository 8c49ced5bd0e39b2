/* shard.h: one shard: a set of peers and everything that they share, as a function of events.
 *
 *   mr_shard_turn(shard, now, events) -> operations through the port
 *
 * A turn: mail, events, unsealing in rounds over all peers, messages, timers, verification, and a
 * flush of the peers that have work and room. It reads no clock and no randomness but its own
 * seeded source, and allocates nothing after mr_shard_new but from its bounded pool.
 *
 * Files: shard.c the turn; peer.c sessions coming and going; receive.c bytes to messages; message.c
 * messages to actions; transactions.c the relay's way in; flush.c the way out; answer.c what peers
 * ask for; follow.c the head. Thread: the shard's own, but for what says any thread. */
#pragma once
#include "core/base.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/histogram.h"
#include "core/map.h"
#include "core/random.h"
#include "core/wheel.h"
#include "crypto/secp.h"
#include "net/eth/network.h"
#include "shards/admit.h"
#include "shards/fetch.h"
#include "shards/head.h"
#include "shards/mailbox.h"
#include "shards/metrics.h"
#include "shards/options.h"
#include "shards/peer.h"
#include "shards/policy.h"
#include "shards/ports.h"
#include "shards/seen.h"
#include "shards/txlog.h"

struct mr_shard_setup {
    const struct mr_relay_options *options;
    const struct mr_network *network;
    const struct mr_secp *secp;
    struct mr_mesh *mesh;
    struct mr_shard_port port;
    unsigned self;                        /* index */
    uint64_t seed;                        /* of this shard's random source */
    uint64_t boot_key[2];                 /* the same on all shards: body choice, tables */
    const char *client;                   /* our client name, for logs */
    struct mr_node_id id;                 /* our own */
    const struct mr_shard_policy *policy; /* NULL: the relay of eth */
    struct mr_time now;
};

/* In microseconds; 2 digits, so that a value is told to 1%. A shard knows the time at which its
 * turn began and no other: 0 is "within one turn", and turn_us of the worker says how long those
 * are. */
#define MR_SHARD_HISTOGRAM_MAX_US UINT64_C(60000000)
struct mr_shard_histograms {
    struct mr_histogram tx_verify_us; /* a transaction's last byte read, to accepted */
    struct mr_histogram tx_relay_us;  /* accepted, to sealed for a peer: a value a delivery */
};

struct mr_shard; /* shards/shard_state.h, for the files named above only */

/* NULL without memory, with one sentence in why. */
struct mr_shard *mr_shard_new(const struct mr_shard_setup *setup, char *why, size_t why_cap);
/* Before free, when there are several shards and their threads have ended: puts every buffer that s
 * holds, others' among them. Then free each. */
void mr_shard_let_go(struct mr_shard *s);
void mr_shard_free(struct mr_shard *s);
/* One turn. Returns when the next one is wanted at the latest (mono ns): now or earlier means at
 * once. events may be empty. */
uint64_t mr_shard_turn(struct mr_shard *s, struct mr_time now, const struct mr_shard_event *events,
                       size_t n);
/* After MR_MAIL_STOP: no peer is left. */
bool mr_shard_stopped(const struct mr_shard *s);

/* Any thread. */
const struct mr_shard_metrics *mr_shard_metrics(const struct mr_shard *s);
/* To be merged from, at any time until free. */
const struct mr_shard_histograms *mr_shard_histograms(const struct mr_shard *s);
/* How often each verdict on a transaction was given; until let_go. */
const uint64_t *mr_shard_verdicts(const struct mr_shard *s);
