/* What a peer can make the shard wait for, or do, without breaking a rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

/* Two reasons to pause it, the second found when it was paused already: its bucket is looked at
 * when it fills, and not at the next deadline of something else. */
static void a_peer_paused_for_two_reasons_is_read_when_both_are_over(void **state)
{
    static struct stage st;
    struct stage_options o;
    struct mr_hash nothing = {{1}};
    struct actor *a;

    (void)state;
    stage_options_default(&o);
    o.relay.peer_bytes_per_s = 20000;
    o.relay.peer_bytes_burst = 4000;
    stage_init(&st, &o);
    a = actor_new(&st);
    a->deaf = true;
    for (uint64_t i = 0; i < 9; i++) /* four leave, four wait: it is not read */
        actor_ask(a, i, &nothing, 1);
    stage_settle(&st);
    assert_true(actor_peer(a)->paused);
    assert_int_equal(actor_peer(a)->resume_ns, 0);
    a->late_data = true;
    for (unsigned i = 0; i < 300; i++)
        actor_ask(a, 100 + i, &nothing, 1);
    stage_turn(&st);
    assert_true(actor_peer(a)->resume_ns > 0);
    a->deaf = a->late_data = false;
    stage_run(&st, 3000);
    assert_int_equal(a->closed_why, -1);
    assert_int_equal(actor_heard_count(a, true, MR_ETH_POOLED_TRANSACTIONS), 309);
    stage_close(&st);
}

/* Pieces behind a frame that waits are gathered: each piece must not cost a copy of all of them. */
static void hundreds_of_pieces_in_a_turn_cost_a_few_blocks(void **state)
{
    static struct stage st;
    struct actor *a;
    uint64_t gets;

    (void)state;
    stage_init(&st, NULL);
    a = actor_new(&st);
    a->chunk = 1000;
    a->bursts = 1000;
    for (unsigned i = 0; i < 400; i++) { /* 1 KB each */
        struct mr_hash hashes[30];

        mr_random_fill(&st.random, hashes, sizeof hashes);

        actor_ask(a, i, hashes, 30);
    }
    gets = st.shards[0]->pool.gets;
    stage_turn(&st);
    assert_int_equal(a->closed_why, -1);
    assert_true(stage_count(&st)->bytes_in > 390000);
    assert_true(st.shards[0]->pool.gets - gets < 40);
    stage_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_paused_for_two_reasons_is_read_when_both_are_over),
        cmocka_unit_test(hundreds_of_pieces_in_a_turn_cost_a_few_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
