/* snappy_reference.h: a slow decoder of snappy's block format, written from the format's
 * description and nothing else, to compare ours with. One byte at a time, every rule in its own
 * line. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snappy_reference {
    const uint8_t *in;
    size_t in_n, at; /* the next input byte */
    uint8_t *out;
    size_t cap;
    uint64_t made, promised;
};

static inline bool reference_byte(struct snappy_reference *s, uint64_t *out)
{
    if (s->at == s->in_n)
        return false;
    *out = s->in[s->at++];
    return true;
}

static inline bool reference_little_endian(struct snappy_reference *s, unsigned bytes,
                                           uint64_t *out)
{
    uint64_t sum = 0, weight = 1, b;

    for (; bytes > 0; bytes--, weight *= 256) {
        if (!reference_byte(s, &b))
            return false;
        sum += b * weight;
    }
    *out = sum;
    return true;
}

static inline bool reference_emit(struct snappy_reference *s, uint64_t b)
{
    if (s->made >= s->promised || s->made >= s->cap)
        return false;
    s->out[s->made++] = (uint8_t)b;
    return true;
}

/* "Stored as a little-endian varint"; the largest length is 2^32 - 1. */
static inline bool reference_preamble(struct snappy_reference *s)
{
    uint64_t b, weight = 1;
    unsigned groups = 0;

    s->promised = 0;
    do {
        if (groups++ == 5 || !reference_byte(s, &b))
            return false;
        s->promised += (b % 128) * weight;
        weight *= 128;
    } while (b >= 128);
    return s->promised <= UINT32_MAX;
}

static inline bool reference_literal(struct snappy_reference *s, uint64_t upper)
{
    uint64_t length = upper, b;

    if (upper >= 60 && !reference_little_endian(s, (unsigned)(upper - 59), &length))
        return false;
    for (length += 1; length > 0; length--) {
        if (!reference_byte(s, &b) || !reference_emit(s, b))
            return false;
    }
    return true;
}

static inline bool reference_copy(struct snappy_reference *s, uint64_t length, uint64_t offset)
{
    if (offset == 0 || offset > s->made)
        return false;
    for (; length > 0; length--) {
        if (!reference_emit(s, s->out[s->made - offset]))
            return false;
    }
    return true;
}

/* Decodes all of in into out. True: exactly the promised bytes were made and no input is left. */
static inline bool snappy_reference_decode(uint8_t *out, size_t cap, uint64_t *n, const uint8_t *in,
                                           size_t in_n)
{
    struct snappy_reference s = {.in = in, .in_n = in_n, .out = out, .cap = cap};
    uint64_t tag, offset;
    bool ok = reference_preamble(&s);

    while (ok && s.at < s.in_n) {
        ok = reference_byte(&s, &tag);
        switch (tag % 4) {
        case 0:
            ok = ok && reference_literal(&s, tag / 4);
            break;
        case 1:
            ok = ok && reference_little_endian(&s, 1, &offset) &&
                 reference_copy(&s, tag / 4 % 8 + 4, tag / 32 * 256 + offset);
            break;
        default:
            ok = ok && reference_little_endian(&s, tag % 4 == 2 ? 2 : 4, &offset) &&
                 reference_copy(&s, tag / 4 + 1, offset);
            break;
        }
    }
    *n = s.made;
    return ok && s.made == s.promised;
}
