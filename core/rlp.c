#include "core/rlp.h"

struct head {
    size_t prefix, payload;
    bool list;
};

/* Reads a prefix and checks it against the bytes that are there. */
static enum mr_err head_read(const struct mr_reader *r, struct head *out)
{
    size_t left = mr_reader_left(r);
    struct head h = {.prefix = 1};
    uint8_t first, base;

    if (left == 0)
        return MR_SHORT;
    first = r->p[0];
    if (first < 0x80) {
        *out = (struct head){.prefix = 0, .payload = 1, .list = false};
        return MR_OK;
    }
    h.list = first >= 0xc0;
    base = h.list ? 0xc0 : 0x80;
    if (first - base <= 55) {
        h.payload = first - base;
        if (h.payload > left - 1)
            return MR_SHORT;
        if (!h.list && h.payload == 1 && r->p[1] < 0x80)
            return MR_MALFORMED; /* a byte below 0x80 stands for itself */
    } else {
        size_t length_of_length = (size_t)(first - base) - 55;

        if (left - 1 < length_of_length)
            return MR_SHORT;
        if (r->p[1] == 0)
            return MR_MALFORMED;
        for (size_t i = 0; i < length_of_length; i++)
            h.payload = h.payload << 8 | r->p[1 + i]; /* at most 8 bytes: cannot overflow */
        if (h.payload <= 55)
            return MR_MALFORMED;
        h.prefix = 1 + length_of_length;
        if (h.payload > left - h.prefix)
            return MR_SHORT;
    }
    *out = h;
    return MR_OK;
}

enum mr_err mr_rlp_list(struct mr_reader *r, struct mr_reader *body)
{
    struct head h;
    enum mr_err e;

    if ((e = head_read(r, &h)))
        return e;
    if (!h.list)
        return MR_MALFORMED;
    body->p = r->p + h.prefix;
    body->end = body->p + h.payload;
    r->p = body->end;
    return MR_OK;
}

enum mr_err mr_rlp_bytes(struct mr_reader *r, struct mr_span *out)
{
    struct head h;
    enum mr_err e;

    if ((e = head_read(r, &h)))
        return e;
    if (h.list)
        return MR_MALFORMED;
    *out = mr_span(r->p + h.prefix, h.payload);
    r->p += h.prefix + h.payload;
    return MR_OK;
}

enum mr_err mr_rlp_fixed(struct mr_reader *r, void *out, size_t n)
{
    struct mr_reader copy = *r;
    struct mr_span s;
    enum mr_err e;

    if ((e = mr_rlp_bytes(&copy, &s)))
        return e;
    if (s.n != n)
        return MR_MALFORMED;
    memcpy(out, s.p, n);
    *r = copy;
    return MR_OK;
}

enum mr_err mr_rlp_u64(struct mr_reader *r, uint64_t *out)
{
    struct mr_reader copy = *r;
    struct mr_span s;
    enum mr_err e;
    uint64_t v = 0;

    if ((e = mr_rlp_bytes(&copy, &s)))
        return e;
    if (s.n > 8)
        return MR_TOO_BIG;
    if (s.n > 0 && s.p[0] == 0)
        return MR_MALFORMED;
    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | s.p[i];
    *out = v;
    *r = copy;
    return MR_OK;
}

enum mr_err mr_rlp_u256(struct mr_reader *r, struct mr_u256 *out)
{
    struct mr_reader copy = *r;
    struct mr_span s;
    enum mr_err e;

    if ((e = mr_rlp_bytes(&copy, &s)))
        return e;
    if (s.n > 32)
        return MR_TOO_BIG;
    if (s.n > 0 && s.p[0] == 0)
        return MR_MALFORMED;
    memset(out->b, 0, 32 - s.n);
    memcpy(out->b + 32 - s.n, s.p, s.n);
    *r = copy;
    return MR_OK;
}

enum mr_err mr_rlp_item(struct mr_reader *r, struct mr_span *out)
{
    struct head h;
    enum mr_err e;

    if ((e = head_read(r, &h)))
        return e;
    *out = mr_span(r->p, h.prefix + h.payload);
    r->p += h.prefix + h.payload;
    return MR_OK;
}

enum mr_err mr_rlp_skip(struct mr_reader *r)
{
    struct mr_span ignored;

    return mr_rlp_item(r, &ignored);
}

enum mr_err mr_rlp_check(struct mr_reader *r, unsigned depth_max)
{
    const uint8_t
        *ends[MR_RLP_DEPTH_MAX + 1]; /* where each open list ends; a stack, so no recursion */
    struct mr_reader at = *r;
    unsigned depth = 0;
    enum mr_err e;
    struct head h;

