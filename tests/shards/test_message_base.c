/* The base protocol inside a session: pings and their floods (F-07), every form of Disconnect
 * (F-08), and what is none of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

static const uint8_t empty_list = 0xc0;

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

static void assert_ended(struct stage *st, const struct actor *a, unsigned reason,
                         const char *counter)
{
    assert_string_equal(stage_moved(st), counter);
    assert_true(a->closed);
    assert_true(a->disconnected);
    assert_int_equal(a->reason, reason);
    assert_int_equal(a->closed_why, MR_CLOSED_BREACH);
}

static void ping(struct actor *a)
{
    actor_send_base(a, MR_BASE_PING, mr_span(&empty_list, 1));
}

static void pong(struct actor *a)
{
    actor_send_base(a, MR_BASE_PONG, mr_span(&empty_list, 1));
}

/* ---- pings and pongs ---- */

static void a_ping_is_answered_with_a_pong_in_any_state(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_join(st, NULL), *b = actor_new(st);

    ping(a);
    ping(b);
    actor_send_base(b, MR_BASE_PING, mr_span(&empty_list, 0)); /* so do some clients */
    stage_settle(st);
    assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), 1);
    assert_int_equal(actor_heard_count(b, false, MR_BASE_PONG), 2);
    assert_int_equal(actor_payload(a, actor_heard(a, false, MR_BASE_PONG, 0)).n, 1);
    assert_int_equal(*actor_payload(a, actor_heard(a, false, MR_BASE_PONG, 0)).p, 0xc0);
    assert_int_equal(stage_count(st)->ping_in, 3);
    assert_string_equal(stage_moved(st), "");
    actor_send_status(a, NULL);
    stage_settle(st);
    assert_true(a->active);
}

static void pings_with_anything_in_them_end_with_0x02(void **state)
{
    struct stage *st = *state;
    static const uint8_t rows[][3] = {{0xc1, 0x01}, {0x80}, {0x01}, {0xc0, 0xc0}, {0xc0, 0x00}};
    static const uint8_t lengths[] = {2, 1, 1, 2, 2};

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        for (uint8_t id = MR_BASE_PING; id <= MR_BASE_PONG; id++) {
            struct actor *a = actor_new(st);

            stage_mark(st);
            actor_send_base(a, id, mr_span(rows[i], lengths[i]));
            stage_settle(st);
            assert_ended(st, a, MR_REASON_PROTOCOL, "message_malformed");
        }
}

static void pings_over_1_kib_end_with_0x02(void **state)
{
    struct stage *st = *state;
    uint8_t big[MR_BASE_MESSAGE_MAX + 1] = {0};

    for (uint8_t id = MR_BASE_PING; id <= MR_BASE_PONG; id++) {
        struct actor *a = actor_new(st);

        stage_mark(st);
        actor_send_base(a, id, mr_span(big, sizeof big));
        stage_settle(st);
        assert_ended(st, a, MR_REASON_PROTOCOL, "frame_too_big");
    }
}

static void hello_and_reserved_ids_end_with_0x02(void **state)
{
    struct stage *st = *state;

    for (uint8_t id = 0; id < MR_CAPABILITY_FIRST_ID; id++) {
        struct actor *a;

        if (id >= MR_BASE_DISCONNECT && id <= MR_BASE_PONG)
            continue;
        a = actor_new(st);
        stage_mark(st);
        actor_send_base(a, id, mr_span(&empty_list, 1));
        stage_settle(st);
        assert_ended(st, a, MR_REASON_PROTOCOL, "message_unknown");
    }
}

static void five_pings_and_one_a_second_are_tolerated(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);

    for (unsigned i = 0; i < MR_PING_BURST; i++)
        ping(a);
    stage_settle(st);
    for (unsigned i = 0; i < 60; i++) {
        stage_run(st, 1010);
        ping(a);
        stage_settle(st);
    }
    assert_true(a->adopted);
    assert_int_equal(actor_heard_count(a, false, MR_BASE_PONG), MR_PING_BURST + 60);
}

static void a_hundred_thousand_pings_at_once_cost_sixteen_pongs_at_most(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);
    const uint8_t data[] = {MR_BASE_PING, 1, 0, 0xc0};
    unsigned pongs;

    for (unsigned i = 0; i < 100000; i++)
        actor_send_frame(a, mr_span(data, sizeof data));
    a->deaf = true; /* it does not even read them */
    ping(b);
    stage_mark(st);
    stage_turn(st);
    assert_int_equal(actor_peer(a) ? actor_peer(a)->state : MR_PEER_CLOSING, MR_PEER_CLOSING);
    assert_true(stage_count(st)->ping_in <= MR_PONGS_QUEUED_MAX + 2);
    a->deaf = false;
    stage_settle(st);
    assert_ended(st, a, MR_REASON_PROTOCOL, "ping_flood");
    pongs = actor_heard_count(a, false, MR_BASE_PONG);
    assert_true(pongs <= MR_PONGS_QUEUED_MAX);
    assert_int_equal(actor_heard_count(b, false, MR_BASE_PONG), 1);
}

