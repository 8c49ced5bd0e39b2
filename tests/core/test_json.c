#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/json.h"

static struct mr_json *parse(const char *text)
{
    struct mr_json *j = mr_json_parse(NULL, text, strlen(text));

    assert_non_null(j);
    return j;
}

static void members_and_items_are_found_and_absence_nests(void **state)
{
    struct mr_json *j = parse("{\"a\":[1,\"two\",true,null,2.5,{\"k\":\"v\"}],\"b\":{}}");
    const struct mr_json *a = mr_json_get(j, "a");
    size_t n;
    bool b;

    (void)state;
    assert_int_equal(mr_json_kind(j), MR_JSON_OBJECT);
    assert_int_equal(mr_json_count(j), 2);
    assert_int_equal(mr_json_kind(a), MR_JSON_ARRAY);
    assert_int_equal(mr_json_count(a), 6);
    assert_int_equal(mr_json_kind(mr_json_at(a, 0)), MR_JSON_INTEGER);
    assert_string_equal(mr_json_string(mr_json_at(a, 1), &n), "two");
    assert_int_equal(n, 3);
    assert_int_equal(mr_json_bool(mr_json_at(a, 2), &b), MR_OK);
    assert_true(b);
    assert_int_equal(mr_json_kind(mr_json_at(a, 3)), MR_JSON_NULL);
    assert_int_equal(mr_json_kind(mr_json_at(a, 4)), MR_JSON_REAL);
    assert_string_equal(mr_json_string(mr_json_get(mr_json_at(a, 5), "k"), NULL), "v");

    assert_null(mr_json_get(j, "c"));
    assert_null(mr_json_get(a, "a"));
    assert_null(mr_json_at(a, 6));
    assert_null(mr_json_at(j, 0));
    assert_null(mr_json_string(mr_json_get(mr_json_at(mr_json_get(j, "x"), 3), "y"), &n));
    assert_int_equal(mr_json_kind(NULL), MR_JSON_ABSENT);
    assert_int_equal(mr_json_count(NULL), 0);
    assert_int_equal(mr_json_count(mr_json_at(a, 1)), 0);
    mr_json_free(j);
}

static void objects_are_walked_in_the_order_of_their_text(void **state)
{
    struct mr_json *j = parse("{\"zebra\":1,\"apple\":2,\"mango\":3}");
    const struct mr_json *v;
    const char *key;
    char order[32] = "";
    void *it = NULL;

    (void)state;
    while (mr_json_next(j, &it, &key, &v))
        strncat(order, key, 1);
    assert_string_equal(order, "zam");
    it = NULL;
    assert_false(mr_json_next(NULL, &it, &key, &v));
    mr_json_free(j);
}

static void numbers_come_as_integers_decimal_and_hexadecimal_strings(void **state)
{
    struct mr_json *j = parse("[0, 9223372036854775807, \"18446744073709551615\", "
                              "\"0xffffffffffffffff\", \"0X1f\", \"007\"]");
    static const uint64_t want[] = {0, INT64_MAX, UINT64_MAX, UINT64_MAX, 31, 7};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(want); i++) {
        uint64_t v = 1;

        assert_int_equal(mr_json_u64(mr_json_at(j, i), &v), MR_OK);
        assert_true(v == want[i]);
    }
    mr_json_free(j);
}

static void what_is_no_u64_is_refused_and_leaves_the_output(void **state)
{
    struct mr_json *j =
        parse("[-1, 1.0, \"\", \"0x\", \"12a\", \"-1\", \" 1\", \"0xg\", true, null, "
              "[], \"1 \", \"+1\", \"18446744073709551616\", "
              "\"0x10000000000000000\"]");
    uint64_t v = 77;

    (void)state;
    for (size_t i = 0; i < 13; i++)
        assert_int_equal(mr_json_u64(mr_json_at(j, i), &v), MR_INVALID);
    for (size_t i = 13; i < 15; i++)
        assert_int_equal(mr_json_u64(mr_json_at(j, i), &v), MR_TOO_BIG);
    assert_int_equal(mr_json_u64(NULL, &v), MR_NOT_FOUND);
    assert_int_equal(v, 77);
    mr_json_free(j);
}

