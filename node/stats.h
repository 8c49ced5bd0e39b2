/* stats.h: --stats FILE: all counters, gauges and peaks of all threads as one JSON object, written
 * whole or not at all. Thread: main; reads what other threads write, relaxed. */
#pragma once
#include "core/base.h"
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

/* False: the file could not be written (errno tells). */
bool mr_stats_write(const char *path, const struct mr_stats_source *sources, size_t sources_count,
                    const struct mr_stats_group *groups, size_t groups_count);
