/* handshakes.h: connections that are no sessions yet: one fixed array, 4 KiB each, and what each
 * has to read and write until both Hellos are known. The policy is dispatcher.c's.
 *
 *   inbound   PACKET -> AUTH (waits for budget) -> HEADER -> HELLO -> AGREED
 *   outbound  DIALLING -> PACKET -> ACK (until auth is out) -> HEADER -> HELLO -> AGREED
 *   any       -> ENDING (Disconnect on its way out) -> CLOSING -> FREE
 *
 * Receives are of exactly the length that the state wants (mr_pending_want), so that no byte behind
 * Hello is ever held. Thread: the dispatcher's. Memory: allocated by mr_handshakes_init; bytes are
 * received into and sent from the slot itself. */
#pragma once
#include "core/clock.h"
#include "core/endpoint.h"
#include "core/wheel.h"
#include "net/rlpx/handshake.h"
#include "net/rlpx/hello.h"
#include "shards/dispatcher_metrics.h"
#include "shards/mailbox.h"

#define MR_CLIENT_NAME_MAX 64 /* bytes of our own client name */
/* ack (467 at most) and our Hello, or one of them and a Disconnect. */
#define MR_PENDING_TX 768
#define MR_PENDING_RX (MR_HELLO_MAX + MR_FRAME_MAC_LEN)

enum mr_pending_state {
    MR_PENDING_FREE,
    MR_PENDING_DIALLING,
    MR_PENDING_PACKET,
    MR_PENDING_AUTH,
    MR_PENDING_ACK,
    MR_PENDING_HEADER,
    MR_PENDING_HELLO,
    MR_PENDING_AGREED,
    MR_PENDING_ENDING,
    MR_PENDING_CLOSING,
};

/* What Hello agreed on: lies where Hello lay. */
struct mr_pending_agreed {
    struct mr_capabilities caps;
    char client[64];
};

struct mr_pending {
    uint32_t slot, generation;
    uint32_t next, previous; /* in the list of waiting or of agreed ones */
    uint8_t state;           /* enum mr_pending_state */
    uint8_t end;             /* enum mr_end, from ENDING on */
    bool inbound, trusted, is_static;
    bool sending, receiving; /* an operation is in flight */
    bool has_session;        /* session is valid: keys are agreed */
    bool hello_out;          /* our Hello is sealed */
    bool snappy;             /* both Hellos are known, so what follows is compressed */
    bool has_id;
    bool disconnected;                           /* Disconnect is sealed */
    bool deaf;                                   /* nothing more can be received */
    bool counted_at_its_address, waited, queued; /* the dispatcher's notes */
    uint16_t asked;                              /* bytes that the receive in flight is to bring */
    uint16_t tx_n;
    uint16_t frame_n; /* HELLO: bytes of padded body and MAC */
    int fd;
    int16_t stated_reason; /* sent in place of the end's own, or -1 */
    uint16_t heard_reason; /* of the remote's Disconnect */
    struct mr_endpoint remote;
    uint64_t begun_ns, deadline_ns;
    uint64_t agreed_ns; /* since when it waits to become a session */
    struct mr_timer timer;
    struct mr_node_id id; /* with has_id: whom it claims to be, proven from HELLO on */
    union {
        struct mr_rlpx_handshake hs; /* until keys are agreed */
        struct {
            struct mr_rlpx_session session;
            uint8_t tx[MR_PENDING_TX];
            union {
                uint8_t rx[MR_PENDING_RX];
                struct mr_pending_agreed agreed;
            };
        };
    };
};
_Static_assert(sizeof(struct mr_pending) <= 4096, "attack H-05: memory before authentication");

struct mr_handshakes_setup {
    const struct mr_secp *secp;
    const struct mr_secp_keypair *self;
    mr_entropy_fn entropy;
    void *entropy_ctx;
    const char *client; /* at most MR_CLIENT_NAME_MAX bytes */
    uint16_t listen_port;
    const struct mr_protocol *protocols; /* what we speak */
    size_t protocols_n;
};

struct mr_handshakes {
    struct mr_handshakes_setup setup;
    struct mr_pending *slots;
    uint32_t capacity, count;
    uint32_t *free; /* a stack: the first capacity - count of it are free */
    uint32_t generation;
};

/* MR_OK or MR_SYSTEM. What setup points to is borrowed. */
enum mr_err mr_handshakes_init(struct mr_handshakes *h, const struct mr_handshakes_setup *setup,
                               uint32_t capacity);
void mr_handshakes_fini(struct mr_handshakes *h);
/* A slot, zeroed but for its index and new generation; NULL: all are taken. */
struct mr_pending *mr_handshakes_get(struct mr_handshakes *h);
/* Wipes it. */
void mr_handshakes_put(struct mr_handshakes *h, struct mr_pending *p);

/* Begins as recipient: PACKET. */
void mr_pending_begin_inbound(const struct mr_handshakes *h, struct mr_pending *p);
/* Begins as initiator of p->id: auth is in mr_pending_out, PACKET. Or an end. */
enum mr_end mr_pending_begin_outbound(const struct mr_handshakes *h, struct mr_pending *p);
/* What to send now, if anything is new; borrowed from the slot. */
struct mr_span mr_pending_out(const struct mr_pending *p);
/* Where the next receive goes, and how many bytes exactly. */
uint8_t *mr_pending_want(struct mr_pending *p, size_t *n);
/* Those bytes have come. Sets the next state, or returns the end. In AUTH and ACK nothing happens
 * until mr_pending_peek, mr_pending_answer and mr_pending_read_ack. */
enum mr_end mr_pending_received(const struct mr_handshakes *h, struct mr_pending *p);
/* AUTH: opens it: p->id is then whom the remote claims to be. */
enum mr_end mr_pending_peek(struct mr_pending *p);
/* AUTH, peeked: ack, and then our Hello, or Disconnect if refuse is no MR_END_NONE: HEADER. */
enum mr_end mr_pending_answer(const struct mr_handshakes *h, struct mr_pending *p,
                              enum mr_end refuse);
/* ACK, auth is out: our Hello is in mr_pending_out, HEADER. */
enum mr_end mr_pending_read_ack(const struct mr_handshakes *h, struct mr_pending *p);
/* Seals Disconnect(reason) as the next thing to send; false if no keys are agreed. Nothing may be
 * in flight from the slot. */
bool mr_pending_disconnect(struct mr_pending *p, unsigned reason);
/* AGREED: fills the parts of a hand-over that are known here, and takes the session out. */
void mr_pending_hand_over(struct mr_pending *p, struct mr_handover *out);
