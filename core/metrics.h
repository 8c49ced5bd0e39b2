/* metrics.h: counters and gauges with one writer each, read by any thread.
 *
 * A module lists its metrics once, in its header:
 *
 *     #define MR_SHARD_METRICS(X) \
 *         X(tx_duplicate, "transactions that were known already") \
 *         X(peers_count, "sessions now", GAUGE) \
 *         X(turn_max_us, "longest turn so far", PEAK)
 *     MR_METRICS_DECLARE(mr_shard_metrics, MR_SHARD_METRICS)   // struct mr_shard_metrics
 *
 * and in one .c file: MR_METRICS_DEFINE(mr_shard_metrics, MR_SHARD_METRICS)
 * which is the table mr_shard_metrics_set. The struct holds only uint64_t and starts as all zeroes.
 * Without a third word a metric is a COUNTER. Over several instances counters and gauges are added
 * up and of peaks the largest counts. Names: noun_what[_unit].
 *
 * Thread: each instance has one writer; any thread may read. Memory: the caller's. */
#pragma once
#include "core/base.h"

struct mr_json;

enum mr_metric_kind { MR_METRIC_COUNTER, MR_METRIC_GAUGE, MR_METRIC_PEAK };

struct mr_metric {
    const char *name;
    const char *help;
    uint32_t offset; /* into the struct */
    enum mr_metric_kind kind;
};

/* One kind of struct of metrics. */
struct mr_metric_set {
    const char *name; /* of the struct */
    const struct mr_metric *metrics;
    size_t count;
    size_t size; /* of the struct */
};

/* Writers: relaxed load and store, no locked instruction. field is an lvalue such as
 * m->tx_duplicate. */
#define MR_METRIC_GET(field)        __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define MR_METRIC_PUT(field, value) __atomic_store_n(&(field), (uint64_t)(value), __ATOMIC_RELAXED)
#define MR_COUNT(field, n)          MR_METRIC_PUT(field, MR_METRIC_GET(field) + (uint64_t)(n))
#define MR_GAUGE_SET(field, value)  MR_METRIC_PUT(field, value)
#define MR_GAUGE_ADD(field, n)      MR_METRIC_PUT(field, MR_METRIC_GET(field) + (uint64_t)(n))
#define MR_GAUGE_SUB(field, n)      MR_METRIC_PUT(field, MR_METRIC_GET(field) - (uint64_t)(n))
#define MR_PEAK(field, value)       mr_metric_peak(&(field), (uint64_t)(value))

static inline void mr_metric_peak(uint64_t *field, uint64_t value)
{
    if (value > MR_METRIC_GET(*field))
        MR_METRIC_PUT(*field, value);
}

#define MR_METRIC_FIELD(name, ...) uint64_t name;
/* Inside MR_METRICS_DEFINE the struct goes by the name mr_metrics_here. */
#define MR_METRIC_ROW(name_, ...)                                                                  \
    {.name = #name_,                                                                               \
     .offset = (uint32_t)offsetof(struct mr_metrics_here, name_),                                  \
     MR_METRIC_REST(__VA_ARGS__, COUNTER, )},
#define MR_METRIC_REST(help_, kind_, ...) .help = help_, .kind = MR_METRIC_##kind_

#define MR_METRICS_DECLARE(struct_name, LIST)                                                      \
    struct struct_name {                                                                           \
        LIST(MR_METRIC_FIELD)                                                                      \
    };                                                                                             \
    extern const struct mr_metric_set struct_name##_set;

#define MR_METRICS_DEFINE(struct_name, LIST)                                                       \
    struct mr_metrics_here {                                                                       \
        LIST(MR_METRIC_FIELD)                                                                      \
    };                                                                                             \
    _Static_assert(sizeof(struct mr_metrics_here) == sizeof(struct struct_name), "same list");     \
    static const struct mr_metric struct_name##_rows[] = {LIST(MR_METRIC_ROW)};                    \
    const struct mr_metric_set struct_name##_set = {                                               \
        .name = #struct_name,                                                                      \
        .metrics = struct_name##_rows,                                                             \
        .count = MR_COUNT_OF(struct_name##_rows),                                                  \
        .size = sizeof(struct struct_name),                                                        \
    };

/* Any thread: the value of one metric of one instance. */
uint64_t mr_metric_read(const struct mr_metric *m, const void *instance);

/* The metric of that name, or NULL. */
const struct mr_metric *mr_metric_find(const struct mr_metric_set *set, const char *name);

/* Any thread: *total (a struct of this set, owned by the caller) becomes the sum of n instances;
 * n may be 0. The instances may be written meanwhile: each value is one that it had. */
void mr_metrics_sum(const struct mr_metric_set *set, void *total, const void *const *instances,
                    size_t n);

/* Sets a member of object (core/json.h) for each metric, in the order of the list. */
void mr_metrics_json(const struct mr_metric_set *set, struct mr_json *object, const void *total);
