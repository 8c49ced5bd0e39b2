/* crowd.h: many scripted peers in one thread: honest ones around a relay that is under attack. They
 * answer pings and requests, fetch what is announced to them, and remember which of the test's
 * transactions reached whom and when. Thread: the test's. */
#pragma once
#include "tests/system/process.h"

#define CROWD_SAMPLES_MAX 512

struct crowd;
/* Called for every message of a peer before the crowd looks at it. */
typedef void crowd_message_fn(struct crowd *c, unsigned peer, const struct mr_client_message *m);

/* Called when a peer asks for announced transactions. */
typedef void crowd_asked_fn(struct crowd *c, unsigned peer, uint64_t request_id, size_t hashes);

struct crowd {
    const struct process *relay;
    struct mr_client *peers;
    bool *gone; /* its connection ended */
    unsigned n, ended;
    struct sample *samples; /* CROWD_SAMPLES_MAX */
    unsigned samples_count;
    uint8_t *held;     /* peer * CROWD_SAMPLES_MAX + sample: times that it came, or 255: its own */
    int64_t *sent_ms;  /* per sample */
    int64_t latest_ms; /* longest way of any sample to any peer */
    unsigned twice, back; /* came again, came to whom it came from: none may */
    unsigned base_ip;     /* of the first peer; one address each */
    uint64_t request_id;
    crowd_message_fn *seen; /* these three are the test's */
    crowd_asked_fn *asked;
    void *ctx;
};

/* n peers named from seed on, each from its own address of 127.x.y.z from base_ip on; all have
 * agreed on Status. version: of eth, 0 for the best. */
void crowd_open(struct crowd *c, const struct process *relay, unsigned n, uint64_t seed,
                uint32_t base_ip, unsigned version);
void crowd_close(struct crowd *c);
/* Takes what comes for so long. */
void crowd_pump(struct crowd *c, int ms);
/* Peer sends a new valid transaction with so many bytes of data; gives its number. */
unsigned crowd_send(struct crowd *c, unsigned peer, size_t data_bytes);
/* Pumps until all samples are with all peers that are left; fails the test after timeout_ms. */
void crowd_settle(struct crowd *c, int timeout_ms);
/* Traffic for ms: a transaction each every_ms, from each peer in its turn. */
void crowd_traffic(struct crowd *c, int ms, int every_ms);
/* The oracle O3: nobody was disconnected, everything arrived everywhere, once, and none of it took
 * longer than longest_ms. */
void crowd_expect_unharmed(struct crowd *c, int64_t longest_ms);
