/* millrace-load: many real peers, an open loop of transactions, and when each arrives at all.
 * perf/load_run.h has the run, perf/report.h what comes out of it, docs/performance.md how to read
 * it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/keccak.h"
#include "perf/load_run.h"
#include "perf/report.h"

#define COULD_NOT_RUN 2

static volatile bool stop;

static void on_signal(int number)
{
    (void)number;
    stop = true;
}

static int refuse(const char *sentence)
{
    fprintf(stderr, "millrace-load: %s\n", sentence);
    return COULD_NOT_RUN;
}

static bool failed_to_write(const char *path, enum mr_err e)
{
    if (e)
        fprintf(stderr, "millrace-load: cannot write %s: %s\n", path, strerror(errno));
    return e != MR_OK;
}

/* Number of files that could not be written. */
static unsigned write_files(const struct mr_load *l, const struct mr_json *report)
{
    const struct mr_load_options *o = l->o;
    const struct mr_report_curve curves[] = {{"body held", &l->track.body, "#c0392b"},
                                             {"first notice", &l->track.notice, "#2471a3"}};
    char title[256];
    unsigned failed = 0;

    mr_report_title(title, sizeof title, l);
    if (o->json)
        failed += failed_to_write(o->json, mr_json_save(report, o->json, true));
    if (o->hgrm)
        failed += failed_to_write(o->hgrm, mr_report_hgrm(l, o->hgrm));
    if (o->svg)
        failed +=
            failed_to_write(o->svg, mr_report_svg(o->svg, title, curves, MR_COUNT_OF(curves)));
    return failed;
}

static int run(struct mr_load *l, const struct mr_load_options *o)
{
    char sentence[512] = "";
    struct mr_json *report;
    unsigned failures;

    if (mr_load_init(l, o, sentence, sizeof sentence) != MR_OK) {
        mr_load_fini(l);
        return refuse(sentence);
    }
    if (!mr_load_run(l, &stop, sentence, sizeof sentence)) {
        mr_load_fini(l);
        return refuse(sentence);
    }
    report = mr_report_json(l);
    mr_report_text(stdout, l, report);
    failures = mr_report_judge(stdout, o, report);
    fflush(stdout);
    failures += write_files(l, report);
    mr_json_free(report);
    mr_load_fini(l);
    return failures > 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct mr_load load;
    static struct mr_load_options options;
    struct sigaction action = {.sa_handler = on_signal};
    char sentence[512];

    if (mr_load_options_read(&options, sentence, sizeof sentence, argc, argv) != MR_OK)
        return refuse(sentence);
    if (options.help) {
        mr_load_help(stdout);
        return 0;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    mr_keccak_select();
    return run(&load, &options);
}
