/* millrace-limit: the floor under the fan-out path: what the same bytes to as many peers cost when
 * nothing but AES, Keccak and the kernel's sends is done, and the least that an inbound handshake
 * can cost. CPU time of this process's one thread; the far ends are a child's.
 *
 *   millrace-limit --peers N --frame-bytes B [--coalesce K]   one message is B bytes of frame data
 *                  [--handshake] [--seconds S] [--cpu C] [--sink-cpu D] [--json FILE|-]
 *
 * AES alone, Keccak alone, the sends alone and all three, window by window, take turns in rounds of
 * one block to every peer, so that a disturbed machine disturbs all alike; medians are printed. The
 * floor is the row with all three, by the cheaper way of sending. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/json.h"
#include "crypto/keccak.h"
#include "node/flags.h"
#include "perf/bench_clock.h"
#include "perf/limit_crypto.h"
#include "perf/limit_handshake.h"
#include "perf/limit_kernel.h"

#define ROUNDS_MAX  100000
#define SECONDS_MAX 600.0

enum measure { AES, KECCAK, SEND, RING, PATH_SEND, PATH_RING, MEASURES };

struct options {
    uint32_t peers, frame_bytes, coalesce;
    bool handshake;
    double seconds; /* each measure */
    int cpu, sink_cpu;
    const char *json;
};

struct limit {
    struct options o;
    const char *keccak;
    struct mr_limit_crypto crypto;
    struct mr_limit_kernel kernel;
    size_t rounds;
    double *us[MEASURES];      /* of each round, per delivery */
    double *user_us[MEASURES]; /* its crypto */
    struct mr_limit_handshake handshake;
};

static int refuse(const char *sentence)
{
    fprintf(stderr, "millrace-limit: %s\n", sentence);
    return 2;
}

/* ---- the path ---- */

/* One block to every peer. */
static bool round_of(struct limit *l, enum measure m)
{
    static const unsigned parts[MEASURES] = {[AES] = MR_LIMIT_AES,
                                             [KECCAK] = MR_LIMIT_KECCAK,
                                             [PATH_SEND] = MR_LIMIT_AES | MR_LIMIT_KECCAK,
                                             [PATH_RING] = MR_LIMIT_AES | MR_LIMIT_KECCAK};
    const enum mr_limit_way way = m == RING || m == PATH_RING ? MR_LIMIT_RING : MR_LIMIT_SEND;
    const bool sends = m >= SEND;
    const double deliveries = (double)l->o.peers * l->o.coalesce;
    uint64_t crypto_ns = 0, all_ns = 0;

    for (uint32_t at = 0; at < l->o.peers; at += l->crypto.window) {
        const uint64_t t = mr_bench_cpu_ns();
        uint32_t n = MR_MIN(l->crypto.window, l->o.peers - at);

        if (parts[m]) {
            mr_limit_crypto_window(&l->crypto, at, parts[m]);
            crypto_ns += mr_bench_cpu_ns() - t;
        }
        if (sends &&
            !mr_limit_kernel_send(&l->kernel, at, n, l->crypto.out, l->crypto.block_bytes, way))
            return false;
        all_ns += mr_bench_cpu_ns() - t;
    }
    l->us[m][l->rounds] = (double)all_ns / 1e3 / deliveries;
    l->user_us[m][l->rounds] = (double)crypto_ns / 1e3 / deliveries;
    return !sends || mr_limit_kernel_drain(&l->kernel);
}

static bool path(struct limit *l)
{
    const uint64_t end_ns = mr_clock_now().mono_ns + (uint64_t)(l->o.seconds * MEASURES * 1e9);

    /* The first round warms caches and connections. */
    for (enum measure m = 0; m < MEASURES; m++)
        if (!round_of(l, m))
            return false;
    do {
        for (enum measure m = 0; m < MEASURES; m++)
            if (!round_of(l, m))
                return false;
        l->rounds++;
    } while (l->rounds < ROUNDS_MAX && mr_clock_now().mono_ns < end_ns);
    return true;
}

