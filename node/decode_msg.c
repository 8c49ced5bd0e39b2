#include "net/eth/eth_json.h"
#include "node/decode.h"

struct mr_json *mr_decode_msg(struct mr_decode_error *error, unsigned version, uint64_t id,
                              bool legacy_blocks, struct mr_span message)
{
    const struct mr_eth_message *entry = mr_eth_message_find(version, id, legacy_blocks);
    struct mr_json *tree;
    size_t offset = 0;
    enum mr_err e;

    if (!entry) {
        mr_decode_fail(error, 0, "eth/%u has no message with id %llu%s", version,
                       (unsigned long long)id,
                       !legacy_blocks && mr_eth_message_find(version, id, true)
                           ? " on this network: only those with proof of work have it"
                           : "");
        return NULL;
    }
    if (message.n > MR_ETH_MESSAGE_MAX) {
        mr_decode_fail(error, 0, "%zu bytes: messages of eth end at %u", message.n,
                       MR_ETH_MESSAGE_MAX);
        return NULL;
    }
    tree = mr_eth_json(&e, &offset, version, id, legacy_blocks, message);
    if (tree)
        return tree;
    if (mr_decode_rlp(error, NULL, MR_DECODE_LINES, message)) /* RLP, but not this message */
        mr_decode_fail(error, offset, "%s: %s", entry->name, mr_err_text(e));
    return NULL;
}
