/* The operations: each fills one entry of the submission queue. */
#include "net/uring/ring.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "net/uring/ring_private.h"

/* The next free entry; NULL after as many submissions as are worth trying. */
static struct io_uring_sqe *entry(struct mr_ring *ring)
{
    struct io_uring_sqe *sqe;

    mr_ring_check_owner(ring);
    sqe = io_uring_get_sqe(&ring->uring);
    if (MR_LIKELY(sqe != NULL))
        return sqe;
    return mr_ring_reserve(ring, 1) ? io_uring_get_sqe(&ring->uring) : NULL;
}

/* The descriptor to prepare an entry with. */
static int plain(int fd)
{
    MR_ASSERT(fd >= 0);
    return fd & ~MR_FILE_REGISTERED;
}

static enum mr_err finish(struct io_uring_sqe *sqe, int fd, unsigned flags, uint64_t data)
{
    io_uring_sqe_set_flags(sqe, flags | (fd & MR_FILE_REGISTERED ? IOSQE_FIXED_FILE : 0));
    io_uring_sqe_set_data64(sqe, data);
    return MR_OK;
}

/* A send or receive of any length: the result is an int, so more than it holds is our mistake. */
static void check_length(size_t n)
{
    MR_ASSERT(n > 0);
    MR_ASSERT(n <= INT32_MAX);
}

enum mr_err mr_ring_accept(struct mr_ring *ring, int fd, uint64_t data)
{
    struct io_uring_sqe *sqe = entry(ring);

    MR_ASSERT(data != MR_OP_NOBODY);
    if (!sqe)
        return MR_FULL;
    io_uring_prep_multishot_accept(sqe, plain(fd), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return finish(sqe, fd, 0, data);
}

enum mr_err mr_ring_connect(struct mr_ring *ring, int fd, struct mr_endpoint to, uint64_t data)
{
    struct io_uring_sqe *sqe = entry(ring);
    struct sockaddr_in *address;

    MR_ASSERT(data != MR_OP_NOBODY);
    if (!sqe)
        return MR_FULL;
    address = &ring->addresses[sqe - ring->uring.sq.sqes];
    *address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(to.port), .sin_addr = {.s_addr = htonl(to.ip)}};
    io_uring_prep_connect(sqe, plain(fd), (struct sockaddr *)address, sizeof *address);
    return finish(sqe, fd, 0, data);
}

static enum mr_err recv_with(struct mr_ring *ring, int fd, void *p, size_t n, uint64_t data,
                             int flags)
{
    struct io_uring_sqe *sqe = entry(ring);

    MR_ASSERT(data != MR_OP_NOBODY);
    check_length(n);
    if (!sqe)
        return MR_FULL;
    io_uring_prep_recv(sqe, plain(fd), p, n, flags);
    return finish(sqe, fd, 0, data);
}

enum mr_err mr_ring_recv(struct mr_ring *ring, int fd, void *p, size_t n, uint64_t data)
{
    return recv_with(ring, fd, p, n, data, MSG_WAITALL);
}

enum mr_err mr_ring_recv_some(struct mr_ring *ring, int fd, void *p, size_t n, uint64_t data)
{
    return recv_with(ring, fd, p, n, data, 0);
}

enum mr_err mr_ring_recv_multishot(struct mr_ring *ring, int fd, uint64_t data)
{
    struct io_uring_sqe *sqe = entry(ring);

    MR_ASSERT(data != MR_OP_NOBODY);
    MR_ASSERT(ring->options.buffers > 0);
    if (!sqe)
        return MR_FULL;
    io_uring_prep_recv_multishot(sqe, plain(fd), NULL, 0, 0);
    sqe->buf_group = MR_RING_BUFFER_GROUP;
    return finish(sqe, fd, IOSQE_BUFFER_SELECT, data);
}

enum mr_err mr_ring_send(struct mr_ring *ring, int fd, const void *p, size_t n, uint64_t data)
{
    struct io_uring_sqe *sqe = entry(ring);

    /* Never silent: a send that is cut short counts as a success, and its tail would be lost
     * without a word. */
    MR_ASSERT(data != MR_OP_NOBODY);
    check_length(n);
    if (!sqe)
        return MR_FULL;
    io_uring_prep_send(sqe, plain(fd), p, n, MSG_WAITALL | MSG_NOSIGNAL);
    return finish(sqe, fd, 0, data);
}

enum mr_err mr_ring_cancel(struct mr_ring *ring, uint64_t target)
{
    struct io_uring_sqe *sqe = entry(ring);

    MR_ASSERT(target != MR_OP_NOBODY);
    if (!sqe)
        return MR_FULL;
    io_uring_prep_cancel64(sqe, target, 0);
    return finish(sqe, 0, IOSQE_CQE_SKIP_SUCCESS, MR_OP_NOBODY);
}

enum mr_err mr_ring_shutdown(struct mr_ring *ring, int fd, int how)
{
    struct io_uring_sqe *sqe = entry(ring);

    if (!sqe)
        return MR_FULL;
    io_uring_prep_shutdown(sqe, plain(fd), how);
    return finish(sqe, fd, IOSQE_CQE_SKIP_SUCCESS, MR_OP_NOBODY);
}

enum mr_err mr_ring_close_file(struct mr_ring *ring, int fd, uint64_t data)
{
    struct io_uring_sqe *sqe = entry(ring);

    MR_ASSERT(!(fd & MR_FILE_REGISTERED));
    if (!sqe)
        return MR_FULL;
    io_uring_prep_close(sqe, plain(fd));
    return finish(sqe, fd, IOSQE_CQE_SKIP_SUCCESS, data);
}

enum mr_err mr_ring_wake(struct mr_ring *ring, int target_ring_fd, uint64_t target_data,
                         int32_t value, uint64_t data)
{
    struct io_uring_sqe *sqe = entry(ring);

    MR_ASSERT(target_data != MR_OP_NOBODY);
    MR_ASSERT(value >= 0);
    if (!sqe)
        return MR_FULL;
    io_uring_prep_msg_ring(sqe, plain(target_ring_fd), (unsigned)value, target_data, 0);
    return finish(sqe, target_ring_fd, IOSQE_CQE_SKIP_SUCCESS, data);
}

enum mr_err mr_ring_read(struct mr_ring *ring, int fd, void *p, size_t n, uint64_t data)
{
    struct io_uring_sqe *sqe = entry(ring);

    MR_ASSERT(data != MR_OP_NOBODY);
    check_length(n);
    if (!sqe)
        return MR_FULL;
    io_uring_prep_read(sqe, plain(fd), p, (unsigned)n, (uint64_t)-1);
    return finish(sqe, fd, 0, data);
}

enum mr_err mr_ring_poll(struct mr_ring *ring, int fd, unsigned events, uint64_t data)
{
    struct io_uring_sqe *sqe = entry(ring);

    MR_ASSERT(data != MR_OP_NOBODY);
    if (!sqe)
        return MR_FULL;
    io_uring_prep_poll_add(sqe, plain(fd), events);
    return finish(sqe, fd, 0, data);
}
