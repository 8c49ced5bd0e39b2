/* snappy.h: snappy's block format: a length preamble, then elements (literals and copies).
 * Copies are relative to the output so far, therefore element streams that were compressed apart
 * may be put one behind the other under one preamble. A transaction is compressed once into such a
 * fragment; a message is a preamble, literals for its RLP heads, and fragments.
 * Thread: any. Nothing here allocates. The only file that includes libsnappy. */
#pragma once
#include "core/rlp.h"

/* The longest inflated message of RLPx: what 24 bits can state. */
#define MR_SNAPPY_INFLATED_MAX ((1u << 24) - 1)
/* The longest compressed form of n bytes that a sane encoder makes, preamble included. */
#define MR_SNAPPY_DEFLATED_MAX(n) ((size_t)(n) + (size_t)(n) / 6 + 32)
/* Bytes before a literal's content: a tag and a length. */
#define MR_SNAPPY_LITERAL_HEAD_MAX 5

/* Reads the preamble of in: the length that it claims to inflate to. Looks at 5 bytes at most.
 * Returns MR_SHORT or MR_MALFORMED (no length there), or MR_TOO_BIG (more than limit: F-03). */
MR_MUST_USE enum mr_err mr_snappy_length(uint32_t *out, struct mr_span in, uint32_t limit);

/* Inflates the whole of in (preamble and elements) into out. Strict: every element is whole, no
 * copy reaches before the start, exactly the claimed length is made, nothing follows.
 * Returns MR_TOO_BIG (claims more than cap), or MR_SHORT or MR_MALFORMED; *n is then untouched and
 * the bytes at out are undefined. in and out do not overlap. */
MR_MUST_USE enum mr_err mr_snappy_inflate(uint8_t *out, size_t cap, size_t *n, struct mr_span in);

/* Compresses in into elements without a preamble. cap >= MR_SNAPPY_DEFLATED_MAX(in.n) always
 * suffices, else the result is MR_FULL when it does not fit. At most 2^32 - 1 bytes (asserted). */
MR_MUST_USE enum mr_err mr_snappy_fragment(uint8_t *out, size_t cap, size_t *n, struct mr_span in);
/* The inverse, for n_raw bytes: MR_MALFORMED unless the fragment makes exactly that many. */
MR_MUST_USE enum mr_err mr_snappy_fragment_inflate(uint8_t *out, size_t n_raw,
                                                   struct mr_span fragment);

/* The preamble for total inflated bytes. MR_FULL on lack of room. */
MR_MUST_USE enum mr_err mr_snappy_put_preamble(struct mr_writer *w, uint32_t total);
/* The head of one literal element of n bytes (1 <= n), which the caller lets follow. */
MR_MUST_USE enum mr_err mr_snappy_put_literal_head(struct mr_writer *w, uint32_t n);
/* One literal element; nothing for n = 0. MR_FULL on lack of room, nothing is then written. */
MR_MUST_USE enum mr_err mr_snappy_put_literal(struct mr_writer *w, const void *p, uint32_t n);

/* Whether in may be forwarded as it is: shortest preamble, at most MR_SNAPPY_DEFLATED_MAX of the
 * claimed length, elements well formed and making exactly that length with no byte left. */
bool mr_snappy_is_canonical(struct mr_span in);
