/* Attacks on eth's sessions (attacks.md section 2.3), live: Status, requests, answers that nobody
 * asked for, ranges, and the block gossip of old. */
#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_wrong_status_ends_with_its_reason),
        BOTH(answers_that_nobody_asked_for_end_the_session),
        BOTH(an_answer_must_fit_its_question),
        BOTH(floods_of_requests_are_served_within_bounds),
        BOTH(wrong_ranges_end_the_session_and_many_right_ones_do_not),
        BOTH(block_gossip_of_old_is_refused_by_its_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
