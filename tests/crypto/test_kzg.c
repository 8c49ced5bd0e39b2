#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/random.h"
#include "crypto/kzg.h"

#define BLOB 131072

static int kzg_open(void **state)
{
    *state = mr_kzg_load();
    return (*state != NULL) == mr_kzg_available() ? 0 : -1;
}

static int kzg_close(void **state)
{
    mr_kzg_free(*state);
    return 0;
}

static void need(void **state)
{
    if (!*state) {
        print_message("skipped: this build is without c-kzg\n");
        skip();
    }
}

/* Two blobs of valid field elements (below 2^248), their commitments and proofs. */
static struct {
    uint8_t blobs[2][BLOB], commitments[2][48], v0[2][48], v1[2][128 * 48];
} made;

static void make(struct mr_kzg *k)
{
    struct mr_random random;

    if (made.v1[1][0])
        return;
    mr_random_init(&random, 4844);
    for (size_t i = 0; i < 2; i++) {
        mr_random_fill(&random, made.blobs[i], BLOB);
        for (size_t at = 0; at < BLOB; at += 32)
            made.blobs[i][at] = 0;
        assert_int_equal(
            mr_kzg_prove_blob(k, made.commitments[i], made.v0[i], false, made.blobs[i]),
            MR_KZG_VALID);
        assert_int_equal(mr_kzg_prove_blob(k, made.commitments[i], made.v1[i], true, made.blobs[i]),
                         MR_KZG_VALID);
    }
}

static struct mr_kzg_items items(const void *p, size_t stride)
{
    return (struct mr_kzg_items){p, stride};
}

static enum mr_kzg_result v0(struct mr_kzg *k)
{
    return mr_kzg_verify_blobs(k, 2, items(made.blobs, BLOB), items(made.commitments, 48),
                               items(made.v0, 48));
}

static enum mr_kzg_result v1(struct mr_kzg *k)
{
    return mr_kzg_verify_cells(k, 2, items(made.blobs, BLOB), items(made.commitments, 48),
                               items(made.v1, 48));
}

static void swap(void *a, void *b, size_t n)
{
    uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        uint8_t t = x[i];

        x[i] = y[i], y[i] = t;
    }
}

static void our_own_proofs_are_valid(void **state)
{
    need(state);
    make(*state);
    assert_int_equal(v0(*state), MR_KZG_VALID);
    assert_int_equal(v1(*state), MR_KZG_VALID);
}

/* Every input is a point of the curve: the library has no error to report, only "not ok". */
static void swapped_proofs_of_two_blobs_are_invalid(void **state)
{
    need(state);
    make(*state);
    swap(made.v0[0], made.v0[1], 48);
    assert_int_equal(v0(*state), MR_KZG_INVALID);
    swap(made.v0[0], made.v0[1], 48);
    swap(made.v1[0], made.v1[1], sizeof made.v1[0]);
    assert_int_equal(v1(*state), MR_KZG_INVALID);
    swap(made.v1[0], made.v1[1], sizeof made.v1[0]);
    swap(made.commitments[0], made.commitments[1], 48);
    assert_int_equal(v0(*state), MR_KZG_INVALID);
    assert_int_equal(v1(*state), MR_KZG_INVALID);
    swap(made.commitments[0], made.commitments[1], 48);
    assert_int_equal(v0(*state), MR_KZG_VALID);
}

static void one_swapped_cell_proof_is_invalid(void **state)
{
    need(state);
    make(*state);
    swap(made.v1[0] + 5 * 48, made.v1[0] + 6 * 48, 48);
    assert_int_equal(v1(*state), MR_KZG_INVALID);
    swap(made.v1[0] + 5 * 48, made.v1[0] + 6 * 48, 48);
    assert_int_equal(v1(*state), MR_KZG_VALID);
}

/* The library calls these bad arguments: they came from a peer, so they are the peer's fault. */
static void inputs_that_are_no_points_or_field_elements_are_invalid(void **state)
{
    need(state);
    make(*state);
    made.blobs[1][32 * 7] = 0xff; /* above the field's modulus */
    assert_int_equal(v0(*state), MR_KZG_INVALID);
    assert_int_equal(v1(*state), MR_KZG_INVALID);
    made.blobs[1][32 * 7] = 0;
    made.commitments[0][47] ^= 1; /* on no point, or on one outside of the group */
    assert_int_equal(v0(*state), MR_KZG_INVALID);
    assert_int_equal(v1(*state), MR_KZG_INVALID);
    made.commitments[0][47] ^= 1;
    made.v0[1][0] &= 0x7f; /* not compressed */
    assert_int_equal(v0(*state), MR_KZG_INVALID);
    made.v0[1][0] |= 0x80;
    made.v1[1][100 * 48] &= 0x7f;
    assert_int_equal(v1(*state), MR_KZG_INVALID);
    made.v1[1][100 * 48] |= 0x80;
    assert_int_equal(v0(*state), MR_KZG_VALID);
    assert_int_equal(v1(*state), MR_KZG_VALID);
}

static void one_changed_bit_of_a_blob_is_invalid(void **state)
{
    need(state);
    make(*state);
    made.blobs[0][BLOB - 1] ^= 1;
    assert_int_equal(v0(*state), MR_KZG_INVALID);
    assert_int_equal(v1(*state), MR_KZG_INVALID);
    made.blobs[0][BLOB - 1] ^= 1;
}

static void without_the_library_nothing_is_ever_valid(void **state)
{
    if (mr_kzg_available()) {
        assert_non_null(*state);
        return;
    }
    assert_null(mr_kzg_load());
    assert_int_equal(v0(NULL), MR_KZG_FAILED);
    assert_int_equal(v1(NULL), MR_KZG_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_proofs_are_valid),
        cmocka_unit_test(swapped_proofs_of_two_blobs_are_invalid),
        cmocka_unit_test(one_swapped_cell_proof_is_invalid),
        cmocka_unit_test(inputs_that_are_no_points_or_field_elements_are_invalid),
        cmocka_unit_test(one_changed_bit_of_a_blob_is_invalid),
        cmocka_unit_test(without_the_library_nothing_is_ever_valid),
    };

    return cmocka_run_group_tests(tests, kzg_open, kzg_close);
}
