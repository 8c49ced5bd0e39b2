#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/eth/message.h"
#include "tests/net/eth/helper_wire.h"

static void request_ids_are_read_without_walking_what_follows(void **state)
{
    static const struct {
        enum mr_err want;
        const char *hex;
        uint64_t id;
    } rows[] = {
        {MR_OK, "c101", 1},
        {MR_OK, "c180", 0},
        {MR_OK, "c988ffffffffffffffff", UINT64_MAX},
        {MR_OK, "c401ffffff", 1}, /* garbage behind the id is nobody's business yet */
        {MR_TOO_BIG, "ca89010101010101010101", 0},
        {MR_MALFORMED, "c100", 0},
        {MR_MALFORMED, "c3820001", 0},
        {MR_MALFORMED, "c1c0", 0},
        {MR_MALFORMED, "c10180", 0}, /* bytes behind the message */
        {MR_MALFORMED, "01", 0},
        {MR_SHORT, "c0", 0},
        {MR_SHORT, "c201", 0},
        {MR_SHORT, "", 0},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_reader body = {0};
        uint64_t id = 99;

        if (mr_eth_request_id(wire_hex(rows[i].hex), &id, &body) != rows[i].want)
            fail_msg("row %zu", i);
        assert_true(id == (rows[i].want == MR_OK ? rows[i].id : 99));
        assert_true((body.p != NULL) == (rows[i].want == MR_OK));
    }
}

/* n hashes, the last of len bytes, with something behind the list. */
static struct mr_span hash_request(size_t n, size_t len, const char *behind)
{
    struct wire b;
    size_t outer, list;

    wire_begin(&b, 64 + 34 * n);
    outer = wire_open(&b);
    wire_u64(&b, 1000);
    list = wire_open(&b);
    for (size_t i = 0; i < n; i++)
        wire_bytes(&b, wire_fill((uint8_t)(i * 7 + 1), 33), i + 1 == n ? len : 32);
    wire_close(&b, list);
    wire_put(&b, behind);
    wire_close(&b, outer);
    return wire_end(&b);
}

static enum mr_err read_hashes(struct mr_span message, void *context)
{
    struct mr_hash_request q;

    (void)context;
    return mr_hash_request_decode(&q, message);
}

static void hash_requests_are_taken_or_refused_by_table(void **state)
{
    static const struct {
        enum mr_err want;
        size_t n, len;
        const char *behind;
    } rows[] = {
        {MR_OK, 0, 32, ""},          {MR_OK, 1, 32, ""},         {MR_OK, 256, 32, ""},
        {MR_OK, 4096, 32, ""},       {MR_TOO_BIG, 4097, 32, ""}, {MR_TOO_BIG, 300000, 32, ""},
        {MR_MALFORMED, 3, 31, ""},   {MR_MALFORMED, 3, 33, ""},  {MR_MALFORMED, 3, 1, ""},
        {MR_MALFORMED, 3, 32, "80"},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_hash_request q, untouched;

        memset(&q, 0xee, sizeof q);
        memset(&untouched, 0xee, sizeof untouched);
        if (mr_hash_request_decode(&q, hash_request(rows[i].n, rows[i].len, rows[i].behind)) !=
            rows[i].want)
            fail_msg("row %zu", i);
        if (rows[i].want != MR_OK) {
            assert_memory_equal(&q, &untouched, sizeof q);
            continue;
        }
        assert_int_equal(q.request_id, 1000);
        assert_int_equal(q.hashes.n, rows[i].n);
        for (size_t h = 0; h < rows[i].n; h++)
            assert_int_equal(mr_items_at(&q.hashes, h)[31], (uint8_t)(h * 7 + 1));
    }
    wire_refuses_all_but(read_hashes, NULL, hash_request(3, 32, ""));
}

