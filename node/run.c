/* run.c: `millrace run`: from flags to a running relay, and back. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "crypto/aes.h"
#include "crypto/ct.h"
#include "crypto/keccak.h"
#include "crypto/self_test.h"
#include "net/eth/tx_check.h"
#include "net/uring/ring.h"
#include "net/uring/socket.h"
#include "node/commands.h"
#include "node/datadir.h"
#include "node/run_options.h"
#include "node/stats.h"
#include "shards/runtime.h"

#define SUMMARY_S 10

struct relay {
    struct mr_run_options o;
    char datadir[MR_PATH_MAX], client[160];
    const char *keccak; /* which variant: chosen before threads exist */
    struct mr_secp *secp;
    struct mr_secp_keypair self;
    struct mr_runtime *runtime;
    struct mr_listed_node *nodes; /* MR_LISTED_MAX */
    int signals;
    uint64_t started_ns, accepted_before, in_before, out_before;
    bool stats_failed;
};

/* Static and trusted nodes as the dispatcher wants them: one list. */
static size_t nodes_merge(struct relay *r, char *error, size_t error_cap)
{
    const struct mr_node_list *lists[2] = {&r->o.static_nodes, &r->o.trusted_nodes};
    static const char *const flags[2] = {"static", "trusted"};
    size_t n = 0;

    error[0] = 0;
    for (unsigned l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->count; i++) {
            if (n == MR_LISTED_MAX) {
                snprintf(error, error_cap,
                         "--static and --trusted name more than %d nodes together: leave some out",
                         MR_LISTED_MAX);
                return n;
            }
            if (!mr_secp_point_valid(r->secp, &lists[l]->nodes[i].id)) {
                snprintf(error, error_cap,
                         "--%s: node %zu: its id is no public key: check the enode URL", flags[l],
                         i + 1);
                continue;
            }
            r->nodes[n++] = (struct mr_listed_node){.id = lists[l]->nodes[i].id,
                                                    .at = lists[l]->nodes[i].tcp,
                                                    .is_static = l == 0,
                                                    .trusted = l == 1};
        }
    return n;
}

/* Files that this many peers need; false with a sentence when the system grants fewer. */
static bool files_suffice(const struct relay *r, char *error, size_t error_cap)
{
    uint64_t have = mr_descriptors_raise();
    uint64_t need =
        mr_runtime_files(&r->o.relay, r->o.static_nodes.count + r->o.trusted_nodes.count);

    if (have >= need)
        return true;
    snprintf(error, error_cap,
             "--maxpeers %u needs %llu open files and the system grants %llu: raise the limit "
             "(ulimit -Hn, LimitNOFILE=) or lower --maxpeers",
             r->o.relay.maxpeers, (unsigned long long)need, (unsigned long long)have);
    return false;
}

static bool key_open(struct relay *r, char *error, size_t error_cap)
{
    const char *broken;
    uint8_t seed[32];
    bool ok;

    mr_entropy_system(NULL, seed, sizeof seed);
    r->secp = mr_secp_create(seed);
    if (!r->secp) {
        snprintf(error, error_cap, "no memory for keys: free some");
        return false;
    }
    if ((broken = mr_crypto_self_test(r->secp))) {
        snprintf(error, error_cap,
                 "the self-test of %s failed: this build, a library or the CPU is broken: build "
                 "anew, or use another machine",
                 broken);
        return false;
    }
    ok = r->o.nodekey ? mr_node_key_load(r->self.key, r->secp, r->o.nodekey, error, error_cap)
                      : mr_node_key_open(r->self.key, r->secp, r->datadir, error, error_cap);
    return ok && mr_secp_public(r->secp, &r->self.pub, r->self.key);
}

