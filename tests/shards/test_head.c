#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "shards/head.h"
#include "tests/shards/helper_chain.h"

#define CHAIN 64

struct world {
    struct mr_relay_options o;
    struct mr_head *h;
    struct chain_block chain[CHAIN], other[CHAIN]; /* two branches from block 0 on */
    struct mr_time now;
};

static int setup(void **state)
{
    static struct world w;

    memset(&w, 0, sizeof w);
    mr_relay_options_tiny(&w.o);
    w.now = (struct mr_time){1000 * MR_SECOND, (CHAIN_TIME + 10000) * MR_SECOND};
    chain_make(w.chain, CHAIN, 1);
    chain_make(w.other, CHAIN, 2);
    w.h = mr_head_new(&w.o, mr_network_find("mainnet"), 40, 0, 1, NULL);
    assert_non_null(w.h);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    mr_head_free(((struct world *)*state)->h);
    return 0;
}

static void join(struct world *w, uint32_t slot, const struct chain_block *claim, bool trusted)
{
    struct mr_endpoint at = {.ip = 0x01000000u + (slot << 16), .port = 1};
    struct mr_head_claim c = {.hash = claim->hash};

    mr_head_peer_add(w->h, slot, at, trusted, &c);
}

/* Answers a question from a branch whose newest block is newest. */
static enum mr_err answer(struct world *w, uint32_t slot, uint64_t id,
                          const struct mr_get_block_headers *q, const struct chain_block *branch,
                          unsigned newest)
{
    uint8_t buf[MR_HEAD_RUN_MAX];
    struct mr_writer out = mr_writer(buf, sizeof buf);

    chain_answer(branch, newest, q, &out);
    return mr_head_answer(w->h, slot, id, mr_reader(buf, out.n), w->now);
}

struct question {
    uint32_t slot;
    uint64_t id;
    struct mr_get_block_headers q;
};

static unsigned questions(struct world *w, struct question *out)
{
    unsigned n = 0;

    while (mr_head_next_request(w->h, &out[n].slot, &out[n].id, &out[n].q, w->now.mono_ns))
        n++;
    return n;
}

static void two_of_three_peers_make_a_head(void **state)
{
    struct world *w = *state;
    struct question q[4];

    join(w, 1, &w->chain[20], false);
    join(w, 2, &w->chain[20], false);
    join(w, 3, &w->other[25], false);
    assert_int_equal(questions(w, q), 3);
    assert_int_equal(answer(w, q[2].slot, q[2].id, &q[2].q, w->other, 25), MR_OK);
    assert_int_equal(answer(w, q[0].slot, q[0].id, &q[0].q, w->chain, 20), MR_OK);
    assert_false(mr_head_known(w->h));
    assert_int_equal(answer(w, q[1].slot, q[1].id, &q[1].q, w->chain, 20), MR_OK);
    assert_true(mr_head_known(w->h));
    assert_int_equal(mr_head_number(w->h), CHAIN_FIRST + 20);
    assert_int_equal(mr_head_changes(w->h), 1);
}

static void one_peer_alone_makes_no_head_unless_it_is_trusted(void **state)
{
    struct world *w = *state;
    struct question q[4];

    join(w, 1, &w->other[9], false);
    assert_int_equal(questions(w, q), 1);
    assert_int_equal(answer(w, 1, q[0].id, &q[0].q, w->other, 9), MR_OK);
    assert_false(mr_head_known(w->h));
    join(w, 2, &w->chain[5], true);
    w->now.mono_ns += 13 * MR_SECOND;
    assert_int_equal(questions(w, q), 2);
    for (unsigned i = 0; i < 2; i++)
        answer(w, q[i].slot, q[i].id, &q[i].q, q[i].slot == 2 ? w->chain : w->other,
               q[i].slot == 2 ? 5 : 9);
    assert_int_equal(mr_head_number(w->h), CHAIN_FIRST + 5);
}

static void a_first_peer_alone_does_not_delay_the_head_of_the_others(void **state)
{
    struct world *w = *state;
    struct question q[4];

    join(w, 1, &w->chain[9], false);
    assert_int_equal(questions(w, q), 1);
    assert_int_equal(answer(w, 1, q[0].id, &q[0].q, w->chain, 9), MR_OK);
    join(w, 2, &w->chain[9], false);
    w->now.mono_ns += MR_SECOND;
    assert_int_equal(questions(w, q), 2);
    for (unsigned i = 0; i < 2; i++)
        answer(w, q[i].slot, q[i].id, &q[i].q, w->chain, 9);
    assert_int_equal(mr_head_number(w->h), CHAIN_FIRST + 9);
}

