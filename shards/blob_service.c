#include "shards/blob_service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "net/eth/tx.h"
#include "shards/txmeta.h"

MR_METRICS_DEFINE(mr_blob_metrics, MR_BLOB_METRICS)

#define NICE                                                                                       \
    19 /* shards go first; not SCHED_IDLE, under which a busy machine would never check            \
        */

enum state { LOADING, WORKING, ALONE };

struct mr_blob_service {
    struct mr_blob_service_setup setup;
    struct mr_kzg *kzg;
    int event;
    unsigned self;
    bool started;
    _Atomic bool stop;
    /* Who frees: the state may go from LOADING to WORKING (by the thread) or to ALONE (by stop). */
    pthread_mutex_t lock;
    enum state state;
    pthread_t thread;
    struct mr_blob_metrics metrics;
};

static void release(struct mr_blob_service *s)
{
    mr_kzg_free(s->kzg);
    pthread_mutex_destroy(&s->lock);
    close(s->event);
    free(s);
}

/* ---- the check ---- */

static struct mr_kzg_items items_of(const struct mr_items *items)
{
    return (struct mr_kzg_items){.first = items->first, .stride = items->stride};
}

enum mr_blob_verdict mr_blob_check(struct mr_kzg *kzg, struct mr_span item, uint32_t *blobs)
{
    struct mr_reader r = mr_reader_of(item);
    enum mr_kzg_result result;
    const struct mr_sidecar *side;
    uint32_t per_blob;
    struct mr_tx tx;

    *blobs = 0;
    if (mr_tx_decode_item(&r, &tx) != MR_OK || !mr_reader_done(&r))
        return MR_BLOB_BAD;
    side = &tx.sidecar;
    per_blob = side->wrapper == MR_WRAPPER_V1 ? MR_CELLS_PER_BLOB : 1;
    /* mr_tx_check has seen to the counts; this keeps the library within the message in any case */
    if (side->wrapper == MR_WRAPPER_NONE || side->blobs.n == 0 ||
        side->blobs.n > MR_KZG_BLOBS_MAX || side->commitments.n != side->blobs.n ||
        side->proofs.n != side->blobs.n * per_blob)
        return MR_BLOB_BAD;
    *blobs = side->blobs.n;
    result = side->wrapper == MR_WRAPPER_V1
                 ? mr_kzg_verify_cells(kzg, side->blobs.n, items_of(&side->blobs),
                                       items_of(&side->commitments), items_of(&side->proofs))
                 : mr_kzg_verify_blobs(kzg, side->blobs.n, items_of(&side->blobs),
                                       items_of(&side->commitments), items_of(&side->proofs));
    switch (result) {
    case MR_KZG_VALID:
        return MR_BLOB_OK;
    case MR_KZG_INVALID:
        return MR_BLOB_BAD;
    case MR_KZG_FAILED:
        break;
    }
    return MR_BLOB_ERROR;
}

/* ---- the thread ---- */

static void mail_shard(struct mr_blob_service *s, unsigned to, const struct mr_mail *mail)
{
    bool wake = false;

    if (!mr_mail_send(s->setup.mesh, s->self, to, MR_MAIL_SURE, mail, &wake))
        MR_ASSERT(!"a SURE queue cannot fill");
    if (wake)
        mr_event_signal(s->setup.wake->at[to].event_fd);
}

static void handle(struct mr_blob_service *s, const struct mr_mail *mail)
{
    struct mr_span item =
        mr_span(mail->buf->data + sizeof(struct mr_txmeta), mr_txmeta(mail->buf)->item_bytes);
    uint64_t begun = mr_clock_now().mono_ns, took;
    struct mr_mail answer = {.kind = MR_MAIL_VERDICT, .a = mail->a};
    uint32_t blobs;

    MR_ASSERT(mail->kind == MR_MAIL_BLOB);
    answer.b = mr_blob_check(s->kzg, item, &blobs);
    took = mr_clock_now().mono_ns - begun;
    mr_buf_put(NULL, mail->buf);
    MR_COUNT(s->metrics.proof_blobs, blobs);
    MR_COUNT(s->metrics.proof_busy_ns, took);
    MR_PEAK(s->metrics.proof_max_ns, took);
    if (answer.b == MR_BLOB_OK)
        MR_COUNT(s->metrics.proof_ok, 1);
    else if (answer.b == MR_BLOB_BAD)
        MR_COUNT(s->metrics.proof_bad, 1);
    else
        MR_COUNT(s->metrics.proof_error, 1);
    mail_shard(s, mail->from, &answer);
}

