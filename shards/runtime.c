#include "shards/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"
#include "crypto/entropy.h"
#include "net/uring/socket.h"

#define FLOW_SLOTS    1024 /* transactions on their way from one shard to another */
#define HINT_SLOTS    1024
#define BLOB_SLOTS    64 /* verdicts that a shard may wait for, and more */
#define STOP_LIMIT_NS (1900 * MR_MS)
#define THREAD_FILES  4  /* its ring, its bell, and as many again for what its libraries open */
#define OTHER_FILES   64 /* log, counters, lock, signals, listening socket, handshakes */

struct mr_runtime {
    struct mr_runtime_setup setup;
    unsigned shards;
    int listen_fd;
    struct mr_endpoint endpoint;
    uint64_t boot_key[2];
    struct mr_mesh *mesh;
    struct mr_wake_table wake;
    struct mr_worker *workers[MR_SHARDS_MAX];
    struct mr_dispatch_loop *loop;
    struct mr_blob_service *blobs;
    pthread_t dispatcher;
    bool dispatching; /* its thread was made and not joined */
    unsigned working; /* workers that were started and not joined */
    bool stuck;       /* a thread did not end */

    const void *shard_metrics[MR_SHARDS_MAX], *worker_metrics[MR_SHARDS_MAX];
    const void *dispatcher_metrics[1], *loop_metrics[1], *blob_metrics[1];
};

/* ---- CPUs ---- */

static unsigned cpus_allowed(int *cpus, unsigned cap)
{
    cpu_set_t set;
    unsigned n = 0;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 0;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set)) {
            if (n < cap)
                cpus[n] = i;
            n++;
        }
    return n;
}

unsigned mr_runtime_default_shards(void)
{
    unsigned n = cpus_allowed(NULL, 0);

    return MR_MIN(n > 1 ? n - 1 : 1, (unsigned)MR_SHARDS_MAX);
}

/* The CPU of a shard, -1 for none: from the last one down, as the first ones often serve devices;
 * one is left for the dispatcher and the services. */
static int cpu_of(const struct mr_runtime *r, unsigned shard)
{
    int cpus[CPU_SETSIZE] = {0};
    unsigned n = cpus_allowed(cpus, CPU_SETSIZE);

    return r->setup.pin && r->shards + 1 <= n ? cpus[n - 1 - shard] : -1;
}

/* ---- making the parts ---- */

static void random_words(const struct mr_runtime *r, uint64_t *out, size_t n, uint64_t salt)
{
    struct mr_random random;

    if (r->setup.seed == 0) {
        mr_entropy_system(NULL, out, n * sizeof *out);
        return;
    }
    mr_random_init(&random, r->setup.seed + salt);
    for (size_t i = 0; i < n; i++)
        out[i] = mr_random_u64(&random);
}

uint64_t mr_runtime_files(const struct mr_relay_options *o, size_t listed)
{
    return (uint64_t)o->maxpeers + listed + THREAD_FILES * (o->shards + 2) + OTHER_FILES;
}

static void raise_descriptors(const struct mr_relay_options *o)
{
    uint64_t have = mr_descriptors_raise();
    uint64_t want = mr_runtime_files(o, 0) + o->maxpendpeers;

    if (have < want)
        MR_LOG_WARN("with all peers connected some handshakes would find no descriptor",
                    mr_log_u64("have", have), mr_log_u64("want", want),
                    mr_log_text("advice", "raise the limit (ulimit -Hn, LimitNOFILE=), or lower "
                                          "--maxpeers or --maxpendpeers"));
}

static bool listen_open(struct mr_runtime *r, char *why, size_t why_cap)
{
    r->listen_fd = mr_socket_listen(r->setup.listen, MR_SOCKET_BACKLOG, why, why_cap);
    if (r->listen_fd < 0)
        return false;
    if (mr_socket_local(&r->endpoint, r->listen_fd))
        return true;
    snprintf(why, why_cap, "the listening socket has no address: %s: name one with --addr",
             strerror(errno));
    return false;
}

