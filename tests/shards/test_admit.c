#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "core/clock.h"
#include "crypto/keccak.h"
#include "net/eth/blob.h"
#include "net/eth/tx_build.h"
#include "net/eth/tx_sample.h"
#include "shards/admit.h"
#include "shards/senders.h"

#define SLOTS      70
#define ACCEPTED_N 2048

struct world {
    struct mr_relay_options o;
    struct mr_random random;
    struct mr_seen seen;
    struct mr_buf_pool pool;
    struct mr_shard_metrics metrics;
    struct mr_secp *secp;
    struct mr_admit *a;
    bool room;
    bool counts_room; /* free is what is left of it */
    uint32_t free;
    bool proves; /* the service takes what it is given */
    uint64_t tickets[64];
    unsigned tickets_count;
    struct mr_hash accepted[ACCEPTED_N];
    struct mr_address sender;
    struct mr_txmeta meta; /* of the last one accepted */
    uint64_t known0;
    size_t accepted_count;
    unsigned refused, breaches;
    uint64_t now;
    uint64_t nonce; /* never used before */
};

static void on_accepted(void *ctx, struct mr_buf *buf, const uint64_t *known)
{
    struct world *w = ctx;
    const struct mr_txmeta *m = mr_txmeta(buf);

    w->accepted[w->accepted_count++ % ACCEPTED_N] = m->hash;
    w->sender = m->sender;
    w->meta = *m;
    if (w->counts_room) {
        assert_true(w->free > 0);
        w->free--;
    }
    w->known0 = known[0];
    assert_int_equal(mr_tx_body(buf).n + sizeof *m, buf->size);
    mr_seen_put(&w->seen, &m->hash, MR_SEEN_HELD, 0, 0);
    mr_buf_put(&w->pool, buf);
}
static void on_refused(void *ctx, const struct mr_txmeta *meta, uint32_t slot, uint32_t generation,
                       const uint64_t *known, bool hash_fault, bool breach)
{
    struct world *w = ctx;

    (void)meta, (void)slot, (void)generation, (void)known;
    w->refused += hash_fault;
    w->breaches += breach;
}
static size_t on_fragment(void *ctx, uint8_t *out, size_t cap, struct mr_span item)
{
    (void)ctx;
    assert_true(cap >= item.n);
    memcpy(out, item.p, item.n);
    return item.n;
}
static bool on_blob(void *ctx, struct mr_buf *b, uint64_t ticket)
{
    struct world *w = ctx;

    (void)b;
    if (w->proves)
        w->tickets[w->tickets_count++ % 64] = ticket;
    return w->proves;
}
static bool on_room(void *ctx, uint32_t n)
{
    struct world *w = ctx;

    return w->counts_room ? w->free >= n : w->room;
}

/* A new admission with w->o, without a head: peers 0 to 3, and 5, which is trusted. */
static void admit_make(struct world *w)
{
    struct mr_admit_hooks hooks = {.ctx = w,
                                   .accepted = on_accepted,
                                   .refused = on_refused,
                                   .fragment = on_fragment,
                                   .blob_check = on_blob,
                                   .room = on_room};

    mr_admit_free(w->a);
    w->a = mr_admit_new(&w->o, mr_network_find("mainnet"), w->secp, SLOTS, &w->seen, &w->pool,
                        &w->metrics, 0, &hooks, &w->random);
    assert_non_null(w->a);
    mr_admit_set_head(w->a, &(struct mr_admit_head){0}, 0, 0, 1790000000);
    for (uint32_t i = 0; i < 4; i++)
        mr_admit_peer_add(w->a, i, 100 + i, false, w->now);
    mr_admit_peer_add(w->a, 5, 105, true, w->now);
}

