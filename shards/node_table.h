/* node_table.h: the nodes that have a session or are listed: how many sessions, on which terms.
 * The dispatcher's one truth about identities: two sessions of one identity at most, and who is
 * exempt from --maxpeers. Thread: the dispatcher's. Memory: at init. */
#pragma once
#include "core/map.h"

#define MR_NODE_SESSIONS_MAX 2 /* the shard's two-session rule decides between them */

struct mr_node_entry {
    struct mr_node_id id;
    uint8_t sessions;
    bool is_static, trusted;
    uint32_t next_free;
};

struct mr_node_table {
    struct mr_map by_id;
    struct mr_node_entry *entries;
    uint32_t capacity, free_head;
    uint32_t listed, listed_absent; /* nodes static or trusted; of these, without a session */
};

/* Room for sessions_max sessions of different nodes and listed_max listed ones.
 * MR_OK or MR_SYSTEM. */
enum mr_err mr_node_table_init(struct mr_node_table *t, uint32_t sessions_max, uint32_t listed_max,
                               const uint64_t key[2]);
void mr_node_table_fini(struct mr_node_table *t);
/* NULL: neither listed nor connected. Valid until the table changes. */
const struct mr_node_entry *mr_node_table_find(struct mr_node_table *t,
                                               const struct mr_node_id *id);
/* One session more or less. More than MR_NODE_SESSIONS_MAX, or less than none, is asserted. */
void mr_node_table_add(struct mr_node_table *t, const struct mr_node_id *id);
void mr_node_table_remove(struct mr_node_table *t, const struct mr_node_id *id);
/* Forgets who was listed, then lists one at a time. */
void mr_node_table_unlist(struct mr_node_table *t);
void mr_node_table_list(struct mr_node_table *t, const struct mr_node_id *id, bool is_static,
                        bool trusted);
