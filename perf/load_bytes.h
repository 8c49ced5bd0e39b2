/* load_bytes.h: a growing run of bytes, taken from the front. Thread: the owner's. Memory: malloc.
 */
#pragma once
#include <stdlib.h>

#include "core/base.h"

struct mr_load_bytes {
    uint8_t *p;
    size_t at, n, cap; /* bytes at p + at up to p + n are there */
};

static inline size_t mr_load_bytes_left(const struct mr_load_bytes *b)
{
    return b->n - b->at;
}
/* Room for more bytes behind the last, which may move the others to the front. NULL: no memory. */
static inline uint8_t *mr_load_bytes_room(struct mr_load_bytes *b, size_t more)
{
    if (b->at == b->n)
        b->at = b->n = 0;
    if (b->cap - b->n < more && b->at > 0) {
        memmove(b->p, b->p + b->at, b->n - b->at);
        b->n -= b->at;
        b->at = 0;
    }
    if (b->cap - b->n < more) {
        size_t cap = MR_MAX(MR_MAX((size_t)1024, b->n + more), b->cap + b->cap / 2);
        uint8_t *p = realloc(b->p, cap);

        if (!p)
            return NULL;
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}
/* Forgets everything; gives memory back if it is over keep. */
static inline void mr_load_bytes_clear(struct mr_load_bytes *b, size_t keep)
{
    b->at = b->n = 0;
    if (b->cap > keep) {
        free(b->p);
        b->p = NULL;
        b->cap = 0;
    }
}
