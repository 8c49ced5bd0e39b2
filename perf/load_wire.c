#include "perf/load_wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/uring/socket.h"

#define OP_CONNECT    1
#define OP_RECEIVE    2
#define OP_SEND       3
#define JOBS_MAX      256
#define KEEP_BYTES    4096
#define LOOK_AGAIN_NS (50 * MR_MS)
#define RETRY_MIN_NS  (100 * MR_MS)
#define RETRY_MAX_NS  (5 * MR_SECOND)

static uint64_t op(uint8_t kind, const struct mr_load_peer *p)
{
    return mr_op_pack(kind, p->index, p->generation);
}

/* ---- connecting and ending ---- */

static void listen_again(struct mr_load *l, struct mr_load_peer *p)
{
    if (mr_ring_recv_multishot(l->ring, p->fd, op(OP_RECEIVE, p)) != MR_OK)
        mr_load_peer_end(l, p, MR_LOAD_END_MEMORY);
    else
        p->receive_out = true;
}

static void dial(struct mr_load *l, struct mr_load_peer *p)
{
    const struct mr_endpoint from = {.ip = mr_load_link_ip(p->index)};
    const bool loopback = mr_ip_is_loopback(l->o->target.tcp.ip);

    p->since_ns = l->now.mono_ns;
    p->attempts++;
    p->state = MR_LOAD_DIALLING;
    l->connecting++;
    if (l->connect_begin_ns == 0)
        l->connect_begin_ns = l->now.mono_ns;
    p->fd = mr_socket_dial(loopback ? &from : NULL);
    if (p->fd < 0 ||
        mr_ring_connect(l->ring, p->fd, l->o->target.tcp, op(OP_CONNECT, p)) != MR_OK) {
        mr_load_peer_end(l, p, MR_LOAD_END_DIAL);
        mr_load_reap(l, p);
        return;
    }
    p->connect_out = true;
}

/* Retries that are due, and attempts that take too long. */
static void look_again(struct mr_load *l)
{
    l->looked_ns = l->now.mono_ns;
    for (uint32_t i = 0; i < l->next_new; i++) {
        struct mr_load_peer *p = &l->peers[i];

        if (p->state == MR_LOAD_IDLE && l->connecting < l->o->connecting &&
            l->now.mono_ns >= p->retry_ns)
            dial(l, p);
        else if (p->state > MR_LOAD_IDLE && p->state < MR_LOAD_ACTIVE &&
                 l->now.mono_ns - p->since_ns > MR_LOAD_ATTEMPT_NS)
            mr_load_peer_end(l, p, MR_LOAD_END_TIMEOUT);
        mr_load_reap(l, p);
    }
}

void mr_load_connect(struct mr_load *l)
{
    while (l->next_new < l->peers_count && l->connecting < l->o->connecting)
        dial(l, &l->peers[l->next_new++]);
    if (l->now.mono_ns - l->looked_ns > LOOK_AGAIN_NS)
        look_again(l);
}

/* Nothing of the peer is in the kernel any more. */
static void closed(struct mr_load *l, struct mr_load_peer *p)
{
    const uint64_t wait = RETRY_MIN_NS << MR_MIN(p->attempts, 8);

    if (!l->load_begun)
        l->counts.ends[p->end]++;
    else if (!l->finished)
        l->counts.ends_later[p->end]++;
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->generation++;
    mr_load_peer_fini(p);
    if (l->load_begun || p->attempts >= MR_LOAD_ATTEMPTS) {
        p->state = MR_LOAD_GONE;
        return;
    }
    l->counts.retries++;
    p->state = MR_LOAD_IDLE;
    p->retry_ns = l->now.mono_ns + MR_MIN(wait, RETRY_MAX_NS);
}

void mr_load_reap(struct mr_load *l, struct mr_load_peer *p)
{
    if (p->state != MR_LOAD_CLOSING)
        return;
    if (p->fd >= 0)
        shutdown(p->fd, SHUT_RDWR);
    if (p->connect_out) /* a connect is not ended by a shutdown in all its states */
        (void)!mr_ring_cancel(l->ring, op(OP_CONNECT, p));
    if (!p->connect_out && !p->receive_out && !p->send_out)
        closed(l, p);
}

