/* limit_handshake.h: the least that an inbound handshake can cost: the curve operations that a
 * recipient cannot do without (4 ECDH, 1 recovery, 2 key pairs: net/rlpx/handshake.h), and the
 * kernel's work for accepting and closing a connection. Thread: the caller's. */
#pragma once
#include "core/base.h"

struct mr_limit_handshake {
    double ecdh_us, recover_us, keypair_us, accept_us; /* medians of one each */
    double sum_us;                                     /* of one handshake */
};

/* Measures for about that many seconds. False: out of memory, or an operation failed. */
MR_MUST_USE bool mr_limit_handshake_measure(struct mr_limit_handshake *out, double seconds);
