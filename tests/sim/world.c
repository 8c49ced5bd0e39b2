#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/siphash.h"
#include "crypto/keccak.h"
#include "net/eth/tx_sample.h"
#include "tests/sim/front.h"
#include "tests/sim/peer.h"

struct sim_world *sim_world_new(uint64_t seed)
{
    static const uint8_t blinding[32] = {7};
    struct sim_world *w = sim_alloc(sizeof *w);
    uint64_t key[2];

    mr_keccak_select();
    w->seed = seed;
    sim_init(&w->sim, seed);
    sim_net_init(&w->net, &w->sim);
    w->network = mr_network_find("mainnet");
    w->secp = mr_secp_create(blinding);
    MR_ASSERT(w->secp);
    sim_entropy(&w->sim, key, sizeof key);
    MR_ASSERT(mr_map_init(&w->by_hash, SIM_TXS_MAX, 32, key) == MR_OK);
    return w;
}

void sim_world_free(struct sim_world *w)
{
    for (unsigned i = 0; i < w->relays_count; i++)
        sim_relay_free(w->relays[i]);
    for (unsigned i = 0; i < w->peers_count; i++)
        sim_peer_free(w->peers[i]);
    for (unsigned i = 0; i < w->txs_count; i++)
        free(w->txs[i].raw);
    mr_map_fini(&w->by_hash);
    mr_secp_destroy(w->secp);
    sim_net_fini(&w->net);
    sim_fini(&w->sim);
    free(w);
}

struct sim_relay *sim_world_relay(struct sim_world *w, const struct mr_relay_options *options,
                                  bool blobs)
{
    struct sim_relay_setup setup = {
        .sim = &w->sim,
        .net = &w->net,
        .network = w->network,
        .secp = w->secp,
        .options = *options,
        .at = {.ip = 0x0a000001 + w->relays_count, .port = 30303},
        .blobs = blobs,
    };

    MR_ASSERT(w->relays_count < SIM_RELAYS_MAX);
    return w->relays[w->relays_count++] = sim_relay_new(&setup);
}

struct sim_relay *sim_world_relay_whole(struct sim_world *w, const struct mr_relay_options *options)
{
    struct sim_relay *r = sim_world_relay(w, options, false);

    r->front = sim_front_new(w, r);
    sim_world_listen(w, r->at, sim_front_arrives, r->front);
    return r;
}

/* ---- calls ---- */

void sim_world_listen(struct sim_world *w, struct mr_endpoint at, sim_arrives_fn *fn, void *ctx)
{
    MR_ASSERT(w->listeners_count < MR_COUNT_OF(w->listeners));
    w->listeners[w->listeners_count++] = (struct sim_listener){at, fn, ctx};
}

/* A connection being made: SYN there, answer back. */
struct call {
    struct sim_world *world;
    struct mr_endpoint from, to;
    struct sim_profile there, back;
    sim_dialled_fn *fn;
    void *ctx;
    uint64_t tag;
    int end;
};

static void call_answered(void *ctx, uint64_t unused)
{
    struct call *c = ctx;

    (void)unused;
    c->fn(c->ctx, c->tag, c->end);
    free(c);
}

static void call_arrives(void *ctx, uint64_t unused)
{
    struct call *c = ctx;
    struct sim_world *w = c->world;
    int theirs;

    (void)unused;
    for (unsigned i = 0; i < w->listeners_count && c->end < 0; i++)
        if (mr_endpoint_equal(w->listeners[i].at, c->to)) {
            sim_net_connect(&w->net, &c->end, &theirs, &c->there, &c->back);
            w->listeners[i].fn(w->listeners[i].ctx, theirs, c->from);
        }
    sim_at_owned(&w->sim, w->sim.now_ns + c->back.latency_ns, call_answered, c);
}

void sim_world_dial(struct sim_world *w, struct mr_endpoint from, struct mr_endpoint to,
                    sim_dialled_fn *fn, void *ctx, uint64_t tag)
{
    struct call *c = sim_alloc(sizeof *c);

    *c = (struct call){w, from, to, sim_world_profile(w), sim_world_profile(w), fn, ctx, tag, -1};
    c->back.latency_ns = c->there.latency_ns; /* the same way */
    c->from.port = (uint16_t)sim_between(&w->sim, 32768, 60999);
    sim_at_owned(&w->sim, w->sim.now_ns + c->there.latency_ns, call_arrives, c);
}

void sim_world_link(struct sim_world *w, struct sim_relay *from, struct sim_relay *to,
                    const struct sim_profile *profile, struct sim_visitor **dialler,
                    struct sim_visitor **listener)
{
    struct sim_visitor *v;
    int a, b;

    sim_net_connect(&w->net, &a, &b, profile, profile);
    v = sim_relay_visit(from, a, false, to->at, &to->key.pub);
    if (dialler)
        *dialler = v;
    v = sim_relay_visit(to, b, true, from->at, NULL);
    if (listener)
        *listener = v;
}

struct sim_profile sim_world_profile(struct sim_world *w)
{
    struct sim *s = &w->sim;

    return (struct sim_profile){
        .latency_ns = sim_between(s, 200, sim_chance(s, 50) ? 2000 : 120000) * MR_US,
        .jitter_ns = sim_between(s, 0, 5000) * MR_US,
        .bytes_per_s = sim_between(s, 1, 100) * 1000000,
        .segment_max = (uint32_t)sim_between(s, 1, 4) == 1 ? 100 : 65536,
        .window = (uint32_t)sim_between(s, 16, 256) * 1024,
    };
}

void sim_world_run(struct sim_world *w, uint64_t ns)
{
    sim_run(&w->sim, w->sim.now_ns + ns);
}

