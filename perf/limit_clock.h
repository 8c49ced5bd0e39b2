/* limit_clock.h: the clocks and the median of millrace-limit. Thread: any. No memory. */
#pragma once
#include "core/base.h"

/* CPU time of the calling thread, and time on the wall. */
uint64_t mr_limit_cpu_ns(void);
uint64_t mr_limit_wall_ns(void);
/* Sorts. n is at least 1. */
double mr_limit_median(double *values, size_t n);
