/* blob_service.h: a thread that checks the proofs of blob transactions (29 to 142 ms each), so that
 * no shard waits for them. It loads the trusted setup after start (2.5 s), tells the shards that it
 * is ready, and then answers their MR_MAIL_BLOB with MR_MAIL_VERDICT, strictly in the order in
 * which they come. In a build without c-kzg it never becomes ready, and says so once.
 *
 * Thread: made, started and stopped by one thread; works at nice 19 in its own. The only thing that
 * it holds of others is a buffer for the time of its check.
 * Memory: what c-kzg takes (3.4 MB). */
#pragma once
#include "core/metrics.h"
#include "crypto/kzg.h"
#include "shards/mailbox.h"
#include "shards/wake.h"

#define MR_BLOB_METRICS(X)                                                                         \
    X(proof_ok, "blob transactions whose proofs held")                                             \
    X(proof_bad, "blob transactions with a wrong proof")                                           \
    X(proof_error, "blob transactions that could not be checked: out of memory")                   \
    X(proof_blobs, "blobs checked")                                                                \
    X(proof_busy_ns, "time spent on checks")                                                       \
    X(proof_max_ns, "longest check", PEAK)                                                         \
    X(proof_ready, "1 when the shards know that the trusted setup is loaded", GAUGE)
MR_METRICS_DECLARE(mr_blob_metrics, MR_BLOB_METRICS)

struct mr_blob_service_setup {
    struct mr_mesh *mesh;
    const struct mr_wake_table *wake; /* read from READY on */
    struct mr_kzg *(*load)(void);     /* NULL: mr_kzg_load */
};

struct mr_blob_service;

/* NULL: one sentence in why. */
MR_MUST_USE struct mr_blob_service *mr_blob_service_new(const struct mr_blob_service_setup *setup,
                                                        char *why, size_t why_cap);
/* What the shards wake it by: mr_mesh_service's entry in the table. */
int mr_blob_service_event_fd(const struct mr_blob_service *s);
/* False: no thread could be made (errno). */
MR_MUST_USE bool mr_blob_service_start(struct mr_blob_service *s);
/* Ends it and frees it; also one that was never started. A check in progress is waited for (at most
 * 150 ms, six blobs in the older form); a load in progress is not: that thread is let go, touches
 * nothing but its own memory any more, and ends by itself or with the process. Either way mesh,
 * table and buffers are the caller's alone afterwards; what is still in its mailbox stays there. */
void mr_blob_service_stop(struct mr_blob_service *s);
/* Any thread, until stop. */
const struct mr_blob_metrics *mr_blob_service_metrics(const struct mr_blob_service *s);

/* The check by itself: item is one element of PooledTransactions, as it came. */
enum mr_blob_verdict mr_blob_check(struct mr_kzg *kzg, struct mr_span item, uint32_t *blobs);
