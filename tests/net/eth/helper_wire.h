/* helper_wire.h: what the tests of net/eth messages share. */
#pragma once
#include "core/json.h"
#include "core/rlp.h"

/* Bytes of hex, in memory that lives until the program ends. */
struct mr_span wire_hex(const char *hex);
/* The hex string j as bytes, likewise. */
struct mr_span wire_json_hex(const struct mr_json *j);
/* n bytes of value, likewise. */
uint8_t *wire_fill(uint8_t value, size_t n);
/* A copy of exactly the span's length, so that a sanitizer sees reads behind it. Caller frees. */
uint8_t *wire_copy(struct mr_span s);

/* Fails the test unless read refuses every prefix of message, and message with a byte behind it. */
typedef enum mr_err wire_read(struct mr_span message, void *context);
void wire_refuses_all_but(wire_read *read, void *context, struct mr_span message);

/* Growing writer for messages that tests make: asserts on every call. */
struct wire {
    struct mr_writer w;
};
void wire_begin(struct wire *b, size_t cap);
size_t wire_open(struct wire *b);
void wire_close(struct wire *b, size_t mark);
void wire_u64(struct wire *b, uint64_t v);
void wire_bytes(struct wire *b, const void *p, size_t n);
void wire_raw(struct wire *b, const void *p, size_t n);
/* Raw RLP from hex. */
void wire_put(struct wire *b, const char *hex);
struct mr_span wire_end(const struct wire *b);
