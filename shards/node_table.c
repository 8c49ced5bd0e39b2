#include "shards/node_table.h"

#include <stdlib.h>

#define NONE UINT32_MAX

enum mr_err mr_node_table_init(struct mr_node_table *t, uint32_t sessions_max, uint32_t listed_max,
                               const uint64_t key[2])
{
    memset(t, 0, sizeof *t);
    t->capacity = sessions_max + listed_max;
    t->free_head = NONE;
    t->entries = calloc(t->capacity, sizeof *t->entries);
    if (!t->entries || mr_map_init(&t->by_id, t->capacity, sizeof(struct mr_node_id), key)) {
        free(t->entries);
        memset(t, 0, sizeof *t);
        return MR_SYSTEM;
    }
    for (uint32_t i = t->capacity; i-- > 0;) {
        t->entries[i].next_free = t->free_head;
        t->free_head = i;
    }
    return MR_OK;
}

void mr_node_table_fini(struct mr_node_table *t)
{
    if (t->entries)
        mr_map_fini(&t->by_id);
    free(t->entries);
    memset(t, 0, sizeof *t);
}

static struct mr_node_entry *find(struct mr_node_table *t, const struct mr_node_id *id)
{
    uint32_t i;

    return mr_map_find(&t->by_id, &i, id->b) ? &t->entries[i] : NULL;
}

const struct mr_node_entry *mr_node_table_find(struct mr_node_table *t, const struct mr_node_id *id)
{
    return find(t, id);
}

static struct mr_node_entry *find_or_make(struct mr_node_table *t, const struct mr_node_id *id)
{
    struct mr_node_entry *e = find(t, id);
    uint32_t i = t->free_head;
    enum mr_err err;

    if (e)
        return e;
    MR_ASSERT(t->entries);
    MR_ASSERT(i != NONE); /* sessions and listed nodes are bounded by the caller */
    e = &t->entries[i];
    t->free_head = e->next_free;
    *e = (struct mr_node_entry){.id = *id, .next_free = NONE};
    err = mr_map_put(&t->by_id, id->b, i);
    MR_ASSERT(err == MR_OK);
    return e;
}

static bool is_listed(const struct mr_node_entry *e)
{
    return e->is_static || e->trusted;
}

static void drop_if_unused(struct mr_node_table *t, struct mr_node_entry *e)
{
    bool known;

    if (e->sessions > 0 || is_listed(e))
        return;
    known = mr_map_remove(&t->by_id, e->id.b);
    MR_ASSERT(known);
    e->next_free = t->free_head;
    t->free_head = (uint32_t)(e - t->entries);
}

void mr_node_table_add(struct mr_node_table *t, const struct mr_node_id *id)
{
    struct mr_node_entry *e = find_or_make(t, id);

    MR_ASSERT(e->sessions < MR_NODE_SESSIONS_MAX);
    if (e->sessions++ == 0 && is_listed(e))
        t->listed_absent--;
}

void mr_node_table_remove(struct mr_node_table *t, const struct mr_node_id *id)
{
    struct mr_node_entry *e = find(t, id);

    MR_ASSERT(e);
    MR_ASSERT(e->sessions > 0);
    if (--e->sessions == 0 && is_listed(e))
        t->listed_absent++;
    drop_if_unused(t, e);
}

void mr_node_table_unlist(struct mr_node_table *t)
{
    for (uint32_t i = 0; t->listed > 0 && i < t->capacity; i++) {
        struct mr_node_entry *e = &t->entries[i];

        if (!is_listed(e))
            continue;
        e->is_static = e->trusted = false;
        t->listed--;
        drop_if_unused(t, e);
    }
    t->listed_absent = 0;
}

void mr_node_table_list(struct mr_node_table *t, const struct mr_node_id *id, bool is_static,
                        bool trusted)
{
    struct mr_node_entry *e = find_or_make(t, id);

    MR_ASSERT(is_static || trusted);
    if (!is_listed(e)) {
        t->listed++;
        if (e->sessions == 0)
            t->listed_absent++;
    }
    e->is_static |= is_static;
    e->trusted |= trusted;
}
