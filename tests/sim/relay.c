#include "tests/sim/relay.h"

#include <errno.h>
#include <stdlib.h>

#include "core/siphash.h"
#include "net/eth/version.h"
#include "tests/sim/front.h"

#define LINGER_NS (500 * MR_MS)

static void plan_turn(struct sim_shard *sh, uint64_t at_ns);

/* ---- a shard's turns ---- */

static void turn(void *ctx, uint64_t epoch)
{
    struct sim_shard *sh = ctx;
    struct sim *sim = sh->relay->sim;
    struct mr_shard_event *events = sh->events;
    size_t n = sh->events_count;
    uint64_t next, soon = sim->now_ns + sim_between(sim, 1, 20) * MR_US;

    if (epoch != sh->epoch || !sh->planned)
        return;
    sh->planned = false;
    sh->turns++;
    sh->events = NULL;
    sh->events_count = sh->events_cap = 0;
    sh->turning = true;
    next = mr_shard_turn(sh->shard, sim_time(sim), events, n);
    sh->turning = false;
    for (size_t i = 0; i < n; i++)
        free(events[i].data);
    free(events);
    if (!mr_mail_sleep(sh->relay->mesh, sh->index))
        next = 0;
    plan_turn(sh, sh->events_count > 0 ? soon : MR_MAX(next, soon));
}

static void plan_turn(struct sim_shard *sh, uint64_t at_ns)
{
    if (sh->planned && sh->turn_ns <= at_ns)
        return;
    sh->planned = true;
    sh->turn_ns = at_ns;
    sim_at(sh->relay->sim, at_ns, turn, sh, ++sh->epoch);
}

static void event_add(struct sim_shard *sh, const struct mr_shard_event *e)
{
    struct sim *sim = sh->relay->sim;

    if (sh->events_count == sh->events_cap) {
        sh->events_cap = MR_MAX(2 * sh->events_cap, 16u);
        sh->events = realloc(sh->events, sh->events_cap * sizeof *sh->events);
        MR_ASSERT(sh->events);
    }
    sh->events[sh->events_count++] = *e;
    plan_turn(sh, sim->now_ns + sim_between(sim, 1, 50) * MR_US);
}

/* ---- the port ---- */

static void slot_event(struct sim_shard *sh, uint32_t slot, enum mr_shard_event_kind kind,
                       int32_t result)
{
    event_add(sh, &(struct mr_shard_event){.kind = kind,
                                           .slot = slot,
                                           .generation = sh->slots[slot].generation,
                                           .result = result});
}

/* A slot of one user, for events that come later. */
static uint64_t use_of(const struct sim_shard *sh, uint64_t slot)
{
    return (uint64_t)sh->slots[slot].generation << 32 | slot;
}

static void closed(void *ctx, uint64_t use)
{
    struct sim_shard *sh = ctx;
    uint32_t slot = (uint32_t)use;
    struct sim_slot *s = &sh->slots[slot];

    if (!s->open || use != use_of(sh, slot))
        return;
    s->open = false;
    if (s->sending) { /* what was in flight was cancelled */
        s->sending = false;
        slot_event(sh, slot, MR_EVENT_SENT, -ECANCELED);
    }
    sim_net_close(sh->relay->net, s->end);
    slot_event(sh, slot, MR_EVENT_CLOSED, 0);
}

static void on_received(void *ctx, uint64_t slot, uint8_t *data, size_t n)
{
    struct sim_shard *sh = ctx;
    struct mr_shard_event e = {.kind = MR_EVENT_RECEIVED,
                               .slot = (uint32_t)slot,
                               .generation = sh->slots[slot].generation,
                               .n = (uint32_t)n,
                               .data = sim_alloc(n)};

    memcpy(e.data, data, n);
    event_add(sh, &e);
}

/* After close() a connection lingers until its last send is out and the other side has closed. */
static void linger_on(struct sim_shard *sh, uint32_t slot)
{
    struct sim_slot *s = &sh->slots[slot];

    if (s->sending)
        return;
    sim_net_shut(sh->relay->net, s->end);
    sim_net_read(sh->relay->net, s->end, SIM_READ_DROP);
}

static void on_sent(void *ctx, uint64_t slot, int32_t result)
{
    struct sim_shard *sh = ctx;

    sh->slots[slot].sending = false;
    slot_event(sh, (uint32_t)slot, MR_EVENT_SENT, result);
    if (sh->slots[slot].closing)
        linger_on(sh, (uint32_t)slot);
}

