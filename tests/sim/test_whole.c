#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/sim/front.h"
#include "tests/sim/scenario.h"

#define OFFSETS 300

/* The whole relay: dispatcher and shards. */

static void peers_come_in(struct sim_world *w, struct sim_relay *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        sim_peer_connect(sim_peer_new(w, r), false);
        sim_world_run(w, sim_between(&w->sim, 0, 50) * MR_MS);
    }
    sim_world_run(w, 3 * MR_SECOND);
}

static void everything_reaches_everybody_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(seed);
        struct mr_dispatcher_counts counts;
        struct mr_relay_options o;
        struct sim_relay *r;
        unsigned peers = 4 + (unsigned)seed % 8;

        sim_options(&o, 1 + seed % 3);
        r = sim_world_relay_whole(w, &o);
        peers_come_in(w, r, peers);
        sim_everybody_talks(w, 40, 30);
        sim_world_run(w, 4 * MR_SECOND);
        sim_all_complete(w);
        mr_dispatcher_counts(r->front->dispatcher, &counts);
        assert_int_equal(counts.sessions, peers);
        assert_int_equal(counts.active, peers);
        assert_int_equal(counts.pending, 0);
        sim_world_free(w);
    }
}

static void one_session(struct sim_world *w, const char *when)
{
    for (unsigned i = 0; i < 2; i++) {
        struct mr_dispatcher_counts counts;

        mr_dispatcher_counts(w->relays[i]->front->dispatcher, &counts);
        if (counts.active != 1 || SIM_COUNT(w->relays[i], peers) != 1)
            fail_msg("seed %llu, %s: relay %u has %u sessions, %u of them active, %llu peers",
                     (unsigned long long)w->seed, when, i, counts.sessions, counts.active,
                     (unsigned long long)SIM_COUNT(w->relays[i], peers));
    }
}

/* Two relays that have each other as static nodes are started one a little after the other. */
static void two_static_relays_have_one_session(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= OFFSETS; seed++) {
        struct sim_world *w = sim_world_new(1000 + seed);
        struct mr_dispatcher_counts counts;
        struct mr_relay_options o;
        struct sim_relay *a, *b;

        sim_options(&o, 1);
        a = sim_world_relay_whole(w, &o);
        b = sim_world_relay_whole(w, &o);
        sim_front_set_static(a->front, b, sim_chance(&w->sim, 50));
        sim_world_run(w, sim_between(&w->sim, 0, 600) * MR_MS);
        sim_front_set_static(b->front, a, sim_chance(&w->sim, 50));
        sim_world_run(w, 3 * MR_SECOND);
        one_session(w, "at first");
        sim_world_run(w, 60 * MR_SECOND); /* and so it stays: nobody dials who has a session */
        one_session(w, "later");
        mr_dispatcher_counts(a->front->dispatcher, &counts);
        assert_int_equal(counts.sessions, 1);
        assert_true(a->front->dials + b->front->dials <= 2);
        sim_world_free(w);
    }
}

static void a_full_relay_says_so_and_has_room_again_later(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(2000 + seed);
        struct mr_dispatcher_counts counts;
        struct mr_relay_options o;
        struct sim_relay *r;
        unsigned active = 0, gone = 0;

        sim_options(&o, 1);
        o.maxpeers = 6;
        r = sim_world_relay_whole(w, &o);
        for (unsigned i = 0; i < 12; i++) {
            sim_peer_connect(sim_peer_new(w, r), false);
            if (sim_chance(&w->sim, 30))
                sim_world_run(w, sim_between(&w->sim, 0, 200) * MR_MS);
        }
        sim_world_run(w, 4 * MR_SECOND);
        for (unsigned i = 0; i < 12; i++) {
            struct sim_peer *p = w->peers[i];

            active += p->phase == SIM_PEER_ACTIVE;
            gone += p->phase == SIM_PEER_GONE && p->disconnect_in == MR_REASON_TOO_MANY_PEERS;
        }
        assert_int_equal(active, 6);
        assert_int_equal(gone, 6);
        mr_dispatcher_counts(r->front->dispatcher, &counts);
        assert_int_equal(counts.counted, 6);
        for (unsigned i = 0; i < 12 && gone == 6; i++)
            if (w->peers[i]->phase == SIM_PEER_ACTIVE) {
                sim_peer_close(w->peers[i]);
                gone++;
            }
        sim_world_run(w, MR_SECOND);
        sim_peer_connect(sim_peer_new(w, r), false);
        sim_world_run(w, 3 * MR_SECOND);
        assert_int_equal(w->peers[12]->phase, SIM_PEER_ACTIVE);
        sim_no_violation(w);
        sim_world_free(w);
    }
}

static void all_ends_within_two_seconds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(3000 + seed);
        struct mr_relay_options o;
        struct sim_relay *r;

        sim_options(&o, 1 + seed % 3);
        r = sim_world_relay_whole(w, &o);
        for (unsigned i = 0; i < 8; i++)
            sim_peer_connect(sim_peer_new(w, r), false);
        sim_world_run(w, sim_between(&w->sim, 0, 1000) * MR_MS);
        sim_everybody_talks(w, 5, 50);
        if (sim_chance(&w->sim, 50))
            sim_peer_go_deaf(w->peers[0]);
        sim_front_stop(r->front, MR_REASON_QUITTING);
        sim_world_run(w, 2 * MR_SECOND);
        assert_true(mr_dispatcher_stopped(r->front->dispatcher));
        for (unsigned i = 1; i < 8; i++)
            if (w->peers[i]->phase == SIM_PEER_GONE && w->peers[i]->active_ns)
                assert_int_equal(w->peers[i]->disconnect_in, MR_REASON_QUITTING);
        sim_no_violation(w);
        sim_world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_reaches_everybody_once),
        cmocka_unit_test(two_static_relays_have_one_session),
        cmocka_unit_test(a_full_relay_says_so_and_has_room_again_later),
        cmocka_unit_test(all_ends_within_two_seconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
