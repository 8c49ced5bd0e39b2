#include "net/uring/ring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/uring/ring_private.h"

#define NS_PER_S            UINT64_C(1000000000)
#define RESERVE_ATTEMPTS    4
#define CLOSE_CANCEL_WAIT_S 1

/* liburing maps and unmaps by system calls of its own, which ThreadSanitizer does not see: a ring
 * at the address of one that another thread has closed would look like a race. */
#ifdef MR_TSAN
void __tsan_acquire(void *p);
void __tsan_release(void *p);
static char address_space;
#define ADDRESSES_TAKEN()    __tsan_acquire(&address_space)
#define ADDRESSES_RETURNED() __tsan_release(&address_space)
#else
#define ADDRESSES_TAKEN()    ((void)0)
#define ADDRESSES_RETURNED() ((void)0)
#endif

static bool is_power_of_two(unsigned v)
{
    return v > 0 && (v & (v - 1)) == 0;
}

static const char *options_fault(const struct mr_ring_options *o)
{
    if (!is_power_of_two(o->entries) || o->entries < 8 || o->entries > 32768)
        return "entries must be a power of two from 8 to 32768";
    if (!is_power_of_two(o->completions) || o->completions < o->entries || o->completions > 65536)
        return "completions must be a power of two from entries to 65536";
    if (o->buffers > 0 && (!is_power_of_two(o->buffers) || o->buffers > 32768))
        return "buffers must be 0 or a power of two to 32768";
    if (o->buffers > 0 && (o->buffer_bytes < 64 || o->buffer_bytes > 1 << 20))
        return "buffer_bytes must be from 64 to 1 MiB";
    if (o->files > 65536)
        return "files must be at most 65536";
    if (o->fallback > 2)
        return "fallback must be at most 2";
    return NULL;
}

static void *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* 0 or -errno. */
static int set_up_buffers(struct mr_ring *ring)
{
    const unsigned n = ring->options.buffers;
    struct io_uring_buf_reg reg = {.ring_entries = n, .bgid = MR_RING_BUFFER_GROUP};
    int rc;

    if (n == 0)
        return 0;
    ring->buffer_ring_bytes = n * sizeof(struct io_uring_buf);
    ring->buffers_bytes = (size_t)n * ring->options.buffer_bytes;
    ring->buffer_ring = map(ring->buffer_ring_bytes);
    ring->buffers = map(ring->buffers_bytes);
    ring->buffer_out = calloc(n, sizeof *ring->buffer_out);
    if (!ring->buffer_ring || !ring->buffers || !ring->buffer_out)
        return -ENOMEM;
    reg.ring_addr = (uintptr_t)ring->buffer_ring;
    if ((rc = io_uring_register_buf_ring(&ring->uring, &reg, 0)))
        return rc;
    io_uring_buf_ring_init(ring->buffer_ring);
    for (unsigned i = 0; i < n; i++)
        io_uring_buf_ring_add(ring->buffer_ring,
                              ring->buffers + (size_t)i * ring->options.buffer_bytes,
                              ring->options.buffer_bytes, (uint16_t)i, (int)n - 1, (int)i);
    io_uring_buf_ring_advance(ring->buffer_ring, (int)n);
    return 0;
}

static void release(struct mr_ring *ring)
{
    if (ring->buffer_ring)
        munmap(ring->buffer_ring, ring->buffer_ring_bytes);
    if (ring->buffers)
        munmap(ring->buffers, ring->buffers_bytes);
    free(ring->buffer_out);
    free(ring->addresses);
    free(ring);
}

struct mr_ring *mr_ring_open(const struct mr_ring_options *options, char *sentence, size_t cap)
{
    const char *what = options_fault(options);
    struct mr_ring *ring;
    int rc;

    if (what) {
        snprintf(sentence, cap, "options of the ring: %s", what);
        return NULL;
    }
    ring = calloc(1, sizeof *ring);
    if (ring)
        ring->addresses = calloc(options->entries, sizeof *ring->addresses);
    what = "memory", rc = -ENOMEM;
    if (!ring || !ring->addresses)
        goto fail;
    ring->options = *options;
    what = "set-up";
    if ((rc = mr_ring_setup(ring)))
        goto fail;
    ADDRESSES_TAKEN();
    what = "operations known", rc = mr_ring_kernel_suffices(ring) ? 0 : -EOPNOTSUPP;
    if (!rc)
        what = "restrictions", rc = mr_ring_restrict(ring);
    if (!rc)
        what = "provided buffers", rc = set_up_buffers(ring);
    if (!rc && options->files > 0)
        what = "table of files", rc = io_uring_register_files_sparse(&ring->uring, options->files);
    if (!rc)
        return ring;
    ADDRESSES_RETURNED();
    io_uring_queue_exit(&ring->uring);
fail:
    mr_ring_explain(sentence, cap, what, -rc);
    if (ring)
        release(ring);
    return NULL;
}

