/* Only canonical ids of the negotiated table get through, and each to the place that the table says
 * (F-06). The first byte chooses what is negotiated. */
#include "net/rlpx/transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The value of a canonical RLP integer at the start of p, by the rules and nothing of ours. */
static bool naive_id(const uint8_t *p, size_t n, uint64_t *id, size_t *used)
{
    size_t length;

    if (n == 0)
        return false;
    *used = 1, *id = p[0];
    if (p[0] > 0 && p[0] < 0x80)
        return true;
    if (p[0] == 0 || p[0] > 0x88)
        return false;
    length = p[0] - 0x80u;
    *id = 0, *used = 1 + length;
    if (length > n - 1 || (length > 0 && p[1] == 0) || (length == 1 && p[1] < 0x80))
        return false;
    for (size_t i = 0; i < length; i++)
        *id = *id * 256 + p[1 + i];
    return true;
}

static bool known(const struct mr_capabilities *c, uint64_t id)
{
    uint64_t end = MR_CAPABILITY_FIRST_ID;

    for (unsigned i = 0; i < c->count; i++)
        end += c->shared[i].ids_count;
    return (id >= 1 && id <= 3) || (id >= MR_CAPABILITY_FIRST_ID && id < end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_protocol ours[16];
    struct mr_capability theirs[16];
    struct mr_capabilities c;
    struct mr_transport t;
    struct mr_message m = {.id = 4711};
    enum mr_p2p_fault f;
    size_t n = 0, used;
    uint64_t id;

    if (size == 0)
        return 0;
    for (size_t i = 0; i < mr_protocols_count; i++) {
        if (data[0] >> i % 8 & 1) {
            ours[n] = mr_protocols[i];
            theirs[n++] = mr_protocols[i].capability;
        }
    }
    if (mr_capabilities_match(&c, ours, n, theirs, n))
        return 0;
    t = mr_transport_after_hello(&c, 5, 4); /* uncompressed: the id alone decides */
    f = mr_transport_open(&m, &t, mr_span(data + 1, size - 1));
    if (!naive_id(data + 1, size - 1, &id, &used)) {
        MR_ASSERT(f == MR_P2P_BAD_MESSAGE_ID);
    } else if (!known(&c, id)) {
        MR_ASSERT(f == (id == 0 ? MR_P2P_SECOND_HELLO : MR_P2P_UNKNOWN_MESSAGE_ID));
    } else if (f) {
        MR_ASSERT(f == MR_P2P_BASE_TOO_BIG);
    } else {
        MR_ASSERT(mr_capabilities_wire_id(&c, m.capability, m.id) == id);
        MR_ASSERT(m.raw.p == data + 1 + used && m.raw.n == size - 1 - used);
    }
    if (f)
        MR_ASSERT(m.id == 4711);
    return 0;
}
