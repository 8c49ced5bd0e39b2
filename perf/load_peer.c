#include "perf/load_peer.h"

#include "crypto/entropy.h"
#include "crypto/keccak.h"
#include "net/eth/message.h"
#include "net/rlpx/hello.h"

#define SEND_BYTES (64u << 10) /* of transactions in one message, about (geth: 100 KiB) */

uint32_t mr_load_peer_ip(uint32_t index)
{
    /* 127.1 to 127.254, then the next third byte: no two of 254 neighbours share a /16. */
    uint32_t second = 1 + index % 254, rest = index / 254;

    return 127u << 24 | second << 16 | (rest % 256) << 8 | (1 + rest / 256 % 254);
}

void mr_load_peer_init(struct mr_load *l, struct mr_load_peer *p, uint32_t index)
{
    uint8_t text[32] = "millrace-load peer";
    struct mr_hash h;

    memset(p, 0, sizeof *p);
    p->index = index;
    p->fd = -1;
    p->next_tx = index;
    mr_store_be64(text + 20, l->o->seed);
    mr_store_be32(text + 28, index);
    mr_keccak256(&h, text, sizeof text);
    while (!mr_secp_public(l->secp, &p->key.pub, h.b)) /* one chance in 2^127 */
        mr_keccak256(&h, h.b, sizeof h.b);
    memcpy(p->key.key, h.b, sizeof p->key.key);
}

void mr_load_peer_fini(struct mr_load_peer *p)
{
    free(p->handshake);
    free(p->in.p);
    free(p->out.p);
    free(p->wire.p);
    free(p->wanted);
    free(p->asked);
    p->handshake = NULL;
    p->in = p->out = p->wire = (struct mr_load_bytes){0};
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
    struct mr_writer w;

    p->handshake = malloc(sizeof *p->handshake);
    mr_load_bytes_clear(&p->wire, SIZE_MAX);
    if (!p->handshake || !mr_load_bytes_room(&p->wire, MR_RLPX_HANDSHAKE_OUT_MAX)) {
        mr_load_peer_end(l, p, MR_LOAD_END_MEMORY);
        return;
    }
    w = mr_writer(p->wire.p, MR_RLPX_HANDSHAKE_OUT_MAX);
    if (mr_rlpx_handshake_init_initiator(p->handshake, l->secp, &p->key, &l->o->target_id, NULL,
                                         mr_entropy_system, NULL) != MR_OK ||
        mr_rlpx_handshake_start(p->handshake, &w) != MR_OK) {
        mr_load_peer_end(l, p, MR_LOAD_END_HANDSHAKE);
        return;
    }
    p->wire.n = w.n;
    p->state = MR_LOAD_ACK;
}

static void send_hello(struct mr_load *l, struct mr_load_peer *p)
{
    static const char client[] = "millrace-load/v" MR_VERSION;
    uint8_t payload[MR_HELLO_MAX];
    struct mr_writer w = mr_writer(payload, sizeof payload);
    struct mr_hello h = {.version = MR_P2P_VERSION,
                         .client_id = mr_span(client, sizeof client - 1),
                         .id = p->key.pub};

    for (uint64_t v = MR_ETH_VERSION_MIN; v <= MR_ETH_VERSION_ADVERTISED; v++)
        if (l->o->eth_version == 0 || l->o->eth_version == v)
            h.capabilities[h.capabilities_count++] = mr_protocol_find("eth", v)->capability;
    if (mr_hello_encode(&w, &h) != MR_OK)
        MR_ASSERT(!"a Hello fits 2 KiB");
    mr_load_send(l, p, MR_BASE_HELLO, mr_writer_span(&w));
}

