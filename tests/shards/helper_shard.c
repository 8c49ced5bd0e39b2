#include "tests/shards/helper_shard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/shards/helper_actor.h"

#define EVENTS_MORE 4096
#define TURNS_MAX   200000

/* ---- the port: what a shard asks for in its turn ---- */

static struct actor *at(struct stage_port *port, uint32_t slot, uint32_t generation)
{
    struct stage *st = port->stage;
    uint32_t i = st->at_slot[port->shard][slot];

    MR_ASSERT(i != STAGE_NOBODY);
    MR_ASSERT(st->actors[i].generation == generation);
    MR_ASSERT(!st->actors[i].close_asked);
    return &st->actors[i];
}

static void port_adopt(void *ctx, uint32_t slot, uint32_t generation, int fd)
{
    struct stage_port *port = ctx;
    struct actor *a = &port->stage->actors[fd];

    MR_ASSERT(port->stage->at_slot[port->shard][slot] == STAGE_NOBODY);
    MR_ASSERT(!a->adopted);
    port->stage->at_slot[port->shard][slot] = a->index;
    a->adopted = true;
    a->slot = slot;
    a->generation = generation;
}

/* A print of bytes that are to stay as they are; not a hash in any other sense. */
static uint64_t print_of(const uint8_t *p, size_t n)
{
    uint64_t x = n;

    for (; n >= 8; p += 8, n -= 8)
        x = (x ^ mr_load_le64(p)) * UINT64_C(0x9e3779b97f4a7c15), x ^= x >> 29;
    for (; n > 0; p++, n--)
        x = (x ^ *p) * UINT64_C(0x9e3779b97f4a7c15);
    return x;
}

static void port_send(void *ctx, uint32_t slot, uint32_t generation, const uint8_t *p, size_t n)
{
    struct stage_port *port = ctx;
    struct actor *a = at(port, slot, generation);

    MR_ASSERT(!a->flight);
    MR_ASSERT(n > 0);
    a->flight = p;
    a->flight_n = n;
    a->flight_turn = port->stage->turns;
    port->stage->out_print =
        (port->stage->out_print ^ a->flight_print) * UINT64_C(0x9e3779b97f4a7c15) + slot;
    a->flight_print = port->stage->o.unverified_sends ? 0 : print_of(p, n);
    a->sends++;
}

static void port_pause(void *ctx, uint32_t slot, uint32_t generation)
{
    struct actor *a = at(ctx, slot, generation);

    MR_ASSERT(!a->paused);
    a->paused = true;
    a->pauses++;
}

static void port_resume(void *ctx, uint32_t slot, uint32_t generation)
{
    struct actor *a = at(ctx, slot, generation);

    MR_ASSERT(a->paused);
    a->paused = false;
    a->resumes++;
}

static void port_close(void *ctx, uint32_t slot, uint32_t generation)
{
    at(ctx, slot, generation)->close_asked = true;
}

static void port_submit(void *ctx)
{
    ((struct stage_port *)ctx)->stage->submits++;
}

static void port_wake(void *ctx, unsigned thread)
{
    (void)thread;
    ((struct stage_port *)ctx)->stage->wakes++;
}

/* ---- events ---- */

static struct mr_shard_event *event_add(struct stage *st, size_t *n, const struct actor *a,
                                        enum mr_shard_event_kind kind)
{
    MR_ASSERT(*n < 4 * (size_t)st->o.actors_max + EVENTS_MORE);
    st->event_bytes[*n] = NULL;
    st->events[*n] =
        (struct mr_shard_event){.kind = kind, .slot = a->slot, .generation = a->generation};
    return &st->events[(*n)++];
}

