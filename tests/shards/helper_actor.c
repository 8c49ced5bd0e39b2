#include "tests/shards/helper_actor.h"

#include <stdlib.h>

/* ---- bytes ---- */

static void bytes_add(uint8_t **p, size_t *n, size_t *cap, const void *more, size_t more_n)
{
    if (*n + more_n > *cap) {
        *cap = MR_MAX(2 * *cap, MR_MAX(*n + more_n, (size_t)1024));
        *p = realloc(*p, *cap);
        MR_ASSERT(*p);
    }
    if (more_n > 0)
        memcpy(*p + *n, more, more_n);
    *n += more_n;
}

void actor_receive(struct actor *a, const uint8_t *p, size_t n)
{
    a->bytes_in += n;
    bytes_add(&a->in, &a->in_n, &a->in_cap, p, n);
}

void actor_send_bytes(struct actor *a, const void *p, size_t n)
{
    if (!a->closed)
        bytes_add(&a->out, &a->out_n, &a->out_cap, p, n);
}

void actor_free(struct actor *a)
{
    free(a->out), free(a->in), free(a->heard), free(a->book), free(a->index_all);
}

/* ---- hearing ---- */

static void note(struct actor *a, bool is_eth, uint8_t id, struct mr_span payload)
{
    struct stage *st = a->stage;
    struct heard h = {.is_eth = is_eth,
                      .id = id,
                      .at_ns = st->now.mono_ns,
                      .at_turn = st->turns,
                      .offset = (uint32_t)a->book_n,
                      .n = (uint32_t)payload.n};

    if (st->on_heard)
        st->on_heard(st, a, is_eth, id, payload);
    if (a->no_book)
        return;
    if (a->heard_count == a->heard_cap) {
        a->heard_cap = MR_MAX(2 * a->heard_cap, 16u);
        a->heard = realloc(a->heard, a->heard_cap * sizeof *a->heard);
        MR_ASSERT(a->heard);
    }
    a->heard[a->heard_count++] = h;
    bytes_add(&a->book, &a->book_n, &a->book_cap, payload.p, payload.n);
}

static void hear(struct actor *a, struct mr_span frame_data)
{
    const uint8_t empty = 0xc0;
    struct stage *st = a->stage;
    struct mr_message m;
    struct mr_span payload;

    /* what a shard sends is always a message of what was agreed on */
    MR_ASSERT(mr_transport_open(&m, &a->transport, frame_data) == MR_P2P_NONE);
    MR_ASSERT(mr_transport_payload(&payload, &m, st->arena, st->arena_bytes) == MR_P2P_NONE);
    MR_ASSERT(!a->disconnected); /* a Disconnect is the last thing said */
    a->messages++;
    if (m.capability == MR_CAPABILITY_BASE) {
        if (m.id == MR_BASE_DISCONNECT) {
            a->disconnected = true;
            a->reason = mr_disconnect_decode(payload);
        } else if (m.id == MR_BASE_PING) {
            a->pings++;
            if (!a->no_pongs)
                actor_send_base(a, MR_BASE_PONG, mr_span(&empty, 1));
        }
        note(a, false, (uint8_t)m.id, payload);
    } else {
        MR_ASSERT(m.capability == a->eth_index);
        note(a, true, (uint8_t)m.id, payload);
    }
}

void actors_hear(struct stage *st)
{
    bool more = true;

    while (more) {
        size_t n = 0;

        more = false;
        for (uint32_t i = 0; i < st->actors_count; i++) {
            struct actor *a = &st->actors[i];

            if (a->in_n == a->in_off)
                continue;
            st->job_actors[n] = i;
            st->jobs[n++] = (struct mr_unseal_job){.session = &a->session,
                                                   .in = a->in + a->in_off,
                                                   .in_len = a->in_n - a->in_off,
                                                   .size_max = MR_FRAME_SIZE_MAX};
        }
        mr_rlpx_unseal(st->jobs, n, NULL);
        for (size_t k = 0; k < n; k++) {
            struct actor *a = &st->actors[st->job_actors[k]];
            const struct mr_unseal_job *j = &st->jobs[k];

            MR_ASSERT(j->result == MR_UNSEAL_FRAME || j->result == MR_UNSEAL_NEED);
            a->in_off += j->consumed;
            if (j->result == MR_UNSEAL_FRAME) {
                hear(a, mr_span(j->payload, j->size));
                more = true;
            }
            if (a->in_off == a->in_n)
                a->in_off = a->in_n = 0;
        }
    }
}

