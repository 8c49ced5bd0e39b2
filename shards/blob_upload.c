#include "shards/blob_upload.h"

#include "net/eth/tx_check.h"

void mr_blob_upload_init(struct mr_blob_upload *u, uint64_t rate_per_s, uint64_t now_ns)
{
    u->unit = rate_per_s ? MR_MAX(rate_per_s, (uint64_t)MR_TX_BLOB_SIZE_MAX) : 0;
    mr_bucket_init(&u->bucket, rate_per_s, MR_BLOB_UNITS * u->unit, now_ns);
}

uint64_t mr_blob_upload_ready_at(const struct mr_blob_upload *u, enum mr_blob_rank rank,
                                 uint64_t bytes)
{
    return mr_bucket_ready_at(&u->bucket, (uint64_t)rank * u->unit + bytes);
}

/* Forgets what has lapsed by now. */
static void lapse(struct mr_blob_promise *p, uint64_t now_ns)
{
    uint64_t period = now_ns / MR_BLOB_PROMISE_NS;

    if (period == p->period)
        return;
    p->before = period == p->period + 1 ? p->bytes : 0;
    p->bytes = 0;
    p->period = period;
}

bool mr_blob_upload_promise(struct mr_blob_upload *u, struct mr_blob_promise *p,
                            enum mr_blob_rank rank, uint64_t bytes, uint64_t now_ns)
{
    if (mr_blob_upload_ready_at(u, rank, bytes) > now_ns)
        return false;
    mr_bucket_force(&u->bucket, bytes, now_ns);
    lapse(p, now_ns);
    p->bytes += bytes;
    return true;
}

bool mr_blob_upload_allows(const struct mr_blob_upload *u, const struct mr_blob_promise *p,
                           uint64_t bytes, uint64_t now_ns)
{
    struct mr_blob_promise open = *p;

    lapse(&open, now_ns);
    return bytes <= open.bytes + open.before ||
           mr_blob_upload_ready_at(u, MR_BLOB_UNPROMISED, bytes - open.bytes - open.before) <=
               now_ns;
}

void mr_blob_upload_answer(struct mr_blob_upload *u, struct mr_blob_promise *p, uint64_t bytes,
                           uint64_t now_ns)
{
    uint64_t old, new;

    lapse(p, now_ns);
    old = MR_MIN(bytes, p->before);
    new = MR_MIN(bytes - old, p->bytes);
    p->before -= old;
    p->bytes -= new;
    if (bytes > old + new)
        mr_bucket_force(&u->bucket, bytes - old - new, now_ns);
}
