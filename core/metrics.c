#include "core/metrics.h"

#include "core/json.h"

uint64_t mr_metric_read(const struct mr_metric *m, const void *instance)
{
    const uint64_t *field = (const uint64_t *)((const char *)instance + m->offset);

    return MR_METRIC_GET(*field);
}

const struct mr_metric *mr_metric_find(const struct mr_metric_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->metrics[i].name, name) == 0)
            return &set->metrics[i];
    return NULL;
}

void mr_metrics_sum(const struct mr_metric_set *set, void *total, const void *const *instances,
                    size_t n)
{
    memset(total, 0, set->size);
    for (size_t i = 0; i < set->count; i++) {
        const struct mr_metric *m = &set->metrics[i];
        uint64_t *sum = (uint64_t *)((char *)total + m->offset);

        for (size_t k = 0; k < n; k++) {
            uint64_t v = mr_metric_read(m, instances[k]);

            if (m->kind == MR_METRIC_PEAK)
                *sum = MR_MAX(*sum, v);
            else
                *sum += v;
        }
    }
}

void mr_metrics_json(const struct mr_metric_set *set, struct mr_json *object, const void *total)
{
    for (size_t i = 0; i < set->count; i++)
        mr_json_set_u64(object, set->metrics[i].name, mr_metric_read(&set->metrics[i], total));
}
