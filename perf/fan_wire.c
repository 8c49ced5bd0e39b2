#include "perf/fan_wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "net/uring/socket.h"
#include "perf/fan_message.h"

#define OP_CONNECT     1
#define OP_RECEIVE     2
#define OP_SEND        3
#define KEEP_BYTES     4096
#define SEAL_BYTES_MAX (4u << 20) /* of one peer and send */

static uint64_t op(uint8_t kind, const struct mr_fan_peer *p)
{
    return mr_op_pack(kind, p->index, 0);
}

void mr_fan_fail(struct mr_fan *f, const char *format, ...)
{
    va_list args;

    if (f->failed)
        return;
    f->failed = true;
    va_start(args, format);
    vsnprintf(f->sentence, sizeof f->sentence, format, args);
    va_end(args);
}

/* ---- connecting ---- */

static void dial(struct mr_fan *f, struct mr_fan_peer *p)
{
    const struct mr_endpoint from = {.ip = mr_load_link_ip(p->index)};
    const bool own_address = mr_ip_is_loopback(f->o->target.tcp.ip) && !f->o->one_address;

    p->state = MR_FAN_DIALLING;
    p->fd = mr_socket_dial(own_address ? &from : NULL);
    if (p->fd < 0 || mr_ring_connect(f->ring, p->fd, f->o->target.tcp, op(OP_CONNECT, p)) != MR_OK)
        mr_fan_fail(f, "connection %u could not be begun", p->index);
}

void mr_fan_connect(struct mr_fan *f)
{
    while (!f->failed && f->dialled < f->o->peers && f->dialled - f->active < f->o->connecting)
        dial(f, &f->peers[f->dialled++]);
}

static void listen_again(struct mr_fan *f, struct mr_fan_peer *p)
{
    if (mr_ring_recv_multishot(f->ring, p->fd, op(OP_RECEIVE, p)) != MR_OK)
        mr_fan_fail(f, "the ring takes no more operations");
}

static void send_wire(struct mr_fan *f, struct mr_fan_peer *p)
{
    if (mr_ring_send(f->ring, p->fd, p->link.wire.p, p->link.wire.n, op(OP_SEND, p)) != MR_OK)
        mr_fan_fail(f, "the ring takes no more operations");
    p->send_out = true;
}

static void on_connect(struct mr_fan *f, struct mr_fan_peer *p, int32_t res)
{
    if (res < 0) {
        mr_fan_fail(f, "connection %u was refused: %s", p->index, strerror(-res));
        return;
    }
    mr_socket_tune(p->fd, &(struct mr_socket_options){0});
    if (mr_load_link_start(&p->link, f->secp, &f->o->target.id) != MR_OK) {
        mr_fan_fail(f, "no key agreement can be begun with that node id");
        return;
    }
    p->state = MR_FAN_ACK;
    listen_again(f, p);
    send_wire(f, p);
}

/* ---- sending ---- */

void mr_fan_dirty(struct mr_fan *f, struct mr_fan_peer *p)
{
    if (p->dirty)
        return;
    p->dirty = true;
    f->dirty[f->dirty_n++] = p->index;
}

static void seal_and_send(struct mr_fan *f, struct mr_load_sealing *s)
{
    mr_load_seal_run(s);
    for (size_t i = 0; i < s->count; i++)
        send_wire(f, s->owners[i]);
    s->count = 0;
    mr_ring_submit(f->ring);
}

void mr_fan_flush(struct mr_fan *f)
{
    static struct mr_load_sealing sealing; /* one run a process */

    for (uint32_t i = 0; i < f->dirty_n; i++) {
        struct mr_fan_peer *p = &f->peers[f->dirty[i]];

        p->dirty = false;
        if (p->send_out)
            continue; /* looked at again when its send completes */
        if (mr_load_seal_add(&sealing, &p->link, p, SEAL_BYTES_MAX) != MR_OK)
            mr_fan_fail(f, "out of memory");
        if (sealing.count == MR_LOAD_SEAL_LINKS)
            seal_and_send(f, &sealing);
    }
    f->dirty_n = 0;
    if (sealing.count > 0)
        seal_and_send(f, &sealing);
}

