/* keccak_lanes.c: the scheduler's engine, and hashing many inputs with it. */
#include "crypto/keccak_lanes.h"

#include "crypto/ct.h"
#include "crypto/keccak_variant.h"

bool mr_keccak_lanes_init(struct mr_keccak_lanes *l, size_t jobs, struct mr_keccak_stats *stats)
{
    const struct mr_keccak_variant *v = mr_keccak_variant();

    if (jobs < 2 || v->lanes == 1)
        return false;
    l->variant = v;
    l->stats = stats;
    l->width = jobs > 4 ? v->lanes : 4;
    l->shift = l->width == 8 ? 3 : 2;
    l->together = l->width == 8 && v->add8;
    l->full = l->turn = l->squeeze = l->done = l->digest = l->padded = 0;
    return true;
}

void mr_keccak_lanes_fini(struct mr_keccak_lanes *l)
{
    mr_wipe(l->a, sizeof l->a);
    mr_wipe(l->out, sizeof l->out);
    mr_wipe(l->pair, sizeof l->pair);
}

/* Adds or takes off the padding, if `on` is 1 and not 0. */
static inline void xor_padding(uint64_t *a, unsigned shift, uint32_t off, uint64_t on)
{
    a[(size_t)(off / 8) << shift] ^= on << 8 * (off % 8);
    a[(size_t)16 << shift] ^= on << 63;
}

static inline uint64_t is_padded(const struct mr_keccak_lanes *l, unsigned lane)
{
    return l->padded >> lane & 1;
}

/* The two widths apart, so that the compiler sees constant offsets. */
#define MOVE_WORDS(l, move)                                                                        \
    do {                                                                                           \
        if ((l)->width == 8) {                                                                     \
            _Pragma("GCC unroll 25") for (unsigned i = 0; i < MR_KECCAK_WORDS; i++) move(8);       \
        } else {                                                                                   \
            _Pragma("GCC unroll 25") for (unsigned i = 0; i < MR_KECCAK_WORDS; i++) move(4);       \
        }                                                                                          \
    } while (0)

void mr_keccak_lanes_load(struct mr_keccak_lanes *l, unsigned lane, const struct mr_keccak *k)
{
    uint64_t *a = l->a + lane;

#define IN(width) a[i * (width)] = k->a[i]
    MOVE_WORDS(l, IN);
#undef IN
    l->off[lane] = k->off;
    l->padded &= ~(1u << lane);
}

void mr_keccak_lanes_store(const struct mr_keccak_lanes *l, unsigned lane, struct mr_keccak *k)
{
    const uint64_t *a = l->a + lane;

#define OUT(width) k->a[i] = a[i * (width)]
    MOVE_WORDS(l, OUT);
#undef OUT
    k->off = l->off[lane];
    xor_padding(k->a, 0, k->off, is_padded(l, lane));
}

void mr_keccak_lanes_clear(struct mr_keccak_lanes *l, unsigned lane)
{
    for (unsigned i = 0; i < MR_KECCAK_WORDS; i++)
        l->a[(i << l->shift) + lane] = 0;
    l->off[lane] = 0;
    l->padded &= ~(1u << lane);
}

/* What stands in the words behind a shift to the left by r bits, 0 <= r < 64. */
static inline uint64_t carry(uint64_t v, unsigned r)
{
    return v >> 1 >> (63 - r);
}

/* Xors n bytes into a lane at an offset; they stay inside the block. */
static inline void xor_bytes(uint64_t *a, unsigned shift, uint32_t off, const uint8_t *p, size_t n)
{
    const uint32_t r = off % 8;
    const size_t step = (size_t)1 << shift, words = (r + n) / 8;

    a += (size_t)(off / 8) << shift;
    if (n < 8) {
        for (size_t i = 0; i < n; i++)
            a[(r + i) / 8 * step] ^= (uint64_t)p[i] << 8 * ((r + i) % 8);
        return;
    }
    *a ^= mr_load_le64(p) << 8 * r;
    for (size_t i = 1; i < words; i++)
        a[i * step] ^= mr_load_le64(p + 8 * i - r);
    a[words * step] ^= carry(mr_load_le64(p + n - 8), 8 * ((r + n) % 8));
}

/* Adds a part to a lane. */
static inline void add(struct mr_keccak_lanes *l, unsigned lane, const struct mr_keccak_part *part)
{
    uint64_t *a = l->a + lane;

    if (part->unpad < MR_KECCAK_RATE)
        xor_padding(a, l->shift, part->unpad, 1);
    if (part->n > 0)
        xor_bytes(a, l->shift, part->off, part->p, part->n);
    if (part->pad < MR_KECCAK_RATE)
        xor_padding(a, l->shift, part->pad, 1);
}

/* Takes what is left of a lane's work as far as no permutation is needed for its part, and files
 * the lane under what it waits for. unpad: as in a part. */
