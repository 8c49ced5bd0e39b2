/* follow.c: what a shard does with its head (see shard.h): asks peers, tells other shards, sets
 * rules, tells peers. */
#include "shards/shard_state.h"

/* ---- mail: any of it may be lost ---- */

/* Takes the buffer, if there is one. */
static bool send(struct mr_shard *s, unsigned to, const struct mr_mail *mail)
{
    bool wake = false, sent;

    sent = mr_mail_send(s->setup.mesh, s->setup.self, to, MR_MAIL_HINT, mail, &wake);
    if (!sent) {
        MR_COUNT(s->metrics.head_mail_lost, 1);
        if (mail->buf)
            mr_buf_put(&s->pool, mail->buf);
    }
    if (wake)
        s->setup.port.wake(s->setup.port.ctx, to);
    return sent;
}

static struct mr_buf *buffer(struct mr_shard *s, size_t n)
{
    struct mr_buf *b = mr_buf_get(&s->pool, n);

    if (!b)
        MR_COUNT(s->metrics.head_mail_lost, 1);
    return b;
}

#define ASK_TRUSTED 1u
#define ASK_FRESH   2u

static void on_ask(void *ctx, unsigned shard, const struct mr_head_ask *ask)
{
    send(ctx, shard,
         &(struct mr_mail){.kind = MR_MAIL_ASK,
                           .a = ask->round | (uint64_t)ask->place << 32,
                           .b = (ask->trusted ? ASK_TRUSTED : 0) | (ask->fresh ? ASK_FRESH : 0),
                           .hash = ask->origin});
}

void mr_follow_take_ask(struct mr_shard *s, const struct mr_mail *m)
{
    mr_head_take_ask(s->head,
                     &(struct mr_head_ask){.round = (uint32_t)m->a,
                                           .place = (uint8_t)(m->a >> 32),
                                           .trusted = m->b & ASK_TRUSTED,
                                           .fresh = m->b & ASK_FRESH,
                                           .origin = m->hash},
                     s->now_ns);
}

#define VOICE_WORD_AT 32
#define VOICE_LOCAL   (UINT64_C(1) << 40)

static void on_voice(void *ctx, const struct mr_head_voice *v)
{
    struct mr_shard *s = ctx;
    struct mr_mail mail = {.kind = MR_MAIL_VOICE,
                           .a = v->round | (uint64_t)v->place << 32,
                           .b = v->net16 | (uint64_t)v->word << VOICE_WORD_AT |
                                (v->local ? VOICE_LOCAL : 0)};

    if (v->headers.n > 0) {
        if (!(mail.buf = buffer(s, v->headers.n)))
            return;
        memcpy(mail.buf->data, v->headers.p, v->headers.n);
    }
    send(s, 0, &mail);
}

void mr_follow_take_voice(struct mr_shard *s, const struct mr_mail *m)
{
    struct mr_head_voice v = {.round = (uint32_t)m->a,
                              .place = (uint8_t)(m->a >> 32),
                              .word = (uint8_t)(m->b >> VOICE_WORD_AT),
                              .local = m->b & VOICE_LOCAL,
                              .net16 = (uint32_t)m->b};

    if (m->buf)
        v.headers = mr_buf_span(m->buf);
    mr_head_take_voice(s->head, &v, s->now_ns);
    if (m->buf)
        mr_buf_put(&s->pool, m->buf);
}

static struct mr_head_voices on_voices(void *ctx, unsigned shard)
{
    const struct mr_shard *s = ctx;
    struct mr_head_voices v;

    mr_mesh_voices(s->setup.mesh, shard, &v.trusted, &v.others);
    return v;
}

void mr_follow_hooks(struct mr_shard *s, struct mr_head_hooks *hooks)
{
    *hooks =
        (struct mr_head_hooks){.ctx = s, .ask = on_ask, .voice = on_voice, .voices = on_voices};
}

/* From shard 0, which decides, a reference for each that does not have its head. A full queue is
 * tried again in the next turn. */
static void publish_head(struct mr_shard *s)
{
    struct mr_mail mail = {.kind = MR_MAIL_HEAD, .buf = buffer(s, MR_HEAD_RUN_MAX)};
    uint64_t owed = s->head_owed;
    struct mr_writer w;

    if (!mail.buf)
        return;
    w = mr_writer(mail.buf->data, mail.buf->size);
    mr_head_run(s->head, &w);
    mail.buf->size = (uint32_t)w.n;
    for (unsigned to = 1; owed >> to; to++) {
        if (!(owed >> to & 1))
            continue;
        mr_buf_hold(mail.buf, 1);
        if (send(s, to, &mail))
            s->head_owed &= ~(UINT64_C(1) << to);
    }
    mr_buf_put(&s->pool, mail.buf);
}

/* ---- what follows from the head ---- */

/* Rules, base fee and gas limit follow the head. */
static void follow_head(struct mr_shard *s)
{
    const struct mr_header *h = mr_head_header(s->head);
    struct mr_admit_head a = {.known = h != NULL};
    uint64_t wei;

    if (h) {
        a.gas_limit = h->gas_limit;
        a.has_base_fee = mr_header_next_base_fee(h, &wei);
        if (a.has_base_fee)
            mr_store_be64(a.base_fee.b + 24, wei);
    }
    mr_admit_set_head(s->admit, &a, mr_head_number(s->head), mr_head_time(s->head),
                      mr_time_wall_s(s->now));
    s->rules_at_ns = s->now_ns;
}

/* The head moved, by our peers' word or another shard's. */
static void head_moved(struct mr_shard *s)
{
    uint64_t number = mr_head_number(s->head);

    MR_GAUGE_SET(s->metrics.head_number, number);
    follow_head(s);
    for (size_t i = 0; (i = mr_bitmap_next(s->live, s->slots, i)) != MR_BITMAP_NONE; i++) {
        struct mr_peer *p = mr_shard_peer(s, (uint32_t)i);

        if (p->state != MR_PEER_ACTIVE || p->eth_version < MR_ETH_69)
            continue;
        if (number >= p->range_told + 32 || number < p->range_told) {
            p->want_range = true;
            mr_flush_ready(s, p);
        }
    }
}

void mr_follow_turn(struct mr_shard *s)
{
    struct mr_head_voices v = mr_head_own_voices(s->head);
    struct mr_get_block_headers query;
    uint32_t slot;
    uint64_t id;

    if (v.trusted != s->voices_told.trusted || v.others != s->voices_told.others) {
        s->voices_told = v;
        mr_mesh_set_voices(s->setup.mesh, s->setup.self, v.trusted, v.others);
    }
    while (mr_head_next_request(s->head, &slot, &id, &query, s->now_ns)) {
        struct mr_peer *p = mr_shard_peer(s, slot);

        p->header_request_id = id;
        p->header_query = query;
        p->want_header_request = true;
        mr_flush_ready(s, p);
    }
    if (mr_head_changes(s->head) != s->head_followed) {
        s->head_followed = mr_head_changes(s->head);
        if (s->setup.self == 0) {
            MR_COUNT(s->metrics.head_advanced, 1);
            s->head_owed = (UINT64_C(1) << mr_mesh_shards(s->setup.mesh)) - 2; /* all but 0 */
        }
        head_moved(s);
    } else if (s->now_ns >= s->rules_at_ns + MR_SECOND || s->rules_at_ns == 0) {
        follow_head(s);
    }
    if (s->head_owed)
        publish_head(s);
}
