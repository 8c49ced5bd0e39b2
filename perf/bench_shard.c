/* bench_shard [PEERS]: what one shard's turn costs in CPU, without sockets: real sessions over
 * memory (tests/shards/helper_shard.h), and only mr_shard_turn is measured, frames and all.
 *
 *   announced, wanted   every peer announces the same 4,000 hashes that nobody has sent yet
 *   announced, held     every peer announces 4,000 transactions that the shard has
 *   validated           transactions of many accounts to their last check, beside bare recoveries
 */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "perf/bench_clock.h"
#include "tests/shards/helper_shard.h"

#define HASHES      4000
#define TXS         4000
#define TX_PEERS    40
#define PER_MESSAGE 100
#define RECOVERIES  2000

struct bench {
    struct stage st;
    struct actor **peers;
    uint32_t peers_count;
    struct sample_tx txs[TXS];
    uint64_t since_ns, turn_ns;
};

static void on_turn(struct stage *st, unsigned shard, bool begins)
{
    struct bench *b = st->ctx;

    (void)shard;
    if (begins)
        b->since_ns = mr_bench_cpu_ns();
    else
        b->turn_ns += mr_bench_cpu_ns() - b->since_ns;
}

static void open_stage(struct bench *b, uint32_t peers)
{
    struct stage_options o;

    stage_options_default(&o);
    mr_relay_options_default(&o.relay);
    o.relay.maxpeers = peers;
    o.relay.peer_tx_per_s = o.relay.peer_tx_burst = 1u << 30;
    o.relay.peer_bytes_per_s = o.relay.peer_bytes_burst = UINT64_C(1) << 40;
    o.relay.recovery_percent = 100;
    o.relay.gather_bytes = UINT64_C(1) << 30;
    o.actors_max = peers;
    o.unverified_sends = true;
    stage_init(&b->st, &o);
    b->st.ctx = b;
    b->st.on_turn = on_turn;
    b->peers_count = peers;
    for (uint32_t i = 0; i < peers; i++) {
        b->peers[i] = actor_new(&b->st);
        b->peers[i]->no_book = true;
        b->peers[i]->chunk = 8192; /* as a ring's provided buffers */
    }
}

/* Turns until every peer has been read to the end; time stands still. */
static void settle(struct bench *b)
{
    b->turn_ns = 0;
    stage_settle(&b->st);
}

static void report_announced(struct bench *b, const char *name, const struct sample_tx *txs,
                             uint32_t first)
{
    uint64_t before = stage_count(&b->st)->announced_in, n;

    for (uint32_t i = first; i < b->peers_count; i++)
        actor_announce(b->peers[i], txs, HASHES);
    settle(b);
    n = stage_count(&b->st)->announced_in - before;
    printf("%-20s %9.2f M hashes a second and core (%llu from %u peers, %.0f ns each)\n", name,
           1e3 * (double)n / (double)b->turn_ns, (unsigned long long)n, b->peers_count - first,
           (double)b->turn_ns / (double)n);
}

static void bench_wanted(struct bench *b)
{
    static struct sample_tx made_up[HASHES];

    for (uint32_t i = 0; i < HASHES; i++) {
        made_up[i] = (struct sample_tx){.type = 2, .size = 200};
        mr_entropy_system(NULL, made_up[i].hash.b, sizeof made_up[i].hash.b);
    }
    actor_announce(b->peers[0], made_up, HASHES);
    settle(b);
    report_announced(b, "announced, wanted", made_up, 1);
}

/* Bare recoveries, as the bound of what can be validated: nanoseconds each. */
static double recovery_ns(struct bench *b)
{
    struct mr_node_id id;
    uint8_t sig[MR_SECP_SIG_SIZE];
    struct mr_hash h;
    struct mr_secp_keypair key;
    uint64_t since;

    mr_entropy_system(NULL, h.b, sizeof h.b);
    mr_secp_keypair_make(b->st.secp, &key, mr_entropy_system, NULL);
    if (!mr_secp_sign(b->st.secp, sig, &h, key.key))
        abort();
    since = mr_bench_cpu_ns();
    for (uint32_t i = 0; i < RECOVERIES; i++)
        if (!mr_secp_recover(b->st.secp, &id, &h, sig))
            abort();
    return (double)(mr_bench_cpu_ns() - since) / RECOVERIES;
}

static void bench_validated(struct bench *b)
{
    double bare = recovery_ns(b), each;
    uint64_t before = stage_count(&b->st)->tx_accepted, n;

    for (uint32_t i = 0; i < TXS; i++)
        stage_tx(&b->st, &b->txs[i], 1000 + i, 0);
    for (uint32_t i = 0; i < TXS; i += PER_MESSAGE)
        actor_send_txs(b->peers[i / PER_MESSAGE % TX_PEERS], &b->txs[i], PER_MESSAGE);
    /* nobody listens, so that fan-out is not in the figure */
    for (uint32_t i = 0; i < b->peers_count; i++)
        b->peers[i]->deaf = true;
    b->turn_ns = 0;
    for (unsigned i = 0; i < 100 && stage_count(&b->st)->tx_accepted - before < TXS; i++)
        stage_run(&b->st, 100);
    n = stage_count(&b->st)->tx_accepted - before;
    each = (double)b->turn_ns / (double)n;
    printf("%-20s %9.0f transactions a second and core (%.1f us each; a bare recovery %.1f us: "
           "%.0f%% of it)\n",
           "validated", 1e9 / each, each / 1e3, bare / 1e3, 100 * bare / each);
    for (uint32_t i = 0; i < b->peers_count; i++)
        b->peers[i]->deaf = false;
}

int main(int argc, char **argv)
{
    static struct bench b;
    uint32_t peers = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;

    if (peers < TX_PEERS || peers > 10000) {
        fprintf(stderr, "bench_shard [PEERS]: %d to 10000\n", TX_PEERS);
        return 1;
    }
    printf("keccak %s, %u peers on one shard\n", mr_keccak_select(), peers);
    b.peers = calloc(peers, sizeof(struct actor *));
    if (!b.peers)
        return 1;
    open_stage(&b, peers);
    bench_wanted(&b);
    bench_validated(&b);
    settle(&b);
    report_announced(&b, "announced, held", b.txs, 0);
    stage_close(&b.st);
    free(b.peers);
    return 0;
}
