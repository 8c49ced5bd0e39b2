/* dispatcher.c: what happens to one connection until it is a session or gone. */
#include "shards/dispatcher.h"

#include "core/log.h"
#include "shards/dispatcher_state.h"

/* ---- lists ---- */

void mr_pending_queue_push(struct mr_dispatcher *d, struct mr_pending_queue *q,
                           struct mr_pending *p)
{
    MR_ASSERT(!p->queued);
    p->queued = true;
    p->next = MR_NO_PENDING;
    p->previous = q->tail;
    if (q->tail != MR_NO_PENDING)
        mr_dispatcher_pending(d, q->tail)->next = p->slot;
    else
        q->head = p->slot;
    q->tail = p->slot;
    q->count++;
}

void mr_pending_queue_remove(struct mr_dispatcher *d, struct mr_pending_queue *q,
                             struct mr_pending *p)
{
    MR_ASSERT(p->queued);
    p->queued = false;
    if (p->previous != MR_NO_PENDING)
        mr_dispatcher_pending(d, p->previous)->next = p->next;
    else
        q->head = p->next;
    if (p->next != MR_NO_PENDING)
        mr_dispatcher_pending(d, p->next)->previous = p->previous;
    else
        q->tail = p->previous;
    q->count--;
}

/* ---- operations ---- */

void mr_dispatcher_deadline(struct mr_dispatcher *d, struct mr_pending *p, uint64_t after_ns)
{
    p->deadline_ns = d->now_ns + after_ns;
    mr_timer_set(&d->wheel, &p->timer, p->deadline_ns / MR_MS + 1);
}

void mr_dispatcher_receive(struct mr_dispatcher *d, struct mr_pending *p)
{
    uint8_t *at;
    size_t n;

    MR_ASSERT(!p->receiving);
    at = mr_pending_want(p, &n);
    MR_ASSERT(n > 0);
    p->receiving = true;
    p->asked = (uint16_t)n;
    d->setup.port.receive(d->setup.port.ctx, p->slot, p->generation, at, n);
}

void mr_dispatcher_send(struct mr_dispatcher *d, struct mr_pending *p)
{
    struct mr_span out = mr_pending_out(p);

    MR_ASSERT(!p->sending);
    p->sending = true;
    d->setup.port.send(d->setup.port.ctx, p->slot, p->generation, out.p, out.n);
}

/* Closes, without another word. */
static void shut(struct mr_dispatcher *d, struct mr_pending *p)
{
    MR_ASSERT(p->state != MR_PENDING_CLOSING);
    p->state = MR_PENDING_CLOSING;
    mr_timer_cancel(&d->wheel, &p->timer);
    d->setup.port.close(d->setup.port.ctx, p->slot, p->generation);
}

/* ---- ends ---- */

static void count_end(struct mr_dispatcher *d, enum mr_end end)
{
    /* the end_ counters stand in the order of the list */
    uint64_t *all = (uint64_t *)&d->metrics;
    uint64_t *first = all + offsetof(struct mr_dispatcher_metrics, end_remote_closed) / sizeof *all;

    MR_COUNT(first[end - 1], 1);
}

static void log_end(const struct mr_pending *p, enum mr_end end)
{
    char remote[MR_ENDPOINT_TEXT_MAX];

    MR_LOG_DEBUG(
        "handshake ends", mr_log_text("why", mr_end_text(end)),
        mr_log_text("remote", mr_endpoint_text(remote, p->remote)),
        mr_log_text("direction", p->inbound ? "inbound" : "outbound"),
        mr_log_hex("id", p->id.b, p->has_id ? 16 : 0),
        mr_log_text("said", end == MR_END_DISCONNECTED ? mr_reason_name(p->heard_reason) : NULL));
}

void mr_dispatcher_leave_queue(struct mr_dispatcher *d, struct mr_pending *p)
{
    if (p->queued)
        mr_pending_queue_remove(d, p->state == MR_PENDING_AUTH ? &d->auths : &d->agreed, p);
}

