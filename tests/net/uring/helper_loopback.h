/* helper_loopback.h: connected sockets on loopback, a ring, and waiting for its completions. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/uring/ring.h"
#include "net/uring/socket.h"

#define LOOPBACK 0x7f000001u

/* A listener on 127.0.0.1 and the port that it got. */
int loopback_listen(struct mr_endpoint *at);
/* Two connected sockets. */
void loopback_pair(int fd[2]);

/* Opened and enabled; fails the test otherwise. */
struct mr_ring *ring_of(const struct mr_ring_options *options);
/* The next completion, waiting for it. */
struct mr_completion ring_next(struct mr_ring *ring);
/* Fails the test if there is a completion now. */
void ring_is_quiet(struct mr_ring *ring);
uint64_t ring_stat(struct mr_ring *ring, size_t offset);
#define RING_STAT(ring, name) ring_stat(ring, offsetof(struct mr_ring_stats, name))

/* Runs body in a child process; its result is the child's exit status (body returns it). */
int in_child(int (*body)(void));
