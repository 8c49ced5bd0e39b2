#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/eth/header.h"
#include "net/eth/message_block.h"
#include "net/eth/tx.h"
#include "net/eth/version.h"
#include "tests/net/eth/helper_corpus.h"
#include "tests/net/eth/helper_wire.h"

#define ADDRESS                                                                                    \
    "94"                                                                                           \
    "1111111111111111111111111111111111111111"
#define TOPIC                                                                                      \
    "a0"                                                                                           \
    "2222222222222222222222222222222222222222222222222222222222222222"

static struct mr_span list_of(const char *const *parts, size_t n)
{
    struct wire b;
    size_t mark;

    wire_begin(&b, 2048);
    mark = wire_open(&b);
    for (size_t i = 0; i < n && parts[i] != NULL; i++)
        wire_put(&b, parts[i]);
    wire_close(&b, mark);
    return wire_end(&b);
}

struct row {
    enum mr_err want;
    const char *part[6];
};

typedef enum mr_err read_one(struct mr_reader *r);

/* Each row read as it is, and, where it passes, each prefix refused. */
static void read_rows(read_one *read, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct mr_span m = list_of(rows[i].part, 6);
        struct mr_reader r = mr_reader_of(m);
        enum mr_err e = read(&r);

        if (e != rows[i].want)
            fail_msg("row %zu: %s", i, mr_err_name(e));
        assert_ptr_equal(r.p, e == MR_OK ? r.end : m.p);
        for (size_t cut = 0; e == MR_OK && cut < m.n; cut++) {
            r = mr_reader(m.p, cut);
            assert_int_not_equal(read(&r), MR_OK);
            assert_ptr_equal(r.p, m.p);
        }
    }
}

static enum mr_err read_log(struct mr_reader *r)
{
    struct mr_log l;

    return mr_log_read(r, &l);
}

static void logs_are_taken_or_refused_by_table(void **state)
{
    static const struct row rows[] = {
        {MR_OK, {ADDRESS, "c0", "80"}},
        {MR_OK, {ADDRESS, "e1" TOPIC, "820102"}},
        {MR_OK, {ADDRESS, "f884" TOPIC TOPIC TOPIC TOPIC, "05"}},
        {MR_TOO_BIG, {ADDRESS, "f8a5" TOPIC TOPIC TOPIC TOPIC TOPIC, "05"}},
        {MR_MALFORMED, {ADDRESS, "c0", "80", "80"}},
        {MR_SHORT, {ADDRESS, "c0"}},
        {MR_MALFORMED, {"80", "c0", "80"}},
        {MR_MALFORMED, {ADDRESS, "c101", "80"}}, /* a topic of one byte */
        {MR_MALFORMED, {ADDRESS, "80", "80"}},
        {MR_MALFORMED, {ADDRESS, "c0", "c0"}},
    };

    (void)state;
    read_rows(read_log, rows, MR_COUNT_OF(rows));
}

static enum mr_err read_withdrawal(struct mr_reader *r)
{
    struct mr_withdrawal w;

    return mr_withdrawal_read(r, &w);
}

static void withdrawals_are_taken_or_refused_by_table(void **state)
{
    static const struct row rows[] = {
        {MR_OK, {"01", "02", ADDRESS, "03"}},
        {MR_OK, {"80", "88ffffffffffffffff", ADDRESS, "80"}},
        {MR_SHORT, {"01", "02", ADDRESS}},
        {MR_MALFORMED, {"01", "02", ADDRESS, "03", "04"}},
        {MR_MALFORMED, {"01", "02", "80", "03"}},
        {MR_MALFORMED, {"00", "02", ADDRESS, "03"}},
        {MR_TOO_BIG, {"01", "02", ADDRESS, "89010101010101010101"}},
    };
    struct mr_span m = list_of(rows[0].part, 6);
    struct mr_reader r = mr_reader_of(m);
    struct mr_withdrawal w;

    (void)state;
    read_rows(read_withdrawal, rows, MR_COUNT_OF(rows));
    assert_int_equal(mr_withdrawal_read(&r, &w), MR_OK);
    assert_int_equal(w.index, 1);
    assert_int_equal(w.validator, 2);
    assert_int_equal(w.address.b[19], 0x11);
    assert_int_equal(w.amount_gwei, 3);
}

