#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/bitmap.h"
#include "shards/fetch.h"
#include "shards/mailbox.h"

#define SLOTS 70

struct world {
    struct mr_relay_options o;
    struct mr_random random;
    struct mr_seen seen;
    struct mr_fetch *f;
    bool ready[SLOTS], liar[SLOTS];
    unsigned hints[16];
    struct mr_hash hint_hash;
};

static void on_ready(void *ctx, uint32_t slot)
{
    ((struct world *)ctx)->ready[slot] = true;
}
static void on_liar(void *ctx, uint32_t slot)
{
    ((struct world *)ctx)->liar[slot] = true;
}
static void on_hint(void *ctx, unsigned kind, const struct mr_hash *hash, uint64_t a)
{
    struct world *w = ctx;

    (void)a;
    w->hints[kind]++;
    w->hint_hash = *hash;
}

static int start(void **state, unsigned shards)
{
    static struct world w;
    struct mr_fetch_hooks hooks = {.ctx = &w, .ready = on_ready, .hint = on_hint, .liar = on_liar};

    memset(&w, 0, sizeof w);
    mr_relay_options_tiny(&w.o);
    w.o.fetch_entries = 4096;
    w.o.seen_entries = 65536;
    mr_random_init(&w.random, 3);
    assert_true(mr_seen_init(&w.seen, w.o.seen_entries, &w.random));
    w.f = mr_fetch_new(&w.o, SLOTS, 1 % shards, shards, &w.seen, &hooks, &w.random);
    assert_non_null(w.f);
    for (uint32_t i = 0; i < 8; i++)
        mr_fetch_peer_add(w.f, i);
    *state = &w;
    return 0;
}
static int alone(void **state)
{
    return start(state, 1);
}
static int of_three(void **state)
{
    return start(state, 3);
}
static int stop(void **state)
{
    struct world *w = *state;

    for (uint32_t i = 0; i < 8; i++)
        mr_fetch_peer_remove(w->f, i);
    assert_int_equal(mr_fetch_length(w->f), 0);
    assert_int_equal(mr_fetch_announced_total(w->f), 0);
    mr_fetch_free(w->f);
    mr_seen_fini(&w->seen);
    return 0;
}

static struct mr_hash hash_of(uint32_t n)
{
    struct mr_hash h = {{0}};

    mr_store_be32(h.b, n + 1);
    mr_store_be32(h.b + 28, n);
    return h;
}

static void announce(struct world *w, uint32_t slot, uint32_t n)
{
    struct mr_hash h = hash_of(n);

    mr_fetch_announced(w->f, slot, &h, 2, 200, 1000);
}

static void an_unknown_hash_is_asked_of_its_announcer_at_once(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r;
    uint64_t sources[2] = {0};
    struct mr_hash h = hash_of(1);
    uint32_t asked;

    announce(w, 3, 1);
    assert_true(w->ready[3]);
    assert_true(mr_fetch_take_request(w->f, 3, &r, 1000));
    assert_int_equal(r.count, 1);
    assert_memory_equal(r.hashes[0].b, h.b, 32);
    assert_false(mr_fetch_take_request(w->f, 3, &r, 1000)); /* one request a peer */
    announce(w, 5, 1);
    assert_int_equal(mr_fetch_answer_begin(w->f, 3, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, 3, &h, 2, 200, sources, 1000), MR_FETCH_DELIVERED);
    mr_fetch_answer_end(w->f, 3);
    assert_int_equal(sources[0], 1u << 3 | 1u << 5);
    assert_int_equal(mr_fetch_length(w->f), 0);
    assert_null(mr_seen_find(&w->seen, &h, 1));
}

static void requests_keep_the_announcers_order_and_bounds(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r;
    uint32_t next = 0, asked;

    for (uint32_t i = 0; i < 600; i++)
        announce(w, 2, i);
    while (next < 600) {
        assert_true(mr_fetch_take_request(w->f, 2, &r, 1000));
        assert_true(r.count <= MR_FETCH_HASHES_MAX);
        assert_int_equal(mr_fetch_answer_begin(w->f, 2, r.id, &asked), MR_OK);
        assert_int_equal(asked, r.count);
        for (uint32_t i = 0; i < r.count; i++, next++) {
            struct mr_hash h = hash_of(next);

            assert_memory_equal(r.hashes[i].b, h.b, 32);
            assert_int_equal(mr_fetch_delivered(w->f, 2, &h, 2, 200, NULL, 1000),
                             MR_FETCH_DELIVERED);
        }
        mr_fetch_answer_end(w->f, 2);
    }
    assert_false(mr_fetch_take_request(w->f, 2, &r, 1000));
}

