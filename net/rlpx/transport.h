/* transport.h: between frames and messages. Frame-data is a message id (an RLP integer) and a
 * payload, which is compressed after Hello if both sides speak version 5 or higher (EIP-706).
 * Thread: any. Borrows; inflates into the caller's buffer only. */
#pragma once
#include "net/rlpx/base_protocol.h"
#include "net/rlpx/capability.h"
#include "net/rlpx/snappy.h"

#define MR_FRAME_MAX ((1u << 24) - 1)
/* Inflated, for eth and snap: what peers accept. */
#define MR_MESSAGE_MAX (10u << 20)
/* On the wire: as large as an encoder can make MR_MESSAGE_MAX, and an id of one byte (F-02). */
#define MR_MESSAGE_FRAME_MAX ((uint32_t)MR_SNAPPY_DEFLATED_MAX(MR_MESSAGE_MAX) + 1)

/* What one session's frames mean. shared is NULL before the peer's Hello has been accepted. */
struct mr_transport {
    const struct mr_capabilities *shared;
    bool snappy;
};

/* A message whose id is known and whose payload has not been touched yet. */
struct mr_message {
    uint8_t capability;  /* index into shared, or MR_CAPABILITY_BASE */
    bool compressed;     /* what lies in raw */
    uint16_t id;         /* inside the capability */
    uint32_t inflated_n; /* claimed; within the limit of its kind */
    struct mr_span raw;  /* borrowed from the frame */
};

/* The transport of a session whose Hellos stated these versions. */
struct mr_transport mr_transport_after_hello(const struct mr_capabilities *shared,
                                             uint64_t our_version, uint64_t their_version);
/* The largest frame to accept on its header, before its body is read (F-02). */
uint32_t mr_transport_frame_max(const struct mr_transport *t);

/* Reads id and claimed length of an authenticated frame's data. Inflates nothing and looks no
 * further than the first bytes. Before Hello only Hello and Disconnect are let through, after it no
 * second Hello. Returns MR_P2P_NONE, or a fault; *out is then untouched. */
enum mr_p2p_fault mr_transport_open(struct mr_message *out, const struct mr_transport *t,
                                    struct mr_span frame_data);
/* Gives the payload: raw itself, or inflated into buf (cap >= inflated_n, asserted; borrowed until
 * buf is used again). MR_P2P_BAD_SNAPPY otherwise. A Disconnect that does not inflate is taken as
 * uncompressed, since some clients send it so. */
enum mr_p2p_fault mr_transport_payload(struct mr_span *out, const struct mr_message *m,
                                       uint8_t *buf, size_t cap);

/* Writing. Head of a message: id, and for a compressed one the preamble for total inflated bytes;
 * elements follow (mr_snappy_put_literal, fragments). */
#define MR_MESSAGE_HEAD_MAX 16
MR_MUST_USE enum mr_err mr_message_put_head(struct mr_writer *w, const struct mr_transport *t,
                                            uint16_t wire_id, uint32_t total);
/* A small message as spans: its head (id, preamble, head of one literal) in head, then payload,
 * which is borrowed. Returns the number of spans, 1 or 2. */
size_t mr_message_spans(struct mr_span spans[2], uint8_t head[MR_MESSAGE_HEAD_MAX],
                        const struct mr_transport *t, uint16_t wire_id, struct mr_span payload);
