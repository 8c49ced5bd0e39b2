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

static void every_number_of_the_relay_policy_is_a_flag(void **state)
{
    const char *argv[] = {"run",
                          "--peer-tx-rate=1",
                          "--peer-tx-burst=2",
                          "--peer-bytes-rate=3",
                          "--peer-bytes-burst=4",
                          "--recovery-budget=5",
                          "--sender-tx-rate=6",
                          "--sender-tx-burst=7",
                          "--sender-blob-rate=8",
                          "--sender-blob-burst=9",
                          "--txpool.pricebump=11",
                          "--blobpool.pricebump=12",
                          "--replacement-rate=13",
                          "--doubtful-rate=14",
                          "--peer-pool-share=15",
                          "--blob-upload=16",
                          "--fresh-age=17",
                          NULL};
    struct mr_run_options o;
    char error[512];

    (void)state;
    assert_true(parse(&o, error, argv));
    assert_int_equal(o.relay.peer_tx_per_s, 1);
    assert_int_equal(o.relay.peer_tx_burst, 2);
    assert_int_equal(o.relay.peer_bytes_per_s, 3);
    assert_int_equal(o.relay.peer_bytes_burst, 4);
    assert_int_equal(o.relay.recovery_percent, 5);
    assert_int_equal(o.relay.sender_tx_per_s, 6);
    assert_int_equal(o.relay.sender_tx_burst, 7);
    assert_int_equal(o.relay.sender_blob_per_s, 8);
    assert_int_equal(o.relay.sender_blob_burst, 9);
    assert_int_equal(o.relay.price_bump_percent, 11);
    assert_int_equal(o.relay.blob_price_bump_percent, 12);
    assert_int_equal(o.relay.replacements_per_minute, 13);
    assert_int_equal(o.relay.doubtful_per_s, 14);
    assert_int_equal(o.relay.peer_pool_share, 15);
    assert_int_equal(o.relay.blob_upload_per_s, 16);
    assert_int_equal(o.relay.fresh_ns, UINT64_C(17000000000));
    mr_run_options_free(&o);
}

/* design.md, section 6 */
static void without_flags_the_policy_is_the_stated_one(void **state)
{
    const char *argv[] = {"run", NULL};
    struct mr_run_options o;
    char error[512];

    (void)state;
    assert_true(parse(&o, error, argv));
    assert_int_equal(o.relay.peer_tx_per_s, 256);
    assert_int_equal(o.relay.peer_tx_burst, 1024);
    assert_int_equal(o.relay.peer_bytes_per_s, 2 << 20);
    assert_int_equal(o.relay.recovery_percent, 40);
    assert_int_equal(o.relay.sender_tx_per_s, 8);
    assert_int_equal(o.relay.sender_tx_burst, 128);
    assert_int_equal(o.relay.sender_blob_per_s, 1);
    assert_int_equal(o.relay.sender_blob_burst, 16);
    assert_int_equal(o.relay.price_bump_percent, 10);
    assert_int_equal(o.relay.blob_price_bump_percent, 100);
    assert_int_equal(o.relay.replacements_per_minute, 4);
    assert_int_equal(o.relay.doubtful_per_s, 5);
    assert_int_equal(o.relay.peer_pool_share, 8);
    assert_int_equal(o.relay.blob_upload_per_s, 8 << 20);
    assert_int_equal(o.relay.fresh_ns, UINT64_C(24000000000));
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
        {"--recovery-budget=0", "--recovery-budget must be 1 to 100 percent of a core, not 0"},
        {"--recovery-budget=101", "--recovery-budget"},
        {"--peer-tx-rate=0", "--peer-tx-rate"},
        {"--peer-bytes-rate=0", "--peer-bytes-rate"},
        {"--peer-bytes-burst=0", "--peer-bytes-burst"},
        {"--peer-bytes-burst=1099511627777", "--peer-bytes-burst"},
        {"--peer-pool-share=0", "--peer-pool-share"},
        {"--peer-pool-share=1025", "--peer-pool-share"},
        {"--replacement-rate=1000001", "--replacement-rate"},
        {"--txpool.pricebump=10001", "--txpool.pricebump"},
        {"--blobpool.pricebump=10001", "--blobpool.pricebump"},
        {"--doubtful-rate=1000001", "--doubtful-rate"},
        {"--blob-upload=1099511627777", "--blob-upload"},
        {"--fresh-age=86401", "--fresh-age must be 0 to 86400 seconds, not 86401"},
        {"--sender-blob-rate=4294967296", "--sender-blob-rate"},
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
        cmocka_unit_test(every_number_of_the_relay_policy_is_a_flag),
        cmocka_unit_test(without_flags_the_policy_is_the_stated_one),
        cmocka_unit_test(another_network_id_changes_nothing_else),
        cmocka_unit_test(node_lists_come_from_words_and_files),
        cmocka_unit_test(every_mistake_is_a_sentence_that_names_the_flag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
