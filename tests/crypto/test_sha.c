/* SHA-256 against FIPS 180-4's examples, HMAC against RFC 4231, the KDF against its definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/hex.h"
#include "crypto/kdf.h"
#include "crypto/sha.h"

static void assert_hex(const uint8_t *p, size_t n, const char *hex)
{
    char text[513];

    assert_true(n <= 256);
    mr_hex_encode(text, p, n);
    assert_string_equal(text, hex);
}

static void sha256_gives_the_published_digests(void **state)
{
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t out[32];

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i].text);
        struct mr_span whole = mr_span(cases[i].text, n);

        assert_true(mr_sha256(out, &whole, 1));
        assert_hex(out, 32, cases[i].digest);
        for (size_t cut = 0; cut <= n; cut++) {
            struct mr_span parts[] = {mr_span(whole.p, cut), mr_span(NULL, 0),
                                      mr_span(whole.p + cut, n - cut)};

            assert_true(mr_sha256(out, parts, 3));
            assert_hex(out, 32, cases[i].digest);
        }
    }
}

static void hmac_gives_the_published_tags(void **state)
{
    static const struct {
        const char *key, *data, *tag;
    } cases[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "dddddddddddddddddddddddddddddddddddddddddddddddddddd"
         "dddddddddddddddddddddddddddddddddddddddddddddddd",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    };
    uint8_t key[64], data[64], out[32], long_key[131];
    struct mr_span text;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(cases); i++) {
        size_t key_n, data_n;
        struct mr_span parts[2];

        assert_int_equal(mr_hex_decode(key, &key_n, sizeof key, cases[i].key, strlen(cases[i].key)),
                         MR_OK);
        assert_int_equal(
            mr_hex_decode(data, &data_n, sizeof data, cases[i].data, strlen(cases[i].data)), MR_OK);
        parts[0] = mr_span(data, data_n / 2);
        parts[1] = mr_span(data + data_n / 2, data_n - data_n / 2);
        assert_true(mr_hmac_sha256(out, mr_span(key, key_n), parts, 2));
        assert_hex(out, 32, cases[i].tag);
    }
    /* RFC 4231, case 6: a key longer than a block. */
    memset(long_key, 0xaa, sizeof long_key);
    text = mr_span("Test Using Larger Than Block-Size Key - Hash Key First", 54);
    assert_true(mr_hmac_sha256(out, mr_span(long_key, sizeof long_key), &text, 1));
    assert_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void kdf_counts_from_one_and_cuts_the_last_block(void **state)
{
    static const char *whole =
        "a1db5227dd84fe4b7bdb39c54fead4f84ab34ae8cb5ce504d2f8ece9ce06548553c0c4509d1f0a5f"
        "86c2eb8471819a9dfa6b5bbdeef40002239d7d84d920b27b4d3032565ed99aed6a9dc5d50801a35c";
    uint8_t secret[32], out[81];

    (void)state;
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)i;
    assert_true(mr_kdf_concat(out, 32, mr_span(secret, sizeof secret), mr_span(NULL, 0)));
    assert_hex(out, 32, "22b288a146b89e364069f6f367618a0ebeb5b83e5462685ab127b8edf8d2690a");
    for (size_t n = 0; n <= 80; n++) {
        char prefix[161];

        memset(out, 0xee, sizeof out);
        assert_true(mr_kdf_concat(out, n, mr_span(secret, sizeof secret), mr_span("millrace", 8)));
        memcpy(prefix, whole, 2 * n);
        prefix[2 * n] = '\0';
        assert_hex(out, n, prefix);
        assert_int_equal(out[n], 0xee);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(hmac_gives_the_published_tags),
        cmocka_unit_test(kdf_counts_from_one_and_cuts_the_last_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
