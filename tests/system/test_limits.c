/* --maxpeers, --static and --trusted as invariants, and one identity twice. */
#include "tests/system/process.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void maxpeers_is_never_exceeded_and_a_place_that_is_left_is_given_again(void **state)
{
    struct process p;
    struct mr_client a, b, c, d;

    process_start(&p, ARGS("--maxpeers", "2", "--shards", *state), NULL);
    peer_open(&a, &p, 1);
    peer_open(&b, &p, 2);
    assert_int_equal(peer_try(&c, &p, 3), MR_CLIENT_CLOSED);
    assert_int_equal(c.reason, MR_REASON_TOO_MANY_PEERS);
    mr_client_close(&c);
    mr_client_close(&a);
    process_await_equal(&p, "sessions", 1, 4000);
    peer_open(&d, &p, 4);
    assert_int_equal(mr_client_sync(&b, 2000), MR_CLIENT_MESSAGE);
    assert_int_equal(process_stat_now(&p, "sessions_counted_peak"), 2);
    assert_int_equal(process_stat(&p, "end_full"), 1);
    mr_client_close(&b);
    mr_client_close(&d);
    process_stop(&p);
}

struct rush {
    pthread_t thread;
    const struct process *p;
    uint64_t seed;
    struct mr_client client;
    enum mr_client_got got;
};

static void *rush_in(void *arg)
{
    struct rush *r = arg;

    r->got = peer_try(&r->client, r->p, r->seed);
    if (r->got == MR_CLIENT_MESSAGE)
        r->got = mr_client_status(&r->client);
    return NULL;
}

static void maxpeers_holds_when_all_come_at_once(void **state)
{
    static struct rush rush[24];
    struct process p;
    unsigned in = 0;

    process_start(&p, ARGS("--maxpeers", "5", "--handshake-budget", "100", "--shards", *state),
                  NULL);
    peers_secp();
    for (unsigned i = 0; i < MR_COUNT_OF(rush); i++) {
        rush[i] = (struct rush){.p = &p, .seed = 100 + i};
        assert_int_equal(pthread_create(&rush[i].thread, NULL, rush_in, &rush[i]), 0);
    }
    for (unsigned i = 0; i < MR_COUNT_OF(rush); i++) {
        pthread_join(rush[i].thread, NULL);
        in += rush[i].got == MR_CLIENT_MESSAGE;
    }
    assert_int_equal(in, 5);
    assert_int_equal(process_stat_now(&p, "sessions_counted_peak"), 5);
    process_await_equal(&p, "peers", 5, 3000);
    for (unsigned i = 0; i < MR_COUNT_OF(rush); i++)
        mr_client_close(&rush[i].client);
    process_await_equal(&p, "sessions", 0, 4000);
    process_await_equal(&p, "pending", 0, 8000);
    process_stop(&p);
}

static void trusted_and_static_nodes_stand_outside_of_maxpeers(void **state)
{
    char trusted[2 * MR_ENODE_TEXT_MAX], one[MR_ENODE_TEXT_MAX], two[MR_ENODE_TEXT_MAX];
    char dialled[MR_ENODE_TEXT_MAX];
    struct mr_endpoint at;
    struct mr_client t1, t2, s, other, more;
    struct process p;
    int listener;

    close(peer_listen(&at, one, 1));
    close(peer_listen(&at, two, 2));
    snprintf(trusted, sizeof trusted, "%s,%s", one, two);
    listener = peer_listen(&at, dialled, 3);
    process_start(
        &p, ARGS("--maxpeers", "1", "--trusted", trusted, "--static", dialled, "--shards", *state),
        NULL);
    peer_accept(&s, listener, 3, 5000);
    peer_open(&other, &p, 4);
    peer_open(&t1, &p, 1);
    peer_open(&t2, &p, 2);
    assert_int_equal(peer_try(&more, &p, 5), MR_CLIENT_CLOSED);
    assert_int_equal(more.reason, MR_REASON_TOO_MANY_PEERS);
    process_await_equal(&p, "peers", 4, 3000);
    assert_int_equal(process_stat(&p, "sessions_counted"), 1);
    assert_int_equal(process_stat(&p, "listed_absent"), 0);
    mr_client_close(&more);
    mr_client_close(&other);
    mr_client_close(&t1);
    process_await_equal(&p, "peers", 2, 4000);
    process_await_equal(&p, "listed_absent", 1, 3000);
    mr_client_close(&t2);
    mr_client_close(&s);
    close(listener);
    process_stop(&p);
}

static void a_second_session_is_refused_while_the_first_lives(void **state)
{
    struct mr_client first, second, third;
    struct mr_client_message m;
    struct process p;

    process_start(&p, ARGS("--shards", *state), NULL);
    peer_open(&first, &p, 1);
    assert_int_equal(peer_try(&second, &p, 1), MR_CLIENT_MESSAGE);
    while (mr_client_receive(&first, &m, 500) == MR_CLIENT_MESSAGE) /* answers pings */
        ;
    assert_int_equal(first.pings, 1);
    peer_expect_end(&second, MR_REASON_ALREADY_CONNECTED, 3000);
    assert_int_equal(mr_client_sync(&first, 2000), MR_CLIENT_MESSAGE);
    assert_int_equal(process_stat_now(&p, "peers_duplicate"), 1);
    assert_int_equal(process_stat(&p, "sessions"), 1);
    mr_client_close(&second);
    mr_client_close(&first);
    process_await_equal(&p, "sessions", 0, 4000);
    peer_open(&third, &p, 1);
    mr_client_close(&third);
    process_stop(&p);
}

static void a_second_session_takes_the_place_of_a_first_that_is_dead(void **state)
{
    struct mr_client_options o = peer_options(1);
    struct mr_client first, second, other;
    struct process p;
    struct sample s;

    process_start(&p, ARGS("--shards", *state), NULL);
    peer_open(&other, &p, 2);
    o.no_pongs = true;
    assert_int_equal(mr_client_open(&first, &o, p.at, &p.id), MR_CLIENT_MESSAGE);
    assert_int_equal(peer_try(&second, &p, 1), MR_CLIENT_MESSAGE);
    assert_int_equal(mr_client_status(&second), MR_CLIENT_MESSAGE); /* but it is not read yet */
    peer_expect_end(&first, MR_REASON_ALREADY_CONNECTED, 4500);     /* 3 s without pong */
    assert_int_equal(process_stat_now(&p, "peers"), 2);
    sample_make(&s, 1, 0, 100);
    sample_send(&other, &s);
    assert_true(sample_arrives(&second, &s, 3000));
    sample_free(&s);
    mr_client_close(&first);
    mr_client_close(&second);
    mr_client_close(&other);
    process_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(maxpeers_is_never_exceeded_and_a_place_that_is_left_is_given_again),
        BOTH(maxpeers_holds_when_all_come_at_once),
        BOTH(trusted_and_static_nodes_stand_outside_of_maxpeers),
        BOTH(a_second_session_is_refused_while_the_first_lives),
        BOTH(a_second_session_takes_the_place_of_a_first_that_is_dead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
