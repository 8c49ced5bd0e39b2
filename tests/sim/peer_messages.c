#include "tests/sim/peer_messages.h"

#include <stdlib.h>

#include "net/eth/announce.h"
#include "net/eth/message.h"
#include "net/eth/status.h"

#define ASK_MAX 256

static uint32_t index_of(const struct sim_world *w, const struct sim_tx *tx)
{
    return (uint32_t)(tx - w->txs);
}

/* ---- the rules of a delivery ---- */

/* The relay may tell p of what p had sent only if it had not read that when it sealed its frame. */
static void check_not_sent_back(struct sim_peer *p, const struct sim_record *r,
                                const struct sim_tx *tx, const char *how)
{
    uint64_t sealed, read;

    if (!r->sourced)
        return;
    sealed = sim_net_sent_at(&p->world->net, p->end, p->read);
    read = sim_net_read_at(&p->world->net, p->end, r->sourced_offset);
    if (read != UINT64_MAX && sealed > read + MR_MS)
        sim_violation(p->world, "peer %u was %s transaction %u, which it had sent itself", p->index,
                      how, index_of(p->world, tx));
}

static void check_order(struct sim_peer *p, const struct sim_tx *tx, uint64_t *last,
                        const char *how)
{
    if (tx->sources != 1 || tx->type == MR_TX_BLOB || !tx->from || tx->from->relay != p->relay ||
        tx->order == 0)
        return;
    last += tx->from->index;
    if (tx->order < *last)
        sim_violation(p->world, "peer %u was %s number %llu of peer %u behind number %llu",
                      p->index, how, (unsigned long long)tx->order, tx->from->index,
                      (unsigned long long)*last);
    *last = tx->order;
}

static void heard(struct sim_peer *p, struct sim_tx *tx, bool body)
{
    struct sim_record *r = &p->records[index_of(p->world, tx)];
    const char *how = body ? "sent" : "announced";

    check_not_sent_back(p, r, tx, how);
    if (body)
        r->bodies++;
    else
        r->announced++;
    if (r->bodies + r->announced > 1)
        sim_violation(p->world, "peer %u heard of transaction %u twice (%u announced, %u in full)",
                      p->index, index_of(p->world, tx), r->announced, r->bodies);
    check_order(p, tx, body ? p->last_body : p->last_announced, how);
}

static void has_now(struct sim_peer *p, struct sim_tx *tx)
{
    struct sim_record *r = &p->records[index_of(p->world, tx)];

    if (!r->has)
        r->has_ns = p->world->sim.now_ns;
    r->has = true;
}

/* ---- fetching ---- */

static void ask(struct sim_peer *p)
{
    struct mr_hash hashes[ASK_MAX];
    uint8_t bytes[ASK_MAX * 33 + 32];
    struct mr_writer w = mr_writer(bytes, sizeof bytes);

    if (p->request_open || p->wanted_count == 0)
        return;
    p->asked_count = 0;
    for (uint32_t i = 0; i < p->wanted_count && i < ASK_MAX; i++) {
        p->asked[p->asked_count] = p->wanted[i];
        hashes[p->asked_count++] = p->world->txs[p->wanted[i]].hash;
    }
    p->wanted_count -= p->asked_count;
    memmove(p->wanted, p->wanted + p->asked_count, p->wanted_count * sizeof *p->wanted);
    p->request_open = true;
    MR_ASSERT(mr_hash_request_encode(&w, ++p->request_id, hashes, p->asked_count) == MR_OK);
    sim_peer_send(p, 16 + MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w));
}

static void want(struct sim_peer *p, struct sim_tx *tx)
{
    if (p->records[index_of(p->world, tx)].has)
        return;
    MR_ASSERT(p->wanted_count < SIM_TXS_MAX);
    p->wanted[p->wanted_count++] = index_of(p->world, tx);
}

/* ---- messages ---- */

static struct sim_tx *tx_of_item(struct sim_peer *p, struct mr_span item)
{
    struct mr_reader r = mr_reader_of(item);
    struct sim_tx *known;
    struct mr_hash hash;
    struct mr_tx tx;

