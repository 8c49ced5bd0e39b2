/* keepalive.h: when to ping a peer, when to give it up, and how many pings of its are too many.
 * Pure rules over a small value per session; milliseconds of a monotonic clock come as arguments.
 * Thread: the session's shard. */
#pragma once
#include "core/bucket.h"
#include "net/rlpx/base_protocol.h"

/* We ping after 15 s of silence in either direction (peers drop those who say nothing for 30 s),
 * and give the peer up after 30 s without a byte from it. Pings above a bucket of 5 and one a
 * second, or 16 pongs that it does not take, end the session (F-07); so do pongs that answer
 * nothing, by a bucket of the same size. */
#define MR_PING_AFTER_MS    15000
#define MR_GONE_AFTER_MS    30000
#define MR_PING_BURST       5
#define MR_PINGS_PER_S      1
#define MR_PONGS_QUEUED_MAX 16

struct mr_keepalive {
    uint64_t heard_ms, spoke_ms, pinged_ms;
    struct mr_bucket pings, pongs;
    uint8_t pongs_queued;  /* owed to the peer */
    uint8_t pongs_awaited; /* pings of ours without answer */
};
enum mr_keepalive_action { MR_KEEPALIVE_WAIT, MR_KEEPALIVE_PING, MR_KEEPALIVE_GONE };

void mr_keepalive_init(struct mr_keepalive *k, uint64_t now_ms);
/* Bytes were received; bytes were handed to the socket. */
void mr_keepalive_heard(struct mr_keepalive *k, uint64_t now_ms);
void mr_keepalive_spoke(struct mr_keepalive *k, uint64_t now_ms);
/* What is due now. On PING the caller queues a ping and calls mr_keepalive_pinged. */
enum mr_keepalive_action mr_keepalive_due(const struct mr_keepalive *k, uint64_t now_ms);
/* When mr_keepalive_due will next say something else than WAIT, if nothing happens before. */
uint64_t mr_keepalive_deadline_ms(const struct mr_keepalive *k);
void mr_keepalive_pinged(struct mr_keepalive *k, uint64_t now_ms);
/* A ping was received: MR_P2P_NONE (queue one pong), else end the session. */
enum mr_p2p_fault mr_keepalive_on_ping(struct mr_keepalive *k, uint64_t now_ms);
/* A queued pong was sealed. */
void mr_keepalive_ponged(struct mr_keepalive *k, uint64_t now_ms);
enum mr_p2p_fault mr_keepalive_on_pong(struct mr_keepalive *k, uint64_t now_ms);
