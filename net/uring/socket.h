/* socket.h: TCP sockets as the ring uses them: made, tuned and asked for their addresses with plain
 * system calls, which none of these block on.
 * Thread: any. Memory: none; descriptors are the caller's. */
#pragma once
#include "core/base.h"
#include "core/endpoint.h"

struct mr_socket_options {
    /* Bytes not yet sent that the kernel holds before a send waits (TCP_NOTSENT_LOWAT); 0: no
     * limit. It bounds how long a message of a higher lane waits behind what is already sealed. */
    unsigned notsent_bytes;
    /* SO_SNDBUF; 0 leaves it to the kernel, which grows it with the path: a fixed one limits a far
     * peer, and notsent_bytes already bounds what waits. */
    unsigned send_buffer_bytes;
    /* SO_RCVBUF; 0 leaves it to the kernel. */
    unsigned receive_buffer_bytes;
    /* Kernel keepalive. Off: RLPx pings find dead peers sooner, and through proxies. */
    bool keepalive;
};
#define MR_SOCKET_OPTIONS_DEFAULT ((struct mr_socket_options){.notsent_bytes = 128 << 10})
#define MR_SOCKET_BACKLOG         4096 /* the kernel cuts it to net.core.somaxconn */

/* A listening socket (SO_REUSEADDR, so that a restart need not wait for old connections). Port 0
 * lets the kernel choose: see mr_socket_local. -1: *sentence names the address and what to do. */
MR_MUST_USE int mr_socket_listen(struct mr_endpoint at, unsigned backlog, char *sentence,
                                 size_t cap);
/* A socket for mr_ring_connect, bound to local->ip unless local is NULL (its port only if not 0).
 * -1: errno tells. */
MR_MUST_USE int mr_socket_dial(const struct mr_endpoint *local);
/* TCP_NODELAY and the options, on a connection of either direction. False: errno tells; the
 * connection works all the same. */
bool mr_socket_tune(int fd, const struct mr_socket_options *options);

/* False: not connected any more, or not IPv4. */
MR_MUST_USE bool mr_socket_peer(struct mr_endpoint *out, int fd);
MR_MUST_USE bool mr_socket_local(struct mr_endpoint *out, int fd);

/* Says that we send no more (FIN behind what the socket has taken); receiving goes on. At once, in
 * this thread: see mr_ring_shutdown. False: not connected any more. */
bool mr_socket_finish(int fd);
/* Makes the next close of fd send RST and drop what is unsent: for peers that earned no more, so
 * that they leave no TIME_WAIT behind. */
void mr_socket_abort_on_close(int fd);

/* Raises the soft limit of open descriptors to the hard one; returns what holds now. */
uint64_t mr_descriptors_raise(void);
