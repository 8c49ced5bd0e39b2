#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/aes.h"
#include "crypto/ecies.h"
#include "crypto/keccak.h"
#include "crypto/self_test.h"

/* What must be found: the self-test is compiled here once more, with two primitives that are wrong
 * when told to be. */
static bool wrong_keccak, wrong_sign;

static void keccak256_many(struct mr_hash *out, const struct mr_span *in, size_t n)
{
    mr_keccak256_many(out, in, n);
    if (wrong_keccak)
        out[n - 1].b[31] ^= 1;
}

static bool secp_sign(const struct mr_secp *s, uint8_t sig[MR_SECP_SIG_SIZE],
                      const struct mr_hash *hash, const uint8_t key[32])
{
    bool ok = mr_secp_sign(s, sig, hash, key);

    if (wrong_sign)
        sig[40] ^= 1;
    return ok;
}

#define mr_keccak256_many keccak256_many
#define mr_secp_sign      secp_sign
#include "crypto/self_test.c"

static void every_variant_passes(void **state)
{
    static const char *const names[] = {"plain", "avx2", "avx512"};
    const uint8_t seed[32] = {1};
    struct mr_secp *s = mr_secp_create(seed);

    (void)state;
    for (unsigned i = 0; i < MR_COUNT_OF(names); i++)
        if (mr_keccak_use(names[i]))
            assert_null(mr_crypto_self_test(s));
    mr_keccak_select();
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
