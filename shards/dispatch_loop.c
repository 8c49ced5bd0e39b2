#include "shards/dispatch_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "net/uring/socket.h"

MR_METRICS_DEFINE(mr_dispatch_loop_metrics, MR_DISPATCH_LOOP_METRICS)

enum { OP_ACCEPT = 1, OP_CONNECT, OP_RECEIVE, OP_SEND, OP_CLOSE, OP_BELL, OP_WAKE };

#define COMPLETIONS     256  /* taken at once */
#define PARKED_MAX      1024 /* accepted, waiting for a pending slot */
#define PARKED_ENOUGH   64   /* from here on accepting pauses */
#define EMFILE_PAUSE_NS (100 * MR_MS)
#define RETRY_NS        (10 * MR_MS)
#define STOP_LIMIT_NS   (5 * MR_SECOND)
#define NO_STOP         UINT32_MAX

struct connection {
    uint32_t generation;
    int fd;
    bool used, closing;
    bool connecting, receiving, sending; /* operations that the kernel has */
};

struct node_list {
    size_t n;
    struct mr_listed_node nodes[];
};

struct events {
    struct mr_dispatcher_event *at;
    size_t n;
};

struct mr_dispatch_loop {
    struct mr_dispatch_loop_setup setup;
    struct mr_dispatcher *dispatcher;
    struct mr_ring *ring;
    unsigned self; /* in the mesh */
    struct connection *connections;
    uint32_t slots;
    size_t events_cap;
    struct events now, next; /* of this turn, and what this turn has caused */

    /* accepting */
    uint32_t room;
    bool accepting; /* the multishot accept is armed */
    bool accept_cancelled;
    uint64_t accept_at_ns; /* not before */
    int reserve_fd;
    bool emfile; /* since the last connection accepted: said once */
    int parked[PARKED_MAX];
    uint32_t parked_head, parked_count;

    uint64_t wake_again; /* a bit per thread whose wake-up found no room */
    int bell_fd;         /* other threads want something: stop, nodes */
    uint64_t bell_value;
    bool bell_armed;
    _Atomic uint32_t stop_reason; /* or NO_STOP */
    _Atomic(struct node_list *) nodes;
    uint64_t stop_at_ns; /* give up; 0: not stopping */
    struct mr_dispatch_loop_metrics metrics;
};

/* ---- events ---- */

static void event_add(struct mr_dispatch_loop *l, struct events *to,
                      const struct mr_dispatcher_event *e)
{
    MR_ASSERT(to->n < l->events_cap); /* four a slot, and those of one reaping */
    to->at[to->n++] = *e;
}

static void event_of(struct mr_dispatch_loop *l, enum mr_dispatcher_event_kind kind, uint32_t slot,
                     int32_t result)
{
    event_add(l, &l->next,
              &(struct mr_dispatcher_event){.kind = kind,
                                            .slot = slot,
                                            .generation = l->connections[slot].generation,
                                            .result = result});
}

static uint64_t data_of(const struct mr_dispatch_loop *l, uint8_t op, uint32_t slot)
{
    return mr_op_pack(op, slot, l->connections[slot].generation);
}

static int refused_by_kernel(struct mr_dispatch_loop *l)
{
    MR_COUNT(l->metrics.operations_refused, 1);
    return -ENOBUFS;
}

/* ---- the port: connections ---- */

static struct connection *connection_at(struct mr_dispatch_loop *l, uint32_t slot,
                                        uint32_t generation)
{
    MR_ASSERT(slot < l->slots);
    MR_ASSERT(l->connections[slot].used);
    MR_ASSERT(l->connections[slot].generation == generation);
    return &l->connections[slot];
}

static void open_connection(struct mr_dispatch_loop *l, uint32_t slot, uint32_t generation, int fd)
{
    MR_ASSERT(slot < l->slots);
    MR_ASSERT(!l->connections[slot].used);
    l->connections[slot] = (struct connection){.generation = generation, .fd = fd, .used = true};
}

