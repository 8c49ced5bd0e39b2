/* Sessions on one shard or two: actors (helper_shard.h) of all versions come, also twice under one
 * identity, say Status, send messages right and wrong, the input's own bytes as payloads, frames
 * and wire bytes, in pieces, answer or do not, read or do not, break, hang up; the dispatcher, the
 * blob service and another shard do theirs; time passes. Beside what the stage asserts: what is
 * sent are messages that our own decoders take, Status first; nobody is asked for what it has not
 * announced, nor told of one transaction twice; nothing but a Disconnect is sent to who has ended;
 * slots and memory are within their limits at every step; and at the end every session has had one
 * end with a reason and everything has come home. */
#include "tests/fuzz/program.h"
#include "tests/fuzz/shard_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ACTORS 10

static struct stage st;
static struct memory memories[ACTORS];

/* ---- what an actor hears ---- */

static void on_heard(struct stage *stage, struct actor *a, bool is_eth, uint8_t id,
                     struct mr_span payload)
{
    struct memory *m = &memories[a->index];
    const struct mr_eth_message *entry = mr_eth_message_find(a->o.version, id, false);

    (void)stage;
    MR_ASSERT(m->ended == 0 || a->sealed_turn < m->ended || (!is_eth && id == MR_BASE_DISCONNECT));
    if (!is_eth) {
        heard_base(id, payload);
        return;
    }
    MR_ASSERT(entry);
    MR_ASSERT(entry->check(a->o.version, payload) == MR_OK);
    MR_ASSERT((id == MR_ETH_STATUS) == (actor_heard_count(a, true, MR_ETH_STATUS) == 0));
    if (id == MR_ETH_TRANSACTIONS)
        heard_bodies(m, payload);
    else if (id == MR_ETH_NEW_POOLED_TRANSACTION_HASHES)
        heard_announced(m, a->o.version, payload);
    else if (id == MR_ETH_GET_POOLED_TRANSACTIONS)
        heard_asked(m, payload);
    else if (entry->kind == MR_ETH_RESPONSE)
        MR_ASSERT(++m->answered <= m->asked || m->wild);
}

/* ---- what holds behind every turn ---- */

static void shard_check(const struct mr_shard *s)
{
    uint32_t live = 0, active = 0, unused = 0;
    uint64_t sending = 0;

    for (uint32_t i = 0; i < s->slots; i++) {
        const struct mr_peer *p = &s->peers[i];

        unused += p->state == MR_PEER_FREE;
        active += p->state == MR_PEER_ACTIVE;
        live += p->state != MR_PEER_FREE && p->state != MR_PEER_SWEEP;
        if (p->state == MR_PEER_FREE || p->state == MR_PEER_SWEEP)
            continue;
        MR_ASSERT(p->control_count <= MR_CONTROL_SLOTS);
        MR_ASSERT(p->pending_count <= MR_PENDING_REQUESTS);
        MR_ASSERT(p->twin == MR_NO_SLOT || s->peers[p->twin].twin == i);
        if (p->sending)
            sending += p->send_buf->size;
    }
    MR_ASSERT(s->live_count == live);
    MR_ASSERT(s->active_count == active);
    MR_ASSERT(mr_bitmap_count(s->free, s->slots) == unused);
    MR_ASSERT(s->sending_bytes == sending);
    /* the bound is looked at between windows */
    MR_ASSERT(sending <= s->o->send_bytes + (512u << 10) + MR_SLICE_BYTES);
    MR_ASSERT(s->gather_bytes <= s->o->gather_bytes);
}

static void on_turn(struct stage *stage, unsigned shard, bool begins)
{
    if (begins)
        return;
    shard_check(stage->shards[shard]);
    for (uint32_t i = 0; i < stage->actors_count; i++) {
        const struct actor *a = &stage->actors[i];

        if (a->o.shard != shard || !a->end_told)
            continue;
        if (memories[i].ended == 0)
            memories[i].ended = stage->turns;
        MR_ASSERT(!a->adopted || !mr_peer_is_open(&stage->shards[shard]->peers[a->slot]));
    }
}

