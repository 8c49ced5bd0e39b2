#include "node/run_options.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "node/flags.h"
#include "node/network_choice.h"
#include "node/whole_file.h"

static const char *bootnodes;

#define FLAGS_MAX 50

/* One row a flag; geth's names where geth has the thing. Returns how many. */
static size_t flags_of(struct mr_run_options *o, struct mr_flag flags[FLAGS_MAX])
{
    struct mr_relay_options *r = &o->relay;
    const struct mr_flag all[] = {
        {"network", MR_FLAG_TEXT, &o->network_name, "NAME",
         "mainnet, sepolia, hoodi, holesky, classic or mordor (mainnet)", NULL},
        {"network-file", MR_FLAG_TEXT, &o->network_file, "FILE",
         "another network, in the form of tests/vectors/networks/*.json", NULL},
        {"networkid", MR_FLAG_U64, &o->network_id, "ID", "another network id",
         &o->network_id_given},
        {"datadir", MR_FLAG_TEXT, &o->datadir, "DIR", "key and lock (~/.millrace)", NULL},
        {"nodekey", MR_FLAG_TEXT, &o->nodekey, "FILE", "node key (DATADIR/nodekey)", NULL},
        {"addr", MR_FLAG_TEXT, &o->addr, "IP", "address to listen on (0.0.0.0)", NULL},
        {"port", MR_FLAG_U32, &o->port, "PORT", "TCP port, 0 = any free one (30303)", NULL},
        {"maxpeers", MR_FLAG_U32, &r->maxpeers, "N",
         "sessions besides static and trusted ones (1000)", NULL},
        {"maxpendpeers", MR_FLAG_U32, &r->maxpendpeers, "N", "handshakes in progress (4096)", NULL},
        {"static", MR_FLAG_TEXT, &o->static_nodes.text, "LIST",
         "nodes to stay connected to: enode URLs with commas, or @FILE", NULL},
        {"trusted", MR_FLAG_TEXT, &o->trusted_nodes.text, "LIST",
         "nodes that no limit keeps out: enode URLs with commas, or @FILE", NULL},
        {"bootnodes", MR_FLAG_TEXT, &bootnodes, "LIST", "reserved for discovery", NULL},
        {"shards", MR_FLAG_U32, &r->shards, "N", "worker threads (CPUs of the process less one)",
         &o->shards_given},
        {"identity", MR_FLAG_TEXT, &o->identity, "NAME", "added to the client name", NULL},
        {"verbosity", MR_FLAG_U32, &o->verbosity, "0-5", "log level (3)", NULL},
        {"log.file", MR_FLAG_TEXT, &o->log_file, "FILE", "log to a file", NULL},
        {"stats", MR_FLAG_TEXT, &o->stats, "FILE", "write all counters as JSON every second", NULL},
        {"max-tx-pool-bytes", MR_FLAG_U64, &r->pool_bytes, "N", "bodies held (536870912)", NULL},
        {"max-blob-pool-bytes", MR_FLAG_U64, &r->blob_pool_bytes, "N",
         "blob transactions held (268435456)", NULL},
        {"blob-upload", MR_FLAG_U64, &r->blob_upload_per_s, "N",
         "bytes a second of blob answers; bursts of 14 s of it (8388608)", NULL},
        {"handshake-budget", MR_FLAG_U32, &r->handshake_budget_percent, "PERCENT",
         "of a core for handshakes; above it sockets wait (20)", NULL},
        {"peer-tx-rate", MR_FLAG_U32, &r->peer_tx_per_s, "N",
         "transactions a second read from a peer (256)", NULL},
        {"peer-tx-burst", MR_FLAG_U32, &r->peer_tx_burst, "N", "and at once (1024)", NULL},
        {"peer-bytes-rate", MR_FLAG_U64, &r->peer_bytes_per_s, "N",
         "bytes a second read from a peer (2097152)", NULL},
        {"peer-bytes-burst", MR_FLAG_U64, &r->peer_bytes_burst, "N", "and at once (12582912)",
         NULL},
        {"peer-pool-share", MR_FLAG_U32, &r->peer_pool_share, "N",
         "a peer's transactions fill at most one part in N of the pool (8)", NULL},
        {"recovery-budget", MR_FLAG_U32, &r->recovery_percent, "PERCENT",
         "of a core for signature recovery (40)", NULL},
        {"sender-tx-rate", MR_FLAG_U32, &r->sender_tx_per_s, "N",
         "transactions a second of one account before they are doubtful (8)", NULL},
        {"sender-tx-burst", MR_FLAG_U32, &r->sender_tx_burst, "N", "and at once (128)", NULL},
        {"sender-blob-rate", MR_FLAG_U32, &r->sender_blob_per_s, "N",
         "the same for its blob transactions (1)", NULL},
        {"sender-blob-burst", MR_FLAG_U32, &r->sender_blob_burst, "N", "and at once (16)", NULL},
        {"replacement-rate", MR_FLAG_U32, &r->replacements_per_minute, "N",
         "replacements a minute of one nonce of an account (4)", NULL},
        {"txpool.pricebump", MR_FLAG_U32, &r->price_bump_percent, "PERCENT",
         "by which a replacement raises both fees (10)", NULL},
        {"blobpool.pricebump", MR_FLAG_U32, &r->blob_price_bump_percent, "PERCENT",
         "by which one of a blob transaction raises all three (100)", NULL},
        {"doubtful-rate", MR_FLAG_U32, &r->doubtful_per_s, "N",
         "doubtful transactions relayed a second, whole node; 0: none (5)", NULL},
        {"fresh-age", MR_FLAG_U32, &o->fresh_s, "SECONDS",
         "a new peer is told of transactions that are younger (24)", NULL},
        {"loopback-is-public", MR_FLAG_BOOL, &r->loopback_is_public, NULL,
         "hold the per-address rules on 127.0.0.0/8 too", NULL},
        {"busy-poll", MR_FLAG_U32, &r->busy_poll_us, "US",
         "microseconds that a shard looks for work before it sleeps (0)", NULL},
        {"help", MR_FLAG_BOOL, &o->help, NULL, "this text", NULL},
    };

    _Static_assert(sizeof all <= FLAGS_MAX * sizeof *flags, "room for every flag");
    memcpy(flags, all, sizeof all);
    return MR_COUNT_OF(all);
}

