#include "core/endpoint.h"

struct net {
    uint32_t ip;
    unsigned bits;
};

static bool in_any(uint32_t ip, const struct net *nets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((ip ^ nets[i].ip) >> (32 - nets[i].bits) == 0)
            return true;
    return false;
}

bool mr_ip_is_lan(uint32_t ip)
{
    static const struct net nets[] = {
        {0x0a000000, 8}, {0xac100000, 12}, {0xc0a80000, 16}, {0xa9fe0000, 16}};
    return in_any(ip, nets, MR_COUNT_OF(nets));
}

bool mr_ip_is_special(uint32_t ip)
{
    static const struct net nets[] = {
        {0x00000000, 8},  /* this network */
        {0xc0000000, 24}, /* protocol assignments */
        {0xc0000200, 24}, /* TEST-NET-1 */
        {0xc6120000, 15}, /* benchmarking */
        {0xc6336400, 24}, /* TEST-NET-2 */
        {0xcb007100, 24}, /* TEST-NET-3 */
        {0xe0000000, 4},  /* multicast */
        {0xf0000000, 4},  /* reserved, and broadcast */
    };
    return in_any(ip, nets, MR_COUNT_OF(nets));
}

/* A decimal number of 1 to digits_max digits up to max; *at moves behind it. */
static bool number(uint32_t *out, const char **at, const char *end, unsigned digits_max,
                   uint32_t max)
{
    const char *p = *at;
    uint32_t v = 0;

    while (p < end && *p >= '0' && *p <= '9' && (unsigned)(p - *at) < digits_max)
        v = v * 10 + (uint32_t)(*p++ - '0');
    if (p == *at || v > max || (**at == '0' && p - *at > 1))
        return false;
    *out = v, *at = p;
    return true;
}

static bool ip_at(uint32_t *out, const char **at, const char *end)
{
    uint32_t ip = 0, octet;

    for (int i = 0; i < 4; i++) {
        if (i > 0 && (*at == end || *(*at)++ != '.'))
            return false;
        if (!number(&octet, at, end, 3, 255))
            return false;
        ip = ip << 8 | octet;
    }
    *out = ip;
    return true;
}

enum mr_err mr_ip_parse(uint32_t *ip, const char *text, size_t n)
{
    const char *end = text + n;
    uint32_t v;

    if (!ip_at(&v, &text, end) || text != end)
        return MR_MALFORMED;
    *ip = v;
    return MR_OK;
}

enum mr_err mr_endpoint_parse(struct mr_endpoint *out, const char *text, size_t n)
{
    const char *end = text + n;
    uint32_t ip, port;

    if (!ip_at(&ip, &text, end) || text == end || *text++ != ':')
        return MR_MALFORMED;
    if (!number(&port, &text, end, 5, 65535) || text != end)
        return MR_MALFORMED;
    *out = (struct mr_endpoint){.ip = ip, .port = (uint16_t)port};
    return MR_OK;
}

/* By hand: logs write these often enough, and snprintf asks for a cap that cannot be exceeded. */
static char *put_number(char *p, uint32_t v)
{
    char digits[10];
    int n = 0;

    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static char *put_ip(char *p, uint32_t ip)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        p = put_number(p, ip >> shift & 0xff);
        *p++ = '.';
    }
    return p - 1;
}

char *mr_ip_text(char out[MR_ENDPOINT_TEXT_MAX], uint32_t ip)
{
    *put_ip(out, ip) = '\0';
    return out;
}

char *mr_endpoint_text(char out[MR_ENDPOINT_TEXT_MAX], struct mr_endpoint e)
{
    char *p = put_ip(out, e.ip);

    *p++ = ':';
    *put_number(p, e.port) = '\0';
    return out;
}
