#include "net/rlpx/varint.h"

enum mr_err mr_varint_read(struct mr_reader *r, uint32_t *out)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < MR_VARINT_MAX; i++) {
        uint8_t b;

        if (i == mr_reader_left(r))
            return MR_SHORT;
        b = r->p[i];
        if (i == MR_VARINT_MAX - 1 && b > 0x0f)
            return MR_MALFORMED; /* a sixth byte, or more than 32 bits */
        v |= (uint32_t)(b & 0x7f) << 7 * i;
        if (b < 0x80) {
            r->p += i + 1;
            *out = v;
            return MR_OK;
        }
    }
    return MR_MALFORMED;
}

size_t mr_varint_put(uint8_t out[MR_VARINT_MAX], uint32_t v)
{
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

size_t mr_varint_len(uint32_t v)
{
    size_t n = 1;

    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}
