/* Who is let in: maxpeers, trusted and static nodes, two sessions of one identity, quotas of
 * addresses, the CPU budget, shards' slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "helper_dispatch.h"
#include "shards/dispatcher.h"

#define IP 0x05060708u

static struct dsp_world w;
static struct dsp_peer peers[600];
static struct dsp_wired at[600];
static struct dsp_wire wires[600];

static struct mr_relay_options tiny(void)
{
    struct mr_relay_options o;

    mr_relay_options_tiny(&o);
    o.shards = 2;
    return o;
}

static void begin(const struct mr_relay_options *o)
{
    dsp_open(&w, o);
    for (unsigned i = 0; i < MR_COUNT_OF(peers); i++) {
        dsp_peer_init(&peers[i], &w);
        at[i] = (struct dsp_wired){.w = &w};
        wires[i] = dsp_wire_of(&at[i]);
    }
}

static int teardown(void **state)
{
    (void)state;
    dsp_close(&w);
    return 0;
}

static bool come(unsigned i, uint32_t ip)
{
    at[i].l = dsp_connect(&w, ip);
    return at[i].l != NULL;
}

static bool join(unsigned i)
{
    unsigned before = w.sessions_n;

    return come(i, IP + i) && dsp_peer_join(&peers[i], &wires[i], &w.self.pub) &&
           (dsp_run(&w), w.sessions_n == before + 1);
}

/* Connects, and says what it is told: a reason, -1 nothing, -2 it was not even let in. */
static int refusal(unsigned i)
{
    if (!come(i, IP + i))
        return -2;
    dsp_peer_auth(&peers[i], &wires[i], &w.self.pub);
    if (!dsp_peer_ack(&peers[i], &wires[i]))
        return -1;
    return dsp_peer_reason(&peers[i], &wires[i]);
}

static void list(unsigned i, bool is_static, bool trusted)
{
    struct mr_listed_node n = {
        .id = peers[i].key.pub, .is_static = is_static, .trusted = trusted}; /* no port: no dial */

    assert_int_equal(mr_dispatcher_set_nodes(w.d, &n, 1, w.now), MR_OK);
}

/* ---- maxpeers ---- */

static void maxpeers_holds_and_the_next_is_told_0x04(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.maxpeers = 4;
    begin(&o);
    for (unsigned i = 0; i < 4; i++)
        assert_true(join(i));
    assert_int_equal(refusal(4), 0x04);
    assert_int_equal(dsp_metric(&w, "end_full"), 1);
    dsp_session_end(&w, &w.sessions[0], MR_CLOSED_REMOTE);
    dsp_run(&w);
    assert_true(join(5));
    assert_int_equal(dsp_metric(&w, "sessions_counted_peak"), 4);
}

static void last_slot_goes_to_who_finishes_first(void **state)
{
    struct mr_relay_options o = tiny();
    struct mr_hello theirs, ours;
    uint8_t buf[2048];

    (void)state;
    o.maxpeers = 1;
    begin(&o);
    for (unsigned i = 0; i < 2; i++) { /* both are answered: there is room */
        assert_true(come(i, IP + i));
        dsp_peer_auth(&peers[i], &wires[i], &w.self.pub);
        assert_true(dsp_peer_ack(&peers[i], &wires[i]));
        assert_true(dsp_peer_read_hello(&peers[i], &wires[i], &theirs, buf));
    }
    for (unsigned i = 2; i-- > 0;) {
        ours = dsp_hello(&peers[i]);
        dsp_peer_hello(&peers[i], &wires[i], &ours);
        peers[i].snappy = true;
        dsp_run(&w);
    }
    assert_int_equal(w.sessions_n, 1);
    assert_memory_equal(w.sessions[0].h.id.b, peers[1].key.pub.b, 64);
    assert_int_equal(dsp_peer_reason(&peers[0], &wires[0]), 0x04); /* compressed by now */
}

