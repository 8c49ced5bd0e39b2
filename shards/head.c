#include "shards/head.h"

#include <stdlib.h>

#include "shards/head_state.h"

/* ---- making ---- */

struct mr_head *mr_head_new(const struct mr_relay_options *o, const struct mr_network *network,
                            uint32_t slots, unsigned self, unsigned shards,
                            const struct mr_head_hooks *hooks)
{
    struct mr_head *h = calloc(1, sizeof *h);
    struct mr_header genesis;

    if (!h)
        return NULL;
    MR_ASSERT(shards == 1 || hooks);
    h->o = o;
    h->network = network;
    h->slots = slots;
    h->self = self;
    h->shards = shards;
    if (hooks)
        h->hooks = *hooks;
    h->next_id = 1;
    h->window = calloc(MR_HEAD_WINDOW, sizeof *h->window);
    h->scratch = calloc(MR_HEAD_BATCH, sizeof *h->scratch);
    h->followers = calloc(slots, sizeof *h->followers);
    h->places = self == 0 ? calloc(MR_HEAD_PLACES, sizeof *h->places) : NULL;
    if (!h->window || !h->scratch || !h->followers || (self == 0 && !h->places)) {
        mr_head_free(h);
        return NULL;
    }
    if (network->genesis_header.n > 0 &&
        mr_header_decode(&genesis, network->genesis_header) == MR_OK)
        mr_head_keep(&h->genesis, &genesis);
    return h;
}

void mr_head_free(struct mr_head *h)
{
    if (!h)
        return;
    free(h->window);
    free(h->scratch);
    free(h->followers);
    free(h->places);
    free(h);
}

/* ---- the window ---- */

bool mr_head_keep(struct mr_head_kept *k, const struct mr_header *h)
{
    if (h->raw.n > sizeof k->rlp)
        return false;
    k->hash = h->hash;
    k->number = h->number;
    k->size = (uint32_t)h->raw.n;
    memcpy(k->rlp, h->raw.p, h->raw.n);
    return true;
}

static const struct mr_head_kept *kept_at(const struct mr_head *h, uint64_t number)
{
    const struct mr_head_kept *k = &h->window[number % MR_HEAD_WINDOW];

    return k->size > 0 && k->number == number ? k : NULL;
}

bool mr_head_holds(const struct mr_head *h, const struct mr_head_kept *k)
{
    const struct mr_head_kept *at = kept_at(h, k->number);

    return at && mr_hash_equal(&at->hash, &k->hash);
}

unsigned mr_head_below(const struct mr_head *h, unsigned max)
{
    unsigned n = 0;

    while (n < max && h->number > n && kept_at(h, h->number - n - 1))
        n++;
    return n;
}

/* Makes k the head. What does not link to it below is forgotten. */
static void set_one(struct mr_head *h, const struct mr_head_kept *k)
{
    struct mr_head_kept *at = &h->window[k->number % MR_HEAD_WINDOW];
    const struct mr_head_kept *below;

    *at = *k;
    if (mr_header_decode(&h->header, mr_span(at->rlp, at->size)) != MR_OK)
        MR_ASSERT(!"it was decoded when it came");
    below = k->number > 0 ? kept_at(h, k->number - 1) : NULL;
    if (!below || !mr_hash_equal(&below->hash, &h->header.parent_hash))
        for (unsigned i = 0; i < MR_HEAD_WINDOW; i++)
            if (&h->window[i] != at)
                h->window[i].size = 0;
    for (unsigned i = 0; i < MR_HEAD_WINDOW; i++)
        if (h->window[i].size > 0 && h->window[i].number > k->number)
            h->window[i].size = 0;
    h->number = k->number;
    h->known = true;
}

void mr_head_set(struct mr_head *h, const struct mr_head_kept *chain, uint32_t n)
{
    uint32_t i = 0;

    while (i + 1 < n && mr_head_holds(h, &chain[i])) /* they stay, and what is below them */
        i++;
    for (; i < n; i++)
        set_one(h, &chain[i]);
    h->changes++;
}

/* ---- between shards ---- */

