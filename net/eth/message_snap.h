/* message_snap.h: the snap protocol, as far as one who has no state needs it: what its ids mean,
 * and the answer "none" to each request. Not advertised; kept so that a peer that talks snap all
 * the same is understood. Thread: any. Source: devp2p caps/snap.md (snap/1; snap/2 of EIP-8189). */
#pragma once
#include "net/eth/version.h"

enum { MR_SNAP_1 = 1, MR_SNAP_2 };

struct mr_snap_message {
    uint8_t id;
    uint8_t first, last; /* versions that have it */
    uint8_t kind;        /* MR_ETH_REQUEST or MR_ETH_RESPONSE */
    uint8_t answer_id;   /* of a request */
    const char *name;
};

/* How many ids the version occupies: 8, 10; 0 for any other version. */
unsigned mr_snap_version_length(unsigned version);
/* What the id means in that version; NULL if nothing. */
const struct mr_snap_message *mr_snap_message_find(unsigned version, uint64_t id);
/* The answer of one who has no state; access lists are missed one by one, at most 1,024. On an
 * error nothing is written: MR_NOT_FOUND (no request), those of reading the request, MR_FULL. */
MR_MUST_USE enum mr_err mr_snap_empty_answer(unsigned version, uint64_t id, struct mr_span request,
                                             struct mr_writer *answer, uint64_t *answer_id);
