#include "core/map.h"

#include <stdlib.h>

#include "core/siphash.h"

#define NONE UINT32_MAX

static uint32_t hash_of(const struct mr_map *m, const void *key)
{
    uint64_t h = mr_load_le64(key);

#ifndef MR_SABOTAGE_F_14
    h = m->key_len == 32 ? mr_siphash_32(m->key, key) : mr_siphash(m->key, key, m->key_len);
#endif
    return (uint32_t)h ? (uint32_t)h : 1; /* 0 marks a free slot */
}

static uint8_t *key_at(const struct mr_map *m, uint32_t i)
{
    return m->keys + (size_t)i * m->key_len;
}

/* How far the entry in slot i sits from where its hash wants it. */
static uint32_t distance(const struct mr_map *m, uint32_t i)
{
    return (i - m->hashes[i]) & m->mask;
}

static void count_probes(struct mr_map *m, uint64_t n)
{
    m->probes += n;
    m->probes_max = MR_MAX(m->probes_max, n);
}

static void move_entry(struct mr_map *m, uint32_t to, uint32_t from)
{
    m->hashes[to] = m->hashes[from];
    m->values[to] = m->values[from];
    memcpy(key_at(m, to), key_at(m, from), m->key_len);
}

/* The slot of key, or NONE; then *place is where it belongs: free, or held by an entry that sits
 * nearer to its home (robin hood: entries along a run are ordered by home, so the search ends
 * there). */
static uint32_t lookup(struct mr_map *m, uint32_t *place, uint64_t *steps, uint32_t hash,
                       const void *key)
{
    uint32_t i = hash & m->mask;

    for (uint32_t d = 0;; d++, i = (i + 1) & m->mask) {
        ++*steps;
        if (m->hashes[i] == 0 || distance(m, i) < d)
            break;
        if (m->hashes[i] == hash && memcmp(key_at(m, i), key, m->key_len) == 0)
            return i;
    }
    *place = i;
    return NONE;
}

static uint32_t find_slot(struct mr_map *m, const void *key)
{
    uint64_t steps = 0;
    uint32_t place, i = lookup(m, &place, &steps, hash_of(m, key), key);

    count_probes(m, steps);
    return i;
}

enum mr_err mr_map_init(struct mr_map *m, uint32_t capacity, uint32_t key_len,
                        const uint64_t key[2])
{
    size_t slots = 8;

    MR_ASSERT(capacity > 0);
    MR_ASSERT(capacity <= MR_MAP_CAPACITY_MAX);
    MR_ASSERT(key_len == 32 || key_len == 64);
    while (slots * 3 / 4 < capacity)
        slots *= 2;
    *m = (struct mr_map){.key = {key[0], key[1]},
                         .capacity = capacity,
                         .mask = (uint32_t)(slots - 1),
                         .key_len = key_len,
                         .hashes = calloc(slots, sizeof *m->hashes),
                         .values = calloc(slots, sizeof *m->values),
                         .keys = calloc(slots, key_len)};
    if (m->hashes && m->values && m->keys)
        return MR_OK;
    mr_map_fini(m);
    return MR_SYSTEM;
}

void mr_map_fini(struct mr_map *m)
{
    free(m->hashes);
    free(m->values);
    free(m->keys);
    *m = (struct mr_map){0};
}

bool mr_map_find(struct mr_map *m, uint32_t *value, const void *key)
{
    uint32_t i = find_slot(m, key);

    if (i == NONE)
        return false;
    if (value)
        *value = m->values[i];
    return true;
}

enum mr_err mr_map_put(struct mr_map *m, const void *key, uint32_t value)
{
    uint32_t hash = hash_of(m, key), place, end;
    uint64_t steps = 0;

    if (lookup(m, &place, &steps, hash, key) != NONE) {
        count_probes(m, steps);
        return MR_EXISTS;
    }
    if (m->count == m->capacity) {
        count_probes(m, steps);
        m->full++;
        return MR_FULL;
    }
    /* The run from place on moves by one. */
    for (end = place; m->hashes[end] != 0; end = (end + 1) & m->mask)
        steps++;
    for (; end != place; end = (end - 1) & m->mask)
        move_entry(m, end, (end - 1) & m->mask);
    m->hashes[place] = hash;
    m->values[place] = value;
    memcpy(key_at(m, place), key, m->key_len);
    m->count++;
    count_probes(m, steps);
    return MR_OK;
}

enum mr_err mr_map_replace(struct mr_map *m, const void *key, uint32_t value)
{
    uint32_t i = find_slot(m, key);

    if (i == NONE)
        return MR_NOT_FOUND;
    m->values[i] = value;
    return MR_OK;
}

bool mr_map_remove(struct mr_map *m, const void *key)
{
    uint32_t i = find_slot(m, key), next;

    if (i == NONE)
        return false;
    /* The rest of the run moves back, up to an entry that is at home. */
    for (;; i = next) {
        next = (i + 1) & m->mask;
        if (m->hashes[next] == 0 || distance(m, next) == 0)
            break;
        move_entry(m, i, next);
    }
    m->hashes[i] = 0;
    m->count--;
    return true;
}

void mr_map_clear(struct mr_map *m)
{
    memset(m->hashes, 0, ((size_t)m->mask + 1) * sizeof *m->hashes);
    m->count = 0;
}
