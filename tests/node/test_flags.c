#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "node/flags.h"
#include "node/run_options.h"

#define ID                                                                                         \
    "1dd9d65c4552b5eb43d5ad55a2ee3f56c6cbc1c64a5c8d659f51fcd51bace2"                               \
    "4351232b8d7821617d2b29b54b81cdefb9b3e9c37d7fd5f63270bcc9e1a6f6a439"

static bool parse(struct mr_run_options *o, char *error, const char **argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    error[0] = 0;
    return mr_run_options_parse(o, argc, (char **)(uintptr_t)argv, error, 512);
}

static void flags_take_values_in_both_forms(void **state)
{
    const char *argv[] = {"run",    "--network=sepolia", "--maxpeers",           "50", "-port", "0",
                          "--addr", "127.0.0.1",         "--loopback-is-public", NULL};
    struct mr_run_options o;
    char error[512];

    (void)state;
    assert_true(parse(&o, error, argv));
    assert_string_equal(o.network->name, "sepolia");
    assert_int_equal(o.relay.maxpeers, 50);
    assert_int_equal(o.listen.port, 0);
    assert_int_equal(o.listen.ip, 0x7f000001);
    assert_true(o.relay.loopback_is_public);
    mr_run_options_free(&o);
}

static void another_network_id_changes_nothing_else(void **state)
{
    const char *argv[] = {"run", "--networkid", "77", NULL};
    struct mr_run_options o;
    char error[512];

    (void)state;
    assert_true(parse(&o, error, argv));
    assert_int_equal(o.network->network_id, 77);
    assert_int_equal(o.network->chain_id, 1);
    mr_run_options_free(&o);
}

static void node_lists_come_from_words_and_files(void **state)
{
    char path[] = "/tmp/millrace-nodes-XXXXXX", at[64];
    const char *argv[] = {
        "run",       "--static", "enode://" ID "@1.2.3.4:5,enode://" ID "@1.2.3.4:6",
        "--trusted", at,         NULL};
    struct mr_run_options o;
    char error[512];
    FILE *f = fdopen(mkstemp(path), "w");

    (void)state;
    fprintf(f, "# trusted\n\n  enode://" ID "@1.2.3.4:7  \r\n");
    fclose(f);
    snprintf(at, sizeof at, "@%s", path);
    assert_true(parse(&o, error, argv));
    assert_int_equal(o.static_nodes.count, 2);
    assert_int_equal(o.trusted_nodes.count, 1);
    f = fopen(path, "a");
    fprintf(f, "enode://zz@1.2.3.4:7\n");
    fclose(f);
    assert_false(mr_node_list_read(&o.trusted_nodes, "trusted", error, sizeof error));
    assert_non_null(strstr(error, "--trusted"));
    assert_non_null(strstr(error, path));
    assert_non_null(strstr(error, "line 4"));
    assert_int_equal(o.trusted_nodes.count, 1); /* the old list stays */
    mr_run_options_free(&o);
    remove(path);
}

static void every_mistake_is_a_sentence_that_names_the_flag(void **state)
{
    static const char *const cases[][2] = {
        {"--nosuch", "--nosuch"},
        {"--port", "--port"},
        {"--port=70000", "--port 70000"},
        {"--port=x", "--port"},
        {"--maxpeers=-1", "--maxpeers"},
        {"--maxpeers=99999999999", "--maxpeers"},
        {"--network=nowhere", "--network"},
        {"--network-file=/nonexistent/x.json", "--network-file"},
        {"--addr=localhost", "--addr"},
        {"--verbosity=9", "--verbosity"},
        {"--static=enode://12@1.2.3.4:5", "--static"},
        {"--trusted=@/nonexistent", "--trusted"},
        {"--bootnodes=enode://x", "--bootnodes"},
        {"--shards=0", "--shards"},
        {"--loopback-is-public=maybe", "--loopback-is-public"},
        {"surplus", "surplus"},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(cases); i++) {
        const char *argv[] = {"run", cases[i][0], NULL};
        struct mr_run_options o;
        char error[512];

        assert_false(parse(&o, error, argv));
        assert_non_null(strstr(error, cases[i][1]));
        assert_null(strchr(error, '\n'));
        mr_run_options_free(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_take_values_in_both_forms),
        cmocka_unit_test(another_network_id_changes_nothing_else),
        cmocka_unit_test(node_lists_come_from_words_and_files),
        cmocka_unit_test(every_mistake_is_a_sentence_that_names_the_flag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
