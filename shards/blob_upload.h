/* blob_upload.h: how much leaves in blob transactions. One budget of bytes a second pays for the
 * answer that each announcement promises, when it is made, and for answers that nothing promised. A
 * promise that is not called in lapses, or those of hours could be called in at once.
 *
 *   level  6 units  full
 *          5 units  answers that were not promised leave this much
 *          4 units  announcements whose turn has come leave this much
 *          0        announcements of what is fresh may take it all
 *
 * A unit is a second of the rate, or the largest transaction if that is more, so that each rank
 * finds room for one. Four units are what mainnet's largest transaction takes, told at once to the
 * square root of a thousand peers at the default rate.
 * In any W seconds, promises and unpromised answers stay within rate * W + 6 units, and answers
 * within rate * (W + 8) + 6 units: the 8 s are those that a promise may stand.
 * Thread: its shard. Memory: the caller's. */
#pragma once
#include "core/bucket.h"
#include "core/clock.h"

/* A promise stands so long, and at most twice as long. */
#define MR_BLOB_PROMISE_NS (4 * MR_SECOND)
#define MR_BLOB_UNITS      6

/* Who may take from the budget, and the units that it leaves. */
enum mr_blob_rank { MR_BLOB_FRESH = 0, MR_BLOB_IN_TURN = 4, MR_BLOB_UNPROMISED = 5 };

struct mr_blob_upload {
    struct mr_bucket bucket;
    uint64_t unit;
};

/* To one peer: bytes announced and not asked for yet, in this period and in the one before. */
struct mr_blob_promise {
    uint64_t period, bytes, before;
};

/* A rate of 0: nothing leaves. */
void mr_blob_upload_init(struct mr_blob_upload *u, uint64_t rate_per_s, uint64_t now_ns);
/* Promises bytes to a peer, which the budget pays now; false: it has too little for this rank. */
MR_MUST_USE bool mr_blob_upload_promise(struct mr_blob_upload *u, struct mr_blob_promise *p,
                                        enum mr_blob_rank rank, uint64_t bytes, uint64_t now_ns);
/* When a promise of this rank would succeed, at the earliest; UINT64_MAX: never. */
uint64_t mr_blob_upload_ready_at(const struct mr_blob_upload *u, enum mr_blob_rank rank,
                                 uint64_t bytes);
/* Whether a peer may have an answer of so many bytes: what was promised, and what there is. */
bool mr_blob_upload_allows(const struct mr_blob_upload *u, const struct mr_blob_promise *p,
                           uint64_t bytes, uint64_t now_ns);
/* It gets that answer. */
void mr_blob_upload_answer(struct mr_blob_upload *u, struct mr_blob_promise *p, uint64_t bytes,
                           uint64_t now_ns);
