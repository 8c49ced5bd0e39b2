#include "core/histogram.h"

#include <math.h>
#include <stdlib.h>

#include "core/json.h"

/* Layout, as HdrHistogram has it: bucket 0 holds 2 * half linear steps of width 1; bucket k > 0
 * holds the upper half of 2 * half steps of width 2^k. So index = k * half + (value >> k). */

static uint64_t count_at(const struct mr_histogram *h, uint32_t index)
{
    return __atomic_load_n(&h->counts[index], __ATOMIC_RELAXED);
}

static void count_put(struct mr_histogram *h, uint32_t index, uint64_t n)
{
    __atomic_store_n(&h->counts[index], n, __ATOMIC_RELAXED);
}

/* The bucket that value falls into. */
static uint32_t bucket_of(const struct mr_histogram *h, uint64_t value)
{
    uint64_t mask = ((uint64_t)h->sub_bucket_half << 1) - 1;

    return 63 - (uint32_t)__builtin_clzll(value | mask) - h->sub_bucket_bits;
}

enum mr_err mr_histogram_init(struct mr_histogram *h, const struct mr_histogram_options *options)
{
    struct mr_histogram n = {.digits = options->digits, .highest = options->highest};
    uint64_t exact = 2;

    if (options->digits < 1 || options->digits > 5 || options->highest < 2 ||
        options->highest > UINT64_C(1) << 62)
        return MR_INVALID;
    for (int i = 0; i < options->digits; i++)
        exact *= 10;
    /* The smallest power of two of steps that keeps values up to exact apart. */
    n.sub_bucket_bits = 63 - (uint32_t)__builtin_clzll(exact - 1);
    n.sub_bucket_half = 1u << n.sub_bucket_bits;
    n.bucket_count = bucket_of(&n, n.highest) + 1;
    n.counts_len = (n.bucket_count + 1) * n.sub_bucket_half;
    n.counts = calloc(n.counts_len, sizeof *n.counts);
    if (!n.counts)
        return MR_FULL;
    *h = n;
    return MR_OK;
}

void mr_histogram_fini(struct mr_histogram *h)
{
    free(h->counts);
    h->counts = NULL;
}

uint32_t mr_histogram_index(const struct mr_histogram *h, uint64_t value)
{
    uint32_t k = bucket_of(h, value);

    return (k << h->sub_bucket_bits) + (uint32_t)(value >> k);
}

/* log2 of the width of the step at index. */
static uint32_t step_bits(const struct mr_histogram *h, uint32_t index)
{
    uint32_t k = index >> h->sub_bucket_bits;

    return k == 0 ? 0 : k - 1;
}

uint64_t mr_histogram_lower_edge(const struct mr_histogram *h, uint32_t index)
{
    uint32_t k = step_bits(h, index);

    return (uint64_t)(index - (k << h->sub_bucket_bits)) << k;
}

uint64_t mr_histogram_upper_edge(const struct mr_histogram *h, uint32_t index)
{
    return mr_histogram_lower_edge(h, index) + (UINT64_C(1) << step_bits(h, index)) - 1;
}

static uint64_t middle(const struct mr_histogram *h, uint32_t index)
{
    return mr_histogram_lower_edge(h, index) + (UINT64_C(1) << step_bits(h, index) >> 1);
}

void mr_histogram_record_n(struct mr_histogram *h, uint64_t value, uint64_t n)
{
    uint32_t index;

    if (MR_UNLIKELY(value > h->highest)) {
        value = h->highest;
        __atomic_store_n(&h->clamped, h->clamped + n, __ATOMIC_RELAXED);
    }
    index = mr_histogram_index(h, value);
    count_put(h, index, count_at(h, index) + n);
}

void mr_histogram_record(struct mr_histogram *h, uint64_t value)
{
    mr_histogram_record_n(h, value, 1);
}

void mr_histogram_reset(struct mr_histogram *h)
{
    for (uint32_t i = 0; i < h->counts_len; i++)
        count_put(h, i, 0);
    __atomic_store_n(&h->clamped, 0, __ATOMIC_RELAXED);
}

enum mr_err mr_histogram_merge(struct mr_histogram *into, const struct mr_histogram *from)
{
    if (into->highest != from->highest || into->digits != from->digits)
        return MR_INVALID;
    for (uint32_t i = 0; i < into->counts_len; i++)
        count_put(into, i, count_at(into, i) + count_at(from, i));
    into->clamped += __atomic_load_n(&from->clamped, __ATOMIC_RELAXED);
    return MR_OK;
}

uint64_t mr_histogram_count(const struct mr_histogram *h)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < h->counts_len; i++)
        total += count_at(h, i);
    return total;
}

