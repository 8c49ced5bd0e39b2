#include "shards/txlog.h"

#include <stdlib.h>

bool mr_txlog_init(struct mr_txlog *l, uint32_t entries, uint32_t slots, uint64_t bytes_max,
                   uint64_t blob_bytes_max, uint64_t keep_ns, struct mr_seen *seen,
                   struct mr_buf_pool *pool)
{
    size_t words = MR_BITMAP_WORDS(slots);

    MR_ASSERT((entries & (entries - 1)) == 0);
    *l = (struct mr_txlog){.mask = entries - 1,
                           .words = (uint32_t)words,
                           .bytes_max = bytes_max,
                           .blob_bytes_max = blob_bytes_max,
                           .keep_ns = keep_ns,
                           .seen = seen,
                           .pool = pool};
    l->ring = calloc(entries, sizeof *l->ring);
    l->known = calloc((size_t)entries * words, sizeof *l->known);
    l->sweep_mask = calloc(words, sizeof *l->sweep_mask);
    l->sweep_pending = calloc(words, sizeof *l->sweep_pending);
    return l->ring && l->known && l->sweep_mask && l->sweep_pending;
}

struct mr_txlog_use *mr_txlog_use(struct mr_txlog *l, struct mr_txlog_entry *e)
{
    if (!e->use) {
        struct mr_buf *self = mr_buf_get(l->pool, sizeof *e->use);

        if (!self)
            return NULL;
        e->use = (struct mr_txlog_use *)(void *)self->data;
        e->use->self = self;
        mr_ref_init(&e->use->ref, e->buf);
    }
    mr_ref_take(&e->use->ref);
    return e->use;
}

void mr_txlog_unuse(struct mr_txlog *l, struct mr_txlog_use *use)
{
    if (mr_ref_drop(l->pool, &use->ref))
        mr_buf_put(l->pool, use->self);
}

/* The body leaves; who still seals from it uses it on. */
static void body_drop(struct mr_txlog *l, struct mr_txlog_entry *e)
{
    uint64_t bytes = e->buf->size;

    if (e->flags & MR_TXF_BLOB)
        l->blob_bytes -= bytes;
    else
        l->bytes -= bytes;
    if (l->left && !e->aged)
        l->left(l->left_ctx, mr_txmeta(e->buf));
    if (e->use)
        mr_txlog_unuse(l, e->use);
    else
        mr_buf_put(l->pool, e->buf);
    e->buf = NULL;
    e->use = NULL;
}

void mr_txlog_age(struct mr_txlog *l, uint64_t now_ns)
{
    for (l->young = MR_MAX(l->young, l->tail); l->young < l->head; l->young++) {
        struct mr_txlog_entry *e = mr_txlog_at(l, l->young);

        if (now_ns < e->time_ns + l->keep_ns)
            return;
        if (l->left && e->buf)
            l->left(l->left_ctx, mr_txmeta(e->buf));
        e->aged = true;
    }
}

void mr_txlog_fini(struct mr_txlog *l)
{
    for (uint64_t seq = l->tail; l->ring && seq < l->head; seq++)
        if (mr_txlog_at(l, seq)->buf)
            body_drop(l, mr_txlog_at(l, seq));
    free(l->ring);
    free(l->known);
    free(l->sweep_mask);
    free(l->sweep_pending);
    *l = (struct mr_txlog){0};
}

/* Evicts the oldest body of a kind; counts those that leave too young. */
static void evict_one(struct mr_txlog *l, bool blob, uint64_t now_ns)
{
    uint64_t *from = blob ? &l->blob_tail : &l->body_tail;

    if (*from < l->tail)
        *from = l->tail;
    for (; *from < l->head; (*from)++) {
        struct mr_txlog_entry *e = mr_txlog_at(l, *from);

        if (!e->buf || blob != ((e->flags & MR_TXF_BLOB) != 0))
            continue;
        l->evicted++;
        if (now_ns - e->time_ns < l->keep_ns)
            l->evicted_young++;
        body_drop(l, e);
        mr_seen_put(l->seen, &e->hash, MR_SEEN_GONE, 0, (uint32_t)(now_ns / 1000000000u));
        return;
    }
}

