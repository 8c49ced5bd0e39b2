#include "shards/fetch.h"

#include <stdlib.h>

#include "core/bitmap.h"
#include "net/eth/tx.h"
#include "shards/mailbox.h"

#define NONE             UINT32_MAX
#define LATE_IDS         8    /* requests that timed out: their answers are late, not unasked */
#define STEAL_LOOK       1024 /* waiting entries looked at when a peer has nothing of its own */
#define ELSEWHERE_MS     400
#define ELSEWHERE_STEP   25
#define SIZE_TOLERANCE   8  /* geth's: sizes off by more are lies */
#define FAIR_SHARE_FLOOR 64 /* a peer may always have so many hashes tracked */

#define ROWS (MR_FETCH_VARIANTS + 1) /* the last one: sources of whatever else was announced */

struct variant {
    uint32_t size;
    uint8_t type;
    bool any; /* the last row: what its sources announced is not known, and not held against them */
};

/* A hash that is wanted. In one peer's order while WAIT, in the waiting list too; in the list of
 * deadlines while ELSEWHERE. */
struct entry {
    struct mr_hash hash;
    uint8_t state; /* enum mr_fetch_state */
    uint8_t variants_count;
    uint8_t owner_shard; /* ELSEWHERE */
    struct variant variants[ROWS];
    uint32_t slot;                 /* WAIT: in whose order; ASKED: of whom */
    uint32_t prev, next;           /* that order; free list */
    uint32_t wait_prev, wait_next; /* waiting list, or list of deadlines */
    uint64_t due_ms;
};

struct list {
    uint32_t head, tail;
};

struct asker {
    bool present, busy, dangling, trusted;
    bool proven; /* has delivered what it was asked for */
    bool timed;  /* busy, and its answer has not begun */
    uint8_t late_next;
    uint32_t announced; /* entries that name it as a source */
    struct list order;  /* WAIT entries that it is to be asked for */
    uint64_t next_id;
    uint64_t late_ids[LATE_IDS];
    /* the request in flight */
    uint64_t id, deadline_ms;
    uint32_t count, cursor, reached; /* reached: behind the last item that was delivered */
    uint32_t busy_prev, busy_next;
};

/* The request in flight; apart from struct asker, so that a peer that is never asked costs nothing
 * for it: the pages are not touched. */
struct asked {
    uint32_t entries[MR_FETCH_HASHES_MAX];
    uint64_t prints[MR_FETCH_HASHES_MAX]; /* first 8 bytes of each hash asked */
};

struct mr_fetch {
    const struct mr_relay_options *o;
    struct mr_fetch_hooks hooks;
    struct mr_seen *seen;
    struct mr_random *random;
    unsigned self, shards;
    uint32_t slots, words, entries_count, used;
    struct entry *entries;
    uint64_t *sources; /* entries x ROWS rows of words */
    struct asker *askers;
    struct asked *asked; /* of each slot */
    uint32_t free_head;
    struct list waiting, elsewhere, busy;
    uint64_t announced_total;
    struct mr_fetch_counters count;
};

static uint64_t *row(const struct mr_fetch *f, uint32_t i, unsigned variant)
{
    return f->sources + ((size_t)i * ROWS + variant) * f->words;
}

static uint64_t print_of(const struct mr_hash *h)
{
    return mr_load_le64(h->b);
}

/* ---- lists ---- */

static void wait_append(struct mr_fetch *f, struct list *l, uint32_t i)
{
    struct entry *e = &f->entries[i];

    e->wait_prev = l->tail;
    e->wait_next = NONE;
    if (l->tail == NONE)
        l->head = i;
    else
        f->entries[l->tail].wait_next = i;
    l->tail = i;
}

static void wait_remove(struct mr_fetch *f, struct list *l, uint32_t i)
{
    struct entry *e = &f->entries[i];

    if (e->wait_prev == NONE)
        l->head = e->wait_next;
    else
        f->entries[e->wait_prev].wait_next = e->wait_next;
    if (e->wait_next == NONE)
        l->tail = e->wait_prev;
    else
        f->entries[e->wait_next].wait_prev = e->wait_prev;
}

