#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/sim/scenario.h"

#define PEERS 10

/* Peers come and go, so that slots have one user after the other. None inherits what the one before
 * it knew: whoever is there in the end has heard of everything fresh, once. */
static void come_and_go(uint64_t seed, unsigned shards)
{
    struct sim_world *w = sim_world_new(seed);
    struct mr_relay_options o;
    struct sim_relay *r;
    unsigned sessions = PEERS;

    sim_options(&o, shards);
    r = sim_world_relay(w, &o, false);
    sim_peers_connect(w, r, PEERS);
    sim_world_run(w, 2 * MR_SECOND);
    for (unsigned i = 0; i < 120; i++) {
        struct sim_peer *p = w->peers[sim_between(&w->sim, 0, PEERS - 1)];
        bool idle = !p->sending && !p->out_head;

        if (p->phase == SIM_PEER_GONE) {
            sim_peer_connect(p, sim_chance(&w->sim, 30));
            sessions++;
        } else if (p->phase == SIM_PEER_ACTIVE && idle && sim_chance(&w->sim, 50)) {
            sim_peer_close(p);
        } else {
            sim_tell_in_full(w, p, (unsigned)sim_between(&w->sim, 1, 6));
        }
        sim_world_run(w, sim_between(&w->sim, 0, 200) * MR_MS);
    }
    for (unsigned i = 0; i < PEERS; i++)
        if (w->peers[i]->phase == SIM_PEER_GONE) {
            sim_peer_connect(w->peers[i], false);
            sessions++;
        }
    sim_world_run(w, 8 * MR_SECOND);
    sim_all_complete(w);
    assert_true(sessions > 2 * PEERS);
    assert_int_equal(SIM_COUNT(r, peers_adopted), sessions);
    assert_int_equal(SIM_COUNT(r, peers), PEERS);
    for (unsigned i = 0; i < r->options.shards; i++) /* the lowest free one is taken */
        for (uint32_t slot = PEERS + 8; slot < mr_relay_slots(&o); slot++)
            assert_int_equal(r->shards[i].slots[slot].generation, 0);
    sim_world_free(w);
}

static void a_slot_tells_its_next_user_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        come_and_go(seed, 1 + seed % 3);
}

/* What a peer says last is taken, though its end is read in the same turn. */
static void what_is_sent_before_the_end_counts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(100 + seed);
        struct mr_relay_options o;
        struct sim_tx *tx = sim_world_tx(w);
        struct sim_relay *r;

        sim_options(&o, 1);
        r = sim_world_relay(w, &o, false);
        sim_peers_connect(w, r, 4);
        sim_world_run(w, 2 * MR_SECOND);
        w->peers[0]->profile.jitter_ns = 0;
        sim_peer_broadcast(w->peers[0], &tx, 1);
        while (w->peers[0]->sending)
            sim_world_run(w, MR_US);
        sim_peer_close(w->peers[0]);
        sim_world_run(w, 3 * MR_SECOND);
        for (unsigned i = 1; i < 4; i++)
            sim_peer_check_complete(w->peers[i]);
        sim_no_violation(w);
        sim_world_free(w);
    }
}

/* At the end of the process everybody is told, and everything comes home. */
static void a_relay_that_stops_says_so(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(200 + seed);
        struct mr_relay_options o;
        struct sim_relay *r;

        sim_options(&o, 1 + seed % 3);
        r = sim_world_relay(w, &o, false);
        sim_peers_connect(w, r, 8);
        sim_world_run(w, sim_between(&w->sim, 0, 1500) * MR_MS); /* some are just coming */
        sim_everybody_talks(w, 5, 50);
        sim_relay_stop(r, MR_REASON_QUITTING);
        sim_world_run(w, 2 * MR_SECOND);
        assert_true(sim_relay_stopped(r));
        for (unsigned i = 0; i < 8; i++)
            if (w->peers[i]->visitor->handed_over && w->peers[i]->phase == SIM_PEER_GONE)
                assert_int_equal(w->peers[i]->disconnect_in, MR_REASON_QUITTING);
        assert_int_equal(SIM_COUNT(r, peers), 0);
        assert_int_equal(SIM_COUNT(r, send_bytes), 0);
        sim_no_violation(w);
        sim_world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_tells_its_next_user_nothing),
        cmocka_unit_test(what_is_sent_before_the_end_counts),
        cmocka_unit_test(a_relay_that_stops_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
