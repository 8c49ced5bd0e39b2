#include "perf/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/endpoint.h"
#include "core/histogram_v2.h"
#include "perf/load_run.h"

/* ---- JSON ---- */

static void relay_json(struct mr_json *j, const struct mr_load *l)
{
    const uint64_t before = l->before.rss_bytes, after = l->after.rss_bytes;

    if (!l->before.known || !l->after.known) {
        mr_json_set(j, "relay_cpu_s", mr_json_new_null());
        mr_json_set(j, "relay_rss_bytes", mr_json_new_null());
        mr_json_set(j, "relay_rss_per_peer_bytes", mr_json_new_null());
        return;
    }
    mr_json_set_double(j, "relay_cpu_s", l->after.cpu_s - l->load_first.cpu_s);
    mr_json_set_u64(j, "relay_rss_bytes", after);
    mr_json_set_u64(j, "relay_rss_per_peer_bytes",
                    l->peers_connected > 0 && after > before ? (after - before) / l->peers_connected
                                                             : 0);
    mr_json_set_double(j, "relay_connect_cpu_s", l->load_first.cpu_s - l->before.cpu_s);
}

static struct mr_json *refused_json(const struct mr_corpus *c)
{
    struct mr_json *j = mr_json_new_object();

    for (size_t v = 1; v < MR_TX_VERDICTS; v++)
        if (c->refused[v] > 0)
            mr_json_set_u64(j, mr_tx_verdict_name((enum mr_tx_verdict)v), c->refused[v]);
    if (c->undecodable > 0)
        mr_json_set_u64(j, "UNDECODABLE", c->undecodable);
    if (c->under_fee_floor > 0)
        mr_json_set_u64(j, "UNDER_FEE_FLOOR", c->under_fee_floor);
    return j;
}

static struct mr_json *corpus_json(const struct mr_load *l)
{
    struct mr_json *j = mr_json_new_object();

    mr_json_set_u64(j, "read", l->corpus.read);
    mr_json_set_u64(j, "accepted", l->corpus.accepted);
    mr_json_set(j, "refused", refused_json(&l->corpus));
    mr_json_set_u64(j, "drawn", l->corpus.drawn);
    mr_json_set_u64(j, "generated", l->corpus.generated);
    mr_json_set_u64(j, "accounts_generated", l->corpus.accounts);
    mr_json_set_double(j, "prepared_s", (double)l->prepared_ns / 1e9);
    return j;
}

static struct mr_json *connections_json(const struct mr_load *l)
{
    static const char *const keys[] = {
#define KEY(name, key) key,
        MR_LOAD_END_MAP(KEY)
#undef KEY
    };
    struct mr_json *j = mr_json_new_object(), *before = mr_json_new_object();
    struct mr_json *during = mr_json_new_object(), *reasons = mr_json_new_object();

    for (size_t i = 1; i < MR_LOAD_ENDS; i++) {
        if (l->counts.ends[i] > 0)
            mr_json_set_u64(before, keys[i], l->counts.ends[i]);
        if (l->counts.ends_later[i] > 0)
            mr_json_set_u64(during, keys[i], l->counts.ends_later[i]);
    }
    for (unsigned i = 0; i < MR_REASON_COUNT; i++)
        if (l->counts.reasons[i] > 0)
            mr_json_set_u64(reasons, mr_reason_name(i), l->counts.reasons[i]);
    mr_json_set_u64(j, "retries", l->counts.retries);
    mr_json_set_u64(j, "at_end", l->peers_at_end);
    mr_json_set(j, "ended_while_connecting", before);
    mr_json_set(j, "ended_during_load", during);
    mr_json_set(j, "disconnect_reasons", reasons);
    return j;
}

static struct mr_json *punishable_json(const struct mr_load *l)
{
    const uint64_t *faults = mr_strict_faults(l->strict);
    struct mr_json *j = mr_json_new_object();

    for (size_t i = 1; i < MR_STRICT_RULES; i++)
        if (faults[i] > 0)
            mr_json_set_u64(j, mr_strict_rule_name((enum mr_strict_rule)i), faults[i]);
    return j;
}

static struct mr_json *details_json(const struct mr_load *l)
{
    const struct mr_load_track *t = &l->track;
    struct mr_json *j = mr_json_new_object();

