/* fetch.c: the table of wanted hashes, their sources, whom to ask, and hints of other shards. */
#include <stdlib.h>

#include "core/bitmap.h"
#include "shards/fetch_state.h"
#include "shards/mailbox.h"

#define STEAL_LOOK       1024 /* waiting entries looked at when a peer has nothing of its own */
#define ELSEWHERE_MS     400
#define ELSEWHERE_STEP   25
#define FAIR_SHARE_FLOOR 64 /* a peer may always have so many hashes tracked */

/* ---- entries and their sources ---- */

uint32_t mr_fetch_find(struct mr_fetch *f, const struct mr_hash *hash, uint64_t now_ms)
{
    const struct mr_seen_entry *s = mr_seen_find(f->seen, hash, (uint32_t)(now_ms / 1000));

    if (!s || s->state != MR_SEEN_ANNOUNCED || s->index >= f->entries_count)
        return MR_FETCH_NONE;
    return mr_hash_equal(&f->entries[s->index].hash, hash) ? s->index : MR_FETCH_NONE;
}

static uint32_t entry_new(struct mr_fetch *f, const struct mr_hash *hash, uint64_t now_ms)
{
    uint32_t i = f->free_head;
    struct mr_fetch_entry *e;

    if (i == MR_FETCH_NONE ||
        !mr_seen_put(f->seen, hash, MR_SEEN_ANNOUNCED, i, (uint32_t)(now_ms / 1000))) {
        f->count.table_full++;
        return MR_FETCH_NONE;
    }
    e = &f->entries[i];
    f->free_head = e->next;
    f->used++;
    *e = (struct mr_fetch_entry){.hash = *hash, .slot = MR_FETCH_NONE};
    memset(mr_fetch_row(f, i, 0), 0, MR_FETCH_ROWS * f->words * sizeof(uint64_t));
    return i;
}

void mr_fetch_entry_free(struct mr_fetch *f, uint32_t i, uint64_t *sources)
{
    struct mr_fetch_entry *e = &f->entries[i];

    mr_fetch_unlink(f, i);
    for (unsigned v = 0; v < e->variants_count; v++) {
        const uint64_t *bits = mr_fetch_row(f, i, v);

        for (size_t s = 0; (s = mr_bitmap_next(bits, f->slots, s)) != MR_BITMAP_NONE; s++) {
            f->askers[s].announced--;
            f->announced_total--;
        }
        if (sources)
            mr_bitmap_or(sources, sources, bits, f->slots);
    }
    mr_seen_remove(f->seen, &e->hash);
    e->state = MR_FETCH_FREE;
    e->next = f->free_head;
    f->free_head = i;
    f->used--;
}

static int variant_of(const struct mr_fetch *f, uint32_t i, uint32_t slot)
{
    for (unsigned v = 0; v < f->entries[i].variants_count; v++)
        if (mr_bitmap_test(mr_fetch_row(f, i, v), slot))
            return (int)v;
    return -1;
}

static void source_clear(struct mr_fetch *f, uint32_t i, uint32_t slot)
{
    int v = variant_of(f, i, slot);

    if (v < 0)
        return;
    mr_bitmap_clear(mr_fetch_row(f, i, (unsigned)v), slot);
    f->askers[slot].announced--;
    f->announced_total--;
}

/* A source to ask next: an idle one if there is any, best one that has delivered before (others
 * may be liars, and each of them costs a timeout); else the order of some busy one; none if all
 * have gone or do not answer. Looks from a random place, so that no source is favoured. */
