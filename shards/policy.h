/* policy.h: what a shard does with the messages of its capability when it is not the relay of eth:
 * sessions, frames, log, cursors, mailboxes and threads stay what they are. perf/hub is one.
 * NULL in place of a policy is the relay of eth/68 to 71.
 * Thread: the shard's. Implementations include shards/shard_state.h. */
#pragma once
#include "core/base.h"
#include "core/buffer.h"
#include "net/rlpx/capability.h"

struct mr_shard;
struct mr_peer;
struct mr_build;

struct mr_shard_policy {
    const struct mr_protocol
        *protocol; /* the one that Hello offers; its name has 7 bytes at most */
    /* A message of the capability has come; its payload is valid until the call returns. Sessions
     * are active from their hand-over on: there is no Status. */
    void (*take)(struct mr_shard *s, struct mr_peer *p, uint16_t id, struct mr_span payload);
    /* Adds to b what p lacks of the log, from p->cursor on, as far as it fits. */
    void (*build)(struct mr_shard *s, struct mr_peer *p, struct mr_build *b);
    /* An entry that another shard has published with mr_transactions_publish; takes the holder. */
    void (*from_shard)(struct mr_shard *s, struct mr_buf *buf);
};