static void full_without_cpu_time_is_closed_before_any_curve_work(void **state)
{
    struct mr_relay_options o = tiny();
    uint64_t before;

    (void)state;
    o.maxpeers = 2;
    o.handshake_budget_percent = 1;
    begin(&o);
    assert_true(join(0) && join(1));
    for (unsigned i = 2; refusal(i) != -2; i++)
        assert_true(i < 30);
    assert_true(dsp_metric(&w, "refused_full") >= 1);
    before = mr_secp_ecdh_count(w.secp);
    for (unsigned i = 100; i < 200; i++)
        assert_int_equal(refusal(i), -2);
    assert_int_equal(mr_secp_ecdh_count(w.secp), before);
    dsp_advance(&w, 2 * MR_SECOND); /* the budget recovers, and with it manners */
    assert_int_equal(refusal(300), 0x04);
}

/* ---- trusted and static ---- */

static void trusted_nodes_get_in_when_full(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.maxpeers = 1;
    begin(&o);
    list(9, false, true);
    assert_true(join(0));
    assert_true(join(9));
    assert_true(dsp_last(&w)->h.trusted);
    assert_int_equal(dsp_metric(&w, "sessions"), 2);
    assert_int_equal(dsp_metric(&w, "sessions_counted"), 1);
    assert_int_equal(refusal(1), 0x04);
}

static void static_nodes_that_come_by_themselves_are_exempt_too(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.maxpeers = 0;
    begin(&o);
    list(9, true, false);
    assert_int_equal(refusal(1), 0x04);
    assert_true(join(9));
    assert_true(dsp_last(&w)->h.is_static);
}

/* Full and busy: everybody is looked at, under a rate, and only who is awaited is answered. */
static void absent_trusted_nodes_are_looked_for_at_100_a_second(void **state)
{
    struct mr_relay_options o = tiny();
    uint64_t peeks, answers;

    (void)state;
    o.maxpeers = 1;
    o.maxpendpeers = 500;
    o.handshake_budget_percent = 20; /* 200 ms of burst: 400 us each */
    begin(&o);
    list(599, false, true);
    assert_true(join(0));
    for (unsigned i = 1; dsp_metric(&w, "end_full_early") == 0; i++) {
        assert_true(i < 300);
        refusal(i);
    }
    peeks = dsp_metric(&w, "peeks");
    answers = dsp_metric(&w, "answers");
    for (unsigned i = 300; i < 500; i++) { /* 200 at one moment: the rate's burst is 100 */
        assert_true(come(i, IP + i));
        dsp_peer_auth(&peers[i], &wires[i], &w.self.pub);
    }
    dsp_run(&w);
    assert_true(dsp_metric(&w, "peeks") - peeks <= MR_FULL_PEEKS_PER_SECOND);
    assert_int_equal(dsp_metric(&w, "answers"), answers);
    assert_true(dsp_metric(&w, "budget_waiting") >= 100);
    assert_true(come(599, IP + 599)); /* behind all of them */
    dsp_peer_auth(&peers[599], &wires[599], &w.self.pub);
    dsp_advance(&w, 1500 * MR_MS);
    assert_true(dsp_peer_ack(&peers[599], &wires[599]));
    assert_int_equal(dsp_metric(&w, "end_late"), 0);
}

static void sessions_keep_the_terms_they_came_on(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.maxpeers = 1;
    begin(&o);
    list(9, false, true);
    assert_true(join(9));
    assert_int_equal(mr_dispatcher_set_nodes(w.d, NULL, 0, w.now), MR_OK);
    dsp_turn(&w);
    assert_int_equal(dsp_metric(&w, "sessions_counted"), 0);
    assert_true(join(0));
    dsp_session_end(&w, &w.sessions[0], MR_CLOSED_REMOTE);
    dsp_session_end(&w, &w.sessions[1], MR_CLOSED_REMOTE);
    dsp_advance(&w, 31 * MR_SECOND);
    assert_true(join(9)); /* now as anybody */
    assert_int_equal(dsp_metric(&w, "sessions_counted"), 1);
}

static void reloading_the_list_does_not_dial_who_is_connected(void **state)
{
    struct mr_listed_node n;

    (void)state;
    begin(NULL);
    assert_true(join(9));
    n = (struct mr_listed_node){
        .id = peers[9].key.pub, .at = {.ip = IP, .port = 30303}, .is_static = true};
    assert_int_equal(mr_dispatcher_set_nodes(w.d, &n, 1, w.now), MR_OK);
    dsp_advance(&w, 60 * MR_SECOND);
    assert_int_equal(w.dials, 0);
    dsp_session_end(&w, dsp_last(&w), MR_CLOSED_REMOTE);
    dsp_advance(&w, 20 * MR_SECOND);
    assert_int_equal(w.dials, 1);
}

