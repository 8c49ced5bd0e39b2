/* Blob transactions on their way out: who hears of them, and how much leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

static void start(struct stage *st, uint64_t upload_per_s)
{
    const struct mr_mail ready = {.kind = MR_MAIL_READY};
    struct stage_options o;

    stage_options_default(&o);
    o.relay.blob_upload_per_s = upload_per_s;
    stage_init(st, &o);
    stage_mail(st, mr_mesh_service(st->o.shards), MR_MAIL_SURE, &ready);
    stage_settle(st);
}

/* One blob transaction from a peer of its own. */
static void blob_in(struct stage *st, struct actor *from, struct sample_tx *t, uint32_t who)
{
    struct mr_hash asked;
    uint64_t id;
    size_t n;

    stage_tx_make(st, t, &(struct sample_tx_options){.who = who, .type = MR_TX_BLOB, .blobs = 1});
    actor_forget(from);
    actor_announce(from, t, 1);
    stage_settle(st);
    assert_true(actor_asked(from, 0, &id, &asked, 1, &n));
    actor_answer(from, id, t, 1);
    stage_settle(st);
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
    start(&st, 8 << 20);
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

/* It asks for one transaction of 138 KB again and again: after what was announced to it the budget
 * of all decides. */
static void who_asks_again_and_again_gets_what_the_budget_has(void **state)
{
    static struct stage st;
    struct sample_tx t;
    struct actor *from, *greedy;
    uint64_t bytes;

    (void)state;
    start(&st, 1 << 20);
    from = actor_new(&st);
    greedy = actor_new(&st);
    greedy->no_book = true;
    blob_in(&st, from, &t, 1);
    stage_run(&st, 2000);
    for (unsigned i = 0; i < 500; i++) {
        actor_ask(greedy, i, &t.hash, 1);
        stage_run(&st, 10);
    }
    /* five seconds of it, what the bucket held, and what was announced */
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
    start(&st, 1 << 20);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_peer_hears_of_young_blob_transactions_only),
        cmocka_unit_test(some_are_told_at_once_and_the_others_in_turn),
        cmocka_unit_test(who_asks_again_and_again_gets_what_the_budget_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
