/* The worker between two models: a ring whose kernel delays, cuts short, refuses, cancels late and
 * runs out of buffers as a seed says (S-07, S-08), and a shard that asks for anything that its port
 * allows. Both replace the real ones by name: nothing of net/uring and no real shard is linked.
 * Checked: every byte of every connection arrives once and in order, every operation ends once,
 * nothing reaches a slot after its end, and no descriptor is closed while something is armed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/random.h"
#include "net/uring/socket.h"
#include "shards/worker.h"

#define FD_BASE  1000000
#define FDS      40
#define SLOTS    24 /* that the shard uses */
#define FILES    12 /* of them have an entry in the table of registered descriptors */
#define BUFFERS  16
#define BYTES    64
#define SEND_MAX 200
#define CQ       4096
#define OP_EVENT 4 /* worker.c's name for the read of its eventfd, which never ends here */
#define OTHER    1 /* a thread with a ring */
#define OTHER_FD 777
#ifdef MR_SANITIZED
#define SEEDS 8
#else
#define SEEDS 40
#endif

static struct mr_random rnd;

static bool chance(unsigned percent)
{
    return mr_random_below(&rnd, 100) < percent;
}

/* The byte at an offset of what a connection carries, in either direction. */
static uint8_t byte_at(uint32_t connection, uint64_t offset)
{
    return (uint8_t)((connection * 2654435761u + offset * 40503u) >> 7);
}

/* ---- the kernel ---- */

struct socket {
    bool open;
    uint32_t connection; /* number of this use of the descriptor */
    uint64_t given;      /* bytes received so far */
    bool ended;          /* nothing more comes: the receive ends with `ending` */
    int ending;
    uint64_t recv, send; /* names of the armed operations, 0: none */
    bool recv_cancel, send_cancel;
    const uint8_t *bytes;
    uint32_t bytes_n;
    uint64_t sent;
};

struct mr_ring {
    struct socket sockets[FDS];
    uint8_t memory[BUFFERS][BYTES];
    bool out[BUFFERS];
    unsigned outs;
    int files[FILES]; /* descriptor + 1; 0: empty */
    struct mr_completion queue[CQ];
    unsigned queued;
    bool enabled, event_armed;
    bool calm; /* nothing is refused */
    bool owed; /* a wake-up was asked for, and none was given since */
    bool last; /* the shard has stopped: half of the wake-ups are refused */
    uint64_t wakes, refused, enobufs, cancelled, shorts, closes;
};
static struct mr_ring kernel;
static uint64_t clock_ns = 1000000000;

struct mr_time mr_clock_now(void)
{
    clock_ns += 1000;
    return (struct mr_time){.mono_ns = clock_ns, .wall_ns = clock_ns};
}

static bool refuses(struct mr_ring *k)
{
    bool no = !k->calm && chance(2);

    k->refused += no;
    return no;
}

static struct socket *socket_of(struct mr_ring *k, int fd)
{
    struct socket *s;

    if (fd & MR_FILE_REGISTERED)
        fd = k->files[fd ^ MR_FILE_REGISTERED] - 1;
    s = &k->sockets[fd - FD_BASE];
    MR_ASSERT(fd >= FD_BASE && fd < FD_BASE + FDS);
    MR_ASSERT(s->open);
    return s;
}

static void complete(struct mr_ring *k, uint64_t name, int res, bool more, uint16_t bid)
{
    struct mr_completion *c = &k->queue[k->queued++];

    MR_ASSERT(k->queued < CQ);
    *c = (struct mr_completion){.res = res, .more = more, .bid = bid};
    mr_op_unpack(&c->op, &c->slot, &c->generation, name);
}

static void recv_done(struct mr_ring *k, struct socket *s, int res)
{
    complete(k, s->recv, res, false, MR_NO_BUFFER);
    s->recv = 0;
    s->recv_cancel = false;
}

static void recv_bytes(struct mr_ring *k, struct socket *s)
{
    unsigned bid = 0, n = 1 + (unsigned)mr_random_below(&rnd, BYTES);
    bool more = !chance(5);

    if (k->outs == BUFFERS) {
        k->enobufs++;
        recv_done(k, s, -ENOBUFS);
        return;
    }
    while (k->out[bid])
        bid++;
    k->out[bid] = true;
    k->outs++;
    for (unsigned i = 0; i < n; i++)
        k->memory[bid][i] = byte_at(s->connection, s->given + i);
    s->given += n;
    complete(k, s->recv, (int)n, more, (uint16_t)bid);
    if (!more) {
        s->recv = 0;
        s->recv_cancel = false;
    }
}