static void sent(struct stage *st, size_t *n, struct actor *a)
{
    struct mr_shard_event *e = event_add(st, n, a, MR_EVENT_SENT);

    MR_ASSERT(st->o.unverified_sends || a->flight_print == print_of(a->flight, a->flight_n));
    e->result = a->close_asked ? -ECANCELED : a->broken ? -EPIPE : (int32_t)a->flight_n;
    if (!a->close_asked && !a->broken)
        actor_receive(a, a->flight, a->flight_n);
    a->sealed_turn = a->flight_turn;
    a->flight = NULL;
    a->flight_n = 0;
}

static bool may_deliver(const struct actor *a)
{
    return a->adopted && !a->close_asked && (!a->paused || a->late_data);
}

static void deliver(struct stage *st, size_t *n, struct actor *a)
{
    size_t some = a->out_n - a->out_off;
    struct mr_shard_event *e;

    some = MR_MIN(some, a->chunk ? a->chunk : 65536u);
    e = event_add(st, n, a, MR_EVENT_RECEIVED);
    e->data = malloc(some);
    MR_ASSERT(e->data);
    memcpy(e->data, a->out + a->out_off, some);
    st->event_bytes[*n - 1] = e->data;
    e->n = (uint32_t)some;
    a->out_off += some;
    if (a->out_off == a->out_n)
        a->out_off = a->out_n = 0;
}

static size_t events_collect(struct stage *st, unsigned shard)
{
    size_t n = 0;

    for (uint32_t i = 0; i < st->actors_count; i++) {
        struct actor *a = &st->actors[i];

        if (a->o.shard != shard || !a->adopted)
            continue;
        if (a->flight && (!a->deaf || a->close_asked))
            sent(st, &n, a);
        if (a->close_asked) {
            event_add(st, &n, a, MR_EVENT_CLOSED);
            st->at_slot[shard][a->slot] = STAGE_NOBODY;
            a->adopted = false;
            a->closed = true;
            continue;
        }
        for (unsigned k = 0; k < MR_MAX(a->bursts, 1u) && may_deliver(a) && a->out_n > 0; k++)
            deliver(st, &n, a);
        if (a->hung_up && !a->end_told && a->out_n == 0 && may_deliver(a)) {
            event_add(st, &n, a, MR_EVENT_ENDED);
            a->end_told = true;
        }
    }
    return n;
}

/* ---- the other threads ---- */

static void dispatcher_mail(struct stage *st)
{
    unsigned self = mr_mesh_dispatcher(st->o.shards);
    struct mr_mail m;

    while (mr_mail_take(st->mesh, self, &m)) {
        struct actor *a = m.a > 0 && m.a <= st->actors_count ? &st->actors[m.a - 1] : NULL;

        if (m.kind == MR_MAIL_STOPPED) {
            MR_ASSERT(!st->stopped[m.from]);
            st->stopped[m.from] = true;
            continue;
        }
        MR_ASSERT(a && a->serial == m.a);
        if (m.kind == MR_MAIL_ACTIVE) {
            MR_ASSERT(!a->active);
            a->active = true;
        } else {
            MR_ASSERT(m.kind == MR_MAIL_CLOSED);
            MR_ASSERT(a->closed_why == -1);
            MR_ASSERT(m.b < MR_CLOSED_COUNT);
            a->closed_why = (int)m.b;
        }
    }
}

static void verdict(struct stage *st, const struct mr_mail *m, enum mr_blob_verdict v)
{
    struct mr_mail out = {.kind = MR_MAIL_VERDICT, .a = m->a, .b = v};
    bool wake;

    mr_buf_put(NULL, m->buf);
    if (!mr_mail_send(st->mesh, mr_mesh_service(st->o.shards), m->from, MR_MAIL_SURE, &out, &wake))
        MR_ASSERT(!"verdicts find room");
}

static void service_mail(struct stage *st)
{
    struct mr_mail m;

    while (mr_mail_take(st->mesh, mr_mesh_service(st->o.shards), &m)) {
        MR_ASSERT(m.kind == MR_MAIL_BLOB);
        st->blob_checks++;
        if (st->mute_service) {
            MR_ASSERT(st->held_count < MR_BLOB_LOG);
            st->held[st->held_count++] = m;
        } else {
            verdict(st, &m, st->doubt_blobs ? MR_BLOB_BAD : MR_BLOB_OK);
        }
    }
}

