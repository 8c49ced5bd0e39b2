#include "shards/options.h"

#include <stdio.h>

#include "core/clock.h"

#define POOL_MAX (UINT64_C(1) << 40)

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

bool mr_relay_options_check(const struct mr_relay_options *o, char *why, size_t why_cap)
{
    const char *bad = NULL;

    if (o->shards < 1 || o->shards > MR_SHARDS_MAX)
        bad = "--shards must be 1 to 60";
    else if (o->maxpeers > 20000)
        bad = "--maxpeers must be at most 20000";
    else if (o->maxpendpeers < 1 || o->maxpendpeers > 65536)
        bad = "--maxpendpeers must be 1 to 65536";
    else if (o->handshake_budget_percent < 1 || o->handshake_budget_percent > 100)
        bad = "--handshake-budget must be 1 to 100 (percent of a core)";
    else if (!is_power_of_two(o->log_entries) || !is_power_of_two(o->seen_entries) ||
             o->seen_entries < 64)
        bad = "log and seen entries must be powers of two";
    else if (o->pool_bytes < 1u << 20 || o->pool_bytes > POOL_MAX)
        bad = "--max-tx-pool-bytes must be 1048576 to 1099511627776";
    else if (o->blob_pool_bytes > POOL_MAX)
        bad = "--max-blob-pool-bytes must be at most 1099511627776";
    else if (o->peer_tx_per_s < 1 || o->peer_tx_burst < 1 || o->peer_bytes_per_s < 1 ||
             o->peer_bytes_burst < 1)
        bad = "--peer-tx-rate and --peer-tx-burst must be at least 1: a peer over them is not read";
    else if (o->recovery_percent < 1 || o->recovery_percent > 100)
        bad = "the share of a core for signature recovery must be 1 to 100";
    else if (o->busy_poll_us > 1000000)
        bad = "--busy-poll must be at most 1000000 (microseconds)";
    if (bad)
        snprintf(why, why_cap, "%s", bad);
    return bad == NULL;
}
