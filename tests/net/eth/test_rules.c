#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include "net/eth/rules.h"
#include <cmocka.h>

static struct mr_rules by_name(const char *network, const char *fork)
{
    struct mr_rules r;

    assert_true(mr_rules_by_name(&r, mr_network_find(network), fork));
    return r;
}

static void each_fork_brings_its_rules(void **state)
{
    static const struct {
        const char *network, *fork;
        uint32_t types, gas_creation, gas_nonzero, init_code;
        uint64_t gas_cap;
        uint32_t blobs_tx, blobs_block;
        enum mr_wrapper wrapper;
        bool low_s, replay_guard, calldata_floor;
    } rows[] = {
        {"mainnet", "homestead", 1, 32000, 68, 0, 0, 0, 0, -1, true, false, false},
        {"mainnet", "dao", 1, 32000, 68, 0, 0, 0, 0, -1, true, false, false},
        {"mainnet", "spurious_dragon", 1, 32000, 68, 0, 0, 0, 0, -1, true, true, false},
        {"mainnet", "petersburg", 1, 32000, 68, 0, 0, 0, 0, -1, true, true, false},
        {"mainnet", "istanbul", 1, 32000, 16, 0, 0, 0, 0, -1, true, true, false},
        {"mainnet", "berlin", 3, 32000, 16, 0, 0, 0, 0, -1, true, true, false},
        {"mainnet", "london", 7, 32000, 16, 0, 0, 0, 0, -1, true, true, false},
        {"mainnet", "gray_glacier", 7, 32000, 16, 0, 0, 0, 0, -1, true, true, false},
        {"mainnet", "shanghai", 7, 32000, 16, 49152, 0, 0, 0, -1, true, true, false},
        {"mainnet", "cancun", 15, 32000, 16, 49152, 0, 6, 6, 0, true, true, false},
        {"mainnet", "prague", 31, 32000, 16, 49152, 0, 9, 9, 0, true, true, true},
        {"mainnet", "osaka", 31, 32000, 16, 49152, 16777216, 6, 9, 1, true, true, true},
        {"mainnet", "bpo1", 31, 32000, 16, 49152, 16777216, 6, 15, 1, true, true, true},
        {"mainnet", "bpo2", 31, 32000, 16, 49152, 16777216, 6, 21, 1, true, true, true},
        {"sepolia", "berlin", 3, 32000, 16, 0, 0, 0, 0, -1, true, true, false},
        {"sepolia", "merge_netsplit", 7, 32000, 16, 0, 0, 0, 0, -1, true, true, false},
        {"hoodi", "bpo2", 31, 32000, 16, 49152, 16777216, 6, 21, 1, true, true, true},
        {"classic", "die_hard", 1, 32000, 68, 0, 0, 0, 0, -1, true, true, false},
        {"classic", "phoenix", 1, 32000, 16, 0, 0, 0, 0, -1, true, true, false},
        {"classic", "magneto", 3, 32000, 16, 0, 0, 0, 0, -1, true, true, false},
        {"classic", "mystique", 3, 32000, 16, 0, 0, 0, 0, -1, true, true, false},
        {"classic", "spiral", 3, 32000, 16, 49152, 0, 0, 0, -1, true, true, false},
        {"mordor", "spiral", 3, 32000, 16, 49152, 0, 0, 0, -1, true, true, false},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_rules r = by_name(rows[i].network, rows[i].fork);

        assert_string_equal(r.fork, rows[i].fork);
        assert_int_equal(r.chain_id, mr_network_find(rows[i].network)->chain_id);
        assert_int_equal(r.types, rows[i].types);
        assert_int_equal(r.gas_creation, rows[i].gas_creation);
        assert_int_equal(r.gas_nonzero_byte, rows[i].gas_nonzero);
        assert_int_equal(r.init_code_max, rows[i].init_code);
        assert_int_equal(r.gas_cap, rows[i].gas_cap);
        assert_int_equal(r.blobs_tx_max, rows[i].blobs_tx);
        assert_int_equal(r.blobs_block_max, rows[i].blobs_block);
        assert_int_equal(r.wrapper, rows[i].wrapper);
        assert_int_equal(r.low_s, rows[i].low_s);
        assert_int_equal(r.replay_guard, rows[i].replay_guard);
        assert_int_equal(r.calldata_floor, rows[i].calldata_floor);
    }
}

