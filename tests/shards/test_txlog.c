#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "shards/txlog.h"

#define SLOTS 130

struct world {
    struct mr_random random;
    struct mr_seen seen;
    struct mr_buf_pool pool;
    struct mr_txlog log;
    uint64_t left_bytes;
};

static void count_left(void *ctx, const struct mr_txmeta *meta)
{
    struct world *w = ctx;

    w->left_bytes += meta->fragment_bytes;
}

static int setup(void **state)
{
    static struct world w;

    memset(&w, 0, sizeof w);
    mr_random_init(&w.random, 7);
    assert_true(mr_seen_init(&w.seen, 1024, &w.random));
    assert_int_equal(mr_buf_pool_init(&w.pool, 1 << 20, 1 << 20), MR_OK);
    assert_true(mr_txlog_init(&w.log, 64, SLOTS, 16384, 8192, 10 * MR_SECOND, &w.seen, &w.pool));
    w.log.left = count_left;
    w.log.left_ctx = &w;
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    mr_txlog_fini(&w->log);
    mr_seen_fini(&w->seen);
    assert_int_equal(mr_buf_pool_fini(&w->pool), 0);
    return 0;
}

static struct mr_hash hash_of(uint32_t n)
{
    struct mr_hash h = {{0}};

    mr_store_be32(h.b, n);
    return h;
}

static uint64_t append(struct world *w, uint32_t n, uint32_t bytes, uint8_t flags, uint64_t now_ns)
{
    struct mr_buf *b = mr_buf_get(&w->pool, sizeof(struct mr_txmeta) + bytes);
    struct mr_txmeta m = {.hash = hash_of(n), .flags = flags, .fragment_bytes = bytes};

    assert_non_null(b);
    memcpy(b->data, &m, sizeof m);
    memset(b->data + sizeof m, (int)n, bytes);
    return mr_txlog_append(&w->log, b, NULL, n, now_ns);
}

static void a_body_in_use_stays_when_the_log_drops_it(void **state)
{
    struct world *w = *state;
    struct mr_txlog_use *first, *second;
    struct mr_txlog_entry *e;
    struct mr_buf *body;

    e = mr_txlog_at(&w->log, append(w, 5, 100, 0, MR_SECOND));
    body = e->buf;
    first = mr_txlog_use(&w->log, e);
    second = mr_txlog_use(&w->log, e);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_int_equal(atomic_load(&body->holders), 1); /* of this shard, whatever its users */
    for (uint32_t n = 6; n < 6 + 65; n++)
        append(w, n, 10, 0, MR_SECOND);
    mr_txlog_unuse(&w->log, first);
    assert_int_equal(atomic_load(&body->holders), 1);
    assert_int_equal(mr_tx_body(body).p[99], 5);
    mr_txlog_unuse(&w->log, second);
    assert_int_equal(atomic_load(&body->holders), 0);
}

static void a_body_in_use_can_be_used_again_after_its_users_left(void **state)
{
    struct world *w = *state;
    struct mr_txlog_entry *e = mr_txlog_at(&w->log, append(w, 5, 100, 0, MR_SECOND));

    for (unsigned i = 0; i < 3; i++) {
        struct mr_txlog_use *use = mr_txlog_use(&w->log, e);

        assert_non_null(use);
        mr_txlog_unuse(&w->log, use);
        assert_int_equal(atomic_load(&e->buf->holders), 1);
    }
}

static void an_appended_transaction_is_found_by_its_hash(void **state)
{
    struct world *w = *state;
    struct mr_hash h = hash_of(5);
    struct mr_txlog_entry *e;

    append(w, 5, 100, 0, MR_SECOND);
    e = mr_txlog_find(&w->log, &h, 1);
    assert_non_null(e);
    assert_memory_equal(e->hash.b, h.b, 32);
    h = hash_of(6);
    assert_null(mr_txlog_find(&w->log, &h, 1));
}

static void what_the_ring_overwrites_is_gone_in_seen(void **state)
{
    struct world *w = *state;
    struct mr_hash first = hash_of(0);

    for (uint32_t i = 0; i < 65; i++)
        append(w, i, 16, 0, MR_SECOND);
    assert_int_equal(w->log.tail, 1);
    assert_int_equal(w->log.head, 65);
    assert_null(mr_txlog_find(&w->log, &first, 1));
    assert_int_equal(mr_seen_find(&w->seen, &first, 1)->state, MR_SEEN_GONE);
    assert_int_equal(w->left_bytes, 16);
}