static enum mr_err read_body(struct mr_reader *r)
{
    struct mr_block_body b;

    return mr_block_body_read(r, &b);
}

static void bodies_have_two_or_three_lists(void **state)
{
    static const struct row rows[] = {
        {MR_OK, {"c0", "c0"}},
        {MR_OK, {"c0", "c0", "c0"}},
        {MR_OK, {"c20102", "c103", "c0"}}, /* their items are for others to read */
        {MR_SHORT, {"c0"}},
        {MR_MALFORMED, {"c0", "c0", "c0", "c0"}},
        {MR_MALFORMED, {"80", "c0", "c0"}},
        {MR_MALFORMED, {"c0", "c0", "80"}},
    };

    (void)state;
    read_rows(read_body, rows, MR_COUNT_OF(rows));
}

static enum mr_err read_receipt_69(struct mr_reader *r)
{
    struct mr_receipt t;

    return mr_receipt_read(r, &t, MR_ETH_69);
}

static void receipts_of_eth_69_are_taken_or_refused_by_table(void **state)
{
    static const struct row rows[] = {
        {MR_OK, {"80", "01", "825208", "c0"}},
        {MR_OK, {"7f", "80", "825208", "d8d7" ADDRESS "c080"}},
        {MR_OK, {"80", TOPIC, "825208", "c0"}}, /* a state root */
        {MR_TOO_BIG, {"8180", "01", "825208", "c0"}},
        {MR_TOO_BIG, {"820100", "01", "825208", "c0"}},
        {MR_MALFORMED, {"80", "02", "825208", "c0"}},
        {MR_MALFORMED, {"80", "820001", "825208", "c0"}},
        {MR_MALFORMED, {"80", "01", "825208", "80"}},
        {MR_MALFORMED, {"80", "01", "825208", "c0", "c0"}},
        {MR_SHORT, {"80", "01", "825208"}},
        {MR_SHORT, {"80", "01", "825208", "c1c0"}}, /* a log without fields */
        {MR_MALFORMED, {"80", "01", "c0", "c0"}},
    };

    (void)state;
    read_rows(read_receipt_69, rows, MR_COUNT_OF(rows));
}

static enum mr_err read_receipt_68(struct mr_reader *r)
{
    struct mr_receipt t;

    return mr_receipt_read(r, &t, MR_ETH_68);
}

/* status, gas, bloom, logs; type < 0: legacy, otherwise inside a byte string. */
static struct mr_span receipt_68(int type, size_t bloom)
{
    struct wire list, whole;
    size_t mark;

    wire_begin(&list, 1024);
    if (type >= 0)
        wire_raw(&list, wire_fill((uint8_t)type, 1), 1);
    mark = wire_open(&list);
    wire_put(&list, "01825208");
    wire_bytes(&list, wire_fill(9, bloom), bloom);
    wire_put(&list, "c0");
    wire_close(&list, mark);
    if (type < 0)
        return wire_end(&list);
    wire_begin(&whole, 1024);
    wire_bytes(&whole, wire_end(&list).p, wire_end(&list).n);
    return wire_end(&whole);
}

