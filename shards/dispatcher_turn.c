/* dispatcher_turn.c: a dispatcher's making, and its turn. */
#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"
#include "crypto/ct.h"
#include "shards/dispatcher_state.h"

MR_METRICS_DEFINE(mr_dispatcher_metrics, MR_DISPATCHER_METRICS)

#define NONE UINT32_MAX
/* On their way to shards at once. A shard copies one within its next turn; when all are under way
 * the next session waits for as long. */
#define HANDOVERS_MAX 256

/* ---- making one ---- */

uint32_t mr_dispatcher_slots(const struct mr_relay_options *o)
{
    return o->maxpendpeers + MR_DIAL_CONCURRENT;
}

/* Sessions that count, and two of every listed node. */
static uint32_t sessions_max(const struct mr_relay_options *o)
{
    return o->maxpeers + MR_NODE_SESSIONS_MAX * MR_LISTED_MAX;
}

static uint32_t handovers_max(const struct mr_relay_options *o)
{
    return MR_MIN(o->maxpendpeers, (uint32_t)HANDOVERS_MAX);
}

uint32_t mr_dispatcher_sure_slots(const struct mr_relay_options *o)
{
    /* from a shard: ACTIVE and CLOSED of every session that it can have, and STOPPED; to it: as
     * many ADOPT as there are objects, and STOP */
    return MR_MAX(2 * mr_relay_slots(o) + 1, handovers_max(o) + 1);
}

static void protocols_fill(struct mr_dispatcher *d)
{
    if (d->setup.protocol) {
        d->protocols[d->protocols_count++] = *d->setup.protocol;
        return;
    }
    for (unsigned i = 0; i < MR_COUNT_OF(d->protocols); i++) {
        const struct mr_protocol *eth = mr_protocol_find("eth", 68 + i);

        MR_ASSERT(eth);
        d->protocols[d->protocols_count++] = *eth;
    }
}

static bool parts_new(struct mr_dispatcher *d)
{
    const struct mr_relay_options *o = d->o;
    const struct mr_dispatcher_setup *s = &d->setup;
    struct mr_handshakes_setup handshakes = {.secp = s->secp,
                                             .self = s->self,
                                             .entropy = s->entropy,
                                             .entropy_ctx = s->entropy_ctx,
                                             .client = s->client,
                                             .listen_port = s->listen_port,
                                             .protocols = d->protocols,
                                             .protocols_n = d->protocols_count};
    uint32_t slots = mr_dispatcher_slots(o), handovers = handovers_max(o);
    uint64_t seeds[3];

    s->entropy(s->entropy_ctx, seeds, sizeof seeds); /* a table key, and a seed for jitter */
    if (mr_handshakes_init(&d->handshakes, &handshakes, slots) ||
        mr_addresses_init(&d->addresses, MR_MAX(4 * slots, 1024u), seeds) ||
        mr_node_table_init(&d->nodes, d->sessions_max, MR_LISTED_MAX, seeds) ||
        mr_dial_init(&d->dial, &s->self->pub, o->redial_ns, seeds, seeds[2], d->now_ns) ||
        !(d->sessions = calloc(d->sessions_max, sizeof *d->sessions)) ||
        !(d->handovers = calloc(handovers, sizeof *d->handovers)) ||
        !(d->home = aligned_alloc(MR_CACHELINE, sizeof *d->home)))
        return false;
    memset(d->home, 0, sizeof *d->home);
    d->session_free = NONE;
    for (uint32_t i = d->sessions_max; i-- > 0;) {
        d->sessions[i].next_free = d->session_free;
        d->session_free = i;
    }
    for (uint32_t i = 0; i < handovers; i++) {
        d->handovers[i].entry.next = d->handover_free;
        d->handover_free = &d->handovers[i].entry;
    }
    return true;
}

