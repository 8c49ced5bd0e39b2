#include "core/buffer.h"

#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define MR_BUF_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MR_BUF_POISON 1
#endif
#endif
#ifdef MR_BUF_POISON
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

#define NONE  UINT32_MAX
#define LARGE UINT32_MAX /* mr_buf.slab of a buffer from malloc */

struct mr_buf_slab {
    uint32_t class_id;
    uint32_t live;   /* buffers that are out */
    uint32_t carved; /* objects handed out at least once; behind them the slab is untouched */
    uint32_t next, prev;
    struct mr_stack_entry *free;
};

static void add(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static void sub(_Atomic uint64_t *c, uint64_t n)
{
    add(c, -n);
}

static uint8_t *slab_base(const struct mr_buf_pool *pool, uint32_t slab)
{
    return pool->base + (size_t)slab * MR_BUF_SLAB_SIZE;
}

/* From 128 bytes on steps of at most 1.25, or one object a slab fewer; each object is as large as
 * that many in a slab can be. */
static void classes_init(struct mr_buf_pool *pool)
{
    uint32_t objects = MR_BUF_SLAB_SIZE / (sizeof(struct mr_buf) + 128), object = 0;
    uint32_t n = 0;

    for (; object < sizeof(struct mr_buf) + MR_BUF_SMALL_MAX; n++) {
        uint32_t step;

        MR_ASSERT(n < MR_BUF_CLASSES_MAX);
        object = MR_BUF_SLAB_SIZE / objects & ~UINT32_C(15);
        pool->classes[n].object_size = object;
        pool->classes[n].objects = objects;
        pool->classes[n].partial = NONE;
        step = object + object / 4;
        objects = MR_MIN((MR_BUF_SLAB_SIZE + step - 1) / step, objects - 1);
    }
    pool->classes_count = n;
}

static uint32_t class_for(const struct mr_buf_pool *pool, size_t size)
{
    uint32_t lo = 0, hi = pool->classes_count - 1;

    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;

        if (pool->classes[mid].object_size - sizeof(struct mr_buf) < size)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void partial_push(struct mr_buf_pool *pool, uint32_t slab)
{
    struct mr_buf_slab *s = &pool->slabs[slab];
    uint32_t *head = &pool->classes[s->class_id].partial;

    s->prev = NONE;
    s->next = *head;
    if (*head != NONE)
        pool->slabs[*head].prev = slab;
    *head = slab;
}

static void partial_remove(struct mr_buf_pool *pool, uint32_t slab)
{
    struct mr_buf_slab *s = &pool->slabs[slab];

    if (s->prev != NONE)
        pool->slabs[s->prev].next = s->next;
    else
        pool->classes[s->class_id].partial = s->next;
    if (s->next != NONE)
        pool->slabs[s->next].prev = s->prev;
}

/* A slab without a class becomes one of class_id. NONE when there is none left. */
static uint32_t slab_assign(struct mr_buf_pool *pool, uint32_t class_id)
{
    uint32_t slab = pool->slab_free;

    if (slab != NONE)
        pool->slab_free = pool->slabs[slab].next;
    else if (pool->slabs_fresh < pool->slabs_count)
        slab = pool->slabs_fresh++;
    else
        return NONE;
    pool->slabs[slab] = (struct mr_buf_slab){.class_id = class_id};
    partial_push(pool, slab);
    add(&pool->bytes_reserved, MR_BUF_SLAB_SIZE);
    return slab;
}

static void slab_release(struct mr_buf_pool *pool, uint32_t slab)
{
    partial_remove(pool, slab);
    UNPOISON(slab_base(pool, slab), MR_BUF_SLAB_SIZE);
    pool->slabs[slab].next = pool->slab_free;
    pool->slab_free = slab;
    sub(&pool->bytes_reserved, MR_BUF_SLAB_SIZE);
}

static struct mr_buf *small_get(struct mr_buf_pool *pool, size_t size)
{
    uint32_t class_id = class_for(pool, size), slab = pool->classes[class_id].partial;
    uint32_t object_size = pool->classes[class_id].object_size;
    struct mr_buf_slab *s;
    struct mr_buf *b;

    if (slab == NONE && (slab = slab_assign(pool, class_id)) == NONE)
        return NULL;
    s = &pool->slabs[slab];
    if (s->free) {
        b = MR_CONTAINER(s->free, struct mr_buf, link);
        s->free = s->free->next;
    } else {
        b = (struct mr_buf *)(void *)(slab_base(pool, slab) + (size_t)s->carved * object_size);
        s->carved++;
    }
    if (++s->live == pool->classes[class_id].objects)
        partial_remove(pool, slab);
    b->slab = slab;
    b->capacity = object_size - (uint32_t)sizeof *b;
    UNPOISON(b->data, b->capacity);
    return b;
}

static void small_free(struct mr_buf_pool *pool, struct mr_buf *b)
{
    struct mr_buf_slab *s = &pool->slabs[b->slab];
    uint32_t slab = b->slab;

    MR_ASSERT(s->live > 0);
    POISON(b->data, b->capacity);
    if (s->live-- == pool->classes[s->class_id].objects)
        partial_push(pool, slab);
    b->link.next = s->free;
    s->free = &b->link;
    if (s->live == 0)
        slab_release(pool, slab);
}

static struct mr_buf *large_get(struct mr_buf_pool *pool, size_t size)
{
    size_t whole = sizeof(struct mr_buf) + size;
    struct mr_buf *b;

    if (pool->large_bytes + whole > pool->large_bytes_max || !(b = malloc(whole)))
        return NULL;
    add(&pool->large_bytes, whole);
    b->slab = LARGE;
    b->capacity = (uint32_t)size;
    return b;
}

static void go_home(struct mr_buf_pool *pool, struct mr_buf *b)
{
    size_t whole = sizeof *b + b->capacity;

    MR_ASSERT(pool->out_count > 0);
    pool->out_count--;
    sub(&pool->bytes_used, whole);
    if (b->slab != LARGE) {
        small_free(pool, b);
        return;
    }
    sub(&pool->large_bytes, whole);
    free(b);
}

static struct mr_buf *take(struct mr_buf_pool *pool, size_t size)
{
    return size <= MR_BUF_SMALL_MAX ? small_get(pool, size) : large_get(pool, size);
}

enum mr_err mr_buf_pool_init(struct mr_buf_pool *pool, size_t max_bytes, size_t large_max_bytes)
{
    size_t slabs = max_bytes / MR_BUF_SLAB_SIZE + (max_bytes % MR_BUF_SLAB_SIZE != 0);
    void *base = NULL;

    MR_ASSERT(slabs < NONE);
    memset(pool, 0, sizeof *pool);
    pool->large_bytes_max = large_max_bytes;
    pool->slab_free = NONE;
    classes_init(pool);
    if (slabs == 0)
        return MR_OK;
    base = mmap(NULL, slabs * MR_BUF_SLAB_SIZE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return MR_SYSTEM;
    pool->slabs = calloc(slabs, sizeof *pool->slabs);
    if (!pool->slabs) {
        munmap(base, slabs * MR_BUF_SLAB_SIZE);
        return MR_SYSTEM;
    }
    pool->base = base;
    pool->slabs_count = (uint32_t)slabs;
    return MR_OK;
}

size_t mr_buf_pool_fini(struct mr_buf_pool *pool)
{
    size_t missing;

    mr_buf_pool_collect(pool);
    missing = pool->out_count;
    MR_VERIFY_THAT(missing == 0);
    if (missing > 0)
        return missing;
    MR_ASSERT(pool->bytes_used == 0);
    MR_ASSERT(pool->bytes_reserved == 0);
    if (pool->base)
        munmap(pool->base, (size_t)pool->slabs_count * MR_BUF_SLAB_SIZE);
    free(pool->slabs);
    memset(pool, 0, sizeof *pool);
    return 0;
}

size_t mr_buf_pool_collect(struct mr_buf_pool *pool)
{
    struct mr_stack_entry *e, *next;
    size_t n = 0;

    for (e = mr_stack_take(&pool->returned); e; e = next, n++) {
        next = e->next;
        go_home(pool, MR_CONTAINER(e, struct mr_buf, link));
    }
    if (n > 0)
        add(&pool->returns, n);
    return n;
}

struct mr_buf *mr_buf_get(struct mr_buf_pool *pool, size_t size)
{
    struct mr_buf *b = NULL;

    if (size <= MR_BUF_SIZE_MAX) {
        b = take(pool, size);
        if (!b && mr_buf_pool_collect(pool) > 0)
            b = take(pool, size);
    }
    if (!b) {
        add(&pool->fails, 1);
        return NULL;
    }
    b->size = (uint32_t)size;
    b->home = pool;
    atomic_store_explicit(&b->holders, 1, memory_order_relaxed);
    pool->out_count++;
    add(&pool->gets, 1);
    add(&pool->bytes_used, sizeof *b + b->capacity);
    return b;
}

void mr_buf_hold(struct mr_buf *b, uint32_t n)
{
    /* Relaxed: the caller holds it already, and what publishes the pointer orders the rest. */
    uint32_t before = atomic_fetch_add_explicit(&b->holders, n, memory_order_relaxed);

    MR_ASSERT(before > 0);
    MR_ASSERT(before <= UINT32_MAX - n);
}

void mr_buf_put(struct mr_buf_pool *caller, struct mr_buf *b)
{
    /* An only holder cannot be joined by another: no need for a locked instruction. */
    if (atomic_load_explicit(&b->holders, memory_order_acquire) == 1) {
        atomic_store_explicit(&b->holders, 0, memory_order_relaxed);
    } else {
        uint32_t before = atomic_fetch_sub_explicit(&b->holders, 1, memory_order_acq_rel);

        MR_ASSERT(before > 0);
        if (before > 1)
            return;
    }
    if (b->home == caller)
        go_home(caller, b);
    else
        mr_stack_push(&b->home->returned, &b->link);
}

bool mr_ref_drop(struct mr_buf_pool *caller, struct mr_ref *r)
{
    MR_ASSERT(r->users > 0);
    if (--r->users > 0)
        return false;
    mr_buf_put(caller, r->buf);
    r->buf = NULL;
    return true;
}