void stage_blobs_ready(struct stage *st)
{
    const struct mr_mail ready = {.kind = MR_MAIL_READY};
    bool wake;

    for (unsigned i = 0; i < st->o.shards; i++)
        if (!mr_mail_send(st->mesh, mr_mesh_service(st->o.shards), i, MR_MAIL_SURE, &ready, &wake))
            MR_ASSERT(!"the stage's mail finds room");
    stage_settle(st);
}

void stage_verdicts(struct stage *st, enum mr_blob_verdict v)
{
    for (uint32_t i = 0; i < st->held_count; i++)
        verdict(st, &st->held[i], v);
    st->held_count = 0;
}

void stage_mail(struct stage *st, unsigned from, enum mr_mail_class c, const struct mr_mail *mail)
{
    bool wake;

    if (!mr_mail_send(st->mesh, from, 0, c, mail, &wake))
        MR_ASSERT(!"the stage's mail finds room");
}

void stage_stop(struct stage *st, uint8_t reason)
{
    struct mr_mail mail = {.kind = MR_MAIL_STOP, .a = reason};
    bool wake;

    for (unsigned i = 0; i < st->o.shards; i++)
        if (!mr_mail_send(st->mesh, mr_mesh_dispatcher(st->o.shards), i, MR_MAIL_SURE, &mail,
                          &wake))
            MR_ASSERT(!"the stage's mail finds room");
}

/* ---- turns ---- */

void stage_turn(struct stage *st)
{
    st->turns++;
    for (unsigned i = 0; i < st->o.shards; i++) {
        size_t n;

        if (st->asleep[i])
            continue;
        n = events_collect(st, i);
        if (st->on_turn)
            st->on_turn(st, i, true);
        st->next_ns[i] = mr_shard_turn(st->shards[i], st->now, st->events, n);
        if (st->on_turn)
            st->on_turn(st, i, false);
        for (size_t k = 0; k < n; k++)
            free(st->event_bytes[k]);
    }
    dispatcher_mail(st);
    service_mail(st);
    actors_hear(st);
}

static bool mail_waits(struct stage *st)
{
    bool waits = false;

    for (unsigned i = 0; i < st->o.shards + 2; i++) {
        if (i < st->o.shards && st->asleep[i])
            continue;
        waits |= !mr_mail_sleep(st->mesh, i);
        mr_mail_awake(st->mesh, i);
    }
    return waits;
}

static bool moving(struct stage *st)
{
    for (unsigned i = 0; i < st->o.shards; i++)
        if (!st->asleep[i] && st->next_ns[i] <= st->now.mono_ns)
            return true;
    for (uint32_t i = 0; i < st->actors_count; i++) {
        const struct actor *a = &st->actors[i];

        if (a->adopted && !st->asleep[a->o.shard] &&
            (a->close_asked || (a->flight && !a->deaf) ||
             (may_deliver(a) && (a->out_n > 0 || (a->hung_up && !a->end_told)))))
            return true;
    }
    return mail_waits(st);
}

void stage_settle(struct stage *st)
{
    unsigned turns = 0;

    do {
        stage_turn(st);
        MR_ASSERT(++turns < TURNS_MAX);
    } while (moving(st));
}

void stage_run(struct stage *st, uint64_t ms)
{
    uint64_t end = st->now.mono_ns + ms * MR_MS, next;

    for (;;) {
        stage_settle(st);
        if (st->now.mono_ns == end)
            return;
        next = end;
        for (unsigned i = 0; i < st->o.shards; i++)
            if (!st->asleep[i])
                next = MR_MIN(next, st->next_ns[i]);
        st->now.wall_ns += next - st->now.mono_ns;
        st->now.mono_ns = next;
    }
}

/* ---- counters ---- */

