/* peer_messages.h: what a scripted peer does with the eth messages that the relay sends it, and the
 * rules that it holds them against. Thread: one. */
#pragma once
#include "tests/sim/peer.h"

/* False: the session is over. */
bool sim_peer_eth(struct sim_peer *p, unsigned id, struct mr_span payload);
