/* packets.h: handshake packets with any content behind a right envelope, and two nodes to try them
 * on. For tests and fuzz targets. */
#pragma once
#include "core/random.h"
#include "net/rlpx/handshake.h"
#include "tests/crypto/craft.h"

#define PACKET_MAX  (MR_RLPX_HANDSHAKE_SIZE_LEN + MR_RLPX_HANDSHAKE_BODY_MAX)
#define PACKET_LIST (MR_RLPX_HANDSHAKE_BODY_MAX - MR_ECIES_OVERHEAD)
#define AUTH_LIST   169
#define ACK_LIST    102

/* Two nodes, and the envelope key of somebody who writes to each of them. */
struct packet_rig {
    struct mr_secp *secp;
    struct mr_secp_keypair a, b; /* initiator, recipient */
    struct mr_secp_keypair stranger;
    uint8_t shared_a[32], shared_b[32]; /* of stranger's key with a and with b */
    uint8_t token[32];                  /* static shared secret of a and b */
    struct mr_random random;
};

static inline void packet_entropy(void *ctx, void *p, size_t n)
{
    mr_random_fill(ctx, p, n);
}

static inline void packet_rig_init(struct packet_rig *rig, uint64_t seed)
{
    uint8_t blind[32] = {1};

    mr_random_init(&rig->random, seed);
    rig->secp = mr_secp_create(blind);
    MR_ASSERT(rig->secp);
    mr_secp_keypair_make(rig->secp, &rig->a, packet_entropy, &rig->random);
    mr_secp_keypair_make(rig->secp, &rig->b, packet_entropy, &rig->random);
    mr_secp_keypair_make(rig->secp, &rig->stranger, packet_entropy, &rig->random);
    MR_ASSERT(mr_secp_ecdh_x(rig->secp, rig->shared_a, &rig->a.pub, rig->stranger.key));
    MR_ASSERT(mr_secp_ecdh_x(rig->secp, rig->shared_b, &rig->b.pub, rig->stranger.key));
    MR_ASSERT(mr_secp_ecdh_x(rig->secp, rig->token, &rig->b.pub, rig->a.key));
}

static inline void packet_rig_fini(struct packet_rig *rig)
{
    mr_secp_destroy(rig->secp);
}

/* plain sealed with a right tag for the node whose shared secret with the stranger is given, size
 * in front. Costs no curve operation. Returns the packet's length. */
static inline size_t packet_seal(const struct packet_rig *rig, uint8_t out[PACKET_MAX],
                                 const uint8_t shared[32], struct mr_span plain)
{
    static const uint8_t iv[16] = {7};
    uint8_t body[16 + PACKET_LIST], point[65] = {4};

    MR_ASSERT(plain.n <= PACKET_LIST);
    memcpy(point + 1, rig->stranger.pub.b, 64);
    craft_body(body, shared, iv, plain);
    mr_store_be16(out, (uint16_t)(plain.n + MR_ECIES_OVERHEAD));
    craft_envelope(out + 2, point, shared, mr_span(body, 16 + plain.n), mr_span(out, 2));
    return 2 + MR_ECIES_OVERHEAD + plain.n;
}

/* What an auth holds. */
struct packet_auth {
    uint8_t sig[65];
    struct mr_node_id pub;
    uint8_t nonce[32];
};

/* As node a would: an ephemeral key of its own, signed for b. */
static inline void packet_auth_make(struct packet_rig *rig, struct packet_auth *out,
                                    struct mr_secp_keypair *ephemeral)
{
    struct mr_hash value;

    mr_secp_keypair_make(rig->secp, ephemeral, packet_entropy, &rig->random);
    mr_random_fill(&rig->random, out->nonce, 32);
    for (size_t i = 0; i < 32; i++)
        value.b[i] = rig->token[i] ^ out->nonce[i];
    MR_ASSERT(mr_secp_sign(rig->secp, out->sig, &value, ephemeral->key));
    out->pub = rig->a.pub;
}

/* The list without its head: [sig, pub, nonce, version and further elements as they are]. */
static inline void packet_put_auth(struct mr_writer *w, const struct packet_auth *a,
                                   struct mr_span tail)
{
    size_t mark = mr_rlp_open(w);

    MR_ASSERT(mr_rlp_put_bytes(w, a->sig, 65) == MR_OK);
    MR_ASSERT(mr_rlp_put_bytes(w, a->pub.b, 64) == MR_OK);
    MR_ASSERT(mr_rlp_put_bytes(w, a->nonce, 32) == MR_OK);
    MR_ASSERT(mr_rlp_put_raw(w, tail.p, tail.n) == MR_OK);
    MR_ASSERT(mr_rlp_close(w, mark) == MR_OK);
}

static inline void packet_put_ack(struct mr_writer *w, const struct mr_node_id *ephemeral,
                                  const uint8_t nonce[32], struct mr_span tail)
{
    size_t mark = mr_rlp_open(w);

    MR_ASSERT(mr_rlp_put_bytes(w, ephemeral->b, 64) == MR_OK);
    MR_ASSERT(mr_rlp_put_bytes(w, nonce, 32) == MR_OK);
    MR_ASSERT(mr_rlp_put_raw(w, tail.p, tail.n) == MR_OK);
    MR_ASSERT(mr_rlp_close(w, mark) == MR_OK);
}

/* Feeds a packet as far as it is asked for, in pieces of at most step bytes. */
static inline enum mr_err packet_feed(struct mr_rlpx_handshake *hs, const uint8_t *p, size_t n,
                                      size_t step, struct mr_writer *out)
{
    enum mr_err e = MR_OK;
    size_t need;

    while (n > 0 && e == MR_OK && (need = mr_rlpx_handshake_need(hs)) > 0) {
        size_t take = MR_MIN(MR_MIN(n, need), step);

        e = mr_rlpx_handshake_feed(hs, p, take, out);
        p += take, n -= take;
    }
    return e;
}

/* The same for peek_initiator. */
static inline enum mr_err packet_peek(struct mr_rlpx_handshake *hs, const uint8_t *p, size_t n)
{
    enum mr_err e = MR_OK;
    size_t need;

    while (n > 0 && e == MR_OK && (need = mr_rlpx_handshake_need(hs)) > 0) {
        size_t take = MR_MIN(n, need);

        e = mr_rlpx_handshake_peek_initiator(hs, p, take);
        p += take, n -= take;
    }
    return e;
}

static inline void packet_recipient(struct packet_rig *rig, struct mr_rlpx_handshake *hs)
{
    mr_rlpx_handshake_init_recipient(hs, rig->secp, &rig->b, NULL, packet_entropy, &rig->random);
}

/* Node a, that has sent its auth (to auth, PACKET_MAX bytes) and waits for an ack. */
static inline size_t packet_initiator(struct packet_rig *rig, struct mr_rlpx_handshake *hs,
                                      uint8_t auth[PACKET_MAX])
{
    struct mr_writer w = mr_writer(auth, PACKET_MAX);

    MR_ASSERT(mr_rlpx_handshake_init_initiator(hs, rig->secp, &rig->a, &rig->b.pub, NULL,
                                               packet_entropy, &rig->random) == MR_OK);
    MR_ASSERT(mr_rlpx_handshake_start(hs, &w) == MR_OK);
    return w.n;
}