/* ENDING: the Disconnect goes out as soon as nothing else is in flight. */
static void say_why(struct mr_dispatcher *d, struct mr_pending *p)
{
    if (p->sending)
        return;
    if (!mr_pending_disconnect(p, (unsigned)p->stated_reason)) {
        shut(d, p);
        return;
    }
    MR_COUNT(d->metrics.hello_disconnect_out, 1);
    mr_dispatcher_send(d, p);
}

void mr_dispatcher_note_end(struct mr_dispatcher *d, struct mr_pending *p, enum mr_end end)
{
    MR_ASSERT(p->state < MR_PENDING_ENDING);
    count_end(d, end);
    log_end(p, end);
    if (end == MR_END_DISCONNECTED)
        MR_COUNT(d->metrics.hello_disconnect_in, 1);
    mr_dispatcher_leave_queue(d, p);
    p->end = (uint8_t)end;
    if (p->stated_reason < 0)
        p->stated_reason = (int16_t)mr_end_reason(end);
}

void mr_dispatcher_end(struct mr_dispatcher *d, struct mr_pending *p, enum mr_end end)
{
    mr_dispatcher_note_end(d, p, end);
    if (p->stated_reason < 0 || !p->has_session) {
        shut(d, p);
        return;
    }
    p->state = MR_PENDING_ENDING;
    mr_dispatcher_deadline(d, p, MR_LINGER_NS);
    say_why(d, p);
}

/* What an end means for the next dial of that node. */
static enum mr_dial_outcome outcome_of(const struct mr_pending *p)
{
    switch ((enum mr_end)p->end) {
    case MR_END_DISCONNECTED:
        return mr_dial_outcome_of(p->heard_reason);
    case MR_END_NONE:
    case MR_END_REMOTE_CLOSED:
    case MR_END_BROKEN:
    case MR_END_DIAL_FAILED:
    case MR_END_LATE:
    case MR_END_LIBRARY:
    case MR_END_FULL:
    case MR_END_FULL_EARLY:
    case MR_END_SHARD_FULL:
    case MR_END_DUPLICATE:
    case MR_END_SHUTDOWN:
        return MR_DIAL_NETWORK;
    default: /* it is not who we think, or does not speak what we speak */
        return MR_DIAL_UNWANTED;
    }
}

static void put(struct mr_dispatcher *d, struct mr_pending *p)
{
    mr_timer_cancel(&d->wheel, &p->timer);
    if (p->counted_at_its_address)
        mr_addresses_leave(&d->addresses, p->remote.ip);
    if (p->inbound)
        d->inbound_pending--;
    else
        mr_dial_finished(&d->dial);
    mr_handshakes_put(&d->handshakes, p);
}

void mr_dispatcher_closed(struct mr_dispatcher *d, struct mr_pending *p)
{
    MR_ASSERT(p->state == MR_PENDING_CLOSING);
    if (!p->inbound)
        mr_dial_release(&d->dial, &p->id, outcome_of(p), 0, d->now_ns);
    put(d, p);
}

void mr_dispatcher_timer(void *dispatcher, struct mr_timer *t)
{
    struct mr_dispatcher *d = dispatcher;
    struct mr_pending *p = MR_CONTAINER(t, struct mr_pending, timer);

    if (p->state == MR_PENDING_ENDING)
        shut(d, p);
    else
        mr_dispatcher_end(d, p, MR_END_LATE);
}

/* ---- coming in ---- */

/* Many nodes may share a private address; on loopback we test. */
static bool address_is_exempt(const struct mr_dispatcher *d, uint32_t ip)
{
    if (mr_ip_is_loopback(ip))
        return !d->o->loopback_is_public;
    return mr_ip_is_lan(ip);
}

