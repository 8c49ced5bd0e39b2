#include "core/queue.h"

#include <ck_ring.h>
#include <ck_stack.h>
#include <stdlib.h>

/* ThreadSanitizer does not understand ck's atomics and would report every slot. This file is built
 * without it (see CMakeLists.txt), and says here what it orders: what a thread did before its push
 * is seen by the thread that pops. */
#ifdef MR_TSAN
void __tsan_acquire(void *at);
void __tsan_release(void *at);
#define TSAN_ACQUIRE(at) __tsan_acquire(at)
#define TSAN_RELEASE(at) __tsan_release(at)
#else
#define TSAN_ACQUIRE(at) ((void)0)
#define TSAN_RELEASE(at) ((void)0)
#endif

_Static_assert(CK_MD_CACHELINE == MR_CACHELINE, "ck pads for the same line");
_Static_assert(sizeof(struct ck_ring) <= sizeof((struct mr_queue *)0)->ring,
               "the room in mr_queue");
_Static_assert(offsetof(struct ck_ring, p_tail) == MR_CACHELINE, "one line per writer");
_Static_assert(offsetof(struct ck_ring, size) == 2 * MR_CACHELINE, "one line per writer");
_Static_assert(sizeof(struct mr_stack_entry) == sizeof(struct ck_stack_entry), "cast below");
_Static_assert(sizeof(struct ck_stack) <= sizeof(struct mr_stack), "cast below");

/* ck makes a ring per slot type, so that the copies have a length known to the compiler. */
#define SLOT_SIZES(X)                                                                              \
    X(8)                                                                                           \
    X(16) X(24) X(32) X(40) X(48) X(56) X(64) X(72) X(80) X(88) X(96) X(104) X(112) X(120) X(128)
#define SLOT_TYPE(n)                                                                               \
    struct slot##n {                                                                               \
        uint64_t words[n / 8];                                                                     \
    };                                                                                             \
    CK_RING_PROTOTYPE(slot##n, slot##n)
SLOT_SIZES(SLOT_TYPE)

static struct ck_ring *ring_of(const struct mr_queue *q)
{
    return (struct ck_ring *)(uintptr_t)q->ring;
}

static void count_one(_Atomic uint64_t *c)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

enum mr_err mr_queue_init(struct mr_queue *q, uint32_t capacity, uint32_t slot_size)
{
    uint32_t ring_size = 2;

    MR_ASSERT(capacity > 0);
    MR_ASSERT(capacity <= MR_QUEUE_CAPACITY_MAX);
    MR_ASSERT(slot_size > 0);
    MR_ASSERT(slot_size <= MR_QUEUE_SLOT_MAX);
    MR_ASSERT(slot_size % 8 == 0);
    while (ring_size <= capacity) /* ck keeps one slot free to tell full from empty */
        ring_size *= 2;
    memset(q, 0, sizeof *q);
    q->slots = aligned_alloc(MR_CACHELINE, ((size_t)ring_size * slot_size + MR_CACHELINE - 1) /
                                               MR_CACHELINE * MR_CACHELINE);
    if (!q->slots)
        return MR_SYSTEM;
    q->slot_size = slot_size;
    q->capacity = ring_size - 1;
    ck_ring_init(ring_of(q), ring_size);
    return MR_OK;
}

void mr_queue_fini(struct mr_queue *q)
{
    free(q->slots);
    memset(q, 0, sizeof *q);
}

bool mr_queue_push(struct mr_queue *q, const void *slot)
{
    bool ok = false;

    TSAN_RELEASE(q->ring);
    switch (q->slot_size) {
#define SLOT_PUSH(n)                                                                               \
    case n:                                                                                        \
        ok = ck_ring_enqueue_spsc_slot##n(ring_of(q), (struct slot##n *)(void *)q->slots,          \
                                          (struct slot##n *)(uintptr_t)slot);                      \
        break;
        SLOT_SIZES(SLOT_PUSH)
    }
    count_one(ok ? &q->pushed : &q->full);
    return ok;
}

bool mr_queue_pop(struct mr_queue *q, void *slot)
{
    bool ok = false;

    switch (q->slot_size) {
#define SLOT_POP(n)                                                                                \
    case n:                                                                                        \
        ok = ck_ring_dequeue_spsc_slot##n(ring_of(q), (struct slot##n *)(void *)q->slots,          \
                                          (struct slot##n *)slot);                                 \
        break;
        SLOT_SIZES(SLOT_POP)
    }
    if (!ok)
        return false;
    TSAN_ACQUIRE(q->ring);
    count_one(&q->popped);
    return true;
}

uint32_t mr_queue_count(const struct mr_queue *q)
{
    return ck_ring_size(ring_of(q));
}

void mr_stack_push(struct mr_stack *s, struct mr_stack_entry *e)
{
    TSAN_RELEASE(s);
    ck_stack_push_upmc((struct ck_stack *)(void *)s, (struct ck_stack_entry *)(void *)e);
}

struct mr_stack_entry *mr_stack_take(struct mr_stack *s)
{
    struct ck_stack_entry *all = ck_stack_batch_pop_upmc((struct ck_stack *)(void *)s);

    TSAN_ACQUIRE(s);
    return (struct mr_stack_entry *)(void *)all;
}
