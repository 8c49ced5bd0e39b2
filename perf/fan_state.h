/* fan_state.h: a fan-out run: its connections, what it watches, what it found.
 * Thread: one, for all of it. Memory: at init; what is received is not kept, but by receivers that
 * check it.
 *
 * A peer's states, each named for what it waits for: IDLE -> DIALLING -> ACK -> HELLO -> ACTIVE.
 * A connection that fails or ends is the end of the run. */
#pragma once
#include "core/clock.h"
#include "net/uring/ring.h"
#include "perf/fan_options.h"
#include "perf/fan_payload.h"
#include "perf/fan_skim.h"
#include "perf/fan_track.h"
#include "perf/load_link.h"
#include "perf/load_proc.h"

enum mr_fan_state { MR_FAN_IDLE, MR_FAN_DIALLING, MR_FAN_ACK, MR_FAN_HELLO, MR_FAN_ACTIVE };

#define MR_FAN_PUBLISHER 0 /* the peer of this index; receiver i is peer i + 1 */

struct mr_fan_peer {
    uint32_t index;
    int fd;
    uint8_t state; /* enum mr_fan_state */
    bool send_out, dirty;
    bool checks; /* verifies all that it is sent */
    struct mr_load_link link;
    struct mr_fan_skim skim; /* ACTIVE, unless it checks */
};

struct mr_fan_counts {
    uint64_t receives, bytes_in, frames_in, frame_bytes; /* while messages are measured */
    uint64_t pings, others; /* in the whole run: messages that are not of it */
};

struct mr_fan {
    const struct mr_fan_options *o;
    struct mr_secp *secp;
    struct mr_ring *ring;
    struct mr_fan_payload payload;
    struct mr_fan_track track;
    struct mr_fan_peer *peers;
    uint32_t *dirty, dirty_n; /* peers with something to seal */
    uint8_t *inflated;        /* room for one message, of a receiver that checks */
    uint32_t dialled, active;
    struct mr_time now;

    bool failed;
    char sentence[256]; /* why */

    struct mr_fan_counts counts;
    uint64_t connect_begin_ns, connect_end_ns, begin_ns, end_ns, progress_ns;
    struct mr_load_proc before, connected, idle_first, idle_last, first, last; /* of the hub */
    struct mr_load_proc own_first, own_last;
};

/* Ends the run with one sentence; the first one counts. */
MR_COLD void mr_fan_fail(struct mr_fan *f, const char *format, ...) MR_PRINTF(2, 3);
