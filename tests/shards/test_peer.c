/* Sessions coming and going: Status, silence, readers that do not read, the end, slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

static size_t slots_free(const struct stage *st)
{
    return mr_bitmap_count(st->shards[0]->free, st->shards[0]->slots);
}

static int setup(void **state)
{
    static struct stage st;

    stage_init(&st, NULL);
    *state = &st;
    return 0;
}

static int teardown(void **state)
{
    stage_close(*state);
    return 0;
}

static void assert_ended(const struct actor *a, unsigned reason, enum mr_closed_reason why)
{
    assert_true(a->closed);
    assert_true(a->disconnected);
    assert_int_equal(a->reason, reason);
    assert_int_equal(a->closed_why, why);
}

/* ---- Status (E-01) ---- */

static void a_status_that_agrees_makes_a_peer_active(void **state)
{
    struct stage *st = *state;

    for (unsigned v = MR_ETH_68; v <= MR_ETH_72; v++) {
        struct actor *a = actor_join(st, &(struct actor_options){.version = v});
        struct mr_eth_status ours, want;
        uint8_t a_bytes[MR_ETH_STATUS_MAX], b_bytes[MR_ETH_STATUS_MAX];
        struct mr_writer a_w = mr_writer(a_bytes, sizeof a_bytes);
        struct mr_writer b_w = mr_writer(b_bytes, sizeof b_bytes);

        stage_settle(st);
        assert_false(a->active);
        assert_int_equal(actor_heard_count(a, true, MR_ETH_STATUS), 1); /* at once, unasked */
        assert_int_equal(mr_eth_status_decode(
                             &ours, v, actor_payload(a, actor_heard(a, true, MR_ETH_STATUS, 0))),
                         MR_OK);
        actor_status_default(a, &want);
        if (v > MR_ETH_68)
            memset(&want.total_difficulty, 0, sizeof want.total_difficulty);
        /* as they are written: structs have padding */
        assert_int_equal(mr_eth_status_encode(&a_w, &ours), MR_OK);
        assert_int_equal(mr_eth_status_encode(&b_w, &want), MR_OK);
        assert_int_equal(a_w.n, b_w.n);
        assert_memory_equal(a_w.p, b_w.p, a_w.n);
        actor_send_status(a, NULL);
        stage_settle(st);
        assert_true(a->active);
        assert_int_equal(actor_heard_count(a, true, MR_ETH_STATUS), 1);
        assert_int_equal(stage_count(st)->status_ok, v - MR_ETH_68 + 1);
        assert_int_equal(stage_count(st)->peers, v - MR_ETH_68 + 1);
        assert_int_equal(stage_count(st)->peers_waiting, 0);
    }
    assert_string_equal(stage_moved(st), "");
}

enum wrong {
    NETWORK,
    GENESIS,
    GENESIS_OF_SEPOLIA,
    FORK_HASH,
    FORK_NEXT_PASSED,
    VERSION_LOWER,
    VERSION_HIGHER,
    EARLIEST_ABOVE_LATEST,
    NO_LATEST_HASH,
    WRONGS
};

static const struct {
    const char *counter;
    bool from_69;
} wrongs[WRONGS] = {
    [NETWORK] = {"status_bad_network", false},
    [GENESIS] = {"status_bad_genesis", false},
    [GENESIS_OF_SEPOLIA] = {"status_bad_genesis", false},
    [FORK_HASH] = {"status_bad_fork", false},
    [FORK_NEXT_PASSED] = {"status_bad_fork", false},
    [VERSION_LOWER] = {"status_bad_shape", false},
    [VERSION_HIGHER] = {"status_bad_shape", false},
    [EARLIEST_ABOVE_LATEST] = {"status_bad_shape", true},
    [NO_LATEST_HASH] = {"status_bad_shape", true},
};

static void status_spoil(struct mr_eth_status *s, enum wrong w)
{
    switch (w) {
    case NETWORK:
        s->network_id++;
        return;
    case GENESIS:
        s->genesis.b[31] ^= 1;
        return;
    case GENESIS_OF_SEPOLIA:
        s->genesis = mr_network_find("sepolia")->genesis_hash;
        return;
    case FORK_HASH:
        s->fork_id.hash ^= 1;
        return;
    case FORK_NEXT_PASSED: /* our hash, but a fork that has come and that we do not know */
        s->fork_id.next = 1789999999;
        return;
    case VERSION_LOWER:
        s->version--;
        return;
    case VERSION_HIGHER:
        s->version++;
        return;
    case EARLIEST_ABOVE_LATEST:
        s->earliest = s->latest + 1;
        return;
    case NO_LATEST_HASH:
        memset(&s->latest_hash, 0, sizeof s->latest_hash);
        return;
    case WRONGS:
        break;
    }
}