/* Deadlines differ by the distance between shards only: nearly in order of arrival. */
static void elsewhere_insert(struct mr_fetch *f, uint32_t i)
{
    struct list *l = &f->elsewhere;
    uint32_t before = l->tail;
    struct entry *e = &f->entries[i];

    while (before != NONE && f->entries[before].due_ms > e->due_ms)
        before = f->entries[before].wait_prev;
    e->wait_prev = before;
    e->wait_next = before == NONE ? l->head : f->entries[before].wait_next;
    if (before == NONE)
        l->head = i;
    else
        f->entries[before].wait_next = i;
    if (e->wait_next == NONE)
        l->tail = i;
    else
        f->entries[e->wait_next].wait_prev = i;
}

/* Puts an entry into a peer's order. */
static void order_push(struct mr_fetch *f, uint32_t i, uint32_t slot)
{
    struct entry *e = &f->entries[i];
    struct list *l = &f->askers[slot].order;

    e->state = MR_FETCH_WAIT;
    e->slot = slot;
    e->prev = l->tail;
    e->next = NONE;
    if (l->tail == NONE)
        l->head = i;
    else
        f->entries[l->tail].next = i;
    l->tail = i;
    wait_append(f, &f->waiting, i);
    if (!f->askers[slot].busy && !f->askers[slot].dangling)
        f->hooks.ready(f->hooks.ctx, slot);
}

/* Puts an entry in front of a peer's order; the peer is busy. */
static void order_unshift(struct mr_fetch *f, uint32_t i, uint32_t slot)
{
    struct entry *e = &f->entries[i];
    struct list *l = &f->askers[slot].order;

    e->state = MR_FETCH_WAIT;
    e->slot = slot;
    e->prev = NONE;
    e->next = l->head;
    if (l->head == NONE)
        l->tail = i;
    else
        f->entries[l->head].prev = i;
    l->head = i;
    wait_append(f, &f->waiting, i);
}

/* Takes it out of the order or list that its state put it in. */
static void unlink_entry(struct mr_fetch *f, uint32_t i)
{
    struct entry *e = &f->entries[i];

    if (e->state == MR_FETCH_WAIT) {
        struct list *l = &f->askers[e->slot].order;

        if (e->prev == NONE)
            l->head = e->next;
        else
            f->entries[e->prev].next = e->next;
        if (e->next == NONE)
            l->tail = e->prev;
        else
            f->entries[e->next].prev = e->prev;
        wait_remove(f, &f->waiting, i);
    } else if (e->state == MR_FETCH_ELSEWHERE) {
        wait_remove(f, &f->elsewhere, i);
    }
}

static void busy_append(struct mr_fetch *f, uint32_t slot)
{
    struct asker *a = &f->askers[slot];

    a->busy = a->timed = true;
    a->busy_prev = f->busy.tail;
    a->busy_next = NONE;
    if (f->busy.tail == NONE)
        f->busy.head = slot;
    else
        f->askers[f->busy.tail].busy_next = slot;
    f->busy.tail = slot;
}

/* No deadline any more: the answer is here, though it may have to wait for room. */
static void busy_untime(struct mr_fetch *f, uint32_t slot)
{
    struct asker *a = &f->askers[slot];

    if (!a->timed)
        return;
    a->timed = false;
    if (a->busy_prev == NONE)
        f->busy.head = a->busy_next;
    else
        f->askers[a->busy_prev].busy_next = a->busy_next;
    if (a->busy_next == NONE)
        f->busy.tail = a->busy_prev;
    else
        f->askers[a->busy_next].busy_prev = a->busy_prev;
}

static void busy_remove(struct mr_fetch *f, uint32_t slot)
{
    busy_untime(f, slot);
    f->askers[slot].busy = false;
}

/* ---- entries and their sources ---- */

static uint32_t find(struct mr_fetch *f, const struct mr_hash *hash, uint64_t now_ms)
{
    const struct mr_seen_entry *s = mr_seen_find(f->seen, hash, (uint32_t)(now_ms / 1000));

    if (!s || s->state != MR_SEEN_ANNOUNCED || s->index >= f->entries_count)
        return NONE;
    return mr_hash_equal(&f->entries[s->index].hash, hash) ? s->index : NONE;
}