static uint32_t next_source(struct mr_fetch *f, uint32_t i)
{
    uint32_t from = (uint32_t)mr_random_below(f->random, f->slots);
    uint32_t busy = MR_FETCH_NONE, idle = MR_FETCH_NONE;

    for (unsigned v = 0; v < f->entries[i].variants_count; v++) {
        const uint64_t *bits = mr_fetch_row(f, i, v);

        for (unsigned half = 0; half < 2; half++) {
            size_t s = half == 0 ? from : 0, end = half == 0 ? f->slots : from;

            for (; (s = mr_bitmap_next(bits, end, s)) != MR_BITMAP_NONE && s < end; s++) {
                const struct mr_fetch_asker *a = &f->askers[s];

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
    return idle != MR_FETCH_NONE ? idle : busy;
}

/* The entry (out of every order) goes to its next source. False: there is none, it is forgotten. */
static bool pass_on(struct mr_fetch *f, uint32_t i)
{
    uint32_t slot = next_source(f, i);

    if (slot != MR_FETCH_NONE) {
        mr_fetch_order_push(f, i, slot);
        return true;
    }
    f->entries[i].state = MR_FETCH_ASKED; /* in no list */
    mr_fetch_entry_free(f, i, NULL);
    return false;
}

/* As pass_on; one that is given up is left to the other shards. */
static void go_on(struct mr_fetch *f, uint32_t i)
{
    struct mr_hash hash = f->entries[i].hash;

    if (pass_on(f, i))
        return;
    f->count.gave_up++;
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
                           .free_head = MR_FETCH_NONE,
                           .waiting = {MR_FETCH_NONE, MR_FETCH_NONE},
                           .elsewhere = {MR_FETCH_NONE, MR_FETCH_NONE},
                           .busy = {MR_FETCH_NONE, MR_FETCH_NONE}};
    f->entries = calloc(f->entries_count, sizeof *f->entries);
    f->sources = calloc((size_t)f->entries_count * MR_FETCH_ROWS * f->words, sizeof(uint64_t));
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

void mr_fetch_peer_add(struct mr_fetch *f, uint32_t slot)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    MR_ASSERT(!a->present);
    memset(a, 0, sizeof *a);
    a->present = true;
    a->order = (struct mr_fetch_list){MR_FETCH_NONE, MR_FETCH_NONE};
    a->id = mr_random_u64(f->random) >> 16; /* ids of different peers look alike in nothing */
}

void mr_fetch_request_end(struct mr_fetch *f, uint32_t slot, bool late)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    mr_fetch_busy_remove(f, slot);
    for (uint32_t k = 0; k < a->count; k++) {
        uint32_t i = mr_fetch_owed(f, slot, k);

        if (i == MR_FETCH_NONE)
            continue;
        if (!late)
            source_clear(f, i, slot);
        go_on(f, i);
    }
    a->count = 0;
}

/* Entries in its order go to others; it remains a source. */
static void order_end(struct mr_fetch *f, uint32_t slot)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    while (a->order.head != MR_FETCH_NONE) {
        uint32_t i = a->order.head;

        mr_fetch_unlink(f, i);
        go_on(f, i);
    }
}

void mr_fetch_peer_remove(struct mr_fetch *f, uint32_t slot)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    if (!a->present)
        return;
    a->dangling = true; /* nobody hands it anything while it is taken apart */
    mr_fetch_request_end(f, slot, false);
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
static bool over_limit(const struct mr_fetch *f, const struct mr_fetch_asker *a)
{
    uint32_t fair = MR_MAX((f->entries_count - f->used) / 4, (uint32_t)FAIR_SHARE_FLOOR);

    return a->announced >= f->o->announced_per_peer || a->announced >= fair;
}

/* Notes slot as a source of (type, size). False: it is one already. Whoever announces a fourth
 * variant is a source as well: three liars must not keep the others out. */
static bool source_add(struct mr_fetch *f, uint32_t i, uint32_t slot, uint8_t type, uint32_t size)
{
    struct mr_fetch_entry *e = &f->entries[i];
    unsigned v = 0;

    if (variant_of(f, i, slot) >= 0)
        return false;
    while (v < MR_MIN(e->variants_count, MR_FETCH_VARIANTS) &&
           (e->variants[v].type != type || e->variants[v].size != size))
        v++;
    if (v == MR_FETCH_VARIANTS)
        f->count.fourth_variant++;
    if (v == e->variants_count)
        e->variants[e->variants_count++] = (struct mr_fetch_variant){.size = size, .type = type};
    mr_bitmap_set(mr_fetch_row(f, i, v), slot);
    f->askers[slot].announced++;
    f->announced_total++;
    return true;
}

void mr_fetch_announced(struct mr_fetch *f, uint32_t slot, const struct mr_hash *hash, uint8_t type,
                        uint32_t size, uint64_t now_ms)
{
    struct mr_fetch_asker *a = &f->askers[slot];
    uint32_t i = mr_fetch_find(f, hash, now_ms);
    bool fresh = i == MR_FETCH_NONE;

    MR_ASSERT(a->present);
    if (over_limit(f, a)) {
        f->count.over_limit++;
        return;
    }
    if (fresh && (i = entry_new(f, hash, now_ms)) == MR_FETCH_NONE)
        return;
    if (!source_add(f, i, slot, type, size))
        return;
    if (fresh) {
        if (a->dangling)
            go_on(f, i); /* its only source does not answer: given up */
        else
            mr_fetch_order_push(f, i, slot);
    } else if (f->entries[i].state == MR_FETCH_WAIT && !a->busy && !a->dangling &&
               (f->askers[f->entries[i].slot].busy || f->askers[f->entries[i].slot].dangling)) {
        mr_fetch_unlink(f, i); /* who is idle is asked now */
        mr_fetch_order_push(f, i, slot);
    }
}

/* ---- asking ---- */

void mr_fetch_steal(struct mr_fetch *f, uint32_t slot)
{
    uint32_t i = f->waiting.head, taken = 0;

    if (f->askers[slot].announced == 0)
        return;
    for (unsigned look = 0; i != MR_FETCH_NONE && look < STEAL_LOOK && taken < MR_FETCH_HASHES_MAX;
         look++) {
        uint32_t next = f->entries[i].wait_next;

        if (f->entries[i].slot != slot && variant_of(f, i, slot) >= 0) {
            mr_fetch_unlink(f, i);
            mr_fetch_order_push(f, i, slot);
            taken++;
        }
        i = next;
    }
}

