#include "core/bucket.h"

#define NS_PER_S  UINT64_C(1000000000)
#define LEVEL_MAX (INT64_C(1) << 62)

static void refill(struct mr_bucket *b, uint64_t now_ns)
{
    unsigned __int128 gained; /* billionths of a token: (2^64 - 1)^2 + 10^9 fits */

    if (now_ns > b->updated_ns) {
        gained = (unsigned __int128)(now_ns - b->updated_ns) * b->rate_per_s + b->frac;
        if (gained / NS_PER_S >= b->burst - (uint64_t)b->level) {
            b->level = (int64_t)b->burst;
            b->frac = 0;
        } else {
            b->level += (int64_t)(gained / NS_PER_S);
            b->frac = (uint64_t)(gained % NS_PER_S);
        }
    }
    /* Also when the clock went back: to wait until it catches up would starve everybody. */
    b->updated_ns = now_ns;
}

void mr_bucket_init(struct mr_bucket *b, uint64_t rate_per_s, uint64_t burst, uint64_t now_ns)
{
    burst = MR_MIN(burst, (uint64_t)LEVEL_MAX);
    *b = (struct mr_bucket){
        .rate_per_s = rate_per_s, .burst = burst, .level = (int64_t)burst, .updated_ns = now_ns};
}

bool mr_bucket_take(struct mr_bucket *b, uint64_t n, uint64_t now_ns)
{
    refill(b, now_ns);
    if (n > b->burst || (int64_t)n > b->level)
        return false;
    b->level -= (int64_t)n;
    return true;
}

void mr_bucket_force(struct mr_bucket *b, uint64_t n, uint64_t now_ns)
{
    refill(b, now_ns);
    b->level -= (int64_t)MR_MIN(n, (uint64_t)LEVEL_MAX);
    b->level = MR_MAX(b->level, -LEVEL_MAX);
}

uint64_t mr_bucket_ready_at(const struct mr_bucket *b, uint64_t n)
{
    unsigned __int128 missing, at;

    if (n > b->burst)
        return UINT64_MAX;
    if ((int64_t)n <= b->level)
        return b->updated_ns;
    if (b->rate_per_s == 0)
        return UINT64_MAX;
    missing = (unsigned __int128)(n - (uint64_t)b->level) * NS_PER_S - b->frac;
    at = b->updated_ns + (missing + b->rate_per_s - 1) / b->rate_per_s;
    return at < UINT64_MAX ? (uint64_t)at : UINT64_MAX;
}
