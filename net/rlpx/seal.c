/* seal.c: sealing many jobs side by side. A lane holds one job at a time, and its sponge works on
 *
 *      HEADER -> BODY, bite by bite -> BODY_DIGEST -> FRAME_MAC -> HEADER of the next frame
 *                 |                                    |
 *                 +-> BODY_END: no more room           +-> no more room, or frames
 *                     the next job takes the lane          the next job takes the lane
 *
 * Between two of these stands at most one AES block (the seed of a MAC); the blocks of all lanes
 * that stopped at the same permutation are computed together. */
#include "net/rlpx/mac_lanes.h"

/* A body is encrypted and absorbed in bites, so that the bytes of eight lanes meet in the
 * first-level cache. A multiple of 16, and well above a block of 136. */
#define BITE 2176u
/* From this length on a run of plaintext is worth a call of the cipher of its own; and what is
 * gathered from short runs at a time. Multiples of 16. */
#define LONG_RUN 512u
#define GATHER   1024u

enum step { HEADER, BODY, BODY_DIGEST, BODY_END, FRAME_MAC, STEPS };

struct lane {
    struct mr_seal_job *job;
    struct mr_rlpx_direction *d;
    bool whole;                    /* this call ends the frame: the MAC has room too */
    uint32_t left;                 /* bytes of the body that this call has yet to encrypt */
    uint8_t *from;                 /* ciphertext not yet absorbed */
    uint8_t *to;                   /* its end: where the next bite goes */
    struct mr_frame_cursor cursor; /* the next bite's plaintext */
};

struct sealer {
    struct mr_mac_lanes lanes;
    struct lane lane[MR_KECCAK_LANES_MAX];
    uint32_t at[STEPS];             /* masks of lanes */
    struct mr_seal_job *next, *end; /* jobs without a lane yet */
};

/* What this call does of a body of which `rest` bytes are missing, with that much room for it. */
static void plan_body(struct lane *w, uint32_t rest, size_t room)
{
    w->left = (uint32_t)MR_MIN((size_t)rest, room & ~(size_t)15);
    w->whole = w->left == rest && room - w->left >= MR_FRAME_MAC_LEN;
    w->job->out_len += w->left + (w->whole ? MR_FRAME_MAC_LEN : 0);
}

/* Encrypts the next bite into place, in one go with `before` bytes of plaintext that lie there.
 * Long spans are read where they are; short ones are gathered first, as the cipher wants long runs.
 */
static void encrypt_bite(struct lane *w, uint32_t before)
{
    const struct mr_aes256 *key = &w->job->session->aes;
    uint32_t rest = MR_MIN(w->left, BITE - before);

    w->left -= rest;
    do {
        struct mr_span run = mr_frame_run(&w->cursor, rest);
        size_t n = run.n & ~(size_t)15;

        if (before == 0 && n >= LONG_RUN) {
            mr_aes_ctr_xor(key, &w->d->ctr, w->to, run.p, n);
            mr_frame_skip(&w->cursor, n);
        } else {
            n = before > 0 && n >= LONG_RUN ? 0 : MR_MIN(rest, GATHER);
            mr_frame_gather(&w->cursor, w->to, n);
            mr_aes_ctr_xor(key, &w->d->ctr, w->to - before, w->to - before, before + n);
            before = 0;
        }
        w->to += n, rest -= (uint32_t)n;
    } while (rest > 0);
}

/* Lets the lane absorb the ciphertext that is there. All bites but the last end with a block. */
static void absorb_bite(struct sealer *s, unsigned i)
{
    struct lane *w = &s->lane[i];
    size_t n = (size_t)(w->to - w->from);
    enum step step = w->whole ? BODY_DIGEST : BODY_END;

    if (w->left > 0) {
        n -= (mr_keccak_lanes_off(&s->lanes.keccak, i) + n) % MR_KECCAK_RATE;
        step = BODY;
    }
    s->at[step] |= 1u << i;
    mr_keccak_lanes_absorb(&s->lanes.keccak, i, w->from, n, step == BODY_DIGEST);
    w->from += n, w->d->done += (uint32_t)n;
}

static void begin_frame(struct sealer *s, unsigned i, const struct mr_frame *f)
{
    struct lane *w = &s->lane[i];
    struct mr_seal_job *job = w->job;
    uint8_t *header = job->out + job->out_len;

    w->d->stage = MR_RLPX_BODY, w->d->size = f->size, w->d->done = 0;
    w->from = w->to = header + MR_FRAME_HEADER_LEN;
    job->out_len += MR_FRAME_HEADER_LEN;
    plan_body(w, MR_FRAME_PADDED(f->size), job->out_cap - job->out_len);
    /* The header is encrypted where its MAC will stand, in one go with what follows it. */
    mr_frame_header_plain(header + 16, f->size);
    encrypt_bite(w, 16);
    memcpy(header, header + 16, 16);
    s->at[HEADER] |= 1u << i;
    mr_mac_lanes_seed(&s->lanes, i, header);
}

