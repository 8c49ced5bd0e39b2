/* The property that sealing and unsealing stand on: whatever is mixed (lengths, frames a session,
 * spans, room, order, jobs a call), lanes give the bytes and the states of one-lane code, and what
 * was sealed is what is unsealed: for a million frames, or less where sanitizers slow things down.
 * Argument: how many frames in all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "tests/net/rlpx/helper_frames.h"

#define SESSIONS   40
#define FRAMES_MAX 6
#define WIRE_MAX   (400u << 10)

#ifdef MR_SANITIZED
static unsigned long frames_wanted = 60000;
#else
static unsigned long frames_wanted = 1000000;
#endif
static uint8_t text[(100u << 10) + 4096];

struct peer {
    struct mr_rlpx_session sealing, reference, opening, opening_one;
    struct frames_frame frames[FRAMES_MAX];
    struct mr_frame list[FRAMES_MAX];
    const uint8_t *text[FRAMES_MAX];
    uint32_t count, sealed, opened;
    uint8_t *wire, *expected;
    size_t wire_len, expected_len;
    size_t read; /* of wire, by opening: consumed */
    size_t seen; /* of wire, that opening was shown */
};
static struct peer peers[SESSIONS];

static uint32_t some_size(struct frames_rng *r)
{
    switch (frames_rng(r, 256)) {
    case 0:
        return frames_rng(r, frames_rng(r, 2) ? 9000 : 90000);
    case 1:
    case 2:
        return frames_rng(r, 9000);
    case 3:
    case 4:
    case 5:
        return 2100 + frames_rng(r, 200); /* around one bite */
    case 6:
    case 7:
    case 8:
    case 9:
        return 16 * frames_rng(r, 20);
    default:
        return frames_rng(r, frames_rng(r, 2) ? 64 : 500);
    }
}

static void peer_begin(struct frames_rng *r, struct peer *p)
{
    struct mr_seal_job job;
    size_t wire = 0;

    frames_pair(r, &p->sealing, &p->opening);
    p->reference = p->sealing;
    p->opening_one = p->opening;
    p->count = frames_rng(r, FRAMES_MAX + 1);
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t size = some_size(r);

        p->text[i] = text + frames_rng(r, 4096);
        frames_cut(r, &p->frames[i], p->text[i], size);
        p->list[i] = p->frames[i].frame;
        wire += MR_FRAME_WIRE_LEN(size);
    }
    if (wire > WIRE_MAX)
        p->count = 0;
    p->sealed = p->opened = 0;
    p->wire_len = p->read = p->seen = 0;
    job = (struct mr_seal_job){.session = &p->reference,
                               .frames = p->list,
                               .frames_count = p->count,
                               .out = p->expected,
                               .out_cap = WIRE_MAX};
    mr_rlpx_seal_one(&job, NULL);
    assert_int_equal(job.frames_done, p->count);
    assert_true(p->count == 0 || job.out_len == wire);
    p->expected_len = job.out_len;
}

static size_t some_room(struct frames_rng *r)
{
    switch (frames_rng(r, 8)) {
    case 0:
        return frames_rng(r, 64);
    case 1:
        return 32 + frames_rng(r, 300);
    case 2:
        return 32 + frames_rng(r, 20000);
    case 3:
        return 65536;
    default:
        return WIRE_MAX;
    }
}

/* One call for a random choice of the peers that have something left. */
static bool seal_some(struct frames_rng *r, struct mr_keccak_stats *stats)
{
    struct mr_seal_job jobs[SESSIONS];
    struct peer *of[SESSIONS];
    size_t n = 0;
    uint32_t begin = frames_rng(r, SESSIONS), skip = frames_rng(r, 4);
    bool left = false;

    for (uint32_t i = 0; i < SESSIONS; i++) {
        struct peer *p = &peers[(i * 7 + begin) % SESSIONS]; /* 7 and 40 have no common factor */
        size_t room = some_room(r);

        room = MR_MIN(room, WIRE_MAX - p->wire_len);
        left |= p->sealed < p->count;
        if (skip && frames_rng(r, skip + 1))
            continue;
        of[n] = p;
        jobs[n++] = (struct mr_seal_job){.session = &p->sealing,
                                         .frames = p->list + p->sealed,
                                         .frames_count = p->count - p->sealed,
                                         .out = p->wire + p->wire_len,
                                         .out_cap = room,
                                         .out_len = 77,
                                         .frames_done = 77};
    }
    mr_rlpx_seal(jobs, n, stats);
    for (size_t i = 0; i < n; i++) {
        assert_true(jobs[i].out_len <= jobs[i].out_cap);
        assert_true(jobs[i].out_len > 0 || jobs[i].out_cap < 32 || jobs[i].frames_count == 0);
        of[i]->wire_len += jobs[i].out_len;
        of[i]->sealed += jobs[i].frames_done;
    }
    return left;
}

/* A step of unsealing is the same through lanes and alone, and gives back the text. */
static void check_step(struct peer *p, const struct mr_unseal_job *job, struct mr_unseal_job *one)
{
    mr_rlpx_unseal_one(one, NULL);
    assert_int_equal(job->result, one->result);
    assert_int_equal(job->consumed, one->consumed);
    assert_int_equal(job->need, one->need);
    assert_int_equal(job->size, one->size);
    frames_assert_same(&p->opening.ingress, &p->opening_one.ingress);
    if (job->result == MR_UNSEAL_FRAME) {
        assert_int_equal(job->size, p->list[p->opened].size);
        assert_memory_equal(job->payload, p->text[p->opened], job->size);
        assert_memory_equal(one->payload, p->text[p->opened], job->size);
        p->opened++;
    } else {
        assert_true(job->result == MR_UNSEAL_NEED || job->result == MR_UNSEAL_HEADER);
        if (job->result == MR_UNSEAL_HEADER || job->need != 32 - (job->in_len - job->consumed))
            assert_int_equal(job->size, p->list[p->opened].size);
    }
    p->read += job->consumed;
}

