#include "shards/dispatcher_addresses.h"

#include <stdlib.h>

#define NONE UINT32_MAX

/* The map's keys have 32 bytes. */
struct key {
    uint8_t b[32];
};

static struct key key_of(uint32_t ip)
{
    struct key k = {{0}};

    mr_store_be32(k.b, ip);
    return k;
}

enum mr_err mr_addresses_init(struct mr_addresses *a, uint32_t capacity, const uint64_t key[2])
{
    memset(a, 0, sizeof *a);
    a->capacity = capacity;
    a->free_head = a->oldest = a->newest = NONE;
    a->entries = calloc(capacity, sizeof *a->entries);
    if (!a->entries || mr_map_init(&a->by_ip, capacity, sizeof(struct key), key)) {
        free(a->entries);
        memset(a, 0, sizeof *a);
        return MR_SYSTEM;
    }
    for (uint32_t i = capacity; i-- > 0;) {
        a->entries[i].next = a->free_head;
        a->free_head = i;
    }
    return MR_OK;
}

void mr_addresses_fini(struct mr_addresses *a)
{
    if (a->entries)
        mr_map_fini(&a->by_ip);
    free(a->entries);
    memset(a, 0, sizeof *a);
}

static struct mr_address_entry *find(struct mr_addresses *a, uint32_t ip)
{
    struct key k = key_of(ip);
    uint32_t i;

    return mr_map_find(&a->by_ip, &i, k.b) ? &a->entries[i] : NULL;
}

static void idle_append(struct mr_addresses *a, struct mr_address_entry *e)
{
    uint32_t i = (uint32_t)(e - a->entries);

    e->next = NONE;
    e->previous = a->newest;
    if (a->newest != NONE)
        a->entries[a->newest].next = i;
    else
        a->oldest = i;
    a->newest = i;
}

static void idle_remove(struct mr_addresses *a, struct mr_address_entry *e)
{
    if (e->previous != NONE)
        a->entries[e->previous].next = e->next;
    else
        a->oldest = e->next;
    if (e->next != NONE)
        a->entries[e->next].previous = e->previous;
    else
        a->newest = e->previous;
}

static void forget(struct mr_addresses *a, struct mr_address_entry *e)
{
    struct key k = key_of(e->ip);
    bool known = mr_map_remove(&a->by_ip, k.b);

    MR_ASSERT(known);
    idle_remove(a, e);
    e->next = a->free_head;
    a->free_head = (uint32_t)(e - a->entries);
    a->count--;
}

static struct mr_address_entry *make(struct mr_addresses *a, uint32_t ip, uint64_t throttle_ns,
                                     uint64_t now_ns)
{
    struct key k = key_of(ip);
    struct mr_address_entry *e;
    enum mr_err err;

    MR_ASSERT(a->entries);
    /* two at a time keep the table from growing over what is still of use */
    for (int i = 0; i < 2 && a->oldest != NONE; i++)
        if (a->entries[a->oldest].came_ns + throttle_ns <= now_ns)
            forget(a, &a->entries[a->oldest]);
    if (a->free_head == NONE) {
        MR_ASSERT(a->oldest != NONE); /* capacity is above what can be pending */
        a->evicted++;
        forget(a, &a->entries[a->oldest]);
    }
    e = &a->entries[a->free_head];
    a->free_head = e->next;
    a->count++;
    *e = (struct mr_address_entry){.ip = ip, .next = NONE, .previous = NONE};
    err = mr_map_put(&a->by_ip, k.b, (uint32_t)(e - a->entries));
    MR_ASSERT(err == MR_OK);
    return e;
}

enum mr_address_verdict mr_addresses_enter(struct mr_addresses *a, uint32_t ip,
                                           uint32_t pending_max, uint64_t throttle_ns,
                                           uint64_t now_ns)
{
    struct mr_address_entry *e = find(a, ip);

    if (e && e->pending >= pending_max)
        return MR_ADDRESS_PENDING;
    if (e && now_ns < e->came_ns + throttle_ns)
        return MR_ADDRESS_THROTTLED;
    if (!e)
        e = make(a, ip, throttle_ns, now_ns);
    else if (e->pending == 0)
        idle_remove(a, e);
    e->pending++;
    e->came_ns = now_ns;
    return MR_ADDRESS_OK;
}

void mr_addresses_leave(struct mr_addresses *a, uint32_t ip)
{
    struct mr_address_entry *e = find(a, ip);

    MR_ASSERT(e);
    MR_ASSERT(e->pending > 0);
    if (--e->pending == 0)
        idle_append(a, e);
}
