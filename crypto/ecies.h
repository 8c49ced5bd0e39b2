/* ecies.h: the elliptic curve integrated encryption scheme exactly as RLPx defines it (devp2p,
 * rlpx.md, "ECIES Encryption"): R || iv || c || d, with
 *   S = x coordinate of r * K,  kE || kM = KDF(S, 32),
 *   c = AES-128-CTR(kE, iv, m), d = HMAC-SHA-256(SHA-256(kM), iv || c || mac_data).
 * Thread: any. Intermediate secrets are wiped on every way out. */
#pragma once
#include "core/base.h"
#include "crypto/secp.h"

#define MR_ECIES_R_SIZE   65
#define MR_ECIES_IV_SIZE  16
#define MR_ECIES_TAG_SIZE 32
#define MR_ECIES_OVERHEAD (MR_ECIES_R_SIZE + MR_ECIES_IV_SIZE + MR_ECIES_TAG_SIZE)
_Static_assert(MR_ECIES_OVERHEAD == 113, "as RLPx has it");
/* Longest plaintext taken or given; far above any caller's. */
#define MR_ECIES_PLAIN_MAX 65535

/* Seals message for the holder of to's private key, into message.n + MR_ECIES_OVERHEAD bytes at out
 * (not overlapping message). ephemeral and iv are for this one message. mac_data is authenticated,
 * not sent. False when to is no point, the ephemeral key no key, or OpenSSL fails; out is then
 * undefined. */
MR_MUST_USE bool mr_ecies_encrypt(const struct mr_secp *s, uint8_t *out,
                                  const struct mr_node_id *to,
                                  const struct mr_secp_keypair *ephemeral,
                                  const uint8_t iv[MR_ECIES_IV_SIZE], struct mr_span message,
                                  struct mr_span mac_data);

/* Opens sealed with key, into sealed.n - MR_ECIES_OVERHEAD bytes at out (not overlapping sealed);
 * the caller knows the length from sealed.n. Order of checks: length, point, tag (in constant
 * time), and only then is anything decrypted. False when one fails: out is untouched. */
MR_MUST_USE bool mr_ecies_decrypt(const struct mr_secp *s, uint8_t *out, const uint8_t key[32],
                                  struct mr_span sealed, struct mr_span mac_data);
