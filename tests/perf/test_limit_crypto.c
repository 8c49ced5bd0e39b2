/* The floor is honest: it does the AES and the permutations that sealing the same frames does, no
 * more and no less, for groups that fill the lanes and for those that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "net/rlpx/frame.h"
#include "perf/limit_crypto.h"

#define ROUNDS    40
#define PEERS_MAX 101

static struct mr_rlpx_session sessions[PEERS_MAX];
static const uint8_t text[70000];

/* Seals `coalesce` frames for each of n peers, as often; returns the permutations of one peer. */
static double permutations_of_sealing(uint32_t n, uint32_t size, uint32_t coalesce)
{
    const struct mr_span span = {text, size};
    struct mr_frame frames[MR_LIMIT_COALESCE_MAX];
    struct mr_keccak_stats stats = {0};
    const size_t cap = (size_t)coalesce * MR_FRAME_WIRE_LEN(size);
    uint8_t *out = malloc(cap);

    assert_non_null(out);
    for (uint32_t k = 0; k < coalesce; k++)
        frames[k] = (struct mr_frame){&span, 1, size};
    for (uint32_t i = 0; i < n; i++) {
        struct mr_rlpx_secrets s = {.aes = {(uint8_t)i}, .mac = {(uint8_t)(i + 1)}};

        mr_keccak_update(&s.egress, text, 7 * i);
        mr_rlpx_session_init(&sessions[i], &s);
        for (int r = 0; r < ROUNDS; r++) {
            struct mr_seal_job job = {.session = &sessions[i],
                                      .frames = frames,
                                      .frames_count = coalesce,
                                      .out = out,
                                      .out_cap = cap};

            mr_rlpx_seal(&job, 1, &stats);
            assert_int_equal(job.frames_done, coalesce);
            assert_int_equal(job.out_len, cap);
        }
    }
    free(out);
    return (double)(stats.lanes[0] + stats.lanes[1] + stats.lanes[2]) / n;
}

static void check(uint32_t n, uint32_t size, uint32_t coalesce)
{
    const double sealing = permutations_of_sealing(n, size, coalesce);
    struct mr_limit_crypto c;
    double ours;

    assert_true(mr_limit_crypto_init(&c, n, size, coalesce));
    assert_int_equal(c.block_bytes, coalesce * MR_FRAME_WIRE_LEN(size));
    for (int r = 0; r < ROUNDS; r++)
        for (uint32_t at = 0; at < n;)
            at += mr_limit_crypto_window(&c, at, MR_LIMIT_AES | MR_LIMIT_KECCAK);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(c.peers[i].ctr.lo, sessions[i].egress.ctr.lo);
        assert_int_equal(c.peers[i].ctr.used, 0);
    }
    /* A sponge may stand up to one permutation before or behind, and one of all lanes be owed. */
    ours = (double)c.lanes / n;
    assert_true(ours > sealing - 1 - mr_keccak_lanes_max() / (double)n && ours < sealing + 1);
    mr_limit_crypto_fini(&c);
}

static void the_floor_does_the_work_of_sealing(void **state)
{
    const char *variant = *state;

    if (!mr_keccak_use(variant)) {
        print_message("skipped: this CPU has no %s\n", variant);
        return;
    }
    check(1, 1, 1);
    check(8, 64, 1);
    check(64, 208, 16);
    check(101, 208, 3);
    check(13, 1000, 2);
    check(20, 70000, 1);
}

static void a_send_of_more_than_the_limit_is_refused(void **state)
{
    struct mr_limit_crypto c;

    (void)state;
    assert_true(mr_limit_crypto_init(&c, 1, MR_LIMIT_BLOCK_MAX - 48, 1));
    mr_limit_crypto_fini(&c);
    assert_false(mr_limit_crypto_init(&c, 1, MR_LIMIT_BLOCK_MAX - 47, 1));
    assert_false(mr_limit_crypto_init(&c, 1, MR_LIMIT_BLOCK_MAX / 2, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"the_floor_does_the_work_of_sealing (plain)", the_floor_does_the_work_of_sealing, NULL,
         NULL, (void *)"plain"},
        {"the_floor_does_the_work_of_sealing (avx2)", the_floor_does_the_work_of_sealing, NULL,
         NULL, (void *)"avx2"},
        {"the_floor_does_the_work_of_sealing (avx512)", the_floor_does_the_work_of_sealing, NULL,
         NULL, (void *)"avx512"},
        cmocka_unit_test(a_send_of_more_than_the_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
