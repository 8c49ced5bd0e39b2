#include "shards/peer.h"

#include "shards/shard_state.h"

/* How long a Disconnect may take to leave before the connection is closed all the same. */
#define LINGER_NS      (1 * MR_SECOND)
#define TWIN_ANSWER_NS (3 * MR_SECOND)

static struct mr_peer *twin_of(struct mr_shard *s, const struct mr_peer *p)
{
    return p->twin == MR_NO_SLOT ? NULL : mr_shard_peer(s, p->twin);
}

static struct mr_peer *slot_take(struct mr_shard *s)
{
    size_t i = mr_bitmap_next(s->free, s->slots, 0);

    if (i == MR_BITMAP_NONE)
        return NULL;
    mr_bitmap_clear(s->free, i);
    s->peers[i].slot = (uint32_t)i;
    return &s->peers[i];
}

/* Clears the columns of freed slots, a part a turn; when all are clear they may be used again. */
void mr_peer_sweep(struct mr_shard *s)
{
    if (!s->sweeping || !mr_txlog_sweep(&s->log, 8192))
        return;
    s->sweeping = false;
    for (uint32_t i = 0; i < s->slots; i++)
        if (!mr_bitmap_test(s->free, i) && !mr_bitmap_test(s->live, i)) {
            s->peers[i].state = MR_PEER_FREE;
            mr_bitmap_set(s->free, i);
        }
}

static void tell_dispatcher(struct mr_shard *s, enum mr_mail_kind kind, uint64_t a, uint64_t b)
{
    struct mr_mail mail = {.kind = kind, .a = a, .b = b};
    unsigned to = mr_mesh_dispatcher(mr_mesh_shards(s->setup.mesh));
    bool wake = false;

    if (!mr_mail_send(s->setup.mesh, s->setup.self, to, MR_MAIL_SURE, &mail, &wake))
        MR_ASSERT(!"a SURE queue cannot fill");
    if (wake) {
        MR_COUNT(s->metrics.mail_wakes, 1);
        s->setup.port.wake(s->setup.port.ctx, to);
    }
}

void mr_peer_tell_stopped(struct mr_shard *s)
{
    tell_dispatcher(s, MR_MAIL_STOPPED, 0, 0);
}

static void slot_init(struct mr_shard *s, struct mr_peer *p, const struct mr_handover *h)
{
    uint32_t slot = p->slot;
    const char *name = s->setup.policy ? s->setup.policy->protocol->capability.name : "eth";
    const struct mr_capability_shared *eth = mr_capabilities_named(&h->caps, name);

    MR_ASSERT(eth);
    memset(p, 0, sizeof *p);
    p->slot = slot;
    p->generation = ++s->generation;
    p->twin = MR_NO_SLOT;
    p->next_ready = MR_NO_SLOT;
    p->trusted = h->trusted, p->is_static = h->is_static, p->inbound = h->inbound;
    p->serial = h->serial;
    p->begun_ns = h->begun_ns, p->adopted_ns = s->now_ns;
    p->id = h->id;
    p->remote = h->remote;
    p->caps = h->caps;
    p->snappy = h->snappy;
    p->eth_version = (uint8_t)eth->capability.version;
    p->eth_first = eth->first_id;
    p->eth_index = (uint8_t)(eth - h->caps.shared);
    memcpy(p->client, h->client, sizeof p->client);
    p->session = h->session;
    p->body_sip = mr_siphash(s->setup.boot_key, h->id.b, sizeof h->id.b);
    mr_keepalive_init(&p->keepalive, mr_shard_ms(s));
    mr_bitmap_set(s->live, slot);
    s->live_count++;
}

