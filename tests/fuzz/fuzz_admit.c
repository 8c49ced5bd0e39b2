/* Transactions that several peers offer, again and again, while they come and go: verified within
 * budgets, judged, proven or not by a service with its own mind, settled by other shards, leaving
 * the pool: a program of steps into admit.h. Every offered item is followed to its one end:
 * accepted, refused, dropped for a counted reason, or settled; in its peer's order, peers in turn,
 * at most recoveries_per_turn of them at once, never beyond the other shards' room; with the
 * sources that it was given; replacements pay; and all memory comes home. */
#include "core/bitmap.h"
#include "core/clock.h"
#include "shards/admit.h"
#include "tests/fuzz/admit_model.h"
#include "tests/fuzz/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TICKETS  64
#define EVENTS   64
#define PER_TURN 4
#define WALL_S   1790000000

struct event { /* what the hooks were told */
    enum { ACCEPTED, REFUSED, CHECKED } kind;
    uint32_t item;
};

struct service_job {
    uint64_t ticket;
    struct mr_buf *buf; /* NULL: answered */
};

static struct mr_relay_options options;
static struct mr_random randomness;
static struct mr_secp *secp;
static struct mr_seen seen;
static struct mr_buf_pool pool;
static struct mr_shard_metrics metrics;
static struct mr_admit *admit;
static struct event events[EVENTS];
static struct service_job jobs[TICKETS];
static struct mr_buf *held[SAMPLES]; /* in the log */
static unsigned events_count, jobs_count;
static uint32_t generations, room;
static uint64_t now, begun, doubtful;
static bool refuses, blocked, blobs_ready;

static enum mr_seen_state state_of(uint32_t sample)
{
    const struct mr_seen_entry *e =
        mr_seen_find(&seen, &samples[sample].hash, (uint32_t)(now / MR_SECOND));

    return e ? (enum mr_seen_state)e->state : MR_SEEN_NONE;
}

/* ---- hooks ---- */

static void event_add(unsigned kind, uint32_t item)
{
    MR_ASSERT(events_count < EVENTS);
    events[events_count++] = (struct event){.kind = kind, .item = item};
}

static void on_accepted(void *ctx, struct mr_buf *buf, const uint64_t *known)
{
    const struct mr_txmeta *m = mr_txmeta(buf);
    uint32_t i = item_of(&m->hash);
    struct item *it = &items[i];
    const struct sample *s = &samples[it->sample];

    (void)ctx;
    MR_ASSERT(room > 0);
    room--;
    MR_ASSERT(known[0] == it->known);
    MR_ASSERT(memcmp(m->sender.b, s->sender.b, sizeof s->sender.b) == 0);
    MR_ASSERT(s->fault == SOUND);
    MR_ASSERT(buf->size == sizeof *m + s->item.n);
    MR_ASSERT(memcmp(mr_tx_body(buf).p, s->item.p, s->item.n) == 0);
    MR_ASSERT(m->origin_slot == it->slot);
    MR_ASSERT(m->origin_generation == it->generation);
    MR_ASSERT(!held[it->sample]);
    if (same_session(it))
        peers[it->slot].pool_bytes += buf->size;
    if (!it->trusted)
        replacement_check(it->sample);
    doubtful += (m->flags & MR_TXF_DOUBTFUL) != 0;
    MR_ASSERT(doubtful <= options.doubtful_per_s * (1 + (now - begun) / MR_SECOND + 1));
    held[it->sample] = buf;
    MR_ASSERT(mr_seen_put(&seen, &m->hash, MR_SEEN_HELD, 0, 0));
    event_add(ACCEPTED, i);
}

static void on_refused(void *ctx, const struct mr_txmeta *meta, uint32_t slot, uint32_t generation,
                       const uint64_t *known, bool hash_fault, bool breach)
{
    uint32_t i = item_of(&meta->hash);

    (void)ctx;
    MR_ASSERT(slot == items[i].slot);
    MR_ASSERT(generation == items[i].generation);
    MR_ASSERT(known[0] == items[i].known);
    MR_ASSERT(hash_fault == (samples[items[i].sample].fault == UNSIGNED));
    MR_ASSERT(breach == !hash_fault);
    event_add(REFUSED, i);
}

static size_t on_fragment(void *ctx, uint8_t *out, size_t cap, struct mr_span item)
{
    (void)ctx;
    MR_ASSERT(cap >= item.n);
    memcpy(out, item.p, item.n);
    return item.n;
}

static bool on_blob(void *ctx, struct mr_buf *b, uint64_t ticket)
{
    uint32_t i = item_of(&mr_txmeta(b)->hash);

    (void)ctx;
    event_add(CHECKED, i);
    if (refuses || jobs_count == TICKETS)
        return false;
    mr_buf_hold(b, 1);
    jobs[jobs_count++] = (struct service_job){.ticket = ticket, .buf = b};
    items[i].ticket = ticket;
    return true;
}

