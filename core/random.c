#include "core/random.h"

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

void mr_random_init(struct mr_random *r, uint64_t seed)
{
    for (size_t i = 0; i < MR_COUNT_OF(r->s); i++) { /* splitmix64 */
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        r->s[i] = z ^ z >> 31;
    }
}

uint64_t mr_random_u64(struct mr_random *r)
{
    uint64_t *s = r->s;
    uint64_t out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

/* Lemire's multiply-and-shift: the low half of the product tells when a draw falls into the uneven
 * rest. */
uint64_t mr_random_below(struct mr_random *r, uint64_t n)
{
    unsigned __int128 m;

    MR_ASSERT(n > 0);
    m = (unsigned __int128)mr_random_u64(r) * n;
    if ((uint64_t)m < n) {
        uint64_t rest = -n % n;

        while ((uint64_t)m < rest)
            m = (unsigned __int128)mr_random_u64(r) * n;
    }
    return (uint64_t)(m >> 64);
}

void mr_random_fill(struct mr_random *r, void *p, size_t n)
{
    uint8_t *b = p;

    while (n > 0) {
        uint64_t v = mr_random_u64(r);
        size_t k = MR_MIN(n, sizeof v);

        memcpy(b, &v, k);
        b += k, n -= k;
    }
}
