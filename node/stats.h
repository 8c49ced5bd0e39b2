/* stats.h: --stats FILE: all counters, gauges, peaks and histograms of all threads as one JSON
 * object, written whole or not at all. Thread: main; reads what other threads write, relaxed. */
#pragma once
#include "core/base.h"
#include "core/histogram.h"
#include "core/metrics.h"

/* Structs of one set, one a thread: their sum is what is written. */
struct mr_stats_source {
    const struct mr_metric_set *set;
    const void *const *instances;
    size_t count;
};

/* Named values besides the sets, such as verdicts on transactions. */
struct mr_stats_group {
    const char *name;
    const char *const *names;
    const uint64_t *values;
    size_t count;
};

/* Of one name, one a thread, all made with the same options: "histograms" holds for each name
 * count, min, mean, max and percentiles of their sum. */
struct mr_stats_histogram {
    const char *name;
    const struct mr_histogram *const *instances;
    size_t count;
};

struct mr_stats {
    const struct mr_stats_source *sources;
    size_t sources_count;
    const struct mr_stats_group *groups;
    size_t groups_count;
    const struct mr_stats_histogram *histograms;
    size_t histograms_count;
};

/* False: the file could not be written (errno tells). */
bool mr_stats_write(const char *path, const struct mr_stats *stats);