static int setup(void **state)
{
    static struct world w;
    const uint8_t seed[32] = {1};

    memset(&w, 0, sizeof w);
    mr_relay_options_tiny(&w.o);
    w.o.seen_entries = 65536;
    mr_random_init(&w.random, 11);
    w.now = 1000 * MR_SECOND;
    w.room = true;
    w.secp = mr_secp_create(seed);
    assert_true(mr_seen_init(&w.seen, w.o.seen_entries, &w.random));
    assert_int_equal(mr_buf_pool_init(&w.pool, 32 << 20, 32 << 20), MR_OK);
    admit_make(&w);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    mr_admit_free(w->a);
    mr_seen_fini(&w->seen);
    assert_int_equal(mr_buf_pool_fini(&w->pool), 0);
    mr_secp_destroy(w->secp);
    return 0;
}

/* A signed transaction of account `who`; price scales its fees. */
static struct mr_span make_fees(struct world *w, uint8_t out[8192], uint8_t who, uint64_t nonce,
                                uint64_t chain, uint64_t tip, uint64_t fee_cap)
{
    static uint8_t room[MR_TX_SAMPLE_ROOM];
    struct mr_tx_fields f = {.chain_id = chain, .nonce = nonce};
    uint8_t key[32] = {who, 7, 7};
    struct mr_writer raw = mr_writer(out, 4096), item = mr_writer(out + 4096, 4096);
    struct mr_tx tx;

    mr_tx_sample_shape(&f, room, MR_TX_SHAPE_TOKEN, &w->random); /* one kind: fees compare */
    f.tip = mr_u256_of(tip);
    f.fee_cap = mr_u256_of(fee_cap);
    assert_int_equal(mr_tx_build(&raw, &f, w->secp, key), MR_OK);
    assert_int_equal(mr_tx_decode_raw(&tx, raw.p, raw.n), MR_OK);
    assert_int_equal(mr_tx_put_item(&item, &tx), MR_OK);
    return mr_writer_span(&item);
}

static struct mr_span make(struct world *w, uint8_t out[8192], uint8_t who, uint64_t nonce,
                           uint64_t chain, unsigned price)
{
    return make_fees(w, out, who, nonce, chain, 1000000000ull * price, 30000000000ull * price);
}

/* A blob transaction in network form; whether its proofs hold is the service's to say. */
static struct mr_span make_blob(struct world *w, uint8_t **out, uint8_t who, uint64_t nonce)
{
    static uint8_t room[MR_TX_SAMPLE_ROOM], blob[MR_BLOB_SIZE], proofs[MR_CELLS_PER_BLOB * 48];
    size_t cap = MR_BLOB_SIZE + sizeof proofs + 4096;
    uint8_t key[32] = {who, 7, 7}, commitment[48] = {who, (uint8_t)nonce}, consensus[1024];
    struct mr_writer raw = mr_writer(consensus, sizeof consensus), network, item;
    struct mr_tx_fields f = {.chain_id = 1, .nonce = nonce};
    struct mr_hash hash;
    struct mr_tx tx;

    *out = malloc(2 * cap);
    assert_non_null(*out);
    network = mr_writer(*out, cap), item = mr_writer(*out + cap, cap);
    assert_true(mr_versioned_hash(&hash, commitment));
    mr_tx_sample_shape(&f, room, MR_TX_SHAPE_TRANSFER, &w->random);
    f.type = MR_TX_BLOB;
    f.gas = 100000;
    f.tip = mr_u256_of(1000000000), f.fee_cap = mr_u256_of(30000000000);
    f.blob_fee_cap = mr_u256_of(1000000000);
    f.blob_hashes = &hash, f.blob_hashes_count = 1;
    assert_int_equal(mr_tx_build(&raw, &f, w->secp, key), MR_OK);
    assert_int_equal(mr_tx_build_blob_wrapper(
                         &network, MR_WRAPPER_V1, mr_writer_span(&raw), mr_span(blob, sizeof blob),
                         mr_span(commitment, sizeof commitment), mr_span(proofs, sizeof proofs)),
                     MR_OK);
    assert_int_equal(mr_tx_decode_raw(&tx, network.p, network.n), MR_OK);
    assert_int_equal(mr_tx_put_item(&item, &tx), MR_OK);
    return mr_writer_span(&item);
}

