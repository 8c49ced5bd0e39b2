/* keccak_avx512one.c: one state, a word a register, with AVX-512VL's rotations and three-input
 * logic: fewer instructions than the integer unit needs. */
#include "crypto/keccak_variant.h"

#ifdef __x86_64__
#include <immintrin.h>

/* Truth tables of vpternlog: a ^ b ^ c, and a ^ (~b & c). */
#define XOR3 0x96
#define CHI  0xd2

#define MR_KV             __m128i
#define MR_KXOR(a, b)     _mm_xor_si128(a, b)
#define MR_KXOR3(a, b, c) _mm_ternarylogic_epi64(a, b, c, XOR3)
#define MR_KROL(a, n)     _mm_rol_epi64(a, n)
#define MR_KCHI(a, b, c)  _mm_ternarylogic_epi64(a, b, c, CHI)
#define MR_KRC(i)         _mm_loadl_epi64((const __m128i *)&mr_keccak_rc[i])
#include "crypto/keccak_round.h"

__attribute__((target("avx512f,avx512vl"))) void
mr_keccak_permute_avx512(uint64_t state[MR_KECCAK_WORDS])
{
    __m128i a[MR_KECCAK_WORDS];

    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        a[i] = _mm_loadl_epi64((const __m128i *)(state + i));
    MR_KECCAK_F(a);
    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        _mm_storel_epi64((__m128i *)(state + i), a[i]);
}
#endif
