/* What happens at the limits: no buffers, full queues, no descriptors (S-01, S-05, S-06). */
#include "helper_loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT = 1, SEND, MULTI, WOKEN };

#define SOCKETS      200
#define STREAM_BYTES (20 * 1000)
#define BUFFERS_FEW  16
#define TURN_MAX     64

struct stream {
    int fd[2];
    unsigned received;
    bool rearm;
};

/* Byte i of stream s. */
static uint8_t pattern(unsigned s, unsigned i)
{
    return (uint8_t)(s * 131 + i * 7 + (i >> 8));
}

static void take(struct mr_ring *ring, struct stream *streams, const struct mr_completion *c)
{
    struct stream *st = &streams[c->slot];

    if (c->op == SEND) {
        assert_int_equal(c->res, STREAM_BYTES);
        return;
    }
    if (c->bid != MR_NO_BUFFER) {
        const uint8_t *p = mr_ring_buffer(ring, c->bid);
        for (int32_t i = 0; i < c->res; i++, st->received++)
            if (p[i] != pattern(c->slot, st->received))
                fail_msg("stream %u differs at byte %u", c->slot, st->received);
        mr_ring_buffer_return(ring, c->bid);
    } else {
        assert_int_equal(c->res, -ENOBUFS);
        assert_false(c->more);
    }
    st->rearm = !c->more;
}

static void few_buffers_for_many_sockets_lose_no_byte(void **state)
{
    const struct mr_ring_options options = {
        .entries = 256, .completions = 1024, .buffers = BUFFERS_FEW, .buffer_bytes = 1024};
    struct mr_ring *ring = ring_of(&options);
    struct stream *streams = calloc(SOCKETS, sizeof *streams);
    uint8_t *out = malloc((size_t)SOCKETS * STREAM_BYTES);
    struct mr_completion c[TURN_MAX];
    uint64_t total = 0;

    (void)state;
    assert_non_null(streams);
    assert_non_null(out);
    for (unsigned s = 0; s < SOCKETS; s++) {
        uint8_t *bytes = out + (size_t)s * STREAM_BYTES;
        for (unsigned i = 0; i < STREAM_BYTES; i++)
            bytes[i] = pattern(s, i);
        loopback_pair(streams[s].fd);
        assert_int_equal(
            mr_ring_send(ring, streams[s].fd[0], bytes, STREAM_BYTES, mr_op_pack(SEND, s, 0)),
            MR_OK);
        streams[s].rearm = true;
    }
    while (total < (uint64_t)SOCKETS * STREAM_BYTES) {
        unsigned n;
        for (unsigned s = 0; s < SOCKETS; s++)
            if (streams[s].rearm) {
                streams[s].rearm = false;
                assert_int_equal(
                    mr_ring_recv_multishot(ring, streams[s].fd[1], mr_op_pack(MULTI, s, 0)), MR_OK);
            }
        assert_int_equal(mr_ring_wait(ring, UINT64_C(20000000000), 1), MR_OK);
        n = mr_ring_completions(ring, c, TURN_MAX);
        assert_true(n > 0);
        for (unsigned i = 0; i < n; i++)
            take(ring, streams, &c[i]);
        total = 0;
        for (unsigned s = 0; s < SOCKETS; s++)
            total += streams[s].received;
    }
    assert_true(RING_STAT(ring, no_buffers) > 0);
    assert_int_equal(RING_STAT(ring, buffers_out), 0);
    for (unsigned s = 0; s < SOCKETS; s++) {
        assert_int_equal(streams[s].received, STREAM_BYTES);
        close(streams[s].fd[0]), close(streams[s].fd[1]);
    }
    mr_ring_close(ring);
    free(streams), free(out);
}

static void a_full_submission_queue_is_submitted_and_counted(void **state)
{
    const struct mr_ring_options options = {.entries = 8, .completions = 256};
    struct mr_ring *ring = ring_of(&options);

    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(
            mr_ring_wake(ring, mr_ring_fd(ring), mr_op_pack(WOKEN, i, 0), 0, MR_OP_NOBODY), MR_OK);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(ring_next(ring).slot, i);
    assert_int_equal(RING_STAT(ring, sq_full), 100 / 8);
    assert_int_equal(RING_STAT(ring, sq_refused), 0);
    assert_true(mr_ring_reserve(ring, 4));
    mr_ring_close(ring);
}

static void every_connect_goes_to_its_own_address(void **state)
{
    const struct mr_ring_options options = {.entries = 8, .completions = 64};
    struct mr_ring *ring = ring_of(&options);
    struct mr_endpoint at[32], peer;
    int listener[32], fd[32];

    (void)state;
    for (uint32_t i = 0; i < 32; i++) {
        listener[i] = loopback_listen(&at[i]);
        fd[i] = mr_socket_dial(NULL);
        assert_int_equal(mr_ring_connect(ring, fd[i], at[i], mr_op_pack(1, i, 0)), MR_OK);
    }
    for (uint32_t i = 0; i < 32; i++)
        assert_int_equal(ring_next(ring).res, 0);
    for (uint32_t i = 0; i < 32; i++) {
        assert_true(mr_socket_peer(&peer, fd[i]));
        assert_true(mr_endpoint_equal(peer, at[i]));
        close(fd[i]), close(listener[i]);
    }
    mr_ring_close(ring);
}

