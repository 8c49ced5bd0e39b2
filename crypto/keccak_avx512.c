/* keccak_avx512.c: eight states side by side in 512-bit registers. Blocks enter by loads and
 * transposes: gathers cost a third of what the width gains. */
#include "crypto/keccak_variant.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512vl")))

/* Truth tables of vpternlog: a ^ b ^ c, and a ^ (~b & c). */
#define XOR3 0x96
#define CHI  0xd2

#define MR_KV             __m512i
#define MR_KXOR(a, b)     _mm512_xor_si512(a, b)
#define MR_KXOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, XOR3)
#define MR_KROL(a, n)     _mm512_rol_epi64(a, n)
#define MR_KCHI(a, b, c)  _mm512_ternarylogic_epi64(a, b, c, CHI)
#define MR_KRC(i)         _mm512_set1_epi64((long long)mr_keccak_rc[i])
#include "crypto/keccak_round.h"

static inline AVX512 __m512i load8(const void *p)
{
    return _mm512_loadu_si512(p);
}

/* Xors words w to w + 7 of every lane's block into the state: an 8x8 transpose. */
static inline AVX512 void xor_words8(__m512i a[MR_KECCAK_WORDS], unsigned w,
                                     const uint8_t *const *src, size_t at)
{
    __m512i r[8], t[8];

    for (unsigned i = 0; i < 8; i++)
        r[i] = load8(src[i] + at);
    for (unsigned i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);     /* words 0 2 4 6 of lanes i, i + 1 */
        t[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]); /* words 1 3 5 7 */
    }
    for (unsigned i = 0; i < 2; i++) {
        const __m512i lo04 = _mm512_shuffle_i64x2(t[i], t[i + 2], 0x88);
        const __m512i lo26 = _mm512_shuffle_i64x2(t[i], t[i + 2], 0xdd);
        const __m512i hi04 = _mm512_shuffle_i64x2(t[i + 4], t[i + 6], 0x88);
        const __m512i hi26 = _mm512_shuffle_i64x2(t[i + 4], t[i + 6], 0xdd);

        a[w + i] = MR_KXOR(a[w + i], _mm512_shuffle_i64x2(lo04, hi04, 0x88));
        a[w + i + 2] = MR_KXOR(a[w + i + 2], _mm512_shuffle_i64x2(lo26, hi26, 0x88));
        a[w + i + 4] = MR_KXOR(a[w + i + 4], _mm512_shuffle_i64x2(lo04, hi04, 0xdd));
        a[w + i + 6] = MR_KXOR(a[w + i + 6], _mm512_shuffle_i64x2(lo26, hi26, 0xdd));
    }
}

static inline AVX512 __m512i word8(const uint8_t *const *src, size_t at)
{
    return _mm512_set_epi64(
        (long long)mr_load_le64(src[7] + at), (long long)mr_load_le64(src[6] + at),
        (long long)mr_load_le64(src[5] + at), (long long)mr_load_le64(src[4] + at),
        (long long)mr_load_le64(src[3] + at), (long long)mr_load_le64(src[2] + at),
        (long long)mr_load_le64(src[1] + at), (long long)mr_load_le64(src[0] + at));
}

static inline AVX512 void xor_block(__m512i a[MR_KECCAK_WORDS], const uint8_t *const *src,
                                    size_t at)
{
    xor_words8(a, 0, src, at);
    xor_words8(a, 8, src, at + 64);
    a[16] = MR_KXOR(a[16], word8(src, at + 128));
}

AVX512 void mr_keccak_absorb8_avx512(uint64_t *state, const uint8_t *const *src, size_t blocks)
{
    __m512i a[MR_KECCAK_WORDS];

    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        a[i] = load8(state + 8 * i);
    for (size_t at = 0; blocks > 0; blocks--, at += MR_KECCAK_RATE) {
        xor_block(a, src, at);
        MR_KECCAK_F(a);
    }
    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        _mm512_store_si512(state + 8 * i, a[i]);
}

AVX512 void mr_keccak_squeeze8_avx512(uint64_t *state, uint64_t *out, uint32_t keep)
{
    const __mmask8 write = (__mmask8)~keep;
    __m512i a[MR_KECCAK_WORDS];

    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        a[i] = load8(state + 8 * i);
    MR_KECCAK_F(a);
    for (unsigned i = 0; i < 4; i++)
        _mm512_store_si512(out + 8 * i, a[i]);
    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        _mm512_mask_store_epi64(state + 8 * i, write, a[i]);
}
#endif
