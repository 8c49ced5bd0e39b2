#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/queue.h"

static void slots_of_every_size_come_out_whole_and_in_order(void **state)
{
    (void)state;
    for (uint32_t size = 8; size <= MR_QUEUE_SLOT_MAX; size += 8) {
        struct mr_queue q;
        uint64_t in = 0, out = 0;

        assert_int_equal(mr_queue_init(&q, 5, size), MR_OK);
        for (int round = 0; round < 100; round++) {
            uint8_t slot[MR_QUEUE_SLOT_MAX + 8], expected[MR_QUEUE_SLOT_MAX + 8];

            for (int i = 0; i < 1 + round % 5; i++, in++) {
                memset(slot, (int)(in & 0xff), sizeof slot);
                mr_store_le64(slot + size - 8, in);
                assert_true(mr_queue_push(&q, slot));
            }
            assert_int_equal(mr_queue_count(&q), in - out);
            for (; out < in; out++) {
                memset(expected, (int)(out & 0xff), sizeof expected);
                mr_store_le64(expected + size - 8, out);
                memset(expected + size, 0xee, 8);
                memset(slot, 0xee, sizeof slot);
                assert_true(mr_queue_pop(&q, slot));
                assert_memory_equal(slot, expected, size + 8);
            }
        }
        assert_int_equal(q.pushed, in);
        assert_int_equal(q.popped, in);
        assert_int_equal(q.full, 0);
        mr_queue_fini(&q);
    }
}

static void a_full_queue_refuses_and_counts(void **state)
{
    (void)state;
    for (uint32_t capacity = 1; capacity <= 70; capacity++) {
        struct mr_queue q;
        uint64_t v;

        assert_int_equal(mr_queue_init(&q, capacity, 8), MR_OK);
        assert_true(q.capacity >= capacity);
        assert_true(q.capacity <= 2 * capacity);
        for (v = 0; v < q.capacity; v++)
            assert_true(mr_queue_push(&q, &v));
        assert_false(mr_queue_push(&q, &v));
        assert_false(mr_queue_push(&q, &v));
        assert_int_equal(q.full, 2);
        assert_int_equal(mr_queue_count(&q), q.capacity);
        assert_true(mr_queue_pop(&q, &v));
        assert_int_equal(v, 0);
        assert_true(mr_queue_push(&q, &v));
        mr_queue_fini(&q);
    }
}

static void an_empty_queue_leaves_the_slot_untouched(void **state)
{
    uint64_t v = 77;
    struct mr_queue q;

    (void)state;
    assert_int_equal(mr_queue_init(&q, 4, 8), MR_OK);
    assert_false(mr_queue_pop(&q, &v));
    assert_int_equal(v, 77);
    assert_int_equal(q.popped, 0);
    assert_int_equal(mr_queue_count(&q), 0);
    mr_queue_fini(&q);
}

static void a_stack_gives_all_newest_first_and_is_empty_then(void **state)
{
    struct mr_stack_entry e[3], *all;
    struct mr_stack s = {0};

    (void)state;
    assert_null(mr_stack_take(&s));
    for (size_t i = 0; i < 3; i++)
        mr_stack_push(&s, &e[i]);
    all = mr_stack_take(&s);
    assert_ptr_equal(all, &e[2]);
    assert_ptr_equal(all->next, &e[1]);
    assert_ptr_equal(all->next->next, &e[0]);
    assert_null(all->next->next->next);
    assert_null(mr_stack_take(&s));
}

static void ringing_an_awake_consumer_only_leaves_a_bit(void **state)
{
    struct mr_bell b = {0};

    (void)state;
    assert_false(mr_bell_ring(&b, 0));
    assert_false(mr_bell_ring(&b, 61));
    assert_false(mr_bell_ring(&b, 61));
    assert_false(mr_bell_sleep(&b)); /* somebody rang */
    assert_int_equal(mr_bell_take(&b), UINT64_C(1) | UINT64_C(1) << 61);
    assert_int_equal(mr_bell_take(&b), 0);
}

static void one_producer_wakes_a_sleeper(void **state)
{
    struct mr_bell b = {0};

    (void)state;
    assert_true(mr_bell_sleep(&b));
    assert_true(mr_bell_sleep(&b)); /* still nothing */
    assert_true(mr_bell_ring(&b, 3));
    assert_false(mr_bell_ring(&b, 3)); /* under way already */
    assert_false(mr_bell_ring(&b, 4));
    assert_false(mr_bell_sleep(&b));
    assert_int_equal(mr_bell_take(&b), 3 << 3);
    assert_false(mr_bell_ring(&b, 3)); /* taking means awake */
    assert_int_equal(mr_bell_take(&b), 1 << 3);
}

static void a_consumer_that_woke_by_itself_is_not_woken(void **state)
{
    struct mr_bell b = {0};

    (void)state;
    assert_true(mr_bell_sleep(&b));
    mr_bell_awake(&b);
    assert_false(mr_bell_ring(&b, 0));
    mr_bell_awake(&b);
    assert_int_equal(mr_bell_take(&b), 1); /* awake loses no bit */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_of_every_size_come_out_whole_and_in_order),
        cmocka_unit_test(a_full_queue_refuses_and_counts),
        cmocka_unit_test(an_empty_queue_leaves_the_slot_untouched),
        cmocka_unit_test(a_stack_gives_all_newest_first_and_is_empty_then),
        cmocka_unit_test(ringing_an_awake_consumer_only_leaves_a_bit),
        cmocka_unit_test(one_producer_wakes_a_sleeper),
        cmocka_unit_test(a_consumer_that_woke_by_itself_is_not_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
