#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/sim/scenario.h"

/* Peers on one relay, each telling of its own transactions, or several of one, at random times.
 * Returns the hash of what happened. */
static uint64_t one_relay_with(uint64_t seed, const struct mr_relay_options *options,
                               unsigned peers, unsigned rounds, unsigned gap_ms,
                               unsigned together_percent)
{
    struct sim_world *w = sim_world_new(seed);
    struct sim_relay *r = sim_world_relay(w, options, false);
    uint64_t hash;

    sim_peers_connect(w, r, peers);
    sim_world_run(w, 2 * MR_SECOND);
    sim_everybody_talks_fast(w, rounds, together_percent, gap_ms);
    sim_world_run(w, 4 * MR_SECOND);
    sim_all_complete(w);
    assert_int_equal(SIM_COUNT(r, peers), peers);
    assert_int_equal(SIM_COUNT(r, tx_accepted) + SIM_COUNT(r, tx_from_shards),
                     options->shards * w->txs_count);
    hash = w->sim.hash;
    sim_world_free(w);
    return hash;
}

static uint64_t one_relay(uint64_t seed, unsigned shards, unsigned peers, unsigned together_percent)
{
    struct mr_relay_options o;

    sim_options(&o, shards);
    return one_relay_with(seed, &o, peers, 40, 60, together_percent);
}

static void one_shard_brings_everything_to_everybody_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        one_relay(seed, 1, 4 + (unsigned)seed % 10, 0);
}

static void three_shards_bring_everything_to_everybody_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        one_relay(1000 + seed, 3, 6 + (unsigned)seed % 10, 0);
}

static void one_shard_takes_one_of_many_deliveries(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        one_relay(2000 + seed, 1, 6 + (unsigned)seed % 10, 80);
}

static void three_shards_take_one_of_many_deliveries(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        one_relay(3000 + seed, 3, 6 + (unsigned)seed % 10, 80);
}

/* Signatures wait to be checked, so that the same transaction waits on several shards. */
static void deliveries_that_wait_are_one(void **state)
{
    struct mr_relay_options o;

    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        sim_options(&o, 1 + seed % 3);
        o.recovery_percent = 1;
        o.recoveries_per_turn = 1;
        one_relay_with(4000 + seed, &o, 6 + (unsigned)seed % 10, 80, 10, 80);
    }
}

/* Threads that sleep are woken: no delivery waits for a clock to tick. */
static void news_do_not_wait_for_a_tick(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(5000 + seed);
        struct mr_relay_options o;
        struct sim_relay *r;

        sim_options(&o, 3);
        r = sim_world_relay(w, &o, false);
        for (unsigned i = 0; i < 9; i++) {
            struct sim_peer *p = sim_peer_new(w, r);

            p->profile = p->back = (struct sim_profile){MR_MS, MR_MS, 100000000, 65536, 256 * 1024};
            sim_peer_connect(p, false);
        }
        sim_world_run(w, 2 * MR_SECOND);
        for (unsigned i = 0; i < 20; i++) {
            sim_tell(w, w->peers[sim_between(&w->sim, 0, 8)], (unsigned)sim_between(&w->sim, 1, 4));
            sim_world_run(w, sim_between(&w->sim, 50, 400) * MR_MS);
        }
        sim_world_run(w, MR_SECOND);
        sim_all_complete(w);
        for (unsigned i = 0; i < 9; i++)
            for (unsigned k = 0; k < w->txs_count; k++) {
                const struct sim_record *record = &w->peers[i]->records[k];

                if (!record->sourced && record->has_ns > w->txs[k].born_ns + 30 * MR_MS)
                    fail_msg("seed %llu: transaction %u took %.3f ms to peer %u",
                             (unsigned long long)w->seed, k,
                             (double)(record->has_ns - w->txs[k].born_ns) / 1e6, i);
            }
        sim_world_free(w);
    }
}

static void a_seed_repeats_every_byte(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        assert_true(one_relay(seed, 3, 8, 30) == one_relay(seed, 3, 8, 30));
        assert_true(one_relay(seed, 1, 8, 30) != one_relay(seed + 1, 1, 8, 30));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_shard_brings_everything_to_everybody_once),
        cmocka_unit_test(three_shards_bring_everything_to_everybody_once),
        cmocka_unit_test(one_shard_takes_one_of_many_deliveries),
        cmocka_unit_test(three_shards_take_one_of_many_deliveries),
        cmocka_unit_test(deliveries_that_wait_are_one),
        cmocka_unit_test(news_do_not_wait_for_a_tick),
        cmocka_unit_test(a_seed_repeats_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
