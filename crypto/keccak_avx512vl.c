/* keccak_avx512vl.c: four states side by side, for lists too short to fill eight lanes: how blocks
 * enter them. The permutation is assembly (keccak_avx512_rounds.S). */
#ifdef __x86_64__
#include "crypto/keccak_x4.h"

#define AVX2 __attribute__((target("avx2")))

AVX2 void mr_keccak_absorb4_avx512(uint64_t *state, const uint8_t *const *src, size_t blocks)
{
    __m256i *a = (__m256i *)state;

    for (size_t at = 0; blocks > 0; blocks--, at += MR_KECCAK_RATE) {
        xor_block(a, src, at);
        mr_keccak_permute4_avx512(state);
    }
}
#endif
