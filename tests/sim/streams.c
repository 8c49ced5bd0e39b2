#include "tests/sim/streams.h"

#include <errno.h>
#include <stdlib.h>

struct sim_chunk {
    struct sim_chunk *next;
    struct sim_chunk *all_next, *all_prev;
    struct sim_pipe *pipe;
    size_t n, taken;
    uint8_t data[];
};

void sim_net_init(struct sim_net *n, struct sim *sim)
{
    *n = (struct sim_net){.sim = sim, .all = NULL};
}

static void chunk_free(struct sim_chunk *c)
{
    struct sim_net *n = c->pipe->net;

    if (c->all_prev)
        c->all_prev->all_next = c->all_next;
    else
        n->all = c->all_next;
    if (c->all_next)
        c->all_next->all_prev = c->all_prev;
    free(c);
}

void sim_net_fini(struct sim_net *n)
{
    while (n->all)
        chunk_free(n->all);
    for (uint32_t i = 0; i < n->ends_count; i++) {
        free(n->ends[i].in->sends.v);
        free(n->ends[i].in->reads.v);
        free(n->ends[i].in);
    }
    free(n->ends);
}

static struct sim_pipe *pipe_new(struct sim_net *n, const struct sim_profile *profile)
{
    struct sim_pipe *p = sim_alloc(sizeof *p);

    p->profile = *profile;
    p->net = n;
    return p;
}

void sim_net_connect(struct sim_net *n, int *a, int *b, const struct sim_profile *there,
                     const struct sim_profile *back)
{
    struct sim_pipe *to = pipe_new(n, there), *from = pipe_new(n, back);

    if (n->ends_count + 2 > n->ends_cap) {
        n->ends_cap = MR_MAX(2 * n->ends_cap, 64u);
        n->ends = realloc(n->ends, n->ends_cap * sizeof *n->ends);
        MR_ASSERT(n->ends);
    }
    *a = (int)n->ends_count++;
    *b = (int)n->ends_count++;
    n->ends[*a] = (struct sim_end){.in = from, .out = to};
    n->ends[*b] = (struct sim_end){.in = to, .out = from};
    to->writer_end = from->reader_end = (uint32_t)*a;
    to->reader_end = from->writer_end = (uint32_t)*b;
}

static struct sim_end *end_of(struct sim_net *n, int end)
{
    MR_ASSERT(end >= 0);
    MR_ASSERT((uint32_t)end < n->ends_count);
    return &n->ends[end];
}

static void mark(struct sim_marks *m, uint64_t offset, uint64_t at_ns)
{
    if (m->n == m->cap) {
        m->cap = MR_MAX(2 * m->cap, 16u);
        m->v = realloc(m->v, m->cap * sizeof *m->v);
        MR_ASSERT(m->v);
    }
    m->v[m->n++] = (struct sim_mark){offset, at_ns};
}

uint64_t sim_net_sent_at(const struct sim_net *n, int end, uint64_t offset)
{
    const struct sim_marks *m = &n->ends[end].in->sends;

    for (size_t i = m->n; i-- > 0;) /* the last one that began before it */
        if (m->v[i].offset < offset)
            return m->v[i].at_ns;
    return UINT64_MAX;
}

