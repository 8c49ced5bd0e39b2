/* fan_skim.h: reads a stream of RLPx frames as cheaply as its sizes can be known: decrypts headers
 * and the first bytes of each frame's data, checks no MAC, skips the rest. For receivers of a
 * measurement; what it reads proves nothing about who wrote it.
 * Thread: the run's. No memory. */
#pragma once
#include "net/rlpx/frame.h"

#define MR_FAN_PEEK 32 /* bytes of frame data that are decrypted */

struct mr_fan_skim {
    struct mr_aes_ctr ctr;
    uint32_t size; /* of the frame begun */
    uint32_t skip; /* bytes of it that are not looked at and have not come */
    uint8_t head_n, head_need;
    uint8_t head[MR_FRAME_HEADER_LEN + MR_FAN_PEEK];
};
/* Begins between two frames of s. */
void mr_fan_skim_init(struct mr_fan_skim *k, const struct mr_rlpx_session *s);

struct mr_fan_frame {
    uint32_t size;       /* of the frame data */
    struct mr_span data; /* its first bytes; borrowed until the next call */
};
/* Takes from in until a frame ends. True: *out is that frame, whose last byte was there. */
bool mr_fan_skim_frame(struct mr_fan_skim *k, struct mr_fan_frame *out,
                       const struct mr_rlpx_session *s, struct mr_span *in);
