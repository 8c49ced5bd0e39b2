#include "tests/support/bare_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/random.h"
#include "net/eth/announce.h"
#include "net/eth/tx_sample.h"
#include "net/uring/socket.h"

static int64_t now_ms(void)
{
    return (int64_t)(mr_clock_now().mono_ns / MR_MS);
}

void relay_init(struct relay *r, unsigned shards)
{
    uint8_t seed[32] = {7};

    memset(r, 0, sizeof *r);
    r->shards = shards;
    mr_relay_options_tiny(&r->options);
    r->options.shards = shards;
    mr_worker_options_default(&r->worker, mr_relay_slots(&r->options));
    r->secp = mr_secp_create(seed);
    assert_non_null(r->secp);
    mr_secp_keypair_make(r->secp, &r->key, mr_entropy_system, NULL);
    r->network = mr_network_find("mainnet");
    assert_non_null(r->network);
    for (uint32_t i = 0; i < RELAY_HANDOVERS; i++)
        mr_stack_push(&r->home, &r->handovers[i].entry);
}

void relay_start(struct relay *r)
{
    char why[256];
    struct mr_shard_setup setup = {.options = &r->options,
                                   .network = r->network,
                                   .secp = r->secp,
                                   .seed = 1,
                                   .boot_key = {11, 12},
                                   .client = "millrace/test",
                                   .id = r->key.pub,
                                   .now = mr_clock_now()};

    r->ring =
        mr_ring_open(&(struct mr_ring_options){.entries = 8, .completions = 16}, why, sizeof why);
    if (!r->ring)
        fail_msg("%s", why);
    assert_int_equal(mr_ring_enable(r->ring), MR_OK);
    r->mesh = mr_mesh_new(r->shards, 1024, 1024, 256);
    assert_non_null(r->mesh);
    setup.mesh = r->mesh;
    mr_wake_table_init(&r->wake);
    r->event = mr_event_open();
    assert_true(r->event >= 0);
    r->wake.at[mr_mesh_dispatcher(r->shards)].event_fd = r->event;
    r->wake.at[mr_mesh_service(r->shards)].event_fd = r->event;
    for (unsigned i = 0; i < r->shards; i++) {
        setup.self = i;
        setup.seed = i + 1;
        r->workers[i] = mr_worker_new(&setup, &r->worker, &r->wake, why, sizeof why);
        if (!r->workers[i])
            fail_msg("%s", why);
        r->wake.at[i] = mr_worker_wake_target(r->workers[i]);
    }
    for (unsigned i = 0; i < r->shards; i++)
        assert_true(mr_worker_start(r->workers[i]));
    r->running = true;
}

void relay_send(struct relay *r, unsigned shard, const struct mr_mail *mail)
{
    bool wake = false;

    assert_true(
        mr_mail_send(r->mesh, mr_mesh_dispatcher(r->shards), shard, MR_MAIL_SURE, mail, &wake));
    if (wake)
        assert_true(mr_wake_from_ring(&r->wake, r->ring, shard));
}

static void take_mail(struct relay *r, const struct mr_mail *m)
{
    switch (m->kind) {
    case MR_MAIL_ACTIVE:
        r->active++;
        return;
    case MR_MAIL_CLOSED:
        r->closed++;
        r->last_closed = m->a;
        r->last_reason = (enum mr_closed_reason)m->b;
        return;
    case MR_MAIL_STOPPED:
        r->stopped++;
        return;
    default:
        fail_msg("mail of kind %u", m->kind);
    }
}

void relay_wait(struct relay *r, const uint32_t *counter, uint32_t n)
{
    unsigned self = mr_mesh_dispatcher(r->shards);
    int64_t until = now_ms() + 10000;
    struct mr_mail mail;

    for (;;) {
        struct pollfd pfd = {.fd = r->event, .events = POLLIN};
        uint64_t signals;

        while (mr_mail_take(r->mesh, self, &mail))
            take_mail(r, &mail);
        if (*counter >= n)
            break;
        if (now_ms() >= until)
            fail_msg("no mail: active %u, closed %u, stopped %u", r->active, r->closed, r->stopped);
        if (!mr_mail_sleep(r->mesh, self))
            continue;
        if (poll(&pfd, 1, 200) == 1 && read(r->event, &signals, sizeof signals) < 0)
            fail_msg("eventfd");
        mr_mail_awake(r->mesh, self);
    }
    assert_int_equal(*counter, n);
}

void relay_stop(struct relay *r)
{
    struct mr_mail stop = {.kind = MR_MAIL_STOP, .a = MR_REASON_QUITTING};

    if (r->running) {
        for (unsigned i = 0; i < r->shards && !r->has_stopped; i++)
            relay_send(r, i, &stop);
        relay_wait(r, &r->stopped, r->shards);
        for (unsigned i = 0; i < r->shards; i++)
            mr_worker_join(r->workers[i]);
        mr_mesh_drain(r->mesh);
        for (unsigned i = 0; i < r->shards; i++)
            mr_worker_let_go(r->workers[i]);
        for (unsigned i = 0; i < r->shards; i++)
            mr_worker_free(r->workers[i]);
        mr_mesh_free(r->mesh);
        mr_ring_close(r->ring);
        close(r->event);
    }
    mr_secp_destroy(r->secp);
}

