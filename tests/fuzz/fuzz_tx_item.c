/* The elements of a Transactions message: each is consumed whole or not at all, and what was
 * consumed is written as the same bytes. */
#include <stdlib.h>

#include "net/eth/tx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_reader in = mr_reader(data, size);
    struct mr_tx tx, before;

    memset(&tx, 0x3c, sizeof tx);
    for (;;) {
        const uint8_t *at = in.p;
        struct mr_reader skip = in;
        struct mr_writer w;
        size_t n;

        before = tx;
        if (mr_tx_decode_item(&in, &tx) != MR_OK) {
            MR_ASSERT(in.p == at && in.end == data + size);
            MR_ASSERT(memcmp(&tx, &before, sizeof tx) == 0);
            /* What is an item all the same can be passed over: one bad element is discarded. */
            if (mr_rlp_skip(&in) != MR_OK)
                return 0;
            continue;
        }
        MR_ASSERT(mr_rlp_check(&skip, MR_RLP_DEPTH_MAX) == MR_OK);
        MR_ASSERT(skip.p == in.p);
        n = (size_t)(in.p - at);
        w = mr_writer(malloc(n), n);
        MR_ASSERT(mr_tx_put_item(&w, &tx) == MR_OK);
        MR_ASSERT(w.n == n);
        MR_ASSERT(memcmp(w.p, at, n) == 0);
        free(w.p);
    }
}
