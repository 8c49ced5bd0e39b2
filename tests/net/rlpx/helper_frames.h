/* helper_frames.h: pairs of sessions and random frames for the framing tests. */
#pragma once
#include "net/rlpx/frame.h"

struct frames_rng {
    uint64_t s;
};
uint32_t frames_rng(struct frames_rng *r, uint32_t below);

/* Two ends with the same secrets: what a's egress seals, b's ingress opens. The MACs have absorbed
 * a handshake of random length. */
void frames_pair(struct frames_rng *r, struct mr_rlpx_session *a, struct mr_rlpx_session *b);
/* Asserts that a direction stands at the same place with the same states. */
void frames_assert_same(const struct mr_rlpx_direction *a, const struct mr_rlpx_direction *b);

/* A frame of given size over text, cut into spans at random places (some of them empty). */
#define FRAMES_SPANS_MAX 12
struct frames_frame {
    struct mr_frame frame;
    struct mr_span spans[FRAMES_SPANS_MAX];
};
void frames_cut(struct frames_rng *r, struct frames_frame *f, const uint8_t *text, uint32_t size);

/* Uses the keccak variant, or says that it is skipped and returns false. */
bool frames_use(const char *variant);
extern const char *const frames_variants[3];
