#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/rlp.h"

static void lists_and_strings_survive_a_round_trip(void **state)
{
    uint8_t buf[256];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    struct mr_reader r, body;
    struct mr_span s;
    uint64_t v;
    size_t mark;

    (void)state;
    mark = mr_rlp_open(&w);
    assert_int_equal(mr_rlp_put_u64(&w, 0), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, 1024), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, "dog", 3), MR_OK);
    assert_int_equal(mr_rlp_close(&w, mark), MR_OK);
    r = mr_reader(w.p, w.n);
    assert_int_equal(mr_rlp_list(&r, &body), MR_OK);
    assert_true(mr_reader_done(&r));
    assert_int_equal(mr_rlp_u64(&body, &v), MR_OK);
    assert_int_equal(v, 0);
    assert_int_equal(mr_rlp_u64(&body, &v), MR_OK);
    assert_int_equal(v, 1024);
    assert_int_equal(mr_rlp_bytes(&body, &s), MR_OK);
    assert_memory_equal(s.p, "dog", 3);
    assert_true(mr_reader_done(&body));
}

static void a_full_writer_keeps_its_length(void **state)
{
    uint8_t buf[4];
    struct mr_writer w = mr_writer(buf, sizeof buf);

    (void)state;
    assert_int_equal(mr_rlp_put_bytes(&w, "abc", 3), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, 1), MR_FULL);
    assert_int_equal(w.n, 4);
    assert_int_equal(mr_rlp_close(&w, 0), MR_FULL);
    assert_int_equal(w.n, 4);
}

static void nesting_is_bounded_without_recursion(void **state)
{
    static uint8_t deep[1 << 16];
    struct mr_reader r;

    (void)state;
    memset(deep, 0xc1, sizeof deep);
    deep[sizeof deep - 1] = 0xc0; /* not even the lengths fit: refused at the limit all the same */
    r = mr_reader(deep, sizeof deep);
    assert_int_not_equal(mr_rlp_check(&r, 16), MR_OK);
    assert_ptr_equal(r.p, deep);
    r = mr_reader("\xc2\xc1\xc0", 3);
    assert_int_equal(mr_rlp_check(&r, 2), MR_TOO_BIG);
    assert_int_equal(mr_rlp_check(&r, 3), MR_OK);
    assert_true(mr_reader_done(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_strings_survive_a_round_trip),
        cmocka_unit_test(a_full_writer_keeps_its_length),
        cmocka_unit_test(nesting_is_bounded_without_recursion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
