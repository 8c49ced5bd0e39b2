#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <unistd.h>

#include "node/lines.h"

/* A descriptor from which text is read. */
static int pipe_of(const char *text)
{
    int fd[2];

    assert_int_equal(pipe(fd), 0);
    assert_int_equal(write(fd[1], text, strlen(text)), strlen(text));
    close(fd[1]);
    return fd[0];
}

static void expect(const char *text, size_t max, const char *const *lines)
{
    struct mr_lines l;
    const char *line;
    size_t n;
    int fd = pipe_of(text);

    mr_lines_init(&l, fd, max);
    for (; *lines; lines++) {
        enum mr_lines_got got = mr_lines_next(&l, &line, &n);

        if (strcmp(*lines, "(too long)") == 0) {
            assert_int_equal(got, MR_LINES_TOO_LONG);
            continue;
        }
        assert_int_equal(got, MR_LINES_LINE);
        assert_int_equal(n, strlen(*lines));
        assert_memory_equal(line, *lines, n);
    }
    assert_int_equal(mr_lines_next(&l, &line, &n), MR_LINES_END);
    mr_lines_free(&l);
    close(fd);
}

static void lines_end_with_lf_crlf_or_the_input(void **state)
{
    (void)state;
    expect("", 10, (const char *const[]){NULL});
    expect("\n", 10, (const char *const[]){"", NULL});
    expect("a\n\nb\r\nc", 10, (const char *const[]){"a", "", "b", "c", NULL});
}

static void a_line_over_the_limit_is_dropped_alone(void **state)
{
    (void)state;
    expect("1234\n12345\n123\r\n12345", 4,
           (const char *const[]){"1234", "(too long)", "123", "(too long)", NULL});
}

static void long_lines_cost_the_limit_not_their_length(void **state)
{
    static char text[300000];
    struct mr_lines l;
    const char *line;
    size_t n;
    int fd[2];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 4] = '\n';
    mr_lines_init(&l, -1, 70000);
    assert_int_equal(pipe(fd), 0);
    l.fd = fd[0];
    if (fork() == 0) {
        for (size_t at = 0; at < sizeof text;) {
            ssize_t done = write(fd[1], text + at, sizeof text - at);

            if (done < 0)
                _exit(1);
            at += (size_t)done;
        }
        _exit(0);
    }
    close(fd[1]);
    assert_int_equal(mr_lines_next(&l, &line, &n), MR_LINES_TOO_LONG);
    assert_int_equal(mr_lines_next(&l, &line, &n), MR_LINES_LINE);
    assert_int_equal(n, 3);
    assert_true(l.cap <= 2 * 131072);
    assert_int_equal(mr_lines_next(&l, &line, &n), MR_LINES_END);
    mr_lines_free(&l);
    close(fd[0]);
}

static void a_descriptor_that_cannot_be_read_fails(void **state)
{
    struct mr_lines l;
    const char *line;
    size_t n;

    (void)state;
    mr_lines_init(&l, -1, 10);
    assert_int_equal(mr_lines_next(&l, &line, &n), MR_LINES_FAILED);
    mr_lines_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_with_lf_crlf_or_the_input),
        cmocka_unit_test(a_line_over_the_limit_is_dropped_alone),
        cmocka_unit_test(long_lines_cost_the_limit_not_their_length),
        cmocka_unit_test(a_descriptor_that_cannot_be_read_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