uint64_t mr_histogram_percentile(const struct mr_histogram *h, double percentile)
{
    uint64_t total = mr_histogram_count(h), wanted, seen = 0;
    double share = MR_MIN(MR_MAX(percentile, 0.0), 100.0) / 100.0 * (double)total;

    if (percentile <= 0 || total == 0)
        return mr_histogram_min(h);
    /* Rounded up, but not for the last bit of the multiplication's error. */
    wanted = (uint64_t)ceil(nextafter(share, 0.0));
    wanted = MR_MIN(MR_MAX(wanted, 1), total);
    for (uint32_t i = 0; i < h->counts_len; i++) {
        seen += count_at(h, i);
        if (seen >= wanted)
            return mr_histogram_upper_edge(h, i);
    }
    return mr_histogram_max(h);
}

uint64_t mr_histogram_min(const struct mr_histogram *h)
{
    for (uint32_t i = 0; i < h->counts_len; i++)
        if (count_at(h, i) != 0)
            return mr_histogram_lower_edge(h, i);
    return 0;
}

uint64_t mr_histogram_max(const struct mr_histogram *h)
{
    for (uint32_t i = h->counts_len; i-- > 0;)
        if (count_at(h, i) != 0)
            return mr_histogram_upper_edge(h, i);
    return 0;
}

double mr_histogram_mean(const struct mr_histogram *h)
{
    double sum = 0;
    uint64_t total = 0;

    for (uint32_t i = 0; i < h->counts_len; i++) {
        uint64_t n = count_at(h, i);

        if (n == 0)
            continue;
        total += n;
        sum += (double)middle(h, i) * (double)n;
    }
    return total ? sum / (double)total : 0;
}

double mr_histogram_stddev(const struct mr_histogram *h)
{
    double mean = mr_histogram_mean(h), squares = 0;
    uint64_t total = 0;

    for (uint32_t i = 0; i < h->counts_len; i++) {
        uint64_t n = count_at(h, i);
        double off;

        if (n == 0)
            continue;
        off = (double)middle(h, i) - mean;
        total += n;
        squares += off * off * (double)n;
    }
    return total ? sqrt(squares / (double)total) : 0;
}

/* Where the distribution's lines fall: ticks of them per halving of what is left to 100%. */
struct levels {
    double now; /* the percentile of the next line */
    uint32_t ticks;
};

static void levels_advance(struct levels *l)
{
    double halvings = floor(log2(100.0 / (100.0 - l->now))) + 1;

    l->now += 100.0 / (l->ticks * exp2(halvings));
}

/* To twelve places as the reference rounds; printf rounds a half to even, and halves are common
 * here. */
static double half_up(double share)
{
    return round(share * 1e12) / 1e12;
}

static void write_rows(const struct mr_histogram *h, FILE *f, uint32_t ticks, double unit)
{
    struct levels l = {.now = 0, .ticks = ticks};
    uint64_t total = mr_histogram_count(h), seen = 0;

    for (uint32_t i = 0; i < h->counts_len && seen < total; i++) {
        uint64_t n = count_at(h, i);
        double value = (double)mr_histogram_upper_edge(h, i) / unit;

        seen += n;
        while (n != 0 && 100.0 * (double)seen / (double)total >= l.now) {
            if (l.now < 100.0)
                fprintf(f, "%12.*f %2.12f %10llu %14.2f\n", h->digits, value,
                        half_up(l.now / 100.0), (unsigned long long)seen,
                        1 / (1.0 - l.now / 100.0));
            if (seen == total)
                break; /* one line for the last value, and then 100% */
            levels_advance(&l);
        }
        if (seen == total && total != 0)
            fprintf(f, "%12.*f %2.12f %10llu\n", h->digits, value, 1.0, (unsigned long long)total);
    }
}

enum mr_err mr_histogram_write_hgrm(const struct mr_histogram *h, FILE *f, uint32_t ticks,
                                    double unit)
{
    MR_ASSERT(ticks > 0);
    fprintf(f, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    write_rows(h, f, ticks, unit);
    fprintf(f, "#[Mean    = %12.*f, StdDeviation   = %12.*f]\n", h->digits,
            mr_histogram_mean(h) / unit, h->digits, mr_histogram_stddev(h) / unit);
    fprintf(f, "#[Max     = %12.*f, Total count    = %12llu]\n", h->digits,
            (double)mr_histogram_max(h) / unit, (unsigned long long)mr_histogram_count(h));
    fprintf(f, "#[Buckets = %12lu, SubBuckets     = %12lu]\n", (unsigned long)h->bucket_count,
            2 * (unsigned long)h->sub_bucket_half);
    return fflush(f) == 0 && !ferror(f) ? MR_OK : MR_SYSTEM;
}

struct mr_json *mr_histogram_json(const struct mr_histogram *h)
{
    static const struct {
        const char *name;
        double percentile;
    } rows[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p999", 99.9}};
    struct mr_json *object = mr_json_new_object();

    mr_json_set_u64(object, "count", mr_histogram_count(h));
    mr_json_set_u64(object, "min", mr_histogram_min(h));
    mr_json_set_u64(object, "mean", (uint64_t)mr_histogram_mean(h));
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        mr_json_set_u64(object, rows[i].name, mr_histogram_percentile(h, rows[i].percentile));
    mr_json_set_u64(object, "max", mr_histogram_max(h));
    return object;
}