    mr_json_set_u64(j, "twice_in_full", t->twice_in_full);
    mr_json_set_u64(j, "twice_announced", t->twice_announced);
    mr_json_set_u64(j, "sent_back", t->sent_back);
    mr_json_set_u64(j, "announced_to_owner", t->announced_to_owner);
    mr_json_set_u64(j, "in_full_after_announcement", t->in_full_announced);
    mr_json_set_u64(j, "known_before_sent", t->before_sent);
    mr_json_set_u64(j, "foreign", t->foreign);
    mr_json_set_u64(j, "requests", l->counts.requests);
    mr_json_set_u64(j, "requests_over_5s", l->counts.requests_late);
    mr_json_set_u64(j, "withheld", l->counts.withheld);
    mr_json_set_u64(j, "announced_over_4096", l->counts.over_wanted_max);
    mr_json_set_u64(j, "frames_in", l->counts.frames_in);
    mr_json_set_u64(j, "frames_out", l->counts.frames_out);
    mr_json_set_u64(j, "generator_late_max_us", t->late_sends_max_ns / 1000);
    mr_json_set_double(j, "generator_cpu_s", l->own_after.cpu_s - l->own_first.cpu_s);
    mr_json_set_double(j, "generator_cpu_wait_s", l->own_after.wait_s - l->own_first.wait_s);
    if (l->after.known)
        mr_json_set_double(j, "relay_cpu_wait_s", l->after.wait_s - l->load_first.wait_s);
    return j;
}

static struct mr_json *options_json(const struct mr_load_options *o)
{
    struct mr_json *j = mr_json_new_object(), *corpora = mr_json_new_array();

    mr_json_set_string(j, "target", o->target_text);
    mr_json_set_string(j, "network", o->network->name);
    mr_json_set_u64(j, "peers", o->peers);
    mr_json_set_u64(j, "senders", o->senders);
    mr_json_set_double(j, "rate", o->rate);
    mr_json_set_double(j, "duration_s", o->duration_s);
    mr_json_set_double(j, "drain_s", o->drain_s);
    mr_json_set_u64(j, "eth_version", o->eth_version);
    mr_json_set_u64(j, "connecting", o->connecting);
    mr_json_set_bool(j, "synthetic", o->corpora_count == 0);
    for (uint32_t i = 0; i < o->corpora_count; i++)
        mr_json_push(corpora, mr_json_new_string(o->corpora[i], strlen(o->corpora[i])));
    mr_json_set(j, "corpora", corpora);
    return j;
}

struct mr_json *mr_report_json(const struct mr_load *l)
{
    const double connect_s = (double)(l->connect_end_ns - l->connect_begin_ns) / 1e9;
    const struct mr_load_track *t = &l->track;
    struct mr_json *j = mr_json_new_object();

    mr_json_set_u64(j, "peers_connected", l->peers_connected);
    mr_json_set_double(j, "handshakes_per_s",
                       connect_s > 0 ? (double)l->peers_connected / connect_s : 0);
    mr_json_set_u64(j, "sent", t->sent);
    mr_json_set_u64(j, "expected", mr_load_expected(l));
    mr_json_set_u64(j, "delivered", t->delivered);
    mr_json_set_u64(j, "lost", mr_load_lost(l));
    mr_json_set_u64(j, "duplicates_sent_by_relay", mr_load_track_duplicates(t));
    mr_json_set_u64(j, "punishable", mr_strict_faults_sum(l->strict));
    mr_json_set(j, "notice_us", mr_histogram_json(&t->notice));
    mr_json_set(j, "body_us", mr_histogram_json(&t->body));
    relay_json(j, l);
    mr_json_set_u64(j, "bytes_in", l->counts.bytes_in);
    mr_json_set_u64(j, "bytes_out", l->counts.bytes_out);
    mr_json_set(j, "transactions", corpus_json(l));
    mr_json_set(j, "connections", connections_json(l));
    mr_json_set(j, "punishable_by_rule", punishable_json(l));
    mr_json_set(j, "details", details_json(l));
    mr_json_set_double(j, "run_s", (double)(l->finish_ns - l->connect_begin_ns) / 1e9);
    mr_json_set_bool(j, "interrupted", l->interrupted);
    mr_json_set(j, "options", options_json(l->o));
    mr_json_set_u64(j, "seed", l->o->seed);
    return j;
}

