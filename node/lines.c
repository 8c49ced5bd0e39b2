#include "node/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_CAP 65536u

void mr_lines_init(struct mr_lines *l, int fd, size_t max)
{
    *l = (struct mr_lines){.fd = fd, .max = max};
}

void mr_lines_free(struct mr_lines *l)
{
    free(l->buffer);
    l->buffer = NULL;
}

/* Makes room behind what is used, or drops the start of a line that is too long. */
static void room_make(struct mr_lines *l)
{
    if (l->start > 0) {
        memmove(l->buffer, l->buffer + l->start, l->used - l->start);
        l->used -= l->start;
        l->start = 0;
    }
    if (l->used > l->max + 2) { /* CR LF */
        l->skipping = true;
        l->used = 0;
    }
    if (l->used == l->cap) {
        l->cap = l->cap ? 2 * l->cap : FIRST_CAP;
        l->buffer = realloc(l->buffer, l->cap);
        MR_ASSERT(l->buffer);
    }
}

static bool more_read(struct mr_lines *l)
{
    ssize_t n;

    room_make(l);
    fflush(stdout);
    do
        n = read(l->fd, l->buffer + l->used, l->cap - l->used);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    l->ended = n == 0;
    l->used += (size_t)n;
    return true;
}

/* What lies between start and end, as the caller sees it. */
static enum mr_lines_got line_give(struct mr_lines *l, size_t end, size_t next, const char **text,
                                   size_t *n)
{
    bool too_long = l->skipping;

    *text = l->buffer + l->start;
    *n = end - l->start;
    if (*n > 0 && (*text)[*n - 1] == '\r')
        --*n;
    l->start = next;
    l->skipping = false;
    return too_long || *n > l->max ? MR_LINES_TOO_LONG : MR_LINES_LINE;
}

enum mr_lines_got mr_lines_next(struct mr_lines *l, const char **text, size_t *n)
{
    size_t searched = 0;

    for (;;) {
        size_t left = l->used - l->start;
        const char *from = l->buffer + l->start;
        const char *end = left > searched ? memchr(from + searched, '\n', left - searched) : NULL;

        if (end)
            return line_give(l, (size_t)(end - l->buffer), (size_t)(end - l->buffer) + 1, text, n);
        if (l->ended && (left > 0 || l->skipping))
            return line_give(l, l->used, l->used, text, n);
        if (l->ended)
            return MR_LINES_END;
        searched = left;
        if (!more_read(l))
            return MR_LINES_FAILED;
        if (l->skipping)
            searched = 0;
    }
}
