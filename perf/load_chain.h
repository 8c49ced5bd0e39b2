/* load_chain.h: the chain that the load's peers claim to have: headers that link, one every 12 s
 * up to now, with a high gas limit and the lowest base fee. No state, no bodies.
 * Thread: the owner's. Memory: none but the struct itself. */
#pragma once
#include "net/eth/network.h"
#include "net/eth/request.h"
#include "net/eth/status.h"

#define MR_LOAD_CHAIN_HEADERS   1024 /* at most; the oldest are forgotten */
#define MR_LOAD_CHAIN_FIRST     64   /* there from the start */
#define MR_LOAD_CHAIN_SLOT_S    12
#define MR_LOAD_CHAIN_GAS_LIMIT 60000000
#define MR_LOAD_CHAIN_BASE_FEE  7 /* wei: stays there while blocks are empty (EIP-1559) */
#define MR_LOAD_HEADER_MAX      700

struct mr_load_header {
    struct mr_hash hash;
    uint64_t number, time;
    uint32_t size;
    uint8_t rlp[MR_LOAD_HEADER_MAX];
};

struct mr_load_chain {
    const struct mr_network *network;
    uint64_t count; /* made so far; header i is at i % MR_LOAD_CHAIN_HEADERS */
    struct mr_load_header headers[MR_LOAD_CHAIN_HEADERS];
};

/* A chain whose head is not older than a slot. Borrows network. */
void mr_load_chain_init(struct mr_load_chain *c, const struct mr_network *network, uint64_t wall_s);
/* Adds headers up to now. True if there is a new head. */
bool mr_load_chain_grow(struct mr_load_chain *c, uint64_t wall_s);
const struct mr_load_header *mr_load_chain_head(const struct mr_load_chain *c);
/* A Status that claims the head. */
void mr_load_chain_status(const struct mr_load_chain *c, struct mr_eth_status *out,
                          unsigned version, uint64_t wall_s);
/* Writes a whole BlockHeaders answer; what is not there is left out. MR_FULL on lack of room. */
MR_MUST_USE enum mr_err mr_load_chain_serve(const struct mr_load_chain *c, uint64_t request_id,
                                            const struct mr_get_block_headers *query,
                                            struct mr_writer *out);
