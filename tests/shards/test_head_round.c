/* Rounds of shard 0: whose word makes the head, with peers on one shard and on many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_heads.h"

#define CHAIN 64
#define FORK  30 /* other is chain up to here */

static struct chain_block chain[CHAIN], other[CHAIN];
static struct heads world;

static struct heads *begin(unsigned shards)
{
    chain_make(chain, CHAIN, 1);
    chain_make(other, CHAIN, 1);
    chain_grow(other, FORK + 1, CHAIN, 2);
    heads_init(&world, shards);
    return &world;
}

static void head_must_be(const struct heads *w, const struct chain_block *b)
{
    if (!heads_are(w, b))
        fail_msg("wanted %u, shard 0 has %u", (unsigned)(b->number - CHAIN_FIRST),
                 (unsigned)(mr_head_number(w->h[0]) - CHAIN_FIRST));
}

static void all_have(struct heads *w, const struct chain_block *of, unsigned newest)
{
    for (unsigned i = 0; i < w->peers_count; i++) {
        w->peers[i].chain = of;
        w->peers[i].newest = newest;
    }
}

/* ---- many shards ---- */

static void three_peers_find_the_head(unsigned shards, bool one_each)
{
    struct heads *w = begin(shards);

    for (unsigned i = 0; i < 3; i++) {
        heads_join(w, one_each ? i * (shards - 1) / 2 : shards - 1, false, chain, 20);
        heads_play(w);
    }
    head_must_be(w, &chain[20]);
    all_have(w, chain, 40);
    heads_pass(w, 13); /* 20 blocks, in runs */
    head_must_be(w, &chain[40]);
    heads_free(w);
}

static void three_peers_on_three_shards_find_the_head(void **state)
{
    (void)state;
    three_peers_find_the_head(3, true);
}

static void three_peers_on_sixteen_shards_find_the_head(void **state)
{
    (void)state;
    three_peers_find_the_head(16, true);
    three_peers_find_the_head(16, false);
}

static void one_peer_on_each_of_many_shards_is_no_majority_of_its_own(void **state)
{
    struct heads *w = begin(16);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        heads_join(w, i, false, i == 0 ? other : chain, i == 0 ? 40 : 20);
    heads_play(w);
    head_must_be(w, &chain[20]);
    heads_free(w);
}

static void a_round_asks_three_peers_however_many_shards(void **state)
{
    struct heads *w = begin(16);
    unsigned asked = 0;

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        heads_join(w, i % 16, false, chain, 20);
    heads_play(w);
    for (unsigned i = 0; i < 20; i++)
        asked += w->peers[i].asked;
    assert_int_equal(asked, 3);
    heads_pass(w, 12 * 7); /* and others the next time */
    for (unsigned i = 0; i < 20; i++)
        assert_true(w->peers[i].asked >= 1);
    heads_free(w);
}

static void peers_of_one_network_have_one_voice_on_several_shards(void **state)
{
    struct heads *w = begin(3);
    struct mr_head_claim c = {.number = other[50].number, .hash = other[50].hash};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        w->peers[i] = (struct heads_peer){.shard = i, .slot = i, .chain = other, .newest = 50};
        mr_head_peer_add(w->h[i], i, (struct mr_endpoint){.ip = 0x05050000u + i}, false, &c);
    }
    w->peers_count = 3;
    heads_pass(w, 60);
    for (unsigned i = 0; i < 3; i++)
        assert_true(w->peers[i].asked > 0);
    assert_false(mr_head_known(w->h[0]));
    assert_int_equal(mr_head_count(w->h[0])->voices_ignored, 2 * mr_head_count(w->h[0])->rounds);
    heads_free(w);
}

static void lost_mail_delays_the_head_and_no_more(void **state)
{
    struct heads *w = begin(16);

    (void)state;
    w->lose_every = 3;
    for (unsigned i = 0; i < 6; i++)
        heads_join(w, 1 + 2 * i, false, chain, 20);
    heads_pass(w, 60);
    head_must_be(w, &chain[20]);
    for (unsigned at = 21; at < 27; at++) {
        all_have(w, chain, at);
        heads_pass(w, 40);
        head_must_be(w, &chain[at]);
    }
    heads_free(w);
}

/* ---- reorganisations ---- */

static void a_reorganisation_reaches_all_shards(void **state)
{
    static const int newest[] = {FORK + 2, FORK + 1, FORK + 4}; /* equal, lower, higher */

    (void)state;
    for (unsigned i = 0; i < MR_COUNT_OF(newest); i++) {
        struct heads *w = begin(3);

        for (unsigned k = 0; k < 3; k++)
            heads_join(w, k, false, chain, FORK + 2);
        heads_play(w);
        head_must_be(w, &chain[FORK + 2]);
        all_have(w, other, (unsigned)newest[i]);
        heads_pass(w, 12);
        head_must_be(w, &other[newest[i]]);
        heads_free(w);
    }
}