static void peers_of_one_network_have_one_voice(void **state)
{
    struct world *w = *state;
    struct mr_head_claim c = {.hash = w->other[9].hash};
    struct question q[4];

    for (uint32_t slot = 1; slot < 6; slot++)
        mr_head_peer_add(w->h, slot, (struct mr_endpoint){.ip = 0x05050000u + slot}, false, &c);
    assert_int_equal(questions(w, q), 1);
}

static void bring_up(struct world *w, unsigned at)
{
    struct question q[4];
    unsigned n;

    for (uint32_t slot = 1; slot < 4; slot++)
        join(w, slot, &w->chain[at], false);
    n = questions(w, q);
    for (unsigned i = 0; i < n; i++)
        answer(w, q[i].slot, q[i].id, &q[i].q, w->chain, at);
    assert_int_equal(mr_head_number(w->h), CHAIN_FIRST + at);
}

static void the_head_is_followed_once_a_slot_and_served_from_the_window(void **state)
{
    struct world *w = *state;
    struct mr_get_block_headers ask = {.origin_number = CHAIN_FIRST + 12, .amount = 10};
    struct mr_writer out;
    struct question q[4];
    uint8_t buf[16384];
    size_t count;

    bring_up(w, 10);
    assert_int_equal(questions(w, q), 0);
    w->now.mono_ns += 12 * MR_SECOND;
    assert_int_equal(questions(w, q), 3);
    assert_memory_equal(q[0].q.origin_hash.b, w->chain[6].hash.b, 32); /* some below */
    assert_false(q[0].q.reverse);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(answer(w, q[i].slot, q[i].id, &q[i].q, w->chain, 14), MR_OK);
    assert_int_equal(mr_head_number(w->h), CHAIN_FIRST + 14);
    assert_int_equal(answer(w, q[2].slot, q[2].id, &q[2].q, w->chain, 14), MR_OK);
    assert_int_equal(answer(w, q[2].slot, q[2].id, &q[2].q, w->chain, 14), MR_INVALID);

    out = mr_writer(buf, sizeof buf);
    assert_int_equal(mr_head_serve(w->h, &ask, sizeof buf, &out), MR_OK);
    assert_int_equal(mr_rlp_count(mr_reader(buf, out.n), &count, 100), MR_OK);
    assert_int_equal(count, 3); /* 12, 13, 14 */
    ask = (struct mr_get_block_headers){
        .by_hash = true, .origin_hash = w->chain[14].hash, .amount = 1};
    out.n = 0;
    assert_int_equal(mr_head_serve(w->h, &ask, sizeof buf, &out), MR_OK);
    assert_int_equal(out.n, w->chain[14].n);
    assert_memory_equal(buf, w->chain[14].rlp, out.n);
    ask.origin_hash = w->other[14].hash;
    out.n = 0;
    assert_int_equal(mr_head_serve(w->h, &ask, sizeof buf, &out), MR_OK);
    assert_int_equal(out.n, 0);
    ask = (struct mr_get_block_headers){.origin_number = 0, .amount = 1};
    assert_int_equal(mr_head_serve(w->h, &ask, sizeof buf, &out), MR_OK);
    assert_int_equal(out.n, mr_network_find("mainnet")->genesis_header.n);
}

static void an_answer_is_held_against_what_was_asked(void **state)
{
    struct world *w = *state;
    struct question q[4];

    join(w, 1, &w->chain[9], false);
    assert_int_equal(questions(w, q), 1);
    mr_head_peer_claim(w->h, 1, &(struct mr_head_claim){.hash = w->chain[11].hash});
    assert_int_equal(answer(w, 1, q[0].id, &q[0].q, w->chain, 11), MR_OK);
    w->now.mono_ns += MR_SECOND;
    assert_int_equal(questions(w, q), 1);
    assert_true(mr_hash_equal(&q[0].q.origin_hash, &w->chain[11].hash));
    q[0].q.origin_hash = w->chain[10].hash; /* answers something else */
    assert_int_equal(answer(w, 1, q[0].id, &q[0].q, w->chain, 11), MR_INVALID);
}

static void a_late_answer_is_passed_over_once(void **state)
{
    struct world *w = *state;
    struct question q[4], late[4];

    bring_up(w, 10);
    w->now.mono_ns += 12 * MR_SECOND;
    assert_int_equal(questions(w, late), 3);
    w->now.mono_ns += 12 * MR_SECOND;
    assert_int_equal(questions(w, q), 3);
    assert_int_equal(answer(w, late[2].slot, late[2].id, &late[2].q, w->chain, 12), MR_AGAIN);
    assert_int_equal(answer(w, late[2].slot, late[2].id, &late[2].q, w->chain, 12), MR_INVALID);
    assert_int_equal(mr_head_number(w->h), CHAIN_FIRST + 10);
}

