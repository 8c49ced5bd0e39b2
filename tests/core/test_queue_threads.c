#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/queue.h"
#include "core/random.h"

#define PRODUCERS 3
#ifdef MR_SANITIZED
#define SLOTS UINT64_C(300000) /* per producer */
#else
#define SLOTS UINT64_C(700000)
#endif

/* A lost wake-up shows as a consumer that sleeps until this, though it was rung. */
#define WAKE_TIMEOUT_MS 20000

/* The slot carries a pointer too, to plain memory that only the queue orders between the threads.
 */
struct slot {
    uint64_t number;
    uint64_t *note;
    uint64_t producer;
};

struct post {
    struct mr_queue queues[PRODUCERS];
    struct mr_bell bell;
    int wake_fd;
    uint64_t sum, sleeps, wakes;
    bool lost;
};

struct producer {
    struct post *post;
    unsigned id;
    uint64_t burst; /* pushes between pauses */
    uint64_t wakes;
    pthread_t thread;
};

static void wake(int fd)
{
    uint64_t one = 1;

    MR_ASSERT(write(fd, &one, sizeof one) == sizeof one);
}

static void *produce(void *arg)
{
    struct producer *p = arg;
    struct mr_queue *q = &p->post->queues[p->id];
    uint64_t *notes = calloc(SLOTS, sizeof *notes);
    struct mr_random r;

    MR_ASSERT(notes);
    mr_random_init(&r, p->id);
    for (uint64_t i = 0; i < SLOTS; i++) {
        struct slot s = {.number = i, .note = &notes[i], .producer = p->id};

        notes[i] = i * 3 + p->id;
        while (!mr_queue_push(q, &s))
            sched_yield();
        if (mr_bell_ring(&p->post->bell, p->id)) {
            wake(p->post->wake_fd);
            p->wakes++;
        }
        /* Pauses let the consumer fall asleep, so that the race is run often. */
        if (mr_random_below(&r, p->burst) == 0)
            sched_yield();
    }
    return notes;
}

/* Really waits. False if nobody came. */
static bool wait_for_wake(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t n;

    if (poll(&p, 1, WAKE_TIMEOUT_MS) != 1)
        return false;
    return read(fd, &n, sizeof n) == sizeof n;
}

static uint64_t drain(struct post *post, unsigned i, uint64_t *expected)
{
    uint64_t n = 0;
    struct slot s;

    while (mr_queue_pop(&post->queues[i], &s)) {
        MR_ASSERT(s.number == *expected);
        MR_ASSERT(s.producer == i);
        MR_ASSERT(*s.note == s.number * 3 + i);
        ++*expected;
        post->sum += s.number;
        n++;
    }
    return n;
}

static void consume(struct post *post)
{
    uint64_t expected[PRODUCERS] = {0}, got = 0;

    while (got < PRODUCERS * SLOTS) {
        uint64_t bits = mr_bell_take(&post->bell);

        /* Only the queues whose bit is set: a bit too few would leave slots behind for ever. */
        for (unsigned i = 0; i < PRODUCERS; i++)
            if (bits >> i & 1)
                got += drain(post, i, &expected[i]);
        if (got == PRODUCERS * SLOTS || !mr_bell_sleep(&post->bell))
            continue;
        post->sleeps++;
        if (!wait_for_wake(post->wake_fd)) {
            post->lost = true;
            return;
        }
        mr_bell_awake(&post->bell);
    }
}

static void no_slot_and_no_wake_up_is_lost_between_threads(void **state)
{
    static struct post post;
    struct producer producers[PRODUCERS];

    (void)state;
    memset(&post, 0, sizeof post);
    post.wake_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(post.wake_fd >= 0);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        assert_int_equal(mr_queue_init(&post.queues[i], i == 0 ? 30 : 1000, sizeof(struct slot)),
                         MR_OK);
        producers[i] = (struct producer){.post = &post, .id = i, .burst = 32u << (3 * i)};
    }
    for (unsigned i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    consume(&post);
    assert_false(post.lost);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        void *notes;

        pthread_join(producers[i].thread, &notes);
        free(notes);
        post.wakes += producers[i].wakes;
        assert_int_equal(post.queues[i].pushed, SLOTS);
        assert_int_equal(post.queues[i].popped, SLOTS);
        assert_int_equal(mr_queue_count(&post.queues[i]), 0);
        mr_queue_fini(&post.queues[i]);
    }
    assert_int_equal(post.sum, PRODUCERS * (SLOTS * (SLOTS - 1) / 2));
    assert_true(post.sleeps > 0);
    assert_int_equal(post.wakes, post.sleeps); /* one wake-up a sleep, never a herd */
    print_message("slept %llu times\n", (unsigned long long)post.sleeps);
    close(post.wake_fd);
}

