/* handshake.h: RLPx version 5 key agreement (devp2p rlpx.md "Initial Handshake", EIP-8), both
 * roles, as a state machine that eats exactly the bytes it asks for and does no I/O.
 * Thread: one at a time; a handshake may move between threads. Memory: the caller's, at most 4 KiB
 * with all buffers; nothing is allocated. Secrets are wiped on every way out.
 *
 *   initiator   init -> start -> AWAIT_SIZE -> AWAIT_PACKET -> DONE
 *   recipient   init ----------> AWAIT_SIZE -> AWAIT_PACKET -> DONE             (feed)
 *                                             `-> PEEKED -> (answer) -> DONE    (peek_initiator)
 *   any         a refusal -> FAILED: every secret wiped, only fault is left
 *
 * The use, for either role:
 *   while ((need = mr_rlpx_handshake_need(hs)) > 0)
 *       receive at most need bytes; mr_rlpx_handshake_feed(hs, them, their number, &out); send out
 *
 * DONE is not yet proof of whom we talk to: an auth can be a replay, and of an ack only the
 * secrets show that its sender is the remote node. The first frame's MAC proves it (H-08). */
#pragma once
#include "core/rlp.h"
#include "crypto/entropy.h"
#include "crypto/secp.h"
#include "net/rlpx/frame.h"

/* Largest enc-auth-body or enc-ack-body that is taken, extra elements and padding included. */
#define MR_RLPX_HANDSHAKE_BODY_MAX 2048
#define MR_RLPX_HANDSHAKE_SIZE_LEN 2
/* Zero bytes that we add behind our own list: a random number in this range. Some clients read an
 * auth only when 307 bytes are there, and an ack when 210 are. */
#define MR_RLPX_HANDSHAKE_PAD_MIN 100
#define MR_RLPX_HANDSHAKE_PAD_MAX 250
/* Room that start, feed and answer want in their writer: our longest packet. */
#define MR_RLPX_HANDSHAKE_OUT_MAX 544

enum mr_rlpx_handshake_phase {
    MR_RLPX_HANDSHAKE_START,        /* initiator: auth is not yet written */
    MR_RLPX_HANDSHAKE_AWAIT_SIZE,   /* of the peer's packet: 2 bytes, big-endian */
    MR_RLPX_HANDSHAKE_AWAIT_PACKET, /* the peer's packet */
    MR_RLPX_HANDSHAKE_PEEKED,       /* recipient: auth is read, nothing answered */
    MR_RLPX_HANDSHAKE_DONE,
    MR_RLPX_HANDSHAKE_FAILED
};

/* X(name, what is returned, sentence) */
#define MR_RLPX_HANDSHAKE_FAULT_MAP(X)                                                             \
    X(NONE, MR_OK, "no fault")                                                                     \
    X(SIZE_BIG, MR_TOO_BIG, "packet over 2 KiB")                                                   \
    X(SIZE_SMALL, MR_SHORT, "packet too small for what it must hold")                              \
    X(PLAIN, MR_UNSUPPORTED, "not an EIP-8 packet")                                                \
    X(ECIES, MR_AUTH, "packet does not open: not meant for us, or damaged")                        \
    X(BODY, MR_MALFORMED, "packet's content is not what the specification says")                   \
    X(NULL_ID, MR_INVALID, "null node id")                                                         \
    X(OWN_ID, MR_EXISTS, "node id is our own")                                                     \
    X(KEY, MR_INVALID, "public key is not a point of the curve")                                   \
    X(SIGNATURE, MR_AUTH, "no ephemeral key can be recovered from the signature")                  \
    X(LIBRARY, MR_SYSTEM, "a cryptographic library failed: out of memory")

enum mr_rlpx_handshake_fault {
#define MR_RLPX_HANDSHAKE_FAULT_ENUM(name, err, text) MR_RLPX_HANDSHAKE_FAULT_##name,
    MR_RLPX_HANDSHAKE_FAULT_MAP(MR_RLPX_HANDSHAKE_FAULT_ENUM)
#undef MR_RLPX_HANDSHAKE_FAULT_ENUM
        MR_RLPX_HANDSHAKE_FAULT_COUNT
};
const char *mr_rlpx_handshake_fault_text(enum mr_rlpx_handshake_fault f);

/* Keys for one handshake, which may be made ahead of it, while there is time. */
struct mr_rlpx_ephemerals {
    struct mr_secp_keypair session; /* of the key agreement */
    struct mr_secp_keypair ecies;   /* of the envelope of our packet */
};
void mr_rlpx_ephemerals_make(const struct mr_secp *secp, struct mr_rlpx_ephemerals *out,
                             mr_entropy_fn entropy, void *entropy_ctx);

