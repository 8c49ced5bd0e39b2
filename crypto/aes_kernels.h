/* aes_kernels.h: what aes.c chooses from: private to aes*.c. */
#pragma once
#include "crypto/aes.h"

/* Moves the position n bytes on, with carry through all 128 bits of the counter. */
static inline void mr_aes_ctr_advance(struct mr_aes_ctr *ctr, size_t n)
{
    uint64_t blocks = n / MR_AES_BLOCK;
    uint32_t used = ctr->used + (uint32_t)(n % MR_AES_BLOCK);

    blocks += used / MR_AES_BLOCK;
    ctr->used = used % MR_AES_BLOCK;
    ctr->lo += blocks;
    ctr->hi += ctr->lo < blocks;
}

#ifdef __x86_64__
static inline bool mr_aes_has_ni(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("ssse3");
}
/* Costs a CPUID. */
bool mr_aes_has_vaes(void);
#else
static inline bool mr_aes_has_ni(void)
{
    return false;
}
static inline bool mr_aes_has_vaes(void)
{
    return false;
}
#endif

/* With AES-NI. expand fills the schedule behind the key in rk[0] and rk[1]. */
void mr_aes_ni_expand(struct mr_aes256 *k);
void mr_aes_ni_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                       const uint8_t *in, size_t n);
void mr_aes_ni_block(const struct mr_aes256 *k, uint8_t out[16], const uint8_t in[16]);
void mr_aes_ni_block_each(const struct mr_aes256 *const *keys, uint8_t (*blocks)[16], size_t n);

/* With VAES and AVX2. */
void mr_aes_vaes_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                         const uint8_t *in, size_t n);
