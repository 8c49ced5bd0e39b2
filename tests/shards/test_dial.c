#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/rlpx/base_protocol.h"
#include "shards/dial.h"

#define REDIAL (35 * MR_SECOND)

static struct mr_dial d;
static struct mr_listed_node nodes[MR_LISTED_MAX + 1];
static const struct mr_node_id self = {{0xee}};
static uint64_t now;

static int setup(void **state)
{
    static const uint64_t key[2] = {1, 2};

    (void)state;
    now = 1000 * MR_SECOND;
    assert_int_equal(mr_dial_init(&d, &self, REDIAL, key, 3, now), MR_OK);
    memset(nodes, 0, sizeof nodes);
    for (uint32_t i = 0; i < MR_COUNT_OF(nodes); i++) {
        mr_store_be32(nodes[i].id.b, i + 1);
        nodes[i].at = (struct mr_endpoint){.ip = 0x01000000 + i, .port = 30303};
        nodes[i].is_static = true;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_dial_fini(&d);
    return 0;
}

static void set(size_t n)
{
    assert_int_equal(mr_dial_set(&d, nodes, n, now), MR_OK);
}

static bool next(struct mr_listed_node *out)
{
    return mr_dial_next(&d, out, now);
}

/* A dial that does not become a session. */
static void fail_dial(const struct mr_listed_node *n, enum mr_dial_outcome outcome)
{
    mr_dial_finished(&d);
    mr_dial_release(&d, &n->id, outcome, 0, now);
}

/* Lets time pass until the node is dialled again; how long that took. */
static uint64_t wait_for_dial(struct mr_listed_node *out)
{
    uint64_t from = now;

    while (!next(out)) {
        uint64_t at = mr_dial_next_ns(&d);

        assert_true(at > now); /* it never asks to be called again at once for nothing */
        assert_true(at < now + 10000 * MR_SECOND);
        now = at;
    }
    return now - from;
}

static void listed_nodes_are_dialled_at_once_and_only_once(void **state)
{
    struct mr_listed_node n;

    (void)state;
    set(3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(next(&n));
        assert_memory_equal(&n, &nodes[i], sizeof n);
    }
    assert_false(next(&n));
    now += 3600 * MR_SECOND;
    assert_false(next(&n)); /* all are under way */
}

static void own_id_and_nodes_without_a_port_are_never_dialled(void **state)
{
    struct mr_listed_node n;

    (void)state;
    nodes[0].id = self;
    nodes[1].at.port = 0;
    set(2);
    assert_false(next(&n));
    assert_null(mr_dial_find(&d, &self));
    assert_non_null(mr_dial_find(&d, &nodes[1].id));
    assert_int_equal(mr_dial_next_ns(&d), UINT64_MAX);
}

static void sixteen_at_once_and_fifty_a_second(void **state)
{
    struct mr_listed_node n;
    unsigned dials = 0;

    (void)state;
    set(MR_LISTED_MAX);
    while (next(&n))
        dials++;
    assert_int_equal(dials, MR_DIAL_CONCURRENT);
    assert_int_equal(mr_dial_next_ns(&d), UINT64_MAX);
    for (uint64_t end = now + 10 * MR_SECOND; now < end; now += 10 * MR_MS) {
        while (d.dialling > 0)
            mr_dial_finished(&d);
        while (next(&n)) {
            assert_true(d.dialling <= MR_DIAL_CONCURRENT);
            dials++;
        }
    }
    assert_true(dials >= 480);
    assert_true(dials <= MR_DIAL_CONCURRENT + 10 * MR_DIAL_PER_SECOND);
}

static void network_failures_double_from_redial_to_ten_minutes(void **state)
{
    struct mr_listed_node n;
    uint64_t base = REDIAL;

    (void)state;
    set(1);
    assert_true(next(&n));
    for (unsigned i = 0; i < 10; i++) {
        uint64_t waited;

        fail_dial(&n, MR_DIAL_NETWORK);
        waited = wait_for_dial(&n);
        assert_in_range(waited, base, base + base / 4 + 1);
        base = MR_MIN(2 * base, 600 * MR_SECOND);
    }
}

static void busy_nodes_rest_a_minute_and_unwanted_ones_ten(void **state)
{
    struct mr_listed_node n;

    (void)state;
    set(1);
    assert_true(next(&n));
    fail_dial(&n, MR_DIAL_BUSY);
    assert_in_range(wait_for_dial(&n), 60 * MR_SECOND, 75 * MR_SECOND + 1);
    fail_dial(&n, MR_DIAL_UNWANTED);
    assert_in_range(wait_for_dial(&n), 600 * MR_SECOND, 750 * MR_SECOND + 1);
}

static void session_that_lasted_clears_the_past(void **state)
{
    struct mr_listed_node n;

    (void)state;
    set(1);
    assert_true(next(&n));
    for (unsigned i = 0; i < 5; i++) {
        fail_dial(&n, MR_DIAL_NETWORK);
        wait_for_dial(&n);
    }
    mr_dial_finished(&d);
    now += 3600 * MR_SECOND;
    mr_dial_release(&d, &n.id, MR_DIAL_UNWANTED, 3600 * MR_SECOND, now);
    assert_in_range(wait_for_dial(&n), 2 * MR_SECOND, 10 * MR_SECOND);
    fail_dial(&n, MR_DIAL_NETWORK);
    assert_in_range(wait_for_dial(&n), REDIAL, REDIAL + REDIAL / 4 + 1);
}

static void never_sooner_than_redial_whatever_happens(void **state)
{
    struct mr_listed_node n;
    uint64_t last[4] = {0};
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 8);
    set(4);
    for (unsigned i = 0; i < 20000; i++) {
        now += mr_random_below(&r, 5 * MR_SECOND);
        while (next(&n)) {
            uint32_t at = mr_load_be32(n.id.b) - 1;

            assert_true(last[at] == 0 || now >= last[at] + REDIAL);
            last[at] = now;
        }
        switch (mr_random_below(&r, 5)) {
        case 0:
            if (d.dialling > 0)
                mr_dial_finished(&d);
            break;
        case 1:
        case 2:
            mr_dial_release(&d, &nodes[mr_random_below(&r, 4)].id,
                            (enum mr_dial_outcome)mr_random_below(&r, 3),
                            mr_random_below(&r, 2) * 3600 * MR_SECOND, now);
            break;
        case 3: /* reload, often without some: their past is not forgotten too soon */
            set(mr_random_below(&r, 5));
            break;
        default:
            break;
        }
        while (d.dialling > 8)
            mr_dial_finished(&d);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_true(last[i] > 0);
}

static void held_nodes_are_not_dialled(void **state)
{
    struct mr_listed_node n;

    (void)state;
    set(1);
    mr_dial_hold(&d, &nodes[0].id);
    mr_dial_hold(&d, &nodes[0].id);
    assert_false(next(&n));
    mr_dial_release(&d, &nodes[0].id, MR_DIAL_NETWORK, 0, now);
    now += 3600 * MR_SECOND;
    assert_false(next(&n)); /* the other session lives */
    mr_dial_release(&d, &nodes[0].id, MR_DIAL_NETWORK, 0, now);
    wait_for_dial(&n);
}

static void strangers_are_ignored(void **state)
{
    struct mr_listed_node n;

    (void)state;
    set(1);
    mr_dial_hold(&d, &nodes[5].id);
    mr_dial_release(&d, &nodes[5].id, MR_DIAL_BUSY, 0, now);
    assert_null(mr_dial_find(&d, &nodes[5].id));
    assert_true(next(&n));
}

static void one_id_twice_is_one_node(void **state)
{
    const struct mr_listed_node *found;
    struct mr_listed_node n;

    (void)state;
    nodes[1] = nodes[0];
    nodes[1].is_static = false, nodes[1].trusted = true;
    nodes[0].at.port = 0;
    set(2);
    found = mr_dial_find(&d, &nodes[0].id);
    assert_non_null(found);
    assert_true(found->is_static);
    assert_true(found->trusted);
    assert_int_equal(found->at.port, 30303);
    assert_true(next(&n));
    assert_false(next(&n));
}

static void list_that_is_too_long_says_so(void **state)
{
    (void)state;
    assert_int_equal(mr_dial_set(&d, nodes, MR_LISTED_MAX + 1, now), MR_FULL);
    assert_non_null(mr_dial_find(&d, &nodes[MR_LISTED_MAX - 1].id));
    assert_null(mr_dial_find(&d, &nodes[MR_LISTED_MAX].id));
}

static void lists_may_be_replaced_by_entirely_other_ones(void **state)
{
    struct mr_listed_node n;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < MR_LISTED_MAX; i++)
            mr_store_be32(nodes[i].id.b, round * MR_LISTED_MAX + i + 1);
        set(MR_LISTED_MAX);
        now += MR_SECOND;
        while (next(&n))
            mr_dial_finished(&d);
        assert_int_equal(mr_map_count(&d.by_id), d.count);
        for (uint32_t i = 0; i < MR_LISTED_MAX; i++)
            assert_non_null(mr_dial_find(&d, &nodes[i].id));
    }
}