static enum mr_admit_result offer(struct world *w, uint32_t slot, struct mr_span item,
                                  struct mr_hash *hash)
{
    struct mr_reader r = mr_reader_of(item);
    uint64_t sources[2] = {UINT64_C(1) << slot | UINT64_C(1) << 40, 0};
    struct mr_tx tx;

    assert_int_equal(mr_tx_decode_item(&r, &tx), MR_OK);
    mr_tx_hash(&tx, hash);
    return mr_admit_offer(w->a, slot, 100 + slot, &tx, item, hash, sources, w->now);
}

static void verify_all(struct world *w)
{
    while (mr_admit_length(w->a) > 0) {
        uint64_t at;

        assert_true(mr_admit_verify(w->a, w->now) <= w->o.recoveries_per_turn);
        at = mr_admit_next_ns(w->a, w->now);
        if (at != UINT64_MAX && at > w->now)
            w->now = at;
    }
}

static void a_valid_transaction_is_accepted_with_sender_and_sources(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192], key[32] = {9, 7, 7};
    struct mr_node_id pub;
    struct mr_hash h, k;

    assert_int_equal(offer(w, 2, make(w, buf, 9, 0, 1, 1), &h), MR_ADMIT_QUEUED);
    assert_int_equal(mr_seen_find(&w->seen, &h, 1000)->state, MR_SEEN_VERIFYING);
    mr_admit_source(w->a, mr_seen_find(&w->seen, &h, 1000)->index, 33);
    verify_all(w);
    assert_int_equal(w->accepted_count, 1);
    assert_memory_equal(w->accepted[0].b, h.b, 32);
    assert_true(w->known0 == (UINT64_C(1) << 2 | UINT64_C(1) << 40 | UINT64_C(1) << 33));
    assert_true(mr_secp_public(w->secp, &pub, key));
    mr_keccak256(&k, pub.b, 64);
    assert_memory_equal(w->sender.b, k.b + 12, 20);
}

static void a_broken_rule_is_remembered_against_the_hash(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_hash h;

    assert_int_equal(offer(w, 1, make(w, buf, 9, 0, 5, 1), &h), MR_ADMIT_INVALID);
    assert_int_equal(mr_seen_find(&w->seen, &h, 1000)->state, MR_SEEN_REFUSED);
    assert_int_equal(mr_admit_verdicts(w->a)[MR_TX_VERDICT_CHAIN_ID], 1);
    assert_int_equal(mr_admit_length(w->a), 0);
}

static void a_peers_order_is_kept_and_peers_take_turns(void **state)
{
    struct world *w = *state;
    struct mr_hash first[40], second[4];
    uint8_t buf[8192];

    w->o.recoveries_per_turn = 8;
    for (uint8_t i = 0; i < 40; i++)
        assert_int_equal(offer(w, 0, make(w, buf, (uint8_t)(10 + i), 0, 1, 1), &first[i]),
                         MR_ADMIT_QUEUED);
    for (uint8_t i = 0; i < 4; i++)
        assert_int_equal(offer(w, 1, make(w, buf, (uint8_t)(90 + i), 0, 1, 1), &second[i]),
                         MR_ADMIT_QUEUED);
    assert_int_equal(mr_admit_verify(w->a, w->now), 8);
    for (unsigned i = 0; i < 4; i++) { /* one of each in turn */
        assert_memory_equal(w->accepted[2 * i].b, first[i].b, 32);
        assert_memory_equal(w->accepted[2 * i + 1].b, second[i].b, 32);
    }
    verify_all(w);
    assert_int_equal(w->accepted_count, 44);
    for (unsigned i = 4; i < 40; i++)
        assert_memory_equal(w->accepted[4 + i].b, first[i].b, 32);
}