/* The ring is full: its oldest entry is overwritten. */
static void tail_advance(struct mr_txlog *l, uint64_t now_ns)
{
    struct mr_txlog_entry *e = mr_txlog_at(l, l->tail);

    if (e->buf) {
        if (now_ns - e->time_ns < l->keep_ns)
            l->evicted_young++;
        l->evicted++;
        body_drop(l, e);
        mr_seen_put(l->seen, &e->hash, MR_SEEN_GONE, 0, (uint32_t)(now_ns / 1000000000u));
    }
    l->tail++;
}

uint64_t mr_txlog_append(struct mr_txlog *l, struct mr_buf *buf, const uint64_t *known,
                         uint64_t sender_sip, uint64_t now_ns)
{
    const struct mr_txmeta *m = mr_txmeta(buf);
    struct mr_txlog_entry *e;
    uint64_t seq;

    if (l->head - l->tail > l->mask)
        tail_advance(l, now_ns);
    seq = l->head++;
    e = mr_txlog_at(l, seq);
    *e = (struct mr_txlog_entry){.buf = buf,
                                 .time_ns = now_ns,
                                 .type = m->type,
                                 .flags = m->flags,
                                 .size = m->size,
                                 .size_elided = m->size_elided,
                                 .hash = m->hash,
                                 .sender_sip = sender_sip};
    if (known)
        memcpy(mr_txlog_known(l, seq), known, l->words * sizeof *known);
    else
        memset(mr_txlog_known(l, seq), 0, l->words * sizeof *known);
    if (m->flags & MR_TXF_BLOB)
        l->blob_bytes += buf->size;
    else
        l->bytes += buf->size;
    mr_seen_put(l->seen, &m->hash, MR_SEEN_HELD, (uint32_t)(seq & l->mask),
                (uint32_t)(now_ns / 1000000000u));
    while (l->bytes > l->bytes_max)
        evict_one(l, false, now_ns);
    while (l->blob_bytes > l->blob_bytes_max)
        evict_one(l, true, now_ns);
    return seq;
}

struct mr_txlog_entry *mr_txlog_find(struct mr_txlog *l, const struct mr_hash *hash, uint32_t now_s)
{
    const struct mr_seen_entry *s = mr_seen_find(l->seen, hash, now_s);
    struct mr_txlog_entry *e;

    if (!s || s->state != MR_SEEN_HELD)
        return NULL;
    e = &l->ring[s->index & l->mask];
    return e->buf && mr_hash_equal(&e->hash, hash) ? e : NULL;
}

uint64_t mr_txlog_since(const struct mr_txlog *l, uint64_t now_ns, uint64_t age_ns)
{
    uint64_t low = l->tail, high = l->head;

    if (age_ns >= now_ns)
        return l->tail;
    while (low < high) { /* times never fall along the log */
        uint64_t middle = low + (high - low) / 2;

        if (mr_txlog_at(l, middle)->time_ns < now_ns - age_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void mr_txlog_copy_column(struct mr_txlog *l, uint32_t to, uint32_t from)
{
    for (uint64_t seq = l->tail; seq < l->head; seq++) {
        uint64_t *known = mr_txlog_known(l, seq);

        if (mr_bitmap_test(known, from))
            mr_bitmap_set(known, to);
    }
}

void mr_txlog_sweep_slot(struct mr_txlog *l, uint32_t slot)
{
    mr_bitmap_set(l->sweep_pending, slot);
}

/* A pass clears the columns that were freed when it began; those freed meanwhile wait for the next.
 * Only words with a freed slot are touched. Rows appended during the pass were made without bits of
 * freed slots, since nobody owns these slots. */
bool mr_txlog_sweep(struct mr_txlog *l, uint32_t entries_max)
{
    bool more = false;

    if (!l->sweeping) {
        memcpy(l->sweep_mask, l->sweep_pending, l->words * sizeof *l->sweep_mask);
        memset(l->sweep_pending, 0, l->words * sizeof *l->sweep_pending);
        l->sweeping = true;
        l->sweep_at = l->tail;
    }
    if (l->sweep_at < l->tail)
        l->sweep_at = l->tail;
    for (; l->sweep_at < l->head && entries_max > 0; l->sweep_at++, entries_max--) {
        uint64_t *known = mr_txlog_known(l, l->sweep_at);

        for (uint32_t w = 0; w < l->words; w++)
            if (l->sweep_mask[w])
                known[w] &= ~l->sweep_mask[w];
    }
    if (l->sweep_at < l->head)
        return false;
    l->sweeping = false;
    for (uint32_t w = 0; w < l->words; w++)
        more |= l->sweep_pending[w] != 0;
    return !more;
}