/* Whether a connection that has cost nothing yet is closed right away. */
static bool refused_early(struct mr_dispatcher *d, uint32_t ip)
{
    struct mr_dispatcher_metrics *m = &d->metrics;

    if (d->stopping) {
        MR_COUNT(m->refused_stopping, 1);
        return true;
    }
    if (d->inbound_pending >= d->o->maxpendpeers) {
        MR_COUNT(m->refused_no_slot, 1);
        return true;
    }
    if (mr_dispatcher_full(d) && d->nodes.listed_absent == 0 && !mr_dispatcher_idle(d)) {
        MR_COUNT(m->refused_full, 1);
        return true;
    }
    if (address_is_exempt(d, ip))
        return false;
    switch (mr_addresses_enter(&d->addresses, ip, d->o->per_address_pending,
                               d->o->inbound_throttle_ns, d->now_ns)) {
    case MR_ADDRESS_OK:
        return false;
    case MR_ADDRESS_PENDING:
        MR_COUNT(m->refused_address_pending, 1);
        return true;
    case MR_ADDRESS_THROTTLED:
        MR_COUNT(m->refused_address_throttle, 1);
        return true;
    }
    return true;
}

void mr_dispatcher_accepted(struct mr_dispatcher *d, int fd, struct mr_endpoint remote)
{
    struct mr_pending *p;

    if (d->room_told > 0)
        d->room_told--;
    if (refused_early(d, remote.ip)) {
        d->setup.port.refuse(d->setup.port.ctx, fd);
        return;
    }
    p = mr_handshakes_get(&d->handshakes);
    MR_ASSERT(p); /* maxpendpeers of them, and MR_DIAL_CONCURRENT for dials */
    MR_COUNT(d->metrics.accepted, 1);
    d->inbound_pending++;
    p->counted_at_its_address = !address_is_exempt(d, remote.ip);
    p->fd = fd;
    p->remote = remote;
    p->begun_ns = d->now_ns;
    d->setup.port.take(d->setup.port.ctx, p->slot, p->generation, fd);
    mr_pending_begin_inbound(&d->handshakes, p);
    mr_dispatcher_deadline(d, p, d->o->handshake_timeout_ns);
    mr_dispatcher_receive(d, p);
}

/* ---- going out ---- */

void mr_dispatcher_dial(struct mr_dispatcher *d, const struct mr_listed_node *node)
{
    struct mr_pending *p = mr_handshakes_get(&d->handshakes);

    MR_ASSERT(p);
    MR_COUNT(d->metrics.dials, 1);
    p->state = MR_PENDING_DIALLING;
    p->id = node->id;
    p->has_id = true;
    p->remote = node->at;
    p->begun_ns = d->now_ns;
    mr_dispatcher_deadline(d, p, d->o->handshake_timeout_ns);
    d->setup.port.dial(d->setup.port.ctx, p->slot, p->generation, node->at);
}

void mr_dispatcher_dialled(struct mr_dispatcher *d, struct mr_pending *p, int32_t result)
{
    enum mr_end end;

    if (p->state != MR_PENDING_DIALLING)
        return; /* given up meanwhile; the port closes it */
    if (result < 0) {
        mr_dispatcher_end(d, p, MR_END_DIAL_FAILED);
        return;
    }
    MR_COUNT(d->metrics.dials_connected, 1);
    p->fd = result;
    mr_dispatcher_deadline(d, p, d->o->handshake_timeout_ns);
    if ((end = mr_pending_begin_outbound(&d->handshakes, p))) {
        mr_dispatcher_end(d, p, end);
        return;
    }
    mr_dispatcher_send(d, p);
    mr_dispatcher_receive(d, p);
}

/* ---- on the way ---- */

static void wait_agreed(struct mr_dispatcher *d, struct mr_pending *p, uint64_t *counter)
{
    if (p->queued)
        return;
    MR_COUNT(*counter, 1);
    p->agreed_ns = d->now_ns;
    mr_pending_queue_push(d, &d->agreed, p);
}

