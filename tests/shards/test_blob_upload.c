/* Blob transactions on their way out: who hears of them, and how much leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

#define MIB (UINT64_C(1) << 20)

/* ---- the budget alone ---- */

static void a_rank_leaves_room_for_those_before_it(void **state)
{
    struct mr_blob_promise p = {0}, late = {0};
    struct mr_blob_upload u;
    unsigned n = 0;

    (void)state;
    mr_blob_upload_init(&u, 2 * MIB, 0);
    assert_true(mr_blob_upload_allows(&u, &late, 2 * MIB, 0));
    assert_false(mr_blob_upload_allows(&u, &late, 2 * MIB + 1, 0));
    for (; mr_blob_upload_promise(&u, &p, MR_BLOB_IN_TURN, MIB, 0); n++)
        assert_true(n < 4);
    assert_int_equal(n, 4); /* of twelve */
    assert_false(mr_blob_upload_allows(&u, &late, 1, 0));
    assert_int_equal(mr_blob_upload_ready_at(&u, MR_BLOB_IN_TURN, MIB), MR_SECOND / 2);
    for (n = 0; mr_blob_upload_promise(&u, &p, MR_BLOB_FRESH, MIB, 0); n++)
        assert_true(n < 8);
    assert_int_equal(n, 8);
    assert_true(mr_blob_upload_promise(&u, &p, MR_BLOB_FRESH, MIB, MR_SECOND / 2));
}

/* However low the rate: the largest transaction fits. */
static void every_rank_has_room_for_the_largest(void **state)
{
    const struct mr_blob_promise none = {0};
    struct mr_blob_upload u;

    (void)state;
    mr_blob_upload_init(&u, 1, 0);
    assert_true(mr_blob_upload_allows(&u, &none, MIB, 0));
    assert_int_equal(mr_blob_upload_ready_at(&u, MR_BLOB_IN_TURN, MIB), 0);
}

static void without_a_rate_nothing_leaves(void **state)
{
    struct mr_blob_promise p = {0};
    struct mr_blob_upload u;

    (void)state;
    mr_blob_upload_init(&u, 0, 0);
    assert_false(mr_blob_upload_promise(&u, &p, MR_BLOB_FRESH, 1, 100 * MR_SECOND));
    assert_false(mr_blob_upload_allows(&u, &p, 1, 100 * MR_SECOND));
    assert_true(mr_blob_upload_ready_at(&u, MR_BLOB_FRESH, 1) == UINT64_MAX);
}

static void a_promise_is_kept_once_and_lapses(void **state)
{
    struct mr_blob_promise p = {0}, drain = {0};
    struct mr_blob_upload u;
    uint64_t now = 100 * MR_SECOND;

    (void)state;
    mr_blob_upload_init(&u, 1000, now);
    assert_true(mr_blob_upload_promise(&u, &p, MR_BLOB_FRESH, 5000, now));
    assert_true(mr_blob_upload_promise(&u, &drain, MR_BLOB_FRESH, u.bucket.burst - 5000, now));
    now += MR_BLOB_PROMISE_NS; /* it stands so long at least */
    assert_true(mr_blob_upload_allows(&u, &p, 5000, now));
    assert_false(mr_blob_upload_allows(&u, &p, 5001, now));
    mr_blob_upload_answer(&u, &p, 2000, now);
    assert_true(mr_blob_upload_allows(&u, &p, 3000, now));
    assert_false(mr_blob_upload_allows(&u, &p, 3001, now));
    now += MR_BLOB_PROMISE_NS;
    assert_false(mr_blob_upload_allows(&u, &p, 1, now));
    /* new ones begin from nothing, also after a long time */
    assert_true(mr_blob_upload_promise(&u, &p, MR_BLOB_FRESH, 1000, now));
    assert_false(mr_blob_upload_allows(&u, &p, 1001, now));
    now += 2000 * MR_BLOB_PROMISE_NS; /* the budget is whole again: a unit of it is to spare */
    assert_true(mr_blob_upload_allows(&u, &p, MIB, now));
    assert_false(mr_blob_upload_allows(&u, &p, MIB + 1, now));
}

#define STEPS 3000u

/* Sums of the bytes of each step against rate, time and burst, for every window of up to 20 s. */
static void assert_bounded(const uint64_t *at_ns, const uint64_t *bytes, unsigned n, uint64_t rate,
                           uint64_t burst)
{
    for (unsigned from = 0; from < n; from++) {
        uint64_t sum = 0;

        for (unsigned to = from; to < n && at_ns[to] - at_ns[from] <= 20 * MR_SECOND; to++) {
            uint64_t ms = (at_ns[to] - at_ns[from]) / MR_MS + 1;

            sum += bytes[to];
            assert_true(sum <= burst + rate * ms / 1000);
        }
    }
}

