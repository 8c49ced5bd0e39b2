/* bench_handshake [ROUNDS]: CPU microseconds of one inbound and one outbound handshake's crypto,
 * against the sum of the curve operations that it cannot do without. Each round times everything
 * once, so that a disturbed machine disturbs all alike; the medians are printed.
 *
 * Inbound (recipient): 4 ECDH, 1 recovery, 2 key pairs. Outbound: 4 ECDH, 1 signature, 2 key pairs.
 * With prepared keys the key pairs are made beforehand. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/ct.h"
#include "net/rlpx/handshake.h"
#include "perf/bench_clock.h"

#define ROUNDS_MAX 100000

enum figure {
    ECDH,
    SIGN,
    RECOVER,
    KEYPAIR,
    INBOUND,
    INBOUND_PREPARED,
    OUTBOUND,
    OUTBOUND_PREPARED,
    PEEK,
    FIGURES
};

struct bench {
    struct mr_secp *secp;
    struct mr_secp_keypair a, b;
    struct mr_rlpx_ephemerals prepared;
    double *ns[FIGURES];
    size_t round;
    uint64_t since;
};

static void begin(struct bench *b)
{
    b->since = mr_bench_cpu_ns();
}

static void end(struct bench *b, enum figure f)
{
    b->ns[f][b->round] = (double)(mr_bench_cpu_ns() - b->since);
}

static void must(bool ok)
{
    if (!ok) {
        fputs("bench_handshake: an operation failed\n", stderr);
        exit(1);
    }
}

static void bare(struct bench *b)
{
    struct mr_secp_keypair pair;
    struct mr_node_id who;
    struct mr_hash hash = {{1}};
    uint8_t x[32], sig[MR_SECP_SIG_SIZE];

    hash.b[1] = (uint8_t)b->round;
    begin(b);
    must(mr_secp_ecdh_x(b->secp, x, &b->b.pub, b->a.key));
    end(b, ECDH);
    begin(b);
    must(mr_secp_sign(b->secp, sig, &hash, b->a.key));
    end(b, SIGN);
    begin(b);
    must(mr_secp_recover(b->secp, &who, &hash, sig));
    end(b, RECOVER);
    must(mr_entropy(pair.key, sizeof pair.key));
    pair.key[0] = 1;
    begin(b);
    must(mr_secp_public(b->secp, &pair.pub, pair.key));
    end(b, KEYPAIR);
}

/* Both roles once. Only the time between begin and end counts. */
static void whole(struct bench *b, bool prepared)
{
    struct mr_rlpx_handshake out, in;
    uint8_t auth[MR_RLPX_HANDSHAKE_OUT_MAX], ack[MR_RLPX_HANDSHAKE_OUT_MAX];
    struct mr_writer w = mr_writer(auth, sizeof auth), r = mr_writer(ack, sizeof ack);
    const struct mr_rlpx_ephemerals *keys = prepared ? &b->prepared : NULL;
    uint64_t outbound;

    mr_rlpx_ephemerals_make(b->secp, &b->prepared, mr_entropy_system, NULL);
    begin(b);
    must(mr_rlpx_handshake_init_initiator(&out, b->secp, &b->a, &b->b.pub, keys, mr_entropy_system,
                                          NULL) == MR_OK);
    must(mr_rlpx_handshake_start(&out, &w) == MR_OK);
    outbound = mr_bench_cpu_ns() - b->since;

    mr_rlpx_ephemerals_make(b->secp, &b->prepared, mr_entropy_system, NULL);
    begin(b);
    mr_rlpx_handshake_init_recipient(&in, b->secp, &b->b, keys, mr_entropy_system, NULL);
    must(mr_rlpx_handshake_peek_initiator(&in, auth, 2) == MR_OK);
    must(mr_rlpx_handshake_peek_initiator(&in, auth + 2, w.n - 2) == MR_OK);
    end(b, PEEK);
    must(mr_rlpx_handshake_answer(&in, &r) == MR_OK);
    mr_rlpx_handshake_fini(&in);
    end(b, prepared ? INBOUND_PREPARED : INBOUND);

    begin(b);
    must(mr_rlpx_handshake_feed(&out, ack, 2, NULL) == MR_OK);
    must(mr_rlpx_handshake_feed(&out, ack + 2, r.n - 2, NULL) == MR_OK);
    mr_rlpx_handshake_fini(&out);
    b->since -= outbound;
    end(b, prepared ? OUTBOUND_PREPARED : OUTBOUND);
}

static double median_us(struct bench *b, enum figure f)
{
    return mr_bench_median(b->ns[f], b->round) / 1000;
}

static void line(const char *what, double us, double floor_us)
{
    if (floor_us > 0)
        printf("%-28s %8.1f us  floor %8.1f us  share %5.1f%%  %7.0f/s\n", what, us, floor_us,
               100 * floor_us / us, 1e6 / us);
    else
        printf("%-28s %8.1f us\n", what, us);
}

static void report(struct bench *b)
{
    double ecdh = median_us(b, ECDH), sign = median_us(b, SIGN), recover = median_us(b, RECOVER);
    double keypair = median_us(b, KEYPAIR);

    line("ecdh", ecdh, 0);
    line("sign", sign, 0);
    line("recover", recover, 0);
    line("key pair", keypair, 0);
    line("inbound", median_us(b, INBOUND), 4 * ecdh + recover + 2 * keypair);
    line("inbound, prepared keys", median_us(b, INBOUND_PREPARED), 4 * ecdh + recover);
    line("outbound", median_us(b, OUTBOUND), 4 * ecdh + sign + 2 * keypair);
    line("outbound, prepared keys", median_us(b, OUTBOUND_PREPARED), 4 * ecdh + sign);
    line("peek at an auth", median_us(b, PEEK), ecdh);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    uint8_t seed[32];

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_handshake [ROUNDS up to %d]\n", ROUNDS_MAX);
        return 1;
    }
    must(mr_entropy(seed, sizeof seed));
    b.secp = mr_secp_create(seed);
    must(b.secp);
    for (size_t f = 0; f < FIGURES; f++) {
        b.ns[f] = calloc(rounds, sizeof *b.ns[f]);
        must(b.ns[f]);
    }
    mr_secp_keypair_make(b.secp, &b.a, mr_entropy_system, NULL);
    mr_secp_keypair_make(b.secp, &b.b, mr_entropy_system, NULL);
    for (b.round = 0; b.round < rounds; b.round++) {
        bare(&b);
        whole(&b, false);
        whole(&b, true);
    }
    report(&b);
    for (size_t f = 0; f < FIGURES; f++)
        free(b.ns[f]);
    mr_wipe(&b.prepared, sizeof b.prepared);
    mr_secp_destroy(b.secp);
    return 0;
}
