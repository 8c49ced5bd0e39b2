#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>

#include "crypto/secp.h"
#include "net/eth/tx_check.h"
#include "net/eth/tx_sample.h"

static const uint8_t key[32] = {[31] = 9};

static int secp_open(void **state)
{
    static const uint8_t seed[32] = {3};

    *state = mr_secp_create(seed);
    return *state ? 0 : -1;
}

static int secp_close(void **state)
{
    mr_secp_destroy(*state);
    return 0;
}

static struct mr_rules today(void)
{
    struct mr_rules r;

    assert_true(mr_rules_by_name(&r, mr_network_find("mainnet"), "bpo2"));
    return r;
}

static struct mr_tx_fields fields(uint8_t type)
{
    static const struct mr_hash blob = {{MR_VERSIONED_HASH, 5}};
    static struct mr_authorization auth;
    struct mr_tx_fields f = {
        .type = type,
        .chain_id = 1,
        .nonce = 3,
        .gas = 100000,
        .tip = mr_u256_of(5),
        .fee_cap = mr_u256_of(7),
        .blob_fee_cap = mr_u256_of(1),
        .to = {{1, 2, 3}},
    };

    if (type == MR_TX_BLOB)
        f.blob_hashes = &blob, f.blob_hashes_count = 1;
    if (type == MR_TX_SET_CODE) {
        auth.chain_id = 1;
        f.authorizations = &auth, f.authorizations_count = 1;
    }
    return f;
}

static void build(struct mr_tx *tx, uint8_t out[8192], const struct mr_tx_fields *f,
                  const struct mr_secp *secp)
{
    struct mr_writer w = mr_writer(out, 8192);

    assert_int_equal(mr_tx_build(&w, f, secp, key), MR_OK);
    assert_int_equal(mr_tx_decode_raw(tx, w.p, w.n), MR_OK);
}

static void every_type_is_built_valid_and_with_our_sender(void **state)
{
    struct mr_rules rules = today();
    struct mr_address first = {{0}}, sender;
    uint8_t out[8192];
    struct mr_tx tx;

    for (uint8_t type = 0; type < MR_TX_TYPES; type++) {
        struct mr_tx_fields f = fields(type);

        if (type == MR_TX_SET_CODE)
            assert_true(mr_authorization_sign(
                (struct mr_authorization *)(uintptr_t)f.authorizations, *state, key));
        build(&tx, out, &f, *state);
        assert_int_equal(tx.type, type);
        assert_int_equal(tx.nonce, 3);
        assert_int_equal(tx.chain_id, 1);
        assert_int_equal(tx.gas, 100000);
        assert_int_equal(tx.to.b[2], 3);
        assert_int_equal(mr_tx_check(&tx, &rules), MR_TX_VERDICT_OK);
        assert_true(mr_tx_sender(&tx, &sender, *state));
        if (type == 0)
            first = sender;
        assert_memory_equal(&first, &sender, sizeof sender);
    }
}

static void chain_ids_of_every_size_survive_in_a_legacy_signature(void **state)
{
    static const uint64_t ids[] = {
        1, 109, 110, 32767, UINT32_MAX, 1ull << 62, 1ull << 63, UINT64_MAX - 18, UINT64_MAX};
    uint8_t out[8192];
    struct mr_tx tx;

    for (size_t i = 0; i < MR_COUNT_OF(ids); i++) {
        struct mr_tx_fields f = fields(MR_TX_LEGACY);
        struct mr_rules rules = today();
        struct mr_address a, b;

        f.chain_id = rules.chain_id = ids[i];
        build(&tx, out, &f, *state);
        assert_int_equal(tx.chain_id, ids[i]);
        assert_false(tx.unprotected);
        assert_int_equal(mr_tx_check(&tx, &rules), MR_TX_VERDICT_OK);
        assert_true(mr_tx_sender(&tx, &a, *state));
        f.unprotected = true;
        build(&tx, out, &f, *state);
        assert_true(tx.unprotected);
        assert_int_equal(mr_tx_check(&tx, &rules), MR_TX_VERDICT_OK);
        assert_true(mr_tx_sender(&tx, &b, *state));
        assert_memory_equal(&a, &b, sizeof a);
    }
}

