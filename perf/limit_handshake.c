#include "perf/limit_handshake.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "crypto/secp.h"
#include "net/uring/socket.h"
#include "perf/bench_clock.h"

#define ROUNDS_MAX 4096
/* Accepted at a time; few in all, as each leaves a port in TIME_WAIT for a while. */
#define ACCEPTS    32
#define ACCEPT_ALL 1024u

enum figure { ECDH, RECOVER, KEYPAIR, ACCEPT, FIGURES };

struct bench {
    struct mr_secp *secp;
    struct mr_secp_keypair ours, theirs;
    int listener;
    struct sockaddr_in at;
    double us[FIGURES][ROUNDS_MAX];
    size_t rounds[FIGURES];
};

static void note(struct bench *b, enum figure f, uint64_t since_ns, unsigned operations)
{
    double us = (double)(mr_bench_cpu_ns() - since_ns) / 1e3 / operations;

    b->us[f][b->rounds[f]++] = us;
}

static bool curve(struct bench *b)
{
    struct mr_hash hash = {{1}};
    struct mr_node_id who;
    uint8_t x[32], sig[MR_SECP_SIG_SIZE];
    uint64_t t;

    hash.b[1] = (uint8_t)b->rounds[ECDH];
    if (!mr_secp_sign(b->secp, sig, &hash, b->theirs.key))
        return false;
    t = mr_bench_cpu_ns();
    if (!mr_secp_ecdh_x(b->secp, x, &b->theirs.pub, b->ours.key))
        return false;
    note(b, ECDH, t, 1);
    t = mr_bench_cpu_ns();
    if (!mr_secp_recover(b->secp, &who, &hash, sig))
        return false;
    note(b, RECOVER, t, 1);
    t = mr_bench_cpu_ns();
    if (!mr_secp_public(b->secp, &who, b->ours.key))
        return false;
    note(b, KEYPAIR, t, 1);
    return true;
}

/* The clients connect, and close behind us, outside of the measured time. */
static bool connections(struct bench *b)
{
    int near[ACCEPTS], far[ACCEPTS];
    bool ok = true;
    uint64_t t;

    for (unsigned i = 0; i < ACCEPTS; i++) {
        near[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ok = connect(near[i], (const struct sockaddr *)&b->at, sizeof b->at) == 0 && ok;
    }
    t = mr_bench_cpu_ns();
    for (unsigned i = 0; i < ACCEPTS; i++) {
        far[i] = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        ok = far[i] >= 0 && ok;
    }
    for (unsigned i = 0; i < ACCEPTS; i++)
        close(far[i]);
    note(b, ACCEPT, t, ACCEPTS);
    for (unsigned i = 0; i < ACCEPTS; i++)
        close(near[i]);
    return ok;
}

static bool begin(struct bench *b)
{
    const uint8_t seed[32] = {1};
    struct mr_endpoint at = {.ip = INADDR_LOOPBACK};
    char sentence[256];

    b->listener = mr_socket_listen(at, MR_SOCKET_BACKLOG, sentence, sizeof sentence);
    if (b->listener < 0 || !mr_socket_local(&at, b->listener))
        return false;
    b->at = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons(at.port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    b->secp = mr_secp_create(seed);
    if (!b->secp)
        return false;
    mr_secp_keypair_make(b->secp, &b->ours, mr_entropy_system, NULL);
    mr_secp_keypair_make(b->secp, &b->theirs, mr_entropy_system, NULL);
    return true;
}

bool mr_limit_handshake_measure(struct mr_limit_handshake *out, double seconds)
{
    static struct bench b;
    const uint64_t end_ns = mr_clock_now().mono_ns + (uint64_t)(seconds * 1e9);
    bool ok;

    memset(&b, 0, sizeof b);
    ok = begin(&b);
    while (ok && b.rounds[ECDH] < ROUNDS_MAX &&
           (b.rounds[ECDH] < 3 || mr_clock_now().mono_ns < end_ns))
        ok = curve(&b) && (b.rounds[ACCEPT] >= ACCEPT_ALL / ACCEPTS || connections(&b));
    if (ok) {
        out->ecdh_us = mr_bench_median(b.us[ECDH], b.rounds[ECDH]);
        out->recover_us = mr_bench_median(b.us[RECOVER], b.rounds[RECOVER]);
        out->keypair_us = mr_bench_median(b.us[KEYPAIR], b.rounds[KEYPAIR]);
        out->accept_us = mr_bench_median(b.us[ACCEPT], b.rounds[ACCEPT]);
        out->sum_us = 4 * out->ecdh_us + out->recover_us + 2 * out->keypair_us + out->accept_us;
    }
    if (b.listener >= 0)
        close(b.listener);
    if (b.secp)
        mr_secp_destroy(b.secp);
    return ok;
}