static void without_room_for_the_other_shards_nothing_is_admitted(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_hash h;

    w->room = false;
    assert_int_equal(offer(w, 0, make(w, buf, 3, 0, 1, 1), &h), MR_ADMIT_QUEUED);
    assert_int_equal(mr_admit_verify(w->a, w->now), 0);
    assert_true(mr_admit_next_ns(w->a, w->now) > w->now);
    w->room = true;
    assert_int_equal(mr_admit_verify(w->a, w->now), 1);
    assert_int_equal(w->accepted_count, 1);
}

/* A verdict comes when it comes, and asks no more for room. */
static void what_is_being_proven_keeps_its_room_for_the_other_shards(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192], *blob[2];
    struct mr_hash h;

    mr_admit_blobs_ready(w->a, true);
    w->proves = w->counts_room = true;
    w->free = 5;
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(offer(w, 0, make_blob(w, &blob[i], 3, i), &h), MR_ADMIT_QUEUED);
    mr_admit_verify(w->a, w->now);
    assert_int_equal(w->tickets_count, 2);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(offer(w, 1, make(w, buf, 4, i, 1, 1), &h), MR_ADMIT_QUEUED);
    mr_admit_verify(w->a, w->now);
    assert_int_equal(w->accepted_count, 3);
    mr_admit_blob_verdict(w->a, w->tickets[0], true, false);
    mr_admit_blob_verdict(w->a, w->tickets[1], false, true);
    assert_int_equal(w->accepted_count, 4);
    mr_admit_verify(w->a, w->now);
    assert_int_equal(w->accepted_count, 5);
    free(blob[0]), free(blob[1]);
}

static void a_bad_sidecar_does_not_stand_against_the_honest_one(void **state)
{
    struct world *w = *state;
    uint8_t *blob;
    struct mr_hash h;
    struct mr_span item = make_blob(w, &blob, 3, 0);

    mr_admit_blobs_ready(w->a, true);
    w->proves = true;
    assert_int_equal(offer(w, 0, item, &h), MR_ADMIT_QUEUED);
    mr_admit_verify(w->a, w->now);
    mr_admit_blob_verdict(w->a, w->tickets[0], false, true);
    assert_int_equal(w->breaches, 1);
    assert_int_equal(offer(w, 1, item, &h), MR_ADMIT_QUEUED);
    mr_admit_verify(w->a, w->now);
    assert_int_equal(w->tickets_count, 2);
    mr_admit_blob_verdict(w->a, w->tickets[1], true, false);
    assert_int_equal(w->accepted_count, 1);
    assert_int_equal(w->metrics.tx_replacement_low, 0);
    free(blob);
}

/* What was dropped for its account's rate may be told again later. */
static void a_transaction_does_not_replace_itself(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_span last = {0};
    struct mr_hash h;

    w->o.sender_tx_burst = 16;
    for (unsigned i = 0; i < 60; i++) {
        last = make(w, buf, 3, i, 1, 1);
        offer(w, 0, last, &h);
    }
    verify_all(w);
    assert_true(w->metrics.tx_doubtful_dropped >= 36);
    w->now += 60 * MR_SECOND;
    mr_seen_remove(&w->seen, &h); /* forgotten after a while */
    w->accepted_count = 0;
    assert_int_equal(offer(w, 1, last, &h), MR_ADMIT_QUEUED);
    verify_all(w);
    assert_int_equal(w->accepted_count, 1);
}

static void the_queue_is_bounded_and_says_so(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_hash h;
    unsigned queued = 0;

    while (!mr_admit_full(w->a, 1)) {
        assert_int_equal(offer(w, 5, make(w, buf, (uint8_t)queued, queued, 1, 1), &h),
                         MR_ADMIT_QUEUED);
        queued++;
    }
    assert_int_equal(queued, w->o.verify_entries);
    assert_int_equal(offer(w, 5, make(w, buf, 1, 9999, 1, 1), &h), MR_ADMIT_FULL);
    verify_all(w);
    assert_int_equal(w->accepted_count, queued);
}

