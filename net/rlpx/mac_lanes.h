/* mac_lanes.h: the MACs of several directions in Keccak lanes, with their AES blocks computed
 * together: what seal.c and unseal.c share. Private to net/rlpx. Memory: on the caller's stack,
 * for one call; it borrows the sessions. */
#pragma once
#include "crypto/keccak_lanes.h"
#include "net/rlpx/mac.h"

struct mr_mac_lanes {
    struct mr_keccak_lanes keccak;
    uint32_t idle, busy; /* masks of lanes */
    struct mr_rlpx_direction *d[MR_KECCAK_LANES_MAX];
    const struct mr_aes256 *key[MR_KECCAK_LANES_MAX];
    uint64_t lo[MR_KECCAK_LANES_MAX], hi[MR_KECCAK_LANES_MAX]; /* a seed before its AES block */
    /* Seeds that wait for their AES block: E(digest). */
    unsigned count;
    uint8_t lane[MR_KECCAK_LANES_MAX];
    const struct mr_aes256 *block_key[MR_KECCAK_LANES_MAX];
    uint8_t block[MR_KECCAK_LANES_MAX][16];
};

/* As mr_keccak_lanes_init: false if one at a time is best. */
static inline bool mr_mac_lanes_init(struct mr_mac_lanes *l, size_t jobs,
                                     struct mr_keccak_stats *stats)
{
    if (!mr_keccak_lanes_init(&l->keccak, jobs, stats))
        return false;
    l->idle = (1u << l->keccak.width) - 1, l->busy = 0;
    l->count = 0;
    return true;
}

/* Puts a direction's MAC into an idle lane. key: the MAC's. */
static inline unsigned mr_mac_lanes_enter(struct mr_mac_lanes *l, struct mr_rlpx_direction *d,
                                          const struct mr_aes256 *key)
{
    unsigned i = (unsigned)__builtin_ctz(l->idle);

    l->idle &= ~(1u << i), l->busy |= 1u << i;
    l->d[i] = d, l->key[i] = key;
    mr_keccak_lanes_load(&l->keccak, i, &d->mac);
    return i;
}

static inline void mr_mac_lanes_leave(struct mr_mac_lanes *l, unsigned i)
{
    mr_keccak_lanes_store(&l->keccak, i, &l->d[i]->mac);
    l->idle |= 1u << i, l->busy &= ~(1u << i);
}

/* Takes the digest that lane i has computed into its session, and to out if that is not NULL. (By
 * words: a wider load right behind two narrow stores would have to wait for them.) */
static inline void mr_mac_lanes_digest(struct mr_mac_lanes *l, unsigned i, uint8_t *out)
{
    const uint64_t lo = mr_keccak_lanes_word(&l->keccak, i, 0);
    const uint64_t hi = mr_keccak_lanes_word(&l->keccak, i, 1);

    mr_store_le64(l->d[i]->digest, lo), mr_store_le64(l->d[i]->digest + 8, hi);
    if (out)
        mr_store_le64(out, lo), mr_store_le64(out + 8, hi);
}

/* Lane i is to absorb E(its digest) ^ x and to compute the new digest. */
static inline void mr_mac_lanes_seed(struct mr_mac_lanes *l, unsigned i, const uint8_t x[16])
{
    unsigned n = l->count++;

    mr_store_le64(l->block[n], mr_load_le64(l->d[i]->digest));
    mr_store_le64(l->block[n] + 8, mr_load_le64(l->d[i]->digest + 8));
    l->lo[i] = mr_load_le64(x), l->hi[i] = mr_load_le64(x + 8);
    l->block_key[n] = l->key[i];
    l->lane[n] = (uint8_t)i;
}

/* Computes the blocks of the seeds asked for, and sets their lanes to work. */
static inline void mr_mac_lanes_absorb_seeds(struct mr_mac_lanes *l)
{
    mr_aes256_block_each(l->block_key, l->block, l->count);
    for (unsigned n = 0; n < l->count; n++) {
        unsigned i = l->lane[n];

        mr_keccak_lanes_absorb_pair(&l->keccak, i, l->lo[i] ^ mr_load_le64(l->block[n]),
                                    l->hi[i] ^ mr_load_le64(l->block[n] + 8));
    }
    l->count = 0;
}