static uint32_t entry_new(struct mr_fetch *f, const struct mr_hash *hash, uint64_t now_ms)
{
    uint32_t i = f->free_head;
    struct entry *e;

    if (i == NONE || !mr_seen_put(f->seen, hash, MR_SEEN_ANNOUNCED, i, (uint32_t)(now_ms / 1000))) {
        f->count.table_full++;
        return NONE;
    }
    e = &f->entries[i];
    f->free_head = e->next;
    f->used++;
    *e = (struct entry){.hash = *hash, .slot = NONE};
    memset(row(f, i, 0), 0, ROWS * f->words * sizeof(uint64_t));
    return i;
}

/* Forgets the entry, and (if forget_hash) the hash with it. sources: union of its sources, or
 * NULL. */
static void entry_free(struct mr_fetch *f, uint32_t i, uint64_t *sources, bool forget_hash)
{
    struct entry *e = &f->entries[i];

    unlink_entry(f, i);
    for (unsigned v = 0; v < e->variants_count; v++) {
        const uint64_t *bits = row(f, i, v);

        for (size_t s = 0; (s = mr_bitmap_next(bits, f->slots, s)) != MR_BITMAP_NONE; s++) {
            f->askers[s].announced--;
            f->announced_total--;
        }
        if (sources)
            mr_bitmap_or(sources, sources, bits, f->slots);
    }
    if (forget_hash)
        mr_seen_remove(f->seen, &e->hash);
    e->state = MR_FETCH_FREE;
    e->next = f->free_head;
    f->free_head = i;
    f->used--;
}

static int variant_of(const struct mr_fetch *f, uint32_t i, uint32_t slot)
{
    for (unsigned v = 0; v < f->entries[i].variants_count; v++)
        if (mr_bitmap_test(row(f, i, v), slot))
            return (int)v;
    return -1;
}

static void source_clear(struct mr_fetch *f, uint32_t i, uint32_t slot)
{
    int v = variant_of(f, i, slot);

    if (v < 0)
        return;
    mr_bitmap_clear(row(f, i, (unsigned)v), slot);
    f->askers[slot].announced--;
    f->announced_total--;
}

/* A source to ask next: an idle one if there is any, best one that has delivered before (others
 * may be liars, and each of them costs a timeout); else the order of some busy one; NONE if all
 * have gone or do not answer. Looks from a random place, so that no source is favoured. */
static uint32_t next_source(struct mr_fetch *f, uint32_t i)
{
    uint32_t from = (uint32_t)mr_random_below(f->random, f->slots), busy = NONE, idle = NONE;

    for (unsigned v = 0; v < f->entries[i].variants_count; v++) {
        const uint64_t *bits = row(f, i, v);

        for (unsigned half = 0; half < 2; half++) {
            size_t s = half == 0 ? from : 0, end = half == 0 ? f->slots : from;

            for (; (s = mr_bitmap_next(bits, end, s)) != MR_BITMAP_NONE && s < end; s++) {
                const struct asker *a = &f->askers[s];

                if (a->dangling)
                    continue;
                if (!a->busy && a->proven)
                    return (uint32_t)s;
                if (!a->busy)
                    idle = (uint32_t)s;
                else
                    busy = (uint32_t)s;
            }
        }
    }
    return idle != NONE ? idle : busy;
}

/* The entry (out of every order) goes to its next source, or is given up. */
static void go_on(struct mr_fetch *f, uint32_t i)
{
    uint32_t slot = next_source(f, i);
    struct mr_hash hash = f->entries[i].hash;

    if (slot != NONE) {
        order_push(f, i, slot);
        return;
    }
    f->count.gave_up++;
    f->entries[i].state = MR_FETCH_ASKED; /* in no list */
    entry_free(f, i, NULL, true);
    if (f->shards > 1)
        f->hooks.hint(f->hooks.ctx, MR_MAIL_RELEASE, &hash, 0);
}

/* ---- making and ending ---- */

