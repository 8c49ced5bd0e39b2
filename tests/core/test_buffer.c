#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buffer.h"
#include "core/random.h"

#define MIB (UINT64_C(1) << 20)

static void fill(struct mr_buf *b, uint8_t v)
{
    memset(b->data, v, b->capacity);
}

static bool filled(const struct mr_buf *b, uint8_t v)
{
    for (uint32_t i = 0; i < b->capacity; i++)
        if (b->data[i] != v)
            return false;
    return true;
}

static void a_buffer_has_the_size_asked_for_and_one_holder(void **state)
{
    static const size_t sizes[] = {
        0, 1, 127, 128, 129, 4096, MR_BUF_SMALL_MAX, MR_BUF_SMALL_MAX + 1, MIB, MR_BUF_SIZE_MAX};
    struct mr_buf_pool pool;

    (void)state;
    assert_int_equal(mr_buf_pool_init(&pool, MIB, 32 * MIB), MR_OK);
    for (size_t i = 0; i < MR_COUNT_OF(sizes); i++) {
        struct mr_buf *b = mr_buf_get(&pool, sizes[i]);

        assert_non_null(b);
        assert_int_equal(b->size, sizes[i]);
        assert_true(b->capacity >= b->size);
        assert_int_equal(b->holders, 1);
        assert_ptr_equal(mr_buf_span(b).p, b->data);
        assert_int_equal(mr_buf_span(b).n, sizes[i]);
        assert_int_equal((uintptr_t)b->data % 16, 0);
        assert_true(pool.bytes_used >= sizes[i]);
        assert_int_equal(pool.large_bytes > 0, sizes[i] > MR_BUF_SMALL_MAX);
        fill(b, 0xaa);
        mr_buf_put(&pool, b);
        assert_int_equal(pool.bytes_used, 0);
    }
    assert_int_equal(pool.gets, MR_COUNT_OF(sizes));
    assert_null(mr_buf_get(&pool, (size_t)MR_BUF_SIZE_MAX + 1));
    assert_null(mr_buf_get(&pool, SIZE_MAX));
    assert_int_equal(pool.fails, 2);
    assert_int_equal(mr_buf_pool_fini(&pool), 0);
}

static void at_most_a_quarter_of_a_slab_is_waste(void **state)
{
    struct mr_buf_pool pool;

    (void)state;
    assert_int_equal(mr_buf_pool_init(&pool, MR_BUF_SLAB_SIZE, 0), MR_OK);
    for (size_t size = 128; size <= MR_BUF_SMALL_MAX; size++) {
        struct mr_buf *b = mr_buf_get(&pool, size);
        size_t share;

        assert_non_null(b);
        share = MR_BUF_SLAB_SIZE / (MR_BUF_SLAB_SIZE / (sizeof *b + b->capacity));
        assert_true((sizeof *b + size) * 4 >= share * 3);
        mr_buf_put(&pool, b);
    }
    assert_int_equal(mr_buf_pool_fini(&pool), 0);
}

static size_t some_size(struct mr_random *r)
{
    return mr_random_below(r, 1 + ((MR_BUF_SMALL_MAX + 5000) >> mr_random_below(r, 10)));
}

static void buffers_never_overlap_whatever_the_order(void **state)
{
    enum { HELD = 500 };
    struct mr_buf *held[HELD] = {0};
    struct mr_buf_pool pool;
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 1);
    assert_int_equal(mr_buf_pool_init(&pool, 4 * MIB, MIB), MR_OK);
    for (int step = 0; step < 60000; step++) {
        size_t i = mr_random_below(&r, HELD);

        if (held[i]) {
            assert_true(filled(held[i], (uint8_t)i));
            mr_buf_put(&pool, held[i]);
            held[i] = NULL;
        } else {
            held[i] = mr_buf_get(&pool, some_size(&r));
            if (held[i])
                fill(held[i], (uint8_t)i);
        }
        assert_true(pool.bytes_used - pool.large_bytes <= pool.bytes_reserved);
        assert_true(pool.bytes_reserved <= 4 * MIB);
        assert_true(pool.large_bytes <= MIB);
    }
    for (size_t i = 0; i < HELD; i++)
        if (held[i])
            mr_buf_put(&pool, held[i]);
    assert_int_equal(pool.bytes_used, 0);
    assert_int_equal(pool.bytes_reserved, 0);
    assert_int_equal(mr_buf_pool_fini(&pool), 0);
}

static size_t get_until_full(struct mr_buf_pool *pool, struct mr_buf **out, size_t max, size_t size)
{
    size_t n = 0;

    while (n < max && (out[n] = mr_buf_get(pool, size)))
        fill(out[n], (uint8_t)n), n++;
    return n;
}

