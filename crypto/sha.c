#include "crypto/sha.h"

#include <openssl/evp.h>

#include "crypto/ct.h"

#define BLOCK_SIZE 64

/* Hashes prefix, if any, and then parts. */
static bool digest(uint8_t out[MR_SHA256_SIZE], struct mr_span prefix, const struct mr_span *parts,
                   size_t parts_count)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;

    if (ok && prefix.n > 0)
        ok = EVP_DigestUpdate(c, prefix.p, prefix.n) == 1;
    for (size_t i = 0; ok && i < parts_count; i++)
        ok = EVP_DigestUpdate(c, parts[i].p, parts[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(c, out, NULL) == 1;
    EVP_MD_CTX_free(c); /* wipes what it held */
    if (!ok)
        mr_wipe(out, MR_SHA256_SIZE);
    return ok;
}

bool mr_sha256(uint8_t out[MR_SHA256_SIZE], const struct mr_span *parts, size_t parts_count)
{
    return digest(out, mr_span(NULL, 0), parts, parts_count);
}

bool mr_hmac_sha256(uint8_t out[MR_SHA256_SIZE], struct mr_span key, const struct mr_span *parts,
                    size_t parts_count)
{
    uint8_t pad[BLOCK_SIZE] = {0}, inner[MR_SHA256_SIZE];
    struct mr_span inner_span = mr_span(inner, sizeof inner);
    bool ok = true;

    if (key.n > BLOCK_SIZE)
        ok = mr_sha256(pad, &key, 1);
    else if (key.n > 0)
        memcpy(pad, key.p, key.n);
    for (size_t i = 0; i < BLOCK_SIZE; i++)
        pad[i] ^= 0x36;
    ok = ok && digest(inner, mr_span(pad, BLOCK_SIZE), parts, parts_count);
    for (size_t i = 0; i < BLOCK_SIZE; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    ok = ok && digest(out, mr_span(pad, BLOCK_SIZE), &inner_span, 1);
    mr_wipe(pad, sizeof pad);
    mr_wipe(inner, sizeof inner);
    if (!ok)
        mr_wipe(out, MR_SHA256_SIZE);
    return ok;
}