static void a_fast_sender_becomes_doubtful_and_doubt_has_a_rate(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_hash h;

    w->o.sender_tx_burst = 16;
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(offer(w, 0, make(w, buf, 3, i, 1, 1), &h), MR_ADMIT_QUEUED);
    verify_all(w);
    assert_true(w->accepted_count >= 16 + 5);
    assert_true(w->accepted_count <= 16 + 8);
    assert_true(w->metrics.tx_doubtful_dropped >= 36);
    w->accepted_count = 0;
    for (unsigned i = 100; i < 140; i++) /* a trusted peer is exempt */
        assert_int_equal(offer(w, 5, make(w, buf, 3, i, 1, 1), &h), MR_ADMIT_QUEUED);
    verify_all(w);
    assert_int_equal(w->accepted_count, 40);
}

static void a_replacement_pays_ten_percent_more_and_not_too_often(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_hash h;
    unsigned price = 100;

    offer(w, 0, make(w, buf, 3, 7, 1, price), &h);
    verify_all(w);
    offer(w, 0, make(w, buf, 3, 7, 1, price + 9), &h);
    verify_all(w);
    assert_int_equal(w->accepted_count, 1);
    assert_int_equal(w->metrics.tx_replacement_low, 1);
    for (unsigned i = 0; i < 5; i++) {
        price = price * 12 / 10 + 1;
        offer(w, 0, make(w, buf, 3, 7, 1, price), &h);
        verify_all(w);
    }
    assert_int_equal(w->accepted_count, 5); /* four replacements a minute */
    assert_int_equal(w->metrics.tx_replacement_fast, 1);
}

/* Queued items outlive their session; a trusted peer may have the slot when they are judged. */
static void what_a_peer_left_behind_is_not_trusted_for_its_successor(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_hash h;

    offer(w, 0, make(w, buf, 3, 7, 1, 100), &h);
    offer(w, 0, make(w, buf, 3, 7, 1, 105), &h);
    mr_admit_peer_remove(w->a, 0);
    mr_admit_peer_add(w->a, 0, 200, true, w->now);
    verify_all(w);
    assert_int_equal(w->accepted_count, 1);
    assert_int_equal(w->metrics.tx_replacement_low, 1);
    offer(w, 5, make(w, buf, 4, 7, 1, 100), &h);
    offer(w, 5, make(w, buf, 4, 7, 1, 105), &h);
    mr_admit_peer_remove(w->a, 5);
    mr_admit_peer_add(w->a, 5, 205, false, w->now);
    verify_all(w);
    assert_int_equal(w->accepted_count, 3);
    assert_int_equal(w->metrics.tx_replacement_low, 1);
}

static void what_a_replacement_pays_and_how_often_it_comes_are_options(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_hash h;

    w->o.price_bump_percent = 50;
    w->o.replacements_per_minute = 1;
    offer(w, 0, make(w, buf, 3, 7, 1, 100), &h);
    verify_all(w);
    offer(w, 0, make(w, buf, 3, 7, 1, 149), &h);
    verify_all(w);
    assert_int_equal(w->metrics.tx_replacement_low, 1);
    offer(w, 0, make(w, buf, 3, 7, 1, 150), &h);
    verify_all(w);
    assert_int_equal(w->accepted_count, 2);
    offer(w, 0, make(w, buf, 3, 7, 1, 225), &h);
    verify_all(w);
    assert_int_equal(w->metrics.tx_replacement_fast, 1);
}

