/* limit_kernel.h: the least that the kernel's part of a fan-out can cost: blocks to many loopback
 * sockets, through the ring in batches as a shard does or through send(2). A child process on
 * another CPU reads and discards; it does not sleep where it has a CPU of its own, as waking it
 * would be charged to the sender. Thread: the caller's. Memory: its own, from open to close. */
#pragma once
#include <sys/types.h>

#include "net/uring/ring.h"

enum mr_limit_way { MR_LIMIT_SEND, MR_LIMIT_RING };

struct mr_limit_sink; /* opaque: what the child has read */

struct mr_limit_kernel {
    uint32_t count;
    int *fds;
    struct mr_ring *ring;
    struct mr_limit_sink *sink;
    pid_t child;
    uint64_t sent; /* bytes */
};

/* Connects count sockets to a child on sink_cpu (-1: anywhere). False: *sentence says why. */
MR_MUST_USE bool mr_limit_kernel_open(struct mr_limit_kernel *k, uint32_t count, int sink_cpu,
                                      char *sentence, size_t cap);
void mr_limit_kernel_close(struct mr_limit_kernel *k);

/* Sends blocks[i] of that many bytes through socket first + i, for i below n <= 64; the blocks may
 * be used again when it returns. False: a send failed or fell short; errno tells. */
MR_MUST_USE bool mr_limit_kernel_send(struct mr_limit_kernel *k, uint32_t first, uint32_t n,
                                      uint8_t *const *blocks, size_t bytes, enum mr_limit_way way);
/* Waits until the child has read all that was sent. False: it has not within 10 s; errno
 * tells. */
MR_MUST_USE bool mr_limit_kernel_drain(struct mr_limit_kernel *k);

/* Pins the calling thread to a CPU; false if it may not run there. */
bool mr_limit_pin(int cpu);
