/* ring.h: io_uring as one thread uses it: operations in, completions out, nothing decided here.
 * Needs Linux 6.1. Thread: opened anywhere, then owned by the thread that calls mr_ring_enable;
 * only mr_ring_fd, mr_ring_stats and the mr_event functions may be called by any thread.
 * Memory: rings and provided buffers are sized at open; nothing is allocated later. Memory handed
 * to an operation (receive, send, read) stays the caller's and must live until its completion.
 *
 *   operation --> submission queue --> mr_ring_submit or mr_ring_wait --> kernel
 *   caller    <-- mr_ring_completions <-- completion queue            <--
 *
 * Closing a connection: mr_ring_cancel, wait until every armed operation has completed (a
 * multishot one when `more` is false), then mr_ring_close_file, then reuse the slot with the next
 * generation. */
#pragma once
#include "core/base.h"
#include "core/endpoint.h"

/* --- what an operation is called -------------------------------------------------------------- */

/* Every operation carries 64 bits that come back with its completion: what it was (op, the
 * caller's own numbering, from 1), whose (slot), and which user of that slot (generation).
 * The value 0 is nobody's: completions with it are counted and not delivered. */
#define MR_OP_NOBODY   UINT64_C(0)
#define MR_OP_SLOT_MAX 0xffffffu

static inline uint64_t mr_op_pack(uint8_t op, uint32_t slot, uint32_t generation)
{
    MR_VERIFY_THAT(slot <= MR_OP_SLOT_MAX);
    return (uint64_t)op << 56 | (uint64_t)(slot & MR_OP_SLOT_MAX) << 32 | generation;
}
static inline void mr_op_unpack(uint8_t *op, uint32_t *slot, uint32_t *generation, uint64_t data)
{
    *op = (uint8_t)(data >> 56);
    *slot = (uint32_t)(data >> 32) & MR_OP_SLOT_MAX;
    *generation = (uint32_t)data;
}

#define MR_NO_BUFFER 0xffffu

struct mr_completion {
    uint8_t op;
    bool more; /* a multishot operation stays armed; false: it has ended, arm it again or not */
    uint16_t
        bid; /* provided buffer that holds the bytes, else MR_NO_BUFFER; the caller returns it */
    uint32_t slot;
    uint32_t generation;
    int32_t res;    /* as the system call would return; failures as -errno */
    uint32_t flags; /* the kernel's IORING_CQE_F_ bits */
};

/* Whether c was meant for an earlier user of its slot: drop it, but return its buffer (bid) first,
 * and close its descriptor if it is an accept. */
static inline bool mr_completion_is_stale(const struct mr_completion *c, uint32_t generation)
{
    return c->generation != generation;
}

/* --- the ring --------------------------------------------------------------------------------- */

struct mr_ring_options {
    unsigned entries;      /* submission queue, 8 to 32768, a power of two */
    unsigned completions;  /* completion queue, entries to 65536, a power of two */
    unsigned buffers;      /* provided buffers, 0 (none) to 32768, a power of two */
    unsigned buffer_bytes; /* size of each, 64 to 1 MiB */
    unsigned files;        /* registered descriptors, 0 (none) to 65536 */
    unsigned fallback;     /* 0; tests start with poorer set-up flags: 1 cooperative, 2 plain */
};

/* Written by the owner, read by any thread. */
struct mr_ring_stats {
    uint64_t submits;          /* system calls that took operations along */
    uint64_t waits;            /* mr_ring_wait calls */
    uint64_t completions;      /* delivered to the caller */
    uint64_t sq_full;          /* an operation found the queue full: submitted early */
    uint64_t sq_refused;       /* ... and it stayed full: MR_FULL */
    uint64_t cq_overflow;      /* reaps that found completions waiting for room */
    uint64_t no_buffers;       /* -ENOBUFS delivered */
    uint64_t interrupted;      /* waits ended by a signal */
    uint64_t busy;             /* waits ended by -EBUSY or -EAGAIN: reap and come back */
    uint64_t unheard_failures; /* failures of operations that were nobody's */
    uint64_t buffers_out;      /* provided buffers that the caller holds now */
};