static void a_peer_fills_its_share_of_the_pool_and_no_more(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_span item;
    struct mr_hash h;
    uint64_t stored;

    offer(w, 1, make(w, buf, 3, 0, 1, 1), &h);
    verify_all(w);
    stored = sizeof w->meta + w->meta.fragment_bytes;
    w->o.peer_pool_share = 3;
    w->o.pool_bytes = 3 * 5 * stored;
    w->accepted_count = 0;
    for (unsigned i = 0; i < 10; i++) {
        item = make(w, buf, 4, i, 1, 1);
        offer(w, 0, item, &h);
        verify_all(w);
    }
    assert_int_equal(w->accepted_count, 5);
    assert_int_equal(w->metrics.tx_pool_share, 5);
    assert_int_equal(offer(w, 5, item, &h), MR_ADMIT_QUEUED); /* trusted */
}

static void what_another_shard_accepted_counts_for_its_account_here(void **state)
{
    struct world *w = *state;
    uint8_t buf[8192];
    struct mr_hash h;

    offer(w, 0, make(w, buf, 3, 7, 1, 100), &h);
    verify_all(w);
    w->meta.nonce = 8;
    mr_admit_note(w->a, &w->meta, w->now);
    offer(w, 0, make(w, buf, 3, 8, 1, 105), &h);
    verify_all(w);
    assert_int_equal(w->metrics.tx_replacement_low, 1);
    w->o.sender_tx_burst = 16;
    for (unsigned i = 0; i < 200; i++) {
        w->meta.nonce = 100 + i;
        mr_admit_note(w->a, &w->meta, w->now);
    }
    offer(w, 0, make(w, buf, 3, 9, 1, 100), &h);
    verify_all(w);
    assert_int_equal(w->metrics.tx_over_sender_rate, 1);
}

static void what_the_head_forbids_is_dropped_or_doubtful(void **state)
{
    struct world *w = *state;
    struct mr_admit_head head = {
        .known = true, .gas_limit = 1000, .has_base_fee = true, .base_fee = mr_u256_of(1)};
    uint8_t buf[8192];
    struct mr_hash h;

    mr_admit_set_head(w->a, &head, 25000000, 1790000000, 1790000000);
    assert_int_equal(offer(w, 0, make(w, buf, 3, 0, 1, 1), &h), MR_ADMIT_DROPPED);
    assert_int_equal(w->metrics.tx_gas_over_block, 1);
    head.gas_limit = 60000000;
    head.base_fee = mr_u256_of(UINT64_C(1) << 60);
    mr_admit_set_head(w->a, &head, 25000000, 1790000000, 1790000000);
    for (unsigned i = 0; i < 50; i++)
        offer(w, 0, make(w, buf, (uint8_t)(20 + i), 0, 1, 1), &h);
    verify_all(w);
    assert_int_equal(w->metrics.tx_under_base_fee, 50);
    assert_true(w->accepted_count <= 6);
}

/* No block can ever take it: not even as one of the doubtful. Nothing is known without a head. */
static void a_fee_cap_under_seven_wei_is_refused_once_there_is_a_head(void **state)
{
    struct world *w = *state;
    struct mr_admit_head head = {.known = true,
                                 .gas_limit = 60000000,
                                 .has_base_fee = true,
                                 .base_fee = mr_u256_of(1000000000)};
    uint8_t buf[8192];
    struct mr_hash h;

    assert_int_equal(offer(w, 0, make_fees(w, buf, 3, 0, 1, 0, 6), &h), MR_ADMIT_QUEUED);
    mr_admit_set_head(w->a, &head, 25000000, 1790000000, 1790000000);
    assert_int_equal(offer(w, 0, make_fees(w, buf, 3, 1, 1, 0, 6), &h), MR_ADMIT_DROPPED);
    assert_int_equal(w->metrics.tx_under_base_fee, 1);
    assert_int_equal(offer(w, 0, make_fees(w, buf, 3, 2, 1, 0, 7), &h), MR_ADMIT_QUEUED);
    assert_int_equal(offer(w, 5, make_fees(w, buf, 3, 3, 1, 0, 6), &h), MR_ADMIT_QUEUED);
    verify_all(w);
    assert_int_equal(w->accepted_count, 3);
    assert_int_equal(w->metrics.tx_doubtful_dropped, 0);
}

