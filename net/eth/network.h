/* network.h: what tells one Ethereum-family network from another: ids, genesis, the order of its
 * forks, its blob schedule. Six presets are compiled in (network_data.c, made by
 * scripts/gen-networks from tests/vectors/networks); any other comes from a file of the same form.
 * Thread: any; all of it is constant once made. Nothing here allocates except the JSON reader while
 * a file is read. */
#pragma once
#include "core/base.h"

#define MR_NETWORK_FORKS_MAX      64
#define MR_NETWORK_BLOB_STEPS_MAX 16
#define MR_NETWORK_HEADER_MAX     1024  /* bytes of a genesis header */
#define MR_NETWORK_TEXT_MAX       32768 /* bytes of names and bootnodes of a network file */
#define MR_NETWORK_STRINGS_MAX    64    /* bootnodes of each kind */

/* A point of a chain: what decides which forks have passed. */
struct mr_chain_point {
    uint64_t number; /* block number */
    uint64_t time;   /* unix seconds */
};

struct mr_fork {
    const char *name; /* "tangerine_whistle": the preset's name before "(" */
    uint64_t value;   /* block number or unix seconds */
    bool by_time;
    bool in_fork_id;
};

/* From this fork on, so many blobs a block (EIP-7691, EIP-7840, EIP-7892). */
struct mr_blob_step {
    const char *fork; /* names an entry of forks */
    uint32_t target, max;
    uint64_t base_fee_update_fraction;
};

/* A fork id that somebody else computed, for the tests. */
struct mr_expected_fork_id {
    bool by_time;
    uint64_t at;
    uint32_t hash;
    uint64_t next;
};

enum mr_consensus {
    MR_CONSENSUS_POS, /* merged, or proof of stake from its genesis */
    MR_CONSENSUS_POW,
};

struct mr_strings {
    const char *const *v;
    size_t n;
};

struct mr_network {
    const char *name;
    uint64_t network_id, chain_id;
    struct mr_hash genesis_hash;
    struct mr_span genesis_header; /* RLP; empty where a network file does not give it */
    uint64_t genesis_time;
    struct mr_u256 genesis_difficulty;
    enum mr_consensus consensus;
    bool has_terminal_total_difficulty;
    struct mr_u256 terminal_total_difficulty;
    /* What Status of eth/68 says while nothing better is known: the final total difficulty of a
     * merged network (its terminal one where that is not given), the genesis block's on proof of
     * work. */
    struct mr_u256 total_difficulty;
    bool dao_fork_support;
    uint64_t dao_fork_block;
    const struct mr_fork *forks; /* in order of activation */
    size_t forks_count;
    const struct mr_blob_step *blob_steps; /* in order of activation */
    size_t blob_steps_count;
    const struct mr_expected_fork_id *expected_fork_ids;
    size_t expected_fork_ids_count;
    struct mr_strings bootnodes_v4; /* enode URLs */
    struct mr_strings bootnodes_v5; /* ENRs */
    struct mr_strings dns;          /* enrtree URLs */
};

/* "mainnet", "sepolia", "hoodi", "holesky", "classic", "mordor"; NULL for any other name. */
const struct mr_network *mr_network_find(const char *name);
/* The i-th preset, NULL behind the last one. */
const struct mr_network *mr_network_preset(size_t i);

/* The fork of that name, NULL if the network has none. */
const struct mr_fork *mr_network_fork(const struct mr_network *net, const char *name);

/* The highest block number at which a fork of the network activates: what counts as passed while no
 * head is known, and no more than that: "head = infinity" would refuse every peer that announces a
 * block fork of the future (EIP-2124, rule 1b). */
uint64_t mr_network_last_block_fork(const struct mr_network *net);

/* The point that fork ids are computed for: the head's number (the last block fork without a head,
 * head NULL) and the wall clock. */
struct mr_chain_point mr_network_point(const struct mr_network *net,
                                       const struct mr_chain_point *head, uint64_t wall_s);

/* A network read from a file, with the memory that its fields point into. Must not be moved. */
struct mr_network_file {
    struct mr_network net;
    struct mr_fork forks[MR_NETWORK_FORKS_MAX];
    struct mr_blob_step blob_steps[MR_NETWORK_BLOB_STEPS_MAX];
    struct mr_expected_fork_id expected[MR_NETWORK_FORKS_MAX];
    const char *v4[MR_NETWORK_STRINGS_MAX], *v5[MR_NETWORK_STRINGS_MAX];
    const char *dns[MR_NETWORK_STRINGS_MAX];
    uint8_t header[MR_NETWORK_HEADER_MAX];
    char text[MR_NETWORK_TEXT_MAX];
    size_t text_used;
};

/* Reads the JSON form of tests/vectors/networks. Required keys: name, network_id, chain_id,
 * genesis_hash, forks, blob_schedule. file_name is only quoted. On error (MR_MALFORMED for JSON,
 * MR_INVALID for a key that is missing or wrong, MR_TOO_BIG over a limit above) error holds one
 * sentence that names the file and the key, and out is unusable. */
MR_MUST_USE enum mr_err mr_network_load(struct mr_network_file *out, char *error, size_t error_size,
                                        const char *file_name, const char *json, size_t json_size);
