/* Attacks on the relay's logic (attacks.md section 2.3), live: announcements, what is delivered for
 * them, and transactions that come twice, again, broken, or from everybody. */
#include <stdlib.h>

#include "core/json.h"
#include "core/random.h"
#include "net/eth/announce.h"
#include "tests/attacks/crowd.h"
#include "tests/attacks/variant.h"

/* ---- E-06 ---- */

#define LIARS 40

/* As of type 2, and of this size. */
static bool announce_hashes(struct mr_client *c, const struct mr_hash *hashes, size_t n,
                            uint32_t size)
{
    size_t room = n * 48 + 64;
    struct mr_writer w = mr_writer(malloc(room), room);
    uint8_t *types = calloc(n, 1);
    uint32_t *sizes = calloc(n, sizeof *sizes);
    bool ok;

    for (size_t i = 0; i < n; i++)
        types[i] = MR_TX_DYNAMIC_FEE, sizes[i] = size;
    ok = mr_announce_encode(&w, c->eth_version, types, sizes, hashes, n, NULL) == MR_OK &&
         mr_client_send_eth(c, MR_ETH_NEW_POOLED_TRANSACTION_HASHES, mr_writer_span(&w));
    free(w.p);
    free(types);
    free(sizes);
    return ok;
}

static void what_nobody_delivers_delays_nobody(void **state)
{
    static struct mr_hash lies[4096];
    struct mr_client liars[LIARS], source, target;
    struct mr_random random;
    struct process p;
    int64_t worst = 0;

    variant_start_quick(&p, *state); /* asks the next one after a second */
    mr_random_init(&random, 6);
    for (unsigned i = 0; i < LIARS; i++)
        peer_open_version(&liars[i], &p, 1000 + i, 68);
    peer_open_version(&source, &p, 1, 68);
    peer_open_version(&target, &p, 2, 68);
    for (unsigned round = 0; round < 5; round++) {
        struct sample s;
        int64_t from;

        sample_make(&s, 100 + round, 0, 100);
        for (unsigned i = 0; i < 2 * LIARS; i++) {
            if (i >= LIARS && round > 0)
                break; /* twice in the first round: more than a peer may announce */
            for (unsigned k = 0; k < MR_COUNT_OF(lies); k++)
                for (unsigned b = 0; b < 32; b += 8)
                    mr_store_be64(lies[k].b + b, mr_random_u64(&random));
            lies[0] = s.hash; /* all of them first announce what is coming */
            if (!announce_hashes(&liars[i % LIARS], lies, MR_COUNT_OF(lies), (uint32_t)s.n))
                fail_msg("liar %u: is not read", i % LIARS);
        }
        process_sleep_ms(50);
        from = process_now_ms();
        sample_announce(&source, &s);
        assert_true(sample_serve(&source, &s, 6000));
        assert_true(sample_arrives(&target, &s, 6000));
        worst = MR_MAX(worst, process_now_ms() - from);
        sample_free(&s);
        assert_in_range(process_stat_now(&p, "fetch_announced"), 0, LIARS * 4096);
    }
    print_message("longest: %lld ms\n", (long long)worst);
    assert_in_range(worst, 0, 3500); /* a liar or two were asked before */
    assert_true(process_stat(&p, "announced_over_limit") > 0);
    assert_true(process_stat(&p, "fetch_gave_up") > 0); /* who does not answer has no say */
    process_alive(&p);
    for (unsigned i = 0; i < LIARS; i++)
        mr_client_close(&liars[i]);
    mr_client_close(&source);
    mr_client_close(&target);
    process_stop(&p);
}

/* ---- E-07 ---- */

