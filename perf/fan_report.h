/* fan_report.h: the figures of a fan-out run. Thread: main's, behind the run. */
#pragma once
#include <stdio.h>

#include "core/json.h"
#include "perf/fan_state.h"

/* All figures; those of the hub's process are null where it was not named. The caller frees them.
 */
struct mr_json *mr_fan_report_json(const struct mr_fan *f);
/* What matters of them, for people. */
void mr_fan_report_text(FILE *out, const struct mr_fan *f, const struct mr_json *report);
