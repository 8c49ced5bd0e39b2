#include "helper_dispatch.h"

#include <stdlib.h>

static const uint64_t boot_key[2] = {11, 12};

static void entropy(void *ctx, void *p, size_t n)
{
    mr_random_fill(ctx, p, n);
}

/* ---- the port ---- */

static struct dsp_link *link_at(struct dsp_world *w, uint32_t slot, uint32_t generation)
{
    struct dsp_link *l = &w->links[slot];

    MR_ASSERT(slot < mr_dispatcher_slots(&w->options));
    MR_ASSERT(l->used);
    MR_ASSERT(l->generation == generation);
    return l;
}

static void link_open(struct dsp_world *w, uint32_t slot, uint32_t generation, int fd)
{
    struct dsp_link *l = &w->links[slot];

    MR_ASSERT(slot < mr_dispatcher_slots(&w->options));
    MR_ASSERT(!(l->used));
    memset(l, 0, sizeof *l);
    l->used = true;
    l->slot = slot;
    l->generation = generation;
    l->fd = fd;
}

static void port_accept(void *ctx, uint32_t room)
{
    struct dsp_world *w = ctx;

    w->room = room;
    w->accept_calls++;
}

static void port_take(void *ctx, uint32_t slot, uint32_t generation, int fd)
{
    link_open(ctx, slot, generation, fd);
}

static void port_refuse(void *ctx, int fd)
{
    struct dsp_world *w = ctx;

    w->refused++;
    w->last_refused = fd;
}

static void port_dial(void *ctx, uint32_t slot, uint32_t generation, struct mr_endpoint to)
{
    struct dsp_world *w = ctx;

    link_open(w, slot, generation, -1);
    w->links[slot].dialling = true;
    w->links[slot].remote = to;
    w->dials++;
}

static void port_receive(void *ctx, uint32_t slot, uint32_t generation, uint8_t *p, size_t n)
{
    struct dsp_link *l = link_at(ctx, slot, generation);

    MR_ASSERT(!(l->receiving));
    MR_ASSERT(!(l->closing));
    MR_ASSERT(n > 0);
    l->receiving = true;
    l->want = p;
    l->want_n = n;
}

static void port_send(void *ctx, uint32_t slot, uint32_t generation, const uint8_t *p, size_t n)
{
    struct dsp_link *l = link_at(ctx, slot, generation);

    MR_ASSERT(!(l->sending)); /* one at a time */
    MR_ASSERT(!(l->closing)); /* none after close */
    MR_ASSERT(n > 0);
    l->sending = true;
    l->send = p;
    l->send_n = n;
}

static void port_close(void *ctx, uint32_t slot, uint32_t generation)
{
    struct dsp_link *l = link_at(ctx, slot, generation);

    MR_ASSERT(!(l->closing)); /* once */
    l->closing = true;
}

static void port_release(void *ctx, uint32_t slot, uint32_t generation)
{
    struct dsp_world *w = ctx;
    struct dsp_link *l = link_at(w, slot, generation);

    MR_ASSERT(!(l->receiving || l->sending || l->closing || l->dialling));
    /* the mail with the rest of it follows; entries of ended sessions are used again */
    MR_ASSERT(w->live + w->released_n < DSP_SESSIONS);
    w->released[w->released_n++] = *l;
    l->used = false;
}

static void port_wake(void *ctx, unsigned thread)
{
    (void)ctx;
    (void)thread;
}

/* ---- the world ---- */

void dsp_open(struct dsp_world *w, const struct mr_relay_options *options)
{
    uint8_t seed[32] = {7};
    struct mr_secp *secp = mr_secp_create(seed);

    MR_ASSERT(secp);
    dsp_open_with(w, options, secp);
    w->owns_secp = true;
}

void dsp_open_with(struct dsp_world *w, const struct mr_relay_options *options,
                   struct mr_secp *secp)
{
    char why[200] = "";
    struct mr_dispatcher_setup setup;

