#include "perf/load_peer.h"

#include "crypto/entropy.h"
#include "crypto/keccak.h"
#include "net/eth/message.h"
#include "net/rlpx/hello.h"

#define SEND_BYTES (64u << 10) /* of transactions in one message, about (geth: 100 KiB) */

void mr_load_peer_init(struct mr_load *l, struct mr_load_peer *p, uint32_t index)
{
    memset(p, 0, sizeof *p);
    p->index = index;
    p->fd = -1;
    p->next_tx = index;
    mr_load_link_init(&p->link, l->secp, l->o->seed, index);
}

void mr_load_peer_fini(struct mr_load_peer *p)
{
    mr_load_link_fini(&p->link);
    free(p->wanted);
    free(p->asked);
    p->wanted = p->asked = NULL;
    p->wanted_cap = p->wanted_n = p->wanted_head = p->asked_n = 0;
}

void mr_load_peer_end(struct mr_load *l, struct mr_load_peer *p, enum mr_load_end why)
{
    if (p->state == MR_LOAD_IDLE || p->state >= MR_LOAD_CLOSING)
        return;
    if (p->state == MR_LOAD_ACTIVE)
        l->active--;
    else
        l->connecting--;
    p->state = MR_LOAD_CLOSING;
    p->end = (uint8_t)why;
}

/* ---- the key agreement ---- */

void mr_load_peer_dialled(struct mr_load *l, struct mr_load_peer *p)
{
    enum mr_err e = mr_load_link_start(&p->link, l->secp, &l->o->target.id);

    if (e)
        mr_load_peer_end(l, p, e == MR_FULL ? MR_LOAD_END_MEMORY : MR_LOAD_END_HANDSHAKE);
    else
        p->state = MR_LOAD_ACK;
}

/* What was queued is to be sealed; nothing was, if there is no memory. */
static void queued(struct mr_load *l, struct mr_load_peer *p, bool done)
{
    if (!done) {
        mr_load_peer_end(l, p, MR_LOAD_END_MEMORY);
        return;
    }
    l->counts.frames_out++;
    if (!p->dirty) {
        p->dirty = true;
        l->dirty[l->dirty_n++] = p->index;
    }
}

static void send_hello(struct mr_load *l, struct mr_load_peer *p)
{
    struct mr_capability ours[MR_ETH_VERSION_ADVERTISED - MR_ETH_VERSION_MIN + 1];
    size_t n = 0;

    for (uint64_t v = MR_ETH_VERSION_MIN; v <= MR_ETH_VERSION_ADVERTISED; v++)
        if (l->o->eth_version == 0 || l->o->eth_version == v)
            ours[n++] = mr_protocol_find("eth", v)->capability;
    queued(l, p, mr_load_link_hello(&p->link, "millrace-load/v" MR_VERSION, ours, n));
}

void mr_load_peer_agree(struct mr_load *l, struct mr_load_peer *p)
{
    if (mr_load_link_agree(&p->link) != MR_OK) {
        mr_load_peer_end(l, p, MR_LOAD_END_HANDSHAKE);
        return;
    }
    if (p->link.handshake)
        return;
    p->state = MR_LOAD_HELLO;
    mr_keepalive_init(&p->alive, mr_time_mono_ms(l->now));
    mr_strict_peer_init(&p->strict, 0, mr_time_mono_ms(l->now));
    send_hello(l, p);
}

/* ---- sending ---- */

void mr_load_send(struct mr_load *l, struct mr_load_peer *p, uint16_t wire_id,
                  struct mr_span payload)
{
    queued(l, p, mr_load_link_send(&p->link, wire_id, payload));
}

static uint16_t eth_wire_id(const struct mr_load_peer *p, uint16_t id)
{
    return (uint16_t)(mr_capabilities_named(&p->link.shared, "eth")->first_id + id);
}

void mr_load_send_eth(struct mr_load *l, struct mr_load_peer *p, uint16_t id,
                      struct mr_span payload)
{
    mr_load_send(l, p, eth_wire_id(p, id), payload);
}

void mr_load_send_ping(struct mr_load *l, struct mr_load_peer *p)
{
    static const uint8_t empty_list = 0xc0;

    mr_load_send(l, p, MR_BASE_PING, mr_span(&empty_list, 1));
    mr_keepalive_pinged(&p->alive, mr_time_mono_ms(l->now));
}

void mr_load_send_disconnect(struct mr_load *l, struct mr_load_peer *p, unsigned reason)
{
    uint8_t payload[8];
    struct mr_writer w = mr_writer(payload, sizeof payload);

    if (mr_disconnect_encode(&w, reason) == MR_OK)
        mr_load_send(l, p, MR_BASE_DISCONNECT, mr_writer_span(&w));
}

/* One Transactions message with what is due, up to about SEND_BYTES. */
static void send_some(struct mr_load *l, struct mr_load_peer *p)
{
    struct mr_writer w = mr_writer(l->scratch, MR_LOAD_SCRATCH_BYTES);
    const size_t mark = mr_rlp_open(&w);
    struct mr_time now = mr_clock_now();

    while (p->next_tx < l->released && w.n - mark < SEND_BYTES) {
        if (mr_tx_item_put(&w, mr_corpus_bytes(&l->corpus, p->next_tx)) != MR_OK)
            break; /* no room: in the next message */
        mr_load_track_sent(&l->track, p->next_tx, now.mono_ns);
        p->next_tx += l->track.senders;
    }
    if (mr_rlp_close(&w, mark) != MR_OK)
        MR_ASSERT(!"SEND_BYTES and one transaction fit the room");
    queued(l, p,
           mr_load_link_send_compressed(&p->link, eth_wire_id(p, MR_ETH_TRANSACTIONS),
                                        mr_writer_span(&w)));
}

void mr_load_send_due(struct mr_load *l, struct mr_load_peer *p)
{
    while (p->state == MR_LOAD_ACTIVE && p->next_tx < l->released &&
           mr_load_bytes_left(&p->link.out) < MR_LOAD_OUT_MAX)
        send_some(l, p);
}
