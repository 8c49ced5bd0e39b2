/* Every operation on loopback, and what becomes of it when the other end or the kernel says no. */
#include "helper_loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT = 1, CONNECT, RECV, SEND, MULTI, QUIET, READ, POLL, WOKEN };

static const struct mr_ring_options small = {
    .entries = 32, .completions = 128, .buffers = 16, .buffer_bytes = 1024, .files = 8};

static void pack_and_unpack_are_each_others_inverse(void **state)
{
    static const uint32_t slots[] = {0, 1, 0x123456, MR_OP_SLOT_MAX};
    static const uint32_t generations[] = {0, 1, 0x80000000, UINT32_MAX};

    (void)state;
    for (unsigned op = 0; op < 256; op++)
        for (size_t i = 0; i < 4; i++)
            for (size_t j = 0; j < 4; j++) {
                uint32_t slot, generation;
                uint8_t back;
                mr_op_unpack(&back, &slot, &generation,
                             mr_op_pack((uint8_t)op, slots[i], generations[j]));
                assert_int_equal(back, op);
                assert_int_equal(slot, slots[i]);
                assert_int_equal(generation, generations[j]);
            }
}

static void open_refuses_options_out_of_range_in_one_sentence(void **state)
{
    static const struct mr_ring_options bad[] = {
        {.entries = 0, .completions = 16},
        {.entries = 7, .completions = 16},
        {.entries = 48, .completions = 64},
        {.entries = 65536, .completions = 65536},
        {.entries = 16, .completions = 8},
        {.entries = 16, .completions = 131072},
        {.entries = 16, .completions = 16, .buffers = 3, .buffer_bytes = 64},
        {.entries = 16, .completions = 16, .buffers = 65536, .buffer_bytes = 64},
        {.entries = 16, .completions = 16, .buffers = 8, .buffer_bytes = 63},
        {.entries = 16, .completions = 16, .buffers = 8, .buffer_bytes = (1 << 20) + 1},
        {.entries = 16, .completions = 16, .files = 65537},
        {.entries = 16, .completions = 16, .fallback = 3},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(bad); i++) {
        char sentence[128] = "";
        assert_null(mr_ring_open(&bad[i], sentence, sizeof sentence));
        assert_non_null(strstr(sentence, "must be"));
    }
    mr_ring_close(NULL);
}

static struct mr_completion expect(struct mr_ring *ring, uint8_t op, uint32_t slot, int32_t res)
{
    struct mr_completion c = ring_next(ring);

    assert_int_equal(c.op, op);
    assert_int_equal(c.slot, slot);
    assert_int_equal(c.res, res);
    return c;
}

