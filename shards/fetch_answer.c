/* fetch_answer.c: what came of the hashes that are wanted, item by item of answers or otherwise. */
#include "core/bitmap.h"
#include "net/eth/tx.h"
#include "shards/fetch_state.h"

#define SIZE_TOLERANCE 8 /* geth's: sizes off by more are lies */

enum mr_err mr_fetch_answer_begin(struct mr_fetch *f, uint32_t slot, uint64_t id, uint32_t *asked)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    if (!a->present)
        return MR_INVALID;
    if (a->busy && a->id == id) {
        mr_fetch_busy_untime(f, slot);
        *asked = a->count;
        return MR_OK;
    }
    for (unsigned k = 0; k < MR_FETCH_LATE_IDS; k++)
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
    struct mr_fetch_asker *a = &f->askers[slot];
    uint64_t print = mr_fetch_print(hash);

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

static bool matches(const struct mr_fetch_variant *v, uint8_t type, uint32_t size)
{
    uint32_t off = v->size > size ? v->size - size : size - v->size;

    return v->type == type && (off <= SIZE_TOLERANCE || v->size == MR_FETCH_SIZE_ANY);
}

enum mr_fetch_delivery mr_fetch_delivered(struct mr_fetch *f, uint32_t slot,
                                          const struct mr_hash *hash, uint8_t type, uint32_t size,
                                          uint64_t *sources, uint64_t now_ms)
{
    uint32_t i = mr_fetch_find(f, hash, now_ms);
    enum mr_fetch_delivery result = MR_FETCH_DELIVERED;

    if (!was_asked(f, slot, hash))
        return MR_FETCH_UNKNOWN;
    if (i == MR_FETCH_NONE)
        return MR_FETCH_SETTLED;
    for (unsigned v = 0; v < f->entries[i].variants_count; v++) {
        const uint64_t *bits = mr_fetch_row(f, i, v);

        if (v == MR_FETCH_VARIANTS || matches(&f->entries[i].variants[v], type, size))
            continue;
        for (size_t s = 0; (s = mr_bitmap_next(bits, f->slots, s)) != MR_BITMAP_NONE; s++) {
            if (s == slot)
                result = MR_FETCH_WRONG_VARIANT;
            else if (type != MR_TX_BLOB || f->entries[i].variants[v].type != MR_TX_BLOB)
                f->hooks.liar(f->hooks.ctx, (uint32_t)s);
        }
    }
    f->askers[slot].proven |= result == MR_FETCH_DELIVERED;
    mr_fetch_entry_free(f, i, sources);
    return result;
}

/* Answers end where they would become too long: what was asked behind the last item of one is asked
 * again, before everything else. (What it lacks in front of that, the peer has not.) */
static void rest_ask_again(struct mr_fetch *f, uint32_t slot)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    for (uint32_t k = a->count; a->reached > 0 && k-- > a->reached;) {
        uint32_t i = mr_fetch_owed(f, slot, k);

        if (i != MR_FETCH_NONE)
            mr_fetch_order_unshift(f, i, slot);
    }
}

void mr_fetch_answer_end(struct mr_fetch *f, uint32_t slot)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    if (!a->busy)
        return;
    rest_ask_again(f, slot);
    mr_fetch_request_end(f, slot, false);
    if (a->order.head != MR_FETCH_NONE)
        f->hooks.ready(f->hooks.ctx, slot);
    else
        mr_fetch_steal(f, slot);
}

bool mr_fetch_settle(struct mr_fetch *f, const struct mr_hash *hash, uint64_t *sources,
                     uint64_t now_ms)
{
    uint32_t i = mr_fetch_find(f, hash, now_ms);

    if (i == MR_FETCH_NONE)
        return false;
    mr_fetch_entry_free(f, i, sources);
    return true;
}