static bool mesh_open(struct mr_runtime *r, char *why, size_t why_cap)
{
    uint32_t sure = mr_dispatcher_sure_slots(r->setup.options);

    r->mesh =
        mr_mesh_new(r->shards, MR_MAX(sure, (uint32_t)BLOB_SLOTS + 2), FLOW_SLOTS, HINT_SLOTS);
    if (!r->mesh)
        snprintf(why, why_cap, "no memory for the mailboxes: lower --maxpeers or --shards");
    return r->mesh != NULL;
}

static bool workers_open(struct mr_runtime *r, char *why, size_t why_cap)
{
    struct mr_shard_setup setup = {.options = r->setup.options,
                                   .network = r->setup.network,
                                   .secp = r->setup.secp,
                                   .mesh = r->mesh,
                                   .boot_key = {r->boot_key[0], r->boot_key[1]},
                                   .client = r->setup.client,
                                   .id = r->setup.self->pub,
                                   .policy = r->setup.policy,
                                   .now = mr_clock_now()};
    struct mr_worker_options options;

    mr_worker_options_default(&options, mr_relay_slots(r->setup.options));
    options.busy_poll_ns = r->setup.options->busy_poll_us * MR_US;
    options.ring.fallback = r->setup.ring_fallback;
    if (r->setup.buffers)
        options.ring.buffers = r->setup.buffers;
    for (unsigned i = 0; i < r->shards; i++) {
        setup.self = i;
        random_words(r, &setup.seed, 1, i + 1);
        options.cpu = cpu_of(r, i);
        r->workers[i] = mr_worker_new(&setup, &options, &r->wake, why, why_cap);
        if (!r->workers[i])
            return false;
        r->wake.at[i] = mr_worker_wake_target(r->workers[i]);
        r->shard_metrics[i] = mr_worker_shard_metrics(r->workers[i]);
        r->worker_metrics[i] = mr_worker_metrics(r->workers[i]);
    }
    return true;
}

static bool loop_open(struct mr_runtime *r, char *why, size_t why_cap)
{
    struct mr_dispatch_loop_setup setup = {
        .dispatcher = {.options = r->setup.options,
                       .secp = r->setup.secp,
                       .self = r->setup.self,
                       .mesh = r->mesh,
                       .client = r->setup.client,
                       .listen_port = r->endpoint.port,
                       .boot_key = {r->boot_key[0], r->boot_key[1]},
                       .entropy = mr_entropy_system,
                       .protocol = r->setup.policy ? r->setup.policy->protocol : NULL,
                       .now = mr_clock_now()},
        .listen_fd = r->listen_fd,
        .local = {.ip = r->setup.listen.ip},
        .wake = &r->wake,
        .stop_limit_ns = STOP_LIMIT_NS,
        .nice = !r->setup.equal_weight};

    r->loop = mr_dispatch_loop_new(&setup, why, why_cap);
    if (!r->loop)
        return false;
    r->wake.at[mr_mesh_dispatcher(r->shards)].ring_fd = mr_dispatch_loop_ring_fd(r->loop);
    r->dispatcher_metrics[0] = mr_dispatcher_metrics(mr_dispatch_loop_dispatcher(r->loop));
    r->loop_metrics[0] = mr_dispatch_loop_metrics(r->loop);
    return true;
}

static bool blobs_open(struct mr_runtime *r, char *why, size_t why_cap)
{
    struct mr_blob_service_setup setup = {
        .mesh = r->mesh, .wake = &r->wake, .load = r->setup.kzg_load};

    if (!r->setup.blobs)
        return true;
    r->blobs = mr_blob_service_new(&setup, why, why_cap);
    if (!r->blobs)
        return false;
    r->wake.at[mr_mesh_service(r->shards)].event_fd = mr_blob_service_event_fd(r->blobs);
    r->blob_metrics[0] = mr_blob_service_metrics(r->blobs);
    return true;
}

