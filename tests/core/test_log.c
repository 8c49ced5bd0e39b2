#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"

static char dir[] = "/tmp/mr_log_XXXXXX";
static char path[64];
static char text[1 << 20];

static void open_log(enum mr_log_level level, uint32_t lines_per_second)
{
    unlink(path);
    assert_int_equal(mr_log_open(&(struct mr_log_options){
                         .level = level, .path = path, .lines_per_second = lines_per_second}),
                     MR_OK);
}

/* Closes the log and reads it; returns the number of its lines. */
static size_t read_log(void)
{
    FILE *f;
    size_t n, lines = 0;

    mr_log_close();
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    assert_true(n == 0 || text[n - 1] == '\n');
    return lines;
}

/* Logs one value and returns what stands between v=" and the closing quote. */
static const char *logged_as(const char *value, size_t n)
{
    char *start, *end;

    open_log(MR_LOG_LEVEL_INFO, 0);
    MR_LOG_INFO("test", mr_log_str("v", value, n));
    assert_int_equal(read_log(), 1);
    start = strstr(text, " v=\"");
    assert_non_null(start);
    start += 4;
    end = text + strlen(text) - 2;
    assert_int_equal(*end, '"');
    *end = '\0';
    return start;
}

static void a_line_is_logfmt_with_time_and_level(void **state)
{
    unsigned y, mo, d, h, mi, s, ms;
    int64_t t;

    (void)state;
    open_log(MR_LOG_LEVEL_INFO, 0);
    t = (int64_t)time(NULL);
    MR_LOG_WARN("peer up", mr_log_text("client", "Geth/v1"), mr_log_u64("peers", UINT64_MAX),
                mr_log_i64("delta", -5), mr_log_hex("id", "\x00\xff", 2),
                mr_log_err("why", MR_FULL), mr_log_text("none", NULL));
    assert_int_equal(read_log(), 1);
    assert_non_null(strstr(text, "Z lvl=warn msg=\"peer up\" client=\"Geth/v1\" "
                                 "peers=18446744073709551615 delta=-5 id=0x00ff "
                                 "why=\"queue, pool or output is full\" none=\"\"\n"));
    assert_int_equal(sscanf(text, "t=%4u-%2u-%2uT%2u:%2u:%2u.%3uZ", &y, &mo, &d, &h, &mi, &s, &ms),
                     7);
    {
        struct tm tm = {.tm_year = (int)y - 1900,
                        .tm_mon = (int)mo - 1,
                        .tm_mday = (int)d,
                        .tm_hour = (int)h,
                        .tm_min = (int)mi,
                        .tm_sec = (int)s};
        int64_t logged = (int64_t)timegm(&tm);

        assert_true(logged >= t && logged <= t + 60);
    }
}

static void lines_above_the_level_are_not_written(void **state)
{
    (void)state;
    open_log(MR_LOG_LEVEL_WARN, 0);
    MR_LOG_INFO("no");
    MR_LOG_DEBUG("no");
    MR_LOG_TRACE("no");
    MR_LOGF_INFO("no %d", 1);
    MR_LOG_WARN("yes");
    MR_LOG_ERROR("yes");
    mr_log_set_level(MR_LOG_LEVEL_TRACE);
    assert_int_equal(mr_log_get_level(), MR_LOG_LEVEL_TRACE);
    MR_LOG_TRACE("yes");
    mr_log_set_level(MR_LOG_LEVEL_SILENT);
    MR_LOG_ERROR("no");
    assert_int_equal(read_log(), 3);
    assert_null(strstr(text, "no"));
}

static void formatted_messages_are_escaped_too(void **state)
{
    (void)state;
    open_log(MR_LOG_LEVEL_INFO, 0);
    errno = 1234;
    MR_LOGF_INFO("%d%% of \"%s\"", 50, "a\nb\x1b[31m");
    assert_int_equal(errno, 1234);
    assert_int_equal(read_log(), 1);
    assert_non_null(strstr(text, "msg=\"50% of \\\"a\\nb\\x1b[31m\\\"\"\n"));
}