static void on_send(struct mr_fan *f, struct mr_fan_peer *p, int32_t res)
{
    p->send_out = false;
    if (res != (int32_t)p->link.wire.n) {
        mr_fan_fail(f, "connection %u broke", p->index);
        return;
    }
    mr_load_bytes_clear(&p->link.wire, p->index == MR_FAN_PUBLISHER ? SIZE_MAX : KEEP_BYTES);
    if (mr_load_bytes_left(&p->link.out) > 0)
        mr_fan_dirty(f, p);
}

/* ---- reading ---- */

/* Frames of a session whose MACs are verified. */
static void read_frames(struct mr_fan *f, struct mr_fan_peer *p)
{
    struct mr_load_bytes *in = &p->link.in;

    while (!f->failed && mr_load_bytes_left(in) >= p->link.in_need) {
        struct mr_unseal_job job = {.session = &p->link.session,
                                    .in = in->p + in->at,
                                    .in_len = mr_load_bytes_left(in),
                                    .size_max = mr_transport_frame_max(&p->link.transport)};

        mr_rlpx_unseal(&job, 1, NULL);
        in->at += job.consumed;
        if (job.result == MR_UNSEAL_NEED) {
            p->link.in_need = mr_load_bytes_left(in) + job.need;
            return;
        }
        if (job.result != MR_UNSEAL_FRAME) {
            mr_fan_fail(f, "connection %u: a frame does not verify", p->index);
            return;
        }
        p->link.in_need = MR_FRAME_HEADER_LEN;
        mr_fan_frame(f, p, job.size, mr_span(job.payload, job.size), true);
        if (p->state == MR_FAN_ACTIVE && !p->checks)
            return; /* Hello was the last one to be verified */
    }
}

static void skim(struct mr_fan *f, struct mr_fan_peer *p, struct mr_span in)
{
    struct mr_fan_frame frame;

    while (!f->failed && mr_fan_skim_frame(&p->skim, &frame, &p->link.session, &in))
        mr_fan_frame(f, p, frame.size, frame.data, frame.data.n == frame.size);
}

static void read_kept(struct mr_fan *f, struct mr_fan_peer *p, struct mr_span in)
{
    uint8_t *room = mr_load_bytes_room(&p->link.in, in.n);

    if (!room) {
        mr_fan_fail(f, "out of memory");
        return;
    }
    memcpy(room, in.p, in.n);
    p->link.in.n += in.n;
    if (p->state == MR_FAN_ACK) {
        if (mr_load_link_agree(&p->link) != MR_OK) {
            mr_fan_fail(f, "connection %u: the key agreement failed", p->index);
            return;
        }
        if (p->link.handshake)
            return;
        p->state = MR_FAN_HELLO;
        if (!mr_fan_say_hello(f, p))
            return;
    }
    read_frames(f, p);
    if (p->state == MR_FAN_ACTIVE && !p->checks) { /* from here on without MACs */
        mr_fan_skim_init(&p->skim, &p->link.session);
        skim(f, p, mr_span(p->link.in.p + p->link.in.at, mr_load_bytes_left(&p->link.in)));
        mr_load_bytes_clear(&p->link.in, 0);
    } else if (mr_load_bytes_left(&p->link.in) == 0) {
        mr_load_bytes_clear(&p->link.in, KEEP_BYTES);
    }
}

static void on_receive(struct mr_fan *f, struct mr_fan_peer *p, const struct mr_completion *c)
{
    if (c->res > 0) {
        const struct mr_span in = mr_span(mr_ring_buffer(f->ring, c->bid), (size_t)c->res);

        f->counts.receives++;
        f->counts.bytes_in += in.n;
        if (p->state == MR_FAN_ACTIVE && !p->checks)
            skim(f, p, in);
        else
            read_kept(f, p, in);
    } else if (c->res != -ENOBUFS) {
        mr_fan_fail(f, "connection %u was ended by the hub, in %s", p->index,
                    p->state == MR_FAN_ACTIVE ? "mid-run" : "its handshake");
        return;
    }
    if (!c->more)
        listen_again(f, p);
}

void mr_fan_complete(struct mr_fan *f, const struct mr_completion *c)
{
    struct mr_fan_peer *p = &f->peers[c->slot];

    if (c->op == OP_CONNECT)
        on_connect(f, p, c->res);
    else if (c->op == OP_RECEIVE)
        on_receive(f, p, c);
    else if (c->op == OP_SEND)
        on_send(f, p, c->res);
    if (c->bid != MR_NO_BUFFER)
        mr_ring_buffer_return(f->ring, c->bid);
}
