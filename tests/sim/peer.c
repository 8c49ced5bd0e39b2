#include "tests/sim/peer.h"

#include <stdlib.h>

#include "net/eth/announce.h"
#include "net/eth/message.h"
#include "net/eth/status.h"
#include "net/rlpx/transport.h"
#include "tests/sim/front.h"
#include "tests/sim/peer_messages.h"

static void gone(struct sim_peer *p);

struct sim_peer *sim_peer_new(struct sim_world *w, struct sim_relay *relay)
{
    struct sim_peer *p = sim_alloc(sizeof *p);

    MR_ASSERT(w->peers_count < SIM_PEERS_MAX);
    p->world = w;
    p->relay = relay;
    p->index = w->peers_count;
    w->peers[w->peers_count++] = p;
    mr_secp_keypair_make(w->secp, &p->key, sim_entropy, &w->sim);
    p->at = (struct mr_endpoint){.ip = 0x0b000001 + (p->index << 16), .port = 30303};
    p->answers = p->fetches = true;
    p->eth_min = MR_ETH_68;
    p->eth_max = (unsigned)sim_between(&w->sim, MR_ETH_68, MR_ETH_71);
    p->profile = sim_world_profile(w);
    p->back = sim_world_profile(w);
    p->records = sim_alloc(SIM_TXS_MAX * sizeof *p->records);
    p->disconnect_in = -1;
    return p;
}

static void outs_free(struct sim_peer *p)
{
    while (p->out_head) {
        struct sim_out *next = p->out_head->next;

        free(p->out_head);
        p->out_head = next;
    }
    p->out_tail = NULL;
}

void sim_peer_free(struct sim_peer *p)
{
    outs_free(p);
    mr_rlpx_handshake_fini(&p->session.hs);
    free(p->in);
    free(p->records);
    free(p);
}

/* ---- sending ---- */

static void send_next(struct sim_peer *p)
{
    if (p->sending || !p->out_head || p->phase == SIM_PEER_GONE)
        return;
    p->sending = true;
    sim_net_send(&p->world->net, p->end, p->out_head->data, p->out_head->n);
}

void sim_peer_send(struct sim_peer *p, unsigned wire_id, struct mr_span payload)
{
    struct mr_transport t = {.shared = &p->session.caps, .snappy = p->session.snappy};
    uint8_t head[MR_MESSAGE_HEAD_MAX];
    struct mr_span spans[2];
    struct mr_frame f = {.spans = spans};
    struct mr_seal_job job = {.session = &p->rlpx, .frames = &f, .frames_count = 1};
    struct sim_out *o;

    if (p->phase == SIM_PEER_GONE)
        return;
    MR_ASSERT(p->phase >= SIM_PEER_STATUS);
    f.spans_count = (uint32_t)mr_message_spans(spans, head, &t, (uint16_t)wire_id, payload);
    for (uint32_t i = 0; i < f.spans_count; i++)
        f.size += (uint32_t)spans[i].n;
    o = sim_alloc(sizeof *o + MR_FRAME_WIRE_LEN(f.size));
    job.out = o->data;
    job.out_cap = MR_FRAME_WIRE_LEN(f.size);
    mr_rlpx_seal_one(&job, NULL);
    MR_ASSERT(job.frames_done == 1);
    o->n = job.out_len;
    p->written += o->n;
    if (p->out_tail)
        p->out_tail->next = o;
    else
        p->out_head = o;
    p->out_tail = o;
    send_next(p);
}

static void on_sent(void *ctx, uint64_t tag, int32_t result)
{
    struct sim_peer *p = ctx;
    struct sim_out *o = p->out_head;

    (void)tag;
    p->sending = false;
    if (p->phase == SIM_PEER_GONE)
        return;
    p->out_head = o->next;
    if (!p->out_head)
        p->out_tail = NULL;
    free(o);
    if (p->refusing)
        gone(p);
    else if (result >= 0)
        send_next(p);
}