static void what_is_delivered_must_be_what_was_announced(void **state)
{
    static const int64_t deltas[] = {0, 8, -8, 9, -9, 100000, INT32_MIN};
    static const uint8_t types[] = {
        MR_TX_DYNAMIC_FEE, /* what it is, and what it is not: */
        MR_TX_LEGACY,      MR_TX_ACCESS_LIST, MR_TX_BLOB, MR_TX_SET_CODE, 5, 0x7f, 0xff};
    struct process p;
    uint64_t seed = 1;

    variant_start_quick(&p, *state);
    for (unsigned version = 68; version <= MR_ETH_VERSION_ADVERTISED; version++)
        for (unsigned d = 0; d < MR_COUNT_OF(deltas); d++)
            for (unsigned t = 0; t < MR_COUNT_OF(types); t++) {
                bool fits = deltas[d] >= -8 && deltas[d] <= 8 && t == 0;
                struct mr_client c;
                struct sample s, said;
                bool may_ask = types[t] < MR_TX_TYPES && types[t] != MR_TX_BLOB;

                if (t > 0 && d > 0)
                    continue;
                peer_open_version(&c, &p, seed, version);
                sample_make(&s, seed++, 0, 100);
                said = s;
                said.type = types[t];
                said.n = deltas[d] == INT32_MIN ? UINT32_MAX : s.n + (size_t)deltas[d];
                sample_announce(&c, &said);
                said.n = s.n;
                if (!sample_serve(&c, &said, may_ask ? 3000 : 50)) {
                    /* nobody asks for a type that does not exist, or for blobs whose proofs this
                     * relay does not check */
                    assert_false(may_ask);
                    assert_int_equal(mr_client_sync(&c, 1000), MR_CLIENT_MESSAGE);
                } else if (fits) {
                    if (mr_client_sync(&c, 3000) != MR_CLIENT_MESSAGE)
                        fail_msg("eth/%u, %lld bytes off: ended", version, (long long)deltas[d]);
                } else {
                    mr_client_wait_end(&c, 3000);
                    if (!c.disconnected || c.reason != MR_REASON_SUBPROTOCOL)
                        fail_msg("eth/%u, type %u, %lld bytes off: reason %u", version, said.type,
                                 (long long)deltas[d], c.disconnected ? c.reason : 999);
                }
                mr_client_close(&c);
                sample_free(&s);
            }
    assert_int_equal(process_stat_now(&p, "announced_wrong"), 4 * (4 + 3)); /* sizes, types */
    process_stop(&p);
}

/* ---- E-08 ---- */

static void announcements_of_another_shape_end_the_session(void **state)
{
    /* types, sizes, hashes: of one and two items, and of 31 and 33 bytes */
    static const struct {
        unsigned types, sizes, hashes, hash_bytes;
        bool ends;
    } rows[] = {{0, 0, 0, 32, false}, {1, 1, 1, 32, false}, {2, 1, 1, 32, true},
                {1, 2, 1, 32, true},  {1, 1, 2, 32, true},  {1, 1, 0, 32, true},
                {1, 1, 1, 31, true},  {1, 1, 1, 33, true},  {2, 2, 2, 32, false}};
    struct process p;

    variant_start_quick(&p, *state);
    for (unsigned r = 0; r < MR_COUNT_OF(rows); r++) {
        uint8_t body[256], head[8], zeros[40] = {7};
        struct mr_writer w = mr_writer(body, sizeof body), h = mr_writer(head, sizeof head);
        struct mr_client c;
        uint8_t whole[300];

        assert_int_equal(mr_rlp_put_bytes(&w, "\x02\x02", rows[r].types), MR_OK);
        assert_int_equal(mr_rlp_put_list_head(&w, 2 * rows[r].sizes), MR_OK);
        for (unsigned i = 0; i < rows[r].sizes; i++)
            assert_int_equal(mr_rlp_put_u64(&w, 200), MR_OK);
        assert_int_equal(mr_rlp_put_list_head(&w, rows[r].hashes * (rows[r].hash_bytes + 1)),
                         MR_OK);
        for (unsigned i = 0; i < rows[r].hashes; i++)
            assert_int_equal(mr_rlp_put_bytes(&w, zeros, rows[r].hash_bytes), MR_OK);
        assert_int_equal(mr_rlp_put_list_head(&h, w.n), MR_OK);
        memcpy(whole, head, h.n);
        memcpy(whole + h.n, body, w.n);
        peer_open_version(&c, &p, 1 + r, 68);
        assert_true(mr_client_send_eth(&c, MR_ETH_NEW_POOLED_TRANSACTION_HASHES,
                                       mr_span(whole, h.n + w.n)));
        if (rows[r].ends)
            peer_expect_end(&c, MR_REASON_PROTOCOL, 3000);
        else
            assert_int_equal(mr_client_sync(&c, 3000), MR_CLIENT_MESSAGE);
        mr_client_close(&c);
    }
    assert_int_equal(process_stat_now(&p, "announced_bad_shape"), 6);
    process_stop(&p);
}

/* What is over the 4,096 of a message is passed over, and more than any message may hold a breach.
 */