/* Five are asked for: the answer lacks the first, has the second, and ends behind the third. */
static void what_an_answer_has_no_room_for_is_asked_again(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r;
    struct mr_hash h;
    uint32_t asked;

    for (uint32_t i = 0; i < 5; i++)
        announce(w, 2, i);
    assert_true(mr_fetch_take_request(w->f, 2, &r, 1000));
    announce(w, 2, 9);
    assert_int_equal(mr_fetch_answer_begin(w->f, 2, r.id, &asked), MR_OK);
    h = hash_of(1);
    assert_int_equal(mr_fetch_delivered(w->f, 2, &h, 2, 200, NULL, 1000), MR_FETCH_DELIVERED);
    h = hash_of(2);
    assert_true(mr_fetch_settle(w->f, &h, NULL, 1000));
    mr_fetch_met(w->f, 2, &h);
    mr_fetch_answer_end(w->f, 2);
    assert_true(mr_fetch_take_request(w->f, 2, &r, 1000));
    assert_int_equal(r.count, 3); /* the first is given up, the rest stands in its old place */
    for (uint32_t i = 0; i < 3; i++) {
        h = hash_of(i < 2 ? 3 + i : 9);
        assert_memory_equal(r.hashes[i].b, h.b, 32);
    }
    assert_int_equal(mr_fetch_answer_begin(w->f, 2, r.id, &asked), MR_OK);
    mr_fetch_answer_end(w->f, 2); /* nothing at all: it has none of them */
    assert_int_equal(mr_fetch_length(w->f), 0);
}

static void a_silent_source_is_left_for_the_next_and_not_asked_again(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r, again;
    uint32_t asked;

    announce(w, 1, 1);
    assert_true(mr_fetch_take_request(w->f, 1, &r, 1000));
    announce(w, 4, 1);
    assert_false(w->ready[4]);
    mr_fetch_advance(w->f, 5999);
    assert_false(w->ready[4]);
    mr_fetch_advance(w->f, 6000);
    assert_true(w->ready[4]);
    assert_true(mr_fetch_take_request(w->f, 4, &again, 6000));
    assert_int_equal(mr_fetch_count(w->f)->timeouts, 1);
    announce(w, 1, 2); /* dangling: its own hashes are not asked of it */
    assert_false(mr_fetch_take_request(w->f, 1, &again, 6000));
    assert_int_equal(mr_fetch_answer_begin(w->f, 1, r.id, &asked), MR_AGAIN);   /* late: ignored */
    assert_int_equal(mr_fetch_answer_begin(w->f, 1, r.id, &asked), MR_INVALID); /* only once */
    announce(w, 1, 3);
    assert_true(mr_fetch_take_request(w->f, 1, &again, 6000)); /* it answers again */
}

static void answers_nobody_asked_for_are_breaches(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r;
    struct mr_hash other = hash_of(77);
    uint32_t asked;

    assert_int_equal(mr_fetch_answer_begin(w->f, 0, 5, &asked), MR_INVALID);
    announce(w, 0, 1);
    assert_true(mr_fetch_take_request(w->f, 0, &r, 1000));
    assert_int_equal(mr_fetch_answer_begin(w->f, 0, r.id + 1, &asked), MR_INVALID);
    assert_int_equal(mr_fetch_answer_begin(w->f, 1, r.id, &asked), MR_INVALID);
    assert_int_equal(mr_fetch_answer_begin(w->f, 0, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, 0, &other, 2, 200, NULL, 1000), MR_FETCH_UNKNOWN);
}

/* Its items may have to wait for room in the verify queue. */
static void an_answer_that_has_begun_is_in_time(void **state)
{
    struct world *w = *state;
    struct mr_hash h = hash_of(1);
    struct mr_fetch_request r;
    uint32_t asked;

    announce(w, 3, 1);
    announce(w, 3, 2);
    assert_true(mr_fetch_take_request(w->f, 3, &r, 1000));
    assert_int_equal(r.count, 2);
    assert_int_equal(mr_fetch_answer_begin(w->f, 3, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, 3, &h, 2, 200, NULL, 1000), MR_FETCH_DELIVERED);
    assert_true(mr_fetch_next_ms(w->f) == UINT64_MAX);
    mr_fetch_advance(w->f, 60000);
    assert_int_equal(mr_fetch_count(w->f)->timeouts, 0);
    h = hash_of(2);
    assert_int_equal(mr_fetch_delivered(w->f, 3, &h, 2, 200, NULL, 60000), MR_FETCH_DELIVERED);
    mr_fetch_answer_end(w->f, 3);
    announce(w, 3, 4);
    assert_true(mr_fetch_take_request(w->f, 3, &r, 60000));
}

