#include "tests/attacks/crowd.h"

#include <poll.h>
#include <stdlib.h>

#include "net/eth/announce.h"
#include "net/eth/tx.h"

#define OWN 255

void crowd_open(struct crowd *c, const struct process *relay, unsigned n, uint64_t seed,
                uint32_t base_ip, unsigned version)
{
    memset(c, 0, sizeof *c);
    c->relay = relay;
    c->n = n;
    c->base_ip = base_ip;
    c->peers = calloc(n, sizeof *c->peers);
    c->gone = calloc(n, sizeof *c->gone);
    c->samples = calloc(CROWD_SAMPLES_MAX, sizeof *c->samples);
    c->held = calloc(n, CROWD_SAMPLES_MAX);
    c->sent_ms = calloc(CROWD_SAMPLES_MAX, sizeof *c->sent_ms);
    for (unsigned i = 0; i < n; i++) {
        struct mr_client_options o = peer_options(seed + i);
        struct mr_client *p = &c->peers[i];
        enum mr_client_got g;

        o.version_min = o.version_max = version;
        mr_client_init(p, &o);
        if ((g = mr_client_connect(p, relay->at, base_ip + i)) ||
            (g = mr_client_initiate(p, &relay->id)) || (g = mr_client_hello(p)) ||
            (g = mr_client_status(p)))
            fail_msg("honest peer %u: %s %s, reason %u", i, mr_client_got_text(g), p->why,
                     p->disconnected ? p->reason : 999);
    }
}

void crowd_close(struct crowd *c)
{
    for (unsigned i = 0; i < c->n; i++)
        mr_client_close(&c->peers[i]);
    for (unsigned k = 0; k < c->samples_count; k++)
        sample_free(&c->samples[k]);
    free(c->peers);
    free(c->gone);
    free(c->samples);
    free(c->held);
    free(c->sent_ms);
}

/* ---- messages ---- */

static unsigned find(const struct crowd *c, const struct mr_hash *h)
{
    for (unsigned k = 0; k < c->samples_count; k++)
        if (mr_hash_equal(&c->samples[k].hash, h))
            return k;
    return CROWD_SAMPLES_MAX;
}

static void arrived(struct crowd *c, unsigned peer, struct mr_span item)
{
    struct mr_reader in = mr_reader_of(item);
    struct mr_hash hash;
    struct mr_tx tx;
    uint8_t *held;
    unsigned k;

    if (mr_tx_decode_item(&in, &tx) != MR_OK)
        return;
    mr_tx_hash(&tx, &hash);
    if ((k = find(c, &hash)) == CROWD_SAMPLES_MAX)
        return;
    assert_int_equal(tx.raw.n, c->samples[k].n);
    assert_memory_equal(tx.raw.p, c->samples[k].raw, tx.raw.n);
    held = &c->held[peer * CROWD_SAMPLES_MAX + k];
    if (*held == OWN)
        c->back++;
    else if (++*held > 1)
        c->twice++;
    else
        c->latest_ms = MR_MAX(c->latest_ms, process_now_ms() - c->sent_ms[k]);
}

static void take_items(struct crowd *c, unsigned peer, struct mr_eth_items *items)
{
    struct mr_span item;

    while (mr_eth_items_next(items, &item))
        arrived(c, peer, item);
}

static void fetch(struct crowd *c, unsigned peer, struct mr_span payload)
{
    struct mr_hash wanted[256];
    struct mr_announce_item item;
    struct mr_announce a;
    size_t n = 0, room = sizeof wanted + 64;
    struct mr_writer w = mr_writer(malloc(room), room);

    assert_int_equal(mr_announce_decode(&a, c->peers[peer].eth_version, payload), MR_OK);
    while (mr_announce_next(&a, &item) && n < MR_COUNT_OF(wanted)) {
        unsigned k = find(c, &item.hash);

        if (k == CROWD_SAMPLES_MAX)
            continue;
        if (c->held[peer * CROWD_SAMPLES_MAX + k] == OWN)
            c->back++;
        else if (c->held[peer * CROWD_SAMPLES_MAX + k] > 0)
            c->twice++;
        else
            wanted[n++] = item.hash;
    }
    if (n > 0) {
        assert_int_equal(mr_hash_request_encode(&w, ++c->request_id, wanted, n), MR_OK);
        if (c->asked)
            c->asked(c, peer, c->request_id, n);
        mr_client_send_eth(&c->peers[peer], MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w));
    }
    free(w.p);
}

