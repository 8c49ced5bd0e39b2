/* variant.h: a relay in a child process, as `millrace run` would start it, but with options that no
 * flag sets (short timeouts, small pools), and counters written ten times a second. The process
 * functions of tests/system work on it. */
#pragma once
#include "shards/options.h"
#include "tests/system/process.h"

struct variant {
    struct mr_relay_options options;
    const char *network; /* NULL: mainnet */
    bool blobs;          /* load the trusted setup and check blob proofs */
    bool quiet;          /* errors only in its log */
};

/* The defaults, and --loopback-is-public. */
void variant_init(struct variant *v);
void variant_start(struct process *p, const struct variant *v);
/* One without per-address rules, whose peers have a second for Status and for each answer; shards
 * is text, as a test's state is. */
void variant_start_quick(struct process *p, const char *shards);