static void a_source_without_a_size_is_no_liar(void **state)
{
    struct world *w = *state;
    struct mr_hash h = hash_of(9);
    struct mr_fetch_request r;
    uint32_t asked;

    mr_fetch_announced(w->f, 0, &h, 3, MR_FETCH_SIZE_ANY, 1000);
    mr_fetch_announced(w->f, 1, &h, 3, 131300, 1000);
    assert_true(mr_fetch_take_request(w->f, 0, &r, 1000));
    assert_int_equal(mr_fetch_answer_begin(w->f, 0, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, 0, &h, 3, 131300, NULL, 1000), MR_FETCH_DELIVERED);
    assert_false(w->liar[1]);
    mr_fetch_answer_end(w->f, 0);
}

static void wrong_types_and_sizes_find_their_liars(void **state)
{
    struct world *w = *state;
    struct mr_hash h = hash_of(9);
    struct mr_fetch_request r;
    uint32_t asked;

    mr_fetch_announced(w->f, 0, &h, 2, 200, 1000);
    mr_fetch_announced(w->f, 1, &h, 2, 209, 1000); /* 9 off: a lie */
    mr_fetch_announced(w->f, 2, &h, 1, 200, 1000); /* another type: a lie */
    mr_fetch_announced(w->f, 3, &h, 2, 208, 1000); /* a fourth variant: not compared */
    assert_int_equal(mr_fetch_count(w->f)->fourth_variant, 1);
    assert_true(mr_fetch_take_request(w->f, 0, &r, 1000));
    assert_int_equal(mr_fetch_answer_begin(w->f, 0, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, 0, &h, 2, 200, NULL, 1000), MR_FETCH_DELIVERED);
    assert_true(w->liar[1]);
    assert_true(w->liar[2]);
    assert_false(w->liar[0]);
    mr_fetch_answer_end(w->f, 0);

    h = hash_of(10);
    mr_fetch_announced(w->f, 0, &h, 2, 100, 1000);
    assert_true(mr_fetch_take_request(w->f, 0, &r, 1000));
    assert_int_equal(mr_fetch_answer_begin(w->f, 0, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, 0, &h, 2, 109, NULL, 1000), MR_FETCH_WRONG_VARIANT);
}

static void three_liars_do_not_keep_the_fourth_source_out(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r;
    struct mr_hash h = hash_of(12);
    uint64_t sources[2] = {0};
    uint32_t asked, last;

    for (uint32_t i = 0; i < 5; i++)
        mr_fetch_announced(w->f, i, &h, 2, 100 * (i + 1), 1000);
    for (uint32_t i = 0; i < 3; i++)
        mr_fetch_peer_remove(w->f, i);
    last = mr_fetch_take_request(w->f, 3, &r, 1000) ? 3 : 4;
    assert_true(last == 3 || mr_fetch_take_request(w->f, 4, &r, 1000));
    assert_int_equal(mr_fetch_answer_begin(w->f, last, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, last, &h, 2, 555, sources, 1000), MR_FETCH_DELIVERED);
    assert_true(mr_bitmap_test(sources, 3) && mr_bitmap_test(sources, 4));
    assert_false(w->liar[3] || w->liar[4]);
    for (uint32_t i = 0; i < 3; i++)
        mr_fetch_peer_add(w->f, i);
}

/* Its hash does not cover the sidecar, so one delivery proves nothing about what others said. */
static void the_size_of_a_blob_transaction_makes_no_liars(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r;
    struct mr_hash h = hash_of(13);
    uint32_t asked;

    mr_fetch_announced(w->f, 0, &h, 3, 400, 1000);
    mr_fetch_announced(w->f, 1, &h, 3, 137000, 1000);
    mr_fetch_announced(w->f, 2, &h, 2, 400, 1000); /* but its type is in the hash */
    assert_true(mr_fetch_take_request(w->f, 0, &r, 1000));
    assert_int_equal(mr_fetch_answer_begin(w->f, 0, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, 0, &h, 3, 400, NULL, 1000), MR_FETCH_DELIVERED);
    assert_false(w->liar[1]);
    assert_true(w->liar[2]);
}

