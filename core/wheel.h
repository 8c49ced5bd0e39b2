/* wheel.h: hierarchical timer wheel with ticks of 1 ms over all of uint64_t; set and cancel are
 * O(1). Thread: the owner's. Memory: the caller's (about 11 KiB a wheel); timers are embedded in
 * what they time.
 *
 * Eleven levels of 64 slots. A timer sits on the level of the highest 6-bit group in which its due
 * time differs from the wheel's time, in the slot of that group's value:
 *
 *      level 2        level 1        level 0
 *     [ 4096 ms ] -> [  64 ms  ] -> [  1 ms  ] -> fires
 *
 * So on each level only slots ahead of the wheel's time are in use, the lowest level that holds
 * anything holds the earliest timer, and a bitmap a level finds it without walking: a jump of hours
 * costs as much as the timers that it passes. */
#pragma once
#include "core/base.h"

#define MR_WHEEL_LEVELS 11 /* 11 * 6 bits >= 64 */

struct mr_timer_link {
    struct mr_timer_link *next, *prev;
};
/* All zero = not armed. due_ms may be read by anybody, and is written by mr_timer_set only. */
struct mr_timer {
    struct mr_timer_link link;
    uint64_t due_ms;
    uint32_t slot; /* where the wheel keeps it */
};
struct mr_wheel {
    uint64_t now_ms;
    uint64_t armed_count;
    bool advancing;
    uint64_t used[MR_WHEEL_LEVELS]; /* a bit per slot that holds a timer */
    struct mr_timer_link slots[MR_WHEEL_LEVELS][64];
    struct mr_timer_link due; /* taken by mr_wheel_advance, not yet fired */
};

typedef void mr_timer_fn(void *ctx, struct mr_timer *t);

void mr_wheel_init(struct mr_wheel *w, uint64_t now_ms);
/* Arms t, or moves it if it is armed. A due time that has passed fires at the next
 * mr_wheel_advance. */
void mr_timer_set(struct mr_wheel *w, struct mr_timer *t, uint64_t due_ms);
/* Harmless for a timer that is not armed. */
void mr_timer_cancel(struct mr_wheel *w, struct mr_timer *t);
static inline bool mr_timer_armed(const struct mr_timer *t)
{
    return t->link.next != NULL;
}

/* Moves the time to now_ms (never back) and calls fn for each timer due by then, in order of due
 * time, and in the order of setting where that is equal. A timer is disarmed before its call. fn
 * may set and cancel any timer, its own too, but not advance: a timer that it sets fires at a later
 * advance, one that it cancels does not fire. */
void mr_wheel_advance(struct mr_wheel *w, uint64_t now_ms, mr_timer_fn *fn, void *ctx);

/* A time at or before the next due time (the loop may sleep until then), UINT64_MAX without timers.
 */
uint64_t mr_wheel_next_ms(const struct mr_wheel *w);
