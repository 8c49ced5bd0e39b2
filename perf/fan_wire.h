/* fan_wire.h: between a fan-out run's peers and the ring: dialling, reading, sealing, sending.
 * Thread: the run's. */
#pragma once
#include "perf/fan_state.h"

/* Begins connections while there are peers to connect, o->connecting at once. */
void mr_fan_connect(struct mr_fan *f);
/* p has something to be sealed. */
void mr_fan_dirty(struct mr_fan *f, struct mr_fan_peer *p);
/* Seals what waits and hands it to the ring, one send in flight a peer. */
void mr_fan_flush(struct mr_fan *f);
/* Takes a completion. */
void mr_fan_complete(struct mr_fan *f, const struct mr_completion *c);
