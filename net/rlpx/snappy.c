#include "net/rlpx/snappy.h"

#include <snappy-c.h>

#include "net/rlpx/varint.h"

/* A tag's two low bits. */
enum { LITERAL = 0, COPY_1 = 1, COPY_2 = 2, COPY_4 = 3 };

struct element {
    uint64_t n;      /* bytes that it makes */
    uint64_t offset; /* of a copy, back from the end of the output; 0 for a literal */
};

static uint32_t load_le(const uint8_t *p, unsigned n)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v |= (uint32_t)p[i] << 8 * i;
    return v;
}

/* Reads one element's head; r then stands at a literal's content. False if it is cut or if a copy's
 * offset is 0. */
static bool element_read(struct mr_reader *r, struct element *out)
{
    uint8_t tag = *r->p, kind = tag & 3, top = tag >> 2;
    size_t left = mr_reader_left(r) - 1;
    unsigned more;

    if (kind == LITERAL) {
        more = top < 60 ? 0 : top - 59u;
        if (left < more)
            return false;
        *out = (struct element){.n = (more ? (uint64_t)load_le(r->p + 1, more) : top) + 1};
    } else {
        more = kind == COPY_1 ? 1 : kind == COPY_2 ? 2 : 4;
        if (left < more)
            return false;
        out->n = kind == COPY_1 ? (top & 7u) + 4u : top + 1u;
        out->offset = load_le(r->p + 1, more) | (kind == COPY_1 ? (tag & 0xe0u) << 3 : 0);
        if (out->offset == 0)
            return false;
    }
    r->p += 1 + more;
    return kind != LITERAL || out->n <= mr_reader_left(r);
}

/* Walks elements that must make exactly total bytes, and makes them at out unless it is NULL. */
static bool elements_run(uint8_t *out, uint64_t total, struct mr_reader r)
{
    uint64_t made = 0;
    struct element e;

    while (!mr_reader_done(&r)) {
        if (!element_read(&r, &e) || e.n > total - made || e.offset > made)
            return false;
        if (e.offset == 0) {
            if (out)
                memcpy(out + made, r.p, e.n);
            r.p += e.n;
        } else if (out) {
            for (uint64_t i = made; i < made + e.n; i++) /* may overlap: byte by byte */
                out[i] = out[i - e.offset];
        }
        made += e.n;
    }
    return made == total;
}

/* libsnappy 1.1.9 takes a literal whose stated length is 2^32 (fc ff ff ff ff) for one of length 0,
 * where other decoders refuse it. Whether those bytes occur anywhere: of any four in a row one has
 * an index of 3 modulo 4, so most bytes are not looked at. */
static bool may_hold_wrapped_literal(const uint8_t *p, size_t n)
{
    static const uint8_t wrapped[5] = {0xfc, 0xff, 0xff, 0xff, 0xff};

    for (size_t i = 3; i < n; i += 4) {
        if (MR_LIKELY(p[i] != 0xff))
            continue;
        for (size_t tag = i < 4 ? 0 : i - 4; tag < i && tag + sizeof wrapped <= n; tag++) {
            if (memcmp(p + tag, wrapped, sizeof wrapped) == 0)
                return true;
        }
    }
    return false;
}

enum mr_err mr_snappy_length(uint32_t *out, struct mr_span in, uint32_t limit)
{
    struct mr_reader r = mr_reader(in.p, in.n);
    enum mr_err e;
    bool over;
    uint32_t n;

    if ((e = mr_varint_read(&r, &n)))
        return e;
    over = n > limit;
#ifdef MR_SABOTAGE_F_03
    over = false;
#endif
    if (over)
        return MR_TOO_BIG;
    *out = n;
    return MR_OK;
}

enum mr_err mr_snappy_inflate(uint8_t *out, size_t cap, size_t *n, struct mr_span in)
{
    struct mr_reader r = mr_reader(in.p, in.n);
    uint8_t none;
    enum mr_err e;
    uint32_t total;
    size_t made;

    if ((e = mr_varint_read(&r, &total)))
        return e;
    if (total > cap)
        return MR_TOO_BIG;
    if (may_hold_wrapped_literal(r.p, mr_reader_left(&r)) && !elements_run(NULL, total, r))
        return MR_MALFORMED;
    made = total;
    if (snappy_uncompress((const char *)in.p, in.n, (char *)(total ? out : &none), &made) !=
        SNAPPY_OK)
        return MR_MALFORMED;
    MR_ASSERT(made == total);
    *n = total;
    return MR_OK;
}

enum mr_err mr_snappy_fragment_inflate(uint8_t *out, size_t n_raw, struct mr_span fragment)
{
    return elements_run(out, n_raw, mr_reader(fragment.p, fragment.n)) ? MR_OK : MR_MALFORMED;
}

enum mr_err mr_snappy_put_preamble(struct mr_writer *w, uint32_t total)
{
    uint8_t b[MR_VARINT_MAX];

    return mr_rlp_put_raw(w, b, mr_varint_put(b, total));
}

static size_t literal_head(uint8_t b[MR_SNAPPY_LITERAL_HEAD_MAX], uint32_t n)
{
    uint32_t stated = n - 1;
    unsigned more;

    if (stated < 60) {
        b[0] = (uint8_t)(stated << 2 | LITERAL);
        return 1;
    }
    more = (39 - (unsigned)__builtin_clz(stated)) / 8;
    b[0] = (uint8_t)((59 + more) << 2 | LITERAL);
    for (unsigned i = 0; i < more; i++)
        b[1 + i] = (uint8_t)(stated >> 8 * i);
    return 1 + more;
}

