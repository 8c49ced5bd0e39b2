/* A refused Hello leaves the output untouched; an accepted one means the same after being written
 * and read again. */
#include "net/rlpx/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_equal(const struct mr_hello *a, const struct mr_hello *b)
{
    MR_ASSERT(a->version == b->version);
    MR_ASSERT(a->listen_port == b->listen_port);
    MR_ASSERT(mr_node_id_equal(&a->id, &b->id));
    MR_ASSERT(a->client_id.n == b->client_id.n);
    MR_ASSERT(memcmp(a->client_id.p, b->client_id.p, a->client_id.n) == 0);
    MR_ASSERT(a->capabilities_count == b->capabilities_count);
    for (unsigned i = 0; i < a->capabilities_count; i++)
        MR_ASSERT(mr_capability_equal(&a->capabilities[i], &b->capabilities[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mr_hello mark = {.version = 4711};
    struct mr_hello h = mark, again;
    uint8_t buf[MR_HELLO_MAX];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    char text[64];
    enum mr_p2p_fault f = mr_hello_decode(&h, mr_span(data, size));

    if (f) {
        MR_ASSERT(memcmp(&h, &mark, sizeof h) == 0);
        MR_ASSERT(mr_p2p_fault_reason(f) == MR_REASON_PROTOCOL ||
                  mr_p2p_fault_reason(f) == MR_REASON_NULL_IDENTITY);
        return 0;
    }
    MR_ASSERT(size <= MR_HELLO_MAX);
    MR_ASSERT(h.capabilities_count <= MR_MIN(h.capabilities_seen, MR_CAPABILITY_OFFERED_MAX));
    MR_ASSERT(mr_hello_client_text(text, sizeof text, &h) == strlen(text));
    MR_ASSERT(mr_hello_encode(&w, &h) == MR_OK);
    MR_ASSERT(w.n <= size);
    MR_ASSERT(mr_hello_decode(&again, mr_writer_span(&w)) == MR_P2P_NONE);
    MR_ASSERT(again.capabilities_seen == h.capabilities_count);
    check_equal(&h, &again);
    return 0;
}