static void a_wrong_status_ends_with_0x10_and_one_counter(void **state)
{
    struct stage *st = *state;
    size_t free_slots = slots_free(st);

    for (unsigned v = MR_ETH_68; v <= MR_ETH_71; v++)
        for (unsigned w = 0; w < WRONGS; w++) {
            struct actor *a;
            struct mr_eth_status s;

            if ((wrongs[w].from_69 && v == MR_ETH_68) || (w == VERSION_LOWER && v == MR_ETH_68))
                continue;
            a = actor_join(st, &(struct actor_options){.version = v});
            actor_status_default(a, &s);
            status_spoil(&s, w);
            stage_mark(st);
            actor_send_status(a, &s);
            stage_settle(st);
            assert_string_equal(stage_moved(st), wrongs[w].counter);
            assert_ended(a, MR_REASON_SUBPROTOCOL, MR_CLOSED_STATUS);
            assert_false(a->active);
            assert_int_equal(slots_free(st), free_slots);
        }
}

static void a_broken_status_ends_with_0x10(void **state)
{
    struct stage *st = *state;
    uint8_t room[MR_ETH_STATUS_MAX + 1];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_eth_status s;
    struct actor *a = actor_join(st, NULL);

    actor_status_default(a, &s);
    assert_int_equal(mr_eth_status_encode(&w, &s), MR_OK);
    room[w.n] = 0x80;
    actor_send_eth(a, MR_ETH_STATUS, mr_span(room, w.n + 1)); /* a byte more */
    stage_settle(st);
    assert_ended(a, MR_REASON_SUBPROTOCOL, MR_CLOSED_STATUS);
    for (size_t n = 0; n < w.n; n += 7) { /* prefixes, the empty one among them */
        stage_mark(st);
        a = actor_join(st, NULL);
        actor_send_eth(a, MR_ETH_STATUS, mr_span(room, n));
        stage_settle(st);
        assert_ended(a, MR_REASON_SUBPROTOCOL, MR_CLOSED_STATUS);
        assert_string_equal(stage_moved(st), "status_bad_shape");
    }
}

static void no_status_within_5_s_ends_with_0x0b(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_join(st, NULL);

    stage_run(st, 4990);
    assert_false(a->closed);
    stage_run(st, 20);
    assert_ended(a, MR_REASON_TIMEOUT, MR_CLOSED_STATUS_LATE);
    assert_string_equal(stage_moved(st), "status_late");
}

static void pings_do_not_put_off_the_status_deadline(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_join(st, NULL);
    const uint8_t empty = 0xc0;

    for (unsigned i = 0; i < 5; i++) {
        actor_send_base(a, MR_BASE_PING, mr_span(&empty, 1));
        stage_run(st, 998);
    }
    assert_false(a->closed);
    assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 5);
    stage_run(st, 20);
    assert_ended(a, MR_REASON_TIMEOUT, MR_CLOSED_STATUS_LATE);
}

/* ---- silence and deafness ---- */

static void silence_is_pinged_at_15_s_and_ended_at_30(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);

    a->no_pongs = true;
    stage_run(st, 14990);
    assert_int_equal(a->pings, 0);
    stage_run(st, 20);
    assert_int_equal(a->pings, 1);
    stage_run(st, 14950);
    assert_false(a->closed);
    stage_run(st, 100);
    assert_ended(a, MR_REASON_TIMEOUT, MR_CLOSED_SILENT);
    assert_int_equal(stage_count(st)->silent_peers, 1);
}

static void who_answers_pings_stays_for_an_hour(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);

    stage_run(st, 3600 * 1000);
    assert_true(a->adopted);
    assert_true(a->pings >= 200 && a->pings <= 245);
    assert_int_equal(stage_count(st)->silent_peers, 0);
}

