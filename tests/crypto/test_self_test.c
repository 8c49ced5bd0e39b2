#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/aes.h"
#include "crypto/ecies.h"
#include "crypto/keccak.h"
#include "crypto/self_test.h"

/* What must be found: the self-test is compiled here once more, with primitives that are wrong when
 * told to be. */
static bool wrong_keccak, wrong_stream, wrong_blocks, wrong_sign;

static void keccak256_many(struct mr_hash *out, const struct mr_span *in, size_t n)
{
    mr_keccak256_many(out, in, n);
    if (wrong_keccak)
        out[n - 1].b[31] ^= 1;
}

static void aes_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                        const uint8_t *in, size_t n)
{
    mr_aes_ctr_xor(k, ctr, out, in, n);
    if (wrong_stream && n >= 256) /* sixteen blocks at once */
        out[255] ^= 1;
}

static void aes256_block_each(const struct mr_aes256 *const *keys, uint8_t (*blocks)[MR_AES_BLOCK],
                              size_t n)
{
    mr_aes256_block_each(keys, blocks, n);
    if (wrong_blocks)
        blocks[n - 1][15] ^= 1;
}

static bool secp_sign(const struct mr_secp *s, uint8_t sig[MR_SECP_SIG_SIZE],
                      const struct mr_hash *hash, const uint8_t key[32])
{
    bool ok = mr_secp_sign(s, sig, hash, key);

    if (wrong_sign)
        sig[40] ^= 1;
    return ok;
}

#define mr_keccak256_many    keccak256_many
#define mr_aes_ctr_xor       aes_ctr_xor
#define mr_aes256_block_each aes256_block_each
#define mr_secp_sign         secp_sign
#include "crypto/self_test.c"

static void every_variant_passes(void **state)
{
    static const char *const names[] = {"plain", "avx2", "avx512"};
    static const char *const kernels[] = {"openssl", "aesni", "vaes"}; /* the best last */
    const uint8_t seed[32] = {1};
    struct mr_secp *s = mr_secp_create(seed);

    (void)state;
    for (unsigned i = 0; i < MR_COUNT_OF(names); i++)
        if (mr_keccak_use(names[i]))
            assert_null(mr_crypto_self_test(s));
    mr_keccak_select();
    for (unsigned i = 0; i < MR_COUNT_OF(kernels); i++)
        if (mr_aes_use(kernels[i]))
            assert_null(mr_crypto_self_test(s));
    mr_secp_destroy(s);
}

static void what_is_broken_is_named(void **state)
{
    const uint8_t seed[32] = {1};
    struct mr_secp *s = mr_secp_create(seed);

    (void)state;
    wrong_keccak = true;
    assert_string_equal(mr_crypto_self_test(s), "Keccak-256");
    wrong_keccak = false;
    wrong_stream = true;
    assert_string_equal(mr_crypto_self_test(s), "AES-256");
    wrong_stream = false;
    wrong_blocks = true;
    assert_string_equal(mr_crypto_self_test(s), "AES-256");
    wrong_blocks = false;
    wrong_sign = true;
    assert_string_equal(mr_crypto_self_test(s), "secp256k1");
    wrong_sign = false;
    assert_null(mr_crypto_self_test(s));
    mr_secp_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_passes),
        cmocka_unit_test(what_is_broken_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