/* ---- judging ---- */

bool mr_report_figure(double *out, const struct mr_json *report, const char *path)
{
    char key[64];

    while (report) {
        size_t n = strcspn(path, ".");

        if (n == 0 || n >= sizeof key)
            return false;
        memcpy(key, path, n);
        key[n] = 0;
        report = mr_json_get(report, key);
        if (path[n] == 0)
            return mr_json_double(report, out) == MR_OK;
        path += n + 1;
    }
    return false;
}

static double figure(const struct mr_json *report, const char *path)
{
    double v = 0;

    return mr_report_figure(&v, report, path) ? v : 0;
}

unsigned mr_report_judge(FILE *f, const struct mr_load_options *o, const struct mr_json *report)
{
    unsigned failures = 0;
    double v;

    v = figure(report, "peers_connected");
    if (v < o->peers)
        failures++, fprintf(f, "FAILED: %.0f of %u peers connected\n", v, o->peers);
    v = figure(report, "peers_connected") - figure(report, "connections.at_end");
    if (v > 0)
        failures++, fprintf(f, "FAILED: %.0f connections ended during the load\n", v);
    if ((v = figure(report, "lost")) > 0)
        failures++, fprintf(f, "FAILED: %.0f deliveries lost\n", v);
    if ((v = figure(report, "duplicates_sent_by_relay")) > 0)
        failures++, fprintf(f, "FAILED: %.0f duplicates\n", v);
    if ((v = figure(report, "punishable")) > 0)
        failures++, fprintf(f, "FAILED: %.0f messages for which peers would have left\n", v);
    for (uint32_t i = 0; i < o->asserts_count; i++) {
        const struct mr_load_assert *a = &o->asserts[i];

        if (!mr_report_figure(&v, report, a->key))
            failures++, fprintf(f, "FAILED: --assert %s: no such figure\n", a->key);
        else if (v > a->max)
            failures++, fprintf(f, "FAILED: %s is %.10g, over %.10g\n", a->key, v, a->max);
    }
    return failures;
}

/* ---- HdrHistogram's files ---- */

/* path with its ending replaced by .hlog, or added. */
static void hlog_path(char *out, size_t cap, const char *path)
{
    const char *dot = strrchr(path, '.');
    size_t n = dot && !strchr(dot, '/') ? (size_t)(dot - path) : strlen(path);

    snprintf(out, cap, "%.*s.hlog", (int)n, path);
}

static enum mr_err write_hlog(const struct mr_load *l, const char *path)
{
    const struct mr_histogram_options options = {.highest = l->track.body.highest,
                                                 .digits = l->track.body.digits};
    struct mr_histogram_encoder *encoder = mr_histogram_encoder_open(&options);
    const uint64_t length_ms = (l->finish_ns - l->load_begin_ns) / MR_MS;
    const uint64_t start_ms = l->now.wall_ns / MR_MS - (l->now.mono_ns - l->load_begin_ns) / MR_MS;
    FILE *f = fopen(path, "we");
    enum mr_err e = f && encoder ? MR_OK : MR_SYSTEM;

    if (!e)
        e = mr_histogram_write_hlog_head(f, start_ms);
    if (!e)
        e = mr_histogram_write_hlog_line(encoder, f, "body_us", 0, length_ms, 1, &l->track.body);
    if (!e)
        e = mr_histogram_write_hlog_line(encoder, f, "notice_us", 0, length_ms, 1,
                                         &l->track.notice);
    if (f && fclose(f) != 0 && !e)
        e = MR_SYSTEM;
    mr_histogram_encoder_close(encoder);
    return e;
}

enum mr_err mr_report_hgrm(const struct mr_load *l, const char *path)
{
    char beside[4096];
    FILE *f = fopen(path, "we");
    enum mr_err e = f ? mr_histogram_write_hgrm(&l->track.body, f, 5, 1) : MR_SYSTEM;

    if (f && fclose(f) != 0 && !e)
        e = MR_SYSTEM;
    hlog_path(beside, sizeof beside, path);
    return e ? e : write_hlog(l, beside);
}
