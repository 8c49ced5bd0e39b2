/* fetch_state.h: the inside of a table of wanted hashes, shared by fetch.c, fetch_lists.c and
 * fetch_answer.c (see fetch.h) and by nobody else. Entries and peers are named by index and slot.
 * Thread: the shard's. Memory: allocated by mr_fetch_new. */
#pragma once
#include "shards/fetch.h"

#define MR_FETCH_NONE     UINT32_MAX
#define MR_FETCH_LATE_IDS 8 /* requests that timed out: their answers are late, not unasked */
/* The last row: sources of whatever else was announced, which is not held against them. */
#define MR_FETCH_ROWS (MR_FETCH_VARIANTS + 1)

enum mr_fetch_state {
    MR_FETCH_FREE,
    MR_FETCH_WAIT,      /* sources known, none of them idle yet */
    MR_FETCH_ASKED,     /* of the peer at `slot` */
    MR_FETCH_ELSEWHERE, /* another shard asks; ours at `due_ms` */
};

struct mr_fetch_variant {
    uint32_t size;
    uint8_t type;
};

/* A hash that is wanted. In one peer's order while WAIT, in the waiting list too; in the list of
 * deadlines while ELSEWHERE. */
struct mr_fetch_entry {
    struct mr_hash hash;
    uint8_t state; /* enum mr_fetch_state */
    uint8_t variants_count;
    uint8_t owner_shard; /* ELSEWHERE */
    struct mr_fetch_variant variants[MR_FETCH_ROWS];
    uint32_t slot;                 /* WAIT: in whose order; ASKED: of whom */
    uint32_t prev, next;           /* that order; free list */
    uint32_t wait_prev, wait_next; /* waiting list, or list of deadlines */
    uint64_t due_ms;
};

struct mr_fetch_list {
    uint32_t head, tail;
};

struct mr_fetch_asker {
    bool present, busy, dangling;
    bool proven; /* has delivered what it was asked for */
    bool timed;  /* busy, and its answer has not begun */
    uint8_t late_next;
    uint32_t announced;         /* entries that name it as a source */
    struct mr_fetch_list order; /* WAIT entries that it is to be asked for */
    uint64_t late_ids[MR_FETCH_LATE_IDS];
    /* the request in flight, or the last one */
    uint64_t id, deadline_ms;
    uint32_t count, cursor, reached; /* reached: behind the last item that was delivered */
    uint32_t busy_prev, busy_next;
};

/* The request in flight; apart from struct mr_fetch_asker, so that a peer that is never asked costs
 * nothing for it: the pages are not touched. */
struct mr_fetch_asked {
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
    struct mr_fetch_entry *entries;
    uint64_t *sources; /* entries x MR_FETCH_ROWS rows of words */
    struct mr_fetch_asker *askers;
    struct mr_fetch_asked *asked; /* of each slot */
    uint32_t free_head;
    struct mr_fetch_list waiting, elsewhere, busy;
    uint64_t announced_total;
    struct mr_fetch_counters count;
};

/* The sources of one variant of entry i. */
static inline uint64_t *mr_fetch_row(const struct mr_fetch *f, uint32_t i, unsigned variant)
{
    return f->sources + ((size_t)i * MR_FETCH_ROWS + variant) * f->words;
}

/* The first 8 bytes of a hash. */
static inline uint64_t mr_fetch_print(const struct mr_hash *h)
{
    return mr_load_le64(h->b);
}

/* The entry of the k-th hash of a peer's request; MR_FETCH_NONE: delivered, or settled meanwhile.
 */
static inline uint32_t mr_fetch_owed(const struct mr_fetch *f, uint32_t slot, uint32_t k)
{
    uint32_t i = f->asked[slot].entries[k];
    const struct mr_fetch_entry *e = &f->entries[i];
    bool owed = e->state == MR_FETCH_ASKED && e->slot == slot &&
                mr_fetch_print(&e->hash) == f->asked[slot].prints[k];

    return owed ? i : MR_FETCH_NONE;
}

/* fetch_lists.c */
/* Puts an entry that is in no list behind a peer's order, and says that the peer has something to
 * be asked if it is idle. */
void mr_fetch_order_push(struct mr_fetch *f, uint32_t i, uint32_t slot);
/* Puts an entry that is in no list in front of a peer's order; the peer is busy. */
void mr_fetch_order_unshift(struct mr_fetch *f, uint32_t i, uint32_t slot);
/* Puts an entry that is in no list, and ELSEWHERE, into the list of deadlines. */
void mr_fetch_elsewhere_insert(struct mr_fetch *f, uint32_t i);
/* Takes it out of the order or list that its state put it in. */
void mr_fetch_unlink(struct mr_fetch *f, uint32_t i);
/* The peer has been sent a request, with the latest deadline of all. */
void mr_fetch_busy_append(struct mr_fetch *f, uint32_t slot);
/* No deadline any more: the answer is here, though it may have to wait for room. */
void mr_fetch_busy_untime(struct mr_fetch *f, uint32_t slot);
/* The peer may be asked again. */
void mr_fetch_busy_remove(struct mr_fetch *f, uint32_t slot);

/* fetch.c */
/* The entry of hash, or MR_FETCH_NONE. */
uint32_t mr_fetch_find(struct mr_fetch *f, const struct mr_hash *hash, uint64_t now_ms);
/* Forgets the entry, and the hash with it. sources: union of its sources, or NULL. */
void mr_fetch_entry_free(struct mr_fetch *f, uint32_t i, uint64_t *sources);
/* Its request is void: what it still owes goes to other sources. One that has said that it lacks a
 * hash is no source of it any more; one that is late remains one, though it is not asked: it has
 * announced the hash, and must not hear of it from us. */
void mr_fetch_request_end(struct mr_fetch *f, uint32_t slot, bool late);
/* A peer with nothing in its order looks for waiting entries that it announced too. */
void mr_fetch_steal(struct mr_fetch *f, uint32_t slot);