struct mr_dispatcher *mr_dispatcher_new(const struct mr_dispatcher_setup *setup, char *why,
                                        size_t why_cap)
{
    struct mr_dispatcher *d = calloc(1, sizeof *d);
    uint64_t rate = (uint64_t)setup->options->handshake_budget_percent * 10000; /* us a second */

    if (!d) {
        snprintf(why, why_cap, "no memory for the dispatcher");
        return NULL;
    }
    d->setup = *setup;
    d->o = setup->options;
    d->now = setup->now;
    d->now_ns = setup->now.mono_ns;
    d->sessions_max = sessions_max(d->o);
    MR_ASSERT(d->sessions_max < UINT32_C(1) << MR_SESSION_BITS);
    d->auths.head = d->auths.tail = d->agreed.head = d->agreed.tail = MR_NO_PENDING;
    d->budget_burst = rate; /* a second's worth */
    mr_bucket_init(&d->budget, rate, d->budget_burst, d->now_ns);
    mr_bucket_init(&d->full_peeks, MR_FULL_PEEKS_PER_SECOND, MR_FULL_PEEKS_PER_SECOND, d->now_ns);
    mr_wheel_init(&d->wheel, d->now_ns / MR_MS);
    protocols_fill(d);
    if (!parts_new(d)) {
        snprintf(why, why_cap,
                 "no memory for the dispatcher's tables: lower --maxpeers or --maxpendpeers");
        mr_dispatcher_free(d);
        return NULL;
    }
    MR_PEAK(d->metrics.pending_slot_bytes, sizeof(struct mr_pending));
    return d;
}

void mr_dispatcher_free(struct mr_dispatcher *d)
{
    if (!d)
        return;
    for (uint32_t i = 0; d->handovers && i < handovers_max(d->o); i++)
        mr_wipe(&d->handovers[i].session, sizeof d->handovers[i].session);
    mr_handshakes_fini(&d->handshakes);
    mr_addresses_fini(&d->addresses);
    mr_node_table_fini(&d->nodes);
    mr_dial_fini(&d->dial);
    free(d->sessions);
    free(d->handovers);
    free(d->home);
    free(d);
}

/* ---- between turns ---- */

enum mr_err mr_dispatcher_set_nodes(struct mr_dispatcher *d, const struct mr_listed_node *nodes,
                                    size_t n, struct mr_time now)
{
    enum mr_err e = mr_dial_set(&d->dial, nodes, n, now.mono_ns);

    mr_node_table_unlist(&d->nodes);
    for (size_t i = 0; i < n && i < MR_LISTED_MAX; i++)
        if ((nodes[i].is_static || nodes[i].trusted) && mr_dial_find(&d->dial, &nodes[i].id))
            mr_node_table_list(&d->nodes, &nodes[i].id, nodes[i].is_static, nodes[i].trusted);
    for (uint32_t i = 0; i < d->sessions_max; i++)
        if (d->sessions[i].serial)
            mr_dial_hold(&d->dial, &d->sessions[i].id);
    for (uint32_t i = 0; i < d->handshakes.capacity; i++) {
        const struct mr_pending *p = &d->handshakes.slots[i];

        if (p->state != MR_PENDING_FREE && !p->inbound)
            mr_dial_hold(&d->dial, &p->id);
    }
    return e;
}

void mr_dispatcher_stop(struct mr_dispatcher *d, unsigned reason)
{
    MR_ASSERT(reason <= 0xff);
    if (!d->stopping)
        d->stop_reason = reason;
    d->stop_asked = true;
}

bool mr_dispatcher_stopped(const struct mr_dispatcher *d)
{
    return d->stopping && d->handshakes.count == 0 &&
           d->shards_stopped == mr_mesh_shards(d->setup.mesh);
}

/* ---- the turn ---- */

static void begin_stop(struct mr_dispatcher *d)
{
    struct mr_mail stop = {.kind = MR_MAIL_STOP, .a = d->stop_reason};

    d->stopping = true;
    for (unsigned i = 0; i < mr_mesh_shards(d->setup.mesh); i++)
        mr_session_send(d, i, &stop);
    for (uint32_t i = 0; i < d->handshakes.capacity; i++) {
        struct mr_pending *p = &d->handshakes.slots[i];

        if (p->state == MR_PENDING_FREE || p->state >= MR_PENDING_ENDING)
            continue;
        p->stated_reason = (int16_t)d->stop_reason;
        mr_dispatcher_end(d, p, MR_END_SHUTDOWN);
    }
}

static void take_event(struct mr_dispatcher *d, const struct mr_dispatcher_event *e)
{
    struct mr_pending *p;

    if (e->kind == MR_DISPATCHER_ACCEPTED) {
        mr_dispatcher_accepted(d, e->result, e->remote);
        return;
    }
    MR_ASSERT(e->slot < d->handshakes.capacity);
    p = &d->handshakes.slots[e->slot];
    if (p->state == MR_PENDING_FREE || p->generation != e->generation)
        return; /* of an earlier user of the slot */
    switch (e->kind) {
    case MR_DISPATCHER_DIALLED:
        mr_dispatcher_dialled(d, p, e->result);
        return;
    case MR_DISPATCHER_RECEIVED:
        mr_dispatcher_received(d, p, e->result);
        return;
    case MR_DISPATCHER_SENT:
        mr_dispatcher_sent(d, p, e->result);
        return;
    case MR_DISPATCHER_CLOSED:
        mr_dispatcher_closed(d, p);
        return;
    case MR_DISPATCHER_ACCEPTED:
        return;
    }
}

