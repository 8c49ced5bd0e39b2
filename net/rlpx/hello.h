/* hello.h: the first message of a session (devp2p rlpx.md, "Hello (0x00)"), never compressed.
 * Thread: any. A decoded Hello borrows its client id from the input; the rest are values. */
#pragma once
#include "net/rlpx/base_protocol.h"
#include "net/rlpx/capability.h"

#define MR_HELLO_CLIENT_ID_MAX 128 /* bytes kept of a peer's client id */

struct mr_hello {
    uint64_t version;
    struct mr_span client_id; /* borrowed; cut to MR_HELLO_CLIENT_ID_MAX when decoded */
    uint64_t listen_port;     /* legacy, to be ignored */
    struct mr_node_id id;
    uint32_t capabilities_seen;  /* in the message; more than kept if many or with odd names */
    uint32_t capabilities_count; /* kept, in their order */
    struct mr_capability capabilities[MR_CAPABILITY_OFFERED_MAX];
};

/* Decodes the payload (behind the message id) of a Hello. Further elements of the list are ignored,
 * so are versions and ports whatever they say (EIP-8); capabilities that nobody could share (empty,
 * longer than 8 bytes, not ASCII) or behind the 64th are counted and left out. Returns MR_P2P_NONE,
 * or a MR_P2P_HELLO_ fault; *out is then untouched. */
enum mr_p2p_fault mr_hello_decode(struct mr_hello *out, struct mr_span payload);
/* Writes the payload. capabilities_seen is ignored. MR_FULL on lack of room (2 KiB suffice). */
MR_MUST_USE enum mr_err mr_hello_encode(struct mr_writer *w, const struct mr_hello *h);
/* Binds a Hello to whom the handshake authenticated (H-10): MR_P2P_HELLO_OTHER_ID, _OWN_ID, or
 * NONE. */
enum mr_p2p_fault mr_hello_check_identity(const struct mr_hello *h,
                                          const struct mr_node_id *authenticated,
                                          const struct mr_node_id *own);
/* The client id for logs: printable ASCII, others as '.', terminated, cut to cap - 1 bytes. Returns
 * the length. */
size_t mr_hello_client_text(char *out, size_t cap, const struct mr_hello *h);
