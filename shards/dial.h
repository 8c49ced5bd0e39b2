/* dial.h: which of the listed nodes (--static, --trusted) to dial, and when.
 * Never one node sooner than redial_ns after the last time; none that has a session or is being
 * dialled (those are held); at most MR_DIAL_CONCURRENT at once and MR_DIAL_PER_SECOND a second;
 * after a failure the pause grows, by why it failed, and all pauses carry jitter, so that a network
 * that heals is not hit by everybody at the same moment (attack C-07).
 * Pure: times are arguments, randomness comes from its seed. Thread: the dispatcher's.
 * Memory: at init. */
#pragma once
#include "core/bucket.h"
#include "core/clock.h"
#include "core/endpoint.h"
#include "core/map.h"
#include "core/random.h"

#define MR_LISTED_MAX      1024 /* static and trusted nodes together */
#define MR_DIAL_CONCURRENT 16
#define MR_DIAL_PER_SECOND 50
#define MR_DIAL_LASTED_NS  (60 * MR_SECOND) /* a session this long clears the past */

struct mr_listed_node {
    struct mr_node_id id;
    struct mr_endpoint at; /* port 0: listed, but not dialled */
    bool is_static, trusted;
};

/* How a connection with a listed node ended, whoever began it. */
enum mr_dial_outcome {
    MR_DIAL_NETWORK,  /* not reached, broken, silent: redial_ns, doubling up to 10 minutes */
    MR_DIAL_BUSY,     /* too many peers: 1 minute, doubling up to 10 */
    MR_DIAL_UNWANTED, /* useless, incompatible, other network, wrong identity: 10 minutes */
};

struct mr_dial_entry {
    struct mr_listed_node node;
    bool listed; /* false: only remembered so that it is not dialled too soon if listed again */
    bool dialled_ever;
    uint32_t holds;
    uint32_t failures; /* in a row */
    uint64_t dialled_ns, next_ns;
};

struct mr_dial {
    struct mr_node_id self;
    uint64_t redial_ns;
    uint64_t due_ns; /* before it there is nobody to dial; 0: to be looked for */
    uint32_t count, capacity, cursor;
    uint32_t dialling; /* dials under way */
    struct mr_dial_entry *entries;
    struct mr_map by_id;
    struct mr_bucket rate;
    struct mr_random random;
};

/* self is never dialled, whoever lists it. MR_OK or MR_SYSTEM (no memory). */
enum mr_err mr_dial_init(struct mr_dial *d, const struct mr_node_id *self, uint64_t redial_ns,
                         const uint64_t key[2], uint64_t seed, uint64_t now_ns);
void mr_dial_fini(struct mr_dial *d);

/* Replaces the list. Nodes that stay keep their past; all holds are dropped: the caller holds again
 * what exists. One id twice is one node, static or trusted if either says so. MR_FULL: more than
 * MR_LISTED_MAX, those behind are left out. */
enum mr_err mr_dial_set(struct mr_dial *d, const struct mr_listed_node *nodes, size_t n,
                        uint64_t now_ns);
/* The entry of a node that is listed, or NULL. */
const struct mr_listed_node *mr_dial_find(struct mr_dial *d, const struct mr_node_id *id);

/* A node to dial now: it is held from here on, and the dial counts as under way until
 * mr_dial_finished. False: none now. */
bool mr_dial_next(struct mr_dial *d, struct mr_listed_node *out, uint64_t now_ns);
/* A dial given by mr_dial_next is over: it became a session (its hold stays) or not. */
void mr_dial_finished(struct mr_dial *d);
/* A session with this node exists: it is not dialled. (A handshake that it begins holds nothing:
 * until it is a session anybody could claim to be that node, and keep us from dialling it.) Unknown
 * nodes are ignored. */
void mr_dial_hold(struct mr_dial *d, const struct mr_node_id *id);
/* One of them ended, for this reason; session_ns: how long it was a session, 0 if never. */
void mr_dial_release(struct mr_dial *d, const struct mr_node_id *id, enum mr_dial_outcome outcome,
                     uint64_t session_ns, uint64_t now_ns);
/* When to ask mr_dial_next again, at the latest; UINT64_MAX: when something changes. */
uint64_t mr_dial_next_ns(const struct mr_dial *d);

/* What a received Disconnect (enum mr_reason) means for the next dial. */
enum mr_dial_outcome mr_dial_outcome_of(unsigned reason);
