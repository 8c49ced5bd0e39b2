/* keccak_avx2.c: four states side by side with AVX2. */
#include "crypto/keccak_variant.h"

#ifdef __x86_64__
#include <immintrin.h>

#define MR_KV             __m256i
#define MR_KXOR(a, b)     _mm256_xor_si256(a, b)
#define MR_KXOR3(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define MR_KROL(a, n)     _mm256_or_si256(_mm256_slli_epi64(a, n), _mm256_srli_epi64(a, 64 - (n)))
#define MR_KCHI(a, b, c)  _mm256_xor_si256(a, _mm256_andnot_si256(b, c))
#define MR_KRC(i)         _mm256_set1_epi64x((long long)mr_keccak_rc[i])
#include "crypto/keccak_round.h"

#define MR_K4_TARGET  __attribute__((target("avx2")))
#define MR_K4_ABSORB  mr_keccak_absorb4_avx2
#define MR_K4_SQUEEZE mr_keccak_squeeze4_avx2
#define MR_K4_STORE   store_but

/* A blend, because masked stores are microcode on some CPUs. */
static inline MR_K4_TARGET void store_but(uint64_t *p, __m256i v, uint32_t keep)
{
    const __m256i bits = _mm256_set_epi64x(8, 4, 2, 1);
    const __m256i kept = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(keep), bits), bits);
    __m256i *at = (__m256i *)p;

    _mm256_store_si256(at, _mm256_blendv_epi8(v, _mm256_load_si256(at), kept));
}
#include "crypto/keccak_x4.h"
#endif
