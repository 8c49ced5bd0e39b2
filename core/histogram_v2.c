#include "core/histogram_v2.h"

#include <stdlib.h>
#include <time.h>

#include <zlib.h>

/* HdrHistogram's names for what follows: V2 encoding with its "word size" nibble set to 1, which
 * stands for ZigZag LEB128 counts; and the same, deflated. All numbers are big-endian. */
#define COOKIE_PLAIN      0x1c849313u
#define COOKIE_COMPRESSED 0x1c849314u
#define HEAD_SIZE         40
#define COUNT_SIZE_MAX    9
#define ENVELOPE_SIZE     8

struct mr_histogram_encoder {
    uint64_t highest;
    int digits;
    uint8_t *plain; /* head, then up to COUNT_SIZE_MAX a count */
    size_t plain_cap;
    uint8_t *packed; /* cookie, length, deflated plain */
    size_t packed_cap;
    char *text; /* packed in base64 */
    z_stream deflate;
};

struct mr_histogram_encoder *mr_histogram_encoder_open(const struct mr_histogram_options *options)
{
    struct mr_histogram_encoder *e = calloc(1, sizeof *e);
    struct mr_histogram layout;

    if (!e)
        return NULL;
    if (mr_histogram_init(&layout, options)) {
        free(e);
        return NULL;
    }
    e->highest = layout.highest;
    e->digits = layout.digits;
    e->plain_cap = HEAD_SIZE + (size_t)layout.counts_len * COUNT_SIZE_MAX;
    mr_histogram_fini(&layout);
    if (deflateInit(&e->deflate, Z_DEFAULT_COMPRESSION) != Z_OK) {
        free(e);
        return NULL;
    }
    e->packed_cap = ENVELOPE_SIZE + deflateBound(&e->deflate, e->plain_cap);
    e->plain = malloc(e->plain_cap);
    e->packed = malloc(e->packed_cap);
    e->text = malloc((e->packed_cap + 2) / 3 * 4 + 1);
    if (!e->plain || !e->packed || !e->text) {
        mr_histogram_encoder_close(e);
        return NULL;
    }
    return e;
}

void mr_histogram_encoder_close(struct mr_histogram_encoder *e)
{
    if (!e)
        return;
    deflateEnd(&e->deflate);
    free(e->plain);
    free(e->packed);
    free(e->text);
    free(e);
}

/* LEB128 in at most nine bytes: the ninth carries eight bits. Returns the bytes written. */
static size_t put_leb128(uint8_t *out, uint64_t v)
{
    size_t n = 0;

    while (v >= 0x80 && n < COUNT_SIZE_MAX - 1) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}

/* A count of one or more, or a single zero, is zig-zagged to 2 * count; a run of n zeros stands as
 * -n, zig-zagged to 2 * n - 1. What follows the last count in use is left out. */
static size_t put_counts(uint8_t *out, const struct mr_histogram *h)
{
    uint32_t len = h->counts_len;
    size_t n = 0;

    while (len > 1 && h->counts[len - 1] == 0)
        len--;
    for (uint32_t i = 0; i < len;) {
        uint32_t start = i;

        while (i < len && h->counts[i] == 0)
            i++;
        if (i - start > 1)
            n += put_leb128(out + n, 2 * (uint64_t)(i - start) - 1);
        else if (i - start == 1)
            n += put_leb128(out + n, 0);
        else
            n += put_leb128(out + n, h->counts[i++] << 1);
    }
    return n;
}

static size_t encode_plain(uint8_t *out, const struct mr_histogram *h)
{
    static const double ratio = 1.0;
    uint64_t ratio_bits;
    size_t payload = put_counts(out + HEAD_SIZE, h);

    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    mr_store_be32(out, COOKIE_PLAIN);
    mr_store_be32(out + 4, (uint32_t)payload);
    mr_store_be32(out + 8, 0); /* normalizing index offset */
    mr_store_be32(out + 12, (uint32_t)h->digits);
    mr_store_be64(out + 16, 1); /* lowest discernible value */
    mr_store_be64(out + 24, h->highest);
    mr_store_be64(out + 32, ratio_bits);
    return HEAD_SIZE + payload;
}

static size_t base64(char *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t used = 0;

    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16;

        if (i + 1 < n)
            v |= (uint32_t)p[i + 1] << 8;
        if (i + 2 < n)
            v |= p[i + 2];
        out[used++] = digits[v >> 18];
        out[used++] = digits[v >> 12 & 63];
        out[used++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
        out[used++] = i + 2 < n ? digits[v & 63] : '=';
    }
    out[used] = '\0';
    return used;
}

enum mr_err mr_histogram_encode(struct mr_histogram_encoder *e, const char **out, size_t *n,
                                const struct mr_histogram *h)
{
    z_stream *z = &e->deflate;
    size_t packed;

    if (h->highest != e->highest || h->digits != e->digits)
        return MR_INVALID;
    MR_ASSERT(deflateReset(z) == Z_OK);
    z->next_in = e->plain;
    z->avail_in = (uInt)encode_plain(e->plain, h);
    z->next_out = e->packed + ENVELOPE_SIZE;
    z->avail_out = (uInt)(e->packed_cap - ENVELOPE_SIZE);
    MR_ASSERT(deflate(z, Z_FINISH) == Z_STREAM_END); /* the buffer has deflateBound's size */
    packed = (size_t)z->total_out;
    mr_store_be32(e->packed, COOKIE_COMPRESSED);
    mr_store_be32(e->packed + 4, (uint32_t)packed);
    *n = base64(e->text, e->packed, ENVELOPE_SIZE + packed);
    *out = e->text;
    return MR_OK;
}

enum mr_err mr_histogram_write_hlog_head(FILE *f, uint64_t start_ms)
{
    time_t seconds = (time_t)(start_ms / 1000);
    char date[64] = "";
    struct tm utc;

    if (gmtime_r(&seconds, &utc))
        strftime(date, sizeof date, "%a %b %d %H:%M:%S UTC %Y", &utc);
    fprintf(f,
            "#[Histogram log format version 1.3]\n"
            "#[StartTime: %llu.%03u (seconds since epoch), %s]\n"
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
            "\"Interval_Compressed_Histogram\"\n",
            (unsigned long long)(start_ms / 1000), (unsigned)(start_ms % 1000), date);
    return fflush(f) == 0 && !ferror(f) ? MR_OK : MR_SYSTEM;
}

enum mr_err mr_histogram_write_hlog_line(struct mr_histogram_encoder *e, FILE *f, const char *tag,
                                         uint64_t begin_ms, uint64_t length_ms, double unit,
                                         const struct mr_histogram *h)
{
    const char *text;
    size_t n;
    enum mr_err err = mr_histogram_encode(e, &text, &n, h);

    if (err)
        return err;
    if (tag)
        fprintf(f, "Tag=%s,", tag);
    fprintf(f, "%.3f,%.3f,%.3f,%s\n", (double)begin_ms / 1e3, (double)length_ms / 1e3,
            (double)mr_histogram_max(h) / unit, text);
    return fflush(f) == 0 && !ferror(f) ? MR_OK : MR_SYSTEM;
}
