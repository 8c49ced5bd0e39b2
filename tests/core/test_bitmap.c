#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/bitmap.h"
#include "core/random.h"

#define BITS 300

static void a_bitmap_equals_an_array_of_bool(void **state)
{
    uint64_t words[MR_BITMAP_WORDS(BITS)];
    bool model[BITS] = {false};
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 1);
    memset(words, 0xff, sizeof words);
    mr_bitmap_zero(words, BITS);
    for (int step = 0; step < 5000; step++) {
        size_t i = mr_random_below(&r, BITS), members = 0, next = MR_BITMAP_NONE;

        model[i] = mr_random_below(&r, 3) == 0;
        if (model[i])
            mr_bitmap_set(words, i);
        else
            mr_bitmap_clear(words, i);
        i = mr_random_below(&r, BITS + 1);
        for (size_t k = BITS; k-- > 0;) {
            assert_int_equal(mr_bitmap_test(words, k), model[k]);
            members += model[k];
            if (model[k] && k >= i)
                next = k;
        }
        assert_int_equal(mr_bitmap_count(words, BITS), members);
        assert_int_equal(mr_bitmap_next(words, BITS, i), next);
    }
}

static void and_not_and_or_work_in_place(void **state)
{
    uint64_t a[2] = {0xff, UINT64_C(1) << 63}, b[2] = {0x0f, 1}, out[2];

    (void)state;
    mr_bitmap_and_not(out, a, b, 128);
    assert_int_equal(out[0], 0xf0);
    assert_int_equal(out[1], UINT64_C(1) << 63);
    mr_bitmap_or(out, out, b, 128);
    assert_int_equal(out[0], 0xff);
    assert_int_equal(out[1], UINT64_C(1) << 63 | 1);
    mr_bitmap_and_not(a, a, a, 128);
    assert_int_equal(mr_bitmap_count(a, 128), 0);
}

static void edges_of_words_are_found(void **state)
{
    uint64_t w[2] = {0, 0};

    (void)state;
    assert_int_equal(MR_BITMAP_WORDS(0), 0);
    assert_int_equal(MR_BITMAP_WORDS(64), 1);
    assert_int_equal(MR_BITMAP_WORDS(65), 2);
    assert_int_equal(mr_bitmap_next(w, 128, 0), MR_BITMAP_NONE);
    mr_bitmap_set(w, 63);
    mr_bitmap_set(w, 127);
    assert_int_equal(mr_bitmap_next(w, 128, 0), 63);
    assert_int_equal(mr_bitmap_next(w, 128, 64), 127);
    assert_int_equal(mr_bitmap_next(w, 128, 127), 127);
    assert_int_equal(mr_bitmap_next(w, 128, 128), MR_BITMAP_NONE);
    assert_int_equal(mr_bitmap_next(w, 0, 0), MR_BITMAP_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bitmap_equals_an_array_of_bool),
        cmocka_unit_test(and_not_and_or_work_in_place),
        cmocka_unit_test(edges_of_words_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
