/* dispatcher_state.h: the inside of a dispatcher, shared by dispatcher.c and dispatcher_turn.c and
 * nobody else. Thread: the dispatcher's. */
#pragma once
#include "core/bucket.h"
#include "core/wheel.h"
#include "shards/dispatcher.h"
#include "shards/dispatcher_addresses.h"
#include "shards/handshakes.h"
#include "shards/node_table.h"

#define MR_NO_PENDING UINT32_MAX

/* A session that a shard has. Its serial is count << SESSION_BITS | index. */
#define MR_SESSION_BITS 20
struct mr_session_record {
    uint64_t serial; /* 0: free */
    uint64_t since_ns;
    uint32_t next_free;
    uint8_t shard;
    bool counted; /* against maxpeers */
    bool inbound, active;
    struct mr_node_id id;
};

/* Pending connections in order of arrival, linked by next and previous. */
struct mr_pending_queue {
    uint32_t head, tail, count;
};

struct mr_dispatcher {
    struct mr_dispatcher_setup setup;
    const struct mr_relay_options *o;
    struct mr_time now;
    uint64_t now_ns;
    struct mr_protocol protocols[4]; /* eth/68 to 71, or the one of a policy */
    uint32_t protocols_count;
    struct mr_handshakes handshakes;
    struct mr_addresses addresses;
    struct mr_node_table nodes;
    struct mr_dial dial;
    struct mr_wheel wheel;
    struct mr_bucket budget; /* microseconds of CPU for inbound handshakes */
    uint64_t budget_burst;
    struct mr_bucket full_peeks;

    struct mr_session_record *sessions;
    uint32_t sessions_max, session_free;
    uint64_t sessions_ever;
    uint32_t sessions_count, counted, sessions_inbound, active;
    uint32_t shard_sessions[MR_SHARDS_MAX];

    struct mr_handover *handovers;
    struct mr_stack_entry *handover_free;
    struct mr_stack *home; /* on a line of its own: shards push to it */

    struct mr_pending_queue auths;  /* AUTH: wait for budget */
    struct mr_pending_queue agreed; /* AGREED: wait for a hand-over object */
    uint32_t inbound_pending;
    uint32_t room_told; /* ACCEPTED that may still come */

    bool stop_asked, stopping;
    unsigned stop_reason;
    unsigned shards_stopped;
    struct mr_dispatcher_metrics metrics;
};

static inline bool mr_dispatcher_full(const struct mr_dispatcher *d)
{
    return d->counted >= d->o->maxpeers;
}
/* Less than half of the CPU budget is used. */
static inline bool mr_dispatcher_idle(const struct mr_dispatcher *d)
{
    return mr_bucket_ready_at(&d->budget, d->budget_burst / 2) <= d->now_ns;
}

static inline struct mr_pending *mr_dispatcher_pending(struct mr_dispatcher *d, uint32_t slot)
{
    return &d->handshakes.slots[slot];
}

void mr_pending_queue_push(struct mr_dispatcher *d, struct mr_pending_queue *q,
                           struct mr_pending *p);
void mr_pending_queue_remove(struct mr_dispatcher *d, struct mr_pending_queue *q,
                             struct mr_pending *p);

/* dispatcher.c: what happens to one connection */
void mr_dispatcher_accepted(struct mr_dispatcher *d, int fd, struct mr_endpoint remote);
void mr_dispatcher_dial(struct mr_dispatcher *d, const struct mr_listed_node *node);
void mr_dispatcher_dialled(struct mr_dispatcher *d, struct mr_pending *p, int32_t result);
void mr_dispatcher_received(struct mr_dispatcher *d, struct mr_pending *p, int32_t result);
void mr_dispatcher_sent(struct mr_dispatcher *d, struct mr_pending *p, int32_t result);
void mr_dispatcher_closed(struct mr_dispatcher *d, struct mr_pending *p);
void mr_dispatcher_timer(void *dispatcher, struct mr_timer *t);
/* AGREED ones that waited for a hand-over object. */
void mr_dispatcher_retry_agreed(struct mr_dispatcher *d);
/* Ends a connection that is no session yet, saying why where that is told. */
void mr_dispatcher_end(struct mr_dispatcher *d, struct mr_pending *p, enum mr_end end);
/* Parts of these. */
void mr_dispatcher_deadline(struct mr_dispatcher *d, struct mr_pending *p, uint64_t after_ns);
void mr_dispatcher_receive(struct mr_dispatcher *d, struct mr_pending *p);
void mr_dispatcher_send(struct mr_dispatcher *d, struct mr_pending *p);
void mr_dispatcher_note_end(struct mr_dispatcher *d, struct mr_pending *p, enum mr_end end);
void mr_dispatcher_leave_queue(struct mr_dispatcher *d, struct mr_pending *p);

/* dispatcher_budget.c: opens and answers auths as far as the budget goes; when to go on, UINT64_MAX
 * if none waits. */
uint64_t mr_dispatcher_work(struct mr_dispatcher *d);

/* dispatcher_sessions.c: what the shards have */
enum mr_end mr_session_allowed(struct mr_dispatcher *d, const struct mr_pending *p);
/* AGREED, allowed, nothing in flight: counts the session, and gives it to its shard. False: no
 * hand-over object is free. */
bool mr_session_hand_over(struct mr_dispatcher *d, struct mr_pending *p);
void mr_session_mail(struct mr_dispatcher *d, const struct mr_mail *mail);
void mr_session_collect(struct mr_dispatcher *d); /* hand-over objects come home */
void mr_session_send(struct mr_dispatcher *d, unsigned shard, const struct mr_mail *mail);
