/* keccak_avx512vl.c: four states side by side with AVX-512VL's rotations and three-input logic: for
 * lists too short to fill eight lanes. */
#include "crypto/keccak_variant.h"

#ifdef __x86_64__
#include <immintrin.h>

/* Truth tables of vpternlog: a ^ b ^ c, and a ^ (~b & c). */
#define XOR3 0x96
#define CHI  0xd2

#define MR_KV             __m256i
#define MR_KXOR(a, b)     _mm256_xor_si256(a, b)
#define MR_KXOR3(a, b, c) _mm256_ternarylogic_epi64(a, b, c, XOR3)
#define MR_KROL(a, n)     _mm256_rol_epi64(a, n)
#define MR_KCHI(a, b, c)  _mm256_ternarylogic_epi64(a, b, c, CHI)
#define MR_KRC(i)         _mm256_set1_epi64x((long long)mr_keccak_rc[i])
#include "crypto/keccak_round.h"

#define MR_K4_TARGET            __attribute__((target("avx2,avx512f,avx512vl")))
#define MR_K4_ABSORB            mr_keccak_absorb4_avx512
#define MR_K4_SQUEEZE           mr_keccak_squeeze4_avx512
#define MR_K4_STORE(p, v, keep) _mm256_mask_store_epi64(p, (__mmask8)(~(keep)&0xf), v)
#include "crypto/keccak_x4.h"
#endif
