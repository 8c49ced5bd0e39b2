#include "shards/head.h"

#include <stdlib.h>

#include "core/clock.h"

#define ROUND_PEERS  3
#define VOTES_NEEDED 2
#define BATCH        8 /* headers of one question */
#define STALE_POLLS  5 /* polls without progress, then the head is looked for anew */
#define LATE_IDS     4

struct kept {
    struct mr_hash hash;
    uint64_t number;
    uint32_t size;
    uint8_t rlp[MR_HEAD_HEADER_MAX];
};

struct voice { /* what one peer answered in this round */
    uint32_t slot;
    uint64_t id;
    struct mr_hash origin; /* asked for; our head may move meanwhile */
    bool asked, sent, answered, trusted;
    uint32_t count;
    struct kept headers[BATCH];
};

struct follower {
    bool present, trusted;
    uint32_t net16;
    bool local;
    struct mr_head_claim claim;
    uint64_t late[LATE_IDS];
    uint8_t late_next;
};

struct mr_head {
    const struct mr_relay_options *o;
    const struct mr_network *network;
    struct kept *window; /* by number % MR_HEAD_WINDOW; size 0: empty */
    struct kept genesis;
    bool known, changed;
    uint64_t number;
    struct mr_header header; /* of the head; points into window */
    struct follower *followers;
    uint32_t slots, present, turn; /* turn: where the next round looks for peers */
    struct voice *voices;          /* ROUND_PEERS */
    bool in_round, fresh_round;    /* fresh: looks for any head, not for children of ours */
    struct mr_get_block_headers query;
    uint64_t round_ends_ns, next_round_ns, next_id;
    unsigned stale_polls;
};

/* ---- making ---- */

static bool kept_fill(struct kept *k, const struct mr_header *h)
{
    if (h->raw.n > sizeof k->rlp)
        return false;
    k->hash = h->hash;
    k->number = h->number;
    k->size = (uint32_t)h->raw.n;
    memcpy(k->rlp, h->raw.p, h->raw.n);
    return true;
}

struct mr_head *mr_head_new(const struct mr_relay_options *o, const struct mr_network *network,
                            uint32_t slots)
{
    struct mr_head *h = calloc(1, sizeof *h);
    struct mr_header genesis;

    if (!h)
        return NULL;
    h->o = o;
    h->network = network;
    h->slots = slots;
    h->next_id = 1;
    h->next_round_ns = UINT64_MAX;
    h->window = calloc(MR_HEAD_WINDOW, sizeof *h->window);
    h->followers = calloc(slots, sizeof *h->followers);
    h->voices = calloc(ROUND_PEERS, sizeof *h->voices);
    if (!h->window || !h->followers || !h->voices) {
        mr_head_free(h);
        return NULL;
    }
    if (network->genesis_header.n > 0 &&
        mr_header_decode(&genesis, network->genesis_header) == MR_OK)
        kept_fill(&h->genesis, &genesis);
    return h;
}

void mr_head_free(struct mr_head *h)
{
    if (!h)
        return;
    free(h->window);
    free(h->followers);
    free(h->voices);
    free(h);
}

/* ---- peers ---- */

void mr_head_peer_add(struct mr_head *h, uint32_t slot, struct mr_endpoint remote, bool trusted,
                      const struct mr_head_claim *claim, uint64_t now_ns)
{
    h->followers[slot] =
        (struct follower){.present = true,
                          .trusted = trusted,
                          .net16 = mr_ip_net16(remote.ip),
                          .local = !h->o->loopback_is_public &&
                                   (mr_ip_is_loopback(remote.ip) || mr_ip_is_lan(remote.ip)),
                          .claim = *claim};
    h->present++;
    /* without a head the first peers are asked at once */
    if (!h->in_round &&
        (h->next_round_ns == UINT64_MAX || (!h->known && (trusted || h->present <= ROUND_PEERS))))
        h->next_round_ns = now_ns;
}

void mr_head_peer_claim(struct mr_head *h, uint32_t slot, const struct mr_head_claim *claim)
{
    if (h->followers[slot].present)
        h->followers[slot].claim = *claim;
}

void mr_head_peer_remove(struct mr_head *h, uint32_t slot)
{
    if (!h->followers[slot].present)
        return;
    h->followers[slot].present = false;
    h->present--;
    for (unsigned i = 0; i < ROUND_PEERS; i++)
        if (h->voices[i].asked && h->voices[i].slot == slot) {
            h->voices[i].answered = true; /* nothing more will come */
            h->voices[i].sent = true;
        }
}

