#include "helper_loopback.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int loopback_listen(struct mr_endpoint *at)
{
    char sentence[256] = "";
    int fd = mr_socket_listen((struct mr_endpoint){.ip = LOOPBACK}, MR_SOCKET_BACKLOG, sentence,
                              sizeof sentence);

    if (fd < 0)
        fail_msg("%s", sentence);
    assert_true(mr_socket_local(at, fd));
    return fd;
}

void loopback_pair(int fd[2])
{
    struct mr_ring_options options = {.entries = 8, .completions = 16};
    struct mr_ring *ring = ring_of(&options);
    struct mr_endpoint at;
    int listener = loopback_listen(&at);

    fd[0] = mr_socket_dial(NULL);
    assert_true(fd[0] >= 0);
    assert_int_equal(mr_ring_connect(ring, fd[0], at, mr_op_pack(1, 0, 0)), MR_OK);
    assert_int_equal(ring_next(ring).res, 0);
    fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fd[1] >= 0);
    close(listener);
    mr_ring_close(ring);
}

struct mr_ring *ring_of(const struct mr_ring_options *options)
{
    char sentence[512] = "";
    struct mr_ring *ring = mr_ring_open(options, sentence, sizeof sentence);

    if (!ring)
        fail_msg("%s", sentence);
    assert_int_equal(mr_ring_enable(ring), MR_OK);
    return ring;
}

struct mr_completion ring_next(struct mr_ring *ring)
{
    struct mr_completion c = {0};

    for (int i = 0; i < 1000; i++) {
        if (mr_ring_completions(ring, &c, 1) == 1)
            return c;
        assert_int_equal(mr_ring_wait(ring, UINT64_C(20000000000), 1), MR_OK);
    }
    fail_msg("no completion came");
    return c;
}

void ring_is_quiet(struct mr_ring *ring)
{
    struct mr_completion c;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(mr_ring_wait(ring, 1000000, 1), MR_OK);
        assert_int_equal(mr_ring_completions(ring, &c, 1), 0);
    }
}

uint64_t ring_stat(struct mr_ring *ring, size_t offset)
{
    struct mr_ring_stats s;
    uint64_t v;

    mr_ring_stats(&s, ring);
    memcpy(&v, (const char *)&s + offset, sizeof v);
    return v;
}

int in_child(int (*body)(void))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body());
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
