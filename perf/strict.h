/* strict.h: a peer that forgives nothing: what it is sent is judged by the rules for which geth
 * (and where it says so another client) disconnects. Says which rule, or none; sends and closes
 * nothing. Thread: the owner's. Memory: sized at open; one mr_strict serves any number of peers.
 *
 *   each message:  mr_strict_open   -> items (transactions, announcements) without their hashes
 *                  mr_strict_hash   -> hashes of the items of many messages, side by side
 *                  mr_strict_judge  -> the verdict, and each transaction's number in the table
 *   or all three:  mr_strict_check
 *
 * Stricter than one geth in one thing: the announcements that all peers get are compared with each
 * other and with the transaction, fetched by this peer or not. */
#pragma once
#include "core/base.h"
#include "crypto/kzg.h"
#include "crypto/secp.h"
#include "net/eth/network.h"
#include "net/eth/tx_check.h"

/* X(name, who punishes it, sentence). Lines of geth and the others: protocol.md, attacks.md. */
#define MR_STRICT_RULE_MAP(X)                                                                      \
    X(NONE, "nobody", "nothing to punish")                                                         \
    X(TRANSPORT, "geth", "frame, MAC or compression is broken")                                    \
    X(UNKNOWN_ID, "geth", "message id means nothing in this version")                              \
    X(MESSAGE_TOO_BIG, "geth", "message over 10 MiB")                                              \
    X(MALFORMED, "geth", "message is not decodable")                                               \
    X(STATUS_MISSING, "geth", "message before Status")                                             \
    X(STATUS_LATE, "geth", "no Status within 5 s")                                                 \
    X(STATUS_TWICE, "geth", "second Status")                                                       \
    X(STATUS_INVALID, "geth", "Status of another version, or with a range that cannot be")         \
    X(STATUS_OTHER_CHAIN, "geth", "network, genesis or fork id differ")                            \
    X(TRANSACTIONS_MANY, "geth", "over 5,000 items in Transactions")                               \
    X(TRANSACTION_TWICE, "geth", "one transaction twice in a message")                             \
    X(TRANSACTION_INVALID, "Nethermind", "transaction breaks a rule that needs no state")          \
    X(BLOB_BROADCAST, "geth", "blob transaction in Transactions")                                  \
    X(BLOB_BARE, "geth", "blob transaction without its blobs")                                     \
    X(BLOB_FORM, "geth", "sidecar of a form that fork or version do not have")                     \
    X(BLOB_COMMITMENT, "geth", "blobs, commitments and hashes do not fit together")                \
    X(BLOB_PROOF, "geth", "blob proof is wrong")                                                   \
    X(ANNOUNCE_SHAPE, "geth", "announcement's types, sizes and hashes differ in number")           \
    X(ANNOUNCED_TYPE, "geth", "transaction is not of the type announced")                          \
    X(ANNOUNCED_SIZE, "geth", "transaction differs by over 8 bytes from the size announced")       \
    X(UNREQUESTED, "geth", "response that nobody asked for")                                       \
    X(RESPONSE_MANY, "geth", "more items in a response than were asked for")                       \
    X(RANGE, "geth", "block range with earliest above latest, or without hash")                    \
    X(SILENT, "geth", "nothing heard for 30 s")                                                    \
    X(STALLED, "geth", "did not read for 20 s")

enum mr_strict_rule {
#define MR_STRICT_RULE_ENUM(name, who, text) MR_STRICT_##name,
    MR_STRICT_RULE_MAP(MR_STRICT_RULE_ENUM)
#undef MR_STRICT_RULE_ENUM
        MR_STRICT_RULES
};
const char *mr_strict_rule_name(enum mr_strict_rule r); /* "TRANSACTION_TWICE" */
const char *mr_strict_rule_who(enum mr_strict_rule r);
const char *mr_strict_rule_text(enum mr_strict_rule r);

#define MR_STRICT_STATUS_MS      5000
#define MR_STRICT_SILENT_MS      30000
#define MR_STRICT_STALLED_MS     20000
#define MR_STRICT_SIZE_TOLERANCE 8

struct mr_strict_options {
    const struct mr_network *network;
    uint64_t wall_s;           /* which fork's rules hold */
    struct mr_secp *secp;      /* NULL: signatures are not recovered */
    struct mr_kzg *kzg;        /* NULL: proofs are not verified */
    uint32_t transactions_max; /* hashes remembered, 1 to 2^26; further ones are only counted */
    uint64_t key[2];           /* of the table */
};
struct mr_strict; /* opaque */