static void who_has_delivered_before_is_asked_before_strangers(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r;
    struct mr_hash h = hash_of(30);
    uint32_t asked;

    announce(w, 5, 30);
    assert_true(mr_fetch_take_request(w->f, 5, &r, 1000));
    assert_int_equal(mr_fetch_answer_begin(w->f, 5, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, 5, &h, 2, 200, NULL, 1000), MR_FETCH_DELIVERED);
    mr_fetch_answer_end(w->f, 5);
    for (uint32_t n = 31; n < 51; n++) {
        for (uint32_t slot = 0; slot < 7; slot++)
            announce(w, slot, n);
        assert_true(mr_fetch_take_request(w->f, 0, &r, 1000)); /* it was the first */
        mr_fetch_peer_remove(w->f, 0);
        mr_fetch_peer_add(w->f, 0);
        assert_true(mr_fetch_take_request(w->f, 5, &r, 1000));
        assert_int_equal(mr_fetch_answer_begin(w->f, 5, r.id, &asked), MR_OK);
        h = hash_of(n);
        assert_int_equal(mr_fetch_delivered(w->f, 5, &h, 2, 200, NULL, 1000), MR_FETCH_DELIVERED);
        mr_fetch_answer_end(w->f, 5);
    }
}

static void a_crowd_of_liars_leaves_room_for_the_honest(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r;

    for (uint32_t slot = 0; slot < 7; slot++)
        for (uint32_t i = 0; i < 4096; i++)
            announce(w, slot, 100000 * (slot + 1) + i);
    assert_true(mr_fetch_count(w->f)->over_limit > 0);
    announce(w, 7, 5);
    assert_true(mr_fetch_take_request(w->f, 7, &r, 1000));
    assert_int_equal(r.count, 1);
}

static void what_arrives_another_way_is_not_a_breach_of_its_source(void **state)
{
    struct world *w = *state;
    struct mr_hash h = hash_of(1);
    uint64_t sources[2] = {0};
    struct mr_fetch_request r;
    uint32_t asked;

    announce(w, 6, 1);
    assert_true(mr_fetch_take_request(w->f, 6, &r, 1000));
    assert_true(mr_fetch_settle(w->f, &h, sources, 1000));
    assert_int_equal(sources[0], 1u << 6);
    assert_int_equal(mr_fetch_answer_begin(w->f, 6, r.id, &asked), MR_OK);
    assert_int_equal(mr_fetch_delivered(w->f, 6, &h, 2, 200, sources, 1000), MR_FETCH_SETTLED);
    mr_fetch_answer_end(w->f, 6);
}

static void a_claim_makes_us_wait_but_never_for_ever(void **state)
{
    struct world *w = *state;
    struct mr_hash h = hash_of(1);
    struct mr_fetch_request r;

    announce(w, 0, 1);
    mr_fetch_hint(w->f, 0, MR_MAIL_CLAIM, &h, 0, 1000);
    assert_false(mr_fetch_take_request(w->f, 0, &r, 1000));
    mr_fetch_advance(w->f, 1424);
    assert_false(mr_fetch_take_request(w->f, 0, &r, 1424));
    mr_fetch_advance(w->f, 1425); /* 400 ms + 25 ms x distance 1 */
    assert_true(mr_fetch_take_request(w->f, 0, &r, 1425));
    assert_int_equal(w->hints[MR_MAIL_CLAIM], 1);
}

static void a_release_hands_the_hash_to_our_sources(void **state)
{
    struct world *w = *state;
    struct mr_hash h = hash_of(1);
    struct mr_fetch_request r;

    mr_fetch_hint(w->f, 2, MR_MAIL_CLAIM, &h, 0, 1000); /* heard of before any of our peers */
    announce(w, 0, 1);
    assert_false(mr_fetch_take_request(w->f, 0, &r, 1000));
    mr_fetch_hint(w->f, 0, MR_MAIL_RELEASE, &h, 0, 1000); /* not its owner */
    assert_false(mr_fetch_take_request(w->f, 0, &r, 1000));
    mr_fetch_hint(w->f, 2, MR_MAIL_RELEASE, &h, 0, 1000);
    assert_true(mr_fetch_take_request(w->f, 0, &r, 1000));
}

