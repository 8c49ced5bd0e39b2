/* GetBlockHeaders from the window (E-02), and what peers are told of the head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

#define FIRST  25000000u
#define BLOCKS 260

struct block {
    uint8_t rlp[700];
    size_t n;
    struct mr_hash hash;
};
static struct block chain[BLOCKS];

/* A post-merge header with the fields of London. */
static void block_make(struct block *b, const struct mr_hash *parent, uint64_t number)
{
    struct mr_writer w = mr_writer(b->rlp, sizeof b->rlp);
    uint8_t zeros[256] = {0};
    size_t mark = mr_rlp_open(&w);

    assert_int_equal(mr_rlp_put_bytes(&w, parent->b, 32), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, zeros, 32), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, zeros, 20), MR_OK);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(mr_rlp_put_bytes(&w, zeros, 32), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, zeros, 256), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, 0), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, number), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, 30000000), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, 15000000), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, 1789990000 + (number - FIRST)), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, zeros, 32), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, zeros, 32), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, zeros, 8), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, 1000000007), MR_OK);
    assert_int_equal(mr_rlp_close(&w, mark), MR_OK);
    b->n = w.n;
    mr_keccak256(&b->hash, b->rlp, b->n);
}

/* Another shard has found this head. */
static void head_is(struct stage *st, const struct block *b)
{
    struct mr_mail mail = {.kind = MR_MAIL_HEAD};

    mail.buf = mr_buf_get(&st->shards[1]->pool, b->n);
    assert_non_null(mail.buf);
    memcpy(mail.buf->data, b->rlp, b->n);
    stage_mail(st, 1, MR_MAIL_HINT, &mail);
    stage_settle(st);
}

static int setup(void **state)
{
    static struct stage st;
    struct stage_options o;
    struct mr_hash parent = {{9}};

    stage_options_default(&o);
    o.shards = 2;
    o.relay.head_poll_ns = 3600 * MR_SECOND;
    stage_init(&st, &o);
    for (unsigned i = 0; i < BLOCKS; i++) {
        block_make(&chain[i], &parent, FIRST + i);
        parent = chain[i].hash;
    }
    *state = &st;
    return 0;
}

static int teardown(void **state)
{
    stage_close(*state);
    return 0;
}

static void ask(struct actor *a, uint64_t id, const struct mr_get_block_headers *q)
{
    uint8_t room[128];
    struct mr_writer w = mr_writer(room, sizeof room);

    assert_int_equal(mr_get_block_headers_encode(&w, id, q), MR_OK);
    actor_send_eth(a, MR_ETH_GET_BLOCK_HEADERS, mr_writer_span(&w));
    stage_settle(a->stage);
}

/* The numbers in the newest answer. */
static size_t numbers(const struct actor *a, uint64_t want_id, uint64_t *out, size_t max)
{
    uint32_t count = actor_heard_count(a, true, MR_ETH_BLOCK_HEADERS);
    struct mr_eth_items items;
    struct mr_header h;
    size_t n = 0;

    assert_true(count > 0);
    assert_int_equal(
        mr_response_decode(&items,
                           actor_payload(a, actor_heard(a, true, MR_ETH_BLOCK_HEADERS, count - 1)),
                           SIZE_MAX),
        MR_OK);
    assert_true(items.request_id == want_id);
    for (; !mr_reader_done(&items.items); n++) {
        assert_int_equal(mr_header_read(&items.items, &h), MR_OK);
        if (n < max)
            out[n] = h.number;
    }
    return n;
}

