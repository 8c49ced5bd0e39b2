/* keccak_avx2.c: four states side by side with AVX2. */
#ifdef __x86_64__
#include "crypto/keccak_x4.h"

#define MR_KV             __m256i
#define MR_KXOR(a, b)     _mm256_xor_si256(a, b)
#define MR_KXOR3(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define MR_KROL(a, n)     _mm256_or_si256(_mm256_slli_epi64(a, n), _mm256_srli_epi64(a, 64 - (n)))
#define MR_KCHI(a, b, c)  _mm256_xor_si256(a, _mm256_andnot_si256(b, c))
#define MR_KRC(i)         _mm256_set1_epi64x((long long)mr_keccak_rc[i])
#include "crypto/keccak_round.h"

#define AVX2 __attribute__((target("avx2")))
#define W    4 /* lanes */

/* But into the lanes of the mask `keep`. A blend, because masked stores are microcode on some CPUs.
 */
static inline AVX2 void store_but(uint64_t *p, __m256i v, uint32_t keep)
{
    const __m256i bits = _mm256_set_epi64x(8, 4, 2, 1);
    const __m256i kept = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(keep), bits), bits);
    __m256i *at = (__m256i *)p;

    _mm256_store_si256(at, _mm256_blendv_epi8(v, _mm256_load_si256(at), kept));
}

AVX2 void mr_keccak_absorb4_avx2(uint64_t *state, const uint8_t *const *src, size_t blocks)
{
    __m256i a[MR_KECCAK_WORDS];

    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        a[i] = load(state + W * i);
    for (size_t at = 0; blocks > 0; blocks--, at += MR_KECCAK_RATE) {
        xor_block(a, src, at);
        MR_KECCAK_F(a);
    }
    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        _mm256_store_si256((__m256i *)(state + W * i), a[i]);
}

AVX2 void mr_keccak_squeeze4_avx2(uint64_t *state, uint64_t *out, uint32_t keep)
{
    __m256i a[MR_KECCAK_WORDS];

    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        a[i] = load(state + W * i);
    MR_KECCAK_F(a);
    for (unsigned i = 0; i < 4; i++)
        _mm256_store_si256((__m256i *)(out + W * i), a[i]);
    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        store_but(state + W * i, a[i], keep);
}
#endif
