/* What an operator may get wrong, and what the system may forbid: one sentence that names it and
 * what to do, and exit code 1. */
#include "tests/system/process.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int dir_make(void **state)
{
    (void)state;
    process_make_dir(dir);
    return 0;
}

static int dir_remove(void **state)
{
    (void)state;
    process_remove_dir(dir);
    return 0;
}

static void wrong_flags(void **state)
{
    (void)state;
    process_refuses(ARGS("--nosuch"), NULL, ARGS("--nosuch"));
    process_refuses(ARGS("--maxpeers"), NULL, ARGS("--maxpeers", "--help"));
    process_refuses(ARGS("--maxpeers", "many"), NULL, ARGS("--maxpeers", "many"));
    process_refuses(ARGS("--maxpeers", "-1"), NULL, ARGS("--maxpeers"));
    process_refuses(ARGS("--maxpeers", "4294967296"), NULL, ARGS("--maxpeers"));
    process_refuses(ARGS("--maxpeers", "20001"), NULL, ARGS("--maxpeers", "20000"));
    process_refuses(ARGS("--port", "65536"), NULL, ARGS("--port", "65535"));
    process_refuses(ARGS("--addr", "localhost"), NULL, ARGS("--addr", "IPv4"));
    process_refuses(ARGS("--shards", "0"), NULL, ARGS("--shards"));
    process_refuses(ARGS("--shards", "61"), NULL, ARGS("--shards", "60"));
    process_refuses(ARGS("--verbosity", "6"), NULL, ARGS("--verbosity"));
    process_refuses(ARGS("--recovery-budget", "0"), NULL,
                    ARGS("--recovery-budget must be 1 to 100 percent"));
    process_refuses(ARGS("--fresh-age", "99999"), NULL, ARGS("--fresh-age", "86400 seconds"));
    process_refuses(ARGS("--network", "ropsten"), NULL, ARGS("--network", "sepolia"));
    process_refuses(ARGS("--network", "sepolia", "--network-file", "x"), NULL,
                    ARGS("--network", "--network-file", "give one"));
    process_refuses(ARGS("--bootnodes", "x"), NULL, ARGS("--bootnodes", "--static"));
    process_refuses(ARGS("surplus"), NULL, ARGS("surplus", "--help"));
    process_refuses(ARGS("walk"), &(struct process_options){.bare = true}, ARGS("walk"));
}

static void wrong_lists(void **state)
{
    char path[96], at[112];
    const char *zero = "enode://"
                       "00000000000000000000000000000000000000000000000000000000000000000000000000"
                       "000000000000000000000000000000000000000000000000000000@127.0.0.1:0";

    (void)state;
    snprintf(path, sizeof path, "%s/nodes", dir);
    snprintf(at, sizeof at, "@%s", path);
    process_refuses(ARGS("--static", "enode://12@127.0.0.1:1"), NULL,
                    ARGS("--static", "enode://ID@IP:PORT"));
    process_refuses(ARGS("--trusted", zero), NULL, ARGS("--trusted"));
    process_refuses(ARGS("--static", "@/nonexistent/list"), NULL,
                    ARGS("--static", "/nonexistent/list", "No such file", "check the path"));
    process_write_file(path, "# first\n\nnot a node\n", 0600);
    process_refuses(ARGS("--trusted", at), NULL, ARGS("--trusted", path, "line 3"));
}

static void wrong_keys(void **state)
{
    static const char *const bad[] = {
        "",
        "00\n",
        "0000000000000000000000000000000000000000000000000000000000000000\n", /* zero */
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141\n", /* n */
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\n",
        "11111111111111111111111111111111111111111111111111111111111111111\n", /* 65 digits */
        "111111111111111111111111111111111111111111111111111111111111111\n",   /* 63 */
        "111111111111111111111111111111111111111111111111111111111111111g\n",
        "0x1111111111111111111111111111111111111111111111111111111111111111\n",
    };
    static const char *const good =
        "1111111111111111111111111111111111111111111111111111111111111111\n";
    char path[96];

    (void)state;
    snprintf(path, sizeof path, "%s/key", dir);
    for (size_t i = 0; i < MR_COUNT_OF(bad); i++) {
        process_write_file(path, bad[i], 0600);
        process_refuses(ARGS("--nodekey", path), NULL,
                        ARGS("key", path, "64 hexadecimal digits", "millrace key new"));
    }
    process_write_file(path, good, 0600);
    for (unsigned mode = 0; mode < 0100; mode++) {
        if ((mode & 044) == 0 || (mode != 040 && mode != 004 && mode != 044 && mode != 077))
            continue;
        assert_int_equal(chmod(path, 0600 | mode), 0);
        process_refuses(ARGS("--nodekey", path), NULL, ARGS("key", path, "chmod 600"));
    }
    process_refuses(ARGS("--nodekey", "/nonexistent/key"), NULL,
                    ARGS("key", "/nonexistent/key", "No such file", "millrace key new"));
    process_refuses(ARGS("--nodekey", dir), NULL, ARGS("key", dir, "millrace key new"));
    if (geteuid() != 0) { /* nothing is unreadable to root */
        assert_int_equal(chmod(path, 0), 0);
        process_refuses(ARGS("--nodekey", path), NULL, ARGS("key", path, "Permission denied"));
    }
}

