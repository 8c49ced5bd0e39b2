/* sim.h: a world with a clock of its own: events in order of time, seeded numbers, and a running
 * hash of all that happened, so that two runs of one seed can be compared.
 * Thread: one. Memory: malloc; out of memory ends the process. */
#pragma once
#include "core/base.h"
#include "core/clock.h"
#include "core/random.h"

typedef void sim_fn(void *ctx, uint64_t arg);

struct sim_event {
    uint64_t at_ns, sequence; /* equal times happen in the order of asking */
    sim_fn *fn;
    void *ctx;
    uint64_t arg;
    bool owns; /* ctx is freed if it never happens */
};

struct sim {
    uint64_t now_ns; /* mono */
    uint64_t sequence;
    struct sim_event *heap;
    size_t heap_count, heap_cap;
    struct mr_random random;
    uint64_t hash;     /* of everything noted */
    uint64_t happened; /* events */
};

/* The clock starts at 1,000 s; the wall clock stands at the first of December 2026 then. */
#define SIM_START_NS (1000 * MR_SECOND)
#define SIM_WALL_NS  (UINT64_C(1796083200) * MR_SECOND)

void sim_init(struct sim *s, uint64_t seed);
void sim_fini(struct sim *s);
/* fn(ctx, arg) at that time, or as soon as possible. The second: fn frees ctx; if the world ends
 * before, sim_fini does. */
void sim_at(struct sim *s, uint64_t at_ns, sim_fn *fn, void *ctx, uint64_t arg);
void sim_at_owned(struct sim *s, uint64_t at_ns, sim_fn *fn, void *ctx);
/* Lets everything happen until then. */
void sim_run(struct sim *s, uint64_t until_ns);
struct mr_time sim_time(const struct sim *s);
/* From low to high, both included. */
uint64_t sim_between(struct sim *s, uint64_t low, uint64_t high);
/* True in percent of 100 cases. */
bool sim_chance(struct sim *s, unsigned percent);
/* Adds bytes, and the time, to the hash of what happened. */
void sim_note(struct sim *s, const void *p, size_t n);
/* An mr_entropy_fn over the seed; ctx is the sim. */
void sim_entropy(void *ctx, void *p, size_t n);

void *sim_alloc(size_t n); /* zeroed */