static void on_ended(void *ctx, uint64_t slot)
{
    struct sim_shard *sh = ctx;

    if (sh->slots[slot].closing)
        sim_at(sh->relay->sim, sh->relay->sim->now_ns, closed, sh, use_of(sh, slot));
    else
        slot_event(sh, (uint32_t)slot, MR_EVENT_ENDED, 0);
}

static struct sim_slot *slot_of(struct sim_shard *sh, uint32_t slot, uint32_t generation)
{
    struct sim_slot *s = &sh->slots[slot];

    MR_ASSERT(slot < mr_relay_slots(&sh->relay->options));
    MR_ASSERT(s->open);
    MR_ASSERT(s->generation == generation);
    return s;
}

static void port_adopt(void *ctx, uint32_t slot, uint32_t generation, int fd)
{
    struct sim_shard *sh = ctx;
    struct sim_handlers h = {
        .ctx = sh, .tag = slot, .received = on_received, .sent = on_sent, .ended = on_ended};

    MR_ASSERT(!sh->slots[slot].open);
    sh->slots[slot] = (struct sim_slot){.end = fd, .generation = generation, .open = true};
    sim_net_own(sh->relay->net, fd, &h);
    sim_net_read(sh->relay->net, fd, SIM_READ_STREAM);
}

static void port_send(void *ctx, uint32_t slot, uint32_t generation, const uint8_t *p, size_t n)
{
    struct sim_shard *sh = ctx;
    struct sim_slot *s = slot_of(sh, slot, generation);

    MR_ASSERT(!s->sending);
    MR_ASSERT(!s->closing);
    s->sending = true;
    sim_net_send(sh->relay->net, s->end, p, n);
}

static void port_pause(void *ctx, uint32_t slot, uint32_t generation)
{
    struct sim_shard *sh = ctx;
    struct sim_slot *s = slot_of(sh, slot, generation);

    MR_ASSERT(!s->paused);
    s->paused = true;
    sim_net_read(sh->relay->net, s->end, SIM_READ_NONE);
}

static void port_resume(void *ctx, uint32_t slot, uint32_t generation)
{
    struct sim_shard *sh = ctx;
    struct sim_slot *s = slot_of(sh, slot, generation);

    MR_ASSERT(s->paused);
    s->paused = false;
    sim_net_read(sh->relay->net, s->end, SIM_READ_STREAM);
}

static void port_close(void *ctx, uint32_t slot, uint32_t generation)
{
    struct sim_shard *sh = ctx;
    struct sim_slot *s = slot_of(sh, slot, generation);

    MR_ASSERT(!s->closing);
    s->closing = true;
    sim_at(sh->relay->sim, sh->relay->sim->now_ns + LINGER_NS, closed, sh, use_of(sh, slot));
    sim_net_read(sh->relay->net, s->end, SIM_READ_DROP);
    linger_on(sh, slot);
}

static void port_submit(void *ctx)
{
    (void)ctx;
}

/* ---- other threads of the mesh ---- */

static void door_turn(void *ctx, uint64_t arg);
static void service_turn(void *ctx, uint64_t arg);

void sim_relay_wake(struct sim_relay *r, unsigned thread)
{
    uint64_t at = r->sim->now_ns + sim_between(r->sim, 1, 30) * MR_US;

    if (thread < r->options.shards) {
        plan_turn(&r->shards[thread], at);
    } else if (thread == mr_mesh_dispatcher(r->options.shards) && r->front) {
        sim_front_wake(r->front);
    } else if (thread == mr_mesh_dispatcher(r->options.shards)) {
        if (!r->door_planned)
            sim_at(r->sim, at, door_turn, r, 0);
        r->door_planned = true;
    } else {
        if (!r->service_planned)
            sim_at(r->sim, at, service_turn, r, 0);
        r->service_planned = true;
    }
}

static void port_wake(void *ctx, unsigned thread)
{
    struct sim_shard *sh = ctx;

    sim_relay_wake(sh->relay, thread);
}

static void mail(struct sim_relay *r, unsigned from, unsigned to, const struct mr_mail *m)
{
    bool asleep;

    if (!mr_mail_send(r->mesh, from, to, MR_MAIL_SURE, m, &asleep))
        MR_ASSERT(!"a SURE queue cannot fill");
    if (asleep)
        sim_relay_wake(r, to);
}