static void without_a_head_the_genesis_header_is_all_there_is(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    uint64_t n[2];

    ask(a, 1,
        &(struct mr_get_block_headers){
            .by_hash = true, .origin_hash = st->net->genesis_hash, .amount = 1});
    assert_int_equal(numbers(a, 1, n, 2), 1);
    assert_int_equal(n[0], 0);
    ask(a, 2, &(struct mr_get_block_headers){.origin_number = 0, .amount = 10});
    assert_int_equal(numbers(a, 2, n, 2), 1);
    ask(a, 3, &(struct mr_get_block_headers){.origin_number = 1, .amount = 10});
    assert_int_equal(numbers(a, 3, n, 2), 0);
    ask(a, 4, &(struct mr_get_block_headers){.by_hash = true, .amount = 1});
    assert_int_equal(numbers(a, 4, n, 2), 0);
    assert_int_equal(stage_count(st)->serve_headers, 4);
}

/* E-02: every combination, with and without a window. */
static void no_arithmetic_of_a_request_goes_wrong(void **state)
{
    struct stage *st = *state;
    static const uint64_t amounts[] = {0, 1, 2, 1024, 1025, UINT64_MAX};
    static const uint64_t skips[] = {0, 1, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};
    struct actor *a = actor_new(st);
    uint64_t id = 1;

    for (unsigned window = 0; window < 2; window++) {
        for (unsigned i = 0; window && i < BLOCKS; i++)
            head_is(st, &chain[i]);
        for (size_t am = 0; am < MR_COUNT_OF(amounts); am++)
            for (size_t sk = 0; sk < MR_COUNT_OF(skips); sk++)
                for (unsigned reverse = 0; reverse < 2; reverse++)
                    for (unsigned origin = 0; origin < 6; origin++) {
                        struct mr_get_block_headers q = {
                            .reverse = reverse, .amount = amounts[am], .skip = skips[sk]};
                        uint64_t got[1100];
                        size_t n;

                        q.by_hash = origin >= 4;
                        q.origin_number = origin == 0   ? 0
                                          : origin == 1 ? FIRST + BLOCKS - 1
                                          : origin == 2 ? FIRST + 10
                                                        : UINT64_MAX;
                        if (origin == 4)
                            q.origin_hash = chain[BLOCKS - 1].hash;
                        else if (origin == 5)
                            memset(q.origin_hash.b, 0xee, 32);
                        ask(a, ++id, &q);
                        n = numbers(a, id, got, 1100);
                        assert_true(n <= MR_MIN(amounts[am], (uint64_t)MR_HEADERS_ANSWER_MAX));
                        for (size_t i = 1; i < n; i++)
                            assert_true(reverse ? got[i - 1] - got[i] == q.skip + 1
                                                : got[i] - got[i - 1] == q.skip + 1);
                        if (n > 0 && !q.by_hash)
                            assert_true(got[0] == q.origin_number);
                        actor_forget(a);
                    }
    }
    assert_true(a->adopted);
}

static void headers_come_from_the_window_up_to_128_kib(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    uint64_t got[300];
    size_t n, bytes = 0;

    for (unsigned i = 0; i < BLOCKS; i++)
        head_is(st, &chain[i]);
    ask(a, 1,
        &(struct mr_get_block_headers){.by_hash = true,
                                       .origin_hash = chain[BLOCKS - 1].hash,
                                       .reverse = true,
                                       .amount = 1024});
    n = numbers(a, 1, got, 300);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i], FIRST + BLOCKS - 1 - i);
        bytes += chain[BLOCKS - 1 - i].n;
    }
    assert_true(n >= 200); /* over 64 KiB: a frame of several slices */
    assert_true(bytes <= st->relay.answer_max);
    ask(a, 2, &(struct mr_get_block_headers){.origin_number = FIRST + 100, .amount = 3, .skip = 9});
    assert_int_equal(numbers(a, 2, got, 300), 3);
    assert_int_equal(got[2], FIRST + 120);
    ask(a, 3, &(struct mr_get_block_headers){.origin_number = FIRST, .amount = 1});
    assert_int_equal(numbers(a, 3, got, 300), 0); /* older than 256 */
}

