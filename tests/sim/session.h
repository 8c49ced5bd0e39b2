/* session.h: from a simulated connection to a session: RLPx handshake and Hello, either role, with
 * the project's own machines. Never holds a byte behind Hello, so that the connection can be given
 * to another owner.
 * Thread: one. Memory: the caller's. */
#pragma once
#include "net/rlpx/capability.h"
#include "net/rlpx/frame.h"
#include "net/rlpx/handshake.h"
#include "net/rlpx/hello.h"
#include "tests/sim/streams.h"

struct sim_session;
typedef void sim_session_fn(void *ctx, struct sim_session *s, bool ok);

struct sim_session {
    struct sim_net *net;
    const struct mr_secp *secp;
    const struct mr_secp_keypair *self;
    unsigned eth_min, eth_max; /* versions offered */
    int end;
    bool initiator;
    sim_session_fn *done;
    void *ctx;

    /* results, when done is told of success */
    struct mr_rlpx_session rlpx;
    struct mr_node_id remote;
    struct mr_capabilities caps;
    bool snappy;
    int disconnect; /* the reason that the remote gave instead of a Hello, or -1 */

    struct mr_rlpx_handshake hs;
    bool sending, hello_in, header_in, over;
    uint8_t in[4096], out[4096];
    struct mr_writer w;
};

/* Begins; done is told once, never from inside this call. Fields above "results" are the caller's,
 * remote too for an initiator. */
void sim_session_begin(struct sim_session *s);
/* Gives up without telling. */
void sim_session_drop(struct sim_session *s);
