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
 * Built in registers: a cipher's wide load right behind narrow stores would have to wait for them.
 */
static inline void mr_frame_header_plain(uint8_t out[16], uint32_t size)
{
    const uint64_t words[2] = {__builtin_bswap32(size) >> 8 | (uint64_t)0x8080c2 << 24, 0};

    memcpy(out, words, 16);
}

static inline void mr_xor16(uint8_t out[16], const uint8_t in[16])
{
    mr_store_le64(out, mr_load_le64(out) ^ mr_load_le64(in));
    mr_store_le64(out + 8, mr_load_le64(out + 8) ^ mr_load_le64(in + 8));
}

/* Sessions of 1,000 peers do not fit the caches next to the CPU: asks for the keys and one
 * direction of one ahead of its turn. (Always inline: gcc takes a function that only prefetches for
 * one without effect, and drops its calls.) */
static inline __attribute__((always_inline)) void
mr_session_prefetch(const struct mr_rlpx_session *s, const struct mr_rlpx_direction *d)
{
    for (size_t i = 0; i < offsetof(struct mr_rlpx_session, egress); i += MR_CACHELINE)
        __builtin_prefetch((const uint8_t *)s + i);
    for (size_t i = 0; i < sizeof *d + MR_CACHELINE - 1; i += MR_CACHELINE)
        __builtin_prefetch((const uint8_t *)d + i, 1);
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
/* The frame data that lies in one piece at the cursor, at most n bytes; empty inside the padding.
 */
static inline struct mr_span mr_frame_run(struct mr_frame_cursor *c, size_t n)
{
    for (; c->left > 0 && c->at == c->span->n; c->span++, c->at = 0)
        MR_ASSERT(c->span + 1 < c->end);
    n = MR_MIN(n, (size_t)c->left);
    return n ? mr_span(c->span->p + c->at, MR_MIN(n, c->span->n - c->at)) : mr_span(NULL, 0);
}
/* Moves on by n bytes of such a run. */
static inline void mr_frame_skip(struct mr_frame_cursor *c, size_t n)
{
    c->at += n, c->left -= (uint32_t)n;
}
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
