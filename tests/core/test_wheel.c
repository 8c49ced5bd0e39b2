#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "core/random.h"
#include "core/wheel.h"

/* The model: every timer in one array, searched for the next to fire. */
#define TIMERS 64

struct model {
    struct mr_wheel wheel;
    struct mr_random random;
    uint64_t now_ms;
    uint64_t setting; /* counts mr_timer_set */
    uint64_t fired;
    bool advancing;
    struct {
        struct mr_timer timer;
        bool armed;
        bool this_advance; /* was armed when the running advance began, and not set since */
        uint64_t due_ms;   /* what counts: a past time is moved up to the time of setting */
        uint64_t order;
    } t[TIMERS];
};

static uint64_t some_delay(struct mr_random *r)
{
    switch (mr_random_below(r, 8)) {
    case 0:
        return 0;
    case 1:
        return mr_random_below(r, 3);
    case 2:
        return mr_random_below(r, 70);
    case 3:
        return mr_random_below(r, 5000);
    case 4:
        return mr_random_below(r, 3600000);
    case 5:
        return mr_random_below(r, UINT64_C(40) * 86400000);
    case 6:
        return UINT64_C(64) << mr_random_below(r, 24);
    default:
        return mr_random_u64(r) >> mr_random_below(r, 64);
    }
}

static void model_set(struct model *m, size_t i)
{
    uint64_t delay = some_delay(&m->random), due;

    due = delay > UINT64_MAX - m->now_ms ? UINT64_MAX : m->now_ms + delay;
    if (mr_random_below(&m->random, 8) == 0)
        due = mr_random_below(&m->random, m->now_ms + 1); /* past */
    mr_timer_set(&m->wheel, &m->t[i].timer, due);
    assert_int_equal(m->t[i].timer.due_ms, due);
    m->t[i].armed = true;
    m->t[i].this_advance = false;
    m->t[i].due_ms = MR_MAX(due, m->now_ms);
    m->t[i].order = m->setting++;
}

static void model_cancel(struct model *m, size_t i)
{
    mr_timer_cancel(&m->wheel, &m->t[i].timer);
    m->t[i].armed = false;
}

static size_t model_first(const struct model *m, bool this_advance)
{
    size_t first = TIMERS;

    for (size_t i = 0; i < TIMERS; i++) {
        if (!m->t[i].armed || (this_advance && !m->t[i].this_advance))
            continue;
        if (first == TIMERS || m->t[i].due_ms < m->t[first].due_ms ||
            (m->t[i].due_ms == m->t[first].due_ms && m->t[i].order < m->t[first].order))
            first = i;
    }
    return first;
}

static void random_operations(struct model *m, uint64_t n)
{
    for (uint64_t k = 0; k < n; k++) {
        size_t i = mr_random_below(&m->random, TIMERS);

        if (mr_random_below(&m->random, 3) == 0)
            model_cancel(m, i);
        else
            model_set(m, i);
    }
}

static void on_timer(void *ctx, struct mr_timer *t)
{
    struct model *m = ctx;
    size_t expected = model_first(m, true);

    assert_int_not_equal(expected, TIMERS);
    assert_ptr_equal(t, &m->t[expected].timer);
    assert_true(m->t[expected].due_ms <= m->now_ms);
    assert_false(mr_timer_armed(t));
    m->t[expected].armed = false;
    m->fired++;
    if (mr_random_below(&m->random, 4) == 0)
        model_set(m, expected);
    random_operations(m, mr_random_below(&m->random, 4));
}

static void check(const struct model *m)
{
    size_t first = model_first(m, false), armed = 0;
    uint64_t next = mr_wheel_next_ms(&m->wheel);

    for (size_t i = 0; i < TIMERS; i++) {
        assert_int_equal(mr_timer_armed(&m->t[i].timer), m->t[i].armed);
        armed += m->t[i].armed;
    }
    assert_int_equal(m->wheel.armed_count, armed);
    if (first == TIMERS)
        assert_int_equal(next, UINT64_MAX);
    else
        assert_true(next <= m->t[first].due_ms);
}

static void model_advance(struct model *m, uint64_t now_ms)
{
    size_t rest;

    m->now_ms = MR_MAX(now_ms, m->now_ms);
    for (size_t i = 0; i < TIMERS; i++)
        m->t[i].this_advance = m->t[i].armed;
    mr_wheel_advance(&m->wheel, now_ms, on_timer, m);
    rest = model_first(m, true);
    if (rest != TIMERS)
        assert_true(m->t[rest].due_ms > m->now_ms); /* nothing that was due is left */
}

