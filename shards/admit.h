/* admit.h: from a received item to an accepted transaction: cheap checks, the peer's buckets, the
 * verify queue (fair over peers, in order within one), signature recovery in slices, blob proofs
 * through the service, then the relay policy (design.md sections 5 and 6).
 * A verdict is stored against a hash only for faults that the hash commits to.
 * Thread: its shard. Memory: allocated at init. */
#pragma once
#include "core/base.h"
#include "core/bucket.h"
#include "core/buffer.h"
#include "core/random.h"
#include "crypto/secp.h"
#include "net/eth/network.h"
#include "net/eth/rules.h"
#include "net/eth/tx.h"
#include "net/eth/tx_check.h"
#include "shards/metrics.h"
#include "shards/options.h"
#include "shards/seen.h"
#include "shards/txmeta.h"

/* What the head says of what may enter a block now; without a head: known = false. */
struct mr_admit_head {
    bool known;
    uint64_t gas_limit;
    struct mr_u256 base_fee;
    bool has_base_fee;
};

enum mr_admit_result {
    MR_ADMIT_QUEUED,  /* in the verify queue, or with the blob service */
    MR_ADMIT_DROPPED, /* counted; the sender is not at fault in a way that costs it the session */
    MR_ADMIT_INVALID, /* breaks a rule; refused in seen when the hash commits to it */
    MR_ADMIT_BREACH,  /* the sender must go (e.g. a bad sidecar) */
    MR_ADMIT_FULL,    /* verify queue full: pause the peer, offer the item again later */
};

struct mr_admit; /* opaque */

struct mr_admit_hooks {
    void *ctx;
    /* Accepted: buf is the stored form (one holder, passed on), known its sources' bits. The shard
     * publishes it to the other shards, then appends it to its log. */
    void (*accepted)(void *ctx, struct mr_buf *buf, const uint64_t *known);
    /* Refused after queueing. hash_fault: stored in seen as refused; else the fault was slot's
     * alone (breach: it must go), seen forgets the hash, and its other sources (known) may be
     * asked.
     */
    void (*refused)(void *ctx, const struct mr_txmeta *meta, uint32_t slot, uint32_t generation,
                    const uint64_t *known, bool hash_fault, bool breach);
    /* Snappy fragment of an item (net/rlpx/snappy.h): into out[cap]; bytes written. */
    size_t (*fragment)(void *ctx, uint8_t *out, size_t cap, struct mr_span item);
    /* Gives a blob transaction to the proofs' service; false: its queue is full. */
    bool (*blob_check)(void *ctx, struct mr_buf *network_form, uint64_t ticket);
    /* Room to publish n more transactions to the other shards? */
    bool (*room)(void *ctx, uint32_t n);
};

struct mr_admit *mr_admit_new(const struct mr_relay_options *o, const struct mr_network *network,
                              const struct mr_secp *secp, uint32_t slots, struct mr_seen *seen,
                              struct mr_buf_pool *pool, struct mr_shard_metrics *metrics,
                              unsigned self, const struct mr_admit_hooks *hooks,
                              struct mr_random *random);
void mr_admit_free(struct mr_admit *a);
void mr_admit_peer_add(struct mr_admit *a, uint32_t slot, uint32_t generation, bool trusted,
                       uint64_t now_ns);
/* Its queued transactions stay: they were received. */
void mr_admit_peer_remove(struct mr_admit *a, uint32_t slot);
/* Rules in force: head or NULL, wall clock. Call when the head moves and once a second. */
void mr_admit_set_head(struct mr_admit *a, const struct mr_admit_head *head, uint64_t head_number,
                       uint64_t head_time_s, uint64_t wall_s);
void mr_admit_blobs_ready(struct mr_admit *a, bool ready);
/* Offers one decoded wire item with its hash, not in seen otherwise (or ANNOUNCED: settled by the
 * caller before). sources: bits of peers known to have it (slot's own included), copied. */
enum mr_admit_result mr_admit_offer(struct mr_admit *a, uint32_t slot, uint32_t generation,
                                    const struct mr_tx *tx, struct mr_span item,
                                    const struct mr_hash *hash, const uint64_t *sources,
                                    uint64_t now_ns);
/* A duplicate of what is being verified: adds slot to its sources. */
void mr_admit_source(struct mr_admit *a, uint32_t index, uint32_t slot);
/* to is the same node as from, in a new session: it has what came from there. */
void mr_admit_copy_source(struct mr_admit *a, uint32_t to, uint32_t from);
/* What is being verified under this index came from another shard, judged: it is not judged here
 * again. sources gets its sources' bits. False: another hash, or nothing, is there. */
bool mr_admit_settle(struct mr_admit *a, uint32_t index, const struct mr_hash *hash,
                     uint64_t *sources);
/* One that another shard has accepted counts for its account's rate and nonce here as well. */
void mr_admit_note(struct mr_admit *a, const struct mr_txmeta *meta, uint64_t now_ns);
/* When slot's buckets allow it to be read again: 0 = now. Charges are made by offer (one tx) and
 * by mr_admit_charge (bytes received). */
void mr_admit_charge(struct mr_admit *a, uint32_t slot, uint64_t bytes, uint64_t now_ns);
uint64_t mr_admit_ready_at(const struct mr_admit *a, uint32_t slot);
/* Verifies up to the turn's budget: at most recoveries_per_turn recoveries, within the node's share
 * of a core (bucket of recoveries, refilled by time), fair over peers. Returns how many were done.
 */
uint32_t mr_admit_verify(struct mr_admit *a, uint64_t now_ns);
/* The service's verdict on a ticket. */
void mr_admit_blob_verdict(struct mr_admit *a, uint64_t ticket, bool ok, bool senders_fault);
/* Work is left for the next turn: when (mono ns; 0 = at once; UINT64_MAX = none). */
uint64_t mr_admit_next_ns(const struct mr_admit *a, uint64_t now_ns);
uint32_t mr_admit_length(const struct mr_admit *a);
/* True while the verify queue has no room for n more: peers are paused then. */
bool mr_admit_full(const struct mr_admit *a, uint32_t n);
/* Whether one more blob transaction of slot, so large, may wait for its proof now. */
bool mr_admit_blob_room(const struct mr_admit *a, uint32_t slot, uint64_t bytes);
/* How often each verdict of net/eth/tx_check.h was given: MR_TX_VERDICTS counters. */
const uint64_t *mr_admit_verdicts(const struct mr_admit *a);
/* Bodies a peer owns in the pool: charged at acceptance, given back when they leave the log or are
 * old enough to leave: a node with few peers must not come to a stop when each has its share. */
void mr_admit_body_left(struct mr_admit *a, const struct mr_txmeta *meta);
