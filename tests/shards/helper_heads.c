#include "tests/shards/helper_heads.h"

#include <stdlib.h>

#include "core/rlp.h"

#define SLOTS 40

static struct heads_mail *mail_new(struct heads *w)
{
    static struct heads_mail lost;

    if (w->lose_every && ++w->mails % w->lose_every == 0)
        return &lost;
    MR_ASSERT(w->mail_count < HEADS_MAIL_MAX);
    return &w->mail[w->mail_count++];
}

static void on_ask(void *ctx, unsigned shard, const struct mr_head_ask *ask)
{
    struct heads_mail *m = mail_new(ctx);

    m->is_ask = true;
    m->to = shard;
    m->ask = *ask;
}

static void on_voice(void *ctx, const struct mr_head_voice *v)
{
    struct heads_mail *m = mail_new(ctx);

    MR_ASSERT(v->headers.n <= sizeof m->headers);
    m->is_ask = false;
    m->to = 0;
    m->voice = *v;
    if (v->headers.n > 0)
        memcpy(m->headers, v->headers.p, v->headers.n);
    m->voice.headers = mr_span(m->headers, v->headers.n);
}

static struct mr_head_voices on_voices(void *ctx, unsigned shard)
{
    return mr_head_own_voices(((struct heads *)ctx)->h[shard]);
}

void heads_init(struct heads *w, unsigned shards)
{
    struct mr_head_hooks hooks = {.ctx = w, .ask = on_ask, .voice = on_voice, .voices = on_voices};

    memset(w, 0, sizeof *w);
    mr_relay_options_tiny(&w->o);
    w->network = mr_network_find("mainnet");
    w->shards = shards;
    w->now =
        (struct mr_time){.mono_ns = 1000 * MR_SECOND, .wall_ns = (CHAIN_TIME + 100000) * MR_SECOND};
    for (unsigned i = 0; i < shards; i++) {
        w->h[i] = mr_head_new(&w->o, w->network, SLOTS, i, shards, &hooks);
        MR_ASSERT(w->h[i]);
    }
}

void heads_free(struct heads *w)
{
    for (unsigned i = 0; i < w->shards; i++)
        mr_head_free(w->h[i]);
}

void heads_claim(struct heads *w, const struct heads_peer *p, uint64_t earliest)
{
    const struct chain_block *b = &p->chain[p->newest];

    mr_head_peer_claim(
        w->h[p->shard], p->slot,
        &(struct mr_head_claim){.earliest = earliest, .number = b->number, .hash = b->hash});
}

struct heads_peer *heads_join(struct heads *w, unsigned shard, bool trusted,
                              const struct chain_block *chain, unsigned newest)
{
    struct heads_peer *p = &w->peers[w->peers_count];
    struct mr_endpoint at = {.ip = 0x0b000001u + (w->peers_count << 16), .port = 30303};
    const struct chain_block *b = &chain[newest];

    MR_ASSERT(w->peers_count < HEADS_PEERS_MAX);
    *p = (struct heads_peer){
        .shard = shard, .slot = w->peers_count++, .chain = chain, .newest = newest};
    mr_head_peer_add(w->h[shard], p->slot, at, trusted,
                     &(struct mr_head_claim){.number = b->number, .hash = b->hash});
    return p;
}

void heads_leave(struct heads *w, struct heads_peer *p)
{
    mr_head_peer_remove(w->h[p->shard], p->slot, w->now.mono_ns);
}

static void answer(struct heads *w, struct heads_peer *p, uint64_t id)
{
    static uint8_t room[MR_HEAD_RUN_MAX];
    struct mr_writer out = mr_writer(room, sizeof room);

    if (!p->ignorant)
        chain_answer(p->chain, p->newest, &p->query, &out);
    p->told =
        mr_head_answer(w->h[p->shard], p->slot, id, mr_reader_of(mr_writer_span(&out)), w->now);
}

/* One turn of a shard's head. True: something moved. */
static bool turn(struct heads *w, unsigned shard)
{
    struct mr_get_block_headers q;
    bool moved = false;
    unsigned n = 0;
    uint32_t slot;
    uint64_t id;

    while (mr_head_next_request(w->h[shard], &slot, &id, &q, w->now.mono_ns)) {
        struct heads_peer *p = &w->peers[slot];

        MR_ASSERT(p->shard == shard);
        MR_ASSERT(n++ < 1000); /* or peers are asked without end */
        p->asked++;
        p->query = q;
        if (!p->silent)
            answer(w, p, id);
        moved = true;
    }
    return moved;
}

static void publish(struct heads *w)
{
    uint8_t room[MR_HEAD_RUN_MAX];

    for (unsigned i = 1; i < w->shards; i++) {
        struct mr_writer run = mr_writer(room, sizeof room);

        if (w->told[i] == mr_head_changes(w->h[0]))
            continue;
        w->told[i] = mr_head_changes(w->h[0]);
        mr_head_run(w->h[0], &run);
        mr_head_adopt(w->h[i], mr_writer_span(&run));
    }
}

void heads_play(struct heads *w)
{
    for (bool moved = true; moved;) {
        moved = false;
        for (unsigned i = 0; i < w->shards; i++)
            moved |= turn(w, i);
        for (unsigned i = 0; i < w->mail_count; i++) { /* more may come meanwhile */
            struct heads_mail m = w->mail[i];

            m.voice.headers.p = m.headers;
            if (m.is_ask)
                mr_head_take_ask(w->h[m.to], &m.ask, w->now.mono_ns);
            else
                mr_head_take_voice(w->h[m.to], &m.voice, w->now.mono_ns);
            moved = true;
        }
        w->mail_count = 0;
        publish(w);
    }
}

void heads_pass(struct heads *w, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        w->now.mono_ns += MR_SECOND;
        w->now.wall_ns += MR_SECOND;
        heads_play(w);
    }
}

bool heads_are(const struct heads *w, const struct chain_block *b)
{
    for (unsigned i = 0; i < w->shards; i++)
        if (!mr_head_known(w->h[i]) || !mr_hash_equal(&mr_head_header(w->h[i])->hash, &b->hash))
            return false;
    return true;
}
