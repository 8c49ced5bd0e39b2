/* hub_policy.h: the policy of perf/hub: every message 0 of capability bench/1 goes to all peers but
 * its sender, in order, nothing else happens. What limits.md measures go-ethereum's server by.
 * Thread: the shard's. */
#pragma once
#include "shards/policy.h"

extern const struct mr_shard_policy mr_hub_policy;