struct mr_fetch *mr_fetch_new(const struct mr_relay_options *o, uint32_t slots, unsigned self,
                              unsigned shards, struct mr_seen *seen,
                              const struct mr_fetch_hooks *hooks, struct mr_random *random)
{
    struct mr_fetch *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    *f = (struct mr_fetch){.o = o,
                           .hooks = *hooks,
                           .seen = seen,
                           .random = random,
                           .self = self,
                           .shards = shards,
                           .slots = slots,
                           .words = (uint32_t)MR_BITMAP_WORDS(slots),
                           .entries_count = o->fetch_entries,
                           .free_head = NONE,
                           .waiting = {NONE, NONE},
                           .elsewhere = {NONE, NONE},
                           .busy = {NONE, NONE}};
    f->entries = calloc(f->entries_count, sizeof *f->entries);
    f->sources = calloc((size_t)f->entries_count * ROWS * f->words, sizeof(uint64_t));
    f->askers = calloc(slots, sizeof *f->askers);
    f->asked = calloc(slots, sizeof *f->asked);
    if (!f->entries || !f->sources || !f->askers || !f->asked) {
        mr_fetch_free(f);
        return NULL;
    }
    for (uint32_t i = f->entries_count; i-- > 0;) {
        f->entries[i].next = f->free_head;
        f->free_head = i;
    }
    return f;
}

void mr_fetch_free(struct mr_fetch *f)
{
    if (!f)
        return;
    free(f->entries);
    free(f->sources);
    free(f->askers);
    free(f->asked);
    free(f);
}

void mr_fetch_peer_add(struct mr_fetch *f, uint32_t slot, bool trusted)
{
    struct asker *a = &f->askers[slot];

    MR_ASSERT(!a->present);
    memset(a, 0, sizeof *a);
    a->present = true;
    a->trusted = trusted;
    a->order = (struct list){NONE, NONE};
    a->next_id = mr_random_u64(f->random) >> 16; /* ids of different peers look alike in nothing */
}

/* Its request is void: what it still owes goes to other sources. One that has said that it lacks a
 * hash is no source of it any more; one that is late remains one, though it is not asked: it has
 * announced the hash, and must not hear of it from us. */
static void request_end(struct mr_fetch *f, uint32_t slot, bool late)
{
    struct asker *a = &f->askers[slot];

    busy_remove(f, slot);
    for (uint32_t k = 0; k < a->count; k++) {
        struct entry *e = &f->entries[f->asked[slot].entries[k]];

        if (e->state != MR_FETCH_ASKED || e->slot != slot ||
            print_of(&e->hash) != f->asked[slot].prints[k])
            continue; /* delivered, or settled meanwhile */
        if (!late)
            source_clear(f, f->asked[slot].entries[k], slot);
        go_on(f, f->asked[slot].entries[k]);
    }
    a->count = 0;
}

/* Entries in its order go to others; it remains a source. */
static void order_end(struct mr_fetch *f, uint32_t slot)
{
    struct asker *a = &f->askers[slot];

    while (a->order.head != NONE) {
        uint32_t i = a->order.head;

        unlink_entry(f, i);
        go_on(f, i);
    }
}

void mr_fetch_peer_remove(struct mr_fetch *f, uint32_t slot)
{
    struct asker *a = &f->askers[slot];

    if (!a->present)
        return;
    a->dangling = true; /* nobody hands it anything while it is taken apart */
    request_end(f, slot, false);
    order_end(f, slot);
    for (uint32_t i = 0; a->announced > 0 && i < f->entries_count; i++)
        if (f->entries[i].state != MR_FETCH_FREE)
            source_clear(f, i, slot);
    MR_ASSERT(a->announced == 0);
    a->present = false;
}

/* ---- announcements ---- */

/* How many hashes a peer may have tracked: its limit, or a quarter of what is free, so that a crowd
 * of liars cannot fill the table against the others (E-06). */
static bool over_limit(const struct mr_fetch *f, const struct asker *a)
{
    uint32_t fair = MR_MAX((f->entries_count - f->used) / 4, (uint32_t)FAIR_SHARE_FLOOR);

    return a->announced >= f->o->announced_per_peer || a->announced >= fair;
}

