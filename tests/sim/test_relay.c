#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/sim/peer.h"

#define SEEDS 20

static void no_violation(struct sim_world *w)
{
    if (w->violations)
        fail_msg("%u violations; %s", w->violations, w->violation);
}

static void options_of(struct mr_relay_options *o, unsigned shards)
{
    mr_relay_options_tiny(o);
    o->shards = shards;
}

static void tell(struct sim_world *w, struct sim_peer *p, unsigned n)
{
    struct sim_tx *txs[16];

    for (unsigned i = 0; i < n; i++)
        txs[i] = sim_chance(&w->sim, 10) ? sim_world_tx_sized(w, sim_between(&w->sim, 0, 20000))
                                         : sim_world_tx(w);
    if (sim_chance(&w->sim, 50))
        sim_peer_broadcast(p, txs, n);
    else
        sim_peer_announce(p, txs, n);
}

/* Some peers that have not heard of new transactions tell of them at about the same time. */
static void tell_together(struct sim_world *w)
{
    struct sim_tx *txs[8];
    unsigned tellers = (unsigned)sim_between(&w->sim, 2, 5);
    unsigned n = (unsigned)sim_between(&w->sim, 1, 8);

    for (unsigned i = 0; i < n; i++)
        txs[i] = sim_world_tx(w);
    for (unsigned i = 0; i < tellers; i++) {
        struct sim_peer *p = w->peers[sim_between(&w->sim, 0, w->peers_count - 1)];
        struct sim_tx *news[8];
        unsigned count = 0;

        for (unsigned k = 0; k < n; k++) {
            const struct sim_record *r = &p->records[txs[k] - w->txs];

            if (!r->announced && !r->bodies && !r->has)
                news[count++] = txs[k];
        }
        if (count == 0)
            continue;
        if (sim_chance(&w->sim, 50))
            sim_peer_broadcast(p, news, count);
        else
            sim_peer_announce(p, news, count);
        if (sim_chance(&w->sim, 50))
            sim_world_run(w, sim_between(&w->sim, 0, 20) * MR_MS);
    }
}

static void peers_connect(struct sim_world *w, struct sim_relay *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        sim_peer_connect(sim_peer_new(w, r), sim_chance(&w->sim, 30));
        sim_world_run(w, sim_between(&w->sim, 0, 50) * MR_MS);
    }
}

static void everybody_talks(struct sim_world *w, unsigned rounds, unsigned together_percent)
{
    for (unsigned i = 0; i < rounds; i++) {
        if (sim_chance(&w->sim, together_percent))
            tell_together(w);
        else
            tell(w, w->peers[sim_between(&w->sim, 0, w->peers_count - 1)],
                 (unsigned)sim_between(&w->sim, 1, 8));
        sim_world_run(w, sim_between(&w->sim, 0, 60) * MR_MS);
    }
}

static void all_complete(struct sim_world *w)
{
    for (unsigned i = 0; i < w->peers_count; i++)
        sim_peer_check_complete(w->peers[i]);
    no_violation(w);
}

/* Peers on one relay, each telling of its own transactions, or several of one, at random times.
 * Returns the hash of what happened. */
static uint64_t one_relay_with(uint64_t seed, const struct mr_relay_options *options,
                               unsigned peers, unsigned together_percent)
{
    struct sim_world *w = sim_world_new(seed);
    struct sim_relay *r = sim_world_relay(w, options, false);
    uint64_t hash;

    peers_connect(w, r, peers);
    sim_world_run(w, 2 * MR_SECOND);
    everybody_talks(w, 40, together_percent);
    sim_world_run(w, 4 * MR_SECOND);
    all_complete(w);
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

    options_of(&o, shards);
    return one_relay_with(seed, &o, peers, together_percent);
}

static void one_shard_brings_everything_to_everybody_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        one_relay(seed, 1, 4 + (unsigned)seed % 10, 0);
}

static void three_shards_bring_everything_to_everybody_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        one_relay(1000 + seed, 3, 6 + (unsigned)seed % 10, 0);
}

static void one_shard_takes_one_of_many_deliveries(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        one_relay(2000 + seed, 1, 6 + (unsigned)seed % 10, 80);
}

static void three_shards_take_one_of_many_deliveries(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        one_relay(3000 + seed, 3, 6 + (unsigned)seed % 10, 80);
}

/* Signatures wait to be checked, so that the same transaction waits on several shards. */
static void deliveries_that_wait_are_one(void **state)
{
    struct mr_relay_options o;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        options_of(&o, 1 + seed % 3);
        o.recovery_percent = 1;
        o.recoveries_per_turn = 1;
        one_relay_with(4000 + seed, &o, 6 + (unsigned)seed % 10, 80);
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
        cmocka_unit_test(a_seed_repeats_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
