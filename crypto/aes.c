/* aes.c: AES through OpenSSL, and the choice between it and our own kernels. */
#include "crypto/aes.h"

#include <openssl/evp.h>

#include "crypto/aes_kernels.h"

enum kernel { OPENSSL, AESNI, VAES, KERNELS };
static const char *const names[KERNELS] = {"openssl", "aesni", "vaes"};

/* Written before threads start, then only read. */
static enum kernel kernel;

static bool has(enum kernel k)
{
    return k == VAES ? mr_aes_has_vaes() : k == AESNI ? mr_aes_has_ni() : true;
}

/* A constant where there is no choice, so that no call of what is not there remains. */
static inline bool in_use(enum kernel k)
{
#ifdef __x86_64__
    return kernel == k;
#else
    return k == OPENSSL;
#endif
}

bool mr_aes_use(const char *name)
{
    for (enum kernel k = 0; k < KERNELS; k++)
        if (strcmp(name, names[k]) == 0 && has(k)) {
            kernel = k;
            return true;
        }
    return false;
}

const char *mr_aes_kernel(void)
{
    return names[kernel];
}

__attribute__((constructor)) static void use_the_best(void)
{
    for (kernel = KERNELS - 1; !has(kernel); kernel--)
        ;
}

/* One library call on a fresh context: ECB without padding, or CTR. */
static bool evp_once(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *iv, uint8_t *out,
                     const uint8_t *in, size_t n)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv) == 1 &&
              EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;

    while (ok && n > 0) {
        int take = (int)MR_MIN(n, (size_t)1 << 30), done = 0;

        ok = EVP_EncryptUpdate(ctx, out, &done, in, take) == 1 && done == take;
        in += take, out += take, n -= (size_t)take;
    }
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

void mr_aes256_init(struct mr_aes256 *k, const uint8_t key[32])
{
    memset(k, 0, sizeof *k);
    memcpy(k->rk, key, 32);
    if (mr_aes_has_ni())
        mr_aes_ni_expand(k);
}

void mr_aes_ctr_xor_portable(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                             const uint8_t *in, size_t n)
{
    uint8_t iv[16], head[16], stream[16];
    size_t skip = MR_MIN(n, (size_t)((16 - ctr->used) % 16));

    mr_store_be64(iv, ctr->hi), mr_store_be64(iv + 8, ctr->lo);
    if (skip > 0) { /* the rest of a block begun */
        mr_aes256_block_portable(k, stream, iv);
        for (size_t i = 0; i < skip; i++)
            head[i] = in[i] ^ stream[ctr->used + i];
        memcpy(out, head, skip);
        mr_aes_ctr_advance(ctr, skip);
        mr_store_be64(iv, ctr->hi), mr_store_be64(iv + 8, ctr->lo);
        in += skip, out += skip, n -= skip;
    }
    if (n > 0) {
        bool ok = evp_once(EVP_aes_256_ctr(), k->rk[0], iv, out, in, n);

        MR_ASSERT(ok);
        mr_aes_ctr_advance(ctr, n);
    }
}

void mr_aes256_block_portable(const struct mr_aes256 *k, uint8_t out[16], const uint8_t in[16])
{
    bool ok = evp_once(EVP_aes_256_ecb(), k->rk[0], NULL, out, in, 16);

    MR_ASSERT(ok);
}

void mr_aes_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                    const uint8_t *in, size_t n)
{
    if (in_use(VAES))
        mr_aes_vaes_ctr_xor(k, ctr, out, in, n);
    else if (in_use(AESNI))
        mr_aes_ni_ctr_xor(k, ctr, out, in, n);
    else
        mr_aes_ctr_xor_portable(k, ctr, out, in, n);
}

void mr_aes256_block(const struct mr_aes256 *k, uint8_t out[16], const uint8_t in[16])
{
    if (!in_use(OPENSSL))
        mr_aes_ni_block(k, out, in);
    else
        mr_aes256_block_portable(k, out, in);
}

void mr_aes256_block_each(const struct mr_aes256 *const *keys, uint8_t (*blocks)[16], size_t n)
{
    MR_ASSERT(n <= MR_AES_BATCH_MAX);
    if (!in_use(OPENSSL)) {
        mr_aes_ni_block_each(keys, blocks, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        mr_aes256_block_portable(keys[i], blocks[i], blocks[i]);
}

bool mr_aes128_ctr_once(const uint8_t key[16], const uint8_t iv[16], uint8_t *out,
                        const uint8_t *in, size_t n)
{
    return evp_once(EVP_aes_128_ctr(), key, iv, out, in, n);
}
