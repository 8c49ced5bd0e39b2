#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include <zlib.h>

#include "core/histogram_v2.h"

static const struct mr_histogram_options options = {.highest = MR_HISTOGRAM_HOUR_US, .digits = 3};

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);

    assert_non_null(at);
    return (int)(at - digits);
}

/* Text to bytes; the caller frees. */
static uint8_t *unbase64(size_t *n, const char *text, size_t len)
{
    uint8_t *out = malloc(len);

    *n = 0;
    assert_int_equal(len % 4, 0);
    for (size_t i = 0; i < len; i += 4) {
        uint32_t v = 0;
        int pad = (text[i + 3] == '=') + (text[i + 2] == '=');

        for (int k = 0; k < 4; k++)
            v = v << 6 | (uint32_t)(k >= 4 - pad ? 0 : base64_digit(text[i + (size_t)k]));
        for (int k = 0; k < 3 - pad; k++)
            out[(*n)++] = (uint8_t)(v >> (16 - 8 * k));
    }
    return out;
}

static uint64_t get_leb128(const uint8_t *p, size_t *at)
{
    uint64_t v = 0;

    for (unsigned i = 0;; i++) {
        uint8_t b = p[(*at)++];

        if (i == 8)
            return v | (uint64_t)b << 56;
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80)
            return v;
    }
}

/* A decoder written from the format's description: text to an empty histogram. */
static void decode(struct mr_histogram *h, const char *text, size_t len)
{
    static uint8_t plain[1 << 20];
    uLongf plain_len = sizeof plain;
    size_t n, at = 40, index = 0;
    uint8_t *packed = unbase64(&n, text, len);

    assert_int_equal(mr_load_be32(packed), 0x1c849314);
    assert_int_equal(mr_load_be32(packed + 4), n - 8);
    assert_int_equal(uncompress(plain, &plain_len, packed + 8, (uLong)(n - 8)), Z_OK);
    free(packed);
    assert_int_equal(mr_load_be32(plain), 0x1c849313);
    assert_int_equal(mr_load_be32(plain + 4), plain_len - 40);
    assert_int_equal(mr_load_be32(plain + 8), 0);
    assert_int_equal(mr_load_be32(plain + 12), h->digits);
    assert_int_equal(mr_load_be64(plain + 16), 1);
    assert_true(mr_load_be64(plain + 24) == h->highest);
    assert_true(mr_load_be64(plain + 32) == UINT64_C(0x3ff0000000000000));
    while (at < plain_len) {
        uint64_t v = get_leb128(plain, &at);

        if (v & 1) {
            index += (v + 1) / 2;
        } else {
            assert_true(index < h->counts_len);
            h->counts[index++] = v / 2;
        }
    }
    assert_int_equal(at, plain_len);
    assert_true(index <= h->counts_len);
}

static void assert_survives(const struct mr_histogram *h)
{
    struct mr_histogram_encoder *e = mr_histogram_encoder_open(&options);
    struct mr_histogram back;
    const char *text;
    size_t n;

    assert_non_null(e);
    assert_int_equal(mr_histogram_init(&back, &options), MR_OK);
    for (int round = 0; round < 2; round++) { /* an encoder may be used again */
        mr_histogram_reset(&back);
        assert_int_equal(mr_histogram_encode(e, &text, &n, h), MR_OK);
        assert_int_equal(n, strlen(text));
        decode(&back, text, n);
        assert_memory_equal(back.counts, h->counts, h->counts_len * sizeof *h->counts);
    }
    mr_histogram_fini(&back);
    mr_histogram_encoder_close(e);
}

static void what_is_encoded_is_what_was_recorded(void **state)
{
    struct mr_histogram h;

    (void)state;
    assert_int_equal(mr_histogram_init(&h, &options), MR_OK);
    assert_survives(&h); /* empty */
    mr_histogram_record(&h, 0);
    assert_survives(&h);
    mr_histogram_record(&h, 2); /* one zero between */
    mr_histogram_record(&h, 5); /* two */
    assert_survives(&h);
    for (uint64_t v = 1; v < MR_HISTOGRAM_HOUR_US; v = v * 3 / 2 + 1)
        mr_histogram_record_n(&h, v, v);
    assert_survives(&h);
    mr_histogram_record(&h, MR_HISTOGRAM_HOUR_US);
    assert_survives(&h);
    mr_histogram_fini(&h);
}

