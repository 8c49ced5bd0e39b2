/* The mesh between threads: nothing is lost or reordered, no consumer sleeps through its mail, a
 * full queue says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/uring/ring.h"
#include "shards/mailbox.h"

#define SHARDS  3
#define THREADS (SHARDS + 2)
#define EACH    20000u /* mails from each thread to each other, per class */

static bool talk(unsigned a, unsigned b)
{
    return a != b && (a < SHARDS || b < SHARDS);
}

struct station {
    struct mr_mesh *mesh;
    const int *events;
    unsigned self;
    uint64_t next_out[THREADS][MR_MAIL_CLASSES]; /* number of the next mail */
    uint64_t next_in[THREADS][MR_MAIL_CLASSES];
    uint64_t left_out, left_in, full, sleeps;
    bool out_of_order;
};

static void take_all(struct station *s)
{
    struct mr_mail m;

    while (mr_mail_take(s->mesh, s->self, &m)) {
        s->out_of_order |= m.a != s->next_in[m.from][m.b];
        s->next_in[m.from][m.b] = m.a + 1;
        s->left_in--;
    }
}

/* A few mails to everybody. False: everything was full, or nothing is left to send. */
static bool send_some(struct station *s)
{
    bool any = false;

    for (unsigned to = 0; to < THREADS; to++)
        for (unsigned c = 0; talk(s->self, to) && c < MR_MAIL_CLASSES; c++) {
            uint64_t *number = &s->next_out[to][c];
            struct mr_mail m = {.kind = MR_MAIL_CLAIM, .a = *number, .b = c};
            bool wake = false;

            if (*number == EACH)
                continue;
            if (!mr_mail_send(s->mesh, s->self, to, (enum mr_mail_class)c, &m, &wake)) {
                s->full++;
                continue;
            }
            ++*number;
            s->left_out--;
            any = true;
            if (wake)
                mr_event_signal(s->events[to]);
        }
    return any;
}

static void *station_run(void *arg)
{
    struct station *s = arg;

    while (s->left_out > 0 || s->left_in > 0) {
        uint64_t signals;

        take_all(s);
        if (send_some(s))
            continue;
        if (s->left_out > 0) { /* others must take first */
            sched_yield();
            continue;
        }
        if (s->left_in == 0 || !mr_mail_sleep(s->mesh, s->self))
            continue;
        /* Without a timeout: a wake-up that is lost hangs the test. */
        s->sleeps++;
        if (read(s->events[s->self], &signals, sizeof signals) != sizeof signals)
            s->out_of_order = true;
        mr_mail_awake(s->mesh, s->self);
    }
    return NULL;
}