static void control_quote_direction_and_invalid_bytes_are_escaped(void **state)
{
    static const struct {
        const char *in;
        size_t n;
        const char *out;
    } cases[] = {
        {"a\nb\rc\td", 7, "a\\nb\\rc\\td"},
        {"\x1b[31mred", 8, "\\x1b[31mred"},
        {"a\0b", 3, "a\\x00b"},
        {"q\"q\\q", 5, "q\\\"q\\\\q"},
        {"\x7f", 1, "\\x7f"},
        {"\xc2\x9b", 2, "\\u009b"},             /* C1 control sequence introducer */
        {"\xe2\x80\xae", 3, "\\u202e"},         /* right-to-left override */
        {"\xe2\x81\xa6", 3, "\\u2066"},         /* left-to-right isolate */
        {"\xd8\x9c", 2, "\\u061c"},             /* Arabic letter mark */
        {"\xe2\x80\xa8", 3, "\\u2028"},         /* line separator */
        {"\xe2\x80\x8b", 3, "\\u200b"},         /* zero width space */
        {"\xef\xbb\xbf", 3, "\\ufeff"},         /* byte order mark */
        {"\xf3\xa0\x81\x81", 4, "\\U000e0041"}, /* tag */
        {"\xff\xc3(\xed\xa0\x80", 6, "\\xff\\xc3(\\xed\\xa0\\x80"},
        {"\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80", 9, "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80"},
        {"%n%s%x", 6, "%n%s%x"},
        {" lvl=error msg=fake", 19, " lvl=error msg=fake"},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(cases); i++)
        assert_string_equal(logged_as(cases[i].in, cases[i].n), cases[i].out);
}

