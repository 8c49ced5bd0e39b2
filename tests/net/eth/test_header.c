#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/eth/header.h"
#include "tests/net/eth/helper_wire.h"

/* A header with fields elements. The one numbered wrong (from 1; 0: none) is replaced by the RLP of
 * instead. */
static struct mr_span make(unsigned fields, unsigned wrong, const char *instead)
{
    static const uint8_t fixed[] = {32, 32, 20, 32, 32, 32};
    struct wire b;
    size_t mark;

    wire_begin(&b, 4096);
    mark = wire_open(&b);
    for (unsigned i = 1; i <= fields; i++) {
        if (i == wrong)
            wire_put(&b, instead);
        else if (i <= 6)
            wire_bytes(&b, wire_fill((uint8_t)i, fixed[i - 1]), fixed[i - 1]);
        else if (i == 7)
            wire_bytes(&b, wire_fill(7, 256), 256);
        else if (i == 13)
            wire_bytes(&b, "extra", 5);
        else if (i == 15)
            wire_bytes(&b, wire_fill(15, 8), 8);
        else if (i == 14 || i == 17 || (i >= 20 && i <= 22))
            wire_bytes(&b, wire_fill((uint8_t)i, 32), 32);
        else if (i <= 23)
            wire_u64(&b, 1000 * i);
        else
            wire_bytes(&b, "later", 5);
    }
    wire_close(&b, mark);
    return wire_end(&b);
}

static enum mr_err read_header(struct mr_span message, void *context)
{
    struct mr_header h;

    (void)context;
    return mr_header_decode(&h, message);
}

static void fields_of_every_fork_are_read(void **state)
{
    (void)state;
    for (unsigned fields = 15; fields <= 32; fields++) {
        struct mr_span raw = make(fields, 0, NULL);
        struct mr_header h;

        assert_int_equal(mr_header_decode(&h, raw), MR_OK);
        assert_int_equal(h.fields, fields);
        assert_int_equal(h.raw.n, raw.n);
        assert_int_equal(h.parent_hash.b[0], 1);
        assert_int_equal(h.coinbase.b[0], 3);
        assert_int_equal(h.bloom[255], 7);
        assert_int_equal(h.number, 9000);
        assert_int_equal(h.gas_limit, 10000);
        assert_int_equal(h.gas_used, 11000);
        assert_int_equal(h.time, 12000);
        assert_int_equal(h.extra.n, 5);
        assert_int_equal(h.nonce[7], 15);
        assert_int_equal(mr_load_be64(h.base_fee.b + 24), fields >= 16 ? 16000 : 0);
        assert_int_equal(h.withdrawals_root.b[0], fields >= 17 ? 17 : 0);
        assert_int_equal(h.blob_gas_used, fields >= 18 ? 18000 : 0);
        assert_int_equal(h.excess_blob_gas, fields >= 19 ? 19000 : 0);
        assert_int_equal(h.parent_beacon_root.b[0], fields >= 20 ? 20 : 0);
        assert_int_equal(h.requests_hash.b[0], fields >= 21 ? 21 : 0);
        assert_int_equal(h.access_list_hash.b[0], fields >= 22 ? 22 : 0);
        assert_int_equal(h.slot_number, fields >= 23 ? 23000 : 0);
        wire_refuses_all_but(read_header, NULL, raw);
    }
}

static void too_few_and_too_many_fields_are_refused(void **state)
{
    struct mr_header h;

    (void)state;
    for (unsigned fields = 0; fields < 15; fields++)
        assert_int_not_equal(mr_header_decode(&h, make(fields, 0, NULL)), MR_OK);
    assert_int_equal(mr_header_decode(&h, make(33, 0, NULL)), MR_TOO_BIG);
    assert_int_equal(mr_header_decode(&h, make(300, 0, NULL)), MR_TOO_BIG);
}

