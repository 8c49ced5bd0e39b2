/* Status: what is read is written back byte for byte; what is refused leaves the output alone. The
 * first byte chooses the version. */
#include "net/eth/status.h"
#include "net/eth/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_eth_status s, untouched;
    uint8_t buf[MR_ETH_STATUS_MAX];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    unsigned version;

    if (size < 1)
        return 0;
    version = MR_ETH_VERSION_MIN + data[0] % 5;
    memset(&s, 0xee, sizeof s);
    memset(&untouched, 0xee, sizeof untouched);
    if (mr_eth_status_decode(&s, version, mr_span(data + 1, size - 1))) {
        MR_ASSERT(memcmp(&s, &untouched, sizeof s) == 0);
        return 0;
    }
    MR_ASSERT(s.version == version);
    MR_ASSERT(s.earliest <= s.latest);
    MR_ASSERT(mr_eth_status_encode(&w, &s) == MR_OK);
    MR_ASSERT(w.n == size - 1);
    MR_ASSERT(memcmp(buf, data + 1, w.n) == 0);
    return 0;
}
