#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/random.h"
#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "net/eth/announce.h"
#include "net/eth/tx_build.h"
#include "tests/system/process.h"

#define REQUEST_ID 77

const struct mr_secp *peers_secp(void)
{
    static struct mr_secp *secp;
    static const uint8_t seed[32] = {7};

    if (!secp)
        secp = mr_secp_create(seed);
    assert_non_null(secp);
    return secp;
}

struct mr_client_options peer_options(uint64_t seed)
{
    return (struct mr_client_options){
        .secp = peers_secp(), .network = mr_network_find("mainnet"), .key_seed = seed};
}

void peer_open_version(struct mr_client *c, const struct process *p, uint64_t seed,
                       unsigned version)
{
    struct mr_client_options o = peer_options(seed);
    enum mr_client_got g;

    o.version_min = o.version_max = version;
    g = mr_client_open(c, &o, p->at, &p->id);
    if (g != MR_CLIENT_MESSAGE)
        fail_msg("peer %llu: %s %s, reason %u", (unsigned long long)seed, mr_client_got_text(g),
                 c->why, c->disconnected ? c->reason : 999);
}

void peer_open(struct mr_client *c, const struct process *p, uint64_t seed)
{
    peer_open_version(c, p, seed, 0);
}

enum mr_client_got peer_try(struct mr_client *c, const struct process *p, uint64_t seed)
{
    struct mr_client_options o = peer_options(seed);
    enum mr_client_got g;

    mr_client_init(c, &o);
    if ((g = mr_client_connect(c, p->at, 0)) || (g = mr_client_initiate(c, &p->id)))
        return g;
    return mr_client_hello(c);
}

void peer_expect_end(struct mr_client *c, unsigned reason, int timeout_ms)
{
    enum mr_client_got g = mr_client_wait_end(c, timeout_ms);

    if (!c->disconnected)
        fail_msg("no Disconnect %u, but: %s %s", reason, mr_client_got_text(g), c->why);
    assert_int_equal(c->reason, reason);
    assert_true(g == MR_CLIENT_CLOSED || g == MR_CLIENT_RESET);
}

int peer_listen(struct mr_endpoint *at, char url[MR_ENODE_TEXT_MAX], uint64_t seed)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(LOOPBACK)}};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct mr_client_options o = peer_options(seed);
    struct mr_client c;
    struct mr_enode e;

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *at = (struct mr_endpoint){.ip = LOOPBACK, .port = ntohs(a.sin_port)};
    mr_client_init(&c, &o);
    e = (struct mr_enode){.id = c.key.pub, .tcp = *at, .udp_port = at->port};
    mr_client_close(&c);
    mr_enode_text(url, &e);
    return fd;
}