/* F-12: what is sealed for one who does not read is one slice, whatever is accepted meanwhile. */
static void a_slow_reader_holds_one_slice_and_is_closed_at_20_s(void **state)
{
    struct stage *st = *state;
    struct actor *from = actor_new(st), *good = actor_new(st), *deaf = actor_new(st);
    struct sample_tx tx;
    uint64_t begun;

    deaf->deaf = true;
    stage_tx(st, &tx, 0, 0);
    actor_send_txs(from, &tx, 1);
    stage_settle(st);
    assert_non_null(deaf->flight);
    begun = st->now.mono_ns;
    for (uint32_t i = 1; i <= 199; i++) {
        stage_tx(st, &tx, i, 0);
        actor_send_txs(from, &tx, 1);
        stage_run(st, 100);
        assert_int_equal(actor_got(good, &tx.hash).bodies + actor_got(good, &tx.hash).announced, 1);
        assert_true(stage_count(st)->send_bytes <= MR_SLICE_BYTES);
        assert_int_equal(deaf->sends, 2); /* Status, and what is in flight */
    }
    assert_false(deaf->closed);
    stage_run(st, begun + 20 * MR_SECOND + 5 * MR_MS > st->now.mono_ns
                      ? (begun + 20 * MR_SECOND + 5 * MR_MS - st->now.mono_ns) / MR_MS
                      : 0);
    assert_true(deaf->closed);
    assert_int_equal(deaf->closed_why, MR_CLOSED_SLOW);
    assert_int_equal(deaf->sends, 2); /* and no Disconnect, which it would not read either */
    assert_int_equal(stage_count(st)->slow_readers, 1);
    assert_true(good->adopted && from->adopted);
}

static void a_disconnect_that_does_not_leave_is_waited_for_one_second(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    struct mr_mail drop = {.kind = MR_MAIL_DROP, .a = a->serial, .b = MR_REASON_TOO_MANY_PEERS};

    a->deaf = true;
    stage_mail(st, mr_mesh_dispatcher(1), MR_MAIL_SURE, &drop);
    stage_run(st, 990);
    assert_false(a->closed);
    stage_run(st, 20);
    assert_true(a->closed);
    assert_int_equal(a->closed_why, MR_CLOSED_ASKED);
}

/* ---- ends ---- */

static void a_peer_is_dropped_by_its_serial(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);
    struct mr_mail drop = {.kind = MR_MAIL_DROP, .a = b->serial, .b = MR_REASON_TOO_MANY_PEERS};

    stage_mail(st, mr_mesh_dispatcher(1), MR_MAIL_SURE, &drop);
    drop.a = 4711; /* and one that there is not */
    stage_mail(st, mr_mesh_dispatcher(1), MR_MAIL_SURE, &drop);
    stage_settle(st);
    assert_ended(b, MR_REASON_TOO_MANY_PEERS, MR_CLOSED_ASKED);
    assert_true(a->adopted);
}

static void who_hangs_up_is_gone_at_once_in_any_state(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_join(st, NULL), *b = actor_new(st), *c = actor_new(st);

    stage_settle(st);
    actor_hang_up(a); /* before its Status */
    actor_hang_up(b);
    actor_send_claim(c, 5000, 100); /* in the middle of a frame */
    actor_hang_up(c);
    stage_settle(st);
    assert_int_equal(a->closed_why, MR_CLOSED_REMOTE);
    assert_int_equal(b->closed_why, MR_CLOSED_REMOTE);
    assert_int_equal(c->closed_why, MR_CLOSED_REMOTE);
    assert_int_equal(a->disconnected + b->disconnected + c->disconnected, 0);
    assert_int_equal(stage_count(st)->peers + stage_count(st)->peers_waiting, 0);
}

static void stopping_tells_every_peer_0x08_and_then_the_dispatcher(void **state)
{
    struct stage *st = *state;
    struct actor *all[6];

    for (unsigned i = 0; i < 4; i++)
        all[i] = actor_new(st);
    all[4] = actor_join(st, NULL); /* no Status yet */
    /* a second session, begun by the other side */
    all[5] = actor_join(st, &(struct actor_options){.id = &all[0]->id, .inbound = true});
    stage_settle(st);
    all[3]->deaf = true;
    stage_mark(st);
    stage_stop(st, MR_REASON_QUITTING);
    stage_settle(st);
    for (unsigned i = 0; i < 6; i++)
        if (i != 3)
            assert_ended(all[i], MR_REASON_QUITTING, MR_CLOSED_SHUTDOWN);
    assert_false(st->stopped[0]);
    stage_run(st, 1010);
    assert_true(st->stopped[0]);
    assert_true(mr_shard_stopped(st->shards[0]));
    assert_string_equal(stage_moved(st), "");
}