static void u256_holds_all_256_bits_and_no_more(void **state)
{
    struct mr_json *j =
        parse("[\"115792089237316195423570985008687907853269984665640564039457584007913129639935\","
              "\"115792089237316195423570985008687907853269984665640564039457584007913129639936\","
              "\"58750003716598352816469\"]");
    struct mr_u256 v, all;

    (void)state;
    memset(&all, 0xff, sizeof all);
    assert_int_equal(mr_json_u256(mr_json_at(j, 0), &v), MR_OK);
    assert_memory_equal(&v, &all, sizeof v);
    assert_int_equal(mr_json_u256(mr_json_at(j, 1), &v), MR_TOO_BIG);
    assert_memory_equal(&v, &all, sizeof v);
    assert_int_equal(mr_json_u256(mr_json_at(j, 2), &v), MR_OK);
    assert_memory_equal(v.b + 22, "\x0c\x70\xd8\x15\xd5\x62\xd3\xcf\xa9\x55", 10);
    mr_json_free(j);
}

static void hex_strings_become_bytes(void **state)
{
    struct mr_json *j = parse("[\"0xc0ffee\", \"\", \"abc\", 5, \"0x\"]");
    uint8_t out[3] = {9, 9, 9}, *dup;
    size_t n = 99;

    (void)state;
    assert_int_equal(mr_json_hex(mr_json_at(j, 0), out, &n, 2), MR_TOO_BIG);
    assert_int_equal(mr_json_hex_exact(mr_json_at(j, 0), out, 2), MR_INVALID);
    assert_int_equal(mr_json_hex(mr_json_at(j, 2), out, &n, 3), MR_INVALID);
    assert_int_equal(mr_json_hex(mr_json_at(j, 3), out, &n, 3), MR_INVALID);
    assert_int_equal(mr_json_hex(NULL, out, &n, 3), MR_NOT_FOUND);
    assert_int_equal(n, 99);
    assert_int_equal(out[0], 9);
    assert_int_equal(mr_json_hex(mr_json_at(j, 0), out, &n, 3), MR_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(out, "\xc0\xff\xee", 3);
    assert_int_equal(mr_json_hex_exact(mr_json_at(j, 1), out, 0), MR_OK);
    dup = mr_json_hex_dup(mr_json_at(j, 0), &n);
    assert_int_equal(n, 3);
    assert_memory_equal(dup, "\xc0\xff\xee", 3);
    free(dup);
    dup = mr_json_hex_dup(mr_json_at(j, 4), &n);
    assert_non_null(dup);
    assert_int_equal(n, 0);
    free(dup);
    assert_null(mr_json_hex_dup(mr_json_at(j, 2), &n));
    assert_null(mr_json_hex_dup(mr_json_at(j, 3), &n));
    mr_json_free(j);
}

static void bad_text_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text;
        int line;
    } cases[] = {
        {"", 1},
        {"{", 1},
        {"{\n\"a\": 1,\n\"a\": 2}", 3},
        {"[1,]", 1},
        {"[1] x", 1},
        {"\n\n[01]", 3},
        {"\"\xff\"", 1},
        {"\"a\\u0000b\"", 1},
        {"[9223372036854775808]", 1},
        {"nul", 1},
        {"'a'", 1},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(cases); i++) {
        struct mr_json_error err = {.line = -1};

        assert_null(mr_json_parse(&err, cases[i].text, strlen(cases[i].text)));
        assert_int_equal(err.line, cases[i].line);
        assert_true(strlen(err.text) > 0);
    }
    assert_null(mr_json_load(NULL, "/nonexistent/x.json"));
}

static void parsing_refuses_every_prefix_of_an_object(void **state)
{
    static const char text[] = "{\"a\":[1,{\"b\":\"c\"}],\"d\":true}";

    (void)state;
    for (size_t n = 0; n < strlen(text); n++)
        assert_null(mr_json_parse(NULL, text, n));
}

static void nesting_is_bounded(void **state)
{
    char deep[8192];

    (void)state;
    memset(deep, '[', 4096);
    memset(deep + 4096, ']', 4096);
    assert_null(mr_json_parse(NULL, deep, sizeof deep));
}

