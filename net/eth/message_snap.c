#include "net/eth/message_snap.h"

#include "net/eth/message.h"
#include "net/eth/message_check.h"

enum {
    GET_ACCOUNT_RANGE = 0,
    ACCOUNT_RANGE = 1,
    GET_STORAGE_RANGES = 2,
    STORAGE_RANGES = 3,
    GET_BYTE_CODES = 4,
    BYTE_CODES = 5,
    GET_TRIE_NODES = 6,
    TRIE_NODES = 7,
    GET_BLOCK_ACCESS_LISTS = 8,
    BLOCK_ACCESS_LISTS = 9,
};

#define REQUEST(answer) MR_ETH_REQUEST, (answer)
#define RESPONSE        MR_ETH_RESPONSE, 0

static const struct mr_snap_message messages[] = {
    {GET_ACCOUNT_RANGE, MR_SNAP_1, MR_SNAP_2, REQUEST(ACCOUNT_RANGE), "GetAccountRange"},
    {ACCOUNT_RANGE, MR_SNAP_1, MR_SNAP_2, RESPONSE, "AccountRange"},
    {GET_STORAGE_RANGES, MR_SNAP_1, MR_SNAP_2, REQUEST(STORAGE_RANGES), "GetStorageRanges"},
    {STORAGE_RANGES, MR_SNAP_1, MR_SNAP_2, RESPONSE, "StorageRanges"},
    {GET_BYTE_CODES, MR_SNAP_1, MR_SNAP_2, REQUEST(BYTE_CODES), "GetByteCodes"},
    {BYTE_CODES, MR_SNAP_1, MR_SNAP_2, RESPONSE, "ByteCodes"},
    {GET_TRIE_NODES, MR_SNAP_1, MR_SNAP_1, REQUEST(TRIE_NODES), "GetTrieNodes"},
    {TRIE_NODES, MR_SNAP_1, MR_SNAP_1, RESPONSE, "TrieNodes"},
    {GET_BLOCK_ACCESS_LISTS, MR_SNAP_2, MR_SNAP_2, REQUEST(BLOCK_ACCESS_LISTS),
     "GetBlockAccessLists"},
    {BLOCK_ACCESS_LISTS, MR_SNAP_2, MR_SNAP_2, RESPONSE, "BlockAccessLists"},
};

unsigned mr_snap_version_length(unsigned version)
{
    return version == MR_SNAP_1 ? 8 : version == MR_SNAP_2 ? 10 : 0;
}

const struct mr_snap_message *mr_snap_message_find(unsigned version, uint64_t id)
{
    if (id >= MR_COUNT_OF(messages) || version < messages[id].first || version > messages[id].last)
        return NULL;
    return &messages[id];
}

/* Root, both ends of a range, and the bytes wanted; in front of the ends the accounts, if storage
 * is asked for. */
static enum mr_err range_read(struct mr_reader *r, bool storage, size_t *n)
{
    struct mr_items accounts;
    struct mr_span from, to;
    struct mr_hash root;
    uint64_t bytes;
    enum mr_err e;

    *n = 0;
    if ((e = mr_rlp_fixed(r, root.b, 32)) ||
        (storage && (e = mr_hashes_read(r, &accounts, MR_HASHES_REQUEST_MAX))) ||
        (e = mr_rlp_bytes(r, &from)) || (e = mr_rlp_bytes(r, &to)))
        return e;
    /* Accounts lie between hashes; storage may be asked for without ends. */
    if (!storage && (from.n != 32 || to.n != 32))
        return MR_MALFORMED;
    if (from.n > 32 || to.n > 32)
        return MR_MALFORMED;
    return mr_rlp_u64(r, &bytes);
}

/* Hashes and the bytes wanted. */
static enum mr_err hashes_and_bytes(struct mr_reader *r, size_t *n)
{
    struct mr_items hashes;
    uint64_t bytes;
    enum mr_err e;

    if ((e = mr_hashes_read(r, &hashes, MR_HASHES_REQUEST_MAX)) || (e = mr_rlp_u64(r, &bytes)))
        return e;
    *n = hashes.n;
    return MR_OK;
}

/* Root, [[path, ...], ...], and the bytes wanted. */
static enum mr_err paths_read(struct mr_reader *r, size_t *n)
{
    struct mr_reader sets, set;
    struct mr_hash root;
    struct mr_span path;
    uint64_t bytes;
    enum mr_err e;

    if ((e = mr_rlp_fixed(r, root.b, 32)) || (e = mr_rlp_list(r, &sets)) ||
        (e = mr_rlp_count(sets, n, MR_HASHES_REQUEST_MAX)) || (e = mr_rlp_u64(r, &bytes)))
        return e;
    while (!mr_reader_done(&sets)) {
        if ((e = mr_rlp_list(&sets, &set)))
            return e;
        while (!mr_reader_done(&set)) {
            if ((e = mr_rlp_bytes(&set, &path)))
                return e;
        }
    }
    return MR_OK;
}

static enum mr_err request_read(uint64_t id, struct mr_reader *r, size_t *n)
{
    switch (id) {
    case GET_ACCOUNT_RANGE:
    case GET_STORAGE_RANGES:
        return range_read(r, id == GET_STORAGE_RANGES, n);
    case GET_TRIE_NODES:
        return paths_read(r, n);
    default:
        return hashes_and_bytes(r, n);
    }
}

static enum mr_err answer_put(struct mr_writer *w, uint64_t id, uint64_t request_id, size_t n)
{
    bool ranges = id == GET_ACCOUNT_RANGE || id == GET_STORAGE_RANGES;
    size_t missing = id == GET_BLOCK_ACCESS_LISTS ? MR_MIN(n, MR_ETH_ANSWER_ITEMS_MAX) : 0;
    size_t mark = mr_rlp_open(w);
    enum mr_err e;

    if ((e = mr_rlp_put_u64(w, request_id)) || (e = mr_rlp_put_list_head(w, missing)))
        return e;
    for (size_t i = 0; i < missing; i++) {
        if ((e = mr_rlp_put_bytes(w, NULL, 0)))
            return e;
    }
    if (ranges && (e = mr_rlp_put_list_head(w, 0))) /* no proof either */
        return e;
    return mr_rlp_close(w, mark);
}

enum mr_err mr_snap_empty_answer(unsigned version, uint64_t id, struct mr_span request,
                                 struct mr_writer *answer, uint64_t *answer_id)
{
    const struct mr_snap_message *m = mr_snap_message_find(version, id);
    struct mr_writer at = *answer;
    struct mr_reader body;
    uint64_t request_id;
    size_t n;
    enum mr_err e;

    if (m == NULL || m->kind != MR_ETH_REQUEST)
        return MR_NOT_FOUND;
    if (request.n > MR_ETH_MESSAGE_MAX)
        return MR_TOO_BIG;
    if ((e = mr_eth_request_id(request, &request_id, &body)) || (e = request_read(id, &body, &n)))
        return e;
    if (!mr_reader_done(&body))
        return MR_MALFORMED;
    if ((e = answer_put(&at, id, request_id, n)))
        return e;
    *answer = at;
    *answer_id = m->answer_id;
    return MR_OK;
}
