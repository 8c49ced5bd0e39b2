#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/sim/scenario.h"

#define PEERS 7

/* A new blob transaction, announced by some peers, the first of them alone at first. */
static void announce_blob(struct sim_world *w, unsigned tellers)
{
    struct sim_tx *tx = sim_world_tx_blob(w, (unsigned)sim_between(&w->sim, 1, 3));

    for (unsigned i = 0; i < tellers; i++) {
        struct sim_peer *p = w->peers[sim_between(&w->sim, 0, PEERS - 1)];
        const struct sim_record *r = &p->records[tx - w->txs];

        if (p->phase == SIM_PEER_ACTIVE && !r->has && !r->announced)
            sim_peer_announce(p, &tx, 1);
    }
}

/* Blob transactions among others. */
static void blobs(uint64_t seed, unsigned shards)
{
    struct sim_world *w = sim_world_new(seed);
    struct mr_relay_options o;
    struct sim_relay *r;

    sim_options(&o, shards);
    r = sim_world_relay(w, &o, true);
    sim_peers_connect(w, r, PEERS);
    sim_world_run(w, 2 * MR_SECOND);
    for (unsigned i = 0; i < 8; i++) {
        announce_blob(w, (unsigned)sim_between(&w->sim, 1, 3));
        sim_everybody_talks(w, 3, 0);
        sim_world_run(w, sim_between(&w->sim, 0, 300) * MR_MS);
    }
    sim_world_run(w, 15 * MR_SECOND);
    sim_all_complete(w);
    assert_int_equal(SIM_COUNT(r, peers), PEERS);
    assert_int_equal(SIM_COUNT(r, blob_bad), 0);
    assert_int_equal(SIM_COUNT(r, gather_bytes), 0);
    sim_world_free(w);
}

static void blobs_are_announced_and_fetched_whole(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++)
        blobs(seed, 1 + seed % 2 * 2);
}

/* Every third sidecar is judged bad: who sent it goes, and the hash is asked of others. */
static void a_bad_sidecar_costs_its_sender_and_not_the_hash(void **state)
{
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        struct sim_world *w = sim_world_new(100 + seed);
        struct mr_relay_options o;
        struct sim_relay *r;
        unsigned there = 0;

        sim_options(&o, 1);
        r = sim_world_relay(w, &o, true);
        r->blobs_bad = 3;
        sim_peers_connect(w, r, PEERS);
        sim_world_run(w, 2 * MR_SECOND);
        for (unsigned i = 0; i < 5; i++) {
            announce_blob(w, PEERS);
            sim_world_run(w, 2 * MR_SECOND);
        }
        sim_world_run(w, 10 * MR_SECOND);
        for (unsigned i = 0; i < PEERS; i++) {
            struct sim_peer *p = w->peers[i];

            if (p->phase == SIM_PEER_ACTIVE)
                sim_peer_check_complete(p);
            else
                assert_int_equal(p->disconnect_in, MR_REASON_SUBPROTOCOL);
            there += p->phase == SIM_PEER_ACTIVE;
        }
        sim_no_violation(w);
        assert_int_equal(SIM_COUNT(r, blob_bad), PEERS - there);
        assert_int_equal(SIM_COUNT(r, blob_ok), 5);
        lost += PEERS - there;
        sim_world_free(w);
    }
    assert_true(lost > SIM_SEEDS);
}

/* Without the trusted setup nothing of them is asked for. */
static void without_the_setup_blobs_are_not_fetched(void **state)
{
    struct sim_world *w = sim_world_new(1);
    struct mr_relay_options o;
    struct sim_relay *r;

    (void)state;
    sim_options(&o, 1);
    r = sim_world_relay(w, &o, false);
    sim_peers_connect(w, r, PEERS);
    sim_world_run(w, 2 * MR_SECOND);
    announce_blob(w, 2);
    sim_world_run(w, 2 * MR_SECOND);
    for (unsigned i = 0; i < PEERS; i++)
        assert_int_equal(w->peers[i]->requests_in, 0);
    sim_no_violation(w);
    sim_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blobs_are_announced_and_fetched_whole),
        cmocka_unit_test(a_bad_sidecar_costs_its_sender_and_not_the_hash),
        cmocka_unit_test(without_the_setup_blobs_are_not_fetched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
