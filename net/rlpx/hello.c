#include "net/rlpx/hello.h"

/* [[name, version], ...] into h, as many as it holds. */
static enum mr_err capabilities_decode(struct mr_hello *h, struct mr_reader list)
{
    struct mr_reader pair;
    struct mr_span name;
    uint64_t version;
    enum mr_err e;

    h->capabilities_seen = h->capabilities_count = 0;
    while (!mr_reader_done(&list)) {
        if ((e = mr_rlp_list(&list, &pair)) || (e = mr_rlp_bytes(&pair, &name)) ||
            (e = mr_rlp_u64(&pair, &version)))
            return e;
        if (!mr_reader_done(&pair))
            return MR_MALFORMED;
        h->capabilities_seen++;
        if (h->capabilities_count < MR_CAPABILITY_OFFERED_MAX &&
            mr_capability_make(&h->capabilities[h->capabilities_count], name, version))
            h->capabilities_count++;
    }
    return MR_OK;
}

static bool is_zero(const struct mr_node_id *id)
{
    static const struct mr_node_id zero;

    return mr_node_id_equal(id, &zero);
}

enum mr_p2p_fault mr_hello_decode(struct mr_hello *out, struct mr_span payload)
{
    struct mr_reader r = mr_reader(payload.p, payload.n), body, list;
    struct mr_span id;
    struct mr_hello h;

    if (payload.n > MR_HELLO_MAX)
        return MR_P2P_HELLO_TOO_BIG;
    if (mr_rlp_list(&r, &body) || !mr_reader_done(&r) || mr_rlp_u64(&body, &h.version) ||
        mr_rlp_bytes(&body, &h.client_id) || mr_rlp_list(&body, &list) ||
        capabilities_decode(&h, list) || mr_rlp_u64(&body, &h.listen_port) ||
        mr_rlp_bytes(&body, &id))
        return MR_P2P_HELLO_MALFORMED;
    while (!mr_reader_done(&body)) {
        if (mr_rlp_skip(&body)) /* EIP-8: what a later version adds is ignored, yet it is RLP */
            return MR_P2P_HELLO_MALFORMED;
    }
    if (id.n != sizeof h.id.b)
        return MR_P2P_HELLO_ID_LENGTH;
    memcpy(h.id.b, id.p, sizeof h.id.b);
    if (is_zero(&h.id))
        return MR_P2P_HELLO_NULL_ID;
    h.client_id.n = MR_MIN(h.client_id.n, MR_HELLO_CLIENT_ID_MAX);
    *out = h;
    return MR_P2P_NONE;
}

static enum mr_err capability_encode(struct mr_writer *w, const struct mr_capability *c)
{
    size_t mark = mr_rlp_open(w);
    enum mr_err e;

    if ((e = mr_rlp_put_bytes(w, c->name, strnlen(c->name, sizeof c->name))) ||
        (e = mr_rlp_put_u64(w, c->version)))
        return e;
    return mr_rlp_close(w, mark);
}

enum mr_err mr_hello_encode(struct mr_writer *w, const struct mr_hello *h)
{
    struct mr_writer copy = *w;
    size_t whole = mr_rlp_open(&copy), mark;
    enum mr_err e;

    MR_ASSERT(h->capabilities_count <= MR_CAPABILITY_OFFERED_MAX);
    if ((e = mr_rlp_put_u64(&copy, h->version)) ||
        (e = mr_rlp_put_bytes(&copy, h->client_id.p, h->client_id.n)))
        return e;
    mark = mr_rlp_open(&copy);
    for (unsigned i = 0; i < h->capabilities_count; i++) {
        if ((e = capability_encode(&copy, &h->capabilities[i])))
            return e;
    }
    if ((e = mr_rlp_close(&copy, mark)) || (e = mr_rlp_put_u64(&copy, h->listen_port)) ||
        (e = mr_rlp_put_bytes(&copy, h->id.b, sizeof h->id.b)) || (e = mr_rlp_close(&copy, whole)))
        return e;
    *w = copy;
    return MR_OK;
}

enum mr_p2p_fault mr_hello_check_identity(const struct mr_hello *h,
                                          const struct mr_node_id *authenticated,
                                          const struct mr_node_id *own)
{
#ifndef MR_SABOTAGE_H_10
    if (!mr_node_id_equal(&h->id, authenticated))
        return MR_P2P_HELLO_OTHER_ID;
#endif
    (void)h;
    return mr_node_id_equal(authenticated, own) ? MR_P2P_HELLO_OWN_ID : MR_P2P_NONE;
}

size_t mr_hello_client_text(char *out, size_t cap, const struct mr_hello *h)
{
    size_t n;

    MR_ASSERT(cap > 0);
    n = MR_MIN(h->client_id.n, cap - 1);
    for (size_t i = 0; i < n; i++) {
        uint8_t b = h->client_id.p[i];

        out[i] = b >= 0x20 && b <= 0x7e ? (char)b : '.';
    }
    out[n] = '\0';
    return n;
}
