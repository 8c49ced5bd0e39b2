#include "tests/net/rlpx/helper_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

const char *const frames_variants[3] = {"plain", "avx2", "avx512"};

uint32_t frames_rng(struct frames_rng *r, uint32_t below)
{
    r->s = r->s * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((r->s >> 33) % below);
}

void frames_pair(struct frames_rng *r, struct mr_rlpx_session *a, struct mr_rlpx_session *b)
{
    struct mr_rlpx_secrets s, t;
    uint8_t packet[700];

    for (int i = 0; i < 32; i++) {
        s.aes[i] = (uint8_t)frames_rng(r, 256);
        s.mac[i] = (uint8_t)frames_rng(r, 256);
    }
    for (size_t i = 0; i < sizeof packet; i++)
        packet[i] = (uint8_t)frames_rng(r, 256);
    mr_keccak_init(&s.egress);
    mr_keccak_update(&s.egress, packet, 32 + frames_rng(r, 600));
    mr_keccak_init(&s.ingress);
    mr_keccak_update(&s.ingress, packet + 1, 32 + frames_rng(r, 600));
    t = s;
    t.egress = s.ingress, t.ingress = s.egress;
    mr_rlpx_session_init(a, &s);
    mr_rlpx_session_init(b, &t);
}

void frames_assert_same(const struct mr_rlpx_direction *a, const struct mr_rlpx_direction *b)
{
    assert_memory_equal(a->mac.a, b->mac.a, sizeof a->mac.a);
    assert_int_equal(a->mac.off, b->mac.off);
    assert_memory_equal(&a->ctr.hi, &b->ctr.hi, 8);
    assert_memory_equal(&a->ctr.lo, &b->ctr.lo, 8);
    assert_int_equal(a->ctr.used, b->ctr.used);
    assert_memory_equal(a->digest, b->digest, 16);
    assert_int_equal(a->stage, b->stage);
    if (a->stage == MR_RLPX_BODY) {
        assert_int_equal(a->size, b->size);
        assert_int_equal(a->done, b->done);
    }
}

void frames_cut(struct frames_rng *r, struct frames_frame *f, const uint8_t *text, uint32_t size)
{
    uint32_t count = 1 + frames_rng(r, FRAMES_SPANS_MAX), left = size;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = i + 1 == count ? left : frames_rng(r, 5) == 0 ? 0 : frames_rng(r, left + 1);

        if (n > 20 && frames_rng(r, 3) == 0 && i + 1 < count)
            n = frames_rng(r, 20);
        f->spans[i] = mr_span(n ? text : NULL, n);
        text += n, left -= n;
    }
    f->frame = (struct mr_frame){.spans = f->spans, .spans_count = count, .size = size};
}

bool frames_use(const char *variant)
{
    if (mr_keccak_use(variant))
        return true;
    print_message("skipped: this CPU has no %s\n", variant);
    return false;
}