static void send_status(struct sim_peer *p)
{
    const struct mr_network *net = p->world->network;
    uint64_t wall_s = mr_time_wall_s(sim_time(&p->world->sim));
    struct mr_chain_point at = mr_network_point(net, NULL, wall_s);
    struct mr_eth_status st = {.version = p->version,
                               .network_id = net->network_id,
                               .genesis = net->genesis_hash,
                               .fork_id = mr_fork_id_at(net, at),
                               .total_difficulty = net->total_difficulty,
                               .latest_hash = net->genesis_hash};
    uint8_t bytes[MR_ETH_STATUS_MAX];
    struct mr_writer w = mr_writer(bytes, sizeof bytes);

    if (p->chain)
        mr_load_chain_status(p->chain, &st, p->version, wall_s);
    MR_ASSERT(mr_eth_status_encode(&w, &st) == MR_OK);
    sim_peer_send(p, 16 + MR_ETH_STATUS, mr_writer_span(&w));
}

/* ---- receiving ---- */

static bool frame_take(struct sim_peer *p, uint8_t *payload, uint32_t size)
{
    struct mr_transport t = {.shared = &p->session.caps, .snappy = p->session.snappy};
    static uint8_t inflated[MR_MESSAGE_MAX + 4096];
    struct mr_message m;
    struct mr_span body;

    if (mr_transport_open(&m, &t, mr_span(payload, size)) != MR_P2P_NONE ||
        mr_transport_payload(&body, &m, inflated, sizeof inflated) != MR_P2P_NONE) {
        sim_violation(p->world, "peer %u: a frame that is no message", p->index);
        return false;
    }
    if (m.capability == MR_CAPABILITY_BASE) {
        if (m.id == MR_BASE_DISCONNECT) {
            p->disconnect_in = (int)mr_disconnect_decode(body);
            sim_note(&p->world->sim, &p->disconnect_in, sizeof p->disconnect_in);
            return false;
        }
        if (m.id == MR_BASE_PING)
            sim_peer_send(p, MR_BASE_PONG, mr_span("\xc0", 1));
        return true;
    }
    sim_note(&p->world->sim, &p->index, sizeof p->index);
    sim_note(&p->world->sim, body.p, body.n);
    return sim_peer_eth(p, m.id, body);
}

static void frames_take(struct sim_peer *p)
{
    size_t at = 0;

    while (p->phase != SIM_PEER_GONE) {
        struct mr_unseal_job job = {.session = &p->rlpx,
                                    .in = p->in + at,
                                    .in_len = p->in_n - at,
                                    .size_max = MR_FRAME_SIZE_MAX};

        mr_rlpx_unseal_one(&job, NULL);
        at += job.consumed;
        p->read += job.consumed;
        if (job.result == MR_UNSEAL_NEED)
            break;
        if (job.result != MR_UNSEAL_FRAME) {
            sim_violation(p->world, "peer %u: a frame whose MAC is wrong", p->index);
            gone(p);
            return;
        }
        if (!frame_take(p, job.payload, job.size)) {
            gone(p);
            return;
        }
    }
    memmove(p->in, p->in + at, p->in_n - at);
    p->in_n -= at;
}

static void on_received(void *ctx, uint64_t tag, uint8_t *data, size_t n)
{
    struct sim_peer *p = ctx;

    (void)tag;
    if (p->phase == SIM_PEER_GONE)
        return;
    if (p->in_n + n > p->in_cap) {
        p->in_cap = MR_MAX(2 * p->in_cap, p->in_n + n);
        p->in = realloc(p->in, p->in_cap);
        MR_ASSERT(p->in);
    }
    memcpy(p->in + p->in_n, data, n);
    p->in_n += n;
    frames_take(p);
}

static void on_ended(void *ctx, uint64_t tag)
{
    struct sim_peer *p = ctx;

    (void)tag;
    p->ended_by_relay = true;
    gone(p);
}

/* ---- coming and going ---- */

static void gone(struct sim_peer *p)
{
    if (p->phase == SIM_PEER_GONE)
        return;
    if (p->phase != SIM_PEER_GREETING)
        sim_net_close(&p->world->net, p->end);
    p->phase = SIM_PEER_GONE;
    p->gone_ns = p->world->sim.now_ns;
    p->in_n = 0;
}

