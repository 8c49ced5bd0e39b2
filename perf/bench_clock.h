/* bench_clock.h: what the benchmarks measure with: CPU time, and the median of what they saw.
 * Thread: any. No memory. */
#pragma once
#include "core/base.h"

/* CPU time of the calling thread. */
uint64_t mr_bench_cpu_ns(void);
/* Sorts. n is at least 1. */
double mr_bench_median(double *values, size_t n);
