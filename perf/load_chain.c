#include "perf/load_chain.h"

#include "crypto/keccak.h"
#include "net/eth/fork_id.h"
#include "net/eth/message.h"

#define ABOVE_LAST_FORK 9000000 /* blocks: no fork by number can be ahead of us */

/* keccak-256 of the empty list, and the root of the empty trie (yellow paper, 4.3): what a block
 * without ommers, transactions, receipts and withdrawals states. */
static const uint8_t no_ommers[32] = {
    0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a, 0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
    0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13, 0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47};
static const uint8_t empty_root[32] = {
    0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e,
    0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21};
/* SHA-256 of nothing: no requests (EIP-7685). */
static const uint8_t no_requests[32] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

static bool passed(const struct mr_network *net, const char *fork, uint64_t number, uint64_t time)
{
    const struct mr_fork *f = mr_network_fork(net, fork);

    return f && (f->by_time ? time : number) >= f->value;
}

static struct mr_load_header *header_at(struct mr_load_chain *c, uint64_t i)
{
    return &c->headers[i % MR_LOAD_CHAIN_HEADERS];
}

const struct mr_load_header *mr_load_chain_head(const struct mr_load_chain *c)
{
    return &c->headers[(c->count - 1) % MR_LOAD_CHAIN_HEADERS];
}

/* The fields that forks have added, in their order. */
static enum mr_err put_later_fields(struct mr_writer *w, const struct mr_network *net,
                                    const struct mr_load_header *h)
{
    static const uint8_t zeros[32];
    enum mr_err e = MR_OK;

    if (!passed(net, "london", h->number, h->time))
        return e;
    e = mr_rlp_put_u64(w, MR_LOAD_CHAIN_BASE_FEE);
    if (!e && passed(net, "shanghai", h->number, h->time))
        e = mr_rlp_put_bytes(w, empty_root, sizeof empty_root);
    if (!e && passed(net, "cancun", h->number, h->time) && !(e = mr_rlp_put_u64(w, 0)) &&
        !(e = mr_rlp_put_u64(w, 0)))
        e = mr_rlp_put_bytes(w, zeros, sizeof zeros);
    if (!e && passed(net, "prague", h->number, h->time))
        e = mr_rlp_put_bytes(w, no_requests, sizeof no_requests);
    return e;
}

static enum mr_err put_header(struct mr_writer *w, const struct mr_network *net,
                              const struct mr_load_header *h, const struct mr_hash *parent)
{
    static const uint8_t zeros[256];
    const uint64_t difficulty = net->consensus == MR_CONSENSUS_POW ? UINT64_C(1) << 40 : 0;
    const size_t mark = mr_rlp_open(w);
    enum mr_err e;

    if ((e = mr_rlp_put_bytes(w, parent->b, 32)) ||
        (e = mr_rlp_put_bytes(w, no_ommers, sizeof no_ommers)) ||
        (e = mr_rlp_put_bytes(w, zeros, 20)) || /* coinbase */
        (e = mr_rlp_put_bytes(w, zeros, 32)) || /* state root: nobody asks for state */
        (e = mr_rlp_put_bytes(w, empty_root, 32)) || (e = mr_rlp_put_bytes(w, empty_root, 32)) ||
        (e = mr_rlp_put_bytes(w, zeros, 256)) || /* bloom */
        (e = mr_rlp_put_u64(w, difficulty)) || (e = mr_rlp_put_u64(w, h->number)) ||
        (e = mr_rlp_put_u64(w, MR_LOAD_CHAIN_GAS_LIMIT)) ||
        (e = mr_rlp_put_u64(w, 0)) || /* gas used */
        (e = mr_rlp_put_u64(w, h->time)) || (e = mr_rlp_put_bytes(w, "load", 4)) ||
        (e = mr_rlp_put_bytes(w, zeros, 32)) || (e = mr_rlp_put_bytes(w, zeros, 8)) ||
        (e = put_later_fields(w, net, h)))
        return e;
    return mr_rlp_close(w, mark);
}

