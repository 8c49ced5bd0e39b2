/* txlog.h: what may still be sent: one ring a shard, in order of acceptance. An entry is a stored
 * transaction and a known-by bit for each peer slot. A peer walks it with a cursor; there is no
 * queue per peer. Bodies leave oldest first when their bytes exceed the pool's, blob transactions
 * counted apart; an entry overwritten by a newer one becomes GONE in seen.
 * Thread: its shard. Memory: ring and bitmaps allocated at init; bodies are references. */
#pragma once
#include "core/base.h"
#include "core/bitmap.h"
#include "core/buffer.h"
#include "shards/seen.h"
#include "shards/txmeta.h"

/* This shard's hold on a body that is used by more than the log: large frames that are being sealed
 * from it. They are counted with a plain integer, whatever the number of shards. */
struct mr_txlog_use {
    struct mr_ref ref;   /* the log is one of its users, until the body leaves it */
    struct mr_buf *self; /* holds this struct */
};

struct mr_txlog_entry {
    struct mr_buf *buf;       /* NULL: the body left */
    struct mr_txlog_use *use; /* NULL: nobody but the log has used it */
    uint64_t time_ns;         /* mono, of acceptance */
    uint8_t type, flags;
    bool aged; /* older than keep_ns: it no longer counts for who brought it */
    uint32_t size, size_elided;
    struct mr_hash hash;
    uint64_t sender_sip; /* SipHash(boot key, sender): the half of the body choice that is not the
                            peer */
};

struct mr_txlog {
    struct mr_txlog_entry *ring;
    uint64_t *known;               /* entries x words, a row an entry */
    uint32_t mask;                 /* entries - 1 */
    uint32_t words;                /* of one row */
    uint64_t head, tail;           /* next sequence number; oldest one still there */
    uint64_t body_tail, blob_tail; /* oldest that may hold a body, of either kind */
    uint64_t young;                /* oldest that is not aged */
    uint64_t bytes, blob_bytes, bytes_max, blob_bytes_max;
    uint64_t keep_ns;
    struct mr_seen *seen;
    struct mr_buf_pool *pool;
    uint64_t evicted, evicted_young;
    uint64_t *sweep_mask, *sweep_pending; /* freed slots: of this pass, of the next */
    uint64_t sweep_at;                    /* sequence number reached by the pass in progress */
    bool sweeping;
    /* told once of every body that leaves, or has stayed for keep_ns; may be NULL */
    void (*left)(void *ctx, const struct mr_txmeta *meta);
    void *left_ctx;
};

/* entries: a power of two. False without memory; then call fini. */
bool mr_txlog_init(struct mr_txlog *l, uint32_t entries, uint32_t slots, uint64_t bytes_max,
                   uint64_t blob_bytes_max, uint64_t keep_ns, struct mr_seen *seen,
                   struct mr_buf_pool *pool);
void mr_txlog_fini(struct mr_txlog *l);
/* Appends a transaction (takes the caller's holder of buf); known: bits of peers that have it, or
 * NULL. Marks it HELD in seen. Evicts what exceeds the bounds. Returns its sequence number. */
uint64_t mr_txlog_append(struct mr_txlog *l, struct mr_buf *buf, const uint64_t *known,
                         uint64_t sender_sip, uint64_t now_ns);
static inline struct mr_txlog_entry *mr_txlog_at(const struct mr_txlog *l, uint64_t seq)
{
    return &l->ring[seq & l->mask];
}
static inline uint64_t *mr_txlog_known(const struct mr_txlog *l, uint64_t seq)
{
    return l->known + (size_t)(seq & l->mask) * l->words;
}
/* The entry of a hash that holds a body, or NULL. */
struct mr_txlog_entry *mr_txlog_find(struct mr_txlog *l, const struct mr_hash *hash,
                                     uint32_t now_s);
/* One more user of an entry's body, which stays until mr_txlog_unuse, also when the log drops it
 * meanwhile. NULL without memory. */
MR_MUST_USE struct mr_txlog_use *mr_txlog_use(struct mr_txlog *l, struct mr_txlog_entry *e);
void mr_txlog_unuse(struct mr_txlog *l, struct mr_txlog_use *use);
/* Once a turn: bodies that have stayed for keep_ns are counted for nobody any more (see left). */
void mr_txlog_age(struct mr_txlog *l, uint64_t now_ns);
/* The first sequence number younger than age: where a new peer's cursor starts. */
uint64_t mr_txlog_since(const struct mr_txlog *l, uint64_t now_ns, uint64_t age_ns);
/* to's column becomes from's: a session that takes another's place (two-session rule). */
void mr_txlog_copy_column(struct mr_txlog *l, uint32_t to, uint32_t from);
/* Slot freed: its column is cleared by the sweep, entries_max entries a call; true when no sweep is
 * pending any more (all freed slots may be used again). */
void mr_txlog_sweep_slot(struct mr_txlog *l, uint32_t slot);
bool mr_txlog_sweep(struct mr_txlog *l, uint32_t entries_max);
