/* keccak.h: Keccak-256 as Ethereum uses it: rate 136 bytes, 24 rounds, the original padding 0x01
 * (not NIST's SHA3). Thread: any; mr_keccak_select is called once, before threads start. Memory:
 * plain values, copied by assignment. */
#pragma once
#include "core/base.h"

#define MR_KECCAK_RATE  136
#define MR_KECCAK_WORDS 25

/* A sponge in mid-stream. Invariant: off < MR_KECCAK_RATE. */
struct mr_keccak {
    uint64_t a[MR_KECCAK_WORDS];
    uint32_t off; /* bytes absorbed since the last permutation */
};

/* How many permutations ran, by the width of the code that ran them, and how many of their lanes
 * carried work. One writer; the caller owns it. Index: MR_KECCAK_W1 and so on. */
enum mr_keccak_width { MR_KECCAK_W1, MR_KECCAK_W4, MR_KECCAK_W8, MR_KECCAK_WIDTHS };
struct mr_keccak_stats {
    uint64_t permutations[MR_KECCAK_WIDTHS];
    uint64_t lanes[MR_KECCAK_WIDTHS];
};

/* Chooses the widest code that this CPU has, or the one that the environment's MR_KECCAK names
 * (plain, avx2, avx512), if the CPU has it. Returns the name of what was chosen. Before the first
 * call everything runs as "plain". */
const char *mr_keccak_select(void);
/* Chooses by name; false (and no change) if there is none such or the CPU lacks it. */
bool mr_keccak_use(const char *name);
/* Lanes of the widest code chosen: 1, 4 or 8. */
unsigned mr_keccak_lanes_max(void);

void mr_keccak_init(struct mr_keccak *k);
void mr_keccak_update(struct mr_keccak *k, const void *p, size_t n);
/* The digest of what was absorbed so far; k itself goes on (as RLPx's running MACs need). */
void mr_keccak_digest(const struct mr_keccak *k, uint8_t out[32]);

void mr_keccak256(struct mr_hash *out, const void *p, size_t n);
/* out[i] = Keccak-256 of in[i], for n inputs of any lengths, side by side in the widest lanes. */
void mr_keccak256_many(struct mr_hash *out, const struct mr_span *in, size_t n);
/* The same, counting into stats (may be NULL). */
void mr_keccak256_many_counted(struct mr_hash *out, const struct mr_span *in, size_t n,
                               struct mr_keccak_stats *stats);