/* ---- what actors do ---- */

static void join(uint8_t arg, uint8_t more)
{
    struct actor_options o = {.version = MR_ETH_68 + arg % 5,
                              .shard = arg >> 3 & 1,
                              .inbound = arg & 0x10,
                              .trusted = (arg & 0x60) == 0x60,
                              .is_static = arg & 0x20};

    if (st.actors_count == ACTORS)
        return;
    if (arg & 0x80 && st.actors_count > 0) { /* under another's identity, so on its shard */
        const struct actor *other = &st.actors[more % st.actors_count];

        o.id = &other->id;
        o.shard = other->o.shard;
    }
    o.shard %= st.o.shards;
    if (!st.stopped[o.shard])
        actor_join(&st, &o);
}

static void say_status(struct actor *a, uint8_t arg)
{
    struct mr_eth_status s;

    actor_status_default(a, &s);
    if (arg & 1)
        s.network_id++;
    if (arg & 2)
        s.genesis.b[arg % 32] ^= 1;
    if (arg & 4)
        s.fork_id.hash ^= 1;
    if (arg & 8)
        s.latest += 1000;
    actor_send_status(a, &s);
}

/* How many samples from where on arg names. */
static uint32_t some(uint8_t arg, uint32_t *from)
{
    uint32_t count = 1 + (arg >> 5);

    *from = (arg & 31) % SAMPLES;
    return MR_MIN(count, SAMPLES - *from);
}

static void say_samples(struct actor *a, uint8_t what, uint8_t arg)
{
    struct memory *m = &memories[a->index];
    uint32_t from, n = some(arg, &from);
    struct mr_hash hashes[8];
    uint8_t types[8];
    uint32_t sizes[8];

    for (uint32_t k = 0; k < n; k++) {
        hashes[k] = samples[from + k].hash;
        types[k] = what & 4 ? arg % 4 : samples[from + k].type;
        sizes[k] = samples[from + k].size + (what & 8 ? 100 : 0);
        if (what % 4 < 2)
            m->said |= 1u << (from + k);
    }
    switch (what % 4) {
    case 0:
        actor_send_txs(a, &samples[from], n);
        break;
    case 1:
        actor_announce_as(a, hashes, types, sizes, n);
        break;
    default:
        m->asked++;
        actor_ask(a, arg, hashes, n);
    }
}

/* Answers the newest question, or the one before. */
static void answer(struct actor *a, uint8_t arg, uint8_t how)
{
    uint32_t asked = actor_heard_count(a, true, MR_ETH_GET_POOLED_TRANSACTIONS), from;
    struct mr_hash hashes[SAMPLES];
    struct sample_tx txs[SAMPLES + 1];
    size_t n = 0, count = 0;
    uint64_t id = arg;

    if (asked > (how & 1u))
        actor_asked(a, asked - 1 - (how & 1u), &id, hashes, SAMPLES, &n);
    for (size_t k = 0; k < MR_MIN(n, (size_t)SAMPLES); k++) {
        uint32_t i = sample_find(&hashes[how & 2 ? n - 1 - k : k]);

        if (i < SAMPLES && !(how & 4 && arg >> (k % 8) & 1))
            txs[count++] = samples[i];
    }
    if (how & 8) { /* one that was not asked for, or twice */
        some(arg, &from);
        txs[count++] = samples[from];
    }
    for (size_t k = 0; k < count; k++)
        memories[a->index].said |= 1u << sample_find(&txs[k].hash);
    actor_answer(a, id + (how >> 7), txs, count);
}