static void wrong_places(void **state)
{
    char path[96], below[112];

    (void)state;
    snprintf(path, sizeof path, "%s/file", dir);
    snprintf(below, sizeof below, "%s/data", path);
    process_write_file(path, "a file\n", 0600);
    process_refuses(ARGS("--datadir", path), NULL, ARGS("--datadir", path, "name a folder"));
    process_refuses(ARGS("--datadir", below), NULL, ARGS("--datadir", below, "name a folder"));
    process_refuses(ARGS("--log.file", below), NULL, ARGS("--log.file", below, "name a file"));
    process_refuses(ARGS("--network-file", path), NULL, ARGS(path));
    process_refuses(ARGS("--network-file", "/nonexistent.json"), NULL,
                    ARGS("--network-file", "/nonexistent.json", "check the path"));
    process_refuses(ARGS("--network-file", "/dev/zero"), NULL,
                    ARGS("--network-file", "/dev/zero", "4 MiB"));
}

static void a_port_that_is_taken(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(LOOPBACK)}};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char port[16];

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    snprintf(port, sizeof port, "%u", ntohs(a.sin_port));
    process_refuses(ARGS("--port", port), NULL, ARGS("127.0.0.1", port, "another port"));
    close(fd);
}

static void an_address_that_is_not_ours(void **state)
{
    (void)state;
    process_refuses(ARGS("--addr", "192.0.2.1"), NULL, ARGS("192.0.2.1", "0.0.0.0"));
}

static void a_system_that_forbids_io_uring(void **state)
{
    (void)state;
    process_refuses(ARGS(NULL), &(struct process_options){.forbid_uring = true},
                    ARGS("io_uring", "seccomp"));
    process_refuses(ARGS(NULL), &(struct process_options){.uring_no_such = true},
                    ARGS("io_uring", "6.1"));
}

static void too_few_descriptors(void **state)
{
    struct process p;

    process_refuses(ARGS("--maxpeers", "1000", "--shards", *state),
                    &(struct process_options){.files_max = 512},
                    ARGS("--maxpeers 1000", "512", "LimitNOFILE"));
    /* 100 peers, three threads with 4 each, and 64: what is said to be needed is enough */
    process_refuses(ARGS("--maxpeers", "100", "--shards", "1"),
                    &(struct process_options){.files_max = 175},
                    ARGS("--maxpeers 100", "176 open files", "175", "LimitNOFILE"));
    process_start(&p, ARGS("--maxpeers", "100", "--shards", "1"),
                  &(struct process_options){.files_max = 176});
    process_await_text(&p, "--maxpendpeers", 1000); /* fewer than it may need: it says so */
    assert_true(process_files(&p) <= 76);
    process_stop(&p);
}

static void the_key_tool_keeps_what_is_there(void **state)
{
    const struct process_options bare = {.bare = true};
    struct process p;
    char path[96];
    struct stat st;

    (void)state;
    snprintf(path, sizeof path, "%s/made", dir);
    assert_int_equal(process_run(&p, ARGS("key", "new", path), &bare), 0);
    process_kill(&p);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(process_run(&p, ARGS("key", "show", path), &bare), 0);
    process_kill(&p);
    process_refuses(ARGS("key", "new", path), &bare, ARGS(path, "exists", "name a new file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_flags),
        cmocka_unit_test(wrong_lists),
        cmocka_unit_test(wrong_keys),
        cmocka_unit_test(wrong_places),
        cmocka_unit_test(a_port_that_is_taken),
        cmocka_unit_test(an_address_that_is_not_ours),
        cmocka_unit_test(a_system_that_forbids_io_uring),
        BOTH(too_few_descriptors),
        cmocka_unit_test(the_key_tool_keeps_what_is_there),
    };

    return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
