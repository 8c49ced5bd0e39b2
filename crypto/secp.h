/* secp.h: secp256k1: keys, Diffie-Hellman, recoverable signatures. The only user of libsecp256k1
 * (0.2.0 or later).
 * Thread: one context for the process, made before threads start; then const, for any thread.
 * Every public key that comes from outside is checked on every entry: both coordinates below p and
 * the point on the curve (infinity has no encoding here). All bool functions leave their output
 * untouched when they return false. */
#pragma once
#include "core/base.h"
#include "crypto/entropy.h"

struct mr_secp;

#define MR_SECP_SIG_SIZE 65 /* r || s || v, v from 0 to 3 */

/* A private key and its public key. Wipe it (mr_wipe) when it is not needed any more. */
struct mr_secp_keypair {
    uint8_t key[32];
    struct mr_node_id pub;
};

/* A context blinded with seed against side channels. NULL when memory is short. */
struct mr_secp *mr_secp_create(const uint8_t seed[32]);
void mr_secp_destroy(struct mr_secp *s);

/* Whether key is a private key: from 1 to the group's order less one. */
bool mr_secp_key_valid(const struct mr_secp *s, const uint8_t key[32]);
/* False when key is no private key. */
MR_MUST_USE bool mr_secp_public(const struct mr_secp *s, struct mr_node_id *out,
                                const uint8_t key[32]);
/* Draws from entropy until the key is valid: once, but for one chance in 2^127. */
void mr_secp_keypair_make(const struct mr_secp *s, struct mr_secp_keypair *out,
                          mr_entropy_fn entropy, void *entropy_ctx);

/* Whether pub is a point of the curve in its one encoding. */
MR_MUST_USE bool mr_secp_point_valid(const struct mr_secp *s, const struct mr_node_id *pub);
/* A public key in its 65-byte form. Refuses any first byte other than 0x04: the library would take
 * the hybrid forms 0x06 and 0x07, which give one point a second name. */
MR_MUST_USE bool mr_secp_parse65(const struct mr_secp *s, struct mr_node_id *out,
                                 const uint8_t p[65]);

/* The x coordinate of key * pub. False when pub is no point or key no key. */
MR_MUST_USE bool mr_secp_ecdh_x(const struct mr_secp *s, uint8_t out[32],
                                const struct mr_node_id *pub, const uint8_t key[32]);

/* Signs hash with a deterministic nonce (RFC 6979) and low s. False when key is no key. */
MR_MUST_USE bool mr_secp_sign(const struct mr_secp *s, uint8_t sig[MR_SECP_SIG_SIZE],
                              const struct mr_hash *hash, const uint8_t key[32]);
/* The key that signed hash. False when r or s is not below the group's order, v above 3, or no such
 * point exists. A high s is recovered: who forbids it, checks it. */
MR_MUST_USE bool mr_secp_recover(const struct mr_secp *s, struct mr_node_id *out,
                                 const struct mr_hash *hash, const uint8_t sig[MR_SECP_SIG_SIZE]);

/* How many scalar multiplications with a secret key s has made for mr_secp_ecdh_x. For tests that
 * claim "refused before the key was touched". */
uint64_t mr_secp_ecdh_count(const struct mr_secp *s);
