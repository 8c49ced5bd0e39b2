#include "net/eth/rules.h"

#define FORK_MARGIN_S 60
#define SLOT_S        12

#define TYPE(t) (1u << (t))

/* What a fork changes in the checks of a transaction. Forks that change nothing here (and names
 * that nobody knows) have no row; the schedule of blobs is the network's own. */
struct change {
    const char *fork;
    uint32_t types;
    uint32_t gas_creation, gas_nonzero_byte, init_code_max; /* 0: unchanged */
    uint64_t gas_cap;
    uint32_t blobs_tx_max;
    int wrapper; /* MR_WRAPPER_NONE: unchanged */
    bool low_s, replay_guard, calldata_floor;
};

static const struct change changes[] = {
    {"homestead", .gas_creation = 32000, .low_s = true, .wrapper = MR_WRAPPER_NONE},
    {"spurious_dragon", .replay_guard = true, .wrapper = MR_WRAPPER_NONE},
    {"die_hard", .replay_guard = true, .wrapper = MR_WRAPPER_NONE}, /* Classic */
    {"istanbul", .gas_nonzero_byte = 16, .wrapper = MR_WRAPPER_NONE},
    {"phoenix", .gas_nonzero_byte = 16, .wrapper = MR_WRAPPER_NONE}, /* Classic */
    {"berlin", .types = TYPE(1), .wrapper = MR_WRAPPER_NONE},
    {"magneto", .types = TYPE(1), .wrapper = MR_WRAPPER_NONE}, /* Classic */
    {"london", .types = TYPE(2), .wrapper = MR_WRAPPER_NONE},
    {"shanghai", .init_code_max = 49152, .wrapper = MR_WRAPPER_NONE},
    {"spiral", .init_code_max = 49152, .wrapper = MR_WRAPPER_NONE}, /* Classic */
    {"cancun", .types = TYPE(3), .wrapper = MR_WRAPPER_V0},
    {"prague", .types = TYPE(4), .calldata_floor = true, .wrapper = MR_WRAPPER_NONE},
    {"osaka", .gas_cap = 1u << 24, .blobs_tx_max = 6, .wrapper = MR_WRAPPER_V1},
};

static struct mr_rules rules_first(const struct mr_network *net)
{
    return (struct mr_rules){
        .fork = "frontier",
        .chain_id = net->chain_id,
        .types = TYPE(0),
        .gas_nonzero_byte = 68,
        .wrapper = MR_WRAPPER_NONE,
    };
}

static void rules_pass(struct mr_rules *r, const struct mr_network *net, const char *fork)
{
    r->fork = fork;
    for (size_t i = 0; i < MR_COUNT_OF(changes); i++) {
        const struct change *c = &changes[i];

        if (strcmp(c->fork, fork) != 0)
            continue;
        r->types |= c->types;
        if (c->gas_creation)
            r->gas_creation = c->gas_creation;
        if (c->gas_nonzero_byte)
            r->gas_nonzero_byte = c->gas_nonzero_byte;
        if (c->init_code_max)
            r->init_code_max = c->init_code_max;
        if (c->gas_cap)
            r->gas_cap = c->gas_cap;
        if (c->blobs_tx_max)
            r->blobs_tx_max = c->blobs_tx_max;
        if (c->wrapper != MR_WRAPPER_NONE)
            r->wrapper = (enum mr_wrapper)c->wrapper;
        r->low_s |= c->low_s;
        r->replay_guard |= c->replay_guard;
        r->calldata_floor |= c->calldata_floor;
    }
    for (size_t i = 0; i < net->blob_steps_count; i++) {
        const struct mr_blob_step *s = &net->blob_steps[i];

        if (strcmp(s->fork, fork) != 0)
            continue;
        r->blobs_block_target = s->target;
        r->blobs_block_max = s->max;
        r->blob_base_fee_update_fraction = s->base_fee_update_fraction;
    }
}

/* Before Osaka only the block limits a transaction (EIP-7594). */
static void rules_finish(struct mr_rules *r)
{
    if (r->blobs_tx_max == 0 || r->blobs_tx_max > r->blobs_block_max)
        r->blobs_tx_max = r->blobs_block_max;
    r->blobs_tx_max = MR_MIN(r->blobs_tx_max, MR_BLOBS_PER_TX_MAX);
}

struct mr_rules mr_rules_at(const struct mr_network *net, struct mr_chain_point at)
{
    struct mr_rules r = rules_first(net);

    for (size_t i = 0; i < net->forks_count; i++) {
        const struct mr_fork *f = &net->forks[i];

        if ((f->by_time ? at.time : at.number) >= f->value)
            rules_pass(&r, net, f->name);
    }
    rules_finish(&r);
    return r;
}

bool mr_rules_by_name(struct mr_rules *out, const struct mr_network *net, const char *fork)
{
    struct mr_rules r = rules_first(net);

    for (size_t i = 0; i < net->forks_count; i++) {
        rules_pass(&r, net, net->forks[i].name);
        if (strcmp(net->forks[i].name, fork) == 0) {
            rules_finish(&r);
            *out = r;
            return true;
        }
    }
    return false;
}

void mr_rules_now(struct mr_rules_now *out, const struct mr_network *net,
                  const struct mr_chain_point *head, uint64_t wall_s)
{
    struct mr_chain_point before, after;

    if (head) {
        after = (struct mr_chain_point){head->number + 1, head->time + SLOT_S};
        out->rules[0] = mr_rules_at(net, after);
        out->n = 1;
        return;
    }
    /* Both ends count: a fork at T matters from T - 60 to T + 60. */
    before.number = after.number = mr_network_last_block_fork(net);
    before.time = wall_s > FORK_MARGIN_S + 1 ? wall_s - FORK_MARGIN_S - 1 : 0;
    after.time = wall_s + FORK_MARGIN_S;
    out->rules[0] = mr_rules_at(net, before);
    out->rules[1] = mr_rules_at(net, after);
    out->n = strcmp(out->rules[0].fork, out->rules[1].fork) == 0 ? 1 : 2;
}
