/* bucket.h: token bucket, in whole tokens and nanoseconds, exact to a fraction of a token.
 * Thread: the owner's. Memory: the caller's.
 * Any uint64_t is a valid time. A clock that goes back gives nothing and takes nothing. */
#pragma once
#include "core/base.h"

struct mr_bucket {
    uint64_t rate_per_s;
    uint64_t burst;
    int64_t level; /* <= burst; below 0 after mr_bucket_force */
    uint64_t frac; /* billionths of a token, < 10^9 */
    uint64_t updated_ns;
};

/* Starts full. A rate of 0 never refills; burst is capped at 2^62. */
void mr_bucket_init(struct mr_bucket *b, uint64_t rate_per_s, uint64_t burst, uint64_t now_ns);
/* Takes n tokens if they are there, nothing otherwise. */
MR_MUST_USE bool mr_bucket_take(struct mr_bucket *b, uint64_t n, uint64_t now_ns);
/* Takes n tokens in any case: the debt is worked off first (for costs known only afterwards). */
void mr_bucket_force(struct mr_bucket *b, uint64_t n, uint64_t now_ns);
/* When mr_bucket_take(b, n) would succeed, at the earliest, if nobody takes in between;
 * UINT64_MAX = never (n > burst, or no rate). */
uint64_t mr_bucket_ready_at(const struct mr_bucket *b, uint64_t n);
