/* head_round.c: the rounds of shard 0: whom to ask, what the voices agree on.
 *
 *   idle --time, or more peers while there is no head--> in a round: up to 3 voices
 *   in a round --the head moved, all spoke, or the request timeout--> idle */
#include "shards/head_state.h"

#define VOTES_NEEDED 2 /* of strangers */
#define BELOW        4 /* asked from so far below the head: a shorter reorganisation shows */
#define STALE_ROUNDS 5 /* rounds in which nobody knows our head, then any is looked for */

/* ---- beginning ---- */

static struct mr_head_voices voices_of(const struct mr_head *h, unsigned shard)
{
    return shard == h->self ? h->own : h->hooks.voices(h->hooks.ctx, shard);
}

static struct mr_head_voices voices_sum(const struct mr_head *h)
{
    struct mr_head_voices sum = {0};

    for (unsigned i = 0; i < h->shards; i++) {
        struct mr_head_voices v = voices_of(h, i);

        sum.trusted += v.trusted;
        sum.others += v.others;
    }
    return sum;
}

/* Gives places to peers of one kind, shard by shard; from place n on. Returns how many are taken.
 */
static unsigned places_take(struct mr_head *h, bool trusted, unsigned n,
                            unsigned shards[MR_HEAD_PLACES])
{
    uint32_t taken[MR_SHARDS_MAX] = {0};

    for (unsigned without = 0; n < MR_HEAD_PLACES && without < h->shards;) {
        unsigned shard = h->shard_turn[trusted];
        struct mr_head_voices v = voices_of(h, shard);

        h->shard_turn[trusted] = (shard + 1) % h->shards;
        if (taken[shard] >= (trusted ? v.trusted : v.others)) {
            without++;
            continue;
        }
        without = 0;
        taken[shard]++;
        h->places[n].used = true;
        h->places[n].trusted = trusted;
        shards[n++] = shard;
    }
    return n;
}

static void round_begin(struct mr_head *h, uint64_t now_ns)
{
    struct mr_head_ask ask = {.round = ++h->round};
    unsigned shards[MR_HEAD_PLACES];
    unsigned n;

    h->fresh = !h->known || h->lost || h->stale_rounds >= STALE_ROUNDS;
    h->lost = false;
    h->begun_with = voices_sum(h);
    for (unsigned i = 0; i < MR_HEAD_PLACES; i++)
        h->places[i].used = h->places[i].done = false;
    n = places_take(h, false, places_take(h, true, 0, shards), shards);
    h->in_round = n > 0;
    h->count.rounds += h->in_round;
    h->round_ends_ns = now_ns + h->o->request_timeout_ns;
    /* without a head the next try does not wait for a slot: there may be more peers by then */
    h->next_round_ns = now_ns + (h->known ? h->o->head_poll_ns : MR_SECOND);
    ask.fresh = h->fresh;
    if (h->known)
        ask.origin = h->window[(h->number - mr_head_below(h, BELOW)) % MR_HEAD_WINDOW].hash;
    for (unsigned i = 0; i < n; i++) {
        ask.place = (uint8_t)i;
        ask.trusted = h->places[i].trusted;
        if (shards[i] == h->self)
            mr_head_take_ask(h, &ask, now_ns);
        else
            h->hooks.ask(h->hooks.ctx, shards[i], &ask);
    }
}

/* ---- counting ---- */

static bool counts(const struct mr_head_place *p, bool trusted)
{
    return p->used && p->done && p->word == MR_HEAD_SPOKE && p->trusted == trusted;
}

static bool agreed(const struct mr_head *h, const struct mr_hash *hash, bool trusted)
{
    unsigned votes = 0;

    for (unsigned i = 0; i < MR_HEAD_PLACES; i++) {
        const struct mr_head_place *p = &h->places[i];

        for (uint32_t k = 0; counts(p, trusted) && k < p->count; k++)
            votes += mr_hash_equal(&p->headers[k].hash, hash);
    }
    return votes >= (trusted ? 1 : VOTES_NEEDED);
}

/* Moves the head to the highest header that is agreed on, by trusted peers or by strangers. True if
 * it moved. */
