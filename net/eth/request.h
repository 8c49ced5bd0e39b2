/* request.h: GetBlockHeaders, and the arithmetic of serving it. Thread: any. */
#pragma once
#include "core/rlp.h"

/* Headers in one answer, ours and theirs (geth, reth). */
#define MR_HEADERS_ANSWER_MAX 1024

struct mr_get_block_headers {
    bool by_hash; /* origin_hash counts, otherwise origin_number */
    bool reverse;
    struct mr_hash origin_hash;
    uint64_t origin_number;
    uint64_t amount;
    uint64_t skip;
};

/* [id, [origin, amount, skip, reverse]]: an origin of 32 bytes is a hash, a shorter one a number of
 * at most 8 bytes; reverse is 0 or 1. Borrows nothing. */
MR_MUST_USE enum mr_err mr_get_block_headers_decode(struct mr_get_block_headers *out,
                                                    uint64_t *request_id, struct mr_span message);
MR_MUST_USE enum mr_err mr_get_block_headers_encode(struct mr_writer *w, uint64_t request_id,
                                                    const struct mr_get_block_headers *q);

/* Walks the numbers to serve: never past 0 or 2^64 - 1, and never more than MR_HEADERS_ANSWER_MAX
 * (CVE-2024-32972: neither amount - 1 nor skip + 1 may wrap). */
struct mr_header_walk {
    uint64_t next, skip;
    uint32_t left;
    bool reverse;
};
/* origin: the number asked for, or the number of the block whose hash was asked for. */
struct mr_header_walk mr_header_query_start(const struct mr_get_block_headers *q, uint64_t origin);
/* The next number; false when the walk is over. */
bool mr_header_query_next(struct mr_header_walk *walk, uint64_t *number);