/* One connection's life on one ring, both ends. */
static void live(const struct mr_ring_options *options)
{
    struct mr_ring *ring = ring_of(options);
    struct mr_endpoint at, peer;
    struct mr_completion c;
    int listener = loopback_listen(&at), fd[2] = {mr_socket_dial(NULL), -1};
    int near = fd[0], far;
    char in[8] = "", out[] = "millrace";

    assert_int_equal(mr_ring_accept(ring, listener, mr_op_pack(ACCEPT, 3, 9)), MR_OK);
    assert_int_equal(mr_ring_connect(ring, near, at, mr_op_pack(CONNECT, 4, 9)), MR_OK);
    for (int i = 0; i < 2; i++) {
        c = ring_next(ring);
        assert_int_equal(c.generation, 9);
        if (c.op == ACCEPT) {
            assert_int_equal(c.slot, 3);
            assert_true(c.more && c.res >= 0);
            fd[1] = c.res;
        } else {
            assert_int_equal(c.op, CONNECT);
            assert_int_equal(c.res, 0);
        }
    }
    far = fd[1];
    assert_true(mr_socket_peer(&peer, far));
    assert_int_equal(peer.ip, LOOPBACK);
    if (options->files > 1) {
        assert_int_equal(mr_ring_file_set(ring, 0, fd[0]), MR_OK);
        assert_int_equal(mr_ring_file_set(ring, 1, fd[1]), MR_OK);
        near = mr_file(0), far = mr_file(1);
    }
    /* Exactly n: nothing comes back before all eight bytes are there. */
    assert_int_equal(mr_ring_recv(ring, far, in, 8, mr_op_pack(RECV, 1, 0)), MR_OK);
    assert_int_equal(mr_ring_send(ring, near, out, 5, mr_op_pack(SEND, 1, 0)), MR_OK);
    expect(ring, SEND, 1, 5);
    ring_is_quiet(ring);
    assert_int_equal(mr_ring_send(ring, near, out + 5, 3, mr_op_pack(SEND, 2, 0)), MR_OK);
    for (int i = 0; i < 2; i++) {
        c = ring_next(ring);
        assert_int_equal(c.res, c.op == SEND ? 3 : 8);
        assert_int_equal(c.bid, MR_NO_BUFFER);
    }
    assert_memory_equal(in, "millrace", 8);
    /* What is there. */
    assert_int_equal(mr_ring_recv_some(ring, near, in, 8, mr_op_pack(RECV, 5, 0)), MR_OK);
    assert_int_equal(send(fd[1], "ab", 2, 0), 2);
    expect(ring, RECV, 5, 2);
    /* Again and again, into provided buffers. */
    assert_int_equal(mr_ring_recv_multishot(ring, near, mr_op_pack(MULTI, 6, 1)), MR_OK);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(mr_ring_send(ring, far, out, 8, mr_op_pack(SEND, 7, 0)), MR_OK);
        for (int j = 0; j < 2; j++)
            if ((c = ring_next(ring)).op == MULTI) {
                assert_true(c.more && c.res == 8 && c.bid != MR_NO_BUFFER);
                assert_memory_equal(mr_ring_buffer(ring, c.bid), "millrace", 8);
                mr_ring_buffer_return(ring, c.bid);
            }
    }
    assert_int_equal(mr_ring_shutdown(ring, far, SHUT_WR), MR_OK);
    c = expect(ring, MULTI, 6, 0);
    assert_false(c.more);
    assert_int_equal(c.bid, MR_NO_BUFFER);
    if (options->files > 1) {
        assert_int_equal(mr_ring_file_clear(ring, 0), MR_OK);
        assert_int_equal(mr_ring_file_clear(ring, 1), MR_OK);
    }
    assert_int_equal(mr_ring_cancel(ring, mr_op_pack(ACCEPT, 3, 9)), MR_OK);
    assert_false(expect(ring, ACCEPT, 3, -ECANCELED).more);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mr_ring_close_file(ring, fd[i], mr_op_pack(QUIET, 0, 0)), MR_OK);
    assert_int_equal(mr_ring_close_file(ring, listener, mr_op_pack(QUIET, 0, 0)), MR_OK);
    ring_is_quiet(ring);
    assert_int_equal(fcntl(fd[0], F_GETFD), -1);
    assert_int_equal(fcntl(fd[1], F_GETFD), -1);
    assert_int_equal(RING_STAT(ring, buffers_out), 0);
    mr_ring_close(ring);
}

static void a_connection_lives_through_every_operation(void **state)
{
    (void)state;
    for (unsigned fallback = 0; fallback < 3; fallback++)
        for (unsigned files = 0; files <= 8; files += 8) {
            struct mr_ring_options o = small;
            o.fallback = fallback, o.files = files;
            live(&o);
        }
}

static void read_and_poll_complete_once_when_ready(void **state)
{
    struct mr_ring *ring = ring_of(&small);
    uint64_t value = 0;
    int event = mr_event_open(), fd[2];

    (void)state;
    loopback_pair(fd);
    assert_int_equal(mr_ring_read(ring, event, &value, 8, mr_op_pack(READ, 0, 0)), MR_OK);
    assert_int_equal(mr_ring_poll(ring, fd[0], POLLIN, mr_op_pack(POLL, 0, 0)), MR_OK);
    ring_is_quiet(ring);
    mr_event_signal(event);
    expect(ring, READ, 0, 8);
    assert_int_equal(value, 1);
    assert_int_equal(send(fd[1], "x", 1, 0), 1);
    assert_true(expect(ring, POLL, 0, POLLIN).res & POLLIN);
    mr_event_signal(event);
    ring_is_quiet(ring);
    close(event), close(fd[0]), close(fd[1]);
    mr_ring_close(ring);
}

