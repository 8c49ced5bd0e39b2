#include <stdarg.h>

#include "core/hex.h"
#include "core/rlp.h"
#include "node/decode.h"

void mr_decode_fail(struct mr_decode_error *error, size_t offset, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(error->text, sizeof error->text, format, list);
    va_end(list);
    error->offset = offset;
}

struct walk {
    const uint8_t *start;
    struct mr_reader at;
    unsigned depth;
    const uint8_t *ends[MR_DECODE_DEPTH_MAX]; /* of the lists around the one that is open */
    size_t index[MR_DECODE_DEPTH_MAX + 1];    /* items already seen in each open list */
};

/* Says what is wrong with the prefix at which a reader stopped. */
static void prefix_blame(struct mr_decode_error *error, const struct walk *w)
{
    const uint8_t *p = w->at.p;
    size_t offset = (size_t)(p - w->start), left = mr_reader_left(&w->at), length = 0, n;
    const char *where = w->depth ? "its list" : "the input";

    if (left == 0) {
        mr_decode_fail(error, offset, "an item is missing: the input ends");
        return;
    }
    n = *p >= 0xf8 ? *p - 0xf7u : *p >= 0xb8 && *p < 0xc0 ? *p - 0xb7u : 0;
    if (n == 0) {
        length = *p >= 0xc0 ? *p - 0xc0u : *p - 0x80u;
        if (length > left - 1)
            mr_decode_fail(error, offset, "an item of %zu bytes, but %s ends after %zu", length,
                           where, left - 1);
        else
            mr_decode_fail(error, offset, "a byte below 0x80 stands for itself, without a prefix");
        return;
    }
    for (size_t i = 0; i < n && i < left - 1; i++)
        length = length << 8 | p[1 + i];
    if (n > left - 1)
        mr_decode_fail(error, offset, "a length of %zu bytes, but %s ends after %zu", n, where,
                       left - 1);
    else if (p[1] == 0)
        mr_decode_fail(error, offset, "a length with leading zeros");
    else if (length <= 55)
        mr_decode_fail(error, offset, "a length of %zu in the long form, which starts at 56",
                       length);
    else
        mr_decode_fail(error, offset, "an item of %zu bytes, but %s ends after %zu", length, where,
                       left - 1 - n);
}

static void hex_write(FILE *out, struct mr_span s)
{
    char text[1025];

    fputs("0x", out);
    for (size_t i = 0; i < s.n; i += 512)
        fwrite(text, 1, mr_hex_encode(text, s.p + i, MR_MIN(s.n - i, 512)), out);
}

static void path_write(FILE *out, const struct walk *w)
{
    if (w->depth == 0)
        fputs("value", out);
    for (unsigned i = 0; i < w->depth; i++)
        fprintf(out, "%s%zu", i ? "." : "", w->index[i + 1]);
    fputs(": ", out);
}

static void item_write(FILE *out, enum mr_decode_form form, const struct walk *w, struct mr_span s)
{
    if (form == MR_DECODE_JSON) {
        fputs(w->depth && w->index[w->depth] ? ",\"" : "\"", out);
        hex_write(out, s);
        fputc('"', out);
        return;
    }
    path_write(out, w);
    hex_write(out, s);
    fputc('\n', out);
}

static void list_write(FILE *out, enum mr_decode_form form, const struct walk *w, bool empty)
{
    if (form == MR_DECODE_JSON) {
        fputs(w->depth && w->index[w->depth] ? ",[" : "[", out);
    } else if (empty) {
        path_write(out, w);
        fputs("[]\n", out);
    }
}

/* Closes the lists that end here. */
static void lists_close(FILE *out, enum mr_decode_form form, struct walk *w)
{
    while (w->depth > 0 && w->at.p == w->at.end) {
        w->depth--;
        w->at.end = w->ends[w->depth];
        w->index[w->depth]++;
        if (out && form == MR_DECODE_JSON)
            fputc(']', out);
    }
}

/* The item in front of w, and the ends of lists behind it. */
static bool step(struct mr_decode_error *error, FILE *out, enum mr_decode_form form, struct walk *w)
{
    struct mr_reader body;
    struct mr_span s;

    if (!mr_rlp_is_list(&w->at)) {
        struct mr_reader next = w->at;

        if (mr_rlp_bytes(&next, &s)) {
            prefix_blame(error, w);
            return false;
        }
        if (out)
            item_write(out, form, w, s);
        w->at.p = next.p;
        w->index[w->depth]++;
    } else {
        struct mr_reader next = w->at;

        if (mr_rlp_list(&next, &body)) {
            prefix_blame(error, w);
            return false;
        }
        if (w->depth == MR_DECODE_DEPTH_MAX) {
            mr_decode_fail(error, (size_t)(w->at.p - w->start), "lists nested deeper than %u",
                           MR_DECODE_DEPTH_MAX);
            return false;
        }
        if (out)
            list_write(out, form, w, mr_reader_done(&body));
        w->ends[w->depth] = w->at.end;
        w->at = body;
        w->index[++w->depth] = 0;
    }
    lists_close(out, form, w);
    return true;
}

static bool walk(struct mr_decode_error *error, FILE *out, enum mr_decode_form form,
                 struct mr_span input)
{
    struct walk w = {.start = input.p, .at = mr_reader_of(input)};

    do
        if (!step(error, out, form, &w))
            return false;
    while (w.depth > 0);
    if (!mr_reader_done(&w.at)) {
        size_t left = mr_reader_left(&w.at);

        mr_decode_fail(error, input.n - left, "%zu byte%s behind the item", left,
                       left == 1 ? "" : "s");
        return false;
    }
    if (out && form == MR_DECODE_JSON)
        fputc('\n', out);
    return true;
}

bool mr_decode_rlp(struct mr_decode_error *error, FILE *out, enum mr_decode_form form,
                   struct mr_span input)
{
    if (!walk(error, NULL, form, input))
        return false;
    return !out || walk(error, out, form, input);
}
