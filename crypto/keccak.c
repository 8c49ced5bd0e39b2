/* keccak.c: the sponge of one lane, and the choice of code. */
#include "crypto/keccak.h"

#include <stdlib.h>

#include "crypto/keccak_variant.h"

static const struct mr_keccak_variant plain = {
    .name = "plain", .lanes = 1, .permute = mr_keccak_permute_plain};

/* Written by mr_keccak_select before threads start, then only read. */
static const struct mr_keccak_variant *variant = &plain;

#ifdef __x86_64__
static const struct mr_keccak_variant avx2 = {.name = "avx2",
                                              .lanes = 4,
                                              .permute = mr_keccak_permute_bmi,
                                              .absorb4 = mr_keccak_absorb4_avx2,
                                              .squeeze4 = mr_keccak_squeeze4_avx2};
static const struct mr_keccak_variant avx512 = {.name = "avx512",
                                                .lanes = 8,
                                                .permute = mr_keccak_permute_avx512,
                                                .absorb4 = mr_keccak_absorb4_avx512,
                                                .squeeze4 = mr_keccak_squeeze4_avx512,
                                                .absorb8 = mr_keccak_absorb8_avx512,
                                                .add8 = mr_keccak_add8_avx512,
                                                .squeeze8 = mr_keccak_squeeze8_avx512};

static bool cpu_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
}

static bool cpu_has_avx512(void)
{
    return cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}
#endif

const struct mr_keccak_variant *mr_keccak_variant(void)
{
    return variant;
}

bool mr_keccak_use(const char *name)
{
    if (strcmp(name, "plain") == 0)
        variant = &plain;
#ifdef __x86_64__
    else if (strcmp(name, "avx2") == 0 && cpu_has_avx2())
        variant = &avx2;
    else if (strcmp(name, "avx512") == 0 && cpu_has_avx512())
        variant = &avx512;
#endif
    else
        return false;
    return true;
}

const char *mr_keccak_select(void)
{
    static const char *const widest_first[] = {"avx512", "avx2", "plain"};
    const char *wish = getenv("MR_KECCAK");

    if (wish && mr_keccak_use(wish))
        return variant->name;
    for (size_t i = 0; i < MR_COUNT_OF(widest_first); i++)
        if (mr_keccak_use(widest_first[i]))
            break;
    return variant->name;
}

unsigned mr_keccak_lanes_max(void)
{
    return variant->lanes;
}

void mr_keccak_init(struct mr_keccak *k)
{
    memset(k, 0, sizeof *k);
}

void mr_keccak_absorb1(uint64_t a[MR_KECCAK_WORDS], const uint8_t *p, size_t blocks)
{
    for (; blocks > 0; blocks--, p += MR_KECCAK_RATE) {
        for (unsigned i = 0; i < MR_KECCAK_RATE / 8; i++)
            a[i] ^= mr_load_le64(p + 8 * i);
        variant->permute(a);
    }
}

/* Bytes that stay inside one block. */
static void absorb_part(struct mr_keccak *k, const uint8_t *p, size_t n)
{
    uint8_t *a = (uint8_t *)k->a + k->off;

    for (size_t i = 0; i < n; i++)
        a[i] ^= p[i];
    k->off += (uint32_t)n;
    if (k->off == MR_KECCAK_RATE) {
        variant->permute(k->a);
        k->off = 0;
    }
}

void mr_keccak_update(struct mr_keccak *k, const void *in, size_t n)
{
    const uint8_t *p = in;
    size_t blocks;

    if (n == 0)
        return; /* p may be NULL */
    if (k->off > 0) {
        size_t take = MR_MIN(n, (size_t)(MR_KECCAK_RATE - k->off));

        absorb_part(k, p, take);
        p += take, n -= take;
    }
    blocks = n / MR_KECCAK_RATE;
    mr_keccak_absorb1(k->a, p, blocks);
    absorb_part(k, p + blocks * MR_KECCAK_RATE, n - blocks * MR_KECCAK_RATE);
}

void mr_keccak_digest(const struct mr_keccak *k, uint8_t out[32])
{
    struct mr_keccak copy = *k;

    ((uint8_t *)copy.a)[copy.off] ^= 0x01;
    ((uint8_t *)copy.a)[MR_KECCAK_RATE - 1] ^= 0x80;
    variant->permute(copy.a);
    memcpy(out, copy.a, 32);
}

void mr_keccak256(struct mr_hash *out, const void *p, size_t n)
{
    struct mr_keccak k;

    mr_keccak_init(&k);
    mr_keccak_update(&k, p, n);
    mr_keccak_digest(&k, out->b);
}
