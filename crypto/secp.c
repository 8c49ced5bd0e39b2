#include "crypto/secp.h"

#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_recovery.h>
#include <stdlib.h>

#include "crypto/ct.h"

struct mr_secp {
    secp256k1_context *lib;
    /* Outside of what is const: the only thing that changes after creation. */
    uint64_t *ecdh_count;
};

/* The field's prime, 2^256 - 2^32 - 977. */
static const uint8_t field_prime[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xfc, 0x2f};

struct mr_secp *mr_secp_create(const uint8_t seed[32])
{
    struct mr_secp *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->ecdh_count = calloc(1, sizeof *s->ecdh_count);
    s->lib = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    if (!s->ecdh_count || !s->lib || !secp256k1_context_randomize(s->lib, seed)) {
        mr_secp_destroy(s);
        return NULL;
    }
    return s;
}

void mr_secp_destroy(struct mr_secp *s)
{
    if (!s)
        return;
    if (s->lib)
        secp256k1_context_destroy(s->lib);
    free(s->ecdh_count);
    free(s);
}

#ifdef MR_SABOTAGE_H_04
/* What an implementation does that forgets the check: it computes with the coordinate mod p. */
static void reduce(uint8_t x[32])
{
    unsigned borrow = 0;

    if (memcmp(x, field_prime, 32) < 0)
        return;
    for (int i = 31; i >= 0; i--) {
        unsigned d = (unsigned)x[i] - field_prime[i] - borrow;

        x[i] = (uint8_t)d, borrow = d >> 31;
    }
}
#endif

/* The one way in for public keys. Public data: no need for constant time. */
static bool parse(const struct mr_secp *s, secp256k1_pubkey *out, const uint8_t xy[64])
{
    uint8_t p[65];

    p[0] = 0x04;
    memcpy(p + 1, xy, 64);
#ifndef MR_SABOTAGE_H_04
    if (memcmp(p + 1, field_prime, 32) >= 0 || memcmp(p + 33, field_prime, 32) >= 0)
        return false;
#else
    reduce(p + 1), reduce(p + 33);
#endif
    return secp256k1_ec_pubkey_parse(s->lib, out, p, sizeof p) == 1;
}

static void serialise(const struct mr_secp *s, struct mr_node_id *out, const secp256k1_pubkey *pub)
{
    uint8_t p[65];
    size_t n = sizeof p;

    secp256k1_ec_pubkey_serialize(s->lib, p, &n, pub, SECP256K1_EC_UNCOMPRESSED);
    memcpy(out->b, p + 1, sizeof out->b);
}

bool mr_secp_key_valid(const struct mr_secp *s, const uint8_t key[32])
{
    return secp256k1_ec_seckey_verify(s->lib, key) == 1;
}

bool mr_secp_public(const struct mr_secp *s, struct mr_node_id *out, const uint8_t key[32])
{
    secp256k1_pubkey pub;

    if (!secp256k1_ec_pubkey_create(s->lib, &pub, key))
        return false;
    serialise(s, out, &pub);
    return true;
}

void mr_secp_keypair_make(const struct mr_secp *s, struct mr_secp_keypair *out,
                          mr_entropy_fn entropy, void *entropy_ctx)
{
    do
        entropy(entropy_ctx, out->key, sizeof out->key);
    while (!mr_secp_public(s, &out->pub, out->key));
}

bool mr_secp_point_valid(const struct mr_secp *s, const struct mr_node_id *pub)
{
    secp256k1_pubkey parsed;

    return parse(s, &parsed, pub->b);
}

bool mr_secp_parse65(const struct mr_secp *s, struct mr_node_id *out, const uint8_t p[65])
{
    secp256k1_pubkey parsed;

#ifndef MR_SABOTAGE_H_02
    if (p[0] != 0x04)
        return false;
#else
    if (!secp256k1_ec_pubkey_parse(s->lib, &parsed, p, 65))
        return false;
#endif
    if (!parse(s, &parsed, p + 1))
        return false;
    memcpy(out->b, p + 1, sizeof out->b);
    return true;
}

static int take_x(unsigned char *out, const unsigned char *x, const unsigned char *y, void *ctx)
{
    (void)y, (void)ctx;
    memcpy(out, x, 32);
    return 1;
}

bool mr_secp_ecdh_x(const struct mr_secp *s, uint8_t out[32], const struct mr_node_id *pub,
                    const uint8_t key[32])
{
    secp256k1_pubkey parsed;
    uint8_t x[32];
    bool ok;

    if (!parse(s, &parsed, pub->b))
        return false;
    __atomic_fetch_add(s->ecdh_count, 1, __ATOMIC_RELAXED);
    ok = secp256k1_ecdh(s->lib, x, &parsed, key, take_x, NULL) == 1;
    if (ok)
        memcpy(out, x, sizeof x);
    mr_wipe(x, sizeof x);
    return ok;
}

bool mr_secp_sign(const struct mr_secp *s, uint8_t sig[MR_SECP_SIG_SIZE],
                  const struct mr_hash *hash, const uint8_t key[32])
{
    secp256k1_ecdsa_recoverable_signature made;
    int v;

    if (!secp256k1_ecdsa_sign_recoverable(s->lib, &made, hash->b, key, NULL, NULL))
        return false;
    secp256k1_ecdsa_recoverable_signature_serialize_compact(s->lib, sig, &v, &made);
    sig[64] = (uint8_t)v;
    return true;
}

bool mr_secp_recover(const struct mr_secp *s, struct mr_node_id *out, const struct mr_hash *hash,
                     const uint8_t sig[MR_SECP_SIG_SIZE])
{
    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey pub;

    /* The library would call a v above 3 our mistake and abort. */
    if (sig[64] > 3)
        return false;
    if (!secp256k1_ecdsa_recoverable_signature_parse_compact(s->lib, &parsed, sig, sig[64]))
        return false;
    if (!secp256k1_ecdsa_recover(s->lib, &pub, &parsed, hash->b))
        return false;
    serialise(s, out, &pub);
    return true;
}

uint64_t mr_secp_ecdh_count(const struct mr_secp *s)
{
    return __atomic_load_n(s->ecdh_count, __ATOMIC_RELAXED);
}