struct item {
    struct mr_stack_entry entry;
    uint64_t value; /* plain: the stack orders it */
};
struct pusher {
    struct mr_stack *stack;
    struct item *items;
    uint64_t first;
    pthread_t thread;
};

#define ITEMS (SLOTS / 4)

static void *push_items(void *arg)
{
    struct pusher *p = arg;

    for (uint64_t i = 0; i < ITEMS; i++) {
        p->items[i].value = p->first + i;
        mr_stack_push(p->stack, &p->items[i].entry);
    }
    return NULL;
}

static void a_stack_loses_nothing_from_many_pushers(void **state)
{
    static struct mr_stack stack;
    struct pusher pushers[PRODUCERS];
    uint64_t got = 0, sum = 0;

    (void)state;
    for (unsigned i = 0; i < PRODUCERS; i++) {
        pushers[i] = (struct pusher){.stack = &stack, .first = i * ITEMS};
        pushers[i].items = calloc(ITEMS, sizeof *pushers[i].items);
        assert_non_null(pushers[i].items);
        assert_int_equal(pthread_create(&pushers[i].thread, NULL, push_items, &pushers[i]), 0);
    }
    while (got < PRODUCERS * ITEMS) {
        uint64_t last[PRODUCERS] = {0};

        for (struct mr_stack_entry *e = mr_stack_take(&stack); e; e = e->next, got++) {
            uint64_t value = MR_CONTAINER(e, struct item, entry)->value;
            uint64_t *newer = &last[value / ITEMS];

            assert_true(*newer == 0 || value < *newer); /* each pusher's own: newest first */
            *newer = value;
            sum += value;
        }
        sched_yield();
    }
    assert_int_equal(sum, PRODUCERS * ITEMS * (PRODUCERS * ITEMS - 1) / 2);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        pthread_join(pushers[i].thread, NULL);
        free(pushers[i].items);
    }
    assert_null(mr_stack_take(&stack));
}

/* Readers of count and counters on a third thread see sane values at any time. */
struct watched {
    struct mr_queue queue;
    _Atomic bool stop;
    bool insane;
};

static void *watch(void *arg)
{
    struct watched *w = arg;

    while (!atomic_load(&w->stop)) {
        uint64_t popped = w->queue.popped;

        w->insane |= mr_queue_count(&w->queue) > w->queue.capacity;
        w->insane |= w->queue.pushed > SLOTS || popped > SLOTS;
        sched_yield();
    }
    return NULL;
}

static void *push_numbers(void *arg)
{
    struct watched *w = arg;

    for (uint64_t i = 0; i < SLOTS; i++)
        while (!mr_queue_push(&w->queue, &i))
            sched_yield();
    return NULL;
}

static void any_thread_may_read_the_count(void **state)
{
    static struct watched w;
    pthread_t watcher, producer;
    uint64_t v, expected = 0;

    (void)state;
    assert_int_equal(mr_queue_init(&w.queue, 100, sizeof v), MR_OK);
    assert_int_equal(pthread_create(&watcher, NULL, watch, &w), 0);
    assert_int_equal(pthread_create(&producer, NULL, push_numbers, &w), 0);
    while (expected < SLOTS) {
        if (!mr_queue_pop(&w.queue, &v)) {
            sched_yield();
            continue;
        }
        assert_int_equal(v, expected);
        expected++;
    }
    atomic_store(&w.stop, true);
    pthread_join(watcher, NULL);
    pthread_join(producer, NULL);
    assert_false(w.insane);
    mr_queue_fini(&w.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_slot_and_no_wake_up_is_lost_between_threads),
        cmocka_unit_test(a_stack_loses_nothing_from_many_pushers),
        cmocka_unit_test(any_thread_may_read_the_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