/* The service proves one transaction after the other, each 30 to 140 ms. */
static void blob_proved(void *ctx, uint64_t arg)
{
    struct sim_relay *r = ctx;
    struct mr_mail m = r->blobs[r->blobs_head];
    bool bad = r->blobs_bad && ++r->blobs_checked % r->blobs_bad == 0;

    (void)arg;
    r->blobs_head = (r->blobs_head + 1) % SIM_BLOBS_MAX;
    r->blobs_count--;
    mail(r, mr_mesh_service(r->options.shards), m.from,
         &(struct mr_mail){.kind = MR_MAIL_VERDICT, .a = m.a, .b = bad ? MR_BLOB_BAD : MR_BLOB_OK});
    mr_buf_put(NULL, m.buf);
    r->service_busy = r->blobs_count > 0;
    if (r->service_busy)
        sim_at(r->sim, r->sim->now_ns + sim_between(r->sim, 30, 140) * MR_MS, blob_proved, r, 0);
}

static void service_turn(void *ctx, uint64_t arg)
{
    struct sim_relay *r = ctx;
    unsigned self = mr_mesh_service(r->options.shards);
    struct mr_mail m;

    (void)arg;
    r->service_planned = false;
    do {
        while (mr_mail_take(r->mesh, self, &m)) {
            MR_ASSERT(m.kind == MR_MAIL_BLOB);
            MR_ASSERT(r->blobs_count < SIM_BLOBS_MAX);
            r->blobs[(r->blobs_head + r->blobs_count++) % SIM_BLOBS_MAX] = m;
        }
    } while (!mr_mail_sleep(r->mesh, self));
    if (r->blobs_count > 0 && !r->service_busy) {
        r->service_busy = true;
        sim_at(r->sim, r->sim->now_ns + sim_between(r->sim, 30, 140) * MR_MS, blob_proved, r, 0);
    }
}

/* ---- the door ---- */

static void door_mail(struct sim_relay *r, const struct mr_mail *m)
{
    struct sim_visitor *v = m->kind == MR_MAIL_STOPPED ? NULL : r->visitors[m->a - 1];

    if (m->kind == MR_MAIL_STOPPED) {
        r->stopped_shards++;
    } else if (m->kind == MR_MAIL_ACTIVE) {
        MR_ASSERT(!v->active);
        MR_ASSERT(!v->closed);
        v->active = true;
        v->active_ns = r->sim->now_ns;
    } else {
        MR_ASSERT(m->kind == MR_MAIL_CLOSED);
        MR_ASSERT(!v->closed);
        v->closed = true;
        v->closed_ns = r->sim->now_ns;
        v->reason = (enum mr_closed_reason)m->b;
    }
}

static void door_turn(void *ctx, uint64_t arg)
{
    struct sim_relay *r = ctx;
    unsigned self = mr_mesh_dispatcher(r->options.shards);
    struct mr_mail m;

    (void)arg;
    r->door_planned = false;
    do {
        while (mr_mail_take(r->mesh, self, &m))
            door_mail(r, &m);
    } while (!mr_mail_sleep(r->mesh, self));
}

static void hand_over(void *ctx, struct sim_session *s, bool ok)
{
    struct sim_visitor *v = ctx;
    struct sim_relay *r = v->relay;
    struct mr_handover *h = &r->handovers[v->serial - 1];

    if (!ok) {
        v->closed = true;
        v->closed_ns = r->sim->now_ns;
        sim_net_close(r->net, s->end);
        return;
    }
    *h = (struct mr_handover){.home = &r->home,
                              .serial = v->serial,
                              .fd = s->end,
                              .inbound = v->inbound,
                              .trusted = v->trusted,
                              .remote = v->remote_endpoint,
                              .local = r->at,
                              .id = s->remote,
                              .session = s->rlpx,
                              .caps = s->caps,
                              .snappy = s->snappy,
                              .client = "sim",
                              .begun_ns = v->begun_ns};
    v->handed_over = true;
    v->shard = (unsigned)(mr_siphash(r->boot_key, s->remote.b, 64) % r->options.shards);
    mail(r, mr_mesh_dispatcher(r->options.shards), v->shard,
         &(struct mr_mail){.kind = MR_MAIL_ADOPT, .ptr = h});
}

struct sim_visitor *sim_relay_visit(struct sim_relay *r, int end, bool inbound,
                                    struct mr_endpoint from, const struct mr_node_id *remote)
{
    struct sim_visitor *v = sim_alloc(sizeof *v);

    MR_ASSERT(!r->front);
    MR_ASSERT(r->visitors_count < SIM_DOOR_MAX);
    r->visitors[r->visitors_count++] = v;
    v->relay = r;
    v->inbound = inbound;
    v->remote_endpoint = from;
    v->serial = r->visitors_count;
    v->begun_ns = r->sim->now_ns;
    v->session = (struct sim_session){.net = r->net,
                                      .secp = r->secp,
                                      .self = &r->key,
                                      .eth_min = MR_ETH_VERSION_MIN,
                                      .eth_max = MR_ETH_VERSION_ADVERTISED,
                                      .end = end,
                                      .initiator = !inbound,
                                      .done = hand_over,
                                      .ctx = v};
    if (!inbound)
        v->session.remote = *remote;
    sim_session_begin(&v->session);
    return v;
}

