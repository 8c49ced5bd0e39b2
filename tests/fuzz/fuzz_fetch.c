/* Peers that announce, answer (rightly, in part, in any order, wrongly, late or never), come and
 * go, and two other shards that claim, release and refuse: a program of steps into fetch.h. Beside
 * it runs a model of what fetch must know: who is a source of what with which type and size, what
 * is asked of whom, what waits for another shard. Requests, deadlines, liars, sources and counts
 * are what the model says; nobody is asked for what it did not announce, nor out of its order; what
 * waits has somebody to ask; and when all have gone nothing is left. */
#include "core/bitmap.h"
#include "core/clock.h"
#include "shards/mailbox.h"
#include "tests/fuzz/fetch_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mr_relay_options options;
static struct mr_random randomness;
static struct mr_seen seen;
static struct mr_fetch *fetch;
static uint64_t liars, claims;

static uint32_t hash_index(const struct mr_hash *h)
{
    uint32_t i = mr_load_be32(h->b + 28);

    MR_ASSERT(i < HASHES);
    MR_ASSERT(mr_hash_equal(h, &hashes[i]));
    return i;
}

static uint32_t peer_at(uint32_t slot)
{
    for (uint32_t p = 0; p < PEERS; p++)
        if (slots[p] == slot)
            return p;
    MR_ASSERT(!"a slot that somebody has");
    return 0;
}

/* ---- hooks ---- */

static void on_ready(void *ctx, uint32_t slot)
{
    struct peer *p = &peers[peer_at(slot)];

    (void)ctx;
    MR_ASSERT(p->present);
    p->ready = true;
}

static void on_liar(void *ctx, uint32_t slot)
{
    uint64_t bit = UINT64_C(1) << peer_at(slot);

    (void)ctx;
    MR_ASSERT(!(liars & bit));
    liars |= bit;
}

static void on_hint(void *ctx, unsigned kind, const struct mr_hash *hash, uint64_t a)
{
    (void)ctx, (void)a;
    MR_ASSERT(shards > 1);
    MR_ASSERT(kind == MR_MAIL_CLAIM || kind == MR_MAIL_RELEASE);
    (void)hash_index(hash);
    claims += kind == MR_MAIL_CLAIM;
}

/* ---- what is compared with it ---- */

static void expect_sources(const uint64_t *got, uint64_t wanted_bits)
{
    MR_ASSERT(mr_bitmap_count(got, SLOTS) == (size_t)__builtin_popcountll(wanted_bits));
    for (uint32_t p = 0; p < PEERS; p++)
        MR_ASSERT(mr_bitmap_test(got, slots[p]) == (wanted_bits >> p & 1));
}

static enum mr_seen_state state_of(uint32_t i)
{
    const struct mr_seen_entry *e = mr_seen_find(&seen, &hashes[i], (uint32_t)(now_ms / 1000));

    return e ? (enum mr_seen_state)e->state : MR_SEEN_NONE;
}

/* ---- peers ---- */

static void peer_toggle(uint32_t p)
{
    if (!peers[p].present) {
        peers[p] = (struct peer){.present = true};
        mr_fetch_peer_add(fetch, slots[p]);
        return;
    }
    mr_fetch_peer_remove(fetch, slots[p]);
    leave(p);
}

/* what: the type and the size announced. */
static void announce(uint32_t p, uint32_t i, uint8_t what)
{
    static const uint32_t sizes[] = {200, 208, 209, 140000, 60000, MR_FETCH_SIZE_ANY};
    uint32_t size = sizes[(what >> 2) % MR_COUNT_OF(sizes)];
    uint64_t over = mr_fetch_count(fetch)->over_limit;
    struct wanted *w = &wanted[i];
    enum mr_seen_state state = state_of(i);
    bool is_over = over_limit(p);
    uint8_t type = what % 4;

    if (!peers[p].present || (state != MR_SEEN_NONE && state != MR_SEEN_ANNOUNCED))
        return;
    MR_ASSERT((state == MR_SEEN_ANNOUNCED) == w->alive);
    mr_fetch_announced(fetch, slots[p], &hashes[i], type, size, now_ms);
    MR_ASSERT(mr_fetch_count(fetch)->over_limit == over + is_over);
    if (is_over || (!w->alive && alive == ENTRIES))
        return;
    if (w->alive)
        w->shared |= w->source[p] == NO_SOURCE;
    else
        born(w);
    if (w->source[p] == NO_SOURCE)
        source_add(w, p, type, size);
    if (peers[p].dangling)
        give_up_hopeless();
}

/* ---- requests ---- */

