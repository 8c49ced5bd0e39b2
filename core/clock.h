/* clock.h: the time, as a value that is read once a turn and passed down.
 * Thread: any; only the loops (worker, dispatch, node) call mr_clock_now, all else takes the value.
 */
#pragma once
#include "core/base.h"

#define MR_US     UINT64_C(1000)
#define MR_MS     UINT64_C(1000000)
#define MR_SECOND UINT64_C(1000000000)

struct mr_time {
    uint64_t mono_ns; /* CLOCK_MONOTONIC: timeouts, intervals */
    uint64_t wall_ns; /* since 1970, CLOCK_REALTIME: fork rules, records, logs; may jump */
};

struct mr_time mr_clock_now(void);

static inline uint64_t mr_time_mono_ms(struct mr_time t)
{
    return t.mono_ns / MR_MS;
}
static inline uint64_t mr_time_wall_s(struct mr_time t)
{
    return t.wall_ns / MR_SECOND;
}
