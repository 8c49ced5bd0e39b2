#include "shards/handshakes.h"

#include <stdlib.h>

#include "crypto/ct.h"
#include "net/rlpx/transport.h"

#define NONE UINT32_MAX
/* Id, list and its fields, a client name of 64 bytes and a handful of capabilities. */
#define HELLO_BUF 512

static const struct mr_transport before_hello;

static const char *const end_texts[] = {
#define END_TEXT(X, NAME, name, reason, text) [MR_END_##NAME] = text,
    MR_END_MAP(END_TEXT, )};
static const int16_t end_reasons[] = {
#define END_REASON(X, NAME, name, reason, text) [MR_END_##NAME] = reason,
    MR_END_MAP(END_REASON, )};

const char *mr_end_text(enum mr_end e)
{
    return e > MR_END_NONE && e < MR_END_COUNT ? end_texts[e] : "none";
}

int mr_end_reason(enum mr_end e)
{
    return e > MR_END_NONE && e < MR_END_COUNT ? end_reasons[e] : MR_END_SILENTLY;
}

/* ---- slots ---- */

static struct mr_span hello_write(const struct mr_handshakes_setup *s, uint8_t *buf, size_t cap)
{
    struct mr_hello hello = {
        .version = MR_P2P_VERSION,
        .client_id = mr_span(s->client, strlen(s->client)),
        .listen_port = s->listen_port,
        .id = s->self->pub,
        .capabilities_count = (uint32_t)s->protocols_n,
    };
    struct mr_writer w = mr_writer(buf, cap);
    enum mr_err e;

    for (size_t i = 0; i < s->protocols_n; i++)
        hello.capabilities[i] = s->protocols[i].capability;
    e = mr_hello_encode(&w, &hello);
    MR_ASSERT(e == MR_OK);
    return mr_writer_span(&w);
}

enum mr_err mr_handshakes_init(struct mr_handshakes *h, const struct mr_handshakes_setup *setup,
                               uint32_t capacity)
{
    uint8_t hello[HELLO_BUF];

    memset(h, 0, sizeof *h);
    h->setup = *setup;
    h->capacity = capacity;
    MR_ASSERT(strlen(setup->client) <= MR_CLIENT_NAME_MAX);
    MR_ASSERT(setup->protocols_n <= MR_CAPABILITIES_MAX);
    MR_ASSERT(MR_RLPX_HANDSHAKE_OUT_MAX +
                  MR_FRAME_WIRE_LEN(1 + hello_write(setup, hello, sizeof hello).n) <=
              MR_PENDING_TX);
    /* A slot is written when it is first used: memory that no connection ever needed is never
     * touched. */
    h->slots = calloc(capacity, sizeof *h->slots);
    h->free = calloc(capacity, sizeof *h->free);
    if (!h->slots || !h->free) {
        mr_handshakes_fini(h);
        return MR_SYSTEM;
    }
    for (uint32_t i = 0; i < capacity; i++)
        h->free[i] = capacity - 1 - i;
    return MR_OK;
}

void mr_handshakes_fini(struct mr_handshakes *h)
{
    for (uint32_t i = 0; h->slots && i < h->capacity; i++)
        if (h->slots[i].state != MR_PENDING_FREE)
            mr_wipe(&h->slots[i], sizeof h->slots[i]);
    free(h->slots);
    free(h->free);
    memset(h, 0, sizeof *h);
}

struct mr_pending *mr_handshakes_get(struct mr_handshakes *h)
{
    struct mr_pending *p;
    uint32_t slot;

    if (h->count == h->capacity)
        return NULL;
    slot = h->free[h->capacity - ++h->count];
    p = &h->slots[slot];
    MR_VERIFY_THAT(p->state == MR_PENDING_FREE);
    memset(p, 0, sizeof *p);
    p->slot = slot;
    p->generation = ++h->generation;
    p->next = p->previous = NONE;
    p->fd = -1;
    p->stated_reason = MR_END_SILENTLY;
    p->heard_reason = MR_REASON_ABSENT;
    return p;
}

void mr_handshakes_put(struct mr_handshakes *h, struct mr_pending *p)
{
    uint32_t slot = p->slot;

    MR_ASSERT(p->state != MR_PENDING_FREE);
    mr_wipe(p, sizeof *p);
    h->free[h->capacity - h->count--] = slot;
}

/* ---- what is sent ---- */

/* Seals a small message behind what tx holds. */
static void seal(struct mr_pending *p, uint16_t id, const struct mr_transport *t,
                 struct mr_span payload)
{
    uint8_t head[MR_MESSAGE_HEAD_MAX];
    struct mr_span spans[2];
    struct mr_frame frame = {.spans = spans};
    struct mr_seal_job job = {.session = &p->session,
                              .frames = &frame,
                              .frames_count = 1,
                              .out = p->tx + p->tx_n,
                              .out_cap = sizeof p->tx - p->tx_n};

