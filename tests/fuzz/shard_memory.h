/* shard_memory.h: what each actor of fuzz_shard.c has said and been told, held against every
 * message that it hears. */
#pragma once
#include "net/eth/announce.h"
#include "tests/fuzz/shard_samples.h"

struct memory {    /* of one actor */
    uint32_t said; /* samples that it has announced or sent */
    uint32_t told; /* samples that the shard has sent it, or announced to it */
    bool wild;     /* it has announced who knows what */
    bool stuck;    /* it is in the middle of a frame that never ends */
    uint32_t asked, answered;
    uint64_t ended; /* the turn that was told of its end; 0: none */
};

static void told(struct memory *m, const struct mr_hash *hash)
{
    uint32_t i = sample_find(hash);

    if (i == SAMPLES)
        return; /* made of the input's bytes */
    MR_ASSERT(!(m->told >> i & 1));
    m->told |= 1u << i;
}

static void heard_bodies(struct memory *m, struct mr_span payload)
{
    struct mr_eth_items items;
    struct mr_hash hash;
    struct mr_tx tx;

    MR_ASSERT(mr_transactions_decode(&items, payload) == MR_OK);
    MR_ASSERT(items.count > 0);
    while (!mr_reader_done(&items.items)) {
        MR_ASSERT(mr_tx_decode_item(&items.items, &tx) == MR_OK);
        MR_ASSERT(tx.type != MR_TX_BLOB);
        mr_tx_hash(&tx, &hash);
        told(m, &hash);
    }
}

static void heard_announced(struct memory *m, unsigned version, struct mr_span payload)
{
    struct mr_announce_item it;
    struct mr_announce a;

    MR_ASSERT(mr_announce_decode(&a, version, payload) == MR_OK);
    MR_ASSERT(a.count > 0);
    MR_ASSERT(a.count == a.stated);
    while (mr_announce_next(&a, &it)) {
        uint32_t i = sample_find(&it.hash);

        if (i < SAMPLES)
            MR_ASSERT(it.type == samples[i].type);
        told(m, &it.hash);
    }
}

static void heard_asked(const struct memory *m, struct mr_span payload)
{
    struct mr_hash_request r;

    MR_ASSERT(mr_hash_request_decode(&r, payload) == MR_OK);
    MR_ASSERT(r.hashes.n > 0);
    for (uint32_t k = 0; k < r.hashes.n && !m->wild; k++) {
        struct mr_hash hash;
        uint32_t i;

        memcpy(hash.b, mr_items_at(&r.hashes, k), sizeof hash.b);
        i = sample_find(&hash);
        MR_ASSERT(i < SAMPLES);
        MR_ASSERT(m->said >> i & 1);
    }
}

static void heard_base(uint8_t id, struct mr_span payload)
{
    if (id == MR_BASE_DISCONNECT) {
        MR_ASSERT(mr_disconnect_decode(payload) < MR_REASON_ABSENT);
    } else {
        MR_ASSERT(id == MR_BASE_PING || id == MR_BASE_PONG);
        MR_ASSERT(mr_ping_check(payload));
    }
}
