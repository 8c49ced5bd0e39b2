/* head_chain.h: four branches of headers, made once, for fuzz_head.c, and children that break a
 * rule. Branches leave branch 0 at once, early, and late (when a window is full). */
#pragma once
#include "net/eth/header.h"

#define BRANCHES 4
#define LENGTH   320
#define FIRST    UINT64_C(25000000)
#define TIME0    UINT64_C(1700000000)
#define SLOT_S   12

#define NUMBER_AT 450 /* in the RLP of these headers: four bytes */

struct block {
    uint8_t rlp[640];
    size_t n;
    struct mr_header h; /* points into rlp */
};

/* What is wrong with a child. */
enum odd { ODD_SALT /* nothing */, ODD_LIMIT, ODD_FEE, ODD_TIME, ODD_NUMBER, ODD_USED, ODD_FUTURE };
#define ODDS 7

static struct block chain[BRANCHES][LENGTH];
static const unsigned leaves_at[BRANCHES] = {0, 6, 30, 300};

static void put_zeros(struct mr_writer *w, size_t n)
{
    static const uint8_t zeros[256];

    MR_ASSERT(mr_rlp_put_bytes(w, zeros, n) == MR_OK);
}

static void put_u64(struct mr_writer *w, uint64_t v)
{
    MR_ASSERT(mr_rlp_put_u64(w, v) == MR_OK);
}

/* The i-th header of a branch, with the fields of London; half full, so that the fee stays. */
static void block_make(struct block *b, const struct mr_hash *parent, unsigned i, uint8_t salt,
                       enum odd odd)
{
    struct mr_writer w = mr_writer(b->rlp, sizeof b->rlp);
    struct mr_hash state = {{salt}};
    size_t mark = mr_rlp_open(&w);

    MR_ASSERT(mr_rlp_put_bytes(&w, parent->b, sizeof parent->b) == MR_OK);
    put_zeros(&w, 32); /* ommers */
    put_zeros(&w, 20);
    MR_ASSERT(mr_rlp_put_bytes(&w, state.b, sizeof state.b) == MR_OK);
    put_zeros(&w, 32);
    put_zeros(&w, 32);
    put_zeros(&w, 256);
    put_u64(&w, 0); /* difficulty */
    put_u64(&w, FIRST + i + (odd == ODD_NUMBER));
    put_u64(&w, odd == ODD_LIMIT ? 21000 : 30000000);
    put_u64(&w, odd == ODD_USED ? 30000001 : 15000000);
    put_u64(&w, odd == ODD_FUTURE ? UINT64_C(9999999999)
                                  : TIME0 + SLOT_S * (i - (odd == ODD_TIME && i > 0)));
    put_zeros(&w, 0);
    put_zeros(&w, 32);
    put_zeros(&w, 8);
    put_u64(&w, odd == ODD_FEE ? UINT64_C(1) << 60 : 1000000007);
    MR_ASSERT(mr_rlp_close(&w, mark) == MR_OK);
    b->n = w.n;
    MR_ASSERT(mr_header_decode(&b->h, mr_writer_span(&w)) == MR_OK);
    MR_ASSERT(mr_load_be32(b->rlp + NUMBER_AT) == b->h.number);
}

static void chain_make(void)
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
    for (unsigned b = 0; b < BRANCHES && number >= FIRST && number < FIRST + LENGTH; b++) {
        const struct block *known = &chain[b][number - FIRST];

        if (item.n != known->n || memcmp(item.p, known->rlp, item.n) != 0)
            continue;
        *out = known->h;
        out->raw = item;
        *r = whole;
        return MR_OK;
    }
    return mr_header_read(r, out);
}
