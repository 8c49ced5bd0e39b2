/* Events and bytes in any order into the dispatcher. The input is a program: each step connects,
 * writes (the input's own bytes, a true auth, a true Hello, a sealed frame of the input's bytes),
 * closes, completes a dial, ends a session, or lets time pass. The port (helper_dispatch.c) asserts
 * that operations are used as they must be and that maxpeers holds; here: everything comes home. */
#include <stdlib.h>

#define DSP_SLOTS    24 /* 6 inbound, 16 dials */
#define DSP_SESSIONS 64
#include "tests/shards/helper_dispatch.c"

#include "tests/fuzz/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEYS 4

struct actor {
    uint32_t generation;
    bool spoke;
    struct dsp_peer peer;
};

static struct dsp_world world;
static struct actor actors[DSP_SLOTS];
static struct mr_secp_keypair keys[KEYS];

static struct dsp_link *link_of(uint8_t n)
{
    uint32_t slots = mr_dispatcher_slots(&world.options);

    for (uint32_t i = 0; i < slots; i++) {
        struct dsp_link *l = &world.links[(n + i) % slots];

        if (l->used && !l->closing)
            return l;
    }
    return NULL;
}

static struct actor *actor_of(const struct dsp_link *l, uint8_t key)
{
    struct actor *a = &actors[l->slot];

    if (a->generation != l->generation) {
        memset(a, 0, sizeof *a);
        a->generation = l->generation;
        a->peer.secp = world.secp;
        a->peer.random = &world.random;
        a->peer.key = keys[key % KEYS];
    }
    return a;
}

static void write_input(struct program *in, struct dsp_link *l)
{
    struct mr_span bytes = program_take_bytes(in);

    if (l->in_n + bytes.n > sizeof l->in)
        return;
    dsp_write(l, bytes.p, bytes.n);
    actor_of(l, 0)->spoke = true;
}

static void write_frame(struct program *in, struct actor *a, const struct dsp_wire *wire,
                        const struct dsp_link *l)
{
    struct mr_span data = program_take_bytes(in);

    if (!a->peer.has_session || l->in_n + data.n + 64 > sizeof l->in)
        return;
    dsp_peer_frame(&a->peer, wire, data);
}

static void speak(struct program *in, struct dsp_link *l, uint8_t what)
{
    struct actor *a = actor_of(l, program_take(in));
    struct dsp_wired at = {.w = &world, .l = l};
    struct dsp_wire wire = dsp_wire_of(&at);

    if (l->dialling || l->in_n > sizeof l->in / 2)
        return;
    if (what == 0 && !a->spoke && l->remote.port == 0) {
        dsp_peer_auth(&a->peer, &wire, &world.self.pub);
        a->spoke = true;
    } else if (what == 0 && !a->spoke) {
        a->spoke = true;
        dsp_peer_answer(&a->peer, &wire);
    } else if (what == 1 && a->spoke && !a->peer.has_session && l->remote.port == 0 &&
               mr_rlpx_handshake_need(&a->peer.hs) > 0) {
        dsp_peer_ack(&a->peer, &wire);
    } else if (what == 2 && a->peer.has_session) {
        struct mr_hello h = dsp_hello(&a->peer);

        dsp_peer_hello(&a->peer, &wire, &h);
    } else if (what == 3) {
        write_frame(in, a, &wire, l);
    }
}

static struct dsp_session *session_of(uint8_t n)
{
    for (unsigned i = 0; i < DSP_SESSIONS; i++)
        if (world.sessions[(n + i) % DSP_SESSIONS].live)
            return &world.sessions[(n + i) % DSP_SESSIONS];
    return NULL;
}

static void list_some(uint8_t mask)
{
    struct mr_listed_node nodes[KEYS];
    size_t n = 0;

    for (unsigned k = 0; k < KEYS; k++)
        if (mask >> k & 1)
            nodes[n++] = (struct mr_listed_node){.id = keys[k].pub,
                                                 .at = {.ip = 0x01010101 + k, .port = 30303},
                                                 .is_static = mask >> (4 + k % 4) & 1,
                                                 .trusted = !(mask >> (4 + k % 4) & 1)};
    (void)mr_dispatcher_set_nodes(world.d, nodes, n, world.now);
}

static void step(struct program *in)
{
    uint8_t op = program_take(in), arg = program_take(in);
    struct dsp_link *l = link_of(arg);
    struct dsp_session *s = session_of(arg);

    switch (op % 13) {
    case 0:
        (void)dsp_connect(&world, arg < 128 ? 0x0a000001 : 0x05060000u + arg % 8);
        break;
    case 1:
        if (l)
            write_input(in, l);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        if (l)
            speak(in, l, (uint8_t)(op % 13 - 2));
        break;
    case 6:
        if (l)
            dsp_end(l);
        break;
    case 7:
        if (l)
            l->stalled = !l->stalled;
        break;
    case 8:
        if ((l = dsp_dialling(&world)))
            dsp_dial_done(&world, l, arg % 3 != 0);
        break;
    case 9:
        if (s)
            dsp_session_end(&world, s, (enum mr_closed_reason)(arg % MR_CLOSED_COUNT));
        break;
    case 10:
        world.now.mono_ns += (uint64_t)arg * arg * MR_MS / 8;
        break;
    case 11:
        list_some(arg);
        break;
    default:
        if (s)
            dsp_session_active(&world, s);
    }
    if (op & 0x80)
        dsp_turn(&world);
    else
        dsp_run(&world);
}

static void finish_and_count(void)
{
    struct mr_dispatcher_counts c;
    struct dsp_session *s;

    while ((s = session_of(0)))
        dsp_session_end(&world, s, MR_CLOSED_REMOTE);
    for (unsigned i = 0; i < DSP_SLOTS; i++)
        world.links[i].stalled = false;
    mr_dispatcher_stop(world.d, MR_REASON_QUITTING);
    dsp_turn(&world);
    dsp_run(&world);
    for (unsigned i = 0; i < 4 && !mr_dispatcher_stopped(world.d); i++) {
        world.now.mono_ns += MR_SECOND;
        dsp_turn(&world);
        dsp_run(&world);
    }
    MR_ASSERT(mr_dispatcher_stopped(world.d));
    mr_dispatcher_counts(world.d, &c);
    MR_ASSERT(c.sessions == 0);
    MR_ASSERT(c.counted == 0);
    MR_ASSERT(c.pending == 0);
    MR_ASSERT(world.live == 0);
    for (unsigned i = 0; i < DSP_SLOTS; i++)
        MR_ASSERT(!world.links[i].used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mr_secp *secp;
    struct program in = program_of(data, size, 1024);
    struct mr_relay_options o;

    if (!secp) {
        uint8_t seed[32] = {9};

        secp = mr_secp_create(seed);
        MR_ASSERT(secp);
    }
    mr_relay_options_tiny(&o);
    o.shards = 2;
    o.maxpeers = 2;
    o.maxpendpeers = 6;
    o.handshake_budget_percent = 50;
    o.inbound_throttle_ns = MR_SECOND;
    dsp_open_with(&world, &o, secp);
    memset(actors, 0, sizeof actors);
    for (unsigned k = 0; k < KEYS; k++)
        mr_secp_keypair_make(secp, &keys[k], entropy, &world.random);
    while (in.n > 0)
        step(&in);
    finish_and_count();
    dsp_close(&world);
    return 0;
}