static void reasons_have_their_outcome(void **state)
{
    (void)state;
    assert_int_equal(mr_dial_outcome_of(MR_REASON_TOO_MANY_PEERS), MR_DIAL_BUSY);
    assert_int_equal(mr_dial_outcome_of(MR_REASON_USELESS), MR_DIAL_UNWANTED);
    assert_int_equal(mr_dial_outcome_of(MR_REASON_SUBPROTOCOL), MR_DIAL_UNWANTED);
    assert_int_equal(mr_dial_outcome_of(MR_REASON_QUITTING), MR_DIAL_NETWORK);
    assert_int_equal(mr_dial_outcome_of(MR_REASON_INVALID), MR_DIAL_NETWORK);
    assert_int_equal(mr_dial_outcome_of(77), MR_DIAL_NETWORK);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(listed_nodes_are_dialled_at_once_and_only_once),
        TEST(own_id_and_nodes_without_a_port_are_never_dialled),
        TEST(sixteen_at_once_and_fifty_a_second),
        TEST(network_failures_double_from_redial_to_ten_minutes),
        TEST(busy_nodes_rest_a_minute_and_unwanted_ones_ten),
        TEST(session_that_lasted_clears_the_past),
        TEST(never_sooner_than_redial_whatever_happens),
        TEST(held_nodes_are_not_dialled),
        TEST(strangers_are_ignored),
        TEST(one_id_twice_is_one_node),
        TEST(list_that_is_too_long_says_so),
        TEST(lists_may_be_replaced_by_entirely_other_ones),
        TEST(reasons_have_their_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
