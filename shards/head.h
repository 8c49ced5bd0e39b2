/* head.h: the newest 256 headers, linked by hash, followed from several peers: 2 of 3 of different
 * /16 agree, a trusted peer alone is enough (design.md section 6, design-evidence items 1, 2).
 * Feeds Status, BlockRangeUpdate, GetBlockHeaders answers, base fee, gas limit, forks by number.
 * Pure: tells which requests to send; is told what came. Thread: its shard. Memory: at init. */
#pragma once
#include "core/base.h"
#include "core/endpoint.h"
#include "net/eth/fork_id.h"
#include "net/eth/header.h"
#include "net/eth/network.h"
#include "net/eth/request.h"
#include "net/eth/status.h"
#include "shards/options.h"

#define MR_HEAD_WINDOW     256
#define MR_HEAD_HEADER_MAX 1024 /* bytes of one header's RLP that is kept */

struct mr_head; /* opaque */

/* What a peer's Status or BlockRangeUpdate claims. */
struct mr_head_claim {
    uint64_t number; /* 0 when unknown (eth/68) */
    struct mr_hash hash;
};

struct mr_head *mr_head_new(const struct mr_relay_options *o, const struct mr_network *network,
                            uint32_t slots);
void mr_head_free(struct mr_head *h);
void mr_head_peer_add(struct mr_head *h, uint32_t slot, struct mr_endpoint remote, bool trusted,
                      const struct mr_head_claim *claim, uint64_t now_ns);
void mr_head_peer_claim(struct mr_head *h, uint32_t slot, const struct mr_head_claim *claim);
void mr_head_peer_remove(struct mr_head *h, uint32_t slot);
/* The next request to send to a peer now: true with slot and query filled (request ids are ours to
 * give). Call until false, once a turn. */
bool mr_head_next_request(struct mr_head *h, uint32_t *slot, uint64_t *request_id,
                          struct mr_get_block_headers *query, uint64_t now_ns);
/* A BlockHeaders answer: headers is the list's body. MR_OK; MR_AGAIN late or unknown but harmless
 * (asked before); MR_INVALID: never asked, or headers that do not link or were not asked for. */
enum mr_err mr_head_answer(struct mr_head *h, uint32_t slot, uint64_t request_id,
                           struct mr_reader headers, uint64_t now_ns);
/* A header that another shard's peers agreed on. */
void mr_head_adopt(struct mr_head *h, struct mr_span header_rlp, uint64_t now_ns);
/* The newest header if it changed since the last call (to be published to other shards). */
bool mr_head_changed(struct mr_head *h, struct mr_span *header_rlp);
uint64_t mr_head_next_ns(const struct mr_head *h);

bool mr_head_known(const struct mr_head *h);
uint64_t mr_head_number(const struct mr_head *h);
uint64_t mr_head_time(const struct mr_head *h);
const struct mr_header *mr_head_header(const struct mr_head *h); /* NULL without a head */
/* Fills a Status of the version with our claim: earliest = latest = head; without a head 0, 0,
 * genesis hash; on eth/68 the network's total difficulty. */
void mr_head_status(const struct mr_head *h, struct mr_eth_status *out, unsigned version,
                    uint64_t wall_s);
/* Answers a query from the window (the genesis header included): writes the headers one behind the
 * other, without a list's prefix, at most 1,024 and at most limit bytes. An unknown origin gives
 * none. */
enum mr_err mr_head_serve(const struct mr_head *h, const struct mr_get_block_headers *query,
                          size_t limit, struct mr_writer *out);
