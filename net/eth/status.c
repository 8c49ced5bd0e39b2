#include "net/eth/status.h"

#include "net/eth/version.h"

static enum mr_err body_68(struct mr_reader *r, struct mr_eth_status *s)
{
    enum mr_err e;

    if ((e = mr_rlp_u256(r, &s->total_difficulty)) || (e = mr_rlp_fixed(r, s->latest_hash.b, 32)) ||
        (e = mr_rlp_fixed(r, s->genesis.b, 32)))
        return e;
    return mr_fork_id_read(r, &s->fork_id, false);
}

static enum mr_err body_69(struct mr_reader *r, struct mr_eth_status *s)
{
    enum mr_err e;

    if ((e = mr_rlp_fixed(r, s->genesis.b, 32)) || (e = mr_fork_id_read(r, &s->fork_id, false)) ||
        (e = mr_rlp_u64(r, &s->earliest)) || (e = mr_rlp_u64(r, &s->latest)))
        return e;
    return mr_rlp_fixed(r, s->latest_hash.b, 32);
}

enum mr_err mr_eth_status_decode(struct mr_eth_status *out, unsigned version,
                                 struct mr_span message)
{
    static const struct mr_hash zero;
    struct mr_reader r = mr_reader_of(message), body;
    struct mr_eth_status s = {.version = 0};
    enum mr_err e;

    if ((e = mr_rlp_list(&r, &body)) || (e = mr_rlp_u64(&body, &s.version)))
        return e;
    if (s.version != version) /* its form is then unknown too */
        return MR_INVALID;
    if ((e = mr_rlp_u64(&body, &s.network_id)) ||
        (e = version == MR_ETH_68 ? body_68(&body, &s) : body_69(&body, &s)))
        return e;
    if (!mr_reader_done(&body) || !mr_reader_done(&r))
        return MR_MALFORMED;
    if (s.earliest > s.latest || mr_hash_equal(&s.latest_hash, &zero))
        return MR_INVALID;
    *out = s;
    return MR_OK;
}

enum mr_err mr_eth_status_encode(struct mr_writer *w, const struct mr_eth_status *s)
{
    struct mr_writer at = *w;
    size_t mark = mr_rlp_open(&at);
    enum mr_err e;

    MR_ASSERT(s->version >= MR_ETH_VERSION_MIN && s->version <= MR_ETH_VERSION_MAX);
    if ((e = mr_rlp_put_u64(&at, s->version)) || (e = mr_rlp_put_u64(&at, s->network_id)))
        return e;
    if (s->version == MR_ETH_68) {
        if ((e = mr_rlp_put_u256(&at, &s->total_difficulty)) ||
            (e = mr_rlp_put_bytes(&at, s->latest_hash.b, 32)) ||
            (e = mr_rlp_put_bytes(&at, s->genesis.b, 32)) || (e = mr_fork_id_put(&at, &s->fork_id)))
            return e;
    } else {
        if ((e = mr_rlp_put_bytes(&at, s->genesis.b, 32)) ||
            (e = mr_fork_id_put(&at, &s->fork_id)) || (e = mr_rlp_put_u64(&at, s->earliest)) ||
            (e = mr_rlp_put_u64(&at, s->latest)) ||
            (e = mr_rlp_put_bytes(&at, s->latest_hash.b, 32)))
            return e;
    }
    if ((e = mr_rlp_close(&at, mark)))
        return e;
    *w = at;
    return MR_OK;
}
