#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/random.h"

/* The states are given in prng.di.unimi.it's reference code's form; outputs as other
 * implementations publish them (rand_xoshiro; splitmix64 from seed 0). */
static void the_stream_is_xoshiro256_starstar(void **state)
{
    struct mr_random r = {{1, 2, 3, 4}};
    const uint64_t expected[] = {UINT64_C(11520),
                                 UINT64_C(0),
                                 UINT64_C(1509978240),
                                 UINT64_C(1215971899390074240),
                                 UINT64_C(1216172134540287360),
                                 UINT64_C(607988272756665600),
                                 UINT64_C(16172922978634559625),
                                 UINT64_C(8476171486693032832),
                                 UINT64_C(10595114339597558777),
                                 UINT64_C(2904607092377533576)};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(expected); i++)
        assert_int_equal(mr_random_u64(&r), expected[i]);
}

static void the_seed_is_spread_by_splitmix64(void **state)
{
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 0);
    assert_int_equal(r.s[0], UINT64_C(0xe220a8397b1dcdaf));
    assert_int_equal(r.s[1], UINT64_C(0x6e789e6aa1b965f4));
    assert_int_equal(r.s[2], UINT64_C(0x06c45d188009454f));
    assert_int_equal(r.s[3], UINT64_C(0xf88bb8a8724c81ec));
}

static void below_stays_below_and_reaches_every_value(void **state)
{
    struct mr_random r;

    (void)state;
    mr_random_init(&r, 7);
    for (uint64_t n = 1; n <= 64; n++) {
        uint64_t seen = 0;

        for (int i = 0; i < 2000; i++) {
            uint64_t v = mr_random_below(&r, n);

            assert_true(v < n);
            seen |= UINT64_C(1) << v;
        }
        assert_int_equal(seen, n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1);
    }
}

/* n = 3 * 2^62: a plain remainder would give the first third of the range twice as often. */
static void below_has_no_modulo_bias(void **state)
{
    const uint64_t third = UINT64_C(1) << 62;
    struct mr_random r;
    int counts[3] = {0};

    (void)state;
    mr_random_init(&r, 3);
    for (int i = 0; i < 30000; i++)
        counts[mr_random_below(&r, 3 * third) / third]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 9700, 10300); /* 3.7 standard deviations */
}

static void fill_writes_n_bytes_and_repeats_with_the_seed(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 40; n++) {
        uint8_t a[48], b[48];
        struct mr_random r;

        memset(a, 0xee, sizeof a);
        memset(b, 0xee, sizeof b);
        mr_random_init(&r, n);
        mr_random_fill(&r, a, n);
        mr_random_init(&r, n);
        mr_random_fill(&r, b, n);
        assert_memory_equal(a, b, sizeof a);
        for (size_t i = n; i < sizeof a; i++)
            assert_int_equal(a[i], 0xee);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_is_xoshiro256_starstar),
        cmocka_unit_test(the_seed_is_spread_by_splitmix64),
        cmocka_unit_test(below_stays_below_and_reaches_every_value),
        cmocka_unit_test(below_has_no_modulo_bias),
        cmocka_unit_test(fill_writes_n_bytes_and_repeats_with_the_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