static int signals_open(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL); /* threads made later inherit it */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Everything up to threads. */
static bool prepare(struct relay *r, char *error, size_t error_cap)
{
    struct mr_log_options log = {
        .level = (enum mr_log_level)r->o.verbosity, .path = r->o.log_file, .lines_per_second = 10};
    struct mr_runtime_setup setup = {.options = &r->o.relay,
                                     .network = r->o.network,
                                     .listen = r->o.listen,
                                     .self = &r->self,
                                     .client = r->client,
                                     .pin = true,
                                     .blobs = true};
    size_t n;

    r->keccak = mr_keccak_select();
    if (!r->o.shards_given)
        r->o.relay.shards = mr_runtime_default_shards();
    snprintf(r->client, sizeof r->client, "millrace/v%s%s%s/linux-x86_64/c17", MR_VERSION,
             r->o.identity ? "/" : "", r->o.identity ? r->o.identity : "");
    if (mr_log_open(&log) != MR_OK) {
        snprintf(error, error_cap,
                 "cannot write --log.file %s: %s: name a file that this user may write to",
                 r->o.log_file, strerror(errno));
        return false;
    }
    if (!mr_datadir_open(r->datadir, r->o.datadir, error, error_cap) ||
        !mr_datadir_lock(r->datadir, error, error_cap) || !key_open(r, error, error_cap) ||
        !files_suffice(r, error, error_cap) || !mr_ring_probe(error, error_cap))
        return false;
    setup.secp = r->secp;
    r->nodes = calloc(MR_LISTED_MAX, sizeof *r->nodes);
    r->runtime = r->nodes ? mr_runtime_new(&setup, error, error_cap) : NULL;
    if (!r->runtime)
        return false;
    n = nodes_merge(r, error, error_cap);
    return error[0] == 0 && mr_runtime_set_nodes(r->runtime, r->nodes, n) == MR_OK;
}

static void release(struct relay *r)
{
    mr_runtime_free(r->runtime);
    if (r->secp)
        mr_secp_destroy(r->secp);
    mr_wipe(&r->self, sizeof r->self);
    free(r->nodes);
    mr_run_options_free(&r->o);
    mr_log_close();
}

static void say_enode(const struct relay *r)
{
    struct mr_enode e = {.id = r->self.pub, .tcp = mr_runtime_endpoint(r->runtime)};
    char text[MR_ENODE_TEXT_MAX];

    e.udp_port = e.tcp.port;
    if (e.tcp.ip == 0)
        e.tcp.ip = 0x7f000001; /* everywhere: here is one of the places */
    printf("millrace %s on %s, %u shards, keccak %s, AES %s\n%s\n", MR_VERSION, r->o.network->name,
           mr_runtime_shards(r->runtime), r->keccak, mr_aes_kernel(), mr_enode_text(text, &e));
    fflush(stdout);
}

static uint64_t total(const struct relay *r, const char *name)
{
    return mr_runtime_metric(r->runtime, &mr_shard_metrics_set, name);
}

static void summary(struct relay *r)
{
    struct mr_dispatcher_counts c;
    uint64_t accepted = total(r, "tx_accepted"), in = total(r, "bytes_in"),
             out = total(r, "bytes_out");

    mr_dispatcher_counts(mr_runtime_dispatcher(r->runtime), &c);
    MR_LOG_INFO("relay", mr_log_u64("peers", c.active), mr_log_u64("inbound", c.inbound),
                mr_log_u64("pending", c.pending), mr_log_u64("head", total(r, "head_number")),
                mr_log_u64("tx_per_s", (accepted - r->accepted_before) / SUMMARY_S),
                mr_log_u64("pool", total(r, "log_length")),
                mr_log_u64("in_kib_per_s", (in - r->in_before) / SUMMARY_S / 1024),
                mr_log_u64("out_kib_per_s", (out - r->out_before) / SUMMARY_S / 1024));
    r->accepted_before = accepted;
    r->in_before = in;
    r->out_before = out;
}