struct mr_ring;

/* Makes a ring, still disabled. NULL: *sentence says in one line what was refused and what to do.
 */
MR_MUST_USE struct mr_ring *mr_ring_open(const struct mr_ring_options *options, char *sentence,
                                         size_t cap);
/* On the thread that is to own the ring: from here on only the operations below are accepted by
 * the kernel (anything else completes with -EACCES). MR_SYSTEM: errno tells. */
MR_MUST_USE enum mr_err mr_ring_enable(struct mr_ring *ring);
/* On the owner, as its last act on the ring: cancels what is still armed. From here on any thread
 * may close the ring; until then its descriptor stays a target of mr_ring_wake (which fails
 * silently), and its stats can be read. */
void mr_ring_retire(struct mr_ring *ring);
/* On the owner, or by anybody after mr_ring_retire. Cancels what is still armed. Descriptors stay
 * the caller's. NULL is fine. */
void mr_ring_close(struct mr_ring *ring);
/* Whether this process may use io_uring as we need it: opens a small ring and closes it again. */
MR_MUST_USE bool mr_ring_probe(char *sentence, size_t cap);

/* What mr_ring_wake of other rings takes. Any thread. */
int mr_ring_fd(const struct mr_ring *ring);
/* Any thread. */
void mr_ring_stats(struct mr_ring_stats *out, const struct mr_ring *ring);

/* Gives the kernel what is queued; does not wait. Does nothing when nothing is queued. */
void mr_ring_submit(struct mr_ring *ring);
/* Makes room for n operations, submitting if need be: the next n cannot return MR_FULL. False:
 * the kernel takes none now (out of memory); n is at most half the queue. */
MR_MUST_USE bool mr_ring_reserve(struct mr_ring *ring, unsigned n);

#define MR_WAIT_FOREVER UINT64_MAX
/* Submits, then waits until min_completions are there or timeout_ns has passed. With timeout 0 or
 * min_completions 0 it looks and returns. MR_OK also after a signal or with nothing to reap.
 * MR_SYSTEM: completions were lost or the ring is broken; errno tells, give the ring up. */
MR_MUST_USE enum mr_err mr_ring_wait(struct mr_ring *ring, uint64_t timeout_ns,
                                     unsigned min_completions);
/* Takes up to cap completions, in the kernel's order, also those that had overflowed. 0: none. */
unsigned mr_ring_completions(struct mr_ring *ring, struct mr_completion *out, unsigned cap);

/* --- provided buffers ------------------------------------------------------------------------- */

/* The bytes of a provided buffer, valid from its completion until it is returned. */
uint8_t *mr_ring_buffer(struct mr_ring *ring, uint16_t bid);
/* Gives it back to the kernel at once: call it within the turn, exactly once. */
void mr_ring_buffer_return(struct mr_ring *ring, uint16_t bid);

/* --- registered descriptors (saves the kernel a look-up per operation) -------------------------
 */

/* Stands for entry `index` of the table wherever an operation takes a descriptor. */
#define MR_FILE_REGISTERED 0x40000000
static inline int mr_file(unsigned index)
{
    return (int)(index | MR_FILE_REGISTERED);
}
/* Puts fd at index (the table holds its own reference: fd may be closed). A system call.
 * MR_SYSTEM: errno tells. */
MR_MUST_USE enum mr_err mr_ring_file_set(struct mr_ring *ring, unsigned index, int fd);
/* Empties index; the descriptor lives on until its operations have ended. */
MR_MUST_USE enum mr_err mr_ring_file_clear(struct mr_ring *ring, unsigned index);