static void random_peers_stay_within_the_bounds(void **state)
{
    static uint64_t at[STEPS], paid[STEPS], left[STEPS];
    struct mr_blob_promise peers[20] = {{0}};
    const uint64_t rate = 2 * MIB;
    struct mr_blob_upload u;
    struct mr_random r;
    uint64_t now = 50 * MR_SECOND;

    (void)state;
    mr_random_init(&r, 7);
    mr_blob_upload_init(&u, rate, now);
    for (unsigned i = 0; i < STEPS; i++) {
        struct mr_blob_promise *p = &peers[mr_random_below(&r, MR_COUNT_OF(peers))];
        uint64_t bytes = 1 + mr_random_below(&r, MIB), had;
        unsigned what = (unsigned)mr_random_below(&r, 8);

        /* long times of promising, then all of it is called in */
        at[i] = now += mr_random_below(&r, 20 * MR_MS);
        paid[i] = left[i] = 0;
        if (i / 300 % 2 == 0 && what < 6) {
            if (mr_blob_upload_promise(&u, p, what < 3 ? MR_BLOB_FRESH : MR_BLOB_IN_TURN, bytes,
                                       now))
                paid[i] = bytes;
        } else if (mr_blob_upload_allows(&u, p, bytes, now)) {
            had = p->bytes + p->before;
            mr_blob_upload_answer(&u, p, bytes, now);
            left[i] = bytes;
            paid[i] = bytes - MR_MIN(bytes, had);
        }
    }
    assert_bounded(at, paid, STEPS, rate, MR_BLOB_UNITS * rate);
    assert_bounded(at, left, STEPS, rate,
                   MR_BLOB_UNITS * rate + rate * 2 * MR_BLOB_PROMISE_NS / MR_SECOND);
}

/* ---- in a shard ---- */

static void start_with(struct stage *st, struct stage_options *o, uint64_t upload_per_s)
{
    o->relay.blob_upload_per_s = upload_per_s;
    stage_init(st, o);
    stage_blobs_ready(st);
}

static void start(struct stage *st, uint64_t upload_per_s)
{
    struct stage_options o;

    stage_options_default(&o);
    start_with(st, &o, upload_per_s);
}

/* One blob transaction from a peer of its own. */
static void blobs_in(struct stage *st, struct actor *from, struct sample_tx *t, uint32_t who,
                     unsigned blobs)
{
    struct mr_hash asked;
    uint64_t id;
    size_t n;

    stage_tx_make(st, t,
                  &(struct sample_tx_options){.who = who, .type = MR_TX_BLOB, .blobs = blobs});
    actor_forget(from);
    actor_announce(from, t, 1);
    stage_settle(st);
    assert_true(actor_asked(from, 0, &id, &asked, 1, &n));
    actor_answer(from, id, t, 1);
    stage_settle(st);
}

static void blob_in(struct stage *st, struct actor *from, struct sample_tx *t, uint32_t who)
{
    blobs_in(st, from, t, who, 1);
}

static uint32_t told(const struct actor *a, const struct mr_hash *hash)
{
    struct deliveries d = actor_got(a, hash);

    return d.bodies + d.announced;
}

static void a_new_peer_hears_of_young_blob_transactions_only(void **state)
{
    static struct stage st;
    struct sample_tx old, young;
    struct actor *from, *fresh, *trusted;

    (void)state;
    start(&st, 8 * MIB);
    from = actor_new(&st);
    blob_in(&st, from, &old, 1);
    stage_run(&st, 30000);
    blob_in(&st, from, &young, 2);
    fresh = actor_join(&st, NULL);
    trusted = actor_join(&st, &(struct actor_options){.trusted = true});
    actor_send_status(fresh, NULL);
    actor_send_status(trusted, NULL);
    stage_run(&st, 1000);
    assert_int_equal(told(fresh, &old.hash), 0);
    assert_int_equal(told(fresh, &young.hash), 1);
    assert_int_equal(told(trusted, &old.hash), 1);
    assert_int_equal(told(trusted, &young.hash), 1);
    stage_close(&st);
}

/* It asks for one transaction of 138 KB again and again: after what was announced to it, it gets
 * what the budget of all can spare. */
