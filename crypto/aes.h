/* aes.h: AES-256 in counter mode and single blocks for RLPx frames, AES-128-CTR for ECIES.
 * VAES or AES-NI where the CPU has them, else OpenSSL. Thread: any. Memory: plain values without
 * pointers, so that a session can be handed to another thread by copying; they hold secrets
 * (mr_wipe). */
#pragma once
#include "core/base.h"

#define MR_AES_BLOCK     16
#define MR_AES256_ROUNDS 14
#define MR_AES_BATCH_MAX 8

/* Encryption round keys, in the order of use; the first two are the key itself. */
struct mr_aes256 {
    _Alignas(16) uint8_t rk[MR_AES256_ROUNDS + 1][MR_AES_BLOCK];
};

/* A position in a CTR keystream: the 128-bit big-endian counter of the current block, and how many
 * of its bytes are used (0 to 15). All zero: the start of a stream with a zero IV. */
struct mr_aes_ctr {
    uint64_t hi, lo;
    uint32_t used;
};

/* The kernel in use: "vaes", "aesni" or "openssl", from the start the first that the CPU has. */
const char *mr_aes_kernel(void);
/* Chooses by name, for tests and benchmarks, before threads start; false (and no change) if there
 * is none such or the CPU lacks it. */
bool mr_aes_use(const char *name);

void mr_aes256_init(struct mr_aes256 *k, const uint8_t key[32]);

/* out = in xor keystream, for any n and any alignment; the stream goes on where it stood, in
 * mid-block too. out may equal in, but must not overlap it otherwise. */
void mr_aes_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                    const uint8_t *in, size_t n);
/* The same through OpenSSL on every CPU: the reference in tests. */
void mr_aes_ctr_xor_portable(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                             const uint8_t *in, size_t n);

/* One block (ECB), as the RLPx MAC needs it. out may equal in. */
void mr_aes256_block(const struct mr_aes256 *k, uint8_t out[16], const uint8_t in[16]);
void mr_aes256_block_portable(const struct mr_aes256 *k, uint8_t out[16], const uint8_t in[16]);
/* n blocks (at most MR_AES_BATCH_MAX), each under a key of its own, side by side. The array has
 * room for MR_AES_BATCH_MAX blocks; what stands behind the first n is scratch. */
void mr_aes256_block_each(const struct mr_aes256 *const *keys, uint8_t (*blocks)[MR_AES_BLOCK],
                          size_t n);

/* AES-128-CTR of a whole message at once (ECIES). False if the library fails. out may equal in. */
MR_MUST_USE bool mr_aes128_ctr_once(const uint8_t key[16], const uint8_t iv[16], uint8_t *out,
                                    const uint8_t *in, size_t n);
