/* Messages of the load's peers: in batches, so that the hashes of what they carry are computed side
 * by side. */
#include "net/eth/message.h"
#include "net/rlpx/hello.h"
#include "perf/load_peer.h"

/* ---- before the session is active ---- */

static size_t our_protocols(struct mr_protocol out[4], const struct mr_load *l)
{
    size_t n = 0;

    for (uint64_t v = MR_ETH_VERSION_MIN; v <= MR_ETH_VERSION_ADVERTISED; v++)
        if (l->o->eth_version == 0 || l->o->eth_version == v)
            out[n++] = *mr_protocol_find("eth", v);
    return n;
}

static void on_hello(struct mr_load *l, struct mr_load_peer *p, struct mr_span payload)
{
    struct mr_protocol ours[4];
    const size_t ours_n = our_protocols(ours, l);
    uint8_t message[MR_ETH_STATUS_MAX];
    struct mr_writer w = mr_writer(message, sizeof message);
    struct mr_eth_status status;
    enum mr_p2p_fault fault =
        mr_load_link_on_hello(&p->link, &l->o->target.id, payload, ours, ours_n);

    if (fault == MR_P2P_NOTHING_SHARED) {
        mr_load_peer_end(l, p, MR_LOAD_END_USELESS);
        return;
    }
    if (fault) {
        l->counts.faults[fault]++;
        mr_strict_fault(l->strict, &p->strict, MR_STRICT_TRANSPORT);
        mr_load_peer_end(l, p, MR_LOAD_END_TRANSPORT);
        return;
    }
    p->strict.version = (uint16_t)mr_capabilities_named(&p->link.shared, "eth")->capability.version;
    p->state = MR_LOAD_STATUS;
    mr_load_chain_status(&l->chain, &status, p->strict.version, mr_time_wall_s(l->now));
    if (mr_eth_status_encode(&w, &status) != MR_OK)
        MR_ASSERT(!"MR_ETH_STATUS_MAX suffices");
    mr_load_send_eth(l, p, MR_ETH_STATUS, mr_writer_span(&w));
}

static void on_status(struct mr_load *l, struct mr_load_peer *p, struct mr_span payload)
{
    struct mr_strict_message m;
    const bool first = p->state == MR_LOAD_STATUS;

    mr_strict_open(&m, l->strict, &p->strict, MR_ETH_STATUS, payload, l->items,
                   mr_time_mono_ms(l->now));
    if (mr_strict_judge(l->strict, &m) != MR_STRICT_NONE && first)
        mr_load_peer_end(l, p, MR_LOAD_END_TRANSPORT);
    if (p->state != MR_LOAD_STATUS)
        return;
    p->state = MR_LOAD_ACTIVE;
    l->active++;
    l->connecting--;
    l->connect_end_ns = l->now.mono_ns;
}

/* ---- the base protocol ---- */

static void on_base(struct mr_load *l, struct mr_load_peer *p, uint16_t id, struct mr_span payload)
{
    static const uint8_t empty_list = 0xc0;
    const uint64_t now_ms = mr_time_mono_ms(l->now);
    enum mr_p2p_fault fault = MR_P2P_NONE;

    switch (id) {
    case MR_BASE_HELLO:
        on_hello(l, p, payload);
        return;
    case MR_BASE_DISCONNECT:
        l->counts.reasons[mr_disconnect_decode(payload)]++;
        mr_load_peer_end(l, p, MR_LOAD_END_DISCONNECT);
        return;
    case MR_BASE_PING:
        fault = mr_ping_check(payload) ? mr_keepalive_on_ping(&p->alive, now_ms) : MR_P2P_BAD_PING;
        mr_load_send(l, p, MR_BASE_PONG, mr_span(&empty_list, 1));
        mr_keepalive_ponged(&p->alive, now_ms);
        break;
    case MR_BASE_PONG:
        fault = mr_ping_check(payload) ? mr_keepalive_on_pong(&p->alive, now_ms) : MR_P2P_BAD_PING;
        break;
    default: /* ids that the base protocol keeps for later: geth ignores them */
        break;
    }
    l->counts.faults[fault]++;
}

/* ---- eth ---- */

static void answer(struct mr_load *l, struct mr_load_peer *p, const struct mr_strict_message *m)
{
    struct mr_writer w = mr_writer(l->scratch, MR_LOAD_SCRATCH_BYTES);
    struct mr_get_block_headers query;
    uint64_t request_id, answer_id = MR_ETH_BLOCK_HEADERS;
    enum mr_err e;

    l->counts.asked_of_us[m->id]++;
    if (m->id == MR_ETH_GET_BLOCK_HEADERS) {
        e = mr_get_block_headers_decode(&query, &request_id, m->payload);
        if (!e)
            e = mr_load_chain_serve(&l->chain, request_id, &query, &w);
    } else {
        e = mr_eth_empty_answer(p->strict.version, m->id, m->payload, &w, &answer_id);
    }
    if (!e)
        mr_load_send_eth(l, p, (uint16_t)answer_id, mr_writer_span(&w));
}