/* ---- sending ---- */

static void send_wire(struct mr_load *l, struct mr_load_peer *p)
{
    if (mr_ring_send(l->ring, p->fd, p->link.wire.p, p->link.wire.n, op(OP_SEND, p)) != MR_OK) {
        mr_load_peer_end(l, p, MR_LOAD_END_MEMORY);
        return;
    }
    p->send_out = true;
    p->send_since_ns = l->now.mono_ns;
    mr_keepalive_spoke(&p->alive, mr_time_mono_ms(l->now));
}

static void seal_and_send(struct mr_load *l, struct mr_load_sealing *s)
{
    mr_load_seal_run(s);
    for (size_t i = 0; i < s->count; i++) {
        struct mr_load_peer *p = s->owners[i];

        send_wire(l, p);
        mr_load_reap(l, p);
    }
    s->count = 0;
    mr_ring_submit(l->ring);
}

void mr_load_flush(struct mr_load *l)
{
    static struct mr_load_sealing sealing; /* one run a process */
    uint32_t n = l->dirty_n;

    l->dirty_n = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct mr_load_peer *p = &l->peers[l->dirty[i]];

        p->dirty = false;
        if (!mr_load_peer_has_session(p) || p->send_out)
            continue; /* looked at again when its send completes */
        if (mr_load_seal_add(&sealing, &p->link, p, MR_LOAD_OUT_MAX) != MR_OK)
            mr_load_peer_end(l, p, MR_LOAD_END_MEMORY);
        if (sealing.count == MR_LOAD_SEAL_LINKS)
            seal_and_send(l, &sealing);
    }
    if (sealing.count > 0)
        seal_and_send(l, &sealing);
}

static void mark_dirty(struct mr_load *l, struct mr_load_peer *p)
{
    if (p->dirty)
        return;
    p->dirty = true;
    l->dirty[l->dirty_n++] = p->index;
}

/* ---- completions ---- */

static void on_connect(struct mr_load *l, struct mr_load_peer *p, int32_t res)
{
    p->connect_out = false;
    if (p->state == MR_LOAD_CLOSING)
        return;
    if (res < 0) {
        mr_load_peer_end(l, p, MR_LOAD_END_DIAL);
        return;
    }
    mr_socket_tune(p->fd, &MR_SOCKET_OPTIONS_DEFAULT);
    mr_load_peer_dialled(l, p);
    if (p->state == MR_LOAD_ACK) {
        listen_again(l, p);
        send_wire(l, p);
    }
}

static void on_receive(struct mr_load *l, struct mr_load_peer *p, const struct mr_completion *c)
{
    p->receive_out = c->more;
    if (p->state == MR_LOAD_CLOSING)
        return;
    if (c->res > 0) {
        uint8_t *room = mr_load_bytes_room(&p->link.in, (size_t)c->res);

        if (!room) {
            mr_load_peer_end(l, p, MR_LOAD_END_MEMORY);
            return;
        }
        memcpy(room, mr_ring_buffer(l->ring, c->bid), (size_t)c->res);
        p->link.in.n += (size_t)c->res;
        l->counts.bytes_in += (uint64_t)c->res;
        if (!p->ready) {
            p->ready = true;
            l->ready[l->ready_n++] = p->index;
        }
    } else if (c->res != -ENOBUFS) {
        /* What came before the end is read first: it may say why. */
        mr_load_read_all(l);
        mr_load_peer_end(l, p, MR_LOAD_END_CLOSED);
        return;
    }
    if (!c->more)
        listen_again(l, p);
}

