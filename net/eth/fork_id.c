#include "net/eth/fork_id.h"

/* Time of mainnet's genesis: a fork value above it may be a time. */
#define TIME_THRESHOLD 1438269973u

const char *mr_fork_check_text(enum mr_fork_check c)
{
    static const char *const text[] = {
#define FORK_CHECK_TEXT(name, sentence) sentence,
        MR_FORK_CHECK_MAP(FORK_CHECK_TEXT)
#undef FORK_CHECK_TEXT
    };

    MR_ASSERT((unsigned)c < MR_COUNT_OF(text));
    return text[c];
}

/* CRC-32 of IEEE 802.3, four bits at a time: a few dozen bytes a call. */
static uint32_t crc32_update(uint32_t crc, const uint8_t *p, size_t n)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc = table[(crc ^ p[i]) & 15] ^ crc >> 4;
        crc = table[(crc ^ p[i] >> 4) & 15] ^ crc >> 4;
    }
    return ~crc;
}

/* What feeds the checksum: each value once, without rule sets that hold from genesis on. sums[i]
 * stands for a chain that has passed i of them. */
struct schedule {
    uint64_t value[MR_NETWORK_FORKS_MAX];
    bool by_time[MR_NETWORK_FORKS_MAX];
    uint32_t sums[MR_NETWORK_FORKS_MAX + 1];
    size_t n;
    bool has_time;
};

static void schedule_make(struct schedule *s, const struct mr_network *net)
{
    MR_ASSERT(net->forks_count <= MR_NETWORK_FORKS_MAX);
    *s = (struct schedule){.n = 0};
    s->sums[0] = crc32_update(0, net->genesis_hash.b, sizeof net->genesis_hash.b);
    for (int by_time = 0; by_time < 2; by_time++) {
        for (size_t i = 0; i < net->forks_count; i++) {
            const struct mr_fork *f = &net->forks[i];
            uint8_t be[8];

            if (f->by_time != by_time || !f->in_fork_id ||
                f->value <= (by_time ? net->genesis_time : 0))
                continue;
            if (s->n > 0 && s->value[s->n - 1] == f->value)
                continue;
            s->value[s->n] = f->value;
            s->by_time[s->n] = by_time;
            s->has_time |= by_time;
            mr_store_be64(be, f->value);
            s->sums[s->n + 1] = crc32_update(s->sums[s->n], be, sizeof be);
            s->n++;
        }
    }
}

static size_t schedule_passed(const struct schedule *s, struct mr_chain_point at)
{
    size_t i = 0;

    while (i < s->n && (s->by_time[i] ? at.time : at.number) >= s->value[i])
        i++;
    return i;
}

struct mr_fork_id mr_fork_id_at(const struct mr_network *net, struct mr_chain_point at)
{
    struct schedule s;
    size_t passed;

    schedule_make(&s, net);
    passed = schedule_passed(&s, at);
    return (struct mr_fork_id){
        .hash = s.sums[passed],
        .next = passed < s.n ? s.value[passed] : 0,
    };
}

enum mr_fork_check mr_fork_id_check(const struct mr_network *net, struct mr_chain_point at,
                                    const struct mr_fork_id *remote)
{
    struct schedule s;
    size_t passed;

    schedule_make(&s, net);
    passed = schedule_passed(&s, at);
    if (s.sums[passed] == remote->hash) { /* rule 1 */
        bool by_time = passed < s.n ? s.by_time[passed] : s.has_time;
        uint64_t head = by_time ? at.time : at.number;

        if (remote->next > 0 &&
            (head >= remote->next || (remote->next > TIME_THRESHOLD && at.time >= remote->next)))
            return MR_FORK_LOCAL_INCOMPATIBLE;
        return MR_FORK_COMPATIBLE;
    }
    for (size_t i = 0; i < passed; i++) /* rule 2 */
        if (s.sums[i] == remote->hash)
            return s.value[i] == remote->next ? MR_FORK_COMPATIBLE : MR_FORK_REMOTE_STALE;
    for (size_t i = passed + 1; i <= s.n; i++) /* rule 3 */
        if (s.sums[i] == remote->hash)
            return MR_FORK_COMPATIBLE;
    return MR_FORK_LOCAL_INCOMPATIBLE; /* rule 4 */
}

enum mr_err mr_fork_id_put(struct mr_writer *w, const struct mr_fork_id *id)
{
    struct mr_writer copy = *w;
    uint8_t be[4];
    enum mr_err e;

    mr_store_be32(be, id->hash);
    if ((e = mr_rlp_put_list_head(&copy, 5 + mr_rlp_u64_len(id->next))) ||
        (e = mr_rlp_put_bytes(&copy, be, sizeof be)) || (e = mr_rlp_put_u64(&copy, id->next)))
        return e;
    *w = copy;
    return MR_OK;
}

enum mr_err mr_fork_id_read(struct mr_reader *r, struct mr_fork_id *out, bool extra_ok)
{
    struct mr_reader copy = *r, body;
    struct mr_fork_id id;
    uint8_t be[4];
    enum mr_err e;

    if ((e = mr_rlp_list(&copy, &body)) || (e = mr_rlp_fixed(&body, be, sizeof be)) ||
        (e = mr_rlp_u64(&body, &id.next)))
        return e == MR_SHORT && copy.p != r->p ? MR_MALFORMED : e;
    while (!mr_reader_done(&body))
        if (!extra_ok || mr_rlp_skip(&body))
            return MR_MALFORMED;
    id.hash = mr_load_be32(be);
    *r = copy;
    *out = id;
    return MR_OK;
}
