/* Rows H-01, H-02, H-04 of the catalogue at the envelope. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "crypto/ecies.h"
#include "tests/crypto/bad_points.h"
#include "tests/crypto/craft.h"

static struct mr_secp *secp;
static struct mr_secp_keypair alice, bob;

static void seeded(void *ctx, void *p, size_t n)
{
    mr_random_fill(ctx, p, n);
}

static struct mr_span text(const char *s)
{
    return mr_span(s, strlen(s));
}

static void what_is_sealed_opens_with_the_key_only(void **state)
{
    static uint8_t message[1500], sealed[1500 + MR_ECIES_OVERHEAD], opened[1500];
    struct mr_random r;
    uint8_t iv[16];

    (void)state;
    mr_random_init(&r, 11);
    mr_random_fill(&r, message, sizeof message);
    for (size_t n = 0; n <= sizeof message; n += n < 40 ? 1 : 73) {
        struct mr_secp_keypair e;
        struct mr_span all = mr_span(sealed, n + MR_ECIES_OVERHEAD);

        mr_secp_keypair_make(secp, &e, seeded, &r);
        mr_random_fill(&r, iv, sizeof iv);
        assert_true(
            mr_ecies_encrypt(secp, sealed, &bob.pub, &e, iv, mr_span(message, n), text("size")));
        memset(opened, 0, sizeof opened);
        assert_false(mr_ecies_decrypt(secp, opened, alice.key, all, text("size")));
        assert_false(mr_ecies_decrypt(secp, opened, bob.key, all, text("sizf")));
        assert_false(mr_ecies_decrypt(secp, opened, bob.key, all, text("siz")));
        assert_false(mr_ecies_decrypt(secp, opened, bob.key, all, text("")));
        for (size_t i = 0; i < sizeof opened; i++)
            assert_int_equal(opened[i], 0);
        assert_true(mr_ecies_decrypt(secp, opened, bob.key, all, text("size")));
        assert_memory_equal(opened, message, n);
    }
}

static void seal_sample(uint8_t *sealed, size_t n, uint64_t seed)
{
    static const uint8_t message[512] = "relay";
    struct mr_secp_keypair e;
    struct mr_random r;
    uint8_t iv[16];

    assert_true(n <= sizeof message);
    mr_random_init(&r, seed);
    mr_secp_keypair_make(secp, &e, seeded, &r);
    mr_random_fill(&r, iv, sizeof iv);
    assert_true(mr_ecies_encrypt(secp, sealed, &bob.pub, &e, iv, mr_span(message, n), text("m")));
}

static void every_flipped_bit_is_refused(void **state)
{
    uint8_t sealed[60 + MR_ECIES_OVERHEAD], opened[60] = {0};
    const uint8_t zero[60] = {0};

    (void)state;
    seal_sample(sealed, 60, 12);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(
            mr_ecies_decrypt(secp, opened, bob.key, mr_span(sealed, sizeof sealed), text("m")));
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_memory_equal(opened, zero, sizeof zero);
    assert_true(mr_ecies_decrypt(secp, opened, bob.key, mr_span(sealed, sizeof sealed), text("m")));
}

static void every_prefix_is_refused(void **state)
{
    uint8_t sealed[200 + MR_ECIES_OVERHEAD], opened[201];

    (void)state;
    seal_sample(sealed, 200, 13);
    for (size_t n = 0; n < sizeof sealed; n++)
        assert_false(mr_ecies_decrypt(secp, opened, bob.key, mr_span(sealed, n), text("m")));
}

/* H-01: the tag is right for every length, since everybody knows our public key. */
static void a_right_tag_does_not_help_a_body_without_iv(void **state)
{
    static uint8_t body[2048], sealed[2048 + 97], opened[2048];
    struct mr_random r;
    struct mr_secp_keypair e;
    uint8_t shared[32], point[65] = {4};

    (void)state;
    mr_random_init(&r, 14);
    mr_random_fill(&r, body, sizeof body);
    mr_secp_keypair_make(secp, &e, seeded, &r);
    assert_true(mr_secp_ecdh_x(secp, shared, &bob.pub, e.key));
    memcpy(point + 1, e.pub.b, 64);
    for (size_t n = 97; n <= 2048; n++) {
        uint64_t ecdh = mr_secp_ecdh_count(secp);
        bool ok;

        craft_envelope(sealed, point, shared, mr_span(body, n - 97), text("m"));
        ok = mr_ecies_decrypt(secp, opened, bob.key, mr_span(sealed, n), text("m"));
        assert_int_equal(ok, n >= MR_ECIES_OVERHEAD);
        assert_int_equal(mr_secp_ecdh_count(secp) - ecdh, n >= MR_ECIES_OVERHEAD);
    }
    for (size_t n = 0; n < 97; n++)
        assert_false(mr_ecies_decrypt(secp, opened, bob.key, mr_span(sealed, n), text("m")));
}