static void a_receive_of_n_bytes_reports_how_far_a_stream_came_that_ended(void **state)
{
    struct mr_ring *ring = ring_of(&small);
    char in[64];
    int fd[2];

    (void)state;
    loopback_pair(fd);
    assert_int_equal(mr_ring_recv(ring, fd[0], in, sizeof in, mr_op_pack(RECV, 0, 0)), MR_OK);
    mr_ring_submit(ring);
    assert_int_equal(send(fd[1], "abc", 3, 0), 3);
    ring_is_quiet(ring);
    close(fd[1]);
    expect(ring, RECV, 0, 3);
    assert_int_equal(mr_ring_recv(ring, fd[0], in, sizeof in, mr_op_pack(RECV, 0, 0)), MR_OK);
    expect(ring, RECV, 0, 0);
    close(fd[0]);
    mr_ring_close(ring);
}

static void a_reset_is_an_error_and_never_a_signal(void **state)
{
    struct mr_ring *ring = ring_of(&small);
    char in[64];
    int fd[2];

    (void)state;
    loopback_pair(fd);
    assert_int_equal(mr_ring_recv(ring, fd[0], in, sizeof in, mr_op_pack(RECV, 0, 0)), MR_OK);
    mr_ring_submit(ring);
    mr_socket_abort_on_close(fd[1]);
    close(fd[1]);
    expect(ring, RECV, 0, -ECONNRESET);
    assert_int_equal(mr_ring_send(ring, fd[0], "abc", 3, mr_op_pack(SEND, 0, 0)), MR_OK);
    expect(ring, SEND, 0, -EPIPE); /* SIGPIPE would have ended this program */
    close(fd[0]);
    mr_ring_close(ring);
}

static void connecting_to_a_closed_port_is_refused(void **state)
{
    struct mr_ring *ring = ring_of(&small);
    struct mr_endpoint at;
    int listener = loopback_listen(&at), fd = mr_socket_dial(NULL);

    (void)state;
    close(listener);
    assert_int_equal(mr_ring_connect(ring, fd, at, mr_op_pack(CONNECT, 0, 0)), MR_OK);
    expect(ring, CONNECT, 0, -ECONNREFUSED);
    close(fd);
    mr_ring_close(ring);
}

/* A send that the reader never takes, ended in two ways. */
static void ended_send(bool by_cancel)
{
    const size_t n = 64 << 20;
    struct mr_ring *ring = ring_of(&small);
    uint8_t *bytes = calloc(1, n);
    struct mr_completion c;
    int fd[2];

    assert_non_null(bytes);
    loopback_pair(fd);
    assert_int_equal(mr_ring_send(ring, fd[0], bytes, n, mr_op_pack(SEND, 1, 7)), MR_OK);
    mr_ring_submit(ring);
    ring_is_quiet(ring);
    if (by_cancel)
        assert_int_equal(mr_ring_cancel(ring, mr_op_pack(SEND, 1, 7)), MR_OK);
    else
        assert_int_equal(mr_ring_shutdown(ring, fd[0], SHUT_RDWR), MR_OK);
    c = ring_next(ring);
    assert_int_equal(c.op, SEND);
    assert_int_equal(c.generation, 7);
    assert_true(c.res > 0 && (size_t)c.res < n);
    assert_int_equal(mr_ring_close_file(ring, fd[0], MR_OP_NOBODY), MR_OK);
    ring_is_quiet(ring);
    assert_int_equal(RING_STAT(ring, unheard_failures), 0);
    close(fd[1]);
    free(bytes);
    mr_ring_close(ring);
}

static void a_stalled_send_that_is_ended_completes_exactly_once(void **state)
{
    (void)state;
    ended_send(false);
    ended_send(true);
}

