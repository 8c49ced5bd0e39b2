/* objects.h: transactions made from their parts, good ones and such as peers punish. Thread: the
 * test's. What is made is freed by sample_free. */
#pragma once
#include "crypto/kzg.h"
#include "net/eth/tx_build.h"
#include "tests/system/process.h"

/* Fields of a valid transaction of this type (blob hashes and authorizations are the caller's). */
void object_fields(struct mr_tx_fields *f, uint8_t type, uint64_t chain_id, uint64_t nonce);
/* Signed by the account named by number. */
void object_build(struct sample *out, const struct mr_tx_fields *f, uint64_t account);

/* The i-th element of the signed list, from its end if negative: */
enum object_edit {
    OBJECT_REPLACE, /* by these bytes, which stand in the list as they are */
    OBJECT_REMOVE,
    OBJECT_BEFORE, /* they are put in front of it */
};
/* Changes a transaction without blobs; its signature stays as it was. */
void object_edit(struct sample *s, enum object_edit how, int i, const void *rlp, size_t n);
/* An element that is a number, as 32 bytes or fewer. */
void object_number(const struct sample *s, int i, struct mr_u256 *out);
void object_replace_number(struct sample *s, int i, const struct mr_u256 *v);
/* Bytes behind the transaction's last. */
void object_append(struct sample *s, const void *p, size_t n);
/* order - v, for the other s of a signature (the order is secp256k1's). */
void object_order_less(struct mr_u256 *out, const struct mr_u256 *v);
extern const struct mr_u256 object_order;

/* ---- blobs ---- */

#define OBJECT_BLOBS 2
struct blobs {
    struct mr_kzg *kzg;
    uint8_t *blobs; /* OBJECT_BLOBS of 131,072 bytes, and so on */
    uint8_t commitments[OBJECT_BLOBS * 48], proofs[OBJECT_BLOBS * 48];
    uint8_t cell_proofs[OBJECT_BLOBS * 128 * 48];
    struct mr_hash hashes[OBJECT_BLOBS];
};
/* Loads the trusted setup (2.5 s) and proves blobs; false in a build that has no c-kzg. */
bool blobs_make(struct blobs *b);
void blobs_free(struct blobs *b);
/* A signed transaction with the first n blobs, without its sidecar. */
void blobs_build(struct sample *out, const struct blobs *b, size_t n, uint64_t chain_id,
                 uint64_t account, uint64_t nonce);
/* Its network form with that sidecar: spans as they are. */
void blobs_wrap(struct sample *out, const struct sample *bare, enum mr_wrapper wrapper,
                struct mr_span blobs, struct mr_span commitments, struct mr_span proofs);
/* With the right one for its first n blobs. */
void blobs_wrap_right(struct sample *out, const struct sample *bare, enum mr_wrapper wrapper,
                      const struct blobs *b, size_t n);
