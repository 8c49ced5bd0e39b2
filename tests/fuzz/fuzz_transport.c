/* A refused frame leaves the output untouched; an accepted one is within its limits, inflates to
 * exactly the length that it claims or not at all, and reads the same when written again. The first
 * byte chooses the phase. */
#include "net/rlpx/transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t arena[MR_MESSAGE_MAX], again_arena[1 << 17], frame[1 << 18];

static void check_written_again(const struct mr_transport *t, const struct mr_message *m,
                                struct mr_span payload)
{
    struct mr_writer w = mr_writer(frame, sizeof frame);
    uint8_t head[MR_MESSAGE_HEAD_MAX];
    struct mr_span spans[2], got;
    struct mr_message again;
    uint16_t wire_id = m->id;
    size_t n;

    if (payload.n > sizeof again_arena)
        return;
    if (t->shared)
        wire_id = mr_capabilities_wire_id(t->shared, m->capability, m->id);
    n = mr_message_spans(spans, head, t, wire_id, payload);
    for (size_t i = 0; i < n; i++)
        MR_ASSERT(mr_rlp_put_raw(&w, spans[i].p, spans[i].n) == MR_OK);
    MR_ASSERT(mr_transport_open(&again, t, mr_writer_span(&w)) == MR_P2P_NONE);
    MR_ASSERT(again.capability == m->capability && again.id == m->id);
    MR_ASSERT(mr_transport_payload(&got, &again, again_arena, sizeof again_arena) == MR_P2P_NONE);
    MR_ASSERT(got.n == payload.n);
    MR_ASSERT(got.n == 0 || memcmp(got.p, payload.p, got.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mr_protocol *eth = mr_protocol_find("eth", 69);
    struct mr_capabilities c;
    struct mr_transport t = {.shared = NULL};
    struct mr_message m = {.id = 4711};
    struct mr_span payload = {NULL, 4711};

    if (size == 0)
        return 0;
    MR_ASSERT(mr_capabilities_match(&c, eth, 1, &eth->capability, 1) == MR_OK);
    if (data[0] % 4 != 0)
        t = mr_transport_after_hello(&c, 5, data[0] % 4 == 1 ? 4 : 5);
    if (mr_transport_open(&m, &t, mr_span(data + 1, size - 1))) {
        MR_ASSERT(m.id == 4711);
        return 0;
    }
    MR_ASSERT(m.inflated_n <= MR_MESSAGE_MAX);
    MR_ASSERT(m.capability != MR_CAPABILITY_BASE || m.inflated_n <= MR_HELLO_MAX);
    MR_ASSERT(t.snappy || !m.compressed);
    if (mr_transport_payload(&payload, &m, arena, m.inflated_n)) {
        MR_ASSERT(m.compressed && payload.n == 4711);
        return 0;
    }
    MR_ASSERT(payload.n == m.inflated_n || payload.p == m.raw.p);
    check_written_again(&t, &m, payload);
    return 0;
}
