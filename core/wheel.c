#include "core/wheel.h"

#define GROUP_BITS 6u
#define ON_DUE     UINT32_MAX /* mr_timer.slot of a timer on the due list */

static void list_init(struct mr_timer_link *head)
{
    head->next = head->prev = head;
}

static bool list_empty(const struct mr_timer_link *head)
{
    return head->next == head;
}

static void list_append(struct mr_timer_link *head, struct mr_timer_link *l)
{
    l->next = head;
    l->prev = head->prev;
    head->prev->next = l;
    head->prev = l;
}

static struct mr_timer *list_first(struct mr_timer_link *head)
{
    return MR_CONTAINER(head->next, struct mr_timer, link);
}

/* Takes t off its list, and clears the slot's bit with the last one. */
static void detach(struct mr_wheel *w, struct mr_timer *t)
{
    t->link.prev->next = t->link.next;
    t->link.next->prev = t->link.prev;
    t->link = (struct mr_timer_link){0};
    if (t->slot != ON_DUE) {
        uint32_t level = t->slot / 64, index = t->slot % 64;

        if (list_empty(&w->slots[level][index]))
            w->used[level] &= ~(UINT64_C(1) << index);
    }
}

static void attach(struct mr_wheel *w, struct mr_timer *t)
{
    uint32_t level = 0, index = w->now_ms & 63; /* what is past fires with the current slot */

    if (t->due_ms > w->now_ms) {
        level = (63 - (uint32_t)__builtin_clzll(t->due_ms ^ w->now_ms)) / GROUP_BITS;
        index = t->due_ms >> (level * GROUP_BITS) & 63;
    }
    t->slot = level * 64 + index;
    w->used[level] |= UINT64_C(1) << index;
    list_append(&w->slots[level][index], &t->link);
}

/* The slot that comes first, and the time at which it begins. False without timers. */
static bool first_slot(const struct mr_wheel *w, uint32_t *level, uint32_t *index,
                       uint64_t *begin_ms)
{
    for (uint32_t l = 0; l < MR_WHEEL_LEVELS; l++) {
        uint32_t shift = l * GROUP_BITS;
        uint64_t above;

        if (!w->used[l])
            continue;
        /* Above this level's group all its timers agree with the wheel's time. */
        above = shift + GROUP_BITS < 64 ? w->now_ms >> (shift + GROUP_BITS) : 0;
        *level = l;
        *index = (uint32_t)__builtin_ctzll(w->used[l]);
        *begin_ms = (above << GROUP_BITS | *index) << shift;
        return true;
    }
    return false;
}

void mr_wheel_init(struct mr_wheel *w, uint64_t now_ms)
{
    *w = (struct mr_wheel){.now_ms = now_ms};
    for (size_t l = 0; l < MR_WHEEL_LEVELS; l++)
        for (size_t i = 0; i < 64; i++)
            list_init(&w->slots[l][i]);
    list_init(&w->due);
}

void mr_timer_set(struct mr_wheel *w, struct mr_timer *t, uint64_t due_ms)
{
    if (mr_timer_armed(t))
        detach(w, t);
    else
        w->armed_count++;
    t->due_ms = due_ms;
    attach(w, t);
}

void mr_timer_cancel(struct mr_wheel *w, struct mr_timer *t)
{
    if (!mr_timer_armed(t))
        return;
    detach(w, t);
    w->armed_count--;
}

/* Moves the time to now_ms; every timer due by then ends on the due list, in order. */
static void collect(struct mr_wheel *w, uint64_t now_ms)
{
    uint32_t level, index;
    uint64_t begin_ms;

    while (first_slot(w, &level, &index, &begin_ms) && begin_ms <= now_ms) {
        struct mr_timer_link *head = &w->slots[level][index];

        w->now_ms = begin_ms;
        while (!list_empty(head)) {
            struct mr_timer *t = list_first(head);

            detach(w, t);
            if (level == 0) {
                t->slot = ON_DUE;
                list_append(&w->due, &t->link);
            } else {
                attach(w, t); /* on a lower level now */
            }
        }
    }
    w->now_ms = now_ms;
}

void mr_wheel_advance(struct mr_wheel *w, uint64_t now_ms, mr_timer_fn *fn, void *ctx)
{
    MR_ASSERT(!w->advancing);
    w->advancing = true;
    collect(w, MR_MAX(now_ms, w->now_ms));
    /* Only now the calls: whatever they do, this loop ends, because nothing else joins the due
     * list. */
    while (!list_empty(&w->due)) {
        struct mr_timer *t = list_first(&w->due);

        detach(w, t);
        w->armed_count--;
        fn(ctx, t);
    }
    w->advancing = false;
}

uint64_t mr_wheel_next_ms(const struct mr_wheel *w)
{
    uint32_t level, index;
    uint64_t begin_ms;

    if (!list_empty(&w->due))
        return w->now_ms;
    return first_slot(w, &level, &index, &begin_ms) ? begin_ms : UINT64_MAX;
}
