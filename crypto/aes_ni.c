/* aes_ni.c: AES-256 with the CPU's instructions: eight blocks in flight, which hides the latency
 * of a round. */
#include "crypto/aes_kernels.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AESNI __attribute__((target("aes,ssse3")))
#define LAST  MR_AES256_ROUNDS

static inline AESNI __m128i load(const void *p)
{
    return _mm_loadu_si128(p);
}

static inline AESNI void store(void *p, __m128i v)
{
    _mm_storeu_si128(p, v);
}

/* FIPS 197, 5.2: w ^ (w << 32) ^ (w << 64) ^ (w << 96) ^ t: four words of the schedule at once. */
static inline AESNI __m128i chain(__m128i w, __m128i t)
{
    w = _mm_xor_si128(w, _mm_slli_si128(w, 4));
    w = _mm_xor_si128(w, _mm_slli_si128(w, 8));
    return _mm_xor_si128(w, t);
}

#define EXPAND_PAIR(i, rcon)                                                                       \
    do {                                                                                           \
        even = chain(even, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(odd, rcon), 0xff));         \
        store(k->rk[i], even);                                                                     \
        if ((i) < LAST) {                                                                          \
            odd = chain(odd, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(even, 0), 0xaa));         \
            store(k->rk[(i) + ((i) < LAST)], odd);                                                 \
        }                                                                                          \
    } while (0)

AESNI void mr_aes_ni_expand(struct mr_aes256 *k)
{
    __m128i even = load(k->rk[0]), odd = load(k->rk[1]);

    EXPAND_PAIR(2, 0x01);
    EXPAND_PAIR(4, 0x02);
    EXPAND_PAIR(6, 0x04);
    EXPAND_PAIR(8, 0x08);
    EXPAND_PAIR(10, 0x10);
    EXPAND_PAIR(12, 0x20);
    EXPAND_PAIR(14, 0x40);
}

static inline AESNI __m128i encrypt1(const struct mr_aes256 *k, __m128i v)
{
    v = _mm_xor_si128(v, load(k->rk[0]));
    for (unsigned r = 1; r < LAST; r++)
        v = _mm_aesenc_si128(v, load(k->rk[r]));
    return _mm_aesenclast_si128(v, load(k->rk[LAST]));
}

AESNI void mr_aes_ni_block(const struct mr_aes256 *k, uint8_t out[16], const uint8_t in[16])
{
    store(out, encrypt1(k, load(in)));
}

/* n is a constant at every call: the blocks stay in registers. */
static inline AESNI __attribute__((always_inline)) void
block_each(const struct mr_aes256 *const *keys, uint8_t (*blocks)[16], const unsigned n)
{
    __m128i v[MR_AES_BATCH_MAX];

#pragma GCC unroll 8
    for (unsigned i = 0; i < n; i++)
        v[i] = _mm_xor_si128(load(blocks[i]), load(keys[i]->rk[0]));
#pragma GCC unroll 1
    for (unsigned r = 1; r < LAST; r++)
#pragma GCC unroll 8
        for (unsigned i = 0; i < n; i++)
            v[i] = _mm_aesenc_si128(v[i], load(keys[i]->rk[r]));
#pragma GCC unroll 8
    for (unsigned i = 0; i < n; i++)
        store(blocks[i], _mm_aesenclast_si128(v[i], load(keys[i]->rk[LAST])));
}

AESNI void mr_aes_ni_block_each(const struct mr_aes256 *const *keys, uint8_t (*blocks)[16],
                                size_t n)
{
    const struct mr_aes256 *all[MR_AES_BATCH_MAX];

    if (n == 0)
        return;
    for (size_t i = 0; i < MR_AES_BATCH_MAX; i++)
        all[i] = keys[i < n ? i : 0];
    if (n <= 4)
        block_each(all, blocks, 4);
    else
        block_each(all, blocks, 8);
}

/* The counter's block: both halves big-endian. */
static inline AESNI __m128i counter(uint64_t hi, uint64_t lo, unsigned add)
{
    const __m128i swap = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const uint64_t sum = lo + add;

    return _mm_shuffle_epi8(_mm_set_epi64x((long long)(hi + (sum < lo)), (long long)sum), swap);
}

/* n whole blocks; n is a constant at every call: they stay in registers. */
static inline AESNI __attribute__((always_inline)) void ctr_blocks(const struct mr_aes256 *k,
                                                                   const struct mr_aes_ctr *ctr,
                                                                   uint8_t *out, const uint8_t *in,
                                                                   const unsigned n)
{
    __m128i v[8], key = load(k->rk[0]);

#pragma GCC unroll 8
    for (unsigned i = 0; i < n; i++)
        v[i] = _mm_xor_si128(counter(ctr->hi, ctr->lo, i), key);
#pragma GCC unroll 1
    for (unsigned r = 1; r < LAST; r++) {
        key = load(k->rk[r]);
#pragma GCC unroll 8
        for (unsigned i = 0; i < n; i++)
            v[i] = _mm_aesenc_si128(v[i], key);
    }
    key = load(k->rk[LAST]);
#pragma GCC unroll 8
    for (unsigned i = 0; i < n; i++)
        store(out + 16 * i, _mm_xor_si128(_mm_aesenclast_si128(v[i], key), load(in + 16 * i)));
}

/* n < 8 whole blocks. */
static AESNI void ctr_few(const struct mr_aes256 *k, const struct mr_aes_ctr *ctr, uint8_t *out,
                          const uint8_t *in, unsigned n)
{
    switch (n) {
#define N(i)                                                                                       \
    case i:                                                                                        \
        ctr_blocks(k, ctr, out, in, i);                                                            \
        break;
        N(1) N(2) N(3) N(4) N(5) N(6) N(7)
#undef N
    }
}

/* Bytes that stay inside the current block. */
static AESNI void ctr_bytes(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                            const uint8_t *in, size_t n)
{
    uint8_t stream[16];

    store(stream, encrypt1(k, counter(ctr->hi, ctr->lo, 0)));
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] ^ stream[ctr->used + i];
    mr_aes_ctr_advance(ctr, n);
}

AESNI void mr_aes_ni_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                             const uint8_t *in, size_t n)
{
    if (ctr->used > 0 && n > 0) {
        size_t take = MR_MIN(n, (size_t)(16 - ctr->used));

        ctr_bytes(k, ctr, out, in, take);
        out += take, in += take, n -= take;
    }
    for (; n >= 128; out += 128, in += 128, n -= 128) {
        ctr_blocks(k, ctr, out, in, 8);
        mr_aes_ctr_advance(ctr, 128);
    }
    if (n >= 16) {
        unsigned blocks = (unsigned)(n / 16);

        ctr_few(k, ctr, out, in, blocks);
        mr_aes_ctr_advance(ctr, 16u * blocks);
        out += 16u * blocks, in += 16u * blocks, n -= 16u * blocks;
    }
    if (n > 0)
        ctr_bytes(k, ctr, out, in, n);
}
#endif
