#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/eth/request.h"
#include "tests/net/eth/helper_wire.h"

static enum mr_err read_query(struct mr_span message, void *context)
{
    struct mr_get_block_headers q;
    uint64_t id;

    (void)context;
    return mr_get_block_headers_decode(&q, &id, message);
}

static void requests_survive_a_round_trip(void **state)
{
    static const struct mr_get_block_headers queries[] = {
        {.origin_number = 0, .amount = 0, .skip = 0},
        {.origin_number = UINT64_MAX, .amount = UINT64_MAX, .skip = UINT64_MAX, .reverse = true},
        {.by_hash = true, .origin_hash = {{0}}, .amount = 1},
        {.by_hash = true, .origin_hash = {{1, 2, 3}}, .amount = 192, .skip = 7, .reverse = true},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(queries); i++) {
        uint8_t buf[128];
        struct mr_writer w = mr_writer(buf, sizeof buf);
        struct mr_get_block_headers q;
        uint64_t id;

        assert_int_equal(mr_get_block_headers_encode(&w, 77 << i, &queries[i]), MR_OK);
        assert_int_equal(mr_get_block_headers_decode(&q, &id, mr_writer_span(&w)), MR_OK);
        assert_int_equal(id, 77 << i);
        assert_int_equal(q.by_hash, queries[i].by_hash);
        assert_int_equal(q.reverse, queries[i].reverse);
        assert_memory_equal(&q.origin_hash, &queries[i].origin_hash, 32);
        assert_true(q.origin_number == queries[i].origin_number);
        assert_true(q.amount == queries[i].amount);
        assert_true(q.skip == queries[i].skip);
        wire_refuses_all_but(read_query, NULL, mr_writer_span(&w));
        for (size_t room = 0; room < w.n; room++) {
            struct mr_writer tight = mr_writer(wire_fill(0, room), room);

            assert_int_equal(mr_get_block_headers_encode(&tight, 77 << i, &queries[i]), MR_FULL);
            assert_int_equal(tight.n, 0);
        }
    }
}

#define HASH31                                                                                     \
    "9f"                                                                                           \
    "01010101010101010101010101010101010101010101010101010101010101"
#define HASH33                                                                                     \
    "a1"                                                                                           \
    "010101010101010101010101010101010101010101010101010101010101010101"