    frame.spans_count = (uint32_t)mr_message_spans(spans, head, t, id, payload);
    for (uint32_t i = 0; i < frame.spans_count; i++)
        frame.size += (uint32_t)spans[i].n;
    mr_rlpx_seal_one(&job, NULL);
    MR_ASSERT(job.frames_done == 1); /* tx has room for the longest, see init */
    p->tx_n = (uint16_t)(p->tx_n + job.out_len);
}

static void seal_hello(const struct mr_handshakes *h, struct mr_pending *p)
{
    uint8_t buf[HELLO_BUF];

    seal(p, MR_BASE_HELLO, &before_hello, hello_write(&h->setup, buf, sizeof buf));
    p->hello_out = true;
}

static void seal_disconnect(struct mr_pending *p, unsigned reason)
{
    static const struct mr_capabilities nothing;
    struct mr_transport t = {.shared = &nothing, .snappy = p->snappy};
    uint8_t buf[16];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    enum mr_err e = mr_disconnect_encode(&w, reason);

    MR_ASSERT(e == MR_OK);
    seal(p, MR_BASE_DISCONNECT, &t, mr_writer_span(&w));
    p->disconnected = true;
}

bool mr_pending_disconnect(struct mr_pending *p, unsigned reason)
{
    MR_ASSERT(!p->sending);
    if (!p->has_session)
        return false;
    p->tx_n = 0;
    seal_disconnect(p, reason);
    return true;
}

struct mr_span mr_pending_out(const struct mr_pending *p)
{
    return p->has_session ? mr_span(p->tx, p->tx_n) : mr_span(p->hs.sent, p->hs.sent_n);
}

/* ---- the handshake ---- */

static enum mr_end end_of(enum mr_rlpx_handshake_fault fault)
{
    static const uint8_t ends[] = {
        [MR_RLPX_HANDSHAKE_FAULT_NONE] = MR_END_LIBRARY,
        [MR_RLPX_HANDSHAKE_FAULT_SIZE_BIG] = MR_END_PACKET_BIG,
        [MR_RLPX_HANDSHAKE_FAULT_SIZE_SMALL] = MR_END_PACKET_SMALL,
        [MR_RLPX_HANDSHAKE_FAULT_PLAIN] = MR_END_PACKET_PLAIN,
        [MR_RLPX_HANDSHAKE_FAULT_ECIES] = MR_END_PACKET_ECIES,
        [MR_RLPX_HANDSHAKE_FAULT_BODY] = MR_END_PACKET_BODY,
        [MR_RLPX_HANDSHAKE_FAULT_NULL_ID] = MR_END_NULL_ID,
        [MR_RLPX_HANDSHAKE_FAULT_OWN_ID] = MR_END_OWN_ID,
        [MR_RLPX_HANDSHAKE_FAULT_KEY] = MR_END_PACKET_KEY,
        [MR_RLPX_HANDSHAKE_FAULT_SIGNATURE] = MR_END_PACKET_SIGNATURE,
        [MR_RLPX_HANDSHAKE_FAULT_LIBRARY] = MR_END_LIBRARY,
    };
    _Static_assert(MR_COUNT_OF(ends) == MR_RLPX_HANDSHAKE_FAULT_COUNT, "one each");

    return (enum mr_end)ends[fault];
}

void mr_pending_begin_inbound(const struct mr_handshakes *h, struct mr_pending *p)
{
    const struct mr_handshakes_setup *s = &h->setup;

    p->inbound = true;
    mr_rlpx_handshake_init_recipient(&p->hs, s->secp, s->self, NULL, s->entropy, s->entropy_ctx);
    p->state = MR_PENDING_PACKET;
}

enum mr_end mr_pending_begin_outbound(const struct mr_handshakes *h, struct mr_pending *p)
{
    const struct mr_handshakes_setup *s = &h->setup;
    uint8_t copy[MR_RLPX_HANDSHAKE_OUT_MAX]; /* hs keeps auth as well, and there it stays */
    struct mr_writer w = mr_writer(copy, sizeof copy);

    if (mr_rlpx_handshake_init_initiator(&p->hs, s->secp, s->self, &p->id, NULL, s->entropy,
                                         s->entropy_ctx) ||
        mr_rlpx_handshake_start(&p->hs, &w))
        return end_of(p->hs.fault);
    p->state = MR_PENDING_PACKET;
    return MR_END_NONE;
}

