/* head.h: the newest 256 headers, linked by hash, followed from several peers: 2 of 3 of different
 * /16 agree, trusted peers override (design.md section 6, design-evidence items 1, 2).
 * Feeds Status, BlockRangeUpdate, GetBlockHeaders answers, base fee, gas limit, forks by number.
 *
 * Each shard has a window and asks its own peers, but shard 0 alone decides, so that all agree and
 * few peers spread over many shards suffice. What passes between them may be lost:
 *
 *   shard 0: a round begins --ask--> shard k: asks one peer, checks its answer
 *   shard 0: counts voices <--voice-- shard k
 *   shard 0: its head moved --run--> every shard adopts it
 *
 * A trusted peer overrides if it follows a chain by itself: one that claims the block of its head
 * only (a relay as we are) or the genesis block echoes others, and two that trust each other would
 * stand still. Such peers are asked in every round, and strangers count in it only when none of
 * them spoke: each is gone, was silent to the round's end (the request timeout), or knows not even
 * the block that it claims. One that does not know our head sends us back to its claim.
 *
 * Files: head.c the window; head_ask.c peers, questions and answers; head_round.c the rounds of
 * shard 0. Pure: tells through functions below and hooks what to send; is told what came.
 * Thread: its shard. Memory: at init. */
#pragma once
#include "core/base.h"
#include "core/clock.h"
#include "core/endpoint.h"
#include "net/eth/fork_id.h"
#include "net/eth/header.h"
#include "net/eth/network.h"
#include "net/eth/request.h"
#include "net/eth/status.h"
#include "shards/options.h"

#define MR_HEAD_WINDOW     256
#define MR_HEAD_HEADER_MAX 1024 /* bytes of one header's RLP that is kept */
#define MR_HEAD_PLACES     3    /* peers that are asked in a round */
#define MR_HEAD_BATCH      12   /* headers of one question */
#define MR_HEAD_RUN_MAX    (MR_HEAD_BATCH * MR_HEAD_HEADER_MAX)
/* Seconds that a header may be ahead of our clock: geth's bound on proof of work. On proof of stake
 * a block's time is its slot's start, which nobody sees earlier but by a wrong clock, so that more
 * than a slot serves there too. The clock may be ours: what is further ahead is left out of an
 * answer and is nobody's fault, as with geth's fetcher. */
#define MR_HEAD_AHEAD_S 15

struct mr_head; /* opaque */

/* What a peer's Status or BlockRangeUpdate claims. */
struct mr_head_claim {
    uint64_t earliest, number; /* both 0 when unknown (eth/68) */
    struct mr_hash hash;
};

/* From shard 0: one peer is to be asked. */
struct mr_head_ask {
    uint32_t round;
    uint8_t place;         /* in the round */
    bool trusted;          /* a trusted peer that follows a chain, or any other */
    bool fresh;            /* for what it claims and what lies below; else from origin upwards */
    struct mr_hash origin; /* a block that we hold, some below our head */
};

enum mr_head_word { /* what became of a question */
                    MR_HEAD_SPOKE,
                    MR_HEAD_UNKNOWN, /* it does not know the block that it was asked for */
                    MR_HEAD_FAILED,  /* no such peer, or it is gone, or broke rules */
};

/* To shard 0: the answer to one ask. */
struct mr_head_voice {
    uint32_t round;
    uint8_t place;
    uint8_t word;           /* enum mr_head_word */
    bool local;             /* on this machine or network: its /16 says nothing */
    uint32_t net16;         /* of the peer's address */
    struct mr_span headers; /* one behind the other, in the order of the question */
};

/* How peers may be asked: of each kind (mr_head_ask.trusted). */
struct mr_head_voices {
    uint32_t trusted, others;
};

struct mr_head_counters {
    uint64_t rounds, rounds_stale; /* shard 0: begun; ended without a word for our head */
    uint64_t voices_ignored;       /* shard 0: too late, or of a network that spoke already */
    uint64_t headers_ahead;        /* left out: over MR_HEAD_AHEAD_S ahead of our clock */
};

/* To other shards. Not needed where there is one. */
struct mr_head_hooks {
    void *ctx;
    void (*ask)(void *ctx, unsigned shard, const struct mr_head_ask *ask); /* shard 0 */
    void (*voice)(void *ctx, const struct mr_head_voice *voice);           /* the others */
    struct mr_head_voices (*voices)(void *ctx, unsigned shard);            /* shard 0 */
};

struct mr_head *mr_head_new(const struct mr_relay_options *o, const struct mr_network *network,
                            uint32_t slots, unsigned self, unsigned shards,
                            const struct mr_head_hooks *hooks);
void mr_head_free(struct mr_head *h);
void mr_head_peer_add(struct mr_head *h, uint32_t slot, struct mr_endpoint remote, bool trusted,
                      const struct mr_head_claim *claim);
void mr_head_peer_claim(struct mr_head *h, uint32_t slot, const struct mr_head_claim *claim);
void mr_head_peer_remove(struct mr_head *h, uint32_t slot, uint64_t now_ns);
/* Our own peers, for the voices hook of shard 0. */
struct mr_head_voices mr_head_own_voices(const struct mr_head *h);
/* The next request to send to a peer now: true with slot and query filled (request ids are ours to
 * give). Call until false, once a turn: on shard 0 rounds begin and end here. */
bool mr_head_next_request(struct mr_head *h, uint32_t *slot, uint64_t *request_id,
                          struct mr_get_block_headers *query, uint64_t now_ns);
/* A BlockHeaders answer: headers is the list's body. MR_OK; MR_AGAIN late or unknown but harmless
 * (asked before); MR_INVALID, the peer's fault as with geth: never asked, headers that do not link
 * or were not asked for, or that break a rule which a header and its parent tell. */
enum mr_err mr_head_answer(struct mr_head *h, uint32_t slot, uint64_t request_id,
                           struct mr_reader headers, struct mr_time now);
/* What came from shard 0, and to it. */
void mr_head_take_ask(struct mr_head *h, const struct mr_head_ask *ask, uint64_t now_ns);
void mr_head_take_voice(struct mr_head *h, const struct mr_head_voice *voice, uint64_t now_ns);
/* A run that shard 0 agreed on, whether its last header is above our head or not. What is none is
 * ignored. */
void mr_head_adopt(struct mr_head *h, struct mr_span run);
/* The newest headers, MR_HEAD_BATCH at most, the head last: at most MR_HEAD_RUN_MAX bytes. */
void mr_head_run(const struct mr_head *h, struct mr_writer *out);
/* Grows when the head changes, to another block of the same number too. */
uint64_t mr_head_changes(const struct mr_head *h);
uint64_t mr_head_next_ns(const struct mr_head *h);
const struct mr_head_counters *mr_head_count(const struct mr_head *h);

bool mr_head_known(const struct mr_head *h);
uint64_t mr_head_number(const struct mr_head *h);
uint64_t mr_head_time(const struct mr_head *h);
const struct mr_header *mr_head_header(const struct mr_head *h); /* NULL without a head */
/* Fills a Status of the version with our claim: earliest = latest = head; without a head 0, 0,
 * genesis hash; on eth/68 the network's total difficulty. */
void mr_head_status(const struct mr_head *h, struct mr_eth_status *out, unsigned version,
                    uint64_t wall_s);
/* Answers a query from the window (the genesis header included): writes the headers one behind the
 * other, without a list's prefix, at most 1,024 and at most limit bytes. An unknown origin gives
 * none. */
enum mr_err mr_head_serve(const struct mr_head *h, const struct mr_get_block_headers *query,
                          size_t limit, struct mr_writer *out);
