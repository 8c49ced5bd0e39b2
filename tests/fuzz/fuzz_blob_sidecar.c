/* What stands behind a blob transaction in its wrapper: every item lies inside the input and has
 * its size; a refusal changes nothing. An odd first byte reads the rest as it is; an even one
 * builds a sidecar of stated counts and changes some bytes of it, which raw input would hardly
 * reach. */
#include <stdlib.h>

#include "net/eth/blob.h"

#define ROOM (MR_BLOB_SIZE + 40000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(const struct mr_items *a, size_t item, const uint8_t *p, size_t n)
{
    struct mr_reader r;
    struct mr_span s;

    for (size_t i = 0; i < a->n; i++) {
        const uint8_t *at = mr_items_at(a, i);
        size_t head = a->stride - item;

        MR_ASSERT(at - head >= p && at + item <= p + n);
        r = mr_reader(at - head, a->stride);
        MR_ASSERT(mr_rlp_bytes(&r, &s) == MR_OK);
        MR_ASSERT(s.p == at && s.n == item);
    }
}

static void decode(const uint8_t *p, size_t n)
{
    struct mr_reader r = mr_reader(p, n);
    struct mr_sidecar s, before;

    memset(&s, 0x3c, sizeof s);
    before = s;
    if (mr_sidecar_decode(&r, &s) != MR_OK) {
        MR_ASSERT(r.p == p);
        MR_ASSERT(memcmp(&s, &before, sizeof s) == 0);
        return;
    }
    MR_ASSERT(mr_reader_done(&r));
    MR_ASSERT(s.wrapper == MR_WRAPPER_V0 || s.wrapper == MR_WRAPPER_V1);
    within(&s.blobs, MR_BLOB_SIZE, p, n);
    within(&s.commitments, MR_COMMITMENT_SIZE, p, n);
    within(&s.proofs, MR_PROOF_SIZE, p, n);
    MR_ASSERT(s.before.p == p && s.before.n <= 1);
    MR_ASSERT(s.after.p + s.after.n == p + n);
    MR_ASSERT(!mr_sidecar_elided(&s) || s.blobs.n == 0);
}

static void put_items(struct mr_writer *w, size_t n, size_t item)
{
    static const uint8_t zero[MR_BLOB_SIZE];
    size_t mark = mr_rlp_open(w);

    for (size_t i = 0; i < n; i++)
        MR_ASSERT(mr_rlp_put_bytes(w, zero, item) == MR_OK);
    MR_ASSERT(mr_rlp_close(w, mark) == MR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_writer w;

    if (size < 4)
        return 0;
    if (data[0] & 1) {
        decode(data + 1, size - 1);
        return 0;
    }
    w = mr_writer(malloc(ROOM), ROOM);
    if (data[0] & 2)
        MR_ASSERT(mr_rlp_put_u64(&w, data[0] >> 2) == MR_OK);
    put_items(&w, data[1] & 1, MR_BLOB_SIZE);
    put_items(&w, data[2] % 8, MR_COMMITMENT_SIZE);
    put_items(&w, data[3], MR_PROOF_SIZE);
    /* Each change: three bytes of place (from either end), one of value. */
    for (size_t i = 4; i + 4 <= size; i += 4) {
        size_t at = mr_load_be24(data + i) & 0x7fffff;

        if (at < w.n)
            w.p[data[i] & 0x80 ? w.n - 1 - at : at] = data[i + 3];
    }
    decode(w.p, w.n);
    free(w.p);
    return 0;
}