static void list_over_its_limit_says_so(void **state)
{
    static struct mr_listed_node many[MR_LISTED_MAX + 1];

    (void)state;
    begin(NULL);
    for (uint32_t i = 0; i < MR_COUNT_OF(many); i++) {
        mr_store_be32(many[i].id.b, i + 1);
        many[i].trusted = true;
    }
    assert_int_equal(mr_dispatcher_set_nodes(w.d, many, MR_COUNT_OF(many), w.now), MR_FULL);
    dsp_turn(&w);
    assert_int_equal(dsp_metric(&w, "listed_nodes"), MR_LISTED_MAX);
}

/* ---- one identity ---- */

static void second_session_is_the_shards_to_judge_and_a_third_is_told_0x05(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.inbound_throttle_ns = 0;
    begin(&o);
    assert_true(join(3));
    assert_true(join(3));
    assert_int_equal(w.sessions[0].shard, w.sessions[1].shard);
    assert_int_equal(dsp_metric(&w, "sessions_second"), 1);
    assert_false(join(3)); /* waits */
    assert_int_equal(dsp_metric(&w, "third_waits"), 1);
    dsp_advance(&w, MR_THIRD_WAIT_NS + MR_MS);
    peers[3].snappy = true;
    assert_int_equal(dsp_peer_reason(&peers[3], &wires[3]), 0x05);
    assert_int_equal(dsp_metric(&w, "end_duplicate"), 1);
    assert_true(w.sessions[0].live && w.sessions[1].live);
    dsp_session_end(&w, &w.sessions[0], MR_CLOSED_DUPLICATE);
    dsp_run(&w);
    assert_true(join(3));
}

/* H-09: who closes and comes again may be faster than the shard's word that it is gone. */
static void a_third_session_takes_the_place_of_one_that_ends_meanwhile(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.inbound_throttle_ns = 0;
    begin(&o);
    assert_true(join(3));
    assert_true(join(3));
    assert_false(join(3));
    assert_true(join(4)); /* others do not wait behind it */
    dsp_advance(&w, MR_THIRD_WAIT_NS / 2);
    dsp_session_end(&w, &w.sessions[1], MR_CLOSED_REMOTE);
    dsp_run(&w);
    assert_int_equal(w.sessions_n, 4);
    assert_int_equal(dsp_metric(&w, "end_duplicate"), 0);
    assert_int_equal(dsp_metric(&w, "sessions_begun"), 4);
}

/* C-02: many at once with one key, from many addresses. */
static void of_400_parallel_dials_with_one_key_two_are_handed_over(void **state)
{
    enum { N = 400 };
    struct mr_relay_options o = tiny();
    unsigned refused = 0;

    (void)state;
    o.maxpendpeers = N;
    o.maxpeers = N;
    o.handshake_budget_percent = 100;
    begin(&o);
    for (unsigned i = 0; i < N; i++) {
        peers[i].key = peers[0].key;
        assert_true(come(i, IP + i));
        dsp_peer_auth(&peers[i], &wires[i], &w.self.pub);
    }
    for (unsigned i = 0; i < N; i++) {
        struct mr_hello hello = dsp_hello(&peers[i]);
        uint8_t payload[2048];
        uint64_t id;
        size_t n;

        assert_true(dsp_peer_ack(&peers[i], &wires[i]));
        assert_true(dsp_peer_read(&peers[i], &wires[i], &id, payload, &n));
        if (id == MR_BASE_DISCONNECT) {
            assert_int_equal(mr_disconnect_decode(mr_span(payload, n)), 0x05);
            refused++;
            continue;
        }
        dsp_peer_hello(&peers[i], &wires[i], &hello);
        peers[i].snappy = true;
        dsp_run(&w);
    }
    assert_int_equal(w.sessions_n, 2);
    dsp_advance(&w, MR_THIRD_WAIT_NS + MR_MS);
    for (unsigned i = 0; i < N; i++)
        refused += dsp_peer_reason(&peers[i], &wires[i]) == 0x05;
    assert_int_equal(w.sessions_n, 2);
    assert_int_equal(refused, N - 2);
    assert_int_equal(dsp_metric(&w, "end_duplicate"), N - 2);
}