static size_t characters(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void values_end_after_128_characters(void **state)
{
    static char big[1 << 20];
    static const char *const units[] = {
        "a", "\n", "\xff", "\xc3\xa9", "\xe2\x80\xae", "\xf3\xa0\x81\x81", "ab\"", "abc\x01"};
    const char *out;

    (void)state;
    memset(big, 'x', 128);
    out = logged_as(big, 128);
    assert_int_equal(strlen(out), 128);
    assert_int_equal(out[127], 'x');
    out = logged_as(big, 129);
    assert_int_equal(strlen(out), 128);
    assert_string_equal(out + 124, "x...");
    for (size_t u = 0; u < MR_COUNT_OF(units); u++) {
        size_t len = strlen(units[u]), n = 0;

        while (n + len < sizeof big)
            memcpy(big + n, units[u], len), n += len;
        out = logged_as(big, n);
        assert_in_range(characters(out), 118, 128);
        assert_string_equal(out + strlen(out) - 3, "...");
    }
    memset(big, 0xab, sizeof big);
    open_log(MR_LOG_LEVEL_INFO, 0);
    MR_LOG_INFO("hex", mr_log_hex("v", big, sizeof big));
    MR_LOG_INFO("hex", mr_log_hex("v", big, 63));
    assert_int_equal(read_log(), 2);
    out = strstr(text, "v=0x") + 2;
    assert_int_equal(strcspn(out, "\n"), 128);
    assert_memory_equal(out + 125, "...\n", 4);
    out = strstr(out, "v=0x") + 2;
    assert_int_equal(strcspn(out, "\n"), 128);
    assert_memory_equal(out + 125, "bab\n", 4);
}

static void a_line_too_long_loses_whole_fields_and_says_so(void **state)
{
    char v[128 * 4];
    const char *line;

    (void)state;
    for (size_t i = 0; i < sizeof v; i += 4)
        memcpy(v + i, "\xf0\x9f\x98\x80", 4);
    open_log(MR_LOG_LEVEL_INFO, 0);
    MR_LOG_INFO("long", mr_log_str("a", v, sizeof v), mr_log_str("b", v, sizeof v),
                mr_log_str("c", v, sizeof v), mr_log_str("d", v, sizeof v), mr_log_u64("e", 5));
    assert_int_equal(read_log(), 1);
    assert_true(strlen(text) <= MR_LOG_LINE_MAX);
    line = strstr(text, " c=\"");
    assert_non_null(line);
    assert_null(strstr(line, " d="));
    assert_string_equal(strrchr(line, '"'), "\" e=5 cut=true\n");
}

static void a_site_writes_so_many_lines_a_second_and_says_what_it_held_back(void **state)
{
    uint64_t before = mr_log_suppressed(), held;
    size_t lines, said = 0;

    (void)state;
    open_log(MR_LOG_LEVEL_INFO, 5);
    for (int i = 0; i < 1000; i++)
        MR_LOG_INFO("flood");
    for (int i = 0; i < 3; i++)
        MR_LOG_INFO("another site");
    held = mr_log_suppressed() - before;
    assert_true(held >= 900);
    lines = read_log(); /* closing says the rest */
    assert_non_null(strstr(text, "site=\"test_log.c:"));
    for (char *at = text; (at = strstr(at, " suppressed=")); at++)
        said += strtoul(at + 12, NULL, 10);
    assert_int_equal(said, held);
    assert_in_range(lines, 5 + 3 + 1, 100);
}

static void tick_is_silent_while_nothing_is_held_back(void **state)
{
    (void)state;
    open_log(MR_LOG_LEVEL_INFO, 5);
    MR_LOG_INFO("once");
    mr_log_tick();
    assert_int_equal(read_log(), 1);
}

static void reopening_follows_a_rotated_file(void **state)
{
    char moved[80];
    struct stat st;

    (void)state;
    snprintf(moved, sizeof moved, "%s.1", path);
    open_log(MR_LOG_LEVEL_INFO, 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0137, 0);
    MR_LOG_INFO("old");
    assert_int_equal(rename(path, moved), 0);
    MR_LOG_INFO("old");
    assert_int_equal(mr_log_reopen(), MR_OK);
    MR_LOG_INFO("new");
    assert_int_equal(read_log(), 1);
    assert_non_null(strstr(text, "new"));
    assert_int_equal(rename(moved, path), 0);
}

static void a_path_that_cannot_be_opened_is_told_and_the_old_file_goes_on(void **state)
{
    static char huge[5000];

    (void)state;
    memset(huge, 'x', sizeof huge - 1);
    assert_int_equal(mr_log_open(&(struct mr_log_options){.level = 3, .path = "/nonexistent/x"}),
                     MR_SYSTEM);
    assert_int_equal(mr_log_open(&(struct mr_log_options){.level = 3, .path = huge}), MR_TOO_BIG);
    assert_int_equal(mr_log_reopen(), MR_OK); /* standard error: nothing to do */
    open_log(MR_LOG_LEVEL_INFO, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mr_log_reopen(), MR_SYSTEM);
    MR_LOG_INFO("still here");
    assert_int_equal(mr_log_failed(), 0);
    mr_log_close();
    assert_int_equal(rmdir(path), 0);
}

static void a_pipe_that_nobody_empties_loses_lines_and_holds_up_nobody(void **state)
{
    uint64_t failed = mr_log_failed();
    ssize_t n;
    int reader;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0 && fcntl(reader, F_SETPIPE_SZ, 4096) == 4096);
    assert_int_equal(
        mr_log_open(&(struct mr_log_options){.level = MR_LOG_LEVEL_INFO, .path = path}), MR_OK);
    for (unsigned i = 0; i < 200; i++)
        MR_LOG_INFO("into a pipe");
    failed = mr_log_failed() - failed;
    n = read(reader, text, sizeof text);
    assert_true(n > 0 && text[n - 1] == '\n'); /* whole lines */
    for (ssize_t i = 0; i < n; i++)
        failed += text[i] == '\n';
    assert_int_equal(failed, 200);
    MR_LOG_INFO("and goes on");
    assert_true(read(reader, text, sizeof text) > 0);
    mr_log_close();
    close(reader);
    assert_int_equal(unlink(path), 0);
}

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/log", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_logfmt_with_time_and_level),
        cmocka_unit_test(lines_above_the_level_are_not_written),
        cmocka_unit_test(formatted_messages_are_escaped_too),
        cmocka_unit_test(control_quote_direction_and_invalid_bytes_are_escaped),
        cmocka_unit_test(values_end_after_128_characters),
        cmocka_unit_test(a_line_too_long_loses_whole_fields_and_says_so),
        cmocka_unit_test(a_site_writes_so_many_lines_a_second_and_says_what_it_held_back),
        cmocka_unit_test(tick_is_silent_while_nothing_is_held_back),
        cmocka_unit_test(reopening_follows_a_rotated_file),
        cmocka_unit_test(a_path_that_cannot_be_opened_is_told_and_the_old_file_goes_on),
        cmocka_unit_test(a_pipe_that_nobody_empties_loses_lines_and_holds_up_nobody),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
