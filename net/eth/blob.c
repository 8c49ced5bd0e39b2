#include "net/eth/blob.h"

#include "crypto/sha.h"

/* A list of byte strings of one size: only their prefixes are looked at. */
static enum mr_err items_read(struct mr_reader *r, struct mr_items *out, size_t size)
{
    uint8_t head_bytes[4];
    struct mr_writer w = mr_writer(head_bytes, sizeof head_bytes);
    struct mr_reader body;
    struct mr_items items;
    size_t head = mr_rlp_head_len(size);
    enum mr_err e;

    MR_ASSERT(head <= sizeof head_bytes);
    if ((e = mr_rlp_list(r, &body)))
        return e;
    /* A string's prefix is a list's, 0x40 lower. */
    if ((e = mr_rlp_put_list_head(&w, size)))
        return e;
    head_bytes[0] -= 0x40;
    if (mr_reader_left(&body) % (head + size) != 0)
        return MR_MALFORMED;
    items.n = (uint32_t)(mr_reader_left(&body) / (head + size));
    items.stride = (uint32_t)(head + size);
    items.first = body.p + head;
    for (const uint8_t *p = body.p; p < body.end; p += items.stride)
        if (memcmp(p, head_bytes, head) != 0)
            return MR_MALFORMED;
    *out = items;
    return MR_OK;
}

enum mr_err mr_items_read(struct mr_reader *r, struct mr_items *out, size_t size)
{
    struct mr_reader copy = *r;
    enum mr_err e = items_read(&copy, out, size);

    if (e == MR_OK)
        *r = copy;
    return e;
}

enum mr_err mr_sidecar_decode(struct mr_reader *r, struct mr_sidecar *out)
{
    struct mr_reader copy = *r;
    struct mr_sidecar s = {.wrapper = MR_WRAPPER_V0};
    uint64_t version;
    enum mr_err e;

    if (!mr_rlp_is_list(&copy)) {
        if ((e = mr_rlp_u64(&copy, &version)))
            return e;
        if (version != MR_WRAPPER_V1)
            return MR_UNSUPPORTED;
        s.wrapper = MR_WRAPPER_V1;
    }
    s.before = mr_span(r->p, (size_t)(copy.p - r->p));
    if ((e = mr_items_read(&copy, &s.blobs, MR_BLOB_SIZE)))
        return e;
    s.after = mr_span(copy.p, mr_reader_left(&copy));
    if ((e = mr_items_read(&copy, &s.commitments, MR_COMMITMENT_SIZE)) ||
        (e = mr_items_read(&copy, &s.proofs, MR_PROOF_SIZE)))
        return e;
    if (!mr_reader_done(&copy))
        return MR_MALFORMED;
    *r = copy;
    *out = s;
    return MR_OK;
}

bool mr_versioned_hash(struct mr_hash *out, const uint8_t commitment[MR_COMMITMENT_SIZE])
{
    struct mr_span part = mr_span(commitment, MR_COMMITMENT_SIZE);

    if (!mr_sha256(out->b, &part, 1))
        return false;
    out->b[0] = MR_VERSIONED_HASH;
    return true;
}