/* False: stop came first, and this thread is on its own. */
static bool begin_work(struct mr_blob_service *s)
{
    bool alone;

    pthread_mutex_lock(&s->lock);
    alone = s->state == ALONE;
    if (!alone)
        s->state = WORKING;
    pthread_mutex_unlock(&s->lock);
    return !alone;
}

static void work(struct mr_blob_service *s)
{
    struct mr_mail mail;
    uint64_t signals;

    while (!s->stop) {
        while (!s->stop && mr_mail_take(s->setup.mesh, s->self, &mail))
            handle(s, &mail);
        if (s->stop || !mr_mail_sleep(s->setup.mesh, s->self))
            continue;
        if (read(s->event, &signals, sizeof signals) < 0 && errno != EINTR)
            MR_ASSERT(!"an eventfd of our own");
        mr_mail_awake(s->setup.mesh, s->self);
    }
}

static void *run(void *arg)
{
    struct mr_blob_service *s = arg;
    struct mr_mail ready = {.kind = MR_MAIL_READY};
    uint64_t begun = mr_clock_now().mono_ns;

    pthread_setname_np(pthread_self(), "mr-blobs");
    if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE) != 0)
        MR_LOG_WARN("the blob service runs at normal weight",
                    mr_log_text("error", strerror(errno)));
    s->kzg = s->setup.load ? s->setup.load() : mr_kzg_load();
    if (!begin_work(s)) {
        release(s);
        return NULL;
    }
    if (!s->kzg) {
        MR_LOG_ERROR("the trusted setup does not load: blob transactions are not relayed");
        return NULL;
    }
    MR_LOG_INFO("blob proofs ready", mr_log_u64("ms", (mr_clock_now().mono_ns - begun) / MR_MS));
    for (unsigned to = 0; to < mr_mesh_shards(s->setup.mesh); to++)
        mail_shard(s, to, &ready);
    MR_GAUGE_SET(s->metrics.proof_ready, 1);
    work(s);
    return NULL;
}

/* ---- its life ---- */

struct mr_blob_service *mr_blob_service_new(const struct mr_blob_service_setup *setup, char *why,
                                            size_t why_cap)
{
    struct mr_blob_service *s = calloc(1, sizeof *s);

    if (!s) {
        snprintf(why, why_cap, "no memory for the blob service");
        return NULL;
    }
    s->setup = *setup;
    s->self = mr_mesh_service(mr_mesh_shards(setup->mesh));
    s->event = mr_event_open();
    if (s->event < 0) {
        snprintf(why, why_cap, "no eventfd for the blob service: %s", strerror(errno));
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

int mr_blob_service_event_fd(const struct mr_blob_service *s)
{
    return s->event;
}

bool mr_blob_service_start(struct mr_blob_service *s)
{
    sigset_t all, before;
    int rc;

    MR_ASSERT(!s->started);
    if (!s->setup.load && !mr_kzg_available()) {
        MR_LOG_WARN("built without c-kzg: blob transactions are not relayed");
        return true;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    rc = pthread_create(&s->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = rc;
    s->started = rc == 0;
    return s->started;
}

void mr_blob_service_stop(struct mr_blob_service *s)
{
    pthread_t thread;
    bool alone;

    if (!s)
        return;
    if (!s->started) {
        release(s);
        return;
    }
    thread = s->thread;
    pthread_mutex_lock(&s->lock);
    alone = s->state == LOADING;
    if (alone)
        s->state = ALONE;
    pthread_mutex_unlock(&s->lock);
    if (alone) { /* from here on s is the thread's */
        pthread_detach(thread);
        return;
    }
    s->stop = true;
    mr_event_signal(s->event);
    pthread_join(thread, NULL);
    release(s);
}

const struct mr_blob_metrics *mr_blob_service_metrics(const struct mr_blob_service *s)
{
    return &s->metrics;
}
