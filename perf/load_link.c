#include "perf/load_link.h"

#include "crypto/entropy.h"
#include "crypto/keccak.h"

#define KEEP_BYTES 4096

uint32_t mr_load_link_ip(uint32_t index)
{
    /* 127.1 to 127.254, then the next third byte: no two of 254 neighbours share a /16. */
    uint32_t second = 1 + index % 254, rest = index / 254;

    return 127u << 24 | second << 16 | (rest % 256) << 8 | (1 + rest / 256 % 254);
}

void mr_load_link_init(struct mr_load_link *k, const struct mr_secp *secp, uint64_t seed,
                       uint32_t index)
{
    uint8_t text[32] = "millrace-load peer";
    struct mr_hash h;

    memset(k, 0, sizeof *k);
    mr_store_be64(text + 20, seed);
    mr_store_be32(text + 28, index);
    mr_keccak256(&h, text, sizeof text);
    while (!mr_secp_public(secp, &k->key.pub, h.b)) /* one chance in 2^127 */
        mr_keccak256(&h, h.b, sizeof h.b);
    memcpy(k->key.key, h.b, sizeof k->key.key);
}

void mr_load_link_fini(struct mr_load_link *k)
{
    free(k->handshake);
    free(k->in.p);
    free(k->out.p);
    free(k->wire.p);
    k->handshake = NULL;
    k->in = k->out = k->wire = (struct mr_load_bytes){0};
    mr_rlpx_session_wipe(&k->session);
}

/* ---- key agreement and Hello ---- */

enum mr_err mr_load_link_start(struct mr_load_link *k, const struct mr_secp *secp,
                               const struct mr_node_id *remote)
{
    struct mr_writer w;
    enum mr_err e;

    k->handshake = malloc(sizeof *k->handshake);
    mr_load_bytes_clear(&k->wire, SIZE_MAX);
    if (!k->handshake || !mr_load_bytes_room(&k->wire, MR_RLPX_HANDSHAKE_OUT_MAX))
        return MR_FULL;
    w = mr_writer(k->wire.p, MR_RLPX_HANDSHAKE_OUT_MAX);
    if ((e = mr_rlpx_handshake_init_initiator(k->handshake, secp, &k->key, remote, NULL,
                                              mr_entropy_system, NULL)) != MR_OK ||
        (e = mr_rlpx_handshake_start(k->handshake, &w)) != MR_OK)
        return e;
    k->wire.n = w.n;
    return MR_OK;
}

enum mr_err mr_load_link_agree(struct mr_load_link *k)
{
    struct mr_rlpx_handshake *hs = k->handshake;
    size_t need, have;

    while ((need = mr_rlpx_handshake_need(hs)) > 0 && (have = mr_load_bytes_left(&k->in)) > 0) {
        size_t n = MR_MIN(need, have);
        enum mr_err e = mr_rlpx_handshake_feed(hs, k->in.p + k->in.at, n, NULL);

        if (e != MR_OK)
            return e;
        k->in.at += n;
    }
    if (hs->phase != MR_RLPX_HANDSHAKE_DONE)
        return MR_OK;
    mr_rlpx_session_init(&k->session, &hs->secrets);
    mr_rlpx_handshake_fini(hs);
    free(hs);
    k->handshake = NULL;
    k->transport = (struct mr_transport){0};
    k->in_need = MR_FRAME_HEADER_LEN;
    return MR_OK;
}

bool mr_load_link_hello(struct mr_load_link *k, const char *client,
                        const struct mr_capability *capabilities, size_t n)
{
    uint8_t payload[MR_HELLO_MAX];
    struct mr_writer w = mr_writer(payload, sizeof payload);
    struct mr_hello h = {
        .version = MR_P2P_VERSION, .client_id = mr_span(client, strlen(client)), .id = k->key.pub};

    MR_ASSERT(n <= MR_CAPABILITY_OFFERED_MAX);
    memcpy(h.capabilities, capabilities, n * sizeof *capabilities);
    h.capabilities_count = (uint32_t)n;
    if (mr_hello_encode(&w, &h) != MR_OK)
        MR_ASSERT(!"a Hello fits 2 KiB");
    return mr_load_link_send(k, MR_BASE_HELLO, mr_writer_span(&w));
}

