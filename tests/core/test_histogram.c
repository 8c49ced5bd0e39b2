#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "core/histogram.h"

static const struct mr_histogram_options hour_us = {.highest = MR_HISTOGRAM_HOUR_US, .digits = 3};

static uint64_t random_next(uint64_t *s)
{
    *s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *s >> 16;
}

static void options_out_of_range_are_refused(void **state)
{
    static const struct mr_histogram_options bad[] = {
        {.highest = 1, .digits = 3},
        {.highest = 0, .digits = 3},
        {.highest = 1000, .digits = 0},
        {.highest = 1000, .digits = 6},
        {.highest = (UINT64_C(1) << 62) + 1, .digits = 3},
    };
    struct mr_histogram h;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(bad); i++)
        assert_int_equal(mr_histogram_init(&h, &bad[i]), MR_INVALID);
}

static void buckets_touch_and_are_narrow_enough(void **state)
{
    (void)state;
    for (int digits = 1; digits <= 4; digits++) {
        struct mr_histogram_options o = {.highest = UINT64_C(1) << 40, .digits = digits};
        struct mr_histogram h;
        uint64_t next = 0, per = 1;

        for (int i = 0; i < digits; i++)
            per *= 10;
        assert_int_equal(mr_histogram_init(&h, &o), MR_OK);
        for (uint32_t i = 0; i < h.counts_len; i++) {
            uint64_t low = mr_histogram_lower_edge(&h, i), high = mr_histogram_upper_edge(&h, i);

            assert_true(low == next);
            assert_int_equal(mr_histogram_index(&h, low), i);
            assert_int_equal(mr_histogram_index(&h, high), i);
            assert_true((high - low) * per <= low);
            if (low < 2 * per)
                assert_true(high == low);
            next = high + 1;
        }
        assert_true(next > o.highest);
        mr_histogram_fini(&h);
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void percentiles_are_those_of_the_sorted_values(void **state)
{
    static const double percentiles[] = {0.1, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100};
    enum { N = 10000 };
    static uint64_t values[N];
    struct mr_histogram h;
    uint64_t rng = 7;

    (void)state;
    assert_int_equal(mr_histogram_init(&h, &hour_us), MR_OK);
    for (size_t i = 0; i < N; i++) {
        values[i] = random_next(&rng) % (UINT64_C(1) << random_next(&rng) % 31);
        mr_histogram_record(&h, values[i]);
    }
    qsort(values, N, sizeof values[0], compare_u64);
    for (size_t i = 0; i < MR_COUNT_OF(percentiles); i++) {
        size_t rank = (size_t)(percentiles[i] * N / 100 + 0.5);
        uint32_t index = mr_histogram_index(&h, values[rank - 1]);

        assert_true(mr_histogram_percentile(&h, percentiles[i]) ==
                    mr_histogram_upper_edge(&h, index));
    }
    assert_int_equal(mr_histogram_count(&h), N);
    assert_int_equal(mr_histogram_index(&h, mr_histogram_min(&h)),
                     mr_histogram_index(&h, values[0]));
    assert_int_equal(mr_histogram_index(&h, mr_histogram_max(&h)),
                     mr_histogram_index(&h, values[N - 1]));
    assert_true(mr_histogram_percentile(&h, 0) == mr_histogram_min(&h));
    assert_true(mr_histogram_percentile(&h, 200) == mr_histogram_max(&h));
    mr_histogram_fini(&h);
}

static void an_empty_histogram_gives_zeroes(void **state)
{
    struct mr_histogram h;

    (void)state;
    assert_int_equal(mr_histogram_init(&h, &hour_us), MR_OK);
    assert_int_equal(mr_histogram_count(&h), 0);
    assert_int_equal(mr_histogram_percentile(&h, 50), 0);
    assert_int_equal(mr_histogram_min(&h), 0);
    assert_int_equal(mr_histogram_max(&h), 0);
    assert_true(mr_histogram_mean(&h) == 0);
    assert_true(mr_histogram_stddev(&h) == 0);
    mr_histogram_fini(&h);
}

static void mean_and_deviation_are_exact_for_small_values(void **state)
{
    static const uint64_t values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct mr_histogram h;

    (void)state;
    assert_int_equal(mr_histogram_init(&h, &hour_us), MR_OK);
    for (size_t i = 0; i < MR_COUNT_OF(values); i++)
        mr_histogram_record(&h, values[i]);
    assert_true(mr_histogram_mean(&h) == 5);
    assert_true(mr_histogram_stddev(&h) == 2);
    mr_histogram_reset(&h);
    assert_int_equal(mr_histogram_count(&h), 0);
    mr_histogram_fini(&h);
}

static void values_over_the_highest_are_counted_there(void **state)
{
    struct mr_histogram_options o = {.highest = 1000000, .digits = 2};
    struct mr_histogram h;

    (void)state;
    assert_int_equal(mr_histogram_init(&h, &o), MR_OK);
    mr_histogram_record(&h, 1000000);
    assert_int_equal(h.clamped, 0);
    mr_histogram_record(&h, 1000001);
    mr_histogram_record_n(&h, UINT64_MAX, 3);
    assert_int_equal(h.clamped, 4);
    assert_int_equal(mr_histogram_count(&h), 5);
    assert_int_equal(mr_histogram_index(&h, mr_histogram_max(&h)), mr_histogram_index(&h, 1000000));
    mr_histogram_reset(&h);
    assert_int_equal(h.clamped, 0);
    mr_histogram_fini(&h);
}

static void merging_equals_recording_both(void **state)
{
    struct mr_histogram a, b, both, other;
    struct mr_histogram_options finer = hour_us;
    uint64_t rng = 3;

    (void)state;
    assert_int_equal(mr_histogram_init(&a, &hour_us), MR_OK);
    assert_int_equal(mr_histogram_init(&b, &hour_us), MR_OK);
    assert_int_equal(mr_histogram_init(&both, &hour_us), MR_OK);
    for (int i = 0; i < 1000; i++) {
        uint64_t v = random_next(&rng) % (2 * MR_HISTOGRAM_HOUR_US);

        mr_histogram_record(i % 3 ? &a : &b, v);
        mr_histogram_record(&both, v);
    }
    assert_int_equal(mr_histogram_merge(&a, &b), MR_OK);
    assert_memory_equal(a.counts, both.counts, a.counts_len * sizeof *a.counts);
    assert_true(both.clamped > 0);
    assert_int_equal(a.clamped, both.clamped);
    finer.digits = 2;
    assert_int_equal(mr_histogram_init(&other, &finer), MR_OK);
    assert_int_equal(mr_histogram_merge(&a, &other), MR_INVALID);
    mr_histogram_fini(&other);
    mr_histogram_fini(&a);
    mr_histogram_fini(&b);
    mr_histogram_fini(&both);
}

/* Text that hdr-histogram-js 3.0.1 writes for the same values, but for the maximum: with it, as in
 * the Java original, the upper edge of its bucket once the histogram has been encoded and decoded.
 */
static const char hgrm_of_eleven_values[] =
    "       Value     Percentile TotalCount 1/(1-Percentile)\n"
    "\n"
    "       1.000 0.000000000000          1           1.00\n"
    "       3.001 0.250000000000          3           1.33\n"
    "       6.003 0.500000000000          6           2.00\n"
    "       7.003 0.625000000000          7           2.67\n"
    "       9.007 0.750000000000          9           4.00\n"
    "       9.007 0.812500000000          9           5.33\n"
    "      10.007 0.875000000000         10           8.00\n"
    "      10.007 0.906250000000         10          10.67\n"
    "    2500.607 0.937500000000         11          16.00\n"
    "    2500.607 1.000000000000         11\n"
    "#[Mean    =      232.237, StdDeviation   =      717.003]\n"
    "#[Max     =     2500.607, Total count    =           11]\n"
    "#[Buckets =           22, SubBuckets     =         2048]\n";

static void the_percentile_text_is_that_of_hdr_histogram(void **state)
{
    struct mr_histogram h;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    assert_int_equal(mr_histogram_init(&h, &hour_us), MR_OK);
    for (uint64_t i = 1; i <= 10; i++)
        mr_histogram_record(&h, i * 1000);
    mr_histogram_record(&h, 2500000);
    assert_int_equal(mr_histogram_write_hgrm(&h, f, 2, 1000.0), MR_OK);
    fclose(f);
    assert_string_equal(text, hgrm_of_eleven_values);
    free(text);
    mr_histogram_fini(&h);
}

static void a_full_disk_is_told(void **state)
{
    struct mr_histogram h;
    FILE *f = fopen("/dev/full", "w");

    (void)state;
    if (!f)
        skip();
    assert_int_equal(mr_histogram_init(&h, &hour_us), MR_OK);
    assert_int_equal(mr_histogram_write_hgrm(&h, f, 5, 1.0), MR_SYSTEM);
    fclose(f);
    mr_histogram_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(buckets_touch_and_are_narrow_enough),
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
        cmocka_unit_test(an_empty_histogram_gives_zeroes),
        cmocka_unit_test(mean_and_deviation_are_exact_for_small_values),
        cmocka_unit_test(values_over_the_highest_are_counted_there),
        cmocka_unit_test(merging_equals_recording_both),
        cmocka_unit_test(the_percentile_text_is_that_of_hdr_histogram),
        cmocka_unit_test(a_full_disk_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
