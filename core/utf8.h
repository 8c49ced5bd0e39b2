/* utf8.h: well-formed UTF-8 (RFC 3629), told apart from everything else.
 * Thread: any. Memory: none. */
#pragma once
#include "core/base.h"

/* Length of the code point at s (n bytes, at least 1) and its value in *cp; or 0 when no
 * well-formed one begins there: overlong forms, surrogates, values over 0x10ffff and cut sequences
 * are refused, and *cp is then untouched. */
size_t mr_utf8_decode(uint32_t *cp, const void *s, size_t n);
