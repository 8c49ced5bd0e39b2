/* shard_state.h: the inside of a shard, shared by the files that make it up (see shard.h) and by
 * nobody else. Thread: the shard's. */
#pragma once
#include "core/log.h"
#include "core/siphash.h"
#include "crypto/ct.h"
#include "net/eth/announce.h"
#include "net/eth/message.h"
#include "net/rlpx/snappy.h"
#include "net/rlpx/transport.h"
#include "shards/shard.h"

#define MR_WINDOW_JOBS    64 /* peers sealed together */
#define MR_FRAMES_PER_JOB 32 /* 16 control, 3 requests, 4 answers, announcements, bodies */
#define MR_SLICE_BYTES                                                                             \
    67584u                     /* sealed for one peer in one turn: half of 128 KiB and frame heads \
                                */
#define MR_ITEM_BATCH      256 /* transactions hashed together */
#define MR_ANNOUNCE_BATCH  1024  /* hashes in one announcement of ours */
#define MR_BODIES_BATCH    256   /* transactions in one Transactions of ours */
#define MR_BLOB_LOG        4096  /* newest blob transactions, for staged announcing */
#define MR_DUPE_SLOTS      16384 /* of the per-message set: three times what a message may hold */
#define MR_WINDOW_LITERALS (4u << 20)
#define MR_WINDOW_SPANS    32768

/* A frame longer than a slice: sealed in several turns, its bytes stay where they lie. */
#define MR_LONG_SPANS 264
struct mr_long_frame {
    struct mr_buf *self;     /* holds this struct */
    struct mr_buf *literals; /* or NULL */
    struct mr_frame frame;
    uint32_t used_count;
    struct mr_txlog_use *used[MR_HASHES_ASKED_MAX];
    struct mr_span spans[MR_LONG_SPANS];
    uint8_t head[64];
};

struct mr_dupe {
    uint64_t fingerprint;
    uint32_t stamp;
};

struct mr_item {
    struct mr_span item; /* as it stands in the message */
    struct mr_hash hash;
    struct mr_tx tx; /* decoded only where needed */
    bool decoded;
    bool malformed;
};

struct mr_shard {
    struct mr_shard_setup setup;
    const struct mr_relay_options *o;
    uint64_t now_ns;
    struct mr_time now;
    struct mr_random random;
    struct mr_buf_pool pool;
    struct mr_wheel wheel;

    struct mr_peer *peers;
    uint32_t slots;
    uint32_t generation;
    struct mr_map by_id;  /* node id to the slot of its first session */
    uint64_t *live;       /* bit per slot: neither FREE nor SWEEP */
    uint64_t *free;       /* bit per slot: FREE; its struct mr_peer may never have been touched */
    uint64_t *parked;     /* bit per slot: waits for room in the verify queue */
    uint32_t parked_turn; /* whose message is taken up next, or the first behind it */
    uint32_t live_count, active_count;
    bool sweeping;

    struct mr_seen seen;
    struct mr_txlog log;
    struct mr_fetch *fetch;
    struct mr_admit *admit;
    struct mr_head *head;
    uint64_t rules_at_ns;   /* when the rules were last set */
    uint64_t head_followed; /* mr_head_changes that they were set by */
    uint64_t head_owed;     /* shard 0: bit a shard that lacks our head */
    struct mr_head_voices voices_told;

    /* blob announcements */
    uint64_t blob_log[MR_BLOB_LOG]; /* sequence numbers in the log */
    uint64_t blob_head;
    struct mr_blob_upload blob_upload;
    uint64_t blob_retry_ns;
    uint64_t blob_spent_ns; /* the last turn that found too little left */
    bool blobs_ready;

    /* receiving */
    uint8_t *arena; /* one inflated message */
    uint32_t arena_bytes;
    uint32_t *rx, *rx_next; /* slots with input, this round and the next */
    uint32_t rx_count;
    struct mr_unseal_job *unseal_jobs;
    uint32_t *unseal_slots;
    uint64_t gather_bytes;
    struct mr_item *items;
    struct mr_hash *item_hashes;
    struct mr_span *item_spans;
    uint64_t *sources; /* scratch: one bit a slot */
    uint64_t *doomed;  /* bit a slot: to be ended at the end of the step, as liars */
    bool any_doomed;
    struct mr_dupe *dupes;
    uint32_t dupe_stamp;