bool mr_ring_probe(char *sentence, size_t cap)
{
    /* With one of everything, so that each kind of refusal shows at start. */
    const struct mr_ring_options options = {
        .entries = 8, .completions = 16, .buffers = 8, .buffer_bytes = 64, .files = 8};
    struct mr_ring *ring = mr_ring_open(&options, sentence, cap);
    enum mr_err e;

    if (!ring)
        return false;
    if ((e = mr_ring_enable(ring)))
        mr_ring_explain(sentence, cap, "enabling", errno);
    mr_ring_close(ring);
    return e == MR_OK;
}

enum mr_err mr_ring_enable(struct mr_ring *ring)
{
    int rc;

    MR_ASSERT(!ring->enabled);
    /* Before enabling, as the restrictions refuse it after. A kernel without it works as well. */
    ring->fd_registered = io_uring_register_ring_fd(&ring->uring) == 1;
    if ((rc = io_uring_enable_rings(&ring->uring)) < 0) {
        errno = -rc;
        return MR_SYSTEM;
    }
    ring->owner = pthread_self();
    ring->enabled = true;
    return MR_OK;
}

void mr_ring_retire(struct mr_ring *ring)
{
    struct io_uring_sync_cancel_reg all = {.fd = -1,
                                           .flags =
                                               IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
                                           .timeout = {.tv_sec = CLOSE_CANCEL_WAIT_S}};

    mr_ring_check_owner(ring);
    mr_ring_submit(ring);
    /* So that nothing is received into the caller's memory once this has returned. */
    io_uring_register_sync_cancel(&ring->uring, &all);
    if (ring->fd_registered)
        io_uring_unregister_ring_fd(&ring->uring);
    ring->fd_registered = false;
    ring->enabled = false;
}

void mr_ring_close(struct mr_ring *ring)
{
    if (!ring)
        return;
    if (ring->enabled)
        mr_ring_retire(ring);
    ADDRESSES_RETURNED();
    io_uring_queue_exit(&ring->uring);
    release(ring);
}

int mr_ring_fd(const struct mr_ring *ring)
{
    return ring->uring.ring_fd;
}

