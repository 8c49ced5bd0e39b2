/* head_ask.c: our peers, what they are asked for shard 0, and what their answers are worth. */
#include "shards/head_state.h"

/* ---- peers ---- */

static bool overrides(const struct mr_head_follower *f)
{
    return f->trusted && f->has_chain;
}

/* Whoever claims the block of its head and none below it, or the genesis block, only tells what it
 * heard itself. eth/68 says no more than a hash. */
static bool has_chain(const struct mr_head *h, const struct mr_head_claim *c)
{
    return !mr_hash_equal(&c->hash, &h->network->genesis_hash) &&
           (c->number == 0 || c->earliest < c->number);
}

static void voice_new(struct mr_head *h, const struct mr_head_follower *f)
{
    (*(overrides(f) ? &h->own.trusted : &h->own.others))++;
}

static void voice_gone(struct mr_head *h, const struct mr_head_follower *f)
{
    (*(overrides(f) ? &h->own.trusted : &h->own.others))--;
}

struct mr_head_voices mr_head_own_voices(const struct mr_head *h)
{
    return h->own;
}

void mr_head_peer_add(struct mr_head *h, uint32_t slot, struct mr_endpoint remote, bool trusted,
                      const struct mr_head_claim *claim)
{
    struct mr_head_follower *f = &h->followers[slot];

    *f = (struct mr_head_follower){.present = true,
                                   .trusted = trusted,
                                   .has_chain = has_chain(h, claim),
                                   .net16 = mr_ip_net16(remote.ip),
                                   .local =
                                       !h->o->loopback_is_public &&
                                       (mr_ip_is_loopback(remote.ip) || mr_ip_is_lan(remote.ip)),
                                   .claim = *claim};
    voice_new(h, f);
}

void mr_head_peer_claim(struct mr_head *h, uint32_t slot, const struct mr_head_claim *claim)
{
    struct mr_head_follower *f = &h->followers[slot];

    if (!f->present)
        return;
    voice_gone(h, f);
    f->claim = *claim;
    f->has_chain = has_chain(h, claim);
    voice_new(h, f);
}

/* ---- questions ---- */

static void tell(struct mr_head *h, const struct mr_head_voice *v, uint64_t now_ns)
{
    if (h->self == 0)
        mr_head_take_voice(h, v, now_ns);
    else
        h->hooks.voice(h->hooks.ctx, v);
}

static void tell_failed(struct mr_head *h, const struct mr_head_ask *ask, uint64_t now_ns)
{
    tell(h,
         &(struct mr_head_voice){.round = ask->round, .place = ask->place, .word = MR_HEAD_FAILED},
         now_ns);
}

void mr_head_peer_remove(struct mr_head *h, uint32_t slot, uint64_t now_ns)
{
    struct mr_head_follower *f = &h->followers[slot];

    if (!f->present)
        return;
    f->present = false;
    voice_gone(h, f);
    for (unsigned i = 0; i < MR_HEAD_PLACES; i++) {
        struct mr_head_question *q = &h->questions[i];

        if (q->open && !q->answered && q->slot == slot) {
            q->sent = q->answered = true; /* nothing more will come */
            tell_failed(h, &q->ask, now_ns);
        }
    }
}

/* Answers to the last round may still come. */
static void questions_end(struct mr_head *h)
{
    for (unsigned i = 0; i < MR_HEAD_PLACES; i++) {
        struct mr_head_question *q = &h->questions[i];
        struct mr_head_follower *f = &h->followers[q->slot];

        if (q->open && q->sent && !q->answered) {
            f->late[f->late_next] = q->id;
            f->late_next = (f->late_next + 1) % MR_HEAD_LATE_IDS;
        }
        q->open = false;
    }
}

/* Whether f is asked already, or a stranger of a network that is. */
static bool heard_of(const struct mr_head *h, uint32_t slot)
{
    const struct mr_head_follower *f = &h->followers[slot];

    for (unsigned i = 0; i < MR_HEAD_PLACES; i++) {
        const struct mr_head_question *q = &h->questions[i];
        const struct mr_head_follower *g = &h->followers[q->slot];

        if (q->open &&
            (q->slot == slot || (!overrides(f) && !f->local && !g->local && f->net16 == g->net16)))
            return true;
    }
    return false;
}

static bool choose(struct mr_head *h, bool trusted, uint32_t *slot)
{
    for (uint32_t i = 0; i < h->slots; i++) {
        uint32_t at = (h->turn[trusted] + i) % h->slots;
        const struct mr_head_follower *f = &h->followers[at];

        if (!f->present || overrides(f) != trusted || heard_of(h, at))
            continue;
        h->turn[trusted] = (at + 1) % h->slots;
        *slot = at;
        return true;
    }
    return false;
}