    MR_ASSERT(depth_max <= MR_RLP_DEPTH_MAX);
    do {
        if ((e = head_read(&at, &h)))
            return depth > 0 && e == MR_SHORT ? MR_MALFORMED
                                              : e; /* an item that overruns its list */
        at.p += h.prefix;
        if (!h.list) {
            at.p += h.payload;
        } else {
            if (depth == depth_max)
                return MR_TOO_BIG;
            ends[depth++] = at.end;
            at.end = at.p + h.payload;
        }
        while (depth > 0 && at.p == at.end)
            at.end = ends[--depth];
    } while (depth > 0);
    r->p = at.p;
    return MR_OK;
}

enum mr_err mr_rlp_count(struct mr_reader r, size_t *out, size_t max)
{
    size_t n = 0;
    enum mr_err e;

    for (; !mr_reader_done(&r); n++) {
        if (n == max)
            return MR_TOO_BIG;
        if ((e = mr_rlp_skip(&r)))
            return e;
    }
    *out = n;
    return MR_OK;
}

static unsigned bytes_in(uint64_t v)
{
    return v == 0 ? 0 : (71 - (unsigned)__builtin_clzll(v)) / 8;
}

size_t mr_rlp_head_len(size_t payload)
{
    return payload <= 55 ? 1 : 1 + bytes_in(payload);
}

size_t mr_rlp_bytes_len(const void *p, size_t n)
{
    if (n == 1 && *(const uint8_t *)p < 0x80)
        return 1;
    return mr_rlp_head_len(n) + n;
}

size_t mr_rlp_u64_len(uint64_t v)
{
    return v < 0x80 ? 1 : 1 + bytes_in(v);
}

/* Writes a prefix at p, which has room for 9 bytes; returns its length. */
static size_t head_write(uint8_t *p, uint8_t base, size_t payload)
{
    unsigned n;

    if (payload <= 55) {
        p[0] = (uint8_t)(base + payload);
        return 1;
    }
    n = bytes_in(payload);
    p[0] = (uint8_t)(base + 55 + n);
    for (unsigned i = 0; i < n; i++)
        p[1 + i] = (uint8_t)(payload >> 8 * (n - 1 - i));
    return 1 + n;
}

static size_t room(const struct mr_writer *w)
{
    return w->cap - w->n;
}

enum mr_err mr_rlp_put_raw(struct mr_writer *w, const void *p, size_t n)
{
    if (room(w) < n)
        return MR_FULL;
    if (n > 0)
        memcpy(w->p + w->n, p, n);
    w->n += n;
    return MR_OK;
}

enum mr_err mr_rlp_put_bytes(struct mr_writer *w, const void *p, size_t n)
{
    uint8_t head[9];
    size_t head_len = 0;

    if (n != 1 || *(const uint8_t *)p >= 0x80)
        head_len = head_write(head, 0x80, n);
    if (room(w) < head_len || room(w) - head_len < n)
        return MR_FULL;
    memcpy(w->p + w->n, head, head_len);
    if (n > 0)
        memcpy(w->p + w->n + head_len, p, n);
    w->n += head_len + n;
    return MR_OK;
}

enum mr_err mr_rlp_put_u64(struct mr_writer *w, uint64_t v)
{
    uint8_t be[8];
    unsigned n = bytes_in(v);

    mr_store_be64(be, v);
    return mr_rlp_put_bytes(w, be + 8 - n, n);
}

enum mr_err mr_rlp_put_u256(struct mr_writer *w, const struct mr_u256 *v)
{
    size_t zeros = 0;

    while (zeros < 32 && v->b[zeros] == 0)
        zeros++;
    return mr_rlp_put_bytes(w, v->b + zeros, 32 - zeros);
}

enum mr_err mr_rlp_put_list_head(struct mr_writer *w, size_t payload)
{
    uint8_t head[9];

    return mr_rlp_put_raw(w, head, head_write(head, 0xc0, payload));
}

size_t mr_rlp_open(const struct mr_writer *w)
{
    return w->n;
}

enum mr_err mr_rlp_close(struct mr_writer *w, size_t mark)
{
    uint8_t head[9];
    size_t payload = w->n - mark;
    size_t head_len = head_write(head, 0xc0, payload);

    MR_ASSERT(mark <= w->n);
    if (room(w) < head_len)
        return MR_FULL;
    memmove(w->p + mark + head_len, w->p + mark, payload);
    memcpy(w->p + mark, head, head_len);
    w->n += head_len;
    return MR_OK;
}
