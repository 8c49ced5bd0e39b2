/* datadir.h: what the relay keeps on disk: the node key, and the lock that says that somebody runs
 * on it. Thread: main. Errors are one sentence that names the file. */
#pragma once
#include "crypto/secp.h"

#define MR_PATH_MAX 4096

/* ~ and missing folders: makes dir (0700) and gives its path. */
bool mr_datadir_open(char path[MR_PATH_MAX], const char *dir, char *error, size_t error_cap);
/* Locks dir against a second start; the lock goes with the process. */
bool mr_datadir_lock(const char *dir, char *error, size_t error_cap);

/* Reads a node key: 64 hexadecimal digits and at most one newline, as geth writes it. Refused when
 * others than its owner may read it, when it is of another shape, zero, or not below the curve's
 * order. */
bool mr_node_key_load(uint8_t key[32], const struct mr_secp *secp, const char *path, char *error,
                      size_t error_cap);
/* Makes a new key and writes it: created 0600 and new, synced, in place whole or not at all.
 * Existing files are never replaced. */
bool mr_node_key_create(uint8_t key[32], const struct mr_secp *secp, const char *path, char *error,
                        size_t error_cap);
/* The datadir's key; makes it at the first start. */
bool mr_node_key_open(uint8_t key[32], const struct mr_secp *secp, const char *datadir, char *error,
                      size_t error_cap);
