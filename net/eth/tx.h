/* tx.h: one transaction of type 0 to 4 as a view into the bytes that it came in: decoding, its
 * hash, its sender. Thread: any. Nothing is copied or allocated; the spans live as long as the
 * input. */
#pragma once
#include "core/rlp.h"
#include "net/eth/blob.h"

struct mr_secp;

enum mr_tx_type {
    MR_TX_LEGACY = 0,
    MR_TX_ACCESS_LIST = 1, /* EIP-2930 */
    MR_TX_DYNAMIC_FEE = 2, /* EIP-1559 */
    MR_TX_BLOB = 3,        /* EIP-4844 */
    MR_TX_SET_CODE = 4,    /* EIP-7702 */
    MR_TX_TYPES
};

struct mr_tx {
    /* The transaction as delivered: a legacy list, or type || payload without the string's prefix.
     */
    struct mr_span raw;
    struct mr_span list;   /* the list of the signed transaction, prefix included */
    struct mr_span fields; /* its elements in front of the signature */
    uint8_t type;          /* enum mr_tx_type */
    bool unprotected;      /* legacy without a chain id (before EIP-155) */
    bool chain_id_huge;    /* does not fit chain_id: no network's */
    bool v_known;          /* y_parity is 0 or 1; false: a v that no rule knows */
    bool creation;         /* no recipient */
    uint8_t y_parity;
    uint64_t chain_id, nonce, gas;
    struct mr_u256 tip;          /* max_priority_fee_per_gas, or the gas price of types 0 and 1 */
    struct mr_u256 fee_cap;      /* max_fee_per_gas, or the gas price */
    struct mr_u256 blob_fee_cap; /* type 3 */
    struct mr_u256 value, r, s;
    struct mr_address to; /* zero for a creation */
    struct mr_span data;
    struct mr_span access_list;    /* the list's payload */
    struct mr_items blob_hashes;   /* type 3 */
    struct mr_span authorizations; /* type 4: the list's payload */
    uint32_t access_addresses, access_keys, authorizations_count;
    struct mr_sidecar sidecar;
};

/* Reads one element of Transactions or PooledTransactions: a legacy list, or a byte string type ||
 * payload; for a blob transaction the payload may be the network form. Canonical throughout.
 * MR_SHORT and MR_MALFORMED: not such an element; MR_UNSUPPORTED: of an unknown type; MR_TOO_BIG: a
 * number beyond what its field can hold. */
MR_MUST_USE enum mr_err mr_tx_decode_item(struct mr_reader *in, struct mr_tx *out);
/* The same for bytes that hold one transaction and nothing else: consensus form, or network form of
 * a blob transaction. */
MR_MUST_USE enum mr_err mr_tx_decode_raw(struct mr_tx *out, const void *raw, size_t n);

/* The bytes whose keccak-256 is the hash, as one or two spans (returns how many): the consensus
 * form, also where the network form was delivered. */
size_t mr_tx_hash_input(const struct mr_tx *tx, struct mr_span out[2]);
void mr_tx_hash(const struct mr_tx *tx, struct mr_hash *out);
/* What the sender signed. False where no chain id can be rebuilt (v_known false, chain_id_huge). */
MR_MUST_USE bool mr_tx_signing_hash(const struct mr_tx *tx, struct mr_hash *out);
/* Recovers who signed; about 50 us. False if the signature leads to no key. High s is accepted
 * here: mr_tx_check refuses it. */
MR_MUST_USE bool mr_tx_sender(const struct mr_tx *tx, struct mr_address *out,
                              const struct mr_secp *secp);

/* Sizes in bytes as peers announce them: type byte and payload, without a string's prefix. */
size_t mr_tx_size_consensus(const struct mr_tx *tx);
/* With blobs, as eth/68 to eth/71 announce a blob transaction; the same as above for one without a
 * sidecar and for other types. */
size_t mr_tx_size_network(const struct mr_tx *tx);
/* The form of eth/72: sidecar with an empty list of blobs. */
size_t mr_tx_size_elided(const struct mr_tx *tx);
/* Writes the form of eth/72 as an element of PooledTransactions (any other transaction as it is).
 */
MR_MUST_USE enum mr_err mr_tx_put_elided(struct mr_writer *w, const struct mr_tx *tx);
/* Writes the transaction as delivered, as an element of Transactions or PooledTransactions. */
MR_MUST_USE enum mr_err mr_tx_put_item(struct mr_writer *w, const struct mr_tx *tx);
