/* message_block.h: what answers about whole blocks are made of: bodies, withdrawals, receipts,
 * logs. A relay asks for none of them yet; tools show them, and a message that is checked is
 * checked to its last field. Thread: any. Views only. */
#pragma once
#include "core/rlp.h"

/* Topics of a log (LOG4). */
#define MR_LOG_TOPICS_MAX 4

struct mr_block_body {
    struct mr_reader transactions, ommers, withdrawals; /* not walked */
    bool has_withdrawals;                               /* from Shanghai on (EIP-4895) */
};
MR_MUST_USE enum mr_err mr_block_body_read(struct mr_reader *r, struct mr_block_body *out);

struct mr_withdrawal {
    uint64_t index, validator, amount_gwei;
    struct mr_address address;
};
MR_MUST_USE enum mr_err mr_withdrawal_read(struct mr_reader *r, struct mr_withdrawal *out);

/* eth/68: [status, gas, bloom, logs], behind its type in a byte string unless it is legacy;
 * eth/69 and later: [type, status, gas, logs] (EIP-7642). */
struct mr_receipt {
    uint8_t type;
    struct mr_span
        status; /* empty for failure, 01 for success, or the state root before Byzantium */
    uint64_t cumulative_gas;
    const uint8_t *bloom;  /* 256 bytes; NULL from eth/69 on */
    struct mr_reader logs; /* walked: mr_log_read succeeds for each */
};
MR_MUST_USE enum mr_err mr_receipt_read(struct mr_reader *r, struct mr_receipt *out,
                                        unsigned version);

struct mr_log {
    struct mr_address address;
    struct mr_hash topics[MR_LOG_TOPICS_MAX];
    unsigned topics_count;
    struct mr_span data;
};
MR_MUST_USE enum mr_err mr_log_read(struct mr_reader *r, struct mr_log *out);