static void overflowed_completions_all_arrive_in_order(void **state)
{
    const struct mr_ring_options options = {.entries = 8, .completions = 8};
    const uint32_t many = 1000;
    struct mr_ring *ring = ring_of(&options);
    struct mr_completion c[7];
    uint32_t next = 0;
    int fd[2];

    (void)state;
    loopback_pair(fd);
    for (uint32_t i = 0; i < many; i++)
        assert_int_equal(mr_ring_send(ring, fd[0], "x", 1, mr_op_pack(SEND, i, 0)), MR_OK);
    while (next < many) {
        unsigned n;
        assert_int_equal(mr_ring_wait(ring, UINT64_C(20000000000), 1), MR_OK);
        n = mr_ring_completions(ring, c, MR_COUNT_OF(c));
        assert_true(n > 0);
        for (unsigned i = 0; i < n; i++, next++) {
            assert_int_equal(c[i].slot, next);
            assert_int_equal(c[i].res, 1);
        }
    }
    assert_true(RING_STAT(ring, cq_overflow) > 0);
    assert_int_equal(RING_STAT(ring, completions), many);
    ring_is_quiet(ring);
    close(fd[0]), close(fd[1]);
    mr_ring_close(ring);
}

static void a_multishot_that_overflows_loses_no_byte(void **state)
{
    const struct mr_ring_options options = {
        .entries = 8, .completions = 8, .buffers = 64, .buffer_bytes = 64};
    struct mr_ring *ring = ring_of(&options);
    uint8_t out[4096];
    unsigned received = 0;
    int fd[2];

    (void)state;
    for (unsigned i = 0; i < sizeof out; i++)
        out[i] = pattern(1, i);
    loopback_pair(fd);
    assert_int_equal(send(fd[0], out, sizeof out, 0), (ssize_t)sizeof out);
    assert_int_equal(mr_ring_recv_multishot(ring, fd[1], mr_op_pack(MULTI, 0, 0)), MR_OK);
    while (received < sizeof out) {
        struct mr_completion c = ring_next(ring);
        assert_int_equal(c.op, MULTI);
        if (c.bid != MR_NO_BUFFER) {
            assert_memory_equal(mr_ring_buffer(ring, c.bid), out + received, c.res);
            received += (unsigned)c.res;
            mr_ring_buffer_return(ring, c.bid);
        }
        if (!c.more)
            assert_int_equal(mr_ring_recv_multishot(ring, fd[1], mr_op_pack(MULTI, 0, 0)), MR_OK);
    }
    assert_int_equal(RING_STAT(ring, buffers_out), 0);
    close(fd[0]), close(fd[1]);
    mr_ring_close(ring);
}

static void a_wait_ends_at_its_timeout_or_at_once(void **state)
{
    const struct mr_ring_options options = {.entries = 8, .completions = 8};
    struct mr_ring *ring = ring_of(&options);
    struct mr_completion c[8];

    (void)state;
    assert_int_equal(mr_ring_wait(ring, 1000000, 1), MR_OK);
    assert_int_equal(mr_ring_wait(ring, 0, 1), MR_OK);
    assert_int_equal(mr_ring_wait(ring, MR_WAIT_FOREVER, 0), MR_OK);
    assert_int_equal(mr_ring_completions(ring, c, 8), 0);
    /* More than can be there is as many as fit, and a wait that submits ends once. */
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(
            mr_ring_wake(ring, mr_ring_fd(ring), mr_op_pack(WOKEN, i, 0), 0, MR_OP_NOBODY), MR_OK);
    assert_int_equal(mr_ring_wait(ring, MR_WAIT_FOREVER, 1000), MR_OK);
    assert_int_equal(mr_ring_completions(ring, c, 8), 8);
    mr_ring_close(ring);
}

/* Runs in a child, as it takes all descriptors. */
static int accept_without_descriptors(void)
{
    const struct mr_ring_options options = {.entries = 16, .completions = 16};
    struct mr_ring *ring = ring_of(&options);
    struct mr_completion c;
    struct mr_endpoint at;
    int listener = loopback_listen(&at), fd = mr_socket_dial(NULL), reserve = dup(listener);
    struct rlimit limit = {.rlim_cur = (rlim_t)reserve + 1, .rlim_max = (rlim_t)reserve + 1};

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(dup(listener), -1);
    assert_int_equal(mr_ring_accept(ring, listener, mr_op_pack(ACCEPT, 0, 1)), MR_OK);
    assert_int_equal(mr_ring_connect(ring, fd, at, mr_op_pack(2, 0, 0)), MR_OK);
    for (int i = 0; i < 2; i++) {
        c = ring_next(ring);
        assert_int_equal(c.res, c.op == ACCEPT ? -EMFILE : 0);
        assert_false(c.more); /* it has ended: no spinning */
    }
    ring_is_quiet(ring);
    close(reserve);
    assert_int_equal(mr_ring_accept(ring, listener, mr_op_pack(ACCEPT, 0, 2)), MR_OK);
    c = ring_next(ring);
    return c.op == ACCEPT && c.res >= 0 && c.more ? 42 : 1;
}

static void accepting_without_descriptors_ends_and_can_be_resumed(void **state)
{
    (void)state;
    assert_int_equal(in_child(accept_without_descriptors), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_buffers_for_many_sockets_lose_no_byte),
        cmocka_unit_test(a_full_submission_queue_is_submitted_and_counted),
        cmocka_unit_test(every_connect_goes_to_its_own_address),
        cmocka_unit_test(overflowed_completions_all_arrive_in_order),
        cmocka_unit_test(a_multishot_that_overflows_loses_no_byte),
        cmocka_unit_test(a_wait_ends_at_its_timeout_or_at_once),
        cmocka_unit_test(accepting_without_descriptors_ends_and_can_be_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
