/* seen.h: every transaction hash that was heard of or judged: the one probe per hash.
 * 16 bytes an entry: keyed 64-bit fingerprint, state, time, index. Buckets of 8; the oldest GONE or
 * REFUSED entry of a full bucket leaves first (design.md section 4, "seen").
 * Thread: its shard. Memory: allocated at init. */
#pragma once
#include "core/base.h"
#include "core/random.h"

enum mr_seen_state {
    MR_SEEN_NONE = 0,
    MR_SEEN_ANNOUNCED, /* index: fetch entry (announced, asked, or waiting for another shard) */
    MR_SEEN_VERIFYING, /* index: verify entry */
    MR_SEEN_HELD,      /* index: log entry */
    MR_SEEN_GONE,      /* was relayed and left the log: known by all */
    MR_SEEN_REFUSED,   /* breaks a rule that its hash commits to; until `until_s` */
};

struct mr_seen_entry {
    uint64_t fingerprint; /* 0: empty */
    uint32_t time_s;      /* mono: when the state was entered; REFUSED: when it expires */
    uint32_t state : 3, index : 29;
};
_Static_assert(sizeof(struct mr_seen_entry) == 16, "four entries a line");

struct mr_seen {
    struct mr_seen_entry *entries;
    uint32_t buckets_mask;
    uint64_t key[2];
    uint64_t evicted, full; /* counters */
};

/* entries: a power of two >= 64. False without memory. */
bool mr_seen_init(struct mr_seen *s, uint32_t entries, struct mr_random *random);
void mr_seen_fini(struct mr_seen *s);
/* The entry of hash, or NULL. A REFUSED entry past its expiry is NULL (and cleared). The pointer
 * holds until the next put. */
struct mr_seen_entry *mr_seen_find(struct mr_seen *s, const struct mr_hash *hash, uint32_t now_s);
/* Finds or makes the entry; NULL when its bucket holds live entries only (counted in full). */
struct mr_seen_entry *mr_seen_put(struct mr_seen *s, const struct mr_hash *hash,
                                  enum mr_seen_state state, uint32_t index, uint32_t time_s);
/* Forgets the hash (e.g. nobody delivered it). */
void mr_seen_remove(struct mr_seen *s, const struct mr_hash *hash);
