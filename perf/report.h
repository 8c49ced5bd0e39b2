/* report.h: the figures of a load run: as JSON, as text for an operator, as HdrHistogram files, as
 * a picture. Thread: main's, behind the run. */
#pragma once
#include <stdio.h>

#include "core/json.h"
#include "perf/load_state.h"

/* All figures. The caller frees the tree. */
struct mr_json *mr_report_json(const struct mr_load *l);
/* A table of what matters, from the tree of mr_report_json. */
void mr_report_text(FILE *f, const struct mr_load *l, const struct mr_json *report);

/* What fails the run, one line each on f: connections short, lost, duplicates, punishable messages,
 * assertions. Returns how many. */
unsigned mr_report_judge(FILE *f, const struct mr_load_options *o, const struct mr_json *report);
/* A figure by its path in the tree: "body_us.p99". False if there is none, or it is no number. */
bool mr_report_figure(double *out, const struct mr_json *report, const char *path);

/* body_us as .hgrm at path; both histograms as .hlog beside it. MR_SYSTEM: errno tells. */
MR_MUST_USE enum mr_err mr_report_hgrm(const struct mr_load *l, const char *path);

/* Both curves, latency over percentile, as SVG. title is plain text. */
struct mr_report_curve {
    const char *name;
    const struct mr_histogram *histogram; /* microseconds */
    const char *colour;
};
MR_MUST_USE enum mr_err mr_report_svg(const char *path, const char *title,
                                      const struct mr_report_curve *curves, size_t n);
/* The title that a run's picture bears. */
void mr_report_title(char *out, size_t cap, const struct mr_load *l);
