/* program.h: an input read as a program: targets of state machines take operations and their
 * arguments from it byte by byte. Behind its end everything is zero, so that every prefix of a
 * program is a program too. */
#pragma once
#include "core/base.h"

struct program {
    const uint8_t *p;
    size_t n;
};

static inline struct program program_of(const uint8_t *data, size_t size, size_t max)
{
    return (struct program){.p = data, .n = MR_MIN(size, max)};
}

static inline uint8_t program_take(struct program *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

/* A byte that says how many follow, and those (as many as there are). */
static inline struct mr_span program_take_bytes(struct program *in)
{
    size_t n = program_take(in);
    struct mr_span taken = mr_span(in->p, MR_MIN(n, in->n));

    in->p += taken.n, in->n -= taken.n;
    return taken;
}
