/* head_state.h: the inside of a head, shared by head.c, head_ask.c and head_round.c (see head.h)
 * and by nobody else. Thread: the shard's. */
#pragma once
#include "shards/head.h"

#define MR_HEAD_LATE_IDS 4

struct mr_head_kept {
    struct mr_hash hash;
    uint64_t number;
    uint32_t size; /* 0: none */
    uint8_t rlp[MR_HEAD_HEADER_MAX];
};

struct mr_head_follower {
    bool present, trusted, local;
    bool has_chain; /* it follows a chain by itself, as far as it claims */
    uint32_t net16;
    struct mr_head_claim claim;
    uint64_t late[MR_HEAD_LATE_IDS]; /* requests that were given up, and may still be answered */
    uint8_t late_next;
};

struct mr_head_question { /* what a peer of ours is asked in this round */
    bool open, sent, answered;
    uint32_t slot;
    uint64_t id;
    struct mr_head_ask ask; /* origin: as it was sent, whatever is claimed meanwhile */
};

struct mr_head_place { /* one voice of the round, on shard 0 */
    bool used, done, trusted, local;
    uint8_t word; /* enum mr_head_word, when done */
    uint32_t net16;
    uint32_t count;
    struct mr_head_kept headers[MR_HEAD_BATCH]; /* the oldest first */
};

struct mr_head {
    const struct mr_relay_options *o;
    const struct mr_network *network;
    unsigned self, shards;
    struct mr_head_hooks hooks;
    struct mr_head_counters count;

    /* head.c */
    struct mr_head_kept *window; /* by number % MR_HEAD_WINDOW; linked, without a gap */
    struct mr_head_kept genesis;
    struct mr_head_kept *scratch; /* MR_HEAD_BATCH */
    bool known;
    uint64_t number, changes;
    struct mr_header header; /* of the head; points into window */

    /* head_ask.c; the pairs below: other peers, trusted ones that override */
    struct mr_head_follower *followers;
    uint32_t slots, turn[2]; /* turn: where the next peer is looked for */
    struct mr_head_voices own;
    struct mr_head_question questions[MR_HEAD_PLACES]; /* by place */
    uint32_t asked_round;
    uint64_t next_id;

    /* head_round.c, on shard 0 */
    struct mr_head_place *places; /* MR_HEAD_PLACES */
    bool in_round, fresh;         /* fresh: looks for any head, not for children of ours */
    bool lost;                    /* a trusted peer does not know our head */
    uint32_t round;
    unsigned shard_turn[2];
    struct mr_head_voices begun_with; /* how many there were when the round began */
    uint64_t round_ends_ns, next_round_ns;
    uint64_t back_after_ns; /* trusted peers that disagree send us to and fro once a poll only */
    unsigned stale_rounds;  /* in which nobody knew our head */
};

/* head.c */
/* False: it is longer than what is kept. */
bool mr_head_keep(struct mr_head_kept *k, const struct mr_header *h);
/* Whether k's block is in the window. */
bool mr_head_holds(const struct mr_head *h, const struct mr_head_kept *k);
/* Makes the last of n linked headers the head. */
void mr_head_set(struct mr_head *h, const struct mr_head_kept *chain, uint32_t n);
/* How many headers below the head are held, up to max. */
unsigned mr_head_below(const struct mr_head *h, unsigned max);
/* Linked headers one behind the other, the oldest last if reverse: the oldest first in out. 0 if
 * they are no such, or over MR_HEAD_BATCH. */
uint32_t mr_head_unpack(struct mr_head_kept *out, struct mr_span headers, bool reverse);

/* head_round.c */
void mr_head_round_turn(struct mr_head *h, uint64_t now_ns);
