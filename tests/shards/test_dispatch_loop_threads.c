/* The dispatcher's thread on real sockets of loopback: the test's thread plays the remotes and the
 * one shard, which wakes the dispatcher through a ring of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "helper_dispatch.h"
#include "net/uring/socket.h"
#include "shards/dispatch_loop.h"

#define PATIENCE_MS 10000

struct fixture {
    struct mr_relay_options options;
    struct mr_secp *secp;
    struct mr_secp_keypair self;
    struct mr_random random;
    struct mr_mesh *mesh;
    struct mr_wake_table wake;
    struct mr_ring *ring; /* of the shard */
    int listen_fd;
    struct mr_endpoint at;
    struct mr_dispatch_loop *loop;
    pthread_t thread;
    bool running;
    enum mr_err result;
    struct mr_handover adopted[64];
    unsigned adopted_n;
    bool stop_seen, answer_stop;
};
static struct fixture f;

static void random_entropy(void *ctx, void *p, size_t n)
{
    mr_random_fill(ctx, p, n);
}

static void *run(void *arg)
{
    (void)arg;
    f.result = mr_dispatch_loop_run(f.loop);
    return NULL;
}

static void make(uint64_t stop_limit_ns)
{
    uint8_t seed[32] = {3};
    char why[200] = "";
    struct mr_dispatch_loop_setup setup = {.stop_limit_ns = stop_limit_ns, .nice = true};
    struct mr_ring_options ring = {.entries = 32, .completions = 64};

    mr_random_init(&f.random, 5);
    f.secp = mr_secp_create(seed);
    assert_non_null(f.secp);
    mr_secp_keypair_make(f.secp, &f.self, random_entropy, &f.random);
    f.mesh = mr_mesh_new(1, mr_dispatcher_sure_slots(&f.options), 8, 8);
    assert_non_null(f.mesh);
    f.listen_fd = mr_socket_listen((struct mr_endpoint){.ip = 0x7f000001}, 4096, why, sizeof why);
    assert_true(f.listen_fd >= 0);
    assert_true(mr_socket_local(&f.at, f.listen_fd));
    mr_wake_table_init(&f.wake);
    f.wake.at[0].event_fd = mr_event_open();
    setup.dispatcher = (struct mr_dispatcher_setup){
        .options = &f.options,
        .secp = f.secp,
        .self = &f.self,
        .mesh = f.mesh,
        .client = "millrace/test",
        .boot_key = {1, 2},
        .entropy = mr_entropy_system,
    };
    setup.listen_fd = f.listen_fd;
    setup.wake = &f.wake;
    f.loop = mr_dispatch_loop_new(&setup, why, sizeof why);
    if (!f.loop)
        fail_msg("%s", why);
    f.wake.at[mr_mesh_dispatcher(1)].ring_fd = mr_dispatch_loop_ring_fd(f.loop);
    f.ring = mr_ring_open(&ring, why, sizeof why);
    assert_non_null(f.ring);
    assert_int_equal(mr_ring_enable(f.ring), MR_OK);
    f.answer_stop = true;
}

static void start(void)
{
    f.running = true;
    assert_int_equal(pthread_create(&f.thread, NULL, run, NULL), 0);
}

static void begin(uint64_t stop_limit_ns)
{
    make(stop_limit_ns);
    start();
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    mr_relay_options_tiny(&f.options);
    f.options.maxpendpeers = 600;
    return 0;
}

/* ---- the shard ---- */

static void tell(enum mr_mail_kind kind, uint64_t a, uint64_t b)
{
    struct mr_mail mail = {.kind = (uint8_t)kind, .a = a, .b = b};
    unsigned dispatcher = mr_mesh_dispatcher(1);
    bool wake;

    assert_true(mr_mail_send(f.mesh, 0, dispatcher, MR_MAIL_SURE, &mail, &wake));
    if (wake)
        assert_true(mr_wake_from_ring(&f.wake, f.ring, dispatcher));
}

