/* keccak_lanes.h: several sponges side by side, each at its own place in its own input. The caller
 * keeps every lane busy: it gives a lane bytes to absorb, with or without a digest behind them; run
 * permutes all lanes at once until one has done what it was given; that lane gets more, or its
 * state is taken out and another's put in. Thread: the owner's. Memory: the caller's; it borrows
 * the input until the lane is done. */
#pragma once
#include "crypto/keccak.h"

#define MR_KECCAK_LANES_MAX 8

/* What a lane absorbs before its next permutation, all inside one block. */
struct mr_keccak_part {
    const uint8_t *p;
    uint32_t off, n;
    uint32_t pad, unpad; /* where padding begins that goes on or comes off; MR_KECCAK_RATE: none */
};

struct mr_keccak_lanes {
    _Alignas(64) uint64_t a[MR_KECCAK_WORDS * MR_KECCAK_LANES_MAX]; /* [word * width + lane] */
    _Alignas(64) uint64_t out[4 * MR_KECCAK_LANES_MAX];
    const struct mr_keccak_variant *variant;
    struct mr_keccak_stats *stats;
    unsigned width, shift; /* 4 or 8, and its logarithm */
    bool together;         /* parts are added when all lanes' are known: variant->add8 */
    /* Masks of lanes by what they wait for. A busy lane is in one of the first three. */
    uint32_t full;    /* has a whole block to absorb at offset 0 */
    uint32_t turn;    /* its block is complete in the state: permute */
    uint32_t squeeze; /* padded for its digest */
    uint32_t done;
    uint32_t digest; /* lanes whose work ends with a digest */
    uint32_t padded; /* lanes whose states hold the padding of their last digest */
    const uint8_t *p[MR_KECCAK_LANES_MAX];
    size_t n[MR_KECCAK_LANES_MAX];
    uint32_t off[MR_KECCAK_LANES_MAX];
    struct mr_keccak_part part[MR_KECCAK_LANES_MAX]; /* of lanes in turn and squeeze */
    uint8_t pair[MR_KECCAK_LANES_MAX][16];           /* of absorb_pair */
};

/* Prepares for a list of jobs that long. False: one lane at a time is best (a short list, or a CPU
 * without lanes), and l is unused. stats may be NULL. */
bool mr_keccak_lanes_init(struct mr_keccak_lanes *l, size_t jobs, struct mr_keccak_stats *stats);
/* Wipes the states. */
void mr_keccak_lanes_fini(struct mr_keccak_lanes *l);

/* Puts a sponge into an idle lane; takes it out again. */
void mr_keccak_lanes_load(struct mr_keccak_lanes *l, unsigned lane, const struct mr_keccak *k);
void mr_keccak_lanes_store(const struct mr_keccak_lanes *l, unsigned lane, struct mr_keccak *k);
/* Puts an empty sponge into an idle lane. */
void mr_keccak_lanes_clear(struct mr_keccak_lanes *l, unsigned lane);

/* Gives an idle lane its work: absorb n bytes (0 is allowed), then, if asked, a digest of the state
 * reached, which itself goes on undisturbed. */
void mr_keccak_lanes_absorb(struct mr_keccak_lanes *l, unsigned lane, const uint8_t *p, size_t n,
                            bool digest);
/* The same for 16 bytes that are at hand as two little-endian words, and a digest. */
void mr_keccak_lanes_absorb_pair(struct mr_keccak_lanes *l, unsigned lane, uint64_t lo,
                                 uint64_t hi);
/* Permutes until some lanes are done, and returns their mask: they are idle now, and lose their
 * states in the next run unless they are given work before. At least one lane must have work. */
uint32_t mr_keccak_lanes_run(struct mr_keccak_lanes *l);
/* How far a lane's sponge is into its block. */
static inline uint32_t mr_keccak_lanes_off(const struct mr_keccak_lanes *l, unsigned lane)
{
    return l->off[lane];
}
/* Word i (0 to 3) of the digest of a lane that is done; valid until the next run. */
static inline uint64_t mr_keccak_lanes_word(const struct mr_keccak_lanes *l, unsigned lane,
                                            unsigned i)
{
    return l->out[(i << l->shift) + lane];
}
