/* enode.h: enode URLs, which name a node and where it listens:
 * enode://<128 hex digits>@<IPv4>:<port>[?discport=<port>]. Thread: any. No memory. */
#pragma once
#include "core/base.h"
#include "core/endpoint.h"

#define MR_ENODE_TEXT_MAX 192

struct mr_enode {
    struct mr_node_id id;
    struct mr_endpoint tcp;
    uint16_t udp_port; /* discport, or the TCP port */
};

/* MR_MALFORMED: no enode URL; MR_UNSUPPORTED: one without an address, with a host name or with
 * IPv6, which nothing here can dial yet; *out is then untouched. why (may be NULL): what is wrong
 * with it, a constant. The key is not checked to be a point: who dials it does. */
MR_MUST_USE enum mr_err mr_enode_parse(struct mr_enode *out, const char **why, const char *text,
                                       size_t n);
/* Writes the URL and its end; returns out. */
char *mr_enode_text(char out[MR_ENODE_TEXT_MAX], const struct mr_enode *e);