static void request_take(uint32_t p)
{
    struct peer *a = &peers[p];
    bool may = a->present && !a->busy && !a->dangling, must = may && has_own_waiting(p);
    struct mr_fetch_request r;
    uint64_t bytes = 0;

    claims = 0;
    if (!mr_fetch_take_request(fetch, slots[p], &r, now_ms)) {
        MR_ASSERT(!must);
        a->ready &= !may;
        return;
    }
    MR_ASSERT(may);
    MR_ASSERT(r.count > 0);
    MR_ASSERT(r.count <= MR_FETCH_HASHES_MAX);
    for (uint32_t k = 0; k < r.count; k++) {
        uint32_t i = hash_index(&r.hashes[k]);
        struct wanted *w = &wanted[i];

        MR_ASSERT(waits(w)); /* not asked of anybody, once in this request */
        MR_ASSERT(w->source[p] != NO_SOURCE);
        bytes += w->sizes[w->source[p]];
        w->asked = p;
        a->which[k] = i;
        a->lives[k] = w->life;
    }
    MR_ASSERT(r.count == 1 || bytes <= MR_FETCH_BYTES_MAX);
    MR_ASSERT(claims == (shards > 1 ? r.count : 0));
    order_check(p, &r);
    a->request = r;
    a->busy = a->timed = true;
    a->begun = a->ready = false;
    a->reached = 0;
    a->deadline_ms = now_ms + options.request_timeout_ns / MR_MS;
}

/* ---- answers ---- */

static void answer_begin(uint32_t p, uint8_t arg)
{
    struct peer *a = &peers[p];
    uint64_t id = arg & 1 ? a->late[(arg >> 1) % LATE] : a->request.id + (arg >> 5);
    uint32_t asked = 0;
    enum mr_err e;

    if (a->begun)
        return;
    e = mr_fetch_answer_begin(fetch, slots[p], id, &asked);
    if (a->present && a->busy && id == a->request.id) {
        MR_ASSERT(e == MR_OK);
        MR_ASSERT(asked == a->request.count);
        a->timed = false;
        a->begun = true;
    } else if (a->present && late_take(a, id)) {
        MR_ASSERT(e == MR_AGAIN);
        a->dangling = false;
    } else {
        MR_ASSERT(e == MR_INVALID);
    }
}

/* One item of the answer that p has begun: the hash i, whatever was asked. */
static void deliver(uint32_t p, uint32_t i, uint8_t type, uint32_t size)
{
    struct peer *a = &peers[p];
    struct wanted *w = &wanted[i];
    uint64_t bits[MR_BITMAP_WORDS(SLOTS)] = {0}, expected_liars = 0, expected_bits = sources_of(w);
    enum mr_fetch_delivery expected = MR_FETCH_UNKNOWN;
    uint32_t at = 0;

    while (at < a->request.count && a->which[at] != i)
        at++;
    if (at < a->request.count) {
        expected = judge(w, p, type, size, &expected_liars);
        a->reached = MR_MAX(a->reached, at + 1);
    }
    if (state_of(i) == MR_SEEN_REFUSED) { /* known: the shard does not ask about it */
        mr_fetch_met(fetch, slots[p], &hashes[i]);
        return;
    }
    liars = 0;
    MR_ASSERT(mr_fetch_delivered(fetch, slots[p], &hashes[i], type, size, bits, now_ms) ==
              expected);
    MR_ASSERT(liars == expected_liars);
    if (expected == MR_FETCH_UNKNOWN || expected == MR_FETCH_SETTLED)
        return;
    expect_sources(bits, expected_bits);
    forget(w);
}

/* Some items from the place `from` on, in the request's order or backwards. how: as announced by
 * it, or not. */
static void deliver_some(uint32_t p, uint8_t from, uint8_t count, uint8_t how)
{
    struct peer *a = &peers[p];

    for (uint32_t k = 0; a->begun && k < count && k < a->request.count; k++) {
        uint32_t at = (how & 1 ? from + a->request.count - k : from + k) % a->request.count;
        const struct wanted *w = &wanted[a->which[at]];
        uint8_t v = w->source[p] == NO_SOURCE ? 0 : w->source[p];

        deliver(p, a->which[at], how & 2 ? how >> 6 : w->types[v],
                how & 4 ? 200u + (how >> 4) : w->sizes[v]);
    }
}

static void answer_end(uint32_t p)
{
    struct peer *a = &peers[p];

    if (!a->begun)
        return;
    mr_fetch_answer_end(fetch, slots[p]);
    for (uint32_t k = 0; k < a->request.count; k++) {
        struct wanted *w = still_asked(p, k);

        if (!w)
            continue;
        w->asked = NOBODY;
        if (a->reached == 0 || k < a->reached) /* it has passed this one over */
            source_drop(w, p);
    }
    a->busy = a->begun = false;
    give_up_hopeless();
}

/* ---- other ways, other shards, time ---- */

static void settle(uint32_t i)
{
    uint64_t bits[MR_BITMAP_WORDS(SLOTS)] = {0};

    MR_ASSERT(mr_fetch_settle(fetch, &hashes[i], bits, now_ms) == wanted[i].alive);
    if (!wanted[i].alive)
        return;
    expect_sources(bits, sources_of(&wanted[i]));
    forget(&wanted[i]);
}

