#include "core/siphash.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline void rounds(struct sip *s, unsigned n)
{
    while (n--) {
        s->v0 += s->v1, s->v1 = rotl(s->v1, 13) ^ s->v0, s->v0 = rotl(s->v0, 32);
        s->v2 += s->v3, s->v3 = rotl(s->v3, 16) ^ s->v2;
        s->v0 += s->v3, s->v3 = rotl(s->v3, 21) ^ s->v0;
        s->v2 += s->v1, s->v1 = rotl(s->v1, 17) ^ s->v2, s->v2 = rotl(s->v2, 32);
    }
}

/* The constants spell "somepseudorandomlygeneratedbytes". */
static inline struct sip begin(const uint64_t key[2])
{
    return (struct sip){.v0 = key[0] ^ UINT64_C(0x736f6d6570736575),
                        .v1 = key[1] ^ UINT64_C(0x646f72616e646f6d),
                        .v2 = key[0] ^ UINT64_C(0x6c7967656e657261),
                        .v3 = key[1] ^ UINT64_C(0x7465646279746573)};
}

static inline void absorb(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

static inline uint64_t finish(struct sip *s, uint64_t last)
{
    absorb(s, last);
    s->v2 ^= 0xff;
    rounds(s, 4);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t mr_siphash(const uint64_t key[2], const void *p, size_t n)
{
    struct sip s = begin(key);
    const uint8_t *b = p;
    uint64_t last = (uint64_t)n << 56;
    size_t i = 0;

    for (; n - i >= 8; i += 8)
        absorb(&s, mr_load_le64(b + i));
    for (unsigned shift = 0; i < n; i++, shift += 8)
        last |= (uint64_t)b[i] << shift;
    return finish(&s, last);
}

uint64_t mr_siphash_32(const uint64_t key[2], const uint8_t p[32])
{
    struct sip s = begin(key);

    absorb(&s, mr_load_le64(p));
    absorb(&s, mr_load_le64(p + 8));
    absorb(&s, mr_load_le64(p + 16));
    absorb(&s, mr_load_le64(p + 24));
    return finish(&s, UINT64_C(32) << 56);
}
