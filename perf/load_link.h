/* load_link.h: one RLPx connection of an initiator, as bytes: the key agreement, Hello, the
 * session, and what waits on its way in and out. What millrace-load and millrace-fan have in
 * common. No I/O. Thread: the run's. Memory: malloc; the buffers grow with what is put into them.
 */
#pragma once
#include "net/rlpx/handshake.h"
#include "net/rlpx/hello.h"
#include "net/rlpx/transport.h"
#include "perf/load_bytes.h"

struct mr_load_link {
    struct mr_secp_keypair key;
    struct mr_rlpx_handshake *handshake; /* until keys are agreed on */
    struct mr_rlpx_session session;
    struct mr_capabilities shared;
    struct mr_transport transport;
    struct mr_load_bytes in;   /* received, sealed */
    size_t in_need;            /* nothing to do before so many are there */
    struct mr_load_bytes out;  /* frames: u32 size, frame data; not sealed */
    struct mr_load_bytes wire; /* sealed, in flight */
};

/* The source address of the i-th connection: neighbours differ in their /16. */
uint32_t mr_load_link_ip(uint32_t index);
/* Its key follows from seed and index. */
void mr_load_link_init(struct mr_load_link *k, const struct mr_secp *secp, uint64_t seed,
                       uint32_t index);
/* Frees everything but the key. */
void mr_load_link_fini(struct mr_load_link *k);

/* Writes auth to k->wire, to be sent as it is. MR_FULL: no memory; else the handshake's error. */
MR_MUST_USE enum mr_err mr_load_link_start(struct mr_load_link *k, const struct mr_secp *secp,
                                           const struct mr_node_id *remote);
/* Takes from k->in what is left of the key agreement. Once it is done, k->handshake is NULL and the
 * session stands. The handshake's error otherwise. */
MR_MUST_USE enum mr_err mr_load_link_agree(struct mr_load_link *k);
/* Queues Hello. False: no memory. */
MR_MUST_USE bool mr_load_link_hello(struct mr_load_link *k, const char *client,
                                    const struct mr_capability *capabilities, size_t n);
/* Takes the other side's: checks whose it is and matches capabilities (NOTHING_SHARED). */
enum mr_p2p_fault mr_load_link_on_hello(struct mr_load_link *k, const struct mr_node_id *remote,
                                        struct mr_span payload, const struct mr_protocol *ours,
                                        size_t ours_n);

/* Queues a message under an id of the wire, payload as one literal (uncompressed before Hello).
 * False: no memory, for both. */
MR_MUST_USE bool mr_load_link_send(struct mr_load_link *k, uint16_t wire_id,
                                   struct mr_span payload);
/* The same, compressed as a whole where the session compresses. */
MR_MUST_USE bool mr_load_link_send_compressed(struct mr_load_link *k, uint16_t wire_id,
                                              struct mr_span payload);

/* Many links sealed side by side. */
#define MR_LOAD_SEAL_LINKS  64
#define MR_LOAD_SEAL_FRAMES 64
struct mr_load_sealing {
    size_t count;
    struct mr_seal_job jobs[MR_LOAD_SEAL_LINKS];
    struct mr_load_link *links[MR_LOAD_SEAL_LINKS];
    void *owners[MR_LOAD_SEAL_LINKS]; /* the caller's, of these links */
    struct mr_frame frames[MR_LOAD_SEAL_LINKS][MR_LOAD_SEAL_FRAMES];
    struct mr_span spans[MR_LOAD_SEAL_LINKS][MR_LOAD_SEAL_FRAMES];
    size_t taken[MR_LOAD_SEAL_LINKS]; /* bytes of out */
};
/* Adds what waits at k, up to about bytes_max; k->wire must be free. MR_OK, also if nothing waits;
 * MR_FULL: no memory. There must be room (count below MR_LOAD_SEAL_LINKS). */
MR_MUST_USE enum mr_err mr_load_seal_add(struct mr_load_sealing *s, struct mr_load_link *k,
                                         void *owner, size_t bytes_max);
/* Seals them all: k->wire holds what is to be sent. The caller empties count. */
void mr_load_seal_run(struct mr_load_sealing *s);
