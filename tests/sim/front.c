#include "tests/sim/front.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/sim/world.h"

static void plan_turn(struct sim_front *f, uint64_t at_ns);

static uint64_t soon(struct sim_front *f)
{
    return f->world->sim.now_ns + sim_between(&f->world->sim, 1, 30) * MR_US;
}

static void turn(void *ctx, uint64_t epoch)
{
    struct sim_front *f = ctx;
    struct mr_dispatcher_event *events = f->events;
    size_t n = f->events_count;
    uint64_t next, earliest;
    unsigned self = mr_mesh_dispatcher(f->relay->options.shards);

    if (epoch != f->epoch || !f->planned)
        return;
    f->planned = false;
    f->events = NULL;
    f->events_count = f->events_cap = 0;
    next = mr_dispatcher_turn(f->dispatcher, sim_time(&f->world->sim), events, n);
    free(events);
    earliest = soon(f);
    if (!mr_mail_sleep(f->relay->mesh, self) || f->events_count > 0)
        next = 0;
    plan_turn(f, MR_MAX(next, earliest));
}

static void plan_turn(struct sim_front *f, uint64_t at_ns)
{
    if (f->planned && f->turn_ns <= at_ns)
        return;
    f->planned = true;
    f->turn_ns = at_ns;
    sim_at(&f->world->sim, at_ns, turn, f, ++f->epoch);
}

void sim_front_wake(struct sim_front *f)
{
    plan_turn(f, soon(f));
}

static void event_add(struct sim_front *f, const struct mr_dispatcher_event *e)
{
    if (f->events_count == f->events_cap) {
        f->events_cap = MR_MAX(2 * f->events_cap, 16u);
        f->events = realloc(f->events, f->events_cap * sizeof *f->events);
        MR_ASSERT(f->events);
    }
    f->events[f->events_count++] = *e;
    plan_turn(f, soon(f));
}

static void slot_event(struct sim_front *f, uint32_t slot, enum mr_dispatcher_event_kind kind,
                       int32_t result)
{
    event_add(f, &(struct mr_dispatcher_event){.kind = kind,
                                               .slot = slot,
                                               .generation = f->slots[slot].generation,
                                               .result = result});
}

/* ---- what happens on a connection ---- */

static void on_received(void *ctx, uint64_t slot, uint8_t *data, size_t n)
{
    struct sim_front *f = ctx;

    (void)data; /* in the dispatcher's memory already */
    if (f->slots[slot].closing)
        return;
    f->slots[slot].receiving = false;
    slot_event(f, (uint32_t)slot, MR_DISPATCHER_RECEIVED, (int32_t)n);
}

static void on_sent(void *ctx, uint64_t slot, int32_t result)
{
    struct sim_front *f = ctx;

    if (f->slots[slot].closing)
        return;
    f->slots[slot].sending = false;
    slot_event(f, (uint32_t)slot, MR_DISPATCHER_SENT, result);
}

static void bind_end(struct sim_front *f, uint32_t slot, int end)
{
    struct sim_handlers h = {.ctx = f, .tag = slot, .received = on_received, .sent = on_sent};

    f->slots[slot].end = end;
    sim_net_own(&f->world->net, end, &h);
}

/* ---- the port ---- */

static struct sim_front_slot *slot_of(struct sim_front *f, uint32_t slot, uint32_t generation)
{
    struct sim_front_slot *s = &f->slots[slot];

    MR_ASSERT(slot < f->slots_count);
    MR_ASSERT(s->used);
    MR_ASSERT(s->generation == generation);
    MR_ASSERT(!s->closing);
    return s;
}

static struct sim_front_slot *slot_use(struct sim_front *f, uint32_t slot, uint32_t generation)
{
    MR_ASSERT(slot < f->slots_count);
    MR_ASSERT(!f->slots[slot].used);
    f->slots[slot] = (struct sim_front_slot){.end = -1, .generation = generation, .used = true};
    return &f->slots[slot];
}

static void let_in(struct sim_front *f)
{
    uint32_t n = 0;

    for (; n < f->waiting_count && f->room > 0; n++, f->room--)
        event_add(f, &(struct mr_dispatcher_event){.kind = MR_DISPATCHER_ACCEPTED,
                                                   .result = f->waiting[n].end,
                                                   .remote = f->waiting[n].from});
    f->waiting_count -= n;
    memmove(f->waiting, f->waiting + n, f->waiting_count * sizeof *f->waiting);
}

void sim_front_arrives(void *front, int end, struct mr_endpoint from)
{
    struct sim_front *f = front;

    if (f->waiting_count == MR_COUNT_OF(f->waiting)) {
        sim_net_close(&f->world->net, end);
        return;
    }
    f->waiting[f->waiting_count++] = (struct sim_waiting){end, from};
    let_in(f);
}

static void port_accept(void *ctx, uint32_t room)
{
    struct sim_front *f = ctx;

    f->room = room;
    let_in(f);
}

static void port_take(void *ctx, uint32_t slot, uint32_t generation, int fd)
{
    struct sim_front *f = ctx;

    slot_use(f, slot, generation);
    bind_end(f, slot, fd);
}