static void hint(uint32_t i, unsigned from, unsigned kind)
{
    struct wanted *w = &wanted[i];

    if (shards == 1)
        return;
    if (kind == MR_MAIL_CLAIM) {
        claim(w, from, state_of(i) != MR_SEEN_NONE);
    } else if (kind == MR_MAIL_RELEASE && w->alive && w->elsewhere && w->owner == from) {
        w->elsewhere = false;
    } else if (kind == MR_MAIL_REFUSED && w->alive) {
        forget(w);
    }
    mr_fetch_hint(fetch, from, kind, &hashes[i], (now_ms + 2000) * MR_MS, now_ms);
    give_up_hopeless();
}

static void advance(uint64_t ms)
{
    now_ms += ms;
    mr_fetch_advance(fetch, now_ms);
    for (uint32_t p = 0; p < PEERS; p++)
        if (peers[p].timed && peers[p].deadline_ms <= now_ms)
            time_out(&peers[p]);
    for (uint32_t i = 0; i < HASHES; i++)
        if (wanted[i].elsewhere && wanted[i].due_ms <= now_ms)
            wanted[i].elsewhere = false;
    give_up_hopeless();
}

/* ---- what holds behind every step ---- */

static void check(void)
{
    uint64_t total = 0;

    for (uint32_t p = 0; p < PEERS; p++)
        total += peers[p].announced;
    MR_ASSERT(mr_fetch_length(fetch) == alive);
    MR_ASSERT(mr_fetch_announced_total(fetch) == total);
    MR_ASSERT(mr_fetch_next_ms(fetch) == next_ms());
    nothing_is_stuck();
}

static void announce_many(uint32_t p, struct program *in, uint32_t from)
{
    uint32_t count = program_take(in), what = program_take(in);

    for (uint32_t k = 0; k < count; k++)
        announce(p, (from + k) % HASHES, (uint8_t)what);
}

static void step(struct program *in)
{
    static const uint8_t kinds[] = {MR_MAIL_CLAIM, MR_MAIL_RELEASE, MR_MAIL_REFUSED};
    uint8_t op = program_take(in), arg = program_take(in);
    uint32_t p = (op >> 4) % PEERS;

    switch (op % 12) {
    case 0:
        peer_toggle(p);
        break;
    case 1:
        announce(p, arg, program_take(in));
        break;
    case 2:
        announce_many(p, in, arg);
        break;
    case 3:
        request_take(p);
        break;
    case 4:
        answer_begin(p, arg);
        break;
    case 5:
        deliver_some(p, arg, program_take(in), program_take(in));
        break;
    case 6:
        answer_end(p);
        break;
    case 7: /* all of it, rightly */
        answer_begin(p, 0);
        deliver_some(p, 0, UINT8_MAX, arg & 1);
        answer_end(p);
        break;
    case 8:
        settle(arg);
        break;
    case 9:
        hint(arg, op & 0x10 ? 0 : 2, kinds[(op >> 5) % MR_COUNT_OF(kinds)]);
        break;
    case 10:
        advance((uint64_t)arg * arg / 8);
        break;
    default:
        if (peers[p].begun)
            deliver(p, arg, MR_TX_DYNAMIC_FEE, 200);
    }
    check();
}

static void begin(uint8_t first)
{
    struct mr_fetch_hooks hooks = {.ready = on_ready, .hint = on_hint, .liar = on_liar};

    mr_relay_options_tiny(&options);
    options.fetch_entries = ENTRIES;
    options.announced_per_peer = ANNOUNCED;
    options.seen_entries = 2048;
    shards = first % 2 ? 3 : 1;
    now_ms = 1000;
    model_begin();
    mr_random_init(&randomness, first);
    MR_ASSERT(mr_seen_init(&seen, options.seen_entries, &randomness));
    fetch = mr_fetch_new(&options, SLOTS, SELF % shards, shards, &seen, &hooks, &randomness);
    MR_ASSERT(fetch);
}

static void finish(void)
{
    MR_ASSERT(seen.full == 0); /* or the model would not know why */
    for (uint32_t i = 0; i < HASHES; i++)
        if (wanted[i].life > 0)
            MR_ASSERT((state_of(i) == MR_SEEN_ANNOUNCED) == wanted[i].alive);
    for (uint32_t p = 0; p < PEERS; p++)
        if (peers[p].present)
            peer_toggle(p);
    check();
    advance(1000); /* what other shards never brought */
    MR_ASSERT(mr_fetch_length(fetch) == 0);
    MR_ASSERT(mr_fetch_announced_total(fetch) == 0);
    MR_ASSERT(mr_fetch_next_ms(fetch) == UINT64_MAX);
    mr_fetch_free(fetch);
    mr_seen_fini(&seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program in = program_of(data, size, 512);

    begin(program_take(&in));
    while (in.n > 0)
        step(&in);
    finish();
    return 0;
}
