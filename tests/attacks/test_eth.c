/* Attacks on eth and the relay's logic (attacks.md section 2.3), live: Status, answers that nobody
 * asked for, floods of requests and announcements, and what may come twice. */
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/random.h"
#include "net/eth/announce.h"
#include "net/eth/tx.h"
#include "tests/attacks/crowd.h"
#include "tests/attacks/variant.h"

#define MIB (UINT64_C(1) << 20)

/* ---- E-01 ---- */

enum status_row {
    NETWORK,
    GENESIS,
    FORK,
    VERSION,
    RANGE,
    ZERO_HASH,
    CUT,
    TWICE,
    NEVER,
    FIRST_OTHER,
    STATUS_ROWS
};

static const struct {
    const char *counter;
    unsigned reason;
} status_rows[STATUS_ROWS] = {
    [NETWORK] = {"status_bad_network", MR_REASON_SUBPROTOCOL},
    [GENESIS] = {"status_bad_genesis", MR_REASON_SUBPROTOCOL},
    [FORK] = {"status_bad_fork", MR_REASON_SUBPROTOCOL},
    [VERSION] = {"status_bad_shape", MR_REASON_SUBPROTOCOL},
    [RANGE] = {"status_bad_shape", MR_REASON_SUBPROTOCOL},
    [ZERO_HASH] = {"status_bad_shape", MR_REASON_SUBPROTOCOL},
    [CUT] = {"status_bad_shape", MR_REASON_SUBPROTOCOL},
    [TWICE] = {"status_bad_shape", MR_REASON_SUBPROTOCOL},
    [NEVER] = {"status_late", MR_REASON_TIMEOUT},
    [FIRST_OTHER] = {"message_early", MR_REASON_PROTOCOL},
};

static void status_send(struct mr_client *c, enum status_row row)
{
    uint8_t room[MR_ETH_STATUS_MAX];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_eth_status s;

    mr_client_status_default(c, &s);
    if (row == NETWORK)
        s.network_id++;
    if (row == GENESIS)
        s.genesis.b[31] ^= 1;
    if (row == FORK)
        s.fork_id.hash ^= 1;
    assert_int_equal(mr_eth_status_encode(&w, &s), MR_OK);
    if (row == RANGE || row == ZERO_HASH) /* of eth/69 and later: what our encoder does not write */
        for (size_t i = 0; i + 34 < w.n + 1; i++)
            if (row == RANGE && room[w.n - 35] == 0x80)
                room[w.n - 35] = 0x05; /* earliest 5, latest 0 */
    if (row == ZERO_HASH)
        memset(room + w.n - 32, 0, 32);
    if (row == VERSION) /* the first element */
        room[room[0] >= 0xf8 ? 2 : 1] ^= 1;
    if (row == CUT)
        w.n--;
    assert_true(mr_client_send_eth(c, MR_ETH_STATUS, mr_writer_span(&w)));
}

/* Up to the moment at which Status is due. */
static void open_without_status(struct mr_client *c, const struct process *p, unsigned version,
                                unsigned row)
{
    struct mr_client_options o = peer_options(100 * version + row);

    o.version_min = o.version_max = version;
    mr_client_init(c, &o);
    assert_int_equal(mr_client_connect(c, p->at, 0), MR_CLIENT_MESSAGE);
    assert_int_equal(mr_client_initiate(c, &p->id), MR_CLIENT_MESSAGE);
    assert_int_equal(mr_client_hello(c), MR_CLIENT_MESSAGE);
}

static void a_wrong_status_ends_with_its_reason(void **state)
{
    enum { VERSIONS = MR_ETH_VERSION_ADVERTISED - MR_ETH_VERSION_MIN + 1 };
    unsigned moved[STATUS_ROWS] = {0}; /* times, by the first row of the same counter */
    struct mr_client silent[VERSIONS]; /* row NEVER, beside the others */
    struct process p;

    variant_start_quick(&p, *state);
    for (unsigned i = 0; i < VERSIONS; i++)
        open_without_status(&silent[i], &p, MR_ETH_VERSION_MIN + i, NEVER);
    for (unsigned version = MR_ETH_VERSION_MIN; version <= MR_ETH_VERSION_ADVERTISED; version++)
        for (unsigned row = 0; row < STATUS_ROWS; row++) {
            unsigned first = 0;
            struct mr_client c;

            if (row == NEVER || (version == 68 && (row == RANGE || row == ZERO_HASH)))
                continue;
            open_without_status(&c, &p, version, row);
            if (row == FIRST_OTHER)
                assert_true(mr_client_send_eth(&c, MR_ETH_TRANSACTIONS, mr_span("\xc0", 1)));
            else
                status_send(&c, row);
            if (row == TWICE)
                status_send(&c, row);
            peer_expect_end(&c, status_rows[row].reason, 3000);
            mr_client_close(&c);
            while (strcmp(status_rows[first].counter, status_rows[row].counter) != 0)
                first++;
            process_await_equal(&p, status_rows[row].counter, ++moved[first], 2000);
        }
    for (unsigned i = 0; i < VERSIONS; i++) {
        peer_expect_end(&silent[i], status_rows[NEVER].reason, 3000);
        mr_client_close(&silent[i]);
    }
    moved[NEVER] = VERSIONS;
    for (unsigned row = 0; row < STATUS_ROWS; row++) /* and no other moved */
        if (moved[row])
            assert_int_equal(process_stat_now(&p, status_rows[row].counter), moved[row]);
    process_await_equal(&p, "sessions", 0, 3000);
    process_stop(&p);
}