static void ask_headers(struct actor *a, uint8_t arg, uint8_t more)
{
    uint8_t room[128];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_get_block_headers q = {.by_hash = arg & 1,
                                     .reverse = arg & 2,
                                     .origin_hash = st.net->genesis_hash,
                                     .origin_number = more,
                                     .amount = arg >> 2,
                                     .skip = more % 4};

    MR_ASSERT(mr_get_block_headers_encode(&w, more, &q) == MR_OK);
    memories[a->index].asked++;
    actor_send_eth(a, MR_ETH_GET_BLOCK_HEADERS, mr_writer_span(&w));
}

/* To the newest question for headers: none, or the genesis block's. */
static void answer_headers(struct actor *a, uint8_t arg)
{
    uint32_t n = actor_heard_count(a, true, MR_ETH_GET_BLOCK_HEADERS);
    const struct heard *h = n ? actor_heard(a, true, MR_ETH_GET_BLOCK_HEADERS, n - 1) : NULL;
    uint8_t room[MR_NETWORK_HEADER_MAX + 64];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_get_block_headers q;
    uint64_t id = arg;

    if (h)
        MR_ASSERT(mr_get_block_headers_decode(&q, &id, actor_payload(a, h)) == MR_OK);
    MR_ASSERT(mr_response_encode(&w, id, &st.net->genesis_header, arg & 1) == MR_OK);
    actor_send_eth(a, MR_ETH_BLOCK_HEADERS, mr_writer_span(&w));
}

static void say_range(struct actor *a, uint8_t arg)
{
    uint8_t room[64];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_block_range r = {.earliest = arg, .latest = arg + 100u, .latest_hash = {{1, arg}}};

    MR_ASSERT(mr_block_range_encode(&w, &r) == MR_OK);
    actor_send_eth(a, MR_ETH_BLOCK_RANGE_UPDATE, mr_writer_span(&w));
}

static void say_typed(struct program *in, struct actor *a, uint8_t what)
{
    uint8_t arg = program_take(in);

    switch (what % 8) {
    case 0:
        answer(a, arg, program_take(in));
        break;
    case 1:
        ask_headers(a, arg, program_take(in));
        break;
    case 2:
        answer_headers(a, arg);
        break;
    case 3:
        say_range(a, arg);
        break;
    default:
        say_samples(a, what >> 3, arg);
    }
}

/* The input's own bytes, as an eth message, a base message, frame data, or what goes over the wire.
 */
static void say_bytes(struct program *in, struct actor *a, uint8_t what)
{
    struct memory *m = &memories[a->index];
    uint8_t id = program_take(in);
    struct mr_span bytes = program_take_bytes(in);

    m->wild = true;
    switch (what % 4) {
    case 0:
        actor_send_eth(a, id % MR_ETH_IDS_MAX, bytes);
        break;
    case 1:
        actor_send_base(a, id % 16, bytes);
        break;
    case 2:
        actor_send_frame(a, bytes);
        break;
    default:
        actor_send_bytes(a, bytes.p, bytes.n);
    }
}

static void claim(struct actor *a, uint8_t arg, uint8_t more)
{
    actor_send_claim(a, 65536u + ((uint32_t)more << 14), 32 + arg);
    memories[a->index].stuck = true;
}

static void behave(struct actor *a, uint8_t arg)
{
    switch (arg % 6) {
    case 0:
        a->deaf = !a->deaf;
        break;
    case 1:
        a->no_pongs = true;
        break;
    case 2:
        a->late_data = !a->late_data;
        break;
    case 3:
        a->broken = true;
        break;
    case 4:
        actor_hang_up(a);
        break;
    default:
        a->chunk = arg & 0x80 ? 0 : 24 + (arg & 0x78u);
        a->bursts = 16;
    }
}

/* ---- the other threads ---- */

