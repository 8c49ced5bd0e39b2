#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/sim/scenario.h"

#define OFFSETS 1000

static bool lives(const struct sim_visitor *v)
{
    return v->active && !v->closed;
}

/* Two relays dial each other, `offset` apart. */
static void both_dial(uint64_t seed)
{
    struct sim_world *w = sim_world_new(seed);
    struct sim_profile one = sim_world_profile(w), other = sim_world_profile(w);
    struct sim_visitor *ab_a, *ab_b, *ba_a, *ba_b;
    struct mr_relay_options o;
    struct sim_relay *a, *b;

    sim_options(&o, 1 + seed % 2);
    a = sim_world_relay(w, &o, false);
    b = sim_world_relay(w, &o, false);
    sim_world_link(w, a, b, &one, &ab_a, &ab_b);
    sim_world_run(w, sim_between(&w->sim, 0, 4 * (one.latency_ns + other.latency_ns)));
    sim_world_link(w, b, a, &other, &ba_b, &ba_a);
    sim_world_run(w, 2 * MR_SECOND);
    if (lives(ab_a) + lives(ba_a) != 1 || lives(ab_b) + lives(ba_b) != 1 ||
        lives(ab_a) != lives(ab_b))
        fail_msg("seed %llu: a has %d and %d, b has %d and %d", (unsigned long long)seed,
                 lives(ab_a), lives(ba_a), lives(ab_b), lives(ba_b));
    sim_world_run(w,
                  6 * MR_SECOND); /* one that was never spoken on goes with its time for Status */
    if (lives(ab_a) + lives(ba_a) != 1 || lives(ab_b) + lives(ba_b) != 1 ||
        lives(ab_a) != lives(ab_b) || ab_a->closed + ba_a->closed != 1 ||
        ab_b->closed + ba_b->closed != 1)
        fail_msg("seed %llu, later: a has %d and %d, b has %d and %d", (unsigned long long)seed,
                 lives(ab_a), lives(ba_a), lives(ab_b), lives(ba_b));
    assert_int_equal(SIM_COUNT(a, peers), 1);
    assert_int_equal(SIM_COUNT(b, peers), 1);
    assert_int_equal(SIM_COUNT(a, peers_waiting), 0);
    assert_int_equal(SIM_COUNT(b, peers_waiting), 0);
    sim_world_free(w);
}

static void of_two_dials_one_session_stays(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= OFFSETS; seed++)
        both_dial(seed);
}

/* The same while transactions flow: each is heard once, and none is lost with the session that
 * goes. */
static void nothing_is_lost_with_the_session_that_goes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(5000 + seed);
        struct sim_profile one = sim_world_profile(w), other = sim_world_profile(w);
        struct mr_relay_options o;
        struct sim_relay *a, *b;

        sim_options(&o, 1 + seed % 3);
        a = sim_world_relay(w, &o, false);
        b = sim_world_relay(w, &o, false);
        sim_peers_connect(w, a, 3);
        sim_peers_connect(w, b, 3);
        sim_world_run(w, 2 * MR_SECOND);
        sim_everybody_talks(w, 5, 0); /* young enough to be told to a new peer */
        sim_world_link(w, a, b, &one, NULL, NULL);
        sim_world_run(w, sim_between(&w->sim, 0, 4 * (one.latency_ns + other.latency_ns)));
        sim_world_link(w, b, a, &other, NULL, NULL);
        sim_everybody_talks(w, 20, 0);
        sim_world_run(w, 10 * MR_SECOND);
        sim_all_complete(w);
        sim_world_free(w);
    }
}

/* A peer that holds to geth's rule: of two sessions it keeps the one that it has first, and refuses
 * the other, before or behind its Hello. */
static void a_peer_that_keeps_its_first_is_never_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct sim_world *w = sim_world_new(6000 + seed);
        struct sim_peer *in, *out;
        struct mr_relay_options o;
        struct sim_relay *r;

        sim_options(&o, 1);
        r = sim_world_relay(w, &o, false);
        in = sim_peer_new(w, r);
        out = sim_peer_new(w, r);
        out->key = in->key;
        in->twin = out, out->twin = in;
        sim_peer_connect(in, false);
        sim_world_run(w, sim_between(&w->sim, 0, 300) * MR_MS);
        sim_peer_connect(out, true);
        sim_world_run(w, 3 * MR_SECOND);
        if (lives(in->visitor) + lives(out->visitor) != 1 ||
            (in->phase == SIM_PEER_ACTIVE) + (out->phase == SIM_PEER_ACTIVE) != 1 ||
            lives(in->visitor) != (in->phase == SIM_PEER_ACTIVE))
            fail_msg("seed %llu: relay has %d and %d, the peer %d and %d", (unsigned long long)seed,
                     lives(in->visitor), lives(out->visitor), in->phase, out->phase);
        sim_no_violation(w);
        sim_world_free(w);
    }
}

/* The old connection is dead, and nobody told the relay: the peer comes again. */
static void a_peer_that_comes_again_replaces_its_dead_session(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(7000 + seed);
        struct sim_visitor *old;
        struct mr_relay_options o;
        struct sim_relay *r;
        struct sim_peer *p;

        sim_options(&o, 1);
        r = sim_world_relay(w, &o, false);
        p = sim_peer_new(w, r);
        sim_peers_connect(w, r, 3);
        sim_peer_connect(p, false);
        sim_world_run(w, 2 * MR_SECOND);
        old = p->visitor;
        assert_true(lives(old));
        sim_peer_cut(p);
        sim_world_run(w, sim_between(&w->sim, 0, 500) * MR_MS);
        sim_peer_connect(p, false);
        sim_world_run(w, 6 * MR_SECOND);
        assert_true(old->closed);
        assert_true(lives(p->visitor));
        assert_int_equal(p->phase, SIM_PEER_ACTIVE);
        sim_everybody_talks(w, 10, 0);
        sim_world_run(w, 3 * MR_SECOND);
        sim_all_complete(w);
        sim_world_free(w);
    }
}

/* The old connection lives: the new one of the same direction is refused. */
static void a_second_session_beside_a_living_one_is_refused(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(8000 + seed);
        struct mr_relay_options o;
        struct sim_relay *r;
        struct sim_peer *first, *second;

        sim_options(&o, 1);
        r = sim_world_relay(w, &o, false);
        first = sim_peer_new(w, r);
        second = sim_peer_new(w, r);
        second->key = first->key;
        sim_peer_connect(first, false);
        sim_world_run(w, 2 * MR_SECOND);
        sim_peer_connect(second, false);
        sim_world_run(w, 4 * MR_SECOND);
        assert_true(lives(first->visitor));
        assert_true(second->visitor->closed);
        assert_int_equal(first->phase, SIM_PEER_ACTIVE);
        assert_int_equal(second->disconnect_in, MR_REASON_ALREADY_CONNECTED);
        sim_no_violation(w);
        sim_world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_dials_one_session_stays),
        cmocka_unit_test(nothing_is_lost_with_the_session_that_goes),
        cmocka_unit_test(a_peer_that_keeps_its_first_is_never_lost),
        cmocka_unit_test(a_peer_that_comes_again_replaces_its_dead_session),
        cmocka_unit_test(a_second_session_beside_a_living_one_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
