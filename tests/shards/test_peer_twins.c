/* Two sessions of one identity (design.md section 3; C-01, C-02): never none, never two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

static int setup(void **state)
{
    static struct stage st;

    stage_init(&st, NULL);
    *state = &st;
    return 0;
}

static int teardown(void **state)
{
    stage_close(*state);
    return 0;
}

/* Identities below and above the shard's own, which is 0x80 80 80 ... */
static const struct mr_node_id low = {{1}}, high = {{0xf0}};

static struct actor *join(struct stage *st, const struct mr_node_id *id, bool inbound)
{
    return actor_join(st, &(struct actor_options){.id = id, .inbound = inbound});
}

static void assert_refused(const struct actor *a)
{
    assert_true(a->closed);
    assert_true(a->disconnected);
    assert_int_equal(a->reason, MR_REASON_ALREADY_CONNECTED);
}

static void assert_works(struct stage *st, struct actor *a)
{
    struct actor *from = actor_new(st);
    static uint32_t who;
    struct sample_tx tx;

    assert_true(a->adopted);
    assert_true(a->active);
    assert_int_equal(actor_peer(a)->state, MR_PEER_ACTIVE);
    stage_tx(st, &tx, 1000 + who++, 0);
    actor_send_txs(from, &tx, 1);
    stage_settle(st);
    assert_int_equal(actor_got(a, &tx.hash).bodies + actor_got(a, &tx.hash).announced, 1);
    actor_hang_up(from);
    stage_settle(st);
}

/* The remote keeps the second one: its Status comes there too. Besu's rule: the session begun by
 * the lower node id stays. */
static void of_two_directions_the_lower_ids_stays(void **state)
{
    struct stage *st = *state;

    for (unsigned k = 0; k < 4; k++) {
        const struct mr_node_id *id = k & 1 ? &low : &high;
        bool first_inbound = (k & 2) != 0;
        /* inbound: begun by the remote */
        bool first_stays = first_inbound == (id == &low);
        struct actor *first = join(st, id, first_inbound), *second, *winner, *loser;

        actor_send_status(first, NULL);
        stage_settle(st);
        assert_true(first->active);
        second = join(st, id, !first_inbound);
        stage_settle(st);
        assert_int_equal(second->messages, 0); /* silent, until the remote speaks on it */
        assert_true(first->adopted);
        actor_send_status(second, NULL);
        stage_settle(st);
        winner = first_stays ? first : second;
        loser = first_stays ? second : first;
        assert_refused(loser);
        assert_int_equal(loser->closed_why, MR_CLOSED_DUPLICATE);
        assert_int_equal(actor_heard_count(winner, true, MR_ETH_STATUS), 1);
        assert_works(st, winner);
        assert_int_equal(stage_count(st)->peers_duplicate, k + 1);
        actor_hang_up(winner);
        stage_settle(st);
        assert_int_equal(stage_count(st)->peers, 0);
    }
}

/* Status arrives on both before either is decided: in every order. */
static void the_order_of_both_status_does_not_matter(void **state)
{
    struct stage *st = *state;

    for (unsigned k = 0; k < 8; k++) {
        const struct mr_node_id *id = k & 1 ? &low : &high;
        bool first_inbound = (k & 2) != 0, second_speaks_first = (k & 4) != 0;
        bool first_stays = first_inbound == (id == &low);
        struct actor *first = join(st, id, first_inbound), *second = join(st, id, !first_inbound);

        stage_settle(st);
        actor_send_status(second_speaks_first ? second : first, NULL);
        stage_settle(st);
        assert_true(first->adopted);
        assert_true(second->adopted);
        if (second_speaks_first) /* it waits for the first's, and says its own Status */
            assert_int_equal(actor_peer(second)->state, MR_PEER_HELD);
        actor_send_status(second_speaks_first ? first : second, NULL);
        stage_settle(st);
        assert_refused(first_stays ? second : first);
        assert_works(st, first_stays ? first : second);
        actor_hang_up(first_stays ? first : second);
        stage_settle(st);
    }
}

/* The remote refuses one: the other stays, whatever the rule says. */
static void if_the_remote_ends_one_the_other_stays(void **state)
{
    struct stage *st = *state;
    const uint8_t refuse[] = {0xc1, 0x05};

    for (unsigned k = 0; k < 32; k++) {
        const struct mr_node_id *id = k & 1 ? &low : &high;
        bool first_inbound = (k & 2) != 0, ends_first = (k & 4) != 0, says = (k & 8) != 0;
        bool first_active = (k & 16) != 0;
        struct actor *first = join(st, id, first_inbound), *second, *ended, *other;

        if (first_active)
            actor_send_status(first, NULL);
        stage_settle(st);
        second = join(st, id, !first_inbound);
        stage_settle(st);
        ended = ends_first ? first : second;
        other = ends_first ? second : first;
        if (says)
            actor_send_base(ended, MR_BASE_DISCONNECT, mr_span(refuse, sizeof refuse));
        else
            actor_hang_up(ended);
        stage_settle(st);
        assert_true(ended->closed);
        assert_true(other->adopted);
        /* from here on it is the first: it has our Status, and five seconds for its own */
        assert_int_equal(actor_heard_count(other, true, MR_ETH_STATUS), 1);
        if (!other->active)
            actor_send_status(other, NULL);
        stage_settle(st);
        assert_works(st, other);
        actor_hang_up(other);
        stage_settle(st);
    }
}

