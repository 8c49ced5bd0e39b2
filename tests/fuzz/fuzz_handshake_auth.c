/* Auth lists behind a right envelope. What is accepted holds its fields where a list of this shape
 * must have them; what is refused leaves nothing and sends nothing. */
#include "tests/fuzz/handshake_plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* [f8 n | f9 n n] b8 41 sig, b8 40 key, a0 nonce, in the one form that is canonical. */
static void check_fields(const struct mr_rlpx_handshake *hs, const uint8_t *p)
{
    MR_ASSERT(p[0] == 0xf8 || p[0] == 0xf9);
    p += p[0] == 0xf8 ? 2 : 3;
    MR_ASSERT(p[0] == 0xb8 && p[1] == 65 && memcmp(p + 2, hs->signature, 65) == 0);
    p += 67;
    MR_ASSERT(p[0] == 0xb8 && p[1] == 64 && memcmp(p + 2, hs->remote.b, 64) == 0);
    p += 66;
    MR_ASSERT(p[0] == 0xa0 && memcmp(p + 1, hs->remote_nonce, 32) == 0);
    MR_ASSERT(p[33] < 0xc0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct packet_rig rig;
    static uint8_t good[AUTH_LIST];
    static struct mr_writer list;
    uint8_t plain[PACKET_LIST], packet[PACKET_MAX], sent[PACKET_MAX];
    struct mr_writer out = mr_writer(sent, sizeof sent);
    struct mr_rlpx_handshake hs;
    struct mr_span s;
    enum mr_err e;

    if (!rig.secp) {
        struct packet_auth auth;
        struct mr_secp_keypair ephemeral;

        packet_rig_init(&rig, 52);
        packet_auth_make(&rig, &auth, &ephemeral);
        list = mr_writer(good, sizeof good);
        packet_put_auth(&list, &auth, mr_span("\4", 1));
    }
    s = fuzz_plain(plain, mr_writer_span(&list), AUTH_LIST, data, size);
    packet_recipient(&rig, &hs);
    e = packet_peek(&hs, packet, packet_seal(&rig, packet, rig.shared_b, s));
    if (e == MR_OK) {
        MR_ASSERT(hs.phase == MR_RLPX_HANDSHAKE_PEEKED);
        MR_ASSERT(mr_secp_point_valid(rig.secp, &hs.remote));
        check_fields(&hs, plain);
        e = mr_rlpx_handshake_answer(&hs, &out);
    }
    if (e == MR_OK) {
        MR_ASSERT(hs.phase == MR_RLPX_HANDSHAKE_DONE);
        MR_ASSERT(mr_secp_point_valid(rig.secp, &hs.remote_ephemeral));
        MR_ASSERT(out.n == 2 + (size_t)mr_load_be16(sent));
    } else {
        MR_ASSERT(out.n == 0);
        fuzz_check_wiped(&hs);
    }
    return 0;
}
