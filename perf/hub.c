/* millrace-hub: our shards, rings, sealing and mailboxes under the policy of hub_policy.h, to be
 * measured beside go-ethereum's p2p server (perf/compare). Prints its enode URL when it listens;
 * SIGTERM ends it, with one line of JSON: what it sent. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "crypto/ct.h"
#include "crypto/keccak.h"
#include "crypto/self_test.h"
#include "net/rlpx/enode.h"
#include "net/uring/ring.h"
#include "net/uring/socket.h"
#include "node/flags.h"
#include "perf/hub_policy.h"
#include "shards/runtime.h"

struct hub {
    struct mr_relay_options relay;
    const char *addr;
    uint32_t port;
    bool pin;
    const char *keccak; /* which variant: chosen before threads exist */
    struct mr_secp *secp;
    struct mr_secp_keypair self;
    struct mr_runtime *runtime;
};

/* The relay's limits are kept; those on what one peer may bring are lifted, as one of them brings
 * everything. */
static void options_default(struct hub *h)
{
    mr_relay_options_default(&h->relay);
    h->relay.maxpeers = 10000;
    h->relay.handshake_budget_percent = 100;
    h->relay.peer_bytes_per_s = UINT64_C(1) << 40;
    h->relay.peer_bytes_burst = UINT64_C(1) << 40;
    h->relay.pool_bytes = UINT64_C(64) << 20;
    h->relay.blob_pool_bytes = UINT64_C(1) << 20;
    h->addr = "127.0.0.1";
    h->port = 30399;
}

static int fail(const char *sentence)
{
    fprintf(stderr, "millrace-hub: %s\n", sentence);
    return 1;
}

static bool key_make(struct hub *h, char *error, size_t cap)
{
    const char *broken;
    uint8_t seed[32];

    mr_entropy_system(NULL, seed, sizeof seed);
    h->secp = mr_secp_create(seed);
    if (!h->secp) {
        snprintf(error, cap, "no memory for keys");
        return false;
    }
    if ((broken = mr_crypto_self_test(h->secp))) {
        snprintf(error, cap, "the self-test of %s failed", broken);
        return false;
    }
    mr_secp_keypair_make(h->secp, &h->self, mr_entropy_system, NULL);
    return true;
}

static void say_enode(const struct hub *h)
{
    struct mr_enode e = {.id = h->self.pub, .tcp = mr_runtime_endpoint(h->runtime)};
    char text[MR_ENODE_TEXT_MAX];

    e.udp_port = e.tcp.port;
    printf("millrace-hub: %u shards, keccak %s\n%s\n", mr_runtime_shards(h->runtime), h->keccak,
           mr_enode_text(text, &e));
    fflush(stdout);
}

static unsigned long long total(const struct hub *h, const struct mr_metric_set *set,
                                const char *name)
{
    return mr_runtime_metric(h->runtime, set, name);
}

static void say_totals(const struct hub *h)
{
    printf("{\"deliveries\": %llu, \"sends\": %llu, \"bytes_out\": %llu, \"overrun\": %llu, "
           "\"turns\": %llu, \"sleeps\": %llu, \"permutations_1\": %llu, \"permutations_4\": %llu, "
           "\"permutations_8\": %llu}\n",
           total(h, &mr_shard_metrics_set, "bodies_out"), total(h, &mr_shard_metrics_set, "sends"),
           total(h, &mr_shard_metrics_set, "bytes_out"),
           total(h, &mr_shard_metrics_set, "log_overrun"), total(h, &mr_shard_metrics_set, "turns"),
           total(h, &mr_worker_metrics_set, "worker_sleeps"),
           total(h, &mr_shard_metrics_set, "keccak_permutations_1"),
           total(h, &mr_shard_metrics_set, "keccak_permutations_4"),
           total(h, &mr_shard_metrics_set, "keccak_permutations_8"));
    fflush(stdout);
}

static void wait_for_end(void)
{
    sigset_t set;
    int number;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigwait(&set, &number);
}

static int serve(struct hub *h)
{
    struct mr_runtime_setup setup = {.options = &h->relay,
                                     .network = mr_network_find("mainnet"),
                                     .secp = h->secp,
                                     .self = &h->self,
                                     .client = "millrace-hub",
                                     .pin = h->pin,
                                     .policy = &mr_hub_policy};
    char why[512], at[64];

    snprintf(at, sizeof at, "%s:%u", h->addr, h->port);
    if (mr_endpoint_parse(&setup.listen, at, strlen(at)) != MR_OK)
        return fail("--addr wants an IPv4 address, --port a port");
    h->runtime = mr_runtime_new(&setup, why, sizeof why);
    if (!h->runtime || !mr_runtime_start(h->runtime, why, sizeof why))
        return fail(why);
    say_enode(h);
    wait_for_end();
    if (!mr_runtime_stop(h->runtime, MR_REASON_QUITTING))
        return fail("a shard did not end in time");
    say_totals(h);
    mr_runtime_free(h->runtime);
    return 0;
}

int main(int argc, char **argv)
{
    static struct hub h;
    struct mr_flag flags[] = {
        {"addr", MR_FLAG_TEXT, &h.addr, "IP", "where it listens (127.0.0.1)", NULL},
        {"port", MR_FLAG_U32, &h.port, "PORT", "(30399; 0: any)", NULL},
        {"maxpeers", MR_FLAG_U32, &h.relay.maxpeers, "N", "(10000)", NULL},
        {"shards", MR_FLAG_U32, &h.relay.shards, "N", "(1)", NULL},
        {"pin", MR_FLAG_BOOL, &h.pin, NULL, "shards to CPUs of their own", NULL},
        {"busy-poll", MR_FLAG_U32, &h.relay.busy_poll_us, "US",
         "microseconds before shards sleep (0)", NULL},
    };
    struct mr_log_options log = {.level = MR_LOG_LEVEL_WARN, .lines_per_second = 10};
    char error[512];
    size_t words;
    sigset_t all;

    options_default(&h);
    if (!mr_flags_parse(flags, MR_COUNT_OF(flags), argc, argv, NULL, &words, 0, error,
                        sizeof error))
        return fail(error);
    h.keccak = mr_keccak_select();
    if (mr_log_open(&log) != MR_OK)
        return fail("no log can be opened");
    if (!key_make(&h, error, sizeof error) || !mr_ring_probe(error, sizeof error))
        return fail(error);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    mr_descriptors_raise();
    return serve(&h);
}
