#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "core/buffer.h"
#include "core/queue.h"
#include "core/random.h"

#define SHARDS 4
#ifdef MR_SANITIZED
#define ROUNDS 20000
#else
#define ROUNDS 200000
#endif

/* Every shard makes buffers, publishes each to some of the others, and checks and drops what it
 * gets. */
struct shard {
    unsigned id;
    struct shard *all;
    struct mr_buf_pool pool;
    struct mr_queue inbox[SHARDS]; /* by producer */
    struct mr_random random;
    uint64_t made, received, full;
    pthread_t thread;
};

static _Atomic unsigned finished;

static uint8_t mark(const struct mr_buf *b)
{
    return (uint8_t)(b->size * 31 + 7);
}

static void drop(struct shard *s, struct mr_buf *b)
{
    MR_ASSERT(b->data[0] == mark(b));
    MR_ASSERT(b->data[b->size - 1] == mark(b));
    mr_buf_put(&s->pool, b);
}

static bool drain(struct shard *s)
{
    bool any = false;
    struct mr_buf *b;

    for (unsigned i = 0; i < SHARDS; i++) {
        while (mr_queue_pop(&s->inbox[i], &b)) {
            drop(s, b);
            s->received++;
            any = true;
        }
    }
    return any;
}

static void publish(struct shard *s)
{
    uint32_t to = (uint32_t)mr_random_below(&s->random, 1 << SHARDS);
    size_t size = 1 + mr_random_below(&s->random, 3000);
    struct mr_buf *b;

    if (mr_random_below(&s->random, 100) == 0)
        size += MR_BUF_SMALL_MAX;
    b = mr_buf_get(&s->pool, size);
    if (!b) {
        s->full++;
        return;
    }
    s->made++;
    memset(b->data, mark(b), b->size);
    to &= ~(1u << s->id);
    if (to)
        mr_buf_hold(b, (uint32_t)__builtin_popcount(to));
    for (unsigned i = 0; i < SHARDS; i++)
        if (to >> i & 1)
            while (!mr_queue_push(&s->all[i].inbox[s->id], &b))
                if (!drain(s))
                    sched_yield();
    drop(s, b); /* its own hold: who comes last is a matter of chance */
}

static void *run(void *arg)
{
    struct shard *s = arg;

    for (int i = 0; i < ROUNDS; i++) {
        publish(s);
        drain(s);
        if (i % 16 == 0)
            mr_buf_pool_collect(&s->pool);
        MR_ASSERT(s->pool.bytes_used <= s->pool.bytes_reserved + s->pool.large_bytes);
    }
    /* A full inbox blocks who publishes, so everybody drains until nobody publishes any more. */
    atomic_fetch_add(&finished, 1);
    while (atomic_load(&finished) < SHARDS)
        if (!drain(s))
            sched_yield();
    drain(s);
    return NULL;
}

static void every_buffer_comes_home_whoever_was_last(void **state)
{
    static struct shard shards[SHARDS];
    uint64_t returns = 0, full = 0;

    (void)state;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *s = &shards[i];

        s->id = i;
        s->all = shards;
        mr_random_init(&s->random, i);
        assert_int_equal(mr_buf_pool_init(&s->pool, i == 0 ? 1u << 19 : 16u << 20, 2u << 20),
                         MR_OK);
        for (unsigned k = 0; k < SHARDS; k++)
            assert_int_equal(mr_queue_init(&s->inbox[k], 200, sizeof(struct mr_buf *)), MR_OK);
    }
    for (unsigned i = 0; i < SHARDS; i++)
        assert_int_equal(pthread_create(&shards[i].thread, NULL, run, &shards[i]), 0);
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_join(shards[i].thread, NULL);
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *s = &shards[i];

        for (unsigned k = 0; k < SHARDS; k++) {
            assert_int_equal(mr_queue_count(&s->inbox[k]), 0);
            mr_queue_fini(&s->inbox[k]);
        }
        mr_buf_pool_collect(&s->pool);
        assert_int_equal(s->made + s->full, ROUNDS);
        assert_int_equal(s->pool.gets, s->made);
        assert_int_equal(s->pool.fails, s->full);
        assert_int_equal(s->pool.out_count, 0);
        assert_int_equal(s->pool.bytes_used, 0);
        assert_int_equal(s->pool.large_bytes, 0);
        assert_int_equal(s->pool.bytes_reserved, 0);
        returns += s->pool.returns;
        full += s->full;
        assert_int_equal(mr_buf_pool_fini(&s->pool), 0);
    }
    assert_true(returns > 0);
    assert_true(full > 0); /* the first pool is too small on purpose */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_buffer_comes_home_whoever_was_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
