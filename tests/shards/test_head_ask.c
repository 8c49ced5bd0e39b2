/* What a shard asks of its peers for shard 0, and what their answers are worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_heads.h"

#define CHAIN 64

static struct chain_block chain[CHAIN], other[CHAIN];
static struct heads world;

static int setup(void **state)
{
    chain_make(chain, CHAIN, 1);
    chain_make(other, CHAIN, 2);
    heads_init(&world, 2);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    heads_free(*state);
    return 0;
}

/* Shard 1, asked by a shard 0 that we play. */
static void ask(struct heads *w, uint32_t round, uint8_t place, bool trusted, bool fresh)
{
    mr_head_take_ask(w->h[1],
                     &(struct mr_head_ask){.round = round,
                                           .place = place,
                                           .trusted = trusted,
                                           .fresh = fresh,
                                           .origin = chain[10].hash},
                     w->now.mono_ns);
}

static struct heads_peer *asked(struct heads *w, uint64_t *id)
{
    struct mr_get_block_headers q;
    uint32_t slot;

    if (!mr_head_next_request(w->h[1], &slot, id, &q, w->now.mono_ns))
        return NULL;
    w->peers[slot].query = q;
    return &w->peers[slot];
}

static enum mr_err answer(struct heads *w, const struct heads_peer *p, uint64_t id,
                          const struct chain_block *const *blocks, size_t n)
{
    uint8_t room[2 * MR_HEAD_RUN_MAX];
    struct mr_writer out = mr_writer(room, sizeof room);

    for (size_t i = 0; i < n; i++)
        assert_int_equal(mr_rlp_put_raw(&out, blocks[i]->rlp, blocks[i]->n), MR_OK);
    w->mail_count = 0;
    return mr_head_answer(w->h[1], p->slot, id, mr_reader(room, out.n), w->now);
}

static const struct mr_head_voice *voice(const struct heads *w)
{
    assert_int_equal(w->mail_count, 1);
    assert_false(w->mail[0].is_ask);
    return &w->mail[0].voice;
}

static void peers_of_the_kind_that_is_asked_for_take_turns(void **state)
{
    struct heads *w = *state;
    unsigned times[6] = {0};
    uint64_t id;

    for (unsigned i = 0; i < 6; i++)
        heads_join(w, 1, i >= 4, chain, 20);
    for (uint32_t round = 1; round <= 8; round++) {
        struct heads_peer *p;

        ask(w, round, 0, false, false);
        ask(w, round, 1, true, false);
        while ((p = asked(w, &id)))
            times[p->slot]++;
    }
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(times[i], i >= 4 ? 4 : 2);
}

static void a_voice_tells_place_and_network_and_carries_the_headers(void **state)
{
    struct heads *w = *state;
    const struct chain_block *const blocks[] = {&chain[10], &chain[11]};
    uint64_t id;
    struct heads_peer *p;

    heads_join(w, 1, false, chain, 20);
    ask(w, 7, 2, false, false);
    p = asked(w, &id);
    assert_false(p->query.reverse);
    assert_true(mr_hash_equal(&p->query.origin_hash, &chain[10].hash));
    assert_int_equal(answer(w, p, id, blocks, 2), MR_OK);
    assert_int_equal(voice(w)->word, MR_HEAD_SPOKE);
    assert_int_equal(voice(w)->round, 7);
    assert_int_equal(voice(w)->place, 2);
    assert_int_equal(voice(w)->net16, 0x0b00);
    assert_false(voice(w)->local);
    assert_int_equal(voice(w)->headers.n, chain[10].n + chain[11].n);
}

static void who_cannot_answer_is_reported_at_once(void **state)
{
    struct heads *w = *state;
    uint64_t id;
    struct heads_peer *p = heads_join(w, 1, false, chain, 20);

    ask(w, 1, 0, true, false); /* there is none */
    assert_int_equal(voice(w)->word, MR_HEAD_FAILED);
    w->mail_count = 0;
    ask(w, 1, 1, false, false);
    assert_ptr_equal(asked(w, &id), p);
    assert_int_equal(answer(w, p, id, NULL, 0), MR_OK);
    assert_int_equal(voice(w)->word, MR_HEAD_UNKNOWN);
    w->mail_count = 0;
    ask(w, 2, 0, false, false);
    assert_ptr_equal(asked(w, &id), p);
    heads_leave(w, p);
    assert_int_equal(voice(w)->word, MR_HEAD_FAILED);
}

