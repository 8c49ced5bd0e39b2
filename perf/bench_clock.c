#include "perf/bench_clock.h"

#include <stdlib.h>
#include <time.h>

uint64_t mr_bench_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double mr_bench_median(double *values, size_t n)
{
    MR_ASSERT(n > 0);
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}
