/* bench_ring: CPU time of one small message to 1,000 loopback sockets, through net/uring against
 * plain send(2), with and without registered descriptors.
 *   bench_ring [bytes [rounds]]
 * The far ends are emptied between rounds, outside the measured time: nobody is woken. Loopback
 * charges the receiver's TCP work to the sender, in all ways alike. Rounds of the three ways
 * alternate; medians are printed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/uring/ring.h"
#include "net/uring/socket.h"
#include "perf/bench_clock.h"

#define SOCKETS    1000
#define WINDOW     64
#define BYTES_MAX  8192
#define ROUNDS_MAX 2000

enum way { PLAIN, RING, RING_FILES, WAYS };
static const char *const names[WAYS] = {"send(2)", "ring", "ring, registered files"};

struct bench {
    struct mr_ring *ring;
    int near[SOCKETS], far[SOCKETS];
    uint8_t message[BYTES_MAX];
    size_t bytes;
    double us[WAYS][ROUNDS_MAX]; /* per message */
};

static void stop(const char *what)
{
    fprintf(stderr, "bench_ring: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Waits until n completions have come; their results must all be `res`, where it is not negative.
 */
static void reap(struct mr_ring *ring, unsigned n, int32_t res)
{
    struct mr_completion c[WINDOW];

    while (n > 0) {
        unsigned got;
        if (mr_ring_wait(ring, MR_WAIT_FOREVER, MR_MIN(n, WINDOW)))
            stop("wait");
        got = mr_ring_completions(ring, c, WINDOW);
        for (unsigned i = 0; i < got; i++)
            if (c[i].res != res) {
                errno = c[i].res < 0 ? -c[i].res : EIO;
                stop("completion");
            }
        n -= got;
    }
}

static void connect_all(struct bench *b)
{
    char sentence[256];
    struct mr_endpoint at;
    int listener = mr_socket_listen((struct mr_endpoint){.ip = 0x7f000001}, MR_SOCKET_BACKLOG,
                                    sentence, sizeof sentence);

    if (listener < 0 || !mr_socket_local(&at, listener))
        stop("listen");
    for (unsigned i = 0; i < SOCKETS; i++) {
        if ((b->near[i] = mr_socket_dial(NULL)) < 0)
            stop("socket");
        if (mr_ring_connect(b->ring, b->near[i], at, mr_op_pack(1, i, 0)))
            stop("connect");
        reap(b->ring, 1, 0);
        if ((b->far[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
            stop("accept");
        mr_socket_tune(b->near[i], &MR_SOCKET_OPTIONS_DEFAULT);
        if (mr_ring_file_set(b->ring, i, b->near[i]))
            stop("register");
    }
    close(listener);
}

static void round_of(struct bench *b, enum way way)
{
    if (way == PLAIN) {
        for (unsigned i = 0; i < SOCKETS; i++)
            if (send(b->near[i], b->message, b->bytes, MSG_NOSIGNAL) != (ssize_t)b->bytes)
                stop("send");
        return;
    }
    for (unsigned i = 0; i < SOCKETS; i++) {
        int fd = way == RING ? b->near[i] : mr_file(i);
        if (mr_ring_send(b->ring, fd, b->message, b->bytes, mr_op_pack(2, i, 0)))
            stop("queue full");
        if (i % WINDOW == WINDOW - 1)
            mr_ring_submit(b->ring);
    }
    reap(b->ring, SOCKETS, (int32_t)b->bytes);
}

static void empty_far_ends(struct bench *b)
{
    static uint8_t sink[BYTES_MAX];

    for (unsigned i = 0; i < SOCKETS; i++)
        for (size_t left = b->bytes; left > 0;) {
            ssize_t n = recv(b->far[i], sink, left, 0);
            if (n <= 0 && errno != EAGAIN)
                stop("recv");
            left -= n > 0 ? (size_t)n : 0;
        }
}

int main(int argc, char **argv)
{
    const struct mr_ring_options options = {.entries = 1024, .completions = 4096, .files = SOCKETS};
    struct bench *b = calloc(1, sizeof *b);
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 200;
    double median[WAYS];
    char sentence[512];

    if (!b)
        stop("memory");
    b->bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
    if (b->bytes < 1 || b->bytes > BYTES_MAX || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_ring [bytes, to %d [rounds, to %d]]\n", BYTES_MAX,
                ROUNDS_MAX);
        free(b);
        return 2;
    }
    mr_descriptors_raise();
    b->ring = mr_ring_open(&options, sentence, sizeof sentence);
    if (!b->ring) {
        fprintf(stderr, "bench_ring: %s\n", sentence);
        free(b);
        return 1;
    }
    if (mr_ring_enable(b->ring))
        stop("enable");
    connect_all(b);
    for (size_t r = 0; r < rounds; r++)
        for (enum way way = 0; way < WAYS; way++) {
            uint64_t begin = mr_bench_cpu_ns();
            round_of(b, way);
            b->us[way][r] = (double)(mr_bench_cpu_ns() - begin) / 1e3 / SOCKETS;
            empty_far_ends(b);
        }
    for (enum way way = 0; way < WAYS; way++)
        median[way] = mr_bench_median(b->us[way], rounds); /* and sorts */
    for (enum way way = 0; way < WAYS; way++)
        printf("%-24s %5zu bytes  median %6.3f  p10 %6.3f  p90 %6.3f us/message  ratio %.3f\n",
               names[way], b->bytes, median[way], b->us[way][rounds / 10],
               b->us[way][rounds * 9 / 10], median[way] / median[PLAIN]);
    mr_ring_close(b->ring);
    free(b);
    return 0;
}