static void recv_step(struct mr_ring *k, struct socket *s)
{
    static const int errors[] = {-EINTR, -EAGAIN, -ENOBUFS};

    if (s->recv_cancel && (k->calm || chance(60))) {
        k->cancelled++;
        recv_done(k, s, -ECANCELED);
    } else if (s->ended && chance(70)) {
        recv_done(k, s, s->ending);
    } else if (!k->calm && chance(3)) {
        recv_done(k, s, errors[mr_random_below(&rnd, 3)]);
    } else if (!k->calm && !s->ended && chance(50)) {
        recv_bytes(k, s);
    }
}

static void send_done(struct mr_ring *k, struct socket *s, int res)
{
    complete(k, s->send, res, false, MR_NO_BUFFER);
    s->send = 0;
    s->send_cancel = false;
}

static void send_step(struct mr_ring *k, struct socket *s)
{
    for (uint32_t i = 0; i < s->bytes_n; i++) /* its memory must not have been touched */
        MR_ASSERT(s->bytes[i] == byte_at(~s->connection, s->sent + i));
    if (s->send_cancel && chance(60)) {
        k->cancelled++;
        send_done(k, s, chance(50) ? -ECANCELED : (int)(s->bytes_n / 2));
    } else if (s->ended && chance(30)) {
        send_done(k, s, -EPIPE);
    } else if (chance(1)) {
        k->shorts++;
        send_done(k, s, (int)(s->bytes_n / 3));
    } else if (chance(60)) {
        s->sent += s->bytes_n;
        send_done(k, s, (int)s->bytes_n);
    }
}

struct mr_ring *mr_ring_open(const struct mr_ring_options *o, char *sentence, size_t cap)
{
    (void)o, (void)sentence, (void)cap;
    return &kernel;
}

enum mr_err mr_ring_enable(struct mr_ring *k)
{
    k->enabled = true;
    return MR_OK;
}

void mr_ring_retire(struct mr_ring *k)
{
    k->enabled = false;
}

void mr_ring_close(struct mr_ring *k)
{
    MR_ASSERT(!k->enabled);
}

int mr_ring_fd(const struct mr_ring *k)
{
    (void)k;
    return 4242;
}

void mr_ring_stats(struct mr_ring_stats *out, const struct mr_ring *k)
{
    *out = (struct mr_ring_stats){.buffers_out = k->outs};
}

void mr_ring_submit(struct mr_ring *k)
{
    (void)k;
}

enum mr_err mr_ring_wait(struct mr_ring *k, uint64_t timeout_ns, unsigned min)
{
    MR_ASSERT(min >= 1);
    for (int i = 0; i < FDS; i++) {
        struct socket *s = &k->sockets[i];

        if (!s->open)
            continue;
        if (!s->ended && chance(1)) {
            s->ended = true;
            s->ending = chance(50) ? 0 : -ECONNRESET;
        }
        if (s->recv)
            recv_step(k, s);
        if (s->send)
            send_step(k, s);
    }
    clock_ns += k->queued ? 1000 : timeout_ns;
    return MR_OK;
}

unsigned mr_ring_completions(struct mr_ring *k, struct mr_completion *out, unsigned cap)
{
    unsigned n = MR_MIN(k->queued, cap);

    if (n > 0 && !k->calm && chance(30)) /* not all at once */
        n = 1 + (unsigned)mr_random_below(&rnd, n);
    memcpy(out, k->queue, n * sizeof *out);
    memmove(k->queue, k->queue + n, (k->queued - n) * sizeof *out);
    k->queued -= n;
    return n;
}

uint8_t *mr_ring_buffer(struct mr_ring *k, uint16_t bid)
{
    MR_ASSERT(k->out[bid]);
    return k->memory[bid];
}

void mr_ring_buffer_return(struct mr_ring *k, uint16_t bid)
{
    MR_ASSERT(k->out[bid]);
    k->out[bid] = false;
    k->outs--;
    memset(k->memory[bid], 0xee, BYTES); /* who still reads it is caught */
}