static void counts_of_every_length_survive(void **state)
{
    struct mr_histogram h;

    (void)state;
    assert_int_equal(mr_histogram_init(&h, &options), MR_OK);
    for (uint32_t bit = 0; bit < 63; bit++) {
        h.counts[2 * bit] = UINT64_C(1) << bit;
        h.counts[2 * bit + 1] = (UINT64_C(1) << bit) - 1;
    }
    assert_survives(&h);
    mr_histogram_fini(&h);
}

static void the_worst_histogram_fits_the_encoder(void **state)
{
    struct mr_histogram h;
    uint64_t x = 1;

    (void)state;
    assert_int_equal(mr_histogram_init(&h, &options), MR_OK);
    for (uint32_t i = 0; i < h.counts_len; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        h.counts[i] = x >> 1 | UINT64_C(1) << 62; /* nine bytes each, incompressible */
    }
    assert_survives(&h);
    mr_histogram_fini(&h);
}

static void other_options_are_refused(void **state)
{
    struct mr_histogram_options o = {.highest = 1000, .digits = 3}, bad = {.highest = 1};
    struct mr_histogram_encoder *e = mr_histogram_encoder_open(&options);
    struct mr_histogram h;
    const char *text = "untouched";
    size_t n = 77;

    (void)state;
    assert_null(mr_histogram_encoder_open(&bad));
    assert_int_equal(mr_histogram_init(&h, &o), MR_OK);
    assert_int_equal(mr_histogram_encode(e, &text, &n, &h), MR_INVALID);
    assert_string_equal(text, "untouched");
    assert_int_equal(n, 77);
    mr_histogram_fini(&h);
    mr_histogram_encoder_close(e);
    mr_histogram_encoder_close(NULL);
}

static void a_log_has_its_head_and_a_line_for_each_interval(void **state)
{
    static const char want[] =
        "#[Histogram log format version 1.3]\n"
        "#[StartTime: 1795000000.045 (seconds since epoch), Wed Nov 18 11:06:40 UTC 2026]\n"
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_"
        "Histogram\"\n"
        "Tag=body,0.000,30.000,1.500,HISTFAAA";
    struct mr_histogram_encoder *e = mr_histogram_encoder_open(&options);
    struct mr_histogram h;
    char *text = NULL, *last;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    assert_int_equal(mr_histogram_init(&h, &options), MR_OK);
    mr_histogram_record(&h, 1500);
    assert_int_equal(mr_histogram_write_hlog_head(f, 1795000000045), MR_OK);
    assert_int_equal(mr_histogram_write_hlog_line(e, f, "body", 0, 30000, 1000.0, &h), MR_OK);
    assert_int_equal(mr_histogram_write_hlog_line(e, f, NULL, 30000, 500, 1000.0, &h), MR_OK);
    fclose(f);
    assert_memory_equal(text, want, strlen(want));
    assert_int_equal(text[n - 1], '\n');
    text[n - 1] = '\0';
    last = strrchr(text, '\n') + 1;
    assert_memory_equal(last, "30.000,0.500,1.500,", 19);
    mr_histogram_reset(&h);
    decode(&h, last + 19, strlen(last + 19));
    assert_int_equal(mr_histogram_max(&h), 1500);
    free(text);
    mr_histogram_fini(&h);
    mr_histogram_encoder_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_what_was_recorded),
        cmocka_unit_test(counts_of_every_length_survive),
        cmocka_unit_test(the_worst_histogram_fits_the_encoder),
        cmocka_unit_test(other_options_are_refused),
        cmocka_unit_test(a_log_has_its_head_and_a_line_for_each_interval),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
