/* head_chain.h: four branches of headers, made once, for fuzz_head.c, and children that break a
 * rule. Branches leave branch 0 at once, early, and late (when a window is full). */
#pragma once
#include "tests/shards/helper_chain.h"

#define BRANCHES 4
#define LENGTH   320

#define NUMBER_AT 450 /* in the RLP of these headers: four bytes */

struct block {
    struct chain_block made;
    struct mr_header h; /* points into made.rlp */
};

/* What is wrong with a child. */
enum odd { ODD_SALT /* nothing */, ODD_LIMIT, ODD_FEE, ODD_TIME, ODD_NUMBER, ODD_USED, ODD_FUTURE };
#define ODDS 7

static struct block chain[BRANCHES][LENGTH];
static const unsigned leaves_at[BRANCHES] = {0, 6, 30, 300};

/* The i-th header of a branch. */
static void block_make(struct block *b, const struct mr_hash *parent, unsigned i, uint8_t salt,
                       enum odd odd)
{
    struct chain_block *m = &b->made;

    *m = (struct chain_block){.number = CHAIN_FIRST + i + (odd == ODD_NUMBER),
                              .time = CHAIN_TIME + CHAIN_SLOT_S * (i - (odd == ODD_TIME && i > 0)),
                              .gas_limit = odd == ODD_LIMIT ? 21000 : 30000000,
                              .gas_used = odd == ODD_USED ? 30000001 : 15000000,
                              .base_fee = odd == ODD_FEE ? UINT64_C(1) << 60 : 1000000007,
                              .has_base_fee = true,
                              .parent = *parent,
                              .salt = salt};
    if (odd == ODD_FUTURE)
        m->time = UINT64_C(9999999999);
    chain_seal(m);
    MR_ASSERT(mr_header_decode(&b->h, mr_span(m->rlp, m->n)) == MR_OK);
    MR_ASSERT(mr_load_be32(m->rlp + NUMBER_AT) == b->h.number);
}

static void branches_make(void)
{
    static const struct mr_hash none;

    for (unsigned b = 0; b < BRANCHES; b++)
        for (unsigned i = 0; i < LENGTH; i++)
            if (b > 0 && i < leaves_at[b])
                chain[b][i] = chain[0][i];
            else
                block_make(&chain[b][i], i ? &chain[b][i - 1].h.hash : &none, i, (uint8_t)(b + 1),
                           ODD_SALT);
}

/* Where the hash stands in the branch; LENGTH: nowhere. */
static unsigned chain_find(unsigned branch, const struct mr_hash *hash)
{
    unsigned i = 0;

    while (i < LENGTH && !mr_hash_equal(&chain[branch][i].h.hash, hash))
        i++;
    return i;
}

/* Reads a header as mr_header_read does, but those of the branches by comparing: hashing what was
 * hashed before would take most of the time. */
static enum mr_err header_read(struct mr_reader *r, struct mr_header *out)
{
    struct mr_reader whole = *r;
    struct mr_span item;
    uint32_t number;

    if (mr_rlp_item(&whole, &item) != MR_OK || item.n < NUMBER_AT + 4)
        return mr_header_read(r, out);
    number = mr_load_be32(item.p + NUMBER_AT);
    for (unsigned b = 0; b < BRANCHES && number >= CHAIN_FIRST && number < CHAIN_FIRST + LENGTH;
         b++) {
        const struct block *known = &chain[b][number - CHAIN_FIRST];

        if (item.n != known->made.n || memcmp(item.p, known->made.rlp, item.n) != 0)
            continue;
        *out = known->h;
        out->raw = item;
        *r = whole;
        return MR_OK;
    }
    return mr_header_read(r, out);
}
