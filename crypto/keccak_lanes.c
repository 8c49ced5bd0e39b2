/* keccak_lanes.c: the scheduler's engine, and hashing many inputs with it. */
#include "crypto/keccak_lanes.h"

#include "crypto/ct.h"
#include "crypto/keccak_variant.h"

static const uint8_t zeros[MR_KECCAK_RATE];

bool mr_keccak_lanes_init(struct mr_keccak_lanes *l, size_t jobs, struct mr_keccak_stats *stats)
{
    const struct mr_keccak_variant *v = mr_keccak_variant();

    if (jobs < 2 || v->lanes == 1)
        return false;
    l->variant = v;
    l->stats = stats;
    l->width = jobs > 4 ? v->lanes : 4;
    l->shift = l->width == 8 ? 3 : 2;
    l->full = l->turn = l->squeeze = l->done = l->digest = 0;
    return true;
}

void mr_keccak_lanes_fini(struct mr_keccak_lanes *l)
{
    mr_wipe(l->a, sizeof l->a);
    mr_wipe(l->out, sizeof l->out);
}

void mr_keccak_lanes_load(struct mr_keccak_lanes *l, unsigned lane, const struct mr_keccak *k)
{
    uint64_t *a = l->a + lane;

    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        a[i << l->shift] = k->a[i];
    l->off[lane] = k->off;
}

void mr_keccak_lanes_store(const struct mr_keccak_lanes *l, unsigned lane, struct mr_keccak *k)
{
    const uint64_t *a = l->a + lane;

    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        k->a[i] = a[i << l->shift];
    k->off = l->off[lane];
}

void mr_keccak_lanes_clear(struct mr_keccak_lanes *l, unsigned lane)
{
    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        l->a[(i << l->shift) + lane] = 0;
    l->off[lane] = 0;
}

/* Up to 8 bytes, little-endian. */
static inline uint64_t load_few(const uint8_t *p, size_t n)
{
    if (n >= 8)
        return mr_load_le64(p);
    if (n >= 4) {
        uint32_t lo, hi;

        memcpy(&lo, p, 4), memcpy(&hi, p + n - 4, 4);
        return lo | (uint64_t)hi << 8 * (n - 4);
    }
    if (n >= 2) {
        uint16_t lo, hi;

        memcpy(&lo, p, 2), memcpy(&hi, p + n - 2, 2);
        return lo | (uint64_t)hi << 8 * (n - 2);
    }
    return n ? p[0] : 0;
}

/* Xors n bytes into a lane at its offset; they stay inside the block. */
static inline void xor_bytes(struct mr_keccak_lanes *l, unsigned lane, const uint8_t *p, size_t n)
{
    const uint32_t off = l->off[lane], r = off % 8;
    const size_t step = (size_t)1 << l->shift;
    uint64_t *a = l->a + lane + ((size_t)(off / 8) << l->shift);

    l->off[lane] += (uint32_t)n;
    if (r > 0) {
        size_t head = MR_MIN(n, (size_t)(8 - r));

        *a ^= load_few(p, head) << 8 * r;
        a += step, p += head, n -= head;
    }
    for (; n >= 8; n -= 8, p += 8, a += step)
        *a ^= mr_load_le64(p);
    if (n > 0)
        *a ^= load_few(p, n);
}

static inline void xor_padding(struct mr_keccak_lanes *l, unsigned lane)
{
    const uint32_t off = l->off[lane];

    l->a[((size_t)(off / 8) << l->shift) + lane] ^= (uint64_t)1 << 8 * (off % 8);
    l->a[((size_t)16 << l->shift) + lane] ^= (uint64_t)0x80 << 56;
}

/* Absorbs what is left of a lane's work as far as no permutation is needed, and files the lane
 * under what it waits for. */
