/* random.h: a seedable source of numbers, passed as an argument so that every run can be repeated.
 * Thread: the owner's. Never for secrets: keys and nonces come from crypto/. */
#pragma once
#include "core/base.h"

/* xoshiro256** (Blackman, Vigna), its state filled by splitmix64. */
struct mr_random {
    uint64_t s[4];
};

/* Every seed, 0 included, gives a good stream; equal seeds give equal streams. */
void mr_random_init(struct mr_random *r, uint64_t seed);
uint64_t mr_random_u64(struct mr_random *r);
/* Uniform in [0, n), without modulo bias; n > 0. */
uint64_t mr_random_below(struct mr_random *r, uint64_t n);
void mr_random_fill(struct mr_random *r, void *p, size_t n);