static void types_come_with_their_forks(void **state)
{
    static const struct {
        const char *network, *fork;
        uint8_t types;
    } rows[] = {
        {"mainnet", "istanbul", 1}, {"mainnet", "berlin", 3},  {"mainnet", "london", 7},
        {"mainnet", "shanghai", 7}, {"mainnet", "cancun", 15}, {"mainnet", "prague", 31},
        {"classic", "phoenix", 1},  {"classic", "spiral", 3},  {"mordor", "spiral", 3},
    };
    uint8_t out[8192];
    struct mr_tx tx;

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        for (uint8_t type = 0; type < MR_TX_TYPES; type++) {
            struct mr_tx_fields f = fields(type);
            struct mr_rules rules;

            assert_true(mr_rules_by_name(&rules, mr_network_find(rows[i].network), rows[i].fork));
            f.chain_id = rules.chain_id;
            build(&tx, out, &f, *state);
            assert_int_equal(mr_tx_check(&tx, &rules),
                             rows[i].types >> type & 1 ? MR_TX_VERDICT_OK : MR_TX_VERDICT_TYPE);
        }
    }
}

static void before_eip_155_a_chain_in_v_is_no_signature(void **state)
{
    struct mr_tx_fields f = fields(MR_TX_LEGACY);
    struct mr_rules rules;
    uint8_t out[8192];
    struct mr_tx tx;

    assert_true(mr_rules_by_name(&rules, mr_network_find("mainnet"), "homestead"));
    build(&tx, out, &f, *state);
    assert_int_equal(mr_tx_check(&tx, &rules), MR_TX_VERDICT_SIGNATURE_V);
    f.unprotected = true;
    build(&tx, out, &f, *state);
    assert_int_equal(mr_tx_check(&tx, &rules), MR_TX_VERDICT_OK);
}

static void gas_of(uint64_t gas, const char *fork, const struct mr_tx *tx)
{
    struct mr_rules rules;

    assert_true(mr_rules_by_name(&rules, mr_network_find("mainnet"), fork));
    assert_int_equal(mr_tx_intrinsic_gas(tx, &rules), gas);
}

static void intrinsic_gas_follows_the_forks(void **state)
{
    static uint8_t data[100]; /* 60 zero, 40 not */
    struct mr_tx_fields f = fields(MR_TX_DYNAMIC_FEE);
    uint8_t out[8192];
    struct mr_tx tx;

    memset(data, 1, 40);
    f.data = mr_span(data, sizeof data);
    build(&tx, out, &f, *state);
    gas_of(21000 + 240 + 40 * 68, "homestead", &tx);
    gas_of(21000 + 240 + 40 * 16, "istanbul", &tx);
    gas_of(21000 + 240 + 40 * 16, "bpo2", &tx);
    assert_int_equal(mr_tx_floor_gas(&tx), 21000 + 10 * (60 + 4 * 40));
    f.creation = true;
    build(&tx, out, &f, *state);
    gas_of(53000 + 240 + 640, "london", &tx);
    gas_of(53000 + 240 + 640 + 2 * 4, "shanghai", &tx); /* 100 bytes: 4 words */
    f = fields(MR_TX_SET_CODE);
    build(&tx, out, &f, *state);
    gas_of(46000, "prague", &tx);
}

/* What 32 more than half of the signatures would cost if high s were made: none is. */
static void signatures_have_low_s(void **state)
{
    struct mr_rules rules = today();
    uint8_t out[8192];
    struct mr_tx tx;

    for (uint64_t nonce = 0; nonce < 32; nonce++) {
        struct mr_tx_fields f = fields(MR_TX_DYNAMIC_FEE);

        f.nonce = nonce;
        build(&tx, out, &f, *state);
        assert_int_equal(mr_tx_check(&tx, &rules), MR_TX_VERDICT_OK);
    }
}

static void a_bad_key_and_a_signature_without_key_are_refused(void **state)
{
    static const uint8_t zero[32];
    struct mr_authorization a = {0};
    struct mr_tx_fields f = fields(MR_TX_LEGACY);
    struct mr_address sender;
    uint8_t out[8192];
    struct mr_writer w = mr_writer(out, sizeof out);
    struct mr_tx tx;

    assert_int_equal(mr_tx_build(&w, &f, *state, zero), MR_INVALID);
    assert_int_equal(w.n, 0);
    assert_false(mr_authorization_sign(&a, *state, zero));
    build(&tx, out, &f, *state);
    memset(tx.r.b, 0, 32);
    tx.r.b[31] = 5; /* no point of the curve has this x */
    assert_false(mr_tx_sender(&tx, &sender, *state));
}