const struct heard *actor_heard(const struct actor *a, bool is_eth, uint8_t id, uint32_t i)
{
    for (uint32_t k = 0; k < a->heard_count; k++)
        if (a->heard[k].is_eth == is_eth && a->heard[k].id == id && i-- == 0)
            return &a->heard[k];
    return NULL;
}

uint32_t actor_heard_count(const struct actor *a, bool is_eth, uint8_t id)
{
    uint32_t n = 0;

    while (actor_heard(a, is_eth, id, n))
        n++;
    return n;
}

struct mr_span actor_payload(const struct actor *a, const struct heard *h)
{
    return mr_span(a->book + h->offset, h->n);
}

void actor_forget(struct actor *a)
{
    a->heard_count = a->index_heard = 0;
    a->book_n = a->index_n = 0;
}

/* ---- speaking ---- */

uint8_t *actor_seal(struct actor *a, struct mr_span frame_data, size_t *n)
{
    struct mr_frame f = {.spans = &frame_data, .spans_count = 1, .size = (uint32_t)frame_data.n};
    struct mr_seal_job job = {.session = &a->session,
                              .frames = &f,
                              .frames_count = 1,
                              .out_cap = MR_FRAME_WIRE_LEN(f.size)};

    job.out = malloc(job.out_cap);
    MR_ASSERT(job.out);
    mr_rlpx_seal_one(&job, NULL);
    MR_ASSERT(job.frames_done == 1);
    *n = job.out_len;
    return job.out;
}

void actor_send_frame(struct actor *a, struct mr_span frame_data)
{
    size_t n;
    uint8_t *sealed = actor_seal(a, frame_data, &n);

    actor_send_bytes(a, sealed, n);
    free(sealed);
}

size_t actor_send_claim(struct actor *a, uint32_t size, size_t n)
{
    static const uint8_t zeros[65536];
    struct mr_span spans[MR_FRAME_SIZE_MAX / sizeof zeros + 1];
    struct mr_frame f = {.spans = spans, .size = size};
    uint8_t *out = malloc(n + 64);
    struct mr_seal_job job = {
        .session = &a->session, .frames = &f, .frames_count = 1, .out = out, .out_cap = n + 64};

    MR_ASSERT(out);
    MR_ASSERT(n + 64 < MR_FRAME_WIRE_LEN(size));
    for (uint32_t left = size; left > 0; left -= (uint32_t)spans[f.spans_count++].n)
        spans[f.spans_count] = mr_span(zeros, MR_MIN(left, (uint32_t)sizeof zeros));
    mr_rlpx_seal_one(&job, NULL);
    a->no_pongs = true; /* it is in the middle of a frame */
    MR_ASSERT(job.out_len >= n);
    actor_send_bytes(a, out, n);
    free(out);
    return MR_FRAME_WIRE_LEN(size);
}

void actor_send_wire(struct actor *a, uint64_t wire_id, struct mr_span payload)
{
    size_t cap = 16 + MR_SNAPPY_DEFLATED_MAX(payload.n), n = 0;
    uint8_t *data = malloc(cap);
    struct mr_writer w = mr_writer(data, cap);

    MR_ASSERT(data);
    MR_ASSERT(mr_rlp_put_u64(&w, wire_id) == MR_OK);
    if (a->transport.snappy) {
        MR_ASSERT(mr_snappy_put_preamble(&w, (uint32_t)payload.n) == MR_OK);
        if (payload.n > 0)
            MR_ASSERT(mr_snappy_fragment(data + w.n, cap - w.n, &n, payload) == MR_OK);
        w.n += n;
    } else {
        MR_ASSERT(mr_rlp_put_raw(&w, payload.p, payload.n) == MR_OK);
    }
    actor_send_frame(a, mr_writer_span(&w));
    free(data);
}

void actor_send_base(struct actor *a, uint8_t id, struct mr_span payload)
{
    actor_send_wire(a, id, payload);
}

void actor_send_eth(struct actor *a, uint8_t id, struct mr_span payload)
{
    actor_send_wire(a, (uint64_t)a->caps.shared[a->eth_index].first_id + id, payload);
}

void actor_hang_up(struct actor *a)
{
    a->hung_up = true;
}

/* ---- coming ---- */

static void secrets_make(struct stage *st, struct mr_rlpx_session *ours,
                         struct mr_rlpx_session *theirs)
{
    struct mr_rlpx_secrets s;
    struct mr_keccak one, other;
    uint8_t fill[64];