/* A second session of one identity: see design.md section 3. The first works on. */
static void twin_join(struct mr_shard *s, struct mr_peer *first, struct mr_peer *second)
{
    if (first->twin != MR_NO_SLOT || s->setup.policy) { /* a third one; or no Status would decide */
        MR_COUNT(s->metrics.peers_duplicate, 1);
        second->state = MR_PEER_AWAIT_STATUS;
        mr_peer_end(s, second, MR_CLOSED_DUPLICATE, MR_REASON_ALREADY_CONNECTED);
        return;
    }
    first->twin = second->slot;
    second->twin = first->slot;
    second->state = MR_PEER_QUIET;
    if (first->inbound == second->inbound) { /* does the old one still live? */
        second->twin_deadline_ns = s->now_ns + TWIN_ANSWER_NS;
        mr_keepalive_pinged(&first->keepalive, mr_shard_ms(s));
        mr_peer_control(s, first, MR_CONTROL_PING, 0);
    }
    mr_peer_arm(s, second);
}

void mr_peer_adopt(struct mr_shard *s, struct mr_handover *h)
{
    struct mr_peer *p = slot_take(s);
    uint32_t first;
    int fd = h->fd;

    while (!p && s->sweeping) { /* rare: more sessions come and go than the sweep keeps up with */
        mr_peer_sweep(s);
        p = slot_take(s);
    }
    MR_ASSERT(p); /* the dispatcher counts the slots of every shard */
    slot_init(s, p, h);
    MR_COUNT(s->metrics.peers_adopted, 1);
    mr_wipe(&h->session, sizeof h->session);
    mr_stack_push(h->home, &h->entry);
    s->setup.port.adopt(s->setup.port.ctx, p->slot, p->generation, fd);

    if (s->stopping) {
        p->state = MR_PEER_AWAIT_STATUS;
        mr_peer_end(s, p, MR_CLOSED_SHUTDOWN, s->stop_reason);
    } else if (mr_map_find(&s->by_id, &first, p->id.b)) {
        twin_join(s, mr_shard_peer(s, first), p);
    } else {
        enum mr_err e = mr_map_put(&s->by_id, p->id.b, p->slot);

        MR_ASSERT(e == MR_OK); /* as many entries as slots */
        p->state = MR_PEER_AWAIT_STATUS;
        if (s->setup.policy) {
            mr_peer_status_agreed(s, p);
            return;
        }
        mr_peer_control(s, p, MR_CONTROL_STATUS, 0);
        mr_peer_arm(s, p);
    }
}

/* The first blob transaction that is no older than the log's entry seq. */
static uint64_t blobs_since(const struct mr_shard *s, uint64_t seq)
{
    uint64_t oldest = s->blob_head > MR_BLOB_LOG ? s->blob_head - MR_BLOB_LOG : 0;
    uint64_t at = s->blob_head;

    while (at > oldest && s->blob_log[(at - 1) % MR_BLOB_LOG] >= seq)
        at--;
    return at;
}

static void activate(struct mr_shard *s, struct mr_peer *p)
{
    uint64_t age = p->trusted ? UINT64_MAX : s->o->fresh_ns;

    p->state = MR_PEER_ACTIVE;
    s->active_count++;
    mr_mesh_set_peers(s->setup.mesh, s->setup.self, s->active_count);
    p->cursor = mr_txlog_since(&s->log, s->now_ns, age);
    p->blob_cursor = p->blob_chosen = blobs_since(s, p->cursor);
    mr_fetch_peer_add(s->fetch, p->slot);
    if (!s->setup.policy)
        mr_head_peer_add(s->head, p->slot, p->remote, p->trusted, &p->claim);
    mr_admit_peer_add(s->admit, p->slot, p->generation, p->trusted, s->now_ns);
    tell_dispatcher(s, MR_MAIL_ACTIVE, p->serial, 0);
    mr_flush_ready(s, p);
    mr_receive_unblock(s, p);
    mr_peer_arm(s, p);
}

/* Takes p out of all that active peers are part of. */
static void deactivate(struct mr_shard *s, struct mr_peer *p)
{
    mr_fetch_peer_remove(s->fetch, p->slot);
    mr_admit_peer_remove(s->admit, p->slot);
    mr_head_peer_remove(s->head, p->slot, s->now_ns);
    s->active_count--;
    mr_mesh_set_peers(s->setup.mesh, s->setup.self, s->active_count);
}