    memset(w, 0, sizeof *w);
    mr_relay_options_tiny(&w->options);
    w->options.shards = 2;
    if (options)
        w->options = *options;
    MR_ASSERT(mr_dispatcher_slots(&w->options) <= DSP_SLOTS);
    mr_random_init(&w->random, 1);
    w->now = (struct mr_time){.mono_ns = 1000 * MR_SECOND, .wall_ns = 1000 * MR_SECOND};
    w->next_fd = 100;
    w->secp = secp;
    mr_secp_keypair_make(w->secp, &w->self, entropy, &w->random);
    w->mesh = mr_mesh_new(w->options.shards, mr_dispatcher_sure_slots(&w->options), 8, 8);
    MR_ASSERT(w->mesh);
    w->links = calloc(DSP_SLOTS, sizeof *w->links);
    w->sessions = calloc(DSP_SESSIONS, sizeof *w->sessions);
    w->released = calloc(DSP_SLOTS, sizeof *w->released);
    MR_ASSERT(w->released);
    MR_ASSERT(w->links);
    MR_ASSERT(w->sessions);
    setup = (struct mr_dispatcher_setup){
        .options = &w->options,
        .secp = w->secp,
        .self = &w->self,
        .mesh = w->mesh,
        .port = {.ctx = w,
                 .accept = port_accept,
                 .take = port_take,
                 .refuse = port_refuse,
                 .dial = port_dial,
                 .receive = port_receive,
                 .send = port_send,
                 .close = port_close,
                 .release = port_release,
                 .wake = port_wake},
        .client = "millrace/test",
        .listen_port = 30303,
        .boot_key = {boot_key[0], boot_key[1]},
        .entropy = entropy,
        .entropy_ctx = &w->random,
        .now = w->now,
    };
    w->d = mr_dispatcher_new(&setup, why, sizeof why);
    if (!w->d)
        MR_ASSERT(!"mr_dispatcher_new");
    dsp_turn(w);
}

void dsp_close(struct dsp_world *w)
{
    mr_dispatcher_free(w->d);
    mr_mesh_free(w->mesh);
    if (w->owns_secp)
        mr_secp_destroy(w->secp);
    free(w->links);
    free(w->sessions);
    free(w->released);
}

static void event_add(struct dsp_world *w, const struct dsp_link *l,
                      enum mr_dispatcher_event_kind kind, int32_t result)
{
    MR_ASSERT(w->events_n < DSP_EVENTS);
    w->events[w->events_n++] = (struct mr_dispatcher_event){
        .kind = kind, .slot = l->slot, .generation = l->generation, .result = result};
}

static void adopt(struct dsp_world *w, unsigned shard, struct mr_handover *h)
{
    struct dsp_session *s;
    unsigned i = 0;

    for (w->newest = w->sessions_n++ % DSP_SESSIONS; w->sessions[w->newest].live;)
        w->newest = (w->newest + 1) % DSP_SESSIONS;
    s = &w->sessions[w->newest];
    while (i < w->released_n && w->released[i].fd != h->fd)
        i++;
    MR_ASSERT(i < w->released_n);
    s->rest = w->released[i];
    w->released[i] = w->released[--w->released_n];
    s->live = true;
    s->shard = shard;
    s->h = *h;
    w->live++;
    MR_ASSERT(mr_dispatcher_shard_of(boot_key, &h->id, w->options.shards) == shard);
    if (w->hold_handovers) {
        w->held[w->held_n] = &h->entry;
        w->held_home[w->held_n++] = h->home;
    } else {
        mr_stack_push(h->home, &h->entry);
    }
}

void dsp_handovers_go_home(struct dsp_world *w)
{
    for (unsigned i = 0; i < w->held_n; i++)
        mr_stack_push(w->held_home[i], w->held[i]);
    w->held_n = 0;
    w->hold_handovers = false;
}

