#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/eth/network.h"
#include "tests/net/eth/helper_corpus.h"

static struct mr_network_file file;
static char error[256];

static enum mr_err load(const char *json)
{
    error[0] = 0;
    return mr_network_load(&file, error, sizeof error, "my.json", json, strlen(json));
}

#define GENESIS "\"0x1111111111111111111111111111111111111111111111111111111111111111\""
#define IDS     "\"name\":\"mine\",\"network_id\":7,\"chain_id\":77,\"genesis_hash\":" GENESIS
#define FORKS                                                                                      \
    "\"forks\":[{\"name\":\"london(EIP-1559)\",\"activation\":\"block\",\"value\":0},"             \
    "{\"name\":\"cancun\",\"activation\":\"timestamp\",\"value\":5}]"
#define BLOBS                                                                                      \
    "\"blob_schedule\":{\"cancun\":{\"target\":3,\"max\":6,\"base_fee_update_fraction\":3338477}}"

static void the_required_keys_suffice(void **state)
{
    const struct mr_network *net = &file.net;

    (void)state;
    if (load("{" IDS "," FORKS "," BLOBS "}") != MR_OK)
        fail_msg("%s", error);
    assert_string_equal(error, "");
    assert_string_equal(net->name, "mine");
    assert_int_equal(net->network_id, 7);
    assert_int_equal(net->chain_id, 77);
    assert_int_equal(net->genesis_hash.b[31], 0x11);
    assert_int_equal(net->consensus, MR_CONSENSUS_POS);
    assert_int_equal(net->forks_count, 2);
    assert_string_equal(net->forks[0].name, "london");
    assert_true(net->forks[1].by_time);
    assert_true(net->forks[1].in_fork_id);
    assert_int_equal(net->blob_steps_count, 1);
    assert_int_equal(net->blob_steps[0].max, 6);
    assert_int_equal(net->genesis_header.n, 0);
    assert_int_equal(net->bootnodes_v4.n, 0);
    assert_null(mr_network_fork(net, "london(EIP-1559)"));
    assert_non_null(mr_network_fork(net, "london"));
}

static void wrong_files_are_named_with_their_key(void **state)
{
    static const struct {
        const char *json, *key;
        enum mr_err e;
    } rows[] = {
        {"", "JSON", MR_MALFORMED},
        {"{", "line 1", MR_MALFORMED},
        {"[]", "object", MR_INVALID},
        {"{}", "\"name\"", MR_INVALID},
        {"{\"name\":\"\"}", "\"name\"", MR_INVALID},
        {"{\"name\":5}", "\"name\"", MR_INVALID},
        {"{\"name\":\"a\"}", "\"network_id\" is missing", MR_INVALID},
        {"{\"name\":\"a\",\"network_id\":\"x\"}", "\"network_id\"", MR_INVALID},
        {"{\"name\":\"a\",\"network_id\":-1}", "\"network_id\"", MR_INVALID},
        {"{\"name\":\"a\",\"network_id\":1}", "\"chain_id\" is missing", MR_INVALID},
        {"{\"name\":\"a\",\"network_id\":1,\"chain_id\":1}", "\"genesis_hash\" is missing",
         MR_INVALID},
        {"{\"name\":\"a\",\"network_id\":1,\"chain_id\":1,\"genesis_hash\":\"0x11\"}",
         "\"genesis_hash\" is not 32 bytes", MR_INVALID},
        {"{" IDS "}", "\"forks\" is missing", MR_INVALID},
        {"{" IDS ",\"forks\":{}}", "\"forks\"", MR_INVALID},
        {"{" IDS ",\"forks\":[{}]}", "\"forks[0].name\"", MR_INVALID},
        {"{" IDS ",\"forks\":[{\"name\":\"a\"}]}", "\"forks[0].activation\"", MR_INVALID},
        {"{" IDS ",\"forks\":[{\"name\":\"a\",\"activation\":\"now\",\"value\":1}]}",
         "\"forks[0].activation\"", MR_INVALID},
        {"{" IDS ",\"forks\":[{\"name\":\"a\",\"activation\":\"block\"}]}",
         "\"forks[0].value\" is missing", MR_INVALID},
        {"{" IDS ",\"forks\":[{\"name\":\"a\",\"activation\":\"block\",\"value\":1,"
         "\"in_fork_id\":1}]}",
         "\"forks[0].in_fork_id\"", MR_INVALID},
        {"{" IDS ",\"forks\":[{\"name\":\"a\",\"activation\":\"block\",\"value\":2},"
         "{\"name\":\"b\",\"activation\":\"block\",\"value\":1}]}",
         "\"forks[1].value\" is out of order", MR_INVALID},
        {"{" IDS ",\"forks\":[{\"name\":\"a\",\"activation\":\"timestamp\",\"value\":2},"
         "{\"name\":\"b\",\"activation\":\"block\",\"value\":3}]}",
         "\"forks[1].value\" is out of order", MR_INVALID},
        {"{" IDS "," FORKS "}", "\"blob_schedule\" is missing", MR_INVALID},
        {"{" IDS "," FORKS ",\"blob_schedule\":[]}", "\"blob_schedule\"", MR_INVALID},
        {"{" IDS "," FORKS ",\"blob_schedule\":{\"osaka\":{}}}", "\"blob_schedule.osaka\"",
         MR_INVALID},
        {"{" IDS "," FORKS ",\"blob_schedule\":{\"cancun\":{\"target\":1}}}",
         "\"blob_schedule.cancun.max\" is missing", MR_INVALID},
        {"{" IDS "," FORKS ",\"blob_schedule\":{\"cancun\":{\"target\":4294967296}}}",
         "\"blob_schedule.cancun.target\"", MR_INVALID},
        {"{" IDS "," FORKS "," BLOBS ",\"consensus\":{\"type\":\"clique\"}}", "\"consensus.type\"",
         MR_INVALID},
        {"{" IDS "," FORKS "," BLOBS ",\"consensus\":{\"type\":\"pos\","
         "\"terminal_total_difficulty\":\"many\"}}",
         "\"consensus.terminal_total_difficulty\"", MR_INVALID},
        {"{" IDS "," FORKS "," BLOBS ",\"genesis\":{\"header_rlp\":\"c0\"}}",
         "\"genesis.header_rlp\" does not hash", MR_INVALID},
        {"{" IDS "," FORKS "," BLOBS ",\"genesis\":{\"timestamp\":\"soon\"}}",
         "\"genesis.timestamp\"", MR_INVALID},
        {"{" IDS "," FORKS "," BLOBS ",\"bootnodes\":{\"v4\":\"enode\"}}", "\"bootnodes.v4\"",
         MR_INVALID},
        {"{" IDS "," FORKS "," BLOBS ",\"bootnodes\":{\"v4\":[{}]}}", "\"bootnodes.v4\"",
         MR_INVALID},
        {"{" IDS "," FORKS "," BLOBS ",\"dns_discovery\":[5]}", "\"dns_discovery\"", MR_INVALID},
        {"{" IDS "," FORKS "," BLOBS ",\"expected_fork_ids\":[{\"at\":0,\"next\":0}]}",
         "\"expected_fork_ids[].fork_hash\"", MR_INVALID},
        {"{" IDS "," IDS "}", "line 1", MR_MALFORMED}, /* the same key twice */
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        if (load(rows[i].json) != rows[i].e)
            fail_msg("row %zu: %s", i, error);
        if (!strstr(error, rows[i].key) || strncmp(error, "my.json: ", 9) != 0)
            fail_msg("row %zu wants %s, says %s", i, rows[i].key, error);
    }
}

