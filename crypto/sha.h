/* sha.h: SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104) over OpenSSL. No context outlives a call.
 * Thread: any. All return false only when OpenSSL does (out of memory); out is then wiped. */
#pragma once
#include "core/base.h"

#define MR_SHA256_SIZE 32

/* The digest of parts in order. out may be one of the parts. */
MR_MUST_USE bool mr_sha256(uint8_t out[MR_SHA256_SIZE], const struct mr_span *parts,
                           size_t parts_count);

/* The tag of parts in order under key, of any length. out must not be the key. */
MR_MUST_USE bool mr_hmac_sha256(uint8_t out[MR_SHA256_SIZE], struct mr_span key,
                                const struct mr_span *parts, size_t parts_count);
