/* rlp.h: RLP (Ethereum yellow paper, appendix B), canonical form only: no leading zeros in
 * integers, no long form where a short one fits, no single byte below 0x80 behind a prefix. Thread:
 * any. A reader borrows its input. A failed read leaves reader and output as they were. */
#pragma once
#include "core/base.h"

struct mr_reader {
    const uint8_t *p, *end;
};

static inline struct mr_reader mr_reader(const void *p, size_t n)
{
    return (struct mr_reader){.p = p, .end = (const uint8_t *)p + n};
}
static inline struct mr_reader mr_reader_of(struct mr_span s)
{
    return (struct mr_reader){.p = s.p, .end = s.p + s.n};
}
static inline size_t mr_reader_left(const struct mr_reader *r)
{
    return (size_t)(r->end - r->p);
}
static inline bool mr_reader_done(const struct mr_reader *r)
{
    return r->p == r->end;
}
/* Whether the next item is a list. False at the end of input. */
static inline bool mr_rlp_is_list(const struct mr_reader *r)
{
    return r->p < r->end && *r->p >= 0xc0;
}

/* All readers return MR_OK, MR_SHORT (input ends first), MR_MALFORMED (not canonical, or of another
 * kind), or MR_TOO_BIG (more than the caller's limit). */

/* Enters a list: *body reads its payload, r stands behind it. */
MR_MUST_USE enum mr_err mr_rlp_list(struct mr_reader *r, struct mr_reader *body);
/* A byte string of any length. */
MR_MUST_USE enum mr_err mr_rlp_bytes(struct mr_reader *r, struct mr_span *out);
/* A byte string of exactly n bytes, copied to out. */
MR_MUST_USE enum mr_err mr_rlp_fixed(struct mr_reader *r, void *out, size_t n);
MR_MUST_USE enum mr_err mr_rlp_u64(struct mr_reader *r, uint64_t *out);
MR_MUST_USE enum mr_err mr_rlp_u256(struct mr_reader *r, struct mr_u256 *out);
/* The next item whole, prefix included; its payload is not walked. */
MR_MUST_USE enum mr_err mr_rlp_item(struct mr_reader *r, struct mr_span *out);
MR_MUST_USE enum mr_err mr_rlp_skip(struct mr_reader *r);
/* Walks the next item with everything inside, without recursion: canonical throughout and nested at
 * most depth_max (<= MR_RLP_DEPTH_MAX) lists deep. r then stands behind the item. */
#define MR_RLP_DEPTH_MAX 16
MR_MUST_USE enum mr_err mr_rlp_check(struct mr_reader *r, unsigned depth_max);
/* Counts the items left in r (a list's body) without entering them; MR_TOO_BIG above max. */
MR_MUST_USE enum mr_err mr_rlp_count(struct mr_reader r, size_t *out, size_t max);

/* Writers append to a fixed buffer. On lack of room they return MR_FULL and leave the length as it
 * was. */
struct mr_writer {
    uint8_t *p;
    size_t n, cap;
};

static inline struct mr_writer mr_writer(void *p, size_t cap)
{
    return (struct mr_writer){.p = p, .cap = cap};
}
static inline struct mr_span mr_writer_span(const struct mr_writer *w)
{
    return mr_span(w->p, w->n);
}

MR_MUST_USE enum mr_err mr_rlp_put_bytes(struct mr_writer *w, const void *p, size_t n);
MR_MUST_USE enum mr_err mr_rlp_put_u64(struct mr_writer *w, uint64_t v);
MR_MUST_USE enum mr_err mr_rlp_put_u256(struct mr_writer *w, const struct mr_u256 *v);
/* Bytes that are RLP already, or no RLP at all. */
MR_MUST_USE enum mr_err mr_rlp_put_raw(struct mr_writer *w, const void *p, size_t n);
/* A list's prefix for a payload of known length. */
MR_MUST_USE enum mr_err mr_rlp_put_list_head(struct mr_writer *w, size_t payload);
/* A list of unknown length: open, put the items, close. Close moves the payload by up to 9 bytes.
 */
size_t mr_rlp_open(const struct mr_writer *w);
MR_MUST_USE enum mr_err mr_rlp_close(struct mr_writer *w, size_t mark);

/* Lengths of encodings, prefix included. */
size_t mr_rlp_head_len(size_t payload); /* of a list's or a string's prefix (strings of 2+ bytes) */
size_t mr_rlp_bytes_len(const void *p, size_t n);
size_t mr_rlp_u64_len(uint64_t v);
