#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/eth/cells.h"
#include "net/eth/message.h"
#include "tests/net/eth/helper_wire.h"

static struct mr_cell_mask mask_of(const char *hex)
{
    struct mr_cell_mask m;

    memcpy(m.b, wire_hex(hex).p, 16);
    return m;
}

static void masks_count_bits_from_the_low_end_of_each_byte(void **state)
{
    struct mr_cell_mask m = mask_of("03000000000000800100000000000080"), one = {{0}};

    (void)state;
    assert_int_equal(mr_cell_mask_count(&m), 5);
    for (unsigned i = 0; i < 128; i++)
        assert_int_equal(mr_cell_mask_has(&m, i),
                         i == 0 || i == 1 || i == 63 || i == 64 || i == 127);
    assert_int_equal(mr_cell_mask_rank(&m, 0), 0);
    assert_int_equal(mr_cell_mask_rank(&m, 1), 1);
    assert_int_equal(mr_cell_mask_rank(&m, 63), 2);
    assert_int_equal(mr_cell_mask_rank(&m, 64), 3);
    assert_int_equal(mr_cell_mask_rank(&m, 127), 4);
    for (unsigned i = 0; i < 128; i++) {
        memset(&one, 0, sizeof one);
        mr_cell_mask_add(&one, i);
        assert_int_equal(one.b[i / 8], 1 << i % 8);
        assert_int_equal(mr_cell_mask_within(&one, &m), mr_cell_mask_has(&m, i));
        assert_int_equal(mr_cell_mask_rank(&one, i), 0);
    }
    assert_true(mr_cell_mask_within(&m, &m));
}

static enum mr_err read_get_cells(struct mr_span message, void *context)
{
    struct mr_get_cells q;

    (void)context;
    return mr_get_cells_decode(&q, message);
}

static void requests_survive_a_round_trip(void **state)
{
    struct mr_cell_mask mask = mask_of("ffffffffffffffff0000000000000001");
    struct mr_hash hashes[64];

    (void)state;
    memset(hashes, 9, sizeof hashes);
    for (size_t n = 0; n <= 64; n += 16) {
        struct mr_writer w = mr_writer(wire_fill(0, 4096), 4096);
        struct mr_get_cells q;

        assert_int_equal(mr_get_cells_encode(&w, UINT64_MAX, hashes, n, &mask), MR_OK);
        assert_int_equal(mr_get_cells_decode(&q, mr_writer_span(&w)), MR_OK);
        assert_true(q.request_id == UINT64_MAX);
        assert_int_equal(q.hashes.n, n);
        assert_memory_equal(&q.mask, &mask, sizeof mask);
        wire_refuses_all_but(read_get_cells, NULL, mr_writer_span(&w));
    }
}

/* An answer with everything adjustable: hashes, groups, cells a group, bytes of the last cell. */
struct shape {
    size_t hashes, groups, cells;
    size_t cell_len;
    const char *mask; /* 16 bytes in hex, or another number of them */
};

static struct mr_span make(const struct shape *s)
{
    size_t outer, list, group;
    struct mr_span mask = wire_hex(s->mask);
    struct wire b;

    wire_begin(&b, 256 + 33 * s->hashes + s->groups * (4 + s->cells * 2060));
    outer = wire_open(&b);
    wire_u64(&b, 11);
    list = wire_open(&b);
    for (size_t i = 0; i < s->hashes; i++)
        wire_bytes(&b, wire_fill((uint8_t)i, 32), 32);
    wire_close(&b, list);
    list = wire_open(&b);
    for (size_t g = 0; g < s->groups; g++) {
        group = wire_open(&b);
        for (size_t i = 0; i < s->cells; i++) {
            size_t len = i + 1 == s->cells ? s->cell_len : MR_CELL_SIZE;

            wire_bytes(&b, wire_fill((uint8_t)(16 * g + i), len), len);
        }
        wire_close(&b, group);
    }
    wire_close(&b, list);
    wire_bytes(&b, mask.p, mask.n);
    wire_close(&b, outer);
    return wire_end(&b);
}

#define NONE  "00000000000000000000000000000000"
#define TWO   "03000000000000000000000000000000"
#define THREE "00000000000000000000000000000007"