/* ---- sessions ---- */

/* Both handshakes, from memory to memory. */
static void agree(struct relay *r, struct mr_client *c, struct mr_rlpx_session *ours,
                  struct mr_rlpx_session *theirs)
{
    uint8_t auth[MR_RLPX_HANDSHAKE_OUT_MAX], ack[MR_RLPX_HANDSHAKE_OUT_MAX];
    struct mr_writer to_us = mr_writer(auth, sizeof auth), to_them = mr_writer(ack, sizeof ack);
    struct mr_rlpx_handshake a, b;
    size_t need, at = 0;

    assert_int_equal(mr_rlpx_handshake_init_initiator(&a, r->secp, &c->key, &r->key.pub, NULL,
                                                      mr_entropy_system, NULL),
                     MR_OK);
    mr_rlpx_handshake_init_recipient(&b, r->secp, &r->key, NULL, mr_entropy_system, NULL);
    assert_int_equal(mr_rlpx_handshake_start(&a, &to_us), MR_OK);
    for (at = 0; (need = mr_rlpx_handshake_need(&b)) > 0; at += need)
        assert_int_equal(mr_rlpx_handshake_feed(&b, auth + at, need, &to_them), MR_OK);
    for (at = 0; (need = mr_rlpx_handshake_need(&a)) > 0; at += need)
        assert_int_equal(mr_rlpx_handshake_feed(&a, ack + at, need, &to_us), MR_OK);
    assert_int_equal(a.phase, MR_RLPX_HANDSHAKE_DONE);
    assert_int_equal(b.phase, MR_RLPX_HANDSHAKE_DONE);
    mr_rlpx_session_init(theirs, &a.secrets);
    mr_rlpx_session_init(ours, &b.secrets);
    mr_rlpx_handshake_fini(&a);
    mr_rlpx_handshake_fini(&b);
}

/* Two ends of one TCP connection on loopback. */
static void pair(int fd[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(LOOPBACK)}};
    socklen_t n = sizeof a;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(l, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&a, &n), 0);
    fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd[0], (struct sockaddr *)&a, sizeof a), 0);
    fd[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fd[1] >= 0);
    assert_true(mr_socket_tune(fd[1], &MR_SOCKET_OPTIONS_DEFAULT));
    assert_true(mr_socket_tune(fd[0], &MR_SOCKET_OPTIONS_DEFAULT));
    close(l);
}

static struct mr_handover *handover_take(struct relay *r)
{
    struct mr_stack_entry *all = mr_stack_take(&r->home), *rest;

    assert_non_null(all);
    rest = all->next;
    while (rest) {
        struct mr_stack_entry *next = rest->next;

        mr_stack_push(&r->home, rest);
        rest = next;
    }
    return MR_CONTAINER(all, struct mr_handover, entry);
}

uint64_t relay_connect(struct relay *r, struct mr_client *c, unsigned shard, uint64_t key_seed)
{
    struct mr_client_options options = {
        .secp = r->secp, .network = r->network, .key_seed = key_seed};
    struct mr_handover *h = handover_take(r);
    const struct mr_protocol *eth = mr_protocol_find("eth", MR_ETH_VERSION_ADVERTISED);
    struct mr_rlpx_session theirs;
    int fd[2];

    mr_client_init(c, &options);
    memset(h, 0, sizeof *h);
    pair(fd);
    agree(r, c, &h->session, &theirs);
    assert_int_equal(mr_capabilities_match(&h->caps, eth, 1, &eth->capability, 1), MR_OK);
    h->home = &r->home;
    h->serial = ++r->serial;
    h->fd = fd[1];
    h->inbound = true;
    h->id = c->key.pub;
    h->snappy = true;
    h->begun_ns = mr_clock_now().mono_ns;
    assert_true(mr_socket_peer(&h->remote, fd[1]));
    assert_true(mr_socket_local(&h->local, fd[1]));
    snprintf(h->client, sizeof h->client, "test/%u", (unsigned)key_seed);
    mr_client_take(c, fd[0]);
    mr_client_session(c, &theirs, &h->caps, true);
    relay_send(r, shard, &(struct mr_mail){.kind = MR_MAIL_ADOPT, .ptr = h});
    return r->serial;
}

uint64_t relay_peer(struct relay *r, struct mr_client *c, unsigned shard, uint64_t key_seed)
{
    uint64_t serial = relay_connect(r, c, shard, key_seed);
    uint32_t before = r->active;
    enum mr_client_got g = mr_client_status(c);

    if (g != MR_CLIENT_MESSAGE)
        fail_msg("Status: %s (%s)", mr_client_got_text(g), c->why);
    relay_wait(r, &r->active, before + 1);
    return serial;
}

/* ---- metrics ---- */

