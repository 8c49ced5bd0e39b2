/* run_options.h: the flags of `millrace run`, read into values. Thread: main. */
#pragma once
#include "core/base.h"
#include "core/endpoint.h"
#include "net/eth/network.h"
#include "net/rlpx/enode.h"
#include "shards/options.h"

#define MR_NODES_MAX 4096 /* static nodes, and as many trusted ones */

struct mr_node_list {
    struct mr_enode *nodes; /* allocated once, MR_NODES_MAX */
    size_t count;
    const char *text; /* the flag's value: URLs or @FILE; re-read on SIGHUP */
};

struct mr_run_options {
    struct mr_relay_options relay;
    const char *network_name, *network_file, *datadir, *nodekey, *identity, *stats, *log_file;
    const char *addr;
    uint32_t port, verbosity, fresh_s;
    uint64_t network_id;
    bool network_id_given, shards_given, help;
    const struct mr_network *network;
    struct mr_network network_copy; /* when --networkid changes it */
    struct mr_network_file *file;
    struct mr_endpoint listen;
    struct mr_node_list static_nodes, trusted_nodes;
};

/* False: error holds one sentence naming the flag (and the file and line). */
bool mr_run_options_parse(struct mr_run_options *o, int argc, char **argv, char *error,
                          size_t error_cap);
/* Reads a list again (its file may have changed); on an error the old one stays. */
bool mr_node_list_read(struct mr_node_list *list, const char *flag, char *error, size_t error_cap);
void mr_run_options_help(void);
void mr_run_options_free(struct mr_run_options *o);