    if (mr_tx_decode_item(&r, &tx) != MR_OK) {
        sim_violation(p->world, "peer %u got an item that is no transaction", p->index);
        return NULL;
    }
    mr_tx_hash(&tx, &hash);
    known = sim_world_find(p->world, &hash);
    if (!known || known->n != tx.raw.n || memcmp(known->raw, tx.raw.p, tx.raw.n) != 0) {
        sim_violation(p->world, "peer %u got a transaction that nobody made", p->index);
        return NULL;
    }
    return known;
}

static void on_transactions(struct sim_peer *p, struct mr_span payload)
{
    struct mr_eth_items items;
    struct mr_span item;

    if (mr_transactions_decode(&items, payload) != MR_OK || items.count == 0) {
        sim_violation(p->world, "peer %u got a Transactions that is none", p->index);
        return;
    }
    while (mr_eth_items_next(&items, &item)) {
        struct sim_tx *tx = tx_of_item(p, item);

        if (!tx)
            return;
        if (tx->type == MR_TX_BLOB)
            sim_violation(p->world, "peer %u was sent a blob transaction unasked", p->index);
        heard(p, tx, true);
        has_now(p, tx);
    }
}

static void on_announcement(struct sim_peer *p, struct mr_span payload)
{
    struct mr_announce a;
    struct mr_announce_item it;

    if (mr_announce_decode(&a, p->version, payload) != MR_OK || a.count == 0 ||
        a.count != a.stated) {
        sim_violation(p->world, "peer %u got an announcement that is none", p->index);
        return;
    }
    while (mr_announce_next(&a, &it)) {
        struct sim_tx *tx = sim_world_find(p->world, &it.hash);

        if (!tx || tx->type != it.type || tx->size != it.size) {
            sim_violation(p->world, "peer %u: an announcement that is not true", p->index);
            return;
        }
        heard(p, tx, false); /* a hash twice in one message is twice in all */
        if (p->fetches)
            want(p, tx);
    }
    if (p->fetches)
        ask(p);
}

static void on_pooled(struct sim_peer *p, struct mr_span payload)
{
    struct mr_eth_items items;
    struct mr_span item;

    if (!p->request_open || mr_response_decode(&items, payload, p->asked_count) != MR_OK ||
        items.request_id != p->request_id) {
        sim_violation(p->world, "peer %u got an answer that it did not ask for", p->index);
        return;
    }
    p->request_open = false;
    while (mr_eth_items_next(&items, &item)) {
        struct sim_tx *tx = tx_of_item(p, item);
        uint32_t i, at;

        if (!tx)
            return;
        i = index_of(p->world, tx);
        for (at = 0; at < p->asked_count && p->asked[at] != i; at++)
            ;
        if (at == p->asked_count) {
            sim_violation(p->world, "peer %u got what it had not asked for", p->index);
            return;
        }
        p->asked[at] = UINT32_MAX;
        if (++p->records[i].fetched > 1)
            sim_violation(p->world, "peer %u fetched transaction %u twice", p->index, i);
        has_now(p, tx);
    }
    for (uint32_t k = 0; k < p->asked_count; k++) /* an answer may end early: asked again */
        if (p->asked[k] != UINT32_MAX)
            want(p, &p->world->txs[p->asked[k]]);
    ask(p);
}

/* The relay asks. What was said of a transaction must have been said by us. */
struct answer {
    struct sim_peer *peer;
    uint64_t session; /* the end it came on */
    uint64_t id;
    uint32_t n;
    uint32_t txs[ASK_MAX];
};

static void answer_send(void *ctx, uint64_t unused)
{
    struct answer *a = ctx;
    struct sim_peer *p = a->peer;
    struct mr_span items[ASK_MAX];
    uint8_t *bytes;
    struct mr_writer w;
    size_t room = 64, n = 0;

    (void)unused;
    if (p->phase != SIM_PEER_ACTIVE || (uint64_t)p->end != a->session) {
        free(a);
        return;
    }
    for (uint32_t i = 0; i < a->n; i++)
        room += p->world->txs[a->txs[i]].n + 16;
    bytes = sim_alloc(2 * room);
    w = mr_writer(bytes, room);
    for (uint32_t i = 0; i < a->n; i++) {
        struct sim_tx *tx = &p->world->txs[a->txs[i]];
        size_t begun = w.n;

        MR_ASSERT(mr_tx_item_put(&w, mr_span(tx->raw, tx->n)) == MR_OK);
        items[n++] = mr_span(w.p + begun, w.n - begun);
        if (tx->sources == 1 && tx->from == p && tx->order == 0)
            tx->order = ++p->bodies_sent;
    }
    w = mr_writer(bytes + room, room);
    MR_ASSERT(mr_response_encode(&w, a->id, items, n) == MR_OK);
    p->requests_open--;
    sim_peer_send(p, 16 + MR_ETH_POOLED_TRANSACTIONS, mr_writer_span(&w));
    free(bytes);
    free(a);
}

