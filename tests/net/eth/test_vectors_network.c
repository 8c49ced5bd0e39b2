#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "net/eth/network_data.h"
#include "tests/net/eth/helper_corpus.h"

static struct mr_network_file file;

static const struct mr_network *load(const char *name)
{
    char path[512], error[256];
    char *json;
    size_t n;

    snprintf(path, sizeof path, "%s/%s.json", MR_NETWORKS, name);
    json = file_dup(&n, path);
    assert_non_null(json);
    error[0] = 0;
    if (mr_network_load(&file, error, sizeof error, path, json, n) != MR_OK)
        fail_msg("%s", error);
    free(json);
    return &file.net;
}

static void strings_equal(const struct mr_strings *a, const struct mr_strings *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        assert_string_equal(a->v[i], b->v[i]);
}

static void forks_equal(const struct mr_network *a, const struct mr_network *b)
{
    assert_int_equal(a->forks_count, b->forks_count);
    for (size_t i = 0; i < a->forks_count; i++) {
        assert_string_equal(a->forks[i].name, b->forks[i].name);
        assert_int_equal(a->forks[i].value, b->forks[i].value);
        assert_int_equal(a->forks[i].by_time, b->forks[i].by_time);
        assert_int_equal(a->forks[i].in_fork_id, b->forks[i].in_fork_id);
    }
    assert_int_equal(a->blob_steps_count, b->blob_steps_count);
    for (size_t i = 0; i < a->blob_steps_count; i++) {
        assert_string_equal(a->blob_steps[i].fork, b->blob_steps[i].fork);
        assert_int_equal(a->blob_steps[i].target, b->blob_steps[i].target);
        assert_int_equal(a->blob_steps[i].max, b->blob_steps[i].max);
        assert_int_equal(a->blob_steps[i].base_fee_update_fraction,
                         b->blob_steps[i].base_fee_update_fraction);
    }
    assert_int_equal(a->expected_fork_ids_count, b->expected_fork_ids_count);
    for (size_t i = 0; i < a->expected_fork_ids_count; i++) {
        assert_int_equal(a->expected_fork_ids[i].by_time, b->expected_fork_ids[i].by_time);
        assert_int_equal(a->expected_fork_ids[i].at, b->expected_fork_ids[i].at);
        assert_int_equal(a->expected_fork_ids[i].hash, b->expected_fork_ids[i].hash);
        assert_int_equal(a->expected_fork_ids[i].next, b->expected_fork_ids[i].next);
    }
}

static void presets_equal_the_files_that_they_were_made_from(void **state)
{
    const struct mr_network *preset;
    size_t n = 0;

    (void)state;
    for (; (preset = mr_network_preset(n)); n++) {
        const struct mr_network *net = load(preset->name);

        assert_string_equal(preset->name, net->name);
        assert_int_equal(preset->network_id, net->network_id);
        assert_int_equal(preset->chain_id, net->chain_id);
        assert_memory_equal(&preset->genesis_hash, &net->genesis_hash, sizeof net->genesis_hash);
        assert_int_equal(preset->genesis_header.n, net->genesis_header.n);
        assert_memory_equal(preset->genesis_header.p, net->genesis_header.p, net->genesis_header.n);
        assert_int_equal(preset->genesis_time, net->genesis_time);
        assert_memory_equal(&preset->genesis_difficulty, &net->genesis_difficulty, 32);
        assert_int_equal(preset->consensus, net->consensus);
        assert_int_equal(preset->has_terminal_total_difficulty, net->has_terminal_total_difficulty);
        assert_memory_equal(&preset->terminal_total_difficulty, &net->terminal_total_difficulty,
                            32);
        assert_memory_equal(&preset->total_difficulty, &net->total_difficulty, 32);
        assert_int_equal(preset->dao_fork_support, net->dao_fork_support);
        assert_int_equal(preset->dao_fork_block, net->dao_fork_block);
        forks_equal(preset, net);
        strings_equal(&preset->bootnodes_v4, &net->bootnodes_v4);
        strings_equal(&preset->bootnodes_v5, &net->bootnodes_v5);
        strings_equal(&preset->dns, &net->dns);
        assert_ptr_equal(mr_network_find(preset->name), preset);
    }
    assert_int_equal(n, 6);
    assert_int_equal(n, mr_network_data_count);
    assert_null(mr_network_find("goerli"));
}

static void genesis_headers_hash_to_the_genesis(void **state)
{
    const struct mr_network *net;
    struct mr_hash h;

    (void)state;
    for (size_t i = 0; (net = mr_network_preset(i)); i++) {
        mr_keccak256(&h, net->genesis_header.p, net->genesis_header.n);
        assert_memory_equal(&h, &net->genesis_hash, sizeof h);
    }
}

static void merged_networks_send_their_final_total_difficulty(void **state)
{
    /* 58750003716598352816469 and 17000018015853232 */
    static const uint8_t mainnet[10] = {0x0c, 0x70, 0xd8, 0x15, 0xd5, 0x62, 0xd3, 0xcf, 0xa9, 0x55};
    const struct mr_u256 *td = &mr_network_find("mainnet")->total_difficulty;

    (void)state;
    assert_memory_equal(td->b + 22, mainnet, sizeof mainnet);
    td = &mr_network_find("sepolia")->total_difficulty;
    assert_int_equal(mr_load_be64(td->b + 24), 17000018015853232u);
    assert_int_equal(mr_load_be64(mr_network_find("hoodi")->total_difficulty.b + 24), 1);
    /* Proof of work: that of the genesis block, the only head that is known at first. */
    assert_int_equal(mr_load_be64(mr_network_find("mordor")->total_difficulty.b + 24), 131072);
    assert_int_equal(mr_network_find("classic")->consensus, MR_CONSENSUS_POW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_equal_the_files_that_they_were_made_from),
        cmocka_unit_test(genesis_headers_hash_to_the_genesis),
        cmocka_unit_test(merged_networks_send_their_final_total_difficulty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