enum mr_p2p_fault mr_load_link_on_hello(struct mr_load_link *k, const struct mr_node_id *remote,
                                        struct mr_span payload, const struct mr_protocol *ours,
                                        size_t ours_n)
{
    struct mr_hello h;
    enum mr_p2p_fault fault = mr_hello_decode(&h, payload);

    if (!fault)
        fault = mr_hello_check_identity(&h, remote, &k->key.pub);
    if (fault)
        return fault;
    if (mr_capabilities_match(&k->shared, ours, ours_n, h.capabilities, h.capabilities_count) !=
        MR_OK)
        return MR_P2P_NOTHING_SHARED;
    k->transport = mr_transport_after_hello(&k->shared, MR_P2P_VERSION, h.version);
    return MR_P2P_NONE;
}

/* ---- queueing ---- */

/* Begins a frame of at most cap bytes of data. k->out.n rises with frame_end. */
static struct mr_writer frame_begin(struct mr_load_link *k, size_t cap)
{
    uint8_t *room = mr_load_bytes_room(&k->out, cap + 4);

    return room ? mr_writer(room + 4, cap) : mr_writer(NULL, 0);
}

static void frame_end(struct mr_load_link *k, const struct mr_writer *w)
{
    uint32_t size = (uint32_t)w->n;

    memcpy(w->p - 4, &size, 4);
    k->out.n += 4 + w->n;
}

bool mr_load_link_send(struct mr_load_link *k, uint16_t wire_id, struct mr_span payload)
{
    uint8_t head[MR_MESSAGE_HEAD_MAX];
    struct mr_span spans[2];
    size_t n = mr_message_spans(spans, head, &k->transport, wire_id, payload);
    struct mr_writer w = frame_begin(k, sizeof head + payload.n);

    if (!w.p)
        return false;
    for (size_t i = 0; i < n; i++)
        if (mr_rlp_put_raw(&w, spans[i].p, spans[i].n) != MR_OK)
            MR_ASSERT(!"room was made");
    frame_end(k, &w);
    return true;
}

bool mr_load_link_send_compressed(struct mr_load_link *k, uint16_t wire_id, struct mr_span payload)
{
    struct mr_writer w;
    size_t n;

    if (!k->transport.shared || !k->transport.snappy)
        return mr_load_link_send(k, wire_id, payload);
    w = frame_begin(k, MR_MESSAGE_HEAD_MAX + MR_SNAPPY_DEFLATED_MAX(payload.n));
    if (!w.p)
        return false;
    if (mr_message_put_head(&w, &k->transport, wire_id, (uint32_t)payload.n) != MR_OK ||
        mr_snappy_fragment(w.p + w.n, w.cap - w.n, &n, payload) != MR_OK)
        MR_ASSERT(!"room was made");
    w.n += n;
    frame_end(k, &w);
    return true;
}

/* ---- sealing ---- */

enum mr_err mr_load_seal_add(struct mr_load_sealing *s, struct mr_load_link *k, void *owner,
                             size_t bytes_max)
{
    const size_t i = s->count;
    size_t at = k->out.at, wire = 0;
    uint32_t n = 0;

    while (at < k->out.n && n < MR_LOAD_SEAL_FRAMES && wire < bytes_max) {
        uint32_t size;

        memcpy(&size, k->out.p + at, sizeof size);
        s->spans[i][n] = mr_span(k->out.p + at + sizeof size, size);
        s->frames[i][n] =
            (struct mr_frame){.spans = &s->spans[i][n], .spans_count = 1, .size = size};
        wire += MR_FRAME_WIRE_LEN(size);
        at += sizeof size + size;
        n++;
    }
    if (n == 0)
        return MR_OK;
    k->wire.at = k->wire.n = 0;
    if (!mr_load_bytes_room(&k->wire, wire))
        return MR_FULL;
    s->taken[i] = at - k->out.at;
    s->links[i] = k;
    s->owners[i] = owner;
    s->jobs[i] = (struct mr_seal_job){.session = &k->session,
                                      .frames = s->frames[i],
                                      .frames_count = n,
                                      .out = k->wire.p,
                                      .out_cap = wire};
    s->count++;
    return MR_OK;
}

void mr_load_seal_run(struct mr_load_sealing *s)
{
    mr_rlpx_seal(s->jobs, s->count, NULL);
    for (size_t i = 0; i < s->count; i++) {
        struct mr_load_link *k = s->links[i];

        MR_ASSERT(s->jobs[i].frames_done == s->jobs[i].frames_count);
        k->wire.n = s->jobs[i].out_len;
        k->out.at += s->taken[i];
        if (mr_load_bytes_left(&k->out) == 0)
            mr_load_bytes_clear(&k->out, KEEP_BYTES);
    }
}
