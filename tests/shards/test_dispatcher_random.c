/* 100,000 random things happen to a dispatcher: helper_dispatch.c asserts at every turn that never
 * more sessions than maxpeers exist, and that its port is used as it must be; here the books are
 * checked, and that in the end nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "helper_dispatch.h"
#include "shards/dispatcher.h"

#define EVENTS 100000
#define KEYS   24
#define LISTED 6 /* the first keys: static, trusted or not listed, changing */

static struct dsp_world w;
static struct mr_random r;

/* What a remote does on a link. */
struct client {
    uint32_t generation;
    int stage; /* 0 nothing yet; 1 auth is out; 2 Hello is out; -1 it misbehaves */
    struct dsp_peer peer;
};
static struct client clients[DSP_SLOTS];
static struct mr_secp_keypair keys[KEYS];

static uint64_t below(uint64_t n)
{
    return mr_random_below(&r, n);
}

static struct client *client_of(const struct dsp_link *l)
{
    struct client *c = &clients[l->slot];

    if (c->generation != l->generation) {
        dsp_peer_init(&c->peer, &w);
        c->peer.key = keys[below(KEYS)];
        c->generation = l->generation;
        c->stage = 0;
    }
    return c;
}

static struct dsp_link *some_link(void)
{
    uint32_t slots = mr_dispatcher_slots(&w.options), from = (uint32_t)below(slots);

    for (uint32_t i = 0; i < slots; i++) {
        struct dsp_link *l = &w.links[(from + i) % slots];

        if (l->used && !l->closing)
            return l;
    }
    return NULL;
}

static struct dsp_session *some_session(void)
{
    uint64_t from = below(DSP_SESSIONS);

    for (unsigned i = 0; i < DSP_SESSIONS; i++)
        if (w.sessions[(from + i) % DSP_SESSIONS].live)
            return &w.sessions[(from + i) % DSP_SESSIONS];
    return NULL;
}

static void junk(struct dsp_link *l)
{
    uint8_t bytes[64];
    size_t n = 1 + below(sizeof bytes);

    mr_random_fill(&r, bytes, n);
    if (below(2))
        bytes[0] = 1; /* a size of 256 and more: its packet is awaited */
    if (l->in_n + n <= sizeof l->in)
        dsp_write(l, bytes, n);
    client_of(l)->stage = -1;
}

static void send_hello(struct client *c, const struct dsp_wire *wire)
{
    struct mr_hello h = dsp_hello(&c->peer);

    switch (below(12)) {
    case 0:
        h.id = keys[below(KEYS)].pub;
        break;
    case 1:
        h.version = below(7);
        break;
    case 2:
        h.capabilities_count = 0;
        break;
    case 3:
        dsp_peer_send(&c->peer, wire, (uint16_t)below(5), mr_span("\xc1\x04", 2));
        return;
    default:
        break;
    }
    dsp_peer_hello(&c->peer, wire, &h);
}

/* The remote goes on as it should, or nearly. */
static void step(struct dsp_link *l)
{
    struct client *c = client_of(l);
    struct dsp_wired at = {.w = &w, .l = l};
    struct dsp_wire wire = dsp_wire_of(&at);
    bool outbound = l->dialling || l->remote.port != 0;

    if (l->dialling || c->stage < 0)
        return;
    if (c->stage == 0 && outbound) { /* we dialled a listed node: it answers, usually as itself */
        for (unsigned k = 0; k < LISTED; k++)
            if (l->remote.ip == 0x20000000 + k && below(8))
                c->peer.key = keys[k];
        c->stage = dsp_peer_answer(&c->peer, &wire) ? 2 : -1;
        if (c->stage == 2)
            send_hello(c, &wire);
    } else if (c->stage == 0) {
        dsp_peer_auth(&c->peer, &wire, &w.self.pub);
        c->stage = 1;
    } else if (c->stage == 1) {
        if (l->out_n < 4)
            return;
        c->stage = dsp_peer_ack(&c->peer, &wire) ? 2 : -1;
        if (c->stage == 2)
            send_hello(c, &wire);
    }
}

static void relist(void)
{
    struct mr_listed_node nodes[LISTED];
    size_t n = 0;

    for (uint32_t k = 0; k < LISTED; k++)
        if (below(2))
            nodes[n++] = (struct mr_listed_node){
                .id = keys[k].pub,
                .at = {.ip = 0x20000000 + k, .port = (uint16_t)(below(3) ? 30303 : 0)},
                .is_static = below(2) == 0,
                .trusted = below(2) == 0};
    assert_int_equal(mr_dispatcher_set_nodes(w.d, nodes, n, w.now), MR_OK);
}

