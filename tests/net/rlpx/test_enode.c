#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/json.h"
#include "net/rlpx/enode.h"

#define ID                                                                                         \
    "1dd9d65c4552b5eb43d5ad55a2ee3f56c6cbc1c64a5c8d659f51fcd51bace2"                               \
    "4351232b8d7821617d2b29b54b81cdefb9b3e9c37d7fd5f63270bcc9e1a6f6a439"

static void geths_urls_are_judged_as_geth_judges_them(void **state)
{
    struct mr_json *root = mr_json_load(NULL, MR_TEST_VECTORS "/enode_urls.json");
    const struct mr_json *urls = mr_json_get(root, "urls");

    (void)state;
    assert_true(mr_json_count(urls) > 10);
    for (size_t i = 0; i < mr_json_count(urls); i++) {
        const struct mr_json *row = mr_json_at(urls, i);
        const char *why = NULL, *url;
        struct mr_enode e;
        enum mr_err err;
        bool valid;
        size_t n;

        url = mr_json_string(mr_json_get(row, "url"), &n);
        assert_int_equal(mr_json_bool(mr_json_get(row, "valid"), &valid), MR_OK);
        err = mr_enode_parse(&e, &why, url, n);
        if (!valid)
            assert_int_equal(err, MR_MALFORMED);
        else
            assert_true(err == MR_OK || err == MR_UNSUPPORTED);
        assert_true((err == MR_OK) == (why == NULL));
    }
    mr_json_free(root);
}

static void a_url_survives_a_round_trip(void **state)
{
    static const char *const urls[] = {"enode://" ID "@127.0.0.1:30303",
                                       "enode://" ID "@1.2.3.4:1?discport=22334"};
    char text[MR_ENODE_TEXT_MAX];
    struct mr_enode e;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(urls); i++) {
        assert_int_equal(mr_enode_parse(&e, NULL, urls[i], strlen(urls[i])), MR_OK);
        assert_string_equal(mr_enode_text(text, &e), urls[i]);
    }
    assert_int_equal(e.udp_port, 22334);
}

static void every_prefix_is_refused(void **state)
{
    static const char url[] = "enode://" ID "@127.0.0.1:3";
    struct mr_enode e;

    (void)state;
    for (size_t n = 0; n < sizeof url - 1; n++)
        assert_int_not_equal(mr_enode_parse(&e, NULL, url, n), MR_OK);
    assert_int_equal(mr_enode_parse(&e, NULL, url, sizeof url - 1), MR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(geths_urls_are_judged_as_geth_judges_them),
        cmocka_unit_test(a_url_survives_a_round_trip),
        cmocka_unit_test(every_prefix_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