/* ---- threads ---- */

static void *dispatch(void *arg)
{
    struct mr_runtime *r = arg;
    enum mr_err e;

    pthread_setname_np(pthread_self(), "mr-dispatcher");
    e = mr_dispatch_loop_run(r->loop);
    if (e == MR_SYSTEM) {
        MR_LOG_ERROR("the ring of the dispatcher failed", mr_log_text("error", strerror(errno)));
        MR_ASSERT(!"io_uring failed: see the line above");
    }
    r->stuck = e != MR_OK;
    return NULL;
}

static bool threads_start(struct mr_runtime *r, char *why, size_t why_cap)
{
    sigset_t all, before;
    int rc;

    for (; r->working < r->shards; r->working++)
        if (!mr_worker_start(r->workers[r->working]))
            goto fail;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&r->dispatcher, NULL, dispatch, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = rc;
    r->dispatching = rc == 0;
    if (r->dispatching && (!r->blobs || mr_blob_service_start(r->blobs)))
        return true;
fail:
    snprintf(why, why_cap,
             "the system allows no more threads: %s: raise the limit (ulimit -u, TasksMax=) or "
             "lower --shards",
             strerror(errno));
    return false;
}

/* Shards without a dispatcher: this thread speaks for it. Start failed half-way. */
static void stop_workers(struct mr_runtime *r, unsigned reason)
{
    struct mr_mail stop = {.kind = MR_MAIL_STOP, .a = reason};

    for (unsigned i = 0; i < r->working; i++) {
        bool wake = false;

        if (!mr_mail_send(r->mesh, mr_mesh_dispatcher(r->shards), i, MR_MAIL_SURE, &stop, &wake))
            MR_ASSERT(!"a SURE queue cannot fill");
        mr_event_signal(r->wake.at[i].event_fd);
    }
}

struct mr_runtime *mr_runtime_new(const struct mr_runtime_setup *setup, char *why, size_t why_cap)
{
    struct mr_runtime *r = calloc(1, sizeof *r);

    if (!r) {
        snprintf(why, why_cap, "no memory for a relay: free some");
        return NULL;
    }
    r->setup = *setup;
    r->listen_fd = -1;
    r->shards = setup->options->shards;
    mr_wake_table_init(&r->wake);
    random_words(r, r->boot_key, 2, 0);
    if (mr_relay_options_check(setup->options, why, why_cap) && listen_open(r, why, why_cap) &&
        mesh_open(r, why, why_cap) && workers_open(r, why, why_cap) && loop_open(r, why, why_cap) &&
        blobs_open(r, why, why_cap))
        return r;
    mr_runtime_free(r);
    return NULL;
}

bool mr_runtime_start(struct mr_runtime *r, char *why, size_t why_cap)
{
    raise_descriptors(r->setup.options);
    if (threads_start(r, why, why_cap))
        return true;
    mr_runtime_stop(r, MR_REASON_QUITTING);
    return false;
}

bool mr_runtime_stop(struct mr_runtime *r, unsigned reason)
{
    if (r->dispatching) {
        mr_dispatch_loop_stop(r->loop, reason);
        pthread_join(r->dispatcher, NULL);
        r->dispatching = false;
    } else {
        stop_workers(r, reason);
    }
    if (r->stuck) {
        MR_LOG_ERROR("a shard did not stop in time");
        return false;
    }
    while (r->working > 0)
        mr_worker_join(r->workers[--r->working]);
    return true;
}

