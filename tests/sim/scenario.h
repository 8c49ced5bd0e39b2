/* scenario.h: pieces that the simulation's tests share. Thread: one. */
#pragma once
#include "tests/sim/peer.h"

#ifndef SIM_SEEDS /* more for a long search: -DSIM_SEEDS=1000 */
#define SIM_SEEDS 20
#endif

/* Fails the test with the first violation. */
void sim_no_violation(struct sim_world *w);
void sim_options(struct mr_relay_options *o, unsigned shards);
/* A peer broadcasts or announces n new transactions, small and large. */
void sim_tell(struct sim_world *w, struct sim_peer *p, unsigned n);
/* The same, never announced: whoever tells may leave then. */
void sim_tell_in_full(struct sim_world *w, struct sim_peer *p, unsigned n);
/* Some peers that have not heard of new transactions tell of them at about the same time. */
void sim_tell_together(struct sim_world *w);
/* n new peers, which connect one after the other. */
void sim_peers_connect(struct sim_world *w, struct sim_relay *r, unsigned n);
/* Rounds of sim_tell by anybody who is connected, or of sim_tell_together, 0 to 60 ms apart. */
void sim_everybody_talks(struct sim_world *w, unsigned rounds, unsigned together_percent);
/* The same, 0 to gap_ms apart. */
void sim_everybody_talks_fast(struct sim_world *w, unsigned rounds, unsigned together_percent,
                              unsigned gap_ms);
/* Every peer has everything; no violation. */
void sim_all_complete(struct sim_world *w);
