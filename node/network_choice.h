/* network_choice.h: the network that a command's --network or --network-file means. Thread: main.
 */
#pragma once
#include "net/eth/network.h"

/* name NULL: mainnet; path: a file in the form of tests/vectors/networks, instead of a name. *file
 * keeps what was read from it and is freed (free) with the caller's last use of *out; NULL for a
 * preset. False: error holds one sentence. */
bool mr_network_choose(const struct mr_network **out, struct mr_network_file **file,
                       const char *name, const char *path, char *error, size_t error_cap);
