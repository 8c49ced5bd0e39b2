/* A network file: refused with one sentence, or a network whose fork ids and rules can be computed
 * at any point. */
#include <stdlib.h>

#include "net/eth/fork_id.h"
#include "net/eth/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct mr_network *net)
{
    struct mr_rules_now now;
    struct mr_rules rules;

    MR_ASSERT(net->name[0] != 0);
    MR_ASSERT(net->forks_count <= MR_NETWORK_FORKS_MAX);
    for (size_t i = 0; i <= net->forks_count; i++) {
        uint64_t v = i < net->forks_count ? net->forks[i].value : UINT64_MAX;
        struct mr_chain_point at = {v, v};
        struct mr_fork_id id = mr_fork_id_at(net, at);

        id.next = 0;
        MR_ASSERT(mr_fork_id_check(net, at, &id) == MR_FORK_COMPATIBLE);
        rules = mr_rules_at(net, at);
        MR_ASSERT(rules.types & 1);
        MR_ASSERT(rules.blobs_tx_max <= MR_BLOBS_PER_TX_MAX);
        mr_rules_now(&now, net, NULL, v);
        MR_ASSERT(now.n == 1 || now.n == 2);
        mr_rules_now(&now, net, &at, v);
        MR_ASSERT(now.n == 1);
        if (i < net->forks_count)
            MR_ASSERT(mr_rules_by_name(&rules, net, net->forks[i].name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mr_network_file file;
    char error[256];
    enum mr_err e;

    memset(error, 'x', sizeof error);
    error[0] = 0;
    e = mr_network_load(&file, error, sizeof error, "file", (const char *)data, size);
    MR_ASSERT((e == MR_OK) == (error[0] == 0));
    if (e == MR_OK)
        use(&file.net);
    else
        MR_ASSERT(memchr(error, 0, sizeof error));
    return 0;
}
