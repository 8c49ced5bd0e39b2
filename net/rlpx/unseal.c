/* unseal.c: unsealing one step of many jobs side by side. A lane holds one job, and its sponge
 * works on
 *
 *      HEADER -> BODY_DIGEST -> FRAME_MAC -> verified: decrypt
 *          |       |
 *          |       +-> BODY_PART: more has to come
 *          +-> wrong MAC, or a step that stops at the header
 */
#include "net/rlpx/mac_lanes.h"

enum step { HEADER, BODY_DIGEST, BODY_PART, FRAME_MAC };

struct unsealer {
    struct mr_mac_lanes lanes;
    struct mr_unseal_job *job[MR_KECCAK_LANES_MAX];
    enum step step[MR_KECCAK_LANES_MAX];
    struct mr_unseal_job *next, *end; /* jobs without a lane yet */
};

static void absorb_body(struct unsealer *s, unsigned i)
{
    struct mr_span fresh;
    bool whole = mr_unseal_body(s->job[i], &fresh);

    s->step[i] = whole ? BODY_DIGEST : BODY_PART;
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

static void fill_lanes(struct unsealer *s)
{
    for (; s->lanes.idle && s->next < s->end; s->next++) {
        struct mr_rlpx_session *session = s->next->session;
        unsigned i;

        if (!has_work(s->next))
            continue;
        i = mr_mac_lanes_enter(&s->lanes, &session->ingress, &session->mac);
        s->job[i] = s->next;
        s->step[i] = HEADER;
        if (session->ingress.stage == MR_RLPX_BODY)
            absorb_body(s, i);
        else
            mr_mac_lanes_seed(&s->lanes, i, s->next->in);
    }
    mr_mac_lanes_absorb_seeds(&s->lanes);
}

/* The lane's sponge has done what it was given. */
static void next_step(struct unsealer *s, unsigned i)
{
    struct mr_unseal_job *job = s->job[i];

    switch (s->step[i]) {
    case HEADER:
        mr_mac_lanes_digest(&s->lanes, i);
        if (mr_unseal_open_header(job))
            absorb_body(s, i);
        else
            mr_mac_lanes_leave(&s->lanes, i);
        break;
    case BODY_DIGEST:
        mr_mac_lanes_digest(&s->lanes, i);
        s->step[i] = FRAME_MAC;
        mr_mac_lanes_seed(&s->lanes, i, s->lanes.d[i]->digest);
        break;
    case FRAME_MAC:
        mr_mac_lanes_digest(&s->lanes, i);
        mr_unseal_open_body(job);
        mr_mac_lanes_leave(&s->lanes, i);
        break;
    case BODY_PART:
        mr_mac_lanes_leave(&s->lanes, i);
        break;
    }
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
    for (fill_lanes(&s); s.lanes.busy; fill_lanes(&s))
        for (uint32_t done = mr_keccak_lanes_run(&s.lanes.keccak); done; done &= done - 1)
            next_step(&s, (unsigned)__builtin_ctz(done));
    mr_keccak_lanes_fini(&s.lanes.keccak);
}