static void who_asks_again_and_again_gets_what_the_budget_has(void **state)
{
    static struct stage st;
    struct sample_tx t;
    struct actor *from, *greedy;
    uint64_t bytes;

    (void)state;
    start(&st, MIB);
    from = actor_new(&st);
    greedy = actor_new(&st);
    greedy->no_book = true;
    blob_in(&st, from, &t, 1);
    stage_run(&st, 2000);
    for (unsigned i = 0; i < 500; i++) {
        actor_ask(greedy, i, &t.hash, 1);
        stage_run(&st, 10);
    }
    /* five seconds of it, what the bucket held for such, and what was announced */
    bytes = stage_count(&st)->serve_pooled_items * t.size;
    assert_true(bytes < (5u << 20) + (1u << 20) + 2u * t.size);
    assert_true(bytes > (5u << 20));
    assert_int_equal(stage_count(&st)->serve_pooled, 500);
    assert_true(stage_count(&st)->blob_upload_refused > 400);
    assert_int_equal(greedy->closed_why, -1);
    stage_close(&st);
}

/* The budget is for a few of them at a time: these take turns. About the square root of them, other
 * ones each time, do not wait at all. */
static void some_are_told_at_once_and_the_others_in_turn(void **state)
{
    static struct stage st;
    struct sample_tx t[40];
    struct actor *from, *to[30];
    uint32_t least = UINT32_MAX, most = 0, at_once = 0;

    (void)state;
    start(&st, MIB);
    from = actor_new(&st);
    for (unsigned i = 0; i < 30; i++)
        to[i] = actor_new(&st);
    for (uint32_t i = 0; i < 40; i++) {
        blob_in(&st, from, &t[i], i);
        for (unsigned k = 0; i >= 10 && k < 30; k++)
            at_once += told(to[k], &t[i].hash);
        stage_run(&st, 2000);
    }
    assert_true(at_once > 30 * 3);
    assert_true(at_once < 30 * 15);
    for (unsigned i = 0; i < 30; i++) {
        uint32_t n = 0;

        for (uint32_t k = 0; k < 40; k++)
            n += told(to[i], &t[k].hash);
        least = MR_MIN(least, n);
        most = MR_MAX(most, n);
    }
    assert_true(stage_count(&st)->blob_upload_wait > 0);
    assert_true(most < 40);
    assert_true(least * 2 > most);
    stage_close(&st);
}

/* ---- all that leaves ---- */

/* What the peers that are not trusted were answered, in bytes of blob transactions. */
struct upload {
    uint64_t bytes, trusted_bytes;
};

static void count_upload(struct stage *st, struct actor *a, bool is_eth, uint8_t id,
                         struct mr_span payload)
{
    struct upload *u = st->ctx;

    if (!is_eth || id != MR_ETH_POOLED_TRANSACTIONS)
        return;
    if (a->o.trusted)
        u->trusted_bytes += payload.n;
    else
        u->bytes += payload.n;
}

#define CROWD 80

struct crowd {
    struct stage st;
    struct upload up;
    struct actor *from[8], *to[CROWD], *trusted;
    struct sample_tx t[200];
    bool asked[CROWD][200];
    uint32_t count;
};

static void crowd_start(struct crowd *c, uint64_t upload_per_s)
{
    memset(c, 0, sizeof *c);
    start(&c->st, upload_per_s);
    c->st.on_heard = count_upload;
    c->st.ctx = &c->up;
    for (unsigned i = 0; i < MR_COUNT_OF(c->from); i++)
        c->from[i] = actor_new(&c->st);
    for (unsigned i = 0; i < CROWD; i++)
        c->to[i] = actor_new(&c->st);
    c->trusted = actor_up(&c->st, &(struct actor_options){.trusted = true});
}

static void crowd_blob(struct crowd *c)
{
    blob_in(&c->st, c->from[c->count % MR_COUNT_OF(c->from)], &c->t[c->count], c->count);
    c->count++;
}

/* Each asks once for what it was told since it last forgot. */
static void crowd_asks(struct crowd *c)
{
    for (unsigned k = 0; k < CROWD; k++)
        for (uint32_t i = 0; i < c->count; i++)
            if (!c->asked[k][i] && told(c->to[k], &c->t[i].hash)) {
                c->asked[k][i] = true;
                actor_ask(c->to[k], i, &c->t[i].hash, 1);
            }
}

/* Ten blob transactions a second, six times what the budget lets all be told, and everybody asks
 * at once for what it hears. Trusted peers are exempt: they hear all, have all, and nobody pays. */
