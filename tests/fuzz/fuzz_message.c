/* Any message under any version and id (the first two bytes; the high bit of the version's for
 * proof of work): the decoder of the table and the decoders of its parts agree, what they read is
 * written back byte for byte, and a request's empty answer is a message that its version takes. */
#include <stdlib.h>

#include "net/eth/message.h"
#include "net/eth/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct mr_writer *w, struct mr_span message)
{
    MR_ASSERT(w->n == message.n);
    MR_ASSERT(memcmp(w->p, message.p, w->n) == 0);
}

static void hashes_again(struct mr_writer *w, struct mr_span message)
{
    struct mr_hash_request q;
    struct mr_hash *hashes;

    MR_ASSERT(mr_hash_request_decode(&q, message) == MR_OK);
    hashes = malloc(q.hashes.n * sizeof *hashes + 1);
    for (size_t i = 0; i < q.hashes.n; i++)
        memcpy(hashes[i].b, mr_items_at(&q.hashes, i), 32);
    MR_ASSERT(mr_hash_request_encode(w, q.request_id, hashes, q.hashes.n) == MR_OK);
    free(hashes);
    same(w, message);
}

static void items_again(struct mr_writer *w, struct mr_span message, bool response)
{
    struct mr_eth_items got;
    struct mr_span *items;
    size_t n = 0;

    MR_ASSERT((response ? mr_response_decode(&got, message, MR_TRANSACTIONS_MAX)
                        : mr_transactions_decode(&got, message)) == MR_OK);
    items = malloc((got.count + 1) * sizeof *items);
    while (mr_eth_items_next(&got, &items[n]))
        n++;
    MR_ASSERT(n == got.count);
    MR_ASSERT((response ? mr_response_encode(w, got.request_id, items, n)
                        : mr_transactions_encode(w, items, n)) == MR_OK);
    free(items);
    same(w, message);
}

static void query_again(struct mr_writer *w, struct mr_span message)
{
    struct mr_get_block_headers q;
    struct mr_header_walk walk;
    uint64_t id, number, last, n = 0;

    MR_ASSERT(mr_get_block_headers_decode(&q, &id, message) == MR_OK);
    MR_ASSERT(mr_get_block_headers_encode(w, id, &q) == MR_OK);
    same(w, message);
    walk = mr_header_query_start(&q, q.origin_number);
    for (last = q.origin_number; mr_header_query_next(&walk, &number); n++, last = number)
        MR_ASSERT(n == 0 || (q.reverse ? number < last : number > last));
    MR_ASSERT(n <= MR_MIN(q.amount, MR_HEADERS_ANSWER_MAX));
}

static void range_again(struct mr_writer *w, struct mr_span message)
{
    struct mr_block_range r;

    MR_ASSERT(mr_block_range_decode(&r, message) == MR_OK);
    MR_ASSERT(mr_block_range_encode(w, &r) == MR_OK);
    same(w, message);
}

static void write_again(uint64_t id, struct mr_span message)
{
    struct mr_writer w = mr_writer(malloc(message.n), message.n);

    switch (id) {
    case MR_ETH_TRANSACTIONS:
        items_again(&w, message, false);
        break;
    case MR_ETH_BLOCK_HEADERS:
    case MR_ETH_BLOCK_BODIES:
    case MR_ETH_POOLED_TRANSACTIONS:
    case MR_ETH_BLOCK_ACCESS_LISTS:
        items_again(&w, message, true);
        break;
    case MR_ETH_GET_BLOCK_HEADERS:
        query_again(&w, message);
        break;
    case MR_ETH_GET_BLOCK_BODIES:
    case MR_ETH_GET_POOLED_TRANSACTIONS:
    case MR_ETH_GET_BLOCK_ACCESS_LISTS:
        hashes_again(&w, message);
        break;
    case MR_ETH_BLOCK_RANGE_UPDATE:
        range_again(&w, message);
        break;
    default: /* their own targets, or never written */
        break;
    }
    free(w.p);
}

/* What a session does with a message from a stranger, valid or not. */
static void answer(unsigned version, uint64_t id, enum mr_err checked, struct mr_span message)
{
    const struct mr_eth_message *m = mr_eth_message_find(version, id, false);
    uint8_t buf[2048];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    uint64_t answer_id = 99;
    enum mr_err e = mr_eth_empty_answer(version, id, message, &w, &answer_id);

    if (m == NULL || m->kind != MR_ETH_REQUEST) {
        MR_ASSERT(e == MR_NOT_FOUND);
        return;
    }
    MR_ASSERT(e == checked);
    if (e != MR_OK) {
        MR_ASSERT(w.n == 0);
        MR_ASSERT(answer_id == 99);
        return;
    }
    MR_ASSERT(mr_eth_message_check(version, answer_id, false, mr_writer_span(&w)) == MR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_span message;
    unsigned version;
    uint64_t id;
    bool legacy;
    enum mr_err e;

    if (size < 2)
        return 0;
    version = MR_ETH_VERSION_MIN + (data[0] & 0x7f) % 5;
    legacy = data[0] >> 7;
    id = data[1];
    message = mr_span(data + 2, size - 2);
    e = mr_eth_message_check(version, id, legacy, message);
    MR_ASSERT((e == MR_NOT_FOUND) == (mr_eth_message_find(version, id, legacy) == NULL));
    answer(version, id, e, message);
    if (e == MR_OK) {
        struct mr_reader r = mr_reader_of(message);

        /* Nothing was passed over that is not canonical; access lists may nest 2 deeper. */
        MR_ASSERT(id == MR_ETH_BLOCK_ACCESS_LISTS || mr_rlp_check(&r, MR_RLP_DEPTH_MAX) == MR_OK);
        write_again(id, message);
    }
    return 0;
}
