/* Everything that a run needs, made before it starts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/siphash.h"
#include "crypto/entropy.h"
#include "net/uring/socket.h"
#include "perf/load_peer.h"
#include "perf/load_run.h"

#define DESCRIPTORS_OTHER 32
#define FOREIGN_MAX       65536u /* hashes that are not of this run, remembered */

static enum mr_err make_transactions(struct mr_load *l, char *sentence, size_t cap)
{
    const struct mr_load_options *o = l->o;
    const uint32_t n = mr_load_options_txs(o);
    const uint64_t begin = mr_clock_now().mono_ns;
    enum mr_err e = MR_OK;

    mr_corpus_init(&l->corpus, o->network, l->secp, mr_time_wall_s(l->now));
    for (uint32_t i = 0; i < o->corpora_count && !e; i++)
        e = mr_corpus_read(&l->corpus, o->corpora[i], sentence, cap);
    if (e)
        return e;
    if ((e = mr_corpus_draw(&l->corpus, n, o->seed)) ||
        (e = mr_corpus_generate(&l->corpus, n, o->seed)))
        snprintf(sentence, cap, "cannot make %u transactions: %s", n, mr_err_text(e));
    l->prepared_ns = mr_clock_now().mono_ns - begin;
    return e;
}

static enum mr_err make_strict(struct mr_load *l)
{
    struct mr_strict_options options = {.network = l->o->network,
                                        .wall_s = mr_time_wall_s(l->now),
                                        .secp = l->secp,
                                        .transactions_max = l->corpus.count + FOREIGN_MAX};
    enum mr_err e;

    mr_entropy_system(NULL, options.key, sizeof options.key);
    if (!(l->strict = mr_strict_open_table(&options)))
        return MR_FULL;
    for (uint32_t i = 0; i < l->corpus.count; i++) {
        const struct mr_corpus_tx *tx = &l->corpus.txs[i];
        uint32_t number;

        if ((e = mr_strict_vouch(l->strict, &number, &tx->hash, tx->type, tx->size)) != MR_OK)
            return e;
        MR_ASSERT(number == i);
    }
    return MR_OK;
}

static bool make_memory(struct mr_load *l)
{
    const uint32_t n = l->o->peers;

    l->peers = calloc(n, sizeof *l->peers);
    l->ready = calloc(n, sizeof *l->ready);
    l->dirty = calloc(n, sizeof *l->dirty);
    l->arena = malloc(MR_LOAD_ARENA_BYTES);
    l->scratch = malloc(MR_LOAD_SCRATCH_BYTES);
    l->items = calloc(MR_LOAD_ITEMS_MAX, sizeof *l->items);
    l->pending = calloc(MR_LOAD_PENDING_MAX, sizeof *l->pending);
    if (!l->peers || !l->ready || !l->dirty || !l->arena || !l->scratch || !l->items || !l->pending)
        return false;
    l->peers_count = n;
    for (uint32_t i = 0; i < n; i++)
        mr_load_peer_init(l, &l->peers[i], i);
    return true;
}

enum mr_err mr_load_init(struct mr_load *l, const struct mr_load_options *options, char *sentence,
                         size_t cap)
{
    const struct mr_ring_options ring = {
        .entries = 4096, .completions = 32768, .buffers = 2048, .buffer_bytes = 8192};
    const uint64_t files = mr_descriptors_raise();
    uint8_t seed[32];
    enum mr_err e;

    memset(l, 0, sizeof *l);
    l->o = options;
    l->now = mr_clock_now();
    mr_random_init(&l->random, options->seed);
    mr_entropy_system(NULL, seed, sizeof seed);
    if (files < options->peers + DESCRIPTORS_OTHER) {
        snprintf(sentence, cap,
                 "%u peers need %u open files and %llu are allowed: raise the limit (ulimit -Hn)",
                 options->peers, options->peers + DESCRIPTORS_OTHER, (unsigned long long)files);
        return MR_FULL;
    }
    snprintf(sentence, cap, "out of memory");
    if (!(l->secp = mr_secp_create(seed)))
        return MR_FULL;
    mr_load_chain_init(&l->chain, options->network, mr_time_wall_s(l->now));
    if ((e = make_transactions(l, sentence, cap)))
        return e;
    if ((e = mr_load_track_init(&l->track, options->peers, l->corpus.count, options->senders))) {
        snprintf(sentence, cap, "no memory for %u peers times %u transactions (at most %llu MiB)",
                 options->peers, l->corpus.count,
                 (unsigned long long)(MR_LOAD_TRACK_BYTES_MAX >> 20));
        return e;
    }
    if ((e = make_strict(l)) || !make_memory(l))
        return e ? e : MR_FULL;
    l->ring = mr_ring_open(&ring, sentence, cap);
    return l->ring ? MR_OK : MR_SYSTEM;
}

void mr_load_fini(struct mr_load *l)
{
    mr_ring_close(l->ring);
    for (uint32_t i = 0; i < l->peers_count; i++)
        mr_load_peer_fini(&l->peers[i]);
    free(l->peers);
    free(l->ready);
    free(l->dirty);
    free(l->arena);
    free(l->scratch);
    free(l->items);
    free(l->pending);
    mr_strict_close_table(l->strict);
    mr_load_track_fini(&l->track);
    mr_corpus_fini(&l->corpus);
    if (l->secp)
        mr_secp_destroy(l->secp);
    memset(l, 0, sizeof *l);
}
