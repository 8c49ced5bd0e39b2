#include "tests/sim/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

void sim_no_violation(struct sim_world *w)
{
    if (w->violations)
        fail_msg("%u violations; %s", w->violations, w->violation);
}

void sim_options(struct mr_relay_options *o, unsigned shards)
{
    mr_relay_options_tiny(o);
    o->shards = shards;
}

static void news_make(struct sim_world *w, struct sim_tx **txs, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        txs[i] = sim_chance(&w->sim, 10) ? sim_world_tx_sized(w, sim_between(&w->sim, 0, 20000))
                                         : sim_world_tx(w);
}

void sim_tell(struct sim_world *w, struct sim_peer *p, unsigned n)
{
    struct sim_tx *txs[16];

    news_make(w, txs, n);
    if (sim_chance(&w->sim, 50))
        sim_peer_broadcast(p, txs, n);
    else
        sim_peer_announce(p, txs, n);
}

void sim_tell_in_full(struct sim_world *w, struct sim_peer *p, unsigned n)
{
    struct sim_tx *txs[16];

    news_make(w, txs, n);
    sim_peer_broadcast(p, txs, n);
}

void sim_tell_together(struct sim_world *w)
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

void sim_peers_connect(struct sim_world *w, struct sim_relay *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        sim_peer_connect(sim_peer_new(w, r), sim_chance(&w->sim, 30));
        sim_world_run(w, sim_between(&w->sim, 0, 50) * MR_MS);
    }
}

void sim_everybody_talks(struct sim_world *w, unsigned rounds, unsigned together_percent)
{
    sim_everybody_talks_fast(w, rounds, together_percent, 60);
}

void sim_everybody_talks_fast(struct sim_world *w, unsigned rounds, unsigned together_percent,
                              unsigned gap_ms)
{
    for (unsigned i = 0; i < rounds; i++) {
        if (sim_chance(&w->sim, together_percent))
            sim_tell_together(w);
        else
            sim_tell(w, w->peers[sim_between(&w->sim, 0, w->peers_count - 1)],
                     (unsigned)sim_between(&w->sim, 1, 8));
        sim_world_run(w, sim_between(&w->sim, 0, gap_ms) * MR_MS);
    }
}

void sim_all_complete(struct sim_world *w)
{
    for (unsigned i = 0; i < w->peers_count; i++)
        sim_peer_check_complete(w->peers[i]);
    sim_no_violation(w);
}