static void shards_turn(struct dsp_world *w)
{
    struct mr_mail mail;
    bool wake;

    for (unsigned shard = 0; shard < w->options.shards; shard++)
        while (mr_mail_take(w->mesh, shard, &mail)) {
            if (mail.kind == MR_MAIL_ADOPT) {
                adopt(w, shard, mail.ptr);
            } else {
                MR_ASSERT(mail.kind == MR_MAIL_STOP);
                w->stops++;
                for (unsigned i = 0; i < DSP_SESSIONS; i++)
                    if (w->sessions[i].live && w->sessions[i].shard == shard)
                        dsp_session_end(w, &w->sessions[i], MR_CLOSED_SHUTDOWN);
                mr_mail_send(w->mesh, shard, mr_mesh_dispatcher(w->options.shards), MR_MAIL_SURE,
                             &(struct mr_mail){.kind = MR_MAIL_STOPPED}, &wake);
            }
        }
}

/* Never more counted sessions than maxpeers, however many come: asserted from the sessions that
 * shards hold, not from the dispatcher's own count. */
static void check_maxpeers(struct dsp_world *w)
{
    unsigned counted = 0;

    for (unsigned i = 0; i < DSP_SESSIONS; i++)
        if (w->sessions[i].live && !w->sessions[i].h.trusted && !w->sessions[i].h.is_static)
            counted++;
    MR_ASSERT(counted <= w->options.maxpeers);
    w->live_counted_max = MR_MAX(w->live_counted_max, counted);
}

void dsp_turn(struct dsp_world *w)
{
    struct mr_dispatcher_event events[DSP_EVENTS];
    size_t n = w->events_n;

    memcpy(events, w->events, n * sizeof *events);
    w->events_n = 0;
    w->turns++;
    w->next_ns = mr_dispatcher_turn(w->d, w->now, events, n);
    shards_turn(w);
    check_maxpeers(w);
}

static void link_step(struct dsp_world *w, struct dsp_link *l)
{
    if (l->closing) {
        if (l->dialling)
            event_add(w, l, MR_DISPATCHER_DIALLED, -125);
        if (l->receiving)
            event_add(w, l, MR_DISPATCHER_RECEIVED, -125);
        if (l->sending)
            event_add(w, l, MR_DISPATCHER_SENT, -125);
        event_add(w, l, MR_DISPATCHER_CLOSED, 0);
        l->used = false;
        return;
    }
    if (l->sending && !l->stalled) {
        MR_ASSERT(l->out_n + l->send_n <= sizeof l->out);
        memcpy(l->out + l->out_n, l->send, l->send_n);
        l->out_n += l->send_n;
        l->sending = false;
        event_add(w, l, MR_DISPATCHER_SENT, (int32_t)l->send_n);
    }
    if (l->receiving && (l->in_n >= l->want_n || l->ended)) {
        size_t n = MR_MIN(l->in_n, l->want_n);

        memcpy(l->want, l->in, n);
        memmove(l->in, l->in + n, l->in_n - n);
        l->in_n -= n;
        l->received += n;
        l->receiving = false;
        event_add(w, l, MR_DISPATCHER_RECEIVED, (int32_t)n);
    }
}

void dsp_run(struct dsp_world *w)
{
    for (int i = 0; i < 100000; i++) {
        for (uint32_t slot = 0; slot < mr_dispatcher_slots(&w->options); slot++)
            if (w->links[slot].used)
                link_step(w, &w->links[slot]);
        if (w->events_n == 0 && w->next_ns > w->now.mono_ns &&
            mr_mail_sleep(w->mesh, mr_mesh_dispatcher(w->options.shards)))
            return;
        dsp_turn(w);
    }
    MR_ASSERT(!"the dispatcher spins");
}

void dsp_advance(struct dsp_world *w, uint64_t ns)
{
    while (ns > 0) {
        uint64_t step = MR_MIN(ns, 10 * MR_MS);

        w->now.mono_ns += step;
        w->now.wall_ns += step;
        ns -= step;
        dsp_turn(w);
        dsp_run(w);
    }
}

