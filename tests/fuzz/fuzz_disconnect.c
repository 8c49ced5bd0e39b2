/* Every payload is a reason, none or an unreadable one; what can be sent reads the same again. */
#include "net/rlpx/base_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned reason = mr_disconnect_decode(mr_span(data, size));
    uint8_t buf[4];
    struct mr_writer w = mr_writer(buf, sizeof buf);

    MR_ASSERT(reason < MR_REASON_COUNT);
    MR_ASSERT((reason == MR_REASON_ABSENT) == (size == 0 || data[0] == 0xc0));
    MR_ASSERT(strlen(mr_reason_name(reason)) > 0);
    MR_ASSERT(strlen(mr_reason_text(reason)) > 0);
    if (reason <= 0xff) {
        MR_ASSERT(mr_disconnect_encode(&w, reason) == MR_OK);
        MR_ASSERT(mr_disconnect_decode(mr_writer_span(&w)) == reason);
    }
    MR_ASSERT(mr_ping_check(mr_span(data, size)) == (size == 0 || (size == 1 && data[0] == 0xc0)));
    return 0;
}
