/* kzg.h: proofs of blobs, checked by c-kzg-4844. Thread: one at a time for each mr_kzg (it holds
 * scratch memory); 5 to 140 ms a call: the service thread only. */
#pragma once
#include "core/base.h"

struct mr_kzg;

enum mr_kzg_result {
    MR_KZG_VALID,
    MR_KZG_INVALID, /* proof wrong, or an input that is no field element or no curve point: whoever
                       sent it is at fault */
    MR_KZG_FAILED,  /* out of memory or an error inside the library: ours */
};

/* Items of one size, the i-th at first + i * stride. */
struct mr_kzg_items {
    const uint8_t *first;
    size_t stride;
};

#define MR_KZG_BLOBS_MAX 32

/* Whether this build can check proofs at all. */
bool mr_kzg_available(void);
/* Loads the trusted setup that the build carries: 2.5 s, 3.4 MB. NULL if it cannot be loaded, or if
 * the build is without c-kzg. */
struct mr_kzg *mr_kzg_load(void);
void mr_kzg_free(struct mr_kzg *k);

/* n <= MR_KZG_BLOBS_MAX blobs with a commitment and a proof each (EIP-4844): 4 to 5 ms a blob. */
enum mr_kzg_result mr_kzg_verify_blobs(struct mr_kzg *k, size_t n, struct mr_kzg_items blobs,
                                       struct mr_kzg_items commitments, struct mr_kzg_items proofs);
/* n blobs with a commitment and 128 cell proofs each, blob-major (EIP-7594): 30 to 140 ms. */
enum mr_kzg_result mr_kzg_verify_cells(struct mr_kzg *k, size_t n, struct mr_kzg_items blobs,
                                       struct mr_kzg_items commitments, struct mr_kzg_items proofs);
/* For tests and load: what belongs to a blob. proofs: 1 (v0) or 128 (v1) of 48 bytes. */
enum mr_kzg_result mr_kzg_prove_blob(struct mr_kzg *k, uint8_t commitment[48], uint8_t *proofs,
                                     bool cells, const uint8_t *blob);