static void running_out_of_sources_releases_and_refusals_stick(void **state)
{
    struct world *w = *state;
    struct mr_hash h = hash_of(1);
    struct mr_fetch_request r;

    announce(w, 0, 1);
    assert_true(mr_fetch_take_request(w->f, 0, &r, 1000));
    mr_fetch_advance(w->f, 6000);
    assert_int_equal(w->hints[MR_MAIL_RELEASE], 1);
    assert_null(mr_seen_find(&w->seen, &h, 6));
    mr_fetch_hint(w->f, 2, MR_MAIL_REFUSED, &h, UINT64_C(300000000000), 6000);
    assert_int_equal(mr_seen_find(&w->seen, &h, 6)->state, MR_SEEN_REFUSED);
    assert_null(mr_seen_find(&w->seen, &h, 300));
}

/* Random life of eight peers and a few hundred hashes: nothing is lost track of. */
static void random_histories_end_with_nothing_left(void **state)
{
    struct world *w = *state;
    struct mr_fetch_request r[8];
    bool open[8] = {0};
    uint64_t now = 1000;

    for (unsigned step = 0; step < 200000; step++) {
        uint32_t slot = (uint32_t)mr_random_below(&w->random, 8), asked;
        struct mr_hash h = hash_of((uint32_t)mr_random_below(&w->random, 300));

        switch (mr_random_below(&w->random, 8)) {
        case 0:
        case 1:
        case 2:
            if (!mr_seen_find(&w->seen, &h, (uint32_t)(now / 1000)) ||
                mr_seen_find(&w->seen, &h, (uint32_t)(now / 1000))->state == MR_SEEN_ANNOUNCED)
                mr_fetch_announced(w->f, slot, &h, (uint8_t)mr_random_below(&w->random, 2), 200,
                                   now);
            break;
        case 3:
            if (!open[slot])
                open[slot] = mr_fetch_take_request(w->f, slot, &r[slot], now);
            break;
        case 4:
            if (!open[slot])
                break;
            open[slot] = false;
            if (mr_fetch_answer_begin(w->f, slot, r[slot].id, &asked) != MR_OK)
                break;
            for (uint32_t i = 0; i < asked; i++)
                if (mr_random_below(&w->random, 4))
                    mr_fetch_delivered(w->f, slot, &r[slot].hashes[i], 1, 200, NULL, now);
            mr_fetch_answer_end(w->f, slot);
            break;
        case 5:
            mr_fetch_settle(w->f, &h, NULL, now);
            break;
        case 6:
            if (mr_random_below(&w->random, 50) == 0) {
                mr_fetch_peer_remove(w->f, slot);
                mr_fetch_peer_add(w->f, slot);
                open[slot] = false;
            }
            mr_fetch_hint(w->f, (unsigned)mr_random_below(&w->random, 2) * 2,
                          (unsigned)mr_random_below(&w->random, 2) ? MR_MAIL_CLAIM
                                                                   : MR_MAIL_RELEASE,
                          &h, 0, now);
            break;
        case 7:
            now += mr_random_below(&w->random, 200);
            mr_fetch_advance(w->f, now);
            break;
        }
    }
    mr_fetch_advance(w->f, now + 1000000);
    mr_fetch_advance(w->f, now + 2000000);
}

#define ALONE(f) cmocka_unit_test_setup_teardown(f, alone, stop)
#define THREE(f) cmocka_unit_test_setup_teardown(f, of_three, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALONE(an_unknown_hash_is_asked_of_its_announcer_at_once),
        ALONE(requests_keep_the_announcers_order_and_bounds),
        ALONE(what_an_answer_has_no_room_for_is_asked_again),
        ALONE(a_silent_source_is_left_for_the_next_and_not_asked_again),
        ALONE(answers_nobody_asked_for_are_breaches),
        ALONE(an_answer_that_has_begun_is_in_time),
        ALONE(a_source_without_a_size_is_no_liar),
        ALONE(wrong_types_and_sizes_find_their_liars),
        ALONE(three_liars_do_not_keep_the_fourth_source_out),
        ALONE(the_size_of_a_blob_transaction_makes_no_liars),
        ALONE(who_has_delivered_before_is_asked_before_strangers),
        ALONE(a_crowd_of_liars_leaves_room_for_the_honest),
        ALONE(what_arrives_another_way_is_not_a_breach_of_its_source),
        THREE(a_claim_makes_us_wait_but_never_for_ever),
        THREE(a_release_hands_the_hash_to_our_sources),
        THREE(running_out_of_sources_releases_and_refusals_stick),
        THREE(random_histories_end_with_nothing_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