static void a_long_reorganisation_is_found_by_what_peers_claim(void **state)
{
    struct heads *w = begin(3);
    uint64_t stale;

    (void)state;
    for (unsigned k = 0; k < 3; k++)
        heads_join(w, k, false, chain, FORK + 10);
    heads_play(w);
    all_have(w, other, FORK + 12);
    for (unsigned k = 0; k < 3; k++)
        heads_claim(w, &w->peers[k], 0);
    stale = mr_head_count(w->h[0])->rounds_stale;
    heads_pass(w, 12 * 6);
    head_must_be(w, &other[FORK + 12]);
    assert_int_equal(mr_head_count(w->h[0])->rounds_stale, stale + 5); /* nobody knew our head */
    heads_free(w);
}

static void one_peer_on_another_branch_changes_nothing(void **state)
{
    struct heads *w = begin(3);

    (void)state;
    for (unsigned k = 0; k < 3; k++)
        heads_join(w, k, false, chain, FORK + 2);
    heads_play(w);
    w->peers[1].chain = other;
    w->peers[1].newest = FORK + 5;
    heads_pass(w, 120);
    head_must_be(w, &chain[FORK + 2]);
    heads_free(w);
}

/* Nobody has anything new: that is no reason to look for another head, nor to tell of one. */
static void a_chain_that_stands_still_keeps_its_head(void **state)
{
    struct heads *w = begin(3);
    uint64_t changes, stale;

    (void)state;
    for (unsigned k = 0; k < 3; k++)
        heads_join(w, k, false, chain, 20); /* what they claim from then on */
    heads_play(w);
    all_have(w, chain, 28);
    heads_pass(w, 24);
    head_must_be(w, &chain[28]);
    changes = mr_head_changes(w->h[0]);
    stale = mr_head_count(w->h[0])->rounds_stale;
    heads_pass(w, 12 * 20);
    assert_int_equal(mr_head_changes(w->h[0]), changes);
    assert_false(w->peers[0].query.reverse);
    assert_int_equal(mr_head_count(w->h[0])->rounds_stale, stale);
    heads_free(w);
}

/* ---- trusted peers ---- */

static void strangers_do_not_override_a_trusted_peer(void **state)
{
    (void)state;
    for (unsigned shards = 1; shards <= 4; shards += 3)
        for (unsigned place = 0; place < 3; place++) { /* whoever is heard first */
            struct heads *w = begin(shards);

            for (unsigned i = 0; i < 3; i++)
                heads_join(w, i % shards, i == place, i == place ? chain : other,
                           i == place ? FORK + 3 : FORK + 5);
            heads_play(w);
            head_must_be(w, &chain[FORK + 3]);
            heads_pass(w, 12 * 20);
            head_must_be(w, &chain[FORK + 3]);
            heads_free(w);
        }
}

static void a_trusted_peer_is_asked_in_every_round(void **state)
{
    struct heads *w = begin(4);

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        heads_join(w, i % 4, i == 7, chain, 20);
    heads_pass(w, 12 * 10);
    assert_true(w->peers[7].asked >= 10);
    heads_free(w);
}

static void a_trusted_peer_brings_back_a_head_that_strangers_moved(void **state)
{
    struct heads *w = begin(3);
    struct heads_peer *trusted;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        heads_join(w, i, false, other, FORK + 20);
    heads_play(w);
    head_must_be(w, &other[FORK + 20]);
    trusted = heads_join(w, 1, true, chain, FORK + 3); /* it does not know our branch */
    heads_pass(w, 13);
    head_must_be(w, &chain[FORK + 3]);
    trusted->newest = FORK + 4;
    heads_pass(w, 13);
    head_must_be(w, &chain[FORK + 4]);
    heads_free(w);
}

static void a_silent_trusted_peer_delays_the_head_by_its_timeout(void **state)
{
    struct heads *w = begin(3);
    struct heads_peer *trusted;

    (void)state;
    trusted = heads_join(w, 2, true, chain, 20);
    for (unsigned i = 0; i < 3; i++)
        heads_join(w, i, false, chain, 20);
    heads_play(w);
    heads_pass(w, 2); /* the first round after the head */
    head_must_be(w, &chain[20]);
    trusted->silent = true;
    all_have(w, chain, 21);
    heads_pass(w, 11); /* a round begins */
    head_must_be(w, &chain[20]);
    heads_pass(w, 5); /* request_timeout_ns */
    head_must_be(w, &chain[21]);
    all_have(w, chain, 22);
    heads_pass(w, 7); /* the next one */
    head_must_be(w, &chain[21]);
    heads_leave(w, trusted);
    heads_play(w);
    head_must_be(w, &chain[22]); /* at once */
    heads_free(w);
}

static void a_trusted_peer_that_serves_nothing_is_a_stranger(void **state)
{
    struct heads *w = begin(3);
    struct heads_peer *trusted = heads_join(w, 0, true, chain, 10);

    (void)state;
    trusted->ignorant = true;
    for (unsigned i = 0; i < 3; i++)
        heads_join(w, i, false, chain, 20);
    heads_pass(w, 2);
    head_must_be(w, &chain[20]);
    for (unsigned at = 21; at < 25; at++) {
        all_have(w, chain, at);
        heads_pass(w, 12);
        head_must_be(w, &chain[at]);
    }
    heads_free(w);
}

