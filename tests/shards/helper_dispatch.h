/* A dispatcher with a scripted port on a clock of its own, and remote nodes that talk to it byte by
 * byte through the same state machines, as initiators and recipients. What the dispatcher must
 * never do (two sends at once, one after close, too many sessions) is asserted. Used by tests and
 * by tests/fuzz. */
#pragma once
#include "core/random.h"
#include "net/rlpx/handshake.h"
#include "net/rlpx/hello.h"
#include "net/rlpx/transport.h"
#include "shards/dispatcher.h"
#include "shards/handshakes.h"

#ifndef DSP_SLOTS
#define DSP_SLOTS 600
#endif
#define DSP_BUF    8192
#define DSP_EVENTS 4096
#ifndef DSP_SESSIONS
#define DSP_SESSIONS 1024
#endif

/* The port's side of one slot. Bytes lie in in[] on their way to the dispatcher, in out[] from it.
 */
struct dsp_link {
    bool used, closing, dialling, receiving, sending, ended, stalled;
    uint32_t slot, generation;
    int fd;
    struct mr_endpoint remote;
    uint8_t *want;
    size_t want_n;
    const uint8_t *send;
    size_t send_n;
    uint8_t in[DSP_BUF], out[DSP_BUF];
    size_t in_n, out_n, out_read;
    uint64_t received; /* bytes given to the dispatcher */
};

/* A session that a shard has got. */
struct dsp_session {
    bool live;
    unsigned shard;
    struct mr_handover h; /* a copy */
    struct dsp_link rest; /* what was on the wire when it was handed over */
};

struct dsp_world {
    struct mr_relay_options options;
    struct mr_secp *secp;
    bool owns_secp;
    struct mr_secp_keypair self;
    struct mr_mesh *mesh;
    struct mr_dispatcher *d;
    struct mr_random random;
    struct mr_time now;
    uint64_t next_ns;    /* what the last turn asked for */
    bool hold_handovers; /* shards keep them for now */
    struct mr_stack_entry *held[DSP_SESSIONS];
    struct mr_stack *held_home[DSP_SESSIONS];
    unsigned held_n;

    struct dsp_link *links; /* by slot */
    struct mr_dispatcher_event events[DSP_EVENTS];
    size_t events_n;
    uint32_t room;
    unsigned refused, accept_calls, turns, dials;
    int next_fd, last_refused;
    struct dsp_session *sessions;
    unsigned sessions_n; /* ever */
    unsigned newest;
    struct dsp_link *released; /* let go, hand-over on its way */
    unsigned released_n;
    unsigned stops;
    unsigned live, live_counted_max;
};

/* options may be NULL: the tiny ones, with two shards. */
void dsp_open(struct dsp_world *w, const struct mr_relay_options *options);
/* With a context of the curve that the caller keeps. */
void dsp_open_with(struct dsp_world *w, const struct mr_relay_options *options,
                   struct mr_secp *secp);
void dsp_close(struct dsp_world *w);

/* One turn with the events at hand; the invariants of ports are asserted inside. */
void dsp_turn(struct dsp_world *w);
/* Completes what can complete, and turns, until nothing happens any more. */
void dsp_run(struct dsp_world *w);
/* Moves the clock, then runs; in steps of at most 10 ms, as a loop would. */
void dsp_advance(struct dsp_world *w, uint64_t ns);

/* A connection comes in; NULL: it was refused. */
struct dsp_link *dsp_connect(struct dsp_world *w, uint32_t ip);
/* The last dial that has not completed, or NULL; and its completion. */
struct dsp_link *dsp_dialling(struct dsp_world *w);
void dsp_dial_done(struct dsp_world *w, struct dsp_link *l, bool ok);
/* The remote writes, or closes. */
void dsp_write(struct dsp_link *l, const void *p, size_t n);
void dsp_end(struct dsp_link *l);
/* The shard ends a session. */
void dsp_session_end(struct dsp_world *w, struct dsp_session *s, enum mr_closed_reason why);
void dsp_session_active(struct dsp_world *w, struct dsp_session *s);
void dsp_handovers_go_home(struct dsp_world *w);
/* The newest session, or NULL. */
struct dsp_session *dsp_last(struct dsp_world *w);

uint64_t dsp_metric(const struct dsp_world *w, const char *name);

/* ---- a remote node ---- */

struct dsp_peer {
    const struct mr_secp *secp;
    struct mr_secp_keypair key;
    struct mr_random *random;
    struct mr_rlpx_handshake hs;
    struct mr_rlpx_session session;
    bool has_session, snappy;
};

/* Bytes between a peer and a dispatcher, whatever carries them. read brings exactly n, or false. */
struct dsp_wire {
    void *ctx;
    void (*write)(void *ctx, const void *p, size_t n);
    bool (*read)(void *ctx, void *p, size_t n);
};
/* Over a link of a world; reading runs the world. */
struct dsp_wired {
    struct dsp_world *w;
    struct dsp_link *l;
};
struct dsp_wire dsp_wire_of(struct dsp_wired *at);

void dsp_peer_init(struct dsp_peer *p, struct dsp_world *w);
void dsp_peer_init_key(struct dsp_peer *p, const struct mr_secp *secp, struct mr_random *random);
/* As initiator: auth, and then ack. False: it did not come, or does not open. */
void dsp_peer_auth(struct dsp_peer *p, const struct dsp_wire *wire, const struct mr_node_id *to);
bool dsp_peer_ack(struct dsp_peer *p, const struct dsp_wire *wire);
/* As recipient: reads auth, answers. */
bool dsp_peer_answer(struct dsp_peer *p, const struct dsp_wire *wire);
/* A Hello that suits us; to be changed and sent. */
struct mr_hello dsp_hello(const struct dsp_peer *p);
void dsp_peer_hello(struct dsp_peer *p, const struct dsp_wire *wire, const struct mr_hello *h);
/* Any message. */
void dsp_peer_send(struct dsp_peer *p, const struct dsp_wire *wire, uint16_t id,
                   struct mr_span payload);
/* A frame with this as its data. */
void dsp_peer_frame(struct dsp_peer *p, const struct dsp_wire *wire, struct mr_span data);
/* Reads a frame: its message id and payload (inflated if p->snappy), or false. */
bool dsp_peer_read(struct dsp_peer *p, const struct dsp_wire *wire, uint64_t *id, uint8_t *payload,
                   size_t *n);
/* Reads a Disconnect: its reason, or -1 if anything else or nothing comes. */
int dsp_peer_reason(struct dsp_peer *p, const struct dsp_wire *wire);
/* Reads our Hello. */
bool dsp_peer_read_hello(struct dsp_peer *p, const struct dsp_wire *wire, struct mr_hello *out,
                         uint8_t buf[2048]);
/* All of it, as initiator: true when both Hellos are exchanged. */
bool dsp_peer_join(struct dsp_peer *p, const struct dsp_wire *wire, const struct mr_node_id *to);
