/* fan_track.h: which message of a fan-out run is where: order, loss, repetition, latency.
 * Thread: the run's. Memory: at init. */
#pragma once
#include "core/histogram.h"

struct mr_fan_track {
    uint32_t messages, receivers; /* in all; receivers are numbered from 0 */
    uint32_t measured_from;       /* messages before are warm-up: in no histogram */
    uint64_t seed;
    uint64_t *begin_ns; /* by message: when it was published, or was to be */
    uint32_t *left;     /* by message: receivers that do not have it */
    uint32_t *next;     /* by receiver: the message that is due */
    uint32_t published, completed;

    uint64_t delivered;
    uint64_t dropped;  /* a later message came instead */
    uint64_t doubled;  /* came again */
    uint64_t damaged;  /* of a wrong size or content, or none of ours */
    uint64_t returned; /* at the publisher */

    struct mr_histogram latency; /* us, by delivery */
    struct mr_histogram last;    /* us, by message: until the last receiver had it */
};

/* MR_FULL: no memory. */
MR_MUST_USE enum mr_err mr_fan_track_init(struct mr_fan_track *t, uint32_t messages,
                                          uint32_t measured_from, uint32_t receivers,
                                          uint64_t seed);
void mr_fan_track_fini(struct mr_fan_track *t);

/* Message number t->published is on its way. */
void mr_fan_track_published(struct mr_fan_track *t, uint64_t now_ns);
/* A message of the right size and this name has come. */
void mr_fan_track_delivered(struct mr_fan_track *t, uint32_t receiver, uint64_t tag,
                            uint64_t now_ns);
/* What should have come and has not: those still missing, and those dropped before. */
uint64_t mr_fan_track_lost(const struct mr_fan_track *t);
/* Whether all that was published has come, once, whole, and to no one else. */
bool mr_fan_track_faultless(const struct mr_fan_track *t);