static void shard_turn(void)
{
    struct mr_mail mail;

    while (mr_mail_take(f.mesh, 0, &mail)) {
        if (mail.kind == MR_MAIL_STOP) {
            f.stop_seen = true;
            for (unsigned i = 0; f.answer_stop && i < f.adopted_n; i++)
                if (f.adopted[i].fd >= 0) {
                    close(f.adopted[i].fd);
                    tell(MR_MAIL_CLOSED, f.adopted[i].serial, MR_CLOSED_SHUTDOWN);
                }
            if (f.answer_stop)
                tell(MR_MAIL_STOPPED, 0, 0);
        } else {
            struct mr_handover *h = mail.ptr;

            assert_int_equal(mail.kind, MR_MAIL_ADOPT);
            assert_true(f.adopted_n < MR_COUNT_OF(f.adopted));
            f.adopted[f.adopted_n++] = *h;
            mr_stack_push(h->home, &h->entry);
        }
    }
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    shard_turn();
}

static uint64_t metric(const char *name)
{
    const struct mr_metric *m = mr_metric_find(&mr_dispatcher_metrics_set, name);

    if (m)
        return mr_metric_read(m, mr_dispatcher_metrics(mr_dispatch_loop_dispatcher(f.loop)));
    m = mr_metric_find(&mr_dispatch_loop_metrics_set, name);
    assert_non_null(m);
    return mr_metric_read(m, mr_dispatch_loop_metrics(f.loop));
}

static void wait_for(const char *name, uint64_t value)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (metric(name) == value)
            return;
        nap();
    }
    fail_msg("%s is %lu, not %lu", name, (unsigned long)metric(name), (unsigned long)value);
}

static void wait_adopted(unsigned n)
{
    for (int i = 0; i < PATIENCE_MS && f.adopted_n < n; i++)
        nap();
    assert_int_equal(f.adopted_n, n);
}

static void end_run(void)
{
    if (!f.running)
        return;
    mr_dispatch_loop_stop(f.loop, 0x08);
    for (int i = 0; i < 100 && !f.stop_seen; i++)
        nap();
    pthread_join(f.thread, NULL);
    f.running = false;
}

static int teardown(void **state)
{
    (void)state;
    if (!f.loop)
        return 0;
    end_run();
    mr_ring_close(f.ring);
    mr_dispatch_loop_free(f.loop);
    mr_mesh_free(f.mesh);
    mr_secp_destroy(f.secp);
    close(f.listen_fd);
    close(f.wake.at[0].event_fd);
    return 0;
}

/* ---- remotes ---- */

static void fd_write(void *ctx, const void *p, size_t n)
{
    assert_int_equal(send(*(int *)ctx, p, n, MSG_NOSIGNAL), n);
}

/* A ring's owner is interrupted by what completes in its ring. */
static ssize_t receive(int fd, void *p, size_t n)
{
    size_t got = 0;

    while (got < n) {
        ssize_t r = recv(fd, (uint8_t *)p + got, n - got, 0);

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return got > 0 ? (ssize_t)got : r;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

static bool fd_read(void *ctx, void *p, size_t n)
{
    return receive(*(int *)ctx, p, n) == (ssize_t)n;
}

static struct dsp_wire wire_of(int *fd)
{
    return (struct dsp_wire){.ctx = fd, .write = fd_write, .read = fd_read};
}

static struct sockaddr_in address_of(struct mr_endpoint e)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = __builtin_bswap16(e.port),
                                .sin_addr = {.s_addr = __builtin_bswap32(e.ip)}};
}