static void cancelling_a_multishot_leaves_what_it_had_delivered(void **state)
{
    struct mr_ring *ring = ring_of(&small);
    struct mr_completion c;
    unsigned bytes = 0;
    int fd[2];

    (void)state;
    loopback_pair(fd);
    assert_int_equal(mr_ring_recv_multishot(ring, fd[0], mr_op_pack(MULTI, 2, 1)), MR_OK);
    mr_ring_submit(ring);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(fd[1], "abcd", 4, 0), 4);
        assert_int_equal(mr_ring_wait(ring, 1000000000, (unsigned)i + 1), MR_OK);
    }
    assert_int_equal(mr_ring_cancel(ring, mr_op_pack(MULTI, 2, 1)), MR_OK);
    do {
        c = ring_next(ring);
        assert_int_equal(c.op, MULTI);
        if (c.bid != MR_NO_BUFFER) {
            bytes += (unsigned)c.res;
            mr_ring_buffer_return(ring, c.bid);
        }
    } while (c.more);
    assert_int_equal(c.res, -ECANCELED);
    assert_int_equal(bytes, 12);
    /* Bytes that come later wait in the socket for the next receive. */
    assert_int_equal(send(fd[1], "tail", 4, 0), 4);
    ring_is_quiet(ring);
    assert_int_equal(mr_ring_recv_multishot(ring, fd[0], mr_op_pack(MULTI, 2, 2)), MR_OK);
    c = expect(ring, MULTI, 2, 4);
    assert_memory_equal(mr_ring_buffer(ring, c.bid), "tail", 4);
    mr_ring_buffer_return(ring, c.bid);
    assert_int_equal(RING_STAT(ring, buffers_out), 0);
    close(fd[0]), close(fd[1]);
    mr_ring_close(ring);
}

static void a_completion_of_an_earlier_user_of_the_slot_is_stale(void **state)
{
    struct mr_ring *ring = ring_of(&small);
    char in[2][16] = {"", ""};
    struct mr_completion c;
    int fd[2], again[2], fresh = 0, stale = 0;

    (void)state;
    loopback_pair(fd);
    assert_int_equal(mr_ring_recv_some(ring, fd[0], in[0], 16, mr_op_pack(RECV, 5, 1)), MR_OK);
    mr_ring_submit(ring);
    loopback_pair(again);
    assert_int_equal(mr_ring_recv_some(ring, again[0], in[1], 16, mr_op_pack(RECV, 5, 2)), MR_OK);
    mr_ring_submit(ring);
    close(fd[0]); /* the ring holds the socket until its receive has ended */
    assert_int_equal(send(fd[1], "old", 3, 0), 3);
    assert_int_equal(send(again[1], "fresh", 5, 0), 5);
    for (int i = 0; i < 2; i++) {
        c = ring_next(ring);
        assert_int_equal(c.slot, 5);
        if (mr_completion_is_stale(&c, 2))
            stale += c.res;
        else
            fresh += c.res;
    }
    assert_int_equal(stale, 3);
    assert_int_equal(fresh, 5);
    assert_memory_equal(in[1], "fresh", 5);
    close(fd[1]), close(again[0]), close(again[1]);
    mr_ring_close(ring);
}

static void silent_operations_speak_when_they_fail(void **state)
{
    struct mr_ring *ring = ring_of(&small);
    int unconnected = mr_socket_dial(NULL), closed = dup(unconnected);

    (void)state;
    close(closed);
    assert_int_equal(mr_ring_shutdown(ring, unconnected, SHUT_RDWR), MR_OK);
    ring_is_quiet(ring);
    assert_int_equal(mr_ring_close_file(ring, closed, mr_op_pack(QUIET, 2, 0)), MR_OK);
    expect(ring, QUIET, 2, -EBADF);
    assert_int_equal(
        mr_ring_wake(ring, closed, mr_op_pack(WOKEN, 0, 0), 0, mr_op_pack(QUIET, 3, 0)), MR_OK);
    assert_true(ring_next(ring).res < 0);
    /* Those that are nobody's are counted. */
    assert_int_equal(mr_ring_cancel(ring, mr_op_pack(SEND, 9, 9)), MR_OK);
    assert_int_equal(mr_ring_close_file(ring, closed, MR_OP_NOBODY), MR_OK);
    ring_is_quiet(ring);
    assert_int_equal(RING_STAT(ring, unheard_failures), 2);
    close(unconnected);
    mr_ring_close(ring);
}

