/* fetch_model.h: what fetch must know, for fuzz_fetch.c: plain tables, walked from end to end. */
#pragma once
#include "net/eth/tx.h"
#include "shards/fetch.h"
#include "tests/fuzz/program.h"

#define PEERS     6
#define SLOTS     70
#define HASHES    288 /* more than a request holds */
#define ENTRIES   256 /* and more than the table does */
#define ANNOUNCED 150 /* by one peer at most */
#define SELF      1
#define NOBODY    UINT32_MAX
#define NO_SOURCE UINT8_MAX
#define LATE      8

static const uint32_t slots[PEERS] = {0, 1, 2, 63, 64, 69};

struct peer {
    bool present, dangling, busy, timed, begun;
    bool ready; /* said so, and not asked since */
    uint32_t announced, reached;
    uint64_t deadline_ms;
    uint64_t late[LATE];
    unsigned late_next;
    struct mr_fetch_request request;
    uint32_t which[MR_FETCH_HASHES_MAX]; /* of the hashes it asks for */
    unsigned lives[MR_FETCH_HASHES_MAX];
};

struct wanted {
    bool alive;
    unsigned life;  /* counts its entries */
    bool shared;    /* not in its only announcer's order: several had it, or another shard */
    uint32_t asked; /* a peer, or NOBODY */
    bool elsewhere; /* another shard, owner, asks until due_ms */
    unsigned owner;
    uint64_t due_ms;
    unsigned variants;
    uint8_t types[MR_FETCH_VARIANTS + 1];
    uint32_t sizes[MR_FETCH_VARIANTS + 1];
    uint8_t source[PEERS]; /* its variant */
    uint64_t order[PEERS]; /* when it was announced */
};

static struct peer peers[PEERS];
static struct wanted wanted[HASHES];
static struct mr_hash hashes[HASHES];
static unsigned shards;
static uint64_t now_ms, announcements;
static uint32_t alive;

static void model_begin(void)
{
    memset(peers, 0, sizeof peers);
    memset(wanted, 0, sizeof wanted);
    announcements = 0;
    alive = 0;
    for (uint32_t i = 0; i < HASHES; i++) {
        wanted[i].asked = NOBODY;
        memset(wanted[i].source, NO_SOURCE, sizeof wanted[i].source);
        mr_store_be32(hashes[i].b, i + 1); /* of which the first eight bytes tell them apart */
        mr_store_be32(hashes[i].b + 28, i);
    }
}

static bool waits(const struct wanted *w)
{
    return w->alive && w->asked == NOBODY && !w->elsewhere;
}

static void source_drop(struct wanted *w, uint32_t p)
{
    if (w->source[p] != NO_SOURCE)
        peers[p].announced--;
    w->source[p] = NO_SOURCE;
}

static void forget(struct wanted *w)
{
    for (uint32_t p = 0; p < PEERS; p++)
        source_drop(w, p);
    w->alive = w->elsewhere = false;
    w->asked = NOBODY;
    alive--;
}

static void born(struct wanted *w)
{
    *w = (struct wanted){.alive = true, .life = w->life + 1, .asked = NOBODY};
    memset(w->source, NO_SOURCE, sizeof w->source);
    alive++;
}

/* What waits and has no source that answers is given up. */
static void give_up_hopeless(void)
{
    for (uint32_t i = 0; i < HASHES; i++) {
        bool hope = !waits(&wanted[i]);

        for (uint32_t p = 0; p < PEERS && !hope; p++)
            hope = wanted[i].source[p] != NO_SOURCE && !peers[p].dangling;
        if (!hope)
            forget(&wanted[i]);
    }
}

/* The k-th hash of p's request, if it is still asked of p. */
static struct wanted *still_asked(uint32_t p, uint32_t k)
{
    struct wanted *w = &wanted[peers[p].which[k]];

    return w->alive && w->life == peers[p].lives[k] && w->asked == p ? w : NULL;
}

static uint64_t sources_of(const struct wanted *w)
{
    uint64_t bits = 0;

    for (uint32_t p = 0; p < PEERS; p++)
        bits |= (uint64_t)(w->source[p] != NO_SOURCE) << p;
    return bits;
}

static bool over_limit(uint32_t p)
{
    uint32_t fair = MR_MAX((ENTRIES - alive) / 4, 64u); /* fetch.c: over_limit */

    return peers[p].announced >= ANNOUNCED || peers[p].announced >= fair;
}

