/* RLP: an item that is accepted is written back as it was, none of its prefixes is accepted, and a
 * refusal leaves the reader where it stood. */
#include <stdlib.h>

#include "core/rlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes what is behind in, list by list, with a stack of our own. */
static void rewrite(struct mr_writer *w, struct mr_reader in)
{
    struct mr_reader levels[MR_RLP_DEPTH_MAX + 1] = {in};
    size_t marks[MR_RLP_DEPTH_MAX + 1], depth = 0;

    for (;;) {
        struct mr_reader *r = &levels[depth];
        struct mr_span s;

        if (mr_reader_done(r)) {
            if (depth == 0)
                return;
            MR_ASSERT(mr_rlp_close(w, marks[depth--]) == MR_OK);
        } else if (mr_rlp_is_list(r)) {
            MR_ASSERT(depth < MR_RLP_DEPTH_MAX);
            MR_ASSERT(mr_rlp_list(r, &levels[depth + 1]) == MR_OK);
            marks[++depth] = mr_rlp_open(w);
        } else {
            MR_ASSERT(mr_rlp_bytes(r, &s) == MR_OK);
            MR_ASSERT(mr_rlp_put_bytes(w, s.p, s.n) == MR_OK);
        }
    }
}

static void check_item(const uint8_t *data, size_t size)
{
    struct mr_reader r = mr_reader(data, size), again = r;
    struct mr_writer w;
    struct mr_span item;
    size_t used;

    if (mr_rlp_check(&r, MR_RLP_DEPTH_MAX)) {
        MR_ASSERT(r.p == data && r.end == data + size);
        return;
    }
    used = (size_t)(r.p - data);
    MR_ASSERT(used >= 1 && used <= size);
    MR_ASSERT(mr_rlp_item(&again, &item) == MR_OK);
    MR_ASSERT(item.p == data && item.n == used && again.p == r.p);
    w = mr_writer(malloc(used + 9), used + 9); /* closing a list may need room for its prefix */
    MR_ASSERT(w.p);
    rewrite(&w, mr_reader(data, used));
    MR_ASSERT(w.n == used && memcmp(w.p, data, used) == 0);
    free(w.p);
    for (size_t cut = 0; cut < used && used <= 512; cut++) {
        again = mr_reader(data, cut);
        MR_ASSERT(mr_rlp_check(&again, MR_RLP_DEPTH_MAX) != MR_OK);
        MR_ASSERT(again.p == data);
    }
}

static void check_numbers(const uint8_t *data, size_t size)
{
    struct mr_reader r = mr_reader(data, size);
    struct mr_u256 big = {.b = {0xab}};
    uint8_t buf[40];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    uint64_t v = 0xabcd;

    if (mr_rlp_u64(&r, &v)) {
        MR_ASSERT(v == 0xabcd && r.p == data);
    } else {
        MR_ASSERT(mr_rlp_put_u64(&w, v) == MR_OK);
        MR_ASSERT(w.n == (size_t)(r.p - data) && w.n == mr_rlp_u64_len(v));
        MR_ASSERT(memcmp(buf, data, w.n) == 0);
    }
    r = mr_reader(data, size);
    w = mr_writer(buf, sizeof buf);
    if (mr_rlp_u256(&r, &big)) {
        MR_ASSERT(big.b[0] == 0xab && r.p == data);
    } else {
        MR_ASSERT(mr_rlp_put_u256(&w, &big) == MR_OK);
        MR_ASSERT(w.n == (size_t)(r.p - data) && memcmp(buf, data, w.n) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = 77;

    check_item(data, size);
    check_numbers(data, size);
    if (mr_rlp_count(mr_reader(data, size), &n, 100))
        MR_ASSERT(n == 77);
    else
        MR_ASSERT(n <= 100 && n <= size);
    return 0;
}
