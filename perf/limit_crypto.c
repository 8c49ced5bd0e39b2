#include "perf/limit_crypto.h"

#include <stdlib.h>

#include "core/random.h"
#include "crypto/keccak_variant.h"
#include "net/rlpx/frame.h"

/* Encrypted and absorbed at a time, so that the absorbed bytes are found in the nearest cache. */
#define BITE_BLOCKS 16u
#define BITE        (BITE_BLOCKS * MR_KECCAK_RATE)
/* Around each block: a sponge's blocks begin before the frame's bytes, and end behind them. */
#define MARGIN 512u
/* From this size of a send on, fewer peers make a window. */
#define LARGE_BYTES 16384u

#define DIGESTS 3u /* of a frame: header MAC, body digest, frame MAC */
#define SEEDS   32u
#define LANES   8u

/* One group of peers at work. */
struct group {
    const struct mr_keccak_variant *variant;
    struct mr_limit_peer *peers;
    uint32_t n, width;
    uint64_t *state;
    uint8_t **out;
    const struct mr_aes256 *mac_key[LANES];
    _Alignas(64) uint64_t squeezed[4 * LANES];
    uint8_t seed[LANES][MR_AES_BLOCK];
};

static bool memory_new(struct mr_limit_crypto *c)
{
    const size_t lane_state = LANES * MR_KECCAK_WORDS * sizeof(uint64_t);
    const size_t groups = c->peers_count / mr_keccak_lanes_max() + 1;
    const size_t stride = (c->block_bytes + 2 * MARGIN + 63u) & ~(size_t)63;

    c->peers = aligned_alloc(64, (c->peers_count * sizeof *c->peers + 63u) & ~(size_t)63);
    c->states = aligned_alloc(64, groups * lane_state);
    c->plain = malloc((size_t)c->coalesce * c->text_bytes);
    c->memory = aligned_alloc(64, c->window * stride);
    if (!c->peers || !c->states || !c->plain || !c->memory)
        return false;
    memset(c->states, 1, groups * lane_state);
    memset(c->memory, 1, c->window * stride);
    for (uint32_t i = 0; i < c->window; i++)
        c->out[i] = c->memory + i * stride + MARGIN;
    return true;
}

bool mr_limit_crypto_init(struct mr_limit_crypto *c, uint32_t peers_count, uint32_t frame_bytes,
                          uint32_t coalesce)
{
    struct mr_random random;

    MR_ASSERT(peers_count > 0 && peers_count <= MR_LIMIT_PEERS_MAX);
    MR_ASSERT(coalesce > 0 && coalesce <= MR_LIMIT_COALESCE_MAX);
    memset(c, 0, sizeof *c);
    if (frame_bytes > MR_FRAME_SIZE_MAX ||
        (uint64_t)coalesce * MR_FRAME_WIRE_LEN(frame_bytes) > MR_LIMIT_BLOCK_MAX)
        return false;
    c->peers_count = peers_count, c->coalesce = coalesce;
    c->text_bytes = 16 + MR_FRAME_PADDED(frame_bytes);
    c->wire_bytes = MR_FRAME_WIRE_LEN(frame_bytes);
    c->block_bytes = coalesce * c->wire_bytes;
    c->window = c->block_bytes >= LARGE_BYTES ? MR_LIMIT_WINDOW_LARGE : MR_LIMIT_WINDOW_SMALL;
    if (!memory_new(c)) {
        mr_limit_crypto_fini(c);
        return false;
    }
    mr_random_init(&random, 1);
    mr_random_fill(&random, c->plain, (size_t)coalesce * c->text_bytes);
    for (uint32_t i = 0; i < peers_count; i++) {
        uint8_t key[32];

        memset(&c->peers[i], 0, sizeof c->peers[i]);
        mr_random_fill(&random, key, sizeof key);
        mr_aes256_init(&c->peers[i].aes, key);
        mr_random_fill(&random, key, sizeof key);
        mr_aes256_init(&c->peers[i].mac, key);
        c->peers[i].behind = (uint32_t)mr_random_below(&random, MR_KECCAK_RATE);
    }
    return true;
}

void mr_limit_crypto_fini(struct mr_limit_crypto *c)
{
    free(c->peers);
    free(c->states);
    free(c->plain);
    free(c->memory);
    memset(c, 0, sizeof *c);
}

static void encrypt(struct group *g, size_t at, const uint8_t *plain, size_t n)
{
    for (uint32_t i = 0; i < g->n; i++)
        mr_aes_ctr_xor(&g->peers[i].aes, &g->peers[i].ctr, g->out[i] + at, plain, n);
}

