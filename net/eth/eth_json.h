/* eth_json.h: a message as JSON, for `millrace decode msg` and the tests: {name, version, id, ...},
 * fields named as geth names them. Thread: any, never a shard's: it allocates. */
#pragma once
#include "core/json.h"
#include "net/eth/version.h"

/* A tree that the caller frees, or NULL with *error (as mr_eth_message_check) and *offset, the byte
 * of the message at which it stopped (0 where no byte can be blamed). */
struct mr_json *mr_eth_json(enum mr_err *error, size_t *offset, unsigned version, uint64_t id,
                            bool legacy_blocks, struct mr_span message);
