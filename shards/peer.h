/* peer.h: one remote node on its shard: session, what it already has, what waits to be sent to it.
 * A peer has a cursor into the log and no queue, besides 16 control slots and 4 requests that it
 * has made and we have not answered. Thread: the shard it was placed on, for its whole life.
 * Memory: a slot of mr_shard.peers. */
#pragma once
#include "core/base.h"
#include "core/buffer.h"
#include "core/endpoint.h"
#include "core/wheel.h"
#include "net/eth/request.h"
#include "net/rlpx/base_protocol.h"
#include "net/rlpx/capability.h"
#include "net/rlpx/frame.h"
#include "net/rlpx/keepalive.h"
#include "shards/blob_upload.h"
#include "shards/head.h"
#include "shards/mailbox.h"

/*
 *   FREE -> QUIET ----------.        QUIET: a second session of one identity; we send nothing until
 *     |        \ (status in) \       the remote's Status proves that it kept this one
 *     `-> AWAIT_STATUS -> ACTIVE     HELD: has both Status, waits for the two-session rule
 *               \           \
 *                `-> CLOSING -> SWEEP -> FREE     SWEEP: its column in the log is being cleared
 */
enum mr_peer_state {
    MR_PEER_FREE,
    MR_PEER_QUIET,
    MR_PEER_AWAIT_STATUS,
    MR_PEER_HELD,
    MR_PEER_ACTIVE,
    MR_PEER_CLOSING,
    MR_PEER_SWEEP,
};

#define MR_CONTROL_SLOTS    16
#define MR_PENDING_REQUESTS 4

enum mr_control_kind { MR_CONTROL_STATUS, MR_CONTROL_PING, MR_CONTROL_PONG, MR_CONTROL_DISCONNECT };

struct mr_control {
    uint8_t kind, reason;
};

/* A request of the peer, parsed enough to be answered when it is this lane's turn. */
struct mr_pending_request {
    uint8_t id;         /* message id inside eth: of the request, or of the answer if ready */
    bool ready;         /* buf is the answer's payload already */
    struct mr_buf *buf; /* the request's payload, inflated: [request id, ...] */
};

/* A frame longer than one slice, on its way: what it points to stays until its last slice. */
struct mr_long_frame;

struct mr_peer {
    /* what flush walks for every peer */
    uint8_t state;
    uint8_t eth_version;
    bool sending; /* a send is in flight */
    bool ready;   /* in the shard's ready list */
    bool paused;  /* its receive is paused */
    bool trusted, is_static, inbound;
    bool status_in, status_out;
    bool works;              /* the remote has said something behind its Status */
    bool shut;               /* the port was asked to close */
    bool closing_after_send; /* Disconnect is the last thing sealed; close when it is out */
    bool want_request;       /* fetch has a request for it */
    bool want_header_request, want_range;
    bool bulk_first; /* answers before bodies in the next flush, then the other way round */
    uint8_t control_head, control_count;
    uint8_t pending_head, pending_count;
    uint8_t closed_reason; /* enum mr_closed_reason */
    uint32_t slot, generation;
    uint32_t next_ready;
    uint64_t cursor;
    uint64_t blob_chosen; /* up to here it was told at once of what it is chosen for */
    uint64_t blob_cursor; /* up to here of the rest, as the upload budget allowed */
    struct mr_blob_promise blob_promise;
    uint64_t body_sip; /* SipHash(boot key, id): the peer's half of the body choice */
    struct mr_buf *send_buf;
    uint64_t send_begun_ns;
    struct mr_long_frame *long_frame;
    struct mr_control control[MR_CONTROL_SLOTS];
    struct mr_pending_request pending[MR_PENDING_REQUESTS];

    /* receiving */
    struct mr_buf *gather; /* what did not make a frame yet, or waits while paused */
    uint32_t gather_n, gather_off;
    uint8_t *in;   /* this turn's input: the event's bytes or the gather block */
    uint32_t in_n; /* bytes left at in */
    bool in_queued;
    uint32_t body_size;      /* frame-data size awaited; 0: a header */
    uint64_t frame_begun_ns; /* 0: between frames */
    uint64_t bytes_paid;
    struct mr_buf *parked; /* rest of a message that found the verify queue full */
    uint8_t parked_id;
    uint32_t parked_blob; /* bytes of the blob transaction that it begins with and waits for */
    struct mr_keepalive keepalive;
    uint64_t resume_ns;  /* paused by a bucket until then; 0: by room */
    uint64_t range_told; /* head number last told in a BlockRangeUpdate or Status */

    /* our header request in flight */
    uint64_t header_request_id;
    struct mr_get_block_headers header_query;

    /* the other session of this identity, or NO_SLOT */
    uint32_t twin;
    bool inherits; /* cursors: it takes that one's place */
    uint64_t
        twin_deadline_ns; /* same direction: the old one was pinged; no pong by then: replaced */

    struct mr_head_claim claim; /* what its Status or BlockRangeUpdate says of its head */
    struct mr_timer timer;
    uint64_t serial;
    uint64_t begun_ns, adopted_ns;
    struct mr_node_id id;
    struct mr_endpoint remote;
    struct mr_capabilities caps;
    uint8_t eth_index;  /* of eth in caps */
    uint16_t eth_first; /* its first wire id */
    bool snappy;
    char client[64];
    struct mr_rlpx_session session;
};
#define MR_NO_SLOT UINT32_MAX
_Static_assert(sizeof(struct mr_peer) < 4096, "16 KiB an idle peer, all included");
