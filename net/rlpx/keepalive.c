#include "net/rlpx/keepalive.h"

static uint64_t ns(uint64_t ms)
{
    return ms * 1000000;
}

void mr_keepalive_init(struct mr_keepalive *k, uint64_t now_ms)
{
    *k = (struct mr_keepalive){.heard_ms = now_ms, .spoke_ms = now_ms, .pinged_ms = now_ms};
    mr_bucket_init(&k->pings, MR_PINGS_PER_S, MR_PING_BURST, ns(now_ms));
    mr_bucket_init(&k->pongs, MR_PINGS_PER_S, MR_PING_BURST, ns(now_ms));
}

void mr_keepalive_heard(struct mr_keepalive *k, uint64_t now_ms)
{
    k->heard_ms = now_ms;
}

void mr_keepalive_spoke(struct mr_keepalive *k, uint64_t now_ms)
{
    k->spoke_ms = now_ms;
}

static uint64_t ping_at_ms(const struct mr_keepalive *k)
{
    return MR_MAX(MR_MIN(k->heard_ms, k->spoke_ms), k->pinged_ms) + MR_PING_AFTER_MS;
}

enum mr_keepalive_action mr_keepalive_due(const struct mr_keepalive *k, uint64_t now_ms)
{
    if (now_ms >= k->heard_ms + MR_GONE_AFTER_MS)
        return MR_KEEPALIVE_GONE;
    return now_ms >= ping_at_ms(k) ? MR_KEEPALIVE_PING : MR_KEEPALIVE_WAIT;
}

uint64_t mr_keepalive_deadline_ms(const struct mr_keepalive *k)
{
    uint64_t gone_at_ms = k->heard_ms + MR_GONE_AFTER_MS;

    return MR_MIN(gone_at_ms, ping_at_ms(k));
}

void mr_keepalive_pinged(struct mr_keepalive *k, uint64_t now_ms)
{
    k->pinged_ms = k->spoke_ms = now_ms;
    if (k->pongs_awaited < MR_PONGS_QUEUED_MAX)
        k->pongs_awaited++;
}

enum mr_p2p_fault mr_keepalive_on_ping(struct mr_keepalive *k, uint64_t now_ms)
{
    if (k->pongs_queued >= MR_PONGS_QUEUED_MAX || !mr_bucket_take(&k->pings, 1, ns(now_ms)))
        return MR_P2P_PING_FLOOD;
    k->pongs_queued++;
    return MR_P2P_NONE;
}

void mr_keepalive_ponged(struct mr_keepalive *k, uint64_t now_ms)
{
    MR_ASSERT(k->pongs_queued > 0);
    k->pongs_queued--;
    k->spoke_ms = now_ms;
}

enum mr_p2p_fault mr_keepalive_on_pong(struct mr_keepalive *k, uint64_t now_ms)
{
    if (k->pongs_awaited > 0) {
        k->pongs_awaited--;
        return MR_P2P_NONE;
    }
    return mr_bucket_take(&k->pongs, 1, ns(now_ms)) ? MR_P2P_NONE : MR_P2P_PONG_FLOOD;
}