struct dsp_link *dsp_connect(struct dsp_world *w, uint32_t ip)
{
    int fd = w->next_fd++;

    w->room -= w->room > 0; /* 0: it was accepted before we were told to pause */
    MR_ASSERT(w->events_n < DSP_EVENTS);
    w->events[w->events_n++] = (struct mr_dispatcher_event){
        .kind = MR_DISPATCHER_ACCEPTED, .result = fd, .remote = {.ip = ip, .port = 4000}};
    dsp_turn(w);
    for (uint32_t slot = 0; slot < mr_dispatcher_slots(&w->options); slot++)
        if (w->links[slot].used && w->links[slot].fd == fd)
            return &w->links[slot];
    MR_ASSERT(w->last_refused == fd);
    return NULL;
}

struct dsp_link *dsp_dialling(struct dsp_world *w)
{
    for (uint32_t slot = 0; slot < mr_dispatcher_slots(&w->options); slot++)
        if (w->links[slot].used && w->links[slot].dialling && !w->links[slot].closing)
            return &w->links[slot];
    return NULL;
}

void dsp_dial_done(struct dsp_world *w, struct dsp_link *l, bool ok)
{
    l->dialling = false;
    if (ok)
        l->fd = w->next_fd++;
    event_add(w, l, MR_DISPATCHER_DIALLED, ok ? l->fd : -111);
}

void dsp_write(struct dsp_link *l, const void *p, size_t n)
{
    MR_ASSERT(l->in_n + n <= sizeof l->in);
    memcpy(l->in + l->in_n, p, n);
    l->in_n += n;
}

void dsp_end(struct dsp_link *l)
{
    l->ended = true;
}

static void tell(struct dsp_world *w, struct dsp_session *s, enum mr_mail_kind kind, uint64_t b)
{
    bool wake;

    MR_ASSERT(mr_mail_send(w->mesh, s->shard, mr_mesh_dispatcher(w->options.shards), MR_MAIL_SURE,
                           &(struct mr_mail){.kind = (uint8_t)kind, .a = s->h.serial, .b = b},
                           &wake));
}

void dsp_session_end(struct dsp_world *w, struct dsp_session *s, enum mr_closed_reason why)
{
    MR_ASSERT(s->live);
    s->live = false;
    w->live--;
    tell(w, s, MR_MAIL_CLOSED, why);
}

void dsp_session_active(struct dsp_world *w, struct dsp_session *s)
{
    tell(w, s, MR_MAIL_ACTIVE, 0);
}

struct dsp_session *dsp_last(struct dsp_world *w)
{
    return w->sessions_n > 0 ? &w->sessions[w->newest] : NULL;
}

uint64_t dsp_metric(const struct dsp_world *w, const char *name)
{
    const struct mr_metric *m = mr_metric_find(&mr_dispatcher_metrics_set, name);

    if (!m)
        MR_ASSERT(!"no such metric");
    return mr_metric_read(m, mr_dispatcher_metrics(w->d));
}

/* ---- a remote node ---- */

static void wired_write(void *ctx, const void *p, size_t n)
{
    struct dsp_wired *at = ctx;

    dsp_write(at->l, p, n);
}

static bool wired_read(void *ctx, void *p, size_t n)
{
    struct dsp_wired *at = ctx;
    struct dsp_link *l = at->l;

    if (l->out_n - l->out_read < n)
        dsp_run(at->w);
    if (l->out_n - l->out_read < n)
        return false;
    memcpy(p, l->out + l->out_read, n);
    l->out_read += n;
    return true;
}

struct dsp_wire dsp_wire_of(struct dsp_wired *at)
{
    return (struct dsp_wire){.ctx = at, .write = wired_write, .read = wired_read};
}

