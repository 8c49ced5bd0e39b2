#include "net/eth/header.h"

#include "crypto/keccak.h"

#define GAS_LIMIT_MIN    5000       /* yellow paper 4.3.4 */
#define INITIAL_BASE_FEE 1000000000 /* EIP-1559 */

static enum mr_err string_of(struct mr_reader *r, const uint8_t **out, size_t n)
{
    struct mr_reader at = *r;
    struct mr_span s;
    enum mr_err e;

    if ((e = mr_rlp_bytes(&at, &s)))
        return e;
    if (s.n != n)
        return MR_MALFORMED;
    *out = s.p;
    *r = at;
    return MR_OK;
}

/* The 15 that every header has. */
static enum mr_err frontier_read(struct mr_reader *r, struct mr_header *h)
{
    enum mr_err e;

    if ((e = mr_rlp_fixed(r, h->parent_hash.b, 32)) ||
        (e = mr_rlp_fixed(r, h->ommers_hash.b, 32)) || (e = mr_rlp_fixed(r, h->coinbase.b, 20)) ||
        (e = mr_rlp_fixed(r, h->state_root.b, 32)) ||
        (e = mr_rlp_fixed(r, h->transactions_root.b, 32)) ||
        (e = mr_rlp_fixed(r, h->receipts_root.b, 32)) || (e = string_of(r, &h->bloom, 256)) ||
        (e = mr_rlp_u256(r, &h->difficulty)) || (e = mr_rlp_u64(r, &h->number)) ||
        (e = mr_rlp_u64(r, &h->gas_limit)) || (e = mr_rlp_u64(r, &h->gas_used)) ||
        (e = mr_rlp_u64(r, &h->time)) || (e = mr_rlp_bytes(r, &h->extra)) ||
        (e = mr_rlp_fixed(r, h->mix.b, 32)))
        return e;
    return mr_rlp_fixed(r, h->nonce, 8);
}

/* The n-th element, counted from 1: what forks added, in their order. */
static enum mr_err later_read(struct mr_reader *r, struct mr_header *h, unsigned n)
{
    struct mr_span unknown;

    switch (n) {
    case 16:
        return mr_rlp_u256(r, &h->base_fee);
    case 17:
        return mr_rlp_fixed(r, h->withdrawals_root.b, 32);
    case 18:
        return mr_rlp_u64(r, &h->blob_gas_used);
    case 19:
        return mr_rlp_u64(r, &h->excess_blob_gas);
    case 20:
        return mr_rlp_fixed(r, h->parent_beacon_root.b, 32);
    case 21:
        return mr_rlp_fixed(r, h->requests_hash.b, 32);
    case 22:
        return mr_rlp_fixed(r, h->access_list_hash.b, 32);
    case 23:
        return mr_rlp_u64(r, &h->slot_number);
    default:
        return n > MR_HEADER_FIELDS_MAX ? MR_TOO_BIG : mr_rlp_bytes(r, &unknown);
    }
}

enum mr_err mr_header_read(struct mr_reader *r, struct mr_header *out)
{
    struct mr_header h = {.fields = MR_HEADER_FIELDS_MIN};
    struct mr_reader at = *r, list;
    enum mr_err e;

    if ((e = mr_rlp_list(&at, &list)))
        return e;
    h.raw = mr_span(r->p, (size_t)(at.p - r->p));
    if (h.raw.n > MR_HEADER_MAX)
        return MR_TOO_BIG;
    if ((e = frontier_read(&list, &h)))
        return e;
    while (!mr_reader_done(&list)) {
        if ((e = later_read(&list, &h, ++h.fields)))
            return e;
    }
    mr_keccak256(&h.hash, h.raw.p, h.raw.n);
    *out = h;
    *r = at;
    return MR_OK;
}

enum mr_err mr_header_decode(struct mr_header *out, struct mr_span raw)
{
    struct mr_reader r = mr_reader_of(raw);
    struct mr_header h;
    enum mr_err e;

