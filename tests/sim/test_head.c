#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/eth/version.h"
#include "tests/sim/scenario.h"

static struct mr_load_chain chain;

static void heads_are_the_chains(const struct sim_relay *r, uint64_t late_s)
{
    for (unsigned i = 0; i < r->options.shards; i++) {
        uint64_t n = mr_shard_metrics(r->shards[i].shard)->head_number;

        assert_true(n <= mr_load_chain_head(&chain)->number);
        assert_true(n + late_s / MR_LOAD_CHAIN_SLOT_S >= mr_load_chain_head(&chain)->number);
    }
}

/* Few peers on many shards: a head within some seconds, the same on all of them, and it follows the
 * chain. Peers that have none are no hindrance. */
static uint64_t the_head_is_found(uint64_t seed, unsigned shards, unsigned with, unsigned without)
{
    struct sim_world *w = sim_world_new(seed);
    struct mr_relay_options o;
    struct sim_relay *r;
    uint64_t hash;

    sim_options(&o, shards);
    r = sim_world_relay(w, &o, false);
    mr_load_chain_init(&chain, w->network, mr_time_wall_s(sim_time(&w->sim)));
    for (unsigned i = 0; i < with + without; i++) {
        struct sim_peer *p = sim_peer_new(w, r);

        if (i < with)
            p->chain = &chain;
        sim_peer_connect(p, sim_chance(&w->sim, 30));
    }
    sim_world_run(w, 4 * MR_SECOND + (without ? 30 * MR_SECOND : 0));
    heads_are_the_chains(r, 24);
    sim_world_run(w, 10 * 60 * MR_SECOND);
    heads_are_the_chains(r, 36);
    assert_int_equal(SIM_COUNT(r, peers), with + without);
    assert_int_equal(SIM_COUNT(r, head_bad), 0);
    for (unsigned i = 0; i < with + without; i++)
        if (w->peers[i]->version >= MR_ETH_69)
            assert_true(w->peers[i]->range + 40 >= mr_load_chain_head(&chain)->number);
    sim_no_violation(w);
    hash = w->sim.hash;
    sim_world_free(w);
    return hash;
}

static void three_peers_on_sixteen_shards_find_the_head(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        the_head_is_found(seed, 16, 3, 0);
}

static void peers_without_a_chain_are_no_hindrance(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        the_head_is_found(100 + seed, 1 + (unsigned)seed % 4, 6, 2);
}

static void a_seed_gives_the_same_head_story_again(void **state)
{
    (void)state;
    assert_true(the_head_is_found(7, 16, 3, 0) == the_head_is_found(7, 16, 3, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_peers_on_sixteen_shards_find_the_head),
        cmocka_unit_test(peers_without_a_chain_are_no_hindrance),
        cmocka_unit_test(a_seed_gives_the_same_head_story_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