/* E-14, what a message shows without its request. */
static void answers_are_taken_or_refused_by_table(void **state)
{
    static const struct {
        enum mr_err want;
        struct shape shape;
    } rows[] = {
        {MR_OK, {0, 0, 0, 2048, NONE}},
        {MR_OK, {0, 0, 0, 2048, TWO}},
        {MR_OK, {1, 1, 2, 2048, TWO}}, /* one blob */
        {MR_OK, {2, 2, 6, 2048, TWO}}, /* three blobs each */
        {MR_OK, {2, 2, 6, 2048, THREE}},
        {MR_OK, {1, 1, 64, 2048, TWO}}, /* as many blobs as a transaction may have */
        {MR_TOO_BIG, {1, 1, 66, 2048, TWO}},
        {MR_INVALID, {1, 1, 3, 2048, TWO}}, /* bits do not divide the cells */
        {MR_INVALID, {1, 1, 4, 2048, THREE}},
        {MR_INVALID, {1, 1, 0, 2048, TWO}},  /* a transaction without blobs */
        {MR_INVALID, {1, 1, 1, 2048, NONE}}, /* cells without a bit */
        {MR_OK, {1, 1, 0, 2048, NONE}},
        {MR_INVALID, {2, 1, 2, 2048, TWO}}, /* more hashes than groups */
        {MR_INVALID, {1, 2, 2, 2048, TWO}}, /* more groups than hashes */
        {MR_INVALID, {0, 1, 2, 2048, TWO}},
        {MR_MALFORMED, {1, 1, 2, 2047, TWO}},
        {MR_MALFORMED, {1, 1, 2, 2049, TWO}},
        {MR_MALFORMED, {1, 1, 2, 0, TWO}},
        {MR_MALFORMED, {1, 1, 2, 2048, "030000000000000000000000000000"}},     /* 15 bytes */
        {MR_MALFORMED, {1, 1, 2, 2048, "0300000000000000000000000000000000"}}, /* 17 */
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_cells c, untouched;

        memset(&c, 0xee, sizeof c);
        memset(&untouched, 0xee, sizeof untouched);
        if (mr_cells_decode(&c, make(&rows[i].shape)) != rows[i].want)
            fail_msg("row %zu", i);
        if (rows[i].want != MR_OK)
            assert_memory_equal(&c, &untouched, sizeof c);
        else
            assert_int_equal(c.cells_count, rows[i].shape.groups * rows[i].shape.cells);
    }
}

static void cells_are_blob_before_column(void **state)
{
    struct shape s = {1, 1, 6, 2048, THREE};
    struct mr_cells c;
    struct mr_cell_group g;

    (void)state;
    assert_int_equal(mr_cells_decode(&c, make(&s)), MR_OK);
    assert_true(mr_cells_next(&c, &g));
    assert_int_equal(g.blobs, 2);
    assert_int_equal(g.columns, 3);
    for (unsigned blob = 0; blob < 2; blob++) {
        for (unsigned rank = 0; rank < 3; rank++)
            assert_int_equal(mr_cell_at(&g, blob, rank)[2047], blob * 3 + rank);
    }
    assert_false(mr_cells_next(&c, &g));
}

static enum mr_err read_cells(struct mr_span message, void *context)
{
    struct mr_cells c;

    (void)context;
    return mr_cells_decode(&c, message);
}

static void answers_survive_a_round_trip(void **state)
{
    struct shape s = {2, 2, 2, 2048, TWO};
    struct mr_cell_mask mask = mask_of(TWO);
    const uint8_t *cells[2][2];
    struct mr_cells_group_in in[2];
    struct mr_cells c;
    struct mr_cell_group g;
    struct mr_span message = make(&s);
    struct mr_writer w = mr_writer(wire_fill(0, message.n), message.n);
    struct mr_writer tight = mr_writer(wire_fill(0, message.n), message.n - 1);

    (void)state;
    assert_int_equal(mr_cells_decode(&c, message), MR_OK);
    for (size_t i = 0; mr_cells_next(&c, &g); i++) {
        cells[i][0] = mr_cell_at(&g, 0, 0);
        cells[i][1] = mr_cell_at(&g, 0, 1);
        in[i] = (struct mr_cells_group_in){.tx = g.tx, .cells = cells[i], .count = 2};
    }
    assert_int_equal(mr_cells_encode(&w, 11, in, 2, &mask), MR_OK);
    assert_int_equal(w.n, message.n);
    assert_memory_equal(w.p, message.p, message.n);
    assert_int_equal(mr_cells_encode(&tight, 11, in, 2, &mask), MR_FULL);
    assert_int_equal(tight.n, 0);
    s = (struct shape){1, 1, 2, 2048, TWO};
    wire_refuses_all_but(read_cells, NULL, make(&s));
}

