/* ring_private.h: the inside of struct mr_ring, shared by the files of this folder only. The only
 * includer of liburing. */
#pragma once
#include <liburing.h>
#include <netinet/in.h>
#include <pthread.h>

#include "net/uring/ring.h"

#define MR_RING_BUFFER_GROUP 0 /* a ring has one group of provided buffers */

struct mr_ring {
    struct io_uring uring;
    struct mr_ring_options options;
    /* Address of the connect in each entry of the submission queue: the kernel copies it when the
     * entry is submitted, and the entry is not reused before. */
    struct sockaddr_in *addresses;
    struct io_uring_buf_ring *buffer_ring;
    size_t buffer_ring_bytes;
    uint8_t *buffers;
    size_t buffers_bytes;
    bool *buffer_out; /* per provided buffer: the caller holds it */
    bool enabled;
    bool fd_registered; /* the ring's own descriptor, for cheaper system calls */
    int broken;         /* errno after which no completion can be trusted to come */
    pthread_t owner;
    struct mr_ring_stats stats;
};

/* One writer, so that a plain add behind relaxed accesses is enough for readers elsewhere. */
static inline void mr_ring_count(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}
static inline void mr_ring_check_owner(const struct mr_ring *ring)
{
    MR_ASSERT(ring->enabled);
    MR_VERIFY_THAT(pthread_equal(ring->owner, pthread_self()));
}

/* Sets the ring up with the richest flags that the kernel takes, from options.fallback on; returns
 * 0 or -errno. */
int mr_ring_setup(struct mr_ring *ring);
/* Tells the kernel to refuse what this module never does; returns 0 or -errno. */
int mr_ring_restrict(struct mr_ring *ring);
/* Whether the kernel knows all operations that we use. */
bool mr_ring_kernel_suffices(struct mr_ring *ring);
/* Says why the set-up call `what` failed with `error`, and what to do. */
void mr_ring_explain(char *sentence, size_t cap, const char *what, int error);