static void all_arrives_in_order_from_each_to_each(void **state)
{
    struct mr_mesh *mesh = mr_mesh_new(SHARDS, 63, 63, 63);
    struct station *stations = calloc(THREADS, sizeof *stations);
    pthread_t threads[THREADS];
    int events[THREADS];
    uint64_t full = 0;

    (void)state;
    assert_non_null(mesh);
    for (unsigned i = 0; i < THREADS; i++)
        events[i] = mr_event_open();
    for (unsigned i = 0; i < THREADS; i++) {
        struct station *s = &stations[i];

        *s = (struct station){.mesh = mesh, .events = events, .self = i};
        for (unsigned k = 0; k < THREADS; k++)
            if (talk(i, k))
                s->left_out += (uint64_t)EACH * MR_MAIL_CLASSES;
        s->left_in = s->left_out;
        assert_int_equal(pthread_create(&threads[i], NULL, station_run, s), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_false(stations[i].out_of_order);
        assert_int_equal(stations[i].left_in, 0);
        full += stations[i].full;
        close(events[i]);
    }
    assert_true(full > 0); /* else this test is too easy */
    free(stations);
    mr_mesh_free(mesh);
}

/* ---- what one thread can see ---- */

static void classes_come_in_their_order(void **state)
{
    struct mr_mesh *mesh = mr_mesh_new(2, 7, 7, 7);
    struct mr_mail m;
    bool wake;

    (void)state;
    for (unsigned c = MR_MAIL_CLASSES; c-- > 0;) {
        m = (struct mr_mail){.kind = MR_MAIL_CLAIM, .b = c};
        assert_true(mr_mail_send(mesh, 1, 0, (enum mr_mail_class)c, &m, &wake));
    }
    for (unsigned c = 0; c < MR_MAIL_CLASSES; c++) {
        assert_true(mr_mail_take(mesh, 0, &m));
        assert_int_equal(m.b, c);
        assert_int_equal(m.from, 1);
    }
    assert_false(mr_mail_take(mesh, 0, &m));
    mr_mesh_free(mesh);
}

static void only_a_sleeper_is_woken_and_once(void **state)
{
    struct mr_mesh *mesh = mr_mesh_new(3, 7, 7, 7);
    struct mr_mail m = {.kind = MR_MAIL_CLAIM};
    bool wake;

    (void)state;
    assert_true(mr_mail_send(mesh, 1, 0, MR_MAIL_HINT, &m, &wake));
    assert_false(wake);
    assert_false(mr_mail_sleep(mesh, 0)); /* there is mail */
    assert_true(mr_mail_take(mesh, 0, &m));
    assert_false(mr_mail_take(mesh, 0, &m));
    assert_true(mr_mail_sleep(mesh, 0));
    assert_true(mr_mail_send(mesh, 1, 0, MR_MAIL_HINT, &m, &wake));
    assert_true(wake);
    assert_true(mr_mail_send(mesh, 2, 0, MR_MAIL_SURE, &m, &wake));
    assert_false(wake);
    mr_mesh_free(mesh);
}

static void room_is_asked_of_all_other_shards(void **state)
{
    struct mr_mesh *mesh = mr_mesh_new(3, 7, 7, 7);
    struct mr_mail m = {.kind = MR_MAIL_CLAIM};
    uint32_t n = 0;
    bool wake;

    (void)state;
    assert_true(mr_mail_room(mesh, 0, 7));
    while (mr_mail_send(mesh, 0, 2, MR_MAIL_FLOW, &m, &wake))
        n++;
    assert_true(n >= 7);
    assert_false(mr_mail_room(mesh, 0, 1));
    assert_true(mr_mail_room(mesh, 1, 1)); /* its own queues are empty */
    assert_true(mr_mail_take(mesh, 2, &m));
    assert_true(mr_mail_room(mesh, 0, 1));
    mr_mesh_free(mesh);
}

static void drain_sends_buffers_home(void **state)
{
    struct mr_mesh *mesh = mr_mesh_new(2, 7, 7, 7);
    struct mr_buf_pool pool;
    bool wake;

    (void)state;
    assert_int_equal(mr_buf_pool_init(&pool, 1u << 20, 0), MR_OK);
    for (unsigned i = 0; i < 3; i++) {
        struct mr_mail tx = {.kind = MR_MAIL_TX, .buf = mr_buf_get(&pool, 100)};
        struct mr_mail head = {.kind = MR_MAIL_HEAD, .buf = mr_buf_get(&pool, 100)};
        struct mr_mail blob = {.kind = MR_MAIL_BLOB, .buf = mr_buf_get(&pool, 100)};

        assert_true(mr_mail_send(mesh, 0, 1, MR_MAIL_FLOW, &tx, &wake));
        assert_true(mr_mail_send(mesh, 0, 1, MR_MAIL_HINT, &head, &wake));
        assert_true(mr_mail_send(mesh, 1, mr_mesh_service(2), MR_MAIL_FLOW, &blob, &wake));
    }
    mr_mesh_drain(mesh);
    assert_int_equal(mr_buf_pool_fini(&pool), 0);
    mr_mesh_free(mesh);
}

static void peers_are_summed_over_shards(void **state)
{
    struct mr_mesh *mesh = mr_mesh_new(3, 7, 7, 7);

    (void)state;
    mr_mesh_set_peers(mesh, 0, 5);
    mr_mesh_set_peers(mesh, 2, 7);
    assert_int_equal(mr_mesh_peers(mesh), 12);
    mr_mesh_set_peers(mesh, 0, 4);
    assert_int_equal(mr_mesh_peers(mesh), 11);
    assert_int_equal(mr_mesh_shards(mesh), 3);
    mr_mesh_free(mesh);
}

static void every_reason_has_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < MR_CLOSED_COUNT; i++)
        assert_string_not_equal(mr_closed_text((enum mr_closed_reason)i), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_arrives_in_order_from_each_to_each),
        cmocka_unit_test(classes_come_in_their_order),
        cmocka_unit_test(only_a_sleeper_is_woken_and_once),
        cmocka_unit_test(room_is_asked_of_all_other_shards),
        cmocka_unit_test(drain_sends_buffers_home),
        cmocka_unit_test(peers_are_summed_over_shards),
        cmocka_unit_test(every_reason_has_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