static void what_is_built_is_what_is_read(void **state)
{
    struct mr_json *j = mr_json_new_object(), *a = mr_json_new_array(), *back;
    uint64_t v;
    double d;
    char *text;
    size_t n;

    (void)state;
    mr_json_set_string(j, "name", "a \"b\"\n");
    mr_json_set_u64(j, "small", 7);
    mr_json_set_u64(j, "big", UINT64_MAX);
    mr_json_set_bool(j, "yes", true);
    mr_json_set_double(j, "half", 0.5);
    mr_json_set_double(j, "nan", NAN);
    mr_json_set_hex(j, "hex", "\x01\xff", 2);
    mr_json_push(a, mr_json_new_null());
    mr_json_push(a, mr_json_new_i64(-3));
    mr_json_push(a, mr_json_new_raw("{\"x\": [1, 2]}", 13));
    mr_json_set(j, "list", a);
    mr_json_set_u64(j, "small", 8);
    text = mr_json_dump(j, &n);
    assert_string_equal(text, "{\"name\":\"a \\\"b\\\"\\n\",\"small\":8,"
                              "\"big\":\"18446744073709551615\",\"yes\":true,\"half\":0.5,"
                              "\"nan\":null,\"hex\":\"0x01ff\",\"list\":[null,-3,{\"x\":[1,2]}]}");
    assert_int_equal(n, strlen(text));
    back = mr_json_parse(NULL, text, n);
    assert_int_equal(mr_json_u64(mr_json_get(back, "big"), &v), MR_OK);
    assert_true(v == UINT64_MAX);
    assert_int_equal(mr_json_double(mr_json_get(back, "half"), &d), MR_OK);
    assert_true(d == 0.5);
    assert_null(mr_json_new_raw("{", 1));
    mr_json_free(back);
    mr_json_free(j);
    free(text);
}

static void strings_that_are_not_utf8_are_replaced_not_lost(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *json;
    } cases[] = {
        {"a\xff"
         "b",
         3,
         "\"a\xef\xbf\xbd"
         "b\""},
        {"a\0b", 3,
         "\"a\xef\xbf\xbd"
         "b\""},
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xc3\xa9\xc3", 3, "\"\xc3\xa9\xef\xbf\xbd\""},
        {"\xf0\x9f\x98\x80\x80", 5, "\"\xf0\x9f\x98\x80\xef\xbf\xbd\""},
        {"\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"", 0, "\"\""},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(cases); i++) {
        struct mr_json *j = mr_json_new_string(cases[i].bytes, cases[i].n);
        char *text = mr_json_dump(j, NULL);

        assert_string_equal(text, cases[i].json);
        free(text);
        mr_json_free(j);
    }
}

static void a_saved_file_is_whole_or_absent(void **state)
{
    char dir[] = "/tmp/mr_json_XXXXXX", path[64], missing[64];
    struct mr_json *j = parse("{\"a\":1}"), *back;
    FILE *full;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x.json", dir);
    snprintf(missing, sizeof missing, "%s/none/x.json", dir);
    assert_int_equal(mr_json_save(j, path, true), MR_OK);
    back = mr_json_load(NULL, path);
    assert_int_equal(mr_json_count(back), 1);
    mr_json_free(back);
    assert_int_equal(mr_json_save(j, missing, false), MR_SYSTEM);
    full = fopen("/dev/full", "w");
    if (full) {
        setbuf(full, NULL);
        assert_int_equal(mr_json_write(j, full, false), MR_SYSTEM);
        fclose(full);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing temporary is left */
    mr_json_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_items_are_found_and_absence_nests),
        cmocka_unit_test(objects_are_walked_in_the_order_of_their_text),
        cmocka_unit_test(numbers_come_as_integers_decimal_and_hexadecimal_strings),
        cmocka_unit_test(what_is_no_u64_is_refused_and_leaves_the_output),
        cmocka_unit_test(u256_holds_all_256_bits_and_no_more),
        cmocka_unit_test(hex_strings_become_bytes),
        cmocka_unit_test(bad_text_is_refused_with_its_line),
        cmocka_unit_test(parsing_refuses_every_prefix_of_an_object),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(what_is_built_is_what_is_read),
        cmocka_unit_test(strings_that_are_not_utf8_are_replaced_not_lost),
        cmocka_unit_test(a_saved_file_is_whole_or_absent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
