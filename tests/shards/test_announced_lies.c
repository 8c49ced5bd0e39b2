#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/shards/helper_shard.h"

/* E-07, E-09: what announcements said against what came, and one transaction twice in a message.
 * As geth judges: fetcher (type, size off by more than 8 bytes) and handler (duplicates). */

/* a announces a transaction of this type and size, is asked for it, and answers with it. */
static bool survives(uint8_t type, int size_off)
{
    struct mr_hash asked[4];
    struct sample_tx tx;
    struct actor *a, *b;
    struct stage st;
    uint32_t size;
    uint64_t id;
    bool lives;
    size_t n;

    stage_init(&st, NULL);
    a = actor_new(&st);
    b = actor_new(&st);
    stage_tx_make(&st, &tx, &(struct sample_tx_options){.who = 1, .type = 2, .data_bytes = 60});
    size = tx.size + (uint32_t)size_off;
    actor_announce_as(a, &tx.hash, &type, &size, 1);
    stage_settle(&st);
    assert_true(actor_asked(a, 0, &id, asked, 4, &n));
    assert_int_equal(n, 1);
    stage_mark(&st);
    actor_answer(a, id, &tx, 1);
    stage_run(&st, 50);
    lives = !a->disconnected;
    if (!lives) {
        assert_int_equal(a->reason, MR_REASON_SUBPROTOCOL);
        assert_int_equal(stage_count(&st)->announced_wrong, 1);
    } else {
        assert_int_equal(stage_count(&st)->announced_wrong, 0);
        assert_int_equal(actor_got(b, &tx.hash).bodies + actor_got(b, &tx.hash).announced, 1);
    }
    assert_false(b->disconnected);
    stage_close(&st);
    return lives;
}

static void a_size_up_to_eight_bytes_off_is_tolerated_and_no_more(void **state)
{
    (void)state;
    assert_true(survives(2, 0));
    assert_true(survives(2, 8));
    assert_true(survives(2, -8));
    assert_false(survives(2, 9));
    assert_false(survives(2, -9));
    assert_false(survives(2, 100000));
}

static void another_type_than_announced_ends_the_announcer(void **state)
{
    (void)state;
    assert_false(survives(0, 0));
    assert_false(survives(1, 0));
    assert_false(survives(4, 0));
}

static void a_liar_beside_an_honest_source_goes_when_the_truth_comes(void **state)
{
    uint8_t honest = 2, lie = 1;
    struct mr_hash asked[4];
    struct actor *a, *liar;
    struct sample_tx tx;
    struct stage st;
    uint64_t id;
    size_t n;

    (void)state;
    stage_init(&st, NULL);
    a = actor_new(&st);
    liar = actor_new(&st);
    stage_tx_make(&st, &tx, &(struct sample_tx_options){.who = 1, .type = 2});
    actor_announce_as(a, &tx.hash, &honest, &tx.size, 1);
    stage_settle(&st);
    actor_announce_as(liar, &tx.hash, &lie, &tx.size, 1);
    stage_settle(&st);
    assert_true(actor_asked(a, 0, &id, asked, 4, &n));
    actor_answer(a, id, &tx, 1);
    stage_run(&st, 50);
    assert_false(a->disconnected);
    assert_true(liar->disconnected);
    assert_int_equal(liar->reason, MR_REASON_SUBPROTOCOL);
    stage_close(&st);
}

static void one_transaction_twice_in_a_message_ends_its_sender(void **state)
{
    struct sample_tx txs[3];
    struct actor *a, *b;
    struct stage st;

    (void)state;
    stage_init(&st, NULL);
    a = actor_new(&st);
    b = actor_new(&st);
    stage_tx(&st, &txs[0], 1, 0);
    stage_tx(&st, &txs[1], 2, 0);
    txs[2] = txs[0];
    actor_send_txs(a, txs, 2);
    stage_run(&st, 50);
    assert_false(a->disconnected);
    actor_send_txs(a, txs, 2); /* in two messages it is a duplicate, and no fault */
    stage_run(&st, 50);
    assert_false(a->disconnected);
    actor_send_txs(a, txs, 3);
    stage_run(&st, 50);
    assert_true(a->disconnected);
    assert_int_equal(a->reason, MR_REASON_SUBPROTOCOL);
    assert_int_equal(stage_count(&st)->tx_duplicate_in_message, 1);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(actor_got(b, &txs[i].hash).bodies + actor_got(b, &txs[i].hash).announced,
                         1);
    stage_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_up_to_eight_bytes_off_is_tolerated_and_no_more),
        cmocka_unit_test(another_type_than_announced_ends_the_announcer),
        cmocka_unit_test(a_liar_beside_an_honest_source_goes_when_the_truth_comes),
        cmocka_unit_test(one_transaction_twice_in_a_message_ends_its_sender),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