static bool on_room(void *ctx, uint32_t n)
{
    (void)ctx;
    blocked |= room < n;
    return room >= n;
}

/* ---- peers ---- */

static void toggle(uint32_t slot, bool trusted)
{
    struct peer *p = &peers[slot];

    if (!p->present) {
        *p = (struct peer){.present = true, .trusted = trusted, .generation = ++generations};
        mr_admit_peer_add(admit, slot, p->generation, trusted, now);
        return;
    }
    mr_admit_peer_remove(admit, slot);
    p->present = false;
    for (uint32_t i = 0; i < ENTRIES; i++)
        items[i].known &= ~(UINT64_C(1) << slot);
}

static uint64_t dropped_count(void)
{
    return metrics.tx_gas_over_block + metrics.tx_under_base_fee + metrics.tx_pool_share +
           metrics.tx_pool_full + metrics.blob_unready;
}

static void offered(uint32_t slot, uint32_t sample, uint64_t known)
{
    struct peer *p = &peers[slot];
    const struct mr_seen_entry *e =
        mr_seen_find(&seen, &samples[sample].hash, (uint32_t)(now / MR_SECOND));
    uint32_t i;

    MR_ASSERT(e);
    MR_ASSERT(e->state == MR_SEEN_VERIFYING);
    i = e->index;
    MR_ASSERT(i < ENTRIES);
    MR_ASSERT(items[i].where == FREE);
    items[i] = (struct item){.where = QUEUED,
                             .trusted = p->trusted,
                             .sample = sample,
                             .slot = slot,
                             .generation = p->generation,
                             .known = known};
    used++;
    p->blobs += is_blob(&items[i]);
    MR_ASSERT(p->trusted || p->blobs <= 2);
    MR_ASSERT(!is_blob(&items[i]) || blobs_ready);
    MR_ASSERT(p->trusted || p->pool_bytes + samples[sample].item.n <= options.pool_bytes / 8);
    order_push(i);
}

static void offer(uint32_t slot, uint32_t sample, uint8_t others)
{
    const struct sample *s = &samples[sample];
    uint64_t known = others | UINT64_C(1) << slot, dropped = dropped_count();
    uint64_t share = metrics.tx_pool_share;
    bool blob_full =
        s->tx.type == MR_TX_BLOB && blobs_ready && !mr_admit_blob_room(admit, slot, s->item.n);
    const struct peer *p = &peers[slot];
    enum mr_admit_result r;

    r = mr_admit_offer(admit, slot, p->generation, &s->tx, s->item, &s->hash, &known, now);
    MR_ASSERT((r == MR_ADMIT_INVALID) == (s->fault == INVALID));
    MR_ASSERT((r == MR_ADMIT_BREACH) == (s->fault == BREACH));
    if (r == MR_ADMIT_QUEUED)
        offered(slot, sample, known);
    else if (r == MR_ADMIT_FULL)
        MR_ASSERT(used == ENTRIES);
    else if (r == MR_ADMIT_DROPPED)
        MR_ASSERT(dropped_count() == dropped + !blob_full || dropped_count() == dropped + 1);
    if (metrics.tx_pool_share > share)
        MR_ASSERT(p->pool_bytes + s->item.n > options.pool_bytes / 8);
}

/* As the shard treats an item that comes. */
static void come(uint32_t slot, uint32_t sample, uint8_t others)
{
    if (!peers[slot].present)
        return;
    switch (state_of(sample)) {
    case MR_SEEN_NONE:
        offer(slot, sample, others);
        return;
    case MR_SEEN_VERIFYING:
        mr_admit_source(admit, item_of(&samples[sample].hash), slot);
        items[item_of(&samples[sample].hash)].known |= UINT64_C(1) << slot;
        return;
    case MR_SEEN_ANNOUNCED:
    case MR_SEEN_HELD:
    case MR_SEEN_GONE:
    case MR_SEEN_REFUSED:
        return;
    }
}

/* ---- judging ---- */

static uint64_t silent_count(void)
{
    return metrics.tx_replacement_low + metrics.tx_replacement_fast + metrics.tx_doubtful_dropped +
           metrics.tx_pool_full;
}

/* The item was judged: by a hook, whose event is e, or without a word (e NULL). */
static void judged(uint32_t i, const struct event *e)
{
    struct item *it = &items[i];

    if (e && e->kind == CHECKED && it->ticket) {
        it->where = PROVING;
        proving++;
        return;
    }
    MR_ASSERT(e || !it->trusted || metrics.tx_pool_full > 0);
    MR_ASSERT(state_of(it->sample) != MR_SEEN_VERIFYING);
    item_end(it);
}

