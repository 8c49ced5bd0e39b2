/* helper_rlp_text.h: a short notation for bytes and RLP, so that tables of odd messages stay
 * legible. Pairs of hexadecimal digits are bytes; XX*N is a byte N times; s{..} is a byte string
 * and l{..} a list with that content, in canonical form; spaces mean nothing. */
#pragma once
#include "core/base.h"

/* Returns the number of bytes written to out; a wrong text or lack of room ends the test. */
size_t rlp_text(uint8_t *out, size_t cap, const char *text);