static void unknown_fork_names_are_refused(void **state)
{
    struct mr_rules r = {.types = 99};

    (void)state;
    assert_false(mr_rules_by_name(&r, mr_network_find("classic"), "london"));
    assert_false(mr_rules_by_name(&r, mr_network_find("mainnet"), "osaka(EIP-7607)"));
    assert_false(mr_rules_by_name(&r, mr_network_find("mainnet"), ""));
    assert_int_equal(r.types, 99);
}

static void rules_follow_number_and_time(void **state)
{
    const struct mr_network *net = mr_network_find("mainnet");
    uint64_t osaka = mr_network_fork(net, "osaka")->value;

    (void)state;
    assert_string_equal(mr_rules_at(net, (struct mr_chain_point){0, 0}).fork, "frontier");
    assert_false(mr_rules_at(net, (struct mr_chain_point){0, 0}).low_s);
    assert_int_equal(mr_rules_at(net, (struct mr_chain_point){0, 0}).gas_creation, 0);
    assert_string_equal(mr_rules_at(net, (struct mr_chain_point){12243999, 0}).fork,
                        "muir_glacier");
    assert_string_equal(mr_rules_at(net, (struct mr_chain_point){12244000, 0}).fork, "berlin");
    assert_string_equal(mr_rules_at(net, (struct mr_chain_point){24000000, osaka - 1}).fork,
                        "prague");
    assert_string_equal(mr_rules_at(net, (struct mr_chain_point){24000000, osaka}).fork, "osaka");
}

static void with_a_head_the_next_blocks_rules_hold(void **state)
{
    const struct mr_network *net = mr_network_find("mainnet");
    uint64_t osaka = mr_network_fork(net, "osaka")->value;
    struct mr_chain_point head = {23900000, osaka - 13};
    struct mr_rules_now now;

    (void)state;
    mr_rules_now(&now, net, &head, osaka + 1000); /* the wall clock does not matter */
    assert_int_equal(now.n, 1);
    assert_string_equal(now.rules[0].fork, "prague");
    head.time = osaka - 12;
    mr_rules_now(&now, net, &head, 0);
    assert_int_equal(now.n, 1);
    assert_string_equal(now.rules[0].fork, "osaka");
    head = (struct mr_chain_point){12243999, 0}; /* the block after it is Berlin's */
    mr_rules_now(&now, net, &head, 0);
    assert_string_equal(now.rules[0].fork, "berlin");
}

static void near_a_fork_without_a_head_both_sides_hold(void **state)
{
    static const struct {
        int64_t offset;
        size_t n;
        const char *first, *last;
    } rows[] = {
        {-61, 1, "prague", "prague"}, {-60, 2, "prague", "osaka"}, {0, 2, "prague", "osaka"},
        {60, 2, "prague", "osaka"},   {61, 1, "osaka", "osaka"},
    };
    const struct mr_network *net = mr_network_find("mainnet");
    uint64_t osaka = mr_network_fork(net, "osaka")->value;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_rules_now now;

        mr_rules_now(&now, net, NULL, osaka + (uint64_t)rows[i].offset);
        assert_int_equal(now.n, rows[i].n);
        assert_string_equal(now.rules[0].fork, rows[i].first);
        assert_string_equal(now.rules[now.n - 1].fork, rows[i].last);
    }
}

static void a_networks_own_blob_limit_is_bounded_by_ours(void **state)
{
    static const struct mr_fork forks[] = {{"cancun", 5, true, true}};
    static const struct mr_blob_step steps[] = {{"cancun", 1, 1000, 1}};
    struct mr_network net = {
        .forks = forks, .forks_count = 1, .blob_steps = steps, .blob_steps_count = 1};
    struct mr_rules_now now;

    (void)state;
    mr_rules_now(&now, &net, NULL, 1000000);
    assert_int_equal(now.rules[0].blobs_block_max, 1000);
    assert_int_equal(now.rules[0].blobs_tx_max, MR_BLOBS_PER_TX_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fork_brings_its_rules),
        cmocka_unit_test(unknown_fork_names_are_refused),
        cmocka_unit_test(rules_follow_number_and_time),
        cmocka_unit_test(with_a_head_the_next_blocks_rules_hold),
        cmocka_unit_test(near_a_fork_without_a_head_both_sides_hold),
        cmocka_unit_test(a_networks_own_blob_limit_is_bounded_by_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
