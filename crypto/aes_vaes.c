/* aes_vaes.c: AES-256-CTR with VAES: two blocks a register and up to eight registers in flight.
 * Whole blocks whose counters do not carry into the upper half; all else is aes_ni.c's. In 256-bit
 * registers, which two ports take: 512-bit ones have one of them, and need AVX-512. */
#include "crypto/aes_kernels.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

#define VAES            __attribute__((target("vaes,avx2")))
#define LAST            MR_AES256_ROUNDS
#define REGISTERS       8
#define BLOCKS_PER_CALL (2u * REGISTERS)

bool mr_aes_has_vaes(void)
{
    unsigned a, b, c, d;

    /* Clang 14's __builtin_cpu_supports does not know "vaes"; that AVX is usable, it knows. */
    return mr_aes_has_ni() && __builtin_cpu_supports("avx2") &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_VAES);
}

static inline VAES __m256i round_key(const struct mr_aes256 *k, unsigned r)
{
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)k->rk[r]));
}

/* Encrypts n registers of blocks, of which the last one is half empty if odd. n and odd are
 * constants at every call: all stays in registers. */
static inline VAES __attribute__((always_inline)) void
ctr_registers(const struct mr_aes256 *k, uint64_t hi, uint64_t lo, uint8_t *out, const uint8_t *in,
              const unsigned n, const bool odd)
{
    const __m256i swap = _mm256_broadcastsi128_si256(
        _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    __m256i key = round_key(k, 0), v[REGISTERS];
    __m256i at = _mm256_add_epi64(
        _mm256_set_epi64x((long long)hi, (long long)lo, (long long)hi, (long long)lo),
        _mm256_set_epi64x(0, 1, 0, 0));

#pragma GCC unroll 8
    for (unsigned i = 0; i < n; i++) {
        v[i] = _mm256_xor_si256(_mm256_shuffle_epi8(at, swap), key);
        at = _mm256_add_epi64(at, _mm256_set_epi64x(0, 2, 0, 2));
    }
#pragma GCC unroll 1
    for (unsigned r = 1; r < LAST; r++) {
        key = round_key(k, r);
#pragma GCC unroll 8
        for (unsigned i = 0; i < n; i++)
            v[i] = _mm256_aesenc_epi128(v[i], key);
    }
    key = round_key(k, LAST);
#pragma GCC unroll 8
    for (unsigned i = 0; i < n; i++) {
        const __m256i stream = _mm256_aesenclast_epi128(v[i], key);

        if (i + 1 == n && odd)
            _mm_storeu_si128((__m128i *)(out + 32 * i),
                             _mm_xor_si128(_mm256_castsi256_si128(stream),
                                           _mm_loadu_si128((const __m128i *)(in + 32 * i))));
        else
            _mm256_storeu_si256(
                (__m256i *)(out + 32 * i),
                _mm256_xor_si256(stream, _mm256_loadu_si256((const __m256i *)(in + 32 * i))));
    }
}

/* 1 to BLOCKS_PER_CALL blocks. (The counter comes in registers: a wide load right behind the store
 * of its half would have to wait for it.) */
static VAES void ctr_blocks(const struct mr_aes256 *k, uint64_t hi, uint64_t lo, uint8_t *out,
                            const uint8_t *in, unsigned blocks)
{
    switch (blocks) {
#define N(i)                                                                                       \
    case i:                                                                                        \
        ctr_registers(k, hi, lo, out, in, ((i) + 1) / 2, (i) % 2);                                 \
        break;
        N(1) N(2) N(3) N(4) N(5) N(6) N(7) N(8) N(9) N(10) N(11) N(12) N(13) N(14) N(15) N(16)
#undef N
    }
}

VAES void mr_aes_vaes_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                              const uint8_t *in, size_t n)
{
    uint64_t lo = ctr->lo;
    size_t blocks = n / MR_AES_BLOCK;

    if (ctr->used > 0 || ctr->lo + blocks < ctr->lo) {
        mr_aes_ni_ctr_xor(k, ctr, out, in, n);
        return;
    }
    while (blocks > 0) {
        const unsigned take = (unsigned)MR_MIN(blocks, (size_t)BLOCKS_PER_CALL);

        ctr_blocks(k, ctr->hi, lo, out, in, take);
        lo += take;
        out += MR_AES_BLOCK * take, in += MR_AES_BLOCK * take;
        blocks -= take;
    }
    ctr->lo = lo;
    if (n % MR_AES_BLOCK)
        mr_aes_ni_ctr_xor(k, ctr, out, in, n % MR_AES_BLOCK);
}
#endif
