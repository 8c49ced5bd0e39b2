/* crowd.h: many scripted peers in one thread: honest ones around a relay that is under attack. They
 * answer pings and requests, fetch what is announced to them as geth does (one request out, at most
 * 256 hashes), and remember which of the test's transactions reached whom and when. With a strict
 * table every message of the relay is judged by geth's rules as well. Thread: the test's. */
#pragma once
#include <limits.h>

#include "perf/strict.h"
#include "tests/system/process.h"

/* Addresses of loopback, 127.a.b.c. */
#define IP(a, b, c) (0x7f000000u | (uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

#define CROWD_SAMPLES_MAX   1024
#define CROWD_EVERY_VERSION UINT_MAX /* of eth, one peer after the other */

struct crowd;
/* Called for every message of a peer before the crowd looks at it. */
typedef void crowd_message_fn(struct crowd *c, unsigned peer, const struct mr_client_message *m);

/* Called when a peer asks for announced transactions. */
typedef void crowd_asked_fn(struct crowd *c, unsigned peer, uint64_t request_id, size_t hashes);

struct crowd_options {
    const struct process *relay;
    unsigned n;
    uint64_t seed;                    /* the first peer's name */
    uint32_t base_ip;                 /* and address; one each */
    unsigned version;                 /* of eth; 0: the best that we have; or the above */
    const struct mr_network *network; /* NULL: mainnet */
    struct mr_strict *strict;         /* NULL: messages are not judged */
};

struct crowd {
    struct crowd_options o;
    struct mr_client *peers;
    struct mr_strict_peer *judges;
    bool *gone; /* its connection ended */
    unsigned n, ended;
    struct sample *samples; /* CROWD_SAMPLES_MAX */
    int64_t *sent_ms;       /* per sample */
    bool *lost;             /* per sample: nobody waits for it */
    unsigned samples_count;
    uint8_t *marks;       /* peer * CROWD_SAMPLES_MAX + sample */
    uint16_t *wants;      /* per peer: samples of its request in flight */
    unsigned *wants_n;    /* 0: none is out */
    int64_t latest_ms;    /* longest way of any sample to any peer */
    int32_t *ways_ms;     /* of all deliveries, ways_count */
    unsigned twice, back; /* came again, came to whom it came from: none may */
    unsigned foreign;     /* hashes named or delivered that are no sample's: none may */
    struct mr_hash last_foreign;
    unsigned ways_count, ways_cap;
    uint64_t request_id;
    crowd_message_fn *seen; /* these three are the test's */
    crowd_asked_fn *asked;
    void *ctx;
};

/* n peers named from seed on, each from its own address of 127.x.y.z from base_ip on; all have
 * agreed on Status. version: of eth, 0 for the best. */
void crowd_open(struct crowd *c, const struct process *relay, unsigned n, uint64_t seed,
                uint32_t base_ip, unsigned version);
void crowd_open_with(struct crowd *c, const struct crowd_options *o);
void crowd_close(struct crowd *c);
/* Takes what comes for so long. */
void crowd_pump(struct crowd *c, int ms);
/* Makes a transaction known, so that it is fetched and counted: its number. owner: who has it
 * already, or UINT_MAX. */
unsigned crowd_expect(struct crowd *c, unsigned owner, const struct sample *s);
/* Nobody needs to get it (but it is nothing foreign either). */
void crowd_expect_nothing_of(struct crowd *c, unsigned sample);
/* Peer sends a new valid transaction with so many bytes of data; gives its number. */
unsigned crowd_send(struct crowd *c, unsigned peer, size_t data_bytes);
/* Peer announces a new valid transaction, and will answer for it. */
unsigned crowd_announce(struct crowd *c, unsigned peer, size_t data_bytes);
bool crowd_has(const struct crowd *c, unsigned peer, unsigned sample);
/* The peer has it from elsewhere: the relay is told so by nobody else. False: it came already. */
bool crowd_own(struct crowd *c, unsigned peer, unsigned sample);
/* Pumps until all samples are with all peers that are left; fails the test after timeout_ms. */
void crowd_settle(struct crowd *c, int timeout_ms);
/* Traffic for ms: a transaction each every_ms, from each peer in its turn. */
void crowd_traffic(struct crowd *c, int ms, int every_ms);
/* The way that this share of all deliveries did not exceed: per mille. */
int crowd_way_ms(struct crowd *c, unsigned per_mille);
/* The oracle O3: nobody was disconnected, everything arrived everywhere, once, and none of it took
 * longer than longest_ms. With a strict table: nothing else was named, and nobody would have left.
 */
void crowd_expect_unharmed(struct crowd *c, int64_t longest_ms);