/* ---- rounds ---- */

static bool same_net(const struct mr_head *h, unsigned voices, const struct follower *f)
{
    for (unsigned i = 0; i < voices; i++) {
        const struct follower *g = &h->followers[h->voices[i].slot];

        if (!f->local && !g->local && f->net16 == g->net16)
            return true;
    }
    return false;
}

static void round_begin(struct mr_head *h, uint64_t now_ns)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ROUND_PEERS; i++) { /* answers to the last round may still come */
        const struct voice *v = &h->voices[i];
        struct follower *f = &h->followers[v->slot];

        if (v->asked && v->sent && !v->answered && f->present) {
            f->late[f->late_next] = v->id;
            f->late_next = (f->late_next + 1) % LATE_IDS;
        }
    }
    h->fresh_round = !h->known || h->stale_polls >= STALE_POLLS;
    for (uint32_t i = 0; i < h->slots && n < ROUND_PEERS; i++) {
        uint32_t slot = (h->turn + i) % h->slots;
        const struct follower *f = &h->followers[slot];

        if (!f->present || (!f->trusted && same_net(h, n, f)))
            continue;
        h->voices[n++] =
            (struct voice){.slot = slot, .id = h->next_id++, .asked = true, .trusted = f->trusted};
    }
    for (unsigned i = n; i < ROUND_PEERS; i++)
        h->voices[i].asked = false;
    h->turn = n > 0 ? (h->voices[n - 1].slot + 1) % h->slots : 0;
    h->in_round = n > 0;
    h->round_ends_ns = now_ns + h->o->request_timeout_ns;
    /* without a head the next try does not wait for a slot: there may be more peers by then */
    h->next_round_ns = n == 0 ? UINT64_MAX : now_ns + (h->known ? h->o->head_poll_ns : MR_SECOND);
}

bool mr_head_next_request(struct mr_head *h, uint32_t *slot, uint64_t *request_id,
                          struct mr_get_block_headers *query, uint64_t now_ns)
{
    if (h->in_round && now_ns >= h->round_ends_ns)
        h->in_round = false;
    if (!h->in_round && now_ns >= h->next_round_ns)
        round_begin(h, now_ns);
    if (!h->in_round)
        return false;
    for (unsigned i = 0; i < ROUND_PEERS; i++) {
        struct voice *v = &h->voices[i];

        if (!v->asked || v->sent)
            continue;
        v->sent = true;
        *slot = v->slot;
        *request_id = v->id;
        *query = (struct mr_get_block_headers){.by_hash = true, .amount = BATCH};
        if (h->fresh_round) {
            query->origin_hash = h->followers[v->slot].claim.hash;
            query->reverse = true;
        } else {
            query->origin_hash = h->header.hash;
        }
        v->origin = query->origin_hash;
        return true;
    }
    return false;
}

uint64_t mr_head_next_ns(const struct mr_head *h)
{
    return h->in_round ? h->round_ends_ns : h->next_round_ns;
}

/* ---- adopting ---- */

static const struct kept *kept_at(const struct mr_head *h, uint64_t number)
{
    const struct kept *k = &h->window[number % MR_HEAD_WINDOW];

    return k->size > 0 && k->number == number ? k : NULL;
}

/* Makes k the head. What does not link to it below is forgotten. */
static void head_set(struct mr_head *h, const struct kept *k)
{
    struct kept *at = &h->window[k->number % MR_HEAD_WINDOW];
    const struct kept *below;

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
    h->changed = true;
    h->stale_polls = 0;
}

static unsigned votes_for(const struct mr_head *h, const struct mr_hash *hash)
{
    unsigned votes = 0;

    for (unsigned i = 0; i < ROUND_PEERS; i++) {
        const struct voice *v = &h->voices[i];

        for (uint32_t k = 0; v->asked && v->answered && k < v->count; k++)
            if (mr_hash_equal(&v->headers[k].hash, hash)) {
                votes += v->trusted ? VOTES_NEEDED : 1;
                break;
            }
    }
    return votes;
}