/* ---- E-03, E-04 ---- */

/* [id, []] of any response. */
static bool send_empty_answer(struct mr_client *c, uint8_t id, uint64_t request_id)
{
    uint8_t room[32];
    struct mr_writer w = mr_writer(room, sizeof room);

    assert_int_equal(mr_response_put_head(&w, request_id, 0), MR_OK);
    return mr_client_send_eth(c, id, mr_writer_span(&w));
}

static void answers_that_nobody_asked_for_end_the_session(void **state)
{
    static const uint8_t ids[] = {MR_ETH_BLOCK_HEADERS, MR_ETH_BLOCK_BODIES, MR_ETH_RECEIPTS,
                                  MR_ETH_POOLED_TRANSACTIONS, MR_ETH_BLOCK_ACCESS_LISTS};
    static const uint64_t request_ids[] = {0, 1u << 30, UINT64_MAX};
    struct process p;
    unsigned n = 0;

    variant_start_quick(&p, *state);
    for (unsigned version = MR_ETH_VERSION_MIN; version <= MR_ETH_VERSION_ADVERTISED; version++)
        for (unsigned i = 0; i < MR_COUNT_OF(ids) * MR_COUNT_OF(request_ids); i++) {
            uint8_t id = ids[i / MR_COUNT_OF(request_ids)];
            struct mr_client c;

            if (id == MR_ETH_BLOCK_ACCESS_LISTS && version < 71)
                continue;
            peer_open_version(&c, &p, ++n, version);
            assert_true(send_empty_answer(&c, id, request_ids[i % MR_COUNT_OF(request_ids)]));
            peer_expect_end(&c, MR_REASON_SUBPROTOCOL, 3000);
            mr_client_close(&c);
        }
    assert_int_equal(process_stat_now(&p, "fetch_unasked") + process_stat(&p, "head_bad"), n);
    assert_int_equal(process_stat(&p, "sessions_ended"), n);
    process_stop(&p);
}

static bool send_many_items(struct mr_client *c, uint64_t request_id)
{
    static uint8_t room[100000 + 32];
    struct mr_writer w = mr_writer(room, sizeof room);

    assert_int_equal(mr_response_put_head(&w, request_id, 100000), MR_OK);
    memset(room + w.n, 0xc0, 100000);
    w.n += 100000;
    return mr_client_send_eth(c, MR_ETH_POOLED_TRANSACTIONS, mr_writer_span(&w));
}

/* Announces s and waits for the question; gives its id. */
static uint64_t asked_for(struct mr_client *c, const struct sample *s)
{
    uint64_t id;

    sample_announce(c, s);
    assert_true(sample_question(c, s, &id, 3000));
    return id;
}

enum answer_row {
    RIGHT,    /* stays */
    EMPTY,    /* stays: it has not got it any more */
    ID_BELOW, /* the rest: 0x10 */
    ID_ABOVE,
    OTHERS_ID,
    WRONG_CODE,
    AGAIN,
    ONE_MORE,   /* E-04: one item more than asked */
    MANY_MORE,  /* E-04: a hundred thousand, which are no transactions: nobody looks */
    OTHER_ITEM, /* E-04: not the one that was asked for */
    LATE,       /* stays: ignored once */
    LATE_TWICE, /* 0x10 */
    ANSWER_ROWS
};

