/* Inflating agrees with a slow decoder written from the format's description, in verdict and bytes;
 * what we compress comes back; what may be sent on inflates. */
#include "net/rlpx/snappy.h"
#include "tests/net/rlpx/snappy_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP (1u << 18)

static uint8_t ours[CAP], theirs[CAP], deflated[CAP * 2];

static void inflate_both(struct mr_span in)
{
    size_t n = 4711;
    uint64_t reference_n;
    uint32_t claimed = 0;
    enum mr_err e = mr_snappy_inflate(ours, CAP, &n, in);
    bool ok = snappy_reference_decode(theirs, CAP, &reference_n, in.p, in.n);

    MR_ASSERT((e == MR_OK) == ok);
    if (ok) {
        MR_ASSERT(n == reference_n);
        MR_ASSERT(memcmp(ours, theirs, n) == 0);
        MR_ASSERT(mr_snappy_length(&claimed, in, CAP) == MR_OK);
        MR_ASSERT(claimed == n);
    } else {
        MR_ASSERT(n == 4711);
    }
    if (mr_snappy_is_canonical(in))
        MR_ASSERT(ok || e == MR_TOO_BIG);
}

static void compress_and_inflate(struct mr_span in)
{
    struct mr_writer w = mr_writer(deflated, sizeof deflated);
    size_t n, got;

    if (in.n > CAP)
        return;
    MR_ASSERT(mr_snappy_put_preamble(&w, (uint32_t)in.n) == MR_OK);
    MR_ASSERT(mr_snappy_fragment(w.p + w.n, MR_SNAPPY_DEFLATED_MAX(in.n), &n, in) == MR_OK);
    w.n += n;
    MR_ASSERT(mr_snappy_inflate(ours, CAP, &got, mr_writer_span(&w)) == MR_OK);
    MR_ASSERT(got == in.n);
    MR_ASSERT(memcmp(ours, in.p, got) == 0);
    MR_ASSERT(mr_snappy_is_canonical(mr_writer_span(&w)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) { /* the first byte chooses, so that both halves get inputs of their own */
        if (data[0] & 1)
            inflate_both(mr_span(data + 1, size - 1));
        else
            compress_and_inflate(mr_span(data + 1, size - 1));
    }
    return 0;
}