static void dial_turn(struct mr_dispatcher *d)
{
    struct mr_listed_node node;

    while (!d->stopping && mr_dial_next(&d->dial, &node, d->now_ns))
        mr_dispatcher_dial(d, &node);
}

/* How many connections the port may give us until the next turn. */
static void tell_room(struct mr_dispatcher *d)
{
    uint32_t left = d->o->maxpendpeers - d->inbound_pending;
    uint32_t room = d->stopping ? 0 : MR_MIN(left, (uint32_t)MR_DISPATCHER_ACCEPTS);

    if (room == d->room_told)
        return;
    if (room == 0 && !d->stopping)
        MR_COUNT(d->metrics.accept_paused, 1);
    d->room_told = room;
    d->setup.port.accept(d->setup.port.ctx, room);
}

static void publish_gauges(struct mr_dispatcher *d)
{
    struct mr_dispatcher_metrics *m = &d->metrics;

    MR_COUNT(m->dispatcher_turns, 1);
    MR_GAUGE_SET(m->address_evicted, d->addresses.evicted);
    MR_GAUGE_SET(m->pending, d->handshakes.count);
    MR_GAUGE_SET(m->pending_inbound, d->inbound_pending);
    MR_PEAK(m->pending_peak, d->handshakes.count);
    MR_GAUGE_SET(m->budget_waiting, d->auths.count);
    MR_GAUGE_SET(m->sessions, d->sessions_count);
    MR_GAUGE_SET(m->sessions_counted, d->counted);
    MR_GAUGE_SET(m->sessions_inbound, d->sessions_inbound);
    MR_GAUGE_SET(m->sessions_active, d->active);
    MR_GAUGE_SET(m->listed_nodes, d->nodes.listed);
    MR_GAUGE_SET(m->listed_absent, d->nodes.listed_absent);
}

static uint64_t next_turn(const struct mr_dispatcher *d, uint64_t work_at)
{
    uint64_t at = MR_MIN(work_at, d->now_ns + MR_SECOND);
    uint64_t timer_ms = mr_wheel_next_ms(&d->wheel);

    if (timer_ms < at / MR_MS)
        at = timer_ms * MR_MS;
    if (d->agreed.count > 0) /* hand-over objects come back without a word */
        at = MR_MIN(at, d->now_ns + MR_MS);
    if (!d->stopping)
        at = MR_MIN(at, mr_dial_next_ns(&d->dial));
    return at;
}

uint64_t mr_dispatcher_turn(struct mr_dispatcher *d, struct mr_time now,
                            const struct mr_dispatcher_event *events, size_t n)
{
    struct mr_mail mail;
    uint64_t work_at;

    d->now = now;
    d->now_ns = now.mono_ns;
    mr_session_collect(d);
    while (mr_mail_take(d->setup.mesh, mr_mesh_dispatcher(mr_mesh_shards(d->setup.mesh)), &mail))
        mr_session_mail(d, &mail);
    if (d->stop_asked && !d->stopping)
        begin_stop(d);
    for (size_t i = 0; i < n; i++)
        take_event(d, &events[i]);
    mr_wheel_advance(&d->wheel, d->now_ns / MR_MS, mr_dispatcher_timer, d);
    mr_dispatcher_retry_agreed(d);
    work_at = mr_dispatcher_work(d);
    dial_turn(d);
    tell_room(d);
    publish_gauges(d);
    return next_turn(d, work_at);
}

const struct mr_dispatcher_metrics *mr_dispatcher_metrics(const struct mr_dispatcher *d)
{
    return &d->metrics;
}

void mr_dispatcher_counts(const struct mr_dispatcher *d, struct mr_dispatcher_counts *out)
{
    const struct mr_dispatcher_metrics *m = &d->metrics;

    out->sessions = (uint32_t)MR_METRIC_GET(m->sessions);
    out->counted = (uint32_t)MR_METRIC_GET(m->sessions_counted);
    out->inbound = (uint32_t)MR_METRIC_GET(m->sessions_inbound);
    out->active = (uint32_t)MR_METRIC_GET(m->sessions_active);
    out->pending = (uint32_t)MR_METRIC_GET(m->pending);
    out->listed = (uint32_t)MR_METRIC_GET(m->listed_nodes);
    out->listed_absent = (uint32_t)MR_METRIC_GET(m->listed_absent);
}
