#include "tests/shards/helper_chain.h"

#include "core/rlp.h"

static void put(struct mr_writer *w, const void *p, size_t n)
{
    MR_ASSERT(mr_rlp_put_bytes(w, p, n) == MR_OK);
}

static void put_number(struct mr_writer *w, uint64_t v)
{
    MR_ASSERT(mr_rlp_put_u64(w, v) == MR_OK);
}

void chain_seal(struct chain_block *b)
{
    static const uint8_t zeros[256];
    struct mr_writer w = mr_writer(b->rlp, sizeof b->rlp);
    size_t mark = mr_rlp_open(&w);
    struct mr_header h;

    put(&w, b->parent.b, 32);
    put(&w, zeros, 32); /* ommers */
    put(&w, zeros, 20);
    for (unsigned i = 0; i < 3; i++)
        put(&w, zeros, 32);
    put(&w, zeros, 256);
    put_number(&w, 0); /* difficulty */
    put_number(&w, b->number);
    put_number(&w, b->gas_limit);
    put_number(&w, b->gas_used);
    put_number(&w, b->time);
    put(&w, &b->salt, 1);
    put(&w, zeros, 32);
    put(&w, zeros, 8);
    if (b->has_base_fee)
        put_number(&w, b->base_fee);
    MR_ASSERT(mr_rlp_close(&w, mark) == MR_OK);
    b->n = w.n;
    MR_ASSERT(mr_header_decode(&h, mr_writer_span(&w)) == MR_OK);
    b->hash = h.hash;
}

void chain_grow(struct chain_block *chain, unsigned from, unsigned n, uint8_t salt)
{
    for (unsigned i = from; i < n; i++) {
        struct chain_block *b = &chain[i];

        *b = (struct chain_block){.number = CHAIN_FIRST + i,
                                  .time = CHAIN_TIME + i * CHAIN_SLOT_S,
                                  .gas_limit = 30000000,
                                  .gas_used = 15000000,
                                  .base_fee = 1000000007,
                                  .has_base_fee = true,
                                  .salt = salt};
        if (i > 0)
            b->parent = chain[i - 1].hash;
        chain_seal(b);
    }
}

void chain_make(struct chain_block *chain, unsigned n, uint8_t salt)
{
    chain_grow(chain, 0, n, salt);
}

void chain_answer(const struct chain_block *chain, unsigned newest,
                  const struct mr_get_block_headers *q, struct mr_writer *out)
{
    unsigned i = 0;

    while (i <= newest && !mr_hash_equal(&chain[i].hash, &q->origin_hash))
        i++;
    for (uint64_t k = 0; k < q->amount && i <= newest; k++) {
        MR_ASSERT(mr_rlp_put_raw(out, chain[i].rlp, chain[i].n) == MR_OK);
        if (q->reverse && i == 0)
            break;
        i = q->reverse ? i - 1 : i + 1;
    }
}
