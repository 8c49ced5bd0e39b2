/* Rows H-02, H-03, H-04 of the catalogue at the place where keys come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/hex.h"
#include "core/rlp.h"
#include "crypto/secp.h"
#include "tests/crypto/bad_points.h"

#define BAD_COUNT 10000

static struct mr_secp *secp;
static const uint8_t group_order[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};

static void from_hex(uint8_t *out, size_t n, const char *hex)
{
    assert_int_equal(mr_hex_decode_exact(out, n, hex, strlen(hex)), MR_OK);
}

static void seeded(void *ctx, void *p, size_t n)
{
    mr_random_fill(ctx, p, n);
}

static void a_key_is_from_1_to_the_order_less_1(void **state)
{
    uint8_t key[32] = {0};
    struct mr_node_id pub, before;

    (void)state;
    memset(&pub, 0xab, sizeof pub);
    before = pub;
    assert_false(mr_secp_key_valid(secp, key));
    assert_false(mr_secp_public(secp, &pub, key));
    memcpy(key, group_order, 32);
    assert_false(mr_secp_key_valid(secp, key));
    assert_false(mr_secp_public(secp, &pub, key));
    memset(key, 0xff, 32);
    assert_false(mr_secp_key_valid(secp, key));
    assert_false(mr_secp_public(secp, &pub, key));
    assert_true(mr_node_id_equal(&pub, &before));
    memcpy(key, group_order, 32);
    key[31]--;
    assert_true(mr_secp_key_valid(secp, key));
    memset(key, 0, 32);
    key[31] = 1;
    assert_true(mr_secp_key_valid(secp, key));
}

static void key_1_gives_the_generator(void **state)
{
    uint8_t key[32] = {[31] = 1}, g[64];
    struct mr_node_id pub;

    (void)state;
    from_hex(g, 64,
             "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
             "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8");
    assert_true(mr_secp_public(secp, &pub, key));
    assert_memory_equal(pub.b, g, 64);
    assert_true(mr_secp_point_valid(secp, &pub));
}

static void ecdh_agrees_and_is_the_raw_x(void **state)
{
    struct mr_random r;
    uint8_t one[32] = {[31] = 1}, x[32], y[32];
    struct mr_secp_keypair a, b;

    (void)state;
    mr_random_init(&r, 1);
    for (int i = 0; i < 200; i++) {
        mr_secp_keypair_make(secp, &a, seeded, &r);
        mr_secp_keypair_make(secp, &b, seeded, &r);
        assert_true(mr_secp_ecdh_x(secp, x, &a.pub, b.key));
        assert_true(mr_secp_ecdh_x(secp, y, &b.pub, a.key));
        assert_memory_equal(x, y, 32);
        assert_true(mr_secp_ecdh_x(secp, x, &a.pub, one));
        assert_memory_equal(x, a.pub.b, 32);
    }
}

static void ecdh_refuses_what_is_no_key_and_writes_nothing(void **state)
{
    struct mr_random r;
    uint8_t key[32] = {0}, x[32], before[32];
    struct mr_secp_keypair a;

    (void)state;
    mr_random_init(&r, 2);
    mr_secp_keypair_make(secp, &a, seeded, &r);
    memset(x, 0x77, 32);
    memcpy(before, x, 32);
    assert_false(mr_secp_ecdh_x(secp, x, &a.pub, key));
    assert_false(mr_secp_ecdh_x(secp, x, &a.pub, group_order));
    assert_memory_equal(x, before, 32);
}

static void signatures_recover_their_signer(void **state)
{
    struct mr_random r;
    struct mr_secp_keypair a;
    struct mr_node_id who;
    struct mr_hash hash;
    uint8_t sig[MR_SECP_SIG_SIZE], again[MR_SECP_SIG_SIZE], half[32];

    (void)state;
    from_hex(half, 32, "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");
    mr_random_init(&r, 3);
    for (int i = 0; i < 200; i++) {
        mr_secp_keypair_make(secp, &a, seeded, &r);
        mr_random_fill(&r, &hash, sizeof hash);
        assert_true(mr_secp_sign(secp, sig, &hash, a.key));
        assert_true(mr_secp_sign(secp, again, &hash, a.key));
        assert_memory_equal(sig, again, sizeof sig);
        assert_true(sig[64] <= 3);
        assert_true(memcmp(sig + 32, half, 32) <= 0);
        assert_true(mr_secp_recover(secp, &who, &hash, sig));
        assert_true(mr_node_id_equal(&who, &a.pub));
        hash.b[i % 32] ^= 1;
        if (mr_secp_recover(secp, &who, &hash, sig))
            assert_false(mr_node_id_equal(&who, &a.pub));
    }
    assert_false(mr_secp_sign(secp, sig, &hash, group_order));
}

static void recovery_refuses_what_is_no_signature(void **state)
{
    struct mr_random r;
    struct mr_secp_keypair a;
    struct mr_node_id who, before;
    struct mr_hash hash = {{7}};
    uint8_t sig[MR_SECP_SIG_SIZE], bad[MR_SECP_SIG_SIZE];

    (void)state;
    mr_random_init(&r, 4);
    mr_secp_keypair_make(secp, &a, seeded, &r);
    assert_true(mr_secp_sign(secp, sig, &hash, a.key));
    memset(&who, 0x55, sizeof who);
    before = who;
    for (unsigned v = 4; v < 256; v++) {
        memcpy(bad, sig, sizeof bad);
        bad[64] = (uint8_t)v;
        assert_false(mr_secp_recover(secp, &who, &hash, bad));
    }
    /* v of 2 or 3 says that r was reduced: then r + n would have to be below p. */
    for (unsigned v = 2; v < 4; v++) {
        memcpy(bad, sig, sizeof bad);
        bad[64] = (uint8_t)v;
        assert_false(mr_secp_recover(secp, &who, &hash, bad));
    }
    for (size_t half = 0; half < 2; half++) {
        memcpy(bad, sig, sizeof bad);
        memset(bad + 32 * half, 0, 32);
        assert_false(mr_secp_recover(secp, &who, &hash, bad));
        memcpy(bad + 32 * half, group_order, 32);
        assert_false(mr_secp_recover(secp, &who, &hash, bad));
        memset(bad + 32 * half, 0xff, 32);
        assert_false(mr_secp_recover(secp, &who, &hash, bad));
    }
    /* r = 5 is the x of no point. */
    memcpy(bad, sig, sizeof bad);
    memset(bad, 0, 31);
    bad[31] = 5;
    assert_false(mr_secp_recover(secp, &who, &hash, bad));
    assert_true(mr_node_id_equal(&who, &before));
}