static void an_answer_must_fit_its_question(void **state)
{
    struct process p;

    variant_start_quick(&p, *state);
    for (unsigned row = 0; row < ANSWER_ROWS; row++) {
        bool stays = row == RIGHT || row == EMPTY || row == LATE;
        struct mr_client c, other;
        struct sample asked, extra, others;
        const struct sample *both[2] = {&asked, &extra};
        uint64_t id;

        peer_open_version(&c, &p, 2 * row + 1, 68);
        peer_open_version(&other, &p, 2 * row + 2, 68);
        sample_make(&asked, 10 * row, 0, 100);
        sample_make(&extra, 10 * row + 1, 0, 100);
        sample_make(&others, 10 * row + 2, 0, 100);
        id = asked_for(&c, &asked);
        if (row == ID_BELOW)
            id--;
        if (row == ID_ABOVE)
            id++;
        if (row == OTHERS_ID)
            id = asked_for(&other, &others);
        if (row == LATE || row == LATE_TWICE)
            process_sleep_ms(1500);
        if (row == WRONG_CODE)
            assert_true(send_empty_answer(&c, MR_ETH_BLOCK_BODIES, id));
        else if (row == EMPTY)
            assert_true(samples_answer(&c, id, both, 0));
        else if (row == ONE_MORE)
            assert_true(samples_answer(&c, id, both, 2));
        else if (row == MANY_MORE)
            assert_true(send_many_items(&c, id));
        else if (row == OTHER_ITEM)
            assert_true(samples_answer(&c, id, both + 1, 1));
        else
            assert_true(samples_answer(&c, id, both, 1));
        if (row == AGAIN || row == LATE_TWICE)
            samples_answer(&c, id, both, 1);
        if (stays) {
            if (mr_client_sync(&c, 3000) != MR_CLIENT_MESSAGE)
                fail_msg("row %u: ended with reason %u", row, c.reason);
        } else {
            mr_client_wait_end(&c, 3000);
            if (!c.disconnected || c.reason != MR_REASON_SUBPROTOCOL)
                fail_msg("row %u: reason %u", row, c.disconnected ? c.reason : 999);
        }
        /* what came in an answer that was not asked for reaches nobody */
        if (row == RIGHT)
            assert_true(sample_arrives(&other, &asked, 3000));
        else if (row == OTHER_ITEM || row == ONE_MORE)
            assert_false(sample_arrives(&other, &extra, 500));
        mr_client_close(&c);
        mr_client_close(&other);
        sample_free(&asked);
        sample_free(&extra);
        sample_free(&others);
    }
    assert_int_equal(process_stat_now(&p, "fetch_late"), 2);
    process_stop(&p);
}

/* ---- E-05 ---- */

/* Requests back to back whose answers are as large as can be, read or not. */
static void floods_of_requests_are_served_within_bounds(void **state)
{
    struct mr_client bad[50];
    struct sample large[8];
    struct mr_hash hashes[256];
    struct variant v;
    struct process p;
    struct crowd crowd;
    uint64_t rss, worst;
    unsigned sent = 0;

    variant_init(&v);
    v.options.handshake_budget_percent = 100;
    v.options.loopback_is_public = false;
    v.options.shards = (uint32_t)atoi(*state);
    variant_start(&p, &v);
    crowd_open(&crowd, &p, 10, 1, IP(1, 0, 1), 0);
    for (unsigned i = 0; i < MR_COUNT_OF(bad); i++) {
        peer_open_version(&bad[i], &p, 1000 + i, 69);
        bad[i].options.timeout_ms = 5; /* sends what is taken, and no more */
    }
    for (unsigned k = 0; k < MR_COUNT_OF(large); k++) {
        sample_make(&large[k], 5000 + k, 0, 120000);
        sample_send(&crowd.peers[k], &large[k]);
    }
    for (unsigned k = 0; k < MR_COUNT_OF(hashes); k++)
        hashes[k] = large[k % MR_COUNT_OF(large)].hash;
    crowd_traffic(&crowd, 700, 20);
    worst = rss = process_rss(&p);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < MR_COUNT_OF(bad); i++) {
            static const uint8_t ids[] = {MR_ETH_GET_POOLED_TRANSACTIONS, MR_ETH_GET_RECEIPTS,
                                          MR_ETH_GET_BLOCK_BODIES};
            uint8_t room[33 * MR_COUNT_OF(hashes) + 64];
            struct mr_writer w = mr_writer(room, sizeof room);

            assert_int_equal(mr_hash_request_encode(&w, round, hashes, MR_COUNT_OF(hashes)), MR_OK);
            if (bad[i].fd >= 0 &&
                mr_client_send_eth(&bad[i], ids[round % MR_COUNT_OF(ids)], mr_writer_span(&w))) {
                sent++;
            } else if (bad[i].fd >= 0) { /* cut within a frame: nothing can follow it */
                mr_client_close(&bad[i]);
            }
        }
        crowd_send(&crowd, round % crowd.n, 100);
        crowd_pump(&crowd, 20);
        worst = MR_MAX(worst, process_rss(&p));
    }
    print_message("%u requests, memory: %llu KiB more for each peer\n", sent,
                  (unsigned long long)((worst - rss) / MR_COUNT_OF(bad) >> 10));
#ifndef MR_SANITIZED
    assert_in_range(worst, 0, rss + MR_COUNT_OF(bad) * MIB);