/* AGREED, and our Hello is out. */
static void become_session(struct mr_dispatcher *d, struct mr_pending *p)
{
    enum mr_end end = mr_session_allowed(d, p);

    if (end == MR_END_DUPLICATE && (!p->queued || d->now_ns < p->agreed_ns + MR_THIRD_WAIT_NS)) {
        wait_agreed(d, p, &d->metrics.third_waits);
        return;
    }
    if (end) {
        mr_dispatcher_end(d, p, end);
        return;
    }
    if (!mr_session_hand_over(d, p)) {
        wait_agreed(d, p, &d->metrics.handover_waits);
        return;
    }
    mr_dispatcher_leave_queue(d, p);
    if (!p->inbound)
        MR_COUNT(d->metrics.handshakes_outbound, 1);
    else
        MR_COUNT(d->metrics.handshakes_inbound, 1);
    put(d, p);
}

void mr_dispatcher_retry_agreed(struct mr_dispatcher *d)
{
    uint32_t next;

    for (uint32_t i = d->agreed.head; i != MR_NO_PENDING; i = next) {
        struct mr_pending *p = mr_dispatcher_pending(d, i);

        next = p->next;
        become_session(d, p);
        if (p->queued && !d->handover_free)
            return; /* still none free */
    }
}

/* What the state reached wants next. */
static void advance(struct mr_dispatcher *d, struct mr_pending *p)
{
    enum mr_end end;

    switch ((enum mr_pending_state)p->state) {
    case MR_PENDING_PACKET:
    case MR_PENDING_HEADER:
    case MR_PENDING_HELLO:
        if (!p->receiving)
            mr_dispatcher_receive(d, p);
        return;
    case MR_PENDING_AUTH:
        mr_pending_queue_push(d, &d->auths, p);
        return;
    case MR_PENDING_ACK:
        if (p->sending)
            return; /* auth lies where the session will */
        if ((end = mr_pending_read_ack(&d->handshakes, p))) {
            mr_dispatcher_end(d, p, end);
            return;
        }
        mr_dispatcher_send(d, p);
        mr_dispatcher_receive(d, p);
        return;
    case MR_PENDING_AGREED:
        if (!p->sending)
            become_session(d, p);
        return;
    case MR_PENDING_FREE:
    case MR_PENDING_DIALLING:
    case MR_PENDING_ENDING:
    case MR_PENDING_CLOSING:
        MR_ASSERT(!"nothing advances from here");
    }
}

/* ENDING, the Disconnect is out: closing with bytes unread would reset the connection, and the
 * remote might lose our words. So it may close first, for as long as the linger lasts. */
static void drain(struct mr_dispatcher *d, struct mr_pending *p)
{
    if (p->deaf || d->inbound_pending >= d->o->maxpendpeers)
        shut(d, p);
    else if (!p->receiving)
        mr_dispatcher_receive(d, p);
}

void mr_dispatcher_received(struct mr_dispatcher *d, struct mr_pending *p, int32_t result)
{
    bool whole = result == p->asked;
    enum mr_end end;

    MR_ASSERT(p->receiving);
    MR_ASSERT(result <= p->asked);
    p->receiving = false;
    if (p->state == MR_PENDING_CLOSING)
        return;
    if (p->state == MR_PENDING_ENDING) {
        p->deaf = !whole;
        if (p->disconnected && !p->sending)
            drain(d, p);
        return;
    }
    if (!whole) {
        mr_dispatcher_end(d, p, result < 0 ? MR_END_BROKEN : MR_END_REMOTE_CLOSED);
        return;
    }
    if ((end = mr_pending_received(&d->handshakes, p)))
        mr_dispatcher_end(d, p, end);
    else
        advance(d, p);
}

void mr_dispatcher_sent(struct mr_dispatcher *d, struct mr_pending *p, int32_t result)
{
    bool whole = result >= 0 && (size_t)result == mr_pending_out(p).n;

    MR_ASSERT(p->sending);
    p->sending = false;
    if (p->state == MR_PENDING_CLOSING)
        return;
    if (p->state == MR_PENDING_ENDING) {
        if (!whole)
            shut(d, p);
        else if (p->disconnected)
            drain(d, p);
        else
            say_why(d, p);
        return;
    }
    if (!whole)
        mr_dispatcher_end(d, p, MR_END_BROKEN);
    else if (p->state == MR_PENDING_ACK || p->state == MR_PENDING_AGREED)
        advance(d, p);
}
