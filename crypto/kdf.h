/* kdf.h: NIST SP 800-56A concatenation key derivation with SHA-256, as ECIES in RLPx uses it.
 * Thread: any. */
#pragma once
#include "core/base.h"

/* out_n bytes from secret and info (may be empty): the first out_n bytes of
 * SHA-256(1 || secret || info) || SHA-256(2 || secret || info) || ..., the counter as 4 bytes
 * big-endian. out_n is at most 255 * 32. False only when OpenSSL fails; out is then wiped. */
MR_MUST_USE bool mr_kdf_concat(uint8_t *out, size_t out_n, struct mr_span secret,
                               struct mr_span info);