/* What moves in any traffic, with any coming and going, or with time. */
static bool is_traffic(const char *name)
{
    static const char *const names[] = {"turns",
                                        "bytes_in",
                                        "bytes_out",
                                        "frames_in",
                                        "frames_out",
                                        "sends",
                                        "peers_adopted",
                                        "peers_closed",
                                        "status_ok",
                                        "disconnect_out",
                                        "mail_wakes",
                                        "keccak_permutations_1",
                                        "ping_in",
                                        "ping_out",
                                        "keccak_permutations_4",
                                        "keccak_permutations_8",
                                        "keccak_lanes_1",
                                        "keccak_lanes_4",
                                        "keccak_lanes_8",
                                        "bodies_out",
                                        "announced_out",
                                        "head_rounds",
                                        "head_rounds_stale"};

    for (size_t i = 0; i < MR_COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

void stage_mark(struct stage *st)
{
    st->before = *stage_count(st);
}

const char *stage_moved(const struct stage *st)
{
    static char text[1024];
    const struct mr_metric_set *set = &mr_shard_metrics_set;
    size_t n = 0;

    text[0] = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct mr_metric *m = &set->metrics[i];

        if (m->kind == MR_METRIC_COUNTER && !is_traffic(m->name) &&
            mr_metric_read(m, &st->before) != mr_metric_read(m, &st->shards[0]->metrics))
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", m->name);
        MR_ASSERT(n < sizeof text);
    }
    return text;
}

uint64_t stage_peer_buffers(const struct stage *st, unsigned shard)
{
    struct mr_shard *s = st->shards[shard];
    uint64_t others = mr_admit_length(s->admit);

    mr_buf_pool_collect(&s->pool);
    for (unsigned i = 0; i < st->o.shards; i++) {
        const struct mr_txlog *l = &st->shards[i]->log;

        for (uint64_t seq = l->tail; seq < l->head; seq++) {
            const struct mr_buf *b = mr_txlog_at(l, seq)->buf;

            /* a body lies in its own shard's log or has left it; others only hold it longer */
            if (b && b->home == &s->pool && i == shard)
                others++;
            if (i == shard && mr_txlog_at(l, seq)->use)
                others++; /* what counts its users */
        }
    }
    return s->pool.out_count - others;
}

/* ---- coming and going ---- */

void stage_options_default(struct stage_options *o)
{
    *o = (struct stage_options){.network = "mainnet",
                                .shards = 1,
                                .seed = 1,
                                .actors_max = 512,
                                .flow_slots = 1024,
                                .wall_s = 1790000000};
    mr_relay_options_tiny(&o->relay);
}

static void shard_new(struct stage *st, unsigned i)
{
    struct mr_shard_setup setup = {.options = &st->relay,
                                   .network = st->net,
                                   .secp = st->secp,
                                   .mesh = st->mesh,
                                   .self = i,
                                   .seed = mr_random_u64(&st->random),
                                   .boot_key = {st->o.seed, 42},
                                   .client = "millrace-test/1",
                                   .now = st->now};
    char why[128];

    st->ports[i] = (struct stage_port){.stage = st, .shard = i};
    memset(setup.id.b, 0x80, sizeof setup.id.b);
    setup.port = (struct mr_shard_port){.ctx = &st->ports[i],
                                        .adopt = port_adopt,
                                        .send = port_send,
                                        .pause = port_pause,
                                        .resume = port_resume,
                                        .close = port_close,
                                        .submit = port_submit,
                                        .wake = port_wake};
    st->shards[i] = mr_shard_new(&setup, why, sizeof why);
    MR_ASSERT(st->shards[i]);
    st->at_slot[i] = malloc(st->shards[i]->slots * sizeof(uint32_t));
    MR_ASSERT(st->at_slot[i]);
    for (uint32_t k = 0; k < st->shards[i]->slots; k++)
        st->at_slot[i][k] = STAGE_NOBODY;
}

static void *zeroed(size_t n, size_t size)
{
    void *p = calloc(n, size);

    MR_ASSERT(p);
    return p;
}

void stage_init(struct stage *st, const struct stage_options *o)
{
    const uint8_t blinding[32] = {1};
    size_t events;

    memset(st, 0, sizeof *st);
    if (o)
        st->o = *o;
    else
        stage_options_default(&st->o);
    MR_ASSERT(st->o.shards >= 1);
    MR_ASSERT(st->o.shards <= STAGE_SHARDS_MAX);
    st->relay = st->o.relay;
    st->relay.shards = st->o.shards;
    st->net = st->o.net ? st->o.net : mr_network_find(st->o.network);
    MR_ASSERT(st->net);
    st->now = (struct mr_time){.mono_ns = 1000 * MR_SECOND, .wall_ns = st->o.wall_s * MR_SECOND};
    mr_random_init(&st->random, st->o.seed);
    st->secp = mr_secp_create(blinding);
    MR_ASSERT(st->secp);
    if (st->o.sure_slots == 0)
        st->o.sure_slots = 4 * st->o.actors_max + 4 * MR_BLOB_LOG;
    st->mesh = mr_mesh_new(st->o.shards, st->o.sure_slots, st->o.flow_slots, 1024);
    MR_ASSERT(st->mesh);
    for (unsigned i = 0; i < st->o.shards; i++)
        shard_new(st, i);
    events = 4 * (size_t)st->o.actors_max + EVENTS_MORE;
    st->actors = zeroed(st->o.actors_max, sizeof *st->actors);
    st->handovers = zeroed(st->o.actors_max, sizeof *st->handovers);
    st->events = zeroed(events, sizeof *st->events);
    st->event_bytes = zeroed(events, sizeof *st->event_bytes);
    st->jobs = zeroed(st->o.actors_max, sizeof *st->jobs);
    st->job_actors = zeroed(st->o.actors_max, sizeof *st->job_actors);
    st->arena_bytes = MR_MIN(st->relay.arena_bytes, MR_MESSAGE_MAX);
    st->arena = zeroed(1, st->arena_bytes);
    st->held = zeroed(MR_BLOB_LOG, sizeof *st->held);
    stage_mark(st);
}

void stage_free(struct stage *st)
{
    stage_verdicts(st, MR_BLOB_ERROR);
    for (unsigned i = 0; i < st->o.shards; i++)
        mr_shard_let_go(st->shards[i]);
    mr_mesh_drain(st->mesh);
    for (unsigned i = 0; i < st->o.shards; i++) {
        mr_shard_free(st->shards[i]);
        free(st->at_slot[i]);
    }
    mr_mesh_free(st->mesh);
    mr_secp_destroy(st->secp);
    for (uint32_t i = 0; i < st->actors_count; i++)
        actor_free(&st->actors[i]);
    for (uint32_t i = 0; i < st->made_count; i++)
        free(st->made[i]);
    free(st->made), free(st->actors), free(st->handovers), free(st->events);
    free(st->event_bytes), free(st->jobs), free(st->job_actors), free(st->arena), free(st->held);
    memset(st, 0, sizeof *st);
}

void stage_close(struct stage *st)
{
    memset(st->asleep, 0, sizeof st->asleep);
    if (!st->shards[0]->stopping)
        stage_stop(st, MR_REASON_QUITTING);
    stage_run(st, 2000);
    for (unsigned i = 0; i < st->o.shards; i++) {
        MR_ASSERT(st->stopped[i]);
        MR_ASSERT(st->shards[i]->live_count == 0);
        MR_ASSERT(st->shards[i]->gather_bytes == 0);
        MR_ASSERT(st->shards[i]->sending_bytes == 0);
        MR_ASSERT(stage_peer_buffers(st, i) == 0);
    }
    for (uint32_t i = 0; i < st->actors_count; i++)
        MR_ASSERT(st->actors[i].closed && st->actors[i].closed_why >= 0);
    stage_free(st);
}
