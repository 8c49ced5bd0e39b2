/* keccak_x4.h: how blocks enter four states side by side in 256-bit registers: private to
 * keccak_avx2.c and keccak_avx512vl.c. */
#pragma once
#include <immintrin.h>

#include "crypto/keccak_variant.h"

static inline __attribute__((target("avx2"))) __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* Xors four words of every lane's block into those of the state: a 4x4 transpose. */
static inline __attribute__((target("avx2"))) void xor_words4(__m256i *a, const uint8_t *const *src,
                                                              size_t at)
{
    const __m256i r0 = load(src[0] + at), r1 = load(src[1] + at);
    const __m256i r2 = load(src[2] + at), r3 = load(src[3] + at);
    const __m256i t0 = _mm256_unpacklo_epi64(r0, r1), t1 = _mm256_unpackhi_epi64(r0, r1);
    const __m256i t2 = _mm256_unpacklo_epi64(r2, r3), t3 = _mm256_unpackhi_epi64(r2, r3);

    a[0] = _mm256_xor_si256(a[0], _mm256_permute2x128_si256(t0, t2, 0x20));
    a[1] = _mm256_xor_si256(a[1], _mm256_permute2x128_si256(t1, t3, 0x20));
    a[2] = _mm256_xor_si256(a[2], _mm256_permute2x128_si256(t0, t2, 0x31));
    a[3] = _mm256_xor_si256(a[3], _mm256_permute2x128_si256(t1, t3, 0x31));
}

/* One word of every lane's block. */
static inline __attribute__((target("avx2"))) __m256i word4(const uint8_t *const *src, size_t at)
{
    return _mm256_set_epi64x(
        (long long)mr_load_le64(src[3] + at), (long long)mr_load_le64(src[2] + at),
        (long long)mr_load_le64(src[1] + at), (long long)mr_load_le64(src[0] + at));
}

/* Xors the block of every lane into its state. */
static inline __attribute__((target("avx2"))) void xor_block(__m256i *a, const uint8_t *const *src,
                                                             size_t at)
{
    xor_words4(a, src, at);
    xor_words4(a + 4, src, at + 32);
    xor_words4(a + 8, src, at + 64);
    xor_words4(a + 12, src, at + 96);
    a[16] = _mm256_xor_si256(a[16], word4(src, at + 128));
}