static void verify(void)
{
    uint64_t silent = silent_count(), recoveries = metrics.tx_recoveries;
    uint32_t done, taken = 0;
    unsigned at = 0;

    events_count = 0;
    blocked = false;
    done = mr_admit_verify(admit, now);
    MR_ASSERT(done <= options.recoveries_per_turn);
    MR_ASSERT(metrics.tx_recoveries == recoveries + done);
    while (queued > 0 && taken < options.recoveries_per_turn) {
        const struct event *e = at < events_count ? &events[at] : NULL;

        if (items[order_front()].settled) {
            item_end(&items[order_pop()]);
            continue;
        }
        if (taken == done)
            break;
        taken++;
        e = e && e->item == order_front() ? e : NULL;
        at += e != NULL;
        silent += e == NULL;
        judged(order_pop(), e);
    }
    MR_ASSERT(taken == done); /* who was judged stood in front, */
    MR_ASSERT(at == events_count);
    MR_ASSERT(silent_count() == silent); /* and who was dropped has a reason */
    if (done < options.recoveries_per_turn && queued > 0)
        MR_ASSERT(blocked || mr_admit_next_ns(admit, now) > now);
}

static void verdict(uint32_t k, uint8_t how)
{
    struct service_job *job = &jobs[k];
    uint32_t i = (uint32_t)job->ticket % ENTRIES;
    struct item *it = &items[i];
    bool counts = it->where == PROVING && it->ticket == job->ticket;
    uint64_t full = metrics.tx_pool_full;

    events_count = 0;
    mr_admit_blob_verdict(admit, job->ticket, how == 0, how == 1);
    if (job->buf)
        mr_buf_put(&pool, job->buf);
    job->buf = NULL;
    if (counts && how < 2 && metrics.tx_pool_full == full) {
        MR_ASSERT(events_count == 1);
        MR_ASSERT(events[0].item == i);
        MR_ASSERT(events[0].kind == (how == 0 ? ACCEPTED : REFUSED));
    } else {
        MR_ASSERT(events_count == 0);
    }
    if (!counts)
        return;
    MR_ASSERT(state_of(it->sample) == (events_count && how == 0 ? MR_SEEN_HELD : MR_SEEN_NONE));
    item_end(it);
}

/* Another shard accepted it meanwhile. */
static void settle(uint32_t sample, uint8_t wrong)
{
    const struct sample *s = &samples[sample];
    struct mr_txmeta meta = {.hash = s->hash,
                             .sender = s->sender,
                             .type = s->tx.type,
                             .nonce = s->tx.nonce,
                             .fee_cap = s->tx.fee_cap,
                             .tip_cap = s->tx.tip,
                             .blob_fee_cap = s->tx.blob_fee_cap};
    uint64_t known = 0;
    struct item *it;

    if (state_of(sample) != MR_SEEN_VERIFYING) {
        MR_ASSERT(!mr_admit_settle(admit, wrong % ENTRIES, &s->hash, &known));
        MR_ASSERT(known == 0);
        return;
    }
    it = &items[item_of(&s->hash)];
    MR_ASSERT(mr_admit_settle(admit, (uint32_t)(it - items), &s->hash, &known));
    MR_ASSERT(known == it->known);
    MR_ASSERT(mr_seen_put(&seen, &s->hash, MR_SEEN_HELD, 0, 0));
    if (it->where == PROVING)
        item_end(it);
    else
        it->settled = true;
    mr_admit_note(admit, &meta, now);
}

/* Out of the log, and forgotten. */
static void body_leaves(uint32_t sample)
{
    struct mr_buf *b = held[sample];

    if (state_of(sample) == MR_SEEN_HELD)
        mr_seen_remove(&seen, &samples[sample].hash);
    held[sample] = NULL;
    if (!b)
        return;
    mr_admit_body_left(admit, mr_txmeta(b));
    if (peers[mr_txmeta(b)->origin_slot].generation == mr_txmeta(b)->origin_generation)
        peers[mr_txmeta(b)->origin_slot].pool_bytes -= b->size;
    mr_buf_put(&pool, b);
}

static void set_head(uint8_t arg)
{
    struct mr_admit_head h = {.known = arg & 1,
                              .gas_limit = arg & 2 ? 1000 : 60000000,
                              .base_fee = mr_u256_of(arg & 4 ? UINT64_C(40000000000) : 7),
                              .has_base_fee = arg & 1};

    mr_admit_set_head(admit, &h, arg & 1 ? 25000000 : 0, arg & 1 ? WALL_S : 0, WALL_S);
}

/* ---- the program ---- */