static void a_run_from_shard_0_is_adopted_whatever_its_number(void **state)
{
    struct world *w = *state;
    uint8_t room[MR_HEAD_RUN_MAX];
    struct mr_writer run = mr_writer(room, sizeof room);
    size_t count;

    bring_up(w, 10);
    for (unsigned i = 6; i < 9; i++) /* another block 8 */
        assert_int_equal(mr_rlp_put_raw(&run, w->other[i].rlp, w->other[i].n), MR_OK);
    mr_head_adopt(w->h, mr_writer_span(&run));
    assert_int_equal(mr_head_number(w->h), CHAIN_FIRST + 8);
    assert_true(mr_hash_equal(&mr_head_header(w->h)->hash, &w->other[8].hash));
    run.n = 0;
    mr_head_run(w->h, &run);
    assert_int_equal(mr_rlp_count(mr_reader(room, run.n), &count, 100), MR_OK);
    assert_int_equal(count, 3); /* what does not link to it is forgotten */
    run.n = 0;
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(mr_rlp_put_raw(&run, w->other[i].rlp, w->other[i].n), MR_OK);
    mr_head_adopt(w->h, mr_writer_span(&run));
    run.n = 0;
    assert_int_equal(mr_head_serve(w->h,
                                   &(struct mr_get_block_headers){.origin_number = CHAIN_FIRST + 6,
                                                                  .amount = 64},
                                   sizeof room, &run),
                     MR_OK);
    assert_int_equal(mr_rlp_count(mr_reader(room, run.n), &count, 100), MR_OK);
    assert_int_equal(count, 6);
    count = mr_head_changes(w->h);
    mr_head_adopt(w->h, mr_span(w->other[11].rlp, w->other[11].n)); /* the same again */
    mr_head_adopt(w->h, mr_span("none", 4));
    assert_int_equal(mr_head_changes(w->h), count);
}

static void headers_that_do_not_link_are_a_breach(void **state)
{
    struct world *w = *state;
    struct question q[4];
    uint8_t buf[4096];
    struct mr_writer out = mr_writer(buf, sizeof buf);

    join(w, 1, &w->chain[9], false);
    assert_int_equal(questions(w, q), 1);
    assert_int_equal(mr_rlp_put_raw(&out, w->chain[9].rlp, w->chain[9].n), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&out, w->other[8].rlp, w->other[8].n), MR_OK);
    assert_int_equal(mr_head_answer(w->h, 1, q[0].id + 1, mr_reader(buf, out.n), w->now),
                     MR_INVALID);
    assert_int_equal(mr_head_answer(w->h, 1, q[0].id, mr_reader(buf, out.n), w->now), MR_INVALID);
}

static void status_claims_what_is_held(void **state)
{
    struct world *w = *state;
    struct mr_eth_status s;

    mr_head_status(w->h, &s, 69, 1790000000);
    assert_int_equal(s.latest, 0);
    assert_memory_equal(s.latest_hash.b, s.genesis.b, 32);
    assert_int_equal(s.fork_id.hash, 0x07c9462e); /* mainnet after BPO2, by the wall clock */
    bring_up(w, 30);
    mr_head_status(w->h, &s, 69, 1790000000);
    assert_int_equal(s.earliest, CHAIN_FIRST + 30);
    assert_int_equal(s.latest, CHAIN_FIRST + 30);
    assert_memory_equal(s.latest_hash.b, w->chain[30].hash.b, 32);
}

static void a_silent_round_ends_and_a_leaving_peer_is_no_voice(void **state)
{
    struct world *w = *state;
    struct question q[4];

    bring_up(w, 3);
    w->now.mono_ns += 12 * MR_SECOND;
    assert_int_equal(questions(w, q), 3);
    mr_head_peer_remove(w->h, q[0].slot, w->now.mono_ns);
    w->now.mono_ns += 6 * MR_SECOND;
    assert_int_equal(questions(w, q + 3), 0);
    w->now.mono_ns += 7 * MR_SECOND;
    assert_int_equal(questions(w, q), 2);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(two_of_three_peers_make_a_head),
        CASE(one_peer_alone_makes_no_head_unless_it_is_trusted),
        CASE(a_first_peer_alone_does_not_delay_the_head_of_the_others),
        CASE(peers_of_one_network_have_one_voice),
        CASE(the_head_is_followed_once_a_slot_and_served_from_the_window),
        CASE(an_answer_is_held_against_what_was_asked),
        CASE(a_late_answer_is_passed_over_once),
        CASE(a_run_from_shard_0_is_adopted_whatever_its_number),
        CASE(headers_that_do_not_link_are_a_breach),
        CASE(status_claims_what_is_held),
        CASE(a_silent_round_ends_and_a_leaving_peer_is_no_voice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