/* Notes slot as a source of (type, size). False: it is one already. Whoever announces a fourth
 * variant is a source as well: three liars must not keep the others out. */
static bool source_add(struct mr_fetch *f, uint32_t i, uint32_t slot, uint8_t type, uint32_t size)
{
    struct entry *e = &f->entries[i];
    unsigned v = 0;

    if (variant_of(f, i, slot) >= 0) {
        f->count.known++;
        return false;
    }
    while (v < MR_MIN(e->variants_count, MR_FETCH_VARIANTS) &&
           (e->variants[v].type != type || e->variants[v].size != size))
        v++;
    if (v == MR_FETCH_VARIANTS)
        f->count.fourth_variant++;
    if (v == e->variants_count)
        e->variants[e->variants_count++] =
            (struct variant){.size = size, .type = type, .any = v == MR_FETCH_VARIANTS};
    mr_bitmap_set(row(f, i, v), slot);
    f->askers[slot].announced++;
    f->announced_total++;
    return true;
}

void mr_fetch_announced(struct mr_fetch *f, uint32_t slot, const struct mr_hash *hash, uint8_t type,
                        uint32_t size, uint64_t now_ms)
{
    struct asker *a = &f->askers[slot];
    uint32_t i = find(f, hash, now_ms);
    bool fresh = i == NONE;

    MR_ASSERT(a->present);
    if (over_limit(f, a)) {
        f->count.over_limit++;
        return;
    }
    if (fresh && (i = entry_new(f, hash, now_ms)) == NONE)
        return;
    if (!source_add(f, i, slot, type, size))
        return;
    if (fresh) {
        if (a->dangling)
            go_on(f, i); /* its only source does not answer: given up */
        else
            order_push(f, i, slot);
    } else if (f->entries[i].state == MR_FETCH_WAIT && !a->busy && !a->dangling &&
               (f->askers[f->entries[i].slot].busy || f->askers[f->entries[i].slot].dangling)) {
        unlink_entry(f, i); /* who is idle is asked now */
        order_push(f, i, slot);
    }
}

/* ---- asking ---- */

/* A peer with nothing in its order looks for waiting entries that it announced too. */
static void steal(struct mr_fetch *f, uint32_t slot)
{
    uint32_t i = f->waiting.head, taken = 0;

    if (f->askers[slot].announced == 0)
        return;
    for (unsigned look = 0; i != NONE && look < STEAL_LOOK && taken < MR_FETCH_HASHES_MAX; look++) {
        uint32_t next = f->entries[i].wait_next;

        if (f->entries[i].slot != slot && variant_of(f, i, slot) >= 0) {
            unlink_entry(f, i);
            order_push(f, i, slot);
            taken++;
        }
        i = next;
    }
}

bool mr_fetch_take_request(struct mr_fetch *f, uint32_t slot, struct mr_fetch_request *out,
                           uint64_t now_ms)
{
    struct asker *a = &f->askers[slot];
    uint64_t bytes = 0;

    if (!a->present || a->busy || a->dangling || a->order.head == NONE)
        return false;
    a->count = a->cursor = a->reached = 0;
    while (a->order.head != NONE && a->count < MR_FETCH_HASHES_MAX) {
        uint32_t i = a->order.head;
        struct entry *e = &f->entries[i];
        int v = variant_of(f, i, slot);

        MR_ASSERT(v >= 0);
        bytes += e->variants[v].size;
        if (a->count > 0 && bytes > MR_FETCH_BYTES_MAX)
            break;
        unlink_entry(f, i);
        e->state = MR_FETCH_ASKED;
        f->asked[slot].entries[a->count] = i;
        f->asked[slot].prints[a->count] = print_of(&e->hash);
        out->hashes[a->count++] = e->hash;
        if (f->shards > 1)
            f->hooks.hint(f->hooks.ctx, MR_MAIL_CLAIM, &e->hash, 0);
    }
    a->id = out->id = a->next_id++;
    out->count = a->count;
    a->deadline_ms = now_ms + f->o->request_timeout_ns / 1000000;
    busy_append(f, slot);
    f->count.requests++;
    return true;
}

/* ---- answers ---- */