/* NULL when memory is short. Options and what they point to are borrowed. */
struct mr_strict *mr_strict_open_table(const struct mr_strict_options *o);
void mr_strict_close_table(struct mr_strict *s);

/* A transaction known to be good, as the caller made it: its number, counted from 0 in order of
 * these calls, if they all come first. size: as eth/68 to eth/71 announce it. MR_EXISTS, MR_FULL.
 */
MR_MUST_USE enum mr_err mr_strict_vouch(struct mr_strict *s, uint32_t *number,
                                        const struct mr_hash *hash, uint8_t type, uint32_t size);

#define MR_STRICT_ASKED_MAX 8
struct mr_strict_peer {
    uint64_t begun_ms, heard_ms;
    uint16_t version;
    bool has_status;
    struct mr_strict_asked {
        uint64_t request_id;
        uint16_t items; /* at most */
        uint8_t answer_id;
        bool open;
    } asked[MR_STRICT_ASKED_MAX];
    uint32_t faults;     /* messages that would have ended the session */
    uint8_t first_fault; /* enum mr_strict_rule */
};
void mr_strict_peer_init(struct mr_strict_peer *p, unsigned version, uint64_t now_ms);
/* A request is sent: its answer may come once. False: too many are open. */
MR_MUST_USE bool mr_strict_asked(struct mr_strict_peer *p, uint8_t answer_id, uint64_t request_id,
                                 uint16_t items);
/* Bytes of any kind were received. */
static inline void mr_strict_heard(struct mr_strict_peer *p, uint64_t now_ms)
{
    p->heard_ms = now_ms;
}
/* What time alone breaks: SILENT, STATUS_LATE, or NONE. write_since_ms: since when what we sent has
 * not been taken at all, 0 if nothing waits (STALLED). Counted like a message's fault. */
enum mr_strict_rule mr_strict_time(struct mr_strict *s, struct mr_strict_peer *p, uint64_t now_ms,
                                   uint64_t write_since_ms);
/* Faults that others found: TRANSPORT. */
void mr_strict_fault(struct mr_strict *s, struct mr_strict_peer *p, enum mr_strict_rule rule);

#define MR_STRICT_NO_NUMBER UINT32_MAX
struct mr_strict_item {
    struct mr_span raw; /* transaction as delivered; empty for an announcement */
    struct mr_hash hash;
    uint32_t number; /* judged: in the table, or MR_STRICT_NO_NUMBER when that is full */
    uint32_t size;   /* in bytes, as announced or delivered */
    uint8_t type;
    bool hashed;
};
/* Items of one message at most, and of a caller's array that takes any message. */
#define MR_STRICT_ITEMS_MAX 5000

struct mr_strict_message {
    struct mr_strict_peer *peer;
    struct mr_strict_item *items;
    uint32_t items_count;
    uint8_t id;
    uint8_t fault;       /* enum mr_strict_rule; final after mr_strict_judge */
    uint64_t request_id; /* of requests and responses */
    struct mr_span payload;
};

/* Reads a message of the eth protocol (id inside the capability, payload inflated and borrowed).
 * items: room for MR_STRICT_ITEMS_MAX. */
void mr_strict_open(struct mr_strict_message *out, struct mr_strict *s, struct mr_strict_peer *p,
                    uint64_t id, struct mr_span payload, struct mr_strict_item *items,
                    uint64_t now_ms);
/* Fills the hashes of n items, wherever they come from. */
void mr_strict_hash(struct mr_strict *s, struct mr_strict_item *items, size_t n);
/* Counts and returns m->fault. */
enum mr_strict_rule mr_strict_judge(struct mr_strict *s, struct mr_strict_message *m);
/* All of it at once, for callers who want the verdict only. */
enum mr_strict_rule mr_strict_check(struct mr_strict *s, struct mr_strict_peer *p, uint64_t id,
                                    struct mr_span payload, uint64_t now_ms);

/* Faults so far, all peers together: [enum mr_strict_rule], [0] unused. */
const uint64_t *mr_strict_faults(const struct mr_strict *s);
uint64_t mr_strict_faults_sum(const struct mr_strict *s);
/* Hashes that the table had no room for: judged by their message only. */
uint64_t mr_strict_unremembered(const struct mr_strict *s);