static void take(struct crowd *c, unsigned peer, const struct mr_client_message *m)
{
    struct mr_eth_items items;

    if (c->seen)
        c->seen(c, peer, m);
    if (!m->is_eth)
        return;
    if (m->id == MR_ETH_TRANSACTIONS && mr_transactions_decode(&items, m->payload) == MR_OK)
        take_items(c, peer, &items);
    else if (m->id == MR_ETH_POOLED_TRANSACTIONS &&
             mr_response_decode(&items, m->payload, 256) == MR_OK)
        take_items(c, peer, &items);
    else if (m->id == MR_ETH_NEW_POOLED_TRANSACTION_HASHES)
        fetch(c, peer, m->payload);
}

static void drain(struct crowd *c, unsigned peer)
{
    struct mr_client_message m;
    enum mr_client_got g;

    while ((g = mr_client_receive(&c->peers[peer], &m, 0)) == MR_CLIENT_MESSAGE)
        take(c, peer, &m);
    if (g != MR_CLIENT_TIMEOUT) {
        c->gone[peer] = true;
        c->ended++;
    }
}

void crowd_pump(struct crowd *c, int ms)
{
    int64_t until = process_now_ms() + ms, left = ms;
    struct pollfd *fds = calloc(c->n, sizeof *fds);

    do {
        for (unsigned i = 0; i < c->n; i++)
            fds[i] = (struct pollfd){.fd = c->gone[i] ? -1 : c->peers[i].fd, .events = POLLIN};
        poll(fds, c->n, (int)MR_MAX(left, 0));
        for (unsigned i = 0; i < c->n; i++)
            if (fds[i].revents)
                drain(c, i);
    } while ((left = until - process_now_ms()) > 0);
    free(fds);
}

/* ---- traffic ---- */

unsigned crowd_send(struct crowd *c, unsigned peer, size_t data_bytes)
{
    unsigned k = c->samples_count;

    assert_true(k < CROWD_SAMPLES_MAX);
    /* a sender each, so that no rate of accounts is met */
    sample_make(&c->samples[k], c->base_ip + UINT64_C(1000003) * k, 0, data_bytes);
    c->samples_count++;
    c->held[peer * CROWD_SAMPLES_MAX + k] = OWN;
    c->sent_ms[k] = process_now_ms();
    if (!c->gone[peer])
        sample_send(&c->peers[peer], &c->samples[k]);
    return k;
}

static unsigned missing(const struct crowd *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n; i++)
        for (unsigned k = 0; k < c->samples_count && !c->gone[i]; k++)
            n += c->held[i * CROWD_SAMPLES_MAX + k] == 0;
    return n;
}

void crowd_settle(struct crowd *c, int timeout_ms)
{
    int64_t until = process_now_ms() + timeout_ms;

    while (missing(c) > 0) {
        if (process_now_ms() > until)
            fail_msg("%u deliveries of %u transactions to %u peers are missing", missing(c),
                     c->samples_count, c->n);
        crowd_pump(c, 10);
    }
}

void crowd_traffic(struct crowd *c, int ms, int every_ms)
{
    int64_t until = process_now_ms() + ms;

    for (unsigned i = 0; process_now_ms() < until; i++) {
        crowd_send(c, i % c->n, i % 4 == 3 ? 5000 : 100);
        crowd_pump(c, every_ms);
    }
}

void crowd_expect_unharmed(struct crowd *c, int64_t longest_ms)
{
    crowd_settle(c, 8000);
    crowd_pump(c, 50);
    assert_int_equal(c->ended, 0);
    assert_int_equal(c->twice, 0);
    assert_int_equal(c->back, 0);
    if (c->latest_ms > longest_ms)
        fail_msg("a transaction took %lld ms", (long long)c->latest_ms);
}