    /* sending */
    uint32_t ready_head, ready_tail; /* list of slots, by next_ready */
    uint32_t ready_from;             /* slot that comes first when all are made ready */
    uint64_t told_head;              /* log head up to which every idle peer was made ready */
    uint64_t sending_bytes;
    uint64_t slow_look_ns;   /* when to look for slow readers again */
    uint64_t full_threshold; /* a body goes to a peer whose mix is below it */
    struct mr_seal_job jobs[MR_WINDOW_JOBS];
    uint32_t job_slots[MR_WINDOW_JOBS];
    struct mr_frame *frames;
    struct mr_span *spans;
    uint8_t *literals;
    uint8_t announce_types[MR_ANNOUNCE_BATCH];
    uint32_t announce_sizes[MR_ANNOUNCE_BATCH];
    struct mr_hash announce_hashes[MR_ANNOUNCE_BATCH];
    struct mr_keccak_stats keccak;
    struct mr_mail *hints; /* hints to send at the end of the turn */
    uint32_t hints_count;

    bool stopping, stopped_told;
    uint8_t stop_reason;
    struct mr_shard_metrics metrics;
    struct mr_shard_histograms histograms;
};

static inline struct mr_peer *mr_shard_peer(struct mr_shard *s, uint32_t slot)
{
    return &s->peers[slot];
}
static inline bool mr_peer_is_open(const struct mr_peer *p)
{
    return p->state >= MR_PEER_QUIET && p->state <= MR_PEER_ACTIVE;
}
static inline uint64_t mr_shard_ms(const struct mr_shard *s)
{
    return s->now_ns / MR_MS;
}
static inline uint32_t mr_shard_s(const struct mr_shard *s)
{
    return (uint32_t)(s->now_ns / MR_SECOND);
}

/* peer.c: sessions coming and going */
void mr_peer_adopt(struct mr_shard *s, struct mr_handover *h);
void mr_peer_status_agreed(struct mr_shard *s, struct mr_peer *p);
void mr_peer_heard_pong(struct mr_shard *s, struct mr_peer *p);
/* Ends a session: tells the remote `disconnect` (a mr_reason, or MR_SILENTLY) and closes. */
#define MR_SILENTLY (-1)
void mr_peer_end(struct mr_shard *s, struct mr_peer *p, enum mr_closed_reason why, int disconnect);
/* Asks the port to close, once. */
void mr_peer_shut(struct mr_shard *s, struct mr_peer *p);
void mr_peer_closed(struct mr_shard *s, struct mr_peer *p);
bool mr_peer_control(struct mr_shard *s, struct mr_peer *p, enum mr_control_kind kind,
                     uint8_t reason);
/* Re-arms the peer's timer to its earliest deadline. */
void mr_peer_arm(struct mr_shard *s, struct mr_peer *p);
void mr_peer_timer(void *shard, struct mr_timer *t);
void mr_peer_sweep(struct mr_shard *s);
void mr_peer_tell_stopped(struct mr_shard *s);
struct mr_peer *mr_peer_by_serial(struct mr_shard *s, uint64_t serial);

/* receive.c: bytes to messages */
void mr_receive_data(struct mr_shard *s, struct mr_peer *p, uint8_t *data, uint32_t n);
void mr_receive_rounds(struct mr_shard *s);
/* Whether the peer may not be read now; and what to do when that ends. */
bool mr_receive_blocked(const struct mr_peer *p);
void mr_receive_block(struct mr_shard *s, struct mr_peer *p);
void mr_receive_unblock(struct mr_shard *s, struct mr_peer *p);
void mr_receive_forget(struct mr_shard *s, struct mr_peer *p);

/* message.c: one authenticated frame */
void mr_message_take(struct mr_shard *s, struct mr_peer *p, struct mr_span frame_data);
void mr_message_breach(struct mr_shard *s, struct mr_peer *p, enum mr_closed_reason why,
                       unsigned reason);