static inline void file(struct mr_keccak_lanes *l, unsigned lane)
{
    const uint32_t bit = 1u << lane;
    size_t take;

    if (l->off[lane] == 0 && l->n[lane] >= MR_KECCAK_RATE) {
        l->full |= bit;
        return;
    }
    take = MR_MIN(l->n[lane], (size_t)(MR_KECCAK_RATE - l->off[lane]));
    if (take > 0) {
        xor_bytes(l, lane, l->p[lane], take);
        l->p[lane] += take, l->n[lane] -= take;
    }
    if (l->off[lane] == MR_KECCAK_RATE) {
        l->turn |= bit;
    } else if (l->digest & bit) {
        xor_padding(l, lane);
        l->squeeze |= bit;
    } else {
        l->done |= bit;
    }
}

void mr_keccak_lanes_absorb(struct mr_keccak_lanes *l, unsigned lane, const uint8_t *p, size_t n,
                            bool digest)
{
    const uint32_t bit = 1u << lane;

    MR_VERIFY_THAT(lane < l->width);
    MR_VERIFY_THAT(!((l->full | l->turn | l->squeeze | l->done) & bit));
    l->p[lane] = p, l->n[lane] = n;
    l->digest = digest ? l->digest | bit : l->digest & ~bit;
    file(l, lane);
}

static inline void count(struct mr_keccak_lanes *l, unsigned width, size_t permutations)
{
    const enum mr_keccak_width w = width == 8   ? MR_KECCAK_W8
                                   : width == 4 ? MR_KECCAK_W4
                                                : MR_KECCAK_W1;

    if (!l->stats)
        return;
    l->stats->permutations[w] += permutations;
    l->stats->lanes[w] +=
        permutations * (unsigned)__builtin_popcount(l->full | l->turn | l->squeeze);
}

/* Whole blocks with few lanes busy: their states go through narrower code, which is faster. */
static void run_few(struct mr_keccak_lanes *l, const uint8_t *const *src, size_t blocks)
{
    const unsigned busy = (unsigned)__builtin_popcount(l->full);
    const uint8_t *few_src[4];
    _Alignas(32) uint64_t few[4 * MR_KECCAK_WORDS];
    const unsigned width = busy == 1 ? 1 : 4;
    unsigned of[4] = {0};

    for (uint32_t m = l->full, i = 0; i < busy; m &= m - 1, i++)
        of[i] = (unsigned)__builtin_ctz(m);
    for (unsigned i = 0; i < width; i++) {
        unsigned lane = of[i < busy ? i : 0];

        few_src[i] = src[lane]; /* NOLINT(clang-analyzer-core.uninitialized.Assign) */
        for (unsigned w = 0; w < MR_KECCAK_WORDS; w++)
            few[w * width + i] = l->a[(w << l->shift) + lane];
    }
    if (width == 1)
        mr_keccak_absorb1(few, few_src[0], blocks);
    else
        l->variant->absorb4(few, few_src, blocks);
    for (unsigned i = 0; i < busy; i++)
        for (unsigned w = 0; w < MR_KECCAK_WORDS; w++)
            l->a[(w << l->shift) + of[i]] = few[w * width + i];
    mr_wipe(few, sizeof few);
    count(l, width, blocks);
}

/* All busy lanes have whole blocks: as many permutations as the shortest has. */
static void run_full(struct mr_keccak_lanes *l)
{
    const uint8_t *src[MR_KECCAK_LANES_MAX];
    const uint8_t *any = l->p[__builtin_ctz(l->full)];
    const uint32_t full = l->full;
    const unsigned busy = (unsigned)__builtin_popcount(full);
    size_t blocks = SIZE_MAX;

    for (unsigned i = 0; i < l->width; i++) {
        src[i] = any; /* an idle lane absorbs anything: it is loaded anew */
        if (full >> i & 1) {
            src[i] = l->p[i];
            blocks = MR_MIN(blocks, l->n[i] / MR_KECCAK_RATE);
        }
    }
    if (busy == 1 || (l->width == 8 && busy <= 4 && blocks > 1)) {
        run_few(l, src, blocks);
    } else {
        count(l, l->width, blocks);
        if (l->width == 8)
            l->variant->absorb8(l->a, src, blocks);
        else
            l->variant->absorb4(l->a, src, blocks);
    }
    l->full = 0;
    for (uint32_t m = full; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        l->p[i] += blocks * MR_KECCAK_RATE, l->n[i] -= blocks * MR_KECCAK_RATE;
        file(l, i);
    }
}

