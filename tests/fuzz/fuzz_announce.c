/* Announcements: what is read is written back byte for byte; no more items are given out than
 * count; what is refused leaves the output alone. The first byte chooses the version. */
#include <stdlib.h>

#include "net/eth/announce.h"
#include "net/eth/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(struct mr_announce *a, unsigned version, struct mr_span message)
{
    size_t n = a->count, taken = 0;
    uint8_t *types = malloc(n + 1), *out = malloc(message.n);
    uint32_t *sizes = malloc(n * sizeof *sizes + 1);
    struct mr_hash *hashes = malloc(n * sizeof *hashes + 1);
    struct mr_writer w = mr_writer(out, message.n);
    struct mr_announce_item item;

    for (; mr_announce_next(a, &item); taken++) {
        types[taken] = item.type;
        sizes[taken] = item.size;
        hashes[taken] = item.hash;
    }
    MR_ASSERT(taken == n);
    if (n == a->stated) {
        MR_ASSERT(mr_announce_len(version, types, sizes, n) == message.n);
        MR_ASSERT(mr_announce_encode(&w, version, types, sizes, hashes, n, &a->cells) == MR_OK);
        MR_ASSERT(w.n == message.n);
        MR_ASSERT(memcmp(out, message.p, w.n) == 0);
    }
    free(types);
    free(out);
    free(sizes);
    free(hashes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_announce a, untouched;
    unsigned version;

    if (size < 1)
        return 0;
    version = MR_ETH_VERSION_MIN + data[0] % 5;
    memset(&a, 0xee, sizeof a);
    memset(&untouched, 0xee, sizeof untouched);
    if (mr_announce_decode(&a, version, mr_span(data + 1, size - 1))) {
        MR_ASSERT(memcmp(&a, &untouched, sizeof a) == 0);
        return 0;
    }
    MR_ASSERT(a.count <= MR_ANNOUNCE_ITEMS_USED);
    MR_ASSERT(a.count <= a.stated);
    write_again(&a, version, mr_span(data + 1, size - 1));
    return 0;
}