bool mr_fetch_take_request(struct mr_fetch *f, uint32_t slot, struct mr_fetch_request *out,
                           uint64_t now_ms)
{
    struct mr_fetch_asker *a = &f->askers[slot];
    uint64_t bytes = 0;

    if (!a->present || a->busy || a->dangling || a->order.head == MR_FETCH_NONE)
        return false;
    a->count = a->cursor = a->reached = 0;
    while (a->order.head != MR_FETCH_NONE && a->count < MR_FETCH_HASHES_MAX) {
        uint32_t i = a->order.head;
        struct mr_fetch_entry *e = &f->entries[i];
        int v = variant_of(f, i, slot);

        MR_ASSERT(v >= 0);
        bytes += e->variants[v].size;
        if (a->count > 0 && bytes > MR_FETCH_BYTES_MAX)
            break;
        mr_fetch_unlink(f, i);
        e->state = MR_FETCH_ASKED;
        f->asked[slot].entries[a->count] = i;
        f->asked[slot].prints[a->count] = mr_fetch_print(&e->hash);
        out->hashes[a->count++] = e->hash;
        if (f->shards > 1)
            f->hooks.hint(f->hooks.ctx, MR_MAIL_CLAIM, &e->hash, 0);
    }
    out->id = ++a->id;
    out->count = a->count;
    a->deadline_ms = now_ms + f->o->request_timeout_ns / 1000000;
    mr_fetch_busy_append(f, slot);
    return true;
}

/* ---- hints of other shards ---- */

static void claimed(struct mr_fetch *f, unsigned from, uint32_t i, const struct mr_hash *hash,
                    uint64_t now_ms)
{
    unsigned distance = (f->self + f->shards - from) % f->shards;

    if (i == MR_FETCH_NONE) {
        const struct mr_seen_entry *s = mr_seen_find(f->seen, hash, (uint32_t)(now_ms / 1000));

        if (s || f->used > f->entries_count / 4 * 3)
            return; /* known already, or no room for what others ask */
        if ((i = entry_new(f, hash, now_ms)) == MR_FETCH_NONE)
            return;
    } else if (f->entries[i].state != MR_FETCH_WAIT) {
        return; /* we have sent our question too: both go on */
    } else {
        mr_fetch_unlink(f, i);
    }
    f->entries[i].state = MR_FETCH_ELSEWHERE;
    f->entries[i].owner_shard = (uint8_t)from;
    f->entries[i].due_ms = now_ms + ELSEWHERE_MS + ELSEWHERE_STEP * distance;
    mr_fetch_elsewhere_insert(f, i);
}

/* The other shard will not bring it, or not in time: our own sources. */
static void take_over(struct mr_fetch *f, uint32_t i)
{
    mr_fetch_unlink(f, i);
    (void)pass_on(f, i); /* no hint if it is forgotten: the claim was the other shard's */
}

void mr_fetch_hint(struct mr_fetch *f, unsigned from, unsigned mail_kind,
                   const struct mr_hash *hash, uint64_t a, uint64_t now_ms)
{
    uint32_t i = mr_fetch_find(f, hash, now_ms);

    if (mail_kind == MR_MAIL_CLAIM) {
        claimed(f, from, i, hash, now_ms);
    } else if (mail_kind == MR_MAIL_RELEASE) {
        if (i != MR_FETCH_NONE && f->entries[i].state == MR_FETCH_ELSEWHERE &&
            f->entries[i].owner_shard == from)
            take_over(f, i);
    } else if (mail_kind == MR_MAIL_REFUSED) {
        const struct mr_seen_entry *s = mr_seen_find(f->seen, hash, (uint32_t)(now_ms / 1000));

        if (i != MR_FETCH_NONE)
            mr_fetch_entry_free(f, i, NULL);
        else if (s)
            return; /* judged here, or being judged */
        mr_seen_put(f->seen, hash, MR_SEEN_REFUSED, 0, (uint32_t)(a / 1000000000u));
    }
}

/* ---- time ---- */

static void timed_out(struct mr_fetch *f, uint32_t slot)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    f->count.timeouts++;
    a->late_ids[a->late_next] = a->id;
    a->late_next = (a->late_next + 1) % MR_FETCH_LATE_IDS;
    a->dangling = true; /* not asked again until it answers */
    mr_fetch_request_end(f, slot, true);
    order_end(f, slot);
}

void mr_fetch_advance(struct mr_fetch *f, uint64_t now_ms)
{
    while (f->busy.head != MR_FETCH_NONE && f->askers[f->busy.head].deadline_ms <= now_ms)
        timed_out(f, f->busy.head);
    while (f->elsewhere.head != MR_FETCH_NONE && f->entries[f->elsewhere.head].due_ms <= now_ms)
        take_over(f, f->elsewhere.head);
}

uint64_t mr_fetch_next_ms(const struct mr_fetch *f)
{
    uint64_t at = UINT64_MAX;

    if (f->busy.head != MR_FETCH_NONE)
        at = f->askers[f->busy.head].deadline_ms;
    if (f->elsewhere.head != MR_FETCH_NONE)
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