static void announcements_of_many_are_bounded(void **state)
{
    static const struct {
        unsigned n;
        uint64_t over;
        bool ends;
    } rows[] = {
        {4096, 0, false}, {4097, 1, false}, {65536, 65536 - 4096, false}, {100000, 0, true}};
    struct mr_hash *hashes = calloc(100000, sizeof *hashes);
    struct process p;
    uint64_t over = 0;

    variant_start_quick(&p, *state);
    for (unsigned r = 0; r < MR_COUNT_OF(rows); r++) {
        struct mr_client c;

        for (unsigned k = 0; k < rows[r].n; k++)
            mr_store_be64(hashes[k].b, (uint64_t)r << 32 | k);
        peer_open_version(&c, &p, 1 + r, 68 + r);
        assert_true(announce_hashes(&c, hashes, rows[r].n, 100));
        if (rows[r].ends)
            peer_expect_end(&c, MR_REASON_PROTOCOL, 3000);
        else
            assert_int_equal(mr_client_sync(&c, 3000), MR_CLIENT_MESSAGE);
        assert_int_equal(process_stat_now(&p, "announced_cut"), over += rows[r].over);
        mr_client_close(&c);
    }
    free(hashes);
    process_stop(&p);
}

/* ---- E-09 ---- */

static void a_transaction_twice_in_a_message_ends_the_session(void **state)
{
    struct process p;
    struct crowd crowd;

    variant_start_quick(&p, *state);
    crowd_open(&crowd, &p, 5, 500, IP(1, 0, 1), 0);
    for (unsigned k = 0; k < 2; k++) {
        struct sample s;
        struct mr_client c;

        peer_open_version(&c, &p, 1 + k, 68);
        sample_make(&s, 1 + k, 0, 100);
        if (k == 0) { /* in Transactions, with others between */
            struct sample other;
            struct mr_span raw[3];

            sample_make(&other, 10, 0, 100);
            raw[0] = raw[2] = mr_span(s.raw, s.n);
            raw[1] = mr_span(other.raw, other.n);
            assert_true(mr_client_send_transactions(&c, raw, 3));
            sample_free(&other);
        } else { /* in an answer */
            const struct sample *twice[2] = {&s, &s};
            struct mr_hash hashes[2] = {s.hash, {{1}}};
            uint64_t id;

            assert_true(announce_hashes(&c, hashes, 2, (uint32_t)s.n));
            assert_true(sample_question(&c, &s, &id, 3000));
            assert_true(samples_answer(&c, id, twice, 2));
        }
        peer_expect_end(&c, MR_REASON_SUBPROTOCOL, 3000);
        mr_client_close(&c);
        sample_free(&s);
    }
    assert_int_equal(process_stat_now(&p, "tx_duplicate_in_message"), 2);
    crowd_traffic(&crowd, 300, 20);
    crowd_expect_unharmed(&crowd, 1000);
    crowd_close(&crowd);
    process_stop(&p);
}

/* Many at once, from many: no message of ours holds a hash twice, and nobody hears of what he said
 * himself. The crowd counts. */
static void nothing_leaves_twice_and_nothing_comes_back(void **state)
{
    struct process p;
    struct crowd crowd;

    variant_start_quick(&p, *state);
    crowd_open(&crowd, &p, 20, 1, IP(1, 0, 1), 0);
    for (unsigned k = 0; k < 400; k++) {
        unsigned s = crowd_send(&crowd, k % 20, k % 10 == 0 ? 5000 : 100);

        if (k % 3 == 0) { /* another one sends it too, before it can have heard of it */
            unsigned other = (k + 7) % 20;

            if (crowd_own(&crowd, other, s))
                sample_send(&crowd.peers[other], &crowd.samples[s]);
        }
        if (k % 16 == 0)
            crowd_pump(&crowd, 5);
    }
    crowd_settle(&crowd, 8000);
    crowd_pump(&crowd, 200);
    assert_int_equal(crowd.ended, 0);
    assert_int_equal(crowd.twice, 0);
    /* two that sent the same may each have been sent it before their own arrived */
    assert_in_range(crowd.back, 0, 134);
    crowd_close(&crowd);
    process_stop(&p);
}

/* ---- E-16 ---- */

static void old_transactions_are_not_gossiped_again(void **state)
{
    struct variant v;
    struct process p;
    struct crowd crowd;
    struct mr_client replayer;

    variant_init(&v);
    v.options.loopback_is_public = false;
    v.options.shards = (uint32_t)atoi(*state);
    v.options.log_entries =
        64; /* what is known of whom is soon forgotten; that it was seen is not */
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 8, 1, IP(1, 0, 1), 0);
    peer_open_version(&replayer, &p, 999, 68);
    for (unsigned k = 0; k < 300; k++) {
        crowd_send(&crowd, k % 8, 100);
        if (k % 8 == 7)
            crowd_pump(&crowd, 20);
    }
    crowd_settle(&crowd, 8000);
    for (unsigned k = 0; k < 300; k++)
        sample_send(&replayer, &crowd.samples[k]);
    assert_int_equal(mr_client_sync(&replayer, 5000), MR_CLIENT_MESSAGE);
    crowd_pump(&crowd, 500);
    assert_int_equal(process_stat_now(&p, "tx_accepted"), 300);
    crowd_expect_unharmed(&crowd, 2000);
    mr_client_close(&replayer);
    crowd_close(&crowd);
    process_stop(&p);
}

