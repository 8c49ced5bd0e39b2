#include "perf/limit_kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net/uring/socket.h"

#define SINK_BUFFER (256u << 10)
#define SINK_EVENTS 256
#define DRAIN_NS    10000000000u
#define LOOK_NS     50000

struct mr_limit_sink {
    _Atomic uint64_t read; /* bytes; written by the child */
};

bool mr_limit_pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

/* ---- the child ---- */

static int accept_all(int listener, uint32_t count)
{
    int epoll = epoll_create1(0);

    for (uint32_t i = 0; i < count; i++) {
        struct epoll_event e = {.events = EPOLLIN};

        do
            e.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        while (e.data.fd < 0 && (errno == EAGAIN || errno == EINTR));
        if (e.data.fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e))
            _exit(1);
    }
    return epoll;
}

static void read_all(int epoll, struct mr_limit_sink *sink, bool alone)
{
    static uint8_t buffer[SINK_BUFFER];
    struct epoll_event events[SINK_EVENTS];
    uint64_t total = 0;

    for (;;) {
        int n = epoll_wait(epoll, events, SINK_EVENTS, alone ? 0 : -1);

        for (int i = 0; i < n; i++) {
            ssize_t got = recv(events[i].data.fd, buffer, sizeof buffer, 0);

            if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
                _exit(0); /* the sender has closed */
            total += got > 0 ? (uint64_t)got : 0;
        }
        if (n > 0)
            atomic_store_explicit(&sink->read, total, memory_order_release);
    }
}

static void child(int listener, uint32_t count, struct mr_limit_sink *sink, int cpu)
{
    const int sender_cpu = sched_getcpu();

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cpu >= 0 && !mr_limit_pin(cpu))
        _exit(1);
    read_all(accept_all(listener, count), sink, cpu >= 0 && cpu != sender_cpu);
}

/* ---- the sender ---- */

static bool connect_all(struct mr_limit_kernel *k, struct mr_endpoint to)
{
    const struct sockaddr_in a = {.sin_family = AF_INET,
                                  .sin_port = htons(to.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (uint32_t i = 0; i < k->count; i++) {
        k->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (k->fds[i] < 0 || connect(k->fds[i], (const struct sockaddr *)&a, sizeof a) ||
            !mr_socket_tune(k->fds[i], &MR_SOCKET_OPTIONS_DEFAULT) ||
            mr_ring_file_set(k->ring, i, k->fds[i]))
            return false;
    }
    return true;
}

static bool memory_new(struct mr_limit_kernel *k)
{
    k->fds = malloc(k->count * sizeof *k->fds);
    if (!k->fds)
        return false;
    for (uint32_t i = 0; i < k->count; i++)
        k->fds[i] = -1;
    k->sink =
        mmap(NULL, sizeof *k->sink, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (k->sink == MAP_FAILED)
        k->sink = NULL;
    return k->sink;
}

bool mr_limit_kernel_open(struct mr_limit_kernel *k, uint32_t count, int sink_cpu, char *sentence,
                          size_t cap)
{
    const struct mr_ring_options options = {.entries = 1024, .completions = 4096, .files = count};
    struct mr_endpoint at = {.ip = INADDR_LOOPBACK};
    int listener;

    memset(k, 0, sizeof *k);
    k->count = count;
    mr_descriptors_raise();
    listener = mr_socket_listen(at, MR_SOCKET_BACKLOG, sentence, cap);
    if (listener < 0)
        return false;
    if (!mr_socket_local(&at, listener) || !memory_new(k) || (k->child = fork()) < 0)
        goto failed;
    if (k->child == 0)
        child(listener, count, k->sink, sink_cpu);
    k->ring = mr_ring_open(&options, sentence, cap);
    if (!k->ring)
        goto closed;
    if (mr_ring_enable(k->ring) || !connect_all(k, at))
        goto failed;
    close(listener);
    return true;
failed:
    snprintf(sentence, cap, "cannot connect %u sockets: %s", count, strerror(errno));
closed:
    close(listener);
    mr_limit_kernel_close(k);
    return false;
}

void mr_limit_kernel_close(struct mr_limit_kernel *k)
{
    mr_ring_close(k->ring);
    for (uint32_t i = 0; k->fds && i < k->count; i++)
        if (k->fds[i] >= 0)
            close(k->fds[i]);
    if (k->child > 0) {
        kill(k->child, SIGKILL);
        waitpid(k->child, NULL, 0);
    }
    if (k->sink)
        munmap(k->sink, sizeof *k->sink);
    free(k->fds);
    memset(k, 0, sizeof *k);
}

static bool send_through_ring(struct mr_limit_kernel *k, uint32_t first, uint32_t n,
                              uint8_t *const *blocks, size_t bytes)
{
    struct mr_completion c[64];
    uint32_t left = n;

    for (uint32_t i = 0; i < n; i++)
        if (mr_ring_send(k->ring, mr_file(first + i), blocks[i], bytes, mr_op_pack(1, i, 0)))
            MR_ASSERT(!"a window fits the ring");
    mr_ring_submit(k->ring);
    for (;;) {
        unsigned got = mr_ring_completions(k->ring, c, MR_COUNT_OF(c));

        for (unsigned i = 0; i < got; i++)
            if (c[i].res < 0 || (size_t)c[i].res != bytes) {
                errno = c[i].res < 0 ? -c[i].res : EIO;
                return false;
            }
        left -= got;
        if (left == 0)
            return true;
        if (got == 0 && mr_ring_wait(k->ring, MR_WAIT_FOREVER, left))
            return false;
    }
}

bool mr_limit_kernel_send(struct mr_limit_kernel *k, uint32_t first, uint32_t n,
                          uint8_t *const *blocks, size_t bytes, enum mr_limit_way way)
{
    k->sent += (uint64_t)n * bytes;
    if (way == MR_LIMIT_RING)
        return send_through_ring(k, first, n, blocks, bytes);
    for (uint32_t i = 0; i < n; i++) {
        ssize_t sent = send(k->fds[first + i], blocks[i], bytes, MSG_NOSIGNAL);

        if (sent != (ssize_t)bytes) {
            errno = sent < 0 ? errno : EIO;
            return false;
        }
    }
    return true;
}

bool mr_limit_kernel_drain(struct mr_limit_kernel *k)
{
    const struct timespec look = {.tv_nsec = LOOK_NS};

    for (uint64_t waited = 0; waited < DRAIN_NS; waited += LOOK_NS) {
        if (atomic_load_explicit(&k->sink->read, memory_order_acquire) == k->sent)
            return true;
        nanosleep(&look, NULL);
    }
    errno = ETIMEDOUT;
    return false;
}
