/* map.h: bounded hash map from byte keys of one fixed length to a uint32_t (an index, usually).
 * Thread: the owner's. Memory: allocated in init only, load at most 0.75.
 *
 * Open addressing, robin hood order, deletion by shifting back. The hash is SipHash under a secret
 * of the process, because peers choose the keys (attack F-14). */
#pragma once
#include "core/base.h"

#define MR_MAP_CAPACITY_MAX (UINT32_C(1) << 28)

struct mr_map {
    uint64_t key[2];
    uint32_t capacity, count, mask, key_len;
    uint32_t *hashes; /* 0 = free slot */
    uint32_t *values;
    uint8_t *keys;
    /* Slots looked at: by all calls together, and by the worst single one. */
    uint64_t probes, probes_max;
    uint64_t full; /* puts refused */
};

/* Holds up to capacity entries (1 to MR_MAP_CAPACITY_MAX); key_len is 32 or 64.
 * Returns MR_OK or MR_SYSTEM (no memory). */
enum mr_err mr_map_init(struct mr_map *m, uint32_t capacity, uint32_t key_len,
                        const uint64_t key[2]);
void mr_map_fini(struct mr_map *m);

/* Fills *value (may be NULL) when the key is there. */
bool mr_map_find(struct mr_map *m, uint32_t *value, const void *key);
/* Returns MR_OK, MR_EXISTS (the old value stays) or MR_FULL (counted). */
enum mr_err mr_map_put(struct mr_map *m, const void *key, uint32_t value);
/* Gives an entry another value. Returns MR_OK or MR_NOT_FOUND. */
enum mr_err mr_map_replace(struct mr_map *m, const void *key, uint32_t value);
/* Returns true if the key was there. */
bool mr_map_remove(struct mr_map *m, const void *key);
void mr_map_clear(struct mr_map *m);
static inline uint32_t mr_map_count(const struct mr_map *m)
{
    return m->count;
}
