/* dispatcher_budget.c: auths that have come wait here for CPU time: opened, judged by who they
 * claim to be, and answered, first come first served. */
#include "shards/dispatcher_state.h"

/* The oldest auth: whether it may be opened now. False: later (*at), or it was ended. */
static bool may_peek(struct mr_dispatcher *d, struct mr_pending *p, uint64_t *at)
{
    bool full = mr_dispatcher_full(d) && !mr_dispatcher_idle(d);

    *at = mr_bucket_ready_at(&d->budget, MR_HANDSHAKE_PEEK_US);
    if (full && d->nodes.listed_absent == 0) {
        *at = d->now_ns;
        mr_dispatcher_end(d, p, MR_END_FULL_EARLY);
        return false;
    }
    if (full)
        *at = MR_MAX(*at, mr_bucket_ready_at(&d->full_peeks, 1));
    if (*at > d->now_ns)
        return false;
    if (full && !mr_bucket_take(&d->full_peeks, 1, d->now_ns))
        return false;
    return mr_bucket_take(&d->budget, MR_HANDSHAKE_PEEK_US, d->now_ns);
}

/* Opened: who it claims to be is known. What to answer; or false if it is not answered at all. */
static bool judge_claim(struct mr_dispatcher *d, const struct mr_pending *p, enum mr_end *refuse)
{
    const struct mr_node_entry *e = mr_node_table_find(&d->nodes, &p->id);

    *refuse = MR_END_NONE;
    if (p->hs.remote_is_self)
        *refuse = MR_END_OWN_ID;
    else if (mr_dispatcher_full(d) && !(e && (e->is_static || e->trusted)))
        *refuse = MR_END_FULL;
    return *refuse != MR_END_FULL || mr_dispatcher_idle(d);
}

/* Sends what mr_pending_answer made: ack and our Hello, or ack and why not. */
static void answered(struct mr_dispatcher *d, struct mr_pending *p, enum mr_end refuse)
{
    MR_COUNT(d->metrics.answers, 1);
    if (refuse) {
        mr_dispatcher_note_end(d, p, refuse);
        p->state = MR_PENDING_ENDING;
        mr_dispatcher_deadline(d, p, MR_LINGER_NS);
        MR_COUNT(d->metrics.hello_disconnect_out, 1);
        mr_dispatcher_send(d, p);
        return;
    }
    mr_dispatcher_send(d, p);
    mr_dispatcher_receive(d, p);
}

/* The oldest auth goes one step on: opened, or answered. False: not before *at. */
static bool work_step(struct mr_dispatcher *d, struct mr_pending *p, uint64_t *at)
{
    enum mr_end end, refuse;

    if (p->hs.phase != MR_RLPX_HANDSHAKE_PEEKED) {
        if (!may_peek(d, p, at))
            return p->state != MR_PENDING_AUTH;
        MR_COUNT(d->metrics.peeks, 1);
        if ((end = mr_pending_peek(p)))
            mr_dispatcher_end(d, p, end);
        return true;
    }
    if (!judge_claim(d, p, &refuse)) {
        mr_dispatcher_end(d, p, MR_END_FULL_EARLY);
        return true;
    }
    if (!mr_bucket_take(&d->budget, MR_HANDSHAKE_ANSWER_US, d->now_ns)) {
        *at = mr_bucket_ready_at(&d->budget, MR_HANDSHAKE_ANSWER_US);
        return false;
    }
    mr_dispatcher_leave_queue(d, p);
    if ((end = mr_pending_answer(&d->handshakes, p, refuse)))
        mr_dispatcher_end(d, p, end);
    else
        answered(d, p, refuse);
    return true;
}

uint64_t mr_dispatcher_work(struct mr_dispatcher *d)
{
    for (unsigned steps = 0; d->auths.head != MR_NO_PENDING; steps++) {
        struct mr_pending *p = mr_dispatcher_pending(d, d->auths.head);
        uint64_t at = d->now_ns;

        if (steps == MR_DISPATCHER_CURVE_STEPS)
            return d->now_ns;
        if (!work_step(d, p, &at)) {
            if (!p->waited)
                MR_COUNT(d->metrics.budget_waits, 1);
            p->waited = true;
            return MR_MAX(at, d->now_ns + 1);
        }
    }
    return UINT64_MAX;
}
