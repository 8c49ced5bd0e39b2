/* fan_options.h: what a fan-out run is told. Thread: main's. Borrows from argv. */
#pragma once
#include "net/rlpx/enode.h"

#define MR_FAN_PEERS_MAX    16384
#define MR_FAN_MESSAGES_MAX (UINT32_C(1) << 22) /* warm-up included */
#define MR_FAN_BYTES_MAX    (UINT32_C(8) << 20)

struct mr_fan_options {
    struct mr_enode target;
    int64_t hub_pid;    /* 0: none, its CPU and memory are then unknown */
    uint32_t peers;     /* the publisher and the receivers */
    uint32_t bytes;     /* of a message's payload, before snappy */
    bool tx;            /* the payload is of transactions, else random */
    const char *corpus; /* where from; NULL: generated ones */
    uint32_t window;    /* closed loop: messages not yet at all receivers. 0: open loop */
    double rate;        /* open loop: messages a second */
    uint32_t messages, warmup;
    uint32_t connecting; /* handshakes in flight */
    uint32_t check;      /* receivers that verify everything */
    bool one_address;    /* all from 127.0.0.1 */
    bool spin;           /* never sleeps while messages are under way */
    uint32_t idle_s;     /* how long the connections are watched in silence, 2 at least */
    uint32_t stall_s;    /* without a delivery: the run is given up */
    uint64_t seed;
};

#define MR_FAN_OPTIONS_DEFAULT                                                                     \
    ((struct mr_fan_options){.peers = 1000,                                                        \
                             .bytes = 200,                                                         \
                             .messages = 1000,                                                     \
                             .connecting = 32,                                                     \
                             .idle_s = 2,                                                          \
                             .stall_s = 20,                                                        \
                             .seed = 1})