static void hash_requests_survive_a_round_trip(void **state)
{
    struct mr_hash hashes[256];

    (void)state;
    for (size_t i = 0; i < 256; i++)
        memset(hashes[i].b, (int)(i * 7 + 1), 32);
    for (size_t n = 0; n <= 256; n += 64) {
        struct mr_span want = hash_request(n, 32, "");
        struct mr_writer w = mr_writer(wire_fill(0, want.n), want.n);

        assert_int_equal(mr_hash_request_encode(&w, 1000, hashes, n), MR_OK);
        assert_int_equal(w.n, want.n);
        assert_memory_equal(w.p, want.p, want.n);
        for (size_t room = 0; room < want.n; room++) {
            struct mr_writer tight = mr_writer(w.p, room);

            assert_int_equal(mr_hash_request_encode(&tight, 1000, hashes, n), MR_FULL);
            assert_int_equal(tight.n, 0);
        }
    }
}

/* n items of one byte. */
static struct mr_span transactions(uint8_t item, size_t n)
{
    struct wire b;
    size_t outer;

    wire_begin(&b, 16 + n);
    outer = wire_open(&b);
    wire_raw(&b, wire_fill(item, n), n);
    wire_close(&b, outer);
    return wire_end(&b);
}

static struct mr_span response(uint8_t item, size_t n)
{
    struct wire b;
    size_t outer, list;

    wire_begin(&b, 32 + n);
    outer = wire_open(&b);
    wire_u64(&b, 5);
    list = wire_open(&b);
    wire_raw(&b, wire_fill(item, n), n);
    wire_close(&b, list);
    wire_close(&b, outer);
    return wire_end(&b);
}

/* F-11, E-04: a view is all that a list of any length costs. */
static void lists_are_counted_and_never_entered(void **state)
{
    static const size_t lengths[] = {0, 1, 4999, 5000, 5001, 100000, (10u << 20) - 16};
    static const uint8_t items[] = {0xc0, 0x80, 0x05};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(lengths); i++) {
        for (size_t k = 0; k < MR_COUNT_OF(items); k++) {
            struct mr_eth_items txs = {.count = 77}, answer = {.count = 77};
            enum mr_err want = lengths[i] <= 5000 ? MR_OK : MR_TOO_BIG;
            struct mr_span item;
            size_t n = 0;

            assert_int_equal(mr_transactions_decode(&txs, transactions(items[k], lengths[i])),
                             want);
            assert_int_equal(mr_response_decode(&answer, response(items[k], lengths[i]), 5000),
                             want);
            assert_int_equal(txs.count, want == MR_OK ? lengths[i] : 77);
            assert_int_equal(answer.count, want == MR_OK ? lengths[i] : 77);
            if (want != MR_OK)
                continue;
            assert_int_equal(answer.request_id, 5);
            for (; mr_eth_items_next(&answer, &item); n++) {
                assert_int_equal(item.n, 1);
                assert_int_equal(*item.p, items[k]);
            }
            assert_int_equal(n, lengths[i]);
        }
    }
}

static void answers_with_one_item_too_many_are_refused(void **state)
{
    struct mr_eth_items answer;

    (void)state;
    for (size_t asked = 0; asked <= 256; asked++) {
        assert_int_equal(mr_response_decode(&answer, response(0xc0, asked), asked), MR_OK);
        assert_int_equal(mr_response_decode(&answer, response(0xc0, asked + 1), asked), MR_TOO_BIG);
    }
}

static enum mr_err read_transactions(struct mr_span message, void *context)
{
    struct mr_eth_items items;

    (void)context;
    return mr_transactions_decode(&items, message);
}

static enum mr_err read_response(struct mr_span message, void *context)
{
    struct mr_eth_items items;

    (void)context;
    return mr_response_decode(&items, message, 16);
}

