/* One sponge, lanes, and hashing many: every variant equals the plain code, whatever is mixed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "crypto/keccak_lanes.h"

static const char *const variants[] = {"plain", "avx2", "avx512"};

static uint64_t rng_state;
static uint32_t rng(uint32_t below)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rng_state >> 33) % below);
}

static uint8_t text[1 << 16];

static void fill_text(void)
{
    rng_state = 1;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)rng(256);
}

/* Keccak-256 written slowly from its definition, to check the fast ones. */
static void slow_f(uint64_t a[25])
{
    uint8_t lfsr = 1;

    for (int round = 0; round < 24; round++) {
        uint64_t c[5], b[25];
        int x = 1, y = 0, r = 0;

        for (int i = 0; i < 5; i++)
            c[i] = a[i] ^ a[i + 5] ^ a[i + 10] ^ a[i + 15] ^ a[i + 20];
        for (int i = 0; i < 25; i++)
            a[i] ^= c[(i + 4) % 5] ^ (c[(i + 1) % 5] << 1 | c[(i + 1) % 5] >> 63);
        b[0] = a[0];
        for (int t = 1; t <= 24; t++) { /* rho along pi's orbit */
            int ny = (2 * x + 3 * y) % 5;

            r = (r + t) % 64;
            b[y + 5 * ny] = r ? a[x + 5 * y] << r | a[x + 5 * y] >> (64 - r) : a[x + 5 * y];
            x = y, y = ny;
        }
        for (int i = 0; i < 25; i++)
            a[i] = b[i] ^ (~b[i - i % 5 + (i + 1) % 5] & b[i - i % 5 + (i + 2) % 5]);
        for (int j = 0; j < 7; j++) { /* the constant's bits, from the degree-8 LFSR */
            if (lfsr & 1)
                a[0] ^= (uint64_t)1 << ((1 << j) - 1);
            lfsr = (uint8_t)(lfsr << 1 ^ (lfsr >> 7) * 0x71);
        }
    }
}

static void slow_keccak256(uint8_t out[32], const uint8_t *p, size_t n)
{
    uint64_t a[25] = {0};
    uint8_t *bytes = (uint8_t *)a;
    size_t off = 0;

    for (size_t i = 0; i < n; i++) {
        bytes[off++] ^= p[i];
        if (off == 136)
            slow_f(a), off = 0;
    }
    bytes[off] ^= 1, bytes[135] ^= 0x80;
    slow_f(a);
    memcpy(out, a, 32);
}

static void every_variant_equals_the_definition(void **state)
{
    (void)state;
    for (size_t v = 0; v < MR_COUNT_OF(variants); v++) {
        if (!mr_keccak_use(variants[v])) {
            print_message("skipped: this CPU has no %s\n", variants[v]);
            continue;
        }
        for (size_t n = 0; n < 700; n++) {
            uint8_t expected[32];
            struct mr_hash h;

            slow_keccak256(expected, text + n, n);
            mr_keccak256(&h, text + n, n);
            assert_memory_equal(h.b, expected, 32);
        }
    }
}

static void a_stream_cut_anywhere_hashes_the_same_and_goes_on_after_a_digest(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t n = rng(2000), at = 0;
        struct mr_keccak k;
        struct mr_hash whole;
        uint8_t out[32];

        mr_keccak_init(&k);
        while (at < n) {
            size_t take = rng(300);

            take = MR_MIN(n - at, take);
            mr_keccak_update(&k, text + at, take);
            at += take;
            mr_keccak256(&whole, text, at);
            mr_keccak_digest(&k, out);
            assert_memory_equal(out, whole.b, 32);
            assert_true(k.off < MR_KECCAK_RATE);
        }
    }
}

static void many_inputs_hash_as_one_by_one(void **state)
{
    static struct mr_span in[100];
    static struct mr_hash out[100];

    (void)state;
    for (size_t v = 0; v < MR_COUNT_OF(variants); v++) {
        if (!mr_keccak_use(variants[v]))
            continue;
        for (int round = 0; round < 400; round++) {
            size_t n = rng(round < 50 ? 10 : 100), useful = 0;
            struct mr_keccak_stats stats = {0};

            for (size_t i = 0; i < n; i++) {
                size_t len = rng(8) ? rng(400) : rng(8) ? 136 * rng(5) : rng(9000);

                in[i] = mr_span(text + rng(sizeof text - 9000), len);
                useful += len / 136 + 1;
            }
            memset(out, 0xee, sizeof out);
            mr_keccak256_many_counted(out, in, n, &stats);
            for (size_t i = 0; i < n; i++) {
                uint8_t expected[32];

                slow_keccak256(expected, in[i].p, in[i].n);
                assert_memory_equal(out[i].b, expected, 32);
            }
            for (size_t i = n; i < MR_COUNT_OF(out); i++)
                for (int j = 0; j < 32; j++)
                    assert_int_equal(out[i].b[j], 0xee);
            assert_int_equal(stats.lanes[0] + stats.lanes[1] + stats.lanes[2], useful);
            assert_true(stats.lanes[MR_KECCAK_W4] <= 4 * stats.permutations[MR_KECCAK_W4]);
            assert_true(stats.lanes[MR_KECCAK_W8] <= 8 * stats.permutations[MR_KECCAK_W8]);
        }
    }
}