static void verdicts_say_what_they_belong_to(void **state)
{
    (void)state;
    assert_int_equal(mr_tx_verdict_fault(MR_TX_VERDICT_SIGNATURE_HIGH_S), MR_TX_FAULT_TX);
    assert_int_equal(mr_tx_verdict_fault(MR_TX_VERDICT_GAS_CAP), MR_TX_FAULT_RULES);
    assert_int_equal(mr_tx_verdict_fault(MR_TX_VERDICT_TYPE), MR_TX_FAULT_RULES);
    for (int v = MR_TX_VERDICT_BLOBS_MISSING; v < MR_TX_VERDICTS; v++)
        if (v != MR_TX_VERDICT_SIDECAR_SIZE)
            assert_int_equal(mr_tx_verdict_fault((enum mr_tx_verdict)v), MR_TX_FAULT_PEER);
    for (int v = 0; v < MR_TX_VERDICTS; v++) {
        assert_true(strlen(mr_tx_verdict_name((enum mr_tx_verdict)v)) > 1);
        assert_true(strlen(mr_tx_verdict_text((enum mr_tx_verdict)v)) > 1);
    }
    assert_string_equal(mr_tx_verdict_text(MR_TX_VERDICT_BLOBS_MISSING), "blobs missing");
}

static void near_a_fork_a_transaction_must_suit_both_sides(void **state)
{
    const struct mr_network *net = mr_network_find("mainnet");
    uint64_t osaka = mr_network_fork(net, "osaka")->value;
    struct mr_tx_fields f = fields(MR_TX_DYNAMIC_FEE);
    struct mr_rules_now now;
    uint8_t out[8192];
    struct mr_tx tx;

    f.gas = (1u << 24) + 1;
    build(&tx, out, &f, *state);
    mr_rules_now(&now, net, NULL, osaka - 61);
    assert_int_equal(mr_tx_check_now(&tx, &now), MR_TX_VERDICT_OK);
    mr_rules_now(&now, net, NULL, osaka - 60);
    assert_int_equal(mr_tx_check_now(&tx, &now), MR_TX_VERDICT_GAS_CAP);
}

static void sampled_ones_are_valid_and_of_the_corpus_size(void **state)
{
    struct mr_rules rules = today();
    struct mr_random random;
    uint8_t out[8192], room[MR_TX_SAMPLE_ROOM];
    size_t bytes = 0, types[MR_TX_TYPES] = {0}, n = 2000;
    struct mr_tx_fields f = {.chain_id = 1};
    struct mr_tx tx;

    mr_random_init(&random, 1);
    for (size_t i = 0; i < n; i++) {
        f.nonce = i;
        mr_tx_sample(&f, room, &random);
        assert_int_equal(f.nonce, i);
        assert_int_equal(f.chain_id, 1);
        build(&tx, out, &f, *state);
        if (mr_tx_check(&tx, &rules) != MR_TX_VERDICT_OK)
            fail_msg("%zu: %s", i, mr_tx_verdict_text(mr_tx_check(&tx, &rules)));
        bytes += tx.raw.n;
        types[tx.type]++;
    }
    assert_in_range(bytes / n, 290, 400);
    assert_true(types[0] > n / 20 && types[1] > 0 && types[2] > n / 2);
}

static void an_equal_source_samples_equal_transactions(void **state)
{
    struct mr_random a, b;
    uint8_t room_a[MR_TX_SAMPLE_ROOM], room_b[MR_TX_SAMPLE_ROOM];
    struct mr_tx_fields x = {.chain_id = 5}, y = {.chain_id = 5};

    (void)state;
    mr_random_init(&a, 77);
    mr_random_init(&b, 77);
    for (size_t i = 0; i < 100; i++) {
        mr_tx_sample(&x, room_a, &a);
        mr_tx_sample(&y, room_b, &b);
        assert_int_equal(x.type, y.type);
        assert_int_equal(x.gas, y.gas);
        assert_int_equal(x.data.n, y.data.n);
        assert_memory_equal(x.data.p, y.data.p, x.data.n);
        assert_memory_equal(&x.to, &y.to, sizeof x.to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_built_valid_and_with_our_sender),
        cmocka_unit_test(chain_ids_of_every_size_survive_in_a_legacy_signature),
        cmocka_unit_test(types_come_with_their_forks),
        cmocka_unit_test(before_eip_155_a_chain_in_v_is_no_signature),
        cmocka_unit_test(intrinsic_gas_follows_the_forks),
        cmocka_unit_test(signatures_have_low_s),
        cmocka_unit_test(a_bad_key_and_a_signature_without_key_are_refused),
        cmocka_unit_test(verdicts_say_what_they_belong_to),
        cmocka_unit_test(near_a_fork_a_transaction_must_suit_both_sides),
        cmocka_unit_test(sampled_ones_are_valid_and_of_the_corpus_size),
        cmocka_unit_test(an_equal_source_samples_equal_transactions),
    };

    return cmocka_run_group_tests(tests, secp_open, secp_close);
}
