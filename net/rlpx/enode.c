#include "net/rlpx/enode.h"

#include <stdio.h>

#include "core/hex.h"

#define PREFIX    "enode://"
#define ID_DIGITS 128

static bool all_digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return n > 0 && n <= 5;
}

/* ?discport=30304 and nothing else; other parameters are ignored as geth ignores them. */
static enum mr_err discport_parse(uint16_t *out, const char *query, size_t n)
{
    static const char key[] = "discport=";
    uint32_t v = 0;

    if (n < sizeof key - 1 || memcmp(query, key, sizeof key - 1))
        return MR_OK;
    query += sizeof key - 1;
    n -= sizeof key - 1;
    if (!all_digits(query, n))
        return MR_MALFORMED;
    for (size_t i = 0; i < n; i++)
        v = v * 10 + (uint32_t)(query[i] - '0');
    if (v > UINT16_MAX)
        return MR_MALFORMED;
    *out = (uint16_t)v;
    return MR_OK;
}

static enum mr_err refuse(const char **why, const char *text, enum mr_err e)
{
    if (why)
        *why = text;
    return e;
}

enum mr_err mr_enode_parse(struct mr_enode *out, const char **why, const char *text, size_t n)
{
    struct mr_enode e;
    const char *at, *query;
    size_t id_bytes, host;

    if (n < sizeof PREFIX - 1 || memcmp(text, PREFIX, sizeof PREFIX - 1))
        return refuse(why, "does not begin with enode://", MR_MALFORMED);
    text += sizeof PREFIX - 1;
    n -= sizeof PREFIX - 1;
    if (n < ID_DIGITS || (n > ID_DIGITS && text[ID_DIGITS] != '@') ||
        mr_hex_decode(e.id.b, &id_bytes, sizeof e.id.b, text, ID_DIGITS) != MR_OK ||
        id_bytes != sizeof e.id.b)
        return refuse(why, "the node id is not 128 hexadecimal digits", MR_MALFORMED);
    if (n == ID_DIGITS)
        return refuse(why, "has no address", MR_UNSUPPORTED);
    at = text + ID_DIGITS + 1;
    n -= ID_DIGITS + 1;
    query = memchr(at, '?', n);
    host = query ? (size_t)(query - at) : n;
    if (mr_endpoint_parse(&e.tcp, at, host) != MR_OK) {
        const char *colon = host > 0 ? memrchr(at, ':', host) : NULL;

        if (!colon || !all_digits(colon + 1, host - (size_t)(colon + 1 - at)))
            return refuse(why, "the port is not a number", MR_MALFORMED);
        return refuse(why, "the address is not IPv4 (names and IPv6 come with discovery)",
                      MR_UNSUPPORTED);
    }
    e.udp_port = e.tcp.port;
    if (query && discport_parse(&e.udp_port, query + 1, n - host - 1) != MR_OK)
        return refuse(why, "discport is not a number", MR_MALFORMED);
    *out = e;
    return MR_OK;
}

char *mr_enode_text(char out[MR_ENODE_TEXT_MAX], const struct mr_enode *e)
{
    char id[2 * sizeof e->id.b + 1], where[MR_ENDPOINT_TEXT_MAX];

    mr_hex_encode(id, e->id.b, sizeof e->id.b);
    id[2 * sizeof e->id.b] = 0;
    mr_endpoint_text(where, e->tcp);
    if (e->udp_port == e->tcp.port)
        snprintf(out, MR_ENODE_TEXT_MAX, PREFIX "%s@%s", id, where);
    else
        snprintf(out, MR_ENODE_TEXT_MAX, PREFIX "%s@%s?discport=%u", id, where, e->udp_port);
    return out;
}
