#include "helper_loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int option(int fd, int level, int name)
{
    int v = -1;
    socklen_t n = sizeof v;

    assert_int_equal(getsockopt(fd, level, name, &v, &n), 0);
    return v;
}

static void listening_twice_names_the_address_and_what_to_do(void **state)
{
    struct mr_endpoint at;
    char sentence[256] = "", text[MR_ENDPOINT_TEXT_MAX];
    int fd = loopback_listen(&at);

    (void)state;
    assert_int_not_equal(at.port, 0);
    assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(mr_socket_listen(at, 16, sentence, sizeof sentence), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_non_null(strstr(sentence, mr_endpoint_text(text, at)));
    assert_non_null(strstr(sentence, "choose another port"));
    assert_null(strchr(sentence, '\n'));
    close(fd);
    /* And as soon as it is gone, without waiting for old connections. */
    fd = mr_socket_listen(at, 16, sentence, sizeof sentence);
    assert_true(fd >= 0);
    close(fd);
}

static void listening_on_a_foreign_address_is_explained(void **state)
{
    const struct mr_endpoint foreign = {.ip = 0xc0000201, .port = 0};
    char sentence[256] = "";
    int before = dup(0), after;

    (void)state;
    close(before);
    assert_int_equal(mr_socket_listen(foreign, 16, sentence, sizeof sentence), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
    assert_non_null(strstr(sentence, "192.0.2.1:0"));
    assert_non_null(strstr(sentence, "0.0.0.0"));
    assert_int_equal(mr_socket_dial(&foreign), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
    after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

static void dialling_binds_the_local_address_that_it_is_given(void **state)
{
    const struct mr_endpoint local = {.ip = 0x7f000203};
    const struct mr_ring_options options = {.entries = 8, .completions = 8};
    struct mr_ring *ring = ring_of(&options);
    struct mr_endpoint at, near, far;
    int listener = loopback_listen(&at), fd = mr_socket_dial(&local), accepted;

    (void)state;
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(mr_ring_connect(ring, fd, at, mr_op_pack(1, 0, 0)), MR_OK);
    assert_int_equal(ring_next(ring).res, 0);
    accepted = accept(listener, NULL, NULL);
    assert_true(mr_socket_peer(&far, accepted));
    assert_true(mr_socket_local(&near, fd));
    assert_true(mr_endpoint_equal(near, far));
    assert_int_equal(near.ip, local.ip);
    assert_int_not_equal(near.port, 0);
    assert_true(mr_socket_peer(&far, fd));
    assert_true(mr_endpoint_equal(far, at));
    close(fd), close(accepted), close(listener);
    mr_ring_close(ring);
}

static void addresses_of_what_is_not_connected_are_refused(void **state)
{
    struct mr_endpoint e = {.ip = 5, .port = 6};
    int fd = mr_socket_dial(NULL), unix_fd[2];

    (void)state;
    assert_false(mr_socket_peer(&e, fd));
    assert_false(mr_socket_peer(&e, -1));
    assert_false(mr_socket_local(&e, -1));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, unix_fd), 0);
    assert_false(mr_socket_peer(&e, unix_fd[0]));
    assert_false(mr_socket_local(&e, unix_fd[0]));
    assert_int_equal(e.ip, 5);
    assert_int_equal(e.port, 6);
    close(fd), close(unix_fd[0]), close(unix_fd[1]);
}

static void tuning_sets_what_the_options_say(void **state)
{
    struct mr_socket_options all = {.notsent_bytes = 4096,
                                    .send_buffer_bytes = 65536,
                                    .receive_buffer_bytes = 32768,
                                    .keepalive = true};
    int fd[2];

    (void)state;
    loopback_pair(fd);
    assert_true(mr_socket_tune(fd[0], &MR_SOCKET_OPTIONS_DEFAULT));
    assert_int_equal(option(fd[0], IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(fd[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT), 128 << 10);
    assert_int_equal(option(fd[0], SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_true(mr_socket_tune(fd[1], &all));
    assert_int_equal(option(fd[1], IPPROTO_TCP, TCP_NOTSENT_LOWAT), 4096);
    assert_int_equal(option(fd[1], SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(fd[1], SOL_SOCKET, SO_SNDBUF), 2 * 65536); /* the kernel doubles it */
    assert_int_equal(option(fd[1], SOL_SOCKET, SO_RCVBUF), 2 * 32768);
    close(fd[0]), close(fd[1]);
    assert_false(mr_socket_tune(fd[0], &all));
}

static void aborting_resets_the_other_end(void **state)
{
    char c;
    int fd[2];

    (void)state;
    loopback_pair(fd);
    mr_socket_abort_on_close(fd[0]);
    close(fd[0]);
    assert_int_equal(recv(fd[1], &c, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd[1]);
}

static void finishing_ends_one_direction_at_once(void **state)
{
    char c = 'x';
    int fd[2];

    (void)state;
    loopback_pair(fd);
    assert_int_equal(send(fd[0], "ab", 2, 0), 2);
    assert_true(mr_socket_finish(fd[0]));
    assert_int_equal(recv(fd[1], &c, 1, 0), 1);
    assert_int_equal(recv(fd[1], &c, 1, 0), 1);
    assert_int_equal(recv(fd[1], &c, 1, 0), 0);
    assert_int_equal(send(fd[1], &c, 1, 0), 1);
    assert_int_equal(recv(fd[0], &c, 1, 0), 1);
    assert_int_equal(c, 'b');
    close(fd[0]);
    close(fd[1]);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_false(mr_socket_finish(fd[0]));
    close(fd[0]);
}

static int raise_from_below(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r))
        return 1;
    r.rlim_cur = 64;
    if (setrlimit(RLIMIT_NOFILE, &r))
        return 2;
    if (mr_descriptors_raise() != r.rlim_max)
        return 3;
    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur != r.rlim_max)
        return 4;
    return mr_descriptors_raise() == r.rlim_max ? 42 : 5;
}

static void the_limit_of_descriptors_rises_to_the_hard_one(void **state)
{
    (void)state;
    assert_int_equal(in_child(raise_from_below), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listening_twice_names_the_address_and_what_to_do),
        cmocka_unit_test(listening_on_a_foreign_address_is_explained),
        cmocka_unit_test(dialling_binds_the_local_address_that_it_is_given),
        cmocka_unit_test(addresses_of_what_is_not_connected_are_refused),
        cmocka_unit_test(tuning_sets_what_the_options_say),
        cmocka_unit_test(aborting_resets_the_other_end),
        cmocka_unit_test(finishing_ends_one_direction_at_once),
        cmocka_unit_test(the_limit_of_descriptors_rises_to_the_hard_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
