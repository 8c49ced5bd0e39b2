/* millrace-fan: one peer of a hub publishes, all others receive (limits.md 3.2): what a delivery
 * costs the hub, how long it takes, and that nothing is lost, doubled or changed. perf/fan_run.h
 * has the run, docs/performance.md how to read it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/keccak.h"
#include "node/flags.h"
#include "perf/fan_report.h"
#include "perf/fan_run.h"

#define COULD_NOT_RUN 2
#define WARMUP_SHARE  20 /* of the messages, unless --warmup says more */

static volatile bool stop;

static void on_signal(int number)
{
    (void)number;
    stop = true;
}

static int refuse(const char *sentence)
{
    fprintf(stderr, "millrace-fan: %s\n", sentence);
    return COULD_NOT_RUN;
}

struct words { /* what the flags are before they are understood */
    const char *target, *payload, *rate, *json, *hgrm;
    uint64_t hub_pid;
    bool warmup_given, window_given, help;
};

/* NULL, or what is wrong. */
static const char *understand(struct mr_fan_options *o, struct words *w)
{
    char *end;

    if (!w->target)
        return "--target is missing: whom to connect to (enode://ID@IP:PORT)";
    if (mr_enode_parse(&o->target, NULL, w->target, strlen(w->target)) != MR_OK ||
        o->target.tcp.port == 0)
        return "--target wants enode://ID@IP:PORT";
    if (o->peers < 2 || o->peers > MR_FAN_PEERS_MAX)
        return "--peers wants 2 to 16384";
    if (o->bytes == 0 || o->bytes > MR_FAN_BYTES_MAX)
        return "--bytes wants at most 8 MiB";
    if (w->payload && strcmp(w->payload, "tx") != 0 && strcmp(w->payload, "random") != 0)
        return "--payload wants tx or random";
    if (w->rate && w->window_given)
        return "--window and --rate exclude each other";
    if (w->rate && (!((o->rate = strtod(w->rate, &end)) >= 0.01) || o->rate > 1e6 || *end))
        return "--rate wants messages a second, 0.01 to a million";
    if (!w->rate && o->window == 0)
        return "--window wants at least 1";
    if (w->rate)
        o->window = 0;
    if (!w->warmup_given)
        o->warmup = o->messages / WARMUP_SHARE;
    if ((uint64_t)o->messages + o->warmup > MR_FAN_MESSAGES_MAX)
        return "--messages and --warmup are over 4 million";
    if (o->connecting == 0 || o->idle_s < 2 || o->stall_s == 0 || w->hub_pid > INT32_MAX)
        return "--connecting and --stall want at least 1, --idle at least 2";
    o->tx = w->payload && strcmp(w->payload, "tx") == 0;
    o->check = MR_MIN(o->check, o->peers - 1);
    o->hub_pid = (int64_t)w->hub_pid;
    return NULL;
}

static bool read_line(struct mr_fan_options *o, struct words *w, int argc, char **argv, char *error,
                      size_t cap)
{
    const struct mr_flag flags[] = {
        {"target", MR_FLAG_TEXT, &w->target, "ENODE", "the hub", NULL},
        {"hub-pid", MR_FLAG_U64, &w->hub_pid, "PID", "also measure its CPU and memory", NULL},
        {"peers", MR_FLAG_U32, &o->peers, "N", "connections, one of which publishes (1000)", NULL},
        {"bytes", MR_FLAG_U32, &o->bytes, "B", "of a message, before snappy (200)", NULL},
        {"payload", MR_FLAG_TEXT, &w->payload, "KIND", "random (default) or tx", NULL},
        {"corpus", MR_FLAG_TEXT, &o->corpus, "FILE", "transactions for --payload tx", NULL},
        {"window", MR_FLAG_U32, &o->window, "W", "messages not yet everywhere (1)",
         &w->window_given},
        {"rate", MR_FLAG_TEXT, &w->rate, "R", "messages a second instead, scheduled", NULL},
        {"messages", MR_FLAG_U32, &o->messages, "M", "that are measured (1000)", NULL},
        {"warmup", MR_FLAG_U32, &o->warmup, "M", "before them (a twentieth)", &w->warmup_given},
        {"connecting", MR_FLAG_U32, &o->connecting, "N", "handshakes in flight (32)", NULL},
        {"check", MR_FLAG_U32, &o->check, "N", "receivers that verify MACs and contents (0)", NULL},
        {"one-address", MR_FLAG_BOOL, &o->one_address, NULL, "all peers from 127.0.0.1", NULL},
        {"spin", MR_FLAG_BOOL, &o->spin, NULL, "never sleep while messages are under way", NULL},
        {"idle", MR_FLAG_U32, &o->idle_s, "S", "silence behind the last handshake (2)", NULL},
        {"stall", MR_FLAG_U32, &o->stall_s, "S", "without a delivery: give up (20)", NULL},
        {"seed", MR_FLAG_U64, &o->seed, "S", "of keys and payload (1)", NULL},
        {"json", MR_FLAG_TEXT, &w->json, "FILE", "all figures; - is stdout", NULL},
        {"hgrm", MR_FLAG_TEXT, &w->hgrm, "FILE", "latencies, as HdrHistogram writes them", NULL},
        {"help", MR_FLAG_BOOL, &w->help, NULL, "", NULL},
    };
    const char *wrong;
    size_t words;

    o->window = 1;
    if (!mr_flags_parse(flags, MR_COUNT_OF(flags), argc, argv, NULL, &words, 0, error, cap))
        return false;
    if (w->help) {
        puts(
            "millrace-fan: one peer of a hub publishes, all others receive. Exit code 1: "
            "something\n"
            "was lost, doubled, damaged or sent back, or a connection ended; 2: it could not run.");
        mr_flags_help(flags, MR_COUNT_OF(flags));
        return true;
    }
    if ((wrong = understand(o, w)))
        snprintf(error, cap, "%s", wrong);
    return wrong == NULL;
}

/* False: a file could not be written. */
static bool write_files(const struct mr_fan *f, const struct words *w, const struct mr_json *report)
{
    bool done = true;

    if (w->json && strcmp(w->json, "-") == 0)
        done = mr_json_write(report, stdout, true) == MR_OK;
    else if (w->json)
        done = mr_json_save(report, w->json, true) == MR_OK;
    if (w->hgrm) {
        FILE *out = fopen(w->hgrm, "we");

        done = out && mr_histogram_write_hgrm(&f->track.latency, out, 5, 1) == MR_OK && done;
        if (out)
            done = fclose(out) == 0 && done;
    }
    return done;
}

int main(int argc, char **argv)
{
    static struct mr_fan f;
    struct mr_fan_options o = MR_FAN_OPTIONS_DEFAULT;
    struct sigaction action = {.sa_handler = on_signal};
    struct words w = {0};
    struct mr_json *report;
    char error[512];
    bool good;

    if (!read_line(&o, &w, argc, argv, error, sizeof error))
        return refuse(error);
    if (w.help)
        return 0;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    mr_keccak_select();
    if (mr_fan_init(&f, &o) != MR_OK) {
        int code = refuse(f.sentence);

        mr_fan_fini(&f);
        return code;
    }
    good = mr_fan_run(&f, &stop) && mr_fan_track_faultless(&f.track);
    report = mr_fan_report_json(&f);
    mr_fan_report_text(w.json && strcmp(w.json, "-") == 0 ? stderr : stdout, &f, report);
    if (!write_files(&f, &w, report)) {
        perror("millrace-fan: a file could not be written");
        good = false;
    }
    mr_json_free(report);
    mr_fan_fini(&f);
    return good ? 0 : 1;
}