static void one_wrong_part_refuses_the_request_and_leaves_the_output_alone(void **state)
{
    /* RLP of the parts: id, [origin, amount, skip, reverse, inside], behind. */
    static const struct {
        enum mr_err want;
        const char *id, *origin, *amount, *skip, *reverse, *inside, *behind;
    } rows[] = {
        {MR_OK, "01", "05", "06", "07", "80", "", ""}, /* positive control */
        {MR_OK, "01", "05", "06", "07", "01", "", ""},
        {MR_MALFORMED, "01", "05", "06", "07", "02", "", ""},   /* reverse is 0 or 1 */
        {MR_MALFORMED, "01", "05", "06", "07", "80", "80", ""}, /* a fifth element */
        {MR_MALFORMED, "01", "05", "06", "07", "80", "", "80"}, /* one behind the query */
        {MR_SHORT, "01", "05", "06", "07", "", "", ""},         /* one too few */
        {MR_MALFORMED, "01", "820001", "06", "07", "80", "", ""},
        {MR_MALFORMED, "01", "00", "06", "07", "80", "", ""}, /* zero is the empty string */
        {MR_MALFORMED, "01", "8105", "06", "07", "80", "", ""},
        {MR_MALFORMED, "01", "05", "820006", "07", "80", "", ""},
        {MR_MALFORMED, "01", "05", "06", "820007", "80", "", ""},
        {MR_MALFORMED, "820001", "05", "06", "07", "80", "", ""},
        {MR_MALFORMED, "01", "c0", "06", "07", "80", "", ""},
        {MR_MALFORMED, "c0", "05", "06", "07", "80", "", ""},
        {MR_MALFORMED, "01", "05", "06", "07", "c0", "", ""},
        {MR_TOO_BIG, "01", "89010101010101010101", "06", "07", "80", "", ""},
        {MR_TOO_BIG, "89010101010101010101", "05", "06", "07", "80", "", ""},
        {MR_TOO_BIG, "01", "05", "89010101010101010101", "07", "80", "", ""},
        {MR_TOO_BIG, "01", "05", "06", "89010101010101010101", "80", "", ""},
        {MR_TOO_BIG, "01", HASH31, "06", "07", "80", "", ""},
        {MR_TOO_BIG, "01", HASH33, "06", "07", "80", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_get_block_headers q, untouched;
        uint64_t id = 4711;
        size_t outer, inner;
        struct wire b;

        wire_begin(&b, 256);
        outer = wire_open(&b);
        wire_put(&b, rows[i].id);
        inner = wire_open(&b);
        wire_put(&b, rows[i].origin);
        wire_put(&b, rows[i].amount);
        wire_put(&b, rows[i].skip);
        wire_put(&b, rows[i].reverse);
        wire_put(&b, rows[i].inside);
        wire_close(&b, inner);
        wire_put(&b, rows[i].behind);
        wire_close(&b, outer);
        memset(&q, 0xee, sizeof q);
        memset(&untouched, 0xee, sizeof untouched);
        assert_int_equal(mr_get_block_headers_decode(&q, &id, wire_end(&b)), rows[i].want);
        if (rows[i].want != MR_OK) {
            assert_memory_equal(&q, &untouched, sizeof q);
            assert_int_equal(id, 4711);
        }
    }
}

/* E-02: what the walk must yield, in arithmetic that cannot wrap. */
static void compare_with_wide_arithmetic(const struct mr_get_block_headers *q, uint64_t origin)
{
    struct mr_header_walk walk = mr_header_query_start(q, origin);
    __int128 at = origin, step = (__int128)q->skip + 1;
    uint64_t expected = 0, number, n = 0;

    while (expected < q->amount && expected < MR_HEADERS_ANSWER_MAX) {
        if (at < 0 || at > UINT64_MAX)
            break;
        assert_true(mr_header_query_next(&walk, &number));
        assert_true(number == (uint64_t)at);
        at += q->reverse ? -step : step;
        expected++;
    }
    number = 99;
    assert_false(mr_header_query_next(&walk, &number));
    assert_false(mr_header_query_next(&walk, &n)); /* it stays over */
    assert_int_equal(number, 99);
}

static void header_arithmetic_never_wraps(void **state)
{
    static const uint64_t amounts[] = {0, 1, 2, 1023, 1024, 1025, UINT64_MAX};
    static const uint64_t skips[] = {0, 1, 191, (uint64_t)1 << 63, UINT64_MAX - 1, UINT64_MAX};
    static const uint64_t origins[] = {
        0, 1, 22615247, (uint64_t)1 << 63, UINT64_MAX - 1024, UINT64_MAX - 1, UINT64_MAX};
    size_t combinations = 0;

    (void)state;
    for (size_t a = 0; a < MR_COUNT_OF(amounts); a++) {
        for (size_t s = 0; s < MR_COUNT_OF(skips); s++) {
            for (size_t o = 0; o < MR_COUNT_OF(origins); o++) {
                for (int reverse = 0; reverse < 2; reverse++) {
                    struct mr_get_block_headers q = {.origin_number = origins[o],
                                                     .amount = amounts[a],
                                                     .skip = skips[s],
                                                     .reverse = reverse};

                    compare_with_wide_arithmetic(&q, origins[o]);
                    combinations++;
                }
            }
        }
    }
    assert_int_equal(combinations, 7 * 6 * 7 * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_survive_a_round_trip),
        cmocka_unit_test(one_wrong_part_refuses_the_request_and_leaves_the_output_alone),
        cmocka_unit_test(header_arithmetic_never_wraps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
