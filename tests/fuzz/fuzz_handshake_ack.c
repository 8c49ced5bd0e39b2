/* Ack lists behind a right envelope, for a node that waits for one. */
#include "tests/fuzz/handshake_plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct packet_rig rig;
    static struct mr_rlpx_handshake waiting;
    static uint8_t good[ACK_LIST];
    static struct mr_writer list;
    uint8_t plain[PACKET_LIST], packet[PACKET_MAX];
    struct mr_rlpx_handshake hs;
    struct mr_span s;
    const uint8_t *p;

    if (!rig.secp) {
        packet_rig_init(&rig, 53);
        packet_initiator(&rig, &waiting, packet);
        list = mr_writer(good, sizeof good);
        packet_put_ack(&list, &rig.stranger.pub, rig.token, mr_span("\4", 1));
    }
    s = fuzz_plain(plain, mr_writer_span(&list), ACK_LIST, data, size);
    hs = waiting;
    if (packet_feed(&hs, packet, packet_seal(&rig, packet, rig.shared_a, s), PACKET_MAX, NULL)) {
        fuzz_check_wiped(&hs);
        return 0;
    }
    MR_ASSERT(hs.phase == MR_RLPX_HANDSHAKE_DONE);
    MR_ASSERT(mr_secp_point_valid(rig.secp, &hs.remote_ephemeral));
    MR_ASSERT(plain[0] == 0xf8 || plain[0] == 0xf9);
    p = plain + (plain[0] == 0xf8 ? 2 : 3);
    MR_ASSERT(p[0] == 0xb8 && p[1] == 64 && memcmp(p + 2, hs.remote_ephemeral.b, 64) == 0);
    MR_ASSERT(p[66] == 0xa0 && memcmp(p + 67, hs.remote_nonce, 32) == 0);
    return 0;
}
