/* Shards and their head: found by peers of all of them, told to all, and to peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_chain.h"
#include "tests/shards/helper_shard.h"

#define CHAIN  64
#define FORK   30 /* other is chain up to here */
#define SHARDS 3

static struct chain_block chain[CHAIN], other[CHAIN];
static struct stage stage;

static int setup(void **state)
{
    struct stage_options o;

    chain_make(chain, CHAIN, 1);
    chain_make(other, CHAIN, 1);
    chain_grow(other, FORK + 1, CHAIN, 2);
    stage_options_default(&o);
    o.shards = SHARDS;
    stage_init(&stage, &o);
    *state = &stage;
    return 0;
}

static int teardown(void **state)
{
    stage_close(*state);
    return 0;
}

static struct actor *join(struct stage *st, unsigned shard, unsigned newest)
{
    struct actor *a = actor_join(st, &(struct actor_options){.shard = shard});
    struct mr_eth_status s;

    actor_status_default(a, &s);
    s.earliest = 0;
    s.latest = chain[newest].number;
    s.latest_hash = chain[newest].hash;
    actor_send_status(a, &s);
    stage_settle(st);
    return a;
}

/* Answers what a was asked since the last call. */
static bool answer(struct actor *a, const struct chain_block *of, unsigned newest)
{
    uint32_t n = actor_heard_count(a, true, MR_ETH_GET_BLOCK_HEADERS);

    for (uint32_t i = 0; i < n; i++) {
        uint8_t headers[MR_HEAD_RUN_MAX], room[MR_HEAD_RUN_MAX + 64];
        struct mr_writer w = mr_writer(room, sizeof room), h = mr_writer(headers, sizeof headers);
        struct mr_get_block_headers q;
        uint64_t id;

        assert_int_equal(
            mr_get_block_headers_decode(
                &q, &id, actor_payload(a, actor_heard(a, true, MR_ETH_GET_BLOCK_HEADERS, i))),
            MR_OK);
        chain_answer(of, newest, &q, &h);
        assert_int_equal(mr_response_put_head(&w, id, h.n), MR_OK);
        assert_int_equal(mr_rlp_put_raw(&w, headers, h.n), MR_OK);
        actor_send_eth(a, MR_ETH_BLOCK_HEADERS, mr_writer_span(&w));
    }
    if (n > 0)
        actor_forget(a);
    return n > 0;
}

static void play(struct stage *st, struct actor **a, const struct chain_block *of, unsigned newest,
                 unsigned seconds)
{
    for (unsigned i = 0; i <= seconds; i++) {
        for (bool asked = true; asked;) {
            asked = false;
            for (unsigned k = 0; k < SHARDS; k++)
                asked |= answer(a[k], of, newest);
            stage_settle(st);
        }
        if (i < seconds)
            stage_run(st, 1000);
    }
}

static void heads_must_be(const struct stage *st, const struct chain_block *b)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        const struct mr_header *h = mr_head_header(st->shards[i]->head);

        assert_non_null(h);
        assert_true(mr_hash_equal(&h->hash, &b->hash));
        assert_int_equal(st->shards[i]->metrics.head_number, b->number);
    }
}

static void peers_of_three_shards_make_one_head(void **state)
{
    struct stage *st = *state;
    struct actor *a[SHARDS];

    for (unsigned i = 0; i < SHARDS; i++)
        a[i] = join(st, i, 20);
    play(st, a, chain, 20, 2);
    heads_must_be(st, &chain[20]);
    play(st, a, chain, 40, 13);
    heads_must_be(st, &chain[40]);
    for (unsigned i = 0; i < SHARDS; i++)
        assert_true(a[i]->adopted);
}

static void shards_agree_after_a_reorganisation_to_the_same_number(void **state)
{
    struct stage *st = *state;
    struct actor *a[SHARDS];

    for (unsigned i = 0; i < SHARDS; i++)
        a[i] = join(st, i, FORK + 2);
    play(st, a, chain, FORK + 2, 2);
    heads_must_be(st, &chain[FORK + 2]);
    play(st, a, other, FORK + 2, 13);
    heads_must_be(st, &other[FORK + 2]);
    play(st, a, chain, FORK + 1, 13); /* and to a lower one */
    heads_must_be(st, &chain[FORK + 1]);
}

/* Hints may be lost: then the head is told again. */
static void a_shard_whose_mail_is_full_is_told_of_the_head_later(void **state)
{
    struct stage *st = *state;
    struct actor *a[SHARDS];
    struct mr_mail filler = {.kind = MR_MAIL_REFUSED};
    bool wake;

    for (unsigned i = 0; i < SHARDS; i++)
        a[i] = join(st, 0, 20);
    st->asleep[2] = true;
    while (mr_mail_send(st->mesh, 0, 2, MR_MAIL_HINT, &filler, &wake))
        ;
    play(st, a, chain, 20, 2);
    assert_true(mr_head_known(st->shards[1]->head));
    assert_false(mr_head_known(st->shards[2]->head));
    assert_true(stage_count(st)->head_mail_lost > 0);
    st->asleep[2] = false;
    stage_run(st, 1000);
    heads_must_be(st, &chain[20]);
}

static struct mr_buf *run_of(struct stage *st, const struct chain_block *b)
{
    struct mr_buf *buf = mr_buf_get(&st->shards[1]->pool, b->n);

    assert_non_null(buf);
    memcpy(buf->data, b->rlp, b->n);
    return buf;
}

static void a_head_from_another_shard_is_told_to_peers(void **state)
{
    struct stage *st = *state;
    struct mr_mail mail = {.kind = MR_MAIL_HEAD};
    struct mr_block_range range;
    struct actor *a = actor_new(st);

    mail.buf = run_of(st, &chain[10]);
    stage_mail(st, 1, MR_MAIL_HINT, &mail);
    stage_settle(st);
    assert_int_equal(stage_count(st)->head_number, chain[10].number);
    assert_int_equal(actor_heard_count(a, true, MR_ETH_BLOCK_RANGE_UPDATE), 1);
    assert_int_equal(
        mr_block_range_decode(&range,
                              actor_payload(a, actor_heard(a, true, MR_ETH_BLOCK_RANGE_UPDATE, 0))),
        MR_OK);
    assert_int_equal(range.latest, chain[10].number);
    mail.buf = run_of(st, &chain[11]);
    stage_mail(st, 1, MR_MAIL_HINT, &mail);
    stage_settle(st);
    assert_int_equal(stage_count(st)->head_number, chain[11].number);
    assert_int_equal(actor_heard_count(a, true, MR_ETH_BLOCK_RANGE_UPDATE), 1); /* every 32 */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(peers_of_three_shards_make_one_head),
        CASE(shards_agree_after_a_reorganisation_to_the_same_number),
        CASE(a_shard_whose_mail_is_full_is_told_of_the_head_later),
        CASE(a_head_from_another_shard_is_told_to_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
