#include "tests/attacks/crowd.h"

#include <poll.h>
#include <stdlib.h>

#include "net/eth/announce.h"
#include "net/eth/tx.h"
#include "net/uring/socket.h"

#define ASK_MAX 256

enum { OWN = 1, HAS = 2, ANNOUNCED = 4, ASKED = 8, WITHHELD = 16 };

static uint8_t *mark(const struct crowd *c, unsigned peer, unsigned sample)
{
    return &c->marks[(size_t)peer * CROWD_SAMPLES_MAX + sample];
}

/* ---- coming and going ---- */

static void judge(struct crowd *c, unsigned peer, const struct mr_client_message *m)
{
    enum mr_strict_rule r;

    if (!c->o.strict)
        return;
    mr_strict_heard(&c->judges[peer], (uint64_t)process_now_ms());
    if (!m->is_eth)
        return;
    r = mr_strict_check(c->o.strict, &c->judges[peer], m->id, m->payload,
                        (uint64_t)process_now_ms());
    if (r != MR_STRICT_NONE && mr_strict_faults(c->o.strict)[r] == 1)
        print_message("a strict peer would leave: %s\n", mr_strict_rule_text(r));
}

/* Status, the relay's judged like every other message. */
static enum mr_client_got agree(struct crowd *c, unsigned peer)
{
    struct mr_client *p = &c->peers[peer];
    struct mr_eth_status ours;
    uint8_t room[MR_ETH_STATUS_MAX];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_client_message m;
    enum mr_client_got g;

    mr_client_status_default(p, &ours);
    assert_int_equal(mr_eth_status_encode(&w, &ours), MR_OK);
    if (!mr_client_send_eth(p, MR_ETH_STATUS, mr_writer_span(&w)))
        return MR_CLIENT_RESET;
    if ((g = mr_client_receive(p, &m, -1)) != MR_CLIENT_MESSAGE)
        return g;
    mr_strict_peer_init(&c->judges[peer], p->eth_version, (uint64_t)process_now_ms());
    judge(c, peer, &m);
    return m.is_eth && m.id == MR_ETH_STATUS ? MR_CLIENT_MESSAGE : MR_CLIENT_CLOSED;
}

void crowd_open(struct crowd *c, const struct process *relay, unsigned n, uint64_t seed,
                uint32_t base_ip, unsigned version)
{
    const struct crowd_options o = {
        .relay = relay, .n = n, .seed = seed, .base_ip = base_ip, .version = version};

    crowd_open_with(c, &o);
}

void crowd_open_with(struct crowd *c, const struct crowd_options *o)
{
    memset(c, 0, sizeof *c);
    c->o = *o;
    mr_descriptors_raise();
    c->peers = calloc(o->n, sizeof *c->peers);
    c->judges = calloc(o->n, sizeof *c->judges);
    c->gone = calloc(o->n, sizeof *c->gone);
    c->samples = calloc(CROWD_SAMPLES_MAX, sizeof *c->samples);
    c->sent_ms = calloc(CROWD_SAMPLES_MAX, sizeof *c->sent_ms);
    c->lost = calloc(CROWD_SAMPLES_MAX, sizeof *c->lost);
    c->marks = calloc(o->n, CROWD_SAMPLES_MAX);
    c->wants = calloc(o->n, ASK_MAX * sizeof *c->wants);
    c->wants_n = calloc(o->n, sizeof *c->wants_n);
    for (unsigned i = 0; i < o->n; i++) {
        struct mr_client_options po = peer_options(o->seed + i);
        struct mr_client *p = &c->peers[i];
        enum mr_client_got g;

        po.version_min = po.version_max = o->version;
        if (o->version == CROWD_EVERY_VERSION)
            po.version_min = po.version_max =
                MR_ETH_VERSION_MIN + i % (MR_ETH_VERSION_ADVERTISED - MR_ETH_VERSION_MIN + 1);
        if (o->network)
            po.network = o->network;
        mr_client_init(p, &po);
        if ((g = mr_client_connect(p, o->relay->at, o->base_ip + i)) ||
            (g = mr_client_initiate(p, &o->relay->id)) || (g = mr_client_hello(p)) ||
            (g = agree(c, i)))
            fail_msg("honest peer %u: %s %s, reason %u", i, mr_client_got_text(g), p->why,
                     p->disconnected ? p->reason : 999);
        c->n++;
        if (i % 64 == 63) /* the first of many are asked things before the last is there */
            crowd_pump(c, 0);
    }
}