/* What one of so many shards lets through in a minute of nothing but doubtful transactions. */
static size_t doubtful_in_a_minute(struct world *w, uint32_t shards, uint32_t per_s)
{
    struct mr_admit_head head = {.known = true,
                                 .gas_limit = 60000000,
                                 .has_base_fee = true,
                                 .base_fee = mr_u256_of(UINT64_C(1) << 60)};
    uint8_t buf[8192];
    struct mr_hash h;

    w->o.shards = shards;
    w->o.doubtful_per_s = per_s;
    w->now += 1000 * MR_SECOND;
    admit_make(w);
    mr_admit_set_head(w->a, &head, 25000000, 1790000000, 1790000000);
    w->accepted_count = 0;
    for (unsigned i = 0; i <= 240; i++) {
        w->now += MR_SECOND / 4;
        offer(w, 0, make(w, buf, 3, w->nonce++, 1, 1), &h);
        verify_all(w);
    }
    return w->accepted_count;
}

/* Together the shards have the node's rate, and each begins with what it may save up. */
static void doubt_is_shared_out_between_shards(void **state)
{
    struct world *w = *state;

    assert_int_equal(doubtful_in_a_minute(w, 1, 2), 120 + 2);
    assert_int_equal(doubtful_in_a_minute(w, 3, 5), 100 + 1);
    assert_int_equal(doubtful_in_a_minute(w, 60, 5), 5 + 1);
    assert_int_equal(doubtful_in_a_minute(w, 60, 1), 1 + 1);
    assert_int_equal(doubtful_in_a_minute(w, 1, 0), 0);
    assert_int_equal(doubtful_in_a_minute(w, 60, 0), 0);
}

static void buckets_tell_when_a_peer_may_be_read_again(void **state)
{
    struct world *w = *state;
    uint64_t at;

    assert_int_equal(mr_admit_ready_at(w->a, 0), 0);
    mr_admit_charge(w->a, 0, w->o.peer_bytes_burst + w->o.peer_bytes_per_s, w->now);
    at = mr_admit_ready_at(w->a, 0);
    assert_true(at > w->now + 900 * MR_MS);
    assert_true(at < w->now + 1100 * MR_MS);
    mr_admit_charge(w->a, 5, UINT64_C(1) << 40, w->now);
    assert_int_equal(mr_admit_ready_at(w->a, 5), 0); /* trusted */
    mr_admit_charge(w->a, 0, 0, at);
    assert_int_equal(mr_admit_ready_at(w->a, 0), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_valid_transaction_is_accepted_with_sender_and_sources),
        CASE(a_broken_rule_is_remembered_against_the_hash),
        CASE(a_peers_order_is_kept_and_peers_take_turns),
        CASE(without_room_for_the_other_shards_nothing_is_admitted),
        CASE(what_is_being_proven_keeps_its_room_for_the_other_shards),
        CASE(a_bad_sidecar_does_not_stand_against_the_honest_one),
        CASE(a_transaction_does_not_replace_itself),
        CASE(the_queue_is_bounded_and_says_so),
        CASE(a_fast_sender_becomes_doubtful_and_doubt_has_a_rate),
        CASE(a_replacement_pays_ten_percent_more_and_not_too_often),
        CASE(what_a_peer_left_behind_is_not_trusted_for_its_successor),
        CASE(what_a_replacement_pays_and_how_often_it_comes_are_options),
        CASE(a_peer_fills_its_share_of_the_pool_and_no_more),
        CASE(what_another_shard_accepted_counts_for_its_account_here),
        CASE(what_the_head_forbids_is_dropped_or_doubtful),
        CASE(a_fee_cap_under_seven_wei_is_refused_once_there_is_a_head),
        CASE(doubt_is_shared_out_between_shards),
        CASE(buckets_tell_when_a_peer_may_be_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