static void one_that_waits_takes_over_when_the_first_ends(void **state)
{
    struct stage *st = *state;
    struct actor *first = join(st, &low, true), *second = join(st, &low, false);

    stage_settle(st);
    actor_send_status(second, NULL);
    stage_settle(st);
    assert_int_equal(actor_peer(second)->state, MR_PEER_HELD);
    assert_false(second->active);
    actor_hang_up(first);
    stage_settle(st);
    assert_works(st, second);
}

static void one_that_waits_takes_over_when_the_first_says_nothing(void **state)
{
    struct stage *st = *state;
    struct actor *first = join(st, &low, true), *second = join(st, &low, false);

    actor_send_status(second, NULL);
    stage_run(st, 4990);
    assert_int_equal(actor_peer(second)->state, MR_PEER_HELD);
    stage_run(st, 20);
    assert_int_equal(first->closed_why, MR_CLOSED_STATUS_LATE);
    assert_works(st, second);
}

static void a_second_that_says_nothing_is_ended_and_the_first_stays(void **state)
{
    struct stage *st = *state;
    struct actor *first = join(st, &low, true), *second;

    actor_send_status(first, NULL);
    stage_settle(st);
    second = join(st, &low, false);
    stage_run(st, 5010);
    assert_int_equal(second->closed_why, MR_CLOSED_STATUS_LATE);
    assert_int_equal(second->reason, MR_REASON_TIMEOUT);
    assert_works(st, first);
}

/* ---- the same direction (C-02) ---- */

static void in_one_direction_a_live_first_stays(void **state)
{
    struct stage *st = *state;

    for (unsigned inbound = 0; inbound < 2; inbound++) {
        struct actor *first = join(st, &low, inbound), *second;

        actor_send_status(first, NULL);
        stage_settle(st);
        second = join(st, &low, inbound);
        actor_send_status(second, NULL);
        stage_settle(st);
        assert_int_equal(first->pings, 1); /* and answered */
        assert_refused(second);
        assert_works(st, first);
        actor_hang_up(first);
        stage_settle(st);
    }
}

static void in_one_direction_a_dead_first_is_replaced_after_3_s(void **state)
{
    struct stage *st = *state;

    for (unsigned speaks = 0; speaks < 2; speaks++) {
        struct actor *first = join(st, &low, true), *second;

        actor_send_status(first, NULL);
        stage_settle(st);
        first->no_pongs = true;
        second = join(st, &low, true);
        if (speaks)
            actor_send_status(second, NULL);
        stage_run(st, 2990);
        assert_true(first->adopted);
        assert_true(second->adopted);
        assert_false(second->active);
        stage_run(st, 20);
        assert_refused(first);
        assert_int_equal(first->closed_why, MR_CLOSED_SILENT);
        if (!speaks) {
            assert_int_equal(actor_heard_count(second, true, MR_ETH_STATUS), 1);
            actor_send_status(second, NULL);
            stage_settle(st);
        }
        assert_works(st, second);
        actor_hang_up(second);
        stage_settle(st);
    }
}

/* Bytes other than the pong do not save it: a half-dead connection may still deliver. */
static void only_the_pong_proves_that_the_first_lives(void **state)
{
    struct stage *st = *state;
    struct actor *first = join(st, &low, true), *second;
    const uint8_t empty = 0xc0;

    actor_send_status(first, NULL);
    stage_settle(st);
    first->no_pongs = true;
    second = join(st, &low, true);
    actor_send_status(second, NULL);
    stage_run(st, 1000);
    actor_send_base(first, MR_BASE_PING, mr_span(&empty, 1));
    stage_run(st, 2020);
    assert_refused(first);
    assert_works(st, second);
}

static void of_a_thousand_sessions_of_one_key_one_works(void **state)
{
    struct stage_options o;
    struct stage st;
    struct actor *first, *rest[999];

    (void)state;
    stage_options_default(&o);
    o.actors_max = 1010;
    o.relay.maxpeers = 1000;
    stage_init(&st, &o);
    first = join(&st, &low, true);
    for (unsigned i = 0; i < 999; i++) {
        rest[i] = join(&st, &low, true);
        actor_send_status(rest[i], NULL);
        if (i == 500)
            actor_send_status(first, NULL);
        if (i % 100 == 99)
            stage_settle(&st);
    }
    stage_settle(&st);
    for (unsigned i = 0; i < 999; i++)
        assert_refused(rest[i]);
    assert_works(&st, first);
    assert_int_equal(stage_count(&st)->peers_duplicate, 999);
    stage_close(&st);
}

/* ---- what the one knew, the other knows ---- */

