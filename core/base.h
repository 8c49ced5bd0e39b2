/* base.h: what every file may use: spans, fixed-size values, byte order, asserts.
 * Thread: any. Nothing here allocates. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/err.h"

/* Bytes that somebody else owns: never freed through this, valid as long as the owner says. */
struct mr_span {
    const uint8_t *p;
    size_t n;
};

struct mr_hash {
    uint8_t b[32];
};
struct mr_address {
    uint8_t b[20];
};
/* A node's public key without its 0x04 prefix: its identity on the network. */
struct mr_node_id {
    uint8_t b[64];
};
/* 256-bit unsigned integer, big-endian. */
struct mr_u256 {
    uint8_t b[32];
};

#define MR_CACHELINE                    64
#define MR_COUNT_OF(a)                  (sizeof(a) / sizeof((a)[0]))
#define MR_MIN(a, b)                    ((a) < (b) ? (a) : (b))
#define MR_MAX(a, b)                    ((a) > (b) ? (a) : (b))
#define MR_LIKELY(x)                    __builtin_expect(!!(x), 1)
#define MR_UNLIKELY(x)                  __builtin_expect(!!(x), 0)
#define MR_COLD                         __attribute__((cold, noinline))
#define MR_MUST_USE                     __attribute__((warn_unused_result))
#define MR_PRINTF(f, a)                 __attribute__((format(printf, f, a)))
#define MR_CONTAINER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* What only we can break. Cheap and O(1): stays in release builds. */
#define MR_ASSERT(x) ((x) ? (void)0 : mr_assert_failed(__FILE__, __LINE__, #x))
/* Walks structures, recounts references: verify builds only (preset dev and the sanitizers). */
#ifdef MR_VERIFY
#define MR_VERIFY_THAT(x) MR_ASSERT(x)
#else
#define MR_VERIFY_THAT(x) ((void)0)
#endif

MR_COLD void mr_assert_failed(const char *file, int line, const char *what)
    __attribute__((noreturn));

static inline struct mr_span mr_span(const void *p, size_t n)
{
    return (struct mr_span){.p = p, .n = n};
}
static inline bool mr_hash_equal(const struct mr_hash *a, const struct mr_hash *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}
static inline bool mr_node_id_equal(const struct mr_node_id *a, const struct mr_node_id *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline uint16_t mr_load_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t mr_load_be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}
static inline uint32_t mr_load_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}
static inline uint64_t mr_load_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}
static inline uint64_t mr_load_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
static inline void mr_store_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}
static inline void mr_store_be24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 16), p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)v;
}
static inline void mr_store_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}
static inline void mr_store_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}
static inline void mr_store_le64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, 8);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian hosts only");
_Static_assert(sizeof(size_t) == 8, "64-bit hosts only");