struct mr_rlpx_handshake {
    const struct mr_secp *secp;
    const struct mr_secp_keypair *self;
    mr_entropy_fn entropy;
    void *entropy_ctx;
    enum mr_rlpx_handshake_phase phase;
    enum mr_rlpx_handshake_fault fault;
    bool is_initiator;
    bool has_ephemerals;
    bool remote_is_self; /* recipient: the initiator says that it is us; see feed */
    struct mr_node_id remote;
    struct mr_rlpx_ephemerals ours;
    struct mr_node_id remote_ephemeral;
    uint8_t nonce[32], remote_nonce[32];
    uint8_t signature[MR_SECP_SIG_SIZE];
    uint16_t in_n, in_need; /* bytes in in[], and how many there must be */
    uint16_t sent_n;
    uint8_t in[MR_RLPX_HANDSHAKE_SIZE_LEN + MR_RLPX_HANDSHAKE_BODY_MAX];
    uint8_t sent[MR_RLPX_HANDSHAKE_OUT_MAX]; /* our packet: the MAC states start with it */
    struct mr_rlpx_secrets secrets;          /* DONE: take them, then call fini */
};
_Static_assert(sizeof(struct mr_rlpx_handshake) <= 4096, "H-05: memory before authentication");

/* Begins a handshake. secp and self (our static keys) are borrowed until fini. ephemerals is
 * copied, or NULL: they are then made when needed; they serve one handshake only.
 * The initiator's returns MR_OK, or MR_INVALID (remote is null or no point) or MR_EXISTS (remote is
 * our own id): hs is then FAILED. */
MR_MUST_USE enum mr_err mr_rlpx_handshake_init_initiator(
    struct mr_rlpx_handshake *hs, const struct mr_secp *secp, const struct mr_secp_keypair *self,
    const struct mr_node_id *remote, const struct mr_rlpx_ephemerals *ephemerals,
    mr_entropy_fn entropy, void *entropy_ctx);
void mr_rlpx_handshake_init_recipient(struct mr_rlpx_handshake *hs, const struct mr_secp *secp,
                                      const struct mr_secp_keypair *self,
                                      const struct mr_rlpx_ephemerals *ephemerals,
                                      mr_entropy_fn entropy, void *entropy_ctx);
/* Wipes all that hs holds, its fault included. May be called at any time, more than once. */
void mr_rlpx_handshake_fini(struct mr_rlpx_handshake *hs);

/* Initiator: appends auth to out. MR_FULL when out lacks MR_RLPX_HANDSHAKE_OUT_MAX bytes (nothing
 * has happened then), MR_SYSTEM when the library fails. */
MR_MUST_USE enum mr_err mr_rlpx_handshake_start(struct mr_rlpx_handshake *hs,
                                                struct mr_writer *out);

/* How many more bytes the phase wants; 0 when it wants none (START, PEEKED, DONE, FAILED).
 * First the 2 bytes of the size, then exactly the packet. */
size_t mr_rlpx_handshake_need(const struct mr_rlpx_handshake *hs);

/* Takes n received bytes, 1 <= n <= need (asserted), at hs->in + hs->in_n (received in place) or
 * anywhere outside hs, and does what becomes possible with the last of them: the recipient appends
 * ack to out and is DONE, the initiator is DONE. Returns MR_OK, MR_FULL (recipient only: out lacks
 * MR_RLPX_HANDSHAKE_OUT_MAX bytes; nothing has happened), or the error of hs->fault; hs is then
 * FAILED and nothing is to be sent. A recipient that is addressed by its own id ends DONE with
 * remote_is_self set, so that it can tell the caller (itself) by Disconnect 0x0a. */
MR_MUST_USE enum mr_err mr_rlpx_handshake_feed(struct mr_rlpx_handshake *hs, const uint8_t *p,
                                               size_t n, struct mr_writer *out);

/* Recipient: as feed, but stops at PEEKED as soon as hs->remote is known, after one ECDH: to decide
 * whether this node is worth the rest. The id is a claim that anybody can make: only what the
 * completed handshake proves may count for or against that node. */
MR_MUST_USE enum mr_err mr_rlpx_handshake_peek_initiator(struct mr_rlpx_handshake *hs,
                                                         const uint8_t *p, size_t n);
/* PEEKED: the rest of feed's work; the same returns. */
MR_MUST_USE enum mr_err mr_rlpx_handshake_answer(struct mr_rlpx_handshake *hs,
                                                 struct mr_writer *out);
