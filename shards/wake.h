/* wake.h: how the threads of the mesh (mailbox.h) wake each other, by thread index: shards are
 * 0 .. shards-1, then the dispatcher, then the blob service. Owners of a ring wake each other with
 * mr_ring_wake, submitted at once; a thread without a ring is woken by its eventfd, and wakes
 * others by theirs, which the ring of a shard reads. Thread: filled before threads start, constant
 * after. Memory: plain values; descriptors belong to the threads that they name, and stay open
 * until all threads have ended. */
#pragma once
#include "net/uring/ring.h"
#include "shards/mailbox.h"

/* What a wake-up looks like in the ring of whoever is woken: an op that no owner gives to an
 * operation of its own. The completion says no more than "look at your mail". */
#define MR_WAKE_OP   0xffu
#define MR_WAKE_DATA mr_op_pack(MR_WAKE_OP, 0, 0)

struct mr_wake_target {
    int ring_fd;  /* mr_ring_fd of its ring, or -1 */
    int event_fd; /* mr_event_open, or -1: nobody without a ring has mail for this thread */
};

struct mr_wake_table {
    struct mr_wake_target at[MR_SHARDS_MAX + 2];
};

static inline void mr_wake_table_init(struct mr_wake_table *t)
{
    for (unsigned i = 0; i < MR_SHARDS_MAX + 2; i++)
        t->at[i] = (struct mr_wake_target){.ring_fd = -1, .event_fd = -1};
}

/* From the owner of `ring`. False: the kernel takes no operation now; to be tried again soon. */
MR_MUST_USE static inline bool mr_wake_from_ring(const struct mr_wake_table *t,
                                                 struct mr_ring *ring, unsigned thread)
{
    const struct mr_wake_target *to = &t->at[thread];

    if (to->ring_fd < 0) {
        mr_event_signal(to->event_fd);
        return true;
    }
    if (mr_ring_wake(ring, to->ring_fd, MR_WAKE_DATA, 0, MR_OP_NOBODY) != MR_OK)
        return false;
    mr_ring_submit(ring);
    return true;
}
