#include "net/uring/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in to_sockaddr(struct mr_endpoint e)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(e.port), .sin_addr = {.s_addr = htonl(e.ip)}};
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another program listens there: stop it or choose another port";
    case EADDRNOTAVAIL:
        return "no interface of this machine has that address: use one that it has, or 0.0.0.0";
    case EACCES:
        return "ports below 1024 need privileges: choose a higher one";
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files (ulimit -n)";
    default:
        return "check address and port";
    }
}

int mr_socket_listen(struct mr_endpoint at, unsigned backlog, char *sentence, size_t cap)
{
    const struct sockaddr_in address = to_sockaddr(at);
    char text[MR_ENDPOINT_TEXT_MAX];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error;

    if (fd >= 0 && set(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
        bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, (int)MR_MIN(backlog, 65535u)) == 0)
        return fd;
    error = errno;
    if (fd >= 0)
        close(fd);
    snprintf(sentence, cap, "cannot listen on %s: %s: %s", mr_endpoint_text(text, at),
             strerror(error), advice(error));
    errno = error;
    return -1;
}

int mr_socket_dial(const struct mr_endpoint *local)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address;
    int error;

    if (fd < 0 || !local)
        return fd;
    address = to_sockaddr(*local);
    /* The kernel then chooses the port at connect, when it knows the other end: as many
     * connections as there are pairs, not as there are ports. */
    if (local->port == 0)
        set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    else
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool mr_socket_tune(int fd, const struct mr_socket_options *options)
{
    /* Messages are coalesced before they are sealed: Nagle's algorithm would only delay the last.
     */
    bool ok = set(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0;

    if (options->notsent_bytes > 0)
        ok = set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)options->notsent_bytes) == 0 && ok;
    if (options->send_buffer_bytes > 0)
        ok = set(fd, SOL_SOCKET, SO_SNDBUF, (int)options->send_buffer_bytes) == 0 && ok;
    if (options->receive_buffer_bytes > 0)
        ok = set(fd, SOL_SOCKET, SO_RCVBUF, (int)options->receive_buffer_bytes) == 0 && ok;
    if (options->keepalive)
        ok = set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) == 0 && ok;
    return ok;
}

static bool to_endpoint(struct mr_endpoint *out, const struct sockaddr_in *a, socklen_t n)
{
    if (n != sizeof *a || a->sin_family != AF_INET)
        return false;
    *out = (struct mr_endpoint){.ip = ntohl(a->sin_addr.s_addr), .port = ntohs(a->sin_port)};
    return true;
}

bool mr_socket_peer(struct mr_endpoint *out, int fd)
{
    struct sockaddr_in a = {0};
    socklen_t n = sizeof a;

    return getpeername(fd, (struct sockaddr *)&a, &n) == 0 && to_endpoint(out, &a, n);
}

bool mr_socket_local(struct mr_endpoint *out, int fd)
{
    struct sockaddr_in a = {0};
    socklen_t n = sizeof a;

    return getsockname(fd, (struct sockaddr *)&a, &n) == 0 && to_endpoint(out, &a, n);
}

bool mr_socket_finish(int fd)
{
    return shutdown(fd, SHUT_WR) == 0;
}

void mr_socket_abort_on_close(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

uint64_t mr_descriptors_raise(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r))
        return 0;
    if (r.rlim_cur < r.rlim_max) {
        struct rlimit raised = {.rlim_cur = r.rlim_max, .rlim_max = r.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            r = raised;
    }
    return r.rlim_cur;
}
