#include "node/network_choice.h"

#include <stdio.h>
#include <stdlib.h>

#include "node/whole_file.h"

bool mr_network_choose(const struct mr_network **out, struct mr_network_file **file,
                       const char *name, const char *path, char *error, size_t error_cap)
{
    char *json;
    size_t n;

    *file = NULL;
    if (name && path) {
        snprintf(error, error_cap,
                 "--network and --network-file exclude each other: give one of them");
        return false;
    }
    if (!path) {
        const struct mr_network *net = mr_network_find(name ? name : "mainnet");

        if (!net) {
            snprintf(error, error_cap,
                     "--network \"%.64s\" is not known: mainnet, sepolia, hoodi, holesky, classic, "
                     "mordor, or --network-file",
                     name);
            return false;
        }
        *out = net;
        return true;
    }
    json = mr_whole_file_read(&n, "network-file", path, error, error_cap);
    if (!json)
        return false;
    *file = malloc(sizeof **file);
    MR_ASSERT(*file);
    if (mr_network_load(*file, error, error_cap, path, json, n)) {
        free(*file);
        *file = NULL;
    } else {
        *out = &(*file)->net;
    }
    free(json);
    return *file != NULL;
}
