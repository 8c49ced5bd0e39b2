/* The picture: latency over percentile, both axes logarithmic, percentiles by their distance to
 * 100%. */
#include <math.h>

#include "perf/report.h"

#define WIDTH  960
#define HEIGHT 560
#define LEFT   90
#define RIGHT  150
#define TOP    64
#define BOTTOM 70
#define STEPS  400

struct axes {
    double x_decades;     /* 1 - 10^-x_decades is the last percentile shown */
    double y_low, y_high; /* log10 of microseconds */
};

static double x_of(const struct axes *a, double percentile)
{
    double decades = percentile < 100 ? -log10(1 - percentile / 100) : a->x_decades;

    return LEFT + (WIDTH - LEFT - RIGHT) * MR_MIN(decades, a->x_decades) / a->x_decades;
}

static double y_of(const struct axes *a, double us)
{
    double part = (log10(MR_MAX(us, 1.0)) - a->y_low) / (a->y_high - a->y_low);

    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * MR_MIN(MR_MAX(part, 0.0), 1.0);
}

/* So many decades as there are values to tell apart. */
static struct axes axes_of(const struct mr_report_curve *curves, size_t n)
{
    uint64_t count = 0, low = UINT64_MAX, high = 1;
    struct axes a;

    for (size_t i = 0; i < n; i++) {
        const struct mr_histogram *h = curves[i].histogram;

        if (mr_histogram_count(h) == 0)
            continue;
        count = MR_MAX(count, mr_histogram_count(h));
        low = MR_MIN(low, mr_histogram_min(h));
        high = MR_MAX(high, mr_histogram_max(h));
    }
    a.x_decades = MR_MIN(MR_MAX(ceil(log10((double)MR_MAX(count, 1u))), 2.0), 6.0);
    a.y_low = floor(log10((double)MR_MAX(MR_MIN(low, high), 1u)));
    a.y_high = log10((double)high * 1.15);
    if (a.y_high - a.y_low < 1)
        a.y_high = a.y_low + 1;
    return a;
}

static void put_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", f);
        else if (*text == '&')
            fputs("&amp;", f);
        else
            fputc(*text, f);
    }
}

static void unit_text(char out[24], double us)
{
    if (us < 1000)
        snprintf(out, 24, "%g us", us);
    else if (us < 1e6)
        snprintf(out, 24, "%g ms", us / 1e3);
    else
        snprintf(out, 24, "%g s", us / 1e6);
}

static void latency_line(FILE *f, const struct axes *a, double us, bool decade)
{
    const double y = y_of(a, us);
    char text[24];

    if (log10(us) < a->y_low - 1e-9 || log10(us) > a->y_high)
        return;
    unit_text(text, us);
    fprintf(f, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" class=\"%s\"/>\n", LEFT, y,
            WIDTH - RIGHT, y, decade ? "main" : "fine");
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 8, y + 4, text);
}

static void grid(FILE *f, const struct axes *a)
{
    static const double factors[] = {1, 2, 5};
    static const double percentiles[] = {0,    50,   75,    90,    95,     99,
                                         99.5, 99.9, 99.95, 99.99, 99.999, 99.9999};
    const bool few = a->x_decades > 4; /* then only the whole decades fit */

    for (int d = (int)floor(a->y_low); d <= (int)a->y_high; d++)
        for (size_t i = 0; i < MR_COUNT_OF(factors); i++)
            latency_line(f, a, factors[i] * pow(10, d), i == 0);
    for (size_t i = 0; i < MR_COUNT_OF(percentiles); i++) {
        double p = percentiles[i], x = x_of(a, p);

        if (-log10(1 - p / 100) > a->x_decades + 1e-9)
            continue;
        fprintf(f, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" class=\"fine\"/>\n", x, TOP,
                x, HEIGHT - BOTTOM);
        if (few && (p == 75 || p == 95 || p == 99.5 || p == 99.95))
            continue;
        fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g%%</text>\n", x,
                HEIGHT - BOTTOM + 18, p);
    }
}

static void curve(FILE *f, const struct axes *a, const struct mr_report_curve *c, size_t index)
{
    const double max = (double)mr_histogram_max(c->histogram);
    const int key_y = TOP + 16 + 78 * (int)index;
    char text[24];

    if (mr_histogram_count(c->histogram) == 0)
        return;
    fprintf(f, "<polyline class=\"curve\" stroke=\"%s\" points=\"", c->colour);
    for (int i = 0; i <= STEPS; i++) {
        double p = 100 * (1 - pow(10, -a->x_decades * i / STEPS));
        double us = (double)mr_histogram_percentile(c->histogram, p);

        fprintf(f, "%.1f,%.1f ", x_of(a, p), y_of(a, us));
    }
    fputs("\"/>\n", f);
    fprintf(f, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"curve\" stroke=\"%s\"/>\n",
            WIDTH - RIGHT + 12, key_y - 4, WIDTH - RIGHT + 34, key_y - 4, c->colour);
    fprintf(f, "<text x=\"%d\" y=\"%d\" class=\"key\">", WIDTH - RIGHT + 40, key_y);
    put_text(f, c->name);
    fputs("</text>\n", f);
    for (int i = 0; i < 3; i++) {
        static const double shown[] = {50, 99, 100};
        static const char *const names[] = {"p50", "p99", "max"};
        double us = i < 2 ? (double)mr_histogram_percentile(c->histogram, shown[i]) : max;

        unit_text(text, us < 1000 ? us : floor(us / 10) * 10);
        fprintf(f, "<text x=\"%d\" y=\"%d\">%s %s</text>\n", WIDTH - RIGHT + 40,
                key_y + 17 * (i + 1), names[i], text);
    }
}

enum mr_err mr_report_svg(const char *path, const char *title, const struct mr_report_curve *curves,
                          size_t n)
{
    const struct axes a = axes_of(curves, n);
    FILE *f = fopen(path, "we");
    bool bad;

    if (!f)
        return MR_SYSTEM;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n"
            "<style>.fine{stroke:#e4e4e4}.main{stroke:#bbb}.curve{fill:none;stroke-width:2.2}"
            ".key{font-weight:bold}</style>\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
    fprintf(f,
            "<text x=\"%d\" y=\"26\" font-size=\"17\">Latency from the scheduled send to each "
            "receiver</text>\n<text x=\"%d\" y=\"46\">",
            LEFT, LEFT);
    put_text(f, title);
    fputs("</text>\n", f);
    grid(f, &a);
    for (size_t i = 0; i < n; i++)
        curve(f, &a, &curves[i], i);
    fprintf(f,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">deliveries within (percentile)</text>\n"
            "</svg>\n",
            LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - BOTTOM + 44);
    bad = ferror(f) != 0;
    return fclose(f) != 0 || bad ? MR_SYSTEM : MR_OK;
}

void mr_report_title(char *out, size_t cap, const struct mr_load *l)
{
    snprintf(out, cap, "%u peers, %u senders, %g tx/s for %g s, %s, %s", l->peers_connected,
             l->o->senders, l->o->rate, l->o->duration_s, l->o->network->name,
             l->corpus.drawn > 0 ? "real transactions" : "generated transactions");
}
