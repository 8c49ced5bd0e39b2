#include "crypto/kzg.h"

#ifdef MR_HAVE_KZG

#include <stdio.h>
#include <stdlib.h>

#include <ckzg.h>

/* The text of trusted_setup.txt, put into the binary by cmake/ckzg.cmake. */
extern const unsigned char mr_trusted_setup[];
extern const size_t mr_trusted_setup_size;

_Static_assert(BYTES_PER_BLOB == 131072, "EIP-4844");
_Static_assert(CELLS_PER_EXT_BLOB == 128, "EIP-7594");
_Static_assert(sizeof(Bytes48) == 48, "plain bytes");
_Static_assert(sizeof(Blob) == BYTES_PER_BLOB, "plain bytes");

#define CELLS_MAX ((size_t)MR_KZG_BLOBS_MAX * CELLS_PER_EXT_BLOB)

struct mr_kzg {
    KZGSettings settings;
    /* One job's inputs side by side, as the library wants them. Sizes for MR_KZG_BLOBS_MAX blobs;
     * the pages of a job that never comes are never touched. */
    Blob *blobs;            /* 4 MiB */
    Bytes48 *commitments;   /* one a cell: 192 KiB */
    Bytes48 *proofs;        /* one a cell: 192 KiB */
    uint64_t *cell_indices; /* 32 KiB */
    Cell *cells;            /* 8 MiB */
    bool loaded;
};

bool mr_kzg_available(void)
{
    return true;
}

void mr_kzg_free(struct mr_kzg *k)
{
    if (!k)
        return;
    if (k->loaded)
        free_trusted_setup(&k->settings);
    free(k->blobs);
    free(k->commitments);
    free(k->proofs);
    free(k->cell_indices);
    free(k->cells);
    free(k);
}

struct mr_kzg *mr_kzg_load(void)
{
    struct mr_kzg *k = calloc(1, sizeof *k);
    FILE *f = NULL;

    if (!k)
        return NULL;
    k->blobs = malloc(MR_KZG_BLOBS_MAX * sizeof *k->blobs);
    k->commitments = malloc(CELLS_MAX * sizeof *k->commitments);
    k->proofs = malloc(CELLS_MAX * sizeof *k->proofs);
    k->cell_indices = malloc(CELLS_MAX * sizeof *k->cell_indices);
    k->cells = malloc(CELLS_MAX * sizeof *k->cells);
    if (!k->blobs || !k->commitments || !k->proofs || !k->cell_indices || !k->cells)
        goto fail;
    /* fmemopen reads only; its argument lacks a const. Precomputation 0: it only helps proving. */
    f = fmemopen((void *)(uintptr_t)mr_trusted_setup, mr_trusted_setup_size, "r");
    if (!f || load_trusted_setup_file(&k->settings, f, 0) != C_KZG_OK)
        goto fail;
    k->loaded = true;
    fclose(f);
    return k;
fail:
    if (f)
        fclose(f);
    mr_kzg_free(k);
    return NULL;
}

/* The library says BADARGS also of proofs and field elements that are none: the peer's fault. What
 * is ours is only what it reports as its own error or as lack of memory. */
static enum mr_kzg_result result(C_KZG_RET rc, bool ok)
{
    if (rc == C_KZG_OK)
        return ok ? MR_KZG_VALID : MR_KZG_INVALID;
    return rc == C_KZG_BADARGS ? MR_KZG_INVALID : MR_KZG_FAILED;
}

static void gather(void *out, struct mr_kzg_items items, size_t size, size_t n)
{
    for (size_t i = 0; i < n; i++)
        memcpy((uint8_t *)out + i * size, items.first + i * items.stride, size);
}

enum mr_kzg_result mr_kzg_verify_blobs(struct mr_kzg *k, size_t n, struct mr_kzg_items blobs,
                                       struct mr_kzg_items commitments, struct mr_kzg_items proofs)
{
    bool ok = false;
    C_KZG_RET rc;

