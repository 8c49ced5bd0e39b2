/* A ring's owner asleep, woken from another ring's owner and from a thread without a ring. */
#include "helper_loopback.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { WOKEN = 1, EVENT };

#define WAKES   2000
#define SENDERS 3

struct shared {
    int ring_fd, event_fd;
    _Atomic uint32_t posted; /* what a mailbox would hold */
    _Atomic bool ready;
    struct mr_ring *sleeper;
};

static const struct mr_ring_options options = {.entries = 64, .completions = 256};

static void *wake_by_ring(void *arg)
{
    struct shared *sh = arg;
    struct mr_ring *ring = ring_of(&options);

    while (!atomic_load(&sh->ready))
        usleep(100);
    for (uint32_t i = 0; i < WAKES; i++) {
        atomic_fetch_add(&sh->posted, 1);
        assert_int_equal(
            mr_ring_wake(ring, sh->ring_fd, mr_op_pack(WOKEN, i, 7), 5, mr_op_pack(9, 0, 0)),
            MR_OK);
        mr_ring_submit(ring);
    }
    ring_is_quiet(ring); /* no wake failed */
    mr_ring_close(ring);
    return NULL;
}

static void *wake_by_event(void *arg)
{
    struct shared *sh = arg;

    for (uint32_t i = 0; i < WAKES; i++) {
        atomic_fetch_add(&sh->posted, 1);
        mr_event_signal(sh->event_fd);
    }
    return NULL;
}

static void wakes_of_other_rings_all_arrive(void **state)
{
    struct shared sh = {0};
    struct mr_ring *ring = ring_of(&options);
    pthread_t threads[SENDERS];
    struct mr_ring_stats stats;
    uint32_t next_sum = 0;

    (void)state;
    sh.ring_fd = mr_ring_fd(ring);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wake_by_ring, &sh), 0);
    atomic_store(&sh.ready, true);
    for (uint32_t i = 0; i < SENDERS * WAKES; i++) {
        struct mr_completion c = ring_next(ring);
        assert_int_equal(c.op, WOKEN);
        assert_int_equal(c.generation, 7);
        assert_int_equal(c.res, 5);
        next_sum += c.slot;
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(next_sum, SENDERS * (WAKES - 1) * (WAKES / 2));
    mr_ring_stats(&stats, ring);
    assert_int_equal(stats.completions, SENDERS * WAKES);
    mr_ring_close(ring);
}

static void signals_of_a_thread_without_a_ring_wake_and_add_up(void **state)
{
    struct shared sh = {.event_fd = mr_event_open()};
    struct mr_ring *ring = ring_of(&options);
    uint64_t value = 0, sum = 0;
    pthread_t thread;

    (void)state;
    assert_true(sh.event_fd >= 0);
    assert_int_equal(pthread_create(&thread, NULL, wake_by_event, &sh), 0);
    while (sum < WAKES) {
        struct mr_completion c;
        assert_int_equal(mr_ring_read(ring, sh.event_fd, &value, 8, mr_op_pack(EVENT, 0, 0)),
                         MR_OK);
        c = ring_next(ring);
        assert_int_equal(c.op, EVENT);
        assert_int_equal(c.res, 8);
        sum += value;
        assert_true(atomic_load(&sh.posted) >= sum);
    }
    assert_int_equal(sum, WAKES);
    pthread_join(thread, NULL);
    close(sh.event_fd);
    mr_ring_close(ring);
}

static void *enable_and_work(void *arg)
{
    struct shared *sh = arg;

    assert_int_equal(mr_ring_enable(sh->sleeper), MR_OK);
    atomic_store(&sh->ready, true);
    for (uint32_t i = 0; i < WAKES; i++) {
        assert_int_equal(mr_ring_wake(sh->sleeper, mr_ring_fd(sh->sleeper), mr_op_pack(WOKEN, i, 0),
                                      0, MR_OP_NOBODY),
                         MR_OK);
        assert_int_equal(ring_next(sh->sleeper).slot, i);
    }
    mr_ring_close(sh->sleeper);
    atomic_store(&sh->ready, false);
    return NULL;
}

static void a_ring_made_elsewhere_belongs_to_the_thread_that_enables_it(void **state)
{
    struct shared sh = {0};
    char sentence[256] = "";
    pthread_t thread;

    (void)state;
    sh.sleeper = mr_ring_open(&options, sentence, sizeof sentence);
    assert_non_null(sh.sleeper);
    assert_int_equal(pthread_create(&thread, NULL, enable_and_work, &sh), 0);
    pthread_join(thread, NULL);
    assert_false(atomic_load(&sh.ready));
}

/* Reads another thread's counters while it works; they only grow. */
static void *watch(void *arg)
{
    struct shared *sh = arg;
    uint64_t before = 0;

    while (!atomic_load(&sh->ready)) {
        struct mr_ring_stats s;
        mr_ring_stats(&s, sh->sleeper);
        assert_true(s.completions >= before);
        before = s.completions;
    }
    return NULL;
}

static void counters_may_be_read_from_another_thread(void **state)
{
    struct shared sh = {.sleeper = ring_of(&options)};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, watch, &sh), 0);
    for (uint32_t i = 0; i < WAKES; i++) {
        assert_int_equal(mr_ring_wake(sh.sleeper, mr_ring_fd(sh.sleeper), mr_op_pack(WOKEN, i, 0),
                                      0, MR_OP_NOBODY),
                         MR_OK);
        ring_next(sh.sleeper);
    }
    atomic_store(&sh.ready, true);
    pthread_join(thread, NULL);
    mr_ring_close(sh.sleeper);
}

/* Arms a receive, so that there is something to cancel, and leaves. */
static void *enable_and_retire(void *arg)
{
    struct shared *sh = arg;
    int fd[2];

    loopback_pair(fd);
    assert_int_equal(mr_ring_enable(sh->sleeper), MR_OK);
    assert_int_equal(mr_ring_recv_some(sh->sleeper, fd[0], &fd, 1, mr_op_pack(WOKEN, 1, 1)), MR_OK);
    mr_ring_retire(sh->sleeper);
    close(fd[0]);
    close(fd[1]);
    return NULL;
}

static void a_retired_ring_may_be_woken_in_vain_and_closed_by_anybody(void **state)
{
    struct shared sh = {0};
    struct mr_ring *ours = ring_of(&options);
    struct mr_ring_stats s;
    char sentence[256] = "";
    pthread_t thread;

    (void)state;
    sh.sleeper = mr_ring_open(&options, sentence, sizeof sentence);
    assert_non_null(sh.sleeper);
    assert_int_equal(pthread_create(&thread, NULL, enable_and_retire, &sh), 0);
    pthread_join(thread, NULL);
    assert_int_equal(
        mr_ring_wake(ours, mr_ring_fd(sh.sleeper), mr_op_pack(WOKEN, 0, 0), 0, MR_OP_NOBODY),
        MR_OK);
    mr_ring_submit(ours);
    mr_ring_stats(&s, sh.sleeper);
    assert_int_equal(s.completions, 0);
    mr_ring_close(sh.sleeper);
    mr_ring_close(ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wakes_of_other_rings_all_arrive),
        cmocka_unit_test(signals_of_a_thread_without_a_ring_wake_and_add_up),
        cmocka_unit_test(a_ring_made_elsewhere_belongs_to_the_thread_that_enables_it),
        cmocka_unit_test(counters_may_be_read_from_another_thread),
        cmocka_unit_test(a_retired_ring_may_be_woken_in_vain_and_closed_by_anybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