    mr_random_fill(&st->random, s.aes, sizeof s.aes);
    mr_random_fill(&st->random, s.mac, sizeof s.mac);
    mr_keccak_init(&one);
    mr_keccak_init(&other);
    mr_random_fill(&st->random, fill, sizeof fill);
    mr_keccak_update(&one, fill, sizeof fill);
    mr_random_fill(&st->random, fill, sizeof fill);
    mr_keccak_update(&other, fill, sizeof fill);
    s.egress = one, s.ingress = other;
    mr_rlpx_session_init(ours, &s);
    s.egress = other, s.ingress = one;
    mr_rlpx_session_init(theirs, &s);
}

static struct mr_handover *handover_take(struct stage *st, uint32_t fresh)
{
    struct mr_stack_entry *e = mr_stack_take(&st->home);

    /* the shard gave some back: one is used, the others wait again */
    if (!e)
        return &st->handovers[fresh];
    for (struct mr_stack_entry *next = e->next; next;) {
        struct mr_stack_entry *after = next->next;

        mr_stack_push(&st->home, next);
        next = after;
    }
    return MR_CONTAINER(e, struct mr_handover, entry);
}

static void actor_make(struct stage *st, struct actor *a, const struct actor_options *o)
{
    const struct mr_protocol *eth;

    *a = (struct actor){
        .stage = st, .index = (uint32_t)(a - st->actors), .slot = STAGE_NOBODY, .closed_why = -1};
    a->serial = a->index + 1;
    if (o)
        a->o = *o;
    if (a->o.version == 0)
        a->o.version = MR_ETH_69;
    if (a->o.remote.ip == 0)
        a->o.remote = (struct mr_endpoint){.ip = 0x0b000001u + (a->index << 16), .port = 30303};
    if (a->o.id)
        a->id = *a->o.id;
    else
        mr_random_fill(&st->random, a->id.b, sizeof a->id.b);
    eth = mr_protocol_find("eth", a->o.version);
    MR_ASSERT(eth);
    MR_ASSERT(mr_capabilities_match(&a->caps, eth, 1, &eth->capability, 1) == MR_OK);
    a->transport = (struct mr_transport){.shared = &a->caps, .snappy = true};
}

struct actor *actor_join(struct stage *st, const struct actor_options *o)
{
    struct actor *a = &st->actors[st->actors_count];
    struct mr_handover *h;
    struct mr_mail mail = {.kind = MR_MAIL_ADOPT};
    bool wake;

    MR_ASSERT(st->actors_count < st->o.actors_max);
    actor_make(st, a, o);
    h = handover_take(st, st->actors_count++);
    *h = (struct mr_handover){.home = &st->home,
                              .serial = a->serial,
                              .fd = (int)a->index,
                              .inbound = a->o.inbound,
                              .trusted = a->o.trusted,
                              .is_static = a->o.is_static,
                              .remote = a->o.remote,
                              .id = a->id,
                              .caps = a->caps,
                              .snappy = true,
                              .client = "actor/1",
                              .begun_ns = st->now.mono_ns};
    secrets_make(st, &h->session, &a->session);
    mail.ptr = h;
    if (!mr_mail_send(st->mesh, mr_mesh_dispatcher(st->o.shards), a->o.shard, MR_MAIL_SURE, &mail,
                      &wake))
        MR_ASSERT(!"the stage's mail finds room");
    return a;
}

struct mr_peer *actor_peer(struct actor *a)
{
    return a->adopted ? &a->stage->shards[a->o.shard]->peers[a->slot] : NULL;
}

void actor_status_default(const struct actor *a, struct mr_eth_status *out)
{
    mr_head_status(a->stage->shards[a->o.shard]->head, out, a->o.version,
                   mr_time_wall_s(a->stage->now));
}

void actor_send_status(struct actor *a, const struct mr_eth_status *status)
{
    uint8_t room[MR_ETH_STATUS_MAX];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_eth_status st;

    if (status)
        st = *status;
    else
        actor_status_default(a, &st);
    MR_ASSERT(mr_eth_status_encode(&w, &st) == MR_OK);
    actor_send_eth(a, MR_ETH_STATUS, mr_writer_span(&w));
}

struct actor *actor_up(struct stage *st, const struct actor_options *o)
{
    struct actor *a = actor_join(st, o);

    actor_send_status(a, NULL);
    stage_settle(st);
    MR_ASSERT(a->active);
    MR_ASSERT(actor_heard_count(a, true, MR_ETH_STATUS) == 1);
    actor_forget(a);
    return a;
}