void dsp_peer_init_key(struct dsp_peer *p, const struct mr_secp *secp, struct mr_random *random)
{
    memset(p, 0, sizeof *p);
    p->secp = secp;
    p->random = random;
    mr_secp_keypair_make(secp, &p->key, entropy, random);
}

void dsp_peer_init(struct dsp_peer *p, struct dsp_world *w)
{
    dsp_peer_init_key(p, w->secp, &w->random);
}

void dsp_peer_auth(struct dsp_peer *p, const struct dsp_wire *wire, const struct mr_node_id *to)
{
    uint8_t buf[MR_RLPX_HANDSHAKE_OUT_MAX];
    struct mr_writer out = mr_writer(buf, sizeof buf);
    enum mr_err e;

    p->has_session = p->snappy = false;
    e = mr_rlpx_handshake_init_initiator(&p->hs, p->secp, &p->key, to, NULL, entropy, p->random);
    MR_ASSERT(e == MR_OK);
    MR_ASSERT(mr_rlpx_handshake_start(&p->hs, &out) == MR_OK);
    wire->write(wire->ctx, buf, out.n);
}

/* Feeds the handshake until it is done; false when bytes lack or it fails. */
static bool finish(struct dsp_peer *p, const struct dsp_wire *wire)
{
    uint8_t in[2100], buf[MR_RLPX_HANDSHAKE_OUT_MAX];
    struct mr_writer out = mr_writer(buf, sizeof buf);
    size_t need;

    while ((need = mr_rlpx_handshake_need(&p->hs)) > 0)
        if (!wire->read(wire->ctx, in, need) || mr_rlpx_handshake_feed(&p->hs, in, need, &out))
            return false;
    if (out.n > 0)
        wire->write(wire->ctx, buf, out.n);
    mr_rlpx_session_init(&p->session, &p->hs.secrets);
    p->has_session = true;
    return true;
}

bool dsp_peer_ack(struct dsp_peer *p, const struct dsp_wire *wire)
{
    return finish(p, wire);
}

bool dsp_peer_answer(struct dsp_peer *p, const struct dsp_wire *wire)
{
    p->has_session = p->snappy = false;
    mr_rlpx_handshake_init_recipient(&p->hs, p->secp, &p->key, NULL, entropy, p->random);
    return finish(p, wire);
}

struct mr_hello dsp_hello(const struct dsp_peer *p)
{
    return (struct mr_hello){
        .version = 5,
        .client_id = mr_span("peer/1", 6),
        .listen_port = 30303,
        .id = p->key.pub,
        .capabilities_count = 2,
        .capabilities = {{.name = "eth", .version = 68}, {.name = "eth", .version = 69}},
    };
}

static void seal(struct dsp_peer *p, const struct dsp_wire *wire, const struct mr_span *spans,
                 uint32_t n)
{
    static uint8_t out[65536];
    struct mr_frame frame = {.spans = spans, .spans_count = n};
    struct mr_seal_job job = {.session = &p->session,
                              .frames = &frame,
                              .frames_count = 1,
                              .out = out,
                              .out_cap = sizeof out};

    for (uint32_t i = 0; i < n; i++)
        frame.size += (uint32_t)spans[i].n;
    mr_rlpx_seal_one(&job, NULL);
    MR_ASSERT(job.frames_done == 1);
    wire->write(wire->ctx, out, job.out_len);
}

void dsp_peer_frame(struct dsp_peer *p, const struct dsp_wire *wire, struct mr_span data)
{
    seal(p, wire, &data, 1);
}

static struct mr_transport transport_of(const struct dsp_peer *p)
{
    static const struct mr_capabilities nothing;

    return (struct mr_transport){.shared = &nothing, .snappy = p->snappy};
}

void dsp_peer_send(struct dsp_peer *p, const struct dsp_wire *wire, uint16_t id,
                   struct mr_span payload)
{
    struct mr_transport t = transport_of(p);
    uint8_t head[MR_MESSAGE_HEAD_MAX];
    struct mr_span spans[2];

