#include "shards/dial.h"

#include <stdlib.h>

#include "net/rlpx/base_protocol.h"

#define BUSY_NS     (60 * MR_SECOND)
#define UNWANTED_NS (600 * MR_SECOND)
#define PAUSE_MAX   (600 * MR_SECOND)
/* After a session that lasted: soon, but not everybody at the same moment. */
#define AGAIN_NS        (2 * MR_SECOND)
#define AGAIN_JITTER_NS (8 * MR_SECOND)
#define NEVER           UINT64_MAX

enum mr_err mr_dial_init(struct mr_dial *d, const struct mr_node_id *self, uint64_t redial_ns,
                         const uint64_t key[2], uint64_t seed, uint64_t now_ns)
{
    memset(d, 0, sizeof *d);
    d->self = *self;
    d->redial_ns = redial_ns;
    d->capacity = 2 * MR_LISTED_MAX; /* listed ones, and ones to be remembered for a while */
    d->entries = calloc(d->capacity, sizeof *d->entries);
    if (!d->entries || mr_map_init(&d->by_id, d->capacity, sizeof(struct mr_node_id), key)) {
        free(d->entries);
        memset(d, 0, sizeof *d);
        return MR_SYSTEM;
    }
    mr_bucket_init(&d->rate, MR_DIAL_PER_SECOND, MR_DIAL_CONCURRENT, now_ns);
    mr_random_init(&d->random, seed);
    return MR_OK;
}

void mr_dial_fini(struct mr_dial *d)
{
    if (d->entries)
        mr_map_fini(&d->by_id);
    free(d->entries);
    memset(d, 0, sizeof *d);
}

static struct mr_dial_entry *find(struct mr_dial *d, const struct mr_node_id *id)
{
    uint32_t i;

    return mr_map_find(&d->by_id, &i, id->b) ? &d->entries[i] : NULL;
}

const struct mr_listed_node *mr_dial_find(struct mr_dial *d, const struct mr_node_id *id)
{
    struct mr_dial_entry *e = find(d, id);

    return e && e->listed ? &e->node : NULL;
}

/* ---- the list ---- */

static void drop(struct mr_dial *d, uint32_t i)
{
    uint32_t last = --d->count;

    mr_map_remove(&d->by_id, d->entries[i].node.id.b);
    if (i != last) {
        enum mr_err e = mr_map_replace(&d->by_id, d->entries[last].node.id.b, i);

        MR_ASSERT(e == MR_OK);
        d->entries[i] = d->entries[last];
    }
}

/* When the 35 seconds are over: 0 for a node that was never dialled. */
static uint64_t redial_at(const struct mr_dial *d, const struct mr_dial_entry *e)
{
    return e->dialled_ever ? e->dialled_ns + d->redial_ns : 0;
}

static void list(struct mr_dial *d, const struct mr_listed_node *node)
{
    struct mr_dial_entry *e = find(d, &node->id);
    enum mr_err err;

    if (!e) {
        MR_ASSERT(d->entries);
        MR_ASSERT(d->count < d->capacity);
        e = &d->entries[d->count];
        *e = (struct mr_dial_entry){.node = *node};
        err = mr_map_put(&d->by_id, node->id.b, d->count++);
        MR_ASSERT(err == MR_OK);
    } else if (!e->listed) {
        e->node = *node;
    } else {
        e->node.is_static |= node->is_static;
        e->node.trusted |= node->trusted;
        if (e->node.at.port == 0)
            e->node.at = node->at;
    }
    e->listed = true;
}

enum mr_err mr_dial_set(struct mr_dial *d, const struct mr_listed_node *nodes, size_t n,
                        uint64_t now_ns)
{
    for (uint32_t i = 0; i < d->count; i++)
        d->entries[i].listed = false, d->entries[i].holds = 0;
    for (size_t i = 0; i < n && i < MR_LISTED_MAX; i++)
        if (!mr_node_id_equal(&nodes[i].id, &d->self)) {
            /* room for all of them, whatever is remembered */
            for (uint32_t k = 0; d->count == d->capacity && k < d->count; k++)
                if (!d->entries[k].listed)
                    drop(d, k);
            list(d, &nodes[i]);
        }
    for (uint32_t i = d->count; i-- > 0;)
        if (!d->entries[i].listed && redial_at(d, &d->entries[i]) <= now_ns)
            drop(d, i);
    d->cursor = 0;
    d->due_ns = 0;
    return n > MR_LISTED_MAX ? MR_FULL : MR_OK;
}

