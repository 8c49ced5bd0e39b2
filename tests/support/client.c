#include "tests/support/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/random.h"

#define IN_ROOM      (MR_FRAME_WIRE_LEN(MR_FRAME_SIZE_MAX) + 65536u)
#define MESSAGE_ROOM (16u << 20)
#define HELLO_ROOM   2048

const char *mr_client_got_text(enum mr_client_got g)
{
    static const char *const texts[] = {"message",        "timeout", "closed",
                                        "cut in a frame", "reset",   "bad bytes"};

    return texts[g];
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t deadline_of(const struct mr_client *c, int timeout_ms)
{
    return now_ms() + (timeout_ms >= 0 ? timeout_ms : c->options.timeout_ms);
}

static enum mr_client_got bad(struct mr_client *c, const char *why)
{
    c->why = why;
    return MR_CLIENT_BAD;
}

void mr_client_init(struct mr_client *c, const struct mr_client_options *options)
{
    struct mr_random r;

    memset(c, 0, sizeof *c);
    c->options = *options;
    c->fd = -1;
    c->why = "";
    if (c->options.timeout_ms == 0)
        c->options.timeout_ms = 5000;
    if (c->options.version_min == 0) {
        c->options.version_min = MR_ETH_VERSION_MIN;
        c->options.version_max = MR_ETH_VERSION_ADVERTISED;
    }
    if (!c->options.name)
        c->options.name = "millrace-test/1";
    mr_random_init(&r, options->key_seed);
    do
        for (size_t i = 0; i < sizeof c->key.key; i += 8)
            mr_store_be64(c->key.key + i, mr_random_u64(&r));
    while (!mr_secp_public(options->secp, &c->key.pub, c->key.key));
    c->in = malloc(IN_ROOM);
    c->message = malloc(MESSAGE_ROOM);
    MR_ASSERT(c->in);
    MR_ASSERT(c->message);
}

void mr_client_close(struct mr_client *c)
{
    if (!c)
        return;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->in);
    free(c->message);
    c->in = c->message = NULL;
}

void mr_client_abort(struct mr_client *c)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    mr_client_close(c);
}

/* ---- bytes ---- */

enum mr_client_got mr_client_connect(struct mr_client *c, struct mr_endpoint to, uint32_t from_ip)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(to.port), .sin_addr = {.s_addr = htonl(to.ip)}};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(from_ip)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || (from_ip && bind(fd, (struct sockaddr *)&from, sizeof from)) ||
        connect(fd, (struct sockaddr *)&a, sizeof a)) {
        if (fd >= 0)
            close(fd);
        c->why = strerror(errno);
        return MR_CLIENT_RESET;
    }
    mr_client_take(c, fd);
    return MR_CLIENT_MESSAGE;
}

void mr_client_take(struct mr_client *c, int fd)
{
    MR_ASSERT(c->fd < 0);
    c->fd = fd;
}

