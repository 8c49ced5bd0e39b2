/* fan_message.h: what the messages of a fan-out run mean: capability bench/1, of four ids, whose id
 * 0 is what the hub sends on. Thread: the run's. */
#pragma once
#include "perf/fan_state.h"

/* False: no memory, and the run has failed. */
MR_MUST_USE bool mr_fan_say_hello(struct mr_fan *f, struct mr_fan_peer *p);
/* A frame of size bytes has come whole; data is all of it, or its first MR_FAN_PEEK bytes. */
void mr_fan_frame(struct mr_fan *f, struct mr_fan_peer *p, uint32_t size, struct mr_span data,
                  bool whole);
/* Publishes the next message, timed from begin_ns. */
void mr_fan_publish(struct mr_fan *f, uint64_t begin_ns);