void mr_runtime_free(struct mr_runtime *r)
{
    if (!r || r->stuck)
        return;
    MR_ASSERT(!r->dispatching);
    MR_ASSERT(r->working == 0);
    mr_blob_service_stop(r->blobs);
    if (r->mesh)
        mr_mesh_drain(r->mesh);
    for (unsigned i = 0; i < r->shards && r->workers[i]; i++)
        mr_worker_let_go(r->workers[i]);
    for (unsigned i = 0; i < r->shards && r->workers[i]; i++)
        mr_worker_free(r->workers[i]);
    mr_dispatch_loop_free(r->loop);
    mr_mesh_free(r->mesh);
    if (r->listen_fd >= 0)
        close(r->listen_fd);
    free(r);
}

/* ---- what others ask ---- */

struct mr_endpoint mr_runtime_endpoint(const struct mr_runtime *r)
{
    return r->endpoint;
}

unsigned mr_runtime_shards(const struct mr_runtime *r)
{
    return r->shards;
}

enum mr_err mr_runtime_set_nodes(struct mr_runtime *r, const struct mr_listed_node *nodes, size_t n)
{
    return mr_dispatch_loop_set_nodes(r->loop, nodes, n);
}

struct mr_dispatcher *mr_runtime_dispatcher(const struct mr_runtime *r)
{
    return mr_dispatch_loop_dispatcher(r->loop);
}

void mr_runtime_metrics(const struct mr_runtime *r,
                        struct mr_runtime_metrics out[MR_RUNTIME_METRICS])
{
    out[0] = (struct mr_runtime_metrics){&mr_shard_metrics_set, r->shard_metrics, r->shards};
    out[1] = (struct mr_runtime_metrics){&mr_worker_metrics_set, r->worker_metrics, r->shards};
    out[2] = (struct mr_runtime_metrics){&mr_dispatcher_metrics_set, r->dispatcher_metrics, 1};
    out[3] = (struct mr_runtime_metrics){&mr_dispatch_loop_metrics_set, r->loop_metrics, 1};
    out[4] = (struct mr_runtime_metrics){&mr_blob_metrics_set, r->blob_metrics, r->blobs ? 1 : 0};
}

void mr_runtime_histograms(const struct mr_runtime *r,
                           struct mr_runtime_histogram out[MR_RUNTIME_HISTOGRAMS])
{
    static const char *const names[MR_RUNTIME_HISTOGRAMS] = {"tx_verify_us", "tx_relay_us",
                                                             "turn_us"};

    for (size_t i = 0; i < MR_RUNTIME_HISTOGRAMS; i++)
        out[i] = (struct mr_runtime_histogram){.name = names[i], .count = r->shards};
    for (unsigned i = 0; i < r->shards; i++) {
        const struct mr_shard_histograms *h = mr_worker_shard_histograms(r->workers[i]);

        out[0].instances[i] = &h->tx_verify_us;
        out[1].instances[i] = &h->tx_relay_us;
        out[2].instances[i] = mr_worker_turn_us(r->workers[i]);
    }
}

uint64_t mr_runtime_metric(const struct mr_runtime *r, const struct mr_metric_set *set,
                           const char *name)
{
    const struct mr_metric *m = mr_metric_find(set, name);
    struct mr_runtime_metrics all[MR_RUNTIME_METRICS];
    uint64_t sum = 0;

    mr_runtime_metrics(r, all);
    for (size_t i = 0; m && i < MR_RUNTIME_METRICS; i++)
        for (size_t k = 0; all[i].set == set && k < all[i].count; k++) {
            uint64_t v = mr_metric_read(m, all[i].instances[k]);

            sum = m->kind == MR_METRIC_PEAK ? MR_MAX(sum, v) : sum + v;
        }
    return sum;
}

void mr_runtime_verdicts(const struct mr_runtime *r, uint64_t *out)
{
    memset(out, 0, MR_TX_VERDICTS * sizeof *out);
    for (unsigned i = 0; i < r->shards; i++) {
        const uint64_t *v = mr_worker_verdicts(r->workers[i]);

        for (size_t k = 0; k < MR_TX_VERDICTS; k++)
            out[k] += MR_METRIC_GET(v[k]);
    }
}