uint64_t sim_net_read_at(const struct sim_net *n, int end, uint64_t offset)
{
    const struct sim_marks *m = &n->ends[end].out->reads;
    size_t low = 0, high = m->n;

    while (low < high) { /* the first one that ended behind it */
        size_t middle = low + (high - low) / 2;

        if (m->v[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->n ? m->v[low].at_ns : UINT64_MAX;
}

static void feed(struct sim_pipe *p);
static void pump(struct sim_pipe *p);

/* ---- writing ---- */

static void send_ends(void *ctx, uint64_t owner)
{
    struct sim_pipe *p = ctx;
    struct sim_end *e = &p->net->ends[p->writer_end];

    if (e->closed || e->owner != owner || !e->h.sent)
        return;
    e->h.sent(e->h.ctx, e->h.tag, p->broken ? -EPIPE : (int32_t)p->out_n);
}

static void chunk_arrives(void *ctx, uint64_t arg)
{
    struct sim_chunk *c = ctx;
    struct sim_pipe *p = c->pipe;

    (void)arg;
    p->in_flight -= c->n;
    if (p->gone) {
        chunk_free(c);
        pump(p);
        return;
    }
    p->unread += c->n;
    if (p->tail)
        p->tail->next = c;
    else
        p->head = c;
    p->tail = c;
    feed(p);
}

static void fin_arrives(void *ctx, uint64_t arg)
{
    struct sim_pipe *p = ctx;

    (void)arg;
    p->fin_arrived = true;
    feed(p);
}

static uint64_t arrival(struct sim_pipe *p)
{
    struct sim *s = p->net->sim;
    uint64_t jitter = p->profile.jitter_ns ? sim_between(s, 0, p->profile.jitter_ns) : 0;

    p->last_arrival_ns = MR_MAX(p->last_arrival_ns, p->free_ns + p->profile.latency_ns + jitter);
    return p->last_arrival_ns;
}

static void chunk_leaves(struct sim_pipe *p, size_t n)
{
    struct sim *s = p->net->sim;
    struct sim_chunk *c = sim_alloc(sizeof *c + n);

    c->pipe = p;
    c->n = n;
    memcpy(c->data, p->out + p->out_done, n);
    c->all_next = p->net->all;
    if (c->all_next)
        c->all_next->all_prev = c;
    p->net->all = c;
    p->out_done += n;
    p->in_flight += n;
    p->sent_total += n;
    p->free_ns = MR_MAX(p->free_ns, s->now_ns) + n * MR_SECOND / p->profile.bytes_per_s;
    sim_at(s, arrival(p), chunk_arrives, c, 0);
}

static void pump(struct sim_pipe *p)
{
    struct sim *s = p->net->sim;

    if (!p->sending)
        return;
    while (!p->broken && p->out_done < p->out_n && p->in_flight + p->unread < p->profile.window) {
        size_t room = p->profile.window - p->in_flight - p->unread;
        size_t n = MR_MIN(p->out_n - p->out_done, room);
        size_t cut = sim_between(s, 1, p->profile.segment_max);

        chunk_leaves(p, MR_MIN(n, cut));
    }
    if (!p->broken && p->out_done < p->out_n)
        return;
    p->sending = false;
    sim_at(s, MR_MAX(p->free_ns, s->now_ns), send_ends, p, p->out_owner);
}

void sim_net_send(struct sim_net *n, int end, const uint8_t *p, size_t bytes)
{
    struct sim_end *e = end_of(n, end);
    struct sim_pipe *out = e->out;

    MR_ASSERT(!e->closed);
    MR_ASSERT(!out->sending);
    MR_ASSERT(!out->fin);
    MR_ASSERT(bytes > 0);
    out->out = p;
    out->out_n = bytes;
    out->out_done = 0;
    out->out_owner = e->owner;
    out->sending = true;
    mark(&out->sends, out->sent_total, n->sim->now_ns);
    pump(out);
}

void sim_net_shut(struct sim_net *n, int end)
{
    struct sim_pipe *out = end_of(n, end)->out;

    if (out->fin)
        return;
    out->fin = true;
    out->sending = false; /* the rest of a send that was under way is lost */
    out->last_arrival_ns = MR_MAX(out->last_arrival_ns, n->sim->now_ns + out->profile.latency_ns);
    if (!out->broken)
        sim_at(n->sim, out->last_arrival_ns, fin_arrives, out, 0); /* with the last byte */
}

/* ---- reading ---- */

/* Takes n bytes of the first chunk. */
static void chunk_take(struct sim_pipe *p, size_t n)
{
    struct sim_chunk *c = p->head;

    c->taken += n;
    p->unread -= n;
    p->read_total += n;
    mark(&p->reads, p->read_total, p->net->sim->now_ns);
    if (c->taken < c->n)
        return;
    p->head = c->next;
    if (!p->head)
        p->tail = NULL;
    chunk_free(c);
}

static void feed_stream(struct sim_pipe *p, struct sim_end *e)
{
    struct sim_chunk *c = p->head;
    size_t n = c->n - c->taken;
    uint8_t *copy = sim_alloc(n);

    memcpy(copy, c->data + c->taken, n);
    chunk_take(p, n);
    e->h.received(e->h.ctx, e->h.tag, copy, n);
    free(copy);
}

static void exact_done(struct sim_pipe *p, struct sim_end *e)
{
    p->reading = SIM_READ_NONE;
    e->h.received(e->h.ctx, e->h.tag, p->into, p->have);
}

static void feed_exact(struct sim_pipe *p, struct sim_end *e)
{
    struct sim_chunk *c = p->head;
    size_t n = MR_MIN(c->n - c->taken, p->want - p->have);

    memcpy(p->into + p->have, c->data + c->taken, n);
    p->have += n;
    chunk_take(p, n);
    if (p->have == p->want)
        exact_done(p, e);
}

static void feed(struct sim_pipe *p)
{
    struct sim_end *e;

    if (p->feeding) /* a handler asked for more: the loop below goes on */
        return;
    p->feeding = true;
    while (e = &p->net->ends[p->reader_end], p->head && p->reading != SIM_READ_NONE) {
        if (p->reading == SIM_READ_DROP)
            chunk_take(p, p->head->n - p->head->taken);
        else if (p->reading == SIM_READ_STREAM)
            feed_stream(p, e);
        else
            feed_exact(p, e);
    }
    if (p->fin_arrived && !p->head && p->in_flight == 0 && p->reading != SIM_READ_NONE &&
        !p->end_told) {
        p->end_told = true;
        if (p->reading == SIM_READ_EXACT)
            exact_done(p, e);
        else if (e->h.ended)
            e->h.ended(e->h.ctx, e->h.tag);
    }
    p->feeding = false;
    pump(p); /* room in the window */
}

void sim_net_read(struct sim_net *n, int end, enum sim_reading how)
{
    struct sim_pipe *in = end_of(n, end)->in;

    MR_ASSERT(how != SIM_READ_EXACT);
    in->reading = how;
    feed(in);
}

void sim_net_read_exact(struct sim_net *n, int end, uint8_t *into, size_t want)
{
    struct sim_pipe *in = end_of(n, end)->in;

    MR_ASSERT(want > 0);
    in->into = into;
    in->want = want;
    in->have = 0;
    in->end_told = false; /* whoever reads on behind the end is told again */
    in->reading = SIM_READ_EXACT;
    feed(in);
}

void sim_net_own(struct sim_net *n, int end, const struct sim_handlers *h)
{
    struct sim_end *e = end_of(n, end);

    MR_ASSERT(!e->out->sending);
    e->h = *h;
    e->owner++;
    e->in->reading = SIM_READ_NONE;
}

static void breaks(void *ctx, uint64_t arg)
{
    struct sim_pipe *p = ctx;

    (void)arg;
    p->broken = true;
    pump(p);
}

/* Nobody reads any more: what is under way is lost, and the writer's sends fail, when word of that
 * has come to it: behind whatever came the same way before. */
static void reader_gone(struct sim_pipe *p, uint64_t word_ns)
{
    p->reading = SIM_READ_NONE;
    p->gone = true;
    while (p->head)
        chunk_take(p, p->head->n - p->head->taken);
    pump(p);
    sim_at(p->net->sim, word_ns, breaks, p, 0);
}

void sim_net_close(struct sim_net *n, int end)
{
    struct sim_end *e = end_of(n, end);

    if (e->closed)
        return;
    sim_net_shut(n, end);
    e->closed = true;
    reader_gone(e->in, e->out->last_arrival_ns);
}

void sim_net_cut(struct sim_net *n, int end)
{
    struct sim_end *e = end_of(n, end);

    e->out->fin = true; /* and it never arrives */
    e->out->sending = false;
    e->out->broken = e->out->gone = true;
    e->closed = true;
    e->in->reading = SIM_READ_NONE;
}