static void receipts_of_eth_68_carry_their_type_in_front(void **state)
{
    (void)state;
    for (int type = -1; type <= 4; type++) {
        struct mr_span m = receipt_68(type, 256);
        struct mr_reader r = mr_reader_of(m);
        struct mr_receipt t;

        assert_int_equal(mr_receipt_read(&r, &t, MR_ETH_68), MR_OK);
        assert_true(mr_reader_done(&r));
        assert_int_equal(t.type, type < 0 ? 0 : type);
        assert_int_equal(t.cumulative_gas, 21000);
        assert_int_equal(t.bloom[255], 9);
        assert_int_equal(t.status.n, 1);
        for (size_t cut = 0; cut < m.n; cut++) {
            r = mr_reader(m.p, cut);
            assert_int_not_equal(mr_receipt_read(&r, &t, MR_ETH_68), MR_OK);
        }
        r = mr_reader_of(m);
        assert_int_not_equal(mr_receipt_read(&r, &t, MR_ETH_69), MR_OK);
        for (size_t bloom = 255; bloom <= 257; bloom += 2) {
            r = mr_reader_of(receipt_68(type, bloom));
            assert_int_equal(mr_receipt_read(&r, &t, MR_ETH_68), MR_MALFORMED);
        }
    }
    for (unsigned byte = 0; byte < 256; byte++) { /* no string of one byte is a receipt */
        struct wire b;
        struct mr_reader r;

        wire_begin(&b, 4);
        wire_bytes(&b, wire_fill((uint8_t)byte, 1), 1);
        r = mr_reader_of(wire_end(&b));
        assert_int_equal(read_receipt_68(&r), MR_MALFORMED);
    }
}

static void receipts_of_real_blocks_are_read(void **state)
{
    struct mr_span record;
    struct mr_receipt t;
    struct corpus c;
    size_t blocks = 0;

    (void)state;
    if (!corpus_open(&c, "mainnet_receipts_eth69"))
        return;
    for (; corpus_next(&c, &record); blocks++) {
        struct mr_reader r = mr_reader_of(record), list;
        uint64_t gas = 0;
        size_t receipts = 0;

        assert_int_equal(mr_rlp_list(&r, &list), MR_OK);
        for (; !mr_reader_done(&list); receipts++) {
            assert_int_equal(mr_receipt_read(&list, &t, MR_ETH_69), MR_OK);
            assert_true(t.cumulative_gas > gas);
            assert_true(t.type <= 4);
            gas = t.cumulative_gas;
        }
        assert_int_equal(receipts, strtoull(c.column[4], NULL, 10));
    }
    assert_int_equal(blocks, 12);
    corpus_close(&c);
}

/* A block's bytes behind its header are its body's. */
static void bodies_of_real_blocks_are_read(void **state)
{
    static const char *const names[] = {"mainnet_blocks_pow", "mainnet_blocks_pos"};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(names); i++) {
        struct mr_span record;
        struct corpus c;
        size_t withdrawals = 0;

        if (!corpus_open(&c, names[i]))
            continue;
        while (corpus_next(&c, &record)) {
            struct mr_reader r = mr_reader_of(record), block, body;
            struct mr_writer w = mr_writer(wire_fill(0, record.n), record.n);
            struct mr_block_body b;
            struct mr_withdrawal d;
            struct mr_header h;
            struct mr_tx tx;

            assert_int_equal(mr_rlp_list(&r, &block), MR_OK);
            assert_int_equal(mr_header_read(&block, &h), MR_OK);
            assert_int_equal(mr_rlp_put_list_head(&w, mr_reader_left(&block)), MR_OK);
            assert_int_equal(mr_rlp_put_raw(&w, block.p, mr_reader_left(&block)), MR_OK);
            body = mr_reader_of(mr_writer_span(&w));
            assert_int_equal(mr_block_body_read(&body, &b), MR_OK);
            assert_int_equal(b.has_withdrawals, h.fields >= MR_HEADER_HAS_WITHDRAWALS);
            while (!mr_reader_done(&b.transactions))
                assert_int_equal(mr_tx_decode_item(&b.transactions, &tx), MR_OK);
            for (; !mr_reader_done(&b.withdrawals); withdrawals++)
                assert_int_equal(mr_withdrawal_read(&b.withdrawals, &d), MR_OK);
        }
        assert_int_equal(withdrawals > 500, i == 1);
        corpus_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_are_taken_or_refused_by_table),
        cmocka_unit_test(withdrawals_are_taken_or_refused_by_table),
        cmocka_unit_test(bodies_have_two_or_three_lists),
        cmocka_unit_test(receipts_of_eth_69_are_taken_or_refused_by_table),
        cmocka_unit_test(receipts_of_eth_68_carry_their_type_in_front),
        cmocka_unit_test(receipts_of_real_blocks_are_read),
        cmocka_unit_test(bodies_of_real_blocks_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
