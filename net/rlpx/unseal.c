/* unseal.c: unsealing one step of many jobs side by side. A lane holds one job, and its sponge
 * works on
 *
 *      HEADER -> BODY_DIGEST -> FRAME_MAC -> verified: decrypt
 *          |       |
 *          |       +-> BODY_PART: more has to come
 *          +-> wrong MAC, or a step that stops at the header
 */
#include "net/rlpx/mac_lanes.h"

enum step { HEADER, BODY_DIGEST, BODY_PART, FRAME_MAC, STEPS };

struct unsealer {
    struct mr_mac_lanes lanes;
    struct mr_unseal_job *job[MR_KECCAK_LANES_MAX];
    uint32_t at[STEPS];               /* masks of lanes */
    struct mr_unseal_job *next, *end; /* jobs without a lane yet */
};

static void absorb_body(struct unsealer *s, unsigned i)
{
    struct mr_span fresh;
    bool whole = mr_unseal_body(s->job[i], &fresh);

    s->at[whole ? BODY_DIGEST : BODY_PART] |= 1u << i;
    s->lanes.d[i]->done += (uint32_t)fresh.n;
    mr_keccak_lanes_absorb(&s->lanes.keccak, i, fresh.p, fresh.n, whole);
}

/* Whether the job has something for a sponge; if not, its result is set. */
static bool has_work(struct mr_unseal_job *job)
{
    const struct mr_rlpx_direction *d = &job->session->ingress;

    if (!mr_unseal_begin(job))
        return false;
    if (d->stage == MR_RLPX_HEADER && job->in_len < MR_FRAME_HEADER_LEN)
        return mr_unseal_need(job, MR_FRAME_HEADER_LEN - job->in_len);
    return true;
}

static inline __attribute__((always_inline)) void prefetch(const struct mr_unseal_job *job)
{
    mr_session_prefetch(job->session, &job->session->ingress);
}

static void fill_lanes(struct unsealer *s)
{
    for (; s->lanes.idle && s->next < s->end; s->next++) {
        struct mr_rlpx_session *session = s->next->session;
        unsigned i;

        if (s->end - s->next > MR_KECCAK_LANES_MAX)
            prefetch(&s->next[MR_KECCAK_LANES_MAX]);
        if (!has_work(s->next))
            continue;
        i = mr_mac_lanes_enter(&s->lanes, &session->ingress, &session->mac);
        s->job[i] = s->next;
        if (session->ingress.stage == MR_RLPX_BODY) {
            absorb_body(s, i);
        } else {
            s->at[HEADER] |= 1u << i;
            mr_mac_lanes_seed(&s->lanes, i, s->next->in);
        }
    }
    mr_mac_lanes_absorb_seeds(&s->lanes);
}

/* These lanes' sponges have done what they were given. Step by step and not lane by lane: the CPU
 * cannot guess which step a lane is at. */
static void next_steps(struct unsealer *s, uint32_t done)
{
    uint32_t at[STEPS];

    for (unsigned step = 0; step < STEPS; step++) {
        at[step] = s->at[step] & done;
        s->at[step] &= ~done;
    }
    for (uint32_t m = at[FRAME_MAC]; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        mr_mac_lanes_digest(&s->lanes, i, NULL);
        mr_unseal_open_body(s->job[i]);
        mr_mac_lanes_leave(&s->lanes, i);
    }
    for (uint32_t m = at[HEADER]; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        mr_mac_lanes_digest(&s->lanes, i, NULL);
        if (mr_unseal_open_header(s->job[i]))
            absorb_body(s, i);
        else
            mr_mac_lanes_leave(&s->lanes, i);
    }
    for (uint32_t m = at[BODY_DIGEST]; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        mr_mac_lanes_digest(&s->lanes, i, NULL);
        s->at[FRAME_MAC] |= 1u << i;
        mr_mac_lanes_seed(&s->lanes, i, s->lanes.d[i]->digest);
    }
    for (uint32_t m = at[BODY_PART]; m; m &= m - 1)
        mr_mac_lanes_leave(&s->lanes, (unsigned)__builtin_ctz(m));
}

void mr_rlpx_unseal(struct mr_unseal_job *jobs, size_t n, struct mr_keccak_stats *stats)
{
    struct unsealer s;

    if (!mr_mac_lanes_init(&s.lanes, n, stats)) {
        for (size_t i = 0; i < n; i++)
            mr_rlpx_unseal_one(&jobs[i], stats);
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
