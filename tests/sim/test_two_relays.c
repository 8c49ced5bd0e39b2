#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/sim/scenario.h"

/* Two relays that know each other, with peers on both. */
static void two(uint64_t seed, unsigned shards_a, unsigned shards_b, unsigned together_percent)
{
    struct sim_world *w = sim_world_new(seed);
    struct sim_visitor *dialler, *listener;
    struct sim_profile profile = sim_world_profile(w);
    struct mr_relay_options o;
    struct sim_relay *a, *b;

    sim_options(&o, shards_a);
    a = sim_world_relay(w, &o, false);
    sim_options(&o, shards_b);
    b = sim_world_relay(w, &o, false);
    sim_world_link(w, a, b, &profile, &dialler, &listener);
    sim_peers_connect(w, a, 3 + (unsigned)seed % 6);
    sim_peers_connect(w, b, 3 + (unsigned)seed % 4);
    sim_world_run(w, 2 * MR_SECOND);
    assert_true(dialler->active);
    assert_true(listener->active);
    sim_everybody_talks(w, 30, together_percent);
    sim_world_run(w, 5 * MR_SECOND);
    sim_all_complete(w);
    if (together_percent == 0) { /* what only one peer told travels each link once */
        assert_int_equal(SIM_COUNT(a, tx_duplicate), 0);
        assert_int_equal(SIM_COUNT(b, tx_duplicate), 0);
        assert_int_equal(SIM_COUNT(a, announced_known), 0);
        assert_int_equal(SIM_COUNT(b, announced_known), 0);
    }
    assert_int_equal(SIM_COUNT(a, peers_closed), 0);
    assert_int_equal(SIM_COUNT(b, peers_closed), 0);
    sim_world_free(w);
}

static void what_one_peer_tells_crosses_each_link_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        two(seed, 1, 1, 0);
}

static void so_it_does_between_relays_of_several_shards(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        two(100 + seed, 3, 1 + seed % 3, 0);
}

static void what_many_tell_on_both_sides_is_heard_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        two(200 + seed, 1 + seed % 3, 1 + seed % 2, 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_peer_tells_crosses_each_link_once),
        cmocka_unit_test(so_it_does_between_relays_of_several_shards),
        cmocka_unit_test(what_many_tell_on_both_sides_is_heard_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