#endif
    crowd_expect_unharmed(&crowd, 1500);
    process_alive(&p);
    for (unsigned i = 0; i < MR_COUNT_OF(bad); i++)
        mr_client_close(&bad[i]);
    for (unsigned k = 0; k < MR_COUNT_OF(large); k++)
        sample_free(&large[k]);
    crowd_close(&crowd);
    process_stop(&p);
}

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

/* ---- E-20, E-21 ---- */

static void range_send(struct mr_client *c, uint64_t earliest, uint64_t latest, bool zero_hash)
{
    uint8_t room[64], list[64];
    struct mr_writer w = mr_writer(room, sizeof room), l = mr_writer(list, sizeof list);
    struct mr_hash hash = {{zero_hash ? 0 : 9}};

    assert_int_equal(mr_rlp_put_u64(&w, earliest), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, latest), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, hash.b, 32), MR_OK);
    assert_int_equal(mr_rlp_put_list_head(&l, w.n), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&l, w.p, w.n), MR_OK);
    mr_client_send_eth(c, MR_ETH_BLOCK_RANGE_UPDATE, mr_writer_span(&l));
}

static void wrong_ranges_end_the_session_and_many_right_ones_do_not(void **state)
{
    struct process p;
    struct mr_client c;

    variant_start_quick(&p, *state);
    for (unsigned i = 0; i < 2; i++) {
        peer_open_version(&c, &p, 1 + i, 69);
        range_send(&c, i == 0 ? 5 : 0, 4, i == 1);
        peer_expect_end(&c, MR_REASON_SUBPROTOCOL, 3000);
        mr_client_close(&c);
    }
    assert_int_equal(process_stat_now(&p, "range_bad"), 2);
    peer_open_version(&c, &p, 3, 69);
    for (unsigned i = 0; i < 20000; i++)
        range_send(&c, 0, i % 2 ? 25000000 + i : 1, false);
    range_send(&c, 0, UINT64_MAX, false);
    range_send(&c, UINT64_MAX, UINT64_MAX, false);
    if (mr_client_sync(&c, 8000) != MR_CLIENT_MESSAGE)
        fail_msg("ended: reason %u", c.disconnected ? c.reason : 999);
    mr_client_close(&c);
    /* eth/68 has no such message */
    peer_open_version(&c, &p, 4, 68);
    assert_true(mr_client_send_wire(&c, 0x10 + MR_ETH_BLOCK_RANGE_UPDATE, mr_span("\xc0", 1)));
    peer_expect_end(&c, MR_REASON_PROTOCOL, 3000);
    mr_client_close(&c);
    process_alive(&p);
    process_stop(&p);
}

static void block_gossip_of_old_is_refused_by_its_id(void **state)
{
    static const uint8_t ids[] = {MR_ETH_NEW_BLOCK_HASHES, MR_ETH_NEW_BLOCK, 0x0d, 0x0e};
    uint8_t *block = calloc(10, MIB);
    struct process p;
    uint64_t cpu;

    variant_start_quick(&p, *state);
    cpu = process_cpu_ms(&p);
    block[0] = 0xfa, block[1] = 0x9f, block[2] = 0xff, block[3] = 0xf0; /* a list, 10 MiB long */
    for (unsigned i = 0; i < 12; i++) {
        struct mr_client c;

        peer_open_version(&c, &p, 1 + i, 68 + i % 3);
        mr_client_send_eth(&c, ids[i % MR_COUNT_OF(ids)], mr_span(block, i < 4 ? 3 : 0x9ffff0 + 4));
        mr_client_wait_end(&c, 5000);
        if (c.disconnected)
            assert_int_equal(c.reason, MR_REASON_PROTOCOL);
        mr_client_close(&c);
    }
    assert_int_equal(process_stat_now(&p, "message_unknown"), 12);
    assert_int_equal(process_stat(&p, "message_malformed"), 0);
    print_message("cost %llu ms\n", (unsigned long long)(process_cpu_ms(&p) - cpu));
    free(block);
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
        BOTH(a_wrong_status_ends_with_its_reason),
        BOTH(answers_that_nobody_asked_for_end_the_session),
        BOTH(an_answer_must_fit_its_question),
        BOTH(floods_of_requests_are_served_within_bounds),
        BOTH(what_nobody_delivers_delays_nobody),
        BOTH(what_is_delivered_must_be_what_was_announced),
        BOTH(announcements_of_another_shape_end_the_session),
        BOTH(announcements_of_many_are_bounded),
        BOTH(a_transaction_twice_in_a_message_ends_the_session),
        BOTH(nothing_leaves_twice_and_nothing_comes_back),
        BOTH(old_transactions_are_not_gossiped_again),
        BOTH(invalid_transactions_are_discarded_and_cost_nobody_a_session),
        BOTH(wrong_ranges_end_the_session_and_many_right_ones_do_not),
        BOTH(block_gossip_of_old_is_refused_by_its_id),
        BOTH(one_large_transaction_from_everybody_is_work_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
