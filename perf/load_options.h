/* load_options.h: the command line of millrace-load. Thread: main's. Borrows from argv. */
#pragma once
#include <stdio.h>

#include "net/eth/network.h"
#include "net/rlpx/enode.h"

#define MR_LOAD_CORPORA_MAX 8
#define MR_LOAD_ASSERTS_MAX 16
#define MR_LOAD_PEERS_MAX   16384

struct mr_load_assert {
    char key[64]; /* "body_us.p99" */
    double max;
};

struct mr_load_options {
    bool help;
    const char *target_text;
    struct mr_enode target;
    const struct mr_network *network;
    uint32_t peers, senders, eth_version; /* 0: all that there are */
    double rate;
    double duration_s, drain_s, connect_s; /* connect_s 0: by the number of peers */
    uint32_t connecting;                   /* handshakes in flight */
    const char *corpora[MR_LOAD_CORPORA_MAX];
    uint32_t corpora_count;
    bool synthetic;
    uint64_t seed;
    const char *json, *hgrm, *svg;
    int64_t relay_pid; /* 0: none */
    struct mr_load_assert asserts[MR_LOAD_ASSERTS_MAX];
    uint32_t asserts_count;
};

/* MR_OK, or MR_INVALID with one sentence. With --help nothing else is looked at. */
MR_MUST_USE enum mr_err mr_load_options_read(struct mr_load_options *o, char *sentence, size_t cap,
                                             int argc, char **argv);
/* Transactions of the whole run. */
uint32_t mr_load_options_txs(const struct mr_load_options *o);
void mr_load_help(FILE *f);
