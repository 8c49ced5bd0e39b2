#include "node/network_choice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (1u << 20)

/* Returns memory with the file's bytes, or NULL and a sentence. */
static char *file_read(size_t *n, const char *path, char *error, size_t error_cap)
{
    FILE *f = fopen(path, "re");
    char *bytes = malloc(FILE_MAX + 1);

    *n = 0;
    errno = bytes ? errno : ENOMEM;
    if (f && bytes)
        *n = fread(bytes, 1, FILE_MAX + 1, f);
    if (!f || !bytes || ferror(f) || *n > FILE_MAX) {
        if (*n > FILE_MAX)
            snprintf(error, error_cap, "--network-file %s is over %u bytes", path, FILE_MAX);
        else
            snprintf(error, error_cap, "cannot read --network-file %s: %s", path, strerror(errno));
        free(bytes);
        bytes = NULL;
    }
    if (f)
        fclose(f);
    return bytes;
}

bool mr_network_choose(const struct mr_network **out, struct mr_network_file **file,
                       const char *name, const char *path, char *error, size_t error_cap)
{
    char *json;
    size_t n;

    *file = NULL;
    if (name && path) {
        snprintf(error, error_cap, "--network and --network-file exclude each other");
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
    json = file_read(&n, path, error, error_cap);
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
