#include "net/eth/tx_check.h"

#define GAS_TRANSACTION   21000
#define GAS_ZERO_BYTE     4
#define GAS_ADDRESS       2400 /* EIP-2930 */
#define GAS_KEY           1900
#define GAS_AUTHORIZATION 25000 /* EIP-7702 */
#define GAS_INIT_WORD     2     /* EIP-3860 */
#define GAS_FLOOR_TOKEN   10    /* EIP-7623 */

static const struct {
    const char *name, *text;
    enum mr_tx_fault fault;
} verdicts[MR_TX_VERDICTS] = {
#define TX_VERDICT_ROW(name, owner, text) {#name, text, MR_TX_FAULT_##owner},
    MR_TX_VERDICT_MAP(TX_VERDICT_ROW)
#undef TX_VERDICT_ROW
};

/* secp256k1's order and half of it. */
static const struct mr_u256 order = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
                                      0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
                                      0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41}};
static const struct mr_u256 half_order = {{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d,
                                           0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0}};

const char *mr_tx_verdict_name(enum mr_tx_verdict v)
{
    MR_ASSERT((unsigned)v < MR_TX_VERDICTS);
    return verdicts[v].name;
}

const char *mr_tx_verdict_text(enum mr_tx_verdict v)
{
    MR_ASSERT((unsigned)v < MR_TX_VERDICTS);
    return verdicts[v].text;
}

enum mr_tx_fault mr_tx_verdict_fault(enum mr_tx_verdict v)
{
    MR_ASSERT((unsigned)v < MR_TX_VERDICTS);
    return verdicts[v].fault;
}