/* ---- what happens ---- */

/* When e may be dialled; NEVER while something must change first. */
static uint64_t due_at(const struct mr_dial *d, const struct mr_dial_entry *e)
{
    if (!e->listed || e->node.at.port == 0 || e->holds > 0)
        return NEVER;
    return MR_MAX(e->next_ns, redial_at(d, e));
}

bool mr_dial_next(struct mr_dial *d, struct mr_listed_node *out, uint64_t now_ns)
{
    uint64_t soonest = NEVER;

    if (d->dialling >= MR_DIAL_CONCURRENT || now_ns < d->due_ns)
        return false;
    for (uint32_t i = 0; i < d->count; i++) {
        uint32_t at = (d->cursor + i) % d->count;
        struct mr_dial_entry *e = &d->entries[at];
        uint64_t due = due_at(d, e);

        if (due > now_ns) {
            soonest = MR_MIN(soonest, due);
            continue;
        }
        if (!mr_bucket_take(&d->rate, 1, now_ns)) {
            soonest = mr_bucket_ready_at(&d->rate, 1);
            break;
        }
        d->cursor = (at + 1) % d->count;
        d->dialling++;
        e->dialled_ever = true;
        e->dialled_ns = now_ns;
        e->holds++;
        *out = e->node;
        return true;
    }
    d->due_ns = soonest;
    return false;
}

uint64_t mr_dial_next_ns(const struct mr_dial *d)
{
    return d->dialling >= MR_DIAL_CONCURRENT ? NEVER : d->due_ns;
}

void mr_dial_finished(struct mr_dial *d)
{
    MR_ASSERT(d->dialling > 0);
    d->dialling--;
}

void mr_dial_hold(struct mr_dial *d, const struct mr_node_id *id)
{
    struct mr_dial_entry *e = find(d, id);

    if (e)
        e->holds++;
}

/* base, doubled with every failure in a row, and up to a quarter more. */
static uint64_t pause_of(struct mr_dial *d, uint64_t base, uint32_t failures)
{
    uint64_t pause = MR_MIN(base << MR_MIN(failures - 1, 10u), MR_MAX(base, PAUSE_MAX));

    return pause + mr_random_below(&d->random, pause / 4 + 1);
}

void mr_dial_release(struct mr_dial *d, const struct mr_node_id *id, enum mr_dial_outcome outcome,
                     uint64_t session_ns, uint64_t now_ns)
{
    static const uint64_t bases[] = {
        [MR_DIAL_NETWORK] = 0, [MR_DIAL_BUSY] = BUSY_NS, [MR_DIAL_UNWANTED] = UNWANTED_NS};
    struct mr_dial_entry *e = find(d, id);

    if (!e || e->holds == 0 || --e->holds > 0)
        return;
    if (session_ns >= MR_DIAL_LASTED_NS) {
        e->failures = 0;
        e->next_ns = now_ns + AGAIN_NS + mr_random_below(&d->random, AGAIN_JITTER_NS);
    } else {
        uint64_t base = outcome == MR_DIAL_NETWORK ? MR_MAX(d->redial_ns, 1u) : bases[outcome];

        e->failures++;
        e->next_ns = now_ns + pause_of(d, base, e->failures);
    }
    d->due_ns = 0;
}

enum mr_dial_outcome mr_dial_outcome_of(unsigned reason)
{
    switch (reason) {
    case MR_REASON_TOO_MANY_PEERS:
    case MR_REASON_ALREADY_CONNECTED:
        return MR_DIAL_BUSY;
    case MR_REASON_PROTOCOL:
    case MR_REASON_USELESS:
    case MR_REASON_INCOMPATIBLE:
    case MR_REASON_NULL_IDENTITY:
    case MR_REASON_UNEXPECTED_IDENTITY:
    case MR_REASON_SELF:
    case MR_REASON_SUBPROTOCOL:
        return MR_DIAL_UNWANTED;
    default: /* requested, network, quitting, timeout, unnamed ones */
        return MR_DIAL_NETWORK;
    }
}
