/* craft.h: ECIES envelopes that a stranger can make who follows no rules: any bytes as R, any
 * shared secret, any body, and a tag that is right all the same. For tests and fuzz targets. */
#pragma once
#include "crypto/aes.h"
#include "crypto/ecies.h"
#include "crypto/kdf.h"
#include "crypto/sha.h"

/* R || body || tag over body and mac_data, into body.n + 97 bytes. body is what stands between R
 * and the tag: iv and ciphertext, or less. */
static inline void craft_envelope(uint8_t *out, const uint8_t r[65], const uint8_t shared[32],
                                  struct mr_span body, struct mr_span mac_data)
{
    uint8_t both[32], mac[32];
    struct mr_span half = mr_span(both + 16, 16);
    struct mr_span parts[] = {body, mac_data};

    MR_ASSERT(mr_kdf_concat(both, 32, mr_span(shared, 32), mr_span(NULL, 0)));
    MR_ASSERT(mr_sha256(mac, &half, 1));
    memcpy(out, r, 65);
    if (body.n > 0)
        memcpy(out + 65, body.p, body.n);
    MR_ASSERT(mr_hmac_sha256(out + 65 + body.n, mr_span(mac, 32), parts, 2));
}

/* iv || AES-128-CTR(message), as the body of craft_envelope. */
static inline void craft_body(uint8_t *out, const uint8_t shared[32], const uint8_t iv[16],
                              struct mr_span message)
{
    uint8_t both[32];

    MR_ASSERT(mr_kdf_concat(both, 32, mr_span(shared, 32), mr_span(NULL, 0)));
    memcpy(out, iv, 16);
    MR_ASSERT(mr_aes128_ctr_once(both, iv, out + 16, message.p, message.n));
}
