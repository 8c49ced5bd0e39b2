#include "perf/fan_report.h"

#include "perf/report.h"

static double seconds(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

static uint64_t measured_deliveries(const struct mr_fan *f)
{
    return mr_histogram_count(&f->track.latency);
}

/* value / n, or null where the hub's process is unknown or n is 0. */
static void set_share(struct mr_json *j, const char *key, const struct mr_load_proc *a,
                      const struct mr_load_proc *b, double value, double n)
{
    if (a->known && b->known && n > 0)
        mr_json_set_double(j, key, value / n);
    else
        mr_json_set(j, key, mr_json_new_null());
}

/* The sum is the scheduler's, in nanoseconds; ticks only split it. */
static void hub_cpu(struct mr_json *j, const struct mr_fan *f)
{
    const struct mr_load_proc *a = &f->first, *b = &f->last;
    const double cpu_us = (b->cpu_s - a->cpu_s) * 1e6, n = (double)measured_deliveries(f);
    const double user = b->user_s - a->user_s, sys = b->sys_s - a->sys_s;
    const double user_part = user + sys > 0 ? user / (user + sys) : 0;

    set_share(j, "hub_us_per_delivery", a, b, cpu_us, n);
    set_share(j, "hub_user_us_per_delivery", a, b, cpu_us * user_part, n);
    set_share(j, "hub_sys_us_per_delivery", a, b, cpu_us * (1 - user_part), n);
    set_share(j, "hub_cores", a, b, b->cpu_s - a->cpu_s, seconds(f->begin_ns, f->end_ns));
    set_share(j, "hub_wait_s", a, b, b->wait_s - a->wait_s, 1);
    set_share(j, "hub_rss_bytes", a, b, (double)b->rss_bytes, 1);
}

static void hub_connections(struct mr_json *j, const struct mr_fan *f)
{
    const double n = f->active;
    const double rss = (double)f->idle_first.rss_bytes - (double)f->before.rss_bytes;

    set_share(j, "handshake_cpu_us", &f->before, &f->connected,
              (f->connected.cpu_s - f->before.cpu_s) * 1e6, n);
    set_share(j, "idle_rss_per_peer_bytes", &f->before, &f->idle_first, rss, n);
    set_share(j, "idle_rss_bytes", &f->idle_first, &f->idle_first, (double)f->idle_first.rss_bytes,
              1);
    set_share(j, "idle_cores", &f->idle_first, &f->idle_last,
              f->idle_last.cpu_s - f->idle_first.cpu_s, f->o->idle_s - 2.0);
}

static struct mr_json *options_json(const struct mr_fan_options *o)
{
    struct mr_json *j = mr_json_new_object();

    mr_json_set_u64(j, "peers", o->peers);
    mr_json_set_u64(j, "bytes", o->bytes);
    mr_json_set_string(j, "payload", o->tx ? "tx" : "random");
    mr_json_set_u64(j, "window", o->window);
    mr_json_set_double(j, "rate", o->rate);
    mr_json_set_u64(j, "messages", o->messages);
    mr_json_set_u64(j, "warmup", o->warmup);
    mr_json_set_u64(j, "connecting", o->connecting);
    mr_json_set_u64(j, "check", o->check);
    mr_json_set_bool(j, "one_address", o->one_address);
    mr_json_set_bool(j, "spin", o->spin);
    mr_json_set_u64(j, "idle_s", o->idle_s);
    mr_json_set_u64(j, "seed", o->seed);
    return j;
}

static void driver(struct mr_json *j, const struct mr_fan *f)
{
    const struct mr_fan_counts *c = &f->counts;
    const double n = (double)measured_deliveries(f);

    set_share(j, "driver_us_per_delivery", &f->own_first, &f->own_last,
              (f->own_last.cpu_s - f->own_first.cpu_s) * 1e6, n);
    set_share(j, "driver_wait_s", &f->own_first, &f->own_last,
              f->own_last.wait_s - f->own_first.wait_s, 1);
    mr_json_set_double(j, "frame_bytes",
                       c->frames_in > 0 ? (double)c->frame_bytes / (double)c->frames_in : 0);
    mr_json_set_double(j, "messages_per_receive",
                       c->receives > 0 ? (double)c->frames_in / (double)c->receives : 0);
    mr_json_set_u64(j, "bytes_in", c->bytes_in);
    mr_json_set_u64(j, "pings", c->pings);
    mr_json_set_u64(j, "others", c->others);
}

struct mr_json *mr_fan_report_json(const struct mr_fan *f)
{
    const double run_s = seconds(f->begin_ns, f->end_ns);
    const double connect_s = seconds(f->connect_begin_ns, f->connect_end_ns);
    const struct mr_fan_track *t = &f->track;
    struct mr_json *j = mr_json_new_object();

    mr_json_set_bool(j, "complete", !f->failed && mr_fan_track_faultless(t));
    mr_json_set(j, "failure",
                f->failed ? mr_json_new_string(f->sentence, strlen(f->sentence))
                          : mr_json_new_null());
    mr_json_set_u64(j, "connected", f->active);
    mr_json_set_u64(j, "published", t->published);
    mr_json_set_u64(j, "expected", (uint64_t)t->published * t->receivers);
    mr_json_set_u64(j, "delivered", t->delivered);
    mr_json_set_u64(j, "payload_bytes", t->delivered * f->o->bytes);
    mr_json_set_u64(j, "lost", mr_fan_track_lost(t));
    mr_json_set_u64(j, "doubled", t->doubled);
    mr_json_set_u64(j, "damaged", t->damaged);
    mr_json_set_u64(j, "returned", t->returned);
    mr_json_set_double(j, "snappy_ratio", f->payload.ratio);
    mr_json_set_u64(j, "measured_deliveries", measured_deliveries(f));
    mr_json_set_double(j, "measured_s", run_s);
    mr_json_set_double(j, "deliveries_per_s",
                       run_s > 0 ? (double)measured_deliveries(f) / run_s : 0);
    hub_cpu(j, f);
    mr_json_set(j, "latency_us", mr_histogram_json(&t->latency));
    mr_json_set(j, "last_us", mr_histogram_json(&t->last));
    mr_json_set_double(j, "handshakes_per_s", connect_s > 0 ? f->active / connect_s : 0);
    hub_connections(j, f);
    driver(j, f);
    mr_json_set(j, "options", options_json(f->o));
    return j;
}

/* ---- text ---- */

static double figure(const struct mr_json *report, const char *path)
{
    double v = 0;

    return mr_report_figure(&v, report, path) ? v : 0;
}

void mr_fan_report_text(FILE *out, const struct mr_fan *f, const struct mr_json *report)
{
    const struct mr_fan_options *o = f->o;

    fprintf(out, "%u peers, %u bytes %s (snappy ratio %.3f), ", o->peers, o->bytes,
            o->tx ? "of transactions" : "random", f->payload.ratio);
    if (o->window > 0)
        fprintf(out, "%u in flight", o->window);
    else
        fprintf(out, "%g a second", o->rate);
    fprintf(out, ": %u messages behind %u of warm-up\n", o->messages, o->warmup);
    fprintf(out, "hub CPU a delivery    %.2f us (user %.2f, system %.2f), %.2f cores\n",
            figure(report, "hub_us_per_delivery"), figure(report, "hub_user_us_per_delivery"),
            figure(report, "hub_sys_us_per_delivery"), figure(report, "hub_cores"));
    fprintf(out, "deliveries            %.0f, %.0f a second, %.2f a receive; driver %.2f us each\n",
            figure(report, "measured_deliveries"), figure(report, "deliveries_per_s"),
            figure(report, "messages_per_receive"), figure(report, "driver_us_per_delivery"));
    fprintf(out, "latency, us           p50 %.0f, p99 %.0f, p99.9 %.0f, max %.0f\n",
            figure(report, "latency_us.p50"), figure(report, "latency_us.p99"),
            figure(report, "latency_us.p999"), figure(report, "latency_us.max"));
    fprintf(out, "last peer, us         p50 %.0f, p99 %.0f\n", figure(report, "last_us.p50"),
            figure(report, "last_us.p99"));
    fprintf(out, "connecting            %.0f us of hub CPU each, %.0f a second\n",
            figure(report, "handshake_cpu_us"), figure(report, "handshakes_per_s"));
    fprintf(out, "idle                  %.1f KiB a peer, %.4f cores\n",
            figure(report, "idle_rss_per_peer_bytes") / 1024, figure(report, "idle_cores"));
    if (!mr_fan_track_faultless(&f->track))
        fprintf(out, "FAILED: lost %.0f, doubled %.0f, damaged %.0f, returned %.0f\n",
                figure(report, "lost"), figure(report, "doubled"), figure(report, "damaged"),
                figure(report, "returned"));
    if (f->failed)
        fprintf(out, "FAILED: %s\n", f->sentence);
}
