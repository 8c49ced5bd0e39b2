/* message.c: one authenticated frame to one action. Ids are judged before anything is inflated, and
 * answers that nobody asked for before they are walked. */
#include "shards/shard_state.h"

void mr_message_breach(struct mr_shard *s, struct mr_peer *p, enum mr_closed_reason why,
                       unsigned reason)
{
    mr_peer_end(s, p, why, (int)reason);
}

static void malformed(struct mr_shard *s, struct mr_peer *p)
{
    MR_COUNT(s->metrics.message_malformed, 1);
    mr_message_breach(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
}

/* A fault of the layers below eth: counted by kind, answered with its reason. */
static void p2p_fault(struct mr_shard *s, struct mr_peer *p, enum mr_p2p_fault f)
{
    switch (f) {
    case MR_P2P_UNKNOWN_MESSAGE_ID:
    case MR_P2P_BAD_MESSAGE_ID:
    case MR_P2P_SECOND_HELLO:
    case MR_P2P_BEFORE_HELLO:
        MR_COUNT(s->metrics.message_unknown, 1);
        break;
    case MR_P2P_BAD_SNAPPY:
        MR_COUNT(s->metrics.snappy_bad, 1);
        break;
    case MR_P2P_PING_FLOOD:
    case MR_P2P_PONG_FLOOD:
        MR_COUNT(s->metrics.ping_flood, 1);
        break;
    case MR_P2P_FRAME_TOO_BIG:
    case MR_P2P_INFLATED_TOO_BIG:
    case MR_P2P_BASE_TOO_BIG:
    case MR_P2P_MESSAGE_TOO_BIG:
        MR_COUNT(s->metrics.frame_too_big, 1);
        break;
    default:
        MR_COUNT(s->metrics.message_malformed, 1);
        break;
    }
    mr_message_breach(s, p, MR_CLOSED_BREACH, mr_p2p_fault_reason(f));
}

static void on_base(struct mr_shard *s, struct mr_peer *p, const struct mr_message *m,
                    struct mr_span payload)
{
    enum mr_p2p_fault f = MR_P2P_NONE;

    switch (m->id) {
    case MR_BASE_DISCONNECT:
        MR_COUNT(s->metrics.disconnect_in, 1);
        MR_LOG_DEBUG("peer disconnects",
                     mr_log_text("reason", mr_reason_name(mr_disconnect_decode(payload))),
                     mr_log_str("client", p->client, strnlen(p->client, sizeof p->client)));
        mr_peer_end(s, p, MR_CLOSED_REMOTE_DISCONNECT, MR_SILENTLY);
        return;
    case MR_BASE_PING:
        MR_COUNT(s->metrics.ping_in, 1);
        f = mr_ping_check(payload) ? mr_keepalive_on_ping(&p->keepalive, mr_shard_ms(s))
                                   : MR_P2P_BAD_PING;
        if (f == MR_P2P_NONE && !mr_peer_control(s, p, MR_CONTROL_PONG, 0))
            f = MR_P2P_PING_FLOOD;
        break;
    case MR_BASE_PONG:
        f = mr_ping_check(payload) ? mr_keepalive_on_pong(&p->keepalive, mr_shard_ms(s))
                                   : MR_P2P_BAD_PING;
        if (f == MR_P2P_NONE)
            mr_peer_heard_pong(s, p);
        break;
    default: /* reserved ids of the base protocol */
        f = MR_P2P_UNKNOWN_MESSAGE_ID;
    }
    if (f != MR_P2P_NONE)
        p2p_fault(s, p, f);
}

/* Compares a remote's Status with our network; the counter of what differs, NULL if nothing. */
static uint64_t *status_differs(struct mr_shard *s, const struct mr_eth_status *theirs)
{
    const struct mr_network *net = s->setup.network;
    struct mr_chain_point head = {.number = mr_head_number(s->head), .time = mr_head_time(s->head)};
    struct mr_chain_point at =
        mr_network_point(net, mr_head_known(s->head) ? &head : NULL, mr_time_wall_s(s->now));

    if (theirs->network_id != net->network_id)
        return &s->metrics.status_bad_network;
    if (!mr_hash_equal(&theirs->genesis, &net->genesis_hash))
        return &s->metrics.status_bad_genesis;
    if (mr_fork_id_check(net, at, &theirs->fork_id) != MR_FORK_COMPATIBLE)
        return &s->metrics.status_bad_fork;
    return NULL;
}

static void on_status(struct mr_shard *s, struct mr_peer *p, struct mr_span payload)
{
    struct mr_eth_status theirs;
    uint64_t *differs = &s->metrics.status_bad_shape;

    if (mr_eth_status_decode(&theirs, p->eth_version, payload) == MR_OK)
        differs = status_differs(s, &theirs);
    if (differs) {
        MR_COUNT(*differs, 1);
        mr_message_breach(s, p, MR_CLOSED_STATUS, MR_REASON_SUBPROTOCOL);
        return;
    }
    MR_COUNT(s->metrics.status_ok, 1);
    p->claim = (struct mr_head_claim){
        .earliest = theirs.earliest, .number = theirs.latest, .hash = theirs.latest_hash};
    mr_peer_status_agreed(s, p);
}

static void on_range(struct mr_shard *s, struct mr_peer *p, struct mr_span payload)
{
    struct mr_block_range range;
    enum mr_err e = mr_block_range_decode(&range, payload);

    if (e != MR_OK && e != MR_INVALID) {
        malformed(s, p);
        return;
    }
    if (e == MR_INVALID) {
        MR_COUNT(s->metrics.range_bad, 1);
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
        return;
    }
    p->claim = (struct mr_head_claim){
        .earliest = range.earliest, .number = range.latest, .hash = range.latest_hash};
    mr_head_peer_claim(s->head, p->slot, &p->claim);
}

static void on_headers(struct mr_shard *s, struct mr_peer *p, struct mr_span payload)
{
    struct mr_reader body, headers;
    uint64_t id;
    enum mr_err e;

    if ((e = mr_eth_request_id(payload, &id, &body)) || (e = mr_rlp_list(&body, &headers)) ||
        !mr_reader_done(&body)) {
        malformed(s, p);
        return;
    }
    e = mr_head_answer(s->head, p->slot, id, headers, s->now);
    if (e != MR_OK && e != MR_AGAIN) {
        MR_COUNT(s->metrics.head_bad, 1);
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
    }
}

static void on_transactions(struct mr_shard *s, struct mr_peer *p, struct mr_span payload)
{
    struct mr_eth_items items;
    enum mr_err e = mr_transactions_decode(&items, payload);

    if (e == MR_TOO_BIG) { /* geth disconnects above 5,000 */
        MR_COUNT(s->metrics.frame_too_big, 1);
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
    } else if (e != MR_OK) {
        malformed(s, p);
    } else {
        s->dupe_stamp++;
        mr_transactions_take(s, p, items.items, true);
    }
}

static void on_eth(struct mr_shard *s, struct mr_peer *p, uint8_t id, struct mr_span payload)
{
    switch (id) {
    case MR_ETH_TRANSACTIONS:
        on_transactions(s, p, payload);
        return;
    case MR_ETH_NEW_POOLED_TRANSACTION_HASHES:
        mr_transactions_announced(s, p, payload);
        return;
    case MR_ETH_POOLED_TRANSACTIONS:
        mr_transactions_pooled(s, p, payload);
        return;
    case MR_ETH_BLOCK_HEADERS:
        on_headers(s, p, payload);
        return;
    case MR_ETH_BLOCK_RANGE_UPDATE:
        on_range(s, p, payload);
        return;
    default:
        MR_ASSERT(!"eth_allowed and mr_message_take let nothing else by");
    }
}

/* What an eth message of this id may do in the peer's state; false: the session was ended. */
static bool eth_allowed(struct mr_shard *s, struct mr_peer *p, const struct mr_eth_message *entry)
{
    if (!entry) {
        MR_COUNT(s->metrics.message_unknown, 1);
        mr_message_breach(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
        return false;
    }
    if (entry->kind == MR_ETH_HANDSHAKE && p->status_in) {
        MR_COUNT(s->metrics.status_bad_shape, 1);
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
        return false;
    }
    if (entry->kind != MR_ETH_HANDSHAKE && !p->status_in) {
        MR_COUNT(s->metrics.message_early, 1);
        mr_message_breach(s, p, MR_CLOSED_BREACH, MR_REASON_PROTOCOL);
        return false;
    }
    if (entry->kind == MR_ETH_RESPONSE && entry->id != MR_ETH_POOLED_TRANSACTIONS &&
        entry->id != MR_ETH_BLOCK_HEADERS) {
        MR_COUNT(s->metrics.fetch_unasked, 1); /* we never ask for anything else */
        mr_message_breach(s, p, MR_CLOSED_SUBPROTOCOL, MR_REASON_SUBPROTOCOL);
        return false;
    }
    return true;
}

void mr_message_take(struct mr_shard *s, struct mr_peer *p, struct mr_span frame_data)
{
    struct mr_transport t = {.shared = &p->caps, .snappy = p->snappy};
    bool pow = s->setup.network->consensus == MR_CONSENSUS_POW;
    const struct mr_eth_message *entry = NULL;
    struct mr_message m;
    struct mr_span payload;
    enum mr_p2p_fault f = mr_transport_open(&m, &t, frame_data);

    p->works |= p->status_in;
    if (f == MR_P2P_NONE && m.capability == p->eth_index && !s->setup.policy) {
        entry = mr_eth_message_find(p->eth_version, m.id, pow);
        if (!eth_allowed(s, p, entry))
            return;
        if (entry->kind == MR_ETH_LEGACY_BLOCK) { /* until blocks are relayed: not even inflated */
            MR_COUNT(s->metrics.block_gossip, 1);
            return;
        }
    }
    if (f == MR_P2P_NONE)
        f = mr_transport_payload(&payload, &m, s->arena, s->arena_bytes);
    if (f != MR_P2P_NONE) {
        p2p_fault(s, p, f);
        return;
    }
    /* what it costs us is what it inflates to: up to 20 times the wire's bytes */
    if (payload.n > m.raw.n)
        mr_admit_charge(s->admit, p->slot, payload.n - m.raw.n, s->now_ns);
    if (m.capability == MR_CAPABILITY_BASE)
        on_base(s, p, &m, payload);
    else if (m.capability != p->eth_index)
        p2p_fault(s, p, MR_P2P_UNKNOWN_MESSAGE_ID); /* we share nothing else yet */
    else if (s->setup.policy)
        s->setup.policy->take(s, p, m.id, payload);
    else if (entry->kind == MR_ETH_HANDSHAKE)
        on_status(s, p, payload);
    else if (entry->kind == MR_ETH_REQUEST)
        mr_answer_request(s, p, (uint8_t)m.id, payload);
    else
        on_eth(s, p, (uint8_t)m.id, payload);
}