static void what_was_not_asked_for_is_a_breach(void **state)
{
    struct heads *w = *state;
    const struct chain_block *rows[][3] = {
        {&chain[11]},                         /* not the block that was named */
        {&chain[10], &chain[12]},             /* a gap */
        {&chain[10], &other[11]},             /* another branch */
        {&chain[10], &chain[9]},              /* the wrong way */
        {&chain[10], &chain[11], &chain[11]}, /* twice */
    };
    const struct chain_block *many[MR_HEAD_BATCH + 1];
    struct heads_peer *p = heads_join(w, 1, false, chain, 20);
    uint64_t id;

    for (uint32_t i = 0; i < MR_COUNT_OF(rows); i++) {
        ask(w, i + 1, 0, false, false);
        assert_ptr_equal(asked(w, &id), p);
        assert_int_equal(answer(w, p, id, rows[i],
                                rows[i][2]   ? 3
                                : rows[i][1] ? 2
                                             : 1),
                         MR_INVALID);
        assert_int_equal(voice(w)->word, MR_HEAD_FAILED);
        assert_int_equal(answer(w, p, id, rows[i], 1), MR_INVALID); /* nor twice */
    }
    for (unsigned i = 0; i < MR_COUNT_OF(many); i++)
        many[i] = &chain[10 + i];
    ask(w, 99, 0, false, false);
    assert_ptr_equal(asked(w, &id), p);
    assert_int_equal(answer(w, p, id, many, MR_COUNT_OF(many)), MR_INVALID);
}

/* ---- what a header and its parent tell ---- */

enum field { TIME, GAS_LIMIT, BASE_FEE, NO_BASE_FEE, FIELDS };

/* chain[12] with one field that is wrong; below it all is well. */
static struct chain_block spoilt(enum field f)
{
    struct chain_block b = chain[12];

    switch (f) {
    case TIME:
        b.time = chain[11].time;
        break;
    case GAS_LIMIT:
        b.gas_limit = 21000;
        b.gas_used = 0;
        break;
    case BASE_FEE:
        b.base_fee--;
        break;
    case NO_BASE_FEE:
        b.has_base_fee = false;
        break;
    case FIELDS:
        break;
    }
    chain_seal(&b);
    return b;
}

/* geth drops a peer whose headers break the rules of consensus. */
static void a_child_that_breaks_a_rule_is_a_breach_in_both_orders(void **state)
{
    struct heads *w = *state;
    struct heads_peer *p = heads_join(w, 1, false, chain, 20);
    uint32_t round = 0;
    uint64_t id;

    for (enum field f = 0; f < FIELDS; f++) {
        const struct chain_block bad = spoilt(f);
        const struct chain_block *const up[] = {&chain[10], &chain[11], &bad};
        const struct chain_block *const down[] = {&bad, &chain[11], &chain[10]};

        ask(w, ++round, 0, false, false);
        assert_ptr_equal(asked(w, &id), p);
        assert_int_equal(answer(w, p, id, up, 3), MR_INVALID);
        assert_int_equal(voice(w)->word, MR_HEAD_FAILED);
        mr_head_peer_claim(w->h[1], p->slot,
                           &(struct mr_head_claim){.number = bad.number, .hash = bad.hash});
        ask(w, ++round, 0, false, true);
        assert_ptr_equal(asked(w, &id), p);
        assert_true(p->query.reverse);
        assert_int_equal(answer(w, p, id, down, 3), MR_INVALID);
        assert_int_equal(voice(w)->word, MR_HEAD_FAILED);
    }
}

/* The child of a block that we hold comes behind that block, which is what was asked for. */
static void two_strangers_cannot_give_our_head_a_child_against_the_rules(void **state)
{
    struct heads *w = *state;
    struct heads_peer *p[2];

    for (unsigned i = 0; i < 2; i++)
        p[i] = heads_join(w, i, false, chain, 11);
    heads_pass(w, 2);
    assert_true(heads_are(w, &chain[11]));
    for (enum field f = 0; f < FIELDS; f++) {
        static struct chain_block lie[CHAIN];

        memcpy(lie, chain, sizeof lie);
        lie[12] = spoilt(f);
        for (unsigned i = 0; i < 2; i++) {
            p[i]->chain = lie;
            p[i]->newest = 12;
            p[i]->told = MR_OK;
        }
        heads_pass(w, 13);
        assert_true(heads_are(w, &chain[11]));
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(p[i]->told, MR_INVALID);
    }
    for (unsigned i = 0; i < 2; i++)
        p[i]->chain = chain;
    heads_pass(w, 13);
    assert_true(heads_are(w, &chain[12]));
}