static inline void file(struct mr_keccak_lanes *l, unsigned lane, uint32_t unpad)
{
    const uint32_t off = l->off[lane];
    const size_t take = MR_MIN(l->n[lane], (size_t)(MR_KECCAK_RATE - off));
    const uint32_t end = off + (uint32_t)take;
    const uint32_t turn = end == MR_KECCAK_RATE, squeeze = l->digest >> lane & ~turn & 1;
    const struct mr_keccak_part part = {.p = l->p[lane],
                                        .off = off,
                                        .n = (uint32_t)take,
                                        .pad = squeeze ? end : MR_KECCAK_RATE,
                                        .unpad = unpad};

    l->p[lane] += take, l->n[lane] -= take, l->off[lane] = end;
    l->turn |= turn << lane;
    l->squeeze |= squeeze << lane, l->padded |= squeeze << lane;
    l->done |= (1 ^ turn ^ squeeze) << lane;
    if (l->together)
        l->part[lane] = part;
    if (!l->together || !(turn | squeeze))
        add(l, lane, &part);
}

/* Whether a lane can go through whole blocks. A last block goes as a part. */
static inline bool file_full(struct mr_keccak_lanes *l, unsigned lane)
{
    if (l->off[lane] > 0 || l->n[lane] < (size_t)2 * MR_KECCAK_RATE)
        return false;
    l->full |= 1u << lane;
    return true;
}

/* Files a lane behind a permutation. */
static inline void file_on(struct mr_keccak_lanes *l, unsigned lane)
{
    if (!file_full(l, lane))
        file(l, lane, MR_KECCAK_RATE);
}

void mr_keccak_lanes_absorb(struct mr_keccak_lanes *l, unsigned lane, const uint8_t *p, size_t n,
                            bool digest)
{
    const uint32_t bit = 1u << lane;
    const uint64_t padded = is_padded(l, lane);

    MR_VERIFY_THAT(lane < l->width);
    MR_VERIFY_THAT(!((l->full | l->turn | l->squeeze | l->done) & bit));
    l->p[lane] = p ? p : l->pair[lane], l->n[lane] = n;
    l->digest = digest ? l->digest | bit : l->digest & ~bit;
    l->padded &= ~bit;
    if (file_full(l, lane))
        xor_padding(l->a + lane, l->shift, 0, padded);
    else
        file(l, lane, padded ? l->off[lane] : MR_KECCAK_RATE);
}

void mr_keccak_lanes_absorb_pair(struct mr_keccak_lanes *l, unsigned lane, uint64_t lo, uint64_t hi)
{
    const uint32_t off = l->off[lane], r = 8 * (off % 8), bit = 1u << lane;
    const size_t step = (size_t)1 << l->shift;
    const uint64_t padded = is_padded(l, lane);
    uint64_t *a = l->a + lane + ((size_t)(off / 8) << l->shift);

    if (l->together || off + 16 >= MR_KECCAK_RATE) {
        mr_store_le64(l->pair[lane], lo), mr_store_le64(l->pair[lane] + 8, hi);
        mr_keccak_lanes_absorb(l, lane, l->pair[lane], 16, true);
        return;
    }
    MR_VERIFY_THAT(!((l->full | l->turn | l->squeeze | l->done) & bit));
    a[0] ^= lo << r ^ padded << r; /* the padding moves with the end */
    a[step] ^= hi << r ^ carry(lo, r);
    a[2 * step] ^= carry(hi, r) ^ (uint64_t)1 << r;
    l->a[((size_t)16 << l->shift) + lane] ^= (padded ^ 1) << 63;
    l->off[lane] = off + 16;
    l->n[lane] = 0;
    l->digest |= bit, l->padded |= bit, l->squeeze |= bit;
}

/* Of a mask of lanes. (Without -mpopcnt the built-in one is a call.) */
static inline unsigned count_lanes(uint32_t mask)
{
    static const uint8_t bits[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};

    return (unsigned)bits[mask & 15] + bits[mask >> 4];
}

static inline void count(struct mr_keccak_lanes *l, unsigned width, size_t permutations)
{
    const enum mr_keccak_width w = width == 8   ? MR_KECCAK_W8
                                   : width == 4 ? MR_KECCAK_W4
                                                : MR_KECCAK_W1;

    if (!l->stats)
        return;
    l->stats->permutations[w] += permutations;
    l->stats->lanes[w] += permutations * count_lanes(l->full | l->turn | l->squeeze);
}

/* The states of the few lanes that are busy, for code that is narrower and faster. */
struct few {
    _Alignas(32) uint64_t a[4 * MR_KECCAK_WORDS];
    _Alignas(32) uint64_t out[4 * 4];
    unsigned busy, width, lane[4];
};

static inline bool is_few(const struct mr_keccak_lanes *l, uint32_t busy)
{
    return count_lanes(busy) <= (l->width == 8 ? 4 : 1);
}

/* False if they are not few. */
static bool few_take(const struct mr_keccak_lanes *l, struct few *f)
{
    const uint32_t mask = l->full | l->turn | l->squeeze;
    uint32_t m = mask;

    if (!is_few(l, mask))
        return false;
    f->busy = count_lanes(mask);
    f->width = f->busy == 1 ? 1 : 4;
    for (unsigned i = 0; i < f->width; i++, m &= m - 1) {
        f->lane[i] = (unsigned)__builtin_ctz(m ? m : mask); /* some lane, where there is none */
        for (unsigned w = 0; w < MR_KECCAK_WORDS; w++)
            f->a[w * f->width + i] = l->a[(w << l->shift) + f->lane[i]];
    }
    return true;
}

