/* options.h: every limit and rate of the relay, in one place, so that a load run, a test or a
 * simulation can change any of them. node/run_options.c fills them from flags; defaults are set by
 * mr_relay_options_default. Constant after start: any thread reads them. */
#pragma once
#include "core/base.h"

#define MR_SHARDS_MAX 60 /* a bit each in the wake word, beside dispatcher and services */

struct mr_relay_options {
    /* who may connect */
    uint32_t shards;
    uint32_t maxpeers;                 /* sessions that are neither static nor trusted */
    uint32_t maxpendpeers;             /* handshakes in progress */
    uint32_t handshake_budget_percent; /* of one core; over it sockets wait */
    bool loopback_is_public;           /* per-address rules hold on 127.0.0.0/8 too (tests) */
    uint32_t per_address_pending;      /* handshakes in progress from one address */
    uint64_t inbound_throttle_ns;      /* a second inbound connection of one address: 30 s */
    uint64_t redial_ns;                /* of one node: never sooner than 35 s */

    /* timeouts, all in ns */
    uint64_t handshake_timeout_ns, status_timeout_ns;
    uint64_t ping_after_ns, gone_after_ns;
    uint64_t frame_timeout_ns;   /* from a frame's first byte to its last */
    uint64_t write_timeout_ns;   /* a send in flight without progress */
    uint64_t request_timeout_ns; /* our GetPooledTransactions, GetBlockHeaders */

    /* memory */
    uint64_t pool_bytes, blob_pool_bytes; /* bodies held */
    uint32_t log_entries;                 /* power of two */
    uint32_t seen_entries;                /* power of two */
    uint32_t fetch_entries;
    uint32_t verify_entries;
    uint32_t announced_per_peer; /* announced and not fetched: 4,096 */
    uint64_t gather_bytes;       /* frames over 64 KiB being received, all peers of a shard */
    uint64_t send_bytes;         /* sealed and in flight, all peers of a shard */
    uint32_t arena_bytes;        /* one inflated message */

    /* relay policy (design.md section 6) */
    uint32_t peer_tx_per_s, peer_tx_burst;
    uint64_t peer_bytes_per_s, peer_bytes_burst;
    uint32_t recovery_percent;    /* of a core, for signature recovery */
    uint32_t recoveries_per_turn; /* 32 */
    uint32_t sender_tx_per_s, sender_tx_burst;
    uint32_t sender_blob_per_s, sender_blob_burst;
    uint32_t replacements_per_minute;
    uint32_t price_bump_percent, blob_price_bump_percent; /* of a replacement: 10, 100 */
    uint32_t peer_pool_share;   /* no peer owns more than one part in so many of the pool: 8 */
    uint32_t doubtful_per_s;    /* whole node: each shard has its part; 0: none */
    uint32_t body_max;          /* larger ones are announced only: 4,096 */
    uint64_t blob_upload_per_s; /* whole node: see blob_upload.h */
    uint64_t fresh_ns;          /* a new peer hears what is younger: 24 s */
    uint64_t bodies_keep_ns;    /* what leaves younger is counted: 5 min */
    uint32_t sealed_per_turn;   /* bytes: 2 MiB */
    uint32_t sends_per_turn;    /* 512: with what the kernel takes for each, 2 ms */
    uint32_t busy_poll_us;      /* a shard looks for work so long before it sleeps: 0 */
    uint32_t answer_max;        /* bytes of one answer of ours: 128 KiB */
    uint64_t head_poll_ns;      /* GetBlockHeaders after our head: once a slot */
};

void mr_relay_options_default(struct mr_relay_options *o);
/* Small capacities for simulations of many nodes in one process. */
void mr_relay_options_tiny(struct mr_relay_options *o);
/* Sessions that every shard has room for: all that may exist, and some that are on their way out,
 * waiting for the sweep of their column. */
uint32_t mr_relay_slots(const struct mr_relay_options *o);
/* Checks relations (powers of two, bounds); false with one sentence in why. */
bool mr_relay_options_check(const struct mr_relay_options *o, char *why, size_t why_cap);