void crowd_close(struct crowd *c)
{
    for (unsigned i = 0; i < c->n; i++)
        mr_client_close(&c->peers[i]);
    for (unsigned k = 0; k < c->samples_count; k++)
        sample_free(&c->samples[k]);
    free(c->peers);
    free(c->judges);
    free(c->gone);
    free(c->samples);
    free(c->sent_ms);
    free(c->lost);
    free(c->marks);
    free(c->wants);
    free(c->wants_n);
    free(c->ways_ms);
}

/* ---- fetching ---- */

static unsigned find(struct crowd *c, const struct mr_hash *h)
{
    for (unsigned k = c->samples_count; k-- > 0;)
        if (mr_hash_equal(&c->samples[k].hash, h))
            return k;
    c->foreign++;
    c->last_foreign = *h;
    return CROWD_SAMPLES_MAX;
}

static void ask(struct crowd *c, unsigned peer)
{
    struct mr_hash wanted[ASK_MAX];
    uint16_t *wants = c->wants + (size_t)peer * ASK_MAX;
    uint8_t room[ASK_MAX * 33 + 64];
    struct mr_writer w = mr_writer(room, sizeof room);
    unsigned n = 0;

    if (c->wants_n[peer] > 0)
        return;
    for (unsigned k = 0; k < c->samples_count && n < ASK_MAX; k++)
        if (*mark(c, peer, k) == ANNOUNCED) {
            *mark(c, peer, k) |= ASKED;
            wants[n] = (uint16_t)k;
            wanted[n++] = c->samples[k].hash;
        }
    if (n == 0)
        return;
    c->wants_n[peer] = n;
    assert_int_equal(mr_hash_request_encode(&w, ++c->request_id, wanted, n), MR_OK);
    if (c->o.strict)
        assert_true(mr_strict_asked(&c->judges[peer], MR_ETH_POOLED_TRANSACTIONS, c->request_id,
                                    (uint16_t)n));
    if (c->asked)
        c->asked(c, peer, c->request_id, n);
    mr_client_send_eth(&c->peers[peer], MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w));
}

static void way(struct crowd *c, unsigned sample)
{
    int64_t ms = process_now_ms() - c->sent_ms[sample];

    if (c->ways_count == c->ways_cap) {
        c->ways_cap = MR_MAX(1024u, 2 * c->ways_cap);
        c->ways_ms = realloc(c->ways_ms, c->ways_cap * sizeof *c->ways_ms);
        assert_non_null(c->ways_ms);
    }
    c->ways_ms[c->ways_count++] = (int32_t)ms;
    c->latest_ms = MR_MAX(c->latest_ms, ms);
}

static void arrived(struct crowd *c, unsigned peer, struct mr_span item)
{
    struct mr_reader in = mr_reader_of(item);
    struct mr_hash hash;
    struct mr_tx tx;
    uint8_t *m;
    unsigned k;

    if (mr_tx_decode_item(&in, &tx) != MR_OK) {
        c->foreign++;
        return;
    }
    mr_tx_hash(&tx, &hash);
    if ((k = find(c, &hash)) == CROWD_SAMPLES_MAX)
        return;
    assert_int_equal(tx.raw.n, c->samples[k].n);
    assert_memory_equal(tx.raw.p, c->samples[k].raw, tx.raw.n);
    m = mark(c, peer, k);
    if (*m & OWN)
        c->back++;
    else if (*m & HAS)
        c->twice++;
    else
        way(c, k);
    *m |= HAS;
}

