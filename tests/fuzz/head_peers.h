/* head_peers.h: peers of shards and what they are asked, for fuzz_head.c. */
#pragma once
#include "shards/head.h"
#include "tests/fuzz/head_chain.h"
#include "tests/fuzz/head_round.h"

#define SLOTS 12
#define LATE  4

struct peer { /* a slot belongs to shard slot % shards */
    bool present, trusted, has_chain, local;
    uint32_t net16;
    unsigned branch; /* that it follows, up to the branch's tip */
    bool has_odd;    /* it claims a block of its own above that */
    struct block odd;
    struct mr_hash claim;
    uint64_t late[LATE];
    unsigned late_next;
    /* by place, when its shard was asked last */
    bool overrode[VOICES];
    struct mr_hash claimed[VOICES];
};

struct question { /* of a shard, by place */
    bool open, sent, answered;
    bool fresh, trusted;
    unsigned serial; /* on shard 0: of the round */
    uint32_t slot;
    uint64_t id;
    struct mr_hash origin;
};

static struct peer peers[SLOTS];
static struct question questions[SHARDS_MAX][VOICES];
static uint32_t asked_round[SHARDS_MAX];
static unsigned tips[BRANCHES];

static bool overrides(const struct peer *p)
{
    return p->trusted && p->has_chain;
}

static bool apart(const struct peer *a, const struct peer *b)
{
    return a->local || b->local || a->net16 != b->net16;
}

/* A child of the block at a position, which breaks a rule or none. */
static void odd_make(struct block *b, unsigned branch, unsigned at, unsigned odd)
{
    block_make(b, &chain[branch][at].h.hash, at + 1, (uint8_t)(0x80 | branch), odd % ODDS);
}

/* Of its branch's tip, or a block of its own above; as a node with a chain, as eth/68, as one that
 * tells what it heard, or of genesis. */
static struct mr_head_claim claim_make(struct peer *p, uint8_t arg, const struct mr_hash *genesis)
{
    struct mr_head_claim c = {.number = CHAIN_FIRST + tips[arg % BRANCHES]};

    p->branch = arg % BRANCHES;
    p->has_odd = arg & 4;
    if (p->has_odd)
        odd_make(&p->odd, p->branch, tips[p->branch], arg >> 3 & 7);
    c.number += p->has_odd;
    c.hash = p->has_odd ? p->odd.h.hash : chain[p->branch][tips[p->branch]].h.hash;
    if (arg >> 6 == 1)
        c.number = 0;
    else if (arg >> 6 == 2)
        c.earliest = c.number;
    else if (arg >> 6 == 3)
        c = (struct mr_head_claim){.number = 1, .hash = *genesis};
    p->has_chain = arg >> 6 < 2;
    p->claim = c.hash;
    return c;
}

/* Whoever has not answered yet may do so late. */
static void questions_end(unsigned shard)
{
    for (unsigned i = 0; i < VOICES; i++) {
        struct question *q = &questions[shard][i];
        struct peer *p = &peers[q->slot];

        if (q->open && q->sent && !q->answered)
            p->late[p->late_next++ % LATE] = q->id;
        q->open = false;
    }
}

static bool late_take(uint32_t slot, uint64_t id)
{
    for (unsigned i = 0; i < LATE; i++)
        if (peers[slot].late[i] == id && id != 0) {
            peers[slot].late[i] = 0;
            return true;
        }
    return false;
}

/* Whether a shard has a peer of the kind that was not asked in this round, nor one of its network.
 */
static bool somebody_left(unsigned shard, unsigned shards, bool trusted)
{
    for (uint32_t slot = shard; slot < SLOTS; slot += shards) {
        const struct peer *p = &peers[slot];
        bool left = p->present && overrides(p) == trusted;

        for (unsigned i = 0; i < VOICES; i++) {
            const struct question *q = &questions[shard][i];

            left &= !q->open || (q->slot != slot && (trusted || apart(&peers[q->slot], p)));
        }
        if (left)
            return true;
    }
    return false;
}

/* The answer that is right for whoever follows the branch; from a block of its own downwards. */
static void answer_write(struct mr_writer *w, const struct question *q, unsigned branch,
                         unsigned count)
{
    const struct peer *p = &peers[q->slot];
    unsigned at = chain_find(branch, &q->origin);

    if (q->fresh && p->has_odd && mr_hash_equal(&p->odd.h.hash, &q->origin) && count > 0) {
        MR_ASSERT(mr_rlp_put_raw(w, p->odd.made.rlp, p->odd.made.n) == MR_OK);
        count--;
        at = chain_find(p->branch, &p->odd.h.parent_hash);
    }
    for (unsigned k = 0; k < count && at < LENGTH && (q->fresh || at <= tips[branch]); k++) {
        const struct block *b = &chain[branch][at];

        MR_ASSERT(mr_rlp_put_raw(w, b->made.rlp, b->made.n) == MR_OK);
        if (q->fresh && at == 0)
            return;
        at += q->fresh ? -1u : 1u;
    }
}

/* Reads an answer as it must be judged; false: it is a breach. kept: what is not ahead of the
 * clock. */
static bool answer_judge(const struct question *q, struct mr_span headers, uint64_t wall_s,
                         struct mr_span *kept)
{
    struct mr_reader r = mr_reader_of(headers);
    struct mr_header h, before = {0};

    *kept = (struct mr_span){0};
    for (unsigned n = 0; !mr_reader_done(&r); n++, before = h) {
        const struct mr_header *upper = q->fresh ? &before : &h, *lower = q->fresh ? &h : &before;

        if (n == MR_HEAD_BATCH || header_read(&r, &h) != MR_OK ||
            mr_header_check(&h, 64) != MR_OK || h.raw.n > MR_HEAD_HEADER_MAX)
            return false;
        if (n == 0 ? !mr_hash_equal(&h.hash, &q->origin)
                   : mr_header_check_child(upper, lower) != MR_OK)
            return false;
        if (h.time > wall_s + MR_HEAD_AHEAD_S)
            continue;
        if (kept->n == 0)
            kept->p = h.raw.p;
        kept->n += h.raw.n;
    }
    return true;
}
