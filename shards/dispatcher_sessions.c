/* dispatcher_sessions.c: the books of what shards have: who may become a session, and that a count
 * rises before the hand-over and falls when the shard says that it is gone. */
#include "core/log.h"
#include "core/siphash.h"
#include "shards/dispatcher_state.h"

#define NONE         UINT32_MAX
#define SESSION_MASK ((UINT64_C(1) << MR_SESSION_BITS) - 1)

unsigned mr_dispatcher_shard_of(const uint64_t boot_key[2], const struct mr_node_id *id,
                                unsigned shards)
{
    return (unsigned)(mr_siphash(boot_key, id->b, sizeof id->b) % shards);
}

static unsigned shard_of(const struct mr_dispatcher *d, const struct mr_node_id *id)
{
    return mr_dispatcher_shard_of(d->setup.boot_key, id, mr_mesh_shards(d->setup.mesh));
}

static bool is_exempt(const struct mr_node_entry *e)
{
    return e && (e->is_static || e->trusted);
}

enum mr_end mr_session_allowed(struct mr_dispatcher *d, const struct mr_pending *p)
{
    const struct mr_node_entry *e = mr_node_table_find(&d->nodes, &p->id);

    if (d->stopping)
        return MR_END_SHUTDOWN;
    if (mr_dispatcher_full(d) && !is_exempt(e))
        return MR_END_FULL;
    if (e && e->sessions >= MR_NODE_SESSIONS_MAX)
        return MR_END_DUPLICATE;
    if (d->session_free == NONE || d->shard_sessions[shard_of(d, &p->id)] >= mr_relay_slots(d->o))
        return MR_END_SHARD_FULL;
    return MR_END_NONE;
}

void mr_session_send(struct mr_dispatcher *d, unsigned shard, const struct mr_mail *mail)
{
    unsigned self = mr_mesh_dispatcher(mr_mesh_shards(d->setup.mesh));
    bool wake = false;

    if (!mr_mail_send(d->setup.mesh, self, shard, MR_MAIL_SURE, mail, &wake))
        MR_ASSERT(!"a SURE queue cannot fill");
    if (wake) {
        MR_COUNT(d->metrics.dispatcher_wakes, 1);
        d->setup.port.wake(d->setup.port.ctx, shard);
    }
}

void mr_session_collect(struct mr_dispatcher *d)
{
    struct mr_stack_entry *e = mr_stack_take(d->home);

    while (e) {
        struct mr_stack_entry *next = e->next;

        e->next = d->handover_free;
        d->handover_free = e;
        e = next;
    }
}

static struct mr_session_record *record_new(struct mr_dispatcher *d, const struct mr_pending *p,
                                            unsigned shard)
{
    uint32_t i = d->session_free;
    struct mr_session_record *r = &d->sessions[i];
    const struct mr_node_entry *e = mr_node_table_find(&d->nodes, &p->id);

    MR_ASSERT(i != NONE);
    d->session_free = r->next_free;
    *r = (struct mr_session_record){.serial = ++d->sessions_ever << MR_SESSION_BITS | i,
                                    .since_ns = d->now_ns,
                                    .shard = (uint8_t)shard,
                                    .counted = !is_exempt(e),
                                    .inbound = p->inbound,
                                    .id = p->id};
    d->sessions_count++;
    d->counted += r->counted;
    d->sessions_inbound += r->inbound;
    d->shard_sessions[shard]++;
    MR_ASSERT(d->counted <= d->o->maxpeers);
    mr_node_table_add(&d->nodes, &p->id);
    return r;
}