static void on_send(struct mr_load *l, struct mr_load_peer *p, int32_t res)
{
    p->send_out = false;
    if (res > 0)
        l->counts.bytes_out += (uint64_t)res;
    if (p->state == MR_LOAD_CLOSING)
        return;
    if (res != (int32_t)p->link.wire.n) {
        mr_load_read_all(l);
        mr_load_peer_end(l, p, MR_LOAD_END_CLOSED);
        return;
    }
    mr_load_bytes_clear(&p->link.wire, KEEP_BYTES);
    if (mr_load_bytes_left(&p->link.out) > 0)
        mark_dirty(l, p);
    if (l->load_begun && p->index < l->track.senders)
        mr_load_send_due(l, p);
}

void mr_load_complete(struct mr_load *l, const struct mr_completion *c)
{
    struct mr_load_peer *p = &l->peers[c->slot];

    if (!mr_completion_is_stale(c, p->generation)) {
        if (c->op == OP_CONNECT)
            on_connect(l, p, c->res);
        else if (c->op == OP_RECEIVE)
            on_receive(l, p, c);
        else if (c->op == OP_SEND)
            on_send(l, p, c->res);
        mr_load_reap(l, p);
    }
    if (c->bid != MR_NO_BUFFER)
        mr_ring_buffer_return(l->ring, c->bid);
}

/* ---- reading ---- */

/* What one step left behind. True: the peer may have another frame. */
static bool step_done(struct mr_load *l, struct mr_load_peer *p, const struct mr_unseal_job *job)
{
    p->link.in.at += job->consumed;
    switch (job->result) {
    case MR_UNSEAL_FRAME:
        p->link.in_need = MR_FRAME_HEADER_LEN;
        mr_load_frame(l, p, mr_span(job->payload, job->size));
        return mr_load_peer_has_session(p);
    case MR_UNSEAL_NEED:
        p->link.in_need = mr_load_bytes_left(&p->link.in) + job->need;
        return false;
    case MR_UNSEAL_HEADER: /* over size_max */
        l->counts.faults[MR_P2P_FRAME_TOO_BIG]++;
        break;
    case MR_UNSEAL_AUTH:
    case MR_UNSEAL_MALFORMED:
        break;
    }
    mr_strict_fault(l->strict, &p->strict, MR_STRICT_TRANSPORT);
    mr_load_peer_end(l, p, MR_LOAD_END_TRANSPORT);
    return false;
}

/* One frame of each peer in the list; keeps those in it that may have more. */
static void read_round(struct mr_load *l)
{
    static struct mr_unseal_job jobs[JOBS_MAX];
    static struct mr_load_peer *peers[JOBS_MAX];
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->ready_n;) {
        size_t n = 0;

        for (; i < l->ready_n && n < JOBS_MAX; i++) {
            struct mr_load_peer *p = &l->peers[l->ready[i]];

            if (p->state == MR_LOAD_ACK)
                mr_load_peer_agree(l, p);
            if (!mr_load_peer_has_session(p) || mr_load_bytes_left(&p->link.in) < p->link.in_need) {
                p->ready = false;
                mr_load_reap(l, p);
                continue;
            }
            peers[n] = p;
            jobs[n++] =
                (struct mr_unseal_job){.session = &p->link.session,
                                       .in = p->link.in.p + p->link.in.at,
                                       .in_len = mr_load_bytes_left(&p->link.in),
                                       .size_max = mr_transport_frame_max(&p->link.transport)};
        }
        mr_rlpx_unseal(jobs, n, NULL);
        l->now = mr_clock_now();
        for (size_t k = 0; k < n; k++) {
            if (step_done(l, peers[k], &jobs[k]))
                l->ready[kept++] = peers[k]->index;
            else
                peers[k]->ready = false;
        }
        mr_load_batch_run(l); /* before any of these peers' bytes move */
        for (size_t k = 0; k < n; k++) {
            if (mr_load_bytes_left(&peers[k]->link.in) == 0)
                mr_load_bytes_clear(&peers[k]->link.in, KEEP_BYTES);
            mr_load_reap(l, peers[k]);
        }
    }
    l->ready_n = kept;
}

void mr_load_read_all(struct mr_load *l)
{
    while (l->ready_n > 0)
        read_round(l);
}
