/* helper_chain.h: chains of headers for tests of the head: as the rules demand, unless a test
 * changes a field. Thread: one. Memory: the caller's. */
#pragma once
#include "net/eth/header.h"
#include "net/eth/request.h"

#define CHAIN_FIRST  UINT64_C(25000000) /* number of a chain's first block */
#define CHAIN_TIME   UINT64_C(1780000000)
#define CHAIN_SLOT_S 12

struct chain_block {
    uint64_t number, time, gas_limit, gas_used, base_fee;
    bool has_base_fee;
    struct mr_hash parent, hash;
    uint8_t salt; /* tells branches apart */
    uint8_t rlp[700];
    size_t n;
};

/* n blocks with the fields of London; half full, so that the fee stays. The first of them is
 * CHAIN_FIRST at CHAIN_TIME. */
void chain_make(struct chain_block *chain, unsigned n, uint8_t salt);
/* The same from chain[from] on, which follows chain[from - 1]: a branch of a copy, say. */
void chain_grow(struct chain_block *chain, unsigned from, unsigned n, uint8_t salt);
/* Writes RLP and hash anew after fields were changed; blocks above it do not follow it any more. */
void chain_seal(struct chain_block *b);
/* The headers that a node with the blocks up to chain[newest] answers, one behind the other. */
void chain_answer(const struct chain_block *chain, unsigned newest,
                  const struct mr_get_block_headers *q, struct mr_writer *out);
