#include "core/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec t;

    MR_ASSERT(clock_gettime(id, &t) == 0);
    return (uint64_t)t.tv_sec * MR_SECOND + (uint64_t)t.tv_nsec;
}

struct mr_time mr_clock_now(void)
{
    return (struct mr_time){.mono_ns = read_ns(CLOCK_MONOTONIC),
                            .wall_ns = read_ns(CLOCK_REALTIME)};
}
