/* bitmap.h: sets of small integers as words of 64 bits.
 * Thread: the owner's. Memory: the caller's array of MR_BITMAP_WORDS(bits) words. */
#pragma once
#include "core/base.h"

#define MR_BITMAP_WORDS(bits) (((size_t)(bits) + 63) / 64)
#define MR_BITMAP_NONE        SIZE_MAX

static inline bool mr_bitmap_test(const uint64_t *w, size_t i)
{
    return w[i / 64] >> (i % 64) & 1;
}
static inline void mr_bitmap_set(uint64_t *w, size_t i)
{
    w[i / 64] |= UINT64_C(1) << (i % 64);
}
static inline void mr_bitmap_clear(uint64_t *w, size_t i)
{
    w[i / 64] &= ~(UINT64_C(1) << (i % 64));
}
static inline void mr_bitmap_zero(uint64_t *w, size_t bits)
{
    memset(w, 0, MR_BITMAP_WORDS(bits) * sizeof *w);
}
/* out = a and not b; out may be a or b. */
static inline void mr_bitmap_and_not(uint64_t *out, const uint64_t *a, const uint64_t *b,
                                     size_t bits)
{
    for (size_t i = 0; i < MR_BITMAP_WORDS(bits); i++)
        out[i] = a[i] & ~b[i];
}
static inline void mr_bitmap_or(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t bits)
{
    for (size_t i = 0; i < MR_BITMAP_WORDS(bits); i++)
        out[i] = a[i] | b[i];
}
/* Bits past the end of the last word must be clear for these two. */
static inline size_t mr_bitmap_count(const uint64_t *w, size_t bits)
{
    size_t n = 0;

    for (size_t i = 0; i < MR_BITMAP_WORDS(bits); i++)
        n += (size_t)__builtin_popcountll(w[i]);
    return n;
}
/* The first member at or after from, MR_BITMAP_NONE if there is none. */
static inline size_t mr_bitmap_next(const uint64_t *w, size_t bits, size_t from)
{
    for (size_t i = from / 64; from < bits; from = ++i * 64) {
        uint64_t rest = w[i] >> (from % 64);

        if (rest)
            return from + (size_t)__builtin_ctzll(rest);
    }
    return MR_BITMAP_NONE;
}
