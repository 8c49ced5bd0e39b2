/* bad_points.h: encodings that are no public key, of every kind that has fooled somebody
 * (CVE-2026-26315, CVE-2026-26314, CVE-2025-24883). For tests and fuzz targets. */
#pragma once
#include <string.h>

#include "core/base.h"
#include "core/random.h"
#include "crypto/secp.h"

enum bad_point_kind {
    BAD_OTHER_CURVE, /* any x, any y: y^2 = x^3 + b with another b */
    BAD_NEXT_TO,     /* a point's x with y + 1 */
    BAD_ORDER_3,     /* x = 0: of order 3 on the curve that it is on */
    BAD_ORDER_2,     /* y = 0: of order 2 */
    BAD_TWIST,       /* x of no point of ours */
    BAD_ZERO,
    BAD_X_PLUS_P, /* a point of ours, x written as x + p */
    BAD_Y_PLUS_P,
    BAD_PRIME,                   /* a coordinate is p itself, or 2^256 - 1 */
    BAD_KINDS_XY,                /* those above have 0x04 in front and are bad without it, too */
    BAD_INFINITY = BAD_KINDS_XY, /* a zero byte, and anything */
    BAD_HYBRID,                  /* 06 or 07, the right one for the point */
    BAD_COMPRESSED,              /* 02 or 03, and anything behind x */
    BAD_FIRST_BYTE,              /* any other */
    BAD_KINDS
};

static inline void bad_field_prime(uint8_t out[32], uint64_t add)
{
    uint64_t low = UINT64_C(0xfffffffefffffc2f) + add;

    memset(out, 0xff, 32);
    mr_store_be64(out + 24, low);
    MR_ASSERT(low > add || add == 0);
}

/* The point of ours with this x, if there is one: a signature (r, s = r) of the hash 0 "recovers"
 * the point whose x is r. */
static inline bool bad_lift_x(const struct mr_secp *s, struct mr_node_id *out, uint64_t x,
                              uint8_t parity)
{
    uint8_t sig[MR_SECP_SIG_SIZE] = {0};

    mr_store_be64(sig + 24, x);
    mr_store_be64(sig + 56, x);
    sig[64] = parity;
    return mr_secp_recover(s, out, &(struct mr_hash){{0}}, sig);
}

static inline void bad_some_point(const struct mr_secp *s, struct mr_random *r,
                                  struct mr_node_id *out)
{
    uint8_t key[32];

    mr_random_fill(r, key, sizeof key);
    key[0] &= 0x7f;
    MR_ASSERT(mr_secp_public(s, out, key));
}

/* x of points whose y is small. */
static const struct {
    uint8_t y;
    uint64_t x[4];
} bad_small_y[] = {
    {1, {0x1fe1e5ef3fceb5c1, 0x35ab7741333ce5a6, 0xe80d68167653f6b2, 0xb24bcbcfaaaff507}},
    {6, {0xc8b492e17665b9e6, 0x5e4a124661e1103f, 0x1aebfcc849dcd94f, 0x7688dcf149f6f4f2}},
    {11, {0xa95c7e1d4c5db186, 0x3b7c6fb26ac23147, 0x9ff552c18707b69a, 0x9ac6bf9c3676f31b}},
    {13, {0xc2b84dcef6722019, 0x9a187064a65579ca, 0xd41a3345bcf6974f, 0xe3a153128b81ca10}},
};

/* The point behind a BAD_X_PLUS_P or BAD_Y_PLUS_P: pick chooses which. */
static inline void bad_small_x_point(const struct mr_secp *s, uint64_t pick, struct mr_node_id *out)
{
    static const uint8_t x[] = {1, 2, 3, 4, 6, 8};

    MR_ASSERT(bad_lift_x(s, out, x[pick / 2 % sizeof x], pick & 1));
}

static inline void bad_small_y_point(uint64_t pick, struct mr_node_id *out)
{
    size_t i = pick % MR_COUNT_OF(bad_small_y);

    for (size_t w = 0; w < 4; w++)
        mr_store_be64(out->b + 8 * w, bad_small_y[i].x[w]);
    memset(out->b + 32, 0, 31);
    out->b[63] = bad_small_y[i].y;
}

static inline void bad_point_xy(const struct mr_secp *s, struct mr_random *r,
                                enum bad_point_kind kind, uint8_t xy[64])
{
    struct mr_node_id good;
    uint64_t pick = mr_random_u64(r);

    bad_some_point(s, r, &good);
    mr_random_fill(r, xy, 64);
    xy[0] &= 0x7f, xy[32] &= 0x7f; /* below p, to be refused for the curve and nothing else */
    switch (kind) {
    case BAD_OTHER_CURVE:
        break;
    case BAD_NEXT_TO:
        memcpy(xy, good.b, 64);
        xy[63] = (uint8_t)(xy[63] + 1);
        break;
    case BAD_ORDER_3:
        memset(xy, 0, 32);
        break;
    case BAD_ORDER_2:
        memset(xy + 32, 0, 32);
        break;
    case BAD_TWIST:
        memset(xy, 0, 31);
        xy[31] = pick & 1 ? 5 : 7;
        break;
    case BAD_ZERO:
        memset(xy, 0, 64);
        break;
    case BAD_X_PLUS_P:
        bad_small_x_point(s, pick, &good);
        memcpy(xy + 32, good.b + 32, 32);
        bad_field_prime(xy, good.b[31]);
        break;
    case BAD_Y_PLUS_P:
        bad_small_y_point(pick, &good);
        memcpy(xy, good.b, 32);
        bad_field_prime(xy + 32, good.b[63]);
        break;
    case BAD_PRIME:
        if (pick & 4)
            memcpy(xy, good.b, 64);
        bad_field_prime(xy + (pick & 1 ? 32 : 0), pick & 2 ? 0x1000003d0 : 0);
        break;
    default:
        memcpy(xy, good.b, 64); /* a point: what is wrong stands in front of it */
    }
}

/* 65 bytes that must be refused. Its xy alone must be refused too if kind < BAD_KINDS_XY. */
static inline void bad_point(const struct mr_secp *s, struct mr_random *r, enum bad_point_kind kind,
                             uint8_t out[65])
{
    uint64_t pick = mr_random_u64(r);

    bad_point_xy(s, r, kind, out + 1);
    switch (kind) {
    case BAD_INFINITY:
        out[0] = 0;
        if (pick & 1)
            memset(out + 1, 0, 64);
        break;
    case BAD_HYBRID:
        out[0] = (uint8_t)(6 + (out[64] & 1));
        break;
    case BAD_COMPRESSED:
        out[0] = (uint8_t)(2 + (out[64] & 1));
        if (pick & 1)
            memset(out + 33, 0, 32);
        break;
    case BAD_FIRST_BYTE:
        do
            out[0] = (uint8_t)mr_random_u64(r);
        while (out[0] == 4);
        break;
    default:
        out[0] = 4;
    }
}
