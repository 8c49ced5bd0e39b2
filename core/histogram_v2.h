/* histogram_v2.h: HdrHistogram's V2 compressed encoding, and lines of its log format (.hlog).
 * The only module that includes zlib.
 * Thread: an encoder belongs to one thread. Memory: all of it is allocated by init. */
#pragma once
#include <stdio.h>

#include "core/histogram.h"

struct mr_histogram_encoder; /* opaque: a deflate stream and three buffers */

/* Makes an encoder for histograms of these options. NULL when they are out of range or memory is
 * short. The caller closes it. */
struct mr_histogram_encoder *mr_histogram_encoder_open(const struct mr_histogram_options *options);
void mr_histogram_encoder_close(struct mr_histogram_encoder *e);

/* Encodes h into the encoder: *out is base64 text, NUL-terminated, borrowed until the next call.
 * MR_INVALID when h has other options than the encoder. */
enum mr_err mr_histogram_encode(struct mr_histogram_encoder *e, const char **out, size_t *n,
                                const struct mr_histogram *h);

/* The head of a log: version, start time (milliseconds since 1970) and column names. */
enum mr_err mr_histogram_write_hlog_head(FILE *f, uint64_t start_ms);
/* One line: when the interval began after the start and how long it was (ms), its maximum divided
 * by unit, and the encoded histogram. tag (letters, digits and _; may be NULL) names the series. */
enum mr_err mr_histogram_write_hlog_line(struct mr_histogram_encoder *e, FILE *f, const char *tag,
                                         uint64_t begin_ms, uint64_t length_ms, double unit,
                                         const struct mr_histogram *h);
