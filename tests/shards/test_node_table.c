#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/random.h"
#include "shards/node_table.h"

#define SESSIONS 64
#define LISTED   16

static struct mr_node_table t;

static struct mr_node_id id_of(uint32_t n)
{
    struct mr_node_id id = {{0}};

    mr_store_be32(id.b, n);
    return id;
}

static int setup(void **state)
{
    static const uint64_t key[2] = {1, 2};

    (void)state;
    assert_int_equal(mr_node_table_init(&t, SESSIONS, LISTED, key), MR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_node_table_fini(&t);
    return 0;
}

static void nodes_stay_while_they_have_sessions(void **state)
{
    struct mr_node_id a = id_of(1);

    (void)state;
    assert_null(mr_node_table_find(&t, &a));
    mr_node_table_add(&t, &a);
    mr_node_table_add(&t, &a);
    assert_int_equal(mr_node_table_find(&t, &a)->sessions, 2);
    mr_node_table_remove(&t, &a);
    assert_int_equal(mr_node_table_find(&t, &a)->sessions, 1);
    mr_node_table_remove(&t, &a);
    assert_null(mr_node_table_find(&t, &a));
}

static void listed_nodes_stay_without_sessions(void **state)
{
    struct mr_node_id a = id_of(1), b = id_of(2);

    (void)state;
    mr_node_table_list(&t, &a, true, false);
    mr_node_table_list(&t, &a, false, true);
    mr_node_table_list(&t, &b, false, true);
    assert_int_equal(t.listed, 2);
    assert_int_equal(t.listed_absent, 2);
    assert_true(mr_node_table_find(&t, &a)->is_static);
    assert_true(mr_node_table_find(&t, &a)->trusted);
    assert_false(mr_node_table_find(&t, &b)->is_static);
    mr_node_table_add(&t, &a);
    assert_int_equal(t.listed_absent, 1);
    mr_node_table_add(&t, &a);
    mr_node_table_remove(&t, &a);
    assert_int_equal(t.listed_absent, 1);
    mr_node_table_remove(&t, &a);
    assert_int_equal(t.listed_absent, 2);
    assert_non_null(mr_node_table_find(&t, &a));
    mr_node_table_unlist(&t);
    assert_int_equal(t.listed, 0);
    assert_int_equal(t.listed_absent, 0);
    assert_null(mr_node_table_find(&t, &a));
    assert_null(mr_node_table_find(&t, &b));
}

static void unlisting_keeps_sessions(void **state)
{
    struct mr_node_id a = id_of(1);

    (void)state;
    mr_node_table_list(&t, &a, true, false);
    mr_node_table_add(&t, &a);
    mr_node_table_unlist(&t);
    assert_int_equal(mr_node_table_find(&t, &a)->sessions, 1);
    assert_false(mr_node_table_find(&t, &a)->is_static);
    mr_node_table_remove(&t, &a);
    assert_null(mr_node_table_find(&t, &a));
    assert_int_equal(t.listed_absent, 0);
}

/* Against counts kept in the plainest way. */
static void agrees_with_a_model(void **state)
{
    unsigned sessions[200] = {0}, live = 0;
    bool listed[200] = {false};
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 4);
    for (unsigned step = 0; step < 100000; step++) {
        uint32_t n = (uint32_t)mr_random_below(&r, 200);
        struct mr_node_id id = id_of(n);
        unsigned listed_n = 0, absent = 0;

        if (mr_random_below(&r, 1000) == 0) {
            mr_node_table_unlist(&t);
            memset(listed, 0, sizeof listed);
            for (unsigned i = 0; i < LISTED; i++) {
                uint32_t k = (uint32_t)mr_random_below(&r, 200);
                struct mr_node_id other = id_of(k);

                mr_node_table_list(&t, &other, true, false);
                listed[k] = true;
            }
        } else if (sessions[n] > 0 && mr_random_below(&r, 2)) {
            mr_node_table_remove(&t, &id);
            sessions[n]--, live--;
        } else if (sessions[n] < MR_NODE_SESSIONS_MAX && live < SESSIONS) {
            mr_node_table_add(&t, &id);
            sessions[n]++, live++;
        }
        if (step % 64 != 0)
            continue;
        for (uint32_t i = 0; i < 200; i++) {
            struct mr_node_id other = id_of(i);
            const struct mr_node_entry *e = mr_node_table_find(&t, &other);

            assert_int_equal(e != NULL, sessions[i] > 0 || listed[i]);
            assert_int_equal(e ? e->sessions : 0, sessions[i]);
            listed_n += listed[i];
            absent += listed[i] && sessions[i] == 0;
        }
        assert_int_equal(t.listed, listed_n);
        assert_int_equal(t.listed_absent, absent);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nodes_stay_while_they_have_sessions),
        TEST(listed_nodes_stay_without_sessions),
        TEST(unlisting_keeps_sessions),
        TEST(agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
