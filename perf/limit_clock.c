#include "perf/limit_clock.h"

#include <stdlib.h>
#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t mr_limit_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t mr_limit_wall_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double mr_limit_median(double *values, size_t n)
{
    MR_ASSERT(n > 0);
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}
