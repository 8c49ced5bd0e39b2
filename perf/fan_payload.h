/* fan_payload.h: the messages of a fan-out run: one RLP byte string of an exact size, random bytes
 * or transactions mixed to a ratio, different in eight bytes that name the message. Thread: the
 * run's. Memory: malloc, at init. */
#pragma once
#include "perf/fan_options.h"

/* limits.md 3.2 and decisions.md 3: what the transaction-like payload compresses to. */
#define MR_FAN_RATIO     0.62
#define MR_FAN_RATIO_OFF 0.01

#define MR_FAN_TAG_BYTES 8

struct mr_fan_payload {
    uint8_t *p;
    uint32_t n;
    uint32_t tag_at; /* the first bytes of the string's content */
    uint64_t seed;
    double ratio; /* snappy's: compressed over uncompressed */
    uint32_t transactions;
};

/* Makes o->bytes bytes. MR_INVALID: no RLP string has that size, or nothing makes the ratio;
 * MR_FULL, or the corpus' error: sentence says what. */
MR_MUST_USE enum mr_err mr_fan_payload_init(struct mr_fan_payload *f,
                                            const struct mr_fan_options *o, char *sentence,
                                            size_t cap);
void mr_fan_payload_fini(struct mr_fan_payload *f);

/* The name of message k. Its bytes never compress: snappy has them in its first literal. */
uint64_t mr_fan_tag(uint64_t seed, uint32_t k);
/* Makes f->p message k. */
void mr_fan_payload_select(struct mr_fan_payload *f, uint32_t k);
/* Reads the name of a message of n bytes from the beginning of its compressed form. False: that is
 * none of ours. */
MR_MUST_USE bool mr_fan_payload_peek(uint64_t *tag, struct mr_span compressed, uint32_t n);
