/* The table that an operator reads. */
#include <stdlib.h>

#include "perf/load_run.h"
#include "perf/report.h"

static double figure(const struct mr_json *report, const char *path)
{
    double v = 0;

    return mr_report_figure(&v, report, path) ? v : 0;
}

/* 12345 -> "12.3 ms". */
static const char *duration(char out[24], double us)
{
    if (us < 1000)
        snprintf(out, 24, "%.0f us", us);
    else if (us < 1e6)
        snprintf(out, 24, "%.*f ms", us < 1e4 ? 2 : us < 1e5 ? 1 : 0, us / 1000);
    else
        snprintf(out, 24, "%.2f s", us / 1e6);
    return out;
}

static const char *amount(char out[24], double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    unsigned i = 0;

    while (bytes >= 1024 && i + 1 < MR_COUNT_OF(units))
        bytes /= 1024, i++;
    snprintf(out, 24, "%.*f %s", i == 0 ? 0 : 1, bytes, units[i]);
    return out;
}

static void latencies(FILE *f, const struct mr_json *report)
{
    static const char *const columns[] = {"p50", "p90", "p99", "p999", "max"};
    static const char *const rows[][2] = {{"notice_us", "first notice"}, {"body_us", "body held"}};
    char path[64], text[24];

    fprintf(f, "\nlatency         ");
    for (size_t i = 0; i < MR_COUNT_OF(columns); i++)
        fprintf(f, "%12s", columns[i]);
    fputs("      (from the scheduled send)\n", f);
    for (size_t r = 0; r < MR_COUNT_OF(rows); r++) {
        fprintf(f, "  %-14s", rows[r][1]);
        for (size_t i = 0; i < MR_COUNT_OF(columns); i++) {
            snprintf(path, sizeof path, "%s.%s", rows[r][0], columns[i]);
            fprintf(f, "%12s", duration(text, figure(report, path)));
        }
        fputc('\n', f);
    }
}

static void relay(FILE *f, const struct mr_load *l, const struct mr_json *report)
{
    const double delivered = figure(report, "delivered");
    const double cpu_s = figure(report, "relay_cpu_s");
    const double load_s = (double)(l->finish_ns - l->load_begin_ns) / 1e9;
    char all[24], each[24];

    if (!l->before.known || !l->after.known) {
        fputs("\nrelay's process       not measured (--relay-pid)\n", f);
        return;
    }
    fprintf(f, "\nrelay's CPU           %.2f s in %.1f s of load (%.0f%% of a core)", cpu_s, load_s,
            load_s > 0 ? 100 * cpu_s / load_s : 0);
    if (delivered > 0)
        fprintf(f, ", %.1f us a delivery", 1e6 * cpu_s / delivered);
    fprintf(f, "\nrelay's memory        %s resident, %s a peer\n",
            amount(all, figure(report, "relay_rss_bytes")),
            amount(each, figure(report, "relay_rss_per_peer_bytes")));
}

/* "name 3, other 4" of an object of numbers. */
static void list(FILE *f, const char *label, const struct mr_json *object)
{
    const struct mr_json *v;
    const char *key, *separator = "";
    void *it = NULL;
    uint64_t n;

    if (mr_json_count(object) == 0)
        return;
    fputs(label, f);
    while (mr_json_next(object, &it, &key, &v))
        if (mr_json_u64(v, &n) == MR_OK) {
            fprintf(f, "%s%s %llu", separator, key, (unsigned long long)n);
            separator = ", ";
        }
    fputc('\n', f);
}

static void transactions(FILE *f, const struct mr_load *l, const struct mr_json *report)
{
    const struct mr_corpus *c = &l->corpus;

    fprintf(f, "transactions          %u real, %u generated", c->drawn, c->generated);
    if (c->read > 0)
        fprintf(f, " (corpus: %u, today's rules accept %u)", c->read, c->accepted);
    fputc('\n', f);
    list(f, "  left out            ", mr_json_get(mr_json_get(report, "transactions"), "refused"));
}

void mr_report_text(FILE *f, const struct mr_load *l, const struct mr_json *report)
{
    const struct mr_load_options *o = l->o;
    const struct mr_json *connections = mr_json_get(report, "connections");
    char in[24], out[24], where[MR_ENDPOINT_TEXT_MAX];

    fprintf(
        f,
        "millrace-load         %u peers, %u of them send %g tx/s for %g s to %s, %s, seed %llu\n",
        o->peers, o->senders, o->rate, o->duration_s, mr_endpoint_text(where, o->target.tcp),
        o->network->name, (unsigned long long)o->seed);
    transactions(f, l, report);
    fprintf(f, "peers connected       %u of %u, %.0f handshakes/s\n", l->peers_connected, o->peers,
            figure(report, "handshakes_per_s"));
    list(f, "  tried again after   ", mr_json_get(connections, "ended_while_connecting"));
    list(f, "  ended during load   ", mr_json_get(connections, "ended_during_load"));
    list(f, "  reasons given       ", mr_json_get(connections, "disconnect_reasons"));
    fprintf(f, "\nsent                  %.0f\n", figure(report, "sent"));
    fprintf(f, "delivered             %.0f of %.0f\n", figure(report, "delivered"),
            figure(report, "expected"));
    fprintf(f, "lost                  %.0f\n", figure(report, "lost"));
    fprintf(f, "duplicates            %.0f (in full %.0f, announced %.0f, sent back %.0f)\n",
            figure(report, "duplicates_sent_by_relay"), figure(report, "details.twice_in_full"),
            figure(report, "details.twice_announced"), figure(report, "details.sent_back"));
    fprintf(f, "punishable            %.0f\n", figure(report, "punishable"));
    list(f, "  by rule             ", mr_json_get(report, "punishable_by_rule"));
    latencies(f, report);
    relay(f, l, report);
    fprintf(f, "traffic               %s received, %s sent; %.0f requests, %.0f over 5 s\n",
            amount(in, figure(report, "bytes_in")), amount(out, figure(report, "bytes_out")),
            figure(report, "details.requests"), figure(report, "details.requests_over_5s"));
    fprintf(f, "generator             %.2f s of CPU, at most %s behind its schedule\n",
            figure(report, "details.generator_cpu_s"),
            duration(in, figure(report, "details.generator_late_max_us")));
    fprintf(f, "waiting for a CPU     generator %.2f s",
            figure(report, "details.generator_cpu_wait_s"));
    if (l->after.known)
        fprintf(f, ", relay %.2f s", figure(report, "details.relay_cpu_wait_s"));
    fputs(" (others were running)\n", f);
    if (figure(report, "details.known_before_sent") > 0)
        fprintf(f, "note                  the node knew some of these transactions before: "
                   "use another --seed, or start it anew\n");
    if (l->interrupted)
        fputs("note                  interrupted: figures up to then\n", f);
}