/* Already connected, we say: and close when that is out. */
static void refuse(struct sim_peer *p)
{
    uint8_t bytes[16];
    struct mr_writer w = mr_writer(bytes, sizeof bytes);

    MR_ASSERT(mr_disconnect_encode(&w, MR_REASON_ALREADY_CONNECTED) == MR_OK);
    p->refusing = true;
    sim_peer_send(p, MR_BASE_DISCONNECT, mr_writer_span(&w));
}

static void greeted(void *ctx, struct sim_session *s, bool ok)
{
    struct sim_peer *p = ctx;
    struct sim_handlers h = {.ctx = p, .received = on_received, .sent = on_sent, .ended = on_ended};

    if (!ok) {
        p->disconnect_in = s->disconnect;
        sim_net_close(s->net, p->end);
        p->phase = SIM_PEER_GONE;
        p->gone_ns = p->world->sim.now_ns;
        return;
    }
    p->rlpx = s->rlpx;
    p->version = (unsigned)mr_capabilities_named(&s->caps, "eth")->capability.version;
    p->phase = SIM_PEER_STATUS;
    p->written = s->net->ends[p->end].out->sent_total;
    p->read = s->net->ends[p->end].in->read_total;
    sim_net_own(s->net, p->end, &h);
    if (p->twin && (p->twin->phase == SIM_PEER_STATUS || p->twin->phase == SIM_PEER_ACTIVE)) {
        refuse(p);
        return;
    }
    if (!p->silent_status)
        send_status(p);
    sim_net_read(s->net, p->end, SIM_READ_STREAM);
}

void sim_peer_connect(struct sim_peer *p, bool relay_dials)
{
    struct sim_world *w = p->world;
    int ours, theirs;

    MR_ASSERT(p->phase == SIM_PEER_ABSENT || p->phase == SIM_PEER_GONE);
    outs_free(p);
    p->refusing = p->sending = p->request_open = p->ended_by_relay = p->deaf = false;
    p->in_n = 0;
    p->wanted_count = p->asked_count = p->requests_open = 0;
    p->disconnect_in = -1;
    memset(p->records, 0, SIM_TXS_MAX * sizeof *p->records);
    memset(p->last_body, 0, sizeof p->last_body);
    memset(p->last_announced, 0, sizeof p->last_announced);
    sim_net_connect(&w->net, &ours, &theirs, &p->profile, &p->back);
    p->end = ours;
    p->phase = SIM_PEER_GREETING;
    mr_rlpx_handshake_fini(&p->session.hs);
    p->session = (struct sim_session){.net = &w->net,
                                      .secp = w->secp,
                                      .self = &p->key,
                                      .eth_min = p->eth_min,
                                      .eth_max = p->eth_max,
                                      .end = ours,
                                      .initiator = !relay_dials,
                                      .remote = p->relay->key.pub,
                                      .done = greeted,
                                      .ctx = p};
    sim_session_begin(&p->session);
    if (p->relay->front) {
        MR_ASSERT(!relay_dials);
        sim_front_arrives(p->relay->front, theirs,
                          (struct mr_endpoint){p->at.ip, (uint16_t)(40000 + p->index)});
        return;
    }
    p->visitor = sim_relay_visit(p->relay, theirs, !relay_dials, p->at, &p->key.pub);
}

void sim_peer_close(struct sim_peer *p)
{
    gone(p);
}

void sim_peer_cut(struct sim_peer *p)
{
    if (p->phase == SIM_PEER_GONE)
        return;
    sim_net_cut(&p->world->net, p->end);
    p->phase = SIM_PEER_GONE;
    p->gone_ns = p->world->sim.now_ns;
}

void sim_peer_go_deaf(struct sim_peer *p)
{
    p->deaf = true;
    if (p->phase != SIM_PEER_GONE)
        sim_net_read(&p->world->net, p->end, SIM_READ_NONE);
}