/* ---- addresses ---- */

static void addresses_are_throttled_but_not_lan_and_loopback(void **state)
{
    (void)state;
    begin(NULL);
    assert_true(come(0, IP));
    assert_false(come(1, IP));
    assert_int_equal(dsp_metric(&w, "refused_address_throttle"), 1);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(come(2, 0x7f000001));
        assert_true(come(3, 0xc0a80001));
        assert_true(come(4, 0x0a000001));
    }
    dsp_advance(&w, 30 * MR_SECOND);
    assert_true(come(5, IP));
}

static void loopback_is_public_when_a_test_says_so(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.loopback_is_public = true;
    begin(&o);
    assert_true(come(0, 0x7f000001));
    assert_false(come(1, 0x7f000001));
    assert_true(come(2, 0x7f000002));
}

static void one_address_has_few_pending(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.inbound_throttle_ns = 0;
    begin(&o);
    for (unsigned i = 0; i < o.per_address_pending; i++)
        assert_true(come(i, IP));
    assert_false(come(20, IP));
    assert_int_equal(dsp_metric(&w, "refused_address_pending"), 1);
    assert_true(come(21, IP + 1));
    dsp_end(at[0].l);
    dsp_run(&w);
    assert_true(come(20, IP));
}

/* ---- the CPU budget ---- */

static void over_the_budget_handshakes_wait_and_none_is_lost(void **state)
{
    enum { N = 60 };
    struct mr_relay_options o = tiny();
    uint64_t answers;

    (void)state;
    o.handshake_budget_percent = 1; /* 10 ms a second: 25 handshakes */
    o.maxpendpeers = 100;
    o.maxpeers = 100;
    begin(&o);
    for (unsigned i = 0; i < N; i++) {
        assert_true(come(i, IP + i));
        dsp_peer_auth(&peers[i], &wires[i], &w.self.pub);
    }
    dsp_run(&w);
    assert_int_equal(dsp_metric(&w, "answers"), 25);
    assert_true(dsp_metric(&w, "budget_waits") >= 1);
    for (unsigned i = 0; i < N; i++)
        if (at[i].l->out_n == 0)
            assert_false(at[i].l->receiving); /* nothing is armed while it waits */
    answers = dsp_metric(&w, "answers");
    dsp_advance(&w, MR_SECOND);
    assert_in_range(dsp_metric(&w, "answers") - answers, 23, 26);
    dsp_advance(&w, MR_SECOND);
    assert_int_equal(dsp_metric(&w, "answers"), N);
    assert_int_equal(dsp_metric(&w, "pending"), N);
}

/* H-07: junk that fails at its envelope costs a peek each. */
static void junk_auths_cost_one_peek_each(void **state)
{
    struct mr_relay_options o = tiny();
    uint8_t junk[2 + 300];

    (void)state;
    o.handshake_budget_percent = 1;
    o.maxpendpeers = 500;
    begin(&o);
    memset(junk, 0x04, sizeof junk);
    mr_store_be16(junk, 300);
    for (unsigned i = 0; i < 300; i++) {
        assert_true(come(i, IP + i));
        dsp_write(at[i].l, junk, sizeof junk);
    }
    dsp_run(&w);
    assert_int_equal(dsp_metric(&w, "peeks"), 10000 / MR_HANDSHAKE_PEEK_US);
    assert_int_equal(dsp_metric(&w, "answers"), 0);
    dsp_advance(&w, 5 * MR_SECOND);
    assert_int_equal(dsp_metric(&w, "peeks"), 300);
    assert_int_equal(dsp_metric(&w, "pending"), 0);
}

