/* keccak_x4.h: four states side by side in 256-bit registers: private to keccak_avx2.c and
 * keccak_avx512vl.c, which define keccak_round.h's operations and
 *   MR_K4_TARGET                the function attribute
 *   MR_K4_ABSORB, MR_K4_SQUEEZE the names of the two functions
 *   MR_K4_STORE(p, v, keep)     store v, but not into the lanes of the mask `keep` (a uint32_t) */
#define W 4

static inline MR_K4_TARGET __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* Xors words w to w + 3 of every lane's block into the state: a 4x4 transpose. */
static inline MR_K4_TARGET void xor_words4(__m256i a[MR_KECCAK_WORDS], unsigned w,
                                           const uint8_t *const *src, size_t at)
{
    const __m256i r0 = load(src[0] + at), r1 = load(src[1] + at);
    const __m256i r2 = load(src[2] + at), r3 = load(src[3] + at);
    const __m256i t0 = _mm256_unpacklo_epi64(r0, r1), t1 = _mm256_unpackhi_epi64(r0, r1);
    const __m256i t2 = _mm256_unpacklo_epi64(r2, r3), t3 = _mm256_unpackhi_epi64(r2, r3);

    a[w] = MR_KXOR(a[w], _mm256_permute2x128_si256(t0, t2, 0x20));
    a[w + 1] = MR_KXOR(a[w + 1], _mm256_permute2x128_si256(t1, t3, 0x20));
    a[w + 2] = MR_KXOR(a[w + 2], _mm256_permute2x128_si256(t0, t2, 0x31));
    a[w + 3] = MR_KXOR(a[w + 3], _mm256_permute2x128_si256(t1, t3, 0x31));
}

static inline MR_K4_TARGET __m256i word4(const uint8_t *const *src, size_t at)
{
    return _mm256_set_epi64x(
        (long long)mr_load_le64(src[3] + at), (long long)mr_load_le64(src[2] + at),
        (long long)mr_load_le64(src[1] + at), (long long)mr_load_le64(src[0] + at));
}

static inline MR_K4_TARGET void xor_block(__m256i a[MR_KECCAK_WORDS], const uint8_t *const *src,
                                          size_t at)
{
    xor_words4(a, 0, src, at);
    xor_words4(a, 4, src, at + 32);
    xor_words4(a, 8, src, at + 64);
    xor_words4(a, 12, src, at + 96);
    a[16] = MR_KXOR(a[16], word4(src, at + 128));
}

MR_K4_TARGET void MR_K4_ABSORB(uint64_t *state, const uint8_t *const *src, size_t blocks)
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

MR_K4_TARGET void MR_K4_SQUEEZE(uint64_t *state, uint64_t *out, uint32_t keep)
{
    __m256i a[MR_KECCAK_WORDS];

    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        a[i] = load(state + W * i);
    MR_KECCAK_F(a);
    for (unsigned i = 0; i < 4; i++)
        _mm256_store_si256((__m256i *)(out + W * i), a[i]);
    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        MR_K4_STORE(state + W * i, a[i], keep);
}
