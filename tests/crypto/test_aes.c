/* AES-256 and AES-128 in counter mode and single blocks: standards' vectors, and OpenSSL as the
 * reference over random lengths, alignments and positions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/hex.h"
#include "crypto/aes.h"

static uint64_t rng_state = 7;
static uint32_t rng(uint32_t below)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rng_state >> 33) % below);
}

static void hex(uint8_t *out, size_t n, const char *digits)
{
    assert_int_equal(mr_hex_decode_exact(out, n, digits, strlen(digits)), MR_OK);
}

/* NIST SP 800-38A, F.1.5 and F.5.5: key, plaintext, ECB and CTR ciphertexts. */
static const char key256[] = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
static const char plain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
static const char ecb256[] = "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
                             "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7";
static const char ctr256[] = "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
                             "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6";

/* Uses the kernel, or says that it is skipped and returns false. */
static bool use(const char *kernel)
{
    if (mr_aes_use(kernel))
        return true;
    print_message("skipped: this CPU has no %s\n", kernel);
    return false;
}

static void standard_vectors_match(void **state)
{
    uint8_t key[32], in[64], ecb[64], ctr[64], out[64];
    struct mr_aes_ctr at = {.hi = 0xf0f1f2f3f4f5f6f7, .lo = 0xf8f9fafbfcfdfeff};
    struct mr_aes256 k;

    if (!use(*state))
        return;
    hex(key, 32, key256), hex(in, 64, plain), hex(ecb, 64, ecb256), hex(ctr, 64, ctr256);
    mr_aes256_init(&k, key);
    for (int i = 0; i < 4; i++) {
        mr_aes256_block(&k, out + 16 * i, in + 16 * i);
        mr_aes256_block_portable(&k, out, in);
        assert_memory_equal(out, ecb, 16);
    }
    assert_memory_equal(out + 16, ecb + 16, 48);
    mr_aes_ctr_xor(&k, &at, out, in, 64);
    assert_memory_equal(out, ctr, 64);
    assert_true(at.lo == 0xf8f9fafbfcfdff03 && at.used == 0);
}

static void aes128_ctr_matches_its_vector(void **state)
{
    uint8_t key[16], iv[16], in[64], expected[64], out[64];

    (void)state;
    hex(key, 16, "2b7e151628aed2a6abf7158809cf4f3c");
    hex(iv, 16, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    hex(in, 64, plain);
    hex(expected, 64,
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
        "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee");
    for (size_t n = 0; n <= 64; n++) {
        memset(out, 0, sizeof out);
        assert_true(mr_aes128_ctr_once(key, iv, out, in, n));
        assert_memory_equal(out, expected, n);
        assert_true(n == 64 || out[n] == 0);
    }
    assert_true(mr_aes128_ctr_once(key, iv, out, out, 64)); /* in place: decrypts */
    assert_memory_equal(out, in, 64);
}

static void streams_equal_openssl_at_any_cut_and_alignment(void **state)
{
    static uint8_t in[5000], ours[5000], theirs[5000];

    if (!use(*state))
        return;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)rng(256);
    for (int round = 0; round < 40; round++) {
        struct mr_aes_ctr a = {.hi = rng(3), .lo = rng(2) ? 0 : UINT64_MAX - rng(60)}, b = a;
        struct mr_aes256 k;

        mr_aes256_init(&k, in + rng(1000));
        for (int part = 0; part < 60; part++) {
            size_t n = rng(3) ? rng(50) : rng(2) ? 16 * rng(40) : rng(4000);
            size_t from = rng(500), to = rng(500);

            mr_aes_ctr_xor(&k, &a, ours + to, in + from, n);
            mr_aes_ctr_xor_portable(&k, &b, theirs, in + from, n);
            assert_memory_equal(ours + to, theirs, n);
            assert_true(a.hi == b.hi && a.lo == b.lo && a.used == b.used);
        }
    }
}

static void in_place_equals_apart_and_twice_is_nothing(void **state)
{
    uint8_t text[777], apart[777], before[777];
    struct mr_aes256 k;

    if (!use(*state))
        return;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = before[i] = (uint8_t)rng(256);
    mr_aes256_init(&k, text);
    for (size_t n = 0; n < sizeof text; n += 1 + rng(9)) {
        struct mr_aes_ctr a = {0}, b = {0}, c = {0};

        mr_aes_ctr_xor(&k, &a, apart, text, n);
        mr_aes_ctr_xor(&k, &b, text, text, n);
        assert_memory_equal(text, apart, n);
        mr_aes_ctr_xor(&k, &c, text, text, n);
        assert_memory_equal(text, before, n);
    }
}

static void blocks_under_different_keys_equal_single_ones(void **state)
{
    struct mr_aes256 key[MR_AES_BATCH_MAX];
    const struct mr_aes256 *keys[MR_AES_BATCH_MAX];

    if (!use(*state))
        return;
    for (size_t n = 0; n <= MR_AES_BATCH_MAX; n++) {
        uint8_t block[MR_AES_BATCH_MAX][16], expected[MR_AES_BATCH_MAX][16];

        for (size_t i = 0; i < MR_AES_BATCH_MAX; i++) {
            uint8_t secret[32];

            for (size_t j = 0; j < 32; j++)
                secret[j] = (uint8_t)rng(256);
            for (size_t j = 0; j < 16; j++)
                block[i][j] = (uint8_t)rng(256);
            mr_aes256_init(&key[i], secret);
            keys[i] = &key[i];
            memcpy(expected[i], block[i], 16);
            if (i < n)
                mr_aes256_block_portable(&key[i], expected[i], block[i]);
        }
        mr_aes256_block_each(keys, block, n);
        assert_memory_equal(block, expected, 16 * n);
    }
}

static void the_kernel_is_the_best_that_can_be_used(void **state)
{
    static const char *const best_first[] = {"vaes", "aesni", "openssl"};
    const char *chosen = mr_aes_kernel();

    (void)state;
    for (size_t i = 0; strcmp(best_first[i], chosen) != 0; i++)
        assert_false(mr_aes_use(best_first[i]));
    assert_true(mr_aes_use(chosen));
    assert_false(mr_aes_use("des"));
    assert_string_equal(mr_aes_kernel(), chosen);
}

int main(void)
{
#define EACH(test)                                                                                 \
    {#test " (openssl)", test, NULL, NULL, (void *)"openssl"},                                     \
        {#test " (aesni)", test, NULL, NULL, (void *)"aesni"},                                     \
    {                                                                                              \
#test " (vaes)", test, NULL, NULL, (void *)"vaes"                                          \
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_is_the_best_that_can_be_used),
        EACH(standard_vectors_match),
        cmocka_unit_test(aes128_ctr_matches_its_vector),
        EACH(streams_equal_openssl_at_any_cut_and_alignment),
        EACH(in_place_equals_apart_and_twice_is_nothing),
        EACH(blocks_under_different_keys_equal_single_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