static void a_wrong_field_refuses_the_header_and_leaves_the_output_alone(void **state)
{
    static const char *const any[] = {"c0", "c105", "8100", "b80105"};

    (void)state;
    for (unsigned i = 1; i <= 32; i++) {
        bool fixed = i <= 7 || i == 14 || i == 15 || i == 17 || (i >= 20 && i <= 22);
        bool number = !fixed && i != 13 && i <= 23, wide = i == 8 || i == 16;
        struct mr_header h, untouched;

        memset(&h, 0xee, sizeof h);
        memset(&untouched, 0xee, sizeof untouched);
        for (size_t k = 0; k < MR_COUNT_OF(any); k++)
            assert_int_not_equal(mr_header_decode(&h, make(32, i, any[k])), MR_OK);
        if (fixed) {
            assert_int_equal(mr_header_decode(&h, make(32, i, "80")), MR_MALFORMED);
            assert_int_equal(mr_header_decode(&h, make(32, i, "83010203")), MR_MALFORMED);
        }
        if (number) {
            assert_int_equal(mr_header_decode(&h, make(32, i, "00")), MR_MALFORMED);
            assert_int_equal(mr_header_decode(&h, make(32, i, "820001")), MR_MALFORMED);
            if (!wide)
                assert_int_equal(mr_header_decode(&h, make(32, i, "89010101010101010101")),
                                 MR_TOO_BIG);
        }
        assert_memory_equal(&h, &untouched, sizeof h);
        if (wide)
            assert_int_equal(mr_header_decode(&h, make(32, i, "89010101010101010101")), MR_OK);
    }
}

static void headers_over_their_size_are_refused(void **state)
{
    struct mr_span small = make(15, 0, NULL), item;
    struct mr_reader r = mr_reader_of(small), list;
    struct mr_header h;
    struct wire b;
    size_t mark;

    (void)state;
    wire_begin(&b, 32768);
    mark = wire_open(&b);
    assert_int_equal(mr_rlp_list(&r, &list), MR_OK);
    for (unsigned i = 1; i <= 15; i++) {
        assert_int_equal(mr_rlp_item(&list, &item), MR_OK);
        if (i == 13)
            wire_bytes(&b, wire_fill(0, MR_HEADER_MAX), MR_HEADER_MAX);
        else
            wire_raw(&b, item.p, item.n);
    }
    wire_close(&b, mark);
    assert_int_equal(mr_header_decode(&h, wire_end(&b)), MR_TOO_BIG);
}

static struct mr_header sound(void)
{
    struct mr_header h = {.fields = 21, .gas_limit = 30000000, .gas_used = 15000000};

    h.number = 100;
    h.time = 1000;
    mr_store_be64(h.base_fee.b + 24, 1000000000);
    memset(h.hash.b, 1, 32);
    return h;
}

static void self_checks_refuse_what_no_chain_can_hold(void **state)
{
    struct mr_header h = sound();

    (void)state;
    assert_int_equal(mr_header_check(&h, 32), MR_OK);
    h.gas_used = h.gas_limit;
    assert_int_equal(mr_header_check(&h, 32), MR_OK);
    h.gas_used++;
    assert_int_equal(mr_header_check(&h, 32), MR_INVALID);
    h = sound();
    h.extra = mr_span(NULL, 32);
    assert_int_equal(mr_header_check(&h, 32), MR_OK);
    h.extra = mr_span(NULL, 33);
    assert_int_equal(mr_header_check(&h, 32), MR_INVALID);
    assert_int_equal(mr_header_check(&h, 97), MR_OK); /* clique */
    h = sound();
    memset(h.difficulty.b + 22, 0xff, 10);
    assert_int_equal(mr_header_check(&h, 32), MR_OK);
    h.difficulty.b[21] = 1;
    assert_int_equal(mr_header_check(&h, 32), MR_INVALID);
    h = sound();
    h.base_fee.b[23] = 1;
    assert_int_equal(mr_header_check(&h, 32), MR_INVALID);
    h.fields = 15;
    assert_int_equal(mr_header_check(&h, 32), MR_OK); /* it has no base fee */
    for (unsigned fields = 15; fields <= 32; fields++) {
        h = sound();
        h.fields = fields;
        assert_int_equal(mr_header_check(&h, 32),
                         fields == 18 || fields == 19 ? MR_INVALID : MR_OK);
    }
    h = sound();
    h.gas_limit = h.gas_used = 1; /* its target would be 0 */
    assert_int_equal(mr_header_check(&h, 32), MR_INVALID);
}

