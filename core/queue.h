/* queue.h: what crosses threads: a bounded ring of slots, an intrusive stack, and the bell that
 * wakes. Thread: stated per function. Memory: mr_queue allocates in init only, the others never.
 * core/queue.c is the only file that includes Concurrency Kit. */
#pragma once
#include <stdatomic.h>

#include "core/base.h"

/* ---- Queue: one producer, one consumer, slots of one size. ---- */

#define MR_QUEUE_SLOT_MAX     128
#define MR_QUEUE_CAPACITY_MAX (UINT32_C(1) << 24)

struct mr_queue {
    _Alignas(MR_CACHELINE) unsigned char ring[3 * MR_CACHELINE]; /* ck_ring, a line per writer */
    _Alignas(MR_CACHELINE) _Atomic uint64_t pushed;              /* producer's line */
    _Atomic uint64_t full;                                       /* pushes refused */
    _Alignas(MR_CACHELINE) _Atomic uint64_t popped;              /* consumer's line */
    _Alignas(MR_CACHELINE) unsigned char *slots;                 /* constant after init */
    uint32_t slot_size;
    uint32_t capacity;
};
_Static_assert(offsetof(struct mr_queue, pushed) == 3 * MR_CACHELINE, "one line per writer");
_Static_assert(offsetof(struct mr_queue, popped) == 4 * MR_CACHELINE, "one line per writer");
_Static_assert(offsetof(struct mr_queue, slots) == 5 * MR_CACHELINE, "one line per writer");

/* Room for at least capacity slots (the ring's next power of two less one: q->capacity tells);
 * slot_size is a multiple of 8, at most MR_QUEUE_SLOT_MAX. Returns MR_OK or MR_SYSTEM (no memory).
 */
enum mr_err mr_queue_init(struct mr_queue *q, uint32_t capacity, uint32_t slot_size);
/* Both threads are done with it. What it still holds is forgotten, so empty it first. */
void mr_queue_fini(struct mr_queue *q);
/* Producer: copies slot_size bytes in. False when full (counted); nothing changes then. */
MR_MUST_USE bool mr_queue_push(struct mr_queue *q, const void *slot);
/* Consumer: copies the oldest slot out. False when empty; *slot is untouched then. */
MR_MUST_USE bool mr_queue_pop(struct mr_queue *q, void *slot);
/* Any thread: slots held, exact when both sides rest. The producer never sees less than there are,
 * the consumer never more than it can pop. */
uint32_t mr_queue_count(const struct mr_queue *q);

/* ---- Stack: pushed by any thread, taken as a whole by its owner. It cannot fill. ---- */

struct mr_stack_entry {
    struct mr_stack_entry *next;
};
/* All zero = empty. */
struct mr_stack {
    _Alignas(MR_CACHELINE) struct mr_stack_entry *head;
};
_Static_assert(sizeof(struct mr_stack) == MR_CACHELINE, "a line of its own");

void mr_stack_push(struct mr_stack *s, struct mr_stack_entry *e);
/* Owner: all entries, newest first, NULL if there are none; they are the caller's from here on. */
struct mr_stack_entry *mr_stack_take(struct mr_stack *s);

/* ---- Bell: one word a consumer thread: a bit per producer, and SLEEPING. ----
 *
 *   producer                                consumer
 *     mr_queue_push(q, slot)                  bits = mr_bell_take(b); pop until the queues are
 * empty if (mr_bell_ring(b, me))                nothing to do, and mr_bell_sleep(b): wait for the
 * wake-up wake the consumer, at once          after it: mr_bell_awake(b), take again
 *
 * All steps are read-modify-writes of one word, sequentially consistent: either the consumer's
 * sleep comes first and the producer sees SLEEPING, or the producer's bit does and sleep refuses.
 * The first producer to ring a sleeper wakes it; the others see its bit and leave it at that. */

#define MR_BELL_PRODUCERS_MAX 62
#define MR_BELL_SLEEPING      (UINT64_C(1) << 63)

/* All zero = awake, nothing rung. */
struct mr_bell {
    _Alignas(MR_CACHELINE) _Atomic uint64_t word;
};
_Static_assert(sizeof(struct mr_bell) == MR_CACHELINE, "a line of its own");

/* Producer (0 to 61), after its push. True: the consumer sleeps, and this caller must wake it. */
MR_MUST_USE static inline bool mr_bell_ring(struct mr_bell *b, unsigned producer)
{
    MR_ASSERT(producer < MR_BELL_PRODUCERS_MAX);
    return atomic_fetch_or(&b->word, UINT64_C(1) << producer) == MR_BELL_SLEEPING;
}
/* Consumer: a bit per producer that rang since the last take, before it looks at their queues.
 * Who takes is awake. */
static inline uint64_t mr_bell_take(struct mr_bell *b)
{
    return atomic_exchange(&b->word, 0) & ~MR_BELL_SLEEPING;
}
/* Consumer, before it waits. False: somebody rang, so take and do not wait. */
MR_MUST_USE static inline bool mr_bell_sleep(struct mr_bell *b)
{
    uint64_t idle = 0;

    return atomic_compare_exchange_strong(&b->word, &idle, MR_BELL_SLEEPING) ||
           idle == MR_BELL_SLEEPING;
}
/* Consumer, back from waiting for whatever reason, unless it takes at once. */
static inline void mr_bell_awake(struct mr_bell *b)
{
    atomic_fetch_and(&b->word, ~MR_BELL_SLEEPING);
}
