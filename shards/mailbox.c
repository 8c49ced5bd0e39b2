#include "shards/mailbox.h"

#include <stdlib.h>

struct mr_mesh {
    unsigned shards, threads;
    struct mr_bell *bells;   /* one a consumer */
    struct mr_queue *queues; /* [to][class][from] */
    struct inbox *inboxes;   /* one a consumer, used by it alone */
    struct seat *seats;      /* one a shard, written by it alone */
};

/* Where a consumer stands in its round over producers; producers that may still have mail. */
struct inbox {
    _Alignas(MR_CACHELINE) uint64_t pending;
    unsigned next[MR_MAIL_CLASSES];
};
struct seat {
    _Alignas(MR_CACHELINE) _Atomic uint32_t peers;
    _Atomic uint32_t trusted, others; /* voices */
};

_Static_assert(MR_SHARDS_MAX + 2 <= MR_BELL_PRODUCERS_MAX, "a bit for every thread");

static struct mr_queue *queue_of(const struct mr_mesh *m, unsigned to, unsigned c, unsigned from)
{
    return &m->queues[((size_t)to * MR_MAIL_CLASSES + c) * m->threads + from];
}

/* Which threads write to each other at all: shards with everybody. */
static bool talk(const struct mr_mesh *m, unsigned from, unsigned to)
{
    return from != to && (from < m->shards || to < m->shards);
}

static void *lines(size_t n, size_t size)
{
    void *p = aligned_alloc(MR_CACHELINE, n * size);

    if (p)
        memset(p, 0, n * size);
    return p;
}

struct mr_mesh *mr_mesh_new(unsigned shards, uint32_t sure_slots, uint32_t flow_slots,
                            uint32_t hint_slots)
{
    uint32_t capacity[MR_MAIL_CLASSES] = {sure_slots, flow_slots, hint_slots};
    struct mr_mesh *m = calloc(1, sizeof *m);
    size_t queues;

    if (!m)
        return NULL;
    MR_ASSERT(shards >= 1);
    MR_ASSERT(shards <= MR_SHARDS_MAX);
    m->shards = shards;
    m->threads = shards + 2;
    queues = (size_t)m->threads * m->threads * MR_MAIL_CLASSES;
    m->bells = lines(m->threads, sizeof *m->bells);
    m->inboxes = lines(m->threads, sizeof *m->inboxes);
    m->seats = lines(shards, sizeof *m->seats);
    m->queues = lines(queues, sizeof *m->queues);
    if (!m->bells || !m->inboxes || !m->seats || !m->queues) {
        mr_mesh_free(m);
        return NULL;
    }
    for (unsigned to = 0; to < m->threads; to++)
        for (unsigned from = 0; from < m->threads; from++)
            for (unsigned c = 0; talk(m, from, to) && c < MR_MAIL_CLASSES; c++)
                if (mr_queue_init(queue_of(m, to, c, from), capacity[c], sizeof(struct mr_mail)) !=
                    MR_OK) {
                    mr_mesh_free(m);
                    return NULL;
                }
    return m;
}

void mr_mesh_free(struct mr_mesh *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->queues && i < (size_t)m->threads * m->threads * MR_MAIL_CLASSES; i++)
        if (m->queues[i].slots)
            mr_queue_fini(&m->queues[i]);
    free(m->queues);
    free(m->bells);
    free(m->inboxes);
    free(m->seats);
    free(m);
}

void mr_mesh_drain(struct mr_mesh *m)
{
    struct mr_mail mail;

    for (unsigned to = 0; to < m->threads; to++) {
        m->inboxes[to].pending = (UINT64_C(1) << m->threads) - 1;
        while (mr_mail_take(m, to, &mail))
            if (mail.kind == MR_MAIL_TX || mail.kind == MR_MAIL_BLOB || mail.kind == MR_MAIL_HEAD ||
                (mail.kind == MR_MAIL_VOICE && mail.buf))
                mr_buf_put(NULL, mail.buf);
    }
}

unsigned mr_mesh_shards(const struct mr_mesh *m)
{
    return m->shards;
}

bool mr_mail_send(struct mr_mesh *m, unsigned from, unsigned to, enum mr_mail_class c,
                  const struct mr_mail *mail, bool *wake)
{
    struct mr_mail signed_mail = *mail;

    MR_ASSERT(talk(m, from, to));
    signed_mail.from = (uint8_t)from;
    *wake = false;
    if (!mr_queue_push(queue_of(m, to, c, from), &signed_mail))
        return false;
    *wake = mr_bell_ring(&m->bells[to], from);
    return true;
}

bool mr_mail_room(const struct mr_mesh *m, unsigned from, uint32_t n)
{
    for (unsigned to = 0; to < m->shards; to++) {
        const struct mr_queue *q = queue_of(m, to, MR_MAIL_FLOW, from);

        if (to != from && q->capacity - mr_queue_count(q) < n)
            return false;
    }
    return true;
}

/* The bell tells which producers rang; their bits stay pending until all their queues are empty. */
bool mr_mail_take(struct mr_mesh *m, unsigned self, struct mr_mail *out)
{
    struct inbox *in = &m->inboxes[self];

    in->pending |= mr_bell_take(&m->bells[self]);
    if (in->pending == 0)
        return false;
    for (unsigned c = 0; c < MR_MAIL_CLASSES; c++) {
        for (unsigned i = 0; i < m->threads; i++) {
            unsigned from = (in->next[c] + i) % m->threads;

            if (!(in->pending >> from & 1) || !talk(m, from, self))
                continue;
            if (mr_queue_pop(queue_of(m, self, c, from), out)) {
                in->next[c] = (from + 1) % m->threads;
                return true;
            }
        }
    }
    in->pending = 0;
    return false;
}

bool mr_mail_sleep(struct mr_mesh *m, unsigned self)
{
    return m->inboxes[self].pending == 0 && mr_bell_sleep(&m->bells[self]);
}

void mr_mail_awake(struct mr_mesh *m, unsigned self)
{
    mr_bell_awake(&m->bells[self]);
}

void mr_mesh_set_peers(struct mr_mesh *m, unsigned shard, uint32_t peers)
{
    atomic_store_explicit(&m->seats[shard].peers, peers, memory_order_relaxed);
}

uint32_t mr_mesh_peers(const struct mr_mesh *m)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < m->shards; i++)
        n += atomic_load_explicit(&m->seats[i].peers, memory_order_relaxed);
    return n;
}

void mr_mesh_set_voices(struct mr_mesh *m, unsigned shard, uint32_t trusted, uint32_t others)
{
    atomic_store_explicit(&m->seats[shard].trusted, trusted, memory_order_relaxed);
    atomic_store_explicit(&m->seats[shard].others, others, memory_order_relaxed);
}

void mr_mesh_voices(const struct mr_mesh *m, unsigned shard, uint32_t *trusted, uint32_t *others)
{
    *trusted = atomic_load_explicit(&m->seats[shard].trusted, memory_order_relaxed);
    *others = atomic_load_explicit(&m->seats[shard].others, memory_order_relaxed);
}

const char *mr_closed_text(enum mr_closed_reason r)
{
    switch (r) {
#define MR_CLOSED_CASE(name, text)                                                                 \
    case MR_CLOSED_##name:                                                                         \
        return text;
        MR_CLOSED_MAP(MR_CLOSED_CASE)
#undef MR_CLOSED_CASE
    case MR_CLOSED_COUNT:
        break;
    }
    return "unknown";
}