uint64_t relay_sum(const struct relay *r, const char *metric)
{
    const struct mr_metric *shard = mr_metric_find(&mr_shard_metrics_set, metric);
    const struct mr_metric *worker = mr_metric_find(&mr_worker_metrics_set, metric);
    uint64_t sum = 0;

    assert_true(shard || worker);
    for (unsigned i = 0; i < r->shards; i++)
        sum += shard ? mr_metric_read(shard, mr_worker_shard_metrics(r->workers[i]))
                     : mr_metric_read(worker, mr_worker_metrics(r->workers[i]));
    return sum;
}

void relay_await(struct relay *r, const char *metric, uint64_t n)
{
    int64_t until = now_ms() + 5000;

    while (relay_sum(r, metric) < n) {
        struct timespec ms = {.tv_nsec = 1000000};

        if (now_ms() > until)
            fail_msg("%s is %llu, not %llu", metric, (unsigned long long)relay_sum(r, metric),
                     (unsigned long long)n);
        nanosleep(&ms, NULL);
    }
}

/* ---- transactions ---- */

void sample_make(struct sample *s, const struct relay *r, uint64_t sender_seed, uint64_t nonce)
{
    struct mr_tx_fields f = {.chain_id = r->network->chain_id, .nonce = nonce};
    struct mr_writer w = mr_writer(s->raw, sizeof s->raw);
    uint8_t room[MR_TX_SAMPLE_ROOM], key[32] = {1};
    struct mr_random random;

    mr_random_init(&random, sender_seed);
    mr_store_be64(key + 24, sender_seed + 1);
    mr_tx_sample_shape(&f, room, MR_TX_SHAPE_TOKEN, &random);
    assert_int_equal(mr_tx_build(&w, &f, r->secp, key), MR_OK);
    s->n = w.n;
    mr_keccak256(&s->hash, s->raw, s->n);
}

/* Marks the samples that these items hold. False: an item is no transaction. */
static bool mark(struct mr_eth_items items, const struct sample *s, size_t n, bool *got)
{
    struct mr_span item;
    struct mr_tx tx;

    while (mr_eth_items_next(&items, &item)) {
        struct mr_reader in = mr_reader_of(item);
        struct mr_hash hash;

        if (mr_tx_decode_item(&in, &tx) != MR_OK)
            return false;
        mr_tx_hash(&tx, &hash);
        for (size_t i = 0; i < n; i++)
            got[i] |= mr_hash_equal(&hash, &s[i].hash);
    }
    return true;
}

/* Asks for the samples that this announces. False: it does not decode, or tells a wrong size. */
static bool fetch(struct mr_client *c, struct mr_span payload, const struct sample *s, size_t n)
{
    struct mr_hash hashes[MR_HASHES_ASKED_MAX];
    uint8_t room[MR_HASHES_ASKED_MAX * 33 + 64];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_announce a;
    struct mr_announce_item item;
    size_t count = 0;

    if (mr_announce_decode(&a, c->eth_version, payload) != MR_OK)
        return false;
    while (mr_announce_next(&a, &item))
        for (size_t i = 0; i < n; i++)
            if (mr_hash_equal(&item.hash, &s[i].hash)) {
                if (item.size != s[i].n || count == MR_HASHES_ASKED_MAX)
                    return false;
                hashes[count++] = item.hash;
            }
    return count == 0 ||
           (mr_hash_request_encode(&w, 77, hashes, count) == MR_OK &&
            mr_client_send_eth(c, MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w)));
}

static bool take_message(struct mr_client *c, const struct mr_client_message *m,
                         const struct sample *s, size_t n, bool *got)
{
    struct mr_eth_items items;

    if (!m->is_eth)
        return true;
    switch (m->id) {
    case MR_ETH_TRANSACTIONS:
        return mr_transactions_decode(&items, m->payload) == MR_OK && mark(items, s, n, got);
    case MR_ETH_POOLED_TRANSACTIONS:
        return mr_response_decode(&items, m->payload, MR_HASHES_ASKED_MAX) == MR_OK &&
               mark(items, s, n, got);
    case MR_ETH_NEW_POOLED_TRANSACTION_HASHES:
        return fetch(c, m->payload, s, n);
    default:
        return true;
    }
}

size_t samples_arrive(struct mr_client *c, const struct sample *s, size_t n, int timeout_ms)
{
    int64_t until = now_ms() + timeout_ms, left;
    bool *got = calloc(n, sizeof *got);
    struct mr_client_message m;
    size_t count = 0;

    assert_non_null(got);
    while (count < n && (left = until - now_ms()) > 0) {
        if (mr_client_receive(c, &m, (int)left) != MR_CLIENT_MESSAGE ||
            !take_message(c, &m, s, n, got))
            break;
        count = 0;
        for (size_t i = 0; i < n; i++)
            count += got[i];
    }
    free(got);
    return count;
}

bool sample_arrives(struct mr_client *c, const struct sample *s, int timeout_ms)
{
    return samples_arrive(c, s, 1, timeout_ms) == 1;
}