/* ---- making and ending ---- */

struct sim_relay *sim_relay_new(const struct sim_relay_setup *setup)
{
    struct sim_relay *r = NULL;
    char why[256];

    MR_ASSERT(posix_memalign((void **)&r, MR_CACHELINE, sizeof *r) == 0);
    memset(r, 0, sizeof *r);
    r->sim = setup->sim, r->net = setup->net, r->network = setup->network, r->secp = setup->secp;
    r->options = setup->options;
    r->at = setup->at;
    MR_ASSERT(r->options.shards <= SIM_SHARDS_MAX);
    mr_secp_keypair_make(r->secp, &r->key, sim_entropy, r->sim);
    sim_entropy(r->sim, r->boot_key, sizeof r->boot_key);
    r->handovers = sim_alloc(SIM_DOOR_MAX * sizeof *r->handovers);
    r->mesh =
        mr_mesh_new(r->options.shards, 2 * SIM_DOOR_MAX + mr_dispatcher_sure_slots(&r->options),
                    (uint32_t)sim_between(r->sim, 4, 64), 256);
    MR_ASSERT(r->mesh);
    for (unsigned i = 0; i < r->options.shards; i++) {
        struct sim_shard *sh = &r->shards[i];
        struct mr_shard_setup s = {.options = &r->options,
                                   .network = r->network,
                                   .secp = r->secp,
                                   .mesh = r->mesh,
                                   .port = {sh, port_adopt, port_send, port_pause, port_resume,
                                            port_close, port_submit, port_wake},
                                   .self = i,
                                   .seed = mr_random_u64(&r->sim->random),
                                   .boot_key = {r->boot_key[0], r->boot_key[1]},
                                   .client = "millrace/sim",
                                   .id = r->key.pub,
                                   .now = sim_time(r->sim)};

        sh->relay = r;
        sh->index = i;
        sh->slots = sim_alloc(mr_relay_slots(&r->options) * sizeof *sh->slots);
        sh->shard = mr_shard_new(&s, why, sizeof why);
        MR_ASSERT(sh->shard);
        plan_turn(sh, r->sim->now_ns + sim_between(r->sim, 0, 1000) * MR_US);
        if (setup->blobs)
            mail(r, mr_mesh_service(r->options.shards), i,
                 &(struct mr_mail){.kind = MR_MAIL_READY});
    }
    door_turn(r, 0); /* both go to sleep */
    service_turn(r, 0);
    return r;
}

void sim_relay_free(struct sim_relay *r)
{
    for (unsigned i = 0; i < r->options.shards; i++)
        mr_shard_let_go(r->shards[i].shard);
    for (; r->blobs_count > 0; r->blobs_count--, r->blobs_head++)
        mr_buf_put(NULL, r->blobs[r->blobs_head % SIM_BLOBS_MAX].buf);
    mr_mesh_drain(r->mesh);
    if (r->front)
        sim_front_free(r->front);
    for (unsigned i = 0; i < r->options.shards; i++) {
        struct sim_shard *sh = &r->shards[i];

        mr_shard_free(sh->shard);
        for (size_t k = 0; k < sh->events_count; k++)
            free(sh->events[k].data);
        free(sh->events);
        free(sh->slots);
    }
    mr_mesh_free(r->mesh);
    for (uint32_t i = 0; i < r->visitors_count; i++) {
        mr_rlpx_handshake_fini(&r->visitors[i]->session.hs);
        free(r->visitors[i]);
    }
    free(r->handovers);
    free(r);
}

void sim_relay_stop(struct sim_relay *r, unsigned reason)
{
    for (unsigned i = 0; i < r->options.shards; i++)
        mail(r, mr_mesh_dispatcher(r->options.shards), i,
             &(struct mr_mail){.kind = MR_MAIL_STOP, .a = reason});
}

bool sim_relay_stopped(const struct sim_relay *r)
{
    return r->stopped_shards == r->options.shards;
}

uint64_t sim_relay_count(const struct sim_relay *r, size_t offset)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < r->options.shards; i++) {
        uint64_t one;

        memcpy(&one, (const uint8_t *)mr_shard_metrics(r->shards[i].shard) + offset, sizeof one);
        sum += one;
    }
    return sum;
}