    if ((e = mr_header_read(&r, &h)))
        return e;
    if (!mr_reader_done(&r))
        return MR_MALFORMED;
    *out = h;
    return MR_OK;
}

/* Whether v is below 2^bits, for bits that are a multiple of 8. */
static bool fits(const struct mr_u256 *v, unsigned bits)
{
    for (unsigned i = 0; i < 32 - bits / 8; i++) {
        if (v->b[i] != 0)
            return false;
    }
    return true;
}

enum mr_err mr_header_check(const struct mr_header *h, size_t extra_max)
{
    if (h->gas_used > h->gas_limit || h->extra.n > extra_max || !fits(&h->difficulty, 80))
        return MR_INVALID;
    /* Cancun brought three fields at once. */
    if (h->fields == MR_HEADER_HAS_BLOB_GAS || h->fields == MR_HEADER_HAS_BLOB_GAS - 1)
        return MR_INVALID;
    if (h->fields >= MR_HEADER_HAS_BASE_FEE && (!fits(&h->base_fee, 64) || h->gas_limit < 2))
        return MR_INVALID;
    return MR_OK;
}

bool mr_header_next_base_fee(const struct mr_header *h, uint64_t *wei)
{
    uint64_t target = h->gas_limit / 2, fee, delta;
    unsigned __int128 next;

    if (h->fields < MR_HEADER_HAS_BASE_FEE || !fits(&h->base_fee, 64) || target == 0 ||
        h->gas_used > h->gas_limit)
        return false;
    fee = mr_load_be64(h->base_fee.b + 24);
    if (h->gas_used >= target) {
        /* Up to 1/8 of the fee for a full block (used is at most 2 * target + 1), at least 1 wei
         * for one above its target. */
        delta = h->gas_used - target;
        next = (unsigned __int128)fee * delta / target / 8;
        if (delta > 0 && next == 0)
            next = 1;
        next += fee;
    } else {
        next = fee - (unsigned __int128)fee * (target - h->gas_used) / target / 8;
    }
    if (next > UINT64_MAX)
        return false;
    *wei = (uint64_t)next;
    return true;
}

/* Yellow paper 4.3.4, which EIP-1559 keeps: it moves by less than 1/1024 of the parent's. */
static bool gas_limit_follows(uint64_t limit, uint64_t parent)
{
    uint64_t moved = limit > parent ? limit - parent : parent - limit;

    return moved < parent / 1024 && limit >= GAS_LIMIT_MIN;
}

static bool base_fee_is(const struct mr_header *h, uint64_t wei)
{
    return fits(&h->base_fee, 64) && mr_load_be64(h->base_fee.b + 24) == wei;
}

/* EIP-1559: London's first block may hold twice what its parent held, at a fixed fee. */
static bool london_begins(const struct mr_header *h, const struct mr_header *parent)
{
    return parent->gas_limit <= UINT64_MAX / 2 &&
           gas_limit_follows(h->gas_limit, 2 * parent->gas_limit) &&
           base_fee_is(h, INITIAL_BASE_FEE);
}

enum mr_err mr_header_check_child(const struct mr_header *h, const struct mr_header *parent)
{
    bool has_fee = h->fields >= MR_HEADER_HAS_BASE_FEE;
    uint64_t fee;

    if (!mr_hash_equal(&h->parent_hash, &parent->hash) || parent->number == UINT64_MAX ||
        h->number != parent->number + 1 || h->time <= parent->time)
        return MR_INVALID;
    if (has_fee && parent->fields < MR_HEADER_HAS_BASE_FEE)
        return london_begins(h, parent) ? MR_OK : MR_INVALID;
    if (!gas_limit_follows(h->gas_limit, parent->gas_limit))
        return MR_INVALID;
    if (parent->fields < MR_HEADER_HAS_BASE_FEE)
        return MR_OK;
    if (!has_fee || !mr_header_next_base_fee(parent, &fee) || !base_fee_is(h, fee))
        return MR_INVALID;
    return MR_OK;
}
