/* Writes histograms of a few shapes for test_histogram.mjs: DIR/<n>.hgrm, and all of them in
 * DIR/all.hlog. */
#include <stdio.h>

#include "core/histogram_v2.h"

static uint64_t random_next(uint64_t *s)
{
    *s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *s >> 33;
}

static void fill(struct mr_histogram *h, int shape)
{
    static const int counts[] = {0, 1, 2, 10, 1000, 100000};
    uint64_t rng = (uint64_t)shape + 1;

    mr_histogram_reset(h);
    for (int i = 0; i < counts[shape]; i++) {
        uint64_t x = random_next(&rng) % 1000;

        mr_histogram_record(h, x * x * (random_next(&rng) % 50 + 1));
    }
}

int main(int argc, char **argv)
{
    const struct mr_histogram_options options = {.highest = MR_HISTOGRAM_HOUR_US, .digits = 3};
    struct mr_histogram_encoder *e = mr_histogram_encoder_open(&options);
    struct mr_histogram h;
    char path[4096];
    FILE *log, *f;

    if (argc != 2 || !e || mr_histogram_init(&h, &options))
        return 2;
    snprintf(path, sizeof path, "%s/all.hlog", argv[1]);
    log = fopen(path, "w");
    if (!log || mr_histogram_write_hlog_head(log, UINT64_C(1795000000123)))
        return 1;
    for (int shape = 0; shape < 6; shape++) {
        fill(&h, shape);
        snprintf(path, sizeof path, "%s/%d.hgrm", argv[1], shape);
        f = fopen(path, "w");
        if (!f || mr_histogram_write_hgrm(&h, f, 5, 1000.0) || fclose(f) != 0)
            return 1;
        if (mr_histogram_write_hlog_line(e, log, shape % 2 ? "odd" : NULL, (uint64_t)shape * 1000,
                                         1000, 1000.0, &h))
            return 1;
    }
    mr_histogram_encoder_close(e);
    mr_histogram_fini(&h);
    return fclose(log) != 0;
}