enum mr_err mr_ring_recv_multishot(struct mr_ring *k, int fd, uint64_t data)
{
    struct socket *s = socket_of(k, fd);

    if (refuses(k))
        return MR_FULL;
    MR_ASSERT(!s->recv);
    s->recv = data;
    return MR_OK;
}

enum mr_err mr_ring_send(struct mr_ring *k, int fd, const void *p, size_t n, uint64_t data)
{
    struct socket *s = socket_of(k, fd);

    if (refuses(k))
        return MR_FULL;
    MR_ASSERT(!s->send);
    s->send = data;
    s->bytes = p;
    s->bytes_n = (uint32_t)n;
    return MR_OK;
}

enum mr_err mr_ring_cancel(struct mr_ring *k, uint64_t target)
{
    if (refuses(k))
        return MR_FULL;
    for (int i = 0; i < FDS; i++) {
        k->sockets[i].recv_cancel |= k->sockets[i].recv == target && target;
        k->sockets[i].send_cancel |= k->sockets[i].send == target && target;
    }
    return MR_OK;
}

uint64_t mr_descriptors_raise(void)
{
    return FILES;
}

enum mr_err mr_ring_file_set(struct mr_ring *k, unsigned index, int fd)
{
    MR_ASSERT(index < FILES);
    MR_ASSERT(k->files[index] == 0);
    if (refuses(k))
        return MR_SYSTEM;
    k->files[index] = fd + 1;
    return MR_OK;
}

enum mr_err mr_ring_file_clear(struct mr_ring *k, unsigned index)
{
    const struct socket *s = socket_of(k, mr_file(index));

    MR_ASSERT(!s->recv);
    MR_ASSERT(!s->send);
    k->files[index] = 0;
    return MR_OK;
}

bool mr_socket_finish(int fd)
{
    struct socket *s = socket_of(&kernel, fd);

    if (refuses(&kernel))
        return false;
    MR_ASSERT(!s->send); /* what is in flight would be cut */
    if (!s->ended && chance(50)) {
        s->ended = true;
        s->ending = 0;
    }
    return true;
}

void mr_socket_abort_on_close(int fd)
{
    MR_ASSERT(socket_of(&kernel, fd)->open);
}

enum mr_err mr_ring_close_file(struct mr_ring *k, int fd, uint64_t data)
{
    struct socket *s = socket_of(k, fd);

    (void)data;
    for (unsigned i = 0; i < FILES; i++) /* an entry would keep the connection alive */
        MR_ASSERT(k->files[i] != fd + 1);
    if (refuses(k))
        return MR_FULL;
    MR_ASSERT(!s->recv);
    MR_ASSERT(!s->send);
    for (unsigned i = 0; i < k->queued; i++) { /* nor may anything of it be on its way */
        uint8_t op;
        uint32_t slot, generation;

        mr_op_unpack(&op, &slot, &generation, data);
        MR_ASSERT(k->queue[i].slot != slot || k->queue[i].generation != generation);
    }
    s->open = false;
    k->closes++;
    return MR_OK;
}

enum mr_err mr_ring_wake(struct mr_ring *k, int target, uint64_t data, int32_t value, uint64_t mine)
{
    (void)value, (void)mine;
    MR_ASSERT(target == OTHER_FD);
    MR_ASSERT(data == MR_WAKE_DATA);
    if (refuses(k) || (k->last && chance(50)))
        return MR_FULL;
    k->wakes++;
    k->owed = false;
    return MR_OK;
}

enum mr_err mr_ring_read(struct mr_ring *k, int fd, void *p, size_t n, uint64_t data)
{
    (void)fd, (void)p;
    MR_ASSERT(n == 8);
    MR_ASSERT(!k->event_armed);
    MR_ASSERT(data == mr_op_pack(OP_EVENT, 0, 0));
    if (refuses(k))
        return MR_FULL;
    k->event_armed = true;
    return MR_OK;
}

int mr_event_open(void)
{
    return 999999; /* no descriptor: closing it does nothing */
}

void mr_event_signal(int fd)
{
    MR_ASSERT(fd == 999999);
}

/* ---- the shard ---- */

struct peer {
    bool used, sending, paused, closing, ended;
    bool broken; /* a send failed: a shard then closes */
    uint32_t generation, connection;
    uint64_t received, sent;
    uint32_t send_n;
    uint8_t bytes[SEND_MAX];
};

