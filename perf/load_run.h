/* load_run.h: the run from the first connection to the last figure: connect, settle, send on
 * schedule, drain, stop. Thread: one, which owns the ring. */
#pragma once
#include "perf/load_state.h"

/* Makes transactions, tables, peers and the ring. MR_OK, or an error with one sentence.
 * options are borrowed. l is big: not for the stack. */
MR_MUST_USE enum mr_err mr_load_init(struct mr_load *l, const struct mr_load_options *options,
                                     char *sentence, size_t cap);
void mr_load_fini(struct mr_load *l);
/* Runs to the end, or until *stop becomes true. False with one sentence if the ring broke. */
MR_MUST_USE bool mr_load_run(struct mr_load *l, const volatile bool *stop, char *sentence,
                             size_t cap);
/* Figures that need a moment's arithmetic. */
uint64_t mr_load_expected(const struct mr_load *l);
uint64_t mr_load_lost(const struct mr_load *l);