static void few_put(struct mr_keccak_lanes *l, struct few *f)
{
    for (unsigned i = 0; i < f->busy; i++)
        for (unsigned w = 0; w < MR_KECCAK_WORDS; w++)
            l->a[(w << l->shift) + f->lane[i]] = f->a[w * f->width + i];
    mr_wipe(f->a, sizeof f->a);
}

/* As squeeze, for few lanes. */
static void few_squeeze(struct mr_keccak_lanes *l, struct few *f)
{
    uint32_t keep = 0;

    for (unsigned i = 0; i < f->busy; i++)
        keep |= (l->squeeze >> f->lane[i] & 1) << i;
    if (f->width == 4) {
        l->variant->squeeze4(f->a, f->out, keep);
    } else {
        uint64_t a[MR_KECCAK_WORDS];

        memcpy(a, f->a, sizeof a);
        l->variant->permute(a);
        memcpy(f->out, a, 4 * sizeof a[0]);
        if (!keep)
            memcpy(f->a, a, sizeof a);
    }
    for (unsigned i = 0; i < f->busy; i++)
        for (unsigned w = 0; w < 4; w++)
            l->out[(w << l->shift) + f->lane[i]] = f->out[w * f->width + i];
}

static void absorb_blocks(struct mr_keccak_lanes *l, const uint8_t *const *src, size_t blocks)
{
    const uint8_t *few_src[4];
    struct few f;

    if (blocks > 1 && few_take(l, &f)) {
        for (unsigned i = 0; i < f.width; i++)
            few_src[i] = src[f.lane[i]];
        if (f.width == 1)
            mr_keccak_absorb1(f.a, few_src[0], blocks);
        else
            l->variant->absorb4(f.a, few_src, blocks);
        few_put(l, &f);
        count(l, f.width, blocks);
    } else {
        if (l->width == 8)
            l->variant->absorb8(l->a, src, blocks);
        else
            l->variant->absorb4(l->a, src, blocks);
        count(l, l->width, blocks);
    }
}

/* Adds the parts of the lanes in busy, for which that was left until all are known. */
static void add_parts(struct mr_keccak_lanes *l, uint32_t busy)
{
    static const struct mr_keccak_part nothing = {
        .p = (const uint8_t *)"", .pad = MR_KECCAK_RATE, .unpad = MR_KECCAK_RATE};

    if (!l->together || is_few(l, busy)) {
        for (uint32_t m = l->together ? busy : l->full; m; m &= m - 1)
            add(l, (unsigned)__builtin_ctz(m), &l->part[__builtin_ctz(m)]);
        return;
    }
    for (uint32_t m = ~busy & 0xff; m; m &= m - 1)
        l->part[__builtin_ctz(m)] = nothing;
    l->variant->add8(l->a, l->part);
}

static void permute(struct mr_keccak_lanes *l)
{
    struct few f;

    add_parts(l, l->full | l->turn | l->squeeze);
    if (few_take(l, &f)) {
        few_squeeze(l, &f);
        few_put(l, &f);
        count(l, f.width, 1);
    } else {
        if (l->width == 8)
            l->variant->squeeze8(l->a, l->out, l->squeeze);
        else
            l->variant->squeeze4(l->a, l->out, l->squeeze);
        count(l, l->width, 1);
    }
}

/* All busy lanes have whole blocks: as many permutations as the shortest has. */
static void run_full(struct mr_keccak_lanes *l)
{
    const uint8_t *src[MR_KECCAK_LANES_MAX];
    const uint8_t *any = l->p[__builtin_ctz(l->full)];
    const uint32_t full = l->full;
    size_t blocks = SIZE_MAX;

    for (unsigned i = 0; i < l->width; i++) {
        src[i] = any; /* an idle lane absorbs anything: it is loaded anew */
        if (full >> i & 1) {
            src[i] = l->p[i];
            blocks = MR_MIN(blocks, l->n[i] / MR_KECCAK_RATE);
        }
    }
    absorb_blocks(l, src, blocks);
    l->full = 0;
    for (uint32_t m = full; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        l->p[i] += blocks * MR_KECCAK_RATE, l->n[i] -= blocks * MR_KECCAK_RATE;
        file_on(l, i);
    }
}

/* Lanes wait for different things: one permutation. */
static void run_mixed(struct mr_keccak_lanes *l)
{
    uint32_t turn;

    for (uint32_t m = l->full; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        l->part[i] = (struct mr_keccak_part){
            .p = l->p[i], .n = MR_KECCAK_RATE, .pad = MR_KECCAK_RATE, .unpad = MR_KECCAK_RATE};
        l->p[i] += MR_KECCAK_RATE, l->n[i] -= MR_KECCAK_RATE;
    }
    permute(l);
    turn = l->full | l->turn;
    l->done |= l->squeeze;
    l->full = l->turn = l->squeeze = 0;
    for (uint32_t m = turn; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        l->off[i] = 0;
        file_on(l, i);
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
