/* frame.h: RLPx v5 frames (devp2p rlpx.md, "Framing"): sealing and unsealing, many sessions side by
 * side in Keccak lanes. Thread: the owner of the session; a session is a plain value without
 * pointers and may be handed to another thread by copying. Memory: the caller's; nothing is
 * allocated.
 *
 *   header (16) | header MAC (16) | frame data, zero-padded to 16 | frame MAC (16)
 *
 * All but the MACs is one AES-256-CTR stream a direction. The MAC is a running Keccak-256 over the
 * ciphertext, one a direction. */
#pragma once
#include "crypto/aes.h"
#include "crypto/keccak.h"

#define MR_FRAME_SIZE_MAX   0xffffffu /* 24 bits */
#define MR_FRAME_HEADER_LEN 32u       /* header and its MAC */
#define MR_FRAME_MAC_LEN    16u
#define MR_FRAME_PADDED(n)  (((n) + 15u) & ~(uint32_t)15u)
/* Bytes on the wire of a frame with n bytes of frame data. */
#define MR_FRAME_WIRE_LEN(n) (MR_FRAME_HEADER_LEN + MR_FRAME_PADDED(n) + MR_FRAME_MAC_LEN)

/* What the handshake gives. The MAC states have absorbed (mac-secret ^ nonce) || packet. */
struct mr_rlpx_secrets {
    uint8_t aes[32];
    uint8_t mac[32];
    struct mr_keccak egress;
    struct mr_keccak ingress;
};

/* Where a direction stands inside a frame. */
enum mr_rlpx_stage {
    MR_RLPX_HEADER, /* between frames */
    MR_RLPX_BODY,   /* header done; done of padded body bytes are in the MAC */
    MR_RLPX_DEAD    /* ingress only: a frame was refused; nothing more is read */
};

struct mr_rlpx_direction {
    struct mr_keccak mac;
    struct mr_aes_ctr ctr;
    uint8_t digest[16]; /* mac's digest now, cut to 16: equals the last frame MAC */
    uint32_t size;      /* of the frame begun */
    uint32_t done;      /* of its padded body */
    uint8_t stage;      /* enum mr_rlpx_stage */
    uint8_t error;      /* of a dead one: enum mr_unseal_result */
};

struct mr_rlpx_session {
    struct mr_aes256 aes; /* frame data and headers, both directions */
    struct mr_aes256 mac; /* MAC seeds, both directions */
    struct mr_rlpx_direction egress, ingress;
};
_Static_assert(sizeof(struct mr_rlpx_session) <= 1024, "a session is part of every idle peer");

void mr_rlpx_session_init(struct mr_rlpx_session *s, const struct mr_rlpx_secrets *secrets);
void mr_rlpx_session_wipe(struct mr_rlpx_session *s);

/* Frame data: message id and payload, as spans whose lengths add up to size. */
struct mr_frame {
    const struct mr_span *spans;
    uint32_t spans_count;
    uint32_t size; /* at most MR_FRAME_SIZE_MAX */
};

/* Seals frames[0..] of one session into out until out or the frames end. A header needs 32 bytes of
 * room, a body goes in slices of 16, a MAC needs 16: with 32 bytes of room there is always
 * progress. A frame begun is continued by the next job of that session, whose first frame must be
 * the same one again. The bytes do not depend on how they were cut. out overlaps no span. */
struct mr_seal_job {
    struct mr_rlpx_session *session; /* in one job of a call only */
    const struct mr_frame *frames;
    uint32_t frames_count;
    uint32_t frames_done; /* result: frames whose last byte is in out */
    uint8_t *out;
    size_t out_cap;
    size_t out_len; /* result: bytes written */
};

/* Seals n jobs of any shapes, as many side by side as the CPU has lanes. stats may be NULL. */
void mr_rlpx_seal(struct mr_seal_job *jobs, size_t n, struct mr_keccak_stats *stats);
/* The same one job at a time, in the simplest code: for short lists, and the reference in tests. */
void mr_rlpx_seal_one(struct mr_seal_job *job, struct mr_keccak_stats *stats);
/* Whether a frame is begun and not finished: it cannot be dropped any more. */
bool mr_rlpx_sealing(const struct mr_rlpx_session *s);

enum mr_unseal_result {
    MR_UNSEAL_NEED,      /* need more bytes, at least, before anything else happens */
    MR_UNSEAL_HEADER,    /* header verified and decrypted; size is known; body not looked at */
    MR_UNSEAL_FRAME,     /* whole frame verified and decrypted in place: payload, size */
    MR_UNSEAL_AUTH,      /* a MAC is wrong: close. The session reads nothing more */
    MR_UNSEAL_MALFORMED, /* a chunked frame (header-data): breach of protocol. Likewise */
};

/* One step of one session. in begins where the stage begins: at a header, or, once that is done, at
 * the first byte of the body; a body is given again from its first byte when more of it has come
 * (its place may have changed, its bytes not). A header whose frame is larger than size_max ends
 * the step with MR_UNSEAL_HEADER; otherwise the step goes on into the body. So size_max = 0 stops
 * at every header (but that of an empty frame). Nothing is decrypted before its MAC is verified,
 * and on AUTH and MALFORMED in stays as it came. */
struct mr_unseal_job {
    struct mr_rlpx_session *session; /* in one job of a call only */
    uint8_t *in;
    size_t in_len;
    uint32_t size_max;

    /* results */
    enum mr_unseal_result result;
    size_t consumed;  /* bytes of in that are finished with: the next job's in begins behind them */
    size_t need;      /* NEED: bytes missing behind in_len; HEADER: of padded body and MAC */
    uint32_t size;    /* HEADER, FRAME, NEED inside a body: of the frame data */
    uint8_t *payload; /* FRAME: size bytes inside in */
};

/* Unseals one step of each of n jobs, side by side. stats may be NULL. */
void mr_rlpx_unseal(struct mr_unseal_job *jobs, size_t n, struct mr_keccak_stats *stats);
/* The same one job at a time, in the simplest code. */
void mr_rlpx_unseal_one(struct mr_unseal_job *job, struct mr_keccak_stats *stats);