static void stats(struct relay *r)
{
    static const char *const names[] = {
#define VERDICT_NAME(name, owner, text) #name,
        MR_TX_VERDICT_MAP(VERDICT_NAME)
#undef VERDICT_NAME
    };
    uint64_t verdicts[MR_TX_VERDICTS];
    static const char *const of_process[] = {"log_lines_suppressed", "log_lines_failed"};
    uint64_t process[] = {mr_log_suppressed(), mr_log_failed()};
    struct mr_stats_group groups[] = {{"verdicts", names, verdicts, MR_TX_VERDICTS},
                                      {"process", of_process, process, MR_COUNT_OF(process)}};
    struct mr_runtime_metrics metrics[MR_RUNTIME_METRICS];
    struct mr_runtime_histogram histograms[MR_RUNTIME_HISTOGRAMS];
    struct mr_stats all = {.metrics = metrics,
                           .metrics_count = MR_COUNT_OF(metrics),
                           .groups = groups,
                           .groups_count = MR_COUNT_OF(groups),
                           .histograms = histograms,
                           .histograms_count = MR_COUNT_OF(histograms)};

    if (!r->o.stats)
        return;
    mr_runtime_verdicts(r->runtime, verdicts);
    mr_runtime_metrics(r->runtime, metrics);
    mr_runtime_histograms(r->runtime, histograms);
    if (!mr_stats_write(r->o.stats, &all) && !r->stats_failed) {
        r->stats_failed = true;
        MR_LOG_WARN("cannot write --stats", mr_log_text("file", r->o.stats),
                    mr_log_text("why", strerror(errno)));
    }
}

/* SIGHUP: reads the files again and reopens the log; changes nothing else. */
static void reload(struct relay *r)
{
    char error[512];
    size_t n;

    if (mr_log_reopen() != MR_OK)
        MR_LOG_WARN("cannot reopen the log");
    if (!mr_node_list_read(&r->o.static_nodes, "static", error, sizeof error) ||
        !mr_node_list_read(&r->o.trusted_nodes, "trusted", error, sizeof error)) {
        MR_LOG_WARN("the old node lists stay", mr_log_text("why", error));
        return;
    }
    n = nodes_merge(r, error, sizeof error);
    if (error[0])
        MR_LOG_WARN("nodes left out", mr_log_text("why", error));
    if (mr_runtime_set_nodes(r->runtime, r->nodes, n) == MR_OK)
        MR_LOG_INFO("node lists read again", mr_log_u64("nodes", n));
}

/* Until a signal asks for the end. */
static void serve(struct relay *r)
{
    struct pollfd p = {.fd = r->signals, .events = POLLIN};
    uint64_t next = mr_clock_now().mono_ns + MR_SECOND;

    for (unsigned second = 1;;) {
        uint64_t now = mr_clock_now().mono_ns;
        struct signalfd_siginfo s;

        poll(&p, 1, now >= next ? 0 : (int)((next - now) / MR_MS) + 1);
        while (read(r->signals, &s, sizeof s) == (ssize_t)sizeof s) {
            if (s.ssi_signo != SIGHUP)
                return;
            reload(r);
        }
        if (mr_clock_now().mono_ns < next)
            continue;
        next += MR_SECOND;
        stats(r);
        mr_log_tick();
        if (second++ % SUMMARY_S == 0)
            summary(r);
    }
}

int mr_command_run(int argc, char **argv)
{
    static struct relay r;
    char error[1024];

    if (!mr_run_options_parse(&r.o, argc, argv, error, sizeof error)) {
        mr_run_options_free(&r.o);
        return mr_command_fail("%s", error);
    }
    if (r.o.help) {
        mr_run_options_help();
        return 0;
    }
    r.signals = signals_open();
    if (!prepare(&r, error, sizeof error) || !mr_runtime_start(r.runtime, error, sizeof error)) {
        release(&r);
        return mr_command_fail("%s", error);
    }
    say_enode(&r);
    serve(&r);
    MR_LOG_INFO("stopping");
    if (!mr_runtime_stop(r.runtime, MR_REASON_QUITTING)) {
        MR_LOG_ERROR("a thread did not end in time");
        _exit(1);
    }
    stats(&r);
    release(&r);
    fflush(stdout);
    _exit(0); /* a thread that is loading the trusted setup is not waited for */
}
