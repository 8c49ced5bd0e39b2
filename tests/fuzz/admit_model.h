/* admit_model.h: the items that admit holds, in the order in which they are to be judged, for
 * fuzz_admit.c. Items have admit's own numbers. */
#pragma once
#include "tests/fuzz/admit_samples.h"

#define SLOTS   8
#define ENTRIES 24

struct peer {
    bool present, trusted;
    uint32_t generation, blobs;
    uint64_t pool_bytes;
};

struct item { /* as admit numbers them */
    enum { FREE, QUEUED, PROVING } where;
    bool settled, trusted;
    uint32_t sample, slot, generation;
    uint64_t known, ticket;
};

static struct peer peers[SLOTS];
static struct item items[ENTRIES];
static uint32_t order[SLOTS][ENTRIES], orders[SLOTS]; /* of queued items; their number */
static uint32_t turns[SLOTS], turns_count;            /* peers with items, in turn */
static uint32_t used, queued, proving;
static int last_of[ACCOUNTS + 3][SAMPLES]; /* by account and nonce, as accepted; -1: none */

static bool is_blob(const struct item *it)
{
    return samples[it->sample].tx.type == MR_TX_BLOB;
}

static bool same_session(const struct item *it)
{
    const struct peer *p = &peers[it->slot];

    return p->present && p->generation == it->generation;
}

static void item_end(struct item *it)
{
    proving -= it->where == PROVING;
    if (is_blob(it) && same_session(it))
        peers[it->slot].blobs--;
    *it = (struct item){0};
    used--;
}

/* The one of this hash that is still to be judged. */
static uint32_t item_of(const struct mr_hash *hash)
{
    uint32_t i = 0;

    while (i < ENTRIES && (items[i].where == FREE || items[i].settled ||
                           !mr_hash_equal(&samples[items[i].sample].hash, hash)))
        i++;
    MR_ASSERT(i < ENTRIES);
    return i;
}

static void order_push(uint32_t i)
{
    uint32_t slot = items[i].slot;

    if (orders[slot] == 0)
        turns[turns_count++] = slot;
    order[slot][orders[slot]++] = i;
    queued++;
}

static uint32_t order_front(void)
{
    return order[turns[0]][0];
}

static uint32_t order_pop(void)
{
    uint32_t slot = turns[0], i = order_front();

    memmove(order[slot], order[slot] + 1, --orders[slot] * sizeof order[slot][0]);
    memmove(turns, turns + 1, --turns_count * sizeof turns[0]);
    if (orders[slot] > 0)
        turns[turns_count++] = slot;
    queued--;
    return i;
}

/* A later transaction of one nonce pays ten per cent more than the one before, blobs twice. */
static void replacement_check(uint32_t sample)
{
    const struct sample *s = &samples[sample], *before;
    int *last = &last_of[s->account][s->nonce];

    if (*last >= 0 && (uint32_t)*last != sample) {
        before = &samples[*last];
        MR_ASSERT(s->price * 100 >= before->price * (s->tx.type == MR_TX_BLOB ? 200 : 110));
    }
    *last = (int)sample;
}
