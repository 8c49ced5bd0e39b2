/* helper_heads.h: the heads of several shards without the shards: mail between them is delivered
 * at once or lost, peers answer from chains. Thread: one. Memory: heads_free. */
#pragma once
#include "shards/head.h"
#include "tests/shards/helper_chain.h"

#define HEADS_SHARDS_MAX 16
#define HEADS_PEERS_MAX  24
#define HEADS_MAIL_MAX   64

struct heads_peer {
    unsigned shard;
    uint32_t slot;
    const struct chain_block *chain; /* what it has, up to newest */
    unsigned newest;
    bool silent;                       /* does not answer */
    bool ignorant;                     /* answers that it has none */
    unsigned asked;                    /* how often */
    struct mr_get_block_headers query; /* the newest */
    enum mr_err told;                  /* what its newest answer was worth */
};

struct heads_mail {
    bool is_ask;
    unsigned to;
    struct mr_head_ask ask;
    struct mr_head_voice voice;
    uint8_t headers[MR_HEAD_RUN_MAX];
};

struct heads {
    struct mr_relay_options o;
    const struct mr_network *network; /* mainnet */
    unsigned shards;
    struct mr_head *h[HEADS_SHARDS_MAX];
    uint64_t told[HEADS_SHARDS_MAX]; /* changes of shard 0 that each shard knows of */
    struct mr_time now;              /* wall: CHAIN_TIME + 100,000 s */
    struct heads_peer peers[HEADS_PEERS_MAX];
    unsigned peers_count;
    struct heads_mail mail[HEADS_MAIL_MAX];
    unsigned mail_count;
    unsigned lose_every; /* mail; 0: none */
    unsigned mails;
};

void heads_init(struct heads *w, unsigned shards);
void heads_free(struct heads *w);
/* Of a network of 16 bits of its own; claims its newest block, and to hold the chain below. */
struct heads_peer *heads_join(struct heads *w, unsigned shard, bool trusted,
                              const struct chain_block *chain, unsigned newest);
void heads_leave(struct heads *w, struct heads_peer *p);
void heads_claim(struct heads *w, const struct heads_peer *p, uint64_t earliest);
/* Until nothing moves any more, without passing of time. */
void heads_play(struct heads *w);
/* Lets time pass, a second at a time. */
void heads_pass(struct heads *w, unsigned seconds);
/* Whether every shard has this head. */
bool heads_are(const struct heads *w, const struct chain_block *b);