/* --- operations ------------------------------------------------------------------------------- */
/* All return MR_OK, or MR_FULL (see mr_ring_reserve), and then nothing was queued. fd is a
 * descriptor or mr_file(index). data comes back in the completion. */

/* Accepts until it ends (`more` false: -EMFILE and the like, or overflow): res is a descriptor
 * with SOCK_CLOEXEC and SOCK_NONBLOCK, the address is mr_socket_peer's. */
MR_MUST_USE enum mr_err mr_ring_accept(struct mr_ring *ring, int fd, uint64_t data);
/* res 0 or -errno; the address is copied. */
MR_MUST_USE enum mr_err mr_ring_connect(struct mr_ring *ring, int fd, struct mr_endpoint to,
                                        uint64_t data);
/* Receives exactly n bytes. res below n: the stream ended or broke after so many. */
MR_MUST_USE enum mr_err mr_ring_recv(struct mr_ring *ring, int fd, void *p, size_t n,
                                     uint64_t data);
/* Receives what is there, 1 to n bytes. res 0: end of stream. */
MR_MUST_USE enum mr_err mr_ring_recv_some(struct mr_ring *ring, int fd, void *p, size_t n,
                                          uint64_t data);
/* Receives into provided buffers until it ends: res 0 end of stream, -ENOBUFS (all buffers are
 * out: arm it again once some are back, no byte is lost), -ECANCELED, another -errno, or a full
 * completion queue (res > 0 and `more` false). Cancelling does not undo completions in the queue.
 */
MR_MUST_USE enum mr_err mr_ring_recv_multishot(struct mr_ring *ring, int fd, uint64_t data);
/* Sends all n bytes, without SIGPIPE, and always completes once. res below n: the connection broke
 * or the send was cancelled after so many. One in flight per connection. */
MR_MUST_USE enum mr_err mr_ring_send(struct mr_ring *ring, int fd, const void *p, size_t n,
                                     uint64_t data);
/* Ends the operation that was given `target`; it completes as its own comment says. Silent, also
 * when there was nothing to end. */
MR_MUST_USE enum mr_err mr_ring_cancel(struct mr_ring *ring, uint64_t target);
/* how: SHUT_RD, SHUT_WR, SHUT_RDWR; what is armed on fd then completes. Silent, also when fd was
 * not connected (the kernel takes that for success). A thread of the kernel does it, a little
 * later, and only then looks fd up, telling nobody: if fd can be closed meanwhile, its next user
 * is shut down instead; then mr_socket_finish. What the socket has taken still goes out; a send
 * that waits for room ends short. */
MR_MUST_USE enum mr_err mr_ring_shutdown(struct mr_ring *ring, int fd, int how);
/* Plain descriptors only. Silent on success; a failure comes with data. */
MR_MUST_USE enum mr_err mr_ring_close_file(struct mr_ring *ring, int fd, uint64_t data);
/* Puts a completion with target_data and res = value (>= 0) into another ring, which must be
 * enabled. Silent on success; a failure comes with data. Submit at once, or it wakes nobody. */
MR_MUST_USE enum mr_err mr_ring_wake(struct mr_ring *ring, int target_ring_fd, uint64_t target_data,
                                     int32_t value, uint64_t data);
/* One read, for eventfd and its like (blocking descriptors: others complete with -EAGAIN). */
MR_MUST_USE enum mr_err mr_ring_read(struct mr_ring *ring, int fd, void *p, size_t n,
                                     uint64_t data);
/* One readiness (POLLIN, POLLOUT); res are the events. */
MR_MUST_USE enum mr_err mr_ring_poll(struct mr_ring *ring, int fd, unsigned events, uint64_t data);

/* --- waking a ring's owner from a thread without a ring ----------------------------------------
 */

/* An eventfd for mr_ring_read of 8 bytes; -1: errno tells. The caller closes it. */
MR_MUST_USE int mr_event_open(void);
/* Any thread; never blocks in practice (2^64 - 2 unread signals). */
void mr_event_signal(int fd);