static void exhaustion_refuses_counts_and_recovers(void **state)
{
    static struct mr_buf *held[10000];
    struct mr_buf_pool pool;
    size_t n;

    (void)state;
    assert_int_equal(mr_buf_pool_init(&pool, MIB, 0), MR_OK);
    n = get_until_full(&pool, held, MR_COUNT_OF(held), 1000);
    assert_true(n * 1000 >= MIB * 3 / 4);
    assert_int_equal(pool.fails, 1);
    assert_int_equal(pool.bytes_reserved, MIB);
    assert_null(mr_buf_get(&pool, 20000)); /* no slab left for another class either */
    assert_int_equal(pool.fails, 2);
    for (size_t i = 0; i < n; i++)
        assert_true(filled(held[i], (uint8_t)i));
    mr_buf_put(&pool, held[n - 1]);
    held[n - 1] = mr_buf_get(&pool, 999);
    assert_non_null(held[n - 1]);
    for (size_t i = 0; i < n; i++)
        mr_buf_put(&pool, held[i]);
    assert_int_equal(mr_buf_pool_fini(&pool), 0);
}

/* A pool once full of one size gives every slab to another when the buffers came home. */
static void slabs_that_emptied_serve_other_sizes(void **state)
{
    static const size_t sizes[] = {100, 30000, 500, 5000, 100};
    static struct mr_buf *held[20000];
    struct mr_buf_pool pool;
    size_t first = 0;

    (void)state;
    assert_int_equal(mr_buf_pool_init(&pool, 2 * MIB, 0), MR_OK);
    for (size_t k = 0; k < MR_COUNT_OF(sizes); k++) {
        size_t n = get_until_full(&pool, held, MR_COUNT_OF(held), sizes[k]);

        assert_int_equal(pool.bytes_reserved, 2 * MIB);
        assert_true(n * (sizes[k] + sizeof(struct mr_buf)) * 100 >= 2 * MIB * 68);
        if (k == 0)
            first = n;
        for (size_t i = 0; i < n; i++) /* every other one first, so that slabs empty late */
            mr_buf_put(&pool, held[i * 2 < n ? i * 2 : (i - (n + 1) / 2) * 2 + 1]);
        assert_int_equal(pool.bytes_reserved, 0);
        if (sizes[k] == sizes[0])
            assert_int_equal(n, first);
    }
    assert_int_equal(mr_buf_pool_fini(&pool), 0);
}

static void large_buffers_keep_to_their_own_bound(void **state)
{
    struct mr_buf_pool pool;
    struct mr_buf *a, *b, *small;

    (void)state;
    assert_int_equal(mr_buf_pool_init(&pool, MIB, 3 * MIB), MR_OK);
    a = mr_buf_get(&pool, MIB);
    b = mr_buf_get(&pool, MIB);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(mr_buf_get(&pool, MIB)); /* the overhead counts */
    assert_int_equal(pool.fails, 1);
    assert_int_equal(pool.bytes_reserved, 0);
    small = mr_buf_get(&pool, 100);
    assert_non_null(small);
    mr_buf_put(&pool, a);
    a = mr_buf_get(&pool, 2 * MIB - 2 * sizeof *a);
    assert_non_null(a);
    mr_buf_put(&pool, a);
    mr_buf_put(&pool, b);
    mr_buf_put(&pool, small);
    assert_int_equal(pool.large_bytes, 0);
    assert_int_equal(mr_buf_pool_fini(&pool), 0);

    assert_int_equal(mr_buf_pool_init(&pool, 0, 0),
                     MR_OK); /* a pool of nothing refuses everything */
    assert_null(mr_buf_get(&pool, 0));
    assert_null(mr_buf_get(&pool, MIB));
    assert_int_equal(mr_buf_pool_fini(&pool), 0);
}

static void the_last_holder_elsewhere_sends_it_home_by_the_stack(void **state)
{
    struct mr_buf_pool pool, other;
    struct mr_buf *small, *large;

    (void)state;
    assert_int_equal(mr_buf_pool_init(&pool, MIB, MIB), MR_OK);
    assert_int_equal(mr_buf_pool_init(&other, MIB, 0), MR_OK);
    small = mr_buf_get(&pool, 300);
    large = mr_buf_get(&pool, 100000);
    mr_buf_hold(small, 2);
    mr_buf_put(&pool, small);
    mr_buf_put(&other, small);
    assert_int_equal(small->holders, 1);
    mr_buf_put(&other, small);
    mr_buf_put(NULL, large);
    assert_int_equal(pool.out_count, 2); /* on the stack, not yet home */
    assert_int_equal(mr_buf_pool_collect(&other), 0);
    assert_int_equal(mr_buf_pool_collect(&pool), 2);
    assert_int_equal(mr_buf_pool_collect(&pool), 0);
    assert_int_equal(pool.out_count, 0);
    assert_int_equal(pool.returns, 2);
    assert_int_equal(pool.bytes_used, 0);
    mr_buf_put(NULL, mr_buf_get(&pool, 300));
    assert_int_equal(mr_buf_pool_fini(&pool), 0); /* collects by itself */
    assert_int_equal(mr_buf_pool_fini(&other), 0);
}

