/* What a receiver asks for, and what it makes of the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/eth/message.h"
#include "perf/load_peer.h"
#include "perf/load_run.h"

#define TXS 5000

static struct mr_load load;
static struct mr_load_options options;
static struct mr_load_peer *peer;

static int set_up(void **state)
{
    char sentence[256];

    (void)state;
    options = (struct mr_load_options){.network = mr_network_find("mainnet"),
                                       .peers = 3,
                                       .senders = 1,
                                       .rate = TXS,
                                       .duration_s = 1};
    if (mr_load_init(&load, &options, sentence, sizeof sentence) != MR_OK)
        fail_msg("%s", sentence);
    mr_load_track_schedule(&load.track, load.now.mono_ns, 1e9);
    for (uint32_t i = 0; i < TXS; i++)
        mr_load_track_sent(&load.track, i, load.now.mono_ns + i);
    peer = &load.peers[1];
    peer->state = MR_LOAD_ACTIVE;
    peer->link.shared.count = 1;
    peer->link.shared.shared[0].capability = mr_protocol_find("eth", 69)->capability;
    peer->link.shared.shared[0].first_id = 16;
    peer->link.shared.shared[0].ids_count = 18;
    peer->link.shared.end_id = 34;
    peer->link.transport = mr_transport_after_hello(&peer->link.shared, 5, 5);
    peer->strict.version = 69;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_load_fini(&load);
    return 0;
}

static void announce(uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < first + n; i++)
        if (mr_load_track_announced(&load.track, peer->index, i, load.now.mono_ns))
            mr_load_want(&load, peer, i);
    mr_load_ask(&load, peer);
}

/* The request in the peer's queue, taken out of it; 0 hashes if there is none. */
static size_t asked(uint32_t txs[MR_LOAD_ASK_MAX])
{
    static uint8_t inflated[1 << 20];
    struct mr_hash_request request;
    struct mr_message m;
    struct mr_span payload;
    uint32_t size;

    if (mr_load_bytes_left(&peer->link.out) == 0)
        return 0;
    memcpy(&size, peer->link.out.p + peer->link.out.at, 4);
    assert_int_equal(mr_transport_open(&m, &peer->link.transport,
                                       mr_span(peer->link.out.p + peer->link.out.at + 4, size)),
                     MR_P2P_NONE);
    assert_int_equal(mr_transport_payload(&payload, &m, inflated, sizeof inflated), MR_P2P_NONE);
    assert_int_equal(m.id, MR_ETH_GET_POOLED_TRANSACTIONS);
    assert_int_equal(mr_hash_request_decode(&request, payload), MR_OK);
    assert_int_equal(request.request_id, peer->request_id);
    peer->link.out.at += 4 + size;
    assert_int_equal(mr_load_bytes_left(&peer->link.out), 0); /* one request at a time */
    for (uint32_t i = 0; i < request.hashes.n; i++) {
        txs[i] = peer->asked[i];
        assert_memory_equal(mr_items_at(&request.hashes, i), load.corpus.txs[txs[i]].hash.b, 32);
    }
    return request.hashes.n;
}

/* Answers with transactions [first, first + n). */
static void answer(uint32_t first, uint32_t n)
{
    static struct mr_strict_item items[MR_STRICT_ITEMS_MAX];
    struct mr_strict_message m = {
        .peer = &peer->strict, .items = items, .items_count = n, .id = MR_ETH_POOLED_TRANSACTIONS};

    for (uint32_t i = 0; i < n; i++)
        items[i].number = first + i;
    memset(peer->strict.asked, 0, sizeof peer->strict.asked);
    mr_load_answered(&load, peer, &m);
}