struct mr_shard {
    struct mr_shard_setup setup;
    struct peer peers[SLOTS];
    uint32_t generation, connections;
    uint64_t turns, turns_max;
    uint64_t adopted, closed, received, sends, wakes, settled;
    uint64_t wakes_at_once; /* asked for while one was owed: one serves both */
    struct mr_shard_metrics metrics;
};
static struct mr_shard model;

MR_METRICS_DEFINE(mr_shard_metrics, MR_SHARD_METRICS)

struct mr_shard *mr_shard_new(const struct mr_shard_setup *setup, char *why, size_t cap)
{
    (void)why, (void)cap;
    model.setup = *setup;
    return &model;
}

void mr_shard_free(struct mr_shard *s)
{
    (void)s;
}

void mr_shard_let_go(struct mr_shard *s)
{
    (void)s;
}

bool mr_shard_stopped(const struct mr_shard *s)
{
    return s->turns >= s->turns_max && s->closed == s->adopted;
}

const struct mr_shard_metrics *mr_shard_metrics(const struct mr_shard *s)
{
    return &s->metrics;
}

const struct mr_shard_histograms *mr_shard_histograms(const struct mr_shard *s)
{
    (void)s;
    return NULL;
}

const uint64_t *mr_shard_verdicts(const struct mr_shard *s)
{
    (void)s;
    return NULL;
}

static void adopt(struct mr_shard *s, uint32_t slot)
{
    struct peer *p = &s->peers[slot];
    int i = 0;

    while (i < FDS && kernel.sockets[i].open)
        i++;
    if (i == FDS)
        return;
    *p = (struct peer){.used = true, .generation = ++s->generation, .connection = ++s->connections};
    kernel.sockets[i] = (struct socket){.open = true, .connection = p->connection};
    s->adopted++;
    s->setup.port.adopt(s->setup.port.ctx, slot, p->generation, FD_BASE + i);
}

static void say(struct mr_shard *s, uint32_t slot)
{
    struct peer *p = &s->peers[slot];

    p->send_n = 1 + (uint32_t)mr_random_below(&rnd, SEND_MAX);
    for (uint32_t i = 0; i < p->send_n; i++)
        p->bytes[i] = byte_at(~p->connection, p->sent + i);
    p->sending = true;
    s->sends++;
    s->setup.port.send(s->setup.port.ctx, slot, p->generation, p->bytes, p->send_n);
}

static void act(struct mr_shard *s, uint32_t slot, bool last)
{
    struct peer *p = &s->peers[slot];
    struct mr_shard_port *port = &s->setup.port;

    if (!p->used) {
        if (!last && chance(20))
            adopt(s, slot);
        return;
    }
    if (p->closing)
        return;
    if (!p->sending && !p->broken && !p->ended && chance(30))
        say(s, slot);
    for (int i = 0; i < 3 && chance(15); i++) {
        (p->paused ? port->resume : port->pause)(port->ctx, slot, p->generation);
        p->paused = !p->paused;
    }
    if (last || ((p->ended || p->broken) && chance(70)) || chance(1)) {
        p->closing = true;
        port->close(port->ctx, slot, p->generation);
    }
}

static void take_event(struct mr_shard *s, const struct mr_shard_event *e)
{
    struct peer *p = &s->peers[e->slot];

    MR_ASSERT(e->slot < SLOTS);
    MR_ASSERT(p->used);
    MR_ASSERT(p->generation == e->generation);
    switch (e->kind) {
    case MR_EVENT_RECEIVED:
        MR_ASSERT(!p->closing);
        MR_ASSERT(!p->ended);
        MR_ASSERT(e->n > 0);
        for (uint32_t i = 0; i < e->n; i++)
            MR_ASSERT(e->data[i] == byte_at(p->connection, p->received + i));
        p->received += e->n;
        s->received += e->n;
        memset(e->data, 0, e->n); /* it may */
        return;
    case MR_EVENT_SENT:
        MR_ASSERT(p->sending);
        p->sending = false;
        if (e->result == (int32_t)p->send_n)
            p->sent += p->send_n;
        else
            p->broken = true;
        memset(p->bytes, 0xdd, sizeof p->bytes);
        return;
    case MR_EVENT_ENDED:
        MR_ASSERT(!p->closing);
        MR_ASSERT(!p->ended);
        p->ended = true;
        return;
    case MR_EVENT_CLOSED:
        MR_ASSERT(p->closing);
        MR_ASSERT(!p->sending);
        p->used = false;
        s->closed++;
        return;
    }
}

