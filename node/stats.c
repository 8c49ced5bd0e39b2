#include "node/stats.h"

#include <stdlib.h>
#include <time.h>

#include "core/json.h"

bool mr_stats_write(const char *path, const struct mr_stats_source *sources, size_t sources_count,
                    const struct mr_stats_group *groups, size_t groups_count)
{
    struct mr_json *root = mr_json_new_object();
    bool ok = true;

    mr_json_set_string(root, "version", MR_VERSION);
    mr_json_set_u64(root, "time_s", (uint64_t)time(NULL));
    for (size_t i = 0; ok && i < sources_count; i++) {
        void *total = calloc(1, sources[i].set->size);

        ok = total != NULL;
        if (!ok)
            break;
        mr_metrics_sum(sources[i].set, total, sources[i].instances, sources[i].count);
        for (size_t k = 0; k < sources[i].set->count; k++) /* one name, one metric */
            MR_VERIFY_THAT(!mr_json_get(root, sources[i].set->metrics[k].name));
        mr_metrics_json(sources[i].set, root, total);
        free(total);
    }
    for (size_t i = 0; i < groups_count; i++) {
        struct mr_json *group = mr_json_new_object();

        for (size_t k = 0; k < groups[i].count; k++)
            mr_json_set_u64(group, groups[i].names[k], groups[i].values[k]);
        mr_json_set(root, groups[i].name, group);
    }
    ok = ok && mr_json_save(root, path, false) == MR_OK;
    mr_json_free(root);
    return ok;
}
