/* stats.h: --stats FILE: all counters, gauges, peaks and histograms of all threads as one JSON
 * object, written whole or not at all. Thread: main; reads what other threads write, relaxed. */
#pragma once
#include "shards/runtime.h"

/* Named values besides the sets, such as verdicts on transactions. */
struct mr_stats_group {
    const char *name;
    const char *const *names;
    const uint64_t *values;
    size_t count;
};

/* Of metrics and histograms the sum over their threads is written, histograms as
 * mr_histogram_json has it, under "histograms"; those of one name are made alike. */
struct mr_stats {
    const struct mr_runtime_metrics *metrics;
    size_t metrics_count;
    const struct mr_stats_group *groups;
    size_t groups_count;
    const struct mr_runtime_histogram *histograms;
    size_t histograms_count;
};

/* False: the file could not be written (errno tells). */
bool mr_stats_write(const char *path, const struct mr_stats *stats);
