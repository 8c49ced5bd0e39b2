/* ports.h: how a shard meets the world. A shard is a function: mr_shard_turn takes events and gives
 * back operations through a port. worker.c binds the port to io_uring, tests/sim to a seeded
 * network. Thread: the shard's. */
#pragma once
#include "core/base.h"
#include "core/clock.h"

enum mr_shard_event_kind {
    MR_EVENT_RECEIVED, /* data[n] arrived; valid until the turn returns; may be changed in place */
    MR_EVENT_SENT,     /* the send in flight ended; result: bytes or -errno */
    MR_EVENT_ENDED,    /* the remote closed, or receiving failed: result 0 or -errno */
    MR_EVENT_CLOSED,   /* after close(): nothing is in flight any more, the descriptor is gone */
};

struct mr_shard_event {
    enum mr_shard_event_kind kind;
    uint32_t slot, generation;
    int32_t result;
    uint32_t n;
    uint8_t *data;
};

/* What a turn may ask for. All calls return at once; none fails (failures come back as events).
 * At most one send is in flight per slot; its bytes stay untouched until MR_EVENT_SENT. */
struct mr_shard_port {
    void *ctx;
    /* Takes over a connected descriptor for slot and arms its receive. */
    void (*adopt)(void *ctx, uint32_t slot, uint32_t generation, int fd);
    void (*send)(void *ctx, uint32_t slot, uint32_t generation, const uint8_t *p, size_t n);
    /* No MR_EVENT_RECEIVED after what is already on its way, until resumed. */
    void (*pause)(void *ctx, uint32_t slot, uint32_t generation);
    void (*resume)(void *ctx, uint32_t slot, uint32_t generation);
    /* Shuts down, waits for every operation in flight, closes, then gives MR_EVENT_CLOSED. */
    void (*close)(void *ctx, uint32_t slot, uint32_t generation);
    /* Hands what was asked for so far to the kernel now (one window of sends). */
    void (*submit)(void *ctx);
    /* Wakes another thread of the mesh (mailbox.h) that sleeps. */
    void (*wake)(void *ctx, unsigned thread);
};