void mr_ring_stats(struct mr_ring_stats *out, const struct mr_ring *ring)
{
    const uint64_t *from = (const uint64_t *)&ring->stats;
    uint64_t *to = (uint64_t *)out;

    _Static_assert(sizeof *out % sizeof *to == 0, "counters only");
    for (size_t i = 0; i < sizeof *out / sizeof *to; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* Entries filled and not yet taken by the kernel, which sees them from here on. */
static unsigned publish_entries(struct mr_ring *ring)
{
    struct io_uring_sq *sq = &ring->uring.sq;

    sq->sqe_head = sq->sqe_tail;
    io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
    return io_uring_sq_ready(&ring->uring);
}

/* One io_uring_enter: submits, and with IORING_ENTER_GETEVENTS waits as arg says. One way in for
 * all callers: what the kernel answered reaches enter_failed as it is. Returns its result. */
static int enter(struct mr_ring *ring, unsigned min, unsigned flags,
                 struct io_uring_getevents_arg *arg)
{
    unsigned n = publish_entries(ring);

    if (n > 0)
        mr_ring_count(&ring->stats.submits, 1);
    if (ring->fd_registered)
        flags |= IORING_ENTER_REGISTERED_RING;
    if (arg)
        flags |= IORING_ENTER_EXT_ARG;
    return io_uring_enter2((unsigned)ring->uring.enter_ring_fd, n, min, flags, (sigset_t *)arg,
                           arg ? sizeof *arg : _NSIG / 8);
}

/* Sorts a failed enter: what passes by itself is counted, the rest breaks the ring. */
MR_COLD static void enter_failed(struct mr_ring *ring, int rc)
{
    switch (-rc) {
    case ETIME:
        return;
    case EINTR:
        mr_ring_count(&ring->stats.interrupted, 1);
        return;
    case EBUSY:  /* completions that overflowed must be reaped first */
    case EAGAIN: /* no memory for requests just now */
        mr_ring_count(&ring->stats.busy, 1);
        return;
    default: /* EBADR: completions were lost for want of memory; others: ours to fix */
        ring->broken = -rc;
    }
}

void mr_ring_submit(struct mr_ring *ring)
{
    int rc;

    mr_ring_check_owner(ring);
    if (io_uring_sq_ready(&ring->uring) == 0)
        return;
    if ((rc = enter(ring, 0, 0, NULL)) < 0)
        enter_failed(ring, rc);
}

bool mr_ring_reserve(struct mr_ring *ring, unsigned n)
{
    MR_ASSERT(n <= ring->options.entries / 2);
    mr_ring_check_owner(ring);
    for (int i = 0; i < RESERVE_ATTEMPTS; i++) {
        if (io_uring_sq_space_left(&ring->uring) >= n)
            return true;
        mr_ring_count(&ring->stats.sq_full, 1);
        mr_ring_submit(ring);
    }
    if (io_uring_sq_space_left(&ring->uring) >= n)
        return true;
    mr_ring_count(&ring->stats.sq_refused, 1);
    return false;
}

enum mr_err mr_ring_wait(struct mr_ring *ring, uint64_t timeout_ns, unsigned min_completions)
{
    struct __kernel_timespec ts = {.tv_sec = (long long)(timeout_ns / NS_PER_S),
                                   .tv_nsec = (long long)(timeout_ns % NS_PER_S)};
    struct io_uring_getevents_arg arg = {.sigmask_sz = _NSIG / 8, .ts = (uintptr_t)&ts};
    unsigned min = MR_MIN(min_completions, ring->options.completions);
    int rc;

    mr_ring_check_owner(ring);
    mr_ring_count(&ring->stats.waits, 1);
    if (timeout_ns == 0)
        min = 0;
    rc = enter(ring, min, IORING_ENTER_GETEVENTS,
               min == 0 || timeout_ns == MR_WAIT_FOREVER ? NULL : &arg);
    if (rc < 0)
        enter_failed(ring, rc);
    if (!ring->broken)
        return MR_OK;
    errno = ring->broken;
    return MR_SYSTEM;
}

static void deliver(struct mr_ring *ring, struct mr_completion *out, const struct io_uring_cqe *cqe)
{
    mr_op_unpack(&out->op, &out->slot, &out->generation, cqe->user_data);
    out->res = cqe->res;
    out->flags = cqe->flags;
    out->more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    out->bid = MR_NO_BUFFER;
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        out->bid = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        MR_ASSERT(out->bid < ring->options.buffers);
        MR_ASSERT(!ring->buffer_out[out->bid]);
        ring->buffer_out[out->bid] = true;
        mr_ring_count(&ring->stats.buffers_out, 1);
    }
    if (cqe->res == -ENOBUFS)
        mr_ring_count(&ring->stats.no_buffers, 1);
}

/* Moves what is in the shared queue to out. */
static unsigned reap(struct mr_ring *ring, struct mr_completion *out, unsigned cap)
{
    struct io_uring_cq *cq = &ring->uring.cq;
    const unsigned tail = io_uring_smp_load_acquire(cq->ktail);
    unsigned head = *cq->khead, n = 0;

    for (; head != tail && n < cap; head++) {
        const struct io_uring_cqe *cqe = &cq->cqes[head & cq->ring_mask];
        if (cqe->user_data == MR_OP_NOBODY)
            mr_ring_count(&ring->stats.unheard_failures, 1);
        else
            deliver(ring, &out[n++], cqe);
    }
    io_uring_smp_store_release(cq->khead, head);
    return n;
}

unsigned mr_ring_completions(struct mr_ring *ring, struct mr_completion *out, unsigned cap)
{
    unsigned n;
    int rc;

    mr_ring_check_owner(ring);
    if (MR_UNLIKELY(io_uring_cq_has_overflow(&ring->uring)))
        mr_ring_count(&ring->stats.cq_overflow, 1);
    n = reap(ring, out, cap);
    while (n < cap && io_uring_cq_has_overflow(&ring->uring)) {
        unsigned more;
        if ((rc = enter(ring, 0, IORING_ENTER_GETEVENTS, NULL)) < 0)
            enter_failed(ring, rc);
        if ((more = reap(ring, out + n, cap - n)) == 0)
            break;
        n += more;
    }
    mr_ring_count(&ring->stats.completions, n);
    return n;
}

uint8_t *mr_ring_buffer(struct mr_ring *ring, uint16_t bid)
{
    MR_ASSERT(bid < ring->options.buffers);
    MR_ASSERT(ring->buffer_out[bid]);
    return ring->buffers + (size_t)bid * ring->options.buffer_bytes;
}

void mr_ring_buffer_return(struct mr_ring *ring, uint16_t bid)
{
    uint8_t *p = mr_ring_buffer(ring, bid);

    mr_ring_check_owner(ring);
    ring->buffer_out[bid] = false;
    mr_ring_count(&ring->stats.buffers_out, (uint64_t)-1);
    io_uring_buf_ring_add(ring->buffer_ring, p, ring->options.buffer_bytes, bid,
                          (int)ring->options.buffers - 1, 0);
    io_uring_buf_ring_advance(ring->buffer_ring, 1);
}

static enum mr_err file_update(struct mr_ring *ring, unsigned index, int fd)
{
    int rc;

    mr_ring_check_owner(ring);
    MR_ASSERT(index < ring->options.files);
    if ((rc = io_uring_register_files_update(&ring->uring, index, &fd, 1)) == 1)
        return MR_OK;
    errno = -rc;
    return MR_SYSTEM;
}

enum mr_err mr_ring_file_set(struct mr_ring *ring, unsigned index, int fd)
{
    MR_ASSERT(fd >= 0);
    return file_update(ring, index, fd);
}

enum mr_err mr_ring_file_clear(struct mr_ring *ring, unsigned index)
{
    return file_update(ring, index, -1);
}

int mr_event_open(void)
{
    return eventfd(0, EFD_CLOEXEC);
}

void mr_event_signal(int fd)
{
    const uint64_t one = 1;
    ssize_t n;

    do
        n = write(fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    MR_ASSERT(n == sizeof one);
}
