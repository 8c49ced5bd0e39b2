#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"

enum { THREADS = 4, LINES = 2000 };

static char dir[] = "/tmp/mr_log_XXXXXX";

static void *write_lines(void *arg)
{
    uint64_t id = *(const uint64_t *)arg;

    for (uint64_t i = 0; i < LINES; i++)
        MR_LOG_INFO("line", mr_log_u64("thread", id), mr_log_u64("i", i),
                    mr_log_text("pad", "0123456789012345678901234567890123456789"));
    return NULL;
}

static void run_threads(void)
{
    uint64_t ids[THREADS];
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &ids[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        mr_log_tick();
        assert_int_equal(mr_log_reopen(), MR_OK);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* Lines of the file, each checked to be whole; *held is what they say was held back. */
static size_t count_whole_lines(uint64_t *held, const char *path)
{
    FILE *f = fopen(path, "r");
    char line[MR_LOG_LINE_MAX + 1];
    size_t n = 0;

    *held = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char *said = strstr(line, " suppressed=");

        assert_int_equal(line[0], 't');
        assert_null(strstr(line + 1, "t=20"));
        if (said)
            *held += strtoul(said + 12, NULL, 10);
        if (!strstr(line, "lines held back")) {
            assert_non_null(strstr(line, "pad=\"0123456789012345678901234567890123456789\""));
            n++;
        }
    }
    fclose(f);
    return n;
}

static void lines_of_many_threads_stay_whole_over_reopening(void **state)
{
    char path[64];
    uint64_t held;

    (void)state;
    snprintf(path, sizeof path, "%s/whole", dir);
    assert_int_equal(mr_log_open(&(struct mr_log_options){.level = 3, .path = path}), MR_OK);
    run_threads();
    mr_log_close();
    assert_int_equal(count_whole_lines(&held, path), THREADS * LINES);
    assert_int_equal(held, 0);
    assert_int_equal(mr_log_failed(), 0);
    unlink(path);
}

static void what_is_written_and_what_is_held_back_add_up(void **state)
{
    char path[64];
    uint64_t held;
    size_t written;

    (void)state;
    snprintf(path, sizeof path, "%s/limited", dir);
    assert_int_equal(
        mr_log_open(&(struct mr_log_options){.level = 3, .path = path, .lines_per_second = 100}),
        MR_OK);
    run_threads();
    mr_log_close();
    written = count_whole_lines(&held, path);
    assert_int_equal(written + held, THREADS * LINES);
    assert_true(held > 0);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_many_threads_stay_whole_over_reopening),
        cmocka_unit_test(what_is_written_and_what_is_held_back_add_up),
    };

    if (!mkdtemp(dir))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
