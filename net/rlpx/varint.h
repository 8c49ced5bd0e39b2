/* varint.h: unsigned 32-bit integers in groups of seven bits, lowest group first: how snappy's
 * block format states a length. Thread: any. */
#pragma once
#include "core/rlp.h"

#define MR_VARINT_MAX 5 /* bytes of the longest encoding */

/* Reads one integer. Forms with needless trailing groups are taken, as other decoders do.
 * Returns MR_SHORT (no last group), or MR_MALFORMED (over 5 bytes or over 32 bits). */
MR_MUST_USE enum mr_err mr_varint_read(struct mr_reader *r, uint32_t *out);
/* Writes the shortest form; returns its length, 1 to 5. */
size_t mr_varint_put(uint8_t out[MR_VARINT_MAX], uint32_t v);
size_t mr_varint_len(uint32_t v);
