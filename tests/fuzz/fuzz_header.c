/* Headers: the fields that are read, written out again, are the header; what is refused leaves
 * reader and output alone; the checks take whatever was read. */
#include "crypto/keccak.h"
#include "net/eth/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct mr_writer *w, const void *p, size_t n)
{
    MR_ASSERT(mr_rlp_put_bytes(w, p, n) == MR_OK);
}

static void put_u64(struct mr_writer *w, uint64_t v)
{
    MR_ASSERT(mr_rlp_put_u64(w, v) == MR_OK);
}

static void put_later(struct mr_writer *w, const struct mr_header *h)
{
    if (h->fields >= 16)
        MR_ASSERT(mr_rlp_put_u256(w, &h->base_fee) == MR_OK);
    if (h->fields >= 17)
        put(w, h->withdrawals_root.b, 32);
    if (h->fields >= 18)
        put_u64(w, h->blob_gas_used);
    if (h->fields >= 19)
        put_u64(w, h->excess_blob_gas);
    if (h->fields >= 20)
        put(w, h->parent_beacon_root.b, 32);
    if (h->fields >= 21)
        put(w, h->requests_hash.b, 32);
    if (h->fields >= 22)
        put(w, h->access_list_hash.b, 32);
    if (h->fields >= 23)
        put_u64(w, h->slot_number);
}

static void write_again(const struct mr_header *h)
{
    uint8_t buf[MR_HEADER_MAX + 16];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    size_t mark = mr_rlp_open(&w);

    put(&w, h->parent_hash.b, 32);
    put(&w, h->ommers_hash.b, 32);
    put(&w, h->coinbase.b, 20);
    put(&w, h->state_root.b, 32);
    put(&w, h->transactions_root.b, 32);
    put(&w, h->receipts_root.b, 32);
    put(&w, h->bloom, 256);
    MR_ASSERT(mr_rlp_put_u256(&w, &h->difficulty) == MR_OK);
    put_u64(&w, h->number);
    put_u64(&w, h->gas_limit);
    put_u64(&w, h->gas_used);
    put_u64(&w, h->time);
    put(&w, h->extra.p, h->extra.n);
    put(&w, h->mix.b, 32);
    put(&w, h->nonce, 8);
    put_later(&w, h);
    if (h->fields > 23)
        return; /* fields that nobody knows yet are not kept */
    MR_ASSERT(mr_rlp_close(&w, mark) == MR_OK);
    MR_ASSERT(w.n == h->raw.n);
    MR_ASSERT(memcmp(buf, h->raw.p, w.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_reader r = mr_reader(data, size);
    struct mr_header h, untouched;
    struct mr_hash hash;
    uint64_t fee;

    memset(&h, 0xee, sizeof h);
    memset(&untouched, 0xee, sizeof untouched);
    if (mr_header_read(&r, &h)) {
        MR_ASSERT(r.p == data);
        MR_ASSERT(memcmp(&h, &untouched, sizeof h) == 0);
        return 0;
    }
    MR_ASSERT(h.raw.p == data);
    MR_ASSERT(h.raw.n == (size_t)(r.p - data));
    mr_keccak256(&hash, h.raw.p, h.raw.n);
    MR_ASSERT(mr_hash_equal(&hash, &h.hash));
    write_again(&h);
    if (mr_header_check(&h, MR_HEADER_EXTRA_MAX) == MR_OK && h.fields >= MR_HEADER_HAS_BASE_FEE &&
        mr_load_be64(h.base_fee.b + 24) < UINT64_MAX / 2)
        MR_ASSERT(mr_header_next_base_fee(&h, &fee));
    MR_ASSERT(mr_header_check_child(&h, &h) == MR_INVALID);
    return 0;
}
