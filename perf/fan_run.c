#include "perf/fan_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/entropy.h"
#include "net/uring/socket.h"
#include "perf/fan_message.h"
#include "perf/fan_wire.h"

#define COMPLETIONS_MAX   1024
#define DESCRIPTORS_OTHER 32
#define LARGE             8192u /* bytes of a message: fewer, larger buffers */
#define CONNECT_STALL_NS  (60 * MR_SECOND)
#define RSS_AFTER_NS      (2 * MR_SECOND) /* limits.md 3.2 */
#define LINGER_NS         (200 * MR_MS)   /* for what comes twice */
#define WAIT_MAX_NS       (20 * MR_MS)

/* ---- making and ending ---- */

static bool make_peers(struct mr_fan *f)
{
    const uint32_t n = f->o->peers;

    f->peers = calloc(n, sizeof *f->peers);
    f->dirty = calloc(n, sizeof *f->dirty);
    f->inflated = malloc(f->o->bytes);
    if (!f->peers || !f->dirty || !f->inflated)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct mr_fan_peer *p = &f->peers[i];

        p->index = i;
        p->fd = -1;
        /* Those that check are spread evenly. */
        p->checks = i > 0 &&
                    (uint64_t)i * f->o->check / (n - 1) > (uint64_t)(i - 1) * f->o->check / (n - 1);
        mr_load_link_init(&p->link, f->secp, f->o->seed, i);
    }
    return true;
}

enum mr_err mr_fan_init(struct mr_fan *f, const struct mr_fan_options *o)
{
    const bool large = o->bytes > LARGE;
    const struct mr_ring_options ring = {.entries = 4096,
                                         .completions = 32768,
                                         .buffers = large ? 256 : 1024,
                                         .buffer_bytes = large ? 65536 : 8192};
    const uint64_t files = mr_descriptors_raise();
    uint8_t seed[32];
    enum mr_err e;

    memset(f, 0, sizeof *f);
    f->o = o;
    if (files < o->peers + DESCRIPTORS_OTHER) {
        mr_fan_fail(f, "%u peers need %u open files and %llu are allowed (ulimit -Hn)", o->peers,
                    o->peers + DESCRIPTORS_OTHER, (unsigned long long)files);
        return MR_FULL;
    }
    if ((e = mr_fan_payload_init(&f->payload, o, f->sentence, sizeof f->sentence)))
        return e;
    snprintf(f->sentence, sizeof f->sentence, "out of memory");
    mr_entropy_system(NULL, seed, sizeof seed);
    if (!(f->secp = mr_secp_create(seed)) || !make_peers(f))
        return MR_FULL;
    if ((e = mr_fan_track_init(&f->track, o->warmup + o->messages, o->warmup, o->peers - 1,
                               o->seed)))
        return e;
    f->ring = mr_ring_open(&ring, f->sentence, sizeof f->sentence);
    return f->ring ? MR_OK : MR_SYSTEM;
}

void mr_fan_fini(struct mr_fan *f)
{
    mr_ring_close(f->ring);
    for (uint32_t i = 0; f->peers && i < f->o->peers; i++) {
        if (f->peers[i].fd >= 0)
            close(f->peers[i].fd);
        mr_load_link_fini(&f->peers[i].link);
    }
    free(f->peers);
    free(f->dirty);
    free(f->inflated);
    mr_fan_payload_fini(&f->payload);
    mr_fan_track_fini(&f->track);
    if (f->secp)
        mr_secp_destroy(f->secp);
}

/* ---- turns ---- */

/* Sends what waits, then takes what has come; what is taken was there at f->now. */
static bool turn(struct mr_fan *f, uint64_t wait_ns)
{
    static struct mr_completion c[COMPLETIONS_MAX];
    unsigned n;

    mr_fan_flush(f);
    if (mr_ring_wait(f->ring, wait_ns, 1) != MR_OK)
        mr_fan_fail(f, "the ring broke");
    f->now = mr_clock_now();
    n = mr_ring_completions(f->ring, c, COMPLETIONS_MAX);
    for (unsigned i = 0; i < n; i++)
        mr_fan_complete(f, &c[i]);
    return !f->failed;
}

static bool turns_until(struct mr_fan *f, uint64_t until_ns, const volatile bool *stop)
{
    while (!*stop && f->now.mono_ns < until_ns)
        if (!turn(f, MR_MIN(WAIT_MAX_NS, until_ns - f->now.mono_ns)))
            return false;
    return !*stop;
}

