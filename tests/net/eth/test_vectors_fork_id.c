#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include "net/eth/fork_id.h"
#include "tests/net/eth/helper_corpus.h"
#include <cmocka.h>

static struct mr_fork_id at(const struct mr_network *net, uint64_t number, uint64_t time)
{
    return mr_fork_id_at(net, (struct mr_chain_point){number, time});
}

static void every_expected_fork_id_is_recomputed(void **state)
{
    const struct mr_network *net;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; (net = mr_network_preset(i)); i++) {
        for (size_t j = 0; j < net->expected_fork_ids_count; j++) {
            const struct mr_expected_fork_id *e = &net->expected_fork_ids[j];
            struct mr_fork_id id = e->by_time ? at(net, mr_network_last_block_fork(net), e->at)
                                              : at(net, e->at, net->genesis_time);

            assert_int_equal(id.hash, e->hash);
            assert_int_equal(id.next, e->next);
            /* One before the fork the id is still that of the entry before. */
            if (j > 0) {
                const struct mr_expected_fork_id *before = e - 1;

                id = e->by_time ? at(net, mr_network_last_block_fork(net), e->at - 1)
                                : at(net, e->at - 1, net->genesis_time);
                assert_int_equal(id.hash, before->hash);
                assert_int_equal(id.next, e->at);
            }
            n++;
        }
    }
    assert_true(n > 50);
}

static void without_a_head_the_last_block_fork_has_passed_and_no_more(void **state)
{
    const struct mr_network *classic = mr_network_find("classic");
    struct mr_chain_point p = mr_network_point(classic, NULL, 1780272000);
    struct mr_fork_id mine = mr_fork_id_at(classic, p);
    struct mr_fork_id future = {mine.hash, p.number + 1};
    struct mr_chain_point head = {100, 7};

    (void)state;
    assert_int_equal(p.number, 19250000);
    assert_int_equal(mine.hash, classic->expected_fork_ids[12].hash);
    assert_int_equal(mine.next, 0);
    assert_int_equal(mr_fork_id_check(classic, p, &future), MR_FORK_COMPATIBLE);
    p = mr_network_point(classic, &head, 1780272000);
    assert_int_equal(p.number, 100);
    assert_int_equal(p.time, 1780272000);
    /* Classic and mainnet share ids and genesis, and are told apart. */
    assert_int_equal(
        mr_fork_id_check(mr_network_find("mainnet"),
                         mr_network_point(mr_network_find("mainnet"), NULL, 1780272000), &mine),
        MR_FORK_LOCAL_INCOMPATIBLE);
}

/* forkid.json: EIP-2124's and EIP-6122's cases. */
static void config_make(struct mr_network *net, struct mr_fork *forks, const struct mr_json *c)
{
    const struct mr_json *lists[] = {mr_json_get(c, "block_forks"), mr_json_get(c, "time_forks")};

    memset(net, 0, sizeof *net);
    assert_int_equal(mr_json_hex_exact(mr_json_get(c, "genesis_hash"), net->genesis_hash.b, 32),
                     MR_OK);
    net->forks = forks;
    for (int by_time = 0; by_time < 2; by_time++) {
        for (size_t i = 0; i < mr_json_count(lists[by_time]); i++) {
            struct mr_fork *f = &forks[net->forks_count++];

            *f = (struct mr_fork){.name = "x", .by_time = by_time, .in_fork_id = true};
            assert_int_equal(mr_json_u64(mr_json_at(lists[by_time], i), &f->value), MR_OK);
        }
    }
}

static uint64_t number(const struct mr_json *j, const char *key)
{
    uint64_t v = 0;

    assert_int_equal(mr_json_u64(mr_json_get(j, key), &v), MR_OK);
    return v;
}

static uint32_t hash_of(const struct mr_json *j, const char *key)
{
    uint8_t be[4];

    assert_int_equal(mr_json_hex_exact(mr_json_get(j, key), be, 4), MR_OK);
    return mr_load_be32(be);
}

static void creation_agrees_with_the_eips(void **state)
{
    struct mr_json *v = vectors_load("forkid.json");
    const struct mr_json *cases = mr_json_get(v, "creation");

    (void)state;
    assert_int_equal(mr_json_count(cases), 19);
    for (size_t i = 0; i < mr_json_count(cases); i++) {
        const struct mr_json *c = mr_json_at(cases, i);
        const char *config = mr_json_string(mr_json_get(c, "config"), NULL);
        struct mr_fork forks[MR_NETWORK_FORKS_MAX];
        struct mr_network net;
        struct mr_fork_id id;

        config_make(&net, forks, mr_json_get(mr_json_get(v, "configs"), config));
        id = at(&net, number(c, "head"), number(c, "time"));
        assert_int_equal(id.hash, hash_of(c, "fork_hash"));
        assert_int_equal(id.next, number(c, "next"));
    }
    mr_json_free(v);
}

static void validation_agrees_with_the_eips(void **state)
{
    struct mr_json *v = vectors_load("forkid.json");
    const struct mr_json *cases = mr_json_get(v, "validation");
    size_t refused = 0;

    (void)state;
    for (size_t i = 0; i < mr_json_count(cases); i++) {
        const struct mr_json *c = mr_json_at(cases, i);
        const char *config = mr_json_string(mr_json_get(c, "config"), NULL);
        const char *error = mr_json_string(mr_json_get(c, "error"), NULL);
        struct mr_chain_point p = {number(c, "local_head"), number(c, "local_time")};
        struct mr_fork_id remote = {hash_of(c, "remote_fork_hash"), number(c, "remote_next")};
        enum mr_fork_check expected = !error ? MR_FORK_COMPATIBLE
                                      : strcmp(error, "remote_stale") == 0
                                          ? MR_FORK_REMOTE_STALE
                                          : MR_FORK_LOCAL_INCOMPATIBLE;
        struct mr_fork forks[MR_NETWORK_FORKS_MAX];
        struct mr_network net;

        config_make(&net, forks, mr_json_get(mr_json_get(v, "configs"), config));
        if (mr_fork_id_check(&net, p, &remote) != expected)
            fail_msg("case %zu: %s", i, mr_json_string(mr_json_get(c, "comment"), NULL));
        refused += error != NULL;
    }
    assert_true(refused > 5);
    mr_json_free(v);
}