/* The voice with the highest header that enough peers agree on; adopts its chain up to there. */
static void count_votes(struct mr_head *h)
{
    const struct voice *best = NULL;
    uint64_t best_number = 0;

    for (unsigned i = 0; i < ROUND_PEERS; i++) {
        const struct voice *v = &h->voices[i];

        for (uint32_t k = 0; v->asked && v->answered && k < v->count; k++)
            if (v->headers[k].number >= best_number &&
                votes_for(h, &v->headers[k].hash) >= VOTES_NEEDED)
                best = v, best_number = v->headers[k].number;
    }
    if (!best || (h->known && !h->fresh_round && best_number <= h->number))
        return;
    if (h->known && best_number == h->number)
        return;
    for (uint32_t k = 0; k < best->count; k++) { /* in order of numbers, whichever way they came */
        const struct kept *c = &best->headers[h->fresh_round ? best->count - 1 - k : k];

        if (c->number <= best_number && (h->fresh_round || c->number > h->number))
            head_set(h, c);
    }
}

/* Takes the headers of an answer: each valid by itself, linked to the one before, as asked. */
static enum mr_err answer_read(struct mr_head *h, struct voice *v, struct mr_reader headers)
{
    size_t extra = h->network->consensus == MR_CONSENSUS_POS ? 64 : MR_HEADER_EXTRA_MAX;
    struct mr_header now, before = {0};

    v->count = 0;
    while (!mr_reader_done(&headers)) {
        if (v->count == BATCH || mr_header_read(&headers, &now) != MR_OK ||
            mr_header_check(&now, extra) != MR_OK)
            return MR_INVALID;
        if (v->count == 0 && !h->fresh_round && !mr_hash_equal(&now.hash, &v->origin))
            return MR_INVALID;
        if (v->count > 0 && h->fresh_round &&
            (!mr_hash_equal(&before.parent_hash, &now.hash) || before.number != now.number + 1))
            return MR_INVALID;
        if (v->count > 0 && !h->fresh_round &&
            (!mr_hash_equal(&now.parent_hash, &before.hash) || now.number != before.number + 1))
            return MR_INVALID;
        if (!kept_fill(&v->headers[v->count], &now))
            return MR_INVALID;
        v->count++;
        before = now;
    }
    return MR_OK;
}

static void round_check(struct mr_head *h, uint64_t now_ns)
{
    uint64_t before = h->number;
    bool was_known = h->known, complete = true;

    count_votes(h);
    for (unsigned i = 0; i < ROUND_PEERS; i++)
        complete &= !h->voices[i].asked || h->voices[i].answered;
    if (h->known && (!was_known || h->number != before)) {
        h->in_round = false;
        /* a full batch: there is more to catch up with */
        if (was_known && h->number - before >= BATCH - 1)
            h->next_round_ns = now_ns;
    } else if (complete) {
        h->in_round = false;
        h->stale_polls++;
    }
}

enum mr_err mr_head_answer(struct mr_head *h, uint32_t slot, uint64_t request_id,
                           struct mr_reader headers, uint64_t now_ns)
{
    struct follower *f = &h->followers[slot];

    for (unsigned i = 0; i < ROUND_PEERS; i++) {
        struct voice *v = &h->voices[i];
        enum mr_err e;

        if (!v->asked || !v->sent || v->slot != slot || v->id != request_id)
            continue;
        if (v->answered)
            return MR_INVALID; /* a second answer */
        v->answered = true;
        if (!h->in_round) /* agreement was reached without it */
            return MR_AGAIN;
        if ((e = answer_read(h, v, headers)) != MR_OK) {
            v->count = 0;
            return e;
        }
        round_check(h, now_ns);
        return MR_OK;
    }
    for (unsigned i = 0; i < LATE_IDS; i++)
        if (f->late[i] == request_id && request_id != 0) {
            f->late[i] = 0;
            return MR_AGAIN;
        }
    return MR_INVALID;
}

void mr_head_adopt(struct mr_head *h, struct mr_span header_rlp, uint64_t now_ns)
{
    struct mr_header header;
    struct kept k;
    bool was_changed = h->changed;

    (void)now_ns;
    if (mr_header_decode(&header, header_rlp) != MR_OK || !kept_fill(&k, &header))
        return;
    if (h->known && k.number <= h->number)
        return;
    head_set(h, &k);
    h->changed = was_changed; /* it is published already */
}

bool mr_head_changed(struct mr_head *h, struct mr_span *header_rlp)
{
    bool changed = h->changed;

    h->changed = false;
    if (changed)
        *header_rlp = h->header.raw;
    return changed;
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

static const struct kept *serve_one(const struct mr_head *h, uint64_t number)
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
        const struct kept *k = serve_one(h, number);

        if (!k || out->n - begun + k->size > limit)
            break;
        if ((e = mr_rlp_put_raw(out, k->rlp, k->size)))
            return e;
    }
    return MR_OK;
}
