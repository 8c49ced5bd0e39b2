/* The state machine of both roles under any cutting, damage, junk, peeking and lack of room.
 * Undamaged bytes always lead both ends to the same secrets; damaged ones never to DONE. */
#include "tests/fuzz/handshake_plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct packet_rig rig;

/* Bytes of the fuzzer, zeros when they are used up. */
struct tape {
    const uint8_t *p, *end;
};
static uint8_t next(struct tape *t)
{
    return t->p < t->end ? *t->p++ : 0;
}

/* One call: some bytes, perhaps damaged, perhaps without room, perhaps peeking. Returns how many of
 * p's bytes were taken. */
static size_t step(struct mr_rlpx_handshake *hs, struct tape *t, const uint8_t *p, size_t n,
                   bool *damaged, struct mr_writer *out)
{
    size_t need = mr_rlpx_handshake_need(hs);
    uint8_t op = next(t), piece[PACKET_MAX];
    size_t take = 1 + ((size_t)next(t) << 8 | next(t)) % MR_MIN(n, need);
    struct mr_writer none = mr_writer(NULL, 0);
    enum mr_err e;

    if (op == 0) /* a tape that has run out feeds all there is */
        take = MR_MIN(n, need);
    memcpy(piece, p, take);
    if ((op & 0xf0) == 0x10) {
        uint8_t change = next(t);

        piece[next(t) % take] ^= change;
        *damaged |= change != 0;
    }
    if ((op & 3) == 3 && !hs->is_initiator) {
        MR_ASSERT(mr_rlpx_handshake_feed(hs, piece, take, &none) == MR_FULL);
        MR_ASSERT(mr_rlpx_handshake_need(hs) == need);
    }
    if ((op & 3) == 1 && !hs->is_initiator) {
        e = mr_rlpx_handshake_peek_initiator(hs, piece, take);
        if (hs->phase == MR_RLPX_HANDSHAKE_PEEKED)
            e = mr_rlpx_handshake_answer(hs, out);
    } else {
        e = mr_rlpx_handshake_feed(hs, piece, take, out);
    }
    if (e != MR_OK)
        fuzz_check_wiped(hs);
    else if (take < need)
        MR_ASSERT(mr_rlpx_handshake_need(hs) == need - take);
    return take;
}

/* Runs hs on the packet p until it wants no more or the packet ends; whether it was damaged. */
static bool run(struct mr_rlpx_handshake *hs, struct tape *t, const uint8_t *p, size_t n,
                struct mr_writer *out)
{
    bool damaged = false;

    while (n > 0 && mr_rlpx_handshake_need(hs) > 0) {
        size_t took = step(hs, t, p, n, &damaged, out);

        p += took, n -= took;
    }
    MR_ASSERT(!damaged || hs->phase != MR_RLPX_HANDSHAKE_DONE);
    MR_ASSERT(damaged || hs->phase == MR_RLPX_HANDSHAKE_DONE);
    return damaged;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tape t = {data, data + size};
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX];
    struct mr_rlpx_handshake a, b;
    struct mr_writer out = mr_writer(ack, sizeof ack);
    size_t n;

    if (!rig.secp)
        packet_rig_init(&rig, 54);
    n = packet_initiator(&rig, &a, auth);
    packet_recipient(&rig, &b);
    if (run(&b, &t, auth, n, &out)) {
        MR_ASSERT(out.n == 0);
    } else if (!run(&a, &t, ack, out.n, NULL)) {
        uint8_t x[32], y[32];

        MR_ASSERT(memcmp(a.secrets.aes, b.secrets.aes, 32) == 0);
        MR_ASSERT(memcmp(a.secrets.mac, b.secrets.mac, 32) == 0);
        mr_keccak_digest(&a.secrets.egress, x);
        mr_keccak_digest(&b.secrets.ingress, y);
        MR_ASSERT(memcmp(x, y, 32) == 0);
    }
    mr_rlpx_handshake_fini(&a);
    mr_rlpx_handshake_fini(&b);
    return 0;
}