static int socket_new(void)
{
    struct timeval limit = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static void connect_fd(int fd)
{
    struct sockaddr_in a = address_of(f.at);

    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
}

static int connect_new(void)
{
    int fd = socket_new();

    connect_fd(fd);
    return fd;
}

static bool is_closed(int fd)
{
    uint8_t b;

    return receive(fd, &b, 1) <= 0;
}

static void session_reads(struct mr_handover *h, struct mr_span expected)
{
    uint8_t frame[64];
    struct mr_unseal_job job = {
        .session = &h->session, .in = frame, .in_len = sizeof frame, .size_max = 100};

    fcntl(h->fd, F_SETFL, 0); /* blocking */
    assert_int_equal(receive(h->fd, frame, sizeof frame), sizeof frame);
    mr_rlpx_unseal_one(&job, NULL);
    assert_int_equal(job.result, MR_UNSEAL_FRAME);
    assert_int_equal(job.size, expected.n);
    assert_memory_equal(job.payload, expected.p, expected.n);
}

/* ---- tests ---- */

static void inbound_session_is_handed_over_whole(void **state)
{
    struct dsp_peer peer;
    int fd;
    struct dsp_wire wire = wire_of(&fd);

    (void)state;
    begin(0);
    dsp_peer_init_key(&peer, f.secp, &f.random);
    fd = connect_new();
    assert_true(dsp_peer_join(&peer, &wire, &f.self.pub));
    dsp_peer_frame(&peer, &wire, mr_span("behind hello", 12)); /* in one go with it */
    wait_adopted(1);
    assert_true(f.adopted[0].inbound);
    assert_int_equal(f.adopted[0].remote.ip, 0x7f000001);
    session_reads(&f.adopted[0], mr_span("behind hello", 12));
    close(f.adopted[0].fd);
    f.adopted[0].fd = -1;
    tell(MR_MAIL_CLOSED, f.adopted[0].serial, MR_CLOSED_REMOTE);
    wait_for("sessions", 0);
    assert_true(is_closed(fd));
    close(fd);
    end_run();
    assert_int_equal(f.result, MR_OK);
    assert_int_equal(metric("pending"), 0);
}

static void outbound_session_is_handed_over_whole(void **state)
{
    struct dsp_peer peer;
    struct mr_listed_node node = {.is_static = true};
    struct mr_hello hello, theirs;
    uint8_t buf[2048];
    char why[200];
    int listener, fd = -1;
    struct dsp_wire wire = wire_of(&fd);

    (void)state;
    begin(0);
    dsp_peer_init_key(&peer, f.secp, &f.random);
    listener = mr_socket_listen((struct mr_endpoint){.ip = 0x7f000001}, 8, why, sizeof why);
    assert_true(mr_socket_local(&node.at, listener));
    node.id = peer.key.pub;
    assert_int_equal(mr_dispatch_loop_set_nodes(f.loop, &node, 1), MR_OK);
    for (int i = 0; i < PATIENCE_MS && (fd = accept(listener, NULL, NULL)) < 0; i++)
        nap();
    assert_true(fd >= 0);
    assert_true(dsp_peer_answer(&peer, &wire));
    hello = dsp_hello(&peer);
    dsp_peer_hello(&peer, &wire, &hello);
    assert_true(dsp_peer_read_hello(&peer, &wire, &theirs, buf));
    dsp_peer_frame(&peer, &wire, mr_span("status", 6));
    wait_adopted(1);
    assert_false(f.adopted[0].inbound);
    assert_true(f.adopted[0].is_static);
    session_reads(&f.adopted[0], mr_span("status", 6));
    close(fd);
    close(listener);
}

static void refused_dials_end_and_give_everything_back(void **state)
{
    struct mr_listed_node node = {.is_static = true, .at = {.ip = 0x7f000001, .port = 1}};
    struct dsp_peer peer;

    (void)state;
    begin(0);
    dsp_peer_init_key(&peer, f.secp, &f.random);
    node.id = peer.key.pub;
    assert_int_equal(mr_dispatch_loop_set_nodes(f.loop, &node, 1), MR_OK);
    wait_for("end_dial_failed", 1);
    wait_for("pending", 0);
    assert_int_equal(metric("dials"), 1);
}

static unsigned descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void half_open_connections_are_reaped_and_a_newcomer_gets_in(void **state)
{
    enum { N = 500 };
    struct dsp_peer peer;
    int fds[N], fd;
    struct dsp_wire wire = wire_of(&fd);
    unsigned before;

    (void)state;
    f.options.handshake_timeout_ns = 700 * MR_MS;
    begin(0);
    before = descriptors();
    dsp_peer_init_key(&peer, f.secp, &f.random);
    for (int i = 0; i < N; i++) {
        fds[i] = connect_new();
        if (i % 4 == 1)
            fd_write(&fds[i], "\x01", 1);
        if (i % 4 == 2)
            fd_write(&fds[i], "\x01\x80\x04", 3);
    }
    fd = connect_new();
    assert_true(dsp_peer_join(&peer, &wire, &f.self.pub));
    wait_adopted(1);
    wait_for("end_late", N);
    wait_for("pending", 0);
    for (int i = 0; i < N; i++) {
        assert_true(is_closed(fds[i]));
        close(fds[i]);
    }
    assert_int_equal(metric("stale_completions"), 0);
    assert_int_equal(descriptors(), before + 2); /* the newcomer's two ends */
    close(fd);
}

static void connections_over_maxpendpeers_wait_for_a_slot(void **state)
{
    enum { N = 200 };
    struct dsp_peer peer;
    int fds[N], fd;
    struct dsp_wire wire = wire_of(&fd);

    (void)state;
    f.options.handshake_timeout_ns = 50 * MR_MS;
    f.options.maxpendpeers = 20;
    begin(0);
    dsp_peer_init_key(&peer, f.secp, &f.random);
    for (int i = 0; i < N; i++)
        fds[i] = connect_new();
    wait_for("end_late", N); /* none is refused, all get their time */
    assert_int_equal(metric("refused_no_slot"), 0);
    assert_true(metric("pending_peak") <= 20);
    assert_true(metric("accept_parked") > 0);
    fd = connect_new();
    assert_true(dsp_peer_join(&peer, &wire, &f.self.pub));
    wait_adopted(1);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    close(fd);
}

/* So that a limit just above the highest one leaves none. */
static int fill_descriptors(int *filler, int max)
{
    int highest = -1, n = 0;

    for (int fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            highest = fd;
    while (n < max) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        if (fd > highest) {
            close(fd);
            return n;
        }
        filler[n++] = fd;
    }
    return n;
}

static void without_descriptors_it_closes_politely_and_does_not_spin(void **state)
{
    enum { N = 20 };
    struct dsp_peer peer;
    struct rlimit saved, low;
    int fds[N], filler[512], fillers, highest = 0, fd;
    struct dsp_wire wire = wire_of(&fd);
    uint64_t turns;

    (void)state;
    make(0);
    dsp_peer_init_key(&peer, f.secp, &f.random);
    fd = socket_new();
    for (int i = 0; i < N; i++)
        fds[i] = socket_new();
    fillers = fill_descriptors(filler, MR_COUNT_OF(filler));
    for (int i = 0; i < 4096; i++)
        if (fcntl(i, F_GETFD) >= 0)
            highest = i;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    low = saved;
    low.rlim_cur = (rlim_t)highest + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    start(); /* only now: an accept keeps to the limit of when it was armed */
    turns = metric("loop_turns");
    for (int i = 0; i < N; i++)
        connect_fd(fds[i]);
    for (int i = 0; i < N; i++)
        assert_true(is_closed(fds[i]));
    for (int i = 0; i < 500; i++)
        nap();
    turns = metric("loop_turns") - turns;
    assert_true(metric("accept_emfile") >= 1);
    assert_int_equal(metric("accept_emfile_closed"), N);
    assert_true(turns < 40); /* in half a second and more: mostly one a pause */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    connect_fd(fd);
    assert_true(dsp_peer_join(&peer, &wire, &f.self.pub)); /* it comes back by itself */
    wait_adopted(1);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    for (int i = 0; i < fillers; i++)
        close(filler[i]);
    close(fd);
}

static void full_house_is_told_0x04(void **state)
{
    struct dsp_peer peers[3];
    int fds[3];
    struct dsp_wire wire;

    (void)state;
    f.options.maxpeers = 2;
    begin(0);
    for (int i = 0; i < 3; i++) {
        dsp_peer_init_key(&peers[i], f.secp, &f.random);
        fds[i] = connect_new();
        wire = wire_of(&fds[i]);
        if (i < 2) {
            assert_true(dsp_peer_join(&peers[i], &wire, &f.self.pub));
            wait_adopted((unsigned)i + 1);
            continue;
        }
        dsp_peer_auth(&peers[i], &wire, &f.self.pub);
        assert_true(dsp_peer_ack(&peers[i], &wire));
        assert_int_equal(dsp_peer_reason(&peers[i], &wire), 0x04);
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static void stop_tells_those_who_wait_and_returns(void **state)
{
    struct dsp_peer peer;
    struct mr_hello hello;
    uint8_t buf[2048];
    int fd;
    struct dsp_wire wire = wire_of(&fd);

    (void)state;
    begin(0);
    dsp_peer_init_key(&peer, f.secp, &f.random);
    fd = connect_new();
    dsp_peer_auth(&peer, &wire, &f.self.pub);
    assert_true(dsp_peer_ack(&peer, &wire));
    assert_true(dsp_peer_read_hello(&peer, &wire, &hello, buf));
    mr_dispatch_loop_stop(f.loop, 0x08);
    assert_int_equal(dsp_peer_reason(&peer, &wire), 0x08);
    close(fd);
    end_run();
    assert_int_equal(f.result, MR_OK);
}

static void stop_gives_up_on_a_shard_that_says_nothing(void **state)
{
    (void)state;
    begin(200 * MR_MS);
    f.answer_stop = false;
    end_run();
    assert_int_equal(f.result, MR_AGAIN);
}

static void hundreds_come_and_go_without_a_leak(void **state)
{
    struct dsp_peer peer;
    unsigned before;

    (void)state;
    begin(0);
    before = descriptors();
    for (unsigned i = 0; i < 300; i++) {
        int fd = connect_new();
        struct dsp_wire wire = wire_of(&fd);
        struct mr_handover *h = &f.adopted[0];

        dsp_peer_init_key(&peer, f.secp, &f.random);
        f.adopted_n = 0;
        if (i % 3 == 0) {
            dsp_peer_auth(&peer, &wire, &f.self.pub);
        } else if (i % 3 == 1) {
            fd_write(&fd, "\xff\xff", 2);
            assert_true(is_closed(fd));
        } else {
            assert_true(dsp_peer_join(&peer, &wire, &f.self.pub));
            wait_adopted(1);
            close(h->fd);
            h->fd = -1;
            tell(MR_MAIL_CLOSED, h->serial, MR_CLOSED_REMOTE);
        }
        close(fd);
    }
    wait_for("pending", 0);
    wait_for("sessions", 0);
    assert_int_equal(metric("sessions_begun"), 100);
    assert_int_equal(metric("end_packet_big"), 100);
    assert_int_equal(descriptors(), before);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(inbound_session_is_handed_over_whole),
        TEST(outbound_session_is_handed_over_whole),
        TEST(refused_dials_end_and_give_everything_back),
        TEST(half_open_connections_are_reaped_and_a_newcomer_gets_in),
        TEST(connections_over_maxpendpeers_wait_for_a_slot),
        TEST(without_descriptors_it_closes_politely_and_does_not_spin),
        TEST(full_house_is_told_0x04),
        TEST(stop_tells_those_who_wait_and_returns),
        TEST(stop_gives_up_on_a_shard_that_says_nothing),
        TEST(hundreds_come_and_go_without_a_leak),
    };
    char sentence[200];

    if (!mr_ring_probe(sentence, sizeof sentence)) {
        print_message("skipped: %s\n", sentence);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