/* H-02 */
static void bad_points_are_refused_before_the_key_is_touched(void **state)
{
    uint8_t sealed[40 + MR_ECIES_OVERHEAD], opened[40] = {0};
    const uint8_t zero[40] = {0};
    struct mr_random r;
    uint64_t ecdh;

    (void)state;
    mr_random_init(&r, 15);
    seal_sample(sealed, 40, 15);
    ecdh = mr_secp_ecdh_count(secp);
    for (unsigned i = 0; i < 10000; i++) {
        bad_point(secp, &r, i % BAD_KINDS, sealed);
        assert_false(
            mr_ecies_decrypt(secp, opened, bob.key, mr_span(sealed, sizeof sealed), text("m")));
    }
    assert_int_equal(mr_secp_ecdh_count(secp), ecdh);
    assert_memory_equal(opened, zero, sizeof zero);
}

/* Seals for bob under R = point, whose shared secret only bob's key tells, and opens it. */
static bool opens_under(const uint8_t point[65], const uint8_t shared[32])
{
    uint8_t body[16 + 5], sealed[5 + MR_ECIES_OVERHEAD], opened[5], iv[16] = {1};

    craft_body(body, shared, iv, text("hello"));
    craft_envelope(sealed, point, shared, mr_span(body, sizeof body), text("m"));
    return mr_ecies_decrypt(secp, opened, bob.key, mr_span(sealed, sizeof sealed), text("m")) &&
           memcmp(opened, "hello", 5) == 0;
}

/* H-02: a point with x = 0 has order 3 on its curve. Two keys of three multiply it to x = 0, so
 * that whether this opens would tell a third of the key. */
static void a_point_of_order_3_tells_nothing(void **state)
{
    uint8_t point[65] = {4}, shared[32] = {0};

    (void)state;
    for (unsigned i = 1; i < 100; i++) {
        point[64] = (uint8_t)i;
        assert_false(opens_under(point, shared));
    }
}

/* H-02, H-04: the same point in another dress, with the right secret and tag. */
static void other_encodings_of_a_good_point_do_not_open(void **state)
{
    struct mr_node_id good;
    uint8_t point[65], shared[32];

    (void)state;
    for (uint64_t pick = 0; pick < 12; pick++) {
        bad_small_x_point(secp, pick, &good);
        assert_true(mr_secp_ecdh_x(secp, shared, &good, bob.key));
        memcpy(point + 1, good.b, 64);
        point[0] = 4;
        assert_true(opens_under(point, shared));
        point[0] = (uint8_t)(6 + (good.b[63] & 1));
        assert_false(opens_under(point, shared));
        point[0] = 4;
        bad_field_prime(point + 1, good.b[31]);
        assert_false(opens_under(point, shared));

        bad_small_y_point(pick, &good);
        assert_true(mr_secp_ecdh_x(secp, shared, &good, bob.key));
        memcpy(point + 1, good.b, 64);
        assert_true(opens_under(point, shared));
        bad_field_prime(point + 33, good.b[63]);
        assert_false(opens_under(point, shared));
    }
}

static void nothing_is_sealed_for_what_is_no_point(void **state)
{
    struct mr_node_id to;
    struct mr_random r;
    uint8_t out[5 + MR_ECIES_OVERHEAD], iv[16] = {0};

    (void)state;
    mr_random_init(&r, 16);
    for (unsigned i = 0; i < 500; i++) {
        bad_point_xy(secp, &r, i % BAD_KINDS_XY, to.b);
        assert_false(mr_ecies_encrypt(secp, out, &to, &alice, iv, text("hello"), text("m")));
    }
}

static int setup(void **state)
{
    uint8_t seed[32] = {4};
    struct mr_random r;

    (void)state;
    secp = mr_secp_create(seed);
    if (!secp)
        return -1;
    mr_random_init(&r, 10);
    mr_secp_keypair_make(secp, &alice, seeded, &r);
    mr_secp_keypair_make(secp, &bob, seeded, &r);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_secp_destroy(secp);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_with_the_key_only),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(a_right_tag_does_not_help_a_body_without_iv),
        cmocka_unit_test(bad_points_are_refused_before_the_key_is_touched),
        cmocka_unit_test(a_point_of_order_3_tells_nothing),
        cmocka_unit_test(other_encodings_of_a_good_point_do_not_open),
        cmocka_unit_test(nothing_is_sealed_for_what_is_no_point),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