static void a_status_claims_the_head_and_nothing_below_it(void **state)
{
    struct stage *st = *state;
    struct mr_eth_status s;
    struct actor *a;

    head_is(st, &chain[0]);
    head_is(st, &chain[1]);
    a = actor_join(st, NULL);
    stage_settle(st);
    assert_int_equal(mr_eth_status_decode(&s, MR_ETH_69,
                                          actor_payload(a, actor_heard(a, true, MR_ETH_STATUS, 0))),
                     MR_OK);
    assert_int_equal(s.earliest, FIRST + 1);
    assert_int_equal(s.latest, FIRST + 1);
    assert_true(mr_hash_equal(&s.latest_hash, &chain[1].hash));
}

/* From eth/69 on: once in 32 blocks, and at once when it goes back. */
static void a_head_that_moves_32_blocks_is_told_once(void **state)
{
    struct stage *st = *state;
    struct mr_block_range r;
    struct actor *a, *b;

    head_is(st, &chain[0]);
    a = actor_up(st, &(struct actor_options){.version = MR_ETH_70});
    b = actor_up(st, &(struct actor_options){.version = MR_ETH_68});
    for (unsigned i = 1; i <= 70; i++) {
        head_is(st, &chain[i]);
        stage_run(st, 10);
        assert_int_equal(actor_heard_count(a, true, MR_ETH_BLOCK_RANGE_UPDATE), i / 32);
    }
    assert_int_equal(mr_block_range_decode(
                         &r, actor_payload(a, actor_heard(a, true, MR_ETH_BLOCK_RANGE_UPDATE, 1))),
                     MR_OK);
    assert_int_equal(r.latest, FIRST + 64);
    assert_int_equal(r.earliest, FIRST + 64);
    assert_true(mr_hash_equal(&r.latest_hash, &chain[64].hash));
    assert_int_equal(actor_heard_count(b, true, MR_ETH_BLOCK_RANGE_UPDATE), 0);
}

/* Without a head peers are asked, each by its own claim; two that agree make it ours. */
static void two_peers_that_agree_make_the_head(void **state)
{
    struct stage *st = *state;
    struct actor *a[3];

    for (unsigned i = 0; i < 3; i++) {
        struct mr_eth_status s;

        a[i] = actor_join(st, NULL);
        actor_status_default(a[i], &s);
        s.earliest = s.latest = FIRST + 5;
        s.latest_hash = chain[5].hash;
        actor_send_status(a[i], &s);
    }
    stage_settle(st);
    for (unsigned i = 0; i < 2; i++) {
        struct mr_get_block_headers q;
        struct mr_span headers[6];
        uint8_t room[6000];
        struct mr_writer w = mr_writer(room, sizeof room);
        uint64_t id;

        assert_int_equal(actor_heard_count(a[i], true, MR_ETH_GET_BLOCK_HEADERS), 1);
        assert_int_equal(
            mr_get_block_headers_decode(
                &q, &id, actor_payload(a[i], actor_heard(a[i], true, MR_ETH_GET_BLOCK_HEADERS, 0))),
            MR_OK);
        assert_true(q.by_hash);
        assert_true(q.reverse);
        assert_true(mr_hash_equal(&q.origin_hash, &chain[5].hash));
        for (unsigned k = 0; k < 6; k++)
            headers[k] = mr_span(chain[5 - k].rlp, chain[5 - k].n);
        assert_int_equal(stage_count(st)->head_number, 0);
        assert_int_equal(mr_response_encode(&w, id, headers, 6), MR_OK);
        actor_send_eth(a[i], MR_ETH_BLOCK_HEADERS, mr_writer_span(&w));
        stage_settle(st);
        assert_true(a[i]->adopted);
    }
    assert_int_equal(stage_count(st)->head_number, FIRST + 5);
    assert_int_equal(mr_head_number(st->shards[1]->head), FIRST + 5); /* and tell the others */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_head_the_genesis_header_is_all_there_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_arithmetic_of_a_request_goes_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_come_from_the_window_up_to_128_kib, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_status_claims_the_head_and_nothing_below_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_head_that_moves_32_blocks_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(two_peers_that_agree_make_the_head, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