static void the_wheel_equals_a_naive_list(void **state)
{
    struct model *m = calloc(1, sizeof *m);

    (void)state;
    assert_non_null(m);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        memset(m, 0, sizeof *m);
        mr_random_init(&m->random, seed);
        m->now_ms = seed == 1 ? 0 : mr_random_u64(&m->random) >> 16;
        mr_wheel_init(&m->wheel, m->now_ms);
        for (int step = 0; step < 10000; step++) {
            random_operations(m, mr_random_below(&m->random, 4));
            switch (mr_random_below(&m->random, 4)) {
            case 0:
                model_advance(m, m->now_ms + mr_random_below(&m->random, 4));
                break;
            case 1:
                model_advance(m, m->now_ms + mr_random_below(&m->random, 20000));
                break;
            case 2: /* as the loop does: sleep until the wheel's next */
                if (mr_wheel_next_ms(&m->wheel) != UINT64_MAX)
                    model_advance(m, MR_MIN(mr_wheel_next_ms(&m->wheel), UINT64_C(1) << 62));
                break;
            default:
                if (step % 50 == 0)
                    model_advance(m, m->now_ms + mr_random_below(&m->random, 20 * 3600000));
            }
            check(m);
        }
        assert_true(m->fired > 1000);
    }
    free(m);
}

static void count(void *ctx, struct mr_timer *t)
{
    (void)t;
    ++*(int *)ctx;
}

static void a_timer_fires_at_its_millisecond_not_before(void **state)
{
    static struct mr_wheel w;

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t start = 1000003, due = start + (UINT64_C(1) << bit) + (uint64_t)delta;
            struct mr_timer t = {0};
            int fired = 0;

            if (due <= start)
                continue;
            mr_wheel_init(&w, start);
            mr_timer_set(&w, &t, due);
            mr_wheel_advance(&w, due - 1, count, &fired);
            assert_int_equal(fired, 0);
            mr_wheel_advance(&w, due, count, &fired);
            assert_int_equal(fired, 1);
            assert_int_equal(mr_wheel_next_ms(&w), UINT64_MAX);
        }
    }
}

static void sleeping_until_next_reaches_any_timer_in_few_steps(void **state)
{
    static struct mr_wheel w;
    struct mr_timer t = {0};
    int fired = 0, steps = 0;

    (void)state;
    mr_wheel_init(&w, 12345);
    mr_timer_set(&w, &t, UINT64_MAX - 1);
    for (; !fired; steps++)
        mr_wheel_advance(&w, mr_wheel_next_ms(&w), count, &fired);
    assert_true(steps <= MR_WHEEL_LEVELS);
    assert_int_equal(w.now_ms, UINT64_MAX - 1);
}

static void time_does_not_go_back(void **state)
{
    static struct mr_wheel w;
    struct mr_timer late = {0}, past = {0};
    int fired = 0;

    (void)state;
    mr_wheel_init(&w, 1000);
    mr_timer_set(&w, &late, 1500);
    mr_wheel_advance(&w, 10, count, &fired);
    assert_int_equal(w.now_ms, 1000);
    assert_int_equal(fired, 0);
    mr_timer_set(&w, &past, 3);
    assert_int_equal(mr_wheel_next_ms(&w), 1000);
    mr_wheel_advance(&w, 10, count, &fired);
    assert_int_equal(fired, 1);
    mr_wheel_advance(&w, 1500, count, &fired);
    assert_int_equal(fired, 2);
}

struct again {
    struct mr_wheel *w;
    int calls;
};

static void set_again_at_once(void *ctx, struct mr_timer *t)
{
    struct again *a = ctx;

    a->calls++;
    mr_timer_set(a->w, t, 0);
}

static void a_timer_that_sets_itself_for_the_past_does_not_hang_the_loop(void **state)
{
    static struct mr_wheel w;
    struct again a = {.w = &w};
    struct mr_timer t = {0};

    (void)state;
    mr_wheel_init(&w, 5);
    mr_timer_set(&w, &t, 7);
    for (int i = 0; i < 3; i++)
        mr_wheel_advance(&w, 100, set_again_at_once, &a);
    assert_int_equal(a.calls, 3);
    mr_timer_cancel(&w, &t);
    mr_timer_cancel(&w, &t);
    assert_int_equal(w.armed_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wheel_equals_a_naive_list),
        cmocka_unit_test(a_timer_fires_at_its_millisecond_not_before),
        cmocka_unit_test(sleeping_until_next_reaches_any_timer_in_few_steps),
        cmocka_unit_test(time_does_not_go_back),
        cmocka_unit_test(a_timer_that_sets_itself_for_the_past_does_not_hang_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
