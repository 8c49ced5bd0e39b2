/* mac.h: the steps of framing that sealing and unsealing share: private to net/rlpx. Thread: the
 * session's owner.
 *
 * The MAC of a direction (devp2p rlpx.md, "MAC"), with E = AES-256 under mac-secret and digests cut
 * to 16 bytes:
 *   header:  absorb E(digest) ^ header ciphertext;        header MAC = digest
 *   frame:   absorb frame ciphertext; D = digest;
 *            absorb E(D) ^ D;                              frame MAC = digest
 * Nothing is absorbed between a frame MAC and the next header, so that the first digest of a header
 * is the last frame's MAC: it is kept in the session instead of computed again. */
#pragma once
#include "net/rlpx/frame.h"

/* The header before encryption: size, the header-data c28080 (capability and context zero), zeros.
 */
static inline void mr_frame_header_plain(uint8_t out[16], uint32_t size)
{
    memset(out, 0, 16);
    mr_store_be24(out, size);
    out[3] = 0xc2, out[4] = 0x80, out[5] = 0x80;
}

static inline void mr_xor16(uint8_t out[16], const uint8_t in[16])
{
    mr_store_le64(out, mr_load_le64(out) ^ mr_load_le64(in));
    mr_store_le64(out + 8, mr_load_le64(out + 8) ^ mr_load_le64(in + 8));
}

/* Whether header-data says that the frame is one piece of a chunked message, which RLPx v5 no
 * longer has: a third element (the total size, as the first piece had), or a context that is not
 * zero (as the others had). Anything else, and anything that is no such list, is ignored. */
bool mr_frame_is_chunked(const uint8_t header[16]);

/* Compares 16 bytes in constant time. */
bool mr_frame_mac_equal(const uint8_t ours[16], const uint8_t theirs[16]);

/* Where in its spans the data of a frame stands. */
struct mr_frame_cursor {
    const struct mr_span *span, *end;
    size_t at;     /* in *span */
    uint32_t left; /* of the frame's size; what follows is padding */
};

void mr_frame_seek(struct mr_frame_cursor *c, const struct mr_frame *f, uint32_t done);
/* Copies the next n bytes of frame data and zero padding. */
void mr_frame_gather(struct mr_frame_cursor *c, uint8_t *out, size_t n);

/* The steps of unsealing around the MAC; each sets the job's result where it returns false.
 * begin: false for a dead session, which answers every step as the first time. */
bool mr_unseal_begin(struct mr_unseal_job *job);
bool mr_unseal_need(struct mr_unseal_job *job, size_t need);
/* With the header's MAC in the session's digest: verifies, decrypts; true to go on into the body.
 */
bool mr_unseal_open_header(struct mr_unseal_job *job);
/* What of the body is to be absorbed now; true if it is all there with its MAC behind. */
bool mr_unseal_body(struct mr_unseal_job *job, struct mr_span *fresh);
/* With the frame's MAC in the session's digest: verifies, decrypts in place. */
void mr_unseal_open_body(struct mr_unseal_job *job);
