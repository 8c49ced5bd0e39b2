#include "shards/seen.h"

#include <stdlib.h>

#include "core/siphash.h"

#define BUCKET 8

_Static_assert(BUCKET * sizeof(struct mr_seen_entry) == 2 * MR_CACHELINE, "two lines a probe");

bool mr_seen_init(struct mr_seen *s, uint32_t entries, struct mr_random *random)
{
    MR_ASSERT(entries >= 64);
    MR_ASSERT((entries & (entries - 1)) == 0);
    *s = (struct mr_seen){.buckets_mask = entries / BUCKET - 1};
    s->key[0] = mr_random_u64(random);
    s->key[1] = mr_random_u64(random);
    s->entries = aligned_alloc(MR_CACHELINE, entries * sizeof *s->entries);
    if (!s->entries)
        return false;
    memset(s->entries, 0, entries * sizeof *s->entries);
    return true;
}

void mr_seen_fini(struct mr_seen *s)
{
    free(s->entries);
    s->entries = NULL;
}

static uint64_t fingerprint_of(const struct mr_seen *s, const struct mr_hash *hash)
{
    uint64_t f = mr_siphash_32(s->key, hash->b);

    return f ? f : 1; /* 0 marks an empty entry */
}

static struct mr_seen_entry *bucket_of(const struct mr_seen *s, uint64_t fingerprint)
{
    return s->entries + (size_t)(fingerprint & s->buckets_mask) * BUCKET;
}

static struct mr_seen_entry *lookup(const struct mr_seen *s, uint64_t fingerprint)
{
    struct mr_seen_entry *b = bucket_of(s, fingerprint);

    for (unsigned i = 0; i < BUCKET; i++)
        if (b[i].fingerprint == fingerprint)
            return &b[i];
    return NULL;
}

struct mr_seen_entry *mr_seen_find(struct mr_seen *s, const struct mr_hash *hash, uint32_t now_s)
{
    struct mr_seen_entry *e = lookup(s, fingerprint_of(s, hash));

    if (e && e->state == MR_SEEN_REFUSED && now_s >= e->time_s) {
        memset(e, 0, sizeof *e);
        return NULL;
    }
    return e;
}

/* The place for a new entry: an empty one, or the oldest that nothing points into. */
static struct mr_seen_entry *victim(struct mr_seen *s, struct mr_seen_entry *bucket)
{
    struct mr_seen_entry *oldest = NULL;

    for (unsigned i = 0; i < BUCKET; i++) {
        struct mr_seen_entry *e = &bucket[i];

        if (e->fingerprint == 0)
            return e;
        if ((e->state == MR_SEEN_GONE || e->state == MR_SEEN_REFUSED) &&
            (!oldest || e->time_s < oldest->time_s))
            oldest = e;
    }
    if (oldest)
        s->evicted++;
    else
        s->full++;
    return oldest;
}

struct mr_seen_entry *mr_seen_put(struct mr_seen *s, const struct mr_hash *hash,
                                  enum mr_seen_state state, uint32_t index, uint32_t time_s)
{
    uint64_t fingerprint = fingerprint_of(s, hash);
    struct mr_seen_entry *e = lookup(s, fingerprint);

    if (!e && !(e = victim(s, bucket_of(s, fingerprint))))
        return NULL;
    *e = (struct mr_seen_entry){.fingerprint = fingerprint,
                                .time_s = time_s,
                                .state = (uint32_t)state & 7,
                                .index = index & 0x1fffffff};
    return e;
}

void mr_seen_remove(struct mr_seen *s, const struct mr_hash *hash)
{
    struct mr_seen_entry *e = lookup(s, fingerprint_of(s, hash));

    if (e)
        memset(e, 0, sizeof *e);
}