static void source_add(struct wanted *w, uint32_t p, uint8_t type, uint32_t size)
{
    unsigned v = 0;

    while (v < MR_MIN(w->variants, (unsigned)MR_FETCH_VARIANTS) &&
           (w->types[v] != type || w->sizes[v] != size))
        v++;
    if (v == w->variants)
        w->types[v] = type, w->sizes[v] = size, w->variants++;
    w->source[p] = (uint8_t)v;
    w->order[p] = ++announcements;
    peers[p].announced++;
}

/* Hashes that only this peer announced are asked for as it announced them, and none is skipped. */
static void order_check(uint32_t p, const struct mr_fetch_request *r)
{
    uint64_t last = 0;

    for (uint32_t k = 0; k < r->count; k++) {
        const struct wanted *w = &wanted[peers[p].which[k]];

        if (w->shared)
            continue;
        MR_ASSERT(w->order[p] > last);
        last = w->order[p];
    }
    for (uint32_t i = 0; i < HASHES; i++)
        if (waits(&wanted[i]) && !wanted[i].shared && wanted[i].source[p] != NO_SOURCE)
            MR_ASSERT(wanted[i].order[p] > last);
}

static bool has_own_waiting(uint32_t p)
{
    for (uint32_t i = 0; i < HASHES; i++)
        if (waits(&wanted[i]) && !wanted[i].shared && wanted[i].source[p] != NO_SOURCE)
            return true;
    return false;
}

static bool late_take(struct peer *a, uint64_t id)
{
    for (unsigned k = 0; k < LATE; k++)
        if (a->late[k] == id && id != 0) {
            a->late[k] = 0;
            return true;
        }
    return false;
}

static bool as_announced(const struct wanted *w, unsigned v, uint8_t type, uint32_t size)
{
    uint32_t off = w->sizes[v] > size ? w->sizes[v] - size : size - w->sizes[v];

    return v == MR_FETCH_VARIANTS ||
           (w->types[v] == type && (off <= 8 || w->sizes[v] == MR_FETCH_SIZE_ANY));
}

/* What delivered must make of hash w, which p was asked for. */
static enum mr_fetch_delivery judge(const struct wanted *w, uint32_t p, uint8_t type, uint32_t size,
                                    uint64_t *expected_liars)
{
    enum mr_fetch_delivery result = MR_FETCH_DELIVERED;

    *expected_liars = 0;
    if (!w->alive)
        return MR_FETCH_SETTLED;
    for (uint32_t q = 0; q < PEERS; q++) {
        if (w->source[q] == NO_SOURCE || as_announced(w, w->source[q], type, size))
            continue;
        if (q == p)
            result = MR_FETCH_WRONG_VARIANT;
        else if (type != MR_TX_BLOB || w->types[w->source[q]] != MR_TX_BLOB)
            *expected_liars |= UINT64_C(1) << q;
    }
    return result;
}

/* Another shard asks for it. known: it was judged here, or is being judged. */
static void claim(struct wanted *w, unsigned from, bool known)
{
    unsigned distance = (SELF + shards - from) % shards;

    if (w->alive ? !waits(w) : known || alive > ENTRIES / 4 * 3)
        return;
    if (!w->alive)
        born(w);
    w->elsewhere = w->shared = true;
    w->owner = from;
    w->due_ms = now_ms + 400 + 25 * distance;
}

static void leave(uint32_t p)
{
    peers[p].dangling = true;
    for (uint32_t i = 0; i < HASHES; i++) {
        source_drop(&wanted[i], p);
        if (wanted[i].asked == p)
            wanted[i].asked = NOBODY;
    }
    give_up_hopeless();
    peers[p] = (struct peer){0};
}

static void time_out(struct peer *a)
{
    a->late[a->late_next++ % LATE] = a->request.id;
    a->dangling = true;
    a->busy = a->timed = false;
    for (uint32_t k = 0; k < a->request.count; k++) {
        struct wanted *w = still_asked((uint32_t)(a - peers), k);

        if (w)
            w->asked = NOBODY;
    }
}

static uint64_t next_ms(void)
{
    uint64_t next = UINT64_MAX;

    for (uint32_t p = 0; p < PEERS; p++)
        if (peers[p].timed)
            next = MR_MIN(next, peers[p].deadline_ms);
    for (uint32_t i = 0; i < HASHES; i++)
        if (wanted[i].elsewhere)
            next = MR_MIN(next, wanted[i].due_ms);
    return next;
}

/* What waits is a source's who works, or who is to be asked. */
static void nothing_is_stuck(void)
{
    for (uint32_t i = 0; i < HASHES; i++) {
        bool hope = !waits(&wanted[i]);

        for (uint32_t p = 0; p < PEERS && !hope; p++)
            hope = wanted[i].source[p] != NO_SOURCE && (peers[p].busy || peers[p].ready);
        MR_ASSERT(hope);
    }
}
