#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/rlpx/base_protocol.h"
#include "tests/net/rlpx/helper_rlp_text.h"

/* F-08: every form is a parsed reason, no reason, or an unreadable one; none is an error. */
static const struct {
    const char *text;
    unsigned reason;
} forms[] = {
    {"", MR_REASON_ABSENT},
    {"c0", MR_REASON_ABSENT},
    {"c180", 0x00},
    {"c100", 0x00}, /* not canonical, and yet clear */
    {"c104", 0x04},
    {"c110", 0x10},
    {"c17f", 0x7f},
    {"c28180", 0x80},
    {"c281ff", 0xff},
    {"c3820100", MR_REASON_INVALID},
    {"l{ s{01 00*8} }", MR_REASON_INVALID}, /* 2^64 */
    {"l{ s{ff*8} }", MR_REASON_INVALID},
    {"l{ s{ff*40} }", MR_REASON_INVALID},
    {"80", 0x00},
    {"00", 0x00},
    {"04", 0x04},
    {"10", 0x10},
    {"7f", 0x7f},
    {"81ff", 0xff},
    {"8104", MR_REASON_INVALID},
    {"c28104", MR_REASON_INVALID},
    {"820004", MR_REASON_INVALID},
    {"c3820004", MR_REASON_INVALID},
    {"820100", MR_REASON_INVALID},
    {"l{ 04 05 }", 0x04},
    {"l{ 04 c0 s{61*60} }", 0x04},
    {"l{ 04 } 00", 0x04},
    {"04 ff", 0x04},
    {"l{ l{ 04 } }", MR_REASON_INVALID},
    {"l{ c0 }", MR_REASON_INVALID},
    {"l{ s{746f6f206d616e79} }", MR_REASON_INVALID}, /* "too many": 8 bytes */
    {"c2", MR_REASON_INVALID},
    {"c204", MR_REASON_INVALID},
    {"81", MR_REASON_INVALID},
    {"b8", MR_REASON_INVALID},
    {"f8", MR_REASON_INVALID},
    {"f90400 04", MR_REASON_INVALID},
    {"ff*9", MR_REASON_INVALID},
    {"bf ff*8", MR_REASON_INVALID},
    {"ff*1024", MR_REASON_INVALID},
};

static void disconnect_is_read_in_every_form(void **state)
{
    uint8_t buf[2048];

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(forms); i++) {
        size_t n = rlp_text(buf, sizeof buf, forms[i].text);
        unsigned reason = mr_disconnect_decode(mr_span(buf, n));

        if (reason != forms[i].reason)
            fail_msg("%s: %x, not %x", forms[i].text, reason, forms[i].reason);
        assert_true(reason < MR_REASON_COUNT);
    }
}

static void disconnect_is_written_as_a_list(void **state)
{
    uint8_t buf[8];

    (void)state;
    for (unsigned reason = 0; reason <= 0xff; reason++) {
        struct mr_writer w = mr_writer(buf, sizeof buf);

        assert_int_equal(mr_disconnect_encode(&w, reason), MR_OK);
        assert_true(buf[0] == 0xc0 + w.n - 1);
        assert_int_equal(mr_disconnect_decode(mr_writer_span(&w)), reason);
        w = mr_writer(buf, w.n - 1);
        assert_int_equal(mr_disconnect_encode(&w, reason), MR_FULL);
        assert_int_equal(w.n, 0);
    }
}

static void every_reason_has_a_name_and_a_sentence(void **state)
{
    static const unsigned named[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 0x100, 0x101};
    unsigned known = 0;

    (void)state;
    for (unsigned reason = 0; reason < MR_REASON_COUNT; reason++) {
        assert_true(strlen(mr_reason_text(reason)) > 0);
        known += strcmp(mr_reason_name(reason), "unknown") != 0;
    }
    assert_int_equal(known, MR_COUNT_OF(named));
    for (size_t i = 0; i < MR_COUNT_OF(named); i++) {
        assert_string_not_equal(mr_reason_name(named[i]), "unknown");
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(mr_reason_name(named[i]), mr_reason_name(named[j]));
    }
    assert_string_equal(mr_reason_name(4), "too_many_peers");
    assert_string_equal(mr_reason_name(0x0c), "unknown");
}

/* What decisions and other clients agree on. */
static void faults_send_the_agreed_reasons(void **state)
{
    static const struct {
        enum mr_p2p_fault fault;
        unsigned reason;
    } rows[] = {
        {MR_P2P_HELLO_OTHER_ID, 0x09}, {MR_P2P_HELLO_NULL_ID, 0x07},   {MR_P2P_HELLO_OWN_ID, 0x0a},
        {MR_P2P_NOTHING_SHARED, 0x03}, {MR_P2P_UNKNOWN_MESSAGE_ID, 2}, {MR_P2P_BAD_MESSAGE_ID, 2},
        {MR_P2P_BAD_SNAPPY, 2},        {MR_P2P_MESSAGE_TOO_BIG, 0x10}, {MR_P2P_SILENCE, 0x0b},
        {MR_P2P_SECOND_HELLO, 2},      {MR_P2P_HELLO_ID_LENGTH, 0x07}, {MR_P2P_PING_FLOOD, 2},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        assert_int_equal(mr_p2p_fault_reason(rows[i].fault), rows[i].reason);
    for (unsigned f = 0; f < MR_P2P_FAULT_COUNT; f++) {
        assert_true(strlen(mr_p2p_fault_text(f)) > 0);
        assert_true(strlen(mr_p2p_fault_name(f)) > 0);
        assert_true(mr_p2p_fault_reason(f) <= 0x10);
    }
}

static void ping_is_an_empty_list_or_nothing(void **state)
{
    uint8_t buf[2];
    struct mr_writer w = mr_writer(buf, sizeof buf);

    (void)state;
    assert_int_equal(mr_ping_encode(&w), MR_OK);
    assert_int_equal(w.n, 1);
    assert_int_equal(buf[0], 0xc0);
    assert_true(mr_ping_check(mr_writer_span(&w)));
    assert_true(mr_ping_check(mr_span("", 0)));
    assert_false(mr_ping_check(mr_span("\xc0\xc0", 2)));
    assert_false(mr_ping_check(mr_span("\xc1\x01", 2)));
    for (unsigned b = 0; b < 256; b++) {
        buf[0] = (uint8_t)b;
        assert_int_equal(mr_ping_check(mr_span(buf, 1)), b == 0xc0);
    }
    w = mr_writer(buf, 0);
    assert_int_equal(mr_ping_encode(&w), MR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disconnect_is_read_in_every_form),
        cmocka_unit_test(disconnect_is_written_as_a_list),
        cmocka_unit_test(every_reason_has_a_name_and_a_sentence),
        cmocka_unit_test(faults_send_the_agreed_reasons),
        cmocka_unit_test(ping_is_an_empty_list_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
