#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/base.h"
#include "core/err.h"

#define VALUE(name, value, text) MR_##name,
static const enum mr_err all[] = {MR_ERR_MAP(VALUE)};

static void every_error_has_a_name_and_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(all); i++) {
        assert_true(strlen(mr_err_name(all[i])) > 1);
        assert_true(strlen(mr_err_text(all[i])) > 1);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(all[i], all[k]);
            assert_string_not_equal(mr_err_name(all[i]), mr_err_name(all[k]));
            assert_string_not_equal(mr_err_text(all[i]), mr_err_text(all[k]));
        }
    }
}

static void only_success_is_zero_and_failures_are_negative(void **state)
{
    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(all); i++)
        assert_true(all[i] == MR_OK ? (int)all[i] == 0 : (int)all[i] < 0);
}

static void a_number_that_is_no_error_is_named_as_such(void **state)
{
    (void)state;
    assert_string_equal(mr_err_name((enum mr_err) - 1000), "?");
    assert_string_equal(mr_err_text((enum mr_err) - 1000), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_name_and_a_sentence_of_its_own),
        cmocka_unit_test(only_success_is_zero_and_failures_are_negative),
        cmocka_unit_test(a_number_that_is_no_error_is_named_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
