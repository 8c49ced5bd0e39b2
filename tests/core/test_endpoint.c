#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/endpoint.h"

static enum mr_err parse(struct mr_endpoint *out, const char *text)
{
    return mr_endpoint_parse(out, text, strlen(text));
}

static void text_and_value_are_each_others_inverse(void **state)
{
    static const char *const texts[] = {"0.0.0.0:0", "127.0.0.1:30303", "255.255.255.255:65535",
                                        "10.20.100.9:1"};
    char back[MR_ENDPOINT_TEXT_MAX];
    struct mr_endpoint e;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(texts); i++) {
        assert_int_equal(parse(&e, texts[i]), MR_OK);
        assert_string_equal(mr_endpoint_text(back, e), texts[i]);
    }
    srandom(1);
    for (int i = 0; i < 10000; i++) {
        struct mr_endpoint want = {.ip = (uint32_t)random() << 1, .port = (uint16_t)random()};
        assert_int_equal(parse(&e, mr_endpoint_text(back, want)), MR_OK);
        assert_true(mr_endpoint_equal(e, want));
    }
    assert_int_equal(mr_ip_parse(&e.ip, "1.2.3.4", 7), MR_OK);
    assert_int_equal(e.ip, 0x01020304);
    assert_string_equal(mr_ip_text(back, e.ip), "1.2.3.4");
}

static void parse_refuses_everything_else_and_leaves_the_output(void **state)
{
    static const char *const texts[] = {"",
                                        "1.2.3.4",
                                        "1.2.3.4:",
                                        "1.2.3:4",
                                        "1.2.3.4.5:6",
                                        "01.2.3.4:5",
                                        "1.2.3.00:5",
                                        "256.1.1.1:5",
                                        "1.2.3.4:65536",
                                        "1.2.3.4:00",
                                        "1.2.3.4:-1",
                                        " 1.2.3.4:5",
                                        "1.2.3.4:5 ",
                                        "1.2.3.4 :5",
                                        "1..3.4:5",
                                        "a.b.c.d:e",
                                        "1.2.3.4:5x",
                                        "1.2.3.4:100000",
                                        "1111.2.3.4:5",
                                        "::1:5",
                                        "0x1.2.3.4:5",
                                        "+1.2.3.4:5"};
    struct mr_endpoint e = {.ip = 7, .port = 8};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(texts); i++) {
        assert_int_equal(parse(&e, texts[i]), MR_MALFORMED);
        assert_int_equal(e.ip, 7);
        assert_int_equal(e.port, 8);
    }
    assert_int_equal(mr_ip_parse(&e.ip, "1.2.3.4:5", 9), MR_MALFORMED);
    assert_int_equal(mr_ip_parse(&e.ip, "1.2.3.4", 6), MR_MALFORMED);
    assert_int_equal(e.ip, 7);
}

static void parse_refuses_every_prefix_that_has_no_port(void **state)
{
    static const char text[] = "192.168.100.200:6";
    struct mr_endpoint e = {.ip = 7};

    (void)state;
    for (size_t n = 0; n + 1 < sizeof text - 1; n++) {
        char *exact = malloc(n + 1); /* so that the sanitizer sees a read too far */
        assert_non_null(exact);
        memcpy(exact, text, n);
        assert_int_equal(mr_endpoint_parse(&e, exact, n), MR_MALFORMED);
        free(exact);
    }
    assert_int_equal(e.ip, 7);
}

static uint32_t ip(const char *text)
{
    uint32_t v = 0;

    assert_int_equal(mr_ip_parse(&v, text, strlen(text)), MR_OK);
    return v;
}

static void kinds_end_exactly_at_their_nets_borders(void **state)
{
    static const char *const lan[] = {"10.0.0.0",       "10.255.255.255", "172.16.0.0",
                                      "172.31.255.255", "192.168.0.0",    "192.168.255.255",
                                      "169.254.0.0",    "169.254.255.255"};
    static const char *const special[] = {"0.0.0.0",         "0.255.255.255", "192.0.0.1",
                                          "192.0.2.9",       "198.18.0.0",    "198.19.255.255",
                                          "198.51.100.1",    "203.0.113.255", "224.0.0.1",
                                          "239.255.255.255", "240.0.0.0",     "255.255.255.255"};
    static const char *const plain[] = {
        "9.255.255.255",  "11.0.0.0",        "172.15.255.255",  "172.32.0.0", "192.167.255.255",
        "192.169.0.0",    "169.253.255.255", "169.255.0.0",     "1.0.0.0",    "192.0.1.0",
        "198.17.255.255", "198.20.0.0",      "223.255.255.255", "8.8.8.8"};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(lan); i++)
        assert_true(mr_ip_is_lan(ip(lan[i])) && !mr_ip_is_special(ip(lan[i])));
    for (size_t i = 0; i < MR_COUNT_OF(special); i++)
        assert_true(mr_ip_is_special(ip(special[i])) && !mr_ip_is_lan(ip(special[i])));
    for (size_t i = 0; i < MR_COUNT_OF(plain); i++)
        assert_true(!mr_ip_is_special(ip(plain[i])) && !mr_ip_is_lan(ip(plain[i])));
    assert_true(mr_ip_is_loopback(ip("127.0.0.1")));
    assert_true(mr_ip_is_loopback(ip("127.255.255.255")));
    assert_false(mr_ip_is_loopback(ip("126.255.255.255")));
    assert_false(mr_ip_is_loopback(ip("128.0.0.0")));
    assert_int_equal(mr_ip_net16(ip("1.2.3.4")), 0x0102);
    assert_int_equal(mr_ip_net24(ip("1.2.3.4")), 0x010203);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_value_are_each_others_inverse),
        cmocka_unit_test(parse_refuses_everything_else_and_leaves_the_output),
        cmocka_unit_test(parse_refuses_every_prefix_that_has_no_port),
        cmocka_unit_test(kinds_end_exactly_at_their_nets_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