static bool move(struct mr_head *h, bool trusted, uint64_t now_ns)
{
    const struct mr_head_place *best = NULL;
    uint64_t before = h->number;
    bool was_known = h->known;
    uint32_t at = 0;

    for (unsigned i = 0; i < MR_HEAD_PLACES; i++) {
        const struct mr_head_place *p = &h->places[i];

        for (uint32_t k = 0; counts(p, trusted) && k < p->count; k++)
            if ((!best || p->headers[k].number > best->headers[at].number) &&
                agreed(h, &p->headers[k].hash, trusted))
                best = p, at = k;
    }
    if (!best)
        return false;
    if (h->known && (mr_hash_equal(&best->headers[at].hash, &h->header.hash) ||
                     (!h->fresh && mr_head_holds(h, &best->headers[at]))))
        return false; /* our head, or on its way to it */
    mr_head_set(h, best->headers, at + 1);
    /* There is more behind a whole batch, which leads upwards, and behind an old claim. Else who is
     * asked shows all: on the two sides of a fork it would be one round behind the other. */
    if (was_known && (at + 1 == MR_HEAD_BATCH || (h->fresh && h->number <= before)))
        h->next_round_ns = now_ns;
    return true;
}

static void round_end(struct mr_head *h, bool trusted)
{
    bool confirmed = h->known && agreed(h, &h->header.hash, trusted);

    h->in_round = false;
    h->stale_rounds = confirmed ? 0 : h->stale_rounds + 1;
    h->count.rounds_stale += !confirmed;
}

/* Strangers are heard when no trusted peer can speak in this round any more. */
static void round_check(struct mr_head *h, bool over, uint64_t now_ns)
{
    bool complete = true, wait_trusted = false, spoke = false, lost = false;

    for (unsigned i = 0; i < MR_HEAD_PLACES; i++) {
        const struct mr_head_place *p = &h->places[i];

        if (!p->used)
            continue;
        complete &= p->done;
        if (!p->trusted)
            continue;
        wait_trusted |= !p->done;
        spoke |= p->done && p->word == MR_HEAD_SPOKE;
        lost |= p->done && p->word == MR_HEAD_UNKNOWN && !h->fresh;
    }
    if (spoke ? move(h, true, now_ns)
              : !lost && (over || !wait_trusted) && move(h, false, now_ns)) {
        round_end(h, spoke);
    } else if (over || complete || ((spoke || lost) && !wait_trusted)) {
        round_end(h, spoke);
        if (lost && !spoke) { /* our head is on a branch that it does not know: back to its own */
            h->lost = true;
            h->next_round_ns = MR_MAX(now_ns, h->back_after_ns);
            h->back_after_ns = h->next_round_ns + h->o->head_poll_ns;
        }
    }
}

/* Strangers of one network have one voice. */
static bool net_spoke(const struct mr_head *h, const struct mr_head_voice *v)
{
    for (unsigned i = 0; i < MR_HEAD_PLACES; i++) {
        const struct mr_head_place *p = &h->places[i];

        if (counts(p, false) && !p->local && p->net16 == v->net16)
            return !v->local;
    }
    return false;
}

void mr_head_take_voice(struct mr_head *h, const struct mr_head_voice *v, uint64_t now_ns)
{
    struct mr_head_place *p;

    if (!h->in_round || v->round != h->round || v->place >= MR_HEAD_PLACES) {
        h->count.voices_ignored++; /* the head was agreed on without it */
        return;
    }
    p = &h->places[v->place];
    if (!p->used || p->done)
        return;
    p->word = v->word;
    if (p->word == MR_HEAD_SPOKE && !p->trusted && net_spoke(h, v)) {
        p->word = MR_HEAD_FAILED;
        h->count.voices_ignored++;
    }
    p->local = v->local;
    p->net16 = v->net16;
    p->count = mr_head_unpack(p->headers, v->headers, h->fresh);
    p->done = true;
    round_check(h, false, now_ns);
}

/* ---- time ---- */

/* Without a head, who comes is asked at once, unless enough were asked already. */
static bool may_know_more(const struct mr_head *h)
{
    struct mr_head_voices now;

    if (h->known)
        return false;
    now = voices_sum(h);
    return now.trusted > h->begun_with.trusted ||
           (now.others > h->begun_with.others &&
            h->begun_with.others + h->begun_with.trusted < MR_HEAD_PLACES);
}

void mr_head_round_turn(struct mr_head *h, uint64_t now_ns)
{
    if (h->in_round && now_ns >= h->round_ends_ns)
        round_check(h, true, now_ns);
    if (!h->in_round && (now_ns >= h->next_round_ns || may_know_more(h)))
        round_begin(h, now_ns);
}

uint64_t mr_head_next_ns(const struct mr_head *h)
{
    if (h->self != 0)
        return UINT64_MAX;
    return h->in_round ? h->round_ends_ns : h->next_round_ns;
}
