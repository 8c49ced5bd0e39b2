/* histogram.h: a log-linear histogram with the bucket layout of HdrHistogram (lowest value 1), and
 * its percentile distribution text (.hgrm). The encoded form is in histogram_v2.h.
 *
 * Values up to 2 * 10^digits are exact; above, a bucket is at most value / 10^digits wide.
 * Thread: one writer. Any thread may merge from a histogram that is being written: recording is one
 * relaxed load and store. The other readers want a histogram at rest: merge into an own one first.
 * Memory: one array, allocated by init (184 KiB for an hour in microseconds at 3 digits). */
#pragma once
#include <stdio.h>

#include "core/base.h"

struct mr_json;

#define MR_HISTOGRAM_HOUR_US UINT64_C(3600000000)
#define MR_HISTOGRAM_HOUR_NS UINT64_C(3600000000000)

struct mr_histogram_options {
    uint64_t highest; /* largest value told apart, 2 to 2^62 */
    int digits;       /* significant decimal digits, 1 to 5; 3 is usual */
};

struct mr_histogram {
    uint64_t *counts;
    uint32_t counts_len;
    uint32_t sub_bucket_half; /* half the number of linear steps in a bucket, a power of two */
    uint32_t sub_bucket_bits; /* sub_bucket_half == 1 << sub_bucket_bits */
    uint32_t bucket_count;
    int digits;
    uint64_t highest;
    uint64_t clamped; /* values over highest: recorded as highest, and counted here */
};

/* MR_INVALID for options out of range, MR_FULL when memory is short. */
enum mr_err mr_histogram_init(struct mr_histogram *h, const struct mr_histogram_options *options);
void mr_histogram_fini(struct mr_histogram *h);

/* The writer's. O(1). */
void mr_histogram_record(struct mr_histogram *h, uint64_t value);
void mr_histogram_record_n(struct mr_histogram *h, uint64_t value, uint64_t n);
void mr_histogram_reset(struct mr_histogram *h);

/* Adds all of from. MR_INVALID when highest or digits differ. */
enum mr_err mr_histogram_merge(struct mr_histogram *into, const struct mr_histogram *from);

uint64_t mr_histogram_count(const struct mr_histogram *h);
/* The upper edge of the lowest bucket up to which percentile percent of the values lie; the lower
 * edge of the lowest in use for 0. An empty histogram gives 0 here and below. */
uint64_t mr_histogram_percentile(const struct mr_histogram *h, double percentile);
/* The lower edge of the lowest, and the upper edge of the highest bucket in use. */
uint64_t mr_histogram_min(const struct mr_histogram *h);
uint64_t mr_histogram_max(const struct mr_histogram *h);
/* By the middle of each bucket. */
double mr_histogram_mean(const struct mr_histogram *h);
double mr_histogram_stddev(const struct mr_histogram *h);

/* Bucket arithmetic, for the writers of the text and the encoded form. */
uint32_t mr_histogram_index(const struct mr_histogram *h, uint64_t value);
uint64_t mr_histogram_lower_edge(const struct mr_histogram *h, uint32_t index);
uint64_t mr_histogram_upper_edge(const struct mr_histogram *h, uint32_t index);

/* Writes the percentile distribution with ticks lines (usually 5) per halving of the distance to
 * 100%; values are divided by unit (1000 for microseconds recorded and milliseconds wanted).
 * MR_SYSTEM when writing fails. */
enum mr_err mr_histogram_write_hgrm(const struct mr_histogram *h, FILE *f, uint32_t ticks,
                                    double unit);

/* count, min, mean, p50, p90, p99, p999 and max as a new object. The caller frees it. */
struct mr_json *mr_histogram_json(const struct mr_histogram *h);