static void random_event(void)
{
    struct dsp_link *l = some_link();
    struct dsp_session *s = some_session();
    uint64_t dice = below(100);

    if (dice < 18) {
        uint32_t ip = below(4) ? 0x0a000001 : 0x05060000 + (uint32_t)below(64);

        (void)dsp_connect(&w, ip);
    } else if (dice < 60 && l) {
        step(l);
    } else if (dice < 68 && l) {
        junk(l);
    } else if (dice < 72 && l) {
        dsp_end(l);
    } else if (dice < 75 && l) {
        l->stalled = !l->stalled;
    } else if (dice < 80 && (l = dsp_dialling(&w))) {
        dsp_dial_done(&w, l, below(3) != 0);
    } else if (dice < 84 && s) {
        dsp_session_active(&w, s);
    } else if (dice < 90 && s) {
        dsp_session_end(&w, s, (enum mr_closed_reason)below(MR_CLOSED_COUNT));
    } else if (dice < 91 && below(10) == 0) {
        relist();
    } else if (dice < 97) {
        uint64_t ns = below(40) * MR_MS * (below(20) ? 1 : 100);

        w.now.mono_ns += ns;
        w.now.wall_ns += ns;
    }
    if (below(2))
        dsp_turn(&w);
    else
        dsp_run(&w);
}

/* The books against the sessions that shards hold. */
static void check_books(void)
{
    struct mr_dispatcher_counts c;
    unsigned live = 0, inbound = 0, by_key[KEYS] = {0};

    dsp_turn(&w);
    for (unsigned i = 0; i < DSP_SESSIONS; i++) {
        const struct dsp_session *s = &w.sessions[i];

        if (!s->live)
            continue;
        live++;
        inbound += s->h.inbound;
        for (unsigned k = 0; k < KEYS; k++)
            by_key[k] += mr_node_id_equal(&s->h.id, &keys[k].pub);
    }
    mr_dispatcher_counts(w.d, &c);
    assert_int_equal(c.sessions, live);
    assert_int_equal(c.inbound, inbound);
    for (unsigned k = 0; k < KEYS; k++)
        assert_true(by_key[k] <= 2);
}

static void random_events(uint64_t seed, unsigned events)
{
    struct mr_relay_options o;
    struct mr_dispatcher_counts c;
    struct dsp_session *s;

    mr_relay_options_tiny(&o);
    o.shards = 3;
    o.maxpeers = 8;
    o.maxpendpeers = 24;
    o.handshake_budget_percent = 60;
    o.handshake_timeout_ns = MR_SECOND;
    o.inbound_throttle_ns = 2 * MR_SECOND;
    dsp_open(&w, &o);
    mr_random_init(&r, seed);
    memset(clients, 0, sizeof clients);
    for (unsigned k = 0; k < KEYS; k++) {
        struct dsp_peer p;

        dsp_peer_init(&p, &w);
        keys[k] = p.key;
    }
    for (unsigned i = 0; i < events; i++) {
        random_event();
        if (i % 100 == 0)
            check_books();
    }
    assert_true(w.sessions_n > events / 200); /* it was not all junk */
    assert_int_equal(w.live_counted_max, o.maxpeers);
    assert_true(dsp_metric(&w, "end_full") > 0);
    assert_true(dsp_metric(&w, "third_waits") > 0);
    assert_true(dsp_metric(&w, "sessions_second") > 0);
    assert_true(dsp_metric(&w, "handshakes_outbound") > 0);
    while ((s = some_session()))
        dsp_session_end(&w, s, MR_CLOSED_REMOTE);
    mr_dispatcher_stop(w.d, 0x08);
    for (uint32_t i = 0; i < DSP_SLOTS; i++)
        w.links[i].stalled = false;
    dsp_turn(&w);
    dsp_run(&w);
    dsp_advance(&w, 2 * MR_SECOND);
    assert_true(mr_dispatcher_stopped(w.d));
    mr_dispatcher_counts(w.d, &c);
    assert_int_equal(c.sessions, 0);
    assert_int_equal(c.counted, 0);
    assert_int_equal(c.pending, 0);
    assert_int_equal(c.active, 0);
    for (uint32_t i = 0; i < DSP_SLOTS; i++)
        assert_false(w.links[i].used);
    assert_int_equal(w.live, 0);
    dsp_close(&w);
}

static void invariants_hold_under_100000_random_events(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        random_events(seed, EVENTS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invariants_hold_under_100000_random_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