enum mr_err mr_fetch_answer_begin(struct mr_fetch *f, uint32_t slot, uint64_t id, uint32_t *asked)
{
    struct asker *a = &f->askers[slot];

    if (!a->present)
        return MR_INVALID;
    if (a->busy && a->id == id) {
        busy_untime(f, slot);
        *asked = a->count;
        return MR_OK;
    }
    for (unsigned k = 0; k < LATE_IDS; k++)
        if (a->late_ids[k] == id && id != 0) {
            a->late_ids[k] = 0; /* once */
            a->dangling = false;
            return MR_AGAIN;
        }
    return MR_INVALID;
}

/* Whether the peer's request in flight holds the hash. Answers keep the request's order, so the
 * search goes on where the last one ended. */
static bool was_asked(struct mr_fetch *f, uint32_t slot, const struct mr_hash *hash)
{
    struct asker *a = &f->askers[slot];
    uint64_t print = print_of(hash);

    for (uint32_t k = 0; k < a->count; k++) {
        uint32_t at = (a->cursor + k) % a->count;

        if (f->asked[slot].prints[at] == print) {
            a->cursor = at + 1;
            a->reached = MR_MAX(a->reached, a->cursor);
            return true;
        }
    }
    return false;
}

void mr_fetch_met(struct mr_fetch *f, uint32_t slot, const struct mr_hash *hash)
{
    (void)was_asked(f, slot, hash);
}

static bool variant_matches(const struct variant *v, uint8_t type, uint32_t size)
{
    uint32_t off = v->size > size ? v->size - size : size - v->size;

    return v->any || (v->type == type && (off <= SIZE_TOLERANCE || v->size == MR_FETCH_SIZE_ANY));
}

enum mr_fetch_delivery mr_fetch_delivered(struct mr_fetch *f, uint32_t slot,
                                          const struct mr_hash *hash, uint8_t type, uint32_t size,
                                          uint64_t *sources, uint64_t now_ms)
{
    uint32_t i = find(f, hash, now_ms);
    enum mr_fetch_delivery result = MR_FETCH_DELIVERED;

    if (!was_asked(f, slot, hash))
        return MR_FETCH_UNKNOWN;
    if (i == NONE)
        return MR_FETCH_SETTLED;
    for (unsigned v = 0; v < f->entries[i].variants_count; v++) {
        const uint64_t *bits = row(f, i, v);

        if (variant_matches(&f->entries[i].variants[v], type, size))
            continue;
        for (size_t s = 0; (s = mr_bitmap_next(bits, f->slots, s)) != MR_BITMAP_NONE; s++) {
            if (s == slot)
                result = MR_FETCH_WRONG_VARIANT;
            else if (type != MR_TX_BLOB || f->entries[i].variants[v].type != MR_TX_BLOB)
                f->hooks.liar(f->hooks.ctx, (uint32_t)s);
        }
    }
    f->askers[slot].proven |= result == MR_FETCH_DELIVERED;
    entry_free(f, i, sources, true);
    return result;
}

/* Answers end where they would become too long: what was asked behind the last item of one is asked
 * again, before everything else. (What it lacks in front of that, the peer has not.) */
static void rest_ask_again(struct mr_fetch *f, uint32_t slot)
{
    struct asker *a = &f->askers[slot];

    for (uint32_t k = a->count; a->reached > 0 && k-- > a->reached;) {
        struct entry *e = &f->entries[f->asked[slot].entries[k]];

        if (e->state == MR_FETCH_ASKED && e->slot == slot &&
            print_of(&e->hash) == f->asked[slot].prints[k])
            order_unshift(f, f->asked[slot].entries[k], slot);
    }
}

void mr_fetch_answer_end(struct mr_fetch *f, uint32_t slot)
{
    struct asker *a = &f->askers[slot];

    if (!a->present || !a->busy)
        return;
    rest_ask_again(f, slot);
    request_end(f, slot, false);
    if (a->order.head != NONE)
        f->hooks.ready(f->hooks.ctx, slot);
    else
        steal(f, slot);
}