/* first and second both have the remote's Status, and were begun by different sides: the one begun
 * by the lower node id stays (Besu's rule, which both sides compute alike). If the first goes and
 * the remote never said more than its Status on it, the second begins anew with all that is fresh:
 * a remote with the same rule had our first as its second, silent and unread, and knows nothing of
 * what we sent there. */
static void twins_resolve(struct mr_shard *s, struct mr_peer *first, struct mr_peer *second)
{
    bool ours_is_lower = memcmp(s->setup.id.b, first->id.b, sizeof first->id.b) < 0;
    struct mr_peer *loser = first->inbound == ours_is_lower ? first : second;

    MR_COUNT(s->metrics.peers_duplicate, 1);
    if (loser == first && first->state == MR_PEER_ACTIVE && first->works) {
        /* what the first knew, the second knows */
        second->inherits = true;
        second->cursor = first->cursor;
        second->blob_cursor = first->blob_cursor, second->blob_chosen = first->blob_chosen;
        second->blob_promise = first->blob_promise;
        mr_txlog_copy_column(&s->log, second->slot, first->slot);
        mr_admit_copy_source(s->admit, second->slot, first->slot);
    }
    mr_peer_end(s, loser, MR_CLOSED_DUPLICATE, MR_REASON_ALREADY_CONNECTED);
}

void mr_peer_status_agreed(struct mr_shard *s, struct mr_peer *p)
{
    struct mr_peer *twin = twin_of(s, p);

    p->status_in = true;
    if (p->state == MR_PEER_AWAIT_STATUS) {
        activate(s, p);
        if (twin && twin->state == MR_PEER_HELD && twin->inbound != p->inbound)
            twins_resolve(s, p, twin);
        return;
    }
    MR_ASSERT(p->state == MR_PEER_QUIET);
    MR_ASSERT(twin);
    p->state = MR_PEER_HELD; /* not read until the rule has decided: mr_receive_blocked */
    mr_receive_block(s, p);
    if (!p->status_out)
        mr_peer_control(s, p, MR_CONTROL_STATUS, 0); /* the remote kept this one: it may speak */
    if (twin->status_in && twin->inbound != p->inbound)
        twins_resolve(s, twin, p);
    else
        mr_peer_arm(s, p);
}

/* The first session answered our ping: it lives, the second of the same direction goes. */
void mr_peer_heard_pong(struct mr_shard *s, struct mr_peer *p)
{
    struct mr_peer *twin = twin_of(s, p);

    if (twin && twin->twin_deadline_ns && twin->inbound == p->inbound) {
        MR_COUNT(s->metrics.peers_duplicate, 1);
        mr_peer_end(s, twin, MR_CLOSED_DUPLICATE, MR_REASON_ALREADY_CONNECTED);
    }
}

/* The first session is gone: the second takes its place. */
static void twin_inherit(struct mr_shard *s, struct mr_peer *heir)
{
    enum mr_err e = mr_map_put(&s->by_id, heir->id.b, heir->slot);

    MR_ASSERT(e == MR_OK);
    heir->twin = MR_NO_SLOT;
    heir->twin_deadline_ns = 0;
    if (heir->state == MR_PEER_HELD) {
        uint64_t cursor = heir->cursor;
        uint64_t blob_cursor = heir->blob_cursor, blob_chosen = heir->blob_chosen;

        activate(s, heir);
        if (heir->inherits) {
            heir->cursor = cursor;
            heir->blob_cursor = blob_cursor, heir->blob_chosen = blob_chosen;
        }
    } else {
        heir->state = MR_PEER_AWAIT_STATUS;
        heir->adopted_ns = s->now_ns;
        mr_peer_control(s, heir, MR_CONTROL_STATUS, 0);
        mr_peer_arm(s, heir);
    }
}

static void twin_part(struct mr_shard *s, struct mr_peer *p)
{
    struct mr_peer *twin = twin_of(s, p);
    uint32_t first;
    bool was_first = mr_map_find(&s->by_id, &first, p->id.b) && first == p->slot;

    if (was_first)
        mr_map_remove(&s->by_id, p->id.b);
    if (!twin)
        return;
    p->twin = MR_NO_SLOT;
    if (was_first && !s->stopping)
        twin_inherit(s, twin);
    else
        twin->twin = MR_NO_SLOT;
}

