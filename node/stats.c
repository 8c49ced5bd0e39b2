#include "node/stats.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/json.h"

static bool put_metrics(struct mr_json *root, const struct mr_runtime_metrics *m)
{
    void *total = calloc(1, m->set->size);

    if (!total)
        return false;
    mr_metrics_sum(m->set, total, m->instances, m->count);
    for (size_t k = 0; k < m->set->count; k++) /* one name, one metric */
        MR_VERIFY_THAT(!mr_json_get(root, m->set->metrics[k].name));
    mr_metrics_json(m->set, root, total);
    free(total);
    return true;
}

static void put_group(struct mr_json *root, const struct mr_stats_group *group)
{
    struct mr_json *object = mr_json_new_object();

    for (size_t k = 0; k < group->count; k++)
        mr_json_set_u64(object, group->names[k], group->values[k]);
    mr_json_set(root, group->name, object);
}

static bool put_histogram(struct mr_json *object, const struct mr_runtime_histogram *row)
{
    const struct mr_histogram *first = row->instances[0];
    const struct mr_histogram_options same = {.highest = first->highest, .digits = first->digits};
    struct mr_histogram sum;

    if (mr_histogram_init(&sum, &same) != MR_OK)
        return false;
    for (size_t i = 0; i < row->count; i++)
        if (mr_histogram_merge(&sum, row->instances[i]) != MR_OK)
            MR_ASSERT(!"the instances of one name are alike");
    mr_json_set(object, row->name, mr_histogram_json(&sum));
    mr_histogram_fini(&sum);
    return true;
}

bool mr_stats_write(const char *path, const struct mr_stats *stats)
{
    struct mr_json *root = mr_json_new_object(), *histograms = mr_json_new_object();
    bool ok = true;

    mr_json_set_string(root, "version", MR_VERSION);
    mr_json_set_u64(root, "time_ms", mr_clock_now().wall_ns / MR_MS); /* all is read later */
    for (size_t i = 0; ok && i < stats->metrics_count; i++)
        ok = put_metrics(root, &stats->metrics[i]);
    for (size_t i = 0; i < stats->groups_count; i++)
        put_group(root, &stats->groups[i]);
    for (size_t i = 0; ok && i < stats->histograms_count; i++)
        ok = put_histogram(histograms, &stats->histograms[i]);
    mr_json_set(root, "histograms", histograms);
    ok = ok && mr_json_save(root, path, false) == MR_OK;
    mr_json_free(root);
    return ok;
}
