/* limit_crypto.h: the least that the crypto of RLPx frames can cost: the AES and the permutations
 * that the same frames need in net/rlpx/seal.c, in groups of as many peers as there are lanes, with
 * nothing to decide on the way. What it writes has the sizes of frames and no receiver would take
 * it. Counted and done: AES-256-CTR over header and padded body under every peer's own key; two
 * AES blocks a frame for MAC seeds; three permutations for the digests (the header's first digest
 * is the last frame's MAC), and one for every 136 bytes of seeds and ciphertext, which are absorbed
 * from every peer's own place in its stream. Left out: what schedules, and the parts of blocks.
 * Thread: the caller's. Memory: its own, from init to fini. */
#pragma once
#include "crypto/aes.h"

#define MR_LIMIT_PEERS_MAX    16384
#define MR_LIMIT_COALESCE_MAX 256
#define MR_LIMIT_BLOCK_MAX    (16u << 20) /* bytes of one send */
/* Peers whose output exists at a time, so that it stays in the second-level cache. */
#define MR_LIMIT_WINDOW_SMALL 64
#define MR_LIMIT_WINDOW_LARGE 8

enum mr_limit_part { MR_LIMIT_AES = 1, MR_LIMIT_KECCAK = 2 };

struct mr_limit_peer {
    struct mr_aes256 aes, mac;
    struct mr_aes_ctr ctr;
    uint32_t behind; /* bytes that its sponge's blocks begin before those of the frame */
};

struct mr_limit_crypto {
    uint32_t peers_count, coalesce;
    uint32_t text_bytes;  /* header and padded body: what is encrypted */
    uint32_t wire_bytes;  /* of a frame */
    uint32_t block_bytes; /* of a send: coalesce frames */
    uint32_t window;
    struct mr_limit_peer *peers;
    uint64_t *states; /* a lane state for every group of peers */
    uint64_t owed;    /* bytes of all lanes that await a permutation */
    uint64_t lanes;   /* permutations done, in lanes that peers filled */
    uint8_t *plain;   /* coalesce times text_bytes */
    uint8_t *memory;
    uint8_t *out[MR_LIMIT_WINDOW_SMALL]; /* block_bytes each */
};

/* frame_bytes: of frame data. False: out of memory, or a send above MR_LIMIT_BLOCK_MAX. */
MR_MUST_USE bool mr_limit_crypto_init(struct mr_limit_crypto *c, uint32_t peers_count,
                                      uint32_t frame_bytes, uint32_t coalesce);
void mr_limit_crypto_fini(struct mr_limit_crypto *c);

/* Makes the blocks of peers first, first + 1, ... into c->out[0], ...; returns how many: c->window,
 * or what is left. parts: a mask of enum mr_limit_part. */
uint32_t mr_limit_crypto_window(struct mr_limit_crypto *c, uint32_t first, unsigned parts);
