#include "tests/net/rlpx/helper_rlp_text.h"

#include <stdlib.h>

#include "core/rlp.h"

#define DEPTH_MAX 128

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    MR_ASSERT(c >= 'a' && c <= 'f');
    return c - 'a' + 10;
}

static void put(struct mr_writer *w, uint8_t b, unsigned long times)
{
    for (; times > 0; times--)
        MR_ASSERT(mr_rlp_put_raw(w, &b, 1) == MR_OK);
}

/* Turns what was written since mark into one item. */
static void wrap(struct mr_writer *w, size_t mark, char kind)
{
    if (kind == 'l') {
        MR_ASSERT(mr_rlp_close(w, mark) == MR_OK);
    } else {
        size_t n = w->n - mark;
        uint8_t *copy = malloc(n + 1);

        MR_ASSERT(copy != NULL);
        memcpy(copy, w->p + mark, n);
        w->n = mark;
        MR_ASSERT(mr_rlp_put_bytes(w, copy, n) == MR_OK);
        free(copy);
    }
}

size_t rlp_text(uint8_t *out, size_t cap, const char *text)
{
    struct mr_writer w = mr_writer(out, cap);
    size_t marks[DEPTH_MAX];
    char kinds[DEPTH_MAX];
    unsigned depth = 0;

    for (const char *c = text; *c;) {
        if (*c == ' ') {
            c++;
        } else if (*c == '}') {
            MR_ASSERT(depth > 0);
            depth--;
            wrap(&w, marks[depth], kinds[depth]);
            c++;
        } else if (*c == 's' || *c == 'l') {
            MR_ASSERT(c[1] == '{' && depth < DEPTH_MAX);
            marks[depth] = w.n;
            kinds[depth++] = *c;
            c += 2;
        } else {
            uint8_t b = (uint8_t)(digit(c[0]) << 4 | digit(c[1]));
            char *end = (char *)c + 2;
            unsigned long times = *end == '*' ? strtoul(c + 3, &end, 10) : 1;

            put(&w, b, times);
            c = end;
        }
    }
    MR_ASSERT(depth == 0);
    return w.n;
}