void sim_violation(struct sim_world *w, const char *format, ...)
{
    va_list list;
    size_t n;

    if (w->violations++ > 0)
        return;
    n = (size_t)snprintf(w->violation, sizeof w->violation,
                         "seed %llu, %.6f s: ", (unsigned long long)w->seed,
                         (double)(w->sim.now_ns - SIM_START_NS) / 1e9);
    va_start(list, format);
    vsnprintf(w->violation + n, sizeof w->violation - n, format, list);
    va_end(list);
}

/* ---- transactions ---- */

static struct sim_tx *tx_keep(struct sim_world *w, uint8_t *raw, size_t n)
{
    struct sim_tx *tx = &w->txs[w->txs_count];
    struct mr_tx decoded;

    MR_ASSERT(w->txs_count < SIM_TXS_MAX);
    MR_ASSERT(mr_tx_decode_raw(&decoded, raw, n) == MR_OK);
    *tx = (struct sim_tx){
        .raw = raw, .n = n, .type = decoded.type, .size = (uint32_t)mr_tx_size_network(&decoded)};
    mr_tx_hash(&decoded, &tx->hash);
    MR_ASSERT(mr_map_put(&w->by_hash, tx->hash.b, w->txs_count++) == MR_OK);
    return tx;
}

static struct sim_tx *tx_make(struct sim_world *w, struct mr_tx_fields *f)
{
    struct mr_secp_keypair account;
    size_t cap = f->data.n + MR_TX_SAMPLE_ROOM + 4096;
    uint8_t *raw = sim_alloc(cap);
    struct mr_writer out = mr_writer(raw, cap);

    mr_secp_keypair_make(w->secp, &account, sim_entropy, &w->sim);
    f->chain_id = w->network->chain_id;
    f->nonce = sim_between(&w->sim, 0, 1000);
    MR_ASSERT(mr_tx_build(&out, f, w->secp, account.key) == MR_OK);
    return tx_keep(w, raw, out.n);
}

struct sim_tx *sim_world_tx(struct sim_world *w)
{
    struct mr_tx_fields f = {0};
    uint8_t room[MR_TX_SAMPLE_ROOM];

    mr_tx_sample(&f, room, &w->sim.random);
    return tx_make(w, &f);
}

struct sim_tx *sim_world_tx_sized(struct sim_world *w, size_t data)
{
    struct mr_tx_fields f = {0};
    uint8_t room[MR_TX_SAMPLE_ROOM];
    uint8_t *bytes = sim_alloc(data);
    struct sim_tx *tx;

    mr_tx_sample_shape(&f, room, MR_TX_SHAPE_TRANSFER, &w->sim.random);
    for (size_t i = 0; i < data; i += 3) /* zeros between: cheap in gas, and it compresses */
        bytes[i] = (uint8_t)mr_random_u64(&w->sim.random);
    f.data = mr_span(bytes, data);
    f.gas = 21000 + 40 * data + 100000;
    tx = tx_make(w, &f);
    free(bytes);
    return tx;
}

struct sim_tx *sim_world_tx_blob(struct sim_world *w, unsigned blobs)
{
    struct mr_tx_fields f = {0};
    uint8_t room[MR_TX_SAMPLE_ROOM];
    struct mr_hash hashes[6];
    size_t n = blobs, cap = n * (MR_BLOB_SIZE + 48 + MR_CELLS_PER_BLOB * 48 + 1024) + 8192;
    uint8_t *raw = sim_alloc(cap), *parts = sim_alloc(cap);
    uint8_t *commitments = parts + n * MR_BLOB_SIZE, *proofs = commitments + n * 48;
    struct mr_secp_keypair account;
    struct mr_writer out = mr_writer(raw, cap);
    uint8_t consensus[2048];
    struct mr_writer inner = mr_writer(consensus, sizeof consensus);

    MR_ASSERT(n >= 1);
    MR_ASSERT(n <= MR_COUNT_OF(hashes));
    mr_tx_sample_shape(&f, room, MR_TX_SHAPE_TRANSFER, &w->sim.random);
    for (size_t i = 0; i < n * MR_BLOB_SIZE; i += 7)
        parts[i] = (uint8_t)mr_random_u64(&w->sim.random);
    sim_entropy(&w->sim, commitments, n * 48 + n * MR_CELLS_PER_BLOB * 48);
    for (size_t i = 0; i < n; i++)
        MR_ASSERT(mr_versioned_hash(&hashes[i], commitments + 48 * i));
    mr_secp_keypair_make(w->secp, &account, sim_entropy, &w->sim);
    f.type = MR_TX_BLOB;
    f.chain_id = w->network->chain_id;
    f.gas = 100000;
    f.blob_fee_cap = mr_u256_of(1000000000);
    f.blob_hashes = hashes;
    f.blob_hashes_count = n;
    MR_ASSERT(mr_tx_build(&inner, &f, w->secp, account.key) == MR_OK);
    MR_ASSERT(mr_tx_build_blob_wrapper(&out, MR_WRAPPER_V1, mr_writer_span(&inner),
                                       mr_span(parts, n * MR_BLOB_SIZE),
                                       mr_span(commitments, n * 48),
                                       mr_span(proofs, n * MR_CELLS_PER_BLOB * 48)) == MR_OK);
    free(parts);
    return tx_keep(w, raw, out.n);
}

struct sim_tx *sim_world_find(struct sim_world *w, const struct mr_hash *hash)
{
    uint32_t i;

    return mr_map_find(&w->by_hash, &i, hash->b) ? &w->txs[i] : NULL;
}