/* Lanes wait for different things: one permutation. */
static void run_mixed(struct mr_keccak_lanes *l)
{
    const uint32_t full = l->full, turn = l->turn, squeeze = l->squeeze;
    const uint8_t *src[MR_KECCAK_LANES_MAX];

    for (unsigned i = 0; i < l->width; i++)
        src[i] = full >> i & 1 ? l->p[i] : zeros;
    count(l, l->width, 1);
    if (l->width == 8)
        l->variant->squeeze8(l->a, full ? src : NULL, l->out, squeeze);
    else
        l->variant->squeeze4(l->a, full ? src : NULL, l->out, squeeze);
    l->full = l->turn = l->squeeze = 0;
    for (uint32_t m = squeeze; m; m &= m - 1)
        xor_padding(l, (unsigned)__builtin_ctz(m)); /* takes it off again */
    l->done |= squeeze;
    for (uint32_t m = turn; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        l->off[i] = 0;
        file(l, i);
    }
    for (uint32_t m = full; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        l->p[i] += MR_KECCAK_RATE, l->n[i] -= MR_KECCAK_RATE;
        file(l, i);
    }
}

uint32_t mr_keccak_lanes_run(struct mr_keccak_lanes *l)
{
    uint32_t done;

    MR_ASSERT(l->full | l->turn | l->squeeze | l->done);
    while (!l->done) {
        if (l->turn | l->squeeze)
            run_mixed(l);
        else
            run_full(l);
    }
    done = l->done;
    l->done = 0;
    return done;
}

static void hash_one_by_one(struct mr_hash *out, const struct mr_span *in, size_t n,
                            struct mr_keccak_stats *stats)
{
    for (size_t i = 0; i < n; i++) {
        mr_keccak256(&out[i], in[i].p, in[i].n);
        if (stats) {
            stats->permutations[MR_KECCAK_W1] += in[i].n / MR_KECCAK_RATE + 1;
            stats->lanes[MR_KECCAK_W1] += in[i].n / MR_KECCAK_RATE + 1;
        }
    }
}

static void hash_in_lanes(struct mr_keccak_lanes *l, struct mr_hash *out, const struct mr_span *in,
                          size_t n)
{
    size_t of[MR_KECCAK_LANES_MAX] = {0}, next = 0;
    uint32_t idle = (1u << l->width) - 1, busy = 0;

    while (busy || next < n) {
        for (uint32_t m = idle; m && next < n; m &= m - 1, next++) {
            unsigned lane = (unsigned)__builtin_ctz(m);

            mr_keccak_lanes_clear(l, lane);
            mr_keccak_lanes_absorb(l, lane, in[next].p, in[next].n, true);
            of[lane] = next, busy |= 1u << lane;
        }
        idle = mr_keccak_lanes_run(l);
        busy &= ~idle;
        for (uint32_t m = idle; m; m &= m - 1) {
            unsigned lane = (unsigned)__builtin_ctz(m);

            for (unsigned i = 0; i < 4; i++)
                mr_store_le64(out[of[lane]].b + 8 * i, mr_keccak_lanes_word(l, lane, i));
        }
    }
}

void mr_keccak256_many_counted(struct mr_hash *out, const struct mr_span *in, size_t n,
                               struct mr_keccak_stats *stats)
{
    struct mr_keccak_lanes l;

    if (!mr_keccak_lanes_init(&l, n, stats)) {
        hash_one_by_one(out, in, n, stats);
        return;
    }
    hash_in_lanes(&l, out, in, n);
    mr_keccak_lanes_fini(&l);
}

void mr_keccak256_many(struct mr_hash *out, const struct mr_span *in, size_t n)
{
    mr_keccak256_many_counted(out, in, n, NULL);
}