static void a_session_that_comes_while_stopping_is_told_0x08(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *late, *twin;

    a->deaf = true; /* keeps the shard from having stopped */
    stage_stop(st, MR_REASON_QUITTING);
    stage_settle(st);
    late = actor_join(st, NULL);
    twin = actor_join(st, &(struct actor_options){.id = &a->id});
    stage_settle(st);
    assert_ended(late, MR_REASON_QUITTING, MR_CLOSED_SHUTDOWN);
    assert_ended(twin, MR_REASON_QUITTING, MR_CLOSED_SHUTDOWN);
    assert_int_equal(actor_heard_count(late, true, MR_ETH_STATUS), 0);
    stage_run(st, 1010);
    assert_true(st->stopped[0]);
}

/* ---- slots ---- */

static void slots_come_back_however_many_come_and_go(void **state)
{
    struct stage_options o;
    struct stage st;
    uint32_t slots;

    (void)state;
    stage_options_default(&o);
    o.actors_max = 1200;
    stage_init(&st, &o);
    slots = st.shards[0]->slots;
    for (unsigned round = 0; round < 1200 / 100; round++) {
        struct actor *some[100];

        for (unsigned i = 0; i < 100; i++) {
            some[i] = actor_join(&st, NULL);
            if (i % 3)
                actor_send_status(some[i], NULL);
            if (i % 7 == 0)
                actor_hang_up(some[i]);
        }
        stage_settle(&st);
        for (unsigned i = 0; i < 100; i++)
            actor_hang_up(some[i]);
        stage_settle(&st);
        assert_int_equal(slots_free(&st), slots);
        assert_int_equal(st.shards[0]->live_count, 0);
    }
    assert_int_equal(stage_count(&st)->peers_adopted, 1200);
    assert_int_equal(stage_count(&st)->peers_closed, 1200);
    stage_close(&st);
}

static void events_of_a_slots_earlier_user_are_dropped(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b;
    struct mr_shard_event stale[4];
    uint8_t bytes[64] = {0};
    uint32_t slot = a->slot, generation = a->generation;

    actor_hang_up(a);
    stage_settle(st);
    b = actor_new(st);
    assert_int_equal(b->slot, slot);
    assert_int_not_equal(b->generation, generation);
    for (unsigned k = 0; k < 4; k++)
        stale[k] = (struct mr_shard_event){.kind = (enum mr_shard_event_kind)k,
                                           .slot = slot,
                                           .generation = generation,
                                           .data = bytes,
                                           .n = k == MR_EVENT_RECEIVED ? sizeof bytes : 0};
    mr_shard_turn(st->shards[0], st->now, stale, 4);
    stage_settle(st);
    assert_true(b->adopted);
    assert_int_equal(stage_count(st)->frame_mac_bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_status_that_agrees_makes_a_peer_active, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_status_ends_with_0x10_and_one_counter, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_broken_status_ends_with_0x10, setup, teardown),
        cmocka_unit_test_setup_teardown(no_status_within_5_s_ends_with_0x0b, setup, teardown),
        cmocka_unit_test_setup_teardown(pings_do_not_put_off_the_status_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_is_pinged_at_15_s_and_ended_at_30, setup, teardown),
        cmocka_unit_test_setup_teardown(who_answers_pings_stays_for_an_hour, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_holds_one_slice_and_is_closed_at_20_s, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_disconnect_that_does_not_leave_is_waited_for_one_second,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_is_dropped_by_its_serial, setup, teardown),
        cmocka_unit_test_setup_teardown(who_hangs_up_is_gone_at_once_in_any_state, setup, teardown),
        cmocka_unit_test_setup_teardown(stopping_tells_every_peer_0x08_and_then_the_dispatcher,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_that_comes_while_stopping_is_told_0x08, setup,
                                        teardown),
        cmocka_unit_test(slots_come_back_however_many_come_and_go),
        cmocka_unit_test_setup_teardown(events_of_a_slots_earlier_user_are_dropped, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