void mr_load_peer_agree(struct mr_load *l, struct mr_load_peer *p)
{
    struct mr_rlpx_handshake *hs = p->handshake;
    size_t need, have;

    while ((need = mr_rlpx_handshake_need(hs)) > 0 && (have = mr_load_bytes_left(&p->in)) > 0) {
        size_t n = MR_MIN(need, have);

        if (mr_rlpx_handshake_feed(hs, p->in.p + p->in.at, n, NULL) != MR_OK) {
            mr_load_peer_end(l, p, MR_LOAD_END_HANDSHAKE);
            return;
        }
        p->in.at += n;
    }
    if (hs->phase != MR_RLPX_HANDSHAKE_DONE)
        return;
    mr_rlpx_session_init(&p->session, &hs->secrets);
    mr_rlpx_handshake_fini(hs);
    free(hs);
    p->handshake = NULL;
    p->transport = (struct mr_transport){0};
    p->in_need = MR_FRAME_HEADER_LEN;
    p->state = MR_LOAD_HELLO;
    mr_keepalive_init(&p->alive, mr_time_mono_ms(l->now));
    mr_strict_peer_init(&p->strict, 0, mr_time_mono_ms(l->now));
    send_hello(l, p);
}

/* ---- sending ---- */

/* Begins a frame of at most cap bytes of data. p->out.n rises with frame_end. */
static struct mr_writer frame_begin(struct mr_load *l, struct mr_load_peer *p, size_t cap)
{
    uint8_t *room = mr_load_bytes_room(&p->out, cap + 4);

    if (!room) {
        mr_load_peer_end(l, p, MR_LOAD_END_MEMORY);
        return mr_writer(NULL, 0);
    }
    return mr_writer(room + 4, cap);
}

static void frame_end(struct mr_load *l, struct mr_load_peer *p, const struct mr_writer *w)
{
    uint32_t size = (uint32_t)w->n;

    memcpy(w->p - 4, &size, 4);
    p->out.n += 4 + w->n;
    l->counts.frames_out++;
    if (!p->dirty) {
        p->dirty = true;
        l->dirty[l->dirty_n++] = p->index;
    }
}

void mr_load_send(struct mr_load *l, struct mr_load_peer *p, uint16_t wire_id,
                  struct mr_span payload)
{
    uint8_t head[MR_MESSAGE_HEAD_MAX];
    struct mr_span spans[2];
    size_t n = mr_message_spans(spans, head, &p->transport, wire_id, payload);
    struct mr_writer w = frame_begin(l, p, sizeof head + payload.n);

    if (!w.p)
        return;
    for (size_t i = 0; i < n; i++)
        if (mr_rlp_put_raw(&w, spans[i].p, spans[i].n) != MR_OK)
            MR_ASSERT(!"room was made");
    frame_end(l, p, &w);
}

void mr_load_send_eth(struct mr_load *l, struct mr_load_peer *p, uint16_t id,
                      struct mr_span payload)
{
    mr_load_send(l, p, (uint16_t)(mr_capabilities_named(&p->shared, "eth")->first_id + id),
                 payload);
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

/* Whether a message of this session is compressed. */
static bool compresses(const struct mr_load_peer *p)
{
    return p->transport.shared && p->transport.snappy;
}

/* A message compressed as a whole. */
static void send_compressed(struct mr_load *l, struct mr_load_peer *p, uint16_t id,
                            struct mr_span payload)
{
    uint16_t wire_id = (uint16_t)(mr_capabilities_named(&p->shared, "eth")->first_id + id);
    struct mr_writer w = frame_begin(l, p, MR_MESSAGE_HEAD_MAX + MR_SNAPPY_DEFLATED_MAX(payload.n));
    size_t n;

    if (!w.p)
        return;
    if (mr_message_put_head(&w, &p->transport, wire_id, (uint32_t)payload.n) != MR_OK ||
        mr_snappy_fragment(w.p + w.n, w.cap - w.n, &n, payload) != MR_OK)
        MR_ASSERT(!"room was made");
    w.n += n;
    frame_end(l, p, &w);
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
    if (compresses(p))
        send_compressed(l, p, MR_ETH_TRANSACTIONS, mr_writer_span(&w));
    else
        mr_load_send_eth(l, p, MR_ETH_TRANSACTIONS, mr_writer_span(&w));
}

void mr_load_send_due(struct mr_load *l, struct mr_load_peer *p)
{
    while (p->state == MR_LOAD_ACTIVE && p->next_tx < l->released &&
           mr_load_bytes_left(&p->out) < MR_LOAD_OUT_MAX)
        send_some(l, p);
}