/* The handshake is done: its place is taken by the session that it agreed on. */
static void keys_agreed(struct mr_pending *p)
{
    struct mr_rlpx_secrets secrets = p->hs.secrets;

    MR_ASSERT(p->hs.phase == MR_RLPX_HANDSHAKE_DONE);
    p->id = p->hs.remote;
    mr_rlpx_handshake_fini(&p->hs);
    mr_rlpx_session_init(&p->session, &secrets);
    mr_wipe(&secrets, sizeof secrets);
    p->has_session = p->has_id = true;
    p->tx_n = 0;
    p->state = MR_PENDING_HEADER;
}

enum mr_end mr_pending_peek(struct mr_pending *p)
{
    size_t n = mr_rlpx_handshake_need(&p->hs);

    MR_ASSERT(p->state == MR_PENDING_AUTH);
    if (mr_rlpx_handshake_peek_initiator(&p->hs, p->hs.in + p->hs.in_n, n))
        return end_of(p->hs.fault);
    p->id = p->hs.remote;
    p->has_id = true;
    return MR_END_NONE;
}

enum mr_end mr_pending_answer(const struct mr_handshakes *h, struct mr_pending *p,
                              enum mr_end refuse)
{
    uint8_t ack[MR_RLPX_HANDSHAKE_OUT_MAX];
    struct mr_writer w = mr_writer(ack, sizeof ack);

    MR_ASSERT(p->state == MR_PENDING_AUTH);
    if (mr_rlpx_handshake_answer(&p->hs, &w))
        return end_of(p->hs.fault);
    keys_agreed(p);
    memcpy(p->tx, ack, w.n);
    p->tx_n = (uint16_t)w.n;
    if (refuse == MR_END_NONE)
        seal_hello(h, p);
    else
        seal_disconnect(p, (unsigned)mr_end_reason(refuse));
    return MR_END_NONE;
}

enum mr_end mr_pending_read_ack(const struct mr_handshakes *h, struct mr_pending *p)
{
    size_t n = mr_rlpx_handshake_need(&p->hs);

    MR_ASSERT(p->state == MR_PENDING_ACK);
    MR_ASSERT(!p->sending); /* auth lies in hs */
    if (mr_rlpx_handshake_feed(&p->hs, p->hs.in + p->hs.in_n, n, NULL))
        return end_of(p->hs.fault);
    keys_agreed(p);
    seal_hello(h, p);
    return MR_END_NONE;
}

/* ---- what is received ---- */

uint8_t *mr_pending_want(struct mr_pending *p, size_t *n)
{
    switch (p->state) {
    case MR_PENDING_PACKET:
        *n = mr_rlpx_handshake_need(&p->hs);
        MR_ASSERT(p->hs.in_n + *n <= sizeof p->hs.in);
        return p->hs.in + p->hs.in_n;
    case MR_PENDING_HEADER:
        *n = MR_FRAME_HEADER_LEN;
        return p->rx;
    case MR_PENDING_HELLO:
        *n = p->frame_n;
        MR_ASSERT(*n <= sizeof p->rx);
        return p->rx;
    case MR_PENDING_ENDING: /* what comes now is dropped */
        MR_ASSERT(p->has_session);
        *n = sizeof p->rx;
        return p->rx;
    default:
        MR_ASSERT(!"nothing to receive in this state");
        *n = 0;
        return NULL;
    }
}

static enum mr_end on_packet(struct mr_pending *p)
{
    size_t n = mr_rlpx_handshake_need(&p->hs);
    const uint8_t *at = p->hs.in + p->hs.in_n;
    enum mr_err e;

    if (p->hs.phase == MR_RLPX_HANDSHAKE_AWAIT_PACKET) {
        p->state = p->inbound ? MR_PENDING_AUTH : MR_PENDING_ACK;
        return MR_END_NONE;
    }
    e = p->inbound ? mr_rlpx_handshake_peek_initiator(&p->hs, at, n)
                   : mr_rlpx_handshake_feed(&p->hs, at, n, NULL);
    return e ? end_of(p->hs.fault) : MR_END_NONE;
}

static enum mr_end on_header(struct mr_pending *p)
{
    struct mr_unseal_job job = {
        .session = &p->session, .in = p->rx, .in_len = MR_FRAME_HEADER_LEN, .size_max = 0};

