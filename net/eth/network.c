#include "net/eth/network.h"

#include "net/eth/network_data.h"

const struct mr_network *mr_network_preset(size_t i)
{
    return i < mr_network_data_count ? &mr_network_data[i] : NULL;
}

const struct mr_network *mr_network_find(const char *name)
{
    for (size_t i = 0; i < mr_network_data_count; i++)
        if (strcmp(mr_network_data[i].name, name) == 0)
            return &mr_network_data[i];
    return NULL;
}

const struct mr_fork *mr_network_fork(const struct mr_network *net, const char *name)
{
    for (size_t i = 0; i < net->forks_count; i++)
        if (strcmp(net->forks[i].name, name) == 0)
            return &net->forks[i];
    return NULL;
}

uint64_t mr_network_last_block_fork(const struct mr_network *net)
{
    uint64_t last = 0;

    for (size_t i = 0; i < net->forks_count; i++)
        if (!net->forks[i].by_time && net->forks[i].value > last)
            last = net->forks[i].value;
    return last;
}

struct mr_chain_point mr_network_point(const struct mr_network *net,
                                       const struct mr_chain_point *head, uint64_t wall_s)
{
    return (struct mr_chain_point){
        .number = head ? head->number : mr_network_last_block_fork(net),
        .time = wall_s,
    };
}
