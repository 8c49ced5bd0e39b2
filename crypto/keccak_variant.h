/* keccak_variant.h: the permutation at each width, chosen at run time: private to keccak*.c. */
#pragma once
#include "crypto/keccak.h"

extern const uint64_t mr_keccak_rc[24];

struct mr_keccak_part; /* keccak_lanes.h */

/* A lane state of width W is a[word * W + lane], 64-byte aligned. */
struct mr_keccak_variant {
    const char *name;
    unsigned lanes; /* the widest: 1, 4 or 8 */
    /* One state. */
    void (*permute)(uint64_t a[MR_KECCAK_WORDS]);
    /* Absorbs `blocks` blocks of 136 bytes from src[lane] into every lane, each followed by a
     * permutation. NULL where the variant has no such width. */
    void (*absorb4)(uint64_t *a, const uint8_t *const *src, size_t blocks);
    void (*absorb8)(uint64_t *a, const uint8_t *const *src, size_t blocks);
    /* Adds to every lane its part (of 8); NULL where a lane at a time does as well. */
    void (*add8)(uint64_t *a, const struct mr_keccak_part *parts);
    /* One permutation. Lanes in keep hold on to their old state; out[word * W + lane] gets the
     * first four words of every lane's new one. */
    void (*squeeze4)(uint64_t *a, uint64_t *out, uint32_t keep);
    void (*squeeze8)(uint64_t *a, uint64_t *out, uint32_t keep);
};

/* The variant in use. */
const struct mr_keccak_variant *mr_keccak_variant(void);
/* Absorbs whole blocks into one state. */
void mr_keccak_absorb1(uint64_t a[MR_KECCAK_WORDS], const uint8_t *p, size_t blocks);

void mr_keccak_permute_plain(uint64_t a[MR_KECCAK_WORDS]);
#ifdef __x86_64__
void mr_keccak_permute_bmi(uint64_t a[MR_KECCAK_WORDS]);
void mr_keccak_permute_avx512(uint64_t a[MR_KECCAK_WORDS]);
void mr_keccak_absorb4_avx2(uint64_t *a, const uint8_t *const *src, size_t blocks);
void mr_keccak_squeeze4_avx2(uint64_t *a, uint64_t *out, uint32_t keep);
void mr_keccak_permute4_avx512(uint64_t *a);
void mr_keccak_absorb4_avx512(uint64_t *a, const uint8_t *const *src, size_t blocks);
void mr_keccak_squeeze4_avx512(uint64_t *a, uint64_t *out, uint32_t keep);
void mr_keccak_absorb8_avx512(uint64_t *a, const uint8_t *const *src, size_t blocks);
void mr_keccak_add8_avx512(uint64_t *a, const struct mr_keccak_part *parts);
void mr_keccak_permute8_avx512(uint64_t *a);
void mr_keccak_squeeze8_avx512(uint64_t *a, uint64_t *out, uint32_t keep);
#endif
