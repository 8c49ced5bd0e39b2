/* fetch_lists.c: the lists that entries and peers are in: a peer's order with the waiting list, the
 * deadlines of what other shards ask, the deadlines of our requests. */
#include "shards/fetch_state.h"

/* ---- of entries ---- */

static void wait_append(struct mr_fetch *f, struct mr_fetch_list *l, uint32_t i)
{
    struct mr_fetch_entry *e = &f->entries[i];

    e->wait_prev = l->tail;
    e->wait_next = MR_FETCH_NONE;
    if (l->tail == MR_FETCH_NONE)
        l->head = i;
    else
        f->entries[l->tail].wait_next = i;
    l->tail = i;
}

static void wait_remove(struct mr_fetch *f, struct mr_fetch_list *l, uint32_t i)
{
    struct mr_fetch_entry *e = &f->entries[i];

    if (e->wait_prev == MR_FETCH_NONE)
        l->head = e->wait_next;
    else
        f->entries[e->wait_prev].wait_next = e->wait_next;
    if (e->wait_next == MR_FETCH_NONE)
        l->tail = e->wait_prev;
    else
        f->entries[e->wait_next].wait_prev = e->wait_prev;
}

/* Deadlines differ by the distance between shards only: nearly in order of arrival. */
void mr_fetch_elsewhere_insert(struct mr_fetch *f, uint32_t i)
{
    struct mr_fetch_list *l = &f->elsewhere;
    uint32_t before = l->tail;
    struct mr_fetch_entry *e = &f->entries[i];

    while (before != MR_FETCH_NONE && f->entries[before].due_ms > e->due_ms)
        before = f->entries[before].wait_prev;
    e->wait_prev = before;
    e->wait_next = before == MR_FETCH_NONE ? l->head : f->entries[before].wait_next;
    if (before == MR_FETCH_NONE)
        l->head = i;
    else
        f->entries[before].wait_next = i;
    if (e->wait_next == MR_FETCH_NONE)
        l->tail = i;
    else
        f->entries[e->wait_next].wait_prev = i;
}

void mr_fetch_order_push(struct mr_fetch *f, uint32_t i, uint32_t slot)
{
    struct mr_fetch_entry *e = &f->entries[i];
    struct mr_fetch_list *l = &f->askers[slot].order;

    e->state = MR_FETCH_WAIT;
    e->slot = slot;
    e->prev = l->tail;
    e->next = MR_FETCH_NONE;
    if (l->tail == MR_FETCH_NONE)
        l->head = i;
    else
        f->entries[l->tail].next = i;
    l->tail = i;
    wait_append(f, &f->waiting, i);
    if (!f->askers[slot].busy && !f->askers[slot].dangling)
        f->hooks.ready(f->hooks.ctx, slot);
}

void mr_fetch_order_unshift(struct mr_fetch *f, uint32_t i, uint32_t slot)
{
    struct mr_fetch_entry *e = &f->entries[i];
    struct mr_fetch_list *l = &f->askers[slot].order;

    e->state = MR_FETCH_WAIT;
    e->slot = slot;
    e->prev = MR_FETCH_NONE;
    e->next = l->head;
    if (l->head == MR_FETCH_NONE)
        l->tail = i;
    else
        f->entries[l->head].prev = i;
    l->head = i;
    wait_append(f, &f->waiting, i);
}

void mr_fetch_unlink(struct mr_fetch *f, uint32_t i)
{
    struct mr_fetch_entry *e = &f->entries[i];

    if (e->state == MR_FETCH_WAIT) {
        struct mr_fetch_list *l = &f->askers[e->slot].order;

        if (e->prev == MR_FETCH_NONE)
            l->head = e->next;
        else
            f->entries[e->prev].next = e->next;
        if (e->next == MR_FETCH_NONE)
            l->tail = e->prev;
        else
            f->entries[e->next].prev = e->prev;
        wait_remove(f, &f->waiting, i);
    } else if (e->state == MR_FETCH_ELSEWHERE) {
        wait_remove(f, &f->elsewhere, i);
    }
}

/* ---- of peers ---- */

void mr_fetch_busy_append(struct mr_fetch *f, uint32_t slot)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    a->busy = a->timed = true;
    a->busy_prev = f->busy.tail;
    a->busy_next = MR_FETCH_NONE;
    if (f->busy.tail == MR_FETCH_NONE)
        f->busy.head = slot;
    else
        f->askers[f->busy.tail].busy_next = slot;
    f->busy.tail = slot;
}

void mr_fetch_busy_untime(struct mr_fetch *f, uint32_t slot)
{
    struct mr_fetch_asker *a = &f->askers[slot];

    if (!a->timed)
        return;
    a->timed = false;
    if (a->busy_prev == MR_FETCH_NONE)
        f->busy.head = a->busy_next;
    else
        f->askers[a->busy_prev].busy_next = a->busy_next;
    if (a->busy_next == MR_FETCH_NONE)
        f->busy.tail = a->busy_prev;
    else
        f->askers[a->busy_next].busy_prev = a->busy_prev;
}

void mr_fetch_busy_remove(struct mr_fetch *f, uint32_t slot)
{
    mr_fetch_busy_untime(f, slot);
    f->askers[slot].busy = false;
}