static void port_refuse(void *ctx, int fd)
{
    struct sim_front *f = ctx;

    sim_net_close(&f->world->net, fd);
}

/* Made, or refused: end is -1 then. */
static void dialled(void *ctx, uint64_t use, int end)
{
    struct sim_front *f = ctx;
    uint32_t slot = (uint32_t)use;
    struct sim_front_slot *s = &f->slots[slot];

    if (!s->used || s->closing || s->generation != use >> 32) {
        if (end >= 0)
            sim_net_close(&f->world->net, end);
        return;
    }
    s->dialling = false;
    if (end >= 0)
        bind_end(f, slot, end);
    slot_event(f, slot, MR_DISPATCHER_DIALLED, end >= 0 ? end : -ECONNREFUSED);
}

static void port_dial(void *ctx, uint32_t slot, uint32_t generation, struct mr_endpoint to)
{
    struct sim_front *f = ctx;
    struct sim_front_slot *s = slot_use(f, slot, generation);

    s->dialling = true;
    f->dials++;
    sim_world_dial(f->world, f->relay->at, to, dialled, f, (uint64_t)generation << 32 | slot);
}

static void port_receive(void *ctx, uint32_t slot, uint32_t generation, uint8_t *p, size_t n)
{
    struct sim_front *f = ctx;
    struct sim_front_slot *s = slot_of(f, slot, generation);

    MR_ASSERT(!s->receiving);
    s->receiving = true;
    sim_net_read_exact(&f->world->net, s->end, p, n);
}

static void port_send(void *ctx, uint32_t slot, uint32_t generation, const uint8_t *p, size_t n)
{
    struct sim_front *f = ctx;
    struct sim_front_slot *s = slot_of(f, slot, generation);

    MR_ASSERT(!s->sending);
    s->sending = true;
    sim_net_send(&f->world->net, s->end, p, n);
}

static void closed(void *ctx, uint64_t use)
{
    struct sim_front *f = ctx;
    struct sim_front_slot *s = &f->slots[(uint32_t)use];

    MR_ASSERT(s->closing);
    MR_ASSERT(s->generation == use >> 32);
    s->used = s->closing = false;
    slot_event(f, (uint32_t)use, MR_DISPATCHER_CLOSED, 0);
}

static void port_close(void *ctx, uint32_t slot, uint32_t generation)
{
    struct sim_front *f = ctx;
    struct sim_front_slot *s = slot_of(f, slot, generation);

    s->closing = true;
    if (s->end >= 0)
        sim_net_close(&f->world->net, s->end);
    sim_at(&f->world->sim, soon(f), closed, f, (uint64_t)generation << 32 | slot);
}

static void port_release(void *ctx, uint32_t slot, uint32_t generation)
{
    struct sim_front *f = ctx;
    struct sim_front_slot *s = slot_of(f, slot, generation);

    MR_ASSERT(!s->receiving);
    MR_ASSERT(!s->sending);
    s->used = false;
}

static void port_wake(void *ctx, unsigned thread)
{
    struct sim_front *f = ctx;

    sim_relay_wake(f->relay, thread);
}

/* ---- making and ending ---- */

struct sim_front *sim_front_new(struct sim_world *w, struct sim_relay *r)
{
    struct sim_front *f = sim_alloc(sizeof *f);
    struct mr_dispatcher_setup s = {
        .options = &r->options,
        .secp = r->secp,
        .self = &r->key,
        .mesh = r->mesh,
        .port = {f, port_accept, port_take, port_refuse, port_dial, port_receive, port_send,
                 port_close, port_release, port_wake},
        .client = "millrace/sim",
        .listen_port = r->at.port,
        .boot_key = {r->boot_key[0], r->boot_key[1]},
        .entropy = sim_entropy,
        .entropy_ctx = &w->sim,
        .now = sim_time(&w->sim),
    };
    char why[256];

    f->world = w;
    f->relay = r;
    f->slots_count = mr_dispatcher_slots(&r->options);
    f->slots = sim_alloc(f->slots_count * sizeof *f->slots);
    f->dispatcher = mr_dispatcher_new(&s, why, sizeof why);
    MR_ASSERT(f->dispatcher);
    sim_front_wake(f);
    return f;
}

void sim_front_free(struct sim_front *f)
{
    mr_dispatcher_free(f->dispatcher);
    free(f->events);
    free(f->slots);
    free(f);
}

void sim_front_set_static(struct sim_front *f, const struct sim_relay *other, bool trusted)
{
    struct mr_listed_node n = {
        .id = other->key.pub, .at = other->at, .is_static = true, .trusted = trusted};

    MR_ASSERT(mr_dispatcher_set_nodes(f->dispatcher, &n, 1, sim_time(&f->world->sim)) == MR_OK);
    sim_front_wake(f);
}

void sim_front_stop(struct sim_front *f, unsigned reason)
{
    mr_dispatcher_stop(f->dispatcher, reason);
    sim_front_wake(f);
}
