#include "perf/load_run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "perf/load_wire.h"

#define COMPLETIONS_MAX 1024
#define SETTLE_NS       MR_SECOND /* for the node to learn the head before the first send */
#define LINGER_NS       MR_SECOND /* behind the last delivery: for what comes twice */
#define GOODBYE_NS      MR_SECOND
#define SCAN_NS         MR_SECOND
#define WAIT_MAX_NS     (50 * MR_MS)

uint64_t mr_load_expected(const struct mr_load *l)
{
    return mr_load_track_expected(&l->track, l->peers_connected, l->load_end_ns);
}

uint64_t mr_load_lost(const struct mr_load *l)
{
    uint64_t expected = mr_load_expected(l);

    return expected > l->track.delivered ? expected - l->track.delivered : 0;
}

/* Once a second: keep-alive, requests that take too long, time rules of the strict model. */
static void scan(struct mr_load *l)
{
    const uint64_t now_ms = mr_time_mono_ms(l->now);

    mr_load_chain_grow(&l->chain, mr_time_wall_s(l->now));
    for (uint32_t i = 0; i < l->peers_count; i++) {
        struct mr_load_peer *p = &l->peers[i];

        if (p->state == MR_LOAD_ACTIVE) {
            enum mr_keepalive_action due = mr_keepalive_due(&p->alive, now_ms);

            if (due == MR_KEEPALIVE_PING)
                mr_load_send_ping(l, p);
            if (mr_strict_time(l->strict, &p->strict, now_ms,
                               p->send_out ? p->send_since_ns / MR_MS : 0) != MR_STRICT_NONE ||
                due == MR_KEEPALIVE_GONE)
                mr_load_peer_end(l, p, MR_LOAD_END_SILENT);
            if (p->asked_n > 0 && !p->ask_late &&
                l->now.mono_ns - p->asked_ns > MR_LOAD_ASK_LATE_MS * MR_MS) {
                p->ask_late = true;
                l->counts.requests_late++;
            }
        }
        mr_load_reap(l, p);
    }
}

/* Hands out the transactions whose time has come. */
static void release(struct mr_load *l)
{
    bool more = false;

    while (l->released < l->track.txs && l->track.due_ns[l->released] <= l->now.mono_ns) {
        l->released++;
        more = true;
    }
    for (uint32_t i = 0; more && i < l->track.senders; i++)
        mr_load_send_due(l, &l->peers[i]);
}

static uint64_t wait_ns(const struct mr_load *l)
{
    uint64_t wait = WAIT_MAX_NS;

    if (l->load_begun && l->released < l->track.txs) {
        uint64_t due = l->track.due_ns[l->released];

        wait = due > l->now.mono_ns ? MR_MIN(wait, due - l->now.mono_ns) : 0;
    }
    return wait;
}

/* One turn: what is due, what waits to be sent, then what has come. */
static enum mr_err turn(struct mr_load *l, uint64_t *scanned_ns)
{
    static struct mr_completion c[COMPLETIONS_MAX];
    unsigned n;
    enum mr_err e;

    if (l->now.mono_ns - *scanned_ns >= SCAN_NS) {
        *scanned_ns = l->now.mono_ns;
        scan(l);
    }
    mr_load_flush(l);
    if ((e = mr_ring_wait(l->ring, wait_ns(l), 1)))
        return e;
    l->now = mr_clock_now();
    n = mr_ring_completions(l->ring, c, COMPLETIONS_MAX);
    for (unsigned i = 0; i < n; i++)
        mr_load_complete(l, &c[i]);
    mr_load_read_all(l);
    l->now = mr_clock_now();
    return MR_OK;
}

