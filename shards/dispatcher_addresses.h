/* dispatcher_addresses.h: what may come from one IPv4 address: so many handshakes at once, and a
 * connection every so often. Bounded: when the table is full the address that came first and has
 * nothing pending is forgotten. Thread: the dispatcher's. Memory: at init. */
#pragma once
#include "core/map.h"

enum mr_address_verdict { MR_ADDRESS_OK, MR_ADDRESS_PENDING, MR_ADDRESS_THROTTLED };

struct mr_address_entry {
    uint32_t ip;
    uint32_t pending;
    uint64_t came_ns;        /* last time that it was let in */
    uint32_t next, previous; /* in the list of those with nothing pending, or of free ones */
};

struct mr_addresses {
    struct mr_map by_ip;
    struct mr_address_entry *entries;
    uint32_t capacity, count, free_head;
    uint32_t oldest, newest; /* entries with nothing pending, by when that became so */
    uint64_t evicted;        /* forgotten for room while still throttled */
};

/* capacity must be above the number of pending connections. MR_OK or MR_SYSTEM. */
enum mr_err mr_addresses_init(struct mr_addresses *a, uint32_t capacity, const uint64_t key[2]);
void mr_addresses_fini(struct mr_addresses *a);
/* A connection from ip: may it come in? If so it is counted, until mr_addresses_leave. */
enum mr_address_verdict mr_addresses_enter(struct mr_addresses *a, uint32_t ip,
                                           uint32_t pending_max, uint64_t throttle_ns,
                                           uint64_t now_ns);
/* It is not pending any more. */
void mr_addresses_leave(struct mr_addresses *a, uint32_t ip);