void mr_peer_shut(struct mr_shard *s, struct mr_peer *p)
{
    if (p->shut)
        return;
    p->shut = true;
    mr_timer_cancel(&s->wheel, &p->timer);
    s->setup.port.close(s->setup.port.ctx, p->slot, p->generation);
}

void mr_peer_end(struct mr_shard *s, struct mr_peer *p, enum mr_closed_reason why, int disconnect)
{
    bool was_active = p->state == MR_PEER_ACTIVE;

    if (!mr_peer_is_open(p))
        return;
    MR_LOG_DEBUG("peer ends", mr_log_text("why", mr_closed_text(why)),
                 mr_log_i64("disconnect", disconnect),
                 mr_log_str("client", p->client, strnlen(p->client, sizeof p->client)));
    p->state = MR_PEER_CLOSING;
    p->closed_reason = (uint8_t)why;
    if (was_active)
        deactivate(s, p);
    twin_part(s, p);
    mr_receive_forget(s, p);
    mr_answer_forget(s, p);
    p->control_count = 0;
    p->want_request = p->want_header_request = p->want_range = false;
    p->begun_ns = s->now_ns; /* from here on: when closing began */
    if (disconnect != MR_SILENTLY && !p->long_frame) {
        mr_peer_control(s, p, MR_CONTROL_DISCONNECT, (uint8_t)disconnect);
        MR_COUNT(s->metrics.disconnect_out, 1);
        p->closing_after_send = true;
        mr_peer_arm(s, p);
    } else {
        mr_peer_shut(s, p);
    }
}

void mr_peer_closed(struct mr_shard *s, struct mr_peer *p)
{
    MR_ASSERT(p->state == MR_PEER_CLOSING);
    mr_timer_cancel(&s->wheel, &p->timer);
    mr_flush_forget(s, p);
    mr_rlpx_session_wipe(&p->session);
    mr_bitmap_clear(s->live, p->slot);
    s->live_count--;
    p->state = MR_PEER_SWEEP;
    p->generation = ++s->generation; /* what still comes for the old one is stale */
    mr_txlog_sweep_slot(&s->log, p->slot);
    s->sweeping = true;
    MR_COUNT(s->metrics.peers_closed, 1);
    tell_dispatcher(s, MR_MAIL_CLOSED, p->serial, p->closed_reason);
}

bool mr_peer_control(struct mr_shard *s, struct mr_peer *p, enum mr_control_kind kind,
                     uint8_t reason)
{
    if (p->control_count == MR_CONTROL_SLOTS) {
        MR_COUNT(s->metrics.control_full, 1);
        return false;
    }
    p->control[(p->control_head + p->control_count++) % MR_CONTROL_SLOTS] =
        (struct mr_control){.kind = (uint8_t)kind, .reason = reason};
    mr_flush_ready(s, p);
    return true;
}

struct mr_peer *mr_peer_by_serial(struct mr_shard *s, uint64_t serial)
{
    for (uint32_t i = 0; i < s->slots; i++)
        if (mr_bitmap_test(s->live, i) && s->peers[i].serial == serial)
            return &s->peers[i];
    return NULL;
}

/* ---- time ---- */

/* A send that makes no progress: its reader is gone, or wants us to hold what it does not read. */
static uint64_t write_deadline_ns(const struct mr_shard *s, const struct mr_peer *p)
{
#ifndef MR_SABOTAGE_F_12
    if (p->sending)
        return p->send_begun_ns + s->o->write_timeout_ns;
#endif
    return UINT64_MAX;
}

