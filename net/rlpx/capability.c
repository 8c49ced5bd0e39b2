#include "net/rlpx/capability.h"

#include <inttypes.h>
#include <stdio.h>

/* Counts of message ids: devp2p caps/eth.md and caps/snap.md, and the EIPs of newer versions. */
const struct mr_protocol mr_protocols[] = {
    {{"eth", 66}, 17}, {{"eth", 67}, 17}, {{"eth", 68}, 17}, {{"eth", 69}, 18}, {{"eth", 70}, 18},
    {{"eth", 71}, 20}, {{"eth", 72}, 22}, {{"snap", 1}, 8},  {{"snap", 2}, 10},
};
const size_t mr_protocols_count = MR_COUNT_OF(mr_protocols);

static int compare_names(const struct mr_capability *a, const struct mr_capability *b)
{
    return memcmp(a->name, b->name, sizeof a->name);
}

bool mr_capability_make(struct mr_capability *out, struct mr_span name, uint64_t version)
{
    if (name.n == 0 || name.n > sizeof out->name)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < 0x21 || name.p[i] > 0x7e)
            return false;
    }
    *out = (struct mr_capability){.version = version};
    memcpy(out->name, name.p, name.n);
    return true;
}

bool mr_capability_equal(const struct mr_capability *a, const struct mr_capability *b)
{
    return a->version == b->version && compare_names(a, b) == 0;
}

void mr_capability_text(char out[MR_CAPABILITY_TEXT_MAX], const struct mr_capability *c)
{
    snprintf(out, MR_CAPABILITY_TEXT_MAX, "%.*s/%" PRIu64, (int)sizeof c->name, c->name,
             c->version);
}

const struct mr_protocol *mr_protocol_find(const char *name, uint64_t version)
{
    struct mr_capability wanted;

    if (!mr_capability_make(&wanted, mr_span(name, strlen(name)), version))
        return NULL;
    for (size_t i = 0; i < mr_protocols_count; i++) {
        if (mr_capability_equal(&mr_protocols[i].capability, &wanted))
            return &mr_protocols[i];
    }
    return NULL;
}

static bool offered(const struct mr_capability *c, const struct mr_capability *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (mr_capability_equal(c, &list[i]))
            return true;
    }
    return false;
}

/* Puts a shared protocol where its name belongs; of one name the higher version stays. */
static void keep_highest(struct mr_capabilities *c, const struct mr_protocol *p)
{
    struct mr_capability_shared entry = {.capability = p->capability,
                                         .ids_count = (uint16_t)p->ids_count};
    unsigned i = 0;

    while (i < c->count && compare_names(&c->shared[i].capability, &p->capability) < 0)
        i++;
    if (i < c->count && compare_names(&c->shared[i].capability, &p->capability) == 0) {
        if (c->shared[i].capability.version < p->capability.version)
            c->shared[i] = entry;
        return;
    }
    MR_ASSERT(c->count < MR_CAPABILITIES_MAX);
    memmove(&c->shared[i + 1], &c->shared[i], (c->count - i) * sizeof c->shared[0]);
    c->shared[i] = entry;
    c->count++;
}

enum mr_err mr_capabilities_match(struct mr_capabilities *out, const struct mr_protocol *ours,
                                  size_t ours_n, const struct mr_capability *theirs,
                                  size_t theirs_n)
{
    struct mr_capabilities c = {.end_id = MR_CAPABILITY_FIRST_ID};

    for (size_t i = 0; i < ours_n; i++) {
        if (offered(&ours[i].capability, theirs, theirs_n))
            keep_highest(&c, &ours[i]);
    }
    if (c.count == 0)
        return MR_NOT_FOUND;
    for (unsigned i = 0; i < c.count; i++) {
        c.shared[i].first_id = c.end_id;
        MR_ASSERT(c.shared[i].ids_count <= UINT16_MAX - c.end_id);
        c.end_id = (uint16_t)(c.end_id + c.shared[i].ids_count);
    }
    *out = c;
    return MR_OK;
}

const struct mr_capability_shared *mr_capabilities_named(const struct mr_capabilities *c,
                                                         const char *name)
{
    struct mr_capability wanted;

    if (!mr_capability_make(&wanted, mr_span(name, strlen(name)), 0))
        return NULL;
    for (unsigned i = 0; i < c->count; i++) {
        if (compare_names(&c->shared[i].capability, &wanted) == 0)
            return &c->shared[i];
    }
    return NULL;
}

enum mr_err mr_capabilities_find(const struct mr_capabilities *c, uint8_t *index, uint16_t *id,
                                 uint64_t wire_id)
{
    if (wire_id < MR_CAPABILITY_FIRST_ID) {
        *index = MR_CAPABILITY_BASE;
        *id = (uint16_t)wire_id;
        return MR_OK;
    }
#ifndef MR_SABOTAGE_F_06
    if (wire_id >= c->end_id)
        return MR_NOT_FOUND;
#endif
    for (unsigned i = c->count; i-- > 0;) {
        if (wire_id >= c->shared[i].first_id) {
            *index = (uint8_t)i;
            *id = (uint16_t)(wire_id - c->shared[i].first_id);
            return MR_OK;
        }
    }
    return MR_NOT_FOUND;
}

uint16_t mr_capabilities_wire_id(const struct mr_capabilities *c, uint8_t index, uint16_t id)
{
    if (index == MR_CAPABILITY_BASE) {
        MR_ASSERT(id < MR_CAPABILITY_FIRST_ID);
        return id;
    }
    MR_ASSERT(index < c->count);
    MR_ASSERT(id < c->shared[index].ids_count);
    return (uint16_t)(c->shared[index].first_id + id);
}
