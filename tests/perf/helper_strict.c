#include "tests/perf/helper_strict.h"

#include <stdlib.h>

#include "crypto/keccak.h"
#include "net/eth/announce.h"
#include "net/eth/message.h"
#include "net/eth/status.h"

enum mr_strict_rule verdict(struct rig *r, uint64_t id, struct mr_span payload)
{
    return mr_strict_check(r->s, &r->peer, id, payload, NOW_MS);
}

void rig_open(struct rig *r, unsigned version)
{
    static const uint8_t seed[32] = {1};

    memset(r, 0, sizeof *r);
    r->net = mr_network_find("mainnet");
    r->secp = mr_secp_create(seed);
    r->message = malloc(ROOM);
    assert_non_null(r->secp);
    assert_non_null(r->message);
    r->options = (struct mr_strict_options){.network = r->net,
                                            .wall_s = WALL_S,
                                            .secp = r->secp,
                                            .transactions_max = 10000,
                                            .key = {1, 2}};
    r->s = mr_strict_open_table(&r->options);
    assert_non_null(r->s);
    mr_strict_peer_init(&r->peer, version, NOW_MS);
    r->peer.has_status = true;
}

void rig_close(struct rig *r)
{
    mr_strict_close_table(r->s);
    mr_secp_destroy(r->secp);
    free(r->message);
}

static struct mr_span build(struct rig *r, const struct mr_tx_fields *f)
{
    static const uint8_t key[32] = {7, 7, 7};
    struct mr_writer w = mr_writer(malloc(8192), 8192);

    assert_non_null(w.p);
    assert_int_equal(mr_tx_build(&w, f, r->secp, key), MR_OK);
    return mr_writer_span(&w);
}

struct mr_span tx_make(struct rig *r, uint64_t number)
{
    return build(r, &(struct mr_tx_fields){.type = MR_TX_DYNAMIC_FEE,
                                           .chain_id = 1,
                                           .nonce = number,
                                           .gas = 21000,
                                           .tip = mr_u256_of(1),
                                           .fee_cap = mr_u256_of(1000000000)});
}

struct mr_span tx_make_blob(struct rig *r, uint64_t number, const struct mr_hash *blob_hash)
{
    return build(r, &(struct mr_tx_fields){.type = MR_TX_BLOB,
                                           .chain_id = 1,
                                           .nonce = number,
                                           .gas = 21000,
                                           .tip = mr_u256_of(1),
                                           .fee_cap = mr_u256_of(1000000000),
                                           .blob_fee_cap = mr_u256_of(1),
                                           .blob_hashes = blob_hash,
                                           .blob_hashes_count = 1});
}

/* The items one behind the other. */
static struct mr_span items_of(struct rig *r, const struct mr_span *txs, size_t n, size_t at)
{
    struct mr_writer w = mr_writer(r->message + at, ROOM - at);

    for (size_t i = 0; i < n; i++)
        assert_int_equal(mr_tx_item_put(&w, txs[i]), MR_OK);
    return mr_writer_span(&w);
}

struct mr_span transactions(struct rig *r, const struct mr_span *txs, size_t n)
{
    struct mr_span items = items_of(r, txs, n, ROOM / 2);
    struct mr_writer w = mr_writer(r->message, ROOM / 2);

    assert_int_equal(mr_transactions_encode(&w, &items, 1), MR_OK);
    return mr_writer_span(&w);
}

struct mr_span pooled(struct rig *r, uint64_t request_id, const struct mr_span *txs, size_t n)
{
    struct mr_span items = items_of(r, txs, n, ROOM / 2);
    struct mr_writer w = mr_writer(r->message, ROOM / 2);

    assert_int_equal(mr_response_encode(&w, request_id, &items, 1), MR_OK);
    return mr_writer_span(&w);
}

struct mr_span announcement(struct rig *r, struct mr_span tx, uint8_t type, uint32_t size)
{
    static const struct mr_cell_mask none;
    struct mr_writer w = mr_writer(r->message, ROOM);
    struct mr_hash hash;
    struct mr_tx t;

    assert_int_equal(mr_tx_decode_raw(&t, tx.p, tx.n), MR_OK);
    mr_tx_hash(&t, &hash);
    assert_int_equal(mr_announce_encode(&w, r->peer.version, &type, &size, &hash, 1, &none), MR_OK);
    return mr_writer_span(&w);
}
