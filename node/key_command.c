#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "crypto/ct.h"
#include "node/commands.h"
#include "node/datadir.h"

/* millrace key new FILE | key show FILE: prints the node id; show never prints the key. */
int mr_command_key(int argc, char **argv)
{
    char error[512], id[2 * sizeof(struct mr_node_id) + 1];
    uint8_t seed[32], key[32];
    struct mr_node_id pub;
    struct mr_secp *secp;
    bool ok;

    if (argc != 3 || (strcmp(argv[1], "new") && strcmp(argv[1], "show")))
        return mr_command_fail("usage: millrace key new FILE | millrace key show FILE");
    if (!mr_entropy(seed, sizeof seed) || !(secp = mr_secp_create(seed)))
        return mr_command_fail("no randomness, or no memory");
    ok = strcmp(argv[1], "new") == 0 ? mr_node_key_create(key, secp, argv[2], error, sizeof error)
                                     : mr_node_key_load(key, secp, argv[2], error, sizeof error);
    if (ok && mr_secp_public(secp, &pub, key)) {
        mr_hex_encode(id, pub.b, sizeof pub.b);
        id[2 * sizeof pub.b] = 0;
        printf("%s\n", id);
    }
    mr_wipe(key, sizeof key);
    mr_secp_destroy(secp);
    return ok ? 0 : mr_command_fail("%s", error);
}