static void resume_frame(struct sealer *s, unsigned i, const struct mr_frame *f)
{
    struct lane *w = &s->lane[i];
    struct mr_seal_job *job = w->job;

    MR_ASSERT(w->d->size == f->size);
    w->from = w->to = job->out + job->out_len;
    plan_body(w, MR_FRAME_PADDED(f->size) - w->d->done, job->out_cap - job->out_len);
    encrypt_bite(w, 0);
    absorb_bite(s, i);
}

static bool has_work(const struct mr_seal_job *job)
{
    const size_t room = job->out_cap - job->out_len;

    if (job->frames_done == job->frames_count)
        return false;
    return room >= (job->session->egress.stage == MR_RLPX_BODY ? 16 : MR_FRAME_HEADER_LEN);
}

/* Goes on with the lane's job, or frees the lane. */
static void next_frame(struct sealer *s, unsigned i)
{
    struct lane *w = &s->lane[i];
    const struct mr_frame *f = &w->job->frames[w->job->frames_done];

    if (!has_work(w->job)) {
        mr_mac_lanes_leave(&s->lanes, i);
        return;
    }
    mr_frame_seek(&w->cursor, f, w->d->stage == MR_RLPX_BODY ? w->d->done : 0);
    if (w->d->stage == MR_RLPX_BODY)
        resume_frame(s, i, f);
    else
        begin_frame(s, i, f);
}

static inline __attribute__((always_inline)) void prefetch(const struct mr_seal_job *job)
{
    mr_session_prefetch(job->session, &job->session->egress);
}

static void fill_lanes(struct sealer *s)
{
    for (; s->lanes.idle && s->next < s->end; s->next++) {
        struct mr_rlpx_session *session = s->next->session;
        unsigned i;

        s->next->out_len = 0, s->next->frames_done = 0;
        if (s->end - s->next > MR_KECCAK_LANES_MAX)
            prefetch(&s->next[MR_KECCAK_LANES_MAX]);
        if (!has_work(s->next))
            continue;
        i = mr_mac_lanes_enter(&s->lanes, &session->egress, &session->mac);
        s->lane[i].job = s->next;
        s->lane[i].d = &session->egress;
        next_frame(s, i);
    }
    mr_mac_lanes_absorb_seeds(&s->lanes);
}

/* These lanes' sponges have done what they were given. Step by step and not lane by lane: the CPU
 * cannot guess which step a lane is at. */
static void next_steps(struct sealer *s, uint32_t done)
{
    uint32_t at[STEPS];

    for (unsigned step = 0; step < STEPS; step++) {
        at[step] = s->at[step] & done;
        s->at[step] &= ~done;
    }
    for (uint32_t m = at[FRAME_MAC]; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);
        struct lane *w = &s->lane[i];

        mr_mac_lanes_digest(&s->lanes, i, w->to);
        w->d->stage = MR_RLPX_HEADER;
        w->job->frames_done++;
        next_frame(s, i);
    }
    for (uint32_t m = at[HEADER]; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        mr_mac_lanes_digest(&s->lanes, i, s->lane[i].from - 16);
        absorb_bite(s, i);
    }
    for (uint32_t m = at[BODY_DIGEST]; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        mr_mac_lanes_digest(&s->lanes, i, NULL);
        s->at[FRAME_MAC] |= 1u << i;
        mr_mac_lanes_seed(&s->lanes, i, s->lane[i].d->digest);
    }
    for (uint32_t m = at[BODY]; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        encrypt_bite(&s->lane[i], 0);
        absorb_bite(s, i);
    }
    for (uint32_t m = at[BODY_END]; m; m &= m - 1)
        next_frame(s, (unsigned)__builtin_ctz(m));
}

void mr_rlpx_seal(struct mr_seal_job *jobs, size_t n, struct mr_keccak_stats *stats)
{
    struct sealer s;

    if (!mr_mac_lanes_init(&s.lanes, n, stats)) {
        for (size_t i = 0; i < n; i++)
            mr_rlpx_seal_one(&jobs[i], stats);
        return;
    }
    s.next = jobs, s.end = jobs + n;
    memset(s.at, 0, sizeof s.at);
    for (size_t i = 0; i < n && i < MR_KECCAK_LANES_MAX; i++)
        prefetch(&jobs[i]);
    for (fill_lanes(&s); s.lanes.busy; fill_lanes(&s))
        next_steps(&s, mr_keccak_lanes_run(&s.lanes.keccak));
    mr_keccak_lanes_fini(&s.lanes.keccak);
}
