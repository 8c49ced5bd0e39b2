/* fan_run.h: a fan-out run from the first connection to the last delivery (limits.md 3.2):
 *   connect all -> silence (memory, idle CPU) -> warm-up, until all have it -> messages, until all
 *   have them -> a moment in which nothing may come any more.
 * Thread: the caller's. */
#pragma once
#include "perf/fan_state.h"

/* Makes everything; connects to nothing. Not MR_OK: f->sentence says why. mr_fan_fini follows in
 * any case. */
MR_MUST_USE enum mr_err mr_fan_init(struct mr_fan *f, const struct mr_fan_options *o);
void mr_fan_fini(struct mr_fan *f);
/* Runs. False: it could not be carried through, f->sentence says why; what was lost on the way is
 * in f->track. */
MR_MUST_USE bool mr_fan_run(struct mr_fan *f, const volatile bool *stop);
