#include "core/hex.h"

/* -1 for what is no digit. */
static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static size_t prefix_length(const char *hex, size_t hex_len)
{
    return hex_len >= 2 && hex[0] == '0' && (hex[1] == 'x' || hex[1] == 'X') ? 2 : 0;
}

size_t mr_hex_encode(char *out, const void *p, size_t n)
{
    static const char digits[16] = "0123456789abcdef";
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * n] = '\0';
    return 2 * n;
}

enum mr_err mr_hex_check(size_t *n, size_t *bad_at, const char *hex, size_t hex_len)
{
    size_t start = prefix_length(hex, hex_len), at = start;

    while (at < hex_len && digit(hex[at]) >= 0)
        at++;
    if (at < hex_len || (hex_len - start) % 2 != 0) {
        if (bad_at)
            *bad_at = at;
        return MR_MALFORMED;
    }
    if (n)
        *n = (hex_len - start) / 2;
    return MR_OK;
}

enum mr_err mr_hex_decode(void *out, size_t *n, size_t cap, const char *hex, size_t hex_len)
{
    uint8_t *b = out;
    size_t bytes;
    enum mr_err e = mr_hex_check(&bytes, NULL, hex, hex_len);

    if (e)
        return e;
    if (bytes > cap)
        return MR_TOO_BIG;
    hex += prefix_length(hex, hex_len);
    for (size_t i = 0; i < bytes; i++)
        b[i] = (uint8_t)((unsigned)digit(hex[2 * i]) << 4 | (unsigned)digit(hex[2 * i + 1]));
    if (n)
        *n = bytes;
    return MR_OK;
}

enum mr_err mr_hex_decode_exact(void *out, size_t n, const char *hex, size_t hex_len)
{
    size_t bytes;
    enum mr_err e = mr_hex_check(&bytes, NULL, hex, hex_len);

    if (e)
        return e;
    if (bytes != n)
        return MR_INVALID;
    return mr_hex_decode(out, NULL, n, hex, hex_len);
}