bool mr_fetch_settle(struct mr_fetch *f, const struct mr_hash *hash, uint64_t *sources,
                     uint64_t now_ms)
{
    uint32_t i = find(f, hash, now_ms);

    if (i == NONE)
        return false;
    entry_free(f, i, sources, true);
    return true;
}

/* ---- hints of other shards ---- */

static void claimed(struct mr_fetch *f, unsigned from, uint32_t i, const struct mr_hash *hash,
                    uint64_t now_ms)
{
    unsigned distance = (f->self + f->shards - from) % f->shards;

    if (i == NONE) {
        const struct mr_seen_entry *s = mr_seen_find(f->seen, hash, (uint32_t)(now_ms / 1000));

        if (s || f->used > f->entries_count / 4 * 3)
            return; /* known already, or no room for what others ask */
        if ((i = entry_new(f, hash, now_ms)) == NONE)
            return;
    } else if (f->entries[i].state != MR_FETCH_WAIT) {
        return; /* we have sent our question too: both go on */
    } else {
        unlink_entry(f, i);
    }
    f->entries[i].state = MR_FETCH_ELSEWHERE;
    f->entries[i].owner_shard = (uint8_t)from;
    f->entries[i].due_ms = now_ms + ELSEWHERE_MS + ELSEWHERE_STEP * distance;
    elsewhere_insert(f, i);
}

/* The other shard will not bring it, or not in time: our own sources. */
static void take_over(struct mr_fetch *f, uint32_t i)
{
    unlink_entry(f, i);
    if (next_source(f, i) == NONE) {
        f->entries[i].state = MR_FETCH_ASKED; /* in no list */
        entry_free(f, i, NULL, true);
    } else {
        go_on(f, i);
    }
}

void mr_fetch_hint(struct mr_fetch *f, unsigned from, unsigned mail_kind,
                   const struct mr_hash *hash, uint64_t a, uint64_t now_ms)
{
    uint32_t i = find(f, hash, now_ms);

    if (mail_kind == MR_MAIL_CLAIM) {
        claimed(f, from, i, hash, now_ms);
    } else if (mail_kind == MR_MAIL_RELEASE) {
        if (i != NONE && f->entries[i].state == MR_FETCH_ELSEWHERE &&
            f->entries[i].owner_shard == from)
            take_over(f, i);
    } else if (mail_kind == MR_MAIL_REFUSED) {
        const struct mr_seen_entry *s = mr_seen_find(f->seen, hash, (uint32_t)(now_ms / 1000));

        if (i != NONE)
            entry_free(f, i, NULL, true);
        else if (s)
            return; /* judged here, or being judged */
        mr_seen_put(f->seen, hash, MR_SEEN_REFUSED, 0, (uint32_t)(a / 1000000000u));
    }
}

/* ---- time ---- */

static void timed_out(struct mr_fetch *f, uint32_t slot)
{
    struct asker *a = &f->askers[slot];

    f->count.timeouts++;
    a->late_ids[a->late_next] = a->id;
    a->late_next = (a->late_next + 1) % LATE_IDS;
    a->dangling = true; /* not asked again until it answers */
    request_end(f, slot, true);
    order_end(f, slot);
}

void mr_fetch_advance(struct mr_fetch *f, uint64_t now_ms)
{
    while (f->busy.head != NONE && f->askers[f->busy.head].deadline_ms <= now_ms)
        timed_out(f, f->busy.head);
    while (f->elsewhere.head != NONE && f->entries[f->elsewhere.head].due_ms <= now_ms)
        take_over(f, f->elsewhere.head);
}

uint64_t mr_fetch_next_ms(const struct mr_fetch *f)
{
    uint64_t at = UINT64_MAX;

    if (f->busy.head != NONE)
        at = f->askers[f->busy.head].deadline_ms;
    if (f->elsewhere.head != NONE)
        at = MR_MIN(at, f->entries[f->elsewhere.head].due_ms);
    return at;
}

uint32_t mr_fetch_length(const struct mr_fetch *f)
{
    return f->used;
}

uint64_t mr_fetch_announced_total(const struct mr_fetch *f)
{
    return f->announced_total;
}

const struct mr_fetch_counters *mr_fetch_count(const struct mr_fetch *f)
{
    return &f->count;
}
