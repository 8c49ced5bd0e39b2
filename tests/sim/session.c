#include "tests/sim/session.h"

#include "net/rlpx/transport.h"

static void read_on(struct sim_session *s);

static void finish(struct sim_session *s, bool ok)
{
    if (s->over)
        return;
    s->over = true;
    mr_rlpx_handshake_fini(&s->hs);
    s->done(s->ctx, s, ok);
}

static void send_all(struct sim_session *s)
{
    if (s->w.n == 0 || s->sending)
        return;
    s->sending = true;
    sim_net_send(s->net, s->end, s->out, s->w.n);
}

static void check_done(struct sim_session *s)
{
    if (s->hello_in && !s->sending)
        finish(s, true);
}

static void put_hello(struct sim_session *s)
{
    struct mr_hello h = {
        .version = MR_P2P_VERSION, .client_id = mr_span("sim", 3), .id = s->self->pub};
    uint8_t payload[1024];
    struct mr_writer w = mr_writer(payload, sizeof payload);
    struct mr_transport plain = {.shared = NULL};
    uint8_t head[MR_MESSAGE_HEAD_MAX];
    struct mr_span spans[2];
    struct mr_frame f = {.spans = spans};
    struct mr_seal_job job = {.session = &s->rlpx, .frames = &f, .frames_count = 1};

    for (unsigned v = s->eth_min; v <= s->eth_max; v++)
        MR_ASSERT(
            mr_capability_make(&h.capabilities[h.capabilities_count++], mr_span("eth", 3), v));
    MR_ASSERT(mr_hello_encode(&w, &h) == MR_OK);
    f.spans_count =
        (uint32_t)mr_message_spans(spans, head, &plain, MR_BASE_HELLO, mr_writer_span(&w));
    for (uint32_t i = 0; i < f.spans_count; i++)
        f.size += (uint32_t)spans[i].n;
    job.out = s->out + s->w.n;
    job.out_cap = sizeof s->out - s->w.n;
    mr_rlpx_seal_one(&job, NULL);
    MR_ASSERT(job.frames_done == 1);
    s->w.n += job.out_len;
}

static bool take_hello(struct sim_session *s, struct mr_span frame)
{
    struct mr_protocol offered[8];
    struct mr_transport plain = {.shared = NULL};
    struct mr_message m;
    struct mr_span payload;
    struct mr_hello h;
    size_t n = 0;

    if (mr_transport_open(&m, &plain, frame) != MR_P2P_NONE ||
        mr_transport_payload(&payload, &m, NULL, 0) != MR_P2P_NONE)
        return false;
    if (m.id == MR_BASE_DISCONNECT) {
        s->disconnect = (int)mr_disconnect_decode(payload);
        return false;
    }
    for (unsigned v = s->eth_min; v <= s->eth_max; v++)
        offered[n++] = *mr_protocol_find("eth", v);
    if (mr_hello_decode(&h, payload) != MR_P2P_NONE ||
        mr_hello_check_identity(&h, &s->remote, &s->self->pub) != MR_P2P_NONE ||
        mr_capabilities_match(&s->caps, offered, n, h.capabilities, h.capabilities_count) != MR_OK)
        return false;
    s->snappy = h.version >= MR_P2P_VERSION_SNAPPY;
    return true;
}

/* 32 bytes of header, then body and MAC. */
static void frame_bytes(struct sim_session *s, uint8_t *data, size_t n)
{
    struct mr_unseal_job job = {
        .session = &s->rlpx, .in = data, .in_len = n, .size_max = s->header_in ? MR_HELLO_MAX : 0};

    mr_rlpx_unseal_one(&job, NULL);
    if (job.result == MR_UNSEAL_HEADER && job.size <= MR_HELLO_MAX) {
        s->header_in = true;
        sim_net_read_exact(s->net, s->end, s->in, job.need);
    } else if (job.result == MR_UNSEAL_FRAME && take_hello(s, mr_span(job.payload, job.size))) {
        s->hello_in = true;
        check_done(s);
    } else {
        finish(s, false);
    }
}

static void keys_agreed(struct sim_session *s)
{
    mr_rlpx_session_init(&s->rlpx, &s->hs.secrets);
    s->remote = s->hs.remote;
    put_hello(s);
    send_all(s);
    sim_net_read_exact(s->net, s->end, s->in, MR_FRAME_HEADER_LEN);
}

static void on_received(void *ctx, uint64_t tag, uint8_t *data, size_t n)
{
    struct sim_session *s = ctx;

    (void)tag;
    if (s->over)
        return;
    if (s->hs.phase == MR_RLPX_HANDSHAKE_DONE) {
        frame_bytes(s, data, n);
        return;
    }
    if (n == 0 || mr_rlpx_handshake_feed(&s->hs, data, n, &s->w) != MR_OK)
        finish(s, false);
    else if (s->hs.phase == MR_RLPX_HANDSHAKE_DONE)
        keys_agreed(s);
    else
        read_on(s);
}

static void read_on(struct sim_session *s)
{
    sim_net_read_exact(s->net, s->end, s->in, mr_rlpx_handshake_need(&s->hs));
}

static void on_sent(void *ctx, uint64_t tag, int32_t result)
{
    struct sim_session *s = ctx;

    (void)tag;
    s->sending = false;
    s->w.n = 0;
    if (s->over)
        return;
    if (result < 0)
        finish(s, false);
    else
        check_done(s);
}

static void begin(void *ctx, uint64_t arg)
{
    struct sim_session *s = ctx;
    struct sim_handlers h = {.ctx = s, .received = on_received, .sent = on_sent};

    (void)arg;
    if (s->over)
        return;
    sim_net_own(s->net, s->end, &h);
    s->w = mr_writer(s->out, sizeof s->out);
    s->disconnect = -1;
    if (s->initiator) {
        MR_ASSERT(mr_rlpx_handshake_init_initiator(&s->hs, s->secp, s->self, &s->remote, NULL,
                                                   sim_entropy, s->net->sim) == MR_OK);
        MR_ASSERT(mr_rlpx_handshake_start(&s->hs, &s->w) == MR_OK);
        send_all(s);
    } else {
        mr_rlpx_handshake_init_recipient(&s->hs, s->secp, s->self, NULL, sim_entropy, s->net->sim);
    }
    read_on(s);
}

void sim_session_begin(struct sim_session *s)
{
    sim_at(s->net->sim, s->net->sim->now_ns, begin, s, 0);
}

void sim_session_drop(struct sim_session *s)
{
    s->over = true;
    mr_rlpx_handshake_fini(&s->hs);
}
