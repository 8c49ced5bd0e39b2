/* buffer.h: refcounted immutable bytes (mr_buf), and the pool that they come from and go home to.
 * Thread: a pool belongs to one thread; a buffer travels to others as a pointer through a queue.
 *
 * Two levels of counting: mr_buf.holders is atomic and counts the threads that hold the buffer;
 * inside a thread mr_ref counts users with a plain integer. The last holder's put sends the buffer
 * home: at once on the home thread, elsewhere by the pool's return stack, which cannot fill.
 *
 * Memory: the pool reserves its address space at init and carves it into slabs of 256 KiB, each of
 * one size class; a slab whose buffers all came home is free for any class again. No allocator call
 * is made for a buffer of up to MR_BUF_SMALL_MAX bytes. Larger ones come from malloc, on the home
 * thread only and under a bound of their own. */
#pragma once
#include <stdatomic.h>

#include "core/base.h"
#include "core/queue.h"

#define MR_BUF_SMALL_MAX   (UINT32_C(72) << 10) /* a send slice of 64 KiB and its frame heads */
#define MR_BUF_SIZE_MAX    ((UINT32_C(16) << 20) + (UINT32_C(64) << 10))
#define MR_BUF_SLAB_SIZE   (UINT32_C(256) << 10)
#define MR_BUF_CLASSES_MAX 40

struct mr_buf_pool;

struct mr_buf {
    _Atomic uint32_t holders;
    uint32_t size;     /* the getter may lower it (and write data) until it publishes the buffer */
    uint32_t capacity; /* >= size */
    uint32_t slab;     /* index in the home pool, or that it is large */
    struct mr_buf_pool *home;
    struct mr_stack_entry link; /* free list and return stack */
    uint8_t data[];
};
_Static_assert(sizeof(struct mr_buf) == 32, "the overhead per buffer");

struct mr_buf_slab;

struct mr_buf_pool {
    struct mr_stack returned; /* any thread pushes */
    /* Owner from here on; the counters may be read by any thread. */
    _Atomic uint64_t bytes_used;     /* small and large buffers that are out, overhead included */
    _Atomic uint64_t bytes_reserved; /* slabs that belong to a class */
    _Atomic uint64_t large_bytes;    /* part of bytes_used that is malloc's */
    _Atomic uint64_t gets, fails, returns; /* returns: buffers that came home by the stack */
    uint64_t out_count;
    uint64_t large_bytes_max;
    uint8_t *base; /* slabs_count * MR_BUF_SLAB_SIZE bytes of address space */
    struct mr_buf_slab *slabs;
    uint32_t slabs_count, slabs_fresh; /* from slabs_fresh on never used so far */
    uint32_t slab_free;                /* list of slabs without a class */
    uint32_t classes_count;
    struct {
        uint32_t object_size, objects; /* per slab */
        uint32_t partial;              /* list of slabs with room */
    } classes[MR_BUF_CLASSES_MAX];
};

/* max_bytes (rounded up to whole slabs) bounds the small buffers, large_max_bytes the others;
 * either may be 0. Returns MR_OK or MR_SYSTEM (no address space). */
enum mr_err mr_buf_pool_init(struct mr_buf_pool *pool, size_t max_bytes, size_t large_max_bytes);
/* Collects; asserts in verify builds that every buffer came home. Returns the number that did not;
 * their memory then stays mapped, because somebody may still read it. */
size_t mr_buf_pool_fini(struct mr_buf_pool *pool);
/* Owner, once a turn: takes in what other threads sent home. Returns how many. */
size_t mr_buf_pool_collect(struct mr_buf_pool *pool);

/* Owner: a buffer of size bytes (up to MR_BUF_SIZE_MAX), data uninitialised, with one holder: the
 * caller. NULL when the bound is reached (counted), after having collected. */
MR_MUST_USE struct mr_buf *mr_buf_get(struct mr_buf_pool *pool, size_t size);
/* A holder adds n holders, before it publishes the buffer to as many threads. */
void mr_buf_hold(struct mr_buf *b, uint32_t n);
/* Drops one holder. caller is the calling thread's own pool, NULL if it has none. */
void mr_buf_put(struct mr_buf_pool *caller, struct mr_buf *b);

static inline struct mr_span mr_buf_span(const struct mr_buf *b)
{
    return mr_span(b->data, b->size);
}

/* One thread's hold on a buffer, shared by its users. All zero = none. */
struct mr_ref {
    struct mr_buf *buf;
    uint32_t users;
};
/* Takes over one holder of b; the caller is the first user. */
static inline void mr_ref_init(struct mr_ref *r, struct mr_buf *b)
{
    *r = (struct mr_ref){.buf = b, .users = 1};
}
static inline void mr_ref_take(struct mr_ref *r)
{
    MR_ASSERT(r->users > 0);
    MR_ASSERT(r->users < UINT32_MAX);
    r->users++;
}
/* Returns true when that was the last user: the holder is put, r is empty. */
bool mr_ref_drop(struct mr_buf_pool *caller, struct mr_ref *r);
