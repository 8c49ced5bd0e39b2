#include "shards/options.h"

#include <stdio.h>

#include "core/clock.h"

#define BYTES_MAX (UINT64_C(1) << 40) /* of memory, or a second */

void mr_relay_options_default(struct mr_relay_options *o)
{
    *o = (struct mr_relay_options){
        .shards = 1,
        .maxpeers = 1000,
        .maxpendpeers = 4096,
        .handshake_budget_percent = 20,
        .per_address_pending = 8,
        .inbound_throttle_ns = 30 * MR_SECOND,
        .redial_ns = 35 * MR_SECOND,
        .handshake_timeout_ns = 5 * MR_SECOND,
        .status_timeout_ns = 5 * MR_SECOND,
        .ping_after_ns = 15 * MR_SECOND,
        .gone_after_ns = 30 * MR_SECOND,
        .frame_timeout_ns = 30 * MR_SECOND,
        .write_timeout_ns = 20 * MR_SECOND,
        .request_timeout_ns = 5 * MR_SECOND,
        .pool_bytes = UINT64_C(512) << 20,
        .blob_pool_bytes = UINT64_C(256) << 20,
        .log_entries = 65536,
        .seen_entries = 1u << 20,
        .fetch_entries = 65536,
        .verify_entries = 4096,
        .announced_per_peer = 4096,
        .gather_bytes = UINT64_C(64) << 20,
        .send_bytes = UINT64_C(64) << 20,
        .arena_bytes = (10u << 20) + 4096,
        .peer_tx_per_s = 256,
        .peer_tx_burst = 1024,
        .peer_bytes_per_s = 2u << 20,
        .peer_bytes_burst = 12u << 20,
        .recovery_percent = 40,
        .recoveries_per_turn = 32,
        .sender_tx_per_s = 8,
        .sender_tx_burst = 128,
        .sender_blob_per_s = 1,
        .sender_blob_burst = 16,
        .replacements_per_minute = 4,
        .price_bump_percent = 10,
        .blob_price_bump_percent = 100,
        .peer_pool_share = 8,
        .doubtful_per_s = 5,
        .body_max = 4096,
        .blob_upload_per_s = 8u << 20,
        .fresh_ns = 24 * MR_SECOND,
        .bodies_keep_ns = 300 * MR_SECOND,
        .sealed_per_turn = 2u << 20,
        .sends_per_turn = 512,
        .answer_max = 128u << 10,
        .head_poll_ns = 12 * MR_SECOND,
    };
}

void mr_relay_options_tiny(struct mr_relay_options *o)
{
    mr_relay_options_default(o);
    o->maxpeers = 32;
    o->maxpendpeers = 32;
    o->pool_bytes = 8u << 20;
    o->blob_pool_bytes = 8u << 20;
    o->log_entries = 1024;
    o->seen_entries = 4096;
    o->fetch_entries = 1024;
    o->verify_entries = 512;
    o->gather_bytes = 4u << 20;
    o->send_bytes = 4u << 20;
}

uint32_t mr_relay_slots(const struct mr_relay_options *o)
{
    return o->maxpeers + o->maxpeers / 8 + 128;
}

static bool is_power_of_two(uint32_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

/* What a flag of `millrace run` may set. */
struct bound {
    const char *flag;
    uint64_t value, min, max;
    const char *unit; /* or NULL */
};

static bool within(const struct bound *b, size_t n, char *why, size_t why_cap)
{
    for (size_t i = 0; i < n; i++) {
        if (b[i].value >= b[i].min && b[i].value <= b[i].max)
            continue;
        snprintf(why, why_cap, "--%s must be %llu to %llu%s%s, not %llu", b[i].flag,
                 (unsigned long long)b[i].min, (unsigned long long)b[i].max, b[i].unit ? " " : "",
                 b[i].unit ? b[i].unit : "", (unsigned long long)b[i].value);
        return false;
    }
    return true;
}

static bool capacities_check(const struct mr_relay_options *o, char *why, size_t why_cap)
{
    const struct bound bounds[] = {
        {"shards", o->shards, 1, MR_SHARDS_MAX, NULL},
        {"maxpeers", o->maxpeers, 0, 20000, NULL},
        {"maxpendpeers", o->maxpendpeers, 1, 65536, NULL},
        {"handshake-budget", o->handshake_budget_percent, 1, 100, "percent of a core"},
        {"max-tx-pool-bytes", o->pool_bytes, 1u << 20, BYTES_MAX, NULL},
        {"max-blob-pool-bytes", o->blob_pool_bytes, 0, BYTES_MAX, NULL},
        {"busy-poll", o->busy_poll_us, 0, 1000000, "microseconds"},
    };

    return within(bounds, MR_COUNT_OF(bounds), why, why_cap);
}

static bool policy_check(const struct mr_relay_options *o, char *why, size_t why_cap)
{
    const struct bound bounds[] = {
        /* a peer over one of its rates is not read: at 0 it never would be again */
        {"peer-tx-rate", o->peer_tx_per_s, 1, UINT32_MAX, NULL},
        {"peer-tx-burst", o->peer_tx_burst, 1, UINT32_MAX, NULL},
        {"peer-bytes-rate", o->peer_bytes_per_s, 1, BYTES_MAX, NULL},
        {"peer-bytes-burst", o->peer_bytes_burst, 1, BYTES_MAX, NULL},
        {"peer-pool-share", o->peer_pool_share, 1, 1024, "(one part in so many)"},
        {"recovery-budget", o->recovery_percent, 1, 100, "percent of a core"},
        {"replacement-rate", o->replacements_per_minute, 0, 1000000, "a minute"},
        {"txpool.pricebump", o->price_bump_percent, 0, 10000, "percent"},
        {"blobpool.pricebump", o->blob_price_bump_percent, 0, 10000, "percent"},
        {"doubtful-rate", o->doubtful_per_s, 0, 1000000, "a second"},
        {"blob-upload", o->blob_upload_per_s, 0, BYTES_MAX, "bytes a second"},
        {"fresh-age", o->fresh_ns / MR_SECOND, 0, 86400, "seconds"},
    };

    return within(bounds, MR_COUNT_OF(bounds), why, why_cap);
}

bool mr_relay_options_check(const struct mr_relay_options *o, char *why, size_t why_cap)
{
    if (!is_power_of_two(o->log_entries) || !is_power_of_two(o->seen_entries) ||
        o->seen_entries < 64) {
        snprintf(why, why_cap, "log and seen entries must be powers of two");
        return false;
    }
    return capacities_check(o, why, why_cap) && policy_check(o, why, why_cap);
}