static void check(void)
{
    MR_ASSERT(mr_admit_length(admit) == used);
    MR_ASSERT(used == queued + proving);
    MR_ASSERT(mr_admit_full(admit, 1) == (used == ENTRIES));
    MR_ASSERT((mr_admit_next_ns(admit, now) == UINT64_MAX) == (queued == 0));
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (items[i].where != FREE && !items[i].settled)
            MR_ASSERT(state_of(items[i].sample) == MR_SEEN_VERIFYING);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        MR_ASSERT(mr_admit_ready_at(admit, slot) == 0 ||
                  (peers[slot].present && !peers[slot].trusted));
}

static void copy_source(uint32_t to, uint32_t from)
{
    mr_admit_copy_source(admit, to, from);
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (items[i].where != FREE && items[i].known >> from & 1)
            items[i].known |= UINT64_C(1) << to;
}

static void step(struct program *in)
{
    uint8_t op = program_take(in), arg = program_take(in);
    uint32_t slot = op >> 4 & 7, sample = arg % SAMPLES;

    switch (op % 13) {
    case 0:
        toggle(slot, arg & 1);
        break;
    case 1:
    case 2:
        come(slot, sample, program_take(in));
        break;
    case 3: /* a run of them */
        for (uint32_t k = 0; k < 8; k++)
            come(slot, (sample + k) % SAMPLES, 0);
        break;
    case 4:
        verify();
        break;
    case 5:
        if (jobs_count > 0)
            verdict(arg % jobs_count, op >> 4 & 3);
        break;
    case 6:
        settle(sample, op >> 4);
        break;
    case 7:
        body_leaves(sample);
        break;
    case 8:
        set_head(arg);
        break;
    case 9:
        now += (uint64_t)arg * arg * MR_MS;
        break;
    case 10:
        room += arg;
        refuses = op & 0x80;
        break;
    case 11:
        mr_admit_charge(admit, slot, (uint64_t)arg << 17, now);
        break;
    default:
        blobs_ready = arg & 1;
        mr_admit_blobs_ready(admit, blobs_ready);
        copy_source(slot, arg % SLOTS);
    }
    check();
}

static void begin(uint8_t first)
{
    struct mr_admit_hooks hooks = {.accepted = on_accepted,
                                   .refused = on_refused,
                                   .fragment = on_fragment,
                                   .blob_check = on_blob,
                                   .room = on_room};

    memset(peers, 0, sizeof peers);
    memset(items, 0, sizeof items);
    memset(orders, 0, sizeof orders);
    memset(&metrics, 0, sizeof metrics);
    memset(last_of, 0xff, sizeof last_of);
    turns_count = jobs_count = used = queued = proving = generations = 0;
    room = 4;
    now = begun = 1000 * MR_SECOND;
    doubtful = 0;
    refuses = blobs_ready = false;
    mr_relay_options_tiny(&options);
    options.verify_entries = ENTRIES;
    options.seen_entries = 1024;
    options.recoveries_per_turn = PER_TURN;
    options.sender_tx_burst = 4;
    options.sender_blob_burst = 1;
    options.pool_bytes = first & 1 ? 64u << 20 : 1200u << 10; /* a share of 150 KiB */
    mr_random_init(&randomness, 1);
    MR_ASSERT(mr_seen_init(&seen, options.seen_entries, &randomness));
    MR_ASSERT(mr_buf_pool_init(&pool, first & 2 ? 512u << 10 : 8u << 20, 4u << 20) == MR_OK);
    admit = mr_admit_new(&options, mr_network_find("mainnet"), secp, SLOTS, &seen, &pool, &metrics,
                         0, &hooks, &randomness);
    MR_ASSERT(admit);
    set_head(0);
}

/* Everybody leaves; what was offered is judged all the same. */
static void finish(bool at_once)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (peers[slot].present)
            toggle(slot, false);
    while (!at_once && queued > 0) {
        room = UINT32_MAX;
        now += MR_SECOND;
        verify();
        check();
    }
    for (uint32_t k = 0; k < jobs_count; k++)
        verdict(k, 2);
    check();
    MR_ASSERT(at_once || used == 0);
    for (uint32_t i = 0; i < SAMPLES; i++)
        body_leaves(i);
    mr_admit_free(admit);
    mr_seen_fini(&seen);
    MR_ASSERT(mr_buf_pool_fini(&pool) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program in = program_of(data, size, 256);
    uint8_t first = program_take(&in);

    if (!secp) {
        uint8_t seed[32] = {9};

        secp = mr_secp_create(seed);
        MR_ASSERT(secp);
        samples_make(secp);
    }
    begin(first);
    while (in.n > 0)
        step(&in);
    finish(first & 4);
    return 0;
}
