/* fork_id.h: which forks a chain has passed, as four bytes and the next one: EIP-2124, with
 * time-based forks of EIP-6122. Thread: any. */
#pragma once
#include "core/rlp.h"
#include "net/eth/network.h"

struct mr_fork_id {
    uint32_t hash; /* CRC-32; big-endian on the wire */
    uint64_t next; /* block number or unix seconds; 0: none known */
};

/* X(name, sentence) */
#define MR_FORK_CHECK_MAP(X)                                                                       \
    X(COMPATIBLE, "compatible")                                                                    \
    X(REMOTE_STALE, "remote needs update")                                                         \
    X(LOCAL_INCOMPATIBLE, "chains incompatible or local needs update")

enum mr_fork_check {
#define MR_FORK_CHECK_ENUM(name, text) MR_FORK_##name,
    MR_FORK_CHECK_MAP(MR_FORK_CHECK_ENUM)
#undef MR_FORK_CHECK_ENUM
};

const char *mr_fork_check_text(enum mr_fork_check c);

/* The id of a chain whose head is at; see mr_network_point. */
struct mr_fork_id mr_fork_id_at(const struct mr_network *net, struct mr_chain_point at);

/* Whether a remote with this id can be on our chain (EIP-2124, validation rules 1 to 4). A next
 * above the time of mainnet's genesis is compared with time as well as with the number. */
enum mr_fork_check mr_fork_id_check(const struct mr_network *net, struct mr_chain_point at,
                                    const struct mr_fork_id *remote);

/* The list [hash: B_4, next: P] of Status and of the "eth" entry of node records. */
MR_MUST_USE enum mr_err mr_fork_id_put(struct mr_writer *w, const struct mr_fork_id *id);
/* Elements behind the two are ignored, as EIP-2124 foresees for the record entry, if extra_ok. */
MR_MUST_USE enum mr_err mr_fork_id_read(struct mr_reader *r, struct mr_fork_id *out, bool extra_ok);