    seal(p, wire, spans, (uint32_t)mr_message_spans(spans, head, &t, id, payload));
}

void dsp_peer_hello(struct dsp_peer *p, const struct dsp_wire *wire, const struct mr_hello *h)
{
    uint8_t buf[4096];
    struct mr_writer w = mr_writer(buf, sizeof buf);

    MR_ASSERT(mr_hello_encode(&w, h) == MR_OK);
    dsp_peer_send(p, wire, MR_BASE_HELLO, mr_writer_span(&w));
}

bool dsp_peer_read(struct dsp_peer *p, const struct dsp_wire *wire, uint64_t *id, uint8_t *payload,
                   size_t *n)
{
    static uint8_t frame[65536];
    struct mr_unseal_job job = {
        .session = &p->session, .in = frame, .in_len = MR_FRAME_HEADER_LEN, .size_max = 0};
    struct mr_transport t = transport_of(p);
    struct mr_reader r;
    struct mr_message m = {.capability = MR_CAPABILITY_BASE};
    struct mr_span inflated;

    if (!wire->read(wire->ctx, frame, MR_FRAME_HEADER_LEN))
        return false;
    mr_rlpx_unseal_one(&job, NULL);
    MR_ASSERT(job.result == MR_UNSEAL_HEADER);
    if (!wire->read(wire->ctx, frame, job.need))
        return false;
    job = (struct mr_unseal_job){
        .session = &p->session, .in = frame, .in_len = job.need, .size_max = MR_FRAME_SIZE_MAX};
    mr_rlpx_unseal_one(&job, NULL);
    MR_ASSERT(job.result == MR_UNSEAL_FRAME);
    r = mr_reader(job.payload, job.size);
    MR_ASSERT(mr_rlp_u64(&r, id) == MR_OK);
    m.raw = mr_span(r.p, mr_reader_left(&r));
    m.compressed = t.snappy;
    m.inflated_n = (uint32_t)m.raw.n;
    if (m.compressed)
        MR_ASSERT(mr_snappy_length(&m.inflated_n, m.raw, 2048) == MR_OK);
    m.id = MR_BASE_PING; /* never taken for an uncompressed Disconnect */
    MR_ASSERT(mr_transport_payload(&inflated, &m, payload, 2048) == MR_P2P_NONE);
    memmove(payload, inflated.p, inflated.n);
    *n = inflated.n;
    return true;
}

int dsp_peer_reason(struct dsp_peer *p, const struct dsp_wire *wire)
{
    uint8_t payload[2048];
    uint64_t id;
    size_t n;

    if (!p->has_session || !dsp_peer_read(p, wire, &id, payload, &n) || id != MR_BASE_DISCONNECT)
        return -1;
    MR_ASSERT(n == 2); /* a list of one reason */
    MR_ASSERT(payload[0] == 0xc1);
    return (int)mr_disconnect_decode(mr_span(payload, n));
}

bool dsp_peer_read_hello(struct dsp_peer *p, const struct dsp_wire *wire, struct mr_hello *out,
                         uint8_t buf[2048])
{
    uint64_t id;
    size_t n;

    if (!dsp_peer_read(p, wire, &id, buf, &n) || id != MR_BASE_HELLO)
        return false;
    MR_ASSERT(mr_hello_decode(out, mr_span(buf, n)) == MR_P2P_NONE);
    return true;
}

bool dsp_peer_join(struct dsp_peer *p, const struct dsp_wire *wire, const struct mr_node_id *to)
{
    struct mr_hello ours = dsp_hello(p), theirs;
    uint8_t buf[2048];

    dsp_peer_auth(p, wire, to);
    if (!dsp_peer_ack(p, wire) || !dsp_peer_read_hello(p, wire, &theirs, buf))
        return false;
    dsp_peer_hello(p, wire, &ours);
    p->snappy = true;
    return true;
}