static void mail(struct actor *a, uint8_t arg, uint8_t more)
{
    static const uint8_t hints[] = {MR_MAIL_CLAIM, MR_MAIL_RELEASE, MR_MAIL_REFUSED};
    struct mr_mail m = {.kind = MR_MAIL_DROP, .a = a->serial, .b = MR_REASON_REQUESTED};

    if (arg % 4 == 0 && a->o.shard == 0) {
        stage_mail(&st, mr_mesh_dispatcher(st.o.shards), MR_MAIL_SURE, &m);
        stage_turn(&st); /* no more of them at once than sessions */
    } else if (arg % 4 == 1 && st.o.shards > 1) {
        m = (struct mr_mail){.kind = hints[more % MR_COUNT_OF(hints)],
                             .from = 1,
                             .hash = samples[arg % SAMPLES].hash,
                             .a = st.now.mono_ns + more * MR_SECOND};
        stage_mail(&st, 1, MR_MAIL_HINT, &m);
    } else if (arg % 4 == 2) {
        st.doubt_blobs = more & 1;
        st.mute_service = more & 2;
        stage_verdicts(&st, (enum mr_blob_verdict)(more >> 2) % (MR_BLOB_ERROR + 1));
        stage_blobs_ready(&st);
    } else if (arg == UINT8_MAX && !st.shards[0]->stopping) {
        stage_stop(&st, MR_REASON_QUITTING);
        stage_turn(&st);
    }
}

/* ---- the program ---- */

static void speak(struct program *in, struct actor *a, uint8_t op, uint8_t arg)
{
    if (memories[a->index].stuck && op > 0)
        return;
    switch (op) {
    case 0:
        behave(a, arg);
        break;
    case 1:
        say_status(a, arg & 0x80 ? arg : 0);
        break;
    case 2:
    case 3:
    case 4:
        say_typed(in, a, arg);
        break;
    case 5:
        say_bytes(in, a, arg);
        break;
    default:
        claim(a, arg, program_take(in));
    }
}

static void step(struct program *in)
{
    uint8_t op = program_take(in), arg = program_take(in);
    struct actor *a = st.actors_count ? &st.actors[(op >> 4) % st.actors_count] : NULL;

    switch (op % 12) {
    case 0:
        join(arg, op >> 4);
        break;
    case 1:
        stage_run(&st, (uint64_t)arg * arg / 2);
        break;
    case 2:
        stage_settle(&st);
        break;
    case 3:
        stage_turn(&st);
        break;
    case 4:
        if (a)
            mail(a, arg, program_take(in));
        break;
    default:
        if (a)
            speak(in, a, op % 12 - 5, arg);
    }
}

static void begin(uint8_t first)
{
    struct stage_options o;

    stage_options_default(&o);
    o.shards = 1 + first % 2;
    o.actors_max = ACTORS;
    o.flow_slots = o.sure_slots = 256;
    o.relay.maxpeers = 4;
    o.relay.log_entries = 256;
    o.relay.seen_entries = 1024;
    o.relay.fetch_entries = 256;
    o.relay.verify_entries = first & 2 ? 4 : 64;
    o.relay.arena_bytes = 512 << 10;
    o.relay.gather_bytes = first & 4 ? 256 << 10 : 4 << 20;
    o.relay.send_bytes = first & 8 ? 256 << 10 : 4 << 20;
    stage_init(&st, &o);
    st.on_heard = on_heard;
    st.on_turn = on_turn;
    memset(memories, 0, sizeof memories);
}

static void finish(void)
{
    uint64_t adopted = 0, closed = 0;

    if (!st.shards[0]->stopping)
        stage_stop(&st, MR_REASON_QUITTING);
    stage_run(&st, 2000);
    for (unsigned i = 0; i < st.o.shards; i++) {
        adopted += st.shards[i]->metrics.peers_adopted;
        closed += st.shards[i]->metrics.peers_closed;
    }
    MR_ASSERT(adopted == st.actors_count);
    MR_ASSERT(closed == st.actors_count);
    stage_close(&st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    struct program in = program_of(data, size, 1024);

    if (!made)
        samples_make();
    made = true;
    begin(program_take(&in));
    while (in.n > 0)
        step(&in);
    finish();
    return 0;
}