static void on_get_pooled(struct sim_peer *p, struct mr_span payload)
{
    struct mr_hash_request r;
    struct answer *a;

    if (mr_hash_request_decode(&r, payload) != MR_OK || r.hashes.n == 0 || r.hashes.n > ASK_MAX) {
        sim_violation(p->world, "peer %u got a request that is none", p->index);
        return;
    }
    p->requests_in++;
    if (p->requests_open++ > 0 && p->answers)
        sim_violation(p->world, "peer %u was asked before it had answered", p->index);
    a = sim_alloc(sizeof *a);
    *a = (struct answer){.peer = p, .session = (uint64_t)p->end, .id = r.request_id};
    for (uint32_t i = 0; i < r.hashes.n; i++) {
        struct mr_hash h;
        struct sim_tx *tx;

        memcpy(h.b, mr_items_at(&r.hashes, i), sizeof h.b);
        tx = sim_world_find(p->world, &h);
        if (!tx || !p->records[index_of(p->world, tx)].sourced) {
            sim_violation(p->world, "peer %u was asked for what it had not announced", p->index);
            continue;
        }
        a->txs[a->n++] = index_of(p->world, tx);
    }
    if (p->answers)
        sim_at_owned(&p->world->sim, p->world->sim.now_ns + p->answer_delay_ns, answer_send, a);
    else
        free(a);
}

static void on_get_headers(struct sim_peer *p, struct mr_span payload)
{
    struct mr_get_block_headers q;
    uint8_t bytes[16384];
    struct mr_writer w = mr_writer(bytes, sizeof bytes);
    uint64_t id;

    if (mr_get_block_headers_decode(&q, &id, payload) != MR_OK) {
        sim_violation(p->world, "peer %u got a GetBlockHeaders that is none", p->index);
        return;
    }
    p->headers_asked++;
    if (p->chain) {
        mr_load_chain_grow(p->chain, mr_time_wall_s(sim_time(&p->world->sim)));
        MR_ASSERT(mr_load_chain_serve(p->chain, id, &q, &w) == MR_OK);
    } else {
        MR_ASSERT(mr_response_encode(&w, id, NULL, 0) == MR_OK);
    }
    sim_peer_send(p, 16 + MR_ETH_BLOCK_HEADERS, mr_writer_span(&w));
}

static void on_range(struct sim_peer *p, struct mr_span payload)
{
    struct mr_block_range r;

    if (mr_block_range_decode(&r, payload) != MR_OK || p->version < MR_ETH_69)
        sim_violation(p->world, "peer %u got a BlockRangeUpdate that is none", p->index);
    p->range = r.latest;
}

static void on_status(struct sim_peer *p, struct mr_span payload)
{
    const struct mr_network *net = p->world->network;
    struct mr_eth_status st;

    if (mr_eth_status_decode(&st, p->version, payload) != MR_OK ||
        st.network_id != net->network_id || !mr_hash_equal(&st.genesis, &net->genesis_hash))
        sim_violation(p->world, "peer %u got a Status that is none", p->index);
    p->phase = SIM_PEER_ACTIVE;
    p->active_ns = p->world->sim.now_ns;
}

bool sim_peer_eth(struct sim_peer *p, unsigned id, struct mr_span payload)
{
    if ((p->phase == SIM_PEER_STATUS) != (id == MR_ETH_STATUS)) {
        sim_violation(p->world, "peer %u: message %u %s Status", p->index, id,
                      id == MR_ETH_STATUS ? "is a second" : "before");
        return true;
    }
    switch (id) {
    case MR_ETH_STATUS:
        on_status(p, payload);
        break;
    case MR_ETH_TRANSACTIONS:
        on_transactions(p, payload);
        break;
    case MR_ETH_NEW_POOLED_TRANSACTION_HASHES:
        on_announcement(p, payload);
        break;
    case MR_ETH_GET_POOLED_TRANSACTIONS:
        on_get_pooled(p, payload);
        break;
    case MR_ETH_POOLED_TRANSACTIONS:
        on_pooled(p, payload);
        break;
    case MR_ETH_GET_BLOCK_HEADERS:
        on_get_headers(p, payload);
        break;
    case MR_ETH_BLOCK_RANGE_UPDATE:
        on_range(p, payload);
        break;
    default:
        sim_violation(p->world, "peer %u: unexpected message %u", p->index, id);
    }
    return true;
}