static void every_prefix_of_a_file_is_refused(void **state)
{
    static const char json[] = "{" IDS "," FORKS "," BLOBS "}";

    (void)state;
    for (size_t n = 0; n < sizeof json - 1; n++) {
        error[0] = 0;
        assert_int_equal(mr_network_load(&file, error, sizeof error, "my.json", json, n),
                         MR_MALFORMED);
        assert_true(strlen(error) > 10);
    }
}

static void lists_over_their_limit_are_refused(void **state)
{
    static char json[65536];
    size_t n;

    (void)state;
    n = (size_t)snprintf(json, sizeof json, "{" IDS ",\"forks\":[");
    for (size_t i = 0; i <= MR_NETWORK_FORKS_MAX; i++)
        n += (size_t)snprintf(json + n, sizeof json - n,
                              "%s{\"name\":\"f%zu\",\"activation\":\"block\",\"value\":%zu}",
                              i ? "," : "", i, i);
    snprintf(json + n, sizeof json - n, "]," BLOBS "}");
    assert_int_equal(load(json), MR_TOO_BIG);
    assert_non_null(strstr(error, "\"forks\""));

    n = (size_t)snprintf(json, sizeof json, "{" IDS "," FORKS "," BLOBS ",\"dns_discovery\":[");
    for (size_t i = 0; i < 40; i++) {
        n += (size_t)snprintf(json + n, sizeof json - n, "%s\"", i ? "," : "");
        memset(json + n, 'a', 1000);
        n += 1000;
        json[n++] = '"';
    }
    snprintf(json + n, sizeof json - n, "]}");
    assert_int_equal(load(json), MR_TOO_BIG);
    assert_non_null(strstr(error, "\"dns_discovery\""));
}

static void a_short_error_buffer_is_respected(void **state)
{
    char small[8];

    (void)state;
    memset(small, 'x', sizeof small);
    assert_int_equal(mr_network_load(&file, small, 4, "my.json", "{}", 2), MR_INVALID);
    assert_string_equal(small, "my.");
    assert_int_equal(small[4], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_required_keys_suffice),
        cmocka_unit_test(wrong_files_are_named_with_their_key),
        cmocka_unit_test(every_prefix_of_a_file_is_refused),
        cmocka_unit_test(lists_over_their_limit_are_refused),
        cmocka_unit_test(a_short_error_buffer_is_respected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