static void long_equal_inputs_fill_the_widest_lanes(void **state)
{
    struct mr_span in[64];
    struct mr_hash out[64];

    (void)state;
    for (size_t i = 0; i < 64; i++)
        in[i] = mr_span(text + i, 5000);
    for (size_t v = 0; v < MR_COUNT_OF(variants); v++) {
        static const unsigned width[] = {1, 4, 8};
        struct mr_keccak_stats stats = {0};

        if (!mr_keccak_use(variants[v]))
            continue;
        assert_int_equal(mr_keccak_lanes_max(), width[v]);
        mr_keccak256_many_counted(out, in, 64, &stats);
        assert_int_equal(stats.lanes[v], 64 * (5000 / 136 + 1));
        assert_int_equal(stats.permutations[v] * width[v], stats.lanes[v]);
    }
}

/* A model of each lane: an ordinary sponge that is given the same work. */
static void lanes_at_any_offsets_behave_as_separate_sponges(void **state)
{
    (void)state;
    for (size_t v = 0; v < MR_COUNT_OF(variants); v++)
        for (size_t jobs = 2; jobs <= 8; jobs += 6) {
            struct mr_keccak model[MR_KECCAK_LANES_MAX];
            bool digest[MR_KECCAK_LANES_MAX];
            struct mr_keccak_lanes l;
            uint32_t idle, lost = 0;

            if (!mr_keccak_use(variants[v]) || !mr_keccak_lanes_init(&l, jobs, NULL))
                continue;
            for (unsigned i = 0; i < l.width; i++) {
                mr_keccak_init(&model[i]);
                mr_keccak_update(&model[i], text, rng(500));
                mr_keccak_lanes_load(&l, i, &model[i]);
            }
            idle = (1u << l.width) - 1;
            for (int round = 0; round < 3000; round++) {
                for (unsigned i = 0; i < l.width; i++) {
                    size_t n = rng(4) ? rng(40) : rng(1500);
                    const uint8_t *p = text + rng(1000);
                    struct mr_keccak stored;

                    if (!(idle >> i & 1) || (rng(5) == 0 && (idle & (idle - 1)))) {
                        lost |= idle & 1u << i; /* it sits idle through this run */
                        continue;
                    }
                    if (lost >> i & 1)
                        mr_keccak_lanes_load(&l, i, &model[i]);
                    lost &= ~(1u << i);
                    mr_keccak_lanes_store(&l, i, &stored);
                    assert_memory_equal(stored.a, model[i].a, sizeof stored.a);
                    assert_int_equal(stored.off, model[i].off);
                    assert_int_equal(mr_keccak_lanes_off(&l, i), model[i].off);
                    if (rng(9) == 0) {
                        mr_keccak_init(&model[i]);
                        mr_keccak_lanes_clear(&l, i);
                    }
                    digest[i] = rng(3);
                    mr_keccak_update(&model[i], p, n);
                    mr_keccak_lanes_absorb(&l, i, p, n, digest[i]);
                    idle &= ~(1u << i);
                }
                uint32_t done = mr_keccak_lanes_run(&l);
                assert_true(done && !(done & idle));
                idle |= done;
                for (unsigned i = 0; i < l.width; i++) {
                    uint8_t expected[32];

                    mr_keccak_digest(&model[i], expected);
                    for (unsigned w = 0; w < 4 && (done >> i & 1) && digest[i]; w++)
                        assert_true(mr_keccak_lanes_word(&l, i, w) ==
                                    mr_load_le64(expected + 8 * w));
                }
            }
            mr_keccak_lanes_fini(&l);
        }
}

static void the_environment_names_the_variant(void **state)
{
    (void)state;
    for (size_t v = 0; v < MR_COUNT_OF(variants); v++) {
        setenv("MR_KECCAK", variants[v], 1);
        if (mr_keccak_use(variants[v]))
            assert_string_equal(mr_keccak_select(), variants[v]);
    }
    assert_true(mr_keccak_use("plain"));
    assert_false(mr_keccak_use("avx1024"));
    assert_int_equal(mr_keccak_lanes_max(), 1);
    setenv("MR_KECCAK", "nonsense", 1);
    const char *chosen = mr_keccak_select();
    unsetenv("MR_KECCAK");
    assert_string_equal(mr_keccak_select(), chosen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_equals_the_definition),
        cmocka_unit_test(a_stream_cut_anywhere_hashes_the_same_and_goes_on_after_a_digest),
        cmocka_unit_test(many_inputs_hash_as_one_by_one),
        cmocka_unit_test(long_equal_inputs_fill_the_widest_lanes),
        cmocka_unit_test(lanes_at_any_offsets_behave_as_separate_sponges),
        cmocka_unit_test(the_environment_names_the_variant),
    };

    fill_text();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
