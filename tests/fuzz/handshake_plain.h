/* handshake_plain.h: from fuzzed bytes to what stands inside an envelope: the bytes themselves, or
 * a good list of which some bytes are changed and behind which others stand. */
#pragma once
#include "tests/net/rlpx/packets.h"

/* data[0] chooses. Fills out (PACKET_LIST bytes) with at least least bytes. */
static inline struct mr_span fuzz_plain(uint8_t out[PACKET_LIST], struct mr_span good, size_t least,
                                        const uint8_t *data, size_t size)
{
    size_t n, changes;

    memset(out, 0, PACKET_LIST);
    if (size == 0 || data[0] % 4 == 0) {
        n = MR_MIN(size ? size - 1 : 0, (size_t)PACKET_LIST);
        if (n > 0)
            memcpy(out, data + 1, n);
        return mr_span(out, MR_MAX(n, least));
    }
    memcpy(out, good.p, good.n);
    changes = MR_MIN(size - 1, (size_t)(data[0] >> 2 & 15) * 2);
    for (size_t i = 0; i + 1 < changes; i += 2)
        out[data[1 + i] % good.n] ^= data[2 + i];
    n = MR_MIN(size - 1 - changes, PACKET_LIST - good.n);
    memcpy(out + good.n, data + 1 + changes, n);
    return mr_span(out, good.n + n);
}

/* What is left of a refused handshake. */
static inline void fuzz_check_wiped(const struct mr_rlpx_handshake *hs)
{
    static const struct mr_rlpx_handshake zero;
    struct mr_rlpx_handshake copy = *hs;

    MR_ASSERT(copy.phase == MR_RLPX_HANDSHAKE_FAILED);
    MR_ASSERT(copy.fault != MR_RLPX_HANDSHAKE_FAULT_NONE);
    copy.phase = 0;
    copy.fault = 0;
    MR_ASSERT(memcmp(&copy, &zero, sizeof zero) == 0);
}
