/* client.h: a peer for tests: connects over a blocking socket, does the handshake, Hello and
 * Status with our own state machines, then sends and receives whole messages. It answers pings by
 * itself unless told not to, and nothing else.
 * Thread: one at a time. Memory: 11 MiB of address space for the largest message; freed by close.
 * No function fails a test by itself: each says what happened. */
#pragma once
#include "core/endpoint.h"
#include "net/eth/message.h"
#include "net/eth/network.h"
#include "net/eth/status.h"
#include "net/rlpx/handshake.h"
#include "net/rlpx/hello.h"
#include "net/rlpx/transport.h"

struct mr_client_options {
    const struct mr_secp *secp;        /* for all clients of a test */
    const struct mr_network *network;  /* of its Status */
    uint64_t key_seed;                 /* names its node id: equal seeds, equal ids */
    unsigned version_min, version_max; /* of eth, offered in Hello; 0: all that we advertise */
    const char *name;                  /* client id; NULL: "millrace-test/1" */
    bool no_pongs;
    int timeout_ms; /* of every step; 0: 5,000 */
};

enum mr_client_got {
    MR_CLIENT_MESSAGE,
    MR_CLIENT_TIMEOUT,
    MR_CLIENT_CLOSED, /* end of stream, between frames */
    MR_CLIENT_CUT,    /* end of stream inside a frame */
    MR_CLIENT_RESET,  /* ECONNRESET, EPIPE and the like */
    MR_CLIENT_BAD,    /* what came is not what the protocol says: see client->why */
};
const char *mr_client_got_text(enum mr_client_got g);

struct mr_client_message {
    bool is_eth;            /* else of the base protocol */
    uint8_t id;             /* inside its capability */
    struct mr_span payload; /* inflated; valid until the next receive */
};

struct mr_client {
    struct mr_client_options options;
    struct mr_secp_keypair key;
    struct mr_node_id remote;
    int fd; /* -1: none */
    struct mr_rlpx_session session;
    struct mr_capabilities caps;
    struct mr_transport transport;
    bool helloed;
    unsigned eth_version;
    uint8_t eth_index;
    struct mr_eth_status status; /* the remote's */
    char remote_client[64];
    unsigned reason; /* of the last Disconnect received */
    bool disconnected;
    uint64_t pings, pongs, frames; /* received */
    const char *why;
    uint8_t *in; /* received, not yet unsealed */
    size_t in_n, in_off, in_need;
    uint8_t *message; /* inflated */
};

/* Makes its key. */
void mr_client_init(struct mr_client *c, const struct mr_client_options *options);
/* Closes and frees; may be initialised again. NULL is fine. */
void mr_client_close(struct mr_client *c);
/* Closes with a reset instead of an end of stream. */
void mr_client_abort(struct mr_client *c);

/* ---- step by step; all give MR_CLIENT_MESSAGE for success ---- */

/* TCP. from_ip: source address, 0: any. */
enum mr_client_got mr_client_connect(struct mr_client *c, struct mr_endpoint to, uint32_t from_ip);
/* Takes a connected descriptor instead. */
void mr_client_take(struct mr_client *c, int fd);
enum mr_client_got mr_client_initiate(struct mr_client *c, const struct mr_node_id *remote);
enum mr_client_got mr_client_respond(struct mr_client *c); /* as the one who was dialled */
/* Both Hellos. A Disconnect instead of the remote's is MR_CLIENT_CLOSED, and c->reason tells. */
enum mr_client_got mr_client_hello(struct mr_client *c);
/* A session that was agreed elsewhere: instead of the three above. */
void mr_client_session(struct mr_client *c, const struct mr_rlpx_session *session,
                       const struct mr_capabilities *caps, bool snappy);
/* Our Status: the network's genesis as head. Tests change it before sending. */
void mr_client_status_default(const struct mr_client *c, struct mr_eth_status *out);
/* Sends the default Status and waits for the remote's. */
enum mr_client_got mr_client_status(struct mr_client *c);

/* All of it, in a row. */
enum mr_client_got mr_client_open(struct mr_client *c, const struct mr_client_options *options,
                                  struct mr_endpoint to, const struct mr_node_id *remote);

/* ---- messages ---- */

/* Payload before compression. False: the connection broke. */
bool mr_client_send_base(struct mr_client *c, uint8_t id, struct mr_span payload);
bool mr_client_send_eth(struct mr_client *c, uint8_t id, struct mr_span payload);
/* By the id on the wire, whatever it means. */
bool mr_client_send_wire(struct mr_client *c, uint16_t wire_id, struct mr_span payload);
/* Frame data as it is: message id and payload as given, sealed and sent. */
bool mr_client_send_frame_data(struct mr_client *c, struct mr_span data);
/* Bytes as they are: no frame at all. */
bool mr_client_send_raw(struct mr_client *c, const void *p, size_t n);
/* Transactions of raw (consensus or network form) ones. */
bool mr_client_send_transactions(struct mr_client *c, const struct mr_span *raw, size_t n);

/* The next message, pings answered and passed over (counted), within timeout_ms (-1: the options').
 * A Disconnect is a message and sets c->disconnected and c->reason. */
enum mr_client_got mr_client_receive(struct mr_client *c, struct mr_client_message *out,
                                     int timeout_ms);
/* Receives until a message of eth with this id; others are dropped. */
enum mr_client_got mr_client_expect(struct mr_client *c, struct mr_client_message *out, uint8_t id,
                                    int timeout_ms);
/* Receives and drops until the connection ends; gives how it ended. c->disconnected, c->reason. */
enum mr_client_got mr_client_wait_end(struct mr_client *c, int timeout_ms);
/* Sends a ping and receives (dropping others) until its pong: what was sent before has been
 * handled by then. */
enum mr_client_got mr_client_sync(struct mr_client *c, int timeout_ms);