enum mr_err mr_snappy_put_literal_head(struct mr_writer *w, uint32_t n)
{
    uint8_t b[MR_SNAPPY_LITERAL_HEAD_MAX];

    MR_ASSERT(n > 0);
    return mr_rlp_put_raw(w, b, literal_head(b, n));
}

enum mr_err mr_snappy_put_literal(struct mr_writer *w, const void *p, uint32_t n)
{
    uint8_t b[MR_SNAPPY_LITERAL_HEAD_MAX];
    size_t head_n;

    if (n == 0)
        return MR_OK;
    head_n = literal_head(b, n);
    if (w->cap - w->n < head_n || w->cap - w->n - head_n < n)
        return MR_FULL;
    memcpy(w->p + w->n, b, head_n);
    memcpy(w->p + w->n + head_n, p, n);
    w->n += head_n + n;
    return MR_OK;
}

/* A copy of n >= 4 bytes from offset (1 to 65535) back. */
static enum mr_err put_copy(struct mr_writer *w, size_t offset, size_t n)
{
    uint8_t b[3];
    enum mr_err e;

    while (n > 0) {
        /* 65 to 67: leave at least 4, the least that the short form can state */
        size_t part = n <= 64 ? n : n < 68 ? 60 : 64;
        size_t len = 3;

        if (part < 12 && part >= 4 && offset < 2048) {
            b[0] = (uint8_t)(offset >> 8 << 5 | (part - 4) << 2 | COPY_1);
            b[1] = (uint8_t)offset;
            len = 2;
        } else {
            b[0] = (uint8_t)((part - 1) << 2 | COPY_2);
            b[1] = (uint8_t)offset, b[2] = (uint8_t)(offset >> 8);
        }
        if ((e = mr_rlp_put_raw(w, b, len)))
            return e;
        n -= part;
    }
    return MR_OK;
}

/* Offsets fit 16 bits inside a block, so that a copy costs 3 bytes at most. */
#define BLOCK          (1u << 16)
#define TABLE_BITS_MIN 8
#define TABLE_BITS_MAX 14

static uint32_t load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, 4);
    return v;
}

static size_t match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    const uint8_t *start = b;

    for (; end - b >= 8; a += 8, b += 8) {
        uint64_t differ = mr_load_le64(a) ^ mr_load_le64(b);

        if (differ)
            return (size_t)(b - start) + (unsigned)__builtin_ctzll(differ) / 8;
    }
    while (b < end && *a == *b)
        a++, b++;
    return (size_t)(b - start);
}

/* Greedy matching of four bytes and more through a hash of the newest position of each; the longer
 * nothing is found the larger the steps, so that what cannot be compressed costs little.
 * libsnappy's compressor does the same but allocates in every call, which a shard must not. */
static enum mr_err block_compress(struct mr_writer *w, const uint8_t *p, size_t n)
{
    uint16_t newest[1 << TABLE_BITS_MAX];
    unsigned bits = TABLE_BITS_MIN;
    size_t at = 1, literal = 0; /* the first byte has nothing before it */
    unsigned misses = 32;
    enum mr_err e;

    while (bits < TABLE_BITS_MAX && 1u << bits < n)
        bits++;
    memset(newest, 0, sizeof newest[0] << bits);
    while (at + 4 <= n) {
        uint32_t v = load32(p + at), slot = v * 0x9e3779b1u >> (32 - bits);
        size_t from = newest[slot], length;

        newest[slot] = (uint16_t)at;
        if (load32(p + from) != v) {
            at += misses++ / 32;
            continue;
        }
        length = 4 + match_length(p + from + 4, p + at + 4, p + n);
        if (at > literal && (e = mr_snappy_put_literal(w, p + literal, (uint32_t)(at - literal))))
            return e;
        if ((e = put_copy(w, at - from, length)))
            return e;
        at += length;
        literal = at;
        misses = 32;
        if (at + 3 <= n) /* what ends here is often followed by the same again */
            newest[load32(p + at - 1) * 0x9e3779b1u >> (32 - bits)] = (uint16_t)(at - 1);
    }
    return mr_snappy_put_literal(w, p + literal, (uint32_t)(n - literal));
}

enum mr_err mr_snappy_fragment(uint8_t *out, size_t cap, size_t *n, struct mr_span in)
{
    struct mr_writer w = mr_writer(out, cap);
    enum mr_err e;

    MR_ASSERT(in.n <= UINT32_MAX);
    for (size_t at = 0; at < in.n; at += BLOCK) {
        if ((e = block_compress(&w, in.p + at, MR_MIN(in.n - at, BLOCK))))
            return e;
    }
    *n = w.n;
    return MR_OK;
}

bool mr_snappy_is_canonical(struct mr_span in)
{
    struct mr_reader r = mr_reader(in.p, in.n);
    uint32_t total;

    if (mr_varint_read(&r, &total))
        return false;
    if ((size_t)(r.p - in.p) != mr_varint_len(total))
        return false;
    return in.n <= MR_SNAPPY_DEFLATED_MAX(total) && elements_run(NULL, total, r);
}