static void defaults(struct mr_run_options *o)
{
    memset(o, 0, sizeof *o);
    mr_relay_options_default(&o->relay);
    o->datadir = "~/.millrace";
    o->addr = "0.0.0.0";
    o->port = 30303;
    o->verbosity = 3;
    o->fresh_s = (uint32_t)(o->relay.fresh_ns / MR_SECOND);
}

static bool network_choose(struct mr_run_options *o, char *error, size_t error_cap)
{
    if (!mr_network_choose(&o->network, &o->file, o->network_name, o->network_file, error,
                           error_cap))
        return false;
    if (o->network_id_given) {
        o->network_copy = *o->network;
        o->network_copy.network_id = o->network_id;
        o->network = &o->network_copy;
    }
    return true;
}

/* One URL of a list; empty words and comments (#) of files are passed over. */
static bool node_take(struct mr_enode *nodes, size_t *count, const char *flag, const char *where,
                      unsigned line, const char *text, size_t n, char *error, size_t error_cap)
{
    static const char form[] = "enode://ID@IP:PORT";
    const char *why = NULL;

    while (n > 0 && (*text == ' ' || *text == '\t'))
        text++, n--;
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\r' || text[n - 1] == '\t'))
        n--;
    if (n == 0 || *text == '#')
        return true;
    if (*count == MR_NODES_MAX)
        why = "more than 4096 nodes: leave some out";
    else if (mr_enode_parse(&nodes[*count], &why, text, n) == MR_OK) {
        ++*count;
        return true;
    }
    if (where)
        snprintf(error, error_cap, "--%s: %s line %u: %s: an entry is %s", flag, where, line, why,
                 form);
    else
        snprintf(error, error_cap, "--%s: node %u: %s: an entry is %s", flag, line, why, form);
    return false;
}