    MR_ASSERT(n <= MR_KZG_BLOBS_MAX);
    gather(k->blobs, blobs, sizeof *k->blobs, n);
    gather(k->commitments, commitments, sizeof *k->commitments, n);
    gather(k->proofs, proofs, sizeof *k->proofs, n);
    rc = verify_blob_kzg_proof_batch(&ok, k->blobs, k->commitments, k->proofs, n, &k->settings);
    return result(rc, ok);
}

enum mr_kzg_result mr_kzg_verify_cells(struct mr_kzg *k, size_t n, struct mr_kzg_items blobs,
                                       struct mr_kzg_items commitments, struct mr_kzg_items proofs)
{
    bool ok = false;
    C_KZG_RET rc;

    MR_ASSERT(n <= MR_KZG_BLOBS_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t first = i * CELLS_PER_EXT_BLOB;

        gather(k->blobs, (struct mr_kzg_items){blobs.first + i * blobs.stride, 0}, sizeof *k->blobs,
               1);
        rc = compute_cells_and_kzg_proofs(k->cells + first, NULL, k->blobs, &k->settings);
        if (rc != C_KZG_OK)
            return result(rc, false);
        for (size_t j = 0; j < CELLS_PER_EXT_BLOB; j++) {
            memcpy(&k->commitments[first + j], commitments.first + i * commitments.stride,
                   sizeof *k->commitments);
            k->cell_indices[first + j] = j;
        }
    }
    gather(k->proofs, proofs, sizeof *k->proofs, n * CELLS_PER_EXT_BLOB);
    rc = verify_cell_kzg_proof_batch(&ok, k->commitments, k->cell_indices, k->cells, k->proofs,
                                     n * CELLS_PER_EXT_BLOB, &k->settings);
    return result(rc, ok);
}

enum mr_kzg_result mr_kzg_prove_blob(struct mr_kzg *k, uint8_t commitment[48], uint8_t *proofs,
                                     bool cells, const uint8_t *blob)
{
    size_t n = cells ? CELLS_PER_EXT_BLOB : 1;
    C_KZG_RET rc;

    memcpy(k->blobs, blob, sizeof *k->blobs);
    rc = blob_to_kzg_commitment(k->commitments, k->blobs, &k->settings);
    if (rc != C_KZG_OK)
        return result(rc, false);
    if (cells)
        rc = compute_cells_and_kzg_proofs(NULL, k->proofs, k->blobs, &k->settings);
    else
        rc = compute_blob_kzg_proof(k->proofs, k->blobs, k->commitments, &k->settings);
    if (rc != C_KZG_OK)
        return result(rc, false);
    memcpy(commitment, k->commitments, sizeof *k->commitments);
    memcpy(proofs, k->proofs, n * sizeof *k->proofs);
    return MR_KZG_VALID;
}

#else /* without c-kzg blob transactions are neither fetched nor served */

bool mr_kzg_available(void)
{
    return false;
}

struct mr_kzg *mr_kzg_load(void)
{
    return NULL;
}

void mr_kzg_free(struct mr_kzg *k)
{
    (void)k;
}

enum mr_kzg_result mr_kzg_verify_blobs(struct mr_kzg *k, size_t n, struct mr_kzg_items blobs,
                                       struct mr_kzg_items commitments, struct mr_kzg_items proofs)
{
    (void)k, (void)n, (void)blobs, (void)commitments, (void)proofs;
    return MR_KZG_FAILED;
}

enum mr_kzg_result mr_kzg_verify_cells(struct mr_kzg *k, size_t n, struct mr_kzg_items blobs,
                                       struct mr_kzg_items commitments, struct mr_kzg_items proofs)
{
    (void)k, (void)n, (void)blobs, (void)commitments, (void)proofs;
    return MR_KZG_FAILED;
}

enum mr_kzg_result mr_kzg_prove_blob(struct mr_kzg *k, uint8_t commitment[48], uint8_t *proofs,
                                     bool cells, const uint8_t *blob)
{
    (void)k, (void)commitment, (void)proofs, (void)cells, (void)blob;
    return MR_KZG_FAILED;
}

#endif