static void add(struct mr_load_chain *c, uint64_t number, uint64_t time,
                const struct mr_hash *parent)
{
    struct mr_load_header *h = header_at(c, c->count);
    struct mr_hash from = *parent; /* it may be what is overwritten */
    struct mr_writer w = mr_writer(h->rlp, sizeof h->rlp);

    h->number = number;
    h->time = time;
    if (put_header(&w, c->network, h, &from) != MR_OK)
        MR_ASSERT(!"the room fits the longest header");
    h->size = (uint32_t)w.n;
    mr_keccak256(&h->hash, h->rlp, h->size);
    c->count++;
}

void mr_load_chain_init(struct mr_load_chain *c, const struct mr_network *network, uint64_t wall_s)
{
    const uint64_t before = (uint64_t)(MR_LOAD_CHAIN_FIRST - 1) * MR_LOAD_CHAIN_SLOT_S;
    uint64_t start = wall_s - wall_s % MR_LOAD_CHAIN_SLOT_S - before;

    memset(c, 0, sizeof *c);
    c->network = network;
    add(c, mr_network_last_block_fork(network) + ABOVE_LAST_FORK, start, &network->genesis_hash);
    mr_load_chain_grow(c, wall_s);
}

bool mr_load_chain_grow(struct mr_load_chain *c, uint64_t wall_s)
{
    bool grown = false;

    for (;;) {
        const struct mr_load_header *head = mr_load_chain_head(c);

        if (wall_s < head->time + MR_LOAD_CHAIN_SLOT_S)
            return grown;
        add(c, head->number + 1, head->time + MR_LOAD_CHAIN_SLOT_S, &head->hash);
        grown = true;
    }
}

void mr_load_chain_status(const struct mr_load_chain *c, struct mr_eth_status *out,
                          unsigned version, uint64_t wall_s)
{
    const struct mr_network *net = c->network;
    const struct mr_load_header *head = mr_load_chain_head(c);
    struct mr_chain_point at = {.number = head->number, .time = head->time};

    *out = (struct mr_eth_status){.version = version,
                                  .network_id = net->network_id,
                                  .genesis = net->genesis_hash,
                                  .fork_id = mr_fork_id_at(net, mr_network_point(net, &at, wall_s)),
                                  .total_difficulty = net->total_difficulty,
                                  .earliest = at.number,
                                  .latest = at.number,
                                  .latest_hash = head->hash};
}

/* ---- serving ---- */

static const struct mr_load_header *find_number(const struct mr_load_chain *c, uint64_t number)
{
    const struct mr_load_header *head = mr_load_chain_head(c);
    uint64_t back = head->number - number;

    if (number > head->number || back >= MR_MIN(c->count, MR_LOAD_CHAIN_HEADERS))
        return NULL;
    return &c->headers[(c->count - 1 - back) % MR_LOAD_CHAIN_HEADERS];
}

static bool find_origin(const struct mr_load_chain *c, const struct mr_get_block_headers *q,
                        uint64_t *number)
{
    uint64_t held = MR_MIN(c->count, MR_LOAD_CHAIN_HEADERS);

    if (!q->by_hash) {
        *number = q->origin_number;
        return true;
    }
    *number = 0;
    if (mr_hash_equal(&q->origin_hash, &c->network->genesis_hash))
        return true;
    for (uint64_t i = 1; i <= held; i++) { /* the newest first: it is asked for most */
        const struct mr_load_header *h = &c->headers[(c->count - i) % MR_LOAD_CHAIN_HEADERS];

        if (mr_hash_equal(&h->hash, &q->origin_hash)) {
            *number = h->number;
            return true;
        }
    }
    return false;
}

enum mr_err mr_load_chain_serve(const struct mr_load_chain *c, uint64_t request_id,
                                const struct mr_get_block_headers *query, struct mr_writer *out)
{
    struct mr_span found[MR_HEADERS_ANSWER_MAX];
    struct mr_header_walk walk;
    uint64_t number;
    size_t n = 0;

    if (find_origin(c, query, &number)) {
        walk = mr_header_query_start(query, number);
        while (n < MR_HEADERS_ANSWER_MAX && mr_header_query_next(&walk, &number)) {
            const struct mr_load_header *h = find_number(c, number);

            if (h)
                found[n++] = mr_span(h->rlp, h->size);
            else if (number == 0 && c->network->genesis_header.n > 0)
                found[n++] = c->network->genesis_header;
            else
                break;
        }
    }
    return mr_response_encode(out, request_id, found, n);
}