static void items_survive_a_round_trip(void **state)
{
    struct mr_span raw[3], items[3], item;
    struct mr_writer w = mr_writer(wire_fill(0, 1024), 1024);
    struct mr_writer one = mr_writer(wire_fill(0, 1024), 1024);
    struct mr_eth_items got;

    (void)state;
    raw[0] = wire_hex("c3010203");               /* a list stays as it is */
    raw[1] = mr_span(wire_fill(0x02, 100), 100); /* a typed one becomes a string */
    raw[2] = wire_hex("02");                     /* a string of one byte stands for itself */
    for (size_t i = 0; i < 3; i++) {
        size_t before = one.n;

        assert_int_equal(mr_tx_item_put(&one, raw[i]), MR_OK);
        assert_int_equal(one.n - before, mr_tx_item_len(raw[i]));
        items[i] = mr_span(one.p + before, one.n - before);
    }
    assert_int_equal(items[0].n, 4);
    assert_int_equal(items[1].n, 102);
    assert_int_equal(items[2].n, 1);
    assert_int_equal(mr_transactions_encode(&w, items, 3), MR_OK);
    assert_int_equal(mr_transactions_decode(&got, mr_writer_span(&w)), MR_OK);
    assert_int_equal(got.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(mr_eth_items_next(&got, &item));
        assert_int_equal(item.n, items[i].n);
        assert_memory_equal(item.p, items[i].p, item.n);
    }
    wire_refuses_all_but(read_transactions, NULL, mr_writer_span(&w));
    w.n = 0;
    assert_int_equal(mr_response_encode(&w, UINT64_MAX, items, 3), MR_OK);
    assert_int_equal(mr_response_decode(&got, mr_writer_span(&w), 3), MR_OK);
    assert_true(got.request_id == UINT64_MAX);
    wire_refuses_all_but(read_response, NULL, mr_writer_span(&w));
    for (size_t room = 0; room < w.n; room++) {
        struct mr_writer tight = mr_writer(wire_fill(0, room), room);

        assert_int_equal(mr_response_encode(&tight, UINT64_MAX, items, 3), MR_FULL);
        assert_int_equal(tight.n, 0);
    }
}

static enum mr_err read_range(struct mr_span message, void *context)
{
    struct mr_block_range r;

    (void)context;
    return mr_block_range_decode(&r, message);
}

/* E-20 */
static void ranges_are_taken_or_refused_by_table(void **state)
{
#define HASH  "a02222222222222222222222222222222222222222222222222222222222222222"
#define OTHER "a00000000000000000000000000000000000000000000000000000000000000001"
#define ZERO  "a00000000000000000000000000000000000000000000000000000000000000000"
    static const struct {
        enum mr_err want;
        const char *earliest, *latest, *hash, *behind;
    } rows[] = {
        {MR_OK, "80", "80", HASH, ""},
        {MR_OK, "05", "05", OTHER, ""},
        {MR_OK, "80", "88ffffffffffffffff", HASH, ""}, /* far in the future: the peer stays */
        {MR_INVALID, "06", "05", HASH, ""},
        {MR_INVALID, "88ffffffffffffffff", "88fffffffffffffffe", HASH, ""},
        {MR_INVALID, "80", "05", ZERO, ""},
        {MR_MALFORMED, "80", "05", HASH, "80"},
        {MR_MALFORMED, "80", "05",
         "a1"
         "222222222222222222222222222222222222222222222222222222222222222222",
         ""},
        {MR_MALFORMED, "80", "00", HASH, ""},
        {MR_TOO_BIG, "80", "89010101010101010101", HASH, ""},
        {MR_SHORT, "80", "05", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_block_range r = {.earliest = 4711};
        struct mr_writer w = mr_writer(wire_fill(0, 64), 64);
        struct wire b;
        size_t mark;

        wire_begin(&b, 128);
        mark = wire_open(&b);
        wire_put(&b, rows[i].earliest);
        wire_put(&b, rows[i].latest);
        wire_put(&b, rows[i].hash);
        wire_put(&b, rows[i].behind);
        wire_close(&b, mark);
        if (mr_block_range_decode(&r, wire_end(&b)) != rows[i].want)
            fail_msg("row %zu", i);
        if (rows[i].want != MR_OK) {
            assert_int_equal(r.earliest, 4711);
            continue;
        }
        assert_int_equal(mr_block_range_encode(&w, &r), MR_OK);
        assert_int_equal(w.n, wire_end(&b).n);
        assert_memory_equal(w.p, wire_end(&b).p, w.n);
        wire_refuses_all_but(read_range, NULL, mr_writer_span(&w));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_ids_are_read_without_walking_what_follows),
        cmocka_unit_test(hash_requests_are_taken_or_refused_by_table),
        cmocka_unit_test(hash_requests_survive_a_round_trip),
        cmocka_unit_test(lists_are_counted_and_never_entered),
        cmocka_unit_test(answers_with_one_item_too_many_are_refused),
        cmocka_unit_test(items_survive_a_round_trip),
        cmocka_unit_test(ranges_are_taken_or_refused_by_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