static void handle(struct mr_load *l, struct mr_load_peer *p, const struct mr_strict_message *m)
{
    const struct mr_eth_message *kind =
        mr_eth_message_find(p->strict.version, m->id, l->o->network->consensus == MR_CONSENSUS_POW);

    if (m->fault == MR_STRICT_UNKNOWN_ID || m->fault == MR_STRICT_MALFORMED || !kind)
        return; /* counted; a client would go, but then the run would tell less */
    if (kind->kind == MR_ETH_REQUEST) {
        answer(l, p, m);
        return;
    }
    if (m->id == MR_ETH_POOLED_TRANSACTIONS) {
        mr_load_answered(l, p, m);
        return;
    }
    if (m->id != MR_ETH_TRANSACTIONS && m->id != MR_ETH_NEW_POOLED_TRANSACTION_HASHES)
        return;
    for (uint32_t i = 0; i < m->items_count; i++) {
        uint32_t tx = m->items[i].number;

        if (tx >= l->track.txs)
            l->track.foreign++;
        else if (m->id == MR_ETH_TRANSACTIONS)
            mr_load_track_body(&l->track, p->index, tx, false, l->now.mono_ns);
        else if (mr_load_track_announced(&l->track, p->index, tx, l->now.mono_ns))
            mr_load_want(l, p, tx);
    }
    mr_load_ask(l, p);
}

void mr_load_batch_run(struct mr_load *l)
{
    if (l->pending_n == 0)
        return;
    mr_strict_hash(l->strict, l->items, l->items_n);
    l->now = mr_clock_now(); /* a peer has what it has when it knows what it is */
    for (uint32_t i = 0; i < l->pending_n; i++) {
        struct mr_load_pending *w = &l->pending[i];

        mr_strict_judge(l->strict, &w->message);
        if (w->peer->state == MR_LOAD_ACTIVE)
            handle(l, w->peer, &w->message);
    }
    l->pending_n = l->items_n = 0;
    l->arena_n = 0;
}

static void transport_fault(struct mr_load *l, struct mr_load_peer *p, enum mr_p2p_fault fault)
{
    l->counts.faults[fault]++;
    mr_strict_fault(l->strict, &p->strict,
                    fault == MR_P2P_UNKNOWN_MESSAGE_ID ? MR_STRICT_UNKNOWN_ID
                                                       : MR_STRICT_TRANSPORT);
    mr_load_peer_end(l, p, MR_LOAD_END_TRANSPORT);
}

static bool batch_has_room(const struct mr_load *l, const struct mr_message *m)
{
    return MR_LOAD_ARENA_BYTES - l->arena_n >= m->inflated_n &&
           MR_LOAD_ITEMS_MAX - l->items_n >= MR_STRICT_ITEMS_MAX &&
           l->pending_n < MR_LOAD_PENDING_MAX;
}

static void pend(struct mr_load *l, struct mr_load_peer *p, uint16_t id, struct mr_span payload)
{
    struct mr_load_pending *w = &l->pending[l->pending_n++];

    w->peer = p;
    mr_strict_open(&w->message, l->strict, &p->strict, id, payload, l->items + l->items_n,
                   mr_time_mono_ms(l->now));
    l->items_n += w->message.items_count;
    if (payload.p == l->arena + l->arena_n)
        l->arena_n += payload.n;
}

void mr_load_frame(struct mr_load *l, struct mr_load_peer *p, struct mr_span data)
{
    struct mr_message m;
    struct mr_span payload;
    enum mr_p2p_fault fault = mr_transport_open(&m, &p->link.transport, data);

    l->counts.frames_in++;
    mr_keepalive_heard(&p->alive, mr_time_mono_ms(l->now));
    mr_strict_heard(&p->strict, mr_time_mono_ms(l->now));
    if (!fault && !batch_has_room(l, &m))
        mr_load_batch_run(l);
    if (!fault)
        fault = mr_transport_payload(&payload, &m, l->arena + l->arena_n,
                                     MR_LOAD_ARENA_BYTES - l->arena_n);
    if (fault) {
        transport_fault(l, p, fault);
    } else if (m.capability == MR_CAPABILITY_BASE) {
        on_base(l, p, m.id, payload);
    } else if (m.id == MR_ETH_STATUS) {
        on_status(l, p, payload);
    } else if (p->state == MR_LOAD_ACTIVE) {
        pend(l, p, m.id, payload);
    } else {
        mr_strict_fault(l->strict, &p->strict, MR_STRICT_STATUS_MISSING);
        mr_load_peer_end(l, p, MR_LOAD_END_TRANSPORT);
    }
}