static void get_collects_before_it_refuses(void **state)
{
    static struct mr_buf *held[5000];
    struct mr_buf_pool pool;
    struct mr_buf *b;
    size_t n;

    (void)state;
    assert_int_equal(mr_buf_pool_init(&pool, MR_BUF_SLAB_SIZE, 0), MR_OK);
    n = get_until_full(&pool, held, MR_COUNT_OF(held), 200);
    mr_buf_put(NULL, held[0]);
    assert_int_equal(pool.fails, 1);
    b = mr_buf_get(&pool, 200);
    assert_ptr_equal(b, held[0]);
    assert_int_equal(pool.fails, 1);
    for (size_t i = 1; i < n; i++)
        mr_buf_put(NULL, held[i]);
    mr_buf_put(&pool, b);
    b = mr_buf_get(&pool, 30000); /* the slab itself comes home, for another class */
    assert_non_null(b);
    mr_buf_put(&pool, b);
    assert_int_equal(mr_buf_pool_fini(&pool), 0);
}

static void users_inside_a_thread_are_one_holder(void **state)
{
    struct mr_buf_pool pool;
    struct mr_ref ref;
    struct mr_buf *b;

    (void)state;
    assert_int_equal(mr_buf_pool_init(&pool, MIB, 0), MR_OK);
    b = mr_buf_get(&pool, 100);
    mr_ref_init(&ref, b);
    for (int i = 0; i < 999; i++)
        mr_ref_take(&ref);
    assert_int_equal(b->holders, 1);
    for (int i = 0; i < 999; i++)
        assert_false(mr_ref_drop(&pool, &ref));
    assert_int_equal(pool.out_count, 1);
    assert_true(mr_ref_drop(&pool, &ref));
    assert_null(ref.buf);
    assert_int_equal(ref.users, 0);
    assert_int_equal(pool.out_count, 0);
    assert_int_equal(mr_buf_pool_fini(&pool), 0);
}

/* How a child that runs fn ends: true if an assert stopped it. */
static bool dies(void (*fn)(void))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        fn();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void put_twice(void)
{
    static struct mr_buf_pool pool;
    struct mr_buf *b, *other;

    MR_ASSERT(mr_buf_pool_init(&pool, MIB, 0) == MR_OK);
    b = mr_buf_get(&pool, 10);
    other = mr_buf_get(&pool, 10);
    mr_buf_put(&pool, b);
    mr_buf_put(&pool, b);
    mr_buf_put(&pool, other);
}

static void hold_after_the_last_put(void)
{
    static struct mr_buf_pool pool;
    struct mr_buf *b, *other;

    MR_ASSERT(mr_buf_pool_init(&pool, MIB, 0) == MR_OK);
    b = mr_buf_get(&pool, 10);
    other = mr_buf_get(&pool, 10);
    mr_buf_put(&pool, b);
    mr_buf_hold(b, 1);
    mr_buf_put(&pool, other);
}

static void lose_one(void)
{
    static struct mr_buf_pool pool;
    struct mr_buf *b;

    MR_ASSERT(mr_buf_pool_init(&pool, MIB, 0) == MR_OK);
    b = mr_buf_get(&pool, 10);
    if (mr_buf_pool_fini(&pool) == 1) { /* release: counted, and still there for who holds it */
        fill(b, 1);
        mr_buf_put(&pool, b);
        if (mr_buf_pool_fini(&pool) == 0)
            _exit(0);
    }
    _exit(2);
}

static void misuse_is_stopped_by_an_assert(void **state)
{
    (void)state;
    assert_true(dies(put_twice));
    assert_true(dies(hold_after_the_last_put));
#ifdef MR_VERIFY
    assert_true(dies(lose_one));
#else
    assert_false(dies(lose_one));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_has_the_size_asked_for_and_one_holder),
        cmocka_unit_test(at_most_a_quarter_of_a_slab_is_waste),
        cmocka_unit_test(buffers_never_overlap_whatever_the_order),
        cmocka_unit_test(exhaustion_refuses_counts_and_recovers),
        cmocka_unit_test(slabs_that_emptied_serve_other_sizes),
        cmocka_unit_test(large_buffers_keep_to_their_own_bound),
        cmocka_unit_test(the_last_holder_elsewhere_sends_it_home_by_the_stack),
        cmocka_unit_test(get_collects_before_it_refuses),
        cmocka_unit_test(users_inside_a_thread_are_one_holder),
        cmocka_unit_test(misuse_is_stopped_by_an_assert),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