static void port_take(void *ctx, uint32_t slot, uint32_t generation, int fd)
{
    open_connection(ctx, slot, generation, fd);
}

static void port_dial(void *ctx, uint32_t slot, uint32_t generation, struct mr_endpoint to)
{
    struct mr_dispatch_loop *l = ctx;
    int fd = mr_socket_dial(l->setup.local.ip ? &l->setup.local : NULL);
    int error = errno;

    open_connection(l, slot, generation, fd);
    if (fd < 0)
        event_of(l, MR_DISPATCHER_DIALLED, slot, -error);
    else if (mr_ring_connect(l->ring, fd, to, data_of(l, OP_CONNECT, slot)))
        event_of(l, MR_DISPATCHER_DIALLED, slot, refused_by_kernel(l));
    else
        l->connections[slot].connecting = true;
}

static void port_receive(void *ctx, uint32_t slot, uint32_t generation, uint8_t *p, size_t n)
{
    struct mr_dispatch_loop *l = ctx;
    struct connection *c = connection_at(l, slot, generation);

    MR_ASSERT(!c->receiving);
    if (mr_ring_recv(l->ring, c->fd, p, n, data_of(l, OP_RECEIVE, slot)))
        event_of(l, MR_DISPATCHER_RECEIVED, slot, refused_by_kernel(l));
    else
        c->receiving = true;
}

static void port_send(void *ctx, uint32_t slot, uint32_t generation, const uint8_t *p, size_t n)
{
    struct mr_dispatch_loop *l = ctx;
    struct connection *c = connection_at(l, slot, generation);

    MR_ASSERT(!c->sending);
    if (mr_ring_send(l->ring, c->fd, p, n, data_of(l, OP_SEND, slot)))
        event_of(l, MR_DISPATCHER_SENT, slot, refused_by_kernel(l));
    else
        c->sending = true;
}

/* The last operation has completed: the descriptor goes, then the slot. */
static void close_if_idle(struct mr_dispatch_loop *l, uint32_t slot)
{
    struct connection *c = &l->connections[slot];

    if (c->connecting || c->receiving || c->sending)
        return;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->used = c->closing = false;
    event_of(l, MR_DISPATCHER_CLOSED, slot, 0);
}

/* Ends what the kernel has of a connection. What was sent before still goes out. */
static void cancel_all(struct mr_dispatch_loop *l, uint32_t slot)
{
    struct connection *c = &l->connections[slot];
    enum mr_err e = MR_OK;

    if (c->connecting)
        e = mr_ring_cancel(l->ring, data_of(l, OP_CONNECT, slot));
    if (!e && c->receiving)
        e = mr_ring_cancel(l->ring, data_of(l, OP_RECEIVE, slot));
    if (!e && c->sending)
        e = mr_ring_cancel(l->ring, data_of(l, OP_SEND, slot));
    if (e) { /* no room: the plain call does it too */
        refused_by_kernel(l);
        shutdown(c->fd, SHUT_RDWR);
    }
}

static void port_close(void *ctx, uint32_t slot, uint32_t generation)
{
    struct mr_dispatch_loop *l = ctx;
    struct connection *c = connection_at(l, slot, generation);

    MR_ASSERT(!c->closing);
    c->closing = true;
    cancel_all(l, slot);
    close_if_idle(l, slot);
}

static void port_release(void *ctx, uint32_t slot, uint32_t generation)
{
    struct mr_dispatch_loop *l = ctx;
    struct connection *c = connection_at(l, slot, generation);

    MR_ASSERT(!c->closing);
    MR_ASSERT(!c->receiving);
    MR_ASSERT(!c->sending);
    mr_socket_tune(c->fd, &MR_SOCKET_OPTIONS_DEFAULT); /* it has proved worth the calls */
    c->fd = -1;
    c->used = false;
}