/* H-02, H-04 */
static void bad_points_are_refused_before_the_key_is_touched(void **state)
{
    struct mr_random r;
    struct mr_secp_keypair a;
    struct mr_node_id out, before, raw;
    uint8_t p[65], x[32], x_before[32];
    uint64_t ecdh;

    (void)state;
    mr_random_init(&r, 5);
    mr_secp_keypair_make(secp, &a, seeded, &r);
    ecdh = mr_secp_ecdh_count(secp);
    memset(&out, 0x33, sizeof out);
    before = out;
    memset(x, 0x44, sizeof x);
    memcpy(x_before, x, sizeof x);
    for (unsigned i = 0; i < BAD_COUNT; i++) {
        enum bad_point_kind kind = i % BAD_KINDS;

        bad_point(secp, &r, kind, p);
        assert_false(mr_secp_parse65(secp, &out, p));
        if (kind >= BAD_KINDS_XY)
            continue;
        memcpy(raw.b, p + 1, 64);
        assert_false(mr_secp_point_valid(secp, &raw));
        assert_false(mr_secp_ecdh_x(secp, x, &raw, a.key));
    }
    assert_true(mr_node_id_equal(&out, &before));
    assert_memory_equal(x, x_before, sizeof x);
    assert_int_equal(mr_secp_ecdh_count(secp), ecdh);
    assert_true(mr_secp_ecdh_x(secp, x, &a.pub, a.key));
    assert_int_equal(mr_secp_ecdh_count(secp), ecdh + 1); /* the counter does count */
}

/* What makes a row of bad_points.h bad is what its name says: without it the point is good. */
static void the_points_behind_the_bad_ones_are_good(void **state)
{
    struct mr_random r;
    struct mr_node_id id, out;
    uint8_t p[65];

    (void)state;
    mr_random_init(&r, 6);
    for (uint64_t pick = 0; pick < 12; pick++) {
        bad_small_x_point(secp, pick, &id);
        assert_true(mr_secp_point_valid(secp, &id));
        bad_small_y_point(pick, &id);
        assert_true(mr_secp_point_valid(secp, &id));
        assert_false(bad_lift_x(secp, &id, pick & 1 ? 5 : 7, 0));
        bad_point(secp, &r, BAD_HYBRID, p);
        p[0] = 4;
        assert_true(mr_secp_parse65(secp, &out, p));
        assert_memory_equal(out.b, p + 1, 64);
    }
}

static void one_point_has_one_encoding(void **state)
{
    struct mr_random r;
    struct mr_node_id good, out;
    uint8_t p[65];

    (void)state;
    mr_random_init(&r, 7);
    for (int i = 0; i < 50; i++) {
        bad_some_point(secp, &r, &good);
        memcpy(p + 1, good.b, 64);
        for (unsigned first = 0; first < 256; first++) {
            p[0] = (uint8_t)first;
            assert_int_equal(mr_secp_parse65(secp, &out, p), first == 4);
        }
    }
}

static void draw_from(void *ctx, void *p, size_t n)
{
    struct mr_reader *from = ctx;

    assert_true(mr_reader_left(from) >= n);
    memcpy(p, from->p, n);
    from->p += n;
}

static void keypairs_are_redrawn_until_valid(void **state)
{
    /* Zero first, then the order, then a key. */
    struct mr_secp_keypair pair;
    struct mr_node_id pub;
    uint8_t draws[3 * 32] = {0};
    struct mr_reader from = mr_reader(draws, sizeof draws);

    (void)state;
    memcpy(draws + 32, group_order, 32);
    draws[95] = 9;
    mr_secp_keypair_make(secp, &pair, draw_from, &from);
    assert_true(mr_reader_done(&from));
    assert_true(mr_secp_public(secp, &pub, draws + 64));
    assert_true(mr_node_id_equal(&pair.pub, &pub));
    assert_memory_equal(pair.key, draws + 64, 32);
}

static int setup(void **state)
{
    uint8_t seed[32] = {1, 2, 3};

    (void)state;
    secp = mr_secp_create(seed);
    return secp ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mr_secp_destroy(secp);
    mr_secp_destroy(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_from_1_to_the_order_less_1),
        cmocka_unit_test(key_1_gives_the_generator),
        cmocka_unit_test(ecdh_agrees_and_is_the_raw_x),
        cmocka_unit_test(ecdh_refuses_what_is_no_key_and_writes_nothing),
        cmocka_unit_test(signatures_recover_their_signer),
        cmocka_unit_test(recovery_refuses_what_is_no_signature),
        cmocka_unit_test(bad_points_are_refused_before_the_key_is_touched),
        cmocka_unit_test(the_points_behind_the_bad_ones_are_good),
        cmocka_unit_test(one_point_has_one_encoding),
        cmocka_unit_test(keypairs_are_redrawn_until_valid),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
