/* What is read of a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "perf/load_proc.h"

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void memory_and_cpu_of_this_process_are_found(void **state)
{
    const size_t size = 64u << 20;
    struct mr_load_proc before = mr_load_proc_read(getpid()), after;
    const double begin_s = cpu_s();
    volatile char *p = malloc(size);
    double used_s;

    (void)state;
    assert_true(before.known);
    assert_non_null((void *)(uintptr_t)p);
    while ((used_s = cpu_s() - begin_s) < 0.2)
        for (size_t i = 0; i < size; i += 4096)
            p[i] = (char)i;
    after = mr_load_proc_read(getpid());
    assert_true(after.rss_bytes >= before.rss_bytes + size / 2);
    assert_true(after.cpu_s - before.cpu_s > used_s / 2);
    assert_true(after.wait_s >= before.wait_s);
    free((void *)(uintptr_t)p);
}

static void a_process_that_is_not_there_is_unknown(void **state)
{
    (void)state;
    assert_false(mr_load_proc_read(0).known);
    assert_false(mr_load_proc_read(INT32_MAX).known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_and_cpu_of_this_process_are_found),
        cmocka_unit_test(a_process_that_is_not_there_is_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
