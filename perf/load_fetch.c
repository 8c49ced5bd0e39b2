/* Fetching what was announced, as geth does: at most 256 hashes and about 128 KiB a request, one
 * request out per peer, in the order of the announcements. */
#include "net/eth/message.h"
#include "perf/load_peer.h"

#define WANTED_FIRST 64

static uint32_t *wanted_at(struct mr_load_peer *p, uint32_t i)
{
    return &p->wanted[(p->wanted_head + i) & (p->wanted_cap - 1)];
}

/* Room for one more; false at the limit, or without memory. */
static bool wanted_grow(struct mr_load_peer *p)
{
    uint32_t cap = p->wanted_cap ? 2 * p->wanted_cap : WANTED_FIRST;
    uint32_t *v;

    if (p->wanted_n < p->wanted_cap)
        return true;
    if (cap > MR_LOAD_WANTED_MAX || !(v = malloc(cap * sizeof *v)))
        return false;
    for (uint32_t i = 0; i < p->wanted_n; i++)
        v[i] = *wanted_at(p, i);
    free(p->wanted);
    p->wanted = v;
    p->wanted_cap = cap;
    p->wanted_head = 0;
    return true;
}

void mr_load_want(struct mr_load *l, struct mr_load_peer *p, uint32_t tx)
{
    if (!wanted_grow(p)) {
        l->counts.over_wanted_max++;
        *mr_load_mark(&l->track, p->index, tx) &= (uint8_t)~MR_LOAD_WANTED;
        return;
    }
    *wanted_at(p, p->wanted_n++) = tx;
}

/* Back to the front, to be asked for first. */
static void want_again(struct mr_load *l, struct mr_load_peer *p, uint32_t tx)
{
    if (!wanted_grow(p)) {
        l->counts.over_wanted_max++;
        return;
    }
    p->wanted_head = (p->wanted_head - 1) & (p->wanted_cap - 1);
    p->wanted_n++;
    *wanted_at(p, 0) = tx;
    *mr_load_mark(&l->track, p->index, tx) |= MR_LOAD_WANTED;
}

/* Moves what to ask for from wanted to asked; what came unasked meanwhile is left out. */
static void choose(struct mr_load *l, struct mr_load_peer *p)
{
    uint32_t bytes = 0;

    while (p->wanted_n > 0 && p->asked_n < MR_LOAD_ASK_MAX && bytes < MR_LOAD_ASK_BYTES) {
        uint32_t tx = *wanted_at(p, 0);
        uint8_t *mark = mr_load_mark(&l->track, p->index, tx);

        p->wanted_head = (p->wanted_head + 1) & (p->wanted_cap - 1);
        p->wanted_n--;
        *mark &= (uint8_t)~MR_LOAD_WANTED;
        if (*mark & MR_LOAD_HAS)
            continue;
        *mark |= MR_LOAD_ASKED;
        p->asked[p->asked_n++] = tx;
        bytes += l->corpus.txs[tx].size;
    }
}

void mr_load_ask(struct mr_load *l, struct mr_load_peer *p)
{
    struct mr_hash hashes[MR_LOAD_ASK_MAX];
    struct mr_writer w = mr_writer(l->scratch, MR_LOAD_SCRATCH_BYTES);

    if (p->asked_n > 0 || p->wanted_n == 0)
        return;
    if (!p->asked && !(p->asked = malloc(MR_LOAD_ASK_MAX * sizeof *p->asked))) {
        mr_load_peer_end(l, p, MR_LOAD_END_MEMORY);
        return;
    }
    choose(l, p);
    if (p->asked_n == 0)
        return;
    for (uint32_t i = 0; i < p->asked_n; i++)
        hashes[i] = l->corpus.txs[p->asked[i]].hash;
    p->request_id = mr_random_u64(&l->random);
    p->asked_ns = l->now.mono_ns;
    p->ask_late = false;
    if (mr_hash_request_encode(&w, p->request_id, hashes, p->asked_n) != MR_OK ||
        !mr_strict_asked(&p->strict, MR_ETH_POOLED_TRANSACTIONS, p->request_id,
                         (uint16_t)p->asked_n))
        MR_ASSERT(!"the room suffices, and one request is out at a time");
    l->counts.requests++;
    mr_load_send_eth(l, p, MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w));
}

/* Where tx stands in the request, from where on it is likely; asked_n if it was not asked for. */
static uint32_t find_asked(const struct mr_load_peer *p, uint32_t tx, uint32_t from)
{
    for (uint32_t k = 0; k < p->asked_n; k++) {
        uint32_t i = from + k < p->asked_n ? from + k : from + k - p->asked_n;

        if (p->asked[i] == tx)
            return i;
    }
    return p->asked_n;
}

void mr_load_answered(struct mr_load *l, struct mr_load_peer *p, const struct mr_strict_message *m)
{
    uint32_t behind = 0; /* the last one delivered: what was asked for behind it was cut off */

    for (uint32_t i = 0, at = 0; i < m->items_count; i++) {
        uint32_t tx = m->items[i].number;

        if (tx >= l->track.txs) {
            l->track.foreign++;
            continue;
        }
        at = find_asked(p, tx, at);
        if (at == p->asked_n) {
            l->counts.unasked_bodies++;
            at = 0;
        } else {
            at++;
            behind = MR_MAX(behind, at);
        }
        mr_load_track_body(&l->track, p->index, tx, true, l->now.mono_ns);
    }
    if (p->asked_n == 0 || m->fault == MR_STRICT_UNREQUESTED)
        return;
    for (uint32_t i = p->asked_n; i-- > 0;) {
        uint8_t *mark = mr_load_mark(&l->track, p->index, p->asked[i]);

        *mark &= (uint8_t)~MR_LOAD_ASKED;
        if (*mark & MR_LOAD_HAS)
            continue;
        if (behind > 0 && i >= behind)
            want_again(l, p, p->asked[i]);
        else
            l->counts.withheld++; /* the node has it no more: geth asks others then */
    }
    p->asked_n = 0;
    mr_load_ask(l, p);
}
