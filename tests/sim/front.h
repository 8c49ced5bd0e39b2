/* front.h: the real dispatcher in front of a simulated relay's shards, instead of its door: a port
 * that binds it to simulated connections, and turns some microseconds after it was woken.
 * Thread: one. Memory: malloc. */
#pragma once
#include "shards/dispatcher.h"
#include "tests/sim/relay.h"

struct sim_world;
struct sim_front_slot {
    int end;
    uint32_t generation;
    bool used, dialling, receiving, sending, closing;
};
struct sim_waiting { /* a connection that is not accepted yet */
    int end;
    struct mr_endpoint from;
};
struct sim_front {
    struct sim_world *world;
    struct sim_relay *relay;
    struct mr_dispatcher *dispatcher;
    struct sim_front_slot *slots;
    uint32_t slots_count;
    struct mr_dispatcher_event *events;
    size_t events_count, events_cap;
    struct sim_waiting waiting[64];
    uint32_t waiting_count, room;
    uint64_t turn_ns, epoch;
    bool planned;
    uint32_t dials;
};

struct sim_front *sim_front_new(struct sim_world *w, struct sim_relay *r);
void sim_front_free(struct sim_front *f);
void sim_front_wake(struct sim_front *f);
/* A listener of world.h. */
void sim_front_arrives(void *front, int end, struct mr_endpoint from);
/* Relay `other` as a static node. */
void sim_front_set_static(struct sim_front *f, const struct sim_relay *other, bool trusted);
void sim_front_stop(struct sim_front *f, unsigned reason);
