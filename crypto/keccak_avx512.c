/* keccak_avx512.c: eight states side by side in 512-bit registers: how blocks enter them, by loads
 * and transposes: gathers cost a third of what the width gains. The permutation is assembly
 * (keccak_avx512_rounds.S). */
#include "crypto/keccak_lanes.h"
#include "crypto/keccak_variant.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,bmi2")))

#define XOR3 0x96 /* truth table of vpternlog: a ^ b ^ c */

static inline AVX512 __m512i load8(const void *p)
{
    return _mm512_loadu_si512(p);
}

static inline AVX512 void xor_into(uint64_t *word, __m512i v)
{
    _mm512_store_si512(word, _mm512_xor_si512(load8(word), v));
}

/* Words w to w + 3 of the blocks of lanes i and i + 2. */
static inline AVX512 __m512i pair(const uint8_t *const *src, unsigned i, size_t at)
{
    const __m256i lo = _mm256_loadu_si256((const __m256i *)(src[i] + at));
    const __m256i hi = _mm256_loadu_si256((const __m256i *)(src[i + 2] + at));

    return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}

/* Xors words w to w + 3 of every lane's block into the state: an 8x4 transpose, whose first step is
 * left to the loads: only one port shuffles. */
static inline AVX512 void xor_words4(uint64_t *state, unsigned w, const uint8_t *const *src,
                                     size_t at)
{
    const __m512i r02 = pair(src, 0, at + 8 * w), r13 = pair(src, 1, at + 8 * w);
    const __m512i r46 = pair(src, 4, at + 8 * w), r57 = pair(src, 5, at + 8 * w);
    const __m512i even03 = _mm512_unpacklo_epi64(r02, r13); /* words 0 and 2 of lanes 0 to 3 */
    const __m512i odd03 = _mm512_unpackhi_epi64(r02, r13);
    const __m512i even47 = _mm512_unpacklo_epi64(r46, r57);
    const __m512i odd47 = _mm512_unpackhi_epi64(r46, r57);
    uint64_t *a = state + 8 * w;

    xor_into(a, _mm512_shuffle_i64x2(even03, even47, 0x88));
    xor_into(a + 8, _mm512_shuffle_i64x2(odd03, odd47, 0x88));
    xor_into(a + 16, _mm512_shuffle_i64x2(even03, even47, 0xdd));
    xor_into(a + 24, _mm512_shuffle_i64x2(odd03, odd47, 0xdd));
}

static inline AVX512 __m512i word8(const uint8_t *const *src, size_t at)
{
    return _mm512_set_epi64(
        (long long)mr_load_le64(src[7] + at), (long long)mr_load_le64(src[6] + at),
        (long long)mr_load_le64(src[5] + at), (long long)mr_load_le64(src[4] + at),
        (long long)mr_load_le64(src[3] + at), (long long)mr_load_le64(src[2] + at),
        (long long)mr_load_le64(src[1] + at), (long long)mr_load_le64(src[0] + at));
}

static inline AVX512 void xor_block(uint64_t *state, const uint8_t *const *src, size_t at)
{
    xor_words4(state, 0, src, at);
    xor_words4(state, 4, src, at);
    xor_words4(state, 8, src, at);
    xor_words4(state, 12, src, at);
    xor_into(state + 8 * 16, word8(src, at + 128));
}

AVX512 void mr_keccak_absorb8_avx512(uint64_t *state, const uint8_t *const *src, size_t blocks)
{
    for (size_t at = 0; blocks > 0; blocks--, at += MR_KECCAK_RATE) {
        xor_block(state, src, at);
        mr_keccak_permute8_avx512(state);
    }
}

/* What is read from one + RATE - k on has 0x01 in byte k; for k = RATE none. */
static const uint8_t one[2 * MR_KECCAK_RATE + 64] = {[MR_KECCAK_RATE] = 1};

/* A part as a whole block. Its length and place decide nothing but masks: where those of peers are
 * random, a CPU cannot guess the branches on them. What is read around a part is masked out, and
 * cannot fault; it costs hundreds of cycles where it lies in a page that is not there, as before
 * the first buffer of a slab. */
static inline AVX512 void block_of(uint8_t *out, const struct mr_keccak_part *part)
{
    const uint32_t begin = part->off, end = part->off + part->n;
    const uint8_t *p = (const uint8_t *)((uintptr_t)part->p - begin);
    const uint8_t *pad = one + MR_KECCAK_RATE - part->pad;
    const uint8_t *unpad = one + MR_KECCAK_RATE - part->unpad;
    const uint64_t last = (uint64_t)((part->pad < MR_KECCAK_RATE) ^ (part->unpad < MR_KECCAK_RATE));

#pragma GCC unroll 2
    for (uint32_t at = 0; at < 128; at += 64) {
        const uint32_t from = MR_MAX(begin, at) - at, to = MR_MAX(end, at) - at;
        const __mmask64 mask = _bzhi_u64(~UINT64_C(0), to) & ~_bzhi_u64(~UINT64_C(0), from);

        _mm512_store_si512(out + at,
                           _mm512_ternarylogic_epi64(_mm512_maskz_loadu_epi8(mask, p + at),
                                                     load8(pad + at), load8(unpad + at), XOR3));
    }
    {
        const uint32_t from = MR_MAX(begin, 128u) - 128, to = MR_MAX(end, 128u) - 128;
        const __mmask16 mask = (__mmask16)((1u << to) - (1u << from));
        const __m128i bytes = _mm_maskz_loadu_epi8(mask, p + 128);

        mr_store_le64(out + 128, (uint64_t)_mm_cvtsi128_si64(bytes) ^ mr_load_le64(pad + 128) ^
                                     mr_load_le64(unpad + 128) ^ last << 63);
    }
}

AVX512 void mr_keccak_add8_avx512(uint64_t *state, const struct mr_keccak_part *parts)
{
    _Alignas(64) uint8_t block[8][192];
    const uint8_t *src[8];

    for (unsigned i = 0; i < 8; i++) {
        block_of(block[i], &parts[i]);
        src[i] = block[i];
    }
    xor_block(state, src, 0);
}
#endif
