#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "core/map.h"
#include "core/random.h"

static const uint64_t secret[2] = {UINT64_C(0x1122334455667788), UINT64_C(0x99aabbccddeeff00)};

/* Small keys collide often, so that every kind of run is built and taken apart. */
static void a_map_equals_a_model_of_keys(uint32_t key_len, uint64_t seed)
{
    enum { KEYS = 300, CAPACITY = 200 };
    uint8_t keys[KEYS][64];
    uint32_t values[KEYS] = {0}, count = 0;
    bool there[KEYS] = {false};
    struct mr_random r;
    struct mr_map m;

    mr_random_init(&r, seed);
    for (size_t i = 0; i < KEYS; i++)
        mr_random_fill(&r, keys[i], sizeof keys[i]);
    assert_int_equal(mr_map_init(&m, CAPACITY, key_len, secret), MR_OK);
    for (int step = 0; step < 100000; step++) {
        uint32_t i = (uint32_t)mr_random_below(&r, KEYS), v = (uint32_t)mr_random_u64(&r), got = 0;

        switch (mr_random_below(&r, 5)) {
        case 0:
        case 1: {
            enum mr_err e = mr_map_put(&m, keys[i], v);

            assert_int_equal(e, there[i] ? MR_EXISTS : count == CAPACITY ? MR_FULL : MR_OK);
            if (e == MR_OK)
                there[i] = true, values[i] = v, count++;
            break;
        }
        case 2:
            assert_int_equal(mr_map_remove(&m, keys[i]), there[i]);
            count -= there[i];
            there[i] = false;
            break;
        case 3:
            assert_int_equal(mr_map_replace(&m, keys[i], v), there[i] ? MR_OK : MR_NOT_FOUND);
            values[i] = v;
            break;
        default:
            assert_int_equal(mr_map_find(&m, &got, keys[i]), there[i]);
            if (there[i])
                assert_int_equal(got, values[i]);
        }
        assert_int_equal(mr_map_count(&m), count);
    }
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(mr_map_find(&m, NULL, keys[i]), there[i]);
    mr_map_clear(&m);
    assert_int_equal(mr_map_count(&m), 0);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_false(mr_map_find(&m, NULL, keys[i]));
    mr_map_fini(&m);
}

static void maps_of_32_and_64_byte_keys_equal_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        a_map_equals_a_model_of_keys(32, seed);
        a_map_equals_a_model_of_keys(64, seed);
    }
}

static void the_last_byte_of_a_key_counts(void **state)
{
    uint8_t key[64] = {0};
    struct mr_map m;
    uint32_t v = 0;

    (void)state;
    assert_int_equal(mr_map_init(&m, 2, 64, secret), MR_OK);
    assert_int_equal(mr_map_put(&m, key, 1), MR_OK);
    key[63] = 1;
    assert_false(mr_map_find(&m, &v, key));
    assert_int_equal(mr_map_put(&m, key, 2), MR_OK);
    assert_true(mr_map_find(&m, &v, key));
    assert_int_equal(v, 2);
    mr_map_fini(&m);
}

static void full_maps_refuse_count_and_keep_what_they_hold(void **state)
{
    (void)state;
    for (uint32_t capacity = 1; capacity <= 100; capacity++) {
        uint8_t key[32] = {0};
        struct mr_map m;
        uint32_t v;

        assert_int_equal(mr_map_init(&m, capacity, 32, secret), MR_OK);
        assert_true((uint64_t)capacity * 4 <= ((uint64_t)m.mask + 1) * 3); /* load <= 0.75 */
        for (uint32_t i = 0; i < capacity; i++) {
            mr_store_be32(key, i);
            assert_int_equal(mr_map_put(&m, key, i), MR_OK);
        }
        mr_store_be32(key, capacity);
        assert_int_equal(mr_map_put(&m, key, 0), MR_FULL);
        assert_int_equal(m.full, 1);
        for (uint32_t i = 0; i < capacity; i++) {
            mr_store_be32(key, i);
            assert_true(mr_map_find(&m, &v, key));
            assert_int_equal(v, i);
            assert_int_equal(mr_map_put(&m, key, 0), MR_EXISTS);
        }
        assert_true(mr_map_remove(&m, key));
        mr_store_be32(key, capacity);
        assert_int_equal(mr_map_put(&m, key, 0), MR_OK);
        mr_map_fini(&m);
    }
}

#define FLOOD 100000

/* Probe steps to put and find FLOOD keys whose bytes [same, same + 8) are equal, or NONE of them if
 * same is beyond the key. Gives up beyond limit. */
static uint64_t flood_probes(size_t key_len, size_t same, uint64_t limit)
{
    struct mr_random r;
    struct mr_map m;
    uint64_t probes;

    assert_int_equal(mr_map_init(&m, FLOOD, (uint32_t)key_len, secret), MR_OK);
    for (int round = 0; round < 2; round++) {
        mr_random_init(&r, 42);
        for (uint32_t i = 0; i < FLOOD && m.probes <= limit; i++) {
            uint8_t key[64];

            mr_random_fill(&r, key, sizeof key);
            if (same < key_len)
                mr_store_le64(key + same, UINT64_C(0x0123456789abcdef));
            if (round == 0)
                assert_int_equal(mr_map_put(&m, key, i), MR_OK);
            else
                assert_true(mr_map_find(&m, NULL, key));
        }
    }
    probes = m.probes;
    mr_map_fini(&m);
    return probes;
}

/* Attack F-14: peers choose the keys, and must not choose where they land. */
static void chosen_keys_cost_at_most_three_times_random_ones(void **state)
{
    (void)state;
    for (size_t key_len = 32; key_len <= 64; key_len += 32) {
        uint64_t random = flood_probes(key_len, SIZE_MAX, UINT64_MAX);

        assert_true(random >= 2 * FLOOD);
        assert_true(flood_probes(key_len, 0, 3 * random) <= 3 * random);
        assert_true(flood_probes(key_len, key_len - 8, 3 * random) <= 3 * random);
    }
}

static void another_secret_orders_the_table_anew(void **state)
{
    const uint64_t other[2] = {secret[0], secret[1] ^ 1};
    uint32_t same = 0;
    struct mr_map a, b;
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 1);
    assert_int_equal(mr_map_init(&a, 1000, 32, secret), MR_OK);
    assert_int_equal(mr_map_init(&b, 1000, 32, other), MR_OK);
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t key[32];

        mr_random_fill(&r, key, sizeof key);
        assert_int_equal(mr_map_put(&a, key, i), MR_OK);
        assert_int_equal(mr_map_put(&b, key, i), MR_OK);
    }
    for (uint32_t i = 0; i <= a.mask; i++)
        same += a.hashes[i] != 0 && a.hashes[i] == b.hashes[i];
    assert_int_equal(same, 0);
    mr_map_fini(&a);
    mr_map_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_of_32_and_64_byte_keys_equal_a_model),
        cmocka_unit_test(the_last_byte_of_a_key_counts),
        cmocka_unit_test(full_maps_refuse_count_and_keep_what_they_hold),
        cmocka_unit_test(chosen_keys_cost_at_most_three_times_random_ones),
        cmocka_unit_test(another_secret_orders_the_table_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
