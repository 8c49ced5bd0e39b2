/* version.h: versions of the eth protocol, and what each message id means in each of them: the one
 * table {version, id} -> name, kind, decoder, empty answer. Thread: any; the table is constant.
 * Source: devp2p caps/eth.md; EIP-7642 (69), EIP-7975 (70), EIP-8159 (71), EIP-8070 (72). */
#pragma once
#include "core/rlp.h"

/* eth/72 is coded and tested, but not advertised before cells are served. */
enum { MR_ETH_68 = 68, MR_ETH_69, MR_ETH_70, MR_ETH_71, MR_ETH_72 };
#define MR_ETH_VERSION_MIN        MR_ETH_68
#define MR_ETH_VERSION_ADVERTISED MR_ETH_71
#define MR_ETH_VERSION_MAX        MR_ETH_72

/* A payload longer than this ends the session (caps/eth.md; the same in all clients). */
#define MR_ETH_MESSAGE_MAX (10u << 20)
/* Answers stop growing here. */
#define MR_ETH_ANSWER_SOFT_MAX (2u << 20)

enum mr_eth_id {
    MR_ETH_STATUS = 0x00,
    MR_ETH_NEW_BLOCK_HASHES = 0x01, /* proof-of-work networks only */
    MR_ETH_TRANSACTIONS = 0x02,
    MR_ETH_GET_BLOCK_HEADERS = 0x03,
    MR_ETH_BLOCK_HEADERS = 0x04,
    MR_ETH_GET_BLOCK_BODIES = 0x05,
    MR_ETH_BLOCK_BODIES = 0x06,
    MR_ETH_NEW_BLOCK = 0x07, /* proof-of-work networks only */
    MR_ETH_NEW_POOLED_TRANSACTION_HASHES = 0x08,
    MR_ETH_GET_POOLED_TRANSACTIONS = 0x09,
    MR_ETH_POOLED_TRANSACTIONS = 0x0a,
    MR_ETH_GET_RECEIPTS = 0x0f,
    MR_ETH_RECEIPTS = 0x10,
    MR_ETH_BLOCK_RANGE_UPDATE = 0x11,     /* from eth/69 */
    MR_ETH_GET_BLOCK_ACCESS_LISTS = 0x12, /* from eth/71 */
    MR_ETH_BLOCK_ACCESS_LISTS = 0x13,
    MR_ETH_GET_CELLS = 0x14, /* from eth/72 */
    MR_ETH_CELLS = 0x15,
    MR_ETH_IDS_MAX = 22
};

enum mr_eth_kind {
    MR_ETH_HANDSHAKE,    /* Status: once, first */
    MR_ETH_NOTIFICATION, /* no answer is due */
    MR_ETH_REQUEST,      /* begins with a request id that the answer repeats */
    MR_ETH_RESPONSE,     /* refused unless its request id was asked for */
    MR_ETH_LEGACY_BLOCK, /* gossip of blocks on proof-of-work networks: counted and ignored */
};

/* Writes "I have none" to answer. */
typedef enum mr_err mr_eth_empty_function(struct mr_span request, struct mr_writer *answer);
/* Walks a whole message: MR_OK if every rule of the encoding holds. O(n) time, no memory. */
typedef enum mr_err mr_eth_check_function(unsigned version, struct mr_span message);

struct mr_eth_message {
    uint8_t id;
    uint8_t first, last; /* versions that have it in this form */
    uint8_t kind;        /* enum mr_eth_kind */
    uint8_t answer_id;   /* of a request */
    const char *name;    /* "GetBlockHeaders" */
    mr_eth_check_function *check;
    mr_eth_empty_function *empty; /* of a request; NULL otherwise */
};

static inline bool mr_eth_version_known(unsigned version)
{
    return version >= MR_ETH_VERSION_MIN && version <= MR_ETH_VERSION_MAX;
}

/* How many message ids the version occupies behind its offset: 17, 18, 18, 20, 22; 0 for a version
 * that we do not speak. */
unsigned mr_eth_version_length(unsigned version);

/* What the id means in that version, NULL if nothing: the session then ends with 0x02.
 * legacy_blocks: the network is proof of work, and ids 1 and 7 exist. 13 and 14 exist nowhere. */
const struct mr_eth_message *mr_eth_message_find(unsigned version, uint64_t id, bool legacy_blocks);

/* Reads a whole message by its entry's rules and keeps nothing: MR_OK, MR_NOT_FOUND for an unknown
 * id, MR_TOO_BIG over a limit, MR_MALFORMED or MR_SHORT for a broken encoding, MR_INVALID for a
 * broken rule. For tools and tests: a session calls the decoder it needs. */
MR_MUST_USE enum mr_err mr_eth_message_check(unsigned version, uint64_t id, bool legacy_blocks,
                                             struct mr_span message);

/* The answer of one who has nothing, in that version's form: an empty list, except receipts of
 * eth/70 and later [id, 0, []], access lists (0x80 for each hash asked, at most 1,024) and cells
 * [id, [], [], no bits]. *answer_id: the id it is sent under. The request is decoded whole first;
 * on an error (as mr_eth_message_check, or MR_FULL) nothing is written. MR_NOT_FOUND: no request.
 */
MR_MUST_USE enum mr_err mr_eth_empty_answer(unsigned version, uint64_t id, struct mr_span request,
                                            struct mr_writer *answer, uint64_t *answer_id);
