/* head_shards.h: the heads of the shards of fuzz_head.c, and what is held against them whenever
 * they moved: what they serve is one chain by the rules, and all readers tell of its top. */
#pragma once
#include "core/clock.h"
#include "net/eth/version.h"
#include "shards/head.h"
#include "tests/fuzz/head_peers.h"
#include "tests/fuzz/head_round.h"

static struct mr_relay_options options;
static const struct mr_network *network;
static struct mr_head *heads[SHARDS_MAX];
static unsigned shards;
static struct mr_time now;
static uint64_t wall_max_s;
static uint64_t seen_changes[SHARDS_MAX]; /* looked at */

/* ---- readers ---- */

static uint8_t served[300 * 1024];

static struct mr_span serve(unsigned shard, const struct mr_get_block_headers *q, size_t limit)
{
    struct mr_writer w = mr_writer(served, sizeof served);

    MR_ASSERT(mr_head_serve(heads[shard], q, limit, &w) == MR_OK);
    MR_ASSERT(w.n <= limit);
    return mr_writer_span(&w);
}

/* Walks what was served: numbers as asked for, and by the rules where they are neighbours. */
static unsigned served_check(struct mr_span headers, const struct mr_get_block_headers *q)
{
    struct mr_reader r = mr_reader_of(headers);
    struct mr_header h, before = {0};
    unsigned n = 0;

    for (; !mr_reader_done(&r); n++, before = h) {
        MR_ASSERT(header_read(&r, &h) == MR_OK);
        if (n == 0 && q->by_hash)
            MR_ASSERT(mr_hash_equal(&h.hash, &q->origin_hash));
        else if (n == 0)
            MR_ASSERT(h.number == q->origin_number);
        if (n > 0 && q->reverse)
            MR_ASSERT(h.number + q->skip + 1 == before.number);
        else if (n > 0)
            MR_ASSERT(h.number == before.number + q->skip + 1);
        if (n > 0 && q->skip == 0 && h.number > 1)
            MR_ASSERT(mr_header_check_child(q->reverse ? &before : &h, q->reverse ? &h : &before) ==
                      MR_OK);
    }
    MR_ASSERT(n <= q->amount);
    return n;
}

/* Reads what a shard has from its head downwards, and that it has nothing else. */
static void window_read(struct window *out, unsigned shard)
{
    const struct mr_header *top = mr_head_header(heads[shard]);
    struct mr_get_block_headers q = {
        .by_hash = true, .reverse = true, .origin_hash = top->hash, .amount = 1024};
    struct mr_span all = serve(shard, &q, sizeof served);
    struct mr_reader r = mr_reader_of(all);
    struct mr_header last;

    out->top = top->number;
    out->count = served_check(all, &q);
    MR_ASSERT(out->count >= 1);
    MR_ASSERT(out->count <= MR_HEAD_WINDOW);
    MR_ASSERT(top->time <= wall_max_s + MR_HEAD_AHEAD_S);
    for (unsigned i = 0; i < out->count; i++) {
        MR_ASSERT(header_read(&r, &last) == MR_OK);
        out->hashes[i] = last.hash;
    }
    q = (struct mr_get_block_headers){.origin_number = last.number, .amount = 1024};
    MR_ASSERT(served_check(serve(shard, &q, sizeof served), &q) == out->count);
    q.amount = 1;
    for (q.origin_number = CHAIN_FIRST; q.origin_number < CHAIN_FIRST + LENGTH; q.origin_number++)
        MR_ASSERT((serve(shard, &q, sizeof served).n > 0) ==
                  (q.origin_number >= last.number && q.origin_number <= out->top));
}

static void status_check(unsigned shard, unsigned version)
{
    const struct mr_head *head = heads[shard];
    const struct mr_header *h = mr_head_header(head);
    const struct mr_hash *hash = h ? &h->hash : &network->genesis_hash;
    struct mr_chain_point at = {.number = mr_head_number(head), .time = mr_head_time(head)};
    uint64_t wall_s = mr_time_wall_s(now);
    uint8_t room[MR_ETH_STATUS_MAX];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_eth_status s, back;

    MR_ASSERT((h != NULL) == mr_head_known(head));
    MR_ASSERT(at.number == (h ? h->number : 0));
    MR_ASSERT(at.time == (h ? h->time : 0));
    at = mr_network_point(network, h ? &at : NULL, wall_s);
    mr_head_status(head, &s, version, wall_s);
    MR_ASSERT(s.version == version);
    MR_ASSERT(mr_hash_equal(&s.latest_hash, hash));
    MR_ASSERT(s.earliest == s.latest);
    MR_ASSERT(s.latest == mr_head_number(head));
    MR_ASSERT(mr_fork_id_check(network, at, &s.fork_id) == MR_FORK_COMPATIBLE);
    MR_ASSERT(mr_eth_status_encode(&w, &s) == MR_OK);
    MR_ASSERT(mr_eth_status_decode(&back, version, mr_writer_span(&w)) == MR_OK);
    MR_ASSERT(mr_hash_equal(&back.latest_hash, hash));
}

static bool moved(unsigned shard)
{
    return mr_head_changes(heads[shard]) != seen_changes[shard];
}

/* The head of a shard moved, along one of n voices. */
static void look(unsigned shard, const struct voice *voices, unsigned n)
{
    static struct window old;
    bool follows = false;

    if (!moved(shard))
        return;
    MR_ASSERT(mr_head_changes(heads[shard]) == seen_changes[shard] + 1);
    seen_changes[shard]++;
    old = windows[shard];
    window_read(&windows[shard], shard);
    for (unsigned i = 0; i < n; i++)
        follows |= said(&voices[i], windows[shard].hashes) &&
                   window_follows(&old, &windows[shard], &voices[i].said);
    MR_ASSERT(follows);
}

/* Shard 0 was told something, or its time passed. */
static void decided(bool over)
{
    round_check(heads[0], moved(0), over);
    look(0, round_now.voices, VOICES);
}