void peer_accept(struct mr_client *c, int listener, uint64_t seed, int timeout_ms)
{
    struct mr_client_options o = peer_options(seed);
    struct pollfd p = {.fd = listener, .events = POLLIN};
    enum mr_client_got g;

    mr_client_init(c, &o);
    if (poll(&p, 1, timeout_ms) != 1)
        fail_msg("nobody dials within %d ms", timeout_ms);
    mr_client_take(c, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    if ((g = mr_client_respond(c)) || (g = mr_client_hello(c)) || (g = mr_client_status(c)))
        fail_msg("peer %llu: %s %s", (unsigned long long)seed, mr_client_got_text(g), c->why);
}

/* ---- transactions ---- */

void sample_of(struct sample *s, const void *raw, size_t n)
{
    struct mr_tx tx;

    s->raw = malloc(n);
    assert_non_null(s->raw);
    memcpy(s->raw, raw, n);
    s->n = n;
    s->type = s->raw[0] >= 0xc0 ? 0 : s->raw[0];
    if (mr_tx_decode_raw(&tx, s->raw, n) == MR_OK)
        mr_tx_hash(&tx, &s->hash);
    else
        mr_keccak256(&s->hash, s->raw, n);
}

void sample_make(struct sample *s, uint64_t sender, uint64_t nonce, size_t data_bytes)
{
    struct mr_tx_fields f = {.type = MR_TX_DYNAMIC_FEE,
                             .chain_id = 1,
                             .nonce = nonce,
                             .gas = 60000 + 40 * data_bytes,
                             .tip = mr_u256_of(UINT64_C(2000000000)),
                             .fee_cap = mr_u256_of(UINT64_C(100000000000)),
                             .value = mr_u256_of(sender + 1),
                             .to = {{0x11}}};
    size_t room = data_bytes + 256;
    uint8_t *bytes = malloc(room), *data = malloc(data_bytes + 8), key[32] = {1};
    struct mr_writer w = mr_writer(bytes, room);
    struct mr_random random;

    assert_non_null(bytes);
    assert_non_null(data);
    mr_random_init(&random, sender * 1000003 + nonce);
    for (size_t i = 0; i < data_bytes; i += 8)
        mr_store_be64(data + i, mr_random_u64(&random));
    f.data = mr_span(data, data_bytes);
    mr_store_be64(key + 24, sender + 1);
    assert_int_equal(mr_tx_build(&w, &f, peers_secp(), key), MR_OK);
    sample_of(s, w.p, w.n);
    free(data);
    free(bytes);
}

void sample_free(struct sample *s)
{
    free(s->raw);
    s->raw = NULL;
}

void sample_send(struct mr_client *c, const struct sample *s)
{
    struct mr_span raw = mr_span(s->raw, s->n);

    assert_true(mr_client_send_transactions(c, &raw, 1));
}

void sample_announce(struct mr_client *c, const struct sample *s)
{
    uint8_t room[128];
    uint32_t size = (uint32_t)s->n;
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_cell_mask none = {{0}};

    assert_int_equal(mr_announce_encode(&w, c->eth_version, &s->type, &size, &s->hash, 1, &none),
                     MR_OK);
    assert_true(mr_client_send_eth(c, MR_ETH_NEW_POOLED_TRANSACTION_HASHES, mr_writer_span(&w)));
}

static bool asks_for(struct mr_span payload, const struct sample *s, uint64_t *id)
{
    struct mr_hash_request q;

    if (mr_hash_request_decode(&q, payload) != MR_OK)
        return false;
    *id = q.request_id;
    for (size_t i = 0; i < q.hashes.n; i++)
        if (memcmp(mr_items_at(&q.hashes, i), s->hash.b, 32) == 0)
            return true;
    return false;
}

bool sample_question(struct mr_client *c, const struct sample *s, uint64_t *id, int timeout_ms)
{
    int64_t until = process_now_ms() + timeout_ms, left;
    struct mr_client_message m;

    while ((left = until - process_now_ms()) > 0) {
        if (mr_client_receive(c, &m, (int)left) != MR_CLIENT_MESSAGE)
            return false;
        if (m.is_eth && m.id == MR_ETH_GET_POOLED_TRANSACTIONS && asks_for(m.payload, s, id))
            return true;
    }
    return false;
}

bool samples_answer(struct mr_client *c, uint64_t id, const struct sample *const *s, size_t n)
{
    size_t payload = 0, room;
    struct mr_writer w;
    bool ok;

    for (size_t i = 0; i < n; i++)
        payload += mr_tx_item_len(mr_span(s[i]->raw, s[i]->n));
    room = payload + 64;
    w = mr_writer(malloc(room), room);
    assert_non_null(w.p);
    ok = mr_response_put_head(&w, id, payload) == MR_OK;
    for (size_t i = 0; ok && i < n; i++)
        ok = mr_tx_item_put(&w, mr_span(s[i]->raw, s[i]->n)) == MR_OK;
    ok = ok && mr_client_send_eth(c, MR_ETH_POOLED_TRANSACTIONS, mr_writer_span(&w));
    free(w.p);
    return ok;
}

bool sample_serve(struct mr_client *c, const struct sample *s, int timeout_ms)
{
    uint64_t id;

    return sample_question(c, s, &id, timeout_ms) && samples_answer(c, id, &s, 1);
}

static bool holds(struct mr_eth_items items, const struct sample *s)
{
    struct mr_span item;
    struct mr_tx tx;

    while (mr_eth_items_next(&items, &item)) {
        struct mr_reader in = mr_reader_of(item);

        if (mr_tx_decode_item(&in, &tx) == MR_OK && tx.raw.n == s->n &&
            memcmp(tx.raw.p, s->raw, s->n) == 0)
            return true;
    }
    return false;
}

static bool announces(const struct mr_client *c, struct mr_span payload, const struct sample *s,
                      struct mr_announce_item *item)
{
    struct mr_announce a;

    if (mr_announce_decode(&a, c->eth_version, payload) != MR_OK)
        return false;
    while (mr_announce_next(&a, item))
        if (mr_hash_equal(&item->hash, &s->hash))
            return true;
    return false;
}

bool sample_in(const struct mr_client *c, const struct mr_client_message *m, const struct sample *s)
{
    struct mr_announce_item item;
    struct mr_eth_items items;

    if (!m->is_eth)
        return false;
    if (m->id == MR_ETH_TRANSACTIONS)
        return mr_transactions_decode(&items, m->payload) == MR_OK && holds(items, s);
    if (m->id == MR_ETH_POOLED_TRANSACTIONS)
        return mr_response_decode(&items, m->payload, 256) == MR_OK && holds(items, s);
    return m->id == MR_ETH_NEW_POOLED_TRANSACTION_HASHES && announces(c, m->payload, s, &item);
}

static bool ask(struct mr_client *c, const struct sample *s)
{
    uint8_t room[64];
    struct mr_writer w = mr_writer(room, sizeof room);

    return mr_hash_request_encode(&w, REQUEST_ID, &s->hash, 1) == MR_OK &&
           mr_client_send_eth(c, MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w));
}

bool sample_arrives(struct mr_client *c, const struct sample *s, int timeout_ms)
{
    int64_t until = process_now_ms() + timeout_ms, left;
    struct mr_announce_item item;
    struct mr_client_message m;

    while ((left = until - process_now_ms()) > 0) {
        if (mr_client_receive(c, &m, (int)left) != MR_CLIENT_MESSAGE)
            return false;
        if (!m.is_eth || !sample_in(c, &m, s))
            continue;
        if (m.id != MR_ETH_NEW_POOLED_TRANSACTION_HASHES)
            return true;
        announces(c, m.payload, s, &item);
        assert_int_equal(item.type, s->type);
        assert_int_equal(item.size, s->n);
        if (!ask(c, s))
            return false;
    }
    return false;
}
