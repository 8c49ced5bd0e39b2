/* keccak_plain.c: the permutation of one state: baseline C, and the same with BMI's and-not and
 * rotations that need no copy. */
#include "crypto/keccak_variant.h"

const uint64_t mr_keccak_rc[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

#define MR_KV             uint64_t
#define MR_KXOR(a, b)     ((a) ^ (b))
#define MR_KXOR3(a, b, c) ((a) ^ (b) ^ (c))
#define MR_KROL(a, n)     rol(a, n)
#define MR_KCHI(a, b, c)  ((a) ^ (~(b) & (c)))
#define MR_KRC(i)         mr_keccak_rc[i]
#include "crypto/keccak_round.h"

static inline uint64_t rol(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

void mr_keccak_permute_plain(uint64_t state[MR_KECCAK_WORDS])
{
    uint64_t a[MR_KECCAK_WORDS];

    memcpy(a, state, sizeof a);
    MR_KECCAK_F(a);
    memcpy(state, a, sizeof a);
}

#ifdef __x86_64__
__attribute__((target("bmi,bmi2"))) void mr_keccak_permute_bmi(uint64_t state[MR_KECCAK_WORDS])
{
    uint64_t a[MR_KECCAK_WORDS];

    memcpy(a, state, sizeof a);
    MR_KECCAK_F(a);
    memcpy(state, a, sizeof a);
}
#endif