/* Pings one a second, but no reader for their pongs: sixteen wait, the next ends the session. */
static void pongs_that_nobody_reads_are_bounded(void **state)
{
    struct stage *st = *state;
    struct actor *a;
    unsigned sent = 0;

    st->relay.write_timeout_ns = 100 * MR_SECOND;
    a = actor_new(st);
    ping(a);
    a->deaf = true;
    stage_settle(st);
    assert_non_null(a->flight);
    while (mr_peer_is_open(actor_peer(a)) && sent < 40) {
        assert_true(actor_peer(a)->control_count <= MR_CONTROL_SLOTS);
        ping(a);
        sent++;
        stage_run(st, 1010);
        if (!a->adopted)
            break;
    }
    assert_true(sent <= MR_PONGS_QUEUED_MAX + 1);
    /* our own ping, since it says nothing else, has one of the sixteen slots */
    assert_string_equal(stage_moved(st), "ping_flood control_full");
}

static void pongs_that_nobody_asked_for_end_with_0x02(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st), *b = actor_new(st);

    for (unsigned i = 0; i < 5; i++)
        pong(a);
    stage_settle(st);
    assert_true(a->adopted); /* some are forgiven */
    for (unsigned i = 0; i < 1000000 / 1000; i++)
        pong(b);
    stage_settle(st);
    assert_ended(st, b, MR_REASON_PROTOCOL, "ping_flood");
    assert_true(a->adopted);
}

/* ---- Disconnect ---- */

static const struct {
    const char *p;
    uint8_t n;
} disconnects[] = {
    {"", 0},
    {"\xc0", 1},
    {"\xc1\x80", 2},
    {"\xc1\x10", 2},
    {"\xc1\x04", 2},
    {"\xc1\x00", 2},
    {"\x00", 1},
    {"\x04", 1},
    {"\x80", 1},
    {"\x10", 1},
    {"\x81\x04", 2},
    {"\xc2\x81\xff", 3},
    {"\xca\x89\x01\x00\x00\x00\x00\x00\x00\x00\x00", 11}, /* 2^64 */
    {"\xc3\x04\x80\xc0", 4},                              /* more elements */
    {"\xc1\x04\xff", 3},                                  /* more bytes */
    {"\xff\xff\xff\xff", 4},
    {"\xc5", 1},
};

static void every_disconnect_ends_cleanly_and_without_an_answer(void **state)
{
    struct stage *st = *state;

    for (size_t i = 0; i < MR_COUNT_OF(disconnects); i++)
        for (unsigned k = 0; k < 4; k++) {
            bool compressed = k & 1, after_status = k & 2;
            struct actor *a = after_status ? actor_new(st) : actor_join(st, NULL);
            uint8_t data[32] = {MR_BASE_DISCONNECT};
            uint64_t messages;

            stage_settle(st);
            messages = a->messages;
            stage_mark(st);
            memcpy(data + 1, disconnects[i].p, disconnects[i].n);
            if (compressed)
                actor_send_base(a, MR_BASE_DISCONNECT, mr_span(disconnects[i].p, disconnects[i].n));
            else /* ethereumjs sends it so, also after Hello */
                actor_send_frame(a, mr_span(data, 1u + disconnects[i].n));
            ping(a); /* what stands behind it is not read */
            stage_settle(st);
            assert_true(a->closed);
            assert_int_equal(a->closed_why, MR_CLOSED_REMOTE_DISCONNECT);
            assert_int_equal(a->messages, messages);
            assert_string_equal(stage_moved(st), "disconnect_in");
        }
}

static void a_disconnect_says_its_reason_as_a_compressed_list(void **state)
{
    struct stage *st = *state;
    struct actor *a = actor_new(st);
    struct mr_mail drop = {.kind = MR_MAIL_DROP, .a = a->serial, .b = MR_REASON_USELESS};
    struct mr_span p;

    stage_mail(st, mr_mesh_dispatcher(1), MR_MAIL_SURE, &drop);
    stage_settle(st);
    assert_int_equal(actor_heard_count(a, false, MR_BASE_DISCONNECT), 1);
    p = actor_payload(a, actor_heard(a, false, MR_BASE_DISCONNECT, 0));
    assert_int_equal(p.n, 2);
    assert_memory_equal(p.p, "\xc1\x03", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ping_is_answered_with_a_pong_in_any_state, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pings_with_anything_in_them_end_with_0x02, setup, teardown),
        cmocka_unit_test_setup_teardown(pings_over_1_kib_end_with_0x02, setup, teardown),
        cmocka_unit_test_setup_teardown(hello_and_reserved_ids_end_with_0x02, setup, teardown),
        cmocka_unit_test_setup_teardown(five_pings_and_one_a_second_are_tolerated, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hundred_thousand_pings_at_once_cost_sixteen_pongs_at_most,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(pongs_that_nobody_reads_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(pongs_that_nobody_asked_for_end_with_0x02, setup, teardown),
        cmocka_unit_test_setup_teardown(every_disconnect_ends_cleanly_and_without_an_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_disconnect_says_its_reason_as_a_compressed_list, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