bool mr_node_list_read(struct mr_node_list *list, const char *flag, char *error, size_t error_cap)
{
    bool from_file = list->text && list->text[0] == '@', ok = true;
    const char *path = from_file ? list->text + 1 : NULL;
    struct mr_enode *nodes = calloc(MR_NODES_MAX, sizeof *nodes);
    const char *text = list->text, *at, *end;
    char *loaded = NULL;
    size_t n = text ? strlen(text) : 0, count = 0;
    unsigned line = 1;

    if (!nodes) {
        snprintf(error, error_cap, "--%s: no memory for the list: free some", flag);
        return false;
    }
    if (from_file) {
        if (!(loaded = mr_whole_file_read(&n, flag, path, error, error_cap))) {
            free(nodes);
            return false;
        }
        text = loaded;
    }
    for (at = text, end = text + n; ok && text && at < end; line++) {
        const char *stop = memchr(at, from_file ? '\n' : ',', (size_t)(end - at));

        if (!stop)
            stop = end;
        ok = node_take(nodes, &count, flag, path, line, at, (size_t)(stop - at), error, error_cap);
        at = stop + 1;
    }
    free(loaded);
    if (!ok) {
        free(nodes);
        return false;
    }
    free(list->nodes);
    list->nodes = nodes;
    list->count = count;
    return true;
}

static bool values_check(struct mr_run_options *o, char *error, size_t error_cap)
{
    if (mr_ip_parse(&o->listen.ip, o->addr, strlen(o->addr)) != MR_OK)
        snprintf(error, error_cap,
                 "--addr \"%s\" is not an IPv4 address: 0.0.0.0 is all of this machine's", o->addr);
    else if (o->port > 65535)
        snprintf(error, error_cap, "--port %u is not a port: 0 to 65535", o->port);
    else if (o->verbosity > 5)
        snprintf(error, error_cap, "--verbosity %u is not a level: 0 to 5", o->verbosity);
    else if (bootnodes)
        snprintf(error, error_cap,
                 "--bootnodes is reserved until discovery is there: use --static for now");
    else if (o->identity && strlen(o->identity) > 64)
        snprintf(error, error_cap, "--identity is longer than 64 characters: shorten it");
    else {
        o->listen.port = (uint16_t)o->port;
        o->relay.fresh_ns = o->fresh_s * MR_SECOND;
        return mr_relay_options_check(&o->relay, error, error_cap);
    }
    return false;
}

bool mr_run_options_parse(struct mr_run_options *o, int argc, char **argv, char *error,
                          size_t error_cap)
{
    struct mr_flag flags[FLAGS_MAX];
    size_t flags_count = flags_of(o, flags), rest_count;
    const char *rest[1];

    defaults(o);
    bootnodes = NULL;
    if (!mr_flags_parse(flags, flags_count, argc, argv, rest, &rest_count, 0, error, error_cap))
        return false;
    if (o->help)
        return true;
    return values_check(o, error, error_cap) && network_choose(o, error, error_cap) &&
           mr_node_list_read(&o->static_nodes, "static", error, error_cap) &&
           mr_node_list_read(&o->trusted_nodes, "trusted", error, error_cap);
}

void mr_run_options_help(void)
{
    struct mr_run_options o;
    struct mr_flag flags[FLAGS_MAX];

    printf("usage: millrace run [flags]\n");
    mr_flags_help(flags, flags_of(&o, flags));
}

void mr_run_options_free(struct mr_run_options *o)
{
    free(o->file);
    free(o->static_nodes.nodes);
    free(o->trusted_nodes.nodes);
}
