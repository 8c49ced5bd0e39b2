/* status.h: the first message of an eth session, in its two forms: eth/68 with total difficulty and
 * best hash, eth/69 and later with the range of blocks held (EIP-7642). Thread: any. */
#pragma once
#include "core/rlp.h"
#include "net/eth/fork_id.h"

#define MR_ETH_STATUS_MAX 192 /* bytes of the longest encoding */

struct mr_eth_status {
    uint64_t version;
    uint64_t network_id;
    struct mr_hash genesis;
    struct mr_fork_id fork_id;
    /* eth/68 only: total difficulty of the block latest_hash. */
    struct mr_u256 total_difficulty;
    /* eth/69 and later only: numbers of the oldest and newest full block held. */
    uint64_t earliest, latest;
    struct mr_hash latest_hash; /* best hash in eth/68 */
};

/* Reads a whole message in the form of the version agreed on; fields of the other form become zero.
 * MR_INVALID: it names another version, earliest > latest, or latest_hash is zero; MR_SHORT,
 * MR_MALFORMED or MR_TOO_BIG: the encoding is broken. Whether network, genesis and fork id are ours
 * is the caller's to compare. */
MR_MUST_USE enum mr_err mr_eth_status_decode(struct mr_eth_status *out, unsigned version,
                                             struct mr_span message);
/* Writes the form of s->version; MR_FULL without room (MR_ETH_STATUS_MAX always suffices). */
MR_MUST_USE enum mr_err mr_eth_status_encode(struct mr_writer *w, const struct mr_eth_status *s);
