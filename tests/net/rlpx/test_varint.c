#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/rlpx/varint.h"

static void read_gives_what_put_wrote(void **state)
{
    uint8_t b[MR_VARINT_MAX];

    (void)state;
    for (unsigned bit = 0; bit <= 32; bit++) {
        for (int d = -1; d <= 1; d++) {
            uint32_t v = (uint32_t)((1ull << bit) + (unsigned)d), out;
            size_t n = mr_varint_put(b, v);
            struct mr_reader r = mr_reader(b, n);

            assert_int_equal(n, mr_varint_len(v));
            assert_int_equal(mr_varint_read(&r, &out), MR_OK);
            assert_int_equal(out, v);
            assert_true(mr_reader_done(&r));
            for (size_t cut = 0; cut < n; cut++) {
                r = mr_reader(b, cut);
                out = 77;
                assert_int_equal(mr_varint_read(&r, &out), MR_SHORT);
                assert_int_equal(out, 77);
                assert_ptr_equal(r.p, b);
            }
        }
    }
}

static void needless_groups_are_taken_up_to_five_bytes(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        enum mr_err e;
        uint32_t v;
    } rows[] = {
        {"\x80\x00", 2, MR_OK, 0},
        {"\x85\x80\x80\x80\x00", 5, MR_OK, 5},
        {"\xff\xff\xff\xff\x0f", 5, MR_OK, UINT32_MAX},
        {"\xff\xff\xff\xff\x10", 5, MR_MALFORMED, 0},
        {"\x80\x80\x80\x80\x10", 5, MR_MALFORMED, 0},
        {"\x80\x80\x80\x80\x80\x00", 6, MR_MALFORMED, 0},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, MR_MALFORMED, 0},
        {"\x80\x80\x80\x80", 4, MR_SHORT, 0},
        {"", 0, MR_SHORT, 0},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_reader r = mr_reader(rows[i].p, rows[i].n);
        uint32_t v = 0;

        assert_int_equal(mr_varint_read(&r, &v), rows[i].e);
        assert_int_equal(v, rows[i].v);
        assert_int_equal(mr_reader_left(&r), rows[i].e ? rows[i].n : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_gives_what_put_wrote),
        cmocka_unit_test(needless_groups_are_taken_up_to_five_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