static void take_answer(struct crowd *c, unsigned peer, struct mr_eth_items *items)
{
    uint16_t *wants = c->wants + (size_t)peer * ASK_MAX;
    bool some = items->count > 0;
    struct mr_span item;

    while (mr_eth_items_next(items, &item))
        arrived(c, peer, item);
    for (unsigned i = 0; i < c->wants_n[peer]; i++) {
        uint8_t *m = mark(c, peer, wants[i]);

        *m &= (uint8_t)~ASKED; /* what an answer cut off is asked for again */
        if (!(*m & HAS) && !some)
            *m |= WITHHELD;
    }
    c->wants_n[peer] = 0;
}

static void take_announcement(struct crowd *c, unsigned peer, struct mr_span payload)
{
    struct mr_announce_item item;
    struct mr_announce a;

    assert_int_equal(mr_announce_decode(&a, c->peers[peer].eth_version, payload), MR_OK);
    while (mr_announce_next(&a, &item)) {
        unsigned k = find(c, &item.hash);
        uint8_t *m;

        if (k == CROWD_SAMPLES_MAX)
            continue;
        m = mark(c, peer, k);
        if (*m & OWN)
            c->back++;
        else if (*m & (HAS | ANNOUNCED))
            c->twice++;
        *m |= ANNOUNCED;
    }
}

/* ---- answering ---- */

