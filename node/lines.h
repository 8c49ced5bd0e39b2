/* lines.h: lines of a descriptor, each whole, of any length up to a limit. Thread: main. Memory:
 * one buffer, grown to the longest line. */
#pragma once
#include "core/base.h"

struct mr_lines {
    int fd;
    char *buffer;
    size_t start, used, cap, max;
    bool ended, skipping;
};

enum mr_lines_got { MR_LINES_END, MR_LINES_LINE, MR_LINES_TOO_LONG, MR_LINES_FAILED };

/* Lines of at most max bytes. */
void mr_lines_init(struct mr_lines *l, int fd, size_t max);
void mr_lines_free(struct mr_lines *l);
/* LINE: *text, without the end of the line (LF or CR LF), valid until the next call. TOO_LONG: the
 * line was dropped. FAILED: errno tells. Flushes standard output before it waits for input, so that
 * whoever writes lines and reads answers is not kept waiting. */
enum mr_lines_got mr_lines_next(struct mr_lines *l, const char **text, size_t *n);