static bool on_its_way(const struct peer *p, uint32_t slot)
{
    for (unsigned i = 0; i < kernel.queued; i++)
        if (kernel.queue[i].slot == slot && kernel.queue[i].generation == p->generation)
            return true;
    return false;
}

/* After some calm turns the kernel has been told what was asked for. */
static void check_settled(struct mr_shard *s)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        struct peer *p = &s->peers[slot];
        struct socket *k = kernel.sockets;

        if (!p->used || p->closing || p->ended || on_its_way(p, slot))
            continue;
        while (!k->open || k->connection != p->connection)
            k++;
        MR_ASSERT((k->recv != 0) == !p->paused || k->recv_cancel);
        s->settled++;
    }
}

uint64_t mr_shard_turn(struct mr_shard *s, struct mr_time now, const struct mr_shard_event *events,
                       size_t n)
{
    for (size_t i = 0; i < n; i++)
        take_event(s, &events[i]);
    s->turns++;
    kernel.calm = s->turns % 64 >= 60 && s->turns < s->turns_max;
    if (kernel.calm) {
        if (s->turns % 64 == 63)
            check_settled(s);
        return now.mono_ns + 2000000;
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        act(s, slot, s->turns >= s->turns_max);
    kernel.last = mr_shard_stopped(s);
    if (kernel.last || chance(5)) { /* the last one says that it has stopped */
        s->wakes++;
        s->wakes_at_once += kernel.owed;
        kernel.owed = true;
        s->setup.port.wake(s->setup.port.ctx, OTHER);
    }
    s->setup.port.submit(s->setup.port.ctx);
    return chance(50) ? now.mono_ns : now.mono_ns + mr_random_below(&rnd, 2000000);
}

/* ---- the test ---- */

static uint64_t counter(const struct mr_worker *w, const char *name)
{
    return mr_metric_read(mr_metric_find(&mr_worker_metrics_set, name), mr_worker_metrics(w));
}

static void model_run(uint64_t seed, uint64_t turns)
{
    struct mr_worker_options options;
    struct mr_relay_options relay;
    struct mr_shard_setup setup = {.options = &relay, .self = 0};
    struct mr_wake_table wake;
    struct mr_worker *w;
    char why[100];

    mr_random_init(&rnd, seed);
    memset(&kernel, 0, sizeof kernel);
    memset(&model, 0, sizeof model);
    model.turns_max = turns;
    mr_relay_options_tiny(&relay);
    mr_worker_options_default(&options, mr_relay_slots(&relay));
    options.linger_ns = 20000;
    options.linger_bytes = 2000;
    mr_wake_table_init(&wake);
    wake.at[OTHER].ring_fd = OTHER_FD;
    setup.mesh = mr_mesh_new(1, 8, 8, 8);
    w = mr_worker_new(&setup, &options, &wake, why, sizeof why);
    assert_non_null(w);
    assert_true(mr_worker_start(w));
    mr_worker_join(w);

    assert_int_equal(model.closed, model.adopted);
    assert_int_equal(kernel.closes, model.adopted);
    assert_int_equal(kernel.outs, 0);
    assert_false(kernel.owed); /* whoever was to be woken was, the last time too */
    assert_in_range(kernel.wakes, model.wakes - model.wakes_at_once, model.wakes);
    assert_int_equal(counter(w, "worker_stale"), 0);
    assert_int_equal(counter(w, "worker_open"), 0);
    /* and the seed was a hard one */
    assert_true(model.adopted > turns / 100);
    assert_true(model.received > turns);
    assert_true(model.settled > turns / 100);
    assert_true(kernel.enobufs > 0);
    assert_true(kernel.cancelled > 0);
    assert_true(kernel.shorts > 0);
    assert_true(kernel.refused > 0);
    assert_true(counter(w, "worker_lingered") > 0);
    assert_true(counter(w, "worker_linger_late") > 0);
    assert_true(counter(w, "worker_sends_refused") > 0);
    mr_worker_free(w);
    mr_mesh_free(setup.mesh);
}

static void no_interleaving_loses_a_byte_or_a_descriptor(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        model_run(seed, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_interleaving_loses_a_byte_or_a_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
