#include "node/stats.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/json.h"

static bool put_source(struct mr_json *root, const struct mr_stats_source *source)
{
    void *total = calloc(1, source->set->size);

    if (!total)
        return false;
    mr_metrics_sum(source->set, total, source->instances, source->count);
    for (size_t k = 0; k < source->set->count; k++) /* one name, one metric */
        MR_VERIFY_THAT(!mr_json_get(root, source->set->metrics[k].name));
    mr_metrics_json(source->set, root, total);
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

static struct mr_json *figures_of(const struct mr_histogram *h)
{
    static const struct {
        const char *name;
        double percentile;
    } rows[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p999", 99.9}};
    struct mr_json *object = mr_json_new_object();

    mr_json_set_u64(object, "count", mr_histogram_count(h));
    mr_json_set_u64(object, "min", mr_histogram_min(h));
    mr_json_set_u64(object, "mean", (uint64_t)mr_histogram_mean(h));
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        mr_json_set_u64(object, rows[i].name, mr_histogram_percentile(h, rows[i].percentile));
    mr_json_set_u64(object, "max", mr_histogram_max(h));
    return object;
}

static bool put_histogram(struct mr_json *object, const struct mr_stats_histogram *row)
{
    const struct mr_histogram *first = row->instances[0];
    const struct mr_histogram_options same = {.highest = first->highest, .digits = first->digits};
    struct mr_histogram sum;

    if (mr_histogram_init(&sum, &same) != MR_OK)
        return false;
    for (size_t i = 0; i < row->count; i++)
        if (mr_histogram_merge(&sum, row->instances[i]) != MR_OK)
            MR_ASSERT(!"the instances of one name are alike");
    mr_json_set(object, row->name, figures_of(&sum));
    mr_histogram_fini(&sum);
    return true;
}

bool mr_stats_write(const char *path, const struct mr_stats *stats)
{
    struct mr_json *root = mr_json_new_object(), *histograms = mr_json_new_object();
    bool ok = true;

    mr_json_set_string(root, "version", MR_VERSION);
    mr_json_set_u64(root, "time_ms", mr_clock_now().wall_ns / MR_MS); /* all is read later */
    for (size_t i = 0; ok && i < stats->sources_count; i++)
        ok = put_source(root, &stats->sources[i]);
    for (size_t i = 0; i < stats->groups_count; i++)
        put_group(root, &stats->groups[i]);
    for (size_t i = 0; ok && i < stats->histograms_count; i++)
        ok = put_histogram(histograms, &stats->histograms[i]);
    mr_json_set(root, "histograms", histograms);
    ok = ok && mr_json_save(root, path, false) == MR_OK;
    mr_json_free(root);
    return ok;
}
