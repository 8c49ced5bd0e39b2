/* The command line of millrace-load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "perf/load_options.h"

#define KEY                                                                                        \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                             \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TARGET "enode://" KEY "@127.0.0.1:30303"

static char sentence[256];

static enum mr_err read_line(struct mr_load_options *o, const char *line)
{
    static char copy[2048];
    static char name[] = "millrace-load";
    char *argv[32] = {name};
    int argc = 1;

    assert_true(strlen(line) < sizeof copy);
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return mr_load_options_read(o, sentence, sizeof sentence, argc, argv);
}

static void both_ways_of_writing_a_value_work(void **state)
{
    struct mr_load_options o;

    (void)state;
    assert_int_equal(read_line(&o, "--target=" TARGET " --peers 7 --rate=2.5 --duration 4 "
                                   "--corpus a --corpus=b --network sepolia --eth-version 69 "
                                   "--seed 9 --relay-pid 12 --assert body_us.p99=100000"),
                     MR_OK);
    assert_int_equal(o.target.tcp.port, 30303);
    assert_int_equal(o.target.tcp.ip, 0x7f000001);
    assert_int_equal(o.target.id.b[63], 0xef);
    assert_int_equal(o.peers, 7);
    assert_int_equal(o.senders, 7); /* never more than peers */
    assert_int_equal(mr_load_options_txs(&o), 10);
    assert_int_equal(o.corpora_count, 2);
    assert_string_equal(o.network->name, "sepolia");
    assert_int_equal(o.eth_version, 69);
    assert_int_equal(o.seed, 9);
    assert_int_equal(o.relay_pid, 12);
    assert_string_equal(o.asserts[0].key, "body_us.p99");
    assert_true(o.asserts[0].max == 100000);
}

static void help_needs_nothing_else(void **state)
{
    struct mr_load_options o;

    (void)state;
    assert_int_equal(read_line(&o, "--help --what"), MR_OK);
    assert_true(o.help);
}

static void wrong_lines_are_refused_in_one_sentence(void **state)
{
    static const struct {
        const char *line, *said;
    } rows[] = {
        {"", "--target is missing"},
        {"--target", "--target wants a value"},
        {"--what", "unknown option --what"},
        {"--synthetic=1", "unknown option --synthetic=1"},
        {"--target x", "--target does not take 'x'"},
        {"--target enode://" KEY "@127.0.0.1", "--target does not take"},
        {"--target enode://" KEY "@127.0.0.1:0", "--target does not take"},
        {"--target enode://" KEY "@[::1]:1", "--target does not take"},
        {"--target enode://0x" KEY "@127.0.0.1:1", "--target does not take"},
        {"--peers 1", "--peers does not take '1'"},
        {"--peers -5", "--peers does not take '-5'"},
        {"--peers 100000", "--peers does not take"},
        {"--peers 5x", "--peers does not take '5x'"},
        {"--rate 0", "--rate does not take '0'"},
        {"--rate nan", "--rate does not take 'nan'"},
        {"--duration 99999", "--duration does not take"},
        {"--network foo", "--network does not take 'foo'"},
        {"--eth-version 72", "--eth-version does not take '72'"},
        {"--relay-pid 0", "--relay-pid does not take '0'"},
        {"--assert p99", "--assert does not take 'p99'"},
        {"--assert =1", "--assert does not take '=1'"},
        {"--assert a=b", "--assert does not take 'a=b'"},
        {"--target " TARGET " --synthetic --corpus x", "exclude each other"},
        {"--target " TARGET " --rate 100000 --duration 3600", "rate times duration"},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_load_options o;

        assert_int_equal(read_line(&o, rows[i].line), MR_INVALID);
        if (!strstr(sentence, rows[i].said))
            fail_msg("'%s' says: %s", rows[i].line, sentence);
    }
}

static void an_enode_may_name_its_discovery_port(void **state)
{
    struct mr_load_options o;

    (void)state;
    assert_int_equal(read_line(&o, "--target " TARGET "?discport=0"), MR_OK);
    assert_int_equal(o.target.tcp.port, 30303);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_of_writing_a_value_work),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(wrong_lines_are_refused_in_one_sentence),
        cmocka_unit_test(an_enode_may_name_its_discovery_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