/* EIP-1559, worked out by hand. */
static void base_fees_follow_eip_1559(void **state)
{
    static const struct {
        uint64_t limit, used, fee, next;
        bool has;
    } rows[] = {
        {30000000, 15000000, 1000000000, 1000000000, true}, /* at its target */
        {30000000, 30000000, 1000000000, 1125000000, true}, /* full: 1/8 more */
        {30000000, 0, 1000000000, 875000000, true},         /* empty: 1/8 less */
        {20000000, 9000000, 1000000000, 987500000, true},   /* geth's and the EIP's examples */
        {20000000, 11000000, 1000000000, 1012500000, true},
        {30000000, 15000001, 7, 8, true}, /* at least 1 wei more */
        {30000000, 14999999, 7, 7, true}, /* but not less */
        {30000000, 30000000, 0, 1, true},
        {30000000, 0, 0, 0, true},
        {30000000, 0, 1, 1, true},
        {5, 5, 800, 950, true}, /* odd limit: used is 2.5 times the target of 2 */
        {UINT64_MAX, UINT64_MAX, 8, 9, true},
        {UINT64_MAX, 0, UINT64_MAX, UINT64_MAX - UINT64_MAX / 8, true},
        {30000000, 30000000, UINT64_MAX, 0, false}, /* would not fit */
        {1, 1, 1000000000, 0, false},               /* no target */
        {0, 0, 1000000000, 0, false},
        {30000000, 30000001, 1000000000, 0, false}, /* used more than it may */
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_header h = {.fields = 16, .gas_limit = rows[i].limit, .gas_used = rows[i].used};
        uint64_t next = 4711;

        mr_store_be64(h.base_fee.b + 24, rows[i].fee);
        if (mr_header_next_base_fee(&h, &next) != rows[i].has)
            fail_msg("row %zu", i);
        assert_true(next == (rows[i].has ? rows[i].next : 4711));
        h.fields = 15;
        assert_false(mr_header_next_base_fee(&h, &next));
    }
}

static struct mr_header child_of(const struct mr_header *parent)
{
    struct mr_header h = sound();

    h.parent_hash = parent->hash;
    h.number = parent->number + 1;
    h.time = parent->time + 12;
    memset(h.hash.b, 2, 32);
    return h;
}

static void children_that_do_not_follow_are_refused(void **state)
{
    struct mr_header parent = sound(), h = child_of(&parent);

    (void)state;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_OK);
    h.parent_hash.b[31] ^= 1;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    h = child_of(&parent);
    h.number++;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    h = child_of(&parent);
    h.time = parent.time;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    h = child_of(&parent);
    h.base_fee.b[31]++;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    h = child_of(&parent);
    h.fields = 15;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    h = child_of(&parent);
    h.gas_limit = parent.gas_limit + parent.gas_limit / 1024 - 1;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_OK);
    h.gas_limit++;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    h.gas_limit = parent.gas_limit - parent.gas_limit / 1024 + 1;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_OK);
    h.gas_limit--;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    parent.number = UINT64_MAX;
    h = child_of(&parent); /* its number wraps to 0 */
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
}

/* Proof of work before London, and Classic to this day. */
static void without_a_base_fee_the_gas_limit_follows_all_the_same(void **state)
{
    struct mr_header parent = sound(), h;

    (void)state;
    parent.fields = MR_HEADER_FIELDS_MIN;
    h = child_of(&parent);
    h.fields = MR_HEADER_FIELDS_MIN;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_OK);
    h.gas_limit = 21000;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    parent.gas_limit = h.gas_limit = 5000;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_OK);
    h.gas_limit--;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
}

/* EIP-1559: INITIAL_BASE_FEE, and a gas limit held against twice the parent's. */
static void londons_first_block_doubles_the_gas_limit_at_a_fixed_fee(void **state)
{
    struct mr_header parent = sound(), h = child_of(&parent);

    (void)state;
    parent.fields = MR_HEADER_FIELDS_MIN;
    h.gas_limit = 2 * parent.gas_limit;
    mr_store_be64(h.base_fee.b + 24, 1000000000);
    assert_int_equal(mr_header_check_child(&h, &parent), MR_OK);
    h.base_fee.b[31]++;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    h.base_fee.b[31]--;
    h.gas_limit = parent.gas_limit;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
    parent.gas_limit = UINT64_MAX;
    assert_int_equal(mr_header_check_child(&h, &parent), MR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_every_fork_are_read),
        cmocka_unit_test(too_few_and_too_many_fields_are_refused),
        cmocka_unit_test(a_wrong_field_refuses_the_header_and_leaves_the_output_alone),
        cmocka_unit_test(headers_over_their_size_are_refused),
        cmocka_unit_test(self_checks_refuse_what_no_chain_can_hold),
        cmocka_unit_test(base_fees_follow_eip_1559),
        cmocka_unit_test(children_that_do_not_follow_are_refused),
        cmocka_unit_test(without_a_base_fee_the_gas_limit_follows_all_the_same),
        cmocka_unit_test(londons_first_block_doubles_the_gas_limit_at_a_fixed_fee),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