static void serve(struct crowd *c, unsigned peer, struct mr_span payload)
{
    struct mr_hash_request q;
    struct mr_span raw[ASK_MAX];
    size_t n = 0, bytes = 64;
    struct mr_writer w;

    assert_int_equal(mr_hash_request_decode(&q, payload), MR_OK);
    for (size_t i = 0; i < q.hashes.n && n < ASK_MAX; i++)
        for (unsigned k = 0; k < c->samples_count; k++)
            if ((*mark(c, peer, k) & (OWN | HAS)) &&
                memcmp(mr_items_at(&q.hashes, i), c->samples[k].hash.b, 32) == 0) {
                raw[n] = mr_span(c->samples[k].raw, c->samples[k].n);
                bytes += mr_tx_item_len(raw[n++]);
            }
    w = mr_writer(malloc(bytes), bytes);
    assert_non_null(w.p);
    assert_int_equal(mr_response_put_head(&w, q.request_id, bytes - 64), MR_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(mr_tx_item_put(&w, raw[i]), MR_OK);
    mr_client_send_eth(&c->peers[peer], MR_ETH_POOLED_TRANSACTIONS, mr_writer_span(&w));
    free(w.p);
}

static void no_headers(struct crowd *c, unsigned peer, struct mr_span payload)
{
    uint8_t room[32];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_reader body;
    uint64_t id;

    assert_int_equal(mr_eth_request_id(payload, &id, &body), MR_OK);
    assert_int_equal(mr_response_put_head(&w, id, 0), MR_OK);
    mr_client_send_eth(&c->peers[peer], MR_ETH_BLOCK_HEADERS, mr_writer_span(&w));
}

static void take(struct crowd *c, unsigned peer, const struct mr_client_message *m)
{
    struct mr_eth_items items;
    struct mr_span item;

    if (c->seen)
        c->seen(c, peer, m);
    judge(c, peer, m);
    if (!m->is_eth)
        return;
    if (m->id == MR_ETH_TRANSACTIONS && mr_transactions_decode(&items, m->payload) == MR_OK)
        while (mr_eth_items_next(&items, &item))
            arrived(c, peer, item);
    else if (m->id == MR_ETH_POOLED_TRANSACTIONS &&
             mr_response_decode(&items, m->payload, ASK_MAX) == MR_OK)
        take_answer(c, peer, &items);
    else if (m->id == MR_ETH_NEW_POOLED_TRANSACTION_HASHES)
        take_announcement(c, peer, m->payload);
    else if (m->id == MR_ETH_GET_POOLED_TRANSACTIONS)
        serve(c, peer, m->payload);
    else if (m->id == MR_ETH_GET_BLOCK_HEADERS)
        no_headers(c, peer, m->payload);
    ask(c, peer);
}

/* ---- time ---- */

static void drain(struct crowd *c, unsigned peer)
{
    struct mr_client_message m;
    enum mr_client_got g;

    while ((g = mr_client_receive(&c->peers[peer], &m, 0)) == MR_CLIENT_MESSAGE)
        take(c, peer, &m);
    if (g == MR_CLIENT_TIMEOUT)
        return;
    print_message("honest peer %u: %s %s, reason %u\n", peer, mr_client_got_text(g),
                  c->peers[peer].why, c->peers[peer].disconnected ? c->peers[peer].reason : 999);
    if (g == MR_CLIENT_BAD && c->o.strict)
        mr_strict_fault(c->o.strict, &c->judges[peer], MR_STRICT_TRANSPORT);
    c->gone[peer] = true;
    c->ended++;
}

void crowd_pump(struct crowd *c, int ms)
{
    int64_t until = process_now_ms() + ms, left = ms;
    struct pollfd *fds = calloc(c->n, sizeof *fds);

    assert_non_null(fds);
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

unsigned crowd_expect(struct crowd *c, unsigned owner, const struct sample *s)
{
    unsigned k = c->samples_count++;

    assert_true(k < CROWD_SAMPLES_MAX);
    sample_of(&c->samples[k], s->raw, s->n);
    if (owner < c->n)
        *mark(c, owner, k) = OWN;
    c->sent_ms[k] = process_now_ms();
    return k;
}

void crowd_expect_nothing_of(struct crowd *c, unsigned sample)
{
    c->lost[sample] = true;
}

/* One account each, so that no rate of accounts is met. */
static unsigned make(struct crowd *c, unsigned peer, size_t data_bytes)
{
    struct sample s;
    unsigned k;

    sample_make(&s, c->o.base_ip + UINT64_C(1000003) * c->samples_count, 0, data_bytes);
    k = crowd_expect(c, peer, &s);
    sample_free(&s);
    return k;
}

unsigned crowd_send(struct crowd *c, unsigned peer, size_t data_bytes)
{
    unsigned k = make(c, peer, data_bytes);

    if (!c->gone[peer])
        sample_send(&c->peers[peer], &c->samples[k]);
    return k;
}

unsigned crowd_announce(struct crowd *c, unsigned peer, size_t data_bytes)
{
    unsigned k = make(c, peer, data_bytes);

    if (!c->gone[peer])
        sample_announce(&c->peers[peer], &c->samples[k]);
    return k;
}

bool crowd_has(const struct crowd *c, unsigned peer, unsigned sample)
{
    return *mark(c, peer, sample) & (OWN | HAS);
}

bool crowd_own(struct crowd *c, unsigned peer, unsigned sample)
{
    if (*mark(c, peer, sample))
        return false;
    *mark(c, peer, sample) = OWN;
    return true;
}

static unsigned missing(const struct crowd *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n; i++)
        for (unsigned k = 0; k < c->samples_count && !c->gone[i]; k++)
            n += !c->lost[k] && !crowd_has(c, i, k);
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

static int by_value(const void *a, const void *b)
{
    return (*(const int32_t *)a > *(const int32_t *)b) -
           (*(const int32_t *)a < *(const int32_t *)b);
}

int crowd_way_ms(struct crowd *c, unsigned per_mille)
{
    if (c->ways_count == 0)
        return 0;
    qsort(c->ways_ms, c->ways_count, sizeof *c->ways_ms, by_value);
    return c->ways_ms[(uint64_t)(c->ways_count - 1) * per_mille / 1000];
}

void crowd_expect_unharmed(struct crowd *c, int64_t longest_ms)
{
    crowd_settle(c, 8000);
    crowd_pump(c, 50);
    assert_int_equal(c->ended, 0);
    assert_int_equal(c->twice, 0);
    assert_int_equal(c->back, 0);
    if (c->o.strict) {
        assert_int_equal(c->foreign, 0);
        assert_int_equal(mr_strict_faults_sum(c->o.strict), 0);
    }
    if (c->latest_ms > longest_ms)
        fail_msg("a transaction took %lld ms", (long long)c->latest_ms);
}
