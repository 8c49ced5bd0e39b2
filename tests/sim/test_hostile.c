#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/sim/scenario.h"

enum role { HONEST, DEAF, SILENT, DYING, ROLES };

/* Peers of each role: HONEST ones come first. */
static const unsigned counts[ROLES] = {7, 2, 2, 3};

static struct sim_peer *one_of(struct sim_world *w, enum role role)
{
    unsigned first = 0;

    for (unsigned r = 0; r < role; r++)
        first += counts[r];
    return w->peers[first + sim_between(&w->sim, 0, counts[role] - 1)];
}

static void everybody_connects(struct sim_world *w, struct sim_relay *r)
{
    for (unsigned role = 0; role < ROLES; role++)
        for (unsigned i = 0; i < counts[role]; i++) {
            struct sim_peer *p = sim_peer_new(w, r);

            p->answers = role == HONEST || role == DEAF;
            p->fetches = role != SILENT;
            sim_peer_connect(p, sim_chance(&w->sim, 30));
        }
    sim_world_run(w, 2 * MR_SECOND);
}

/* One who will not deliver announces first; an honest one tells of the same a little later. */
static void announced_in_vain(struct sim_world *w)
{
    struct sim_peer *liar = one_of(w, sim_chance(&w->sim, 50) ? SILENT : DYING);
    struct sim_peer *honest = one_of(w, HONEST);
    unsigned n = (unsigned)sim_between(&w->sim, 1, 6);
    struct sim_tx *txs[6];

    for (unsigned i = 0; i < n; i++)
        txs[i] = sim_world_tx(w);
    if (liar->phase == SIM_PEER_ACTIVE)
        sim_peer_announce(liar, txs, n);
    if (sim_chance(&w->sim, 50))
        sim_world_run(w, sim_between(&w->sim, 0, 300) * MR_MS);
    if (sim_chance(&w->sim, 80))
        sim_peer_announce(honest, txs, n);
    else
        sim_peer_broadcast(honest, txs, n);
}

static void misfortune(struct sim_world *w)
{
    struct sim_peer *deaf = one_of(w, DEAF), *dying = one_of(w, DYING);

    if (sim_chance(&w->sim, 10) && deaf->phase == SIM_PEER_ACTIVE)
        sim_peer_go_deaf(deaf);
    if (dying->phase != SIM_PEER_ACTIVE)
        return;
    if (dying->requests_open > 0 && sim_chance(&w->sim, 50)) /* in the middle of being asked */
        sim_peer_close(dying);
    else if (sim_chance(&w->sim, 5))
        sim_peer_cut(dying);
}

static void the_honest_are_served(uint64_t seed, unsigned shards)
{
    struct sim_world *w = sim_world_new(seed);
    struct mr_relay_options o;
    struct sim_relay *r;

    sim_options(&o, shards);
    r = sim_world_relay(w, &o, false);
    everybody_connects(w, r);
    for (unsigned i = 0; i < 40; i++) {
        if (sim_chance(&w->sim, 50))
            announced_in_vain(w);
        else
            sim_tell(w, one_of(w, HONEST), (unsigned)sim_between(&w->sim, 1, 8));
        misfortune(w);
        sim_world_run(w, sim_between(&w->sim, 0, 100) * MR_MS);
    }
    for (unsigned i = 0; i < counts[DEAF] + counts[SILENT] + counts[DYING]; i++) {
        struct sim_peer *p = w->peers[counts[HONEST] + i];

        if (i < counts[DEAF] && p->phase == SIM_PEER_ACTIVE)
            sim_peer_go_deaf(p);
        else if (i >= counts[DEAF] + counts[SILENT])
            sim_peer_cut(p);
    }
    sim_world_run(w, 15 * MR_SECOND); /* questions time out, and others are asked */
    for (unsigned i = 0; i < counts[HONEST]; i++)
        sim_peer_check_complete(w->peers[i]);
    sim_no_violation(w);
    sim_world_run(w, 40 * MR_SECOND); /* the deaf and the dead are found out */
    assert_int_equal(SIM_COUNT(r, peers), counts[HONEST] + counts[SILENT]);
    for (unsigned i = counts[HONEST]; i < w->peers_count; i++)
        assert_true(w->peers[i]->visitor->closed ==
                    (i < counts[HONEST] + counts[DEAF] ||
                     i >= counts[HONEST] + counts[DEAF] + counts[SILENT]));
    assert_int_equal(SIM_COUNT(r, send_bytes), 0);
    assert_int_equal(SIM_COUNT(r, gather_bytes), 0);
    assert_int_equal(SIM_COUNT(r, fetch_length), 0);
    assert_int_equal(SIM_COUNT(r, fetch_announced), 0);
    assert_int_equal(SIM_COUNT(r, verify_length), 0);
    sim_no_violation(w);
    sim_world_free(w);
}

static void the_deaf_the_silent_and_the_dying_hold_nobody_up(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        the_honest_are_served(seed, 1);
}

static void nor_do_they_on_several_shards(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        the_honest_are_served(100 + seed, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_deaf_the_silent_and_the_dying_hold_nobody_up),
        cmocka_unit_test(nor_do_they_on_several_shards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
