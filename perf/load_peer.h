/* load_peer.h: one peer of the load: handshake, Hello, Status, what it answers and asks, as a
 * standard node does. No I/O: bytes come in, frames to seal go out.
 * Thread: the run's. Memory: the peer's buffers. */
#pragma once
#include "perf/load_state.h"

/* Its key follows from the seed. */
void mr_load_peer_init(struct mr_load *l, struct mr_load_peer *p, uint32_t index);
void mr_load_peer_fini(struct mr_load_peer *p);

/* The connection stands: writes auth to p->wire, to be sent as it is. */
void mr_load_peer_dialled(struct mr_load *l, struct mr_load_peer *p);
/* The bytes in p->in have grown: does what is left of the key agreement. */
void mr_load_peer_agree(struct mr_load *l, struct mr_load_peer *p);
/* Puts the peer into CLOSING. The run ends its operations, and counts. */
void mr_load_peer_end(struct mr_load *l, struct mr_load_peer *p, enum mr_load_end why);
static inline bool mr_load_peer_has_session(const struct mr_load_peer *p)
{
    return p->state >= MR_LOAD_HELLO && p->state <= MR_LOAD_ACTIVE;
}

/* Queues a message under an id of the wire, uncompressed before Hello. */
void mr_load_send(struct mr_load *l, struct mr_load_peer *p, uint16_t wire_id,
                  struct mr_span payload);
/* The same under an id of the eth capability. */
void mr_load_send_eth(struct mr_load *l, struct mr_load_peer *p, uint16_t id,
                      struct mr_span payload);
/* Queues the transactions of this sender whose time has come, as far as its queue takes them. */
void mr_load_send_due(struct mr_load *l, struct mr_load_peer *p);
void mr_load_send_ping(struct mr_load *l, struct mr_load_peer *p);
void mr_load_send_disconnect(struct mr_load *l, struct mr_load_peer *p, unsigned reason);

/* A verified frame's data: the base protocol and Status are dealt with at once, the rest joins the
 * batch. */
void mr_load_frame(struct mr_load *l, struct mr_load_peer *p, struct mr_span data);
/* Hashes what waits, judges it and acts on it. */
void mr_load_batch_run(struct mr_load *l);

/* ---- fetching (load_fetch.c) ---- */

/* tx is wanted and not yet asked for. */
void mr_load_want(struct mr_load *l, struct mr_load_peer *p, uint32_t tx);
/* Asks for what is wanted, unless a request is out. */
void mr_load_ask(struct mr_load *l, struct mr_load_peer *p);
/* An answer with these items has come. */
void mr_load_answered(struct mr_load *l, struct mr_load_peer *p, const struct mr_strict_message *m);
