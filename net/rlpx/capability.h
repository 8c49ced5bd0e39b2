/* capability.h: which protocols a session speaks, and where their messages lie in the id space.
 * devp2p rlpx.md "Message ID-based Multiplexing": ids below 0x10 belong to the base protocol; the
 * shared capabilities follow in order of their names, the highest shared version of each name.
 * Thread: any. Plain values, no memory of their own. */
#pragma once
#include "core/base.h"

#define MR_CAPABILITY_NAME_MAX    8  /* rlpx.md: short ASCII name, at most eight characters */
#define MR_CAPABILITIES_MAX       8  /* names shared in one session */
#define MR_CAPABILITY_OFFERED_MAX 64 /* of a peer's list, kept */
#define MR_CAPABILITY_FIRST_ID    0x10
#define MR_CAPABILITY_BASE        0xff /* in place of an index: the base protocol */

struct mr_capability {
    char name[MR_CAPABILITY_NAME_MAX]; /* padded with zeros, not terminated */
    uint64_t version;
};
/* A capability that we can speak: ids_count is fixed by its specification. */
struct mr_protocol {
    struct mr_capability capability;
    uint32_t ids_count;
};
struct mr_capability_shared {
    struct mr_capability capability;
    uint16_t first_id, ids_count;
};
/* The outcome of a Hello exchange, in order of names. */
struct mr_capabilities {
    struct mr_capability_shared shared[MR_CAPABILITIES_MAX];
    uint16_t end_id; /* the first id that belongs to nobody */
    uint8_t count;
};

/* eth/66 to 72, snap/1 and 2: sorted by name, then version. */
extern const struct mr_protocol mr_protocols[];
extern const size_t mr_protocols_count;

/* False if the name is empty, longer than 8 bytes, or not printable ASCII: it cannot be shared. */
bool mr_capability_make(struct mr_capability *out, struct mr_span name, uint64_t version);
bool mr_capability_equal(const struct mr_capability *a, const struct mr_capability *b);
/* Terminated "eth/68" for logs. */
#define MR_CAPABILITY_TEXT_MAX (MR_CAPABILITY_NAME_MAX + 22)
void mr_capability_text(char out[MR_CAPABILITY_TEXT_MAX], const struct mr_capability *c);
/* The entry of mr_protocols, or NULL. */
const struct mr_protocol *mr_protocol_find(const char *name, uint64_t version);

/* Matches our list (at most MR_CAPABILITIES_MAX names, asserted; any order) with theirs (any).
 * MR_NOT_FOUND if none is shared: Disconnect 0x03; *out is then untouched. */
MR_MUST_USE enum mr_err mr_capabilities_match(struct mr_capabilities *out,
                                              const struct mr_protocol *ours, size_t ours_n,
                                              const struct mr_capability *theirs, size_t theirs_n);
/* The entry of this name, or NULL. name is terminated. */
const struct mr_capability_shared *mr_capabilities_named(const struct mr_capabilities *c,
                                                         const char *name);

/* From an id on the wire to an index into shared (or MR_CAPABILITY_BASE for ids below 0x10) and the
 * id inside it. MR_NOT_FOUND for ids that belong to nobody (F-06); outputs are then untouched. */
MR_MUST_USE enum mr_err mr_capabilities_find(const struct mr_capabilities *c, uint8_t *index,
                                             uint16_t *id, uint64_t wire_id);
/* And back. id must belong to the capability (asserted). */
uint16_t mr_capabilities_wire_id(const struct mr_capabilities *c, uint8_t index, uint16_t id);
