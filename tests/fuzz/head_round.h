/* head_round.h: a model of what shard 0 may do with the voices of a round, for fuzz_head.c: who
 * spoke, what they agree on, and where the head goes from there. */
#pragma once
#include "shards/head.h"
#include "tests/fuzz/head_chain.h"

#define SHARDS_MAX 3
#define VOICES     3
#define STALE      5 /* rounds without a word for our head, then any is looked for */
#define BELOW      4 /* how far below the head questions may begin */

/* Headers of an answer, in any order. */
struct part {
    unsigned count;
    struct mr_hash hashes[MR_HEAD_BATCH], parents[MR_HEAD_BATCH];
    uint64_t numbers[MR_HEAD_BATCH];
};

struct voice {
    bool used, done, trusted, local;
    enum mr_head_word word; /* when done */
    uint32_t net16;
    struct part said;
};

static struct round {
    bool open, fresh;
    unsigned serial; /* ours, from 1 on */
    uint32_t number; /* the module's; 0: nobody was told */
    uint64_t ends_ns;
    struct voice voices[VOICES];
} round_now;

static bool lost; /* a trusted peer did not know our head */
static unsigned stale;

/* What a shard served after its last move, the head first. */
static struct window {
    unsigned count;
    uint64_t top;
    struct mr_hash hashes[MR_HEAD_WINDOW];
} windows[SHARDS_MAX];

static bool window_holds(const struct window *w, const struct mr_hash *hash)
{
    for (unsigned i = 0; i < w->count; i++)
        if (mr_hash_equal(&w->hashes[i], hash))
            return true;
    return false;
}

/* Whether the headers of a part up to the new top brought the old window to the new one: what they
 * link to is kept as far as there is room, anything else is not. */
static bool window_follows(const struct window *old, const struct window *new,
                           const struct part *part)
{
    uint64_t bottom = new->top > MR_HEAD_WINDOW ? new->top - MR_HEAD_WINDOW + 1 : 0;
    unsigned low = 0;

    for (unsigned i = 0; i < part->count; i++) {
        if (part->numbers[i] <= new->top && !window_holds(new, &part->hashes[i]))
            return false;
        low = part->numbers[i] < part->numbers[low] ? i : low;
    }
    if (part->count == 0)
        return false;
    if (window_holds(old, &part->hashes[low]) || window_holds(old, &part->parents[low]))
        bottom = MR_MAX(bottom, old->top - old->count + 1);
    else
        bottom = part->numbers[low];
    return new->top - new->count + 1 == bottom;
}

static void part_read(struct part *out, struct mr_span headers)
{
    struct mr_reader r = {0};
    struct mr_header h;

    if (headers.n > 0)
        r = mr_reader_of(headers);
    for (out->count = 0; !mr_reader_done(&r); out->count++) {
        MR_ASSERT(out->count < MR_HEAD_BATCH);
        MR_ASSERT(header_read(&r, &h) == MR_OK);
        out->hashes[out->count] = h.hash;
        out->parents[out->count] = h.parent_hash;
        out->numbers[out->count] = h.number;
    }
}

static bool spoke(const struct voice *v, bool trusted)
{
    return v->used && v->done && v->word == MR_HEAD_SPOKE && v->trusted == trusted;
}

static bool said(const struct voice *v, const struct mr_hash *hash)
{
    for (unsigned k = 0; k < v->said.count; k++)
        if (mr_hash_equal(&v->said.hashes[k], hash))
            return true;
    return false;
}

/* By one trusted peer, or by two strangers of different networks. */
static bool agreed(const struct mr_hash *hash, bool trusted)
{
    unsigned votes = 0;

    for (unsigned i = 0; i < VOICES; i++)
        votes += spoke(&round_now.voices[i], trusted) && said(&round_now.voices[i], hash);
    return votes >= (trusted ? 1u : 2u);
}

/* Our head, or, while its children are looked for, a block on the way to it. */
static bool passed(const struct mr_hash *hash)
{
    const struct window *w = &windows[0];

    return round_now.fresh ? w->count > 0 && mr_hash_equal(w->hashes, hash) : window_holds(w, hash);
}

/* The number of the highest header that is agreed on; 0: none. held: one of that number was passed
 * before. */
static uint64_t agreed_number(bool trusted, bool *held)
{
    uint64_t best = 0;

    *held = false;
    for (unsigned i = 0; i < VOICES; i++) {
        const struct voice *v = &round_now.voices[i];
        const struct part *part = &v->said;

        for (unsigned k = 0; spoke(v, trusted) && k < part->count; k++) {
            if (part->numbers[k] < best || !agreed(&part->hashes[k], trusted))
                continue;
            *held = (*held && part->numbers[k] == best) || passed(&part->hashes[k]);
            best = part->numbers[k];
        }
    }
    return best;
}

/* Of one network the first stranger counts. */
static void round_voice(unsigned place, const struct mr_head_voice *said_now)
{
    struct voice *v = &round_now.voices[place];

    v->word = said_now->word;
    for (unsigned i = 0; i < VOICES; i++) {
        const struct voice *o = &round_now.voices[i];

        if (!v->trusted && spoke(o, false) && !o->local && !said_now->local &&
            o->net16 == said_now->net16)
            v->word = MR_HEAD_FAILED;
    }
    v->local = said_now->local;
    v->net16 = said_now->net16;
    part_read(&v->said, said_now->headers);
    v->done = true;
}

/* Who is to be heard, now or, when the time is over, at last. */
struct hearing {
    bool trusted_spoke, trusted_lost, trusted_open, all_done;
};

static struct hearing round_hearing(void)
{
    struct hearing now = {.all_done = true};

    for (unsigned i = 0; i < VOICES; i++) {
        const struct voice *v = &round_now.voices[i];

        now.all_done &= !v->used || v->done;
        now.trusted_open |= v->used && v->trusted && !v->done;
        now.trusted_spoke |= spoke(v, true);
        now.trusted_lost |=
            v->used && v->trusted && v->done && v->word == MR_HEAD_UNKNOWN && !round_now.fresh;
    }
    return now;
}

/* Shard 0 heard something, or the round's time is over. Has its head moved exactly where the round
 * sends it? The window is still that of before. */
static void round_check(const struct mr_head *head, bool moved, bool over)
{
    struct hearing by = round_hearing();
    bool strangers = !by.trusted_spoke && !by.trusted_lost && (over || !by.trusted_open);
    const struct mr_hash *hash = moved ? &mr_head_header(head)->hash : windows[0].hashes;
    bool held = false;
    uint64_t best;

    if (!round_now.open) {
        MR_ASSERT(!moved);
        return;
    }
    best = by.trusted_spoke || strangers ? agreed_number(by.trusted_spoke, &held) : 0;
    if (moved) {
        MR_ASSERT(best > 0);
        MR_ASSERT(mr_head_number(head) == best);
        MR_ASSERT(agreed(hash, by.trusted_spoke));
        MR_ASSERT(!passed(hash));
    } else {
        MR_ASSERT(best == 0 || held);
    }
    if (!moved && !over && !by.all_done &&
        (by.trusted_open || !(by.trusted_spoke || by.trusted_lost)))
        return;
    round_now.open = false;
    lost = !moved && by.trusted_lost && !by.trusted_spoke;
    if (mr_head_known(head) && agreed(hash, by.trusted_spoke))
        stale = 0;
    else
        stale++;
}
