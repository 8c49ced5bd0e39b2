/* base_protocol.h: devp2p's "p2p" capability without Hello: Disconnect, Ping, Pong, the reasons,
 * and the faults that lead to them.
 * Thread: any. Plain values. */
#pragma once
#include "core/rlp.h"

enum mr_base_id { MR_BASE_HELLO = 0, MR_BASE_DISCONNECT = 1, MR_BASE_PING = 2, MR_BASE_PONG = 3 };

#define MR_P2P_VERSION        5
#define MR_P2P_VERSION_SNAPPY 5    /* from here on messages after Hello are compressed (EIP-706) */
#define MR_BASE_MESSAGE_MAX   1024 /* inflated: ping, pong, disconnect */
#define MR_HELLO_MAX          2048 /* a whole frame before Hello */

/* X(name, code, name in logs, sentence): rlpx.md, "Disconnect". */
#define MR_REASON_MAP(X)                                                                           \
    X(REQUESTED, 0x00, "requested", "disconnect requested")                                        \
    X(NETWORK, 0x01, "network", "TCP error")                                                       \
    X(PROTOCOL, 0x02, "protocol", "breach of protocol")                                            \
    X(USELESS, 0x03, "useless", "useless peer")                                                    \
    X(TOO_MANY_PEERS, 0x04, "too_many_peers", "too many peers")                                    \
    X(ALREADY_CONNECTED, 0x05, "already_connected", "already connected")                           \
    X(INCOMPATIBLE, 0x06, "incompatible", "incompatible version of the base protocol")             \
    X(NULL_IDENTITY, 0x07, "null_identity", "null or invalid node identity")                       \
    X(QUITTING, 0x08, "quitting", "client is quitting")                                            \
    X(UNEXPECTED_IDENTITY, 0x09, "unexpected_identity", "identity differs from the handshake's")   \
    X(SELF, 0x0a, "self", "connected to itself")                                                   \
    X(TIMEOUT, 0x0b, "timeout", "nothing heard in time")                                           \
    X(SUBPROTOCOL, 0x10, "subprotocol", "reason of a subprotocol")

/* What a received Disconnect says: a code of the wire (0 to 255, named or not) or one of the last
 * two. */
enum mr_reason {
#define MR_REASON_ENUM(name, code, label, text) MR_REASON_##name = code,
    MR_REASON_MAP(MR_REASON_ENUM)
#undef MR_REASON_ENUM
        MR_REASON_ABSENT = 0x100, /* an empty list, or nothing */
    MR_REASON_INVALID = 0x101     /* not readable */
};
#define MR_REASON_COUNT 0x102 /* for arrays of counters */

const char *mr_reason_name(unsigned reason); /* "too_many_peers"; "unknown" for unnamed codes */
const char *mr_reason_text(unsigned reason);

/* X(name, reason sent, sentence): every way in which a peer can break the layers up to here; one
 * counter each. */
#define MR_P2P_FAULT_MAP(X)                                                                        \
    X(NONE, REQUESTED, "no fault")                                                                 \
    X(FRAME_TOO_BIG, PROTOCOL, "frame over the bound of its phase")                                \
    X(BAD_MESSAGE_ID, PROTOCOL, "message id is no canonical integer")                              \
    X(UNKNOWN_MESSAGE_ID, PROTOCOL, "message id belongs to no shared capability")                  \
    X(BEFORE_HELLO, PROTOCOL, "message before Hello")                                              \
    X(SECOND_HELLO, PROTOCOL, "second Hello")                                                      \
    X(BAD_SNAPPY, PROTOCOL, "payload is not snappy")                                               \
    X(INFLATED_TOO_BIG, PROTOCOL, "inflates to more than a frame could carry")                     \
    X(BASE_TOO_BIG, PROTOCOL, "message of the base protocol over its limit")                       \
    X(MESSAGE_TOO_BIG, SUBPROTOCOL, "message of a capability over its limit")                      \
    X(BAD_PING, PROTOCOL, "ping or pong is not an empty list")                                     \
    X(PING_FLOOD, PROTOCOL, "pings faster than they are tolerated")                                \
    X(PONG_FLOOD, PROTOCOL, "pongs that nobody asked for")                                         \
    X(SILENCE, TIMEOUT, "nothing heard in time")                                                   \
    X(HELLO_TOO_BIG, PROTOCOL, "Hello over 2 KiB")                                                 \
    X(HELLO_MALFORMED, PROTOCOL, "Hello is not what the specification says")                       \
    X(HELLO_ID_LENGTH, NULL_IDENTITY, "node id in Hello is not of 64 bytes")                       \
    X(HELLO_NULL_ID, NULL_IDENTITY, "null node id in Hello")                                       \
    X(HELLO_OTHER_ID, UNEXPECTED_IDENTITY, "node id in Hello differs from the handshake's")        \
    X(HELLO_OWN_ID, SELF, "node id in Hello is our own")                                           \
    X(NOTHING_SHARED, USELESS, "no shared capability")

enum mr_p2p_fault {
#define MR_P2P_FAULT_ENUM(name, reason, text) MR_P2P_##name,
    MR_P2P_FAULT_MAP(MR_P2P_FAULT_ENUM)
#undef MR_P2P_FAULT_ENUM
        MR_P2P_FAULT_COUNT
};
const char *mr_p2p_fault_name(enum mr_p2p_fault f); /* "SECOND_HELLO" */
const char *mr_p2p_fault_text(enum mr_p2p_fault f);
enum mr_reason mr_p2p_fault_reason(enum mr_p2p_fault f); /* what to send */

/* [reason]. Codes above 0xff are asserted. */
MR_MUST_USE enum mr_err mr_disconnect_encode(struct mr_writer *w, unsigned reason);
/* Reads an inflated payload in every form seen in the field: list or bare byte, empty, reason 0 as
 * 0x00 or 0x80, more elements or bytes behind. Never fails: what cannot be read is
 * MR_REASON_INVALID. Returns a value below MR_REASON_COUNT. */
unsigned mr_disconnect_decode(struct mr_span payload);

/* Ping and Pong carry an empty list. */
MR_MUST_USE enum mr_err mr_ping_encode(struct mr_writer *w);
/* Whether payload is one. Nothing at all passes too: some clients send a ping without a payload. */
bool mr_ping_check(struct mr_span payload);