static void uploads_stay_within_rate_and_burst(void **state)
{
    static struct crowd c;
    uint64_t at[100], bytes[100], before;

    (void)state;
    crowd_start(&c, MIB);
    for (unsigned i = 0; i < 100; i++) {
        before = c.up.bytes;
        at[i] = c.st.now.mono_ns;
        crowd_blob(&c);
        crowd_asks(&c);
        assert_int_equal(told(c.trusted, &c.t[i].hash), 1);
        actor_ask(c.trusted, i, &c.t[i].hash, 1);
        stage_run(&c.st, 100);
        bytes[i] = c.up.bytes - before;
        actor_forget(c.trusted);
        for (unsigned k = 0; k < CROWD; k++)
            actor_forget(c.to[k]);
    }
    /* promises are called in within a step: their time does not add to the burst */
    assert_bounded(at, bytes, 100, MIB, MR_BLOB_UNITS * MIB + MIB / 10);
    assert_true(c.up.bytes > 14 * MIB); /* and it is used */
    assert_true(c.up.trusted_bytes >= 100 * (uint64_t)c.t[0].size);
    assert_int_equal(stage_count(&c.st)->blob_upload_refused, 0);
    stage_close(&c.st);
}

/* What was promised and not called in lapses. */
static void promises_do_not_pile_up(void **state)
{
    static struct crowd c;
    uint64_t begun;

    (void)state;
    crowd_start(&c, MIB);
    for (unsigned i = 0; i < 60; i++) {
        crowd_blob(&c);
        stage_run(&c.st, 500);
    }
    assert_true(stage_count(&c.st)->announced_out > 200); /* 27 MB and more */
    begun = c.st.now.mono_ns;
    crowd_asks(&c);
    stage_settle(&c.st);
    assert_true(c.st.now.mono_ns == begun);
    assert_true(c.up.bytes <= (MR_BLOB_UNITS + 8) * MIB);
    assert_true(c.up.bytes > 4 * MIB);
    assert_true(stage_count(&c.st)->blob_upload_refused > 0);
    stage_close(&c.st);
}

/* Two slots of mainnet at its limit of 21 blobs each, a thousand peers, the default rate: each
 * transaction is told to about sqrt(n) at once, and whoever asks is answered. */
static void a_full_slot_reaches_a_thousand_peers_unrefused(void **state)
{
    static const unsigned blobs[] = {6, 1, 3, 1, 6, 1, 2, 1};
    static struct actor *to[1000];
    static bool asked[1000];
    static struct stage st;
    struct mr_relay_options usual;
    struct stage_options o;
    struct actor *from;
    struct upload up = {0};

    (void)state;
    mr_relay_options_default(&usual);
    stage_options_default(&o);
    o.relay.maxpeers = 1100;
    o.actors_max = 1001;
    o.unverified_sends = true;
    start_with(&st, &o, usual.blob_upload_per_s);
    st.on_heard = count_upload;
    st.ctx = &up;
    from = actor_new(&st);
    for (unsigned i = 0; i < 1000; i++)
        to[i] = actor_join(&st, NULL);
    stage_settle(&st);
    for (unsigned i = 0; i < 1000; i++)
        actor_send_status(to[i], NULL);
    stage_settle(&st);
    for (unsigned i = 0; i < 2 * MR_COUNT_OF(blobs); i++) {
        struct sample_tx t;
        unsigned at_once = 0;

        blobs_in(&st, from, &t, i, blobs[i % MR_COUNT_OF(blobs)]);
        for (unsigned k = 0; k < 1000; k++)
            at_once += told(to[k], &t.hash);
        assert_true(at_once >= 20);
        for (unsigned step = 0; step < 3; step++) {
            for (unsigned k = 0; k < 1000; k++)
                if (!asked[k] && told(to[k], &t.hash)) {
                    asked[k] = true;
                    actor_ask(to[k], i, &t.hash, 1);
                }
            stage_run(&st, 500);
        }
        for (unsigned k = 0; k < 1000; k++)
            actor_forget(to[k]);
        memset(asked, 0, sizeof asked);
    }
    assert_int_equal(stage_count(&st)->blob_upload_refused, 0);
    assert_true(up.bytes <= usual.blob_upload_per_s * (24 + MR_BLOB_UNITS));
    stage_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rank_leaves_room_for_those_before_it),
        cmocka_unit_test(every_rank_has_room_for_the_largest),
        cmocka_unit_test(without_a_rate_nothing_leaves),
        cmocka_unit_test(a_promise_is_kept_once_and_lapses),
        cmocka_unit_test(random_peers_stay_within_the_bounds),
        cmocka_unit_test(uploads_stay_within_rate_and_burst),
        cmocka_unit_test(promises_do_not_pile_up),
        cmocka_unit_test(a_full_slot_reaches_a_thousand_peers_unrefused),
        cmocka_unit_test(a_new_peer_hears_of_young_blob_transactions_only),
        cmocka_unit_test(some_are_told_at_once_and_the_others_in_turn),
        cmocka_unit_test(who_asks_again_and_again_gets_what_the_budget_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