/* ---- telling ---- */

static void source(struct sim_peer *p, struct sim_tx *tx, bool in_full)
{
    struct sim_record *r = &p->records[index_of(p->world, tx)];

    if (!r->sourced) {
        tx->sources++;
        if (!tx->from)
            tx->from = p;
    }
    if (in_full && tx->from == p && tx->order == 0)
        tx->order = ++p->bodies_sent;
    if (tx->born_ns == 0)
        tx->born_ns = p->world->sim.now_ns;
    r->sourced = true;
    r->has = true;
}

static void sourced_until(struct sim_peer *p, struct sim_tx *const *txs, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p->records[index_of(p->world, txs[i])].sourced_offset = p->written;
}

void sim_peer_broadcast(struct sim_peer *p, struct sim_tx *const *txs, unsigned n)
{
    struct mr_span items[ASK_MAX];
    size_t room = 64;
    uint8_t *bytes;
    struct mr_writer w;

    if (p->phase != SIM_PEER_ACTIVE)
        return;
    MR_ASSERT(n > 0);
    MR_ASSERT(n <= ASK_MAX);
    for (unsigned i = 0; i < n; i++)
        room += txs[i]->n + 16;
    bytes = sim_alloc(2 * room);
    w = mr_writer(bytes, room);
    for (unsigned i = 0; i < n; i++) {
        size_t begun = w.n;

        MR_ASSERT(mr_tx_item_put(&w, mr_span(txs[i]->raw, txs[i]->n)) == MR_OK);
        items[i] = mr_span(w.p + begun, w.n - begun);
        source(p, txs[i], true);
    }
    w = mr_writer(bytes + room, room);
    MR_ASSERT(mr_transactions_encode(&w, items, n) == MR_OK);
    sim_peer_send(p, 16 + MR_ETH_TRANSACTIONS, mr_writer_span(&w));
    sourced_until(p, txs, n);
    free(bytes);
}

void sim_peer_announce(struct sim_peer *p, struct sim_tx *const *txs, unsigned n)
{
    struct mr_hash hashes[ASK_MAX];
    uint32_t sizes[ASK_MAX];
    uint8_t types[ASK_MAX];
    uint8_t bytes[ASK_MAX * 40 + 64];
    struct mr_writer w = mr_writer(bytes, sizeof bytes);

    if (p->phase != SIM_PEER_ACTIVE)
        return;
    MR_ASSERT(n > 0);
    MR_ASSERT(n <= ASK_MAX);
    for (unsigned i = 0; i < n; i++) {
        types[i] = txs[i]->type;
        sizes[i] = txs[i]->size;
        hashes[i] = txs[i]->hash;
        source(p, txs[i], false);
    }
    MR_ASSERT(mr_announce_encode(&w, p->version, types, sizes, hashes, n, NULL) == MR_OK);
    sim_peer_send(p, 16 + MR_ETH_NEW_POOLED_TRANSACTION_HASHES, mr_writer_span(&w));
    sourced_until(p, txs, n);
}

void sim_peer_check_complete(struct sim_peer *p)
{
    struct sim_world *w = p->world;

    if (p->phase != SIM_PEER_ACTIVE) {
        sim_violation(w, "peer %u is not connected any more (told %d)", p->index, p->disconnect_in);
        return;
    }
    for (unsigned i = 0; i < w->txs_count; i++) {
        const struct sim_tx *tx = &w->txs[i];
        const struct sim_record *r = &p->records[i];

        if (tx->born_ns == 0 || tx->born_ns + SIM_FRESH_NS < p->active_ns)
            continue;
        if (!r->has || (!r->sourced && r->bodies + r->announced != 1))
            sim_violation(w, "peer %u lacks transaction %u (%u announced, %u in full, %u fetched)",
                          p->index, i, r->announced, r->bodies, r->fetched);
    }
}
