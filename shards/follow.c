/* follow.c: what a shard does with its head (see shard.h): asks peers, tells other shards, sets
 * rules, tells peers. */
#include "shards/shard_state.h"

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

static void publish_head(struct mr_shard *s, struct mr_span rlp)
{
    unsigned shards = mr_mesh_shards(s->setup.mesh);

    MR_COUNT(s->metrics.head_advanced, 1);
    for (unsigned to = 0; to < shards; to++) {
        struct mr_mail mail = {.kind = MR_MAIL_HEAD};
        bool wake = false;

        if (to == s->setup.self || !(mail.buf = mr_buf_get(&s->pool, rlp.n)))
            continue;
        memcpy(mail.buf->data, rlp.p, rlp.n);
        if (!mr_mail_send(s->setup.mesh, s->setup.self, to, MR_MAIL_HINT, &mail, &wake))
            mr_buf_put(&s->pool, mail.buf);
        if (wake)
            s->setup.port.wake(s->setup.port.ctx, to);
    }
}

/* The head moved, by our peers' word or another shard's. */
static void head_moved(struct mr_shard *s, uint64_t number)
{
    s->head_followed = number;
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
    struct mr_get_block_headers query;
    struct mr_span rlp;
    uint32_t slot;
    uint64_t id;

    while (mr_head_next_request(s->head, &slot, &id, &query, s->now_ns)) {
        struct mr_peer *p = mr_shard_peer(s, slot);

        p->header_request_id = id;
        p->header_query = query;
        p->want_header_request = true;
        mr_flush_ready(s, p);
    }
    if (mr_head_changed(s->head, &rlp))
        publish_head(s, rlp);
    if (mr_head_number(s->head) != s->head_followed)
        head_moved(s, mr_head_number(s->head));
    else if (s->now_ns >= s->rules_at_ns + MR_SECOND || s->rules_at_ns == 0)
        follow_head(s);
}
