/* mailbox.h: the mesh of queues between threads: shards, the dispatcher, the blob service.
 * Three kinds (design.md section 3): SURE cannot fill (as many slots as objects exist), FLOW has
 * back-pressure (a producer that cannot publish stops admitting), HINT loses and counts.
 * Each (producer, consumer, kind) is one ck_ring with one writer and one reader; each consumer has
 * a bell. Memory: all allocated at init. */
#pragma once
#include "core/base.h"
#include "core/buffer.h"
#include "core/endpoint.h"
#include "core/queue.h"
#include "net/rlpx/capability.h"
#include "net/rlpx/frame.h"
#include "shards/options.h"

enum mr_mail_kind {
    /* SURE */
    MR_MAIL_ADOPT = 1, /* dispatcher to shard: ptr = struct mr_handover */
    MR_MAIL_CLOSED,    /* shard to dispatcher: a = peer serial, b = reason, see mr_closed_reason */
    MR_MAIL_ACTIVE,    /* shard to dispatcher: a = peer serial: both Status agreed */
    MR_MAIL_STOP,      /* dispatcher to shard: Disconnect(a) to every peer, then close */
    MR_MAIL_STOPPED,   /* shard to dispatcher: the last peer is gone */
    MR_MAIL_VERDICT,   /* blob service to shard: a = ticket, b = enum mr_blob_verdict */
    MR_MAIL_READY,     /* blob service to shards: the trusted setup is loaded */
    MR_MAIL_DROP,      /* dispatcher to shard: Disconnect(b) to peer serial a */
    /* FLOW */
    MR_MAIL_TX,   /* shard to shard: buf = a transaction, one holder given */
    MR_MAIL_BLOB, /* shard to blob service: buf = network form, a = ticket */
    /* HINT */
    MR_MAIL_CLAIM,   /* shard to shard: hash is being asked for */
    MR_MAIL_RELEASE, /* shard to shard: hash: ran out of sources */
    MR_MAIL_REFUSED, /* shard to shard: hash was refused; a = expiry, ns mono */
    /* of the head (head.h) */
    MR_MAIL_ASK,   /* shard 0 to shard: a = round, b = flags, hash = origin */
    MR_MAIL_VOICE, /* shard to shard 0: a = round, b = net16 and flags, buf = headers or NULL */
    MR_MAIL_HEAD,  /* shard 0 to shard: buf = a run of headers, the head last */
};

enum mr_mail_class { MR_MAIL_SURE, MR_MAIL_FLOW, MR_MAIL_HINT, MR_MAIL_CLASSES };

struct mr_mail {
    uint8_t kind, from;
    uint8_t unused[6];
    uint64_t a, b;
    union {
        struct mr_buf *buf;
        void *ptr;
    };
    struct mr_hash hash;
};
_Static_assert(sizeof(struct mr_mail) == 64, "one cache line a slot");

/* Threads of the mesh: shards are 0 .. shards-1. */
struct mr_mesh;
static inline unsigned mr_mesh_dispatcher(unsigned shards)
{
    return shards;
}
static inline unsigned mr_mesh_service(unsigned shards)
{
    return shards + 1;
}

/* NULL without memory. sure_slots: how many SURE objects can exist at once (peers + pending). */
struct mr_mesh *mr_mesh_new(unsigned shards, uint32_t sure_slots, uint32_t flow_slots,
                            uint32_t hint_slots);
void mr_mesh_free(struct mr_mesh *m);
/* When all threads have ended: puts the buffers that are still on their way. */
void mr_mesh_drain(struct mr_mesh *m);
unsigned mr_mesh_shards(const struct mr_mesh *m);

/* Pushes from thread `from` (the caller) to `to`. False when the queue is full (an assert for
 * SURE). *wake is set when the consumer sleeps and the caller must wake it through its port. */
bool mr_mail_send(struct mr_mesh *m, unsigned from, unsigned to, enum mr_mail_class c,
                  const struct mr_mail *mail, bool *wake);
/* Room for n more FLOW mails to every other shard: asked before admitting. */
bool mr_mail_room(const struct mr_mesh *m, unsigned from, uint32_t n);
/* Takes the next mail for `self`; false when all its queues are empty. SURE first, then FLOW, then
 * HINT, round robin over producers. */
bool mr_mail_take(struct mr_mesh *m, unsigned self, struct mr_mail *out);
/* For loops: before waiting; false = there is mail, do not wait. */
bool mr_mail_sleep(struct mr_mesh *m, unsigned self);
void mr_mail_awake(struct mr_mesh *m, unsigned self);

/* Peers with Status agreed, per shard, for the body choice: each shard sets its own, any thread
 * reads the sum, relaxed. */
void mr_mesh_set_peers(struct mr_mesh *m, unsigned shard, uint32_t peers);
uint32_t mr_mesh_peers(const struct mr_mesh *m);
/* Peers that a shard can ask for the head, trusted ones that override and others; in the same way.
 */
void mr_mesh_set_voices(struct mr_mesh *m, unsigned shard, uint32_t trusted, uint32_t others);
void mr_mesh_voices(const struct mr_mesh *m, unsigned shard, uint32_t *trusted, uint32_t *others);

/* A session on its way from the dispatcher to its shard: a value, nothing in flight. The dispatcher
 * owns a fixed array of them; the shard gives one back through `home` when it has copied it. */
struct mr_handover {
    struct mr_stack_entry entry;
    struct mr_stack *home;
    uint64_t serial; /* names this session in mails */
    int fd;
    bool inbound, trusted, is_static;
    struct mr_endpoint remote, local;
    struct mr_node_id id;
    struct mr_rlpx_session session;
    struct mr_capabilities caps; /* what both share, with offsets */
    bool snappy;
    char client[64];   /* cut, escaped when logged */
    uint64_t begun_ns; /* when the connection began, mono */
};

/* Why a session ended, for the dispatcher's books and the logs. */
#define MR_CLOSED_MAP(X)                                                                           \
    X(REMOTE, "the remote closed the connection")                                                  \
    X(REMOTE_DISCONNECT, "the remote sent Disconnect")                                             \
    X(BREACH, "protocol breach")                                                                   \
    X(SUBPROTOCOL, "eth rule broken")                                                              \
    X(USELESS, "useless peer")                                                                     \
    X(SILENT, "read timeout")                                                                      \
    X(SLOW, "did not read")                                                                        \
    X(MAC, "bad MAC")                                                                              \
    X(STATUS, "Status did not agree")                                                              \
    X(STATUS_LATE, "no Status in time")                                                            \
    X(DUPLICATE, "already connected")                                                              \
    X(RESOURCES, "out of memory for it")                                                           \
    X(SHUTDOWN, "we shut down")                                                                    \
    X(ASKED, "asked for by the operator")
enum mr_closed_reason {
#define MR_CLOSED_ENUM(name, text) MR_CLOSED_##name,
    MR_CLOSED_MAP(MR_CLOSED_ENUM)
#undef MR_CLOSED_ENUM
        MR_CLOSED_COUNT
};
const char *mr_closed_text(enum mr_closed_reason r);

enum mr_blob_verdict {
    MR_BLOB_OK,
    MR_BLOB_BAD,   /* the sender's fault */
    MR_BLOB_ERROR, /* ours: no memory, no setup */
};
