/* hex.h: bytes to hexadecimal text and back.
 * Thread: any. Memory: the caller's buffers only. */
#pragma once
#include "core/base.h"

/* Writes 2 * n lower-case digits and a terminating NUL (2 * n + 1 bytes in all), without "0x".
 * Returns 2 * n. */
size_t mr_hex_encode(char *out, const void *p, size_t n);

/* Looks at hex_len characters: digits of either case after an optional "0x" or "0X".
 * MR_OK: *n is the number of bytes they stand for. MR_MALFORMED: *bad_at is the offset of the first
 * character that is no digit, or hex_len when the number of digits is odd. Either may be NULL. */
enum mr_err mr_hex_check(size_t *n, size_t *bad_at, const char *hex, size_t hex_len);

/* As mr_hex_check, and writes the bytes to out (cap bytes) and their number to *n (may be NULL).
 * MR_MALFORMED, or MR_TOO_BIG when they are more than cap; out and *n are then untouched. */
enum mr_err mr_hex_decode(void *out, size_t *n, size_t cap, const char *hex, size_t hex_len);

/* As mr_hex_decode, for exactly n bytes: MR_INVALID when there are fewer or more. */
enum mr_err mr_hex_decode_exact(void *out, size_t n, const char *hex, size_t hex_len);
