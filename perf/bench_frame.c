/* bench_frame.c: what sealing and unsealing a frame costs, over 1,000 sessions with the same
 * payload: ours, one lane at a time, and the floor: bare AES-CTR and bare permutations in the
 * widest lanes for the same bytes and digests. Minima of several rounds in which all take turns.
 *
 *   bench_frame [ROUNDS [SPANS]]     MR_KECCAK=plain|avx2|avx512 chooses the lanes
 *
 * Windows are what shards use: 64 small frames or 8 large ones a call. */
#include <stdio.h>
#include <stdlib.h>

#include "core/random.h"
#include "crypto/keccak_variant.h"
#include "net/rlpx/frame.h"
#include "perf/bench_clock.h"

#define SESSIONS   1000
#define WINDOW_MAX 64
#define SIZE_MAX_  (128u << 10)
#define OUT_CAP    (SIZE_MAX_ + 512)
#define SPANS_MAX  512

static struct mr_rlpx_session sessions[SESSIONS], peers[SESSIONS];
static uint8_t *out[WINDOW_MAX];
static uint8_t payload[SIZE_MAX_];
static struct mr_span spans[SPANS_MAX];
static struct mr_frame frame;
static struct mr_keccak_stats stats;
static struct mr_random source;

/* Sponge offsets are random, as handshakes leave them. */
static void begin(void)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        struct mr_rlpx_secrets s, t;
        uint8_t packet[600], len[2];

        mr_random_fill(&source, s.aes, 32);
        mr_random_fill(&source, s.mac, 32);
        mr_random_fill(&source, packet, sizeof packet);
        mr_random_fill(&source, len, 2);
        mr_keccak_init(&s.egress);
        mr_keccak_update(&s.egress, packet, 300u + len[0]);
        mr_keccak_init(&s.ingress);
        mr_keccak_update(&s.ingress, packet, 300u + len[1]);
        t = s;
        t.egress = s.ingress, t.ingress = s.egress;
        mr_rlpx_session_init(&sessions[i], &s);
        mr_rlpx_session_init(&peers[i], &t);
    }
}

static void jobs_of(struct mr_seal_job *jobs, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++)
        jobs[i] = (struct mr_seal_job){.session = &sessions[first + i],
                                       .frames = &frame,
                                       .frames_count = 1,
                                       .out = out[i],
                                       .out_cap = OUT_CAP - 32};
}

enum { LANES, ONE, UNSEAL, AES, KECCAK, MEASURES };

/* The permutations of n frames, in whole groups of the widest lanes; *owed carries what is less. */
static void permute_for(size_t n, double *owed)
{
    static _Alignas(64) uint64_t a[MR_KECCAK_WORDS * 8], squeezed[4 * 8];
    const struct mr_keccak_variant *v = mr_keccak_variant();
    const double absorbs = (32.0 + MR_FRAME_PADDED(frame.size)) / MR_KECCAK_RATE;
    const uint8_t *src[8] = {payload};

    for (size_t group = 0; group < n; group += v->lanes) {
        size_t lanes = MR_MIN(n - group, (size_t)v->lanes), blocks;

        *owed += (absorbs + 3) * (double)lanes / v->lanes;
        for (unsigned i = 0; i < v->lanes; i++)
            src[i] = out[(group + i) % WINDOW_MAX];
        blocks = MR_MIN((size_t)*owed, (size_t)(OUT_CAP / MR_KECCAK_RATE));
        *owed -= (double)blocks;
        if (blocks < 3) {
            continue;
        } else if (v->lanes == 8) {
            v->absorb8(a, src, blocks - 3);
            for (int i = 0; i < 3; i++)
                v->squeeze8(a, squeezed, 0xff);
        } else if (v->lanes == 4) {
            v->absorb4(a, src, blocks - 3);
            for (int i = 0; i < 3; i++)
                v->squeeze4(a, squeezed, 0xf);
        } else {
            mr_keccak_absorb1(a, src[0], blocks);
        }
    }
}

static void seal_lanes(size_t first, size_t n)
{
    struct mr_seal_job jobs[WINDOW_MAX];

    jobs_of(jobs, first, n);
    mr_rlpx_seal(jobs, n, &stats);
}

static void seal_alone(size_t first, size_t n)
{
    struct mr_seal_job jobs[WINDOW_MAX];

    jobs_of(jobs, first, n);
    for (size_t i = 0; i < n; i++)
        mr_rlpx_seal_one(&jobs[i], NULL);
}