/* transactions.c: the way in */
void mr_transactions_take(struct mr_shard *s, struct mr_peer *p, struct mr_reader items,
                          bool broadcast);
void mr_transactions_resume(struct mr_shard *s);
void mr_transactions_pooled(struct mr_shard *s, struct mr_peer *p, struct mr_span message);
void mr_transactions_announced(struct mr_shard *s, struct mr_peer *p, struct mr_span message);
void mr_transactions_from_shard(struct mr_shard *s, struct mr_buf *buf);
void mr_transactions_doom(struct mr_shard *s); /* ends those that were found to lie */
/* One reference to every other shard, which is woken. Room was asked for (mr_mail_room). */
void mr_transactions_publish(struct mr_shard *s, struct mr_buf *buf);
void mr_transactions_append(struct mr_shard *s, struct mr_buf *buf, const uint64_t *known);
void mr_shard_admit_hooks(struct mr_shard *s, struct mr_admit_hooks *hooks);
void mr_shard_fetch_hooks(struct mr_shard *s, struct mr_fetch_hooks *hooks);

/* flush.c: the way out. A build is the list of frames that one peer gets in this turn. */
struct mr_build {
    struct mr_frame *frames;
    uint32_t frames_count;
    struct mr_span *spans; /* next free one */
    uint32_t spans_left;
    struct mr_writer literals;
    uint32_t room; /* wire bytes left in the slice */
    bool closed;   /* a long frame was begun: nothing goes behind it in this slice */
};
/* Adds a frame of the count spans at b->spans, size bytes of frame data, which must fit. */
void mr_build_add(struct mr_build *b, uint32_t count, uint32_t size);
bool mr_build_fits(const struct mr_build *b, uint32_t spans, uint32_t size);
/* Adds a small message whose payload stands at the end of b->literals from mark on; false, and the
 * literals go back to mark, when it does not fit. */
bool mr_build_small(struct mr_build *b, const struct mr_peer *p, uint16_t wire_id, size_t mark);
struct mr_long_frame *mr_long_frame_new(struct mr_shard *s);
void mr_long_frame_free(struct mr_shard *s, struct mr_long_frame *f);
/* Begins it as the last frame of the slice. */
void mr_build_long(struct mr_build *b, struct mr_peer *p, struct mr_long_frame *f);
/* flush_build.c: what waits in p's control slots, as far as it fits; our request for transactions;
 * our request for headers, and a BlockRangeUpdate. */
void mr_build_control(struct mr_shard *s, struct mr_peer *p, struct mr_build *b);
void mr_build_fetch(struct mr_shard *s, struct mr_peer *p, struct mr_build *b);
void mr_build_head(struct mr_shard *s, struct mr_peer *p, struct mr_build *b);
/* flush_log.c: Transactions and announcements from p's cursor on, as far as they fit. */
void mr_build_log(struct mr_shard *s, struct mr_peer *p, struct mr_build *b);
bool mr_flush_has_blobs(const struct mr_shard *s, const struct mr_peer *p);
void mr_flush_ready(struct mr_shard *s, struct mr_peer *p);
/* Seals and sends for the peers that are ready, within the turn's budget; true: some are left. */
bool mr_flush(struct mr_shard *s);
void mr_flush_sent(struct mr_shard *s, struct mr_peer *p, int32_t result);
void mr_flush_forget(struct mr_shard *s, struct mr_peer *p);

/* follow.c: the head */
void mr_follow_hooks(struct mr_shard *s, struct mr_head_hooks *hooks);
void mr_follow_turn(struct mr_shard *s);
/* Mail from shard 0, and to it. */
void mr_follow_take_ask(struct mr_shard *s, const struct mr_mail *m);
void mr_follow_take_voice(struct mr_shard *s, const struct mr_mail *m);

/* answer.c: what peers ask for. Adds the answer to the oldest pending request of p to the job that
 * flush.c builds. */
bool mr_answer_build(struct mr_shard *s, struct mr_peer *p, struct mr_build *b);
void mr_answer_request(struct mr_shard *s, struct mr_peer *p, uint8_t id, struct mr_span payload);
void mr_answer_forget(struct mr_shard *s, struct mr_peer *p);