static void begin_load(struct mr_load *l)
{
    const double spacing_ns = 1e9 / l->o->rate;

    for (uint32_t i = 0; i < l->peers_count; i++) /* who is late is not waited for */
        if (l->peers[i].state != MR_LOAD_ACTIVE) {
            mr_load_peer_end(l, &l->peers[i], MR_LOAD_END_TIMEOUT);
            mr_load_reap(l, &l->peers[i]);
        }
    l->load_begun = true;
    l->peers_connected = l->active;
    l->load_first = mr_load_proc_read(l->o->relay_pid);
    l->own_first = mr_load_proc_read(getpid());
    l->load_begin_ns = l->now.mono_ns;
    mr_load_track_schedule(&l->track, l->now.mono_ns + SETTLE_NS / 10, l->o->rate);
    l->last_due_ns = l->track.due_ns[l->track.txs - 1];
    l->load_end_ns = l->last_due_ns + (uint64_t)spacing_ns;
}

/* Whether there is nothing more to wait for. */
static bool drained(struct mr_load *l)
{
    const bool complete = l->released == l->track.txs && mr_load_lost(l) == 0;

    if (complete && l->finish_ns == 0)
        l->finish_ns = l->now.mono_ns + LINGER_NS;
    if (complete)
        return l->now.mono_ns >= l->finish_ns;
    return l->active == 0 || l->now.mono_ns >= l->last_due_ns + (uint64_t)(l->o->drain_s * 1e9);
}

/* Until all peers are connected or the time for it is over, and the node has settled. */
static bool connected(struct mr_load *l)
{
    const uint64_t limit = (uint64_t)(l->o->connect_s * 1e9);

    mr_load_connect(l);
    if (l->settle_end_ns == 0 &&
        (l->active == l->peers_count || l->now.mono_ns - l->connect_begin_ns > limit))
        l->settle_end_ns = l->now.mono_ns + SETTLE_NS;
    return l->settle_end_ns > 0 && l->now.mono_ns >= l->settle_end_ns;
}

static enum mr_err say_goodbye(struct mr_load *l, uint64_t *scanned_ns)
{
    const uint64_t until = l->now.mono_ns + GOODBYE_NS;
    enum mr_err e = MR_OK;
    bool waiting = true;

    for (uint32_t i = 0; i < l->peers_count; i++)
        if (l->peers[i].state == MR_LOAD_ACTIVE)
            mr_load_send_disconnect(l, &l->peers[i], MR_REASON_QUITTING);
    while (waiting && !e && l->now.mono_ns < until) {
        waiting = false;
        e = turn(l, scanned_ns);
        for (uint32_t i = 0; i < l->peers_count && !waiting; i++)
            waiting = l->peers[i].state == MR_LOAD_ACTIVE &&
                      (l->peers[i].send_out || mr_load_bytes_left(&l->peers[i].link.out) > 0);
    }
    return e;
}

static enum mr_err run(struct mr_load *l, const volatile bool *stop)
{
    uint64_t scanned_ns = l->now.mono_ns;
    enum mr_err e = MR_OK;

    while (!*stop && !e && !connected(l))
        e = turn(l, &scanned_ns);
    if (!e && !*stop && l->active > 0) {
        begin_load(l);
        while (!*stop && !e && !drained(l)) {
            release(l);
            e = turn(l, &scanned_ns);
        }
    }
    return e;
}

bool mr_load_run(struct mr_load *l, const volatile bool *stop, char *sentence, size_t cap)
{
    uint64_t scanned_ns = 0;
    enum mr_err e = mr_ring_enable(l->ring);

    l->before = mr_load_proc_read(l->o->relay_pid);
    l->now = mr_clock_now();
    l->connect_begin_ns = l->connect_end_ns = l->now.mono_ns;
    if (!e)
        e = run(l, stop);
    if (e) {
        snprintf(sentence, cap, "the ring broke: %s", strerror(errno));
        return false;
    }
    l->interrupted = *stop;
    if (!l->load_begun) {
        l->peers_connected = l->active;
        l->load_begin_ns = l->now.mono_ns;
    }
    if (l->load_end_ns == 0 || l->load_end_ns > l->now.mono_ns)
        l->load_end_ns = l->now.mono_ns;
    l->after = mr_load_proc_read(l->o->relay_pid);
    l->own_after = mr_load_proc_read(getpid());
    l->peers_at_end = l->active;
    l->finish_ns = l->now.mono_ns;
    l->finished = true;
    return say_goodbye(l, &scanned_ns) == MR_OK;
}