static void a_ring_can_wake_itself(void **state)
{
    struct mr_ring *ring = ring_of(&small);

    (void)state;
    assert_int_equal(
        mr_ring_wake(ring, mr_ring_fd(ring), mr_op_pack(WOKEN, 6, 1), 1234, MR_OP_NOBODY), MR_OK);
    assert_int_equal(expect(ring, WOKEN, 6, 1234).generation, 1);
    ring_is_quiet(ring);
    mr_ring_close(ring);
}

static void registered_descriptors_outlive_the_plain_ones(void **state)
{
    struct mr_ring *ring = ring_of(&small);
    char in[8];
    int fd[2];

    (void)state;
    loopback_pair(fd);
    assert_int_equal(mr_ring_file_set(ring, 7, fd[0]), MR_OK);
    close(fd[0]);
    assert_int_equal(mr_ring_recv(ring, mr_file(7), in, 4, mr_op_pack(RECV, 0, 0)), MR_OK);
    mr_ring_submit(ring);
    /* Cleared under a receive in flight, which keeps the socket. */
    assert_int_equal(mr_ring_file_clear(ring, 7), MR_OK);
    assert_int_equal(send(fd[1], "late", 4, 0), 4);
    expect(ring, RECV, 0, 4);
    assert_int_equal(mr_ring_recv(ring, mr_file(7), in, 4, mr_op_pack(RECV, 1, 0)), MR_OK);
    expect(ring, RECV, 1, -EBADF);
    assert_int_equal(mr_ring_file_set(ring, 7, fd[0]), MR_SYSTEM);
    close(fd[1]);
    mr_ring_close(ring);
}

static void closing_a_ring_ends_what_is_armed(void **state)
{
    struct mr_ring *ring = ring_of(&small);
    char in[8];
    ssize_t n;
    int fd[2];

    (void)state;
    loopback_pair(fd);
    assert_int_equal(mr_ring_recv(ring, fd[0], in, 4, mr_op_pack(RECV, 0, 0)), MR_OK);
    mr_ring_submit(ring);
    mr_ring_close(ring);
    /* The bytes are there for whoever asks next. */
    assert_int_equal(send(fd[1], "mine", 4, 0), 4);
    for (int i = 0; (n = recv(fd[0], in, 8, 0)) < 0 && i < 1000; i++)
        usleep(1000);
    assert_int_equal(n, 4);
    close(fd[0]), close(fd[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack_and_unpack_are_each_others_inverse),
        cmocka_unit_test(open_refuses_options_out_of_range_in_one_sentence),
        cmocka_unit_test(a_connection_lives_through_every_operation),
        cmocka_unit_test(read_and_poll_complete_once_when_ready),
        cmocka_unit_test(a_receive_of_n_bytes_reports_how_far_a_stream_came_that_ended),
        cmocka_unit_test(a_reset_is_an_error_and_never_a_signal),
        cmocka_unit_test(connecting_to_a_closed_port_is_refused),
        cmocka_unit_test(a_stalled_send_that_is_ended_completes_exactly_once),
        cmocka_unit_test(cancelling_a_multishot_leaves_what_it_had_delivered),
        cmocka_unit_test(a_completion_of_an_earlier_user_of_the_slot_is_stale),
        cmocka_unit_test(silent_operations_speak_when_they_fail),
        cmocka_unit_test(a_ring_can_wake_itself),
        cmocka_unit_test(registered_descriptors_outlive_the_plain_ones),
        cmocka_unit_test(closing_a_ring_ends_what_is_armed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
