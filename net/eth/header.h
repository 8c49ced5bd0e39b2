/* header.h: a block's header of any fork as a view into its RLP. Thread: any. Headers are never
 * written from fields: what is passed on are the bytes that came, since the hash is theirs. */
#pragma once
#include "core/rlp.h"

#define MR_HEADER_FIELDS_MIN 15
/* The newest that is known here is the 23rd (Amsterdam); what stands behind it is passed over. */
#define MR_HEADER_FIELDS_MAX 32
/* Bytes of a header, prefix included: the known fields take 900, clique's extra data the rest. */
#define MR_HEADER_MAX 16384
/* Extra data on a network without clique (yellow paper 4.4.4). */
#define MR_HEADER_EXTRA_MAX 32

struct mr_header {
    struct mr_span raw;  /* the whole RLP item */
    struct mr_hash hash; /* keccak-256 of raw */
    struct mr_hash parent_hash, ommers_hash;
    struct mr_address coinbase;
    struct mr_hash state_root, transactions_root, receipts_root;
    const uint8_t *bloom; /* 256 bytes */
    struct mr_u256 difficulty;
    uint64_t number, gas_limit, gas_used, time;
    struct mr_span extra;
    struct mr_hash mix;
    uint8_t nonce[8];
    unsigned fields;         /* elements in the list; the following are set as far as it reaches */
    struct mr_u256 base_fee; /* 16: London, EIP-1559 */
    struct mr_hash withdrawals_root;         /* 17: Shanghai, EIP-4895 */
    uint64_t blob_gas_used, excess_blob_gas; /* 18, 19: Cancun, EIP-4844 */
    struct mr_hash parent_beacon_root;       /* 20: EIP-4788 */
    struct mr_hash requests_hash;            /* 21: Prague, EIP-7685 */
    struct mr_hash access_list_hash;         /* 22: Amsterdam, EIP-7928 */
    uint64_t slot_number;                    /* 23: Amsterdam, EIP-7843 */
};
enum {
    MR_HEADER_HAS_BASE_FEE = 16,
    MR_HEADER_HAS_WITHDRAWALS = 17,
    MR_HEADER_HAS_BLOB_GAS = 19,
    MR_HEADER_HAS_BEACON_ROOT = 20,
    MR_HEADER_HAS_REQUESTS = 21,
    MR_HEADER_HAS_ACCESS_LIST = 22,
    MR_HEADER_HAS_SLOT = 23,
};

/* Reads one header; r then stands behind it. Borrows. Numbers over 64 bits (over 256 where the
 * field says so) and more than MR_HEADER_FIELDS_MAX fields are MR_TOO_BIG. */
MR_MUST_USE enum mr_err mr_header_read(struct mr_reader *r, struct mr_header *out);
/* The same for bytes that hold one header and nothing else. */
MR_MUST_USE enum mr_err mr_header_decode(struct mr_header *out, struct mr_span raw);

/* What a header tells without its parent: gas used <= gas limit, extra data within extra_max,
 * a difficulty below 2^80, base fee within 64 bits, and with it a gas limit that the rule of
 * EIP-1559 can work on. MR_INVALID. */
MR_MUST_USE enum mr_err mr_header_check(const struct mr_header *h, size_t extra_max);
/* What it tells with its parent, on any network of Ethereum's rules: the hash, number + 1, a later
 * time, a gas limit within 1/1024 of the parent's and of 5,000 at least, and from London on, as the
 * fields tell, the base fee that EIP-1559 demands. MR_INVALID. */
MR_MUST_USE enum mr_err mr_header_check_child(const struct mr_header *h,
                                              const struct mr_header *parent);
/* The base fee of the block after h (EIP-1559). False if h has none, or one that mr_header_check
 * refuses. */
bool mr_header_next_base_fee(const struct mr_header *h, uint64_t *wei);