/* Sends all, while what comes is left alone; a remote that does not read ends it by timeout. */
bool mr_client_send_raw(struct mr_client *c, const void *p, size_t n)
{
    const uint8_t *at = p;
    int64_t until = deadline_of(c, -1);

    while (n > 0) {
        ssize_t k = send(c->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd pfd = {.fd = c->fd, .events = POLLOUT};
        int64_t left = until - now_ms();

        if (k > 0) {
            at += k, n -= (size_t)k;
            continue;
        }
        if (k < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (left <= 0 || poll(&pfd, 1, (int)left) < 0)
            return false;
    }
    return true;
}

/* Waits until there is something, and takes 1 to n bytes of it. */
static enum mr_client_got receive_some(struct mr_client *c, uint8_t *p, size_t n, size_t *got,
                                       int64_t until)
{
    for (;;) {
        struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
        int64_t left = until - now_ms();
        ssize_t k = recv(c->fd, p, n, MSG_DONTWAIT);

        if (k > 0) {
            *got = (size_t)k;
            return MR_CLIENT_MESSAGE;
        }
        if (k == 0)
            return MR_CLIENT_CLOSED;
        if (errno != EAGAIN && errno != EINTR)
            return MR_CLIENT_RESET;
        if (left <= 0)
            return MR_CLIENT_TIMEOUT;
        poll(&pfd, 1, (int)left);
    }
}

/* ---- handshake ---- */

static enum mr_client_got shake(struct mr_client *c, struct mr_rlpx_handshake *hs)
{
    uint8_t out_bytes[MR_RLPX_HANDSHAKE_OUT_MAX], in[MR_RLPX_HANDSHAKE_BODY_MAX];
    int64_t until = deadline_of(c, -1);
    enum mr_client_got g = MR_CLIENT_MESSAGE;
    size_t need, got = 0;

    while (g == MR_CLIENT_MESSAGE && (need = mr_rlpx_handshake_need(hs)) > 0) {
        struct mr_writer out = mr_writer(out_bytes, sizeof out_bytes);

        g = receive_some(c, in, need, &got, until);
        if (g != MR_CLIENT_MESSAGE)
            break;
        if (mr_rlpx_handshake_feed(hs, in, got, &out) != MR_OK)
            g = bad(c, mr_rlpx_handshake_fault_text(hs->fault));
        else if (out.n > 0 && !mr_client_send_raw(c, out.p, out.n))
            g = MR_CLIENT_RESET;
    }
    if (g == MR_CLIENT_MESSAGE) {
        c->remote = hs->remote;
        mr_rlpx_session_init(&c->session, &hs->secrets);
    }
    mr_rlpx_handshake_fini(hs);
    return g;
}

enum mr_client_got mr_client_initiate(struct mr_client *c, const struct mr_node_id *remote)
{
    uint8_t bytes[MR_RLPX_HANDSHAKE_OUT_MAX];
    struct mr_writer out = mr_writer(bytes, sizeof bytes);
    struct mr_rlpx_handshake hs;

    if (mr_rlpx_handshake_init_initiator(&hs, c->options.secp, &c->key, remote, NULL,
                                         mr_entropy_system, NULL) != MR_OK ||
        mr_rlpx_handshake_start(&hs, &out) != MR_OK)
        return bad(c, "no handshake with this id");
    if (!mr_client_send_raw(c, out.p, out.n))
        return MR_CLIENT_RESET;
    return shake(c, &hs);
}

enum mr_client_got mr_client_respond(struct mr_client *c)
{
    struct mr_rlpx_handshake hs;

    mr_rlpx_handshake_init_recipient(&hs, c->options.secp, &c->key, NULL, mr_entropy_system, NULL);
    return shake(c, &hs);
}

static size_t our_protocols(const struct mr_client *c, struct mr_protocol *out)
{
    size_t n = 0;

    for (unsigned v = c->options.version_min; v <= c->options.version_max; v++) {
        const struct mr_protocol *p = mr_protocol_find("eth", v);

        if (p)
            out[n++] = *p;
    }
    return n;
}

static bool agreed(struct mr_client *c)
{
    const struct mr_capability_shared *eth = mr_capabilities_named(&c->caps, "eth");

    if (!eth)
        return false;
    c->eth_version = (unsigned)eth->capability.version;
    c->eth_index = (uint8_t)(eth - c->caps.shared);
    c->helloed = true;
    return true;
}

void mr_client_session(struct mr_client *c, const struct mr_rlpx_session *session,
                       const struct mr_capabilities *caps, bool snappy)
{
    c->session = *session;
    c->caps = *caps;
    c->transport = (struct mr_transport){.shared = &c->caps, .snappy = snappy};
    MR_ASSERT(agreed(c));
}

static bool send_hello(struct mr_client *c)
{
    struct mr_hello h = {.version = MR_P2P_VERSION,
                         .client_id = mr_span(c->options.name, strlen(c->options.name)),
                         .id = c->key.pub};
    struct mr_protocol ours[MR_CAPABILITIES_MAX];
    uint8_t room[HELLO_ROOM];
    struct mr_writer w = mr_writer(room, sizeof room);

    h.capabilities_count = (uint32_t)our_protocols(c, ours);
    for (uint32_t i = 0; i < h.capabilities_count; i++)
        h.capabilities[i] = ours[i].capability;
    return mr_hello_encode(&w, &h) == MR_OK &&
           mr_client_send_wire(c, MR_BASE_HELLO, mr_writer_span(&w));
}

static enum mr_client_got take_hello(struct mr_client *c, struct mr_span payload)
{
    struct mr_protocol ours[MR_CAPABILITIES_MAX];
    size_t n = our_protocols(c, ours);
    struct mr_hello theirs;

    if (mr_hello_decode(&theirs, payload) != MR_P2P_NONE)
        return bad(c, "Hello malformed");
    if (memcmp(theirs.id.b, c->remote.b, sizeof c->remote.b) != 0)
        return bad(c, "Hello of another id");
    mr_hello_client_text(c->remote_client, sizeof c->remote_client, &theirs);
    if (mr_capabilities_match(&c->caps, ours, n, theirs.capabilities, theirs.capabilities_count) !=
        MR_OK)
        return bad(c, "nothing shared");
    c->transport = mr_transport_after_hello(&c->caps, MR_P2P_VERSION, theirs.version);
    return agreed(c) ? MR_CLIENT_MESSAGE : bad(c, "eth is not shared");
}

enum mr_client_got mr_client_hello(struct mr_client *c)
{
    struct mr_client_message m;
    enum mr_client_got g;

    if (!send_hello(c))
        return MR_CLIENT_RESET;
    if ((g = mr_client_receive(c, &m, -1)) != MR_CLIENT_MESSAGE)
        return g;
    if (m.id == MR_BASE_DISCONNECT)
        return MR_CLIENT_CLOSED;
    return take_hello(c, m.payload);
}

void mr_client_status_default(const struct mr_client *c, struct mr_eth_status *out)
{
    const struct mr_network *net = c->options.network;

    *out = (struct mr_eth_status){
        .version = c->eth_version,
        .network_id = net->network_id,
        .genesis = net->genesis_hash,
        .fork_id = mr_fork_id_at(net, mr_network_point(net, NULL, (uint64_t)time(NULL))),
        .total_difficulty = net->total_difficulty,
        .latest_hash = net->genesis_hash};
}

enum mr_client_got mr_client_status(struct mr_client *c)
{
    struct mr_client_message m;
    struct mr_eth_status ours;
    uint8_t room[MR_ETH_STATUS_MAX];
    struct mr_writer w = mr_writer(room, sizeof room);
    enum mr_client_got g;

    mr_client_status_default(c, &ours);
    if (mr_eth_status_encode(&w, &ours) != MR_OK)
        return bad(c, "Status does not fit");
    if (!mr_client_send_eth(c, MR_ETH_STATUS, mr_writer_span(&w)))
        return MR_CLIENT_RESET;
    if ((g = mr_client_receive(c, &m, -1)) != MR_CLIENT_MESSAGE)
        return g;
    if (!m.is_eth && m.id == MR_BASE_DISCONNECT)
        return MR_CLIENT_CLOSED;
    if (!m.is_eth || m.id != MR_ETH_STATUS ||
        mr_eth_status_decode(&c->status, c->eth_version, m.payload) != MR_OK)
        return bad(c, "first message is not a Status");
    return MR_CLIENT_MESSAGE;
}

enum mr_client_got mr_client_open(struct mr_client *c, const struct mr_client_options *options,
                                  struct mr_endpoint to, const struct mr_node_id *remote)
{
    enum mr_client_got g;

    mr_client_init(c, options);
    if ((g = mr_client_connect(c, to, 0)) || (g = mr_client_initiate(c, remote)) ||
        (g = mr_client_hello(c)))
        return g;
    return mr_client_status(c);
}

/* ---- sending ---- */

bool mr_client_send_frame_data(struct mr_client *c, struct mr_span data)
{
    struct mr_frame frame = {.spans = &data, .spans_count = 1, .size = (uint32_t)data.n};
    size_t room = MR_FRAME_WIRE_LEN(data.n);
    struct mr_seal_job job = {.session = &c->session, .frames = &frame, .frames_count = 1};
    bool ok;

    job.out = malloc(room);
    MR_ASSERT(job.out);
    job.out_cap = room;
    mr_rlpx_seal_one(&job, NULL);
    MR_ASSERT(job.frames_done == 1);
    ok = mr_client_send_raw(c, job.out, job.out_len);
    free(job.out);
    return ok;
}

bool mr_client_send_wire(struct mr_client *c, uint16_t wire_id, struct mr_span payload)
{
    uint8_t head[MR_MESSAGE_HEAD_MAX];
    struct mr_span spans[2];
    size_t n = mr_message_spans(spans, head, &c->transport, wire_id, payload);
    uint8_t *data = malloc(MR_MESSAGE_HEAD_MAX + payload.n);
    size_t size = 0;
    bool ok;

    MR_ASSERT(data);
    for (size_t i = 0; i < n; i++) {
        if (spans[i].n > 0)
            memcpy(data + size, spans[i].p, spans[i].n);
        size += spans[i].n;
    }
    ok = mr_client_send_frame_data(c, mr_span(data, size));
    free(data);
    return ok;
}

bool mr_client_send_base(struct mr_client *c, uint8_t id, struct mr_span payload)
{
    return mr_client_send_wire(c, id, payload);
}

bool mr_client_send_eth(struct mr_client *c, uint8_t id, struct mr_span payload)
{
    return mr_client_send_wire(c, mr_capabilities_wire_id(&c->caps, c->eth_index, id), payload);
}

bool mr_client_send_transactions(struct mr_client *c, const struct mr_span *raw, size_t n)
{
    struct mr_writer w = {0};
    size_t payload = 0;
    bool ok = true;

    for (size_t i = 0; i < n; i++)
        payload += mr_tx_item_len(raw[i]);
    w.cap = payload + 16;
    w.p = malloc(w.cap);
    MR_ASSERT(w.p);
    ok = mr_transactions_put_head(&w, payload) == MR_OK;
    for (size_t i = 0; ok && i < n; i++)
        ok = mr_tx_item_put(&w, raw[i]) == MR_OK;
    ok = ok && mr_client_send_eth(c, MR_ETH_TRANSACTIONS, mr_writer_span(&w));
    free(w.p);
    return ok;
}

/* ---- receiving ---- */

/* The next frame's data, in place. */
static enum mr_client_got receive_frame(struct mr_client *c, struct mr_span *data, int64_t until)
{
    for (;;) {
        struct mr_unseal_job job = {.session = &c->session,
                                    .in = c->in + c->in_off,
                                    .in_len = c->in_n - c->in_off,
                                    .size_max = MR_FRAME_SIZE_MAX};
        enum mr_client_got g;
        size_t got = 0;

        mr_rlpx_unseal_one(&job, NULL);
        c->in_off += job.consumed;
        switch (job.result) {
        case MR_UNSEAL_FRAME:
            c->frames++;
            *data = mr_span(job.payload, job.size);
            return MR_CLIENT_MESSAGE;
        case MR_UNSEAL_NEED:
            break;
        case MR_UNSEAL_AUTH:
            return bad(c, "MAC of a frame");
        case MR_UNSEAL_HEADER:
        case MR_UNSEAL_MALFORMED:
            return bad(c, "header of a frame");
        }
        if (c->in_off > 0) {
            memmove(c->in, c->in + c->in_off, c->in_n - c->in_off);
            c->in_n -= c->in_off;
            c->in_off = 0;
        }
        g = receive_some(c, c->in + c->in_n, IN_ROOM - c->in_n, &got, until);
        if (g == MR_CLIENT_CLOSED && (c->in_n > 0 || c->session.ingress.stage == MR_RLPX_BODY))
            return MR_CLIENT_CUT;
        if (g != MR_CLIENT_MESSAGE)
            return g;
        c->in_n += got;
    }
}

static enum mr_client_got on_base(struct mr_client *c, const struct mr_client_message *m)
{
    if (m->id == MR_BASE_PING) {
        c->pings++;
        if (!c->options.no_pongs && !mr_client_send_base(c, MR_BASE_PONG, mr_span("\xc0", 1)))
            return MR_CLIENT_RESET;
    } else if (m->id == MR_BASE_PONG) {
        c->pongs++;
    } else if (m->id == MR_BASE_DISCONNECT) {
        c->disconnected = true;
        c->reason = mr_disconnect_decode(m->payload);
    }
    return MR_CLIENT_MESSAGE;
}

static enum mr_client_got receive_any(struct mr_client *c, struct mr_client_message *out,
                                      int64_t until)
{
    struct mr_transport before = {0};
    struct mr_span data;
    struct mr_message m;
    enum mr_client_got g = receive_frame(c, &data, until);

    if (g != MR_CLIENT_MESSAGE)
        return g;
    if (mr_transport_open(&m, c->helloed ? &c->transport : &before, data) != MR_P2P_NONE)
        return bad(c, "message id or length");
    if (mr_transport_payload(&out->payload, &m, c->message, MESSAGE_ROOM) != MR_P2P_NONE)
        return bad(c, "snappy");
    out->is_eth = m.capability != MR_CAPABILITY_BASE;
    out->id = (uint8_t)m.id;
    return out->is_eth ? MR_CLIENT_MESSAGE : on_base(c, out);
}

enum mr_client_got mr_client_receive(struct mr_client *c, struct mr_client_message *out,
                                     int timeout_ms)
{
    int64_t until = deadline_of(c, timeout_ms);
    enum mr_client_got g;

    do
        g = receive_any(c, out, until);
    while (g == MR_CLIENT_MESSAGE && !out->is_eth && out->id == MR_BASE_PING);
    return g;
}

enum mr_client_got mr_client_expect(struct mr_client *c, struct mr_client_message *out, uint8_t id,
                                    int timeout_ms)
{
    int64_t until = deadline_of(c, timeout_ms);
    enum mr_client_got g;

    do
        g = receive_any(c, out, until);
    while (g == MR_CLIENT_MESSAGE && !(out->is_eth && out->id == id));
    return g;
}

enum mr_client_got mr_client_wait_end(struct mr_client *c, int timeout_ms)
{
    int64_t until = deadline_of(c, timeout_ms);
    struct mr_client_message m;
    enum mr_client_got g;

    do
        g = receive_any(c, &m, until);
    while (g == MR_CLIENT_MESSAGE);
    return g;
}

enum mr_client_got mr_client_sync(struct mr_client *c, int timeout_ms)
{
    int64_t until = deadline_of(c, timeout_ms);
    uint64_t before = c->pongs;
    enum mr_client_got g = MR_CLIENT_MESSAGE;
    struct mr_client_message m;

    if (!mr_client_send_base(c, MR_BASE_PING, mr_span("\xc0", 1)))
        return MR_CLIENT_RESET;
    while (g == MR_CLIENT_MESSAGE && c->pongs == before)
        g = receive_any(c, &m, until);
    return g;
}