/* E-14, what it shows beside its request: hashes 0..asked-1, mask. */
static void answers_outside_their_request_are_refused(void **state)
{
    static const struct {
        enum mr_err want;
        uint64_t id;
        size_t asked;
        const char *asked_mask;
        size_t answered;
        const char *mask;
    } rows[] = {
        {MR_OK, 11, 2, TWO, 2, TWO},
        {MR_OK, 11, 2, TWO, 1, TWO}, /* whole transactions may be missing */
        {MR_OK, 11, 3, "07000000000000000000000000000080", 3, TWO}, /* and columns */
        {MR_OK, 11, 2, TWO, 0, NONE},
        {MR_INVALID, 12, 2, TWO, 2, TWO},
        {MR_INVALID, 11, 1, TWO, 2, TWO}, /* a hash that was not asked for */
        {MR_INVALID, 11, 2, "01000000000000000000000000000000", 2, TWO},
        {MR_INVALID, 11, 2, NONE, 2, TWO},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct shape s = {rows[i].answered, rows[i].answered, 2, 2048, rows[i].mask};
        struct mr_cell_mask mask = mask_of(rows[i].asked_mask);
        struct mr_writer w = mr_writer(wire_fill(0, 1024), 1024);
        struct mr_get_cells q;
        struct mr_cells c;
        struct mr_hash asked[3];

        for (size_t h = 0; h < 3; h++)
            memset(asked[h].b, (int)h, 32);
        assert_int_equal(mr_get_cells_encode(&w, rows[i].id, asked, rows[i].asked, &mask), MR_OK);
        assert_int_equal(mr_get_cells_decode(&q, mr_writer_span(&w)), MR_OK);
        assert_int_equal(mr_cells_decode(&c, make(&s)), MR_OK);
        if (mr_cells_check_answer(&c, &q) != rows[i].want)
            fail_msg("row %zu", i);
    }
}

static void a_transaction_answered_twice_is_refused(void **state)
{
    struct mr_cell_mask mask = mask_of(TWO);
    struct mr_hash asked[2];
    struct mr_writer w = mr_writer(wire_fill(0, 1024), 1024);
    struct mr_writer answer = mr_writer(wire_fill(0, 16384), 16384);
    const uint8_t *cells[2] = {wire_fill(1, 2048), wire_fill(2, 2048)};
    struct mr_cells_group_in in[2] = {{.cells = cells, .count = 2}, {.cells = cells, .count = 2}};
    struct mr_get_cells q;
    struct mr_cells c;

    (void)state;
    memset(asked, 0, sizeof asked);
    asked[1].b[31] = 1;
    assert_int_equal(mr_get_cells_encode(&w, 11, asked, 2, &mask), MR_OK);
    assert_int_equal(mr_get_cells_decode(&q, mr_writer_span(&w)), MR_OK);
    assert_int_equal(mr_cells_encode(&answer, 11, in, 2, &mask), MR_OK);
    assert_int_equal(mr_cells_decode(&c, mr_writer_span(&answer)), MR_OK);
    assert_int_equal(mr_cells_check_answer(&c, &q), MR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_count_bits_from_the_low_end_of_each_byte),
        cmocka_unit_test(requests_survive_a_round_trip),
        cmocka_unit_test(answers_are_taken_or_refused_by_table),
        cmocka_unit_test(cells_are_blob_before_column),
        cmocka_unit_test(answers_survive_a_round_trip),
        cmocka_unit_test(answers_outside_their_request_are_refused),
        cmocka_unit_test(a_transaction_answered_twice_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