bool mr_session_hand_over(struct mr_dispatcher *d, struct mr_pending *p)
{
    unsigned shard = shard_of(d, &p->id);
    const struct mr_node_entry *e = mr_node_table_find(&d->nodes, &p->id);
    struct mr_session_record *r;
    struct mr_handover *h;

    if (!d->handover_free)
        mr_session_collect(d);
    if (!d->handover_free)
        return false;
    h = MR_CONTAINER(d->handover_free, struct mr_handover, entry);
    d->handover_free = h->entry.next;
    p->trusted = e && e->trusted;
    p->is_static = e && e->is_static;
    if (e && e->sessions > 0)
        MR_COUNT(d->metrics.sessions_second, 1);
    r = record_new(d, p, shard);
    if (p->inbound)
        mr_dial_hold(&d->dial, &p->id); /* a dial holds its node already */
    mr_pending_hand_over(p, h);
    h->serial = r->serial;
    h->home = d->home;
    h->local = (struct mr_endpoint){0};
    d->setup.port.release(d->setup.port.ctx, p->slot, p->generation);
    MR_COUNT(d->metrics.sessions_begun, 1);
    MR_PEAK(d->metrics.sessions_counted_peak, d->counted);
    mr_session_send(d, shard, &(struct mr_mail){.kind = MR_MAIL_ADOPT, .ptr = h});
    return true;
}

static struct mr_session_record *record_of(struct mr_dispatcher *d, uint64_t serial)
{
    struct mr_session_record *r = &d->sessions[serial & SESSION_MASK];

    MR_ASSERT((serial & SESSION_MASK) < d->sessions_max);
    MR_ASSERT(r->serial == serial); /* shards name what we gave them, and each end once */
    return r;
}

/* What a session's end means for the next dial of that node. */
static enum mr_dial_outcome outcome_of(enum mr_closed_reason why, bool was_active)
{
    switch (why) {
    case MR_CLOSED_REMOTE_DISCONNECT: /* before Status: most say "too many peers" so late */
        return was_active ? MR_DIAL_NETWORK : MR_DIAL_BUSY;
    case MR_CLOSED_BREACH:
    case MR_CLOSED_SUBPROTOCOL:
    case MR_CLOSED_USELESS:
    case MR_CLOSED_STATUS:
        return MR_DIAL_UNWANTED;
    default:
        return MR_DIAL_NETWORK;
    }
}

static void session_closed(struct mr_dispatcher *d, uint64_t serial, enum mr_closed_reason why)
{
    struct mr_session_record *r = record_of(d, serial);
    uint64_t lasted = d->now_ns - MR_MIN(r->since_ns, d->now_ns);

    MR_COUNT(d->metrics.sessions_ended, 1);
    MR_LOG_DEBUG("session ended", mr_log_text("why", mr_closed_text(why)),
                 mr_log_hex("id", r->id.b, 16), mr_log_u64("seconds", lasted / MR_SECOND));
    mr_dial_release(&d->dial, &r->id, outcome_of(why, r->active), lasted, d->now_ns);
    mr_node_table_remove(&d->nodes, &r->id);
    d->sessions_count--;
    d->counted -= r->counted;
    d->sessions_inbound -= r->inbound;
    d->active -= r->active;
    d->shard_sessions[r->shard]--;
    r->serial = 0;
    r->next_free = d->session_free;
    d->session_free = (uint32_t)(r - d->sessions);
}

static void session_active(struct mr_dispatcher *d, uint64_t serial)
{
    struct mr_session_record *r = record_of(d, serial);

    if (r->active)
        return;
    r->active = true;
    d->active++;
    MR_COUNT(d->metrics.sessions_agreed, 1);
}

void mr_session_mail(struct mr_dispatcher *d, const struct mr_mail *mail)
{
    switch (mail->kind) {
    case MR_MAIL_CLOSED:
        session_closed(d, mail->a, (enum mr_closed_reason)mail->b);
        return;
    case MR_MAIL_ACTIVE:
        session_active(d, mail->a);
        return;
    case MR_MAIL_STOPPED:
        d->shards_stopped++;
        return;
    default: /* nothing else is written to us */
        MR_VERIFY_THAT(!"mail for the dispatcher");
    }
}