/* ---- the port: accepting and waking ---- */

/* Not worth a farewell, and not worth its TIME_WAIT. */
static void close_at_once(int fd)
{
    mr_socket_abort_on_close(fd);
    close(fd);
}

static void port_refuse(void *ctx, int fd)
{
    (void)ctx;
    close_at_once(fd);
}

static void port_accept(void *ctx, uint32_t room)
{
    struct mr_dispatch_loop *l = ctx;

    l->room = room;
}

static void wake_thread(struct mr_dispatch_loop *l, unsigned thread)
{
    if (mr_wake_from_ring(l->setup.wake, l->ring, thread)) {
        l->wake_again &= ~(UINT64_C(1) << thread);
        return;
    }
    MR_COUNT(l->metrics.wake_failures, 1);
    l->wake_again |= UINT64_C(1) << thread;
}

static void port_wake(void *ctx, unsigned thread)
{
    wake_thread(ctx, thread);
}

/* ---- accepting ---- */

static void deliver_accepted(struct mr_dispatch_loop *l, int fd)
{
    struct mr_dispatcher_event e = {.kind = MR_DISPATCHER_ACCEPTED, .result = fd};

    if (!mr_socket_peer(&e.remote, fd)) { /* gone already */
        close(fd);
        return;
    }
    l->room--;
    event_add(l, &l->next, &e);
}

static void on_accepted(struct mr_dispatch_loop *l, int fd)
{
    if (l->room > 0 && l->parked_count == 0) {
        deliver_accepted(l, fd);
    } else if (l->parked_count < PARKED_MAX) {
        MR_COUNT(l->metrics.accept_parked, 1);
        l->parked[(l->parked_head + l->parked_count++) % PARKED_MAX] = fd;
    } else {
        MR_COUNT(l->metrics.accept_overflow, 1);
        close_at_once(fd);
    }
}

static int reserve_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No descriptor is left. The reserve lets those in who wait, to be closed: a dialler that hears so
 * at once is better off than one that hears nothing. */
