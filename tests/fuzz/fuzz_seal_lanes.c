/* Any jobs: sessions with frames of any sizes and cuts, any room a call. Lanes give the bytes and
 * states of one-lane code, and what they open is what was sealed. */
#include <stdlib.h>

#include "net/rlpx/frame.h"

#define JOBS_MAX   20
#define FRAMES_MAX 3
#define SPANS_MAX  4
#define SIZE_MAX_  6000u
#define WIRE_MAX   (FRAMES_MAX * (SIZE_MAX_ + 64u))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *p, *end;
};

static unsigned take(struct input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

struct peer {
    struct mr_rlpx_session lanes, one, opener;
    struct mr_span spans[FRAMES_MAX][SPANS_MAX];
    struct mr_frame frames[FRAMES_MAX];
    uint32_t count, sealed, opened;
    size_t n, expected_n, read;
    uint8_t wire[WIRE_MAX], expected[WIRE_MAX];
};
static struct peer peers[JOBS_MAX];
static uint8_t text[SIZE_MAX_ + 256];

static void begin(struct input *in, struct peer *p)
{
    struct mr_rlpx_secrets s = {.aes = "aes secret", .mac = "mac secret"};
    struct mr_seal_job job;

    s.aes[31] = s.mac[31] = (uint8_t)(p - peers);
    mr_keccak_init(&s.egress);
    mr_keccak_update(&s.egress, text, 100 + take(in));
    s.ingress = s.egress;
    mr_rlpx_session_init(&p->lanes, &s);
    p->one = p->opener = p->lanes;
    p->count = take(in) % (FRAMES_MAX + 1);
    for (uint32_t f = 0; f < p->count; f++) {
        uint32_t size = (take(in) | take(in) << 8) % SIZE_MAX_, at = 0;

        for (uint32_t i = 0; i < SPANS_MAX; i++) {
            uint32_t end = i + 1 == SPANS_MAX ? size : at + (size - at) * take(in) / 255;

            p->spans[f][i] = mr_span(text + at, end - at);
            at = end;
        }
        p->frames[f] = (struct mr_frame){p->spans[f], SPANS_MAX, size};
    }
    p->sealed = p->opened = 0;
    p->n = p->read = 0;
    job = (struct mr_seal_job){.session = &p->one,
                               .frames = p->frames,
                               .frames_count = p->count,
                               .out = p->expected,
                               .out_cap = WIRE_MAX};
    mr_rlpx_seal_one(&job, NULL);
    MR_ASSERT(job.frames_done == p->count);
    p->expected_n = job.out_len;
}

static bool seal_some(struct input *in, unsigned n)
{
    struct mr_seal_job jobs[JOBS_MAX];
    bool left = false;

    for (unsigned i = 0; i < n; i++) {
        struct peer *p = &peers[i];
        unsigned c = take(in);
        size_t room = c == 0 ? WIRE_MAX : 32 + (c < 128 ? c : c * c / 4);

        jobs[i] = (struct mr_seal_job){.session = &p->lanes,
                                       .frames = p->frames + p->sealed,
                                       .frames_count = p->count - p->sealed,
                                       .out = p->wire + p->n,
                                       .out_cap = MR_MIN(room, WIRE_MAX - p->n)};
    }
    mr_rlpx_seal(jobs, n, NULL);
    for (unsigned i = 0; i < n; i++) {
        peers[i].n += jobs[i].out_len;
        peers[i].sealed += jobs[i].frames_done;
        left |= peers[i].sealed < peers[i].count;
    }
    return left;
}

static bool open_some(struct input *in, unsigned n)
{
    struct mr_unseal_job jobs[JOBS_MAX];
    bool left = false;

    for (unsigned i = 0; i < n; i++) {
        struct peer *p = &peers[i];
        size_t more = p->n - p->read, c = take(in);

        jobs[i] = (struct mr_unseal_job){.session = &p->opener,
                                         .in = p->wire + p->read,
                                         .in_len = more - more * c / 2 / 255,
                                         .size_max = c % 2 ? 1000 : SIZE_MAX_};
        if (jobs[i].in_len < p->opener.ingress.done)
            jobs[i].in_len = more;
    }
    mr_rlpx_unseal(jobs, n, NULL);
    for (unsigned i = 0; i < n; i++) {
        struct peer *p = &peers[i];

        p->read += jobs[i].consumed;
        if (jobs[i].result == MR_UNSEAL_FRAME) {
            MR_ASSERT(jobs[i].size == p->frames[p->opened].size);
            MR_ASSERT(memcmp(jobs[i].payload, text, jobs[i].size) == 0);
            p->opened++;
        } else {
            MR_ASSERT(jobs[i].result == MR_UNSEAL_NEED || jobs[i].result == MR_UNSEAL_HEADER);
        }
        left |= p->opened < p->count;
    }
    return left;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const variants[] = {"avx512", "avx2", "plain"};
    struct input in = {data, data + size};
    unsigned n;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7 + i / 256);
    if (!mr_keccak_use(variants[take(&in) % 3]))
        mr_keccak_use("plain");
    n = take(&in) % (JOBS_MAX + 1);
    for (unsigned i = 0; i < n; i++)
        begin(&in, &peers[i]);
    while (seal_some(&in, n))
        ;
    for (unsigned i = 0; i < n; i++) {
        const struct mr_rlpx_direction *a = &peers[i].lanes.egress, *b = &peers[i].one.egress;

        MR_ASSERT(peers[i].n == peers[i].expected_n);
        MR_ASSERT(memcmp(peers[i].wire, peers[i].expected, peers[i].n) == 0);
        MR_ASSERT(memcmp(a->mac.a, b->mac.a, sizeof a->mac.a) == 0);
        MR_ASSERT(a->mac.off == b->mac.off && a->ctr.lo == b->ctr.lo && a->stage == b->stage);
    }
    while (open_some(&in, n))
        ;
    return 0;
}