static void nothing_is_sent_again_when_the_second_takes_over(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st), *first = join(st, &high, true), *second;
    struct sample_tx txs[20];

    actor_send_status(first, NULL);
    stage_settle(st);
    for (uint32_t i = 0; i < 20; i++)
        stage_tx(st, &txs[i], i, 0);
    actor_send_txs(from, txs, 15);
    actor_send_txs(first, txs + 15, 5);
    stage_settle(st);
    second = join(st, &high, false); /* begun by us, who are lower: it will win */
    actor_send_status(second, NULL);
    stage_settle(st);
    assert_refused(first);
    assert_works(st, second);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(
            actor_got(second, &txs[i].hash).bodies + actor_got(second, &txs[i].hash).announced, 0);
}

/* What came from the first and is not judged yet goes not back to the same node. */
static void what_is_being_verified_is_known_to_the_second_too(void **state)
{
    struct stage *st = *state;
    struct actor *first = join(st, &high, true), *second;
    struct sample_tx txs[20];

    actor_send_status(first, NULL);
    stage_settle(st);
    for (uint32_t i = 0; i < 20; i++)
        stage_tx(st, &txs[i], i, 0);
    second = join(st, &high, false);
    stage_settle(st);
    st->relay.recoveries_per_turn = 1;
    actor_send_txs(first, txs, 20);
    stage_turn(st);
    actor_send_status(second, NULL);
    stage_settle(st);
    assert_refused(first);
    assert_int_equal(stage_count(st)->tx_accepted, 20);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(
            actor_got(second, &txs[i].hash).bodies + actor_got(second, &txs[i].hash).announced, 0);
}

/* What is said on a session that waits is read once it is decided, and nothing of it is lost. */
static void what_was_said_while_waiting_is_read_afterwards(void **state)
{
    struct stage *st = *state;
    struct actor *witness = actor_new(st), *first = join(st, &high, true), *second;
    struct sample_tx txs[3];

    stage_settle(st);
    second = join(st, &high, false);
    actor_send_status(second, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        stage_tx(st, &txs[i], i, 0);
        actor_send_txs(second, &txs[i], 1);
    }
    second->late_data = true; /* some of it is on its way already */
    second->chunk = 100;
    stage_settle(st);
    assert_int_equal(actor_peer(second)->state, MR_PEER_HELD);
    assert_int_equal(stage_count(st)->tx_in, 0);
    actor_hang_up(first);
    stage_settle(st);
    assert_int_equal(stage_count(st)->tx_accepted, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(actor_got(witness, &txs[i].hash).bodies +
                             actor_got(witness, &txs[i].hash).announced,
                         1);
}

/* ---- never none ---- */

/* A remote that means well: it keeps both until one is refused, answers pings, says Status on each
 * within 4 s. However it goes, there is always one, and in the end exactly one, which works. */
static void however_two_sessions_meet_one_remains(void **state)
{
    struct stage_options o;
    struct stage st;
    struct mr_random random;

    (void)state;
    stage_options_default(&o);
    o.actors_max = 2000;
    stage_init(&st, &o);
    mr_random_init(&random, 5);
    for (unsigned k = 0; k < 900; k++) {
        struct actor *two[2];
        uint64_t speaks_at[2], joins_at = mr_random_below(&random, 3) * 1300;
        struct mr_node_id id;

        mr_random_fill(&random, id.b, sizeof id.b);
        two[0] = join(&st, &id, mr_random_below(&random, 2));
        stage_run(&st, joins_at);
        two[1] = join(&st, &id, mr_random_below(&random, 2));
        speaks_at[0] = mr_random_below(&random, 2) ? 0 : mr_random_below(&random, 13) * 100;
        speaks_at[1] = mr_random_below(&random, 40) * 100;
        for (uint64_t ms = 0; ms < 10000; ms += 100) {
            for (unsigned i = 0; i < 2; i++)
                if (speaks_at[i] == ms && !two[i]->closed)
                    actor_send_status(two[i], NULL);
            stage_run(&st, 100);
            assert_true(two[0]->adopted || two[1]->adopted);
        }
        assert_int_equal(two[0]->adopted + two[1]->adopted, 1);
        assert_true(two[two[1]->adopted]->active);
        actor_hang_up(two[two[1]->adopted]);
        stage_settle(&st);
    }
    stage_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_two_directions_the_lower_ids_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(the_order_of_both_status_does_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(if_the_remote_ends_one_the_other_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_waits_takes_over_when_the_first_ends, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_waits_takes_over_when_the_first_says_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_that_says_nothing_is_ended_and_the_first_stays,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(in_one_direction_a_live_first_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(in_one_direction_a_dead_first_is_replaced_after_3_s, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_the_pong_proves_that_the_first_lives, setup, teardown),
        cmocka_unit_test(of_a_thousand_sessions_of_one_key_one_works),
        cmocka_unit_test_setup_teardown(nothing_is_sent_again_when_the_second_takes_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_being_verified_is_known_to_the_second_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_said_while_waiting_is_read_afterwards, setup,
                                        teardown),
        cmocka_unit_test(however_two_sessions_meet_one_remains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