static void absorb(struct group *g, size_t at, size_t blocks)
{
    const uint8_t *src[LANES] = {NULL};

    for (uint32_t i = 0; i < g->width; i++) {
        uint32_t lane = i < g->n ? i : 0;

        src[i] = g->out[lane] + at - g->peers[lane].behind;
    }
    if (g->width == 8)
        g->variant->absorb8(g->state, src, blocks);
    else if (g->width == 4)
        g->variant->absorb4(g->state, src, blocks);
    else
        mr_keccak_absorb1(g->state, src[0], blocks);
}

/* One permutation of all lanes for a digest, of which 16 bytes go to every peer's block at `at`. */
static void digest(struct group *g, size_t at)
{
    if (g->width == 8) {
        g->variant->squeeze8(g->state, g->squeezed, 0xff);
    } else if (g->width == 4) {
        g->variant->squeeze4(g->state, g->squeezed, 0xf);
    } else {
        g->variant->permute(g->state);
        memcpy(g->squeezed, g->state, 16);
    }
    for (uint32_t i = 0; i < g->n; i++) {
        mr_store_le64(g->out[i] + at, g->squeezed[i]);
        mr_store_le64(g->out[i] + at + 8, g->squeezed[g->width + i]);
    }
}

/* The AES block of every lane's next seed, out of the digest that stands at `at`. */
static void seed(struct group *g, size_t at)
{
    for (uint32_t i = 0; i < g->n; i++)
        memcpy(g->seed[i], g->out[i] + at, MR_AES_BLOCK);
    mr_aes256_block_each(g->mac_key, g->seed, g->n);
}

/* How many permutations of all lanes are due for one more frame of n peers: over time exactly what
 * their sponges need, also where n is fewer than there are lanes. */
static size_t permutations_due(struct mr_limit_crypto *c, const struct group *g)
{
    const uint32_t padded = c->text_bytes - 16;
    const uint64_t each = (uint64_t)MR_KECCAK_RATE * g->width;
    size_t due;

    c->owed += (uint64_t)(SEEDS + padded + DIGESTS * MR_KECCAK_RATE) * g->n;
    due = c->owed / each;
    c->owed -= due * each;
    c->lanes += due * g->width;
    return due;
}

static inline __attribute__((always_inline)) void
frame_of(struct mr_limit_crypto *c, struct group *g, uint32_t k, const unsigned parts)
{
    const uint8_t *plain = c->plain + (size_t)k * c->text_bytes;
    const size_t header = (size_t)k * c->wire_bytes, text = header + 16;
    const size_t mac = header + c->wire_bytes - 16;
    size_t due = parts & MR_LIMIT_KECCAK ? permutations_due(c, g) : 0;
    const bool digests = due >= DIGESTS; /* but for the odd peers of the last group */
    size_t blocks = digests ? due - DIGESTS : due;

    for (size_t at = 0; at < c->text_bytes; at += BITE) {
        const size_t left = c->text_bytes - at;

        if (parts & MR_LIMIT_AES)
            encrypt(g, text + at, plain + at, MR_MIN(left, BITE));
        if (parts & MR_LIMIT_AES && at == 0)
            for (uint32_t i = 0; i < g->n; i++)
                memcpy(g->out[i] + header, g->out[i] + text, 16);
        if (at == 0 && digests)
            digest(g, text);
        if (parts & MR_LIMIT_KECCAK && blocks > 0) {
            size_t take = left <= BITE ? blocks : MR_MIN(blocks, (size_t)BITE_BLOCKS);

            absorb(g, text + at, take);
            blocks -= take;
        }
    }
    if (digests) {
        digest(g, mac); /* the body's */
        seed(g, mac);
        digest(g, mac);
        seed(g, mac); /* for the next header */
    }
}

static inline __attribute__((always_inline)) void
window_of(struct mr_limit_crypto *c, uint32_t first, uint32_t n, const unsigned parts)
{
    const uint32_t width = MR_MAX(mr_keccak_lanes_max(), 1u);
    struct group g = {.variant = mr_keccak_variant(), .width = width};

    for (uint32_t at = 0; at < n; at += width) {
        const uint32_t peer = first + at;

        g.peers = &c->peers[peer], g.n = MR_MIN(width, n - at);
        g.state = c->states + (size_t)(peer / width) * MR_KECCAK_WORDS * width;
        g.out = &c->out[at];
        for (uint32_t i = 0; i < g.n; i++)
            g.mac_key[i] = &g.peers[i].mac;
        for (uint32_t k = 0; k < c->coalesce; k++)
            frame_of(c, &g, k, parts);
    }
}

uint32_t mr_limit_crypto_window(struct mr_limit_crypto *c, uint32_t first, unsigned parts)
{
    const uint32_t n = MR_MIN(c->window, c->peers_count - first);

    if (parts == MR_LIMIT_AES)
        window_of(c, first, n, MR_LIMIT_AES);
    else if (parts == MR_LIMIT_KECCAK)
        window_of(c, first, n, MR_LIMIT_KECCAK);
    else
        window_of(c, first, n, MR_LIMIT_AES | MR_LIMIT_KECCAK);
    return n;
}
