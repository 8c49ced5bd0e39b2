/* Both sides of a session come to the same table from their two lists, every id of it has one
 * owner, and none behind it has any. The input is two lists of names and versions. */
#include "net/rlpx/capability.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One entry from two bytes: few names and versions, so that they meet. */
static struct mr_protocol entry(const uint8_t *p)
{
    static const char *const names[] = {"eth", "snap", "et", "etha", "Eth", "wit", "zzzzzzzz", "~"};
    const char *name = names[p[0] & 7];
    struct mr_protocol out;

    MR_ASSERT(mr_capability_make(&out.capability, mr_span(name, strlen(name)), p[1] & 7));
    out.ids_count = (p[0] & 7u) * 8 + (p[1] & 7u); /* fixed by name and version, as in real life */
    return out;
}

static void check_ids(const struct mr_capabilities *c)
{
    unsigned owned = 0;
    uint8_t index;
    uint16_t id;

    for (unsigned wire = 0; wire < c->end_id + 20u; wire++) {
        if (mr_capabilities_find(c, &index, &id, wire)) {
            MR_ASSERT(wire >= c->end_id);
            continue;
        }
        MR_ASSERT(mr_capabilities_wire_id(c, index, id) == wire);
        owned++;
    }
    MR_ASSERT(owned == c->end_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_protocol a[64], b[64];
    struct mr_capability a_caps[64], b_caps[64];
    struct mr_capabilities ours, theirs;
    size_t a_n = 0, b_n = 0;
    enum mr_err e;

    for (size_t i = 0; i + 2 <= size && i < 126; i += 2) {
        if (data[i] & 0x80) {
            a[a_n] = entry(data + i);
            a_caps[a_n] = a[a_n].capability, a_n++;
        } else {
            b[b_n] = entry(data + i);
            b_caps[b_n] = b[b_n].capability, b_n++;
        }
    }
    e = mr_capabilities_match(&ours, a, a_n, b_caps, b_n);
    MR_ASSERT(mr_capabilities_match(&theirs, b, b_n, a_caps, a_n) == e);
    if (e)
        return 0;
    MR_ASSERT(ours.count == theirs.count && ours.end_id == theirs.end_id);
    for (unsigned i = 0; i < ours.count; i++) {
        const struct mr_capability_shared *s = &ours.shared[i];

        MR_ASSERT(mr_capability_equal(&s->capability, &theirs.shared[i].capability));
        MR_ASSERT(s->first_id == theirs.shared[i].first_id);
        MR_ASSERT(i == 0 || memcmp(ours.shared[i - 1].capability.name, s->capability.name, 8) < 0);
        for (size_t k = 0; k < a_n; k++) { /* no higher version is shared */
            if (memcmp(a_caps[k].name, s->capability.name, 8) != 0 ||
                a_caps[k].version <= s->capability.version)
                continue;
            for (size_t l = 0; l < b_n; l++)
                MR_ASSERT(!mr_capability_equal(&a_caps[k], &b_caps[l]));
        }
    }
    check_ids(&ours);
    return 0;
}