static void turn_does_few_curve_operations(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.maxpendpeers = 100;
    begin(&o);
    for (unsigned i = 0; i < 50; i++) {
        assert_true(come(i, IP + i));
        dsp_peer_auth(&peers[i], &wires[i], &w.self.pub);
    }
    for (unsigned turns = 0; dsp_metric(&w, "answers") < 50; turns++) {
        uint64_t steps = dsp_metric(&w, "answers") + dsp_metric(&w, "peeks");
        unsigned before = w.turns;

        dsp_run(&w);
        steps = dsp_metric(&w, "answers") + dsp_metric(&w, "peeks") - steps;
        assert_true(steps <= (uint64_t)(w.turns - before) * MR_DISPATCHER_CURVE_STEPS);
        assert_true(turns < 100);
    }
}

static void deadline_ends_those_that_wait_for_budget(void **state)
{
    struct mr_relay_options o = tiny();

    (void)state;
    o.handshake_budget_percent = 1;
    o.maxpendpeers = 500;
    o.handshake_timeout_ns = MR_SECOND;
    begin(&o);
    for (unsigned i = 0; i < 200; i++) {
        assert_true(come(i, IP + i));
        dsp_peer_auth(&peers[i], &wires[i], &w.self.pub);
    }
    dsp_advance(&w, 2100 * MR_MS);
    assert_int_equal(dsp_metric(&w, "pending"), 0);
    assert_int_equal(dsp_metric(&w, "budget_waiting"), 0);
    assert_int_equal(dsp_metric(&w, "end_late"), 200);
}

/* ---- shards ---- */

static void shard_without_slots_is_0x04_even_for_trusted_nodes(void **state)
{
    struct mr_relay_options o = tiny();
    struct mr_listed_node nodes[80];
    uint32_t slots;

    (void)state;
    o.shards = 1;
    o.maxpeers = 1;
    o.handshake_budget_percent = 100;
    begin(&o);
    slots = mr_relay_slots(&o);
    assert_int_equal(slots, 129);
    for (unsigned i = 0; i < MR_COUNT_OF(nodes); i++)
        nodes[i] = (struct mr_listed_node){.id = peers[300 + i].key.pub, .trusted = true};
    assert_int_equal(mr_dispatcher_set_nodes(w.d, nodes, MR_COUNT_OF(nodes), w.now), MR_OK);
    for (unsigned i = 0; i < slots; i++) {
        assert_true(come(i, IP + i));
        peers[i].key = peers[300 + i / 2].key;
        assert_true(dsp_peer_join(&peers[i], &wires[i], &w.self.pub));
        dsp_run(&w);
        assert_int_equal(w.sessions_n, i + 1);
        dsp_advance(&w, 10 * MR_MS);
    }
    peers[200].key = peers[300 + 129 / 2].key;
    assert_true(come(200, IP + 200));
    assert_true(dsp_peer_join(&peers[200], &wires[200], &w.self.pub));
    assert_int_equal(dsp_peer_reason(&peers[200], &wires[200]), 0x04);
    assert_int_equal(dsp_metric(&w, "end_shard_full"), 1);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_teardown(t, teardown)
    const struct CMUnitTest tests[] = {
        TEST(maxpeers_holds_and_the_next_is_told_0x04),
        TEST(last_slot_goes_to_who_finishes_first),
        TEST(full_without_cpu_time_is_closed_before_any_curve_work),
        TEST(trusted_nodes_get_in_when_full),
        TEST(static_nodes_that_come_by_themselves_are_exempt_too),
        TEST(absent_trusted_nodes_are_looked_for_at_100_a_second),
        TEST(sessions_keep_the_terms_they_came_on),
        TEST(reloading_the_list_does_not_dial_who_is_connected),
        TEST(list_over_its_limit_says_so),
        TEST(second_session_is_the_shards_to_judge_and_a_third_is_told_0x05),
        TEST(a_third_session_takes_the_place_of_one_that_ends_meanwhile),
        TEST(of_400_parallel_dials_with_one_key_two_are_handed_over),
        TEST(addresses_are_throttled_but_not_lan_and_loopback),
        TEST(loopback_is_public_when_a_test_says_so),
        TEST(one_address_has_few_pending),
        TEST(over_the_budget_handshakes_wait_and_none_is_lost),
        TEST(junk_auths_cost_one_peek_each),
        TEST(turn_does_few_curve_operations),
        TEST(deadline_ends_those_that_wait_for_budget),
        TEST(shard_without_slots_is_0x04_even_for_trusted_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
