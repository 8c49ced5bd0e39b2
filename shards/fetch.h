/* fetch.h: announced hashes that we do not have: who offered them, whom we asked, when to ask the
 * next. One request a peer, in its announcement order; zero wait before the first question.
 * With several shards: hints (CLAIM, RELEASE, REFUSED), never locks (design.md section 5).
 * Pure: asks through callbacks of the shard. Thread: its shard. Memory: allocated at init. */
#pragma once
#include "core/base.h"
#include "core/random.h"
#include "shards/options.h"
#include "shards/seen.h"

#define MR_FETCH_VARIANTS   3
#define MR_FETCH_HASHES_MAX 256          /* of one GetPooledTransactions */
#define MR_FETCH_BYTES_MAX  (128 * 1024) /* announced sizes of one request */
#define MR_FETCH_SIZE_ANY   UINT32_MAX   /* of a source whose own word on it is lost */

/* What a delivered transaction is compared with. */
enum mr_fetch_delivery {
    MR_FETCH_DELIVERED,     /* as announced by the one who sent it */
    MR_FETCH_UNKNOWN,       /* not asked of this peer in this request */
    MR_FETCH_SETTLED,       /* asked of it, but it came in another way meanwhile */
    MR_FETCH_WRONG_VARIANT, /* its sender announced another type or size (over 8 bytes off) */
};

struct mr_fetch; /* opaque: entries, variants with source bitmaps, per-peer order, requests */

struct mr_fetch_request { /* one GetPooledTransactions to send */
    uint64_t id;
    uint32_t count;
    struct mr_hash hashes[MR_FETCH_HASHES_MAX];
};

struct mr_fetch_hooks {
    void *ctx;
    /* Peer slot has a request to send now: the shard's flush calls mr_fetch_take_request. */
    void (*ready)(void *ctx, uint32_t slot);
    /* Hints for the other shards; never called with one shard. */
    void (*hint)(void *ctx, unsigned mail_kind, const struct mr_hash *hash, uint64_t a);
    /* Sources of a variant that proved wrong: each is a liar. Not so for the size of a blob
     * transaction: its hash does not cover the sidecar, and what was delivered is not checked. */
    void (*liar)(void *ctx, uint32_t slot);
};

struct mr_fetch_counters {
    uint64_t over_limit, table_full, fourth_variant, timeouts, gave_up;
};

struct mr_fetch *mr_fetch_new(const struct mr_relay_options *o, uint32_t slots, unsigned self,
                              unsigned shards, struct mr_seen *seen,
                              const struct mr_fetch_hooks *hooks, struct mr_random *random);
void mr_fetch_free(struct mr_fetch *f);
/* A peer came (idle, nothing announced) or left (its sources are cleared; what it was asked goes to
 * the next source). */
void mr_fetch_peer_add(struct mr_fetch *f, uint32_t slot);
void mr_fetch_peer_remove(struct mr_fetch *f, uint32_t slot);
/* slot announces hash, not known otherwise (seen: none, or ANNOUNCED). Over a limit: counted and
 * ignored. */
void mr_fetch_announced(struct mr_fetch *f, uint32_t slot, const struct mr_hash *hash, uint8_t type,
                        uint32_t size, uint64_t now_ms);
/* Whether slot has a request waiting; fills it, marks its hashes asked and starts its deadline.
 * False when there is nothing to ask of it now. */
bool mr_fetch_take_request(struct mr_fetch *f, uint32_t slot, struct mr_fetch_request *out,
                           uint64_t now_ms);
/* An answer with this id came from slot: MR_OK and how many hashes it may hold, and from here to
 * mr_fetch_answer_end it cannot be late; MR_AGAIN: one that timed out before (ignore it);
 * MR_INVALID: never asked, or answered already (breach). */
enum mr_err mr_fetch_answer_begin(struct mr_fetch *f, uint32_t slot, uint64_t id, uint32_t *asked);
/* One item of that answer: was it asked for, and is it as announced? On DELIVERED or WRONG the
 * entry is taken out; sources gets the union of all its sources' bits (one a slot) for the known-by
 * row. */
enum mr_fetch_delivery mr_fetch_delivered(struct mr_fetch *f, uint32_t slot,
                                          const struct mr_hash *hash, uint8_t type, uint32_t size,
                                          uint64_t *sources, uint64_t now_ms);
/* One item of that answer that needs no asking about, because it is known: it counts as an item. */
void mr_fetch_met(struct mr_fetch *f, uint32_t slot, const struct mr_hash *hash);
/* The answer is over: what it lacked goes to the next source, but for what was asked behind its
 * last item: answers end where they would become too long, and the rest is asked of the same peer.
 */
void mr_fetch_answer_end(struct mr_fetch *f, uint32_t slot);
/* hash arrived in another way (broadcast, another shard) or was refused: forget it; sources as
 * above (may be NULL). False: it was not here. */
bool mr_fetch_settle(struct mr_fetch *f, const struct mr_hash *hash, uint64_t *sources,
                     uint64_t now_ms);
/* A hint came from another shard. */
void mr_fetch_hint(struct mr_fetch *f, unsigned from, unsigned mail_kind,
                   const struct mr_hash *hash, uint64_t a, uint64_t now_ms);
/* Deadlines. Call once a turn. */
void mr_fetch_advance(struct mr_fetch *f, uint64_t now_ms);
uint64_t mr_fetch_next_ms(const struct mr_fetch *f);
uint32_t mr_fetch_length(const struct mr_fetch *f);
uint64_t mr_fetch_announced_total(const struct mr_fetch *f);
const struct mr_fetch_counters *mr_fetch_count(const struct mr_fetch *f);