/* Two relays that trust each other, each with the other's word only, would never move. */
static void a_trusted_relay_does_not_override(void **state)
{
    struct heads *w = begin(1);
    struct heads_peer *relay = heads_join(w, 0, true, chain, 20);

    (void)state;
    heads_claim(w, relay, relay->chain[relay->newest].number); /* earliest = latest */
    assert_int_equal(mr_head_own_voices(w->h[0]).trusted, 0);
    heads_join(w, 0, false, chain, 22);
    heads_join(w, 0, false, chain, 22);
    heads_pass(w, 2);
    head_must_be(w, &chain[22]);
    all_have(w, chain, 24);
    relay->newest = 22;
    heads_pass(w, 13);
    head_must_be(w, &chain[24]);
    heads_claim(w, relay, 0); /* it has a chain after all */
    assert_int_equal(mr_head_own_voices(w->h[0]).trusted, 1);
    heads_free(w);
}

static void of_two_trusted_peers_the_first_that_is_ahead_moves_the_head(void **state)
{
    struct heads *w = begin(2);
    struct heads_peer *a, *b;

    (void)state;
    a = heads_join(w, 0, true, chain, 20);
    b = heads_join(w, 1, true, chain, 20);
    heads_play(w);
    a->silent = true;
    b->newest = 23;
    heads_pass(w, 12);
    head_must_be(w, &chain[23]);
    heads_free(w);
}

/* Three trusted peers are behind and do not know the head that the fourth leads to, whose claim is
 * as old: a round that is without it ends there, and two rounds later it leads up again. */
static void trusted_peers_that_disagree_are_not_asked_without_end(void **state)
{
    struct heads *w = begin(1);
    unsigned asked = 0;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        heads_join(w, 0, true, chain, 6);
    w->peers[0].newest = 20;
    heads_pass(w, 12 * 20);
    for (unsigned i = 0; i < 4; i++)
        asked += w->peers[i].asked;
    assert_in_range(asked, 20 * 3, 20 * 3 * 5); /* a way back and up again in each */
    heads_free(w);
}

/* Peers on the two sides of a short fork, of equal height, are in the majority by turns: that moves
 * the head once a round, and brings no round of its own. */
static void peers_on_both_sides_of_a_fork_are_not_asked_without_end(bool trusted)
{
    struct heads *w = begin(1);
    unsigned asked = 0;

    for (unsigned i = 0; i < 4; i++)
        heads_join(w, 0, trusted, i % 2 ? other : chain, FORK + 2);
    heads_pass(w, 12 * 20);
    for (unsigned i = 0; i < 4; i++)
        asked += w->peers[i].asked;
    assert_in_range(asked, 20 * 3, 22 * 3);
    heads_free(w);
}

static void strangers_on_both_sides_of_a_fork_are_not_asked_without_end(void **state)
{
    (void)state;
    peers_on_both_sides_of_a_fork_are_not_asked_without_end(false);
}

static void trusted_peers_on_both_sides_of_a_fork_are_not_asked_without_end(void **state)
{
    (void)state;
    peers_on_both_sides_of_a_fork_are_not_asked_without_end(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_peers_on_three_shards_find_the_head),
        cmocka_unit_test(three_peers_on_sixteen_shards_find_the_head),
        cmocka_unit_test(one_peer_on_each_of_many_shards_is_no_majority_of_its_own),
        cmocka_unit_test(a_round_asks_three_peers_however_many_shards),
        cmocka_unit_test(peers_of_one_network_have_one_voice_on_several_shards),
        cmocka_unit_test(lost_mail_delays_the_head_and_no_more),
        cmocka_unit_test(a_reorganisation_reaches_all_shards),
        cmocka_unit_test(a_long_reorganisation_is_found_by_what_peers_claim),
        cmocka_unit_test(one_peer_on_another_branch_changes_nothing),
        cmocka_unit_test(a_chain_that_stands_still_keeps_its_head),
        cmocka_unit_test(strangers_do_not_override_a_trusted_peer),
        cmocka_unit_test(a_trusted_peer_is_asked_in_every_round),
        cmocka_unit_test(a_trusted_peer_brings_back_a_head_that_strangers_moved),
        cmocka_unit_test(a_silent_trusted_peer_delays_the_head_by_its_timeout),
        cmocka_unit_test(a_trusted_peer_that_serves_nothing_is_a_stranger),
        cmocka_unit_test(a_trusted_relay_does_not_override),
        cmocka_unit_test(of_two_trusted_peers_the_first_that_is_ahead_moves_the_head),
        cmocka_unit_test(trusted_peers_that_disagree_are_not_asked_without_end),
        cmocka_unit_test(strangers_on_both_sides_of_a_fork_are_not_asked_without_end),
        cmocka_unit_test(trusted_peers_on_both_sides_of_a_fork_are_not_asked_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
