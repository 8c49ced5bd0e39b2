/* The turn as a whole: when the next one is wanted, what it shows, and the lanes that it hashes in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

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

/* ---- turns ---- */

static void a_turn_is_wanted_twice_a_second_and_idle_peers_cost_no_sends(void **state)
{
    struct stage *st = *state;
    struct actor *a[20];
    uint64_t sends, turns;

    for (unsigned i = 0; i < 20; i++)
        a[i] = actor_new(st);
    stage_run(st, 100);
    for (unsigned i = 0; i < 20; i++)
        actor_forget(a[i]);
    sends = stage_count(st)->sends;
    turns = stage_count(st)->turns;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t tick = stage_count(st)->tick;

        stage_settle(st);
        assert_true(st->next_ns[0] > st->now.mono_ns);
        assert_true(st->next_ns[0] <= st->now.mono_ns + MR_SECOND / 2);
        stage_run(st, 600);
        assert_true(stage_count(st)->tick > tick);
    }
    for (unsigned i = 0; i < 20; i++) /* three peers are asked for the head now and then */
        sends += actor_heard_count(a[i], true, MR_ETH_GET_BLOCK_HEADERS);
    assert_int_equal(stage_count(st)->sends, sends);
    assert_true(stage_count(st)->turns - turns <= 100); /* in 12 s, some of them by stage_settle */
    assert_true(a[0]->adopted);
}

static void gauges_show_the_state(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_join(st, NULL);
    const struct mr_shard_metrics *m = mr_shard_metrics(st->shards[0]);
    struct sample_tx txs[5];

    stage_settle(st);
    assert_int_equal(m->peers, 1);
    assert_int_equal(m->peers_waiting, 1);
    for (uint32_t i = 0; i < 5; i++)
        stage_tx(st, &txs[i], i, 0);
    actor_send_txs(a, txs, 3);
    actor_announce(a, txs + 3, 2);
    stage_settle(st);
    assert_int_equal(m->log_length, 3);
    assert_int_equal(m->verify_length, 0);
    assert_int_equal(m->fetch_length, 2);
    assert_int_equal(m->fetch_announced, 2);
    assert_true(m->bodies_bytes > 0 && m->bodies_bytes <= m->buffers_bytes);
    assert_int_equal(m->gather_bytes, 0);
    actor_send_claim(b, 1000000, 200000);
    stage_settle(st);
    assert_true(m->gather_bytes >= 200000);
    actor_hang_up(a);
    actor_hang_up(b);
    stage_settle(st);
    assert_int_equal(m->peers + m->peers_waiting, 0);
    assert_int_equal(m->gather_bytes, 0);
    assert_int_equal(m->fetch_announced, 0);
    assert_int_equal(m->log_length, 3);
}

/* The same play twice: the same bytes, to the last. */
static void equal_seeds_give_equal_bytes(void **state)
{
    uint64_t prints[3];

    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        struct stage_options o;
        struct stage st;
        struct actor *a[8];
        struct sample_tx tx;

        stage_options_default(&o);
        o.seed = k == 2 ? 77 : 7;
        stage_init(&st, &o);
        for (unsigned i = 0; i < 8; i++)
            a[i] = actor_new(&st);
        for (uint32_t i = 0; i < 100; i++) {
            stage_tx(&st, &tx, i, 0);
            if (i % 3)
                actor_send_txs(a[i % 8], &tx, 1);
            else
                actor_announce(a[i % 8], &tx, 1);
            stage_run(&st, 7);
        }
        prints[k] = st.out_print;
        stage_close(&st);
    }
    assert_true(prints[0] == prints[1]);
    assert_true(prints[0] != prints[2]);
}

/* ---- lanes ---- */

struct lanes {
    const char *used;
    uint64_t print, work[MR_KECCAK_WIDTHS];
};

/* A thousand peers hear of 200 transactions in broadcasts of ten. The variant is chosen as the
 * daemon does it: by the environment, at start. */
static void thousand_hear(struct lanes *out, const char *variant)
{
    struct stage_options o;
    struct stage st;
    struct sample_tx txs[10];

    assert_int_equal(setenv("MR_KECCAK", variant, 1), 0);
    out->used = mr_keccak_select();
    stage_options_default(&o);
    o.actors_max = 1000;
    o.relay.maxpeers = 1000;
    stage_init(&st, &o);
    for (unsigned i = 0; i < 1000; i++) {
        struct actor *a = actor_join(&st, NULL);

        a->no_book = true;
        actor_send_status(a, NULL);
    }
    stage_settle(&st);
    memset(&st.shards[0]->keccak, 0, sizeof st.shards[0]->keccak);
    for (uint32_t k = 0; k < 20; k++) {
        for (uint32_t i = 0; i < 10; i++)
            stage_tx(&st, &txs[i], 10 * k + i, 0);
        actor_send_txs(&st.actors[k], txs, 10);
        stage_run(&st, 50);
    }
    assert_int_equal(stage_count(&st)->tx_accepted, 200);
    assert_int_equal(stage_count(&st)->bodies_out + stage_count(&st)->announced_out, 200 * 999);
    memcpy(out->work, st.shards[0]->keccak.lanes, sizeof out->work);
    out->print = st.out_print;
    stage_close(&st);
}

static void at_a_thousand_peers_the_widest_lanes_do_four_fifths_of_the_work(void **state)
{
    static const struct {
        const char *variant;
        enum mr_keccak_width widest;
    } rows[] = {{"plain", MR_KECCAK_W1}, {"avx2", MR_KECCAK_W4}, {"avx512", MR_KECCAK_W8}, {"", 0}};
    struct lanes got[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t all = 0;

        thousand_hear(&got[i], rows[i].variant);
        assert_true(got[i].print == got[0].print); /* whatever hashes: the same bytes */
        if (!mr_keccak_use(rows[i].variant)) {
            print_message("this CPU has no %s: skipped\n", rows[i].variant);
            continue;
        }
        assert_string_equal(got[i].used, rows[i].variant);
        for (unsigned w = 0; w < MR_KECCAK_WIDTHS; w++)
            all += got[i].work[w];
        print_message("%s: %.1f%% in the widest\n", got[i].used,
                      100.0 * (double)got[i].work[rows[i].widest] / (double)all);
        assert_true(got[i].work[rows[i].widest] * 10 >= all * 8);
        for (unsigned w = rows[i].widest + 1; w < MR_KECCAK_WIDTHS; w++)
            assert_int_equal(got[i].work[w], 0);
    }
    unsetenv("MR_KECCAK");
    mr_keccak_select();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_turn_is_wanted_twice_a_second_and_idle_peers_cost_no_sends, setup, teardown),
        cmocka_unit_test_setup_teardown(gauges_show_the_state, setup, teardown),
        cmocka_unit_test(equal_seeds_give_equal_bytes),
        cmocka_unit_test(at_a_thousand_peers_the_widest_lanes_do_four_fifths_of_the_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