static bool connect_all(struct mr_fan *f, const volatile bool *stop)
{
    f->before = mr_load_proc_read(f->o->hub_pid);
    f->connect_begin_ns = f->connect_end_ns = f->now.mono_ns;
    while (!*stop && f->active < f->o->peers) {
        mr_fan_connect(f);
        if (!turn(f, WAIT_MAX_NS))
            return false;
        if (f->now.mono_ns - f->connect_end_ns > CONNECT_STALL_NS)
            mr_fan_fail(f, "%u of %u peers are connected, and no more", f->active, f->o->peers);
    }
    f->connected = mr_load_proc_read(f->o->hub_pid);
    return !*stop;
}

static bool watch_idle(struct mr_fan *f, const volatile bool *stop)
{
    if (!turns_until(f, f->connect_end_ns + RSS_AFTER_NS, stop))
        return false;
    f->idle_first = mr_load_proc_read(f->o->hub_pid);
    if (!turns_until(f, f->connect_end_ns + f->o->idle_s * MR_SECOND, stop))
        return false;
    f->idle_last = mr_load_proc_read(f->o->hub_pid);
    return true;
}

/* ---- messages ---- */

/* When message k is to be sent, in the open loop. */
static uint64_t due_ns(const struct mr_fan *f, uint32_t k)
{
    return f->begin_ns + (uint64_t)((double)(k - f->track.measured_from) / f->o->rate * 1e9);
}

/* Publishes what may be published, up to message end. */
static void publish_due(struct mr_fan *f, uint32_t end, bool open_loop)
{
    const struct mr_fan_track *t = &f->track;
    const uint32_t window = MR_MAX(1u, f->o->window);

    while (!f->failed && t->published < end) {
        if (open_loop && due_ns(f, t->published) > mr_clock_now().mono_ns)
            return;
        if (!open_loop && t->published - t->completed >= window)
            return;
        mr_fan_publish(f, open_loop ? due_ns(f, t->published) : mr_clock_now().mono_ns);
    }
}

static uint64_t wait_ns(const struct mr_fan *f, uint32_t end, bool open_loop)
{
    const uint64_t now_ns = mr_clock_now().mono_ns;
    uint64_t due;

    if (f->o->spin)
        return 0;
    if (!open_loop || f->track.published == end)
        return WAIT_MAX_NS;
    due = due_ns(f, f->track.published);
    return due > now_ns ? MR_MIN(WAIT_MAX_NS, due - now_ns) : 0;
}

/* Publishes up to message end, until all have all. False: it was given up. */
static bool carry(struct mr_fan *f, uint32_t end, bool open_loop, const volatile bool *stop)
{
    const uint64_t stall_ns = f->o->stall_s * MR_SECOND;

    f->progress_ns = f->now.mono_ns;
    while (!*stop && f->track.completed < end) {
        publish_due(f, end, open_loop);
        if (f->track.published > f->track.completed && f->now.mono_ns > f->progress_ns &&
            f->now.mono_ns - f->progress_ns > stall_ns)
            mr_fan_fail(f, "nothing came for %u s", f->o->stall_s);
        if (!turn(f, wait_ns(f, end, open_loop)))
            return false;
        if (f->track.published == f->track.completed)
            f->progress_ns = f->now.mono_ns; /* nothing is under way */
    }
    return !*stop;
}

static bool carry_measured(struct mr_fan *f, const volatile bool *stop)
{
    bool done;

    f->counts = (struct mr_fan_counts){.pings = f->counts.pings, .others = f->counts.others};
    f->own_first = mr_load_proc_read(getpid());
    f->first = mr_load_proc_read(f->o->hub_pid);
    f->now = mr_clock_now();
    f->begin_ns = f->now.mono_ns;
    done = carry(f, f->track.messages, f->o->window == 0, stop);
    f->last = mr_load_proc_read(f->o->hub_pid);
    f->end_ns = f->now.mono_ns;
    f->own_last = mr_load_proc_read(getpid());
    return done;
}

bool mr_fan_run(struct mr_fan *f, const volatile bool *stop)
{
    bool done;

    f->now = mr_clock_now();
    done = mr_ring_enable(f->ring) == MR_OK && connect_all(f, stop) && watch_idle(f, stop) &&
           carry(f, f->track.measured_from, false, stop) && carry_measured(f, stop) &&
           turns_until(f, f->now.mono_ns + LINGER_NS, stop);
    if (!done)
        mr_fan_fail(f, *stop ? "interrupted" : "the ring could not be used");
    return done;
}