static bool path_begin(struct limit *l, char *sentence, size_t cap)
{
    for (enum measure m = 0; m < MEASURES; m++) {
        l->us[m] = calloc(ROUNDS_MAX, sizeof *l->us[m]);
        l->user_us[m] = calloc(ROUNDS_MAX, sizeof *l->user_us[m]);
        if (!l->us[m] || !l->user_us[m]) {
            snprintf(sentence, cap, "out of memory");
            return false;
        }
    }
    if (!mr_limit_crypto_init(&l->crypto, l->o.peers, l->o.frame_bytes, l->o.coalesce)) {
        snprintf(sentence, cap, "out of memory, or more than %u bytes a send", MR_LIMIT_BLOCK_MAX);
        return false;
    }
    return mr_limit_kernel_open(&l->kernel, l->o.peers, l->o.sink_cpu, sentence, cap);
}

static void limit_fini(struct limit *l)
{
    mr_limit_kernel_close(&l->kernel);
    mr_limit_crypto_fini(&l->crypto);
    for (enum measure m = 0; m < MEASURES; m++)
        free(l->us[m]), free(l->user_us[m]);
}

/* ---- what is told ---- */

static void report_path(struct limit *l, struct mr_json *j, bool text)
{
    double us[MEASURES], user_us;
    enum measure least;

    for (enum measure m = 0; m < MEASURES; m++)
        us[m] = mr_bench_median(l->us[m], l->rounds);
    least = us[PATH_RING] < us[PATH_SEND] ? PATH_RING : PATH_SEND;
    user_us = mr_bench_median(l->user_us[least], l->rounds);
    mr_json_set_u64(j, "peers", l->o.peers);
    mr_json_set_u64(j, "frame_bytes", l->o.frame_bytes);
    mr_json_set_u64(j, "coalesce", l->o.coalesce);
    mr_json_set_u64(j, "rounds", l->rounds);
    mr_json_set_string(j, "way", least == PATH_RING ? "ring" : "send");
    mr_json_set_double(j, "aes_us", us[AES]);
    mr_json_set_double(j, "keccak_us", us[KECCAK]);
    mr_json_set_double(j, "kernel_us", MR_MIN(us[SEND], us[RING]));
    mr_json_set_double(j, "cpu_us_per_delivery", us[least]);
    mr_json_set_double(j, "user_us", user_us);
    mr_json_set_double(j, "sys_us", us[least] - user_us);
    if (!text)
        return;
    printf("%u peers, %u bytes a message, %u a send (%u bytes), %zu rounds: us per delivery\n",
           l->o.peers, l->o.frame_bytes, l->o.coalesce, l->crypto.block_bytes, l->rounds);
    printf("  AES (%s) %.3f + Keccak (%s) %.3f + kernel: ring %.3f, send(2) %.3f\n",
           mr_aes_kernel(), us[AES], l->keccak, us[KECCAK], us[RING], us[SEND]);
    printf("  all three, by ring %.3f, by send(2) %.3f\n", us[PATH_RING], us[PATH_SEND]);
    printf("  floor %.3f: user %.3f, sys %.3f\n", us[least], user_us, us[least] - user_us);
}

static void report_handshake(const struct mr_limit_handshake *h, struct mr_json *j, bool text)
{
    mr_json_set_double(j, "handshake_us", h->sum_us);
    if (text)
        printf("handshake %.1f us: 4 ECDH of %.1f, a recovery of %.1f, 2 key pairs of %.1f, "
               "accept and close %.1f\n",
               h->sum_us, h->ecdh_us, h->recover_us, h->keypair_us, h->accept_us);
}

static int report(struct limit *l)
{
    const bool text = !l->o.json, to_stdout = l->o.json && strcmp(l->o.json, "-") == 0;
    struct mr_json *j = mr_json_new_object();
    enum mr_err e = MR_OK;

    mr_json_set_string(j, "keccak", l->keccak);
    mr_json_set_string(j, "aes", mr_aes_kernel());
    if (l->o.peers)
        report_path(l, j, text);
    if (l->o.handshake)
        report_handshake(&l->handshake, j, text);
    if (to_stdout)
        e = mr_json_write(j, stdout, true);
    else if (!text)
        e = mr_json_save(j, l->o.json, true);
    mr_json_free(j);
    return e ? refuse("cannot write the figures") : 0;
}

/* ---- the command line ---- */

struct words { /* what the flags are before they are understood */
    const char *seconds;
    uint32_t cpu, sink_cpu;
    bool cpu_given, sink_cpu_given, help;
};