    mr_rlpx_unseal_one(&job, NULL);
    switch (job.result) {
    case MR_UNSEAL_AUTH:
        return MR_END_MAC;
    case MR_UNSEAL_MALFORMED:
        return MR_END_FRAME;
    case MR_UNSEAL_NEED: /* an empty frame: its MAC is all that follows */
    case MR_UNSEAL_HEADER:
        break;
    case MR_UNSEAL_FRAME:
        MR_ASSERT(!"a frame in 32 bytes");
    }
    if (job.size > MR_HELLO_MAX)
        return MR_END_HELLO_BIG;
    p->frame_n = (uint16_t)(MR_FRAME_PADDED(job.size) + MR_FRAME_MAC_LEN);
    p->state = MR_PENDING_HELLO;
    return MR_END_NONE;
}

static enum mr_end end_of_hello(enum mr_p2p_fault f)
{
    switch (f) {
    case MR_P2P_NONE:
        return MR_END_NONE;
    case MR_P2P_FRAME_TOO_BIG:
    case MR_P2P_HELLO_TOO_BIG:
        return MR_END_HELLO_BIG;
    case MR_P2P_BAD_MESSAGE_ID:
    case MR_P2P_BEFORE_HELLO:
        return MR_END_NOT_HELLO;
    case MR_P2P_HELLO_ID_LENGTH:
    case MR_P2P_HELLO_NULL_ID:
        return MR_END_NULL_ID;
    case MR_P2P_HELLO_OTHER_ID:
        return MR_END_OTHER_ID;
    case MR_P2P_HELLO_OWN_ID:
        return MR_END_OWN_ID;
    default:
        return MR_END_HELLO_MALFORMED;
    }
}

static enum mr_end judge_hello(const struct mr_handshakes *h, struct mr_pending *p,
                               const struct mr_hello *hello)
{
    struct mr_pending_agreed agreed = {.caps = {.count = 0}};
    enum mr_p2p_fault f;

    /* From here on the remote takes what we say for compressed, if it can. */
    p->snappy = p->hello_out && hello->version >= MR_P2P_VERSION_SNAPPY;
    if ((f = mr_hello_check_identity(hello, &p->id, &h->setup.self->pub)))
        return end_of_hello(f);
    if (hello->version < MR_P2P_VERSION_SNAPPY)
        return MR_END_OLD_VERSION; /* what we send is kept compressed only */
    if (mr_capabilities_match(&agreed.caps, h->setup.protocols, h->setup.protocols_n,
                              hello->capabilities, hello->capabilities_count))
        return MR_END_USELESS;
    mr_hello_client_text(agreed.client, sizeof agreed.client, hello);
    p->agreed = agreed; /* where Hello lay: its last use was the line before */
    p->state = MR_PENDING_AGREED;
    return MR_END_NONE;
}

static enum mr_end on_hello(const struct mr_handshakes *h, struct mr_pending *p)
{
    struct mr_unseal_job job = {
        .session = &p->session, .in = p->rx, .in_len = p->frame_n, .size_max = MR_HELLO_MAX};
    struct mr_message m;
    struct mr_hello hello;
    enum mr_p2p_fault f;

    mr_rlpx_unseal_one(&job, NULL);
    if (job.result == MR_UNSEAL_AUTH)
        return MR_END_MAC;
    MR_ASSERT(job.result == MR_UNSEAL_FRAME); /* the header is done, and all of the body is there */
    if ((f = mr_transport_open(&m, &before_hello, mr_span(job.payload, job.size))))
        return end_of_hello(f);
    if (m.id == MR_BASE_DISCONNECT) {
        p->heard_reason = (uint16_t)mr_disconnect_decode(m.raw);
        return MR_END_DISCONNECTED;
    }
    if ((f = mr_hello_decode(&hello, m.raw)))
        return end_of_hello(f);
    return judge_hello(h, p, &hello);
}

enum mr_end mr_pending_received(const struct mr_handshakes *h, struct mr_pending *p)
{
    switch (p->state) {
    case MR_PENDING_PACKET:
        return on_packet(p);
    case MR_PENDING_HEADER:
        return on_header(p);
    case MR_PENDING_HELLO:
        return on_hello(h, p);
    default:
        MR_ASSERT(!"nothing was to be received in this state");
        return MR_END_NONE;
    }
}

void mr_pending_hand_over(struct mr_pending *p, struct mr_handover *out)
{
    MR_ASSERT(p->state == MR_PENDING_AGREED);
    MR_ASSERT(!p->sending);
    MR_ASSERT(!p->receiving);
    out->fd = p->fd;
    out->inbound = p->inbound;
    out->trusted = p->trusted;
    out->is_static = p->is_static;
    out->remote = p->remote;
    out->id = p->id;
    out->session = p->session;
    out->caps = p->agreed.caps;
    out->snappy = p->snappy;
    memcpy(out->client, p->agreed.client, sizeof out->client);
    out->begun_ns = p->begun_ns;
    mr_wipe(&p->session, sizeof p->session);
    p->has_session = false;
}