static void bodies_leave_oldest_first_by_bytes_and_kinds_apart(void **state)
{
    struct world *w = *state;
    struct mr_hash h;

    append(w, 1, 4000, MR_TXF_BLOB, MR_SECOND);
    for (uint32_t i = 2; i < 8; i++)
        append(w, i, 3000, 0, i * MR_SECOND);
    assert_true(w->log.bytes <= 16384);
    h = hash_of(1);
    assert_non_null(mr_txlog_find(&w->log, &h, 1)); /* blob bytes are counted apart */
    h = hash_of(2);
    assert_null(mr_txlog_find(&w->log, &h, 1));
    h = hash_of(7);
    assert_non_null(mr_txlog_find(&w->log, &h, 1));
    assert_int_equal(w->log.evicted, w->log.evicted_young);
    append(w, 9, 5000, MR_TXF_BLOB, 60 * MR_SECOND);
    h = hash_of(1);
    assert_null(mr_txlog_find(&w->log, &h, 60));
    assert_int_equal(w->log.evicted, w->log.evicted_young + 1); /* that one was old enough */
}

static void a_new_peers_cursor_starts_at_what_is_young(void **state)
{
    struct world *w = *state;

    for (uint32_t i = 0; i < 50; i++)
        append(w, i, 16, 0, (100 + i) * MR_SECOND);
    assert_int_equal(mr_txlog_since(&w->log, 150 * MR_SECOND, 24 * MR_SECOND), 26);
    assert_int_equal(mr_txlog_since(&w->log, 150 * MR_SECOND, UINT64_MAX), 0);
    assert_int_equal(mr_txlog_since(&w->log, 1000 * MR_SECOND, MR_SECOND), 50);
}

static void a_freed_slots_column_is_cleared_in_slices_before_it_is_free(void **state)
{
    struct world *w = *state;
    unsigned calls = 1;

    for (uint32_t i = 0; i < 60; i++) {
        uint64_t seq = append(w, i, 16, 0, MR_SECOND);

        mr_bitmap_set(mr_txlog_known(&w->log, seq), 3);
        mr_bitmap_set(mr_txlog_known(&w->log, seq), 4);
        mr_bitmap_set(mr_txlog_known(&w->log, seq), 129);
    }
    mr_txlog_sweep_slot(&w->log, 3);
    mr_txlog_sweep_slot(&w->log, 129);
    while (!mr_txlog_sweep(&w->log, 16))
        calls++;
    assert_int_equal(calls, 4);
    for (uint64_t seq = 0; seq < 60; seq++) {
        assert_false(mr_bitmap_test(mr_txlog_known(&w->log, seq), 3));
        assert_false(mr_bitmap_test(mr_txlog_known(&w->log, seq), 129));
        assert_true(mr_bitmap_test(mr_txlog_known(&w->log, seq), 4));
    }
}

static void a_slot_freed_during_a_sweep_waits_for_the_next_pass(void **state)
{
    struct world *w = *state;

    for (uint32_t i = 0; i < 60; i++)
        mr_bitmap_set(mr_txlog_known(&w->log, append(w, i, 16, 0, MR_SECOND)), 9);
    mr_txlog_sweep_slot(&w->log, 3);
    assert_false(mr_txlog_sweep(&w->log, 50));
    mr_txlog_sweep_slot(&w->log, 9);
    assert_false(mr_txlog_sweep(&w->log, 50)); /* ends the pass; slot 9 is not clear yet */
    assert_true(mr_txlog_sweep(&w->log, 1000));
    for (uint64_t seq = 0; seq < 60; seq++)
        assert_false(mr_bitmap_test(mr_txlog_known(&w->log, seq), 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_appended_transaction_is_found_by_its_hash, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_body_in_use_stays_when_the_log_drops_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_in_use_can_be_used_again_after_its_users_left, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_ring_overwrites_is_gone_in_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_leave_oldest_first_by_bytes_and_kinds_apart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_new_peers_cursor_starts_at_what_is_young, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_freed_slots_column_is_cleared_in_slices_before_it_is_free,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_slot_freed_during_a_sweep_waits_for_the_next_pass, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