static int u256_compare(const struct mr_u256 *a, const struct mr_u256 *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

static bool u256_is_zero(const struct mr_u256 *a)
{
    static const struct mr_u256 zero;

    return u256_compare(a, &zero) == 0;
}

/* Room for a sum of products of 256 and 64 bits; least limb first. */
struct wide {
    uint64_t limb[6];
};

/* acc += a * m */
static void wide_add_product(struct wide *acc, const struct mr_u256 *a, uint64_t m)
{
    unsigned __int128 carry = 0;

    for (size_t i = 0; i < 6; i++) {
        uint64_t x = i < 4 ? mr_load_be64(a->b + 24 - 8 * i) : 0;
        unsigned __int128 product = (unsigned __int128)x * m; /* < 2^128 - 2^65 + 2 */

        carry += (uint64_t)product;
        carry += acc->limb[i];
        acc->limb[i] = (uint64_t)carry;
        carry = (carry >> 64) + (product >> 64);
    }
}

/* What the sender's balance has to cover must be a balance that can exist. */
static bool cost_overflows(const struct mr_tx *tx)
{
    struct wide sum = {{0}};

    wide_add_product(&sum, &tx->fee_cap, tx->gas);
    wide_add_product(&sum, &tx->blob_fee_cap, (uint64_t)tx->blob_hashes.n * MR_GAS_PER_BLOB);
    wide_add_product(&sum, &tx->value, 1);
    return sum.limb[4] || sum.limb[5];
}

static size_t zero_bytes(struct mr_span s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == 0;
    return n;
}

static uint64_t intrinsic_gas(const struct mr_tx *tx, const struct mr_rules *rules, size_t zeros)
{
    uint64_t gas = GAS_TRANSACTION;

    gas += (uint64_t)zeros * GAS_ZERO_BYTE;
    gas += (uint64_t)(tx->data.n - zeros) * rules->gas_nonzero_byte;
    if (tx->creation) {
        gas += rules->gas_creation;
        if (rules->init_code_max)
            gas += (uint64_t)(tx->data.n + 31) / 32 * GAS_INIT_WORD;
    }
    gas += (uint64_t)tx->access_addresses * GAS_ADDRESS;
    gas += (uint64_t)tx->access_keys * GAS_KEY;
    gas += (uint64_t)tx->authorizations_count * GAS_AUTHORIZATION;
    return gas;
}

static uint64_t floor_gas(const struct mr_tx *tx, size_t zeros)
{
    uint64_t tokens = (uint64_t)zeros + 4 * (uint64_t)(tx->data.n - zeros);

    return GAS_TRANSACTION + GAS_FLOOR_TOKEN * tokens;
}

uint64_t mr_tx_intrinsic_gas(const struct mr_tx *tx, const struct mr_rules *rules)
{
    return intrinsic_gas(tx, rules, zero_bytes(tx->data));
}

uint64_t mr_tx_floor_gas(const struct mr_tx *tx)
{
    return floor_gas(tx, zero_bytes(tx->data));
}

static enum mr_tx_verdict check_signature(const struct mr_tx *tx, const struct mr_rules *rules)
{
    if (!tx->v_known && !tx->chain_id_huge)
        return MR_TX_VERDICT_SIGNATURE_V;
    if (tx->type == MR_TX_LEGACY && !tx->unprotected && !rules->replay_guard)
        return MR_TX_VERDICT_SIGNATURE_V;
#ifndef MR_SABOTAGE_E_10
    if (!tx->unprotected && (tx->chain_id_huge || tx->chain_id != rules->chain_id))
        return MR_TX_VERDICT_CHAIN_ID;
#endif
    if (u256_is_zero(&tx->r) || u256_compare(&tx->r, &order) >= 0)
        return MR_TX_VERDICT_SIGNATURE_R;
    if (u256_is_zero(&tx->s) || u256_compare(&tx->s, &order) >= 0)
        return MR_TX_VERDICT_SIGNATURE_S;
    if (rules->low_s && u256_compare(&tx->s, &half_order) > 0)
        return MR_TX_VERDICT_SIGNATURE_HIGH_S;
    return MR_TX_VERDICT_OK;
}

static enum mr_tx_verdict check_gas(const struct mr_tx *tx, const struct mr_rules *rules)
{
    size_t zeros = zero_bytes(tx->data);

    if (tx->gas < intrinsic_gas(tx, rules, zeros))
        return MR_TX_VERDICT_GAS_INTRINSIC;
    if (rules->calldata_floor && tx->gas < floor_gas(tx, zeros))
        return MR_TX_VERDICT_GAS_FLOOR;
    return MR_TX_VERDICT_OK;
}

static enum mr_tx_verdict check_blob_fields(const struct mr_tx *tx, const struct mr_rules *rules)
{
    if (tx->blob_hashes.n == 0)
        return MR_TX_VERDICT_BLOBS_NONE;
    if (tx->blob_hashes.n > rules->blobs_tx_max)
        return MR_TX_VERDICT_BLOBS_MANY;
    for (size_t i = 0; i < tx->blob_hashes.n; i++)
        if (*mr_items_at(&tx->blob_hashes, i) != MR_VERSIONED_HASH)
            return MR_TX_VERDICT_BLOB_HASH_VERSION;
    if (u256_is_zero(&tx->blob_fee_cap))
        return MR_TX_VERDICT_BLOB_FEE;
    return MR_TX_VERDICT_OK;
}

enum mr_tx_verdict mr_tx_check(const struct mr_tx *tx, const struct mr_rules *rules)
{
    enum mr_tx_verdict v;

    if (!(rules->types >> tx->type & 1))
        return MR_TX_VERDICT_TYPE;
    if (mr_tx_size_consensus(tx) > MR_TX_SIZE_MAX)
        return MR_TX_VERDICT_TOO_LARGE;
    if ((v = check_signature(tx, rules)))
        return v;
    if (tx->nonce == UINT64_MAX)
        return MR_TX_VERDICT_NONCE;
    if (u256_compare(&tx->tip, &tx->fee_cap) > 0)
        return MR_TX_VERDICT_TIP_OVER_CAP;
    if (rules->gas_cap && tx->gas > rules->gas_cap)
        return MR_TX_VERDICT_GAS_CAP;
    if (tx->creation && tx->type >= MR_TX_BLOB)
        return MR_TX_VERDICT_CREATION;
    if (tx->creation && rules->init_code_max && tx->data.n > rules->init_code_max)
        return MR_TX_VERDICT_INIT_CODE;
    if (tx->type == MR_TX_BLOB && (v = check_blob_fields(tx, rules)))
        return v;
    if (tx->type == MR_TX_SET_CODE && tx->authorizations_count == 0)
        return MR_TX_VERDICT_AUTH_EMPTY;
    if (cost_overflows(tx))
        return MR_TX_VERDICT_COST_OVERFLOW;
    return check_gas(tx, rules);
}

static enum mr_tx_verdict check_sidecar(const struct mr_tx *tx, const struct mr_rules *rules,
                                        size_t blobs)
{
    const struct mr_sidecar *s = &tx->sidecar;
    size_t n = tx->blob_hashes.n;
    size_t proofs = s->wrapper == MR_WRAPPER_V1 ? n * MR_CELLS_PER_BLOB : n;

    if (s->wrapper != rules->wrapper)
        return MR_TX_VERDICT_SIDECAR_VERSION;
    if (s->blobs.n != blobs || s->commitments.n != n || s->proofs.n != proofs)
        return MR_TX_VERDICT_SIDECAR_COUNT;
    if (tx->raw.n > MR_TX_BLOB_SIZE_MAX)
        return MR_TX_VERDICT_SIDECAR_SIZE;
    for (size_t i = 0; i < n; i++) {
        struct mr_hash h;

        if (!mr_versioned_hash(&h, mr_items_at(&s->commitments, i)) ||
            memcmp(h.b, mr_items_at(&tx->blob_hashes, i), sizeof h.b) != 0)
            return MR_TX_VERDICT_SIDECAR_HASH;
    }
    return MR_TX_VERDICT_OK;
}

enum mr_tx_verdict mr_tx_check_sidecar(const struct mr_tx *tx, const struct mr_rules *rules)
{
    if (tx->type != MR_TX_BLOB)
        return MR_TX_VERDICT_OK;
    if (tx->sidecar.wrapper == MR_WRAPPER_NONE || mr_sidecar_elided(&tx->sidecar))
        return MR_TX_VERDICT_BLOBS_MISSING;
    return check_sidecar(tx, rules, tx->blob_hashes.n);
}

enum mr_tx_verdict mr_tx_check_sidecar_elided(const struct mr_tx *tx, const struct mr_rules *rules)
{
    if (tx->type != MR_TX_BLOB)
        return MR_TX_VERDICT_OK;
    if (tx->sidecar.wrapper == MR_WRAPPER_NONE)
        return MR_TX_VERDICT_BLOBS_MISSING;
    return check_sidecar(tx, rules, 0);
}

enum mr_tx_verdict mr_tx_check_now(const struct mr_tx *tx, const struct mr_rules_now *now)
{
    enum mr_tx_verdict v = MR_TX_VERDICT_OK;

    for (size_t i = 0; i < now->n && v == MR_TX_VERDICT_OK; i++)
        v = mr_tx_check(tx, &now->rules[i]);
    for (size_t i = 0; i < now->n && v == MR_TX_VERDICT_OK; i++)
        v = mr_tx_check_sidecar(tx, &now->rules[i]);
    return v;
}
