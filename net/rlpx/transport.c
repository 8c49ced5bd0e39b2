#include "net/rlpx/transport.h"

struct mr_transport mr_transport_after_hello(const struct mr_capabilities *shared,
                                             uint64_t our_version, uint64_t their_version)
{
    MR_ASSERT(shared != NULL);
    return (struct mr_transport){
        .shared = shared,
        .snappy = MR_MIN(our_version, their_version) >= MR_P2P_VERSION_SNAPPY,
    };
}

uint32_t mr_transport_frame_max(const struct mr_transport *t)
{
    return t->shared == NULL ? MR_HELLO_MAX : MR_MESSAGE_FRAME_MAX;
}

static bool is_disconnect(const struct mr_message *m)
{
    return m->capability == MR_CAPABILITY_BASE && m->id == MR_BASE_DISCONNECT;
}

/* Which message it is, and whether it may come now. */
static enum mr_p2p_fault message_identify(struct mr_message *m, const struct mr_transport *t,
                                          uint64_t wire_id)
{
    if (t->shared == NULL) {
        if (wire_id != MR_BASE_HELLO && wire_id != MR_BASE_DISCONNECT)
            return MR_P2P_BEFORE_HELLO;
        m->capability = MR_CAPABILITY_BASE;
        m->id = (uint16_t)wire_id;
        return MR_P2P_NONE;
    }
    if (mr_capabilities_find(t->shared, &m->capability, &m->id, wire_id))
        return MR_P2P_UNKNOWN_MESSAGE_ID;
    if (m->capability == MR_CAPABILITY_BASE) {
        if (m->id == MR_BASE_HELLO)
            return MR_P2P_SECOND_HELLO;
        if (m->id > MR_BASE_PONG)
            return MR_P2P_UNKNOWN_MESSAGE_ID;
    }
    return MR_P2P_NONE;
}

/* How long the payload claims to be. */
static enum mr_p2p_fault message_measure(struct mr_message *m, bool snappy)
{
    bool base = m->capability == MR_CAPABILITY_BASE;

    m->compressed = snappy;
    if (base && m->raw.n == 0)
        m->compressed = false; /* a ping without a payload, as some send it */
    if (!m->compressed) {
        m->inflated_n = (uint32_t)m->raw.n;
        return MR_P2P_NONE;
    }
    switch (mr_snappy_length(&m->inflated_n, m->raw, MR_SNAPPY_INFLATED_MAX)) {
    case MR_OK:
        return MR_P2P_NONE;
    case MR_TOO_BIG:
        return MR_P2P_INFLATED_TOO_BIG;
    default:
        return MR_P2P_BAD_SNAPPY;
    }
}

static enum mr_p2p_fault message_limit(const struct mr_message *m, bool before_hello)
{
    if (before_hello)
        return m->raw.n > MR_HELLO_MAX ? MR_P2P_HELLO_TOO_BIG : MR_P2P_NONE;
    if (m->capability == MR_CAPABILITY_BASE)
        return m->inflated_n > MR_BASE_MESSAGE_MAX || m->raw.n > MR_HELLO_MAX ? MR_P2P_BASE_TOO_BIG
                                                                              : MR_P2P_NONE;
    return m->inflated_n > MR_MESSAGE_MAX ? MR_P2P_MESSAGE_TOO_BIG : MR_P2P_NONE;
}

enum mr_p2p_fault mr_transport_open(struct mr_message *out, const struct mr_transport *t,
                                    struct mr_span frame_data)
{
    struct mr_reader r = mr_reader(frame_data.p, frame_data.n);
    bool before_hello = t->shared == NULL;
    struct mr_message m;
    enum mr_p2p_fault f;
    uint64_t wire_id;

    if (frame_data.n > mr_transport_frame_max(t))
        return MR_P2P_FRAME_TOO_BIG;
    if (mr_rlp_u64(&r, &wire_id))
        return MR_P2P_BAD_MESSAGE_ID;
    if ((f = message_identify(&m, t, wire_id)))
        return f;
    m.raw = mr_span(r.p, mr_reader_left(&r));
    f = message_measure(&m, t->snappy && !before_hello);
    if (!f)
        f = message_limit(&m, before_hello);
    if (f && is_disconnect(&m)) { /* it may not be compressed at all */
        m.compressed = false;
        m.inflated_n = (uint32_t)m.raw.n;
        f = message_limit(&m, before_hello);
    }
    if (f)
        return f;
    *out = m;
    return MR_P2P_NONE;
}

enum mr_p2p_fault mr_transport_payload(struct mr_span *out, const struct mr_message *m,
                                       uint8_t *buf, size_t cap)
{
    size_t n;

    if (!m->compressed) {
        *out = m->raw;
        return MR_P2P_NONE;
    }
    MR_ASSERT(cap >= m->inflated_n);
    if (mr_snappy_inflate(buf, cap, &n, m->raw) == MR_OK) {
        *out = mr_span(buf, n);
        return MR_P2P_NONE;
    }
    if (!is_disconnect(m) || m->raw.n > MR_BASE_MESSAGE_MAX)
        return MR_P2P_BAD_SNAPPY;
    *out = m->raw;
    return MR_P2P_NONE;
}

static bool compresses(const struct mr_transport *t)
{
    return t->shared != NULL && t->snappy;
}

enum mr_err mr_message_put_head(struct mr_writer *w, const struct mr_transport *t, uint16_t wire_id,
                                uint32_t total)
{
    struct mr_writer copy = *w;
    enum mr_err e;

    if ((e = mr_rlp_put_u64(&copy, wire_id)) ||
        (compresses(t) && (e = mr_snappy_put_preamble(&copy, total))))
        return e;
    *w = copy;
    return MR_OK;
}

size_t mr_message_spans(struct mr_span spans[2], uint8_t head[MR_MESSAGE_HEAD_MAX],
                        const struct mr_transport *t, uint16_t wire_id, struct mr_span payload)
{
    struct mr_writer w = mr_writer(head, MR_MESSAGE_HEAD_MAX);
    enum mr_err e;

    MR_ASSERT(payload.n <= MR_SNAPPY_INFLATED_MAX);
    e = mr_message_put_head(&w, t, wire_id, (uint32_t)payload.n);
    if (!e && compresses(t) && payload.n > 0)
        e = mr_snappy_put_literal_head(&w, (uint32_t)payload.n);
    MR_ASSERT(e == MR_OK); /* 3 + 5 + 5 bytes at most */
    spans[0] = mr_writer_span(&w);
    spans[1] = payload;
    return payload.n > 0 ? 2 : 1;
}