static uint64_t deadline_ns(const struct mr_shard *s, const struct mr_peer *p)
{
    uint64_t at = UINT64_MAX;

    switch ((enum mr_peer_state)p->state) {
    case MR_PEER_CLOSING:
        return p->begun_ns + LINGER_NS;
    case MR_PEER_QUIET:
    case MR_PEER_AWAIT_STATUS:
        at = p->adopted_ns + s->o->status_timeout_ns;
        break;
    case MR_PEER_HELD:
    case MR_PEER_ACTIVE:
        at = mr_keepalive_deadline_ms(&p->keepalive) * MR_MS;
        break;
    case MR_PEER_FREE:
    case MR_PEER_SWEEP:
        return UINT64_MAX;
    }
    if (p->twin_deadline_ns)
        at = MR_MIN(at, p->twin_deadline_ns);
    if (p->frame_begun_ns && !p->paused)
        at = MR_MIN(at, p->frame_begun_ns + s->o->frame_timeout_ns);
    at = MR_MIN(at, write_deadline_ns(s, p));
    if (p->resume_ns)
        at = MR_MIN(at, p->resume_ns);
    return at;
}

void mr_peer_arm(struct mr_shard *s, struct mr_peer *p)
{
    uint64_t at = deadline_ns(s, p);
    uint64_t at_ms = at / MR_MS + 1;

    if (at == UINT64_MAX)
        return;
    /* A timer that fires early looks again; so a later deadline needs no work now. */
    if (!mr_timer_armed(&p->timer) || p->timer.due_ms > at_ms)
        mr_timer_set(&s->wheel, &p->timer, at_ms);
}

static void keep_alive(struct mr_shard *s, struct mr_peer *p)
{
    uint64_t now_ms = mr_shard_ms(s);

    if (p->paused) /* we do not listen, so its silence says nothing */
        mr_keepalive_heard(&p->keepalive, now_ms);
    switch (mr_keepalive_due(&p->keepalive, now_ms)) {
    case MR_KEEPALIVE_WAIT:
        return;
    case MR_KEEPALIVE_GONE:
        MR_COUNT(s->metrics.silent_peers, 1);
        mr_peer_end(s, p, MR_CLOSED_SILENT, MR_REASON_TIMEOUT);
        return;
    case MR_KEEPALIVE_PING:
        mr_keepalive_pinged(&p->keepalive, now_ms);
        mr_peer_control(s, p, MR_CONTROL_PING, 0);
        return;
    }
}

void mr_peer_timer(void *shard, struct mr_timer *t)
{
    struct mr_shard *s = shard;
    struct mr_peer *p = MR_CONTAINER(t, struct mr_peer, timer);
    struct mr_peer *twin = twin_of(s, p);
    uint64_t now = s->now_ns;

    if (p->state == MR_PEER_CLOSING) {
        if (now >= p->begun_ns + LINGER_NS)
            mr_peer_shut(s, p);
        else
            mr_peer_arm(s, p);
        return;
    }
    if (!mr_peer_is_open(p))
        return;
    if (now >= write_deadline_ns(s, p)) {
        MR_COUNT(s->metrics.slow_readers, 1);
        mr_peer_end(s, p, MR_CLOSED_SLOW, MR_SILENTLY);
    } else if (p->frame_begun_ns && !p->paused &&
               now >= p->frame_begun_ns + s->o->frame_timeout_ns) {
        MR_COUNT(s->metrics.frame_late, 1);
        mr_peer_end(s, p, MR_CLOSED_SLOW, MR_REASON_TIMEOUT);
    } else if (!p->status_in && now >= p->adopted_ns + s->o->status_timeout_ns) {
        MR_COUNT(s->metrics.status_late, 1);
        mr_peer_end(s, p, MR_CLOSED_STATUS_LATE, MR_REASON_TIMEOUT);
    } else if (p->twin_deadline_ns && now >= p->twin_deadline_ns && twin) {
        /* the old session of this direction is dead: this one replaces it */
        MR_COUNT(s->metrics.peers_duplicate, 1);
        p->twin_deadline_ns = 0;
        mr_peer_end(s, twin, MR_CLOSED_SILENT, MR_REASON_ALREADY_CONNECTED);
    } else if (p->state == MR_PEER_ACTIVE || p->state == MR_PEER_HELD) {
        keep_alive(s, p);
    }
    if (mr_peer_is_open(p) && p->resume_ns && now >= p->resume_ns) {
        p->resume_ns = 0;
        mr_receive_unblock(s, p);
    }
    if (mr_peer_is_open(p))
        mr_peer_arm(s, p);
}
