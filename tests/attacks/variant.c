#include "tests/attacks/variant.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "crypto/entropy.h"
#include "net/uring/socket.h"
#include "node/stats.h"
#include "shards/runtime.h"

#define STATS_MS 100

void variant_init(struct variant *v)
{
    memset(v, 0, sizeof *v);
    mr_relay_options_default(&v->options);
    v->options.loopback_is_public = true;
    v->quiet = true;
}

static void stats(struct mr_runtime *r, const char *path)
{
    struct mr_runtime_metrics metrics[MR_RUNTIME_METRICS];

    mr_runtime_metrics(r, metrics);
    mr_stats_write(path,
                   &(struct mr_stats){.metrics = metrics, .metrics_count = MR_COUNT_OF(metrics)});
}

static void die(const char *why)
{
    fprintf(stderr, "variant: %s\n", why);
    exit(1);
}

static int signals_open(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static void serve(const struct process *p, const struct variant *v)
{
    struct mr_log_options log = {.level = v->quiet ? MR_LOG_LEVEL_ERROR : MR_LOG_LEVEL_DEBUG};
    struct pollfd signals = {.fd = signals_open(), .events = POLLIN};
    struct mr_secp_keypair self;
    struct mr_runtime_setup setup = {.options = &v->options,
                                     .network =
                                         mr_network_find(v->network ? v->network : "mainnet"),
                                     .self = &self,
                                     .listen = {.ip = LOOPBACK},
                                     .client = "millrace/variant",
                                     .blobs = v->blobs};
    char why[256] = "no memory", text[MR_ENODE_TEXT_MAX];
    struct mr_runtime *r;
    struct mr_enode e = {0};

    mr_descriptors_raise();
    if (mr_log_open(&log) != MR_OK)
        die("no log");
    setup.secp = peers_secp();
    mr_secp_keypair_make(setup.secp, &self, mr_entropy_system, NULL);
    r = mr_runtime_new(&setup, why, sizeof why);
    if (!r || !mr_runtime_start(r, why, sizeof why))
        die(why);
    e = (struct mr_enode){.id = self.pub, .tcp = mr_runtime_endpoint(r)};
    e.udp_port = e.tcp.port;
    stats(r, p->stats);
    fprintf(stderr, "%s\n", mr_enode_text(text, &e));
    while (poll(&signals, 1, STATS_MS) == 0)
        stats(r, p->stats);
    mr_runtime_stop(r, MR_REASON_QUITTING);
    stats(r, p->stats);
    mr_runtime_free(r);
    mr_log_close();
    close(signals.fd);
    exit(0);
}

void variant_start(struct process *p, const struct variant *v)
{
    int64_t until = process_now_ms() + 30000;
    int out;

    memset(p, 0, sizeof *p);
    process_make_dir(p->dir);
    snprintf(p->stats, sizeof p->stats, "%s/stats.json", p->dir);
    snprintf(p->output, sizeof p->output, "%s/output", p->dir);
    peers_secp(); /* one for both processes */
    out = open(p->output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    assert_true(out >= 0);
    fflush(NULL);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out, 1);
        dup2(out, 2);
        serve(p, v);
    }
    close(out);
    while (!process_enode(p)) {
        if (process_wait(p, 10) || process_now_ms() > until) {
            print_message("%s", process_text(p));
            fail_msg("the relay does not start: exit code %d", p->code);
        }
    }
}

void variant_start_quick(struct process *p, const char *shards)
{
    struct variant v;

    variant_init(&v);
    v.options.loopback_is_public = false;
    v.options.handshake_budget_percent = 100;
    v.options.shards = (uint32_t)atoi(shards);
    v.options.status_timeout_ns = MR_SECOND;
    v.options.request_timeout_ns = MR_SECOND;
    variant_start(p, &v);
}