static void unseal(size_t first, size_t n)
{
    struct mr_unseal_job jobs[WINDOW_MAX];

    for (size_t i = 0; i < n; i++)
        jobs[i] = (struct mr_unseal_job){.session = &peers[first + i],
                                         .in = out[i],
                                         .in_len = MR_FRAME_WIRE_LEN(frame.size),
                                         .size_max = MR_FRAME_SIZE_MAX};
    mr_rlpx_unseal(jobs, n, NULL);
    for (size_t i = 0; i < n; i++)
        if (jobs[i].result != MR_UNSEAL_FRAME)
            exit(1);
}

/* One round of all, window by window. */
static void round_of(double ns[MEASURES], size_t window)
{
    static struct mr_aes_ctr ctr;
    uint64_t t[MEASURES + 2];
    double owed = 0;

    for (size_t at = 0; at < SESSIONS; at += window) {
        size_t n = MR_MIN(SESSIONS - at, window);

        t[0] = mr_bench_cpu_ns();
        seal_lanes(at, n);
        t[1] = mr_bench_cpu_ns();
        unseal(at, n);
        t[2] = mr_bench_cpu_ns();
        seal_alone(at, n);
        t[3] = mr_bench_cpu_ns();
        unseal(at, n); /* the receivers follow */
        t[4] = mr_bench_cpu_ns();
        for (size_t i = 0; i < n; i++)
            mr_aes_ctr_xor(&sessions[at + i].aes, &ctr, out[i], payload, (frame.size + 31u) & ~15u);
        t[5] = mr_bench_cpu_ns();
        permute_for(n, &owed);
        t[6] = mr_bench_cpu_ns();
        ns[LANES] += (double)(t[1] - t[0]);
        ns[UNSEAL] += (double)(t[2] - t[1]);
        ns[ONE] += (double)(t[3] - t[2]);
        ns[AES] += (double)(t[5] - t[4]);
        ns[KECCAK] += (double)(t[6] - t[5]);
    }
}

static void measure(uint32_t size, size_t window, int rounds, size_t spans_count)
{
    double best[MEASURES], floor_ns;

    for (size_t i = 0, at = 0; i < spans_count; i++) {
        size_t end = size * (i + 1) / spans_count;

        spans[i] = mr_span(payload + at, end - at);
        at = end;
    }
    frame = (struct mr_frame){spans, (uint32_t)spans_count, size};
    memset(&stats, 0, sizeof stats);
    begin();
    for (int m = 0; m < MEASURES; m++)
        best[m] = 1e18;
    for (int r = 0; r < rounds; r++) {
        double ns[MEASURES] = {0};

        round_of(ns, window);
        for (int m = 0; m < MEASURES; m++)
            best[m] = MR_MIN(best[m], ns[m] / SESSIONS);
    }
    floor_ns = best[AES] + best[KECCAK];
    printf("%7u B %4zu/call %9.0f ns %9.0f ns %9.0f ns %8.0f + %8.0f ns %6.0f%% %6.0f%% %5.1fx  "
           "%3.0f%% widest\n",
           size, window, best[LANES], best[UNSEAL], best[ONE], best[AES], best[KECCAK],
           100 * floor_ns / best[LANES], 100 * floor_ns / best[UNSEAL], best[ONE] / best[LANES],
           100.0 *
               (double)stats.lanes[mr_keccak_lanes_max() == 8   ? MR_KECCAK_W8
                                   : mr_keccak_lanes_max() == 4 ? MR_KECCAK_W4
                                                                : MR_KECCAK_W1] /
               (double)(stats.lanes[0] + stats.lanes[1] + stats.lanes[2]));
}

int main(int argc, char **argv)
{
    static const struct {
        uint32_t size;
        size_t window;
    } rows[] = {{64, 64}, {208, 64}, {1024, 64}, {16384, 8}, {131072, 8}};
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 20;
    size_t spans_count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    uint8_t *slab;

    if (rounds < 1 || spans_count < 1 || spans_count > SPANS_MAX) {
        fprintf(stderr, "usage: bench_frame [ROUNDS [SPANS]] (1 to %d spans)\n", SPANS_MAX);
        return 2;
    }
    mr_random_init(&source, 1);
    mr_random_fill(&source, payload, sizeof payload);
    slab = calloc(WINDOW_MAX, OUT_CAP);
    if (!slab)
        return 1;
    for (size_t i = 0; i < WINDOW_MAX; i++)
        out[i] = slab + i * OUT_CAP + 32; /* as core/buffer.h has them */
    printf("keccak: %s, AES: %s, %d rounds, %zu spans a frame\n", mr_keccak_select(),
           mr_aes_kernel(), rounds, spans_count);
    printf("   frame    window      sealed     unsealed     one lane         floor: AES + keccak   "
           "share of the floor  over one lane\n");
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        measure(rows[i].size, rows[i].window, rows[i].size > 10000 ? (rounds + 3) / 4 : rounds,
                spans_count);
    free(slab);
    return 0;
}
