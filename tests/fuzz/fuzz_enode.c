/* Property: an enode URL that is accepted comes back as a URL that means the same. */
#include "net/rlpx/enode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_enode a, b;
    char text[MR_ENODE_TEXT_MAX];

    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    if (mr_enode_parse(&a, NULL, (const char *)data, size) != MR_OK) {
        MR_ASSERT(memcmp(&a, &b, sizeof a) == 0);
        return 0;
    }
    mr_enode_text(text, &a);
    MR_ASSERT(mr_enode_parse(&b, NULL, text, strlen(text)) == MR_OK);
    MR_ASSERT(mr_node_id_equal(&a.id, &b.id) && mr_endpoint_equal(a.tcp, b.tcp));
    MR_ASSERT(a.udp_port == b.udp_port);
    return 0;
}