void mr_head_take_ask(struct mr_head *h, const struct mr_head_ask *ask, uint64_t now_ns)
{
    struct mr_head_question *q = &h->questions[ask->place];
    uint32_t slot;

    MR_ASSERT(ask->place < MR_HEAD_PLACES);
    if (ask->round != h->asked_round)
        questions_end(h);
    h->asked_round = ask->round;
    if (!choose(h, ask->trusted, &slot)) {
        tell_failed(h, ask, now_ns);
        return;
    }
    *q = (struct mr_head_question){.open = true, .slot = slot, .id = h->next_id++, .ask = *ask};
    if (ask->fresh)
        q->ask.origin = h->followers[slot].claim.hash;
}

bool mr_head_next_request(struct mr_head *h, uint32_t *slot, uint64_t *request_id,
                          struct mr_get_block_headers *query, uint64_t now_ns)
{
    if (h->self == 0)
        mr_head_round_turn(h, now_ns);
    for (unsigned i = 0; i < MR_HEAD_PLACES; i++) {
        struct mr_head_question *q = &h->questions[i];

        if (!q->open || q->sent)
            continue;
        q->sent = true;
        *slot = q->slot;
        *request_id = q->id;
        *query = (struct mr_get_block_headers){.by_hash = true,
                                               .origin_hash = q->ask.origin,
                                               .amount = MR_HEAD_BATCH,
                                               .reverse = q->ask.fresh};
        return true;
    }
    return false;
}

/* ---- answers ---- */

/* Headers as asked: each valid by itself, and as the child of its parent. Those that are not ahead
 * of our clock into out: they stand side by side, since a child is later than its parent. */
static enum mr_err answer_read(struct mr_head *h, const struct mr_head_ask *ask,
                               struct mr_reader headers, uint64_t wall_s, struct mr_span *out)
{
    size_t extra = h->network->consensus == MR_CONSENSUS_POS ? 64 : MR_HEADER_EXTRA_MAX;
    struct mr_header now, before = {0};
    struct mr_span kept = {0};
    uint32_t count = 0;

    for (; !mr_reader_done(&headers); count++, before = now) {
        if (count == MR_HEAD_BATCH || mr_header_read(&headers, &now) != MR_OK ||
            mr_header_check(&now, extra) != MR_OK || now.raw.n > MR_HEAD_HEADER_MAX)
            return MR_INVALID;
        if (count == 0 && !mr_hash_equal(&now.hash, &ask->origin))
            return MR_INVALID;
        if (count > 0 && mr_header_check_child(ask->fresh ? &before : &now,
                                               ask->fresh ? &now : &before) != MR_OK)
            return MR_INVALID;
        if (now.time <= wall_s + MR_HEAD_AHEAD_S)
            kept = mr_span(kept.n > 0 ? kept.p : now.raw.p, kept.n + now.raw.n);
        else
            h->count.headers_ahead++;
    }
    *out = kept;
    return MR_OK;
}

static enum mr_err answer_take(struct mr_head *h, struct mr_head_question *q,
                               struct mr_reader headers, struct mr_time now)
{
    struct mr_head_follower *f = &h->followers[q->slot];
    struct mr_head_voice v = {.round = q->ask.round,
                              .place = q->ask.place,
                              .word = MR_HEAD_SPOKE,
                              .local = f->local,
                              .net16 = f->net16};

    q->answered = true;
    if (answer_read(h, &q->ask, headers, mr_time_wall_s(now), &v.headers) != MR_OK) {
        tell_failed(h, &q->ask, now.mono_ns);
        return MR_INVALID;
    }
    if (v.headers.n == 0 && !mr_reader_done(&headers)) { /* all are ahead of our clock */
        v.word = MR_HEAD_FAILED;
    } else if (v.headers.n == 0) {
        v.word = MR_HEAD_UNKNOWN;
        if (q->ask.fresh) { /* it serves not even what it claims */
            voice_gone(h, f);
            f->has_chain = false;
            voice_new(h, f);
        }
    }
    tell(h, &v, now.mono_ns);
    return MR_OK;
}

enum mr_err mr_head_answer(struct mr_head *h, uint32_t slot, uint64_t request_id,
                           struct mr_reader headers, struct mr_time now)
{
    struct mr_head_follower *f = &h->followers[slot];

    for (unsigned i = 0; i < MR_HEAD_PLACES; i++) {
        struct mr_head_question *q = &h->questions[i];

        if (q->open && q->sent && q->slot == slot && q->id == request_id)
            return q->answered ? MR_INVALID /* a second answer */
                               : answer_take(h, q, headers, now);
    }
    for (unsigned i = 0; i < MR_HEAD_LATE_IDS; i++)
        if (f->late[i] == request_id && request_id != 0) {
            f->late[i] = 0;
            return MR_AGAIN;
        }
    return MR_INVALID;
}
