/* Envelopes: raw bytes, fuzzed bodies behind a right tag, and fuzzed points with the tag of a weak
 * secret. What opens is what was sealed, and reseals to the same bytes; what does not open leaves
 * the output alone, and touches the key only when point and length are right. */
#include "tests/net/rlpx/packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 3000

static void check(const struct packet_rig *rig, struct mr_span sealed, bool must_open)
{
    static uint8_t out[BODY_MAX + 97];
    struct mr_node_id point;
    uint64_t ecdh = mr_secp_ecdh_count(rig->secp);
    bool ok, keyed;

    memset(out, 0xa5, sealed.n);
    ok = mr_ecies_decrypt(rig->secp, out, rig->b.key, sealed, mr_span("m", 1));
    keyed = mr_secp_ecdh_count(rig->secp) != ecdh;
    MR_ASSERT(keyed ==
              (sealed.n >= MR_ECIES_OVERHEAD && mr_secp_parse65(rig->secp, &point, sealed.p)));
    MR_ASSERT(ok || !must_open);
    for (size_t i = ok ? sealed.n - MR_ECIES_OVERHEAD : 0; i < sealed.n; i++)
        MR_ASSERT(out[i] == 0xa5);
    if (ok && memcmp(sealed.p + 1, rig->stranger.pub.b, 64) == 0) {
        static uint8_t again[BODY_MAX + 97];

        MR_ASSERT(mr_ecies_encrypt(rig->secp, again, &rig->b.pub, &rig->stranger, sealed.p + 65,
                                   mr_span(out, sealed.n - MR_ECIES_OVERHEAD), mr_span("m", 1)));
        MR_ASSERT(memcmp(again, sealed.p, sealed.n) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct packet_rig rig;
    static uint8_t sealed[BODY_MAX + 97];
    uint8_t point[65] = {4}, weak[32] = {0};
    struct mr_span body;

    if (!rig.secp)
        packet_rig_init(&rig, 51);
    if (size < 1 || size > BODY_MAX)
        return 0;
    body = mr_span(data + 1, size - 1);
    memcpy(point + 1, rig.stranger.pub.b, 64);
    switch (data[0] % 4) {
    case 0:
        check(&rig, body, false);
        break;
    case 1: /* a right tag */
        craft_envelope(sealed, point, rig.shared_b, body, mr_span("m", 1));
        check(&rig, mr_span(sealed, body.n + 97), body.n >= 16);
        break;
    case 2: /* a point of the fuzzer's, and a tag that small order or a fault would make right */
        if (body.n < 65)
            return 0;
        memcpy(point, body.p, 65);
        craft_envelope(sealed, point, weak, mr_span(body.p + 65, body.n - 65), mr_span("m", 1));
        check(&rig, mr_span(sealed, body.n - 65 + 97), false);
        break;
    default: /* a good envelope with a few bytes changed */
        craft_envelope(sealed, point, rig.shared_b, mr_span(rig.token, 32), mr_span("m", 1));
        for (size_t i = 0; i + 1 < body.n; i += 2)
            sealed[body.p[i] % (32 + 97)] ^= body.p[i + 1];
        check(&rig, mr_span(sealed, 32 + 97), false);
    }
    return 0;
}
