/* head_round.h: a model of what shard 0 may do with the voices of a round, for fuzz_head.c: who
 * spoke, what they agree on, and where the head goes from there. */
#pragma once
#include "shards/head.h"
#include "tests/fuzz/head_chain.h"

#define VOICES 3
#define STALE  5 /* rounds without a word for our head, then any is looked for */
#define BELOW  4 /* how far below the head questions may begin */

struct voice {
    bool used, done, trusted, local;
    enum mr_head_word word; /* when done */
    uint32_t net16;
    unsigned count;
    struct mr_hash hashes[MR_HEAD_BATCH];
    uint64_t numbers[MR_HEAD_BATCH];
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

/* The window of shard 0 as it was served after its last move, the head first. */
static struct mr_hash window[MR_HEAD_WINDOW];
static unsigned window_count;

static bool window_holds(const struct mr_hash *hash)
{
    for (unsigned i = 0; i < window_count; i++)
        if (mr_hash_equal(&window[i], hash))
            return true;
    return false;
}

static bool spoke(const struct voice *v, bool trusted)
{
    return v->used && v->done && v->word == MR_HEAD_SPOKE && v->trusted == trusted;
}

static bool said(const struct voice *v, const struct mr_hash *hash)
{
    for (unsigned k = 0; k < v->count; k++)
        if (mr_hash_equal(&v->hashes[k], hash))
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

/* The number of the highest header that is agreed on; 0: none. held: one of that number is where
 * we are, or was passed on the way there. */
static uint64_t agreed_number(bool trusted, bool *held)
{
    uint64_t best = 0;

    *held = false;
    for (unsigned i = 0; i < VOICES; i++) {
        const struct voice *v = &round_now.voices[i];

        for (unsigned k = 0; spoke(v, trusted) && k < v->count; k++) {
            if (v->numbers[k] < best || !agreed(&v->hashes[k], trusted))
                continue;
            *held = (*held && v->numbers[k] == best) ||
                    (round_now.fresh ? window_count > 0 && mr_hash_equal(window, &v->hashes[k])
                                     : window_holds(&v->hashes[k]));
            best = v->numbers[k];
        }
    }
    return best;
}

/* Of one network the first stranger counts. */
static void round_voice(unsigned place, const struct mr_head_voice *said_now)
{
    struct voice *v = &round_now.voices[place];
    struct mr_reader r = {0};
    struct mr_header h;

    v->word = said_now->word;
    for (unsigned i = 0; i < VOICES; i++) {
        const struct voice *o = &round_now.voices[i];

        if (!v->trusted && spoke(o, false) && !o->local && !said_now->local &&
            o->net16 == said_now->net16)
            v->word = MR_HEAD_FAILED;
    }
    v->local = said_now->local;
    v->net16 = said_now->net16;
    if (said_now->headers.n > 0)
        r = mr_reader_of(said_now->headers);
    for (v->count = 0; !mr_reader_done(&r); v->count++) {
        MR_ASSERT(v->count < MR_HEAD_BATCH);
        MR_ASSERT(header_read(&r, &h) == MR_OK);
        v->hashes[v->count] = h.hash;
        v->numbers[v->count] = h.number;
    }
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
    const struct mr_hash *hash = moved ? &mr_head_header(head)->hash : window;
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
        MR_ASSERT(!(round_now.fresh ? window_count > 0 && mr_hash_equal(window, hash)
                                    : window_holds(hash)));
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