/* A next above the time of mainnet's genesis counts as a time even where blocks come first. */
static void a_large_next_is_compared_with_time_too(void **state)
{
    struct mr_fork forks[] = {{"a", 10, false, true}, {"b", 20, false, true}};
    struct mr_network net = {.forks = forks, .forks_count = 2};
    struct mr_chain_point p = {15, 1700000000};
    struct mr_fork_id remote = mr_fork_id_at(&net, p);

    (void)state;
    remote.next = 1699999999;
    assert_int_equal(mr_fork_id_check(&net, p, &remote), MR_FORK_LOCAL_INCOMPATIBLE);
    remote.next = 1700000001;
    assert_int_equal(mr_fork_id_check(&net, p, &remote), MR_FORK_COMPATIBLE);
    remote.next = 1438269973; /* not above: a block, and not reached */
    assert_int_equal(mr_fork_id_check(&net, p, &remote), MR_FORK_COMPATIBLE);
    remote.next = 1438269974;
    assert_int_equal(mr_fork_id_check(&net, p, &remote), MR_FORK_LOCAL_INCOMPATIBLE);
}

static void encoding_survives_a_round_trip_and_refuses_every_prefix(void **state)
{
    struct mr_json *v = vectors_load("forkid.json");
    const struct mr_json *cases = mr_json_get(v, "rlp_encoding");

    (void)state;
    assert_int_equal(mr_json_count(cases), 3);
    for (size_t i = 0; i < mr_json_count(cases); i++) {
        const struct mr_json *c = mr_json_at(cases, i);
        struct mr_fork_id id = {hash_of(c, "fork_hash"), number(c, "next")}, back = {7, 7};
        uint8_t bytes[32], expected[32];
        struct mr_writer w = mr_writer(bytes, sizeof bytes), small;
        struct mr_reader r;
        size_t n;

        assert_int_equal(mr_json_hex(mr_json_get(c, "rlp"), expected, &n, sizeof expected), MR_OK);
        assert_int_equal(mr_fork_id_put(&w, &id), MR_OK);
        assert_int_equal(w.n, n);
        assert_memory_equal(w.p, expected, n);
        for (size_t cut = 0; cut < n; cut++) {
            r = mr_reader(bytes, cut);
            assert_int_equal(mr_fork_id_read(&r, &back, true), MR_SHORT);
            assert_ptr_equal(r.p, bytes);
            small = mr_writer(expected, cut);
            assert_int_equal(mr_fork_id_put(&small, &id), MR_FULL);
            assert_int_equal(small.n, 0);
        }
        assert_int_equal(back.hash, 7);
        r = mr_reader(bytes, n);
        assert_int_equal(mr_fork_id_read(&r, &back, false), MR_OK);
        assert_true(mr_reader_done(&r));
        assert_int_equal(back.hash, id.hash);
        assert_int_equal(back.next, id.next);
    }
    mr_json_free(v);
}

static void a_fork_id_of_another_shape_is_refused(void **state)
{
    static const struct {
        uint8_t b[12];
        uint8_t n;
        bool extra_ok;
        enum mr_err e;
    } rows[] = {
        {{0xc7, 0x84, 1, 2, 3, 4, 0x05, 0x06}, 8, true, MR_OK}, /* EIP-2124: more may follow */
        {{0xc7, 0x84, 1, 2, 3, 4, 0x05, 0x06}, 8, false, MR_MALFORMED},
        {{0xc7, 0x84, 1, 2, 3, 4, 0x05, 0x82}, 8, true, MR_MALFORMED}, /* more, but cut off */
        {{0xc5, 0x83, 1, 2, 3, 0x05}, 6, true, MR_MALFORMED},
        {{0xc7, 0x85, 1, 2, 3, 4, 5, 0x05}, 8, true, MR_MALFORMED},
        {{0xc5, 0x84, 1, 2, 3, 4}, 6, true, MR_MALFORMED},
        {{0xc7, 0x84, 1, 2, 3, 4, 0x81, 0x05}, 8, true, MR_MALFORMED},
        {{0xc6, 0x84, 1, 2, 3, 4, 0x00}, 7, true, MR_MALFORMED},
        {{0x84, 1, 2, 3, 4}, 5, true, MR_MALFORMED},
        {{0xc0}, 1, true, MR_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_reader r = mr_reader(rows[i].b, rows[i].n);
        struct mr_fork_id id = {9, 9};

        assert_int_equal(mr_fork_id_read(&r, &id, rows[i].extra_ok), rows[i].e);
        if (rows[i].e) {
            assert_ptr_equal(r.p, rows[i].b);
            assert_int_equal(id.hash, 9);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_expected_fork_id_is_recomputed),
        cmocka_unit_test(without_a_head_the_last_block_fork_has_passed_and_no_more),
        cmocka_unit_test(creation_agrees_with_the_eips),
        cmocka_unit_test(validation_agrees_with_the_eips),
        cmocka_unit_test(a_large_next_is_compared_with_time_too),
        cmocka_unit_test(encoding_survives_a_round_trip_and_refuses_every_prefix),
        cmocka_unit_test(a_fork_id_of_another_shape_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
