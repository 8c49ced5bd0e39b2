#include "net/rlpx/base_protocol.h"

struct reason_entry {
    unsigned code;
    const char *name, *text;
};

static const struct reason_entry reasons[] = {
#define ENTRY(name, code, label, text) {code, label, text},
    MR_REASON_MAP(ENTRY)
#undef ENTRY
        {MR_REASON_ABSENT, "absent", "no reason stated"},
    {MR_REASON_INVALID, "invalid", "reason not readable"},
};

static const struct reason_entry *reason_find(unsigned code)
{
    static const struct reason_entry unknown = {0, "unknown", "a reason without a name"};

    for (size_t i = 0; i < MR_COUNT_OF(reasons); i++) {
        if (reasons[i].code == code)
            return &reasons[i];
    }
    return &unknown;
}

const char *mr_reason_name(unsigned reason)
{
    return reason_find(reason)->name;
}

const char *mr_reason_text(unsigned reason)
{
    return reason_find(reason)->text;
}

static const struct {
    enum mr_reason reason;
    const char *name, *text;
} faults[MR_P2P_FAULT_COUNT] = {
#define ENTRY(name, reason, text) {MR_REASON_##reason, #name, text},
    MR_P2P_FAULT_MAP(ENTRY)
#undef ENTRY
};

const char *mr_p2p_fault_name(enum mr_p2p_fault f)
{
    return faults[f].name;
}

const char *mr_p2p_fault_text(enum mr_p2p_fault f)
{
    return faults[f].text;
}

enum mr_reason mr_p2p_fault_reason(enum mr_p2p_fault f)
{
    return faults[f].reason;
}

enum mr_err mr_disconnect_encode(struct mr_writer *w, unsigned reason)
{
    struct mr_writer copy = *w;
    enum mr_err e;

    MR_ASSERT(reason <= 0xff);
    if ((e = mr_rlp_put_list_head(&copy, mr_rlp_u64_len(reason))) ||
        (e = mr_rlp_put_u64(&copy, reason)))
        return e;
    *w = copy;
    return MR_OK;
}

unsigned mr_disconnect_decode(struct mr_span payload)
{
    struct mr_reader r, body;
    uint64_t reason;

    if (payload.n == 0)
        return MR_REASON_ABSENT;
    r = mr_reader_of(payload);
    if (mr_rlp_is_list(&r)) {
        if (mr_rlp_list(&r, &body))
            return MR_REASON_INVALID;
        r = body;
        if (mr_reader_done(&r))
            return MR_REASON_ABSENT;
    }
    if (*r.p == 0) /* zero as a byte instead of as an empty string */
        return MR_REASON_REQUESTED;
    if (mr_rlp_u64(&r, &reason) || reason > 0xff)
        return MR_REASON_INVALID;
    return (unsigned)reason;
}

enum mr_err mr_ping_encode(struct mr_writer *w)
{
    return mr_rlp_put_list_head(w, 0);
}

bool mr_ping_check(struct mr_span payload)
{
    return payload.n == 0 || (payload.n == 1 && payload.p[0] == 0xc0);
}
