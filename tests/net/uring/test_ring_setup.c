/* What is said where io_uring is refused (S-09), and what an enabled ring refuses itself. */
#include "helper_loopback.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/uring/ring_private.h"

static void the_probe_passes_here_and_leaves_nothing_open(void **state)
{
    char sentence[512] = "";
    int before = dup(0), after;

    (void)state;
    close(before);
    if (!mr_ring_probe(sentence, sizeof sentence))
        fail_msg("%s", sentence);
    after = dup(0);
    close(after);
    assert_int_equal(before, after);
    assert_string_equal(sentence, "");
}

/* From here on `number` fails with `error` in this process. */
static void refuse_system_call(unsigned number, unsigned error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = MR_COUNT_OF(code), .filter = code};

    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* 42 where the probe fails and says `expected` in one line. */
static int probe_says(const char *expected)
{
    char sentence[512] = "";

    if (mr_ring_probe(sentence, sizeof sentence))
        return 1;
    if (!strstr(sentence, expected) || strchr(sentence, '\n')) {
        fprintf(stderr, "said: %s\n", sentence);
        return 2;
    }
    return 42;
}

static int set_up_forbidden(void)
{
    refuse_system_call(__NR_io_uring_setup, EPERM);
    return probe_says("forbidden by a seccomp filter");
}

static int set_up_unknown(void)
{
    refuse_system_call(__NR_io_uring_setup, ENOSYS);
    return probe_says("Linux 6.1 or newer");
}

static int register_forbidden(void)
{
    refuse_system_call(__NR_io_uring_register, EPERM);
    return mr_ring_probe((char[512]){""}, 512) ? 1 : 42;
}

static int no_descriptors(void)
{
    struct rlimit limit = {0};

    limit.rlim_cur = limit.rlim_max = (rlim_t)dup(0);
    close((int)limit.rlim_cur);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return probe_says("raise the limit of open files (ulimit -n");
}

static void the_probe_says_what_refuses_in_one_line(void **state)
{
    (void)state;
    assert_int_equal(in_child(set_up_forbidden), 42);
    assert_int_equal(in_child(set_up_unknown), 42);
    assert_int_equal(in_child(register_forbidden), 42);
    assert_int_equal(in_child(no_descriptors), 42);
}

static void every_error_has_a_sentence_that_fits(void **state)
{
    static const struct {
        int error;
        const char *part;
    } cases[] = {{ENOMEM, "ulimit -l"},
                 {ENFILE, "fs.file-max"},
                 {EINVAL, "Linux 6.1"},
                 {EOPNOTSUPP, "Linux 6.1"},
                 {EFAULT, "set-up"}};
    char sentence[512], tiny[8];

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(cases); i++) {
        mr_ring_explain(sentence, sizeof sentence, "set-up", cases[i].error);
        assert_non_null(strstr(sentence, cases[i].part));
        mr_ring_explain(tiny, sizeof tiny, "set-up", cases[i].error);
        assert_int_equal(strlen(tiny), sizeof tiny - 1);
    }
}

static void an_enabled_ring_refuses_what_this_module_never_does(void **state)
{
    const struct mr_ring_options options = {.entries = 8, .completions = 16};
    struct mr_ring *ring = ring_of(&options);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

    (void)state;
    io_uring_prep_openat(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0);
    io_uring_sqe_set_data64(sqe, mr_op_pack(1, 2, 3));
    assert_int_equal(ring_next(ring).res, -EACCES);
    sqe = io_uring_get_sqe(&ring->uring);
    io_uring_prep_write(sqe, 1, "no\n", 3, 0);
    io_uring_sqe_set_data64(sqe, mr_op_pack(1, 2, 3));
    assert_int_equal(ring_next(ring).res, -EACCES);
    /* Allowed operations, but chained to another: no such flag. */
    assert_int_equal(mr_ring_cancel(ring, mr_op_pack(9, 9, 9)), MR_OK);
    ring->uring.sq.sqes[(ring->uring.sq.sqe_tail - 1) & ring->uring.sq.ring_mask].flags |=
        IOSQE_ASYNC;
    ring_is_quiet(ring);
    assert_int_equal(RING_STAT(ring, unheard_failures), 1);
    assert_int_equal(io_uring_register_eventfd(&ring->uring, 0), -EACCES);
    assert_int_equal(io_uring_register_personality(&ring->uring), -EACCES);
    mr_ring_close(ring);
}

static void set_up_starts_at_the_best_flags_and_goes_down_only_when_told(void **state)
{
    const unsigned best = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    const unsigned expected[] = {best, IORING_SETUP_COOP_TASKRUN, 0};

    (void)state;
    for (unsigned fallback = 0; fallback < 3; fallback++) {
        const struct mr_ring_options options = {
            .entries = 8, .completions = 16, .fallback = fallback};
        struct mr_ring *ring = ring_of(&options);
        assert_int_equal(ring->uring.flags & (best | IORING_SETUP_COOP_TASKRUN),
                         expected[fallback]);
        assert_int_equal(ring->uring.sq.ring_entries, 8);
        assert_int_equal(ring->uring.cq.ring_entries, 16);
        mr_ring_close(ring);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_probe_passes_here_and_leaves_nothing_open),
        cmocka_unit_test(the_probe_says_what_refuses_in_one_line),
        cmocka_unit_test(every_error_has_a_sentence_that_fits),
        cmocka_unit_test(an_enabled_ring_refuses_what_this_module_never_does),
        cmocka_unit_test(set_up_starts_at_the_best_flags_and_goes_down_only_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
