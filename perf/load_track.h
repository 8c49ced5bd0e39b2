/* load_track.h: who has which transaction since when: a byte for each (peer, transaction), and what
 * follows from it: latencies, what is missing, what came twice.
 * Thread: the owner's. Memory: at init: peers * transactions bytes, and the histograms. */
#pragma once
#include "core/histogram.h"

#define MR_LOAD_TRACK_BYTES_MAX (UINT64_C(2) << 30)

enum mr_load_mark {
    MR_LOAD_ANNOUNCED = 1,
    MR_LOAD_HAS = 2,
    MR_LOAD_WANTED = 4, /* waits to be asked for */
    MR_LOAD_ASKED = 8,  /* in the request that is out */
};

struct mr_load_track {
    uint8_t *marks;    /* [peer * txs + tx] */
    uint64_t *due_ns;  /* when each transaction is to be sent: latencies count from here */
    uint64_t *sent_ns; /* when it was; 0: not yet */
    uint32_t peers, txs, senders;
    struct mr_histogram notice, body; /* microseconds */

    uint64_t sent, delivered, noticed;
    uint64_t late_sends_max_ns;  /* how far behind its time the generator itself was */
    uint64_t twice_in_full;      /* a body that the peer had */
    uint64_t twice_announced;    /* a hash announced before */
    uint64_t sent_back;          /* body or hash given to who sent it */
    uint64_t announced_to_owner; /* of a body that the peer had: pointless, no duplicate */
    uint64_t in_full_announced;  /* unasked body after its announcement */
    uint64_t before_sent;        /* known to the relay before this run sent it */
    uint64_t foreign;            /* of transactions that are not of this run */
};

/* Transaction i is sent by peer i % senders. MR_INVALID for options out of range or over
 * MR_LOAD_TRACK_BYTES_MAX, MR_FULL when memory is short. */
MR_MUST_USE enum mr_err mr_load_track_init(struct mr_load_track *t, uint32_t peers, uint32_t txs,
                                           uint32_t senders);
void mr_load_track_fini(struct mr_load_track *t);
/* Fixes all send times: rate a second, from start on. */
void mr_load_track_schedule(struct mr_load_track *t, uint64_t start_ns, double per_s);

static inline uint8_t *mr_load_mark(struct mr_load_track *t, uint32_t peer, uint32_t tx)
{
    return &t->marks[(size_t)peer * t->txs + tx];
}

void mr_load_track_sent(struct mr_load_track *t, uint32_t tx, uint64_t now_ns);
/* The relay announced tx to peer. True: the peer lacks it and shall ask (MR_LOAD_WANTED is set). */
bool mr_load_track_announced(struct mr_load_track *t, uint32_t peer, uint32_t tx, uint64_t now_ns);
/* The relay gave tx's body to peer. asked: in an answer to its request. */
void mr_load_track_body(struct mr_load_track *t, uint32_t peer, uint32_t tx, bool asked,
                        uint64_t now_ns);

/* (peers - 1) for each transaction whose time has come before end_ns. */
uint64_t mr_load_track_expected(const struct mr_load_track *t, uint32_t peers_counted,
                                uint64_t end_ns);
static inline uint64_t mr_load_track_duplicates(const struct mr_load_track *t)
{
    return t->twice_in_full + t->twice_announced + t->sent_back;
}
