/* siphash.h: SipHash-2-4, the keyed hash behind every table that peers can choose keys for.
 * Thread: any. No memory, no state. Not for authentication: that is crypto/. */
#pragma once
#include "core/base.h"

/* SipHash-2-4 of n bytes (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012).
 * key[0] and key[1] are the two little-endian halves of the 16-byte key. */
uint64_t mr_siphash(const uint64_t key[2], const void *p, size_t n);

/* The same function for exactly 32 bytes (hashes), without the loop. */
uint64_t mr_siphash_32(const uint64_t key[2], const uint8_t p[32]);