/* ---- E-18 ---- */

static void invalid_transactions_are_discarded_and_cost_nobody_a_session(void **state)
{
    struct mr_json *root = mr_json_load(NULL, MR_TEST_VECTORS "/tx_signing.json");
    const struct mr_json *invalid = mr_json_get(root, "invalid");
    struct process p;
    struct mr_client bad, other;
    struct mr_client_message m;
    unsigned sent = 0;

    assert_non_null(root);
    variant_start_quick(&p, *state);
    peer_open_version(&bad, &p, 1, 68);
    peer_open_version(&other, &p, 2, 68);
    for (size_t i = 0; i < mr_json_count(invalid); i++) {
        size_t n;
        uint8_t *raw = mr_json_hex_dup(mr_json_get(mr_json_at(invalid, i), "raw"), &n);
        struct mr_span span = mr_span(raw, n);

        assert_non_null(raw);
        assert_true(mr_client_send_transactions(&bad, &span, 1));
        process_await_equal(&p, "tx_in", ++sent, 3000);
        if (process_stat(&p, "sessions_ended") != 0)
            fail_msg("\"%s\" ends the session",
                     mr_json_string(mr_json_get(mr_json_at(invalid, i), "name"), NULL));
        free(raw);
    }
    assert_int_equal(process_stat_now(&p, "tx_accepted"), 0);
    assert_int_equal(process_stat(&p, "tx_in"), sent);
    assert_int_equal(process_stat(&p, "tx_malformed") + process_stat(&p, "tx_invalid") +
                         process_stat(&p, "tx_sender_bad"),
                     sent);
    while (mr_client_receive(&other, &m, 300) == MR_CLIENT_MESSAGE)
        assert_true(!m.is_eth || m.id == MR_ETH_GET_BLOCK_HEADERS);
    /* an item that is no element at all breaks the message */
    assert_true(mr_client_send_eth(&bad, MR_ETH_TRANSACTIONS, mr_span("\xc2\x81\x01", 3)));
    peer_expect_end(&bad, MR_REASON_PROTOCOL, 3000);
    mr_client_close(&bad);
    mr_client_close(&other);
    mr_json_free(root);
    process_stop(&p);
}

/* ---- E-22 ---- */

#ifdef MR_SANITIZED
#define EVERYBODY 50
#else
#define EVERYBODY 200
#endif

static void one_large_transaction_from_everybody_is_work_once(void **state)
{
    struct process p;
    struct crowd crowd;
    struct sample s;
    uint64_t bytes;

    variant_start_quick(&p, *state);
    crowd_open(&crowd, &p, EVERYBODY, 1, IP(1, 0, 1), 0);
    sample_make(&s, 1, 0, 130000);
    bytes = process_stat_now(&p, "bodies_bytes");
    for (unsigned i = 0; i < crowd.n; i++)
        sample_send(&crowd.peers[i], &s);
    for (unsigned i = 0; i < crowd.n; i++)
        assert_int_equal(mr_client_sync(&crowd.peers[i], 5000), MR_CLIENT_MESSAGE);
    assert_in_range(process_stat_now(&p, "tx_recoveries"), 1, (uint64_t)atoi(*state));
    assert_int_equal(process_stat(&p, "tx_in"), EVERYBODY);
    assert_in_range(process_stat(&p, "tx_accepted"), 1, (uint64_t)atoi(*state));
    assert_in_range(process_stat(&p, "bodies_bytes") - bytes, 1, (uint64_t)atoi(*state) * 2 * s.n);
    sample_free(&s);
    crowd_close(&crowd);
    process_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(what_nobody_delivers_delays_nobody),
        BOTH(what_is_delivered_must_be_what_was_announced),
        BOTH(announcements_of_another_shape_end_the_session),
        BOTH(announcements_of_many_are_bounded),
        BOTH(a_transaction_twice_in_a_message_ends_the_session),
        BOTH(nothing_leaves_twice_and_nothing_comes_back),
        BOTH(old_transactions_are_not_gossiped_again),
        BOTH(invalid_transactions_are_discarded_and_cost_nobody_a_session),
        BOTH(one_large_transaction_from_everybody_is_work_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