/* NULL, or what is wrong. */
static const char *understand(struct options *o, const struct words *w)
{
    char *end;

    if (!o->peers != !o->frame_bytes || (!o->peers && !o->handshake))
        return "--peers and --frame-bytes go together, or --handshake alone";
    if (o->peers > MR_LIMIT_PEERS_MAX)
        return "--peers wants at most 16384";
    if (o->frame_bytes > MR_LIMIT_BLOCK_MAX)
        return "--frame-bytes wants at most 16 MiB";
    if (o->coalesce == 0 || o->coalesce > MR_LIMIT_COALESCE_MAX)
        return "--coalesce wants 1 to 256";
    if (w->seconds &&
        (!((o->seconds = strtod(w->seconds, &end)) >= 0.01) || o->seconds > SECONDS_MAX || *end))
        return "--seconds wants 0.01 to 600";
    if (w->cpu >= CPU_SETSIZE || w->sink_cpu >= CPU_SETSIZE)
        return "--cpu and --sink-cpu want a CPU's number";
    o->cpu = w->cpu_given ? (int)w->cpu : -1;
    o->sink_cpu = w->sink_cpu_given ? (int)w->sink_cpu : -1;
    return NULL;
}

static bool read_line(struct options *o, bool *help, int argc, char **argv, char *error, size_t cap)
{
    struct words w = {0};
    const struct mr_flag flags[] = {
        {"peers", MR_FLAG_U32, &o->peers, "N", "sockets, each with keys of its own", NULL},
        {"frame-bytes", MR_FLAG_U32, &o->frame_bytes, "B", "of a message, as frame data", NULL},
        {"coalesce", MR_FLAG_U32, &o->coalesce, "K", "messages of one send (1)", NULL},
        {"handshake", MR_FLAG_BOOL, &o->handshake, NULL, "also what a handshake cannot do without",
         NULL},
        {"seconds", MR_FLAG_TEXT, &w.seconds, "S", "of each measure (2)", NULL},
        {"cpu", MR_FLAG_U32, &w.cpu, "C", "where it runs (the first)", &w.cpu_given},
        {"sink-cpu", MR_FLAG_U32, &w.sink_cpu, "D", "where its child reads (the last)",
         &w.sink_cpu_given},
        {"json", MR_FLAG_TEXT, &o->json, "FILE", "the figures; - is stdout", NULL},
        {"help", MR_FLAG_BOOL, &w.help, NULL, "", NULL},
    };
    const char *wrong;
    size_t words;

    if (!mr_flags_parse(flags, MR_COUNT_OF(flags), argc, argv, NULL, &words, 0, error, cap))
        return false;
    *help = w.help;
    if (w.help) {
        puts("millrace-limit: the floor under the fan-out path, and under a handshake.");
        mr_flags_help(flags, MR_COUNT_OF(flags));
        return true;
    }
    if ((wrong = understand(o, &w)))
        snprintf(error, cap, "%s", wrong);
    return wrong == NULL;
}

/* The first and the last CPU of the affinity mask, where none were named. */
static void cpus_choose(struct options *o)
{
    cpu_set_t set;
    int first = -1, last = -1;

    if (sched_getaffinity(0, sizeof set, &set))
        return;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((unsigned)i, &set)) {
            first = first < 0 ? i : first;
            last = i;
        }
    o->cpu = o->cpu < 0 ? first : o->cpu;
    o->sink_cpu = o->sink_cpu < 0 ? last : o->sink_cpu;
}

static int run(struct limit *l)
{
    char sentence[512] = "";

    if (l->o.peers && !path_begin(l, sentence, sizeof sentence))
        return refuse(sentence);
    if (l->o.peers && !path(l))
        return refuse(strerror(errno));
    if (l->o.handshake && !mr_limit_handshake_measure(&l->handshake, l->o.seconds))
        return refuse("a step of the handshake failed");
    return report(l);
}

int main(int argc, char **argv)
{
    static struct limit l = {.o = {.coalesce = 1, .seconds = 2}};
    char error[512];
    bool help;
    int rc;

    if (!read_line(&l.o, &help, argc, argv, error, sizeof error))
        return refuse(error);
    if (help)
        return 0;
    signal(SIGPIPE, SIG_IGN);
    cpus_choose(&l.o);
    if (l.o.cpu >= 0 && !mr_limit_pin(l.o.cpu))
        return refuse("cannot run on that CPU");
    l.keccak = mr_keccak_select();
    rc = run(&l);
    limit_fini(&l);
    return rc;
}