static size_t bytes_of(const struct chain_block *of, unsigned from, unsigned to)
{
    size_t n = 0;

    for (unsigned i = from; i <= to; i++)
        n += of[i].n;
    return n;
}

/* 15 s ahead may be a clock; more is left out, and nobody's fault: the clock may be ours. */
static void headers_ahead_of_the_clock_are_left_out(void **state)
{
    struct heads *w = *state;
    const struct chain_block *const up[] = {&chain[10], &chain[11], &chain[12]};
    const struct chain_block *const down[] = {&chain[12], &chain[11], &chain[10]};
    struct heads_peer *p = heads_join(w, 1, true, chain, 12);
    uint64_t id;

    for (unsigned late = 0; late < 2; late++) {
        w->now.wall_ns = (chain[12].time - MR_HEAD_AHEAD_S - late) * MR_SECOND;
        ask(w, 2 * late + 1, 0, true, false);
        assert_ptr_equal(asked(w, &id), p);
        assert_int_equal(answer(w, p, id, up, 3), MR_OK);
        assert_int_equal(voice(w)->word, MR_HEAD_SPOKE);
        assert_int_equal(voice(w)->headers.n, bytes_of(chain, 10, late ? 11 : 12));
        assert_memory_equal(voice(w)->headers.p, chain[10].rlp, chain[10].n);
        ask(w, 2 * late + 2, 0, true, true);
        assert_ptr_equal(asked(w, &id), p);
        assert_int_equal(answer(w, p, id, down, 3), MR_OK);
        assert_int_equal(voice(w)->headers.n, bytes_of(chain, 10, late ? 11 : 12));
        assert_memory_equal(voice(w)->headers.p, chain[late ? 11 : 12].rlp, chain[11].n);
    }
    w->now.wall_ns = (chain[10].time - MR_HEAD_AHEAD_S - 1) * MR_SECOND;
    ask(w, 9, 0, true, true);
    assert_ptr_equal(asked(w, &id), p);
    assert_int_equal(answer(w, p, id, down, 3), MR_OK);
    assert_int_equal(voice(w)->word, MR_HEAD_FAILED);
    assert_int_equal(mr_head_own_voices(w->h[1]).trusted, 1); /* it is not to blame */
    assert_int_equal(mr_head_count(w->h[1])->headers_ahead, 1 + 1 + 3);
}

/* Classic: no base fee to this day. */
static void a_chain_without_base_fees_is_followed_by_its_gas_limit(void **state)
{
    static struct chain_block classic[CHAIN];
    struct heads *w = *state;
    struct heads_peer *p[2];

    for (unsigned i = 0; i < CHAIN; i++) {
        classic[i] = chain[i];
        classic[i].has_base_fee = false;
        if (i > 0)
            classic[i].parent = classic[i - 1].hash;
        chain_seal(&classic[i]);
    }
    for (unsigned i = 0; i < 2; i++)
        p[i] = heads_join(w, i, false, classic, 20);
    heads_pass(w, 2);
    assert_true(heads_are(w, &classic[20]));
    classic[21].gas_limit += classic[20].gas_limit / 1024;
    chain_seal(&classic[21]);
    for (unsigned i = 0; i < 2; i++)
        p[i]->newest = 21;
    heads_pass(w, 13);
    assert_true(heads_are(w, &classic[20]));
    assert_int_equal(p[0]->told, MR_INVALID);
    classic[21].gas_limit--;
    chain_seal(&classic[21]);
    heads_pass(w, 13);
    assert_true(heads_are(w, &classic[21]));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(peers_of_the_kind_that_is_asked_for_take_turns),
        CASE(a_voice_tells_place_and_network_and_carries_the_headers),
        CASE(who_cannot_answer_is_reported_at_once),
        CASE(what_was_not_asked_for_is_a_breach),
        CASE(a_child_that_breaks_a_rule_is_a_breach_in_both_orders),
        CASE(two_strangers_cannot_give_our_head_a_child_against_the_rules),
        CASE(headers_ahead_of_the_clock_are_left_out),
        CASE(a_chain_without_base_fees_is_followed_by_its_gas_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
