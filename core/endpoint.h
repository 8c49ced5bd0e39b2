/* endpoint.h: an IPv4 address and a port as one value, its text form, and what kind of address it
 * is. IPv6 is not relayed yet: whoever adds it changes this type, not its users.
 * Thread: any. Nothing here allocates. */
#pragma once
#include "core/base.h"

struct mr_endpoint {
    uint32_t ip; /* host byte order: 127.0.0.1 is 0x7f000001 */
    uint16_t port;
};

#define MR_ENDPOINT_TEXT_MAX 22 /* "255.255.255.255:65535" and its end */

static inline bool mr_endpoint_equal(struct mr_endpoint a, struct mr_endpoint b)
{
    return a.ip == b.ip && a.port == b.port;
}
/* 127.0.0.0/8. */
static inline bool mr_ip_is_loopback(uint32_t ip)
{
    return ip >> 24 == 127;
}
/* Private and link-local networks: 10/8, 172.16/12, 192.168/16 (RFC 1918), 169.254/16 (RFC 3927).
 */
bool mr_ip_is_lan(uint32_t ip);
/* Never a host to dial: this network 0/8, protocol assignments 192.0.0/24, documentation and
 * benchmark nets, multicast 224/4, reserved 240/4 and broadcast (RFC 6890). */
bool mr_ip_is_special(uint32_t ip);
/* Keys of the networks that quotas count over: 1.2.3.4 is in 0x0102 and in 0x010203. */
static inline uint32_t mr_ip_net16(uint32_t ip)
{
    return ip >> 16;
}
static inline uint32_t mr_ip_net24(uint32_t ip)
{
    return ip >> 8;
}

/* "1.2.3.4": four decimal numbers without leading zeros, nothing around them; MR_MALFORMED leaves
 * *ip as it was. n is the length of text, which needs no end mark. */
MR_MUST_USE enum mr_err mr_ip_parse(uint32_t *ip, const char *text, size_t n);
/* "1.2.3.4:30303", by the same rules; ports 0 to 65535. */
MR_MUST_USE enum mr_err mr_endpoint_parse(struct mr_endpoint *out, const char *text, size_t n);
/* Writes "1.2.3.4:30303" and its end; returns out. */
char *mr_endpoint_text(char out[MR_ENDPOINT_TEXT_MAX], struct mr_endpoint e);
/* Writes "1.2.3.4" and its end; returns out. */
char *mr_ip_text(char out[MR_ENDPOINT_TEXT_MAX], uint32_t ip);