static void requests_are_in_order_and_one_at_a_time(void **state)
{
    uint32_t txs[MR_LOAD_ASK_MAX];

    (void)state;
    announce(0, 10);
    assert_int_equal(asked(txs), 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(txs[i], i);
    announce(10, 5);
    assert_int_equal(asked(txs), 0); /* the first one is out */
    answer(0, 10);
    assert_int_equal(load.track.delivered, 10);
    assert_int_equal(asked(txs), 5);
    assert_int_equal(txs[0], 10);
    assert_int_equal(load.counts.requests, 2);
}

static void requests_hold_at_most_256_hashes_and_128_kib(void **state)
{
    uint32_t txs[MR_LOAD_ASK_MAX], next = 0;
    size_t n;

    (void)state;
    announce(0, 3000);
    while ((n = asked(txs)) > 0) {
        uint64_t bytes = 0;

        assert_true(n <= 256);
        for (size_t i = 0; i < n; i++)
            bytes += load.corpus.txs[txs[i]].size;
        assert_true(bytes < MR_LOAD_ASK_BYTES + MR_TX_SIZE_MAX);
        assert_true(n == 256 || bytes >= MR_LOAD_ASK_BYTES || next + n == 3000);
        assert_int_equal(txs[0], next);
        answer(next, (uint32_t)n);
        next += (uint32_t)n;
    }
    assert_int_equal(next, 3000);
    assert_int_equal(load.track.delivered, 3000);
}

static void what_an_answer_cut_off_is_asked_for_again(void **state)
{
    uint32_t txs[MR_LOAD_ASK_MAX];

    (void)state;
    announce(0, 10);
    assert_int_equal(asked(txs), 10);
    announce(10, 2);
    answer(2, 5); /* not 0 and 1, which the node has no more; 7 to 9 did not fit */
    assert_int_equal(load.counts.withheld, 2);
    assert_int_equal(asked(txs), 5);
    assert_int_equal(txs[0], 7);
    assert_int_equal(txs[2], 9);
    assert_int_equal(txs[3], 10);
    assert_int_equal(txs[4], 11);
}

static void an_empty_answer_gives_all_of_it_up(void **state)
{
    uint32_t txs[MR_LOAD_ASK_MAX];

    (void)state;
    announce(0, 10);
    assert_int_equal(asked(txs), 10);
    answer(0, 0);
    assert_int_equal(load.counts.withheld, 10);
    assert_int_equal(asked(txs), 0);
    assert_int_equal(peer->asked_n, 0);
}

static void what_came_in_full_meanwhile_is_not_asked_for(void **state)
{
    uint32_t txs[MR_LOAD_ASK_MAX];

    (void)state;
    announce(0, 1);
    assert_int_equal(asked(txs), 1);
    announce(1, 3);
    mr_load_track_body(&load.track, peer->index, 2, false, load.now.mono_ns);
    answer(0, 1);
    assert_int_equal(asked(txs), 2);
    assert_int_equal(txs[0], 1);
    assert_int_equal(txs[1], 3);
}

static void more_than_4096_wanted_are_not_remembered(void **state)
{
    uint32_t txs[MR_LOAD_ASK_MAX];
    size_t first;

    (void)state;
    announce(0, 1);
    assert_int_equal(asked(txs), 1);
    announce(1, MR_LOAD_WANTED_MAX + 10);
    assert_int_equal(load.counts.over_wanted_max, 10);
    answer(0, 1);
    first = asked(txs);
    assert_true(first > 0);
    assert_int_equal(txs[0], 1);
}

static void bodies_that_nobody_asked_for_count_once(void **state)
{
    uint32_t txs[MR_LOAD_ASK_MAX];

    (void)state;
    announce(0, 2);
    assert_int_equal(asked(txs), 2);
    answer(0, 3);
    assert_int_equal(load.counts.unasked_bodies, 1);
    assert_int_equal(load.track.delivered, 3);
    assert_int_equal(mr_load_track_duplicates(&load.track), 0);
}

static void peers_come_from_different_networks(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 254; i++)
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(mr_ip_net16(mr_load_link_ip(i)), mr_ip_net16(mr_load_link_ip(k)));
    for (uint32_t i = 0; i < MR_LOAD_PEERS_MAX; i++) {
        uint32_t ip = mr_load_link_ip(i);

        assert_true(mr_ip_is_loopback(ip));
        assert_true((ip & 0xff) >= 1 && (ip & 0xff) <= 254);
        for (uint32_t k = i < 1000 ? 0 : i - 254; k < i; k++)
            assert_int_not_equal(ip, mr_load_link_ip(k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_are_in_order_and_one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_hold_at_most_256_hashes_and_128_kib, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_an_answer_cut_off_is_asked_for_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_empty_answer_gives_all_of_it_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_came_in_full_meanwhile_is_not_asked_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(more_than_4096_wanted_are_not_remembered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(bodies_that_nobody_asked_for_count_once, set_up, tear_down),
        cmocka_unit_test(peers_come_from_different_networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