static void on_emfile(struct mr_dispatch_loop *l, uint64_t now_ns)
{
    MR_COUNT(l->metrics.accept_emfile, 1);
    if (!l->emfile)
        MR_LOG_WARN("no descriptor left for inbound connections",
                    mr_log_text("advice", "raise the limit of open files, or lower --maxpeers"));
    l->emfile = true;
    l->accept_at_ns = now_ns + EMFILE_PAUSE_NS;
    if (l->reserve_fd < 0)
        return;
    close(l->reserve_fd);
    for (int i = 0; i < PARKED_ENOUGH; i++) {
        int fd = accept4(l->setup.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            break;
        MR_COUNT(l->metrics.accept_emfile_closed, 1);
        close_at_once(fd);
    }
    l->reserve_fd = reserve_open();
}

static void on_accept(struct mr_dispatch_loop *l, const struct mr_completion *c, uint64_t now_ns)
{
    if (!c->more)
        l->accepting = l->accept_cancelled = false;
    if (c->res >= 0) {
        l->emfile = false;
        on_accepted(l, c->res);
    } else if (c->res == -EMFILE || c->res == -ENFILE) {
        on_emfile(l, now_ns);
    } else if (c->res != -ECANCELED) {
        MR_COUNT(l->metrics.accept_failed, 1);
        l->accept_at_ns = now_ns + RETRY_NS;
    }
}

/* Before the loop waits: gives what is parked, arms or cancels the accept. */
static void accept_turn(struct mr_dispatch_loop *l, uint64_t now_ns)
{
    if (l->setup.listen_fd < 0)
        return;
    if (l->reserve_fd < 0)
        l->reserve_fd = reserve_open();
    while (l->room > 0 && l->parked_count > 0) {
        int fd = l->parked[l->parked_head];

        l->parked_head = (l->parked_head + 1) % PARKED_MAX;
        l->parked_count--;
        deliver_accepted(l, fd);
    }
    if (l->accepting && !l->accept_cancelled && l->room == 0 &&
        (l->parked_count >= PARKED_ENOUGH || l->stop_at_ns)) {
        l->accept_cancelled = mr_ring_cancel(l->ring, mr_op_pack(OP_ACCEPT, 0, 0)) == MR_OK;
    } else if (!l->accepting && l->room > 0 && l->parked_count == 0 && now_ns >= l->accept_at_ns) {
        if (mr_ring_accept(l->ring, l->setup.listen_fd, mr_op_pack(OP_ACCEPT, 0, 0)) == MR_OK)
            l->accepting = true;
        else
            l->accept_at_ns = now_ns + RETRY_NS;
    }
}

static void unpark_all(struct mr_dispatch_loop *l)
{
    for (; l->parked_count > 0; l->parked_count--) {
        close_at_once(l->parked[l->parked_head]);
        l->parked_head = (l->parked_head + 1) % PARKED_MAX;
    }
}

/* ---- completions ---- */

static void on_connection(struct mr_dispatch_loop *l, const struct mr_completion *c)
{
    struct connection *k = &l->connections[c->slot];

    MR_ASSERT(c->slot < l->slots);
    if (!k->used || mr_completion_is_stale(c, k->generation)) {
        MR_COUNT(l->metrics.stale_completions, 1);
        return;
    }
    switch (c->op) {
    case OP_CONNECT:
        k->connecting = false;
        if (!k->closing)
            event_of(l, MR_DISPATCHER_DIALLED, c->slot, c->res < 0 ? c->res : k->fd);
        break;
    case OP_RECEIVE:
        k->receiving = false;
        if (!k->closing)
            event_of(l, MR_DISPATCHER_RECEIVED, c->slot, c->res);
        break;
    default:
        k->sending = false;
        if (!k->closing)
            event_of(l, MR_DISPATCHER_SENT, c->slot, c->res);
        break;
    }
    if (k->closing)
        close_if_idle(l, c->slot);
}

static void on_completion(struct mr_dispatch_loop *l, const struct mr_completion *c,
                          uint64_t now_ns)
{
    switch (c->op) {
    case OP_ACCEPT:
        on_accept(l, c, now_ns);
        return;
    case OP_CONNECT:
    case OP_RECEIVE:
    case OP_SEND:
        on_connection(l, c);
        return;
    case OP_BELL:
        l->bell_armed = false;
        return;
    default: /* a wake-up: mail is looked for in every turn */
        return;
    }
}

/* ---- the loop ---- */

static void take_requests(struct mr_dispatch_loop *l, struct mr_time now)
{
    struct node_list *nodes = atomic_exchange(&l->nodes, NULL);
    uint32_t reason = atomic_load(&l->stop_reason);

    if (nodes) {
        enum mr_err e = mr_dispatcher_set_nodes(l->dispatcher, nodes->nodes, nodes->n, now);

        MR_ASSERT(e == MR_OK); /* the length was checked */
        free(nodes);
    }
    if (reason != NO_STOP && l->stop_at_ns == 0) {
        mr_dispatcher_stop(l->dispatcher, reason);
        l->stop_at_ns = now.mono_ns + l->setup.stop_limit_ns;
    }
    if (!l->bell_armed && mr_ring_read(l->ring, l->bell_fd, &l->bell_value, sizeof l->bell_value,
                                       mr_op_pack(OP_BELL, 0, 0)) == MR_OK)
        l->bell_armed = true;
}

static uint64_t timeout_of(struct mr_dispatch_loop *l, uint64_t now_ns, uint64_t at_ns)
{
    if (l->next.n > 0)
        return 0;
    if (l->wake_again || !l->bell_armed)
        at_ns = MR_MIN(at_ns, now_ns + MR_MS);
    if (!l->accepting && l->room > 0 && l->setup.listen_fd >= 0)
        at_ns = MR_MIN(at_ns, l->accept_at_ns);
    if (l->stop_at_ns)
        at_ns = MR_MIN(at_ns, l->stop_at_ns);
    return at_ns > now_ns ? at_ns - now_ns : 0;
}

static enum mr_err wait_and_reap(struct mr_dispatch_loop *l, uint64_t now_ns, uint64_t at_ns)
{
    struct mr_mesh *mesh = l->setup.dispatcher.mesh;
    uint64_t timeout = timeout_of(l, now_ns, at_ns);
    struct mr_completion c[COMPLETIONS];
    enum mr_err e;
    unsigned n;

    if (timeout > 0 && !mr_mail_sleep(mesh, l->self))
        timeout = 0;
    e = mr_ring_wait(l->ring, timeout, timeout > 0 ? 1 : 0);
    mr_mail_awake(mesh, l->self);
    if (e)
        return e;
    n = mr_ring_completions(l->ring, c, COMPLETIONS);
    for (unsigned i = 0; i < n; i++)
        on_completion(l, &c[i], now_ns);
    return MR_OK;
}

static enum mr_err loop_until_stopped(struct mr_dispatch_loop *l)
{
    for (;;) {
        struct mr_time now = mr_clock_now();
        struct events done = l->now;
        uint64_t at_ns;
        enum mr_err e;

        take_requests(l, now);
        l->now = l->next;
        l->next = (struct events){.at = done.at};
        at_ns = mr_dispatcher_turn(l->dispatcher, now, l->now.at, l->now.n);
        MR_COUNT(l->metrics.loop_turns, 1);
        if (mr_dispatcher_stopped(l->dispatcher))
            return MR_OK;
        if (l->stop_at_ns && now.mono_ns >= l->stop_at_ns)
            return MR_AGAIN;
        if (l->stop_at_ns)
            unpark_all(l);
        accept_turn(l, now.mono_ns);
        for (unsigned t = 0; l->wake_again >> t; t++)
            if (l->wake_again >> t & 1)
                wake_thread(l, t);
        if ((e = wait_and_reap(l, now.mono_ns, at_ns)))
            return e;
    }
}

enum mr_err mr_dispatch_loop_run(struct mr_dispatch_loop *l)
{
    enum mr_err e = mr_ring_enable(l->ring);

    if (e)
        return e;
    if (l->setup.nice && setpriority(PRIO_PROCESS, (id_t)gettid(), 5) != 0)
        MR_LOG_WARN("the dispatcher keeps its priority", mr_log_text("why", strerror(errno)));
    e = loop_until_stopped(l);
    if (e)
        MR_LOG_WARN("the dispatcher ends early", mr_log_err("why", e));
    mr_ring_retire(l->ring); /* closed in free: shards may still try to wake it */
    return e;
}

/* ---- others' side ---- */

int mr_dispatch_loop_ring_fd(const struct mr_dispatch_loop *l)
{
    return mr_ring_fd(l->ring);
}

struct mr_dispatcher *mr_dispatch_loop_dispatcher(struct mr_dispatch_loop *l)
{
    return l->dispatcher;
}

const struct mr_dispatch_loop_metrics *mr_dispatch_loop_metrics(const struct mr_dispatch_loop *l)
{
    return &l->metrics;
}

void mr_dispatch_loop_stop(struct mr_dispatch_loop *l, unsigned reason)
{
    MR_ASSERT(reason <= 0xff);
    atomic_store(&l->stop_reason, reason);
    mr_event_signal(l->bell_fd);
}

enum mr_err mr_dispatch_loop_set_nodes(struct mr_dispatch_loop *l,
                                       const struct mr_listed_node *nodes, size_t n)
{
    struct node_list *list;

    if (n > MR_LISTED_MAX)
        return MR_FULL;
    list = malloc(sizeof *list + n * sizeof *nodes);
    if (!list)
        return MR_SYSTEM;
    list->n = n;
    if (n > 0)
        memcpy(list->nodes, nodes, n * sizeof *nodes);
    free(atomic_exchange(&l->nodes, list)); /* an earlier one that was not taken yet */
    mr_event_signal(l->bell_fd);
    return MR_OK;
}

/* ---- making one ---- */

static struct mr_dispatcher_port port_of(struct mr_dispatch_loop *l)
{
    return (struct mr_dispatcher_port){
        .ctx = l,
        .accept = port_accept,
        .take = port_take,
        .refuse = port_refuse,
        .dial = port_dial,
        .receive = port_receive,
        .send = port_send,
        .close = port_close,
        .release = port_release,
        .wake = port_wake,
    };
}

static bool memory_new(struct mr_dispatch_loop *l)
{
    l->slots = mr_dispatcher_slots(l->setup.dispatcher.options);
    /* a slot: dialled, received, sent, closed; then one reaping, and what was parked */
    l->events_cap = 4 * (size_t)l->slots + COMPLETIONS + MR_DISPATCHER_ACCEPTS;
    return (l->connections = calloc(l->slots, sizeof *l->connections)) &&
           (l->now.at = calloc(l->events_cap, sizeof *l->now.at)) &&
           (l->next.at = calloc(l->events_cap, sizeof *l->next.at));
}

struct mr_dispatch_loop *mr_dispatch_loop_new(const struct mr_dispatch_loop_setup *setup, char *why,
                                              size_t why_cap)
{
    struct mr_ring_options ring = {.entries = 1024, .completions = 16384};
    struct mr_dispatch_loop *l = calloc(1, sizeof *l);

    if (!l) {
        snprintf(why, why_cap, "no memory for the dispatcher's loop");
        return NULL;
    }
    l->setup = *setup;
    if (l->setup.stop_limit_ns == 0)
        l->setup.stop_limit_ns = STOP_LIMIT_NS;
    l->self = mr_mesh_dispatcher(mr_mesh_shards(setup->dispatcher.mesh));
    l->bell_fd = l->reserve_fd = -1;
    atomic_init(&l->stop_reason, NO_STOP);
    l->setup.dispatcher.port = port_of(l);
    l->setup.dispatcher.now = mr_clock_now();
    if (setup->listen_fd >= 0)
        l->reserve_fd = reserve_open();
    if (!memory_new(l))
        snprintf(why, why_cap, "no memory for the dispatcher's loop: lower --maxpendpeers");
    else if ((l->bell_fd = mr_event_open()) < 0)
        snprintf(why, why_cap, "no eventfd for the dispatcher: %s", strerror(errno));
    else if ((l->ring = mr_ring_open(&ring, why, why_cap)) &&
             (l->dispatcher = mr_dispatcher_new(&l->setup.dispatcher, why, why_cap)))
        return l;
    mr_dispatch_loop_free(l);
    return NULL;
}

void mr_dispatch_loop_free(struct mr_dispatch_loop *l)
{
    if (!l)
        return;
    mr_ring_close(l->ring);
    unpark_all(l);
    for (uint32_t i = 0; l->connections && i < l->slots; i++)
        if (l->connections[i].used && l->connections[i].fd >= 0)
            close(l->connections[i].fd);
    for (size_t i = 0; l->next.at && i < l->next.n; i++)
        if (l->next.at[i].kind == MR_DISPATCHER_ACCEPTED)
            close(l->next.at[i].result);
    if (l->bell_fd >= 0)
        close(l->bell_fd);
    if (l->reserve_fd >= 0)
        close(l->reserve_fd);
    free(atomic_exchange(&l->nodes, NULL));
    mr_dispatcher_free(l->dispatcher);
    free(l->connections);
    free(l->now.at);
    free(l->next.at);
    free(l);
}
