/* senders.h: what the relay remembers of accounts: how fast each one sends, and the fees of the
 * newest transaction of a nonce. Bounded: sets of eight, the one longest unused leaves first, which
 * at worst forgives. Thread: its shard. Memory: allocated at init. */
#pragma once
#include "core/base.h"
#include "core/random.h"
#include "shards/options.h"

struct mr_sender_fees {
    uint64_t fee_cap, tip, blob_fee_cap; /* wei, saturating */
};

enum mr_sender_verdict {
    MR_SENDER_OK,
    MR_SENDER_FAST,             /* over its rate: doubtful */
    MR_SENDER_REPLACEMENT_LOW,  /* same nonce, not enough more fee */
    MR_SENDER_REPLACEMENT_FAST, /* same nonce too often */
};

struct mr_senders {
    struct sender_rate *rates;
    struct sender_nonce *nonces;
    uint32_t sets_mask;
    uint64_t key[2];
    const struct mr_relay_options *o;
};

/* entries: a power of two >= 64, for each of both tables. False without memory. */
bool mr_senders_init(struct mr_senders *t, const struct mr_relay_options *o, uint32_t entries,
                     struct mr_random *random);
void mr_senders_fini(struct mr_senders *t);
/* Judges a transaction of sender and nonce, and notes it unless it is a refused replacement. tx:
 * eight bytes of its hash, since none replaces itself: one that was noted and dropped later, for a
 * bad sidecar or as doubtful, may come again. */
enum mr_sender_verdict mr_senders_judge(struct mr_senders *t, const struct mr_address *sender,
                                        uint64_t nonce, uint64_t tx,
                                        const struct mr_sender_fees *fees, bool blob,
                                        uint64_t now_ns);
uint64_t mr_fee_of(const struct mr_u256 *v); /* saturates at 2^64 - 1 */