uint32_t mr_head_unpack(struct mr_head_kept *out, struct mr_span headers, bool reverse)
{
    struct mr_reader r;
    struct mr_header h;
    uint32_t n = 0;

    if (headers.n == 0) /* p may be NULL, which a reader must not add to */
        return 0;
    r = mr_reader_of(headers);
    for (; !mr_reader_done(&r); n++)
        if (n == MR_HEAD_BATCH || mr_header_read(&r, &h) != MR_OK || !mr_head_keep(&out[n], &h))
            return 0;
    for (uint32_t i = 0; reverse && i < n / 2; i++) {
        struct mr_head_kept other = out[i];

        out[i] = out[n - 1 - i];
        out[n - 1 - i] = other;
    }
    return n;
}

void mr_head_adopt(struct mr_head *h, struct mr_span run)
{
    uint32_t n = mr_head_unpack(h->scratch, run, false);

    if (n == 0 || (h->known && mr_hash_equal(&h->scratch[n - 1].hash, &h->header.hash)))
        return;
    mr_head_set(h, h->scratch, n);
}

void mr_head_run(const struct mr_head *h, struct mr_writer *out)
{
    for (unsigned n = h->known ? mr_head_below(h, MR_HEAD_BATCH - 1) + 1 : 0; n > 0; n--) {
        const struct mr_head_kept *k = kept_at(h, h->number - n + 1);

        if (mr_rlp_put_raw(out, k->rlp, k->size) != MR_OK)
            MR_ASSERT(!"the caller has room for a run");
    }
}

uint64_t mr_head_changes(const struct mr_head *h)
{
    return h->changes;
}

const struct mr_head_counters *mr_head_count(const struct mr_head *h)
{
    return &h->count;
}

/* ---- what it feeds ---- */

bool mr_head_known(const struct mr_head *h)
{
    return h->known;
}

uint64_t mr_head_number(const struct mr_head *h)
{
    return h->known ? h->number : 0;
}

uint64_t mr_head_time(const struct mr_head *h)
{
    return h->known ? h->header.time : 0;
}

const struct mr_header *mr_head_header(const struct mr_head *h)
{
    return h->known ? &h->header : NULL;
}

void mr_head_status(const struct mr_head *h, struct mr_eth_status *out, unsigned version,
                    uint64_t wall_s)
{
    const struct mr_network *net = h->network;
    struct mr_chain_point at = {.number = mr_head_number(h), .time = mr_head_time(h)};

    *out = (struct mr_eth_status){
        .version = version,
        .network_id = net->network_id,
        .genesis = net->genesis_hash,
        .fork_id = mr_fork_id_at(net, mr_network_point(net, h->known ? &at : NULL, wall_s)),
        .total_difficulty = net->total_difficulty,
        .earliest = at.number,
        .latest = at.number,
        .latest_hash = h->known ? h->header.hash : net->genesis_hash};
}

static const struct mr_head_kept *serve_one(const struct mr_head *h, uint64_t number)
{
    if (number == 0 && h->genesis.size > 0)
        return &h->genesis;
    return kept_at(h, number);
}

static bool origin_number(const struct mr_head *h, const struct mr_get_block_headers *q,
                          uint64_t *number)
{
    if (!q->by_hash) {
        *number = q->origin_number;
        return true;
    }
    *number = 0;
    if (mr_hash_equal(&q->origin_hash, &h->network->genesis_hash))
        return true;
    for (unsigned i = 0; i < MR_HEAD_WINDOW; i++)
        if (h->window[i].size > 0 && mr_hash_equal(&h->window[i].hash, &q->origin_hash)) {
            *number = h->window[i].number;
            return true;
        }
    return false;
}

enum mr_err mr_head_serve(const struct mr_head *h, const struct mr_get_block_headers *query,
                          size_t limit, struct mr_writer *out)
{
    size_t begun = out->n;
    struct mr_header_walk walk;
    uint64_t number;
    enum mr_err e;

    if (!origin_number(h, query, &number))
        return MR_OK;
    walk = mr_header_query_start(query, number);
    while (mr_header_query_next(&walk, &number)) {
        const struct mr_head_kept *k = serve_one(h, number);

        if (!k || out->n - begun + k->size > limit)
            break;
        if ((e = mr_rlp_put_raw(out, k->rlp, k->size)))
            return e;
    }
    return MR_OK;
}