/* Two copies of the wire: one is opened in lanes, the other (in `expected`) alone. */
static bool unseal_some(struct frames_rng *r, struct mr_keccak_stats *stats)
{
    struct mr_unseal_job jobs[SESSIONS], ones[SESSIONS];
    struct peer *of[SESSIONS];
    size_t n = 0;
    bool left = false;

    for (uint32_t i = 0; i < SESSIONS; i++) {
        struct peer *p = &peers[i];

        left |= p->opened < p->count;
        p->seen += some_room(r);
        p->seen = MR_MIN(p->wire_len, p->seen);
        if (p->opened == p->count || frames_rng(r, 5) == 0)
            continue;
        of[n] = p;
        jobs[n] = (struct mr_unseal_job){.session = &p->opening,
                                         .in = p->wire + p->read,
                                         .in_len = p->seen - p->read,
                                         .size_max = frames_rng(r, 3) ? 0xffffff : 300};
        ones[n] = jobs[n];
        ones[n].session = &p->opening_one;
        ones[n].in = p->expected + p->read;
        n++;
    }
    mr_rlpx_unseal(jobs, n, stats);
    for (size_t i = 0; i < n; i++)
        check_step(of[i], &jobs[i], &ones[i]);
    return left;
}

/* One in 25 runs without lanes; the others share those variants with lanes that this CPU has. */
static unsigned long frames_of(const char *variant)
{
    const unsigned long plain = frames_wanted / 25;
    unsigned variants = 0;

    for (size_t i = 1; i < MR_COUNT_OF(frames_variants); i++)
        variants += mr_keccak_use(frames_variants[i]);
    if (strcmp(variant, frames_variants[0]) == 0)
        return variants > 0 ? plain : frames_wanted;
    return (frames_wanted - plain + variants - 1) / variants;
}

static void lanes_seal_and_unseal_as_one_lane_does(void **state)
{
    const char *variant = *state;
    struct frames_rng r = {42};
    struct mr_keccak_stats stats = {0};
    unsigned long frames = 0, wanted = frames_of(variant);

    if (!frames_use(variant))
        return;
    while (frames < wanted) {
        for (size_t i = 0; i < SESSIONS; i++)
            peer_begin(&r, &peers[i]);
        while (seal_some(&r, &stats))
            ;
        for (size_t i = 0; i < SESSIONS; i++) {
            struct peer *p = &peers[i];

            assert_int_equal(p->wire_len, p->expected_len);
            assert_memory_equal(p->wire, p->expected, p->wire_len);
            frames_assert_same(&p->sealing.egress, &p->reference.egress);
            assert_false(mr_rlpx_sealing(&p->sealing));
            frames += p->count;
        }
        while (unseal_some(&r, &stats))
            ;
    }
    print_message("%s: %lu frames; permutations of 1, 4, 8 lanes: %lu %lu %lu, busy lanes: %lu %lu "
                  "%lu\n",
                  variant, frames, stats.permutations[0], stats.permutations[1],
                  stats.permutations[2], stats.lanes[0], stats.lanes[1], stats.lanes[2]);
}

/* 1,000 peers in windows of 64, as the relay seals: at least 80% runs in the widest lanes. */
static void most_permutations_run_in_the_widest_lanes(void **state)
{
    const char *variant = *state;
    static struct mr_rlpx_session sessions[64], other;
    static uint8_t out[64][512];
    const struct mr_span span = {text, 208};
    const struct mr_frame frame = {&span, 1, 208};
    struct mr_keccak_stats stats = {0};
    struct mr_seal_job jobs[64];
    struct frames_rng r = {5};
    uint64_t all, widest;

    if (!frames_use(variant))
        return;
    for (int window = 0; window < 16; window++) {
        for (size_t i = 0; i < 64; i++) {
            frames_pair(&r, &sessions[i], &other);
            jobs[i] = (struct mr_seal_job){.session = &sessions[i],
                                           .frames = &frame,
                                           .frames_count = 1,
                                           .out = out[i],
                                           .out_cap = sizeof out[i]};
        }
        mr_rlpx_seal(jobs, window == 15 ? 40 : 64, &stats);
    }
    all = stats.lanes[0] + stats.lanes[1] + stats.lanes[2];
    widest = stats.lanes[mr_keccak_lanes_max() == 8   ? MR_KECCAK_W8
                         : mr_keccak_lanes_max() == 4 ? MR_KECCAK_W4
                                                      : MR_KECCAK_W1];
    assert_true(all >= 1000 * 4);
    assert_true(widest * 100 >= all * 80);
}

int main(int argc, char **argv)
{
#define EACH(test)                                                                                 \
    {#test " (plain)", test, NULL, NULL, (void *)"plain"},                                         \
        {#test " (avx2)", test, NULL, NULL, (void *)"avx2"},                                       \
    {                                                                                              \
#test " (avx512)", test, NULL, NULL, (void *)"avx512"                                      \
    }
    const struct CMUnitTest tests[] = {
        EACH(lanes_seal_and_unseal_as_one_lane_does),
        EACH(most_permutations_run_in_the_widest_lanes),
    };
    struct frames_rng r = {3};
    int failed;

    if (argc > 1)
        frames_wanted = strtoul(argv[1], NULL, 10);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)frames_rng(&r, 256);
    for (size_t i = 0; i < SESSIONS; i++) {
        peers[i].wire = malloc(WIRE_MAX);
        peers[i].expected = malloc(WIRE_MAX);
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < SESSIONS; i++)
        free(peers[i].wire), free(peers[i].expected);
    return failed;
}
