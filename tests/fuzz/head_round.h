/* head_round.h: one round of questions for headers and what it agrees on, for fuzz_head.c. */
#pragma once
#include "core/base.h"

#define SLOTS  12
#define VOICES 3
#define BATCH  8
#define LATE   4

struct peer {
    bool present, trusted, local;
    uint32_t net16;
    struct mr_hash claim;
    uint64_t late[LATE];
    unsigned late_next;
};

struct voice {
    struct peer peer; /* as it was asked */
    uint32_t slot;
    uint64_t id;
    struct mr_hash origin;
    bool answered;
    unsigned count;
    struct mr_hash hashes[BATCH];
    uint64_t numbers[BATCH];
};

static struct peer peers[SLOTS];
static struct voice voices[VOICES];
static unsigned voices_count;

static bool apart(const struct peer *a, const struct peer *b)
{
    return a->local || b->local || a->net16 != b->net16;
}

/* Whoever has not answered yet may do so late. */
static void round_forget(void)
{
    for (unsigned i = 0; i < voices_count; i++) {
        struct peer *p = &peers[voices[i].slot];

        if (!voices[i].answered && p->present)
            p->late[p->late_next++ % LATE] = voices[i].id;
    }
    voices_count = 0;
}

static bool late_take(uint32_t slot, uint64_t id)
{
    for (unsigned i = 0; i < LATE; i++)
        if (peers[slot].late[i] == id && id != 0) {
            peers[slot].late[i] = 0;
            return true;
        }
    return false;
}

static bool said(const struct voice *v, const struct mr_hash *hash)
{
    for (unsigned k = 0; v->answered && k < v->count; k++)
        if (mr_hash_equal(&v->hashes[k], hash))
            return true;
    return false;
}

static bool agreed(const struct mr_hash *hash)
{
    for (unsigned i = 0; i < voices_count; i++) {
        if (!said(&voices[i], hash))
            continue;
        if (voices[i].peer.trusted)
            return true;
        for (unsigned k = 0; k < i; k++)
            if (said(&voices[k], hash)) {
                MR_ASSERT(apart(&voices[i].peer, &voices[k].peer));
                return true;
            }
    }
    return false;
}

/* The number of the highest header that is agreed on; 0: none. */
static uint64_t agreed_number(void)
{
    uint64_t best = 0;

    for (unsigned i = 0; i < voices_count; i++)
        for (unsigned k = 0; voices[i].answered && k < voices[i].count; k++)
            if (voices[i].numbers[k] > best && agreed(&voices[i].hashes[k]))
                best = voices[i].numbers[k];
    return best;
}
