/* load_wire.h: between the peers of the load and the ring: dialling, receiving, sealing, unsealing,
 * sending, closing. Thread: the ring's. */
#pragma once
#include "perf/load_peer.h"

/* Begins connections while there are peers to connect, up to o->connecting at once, and ends
 * attempts that took too long. Before the load only. */
void mr_load_connect(struct mr_load *l);
/* Seals what waits and hands it to the ring, one send in flight a peer. */
void mr_load_flush(struct mr_load *l);
/* Takes a completion. */
void mr_load_complete(struct mr_load *l, const struct mr_completion *c);
/* Unseals and acts on all that has been received. */
void mr_load_read_all(struct mr_load *l);
/* Ends what mr_load_peer_end has put into CLOSING, as far as the kernel has let go of it. */
void mr_load_reap(struct mr_load *l, struct mr_load_peer *p);
