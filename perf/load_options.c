#include "perf/load_options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/eth/version.h"
#include "perf/corpus.h"

#define RATE_MAX     100000.0
#define DURATION_MAX 3600.0

void mr_load_help(FILE *f)
{
    fputs(
        "millrace-load: real RLPx peers that send transactions through a node and measure when "
        "each\n"
        "of them has arrived at all the others. Speaks only the standard protocol.\n\n"
        "  --target ENODE      the node: enode://ID@IP:PORT\n"
        "  --network NAME      mainnet (default), sepolia, hoodi, holesky, classic, mordor\n"
        "  --peers N           connections, each with its own key and loopback address (100)\n"
        "  --senders K         how many of them send (10, or all if there are fewer)\n"
        "  --rate R            transactions a second, all senders together (20)\n"
        "  --duration S        seconds of sending (30)\n"
        "  --corpus FILE       transactions to draw from (u32 length, bytes); may be repeated\n"
        "  --synthetic         generated transactions only (the default without --corpus)\n"
        "  --eth-version V     offer only eth/V, 68 to 71 (default: all of them)\n"
        "  --seed S            of the drawing, the keys and the generator (1)\n"
        "  --connecting N      handshakes in flight (64)\n"
        "  --connect-timeout S until when all must be connected (60 s and 1 s for 50 peers)\n"
        "  --drain S           how long to wait behind the last send, at most (30)\n"
        "  --json FILE         all figures as JSON\n"
        "  --hgrm FILE         distribution of body_us, as HdrHistogram writes it; a .hlog beside "
        "it\n"
        "  --svg FILE          both distributions as a picture\n"
        "  --relay-pid PID     also measure CPU and memory of that process\n"
        "  --assert KEY=MAX    fail if a figure is above, e.g. body_us.p99=100000; may be "
        "repeated\n"
        "  --help\n\n"
        "Exit code: 0, or 1 if a connection is short, something was lost or came twice, a message\n"
        "was punishable, or an assertion failed; 2 if it could not run.\n",
        f);
}

uint32_t mr_load_options_txs(const struct mr_load_options *o)
{
    return (uint32_t)MR_MAX(1.0, floor(o->rate * o->duration_s + 0.5));
}

/* ---- values ---- */

static bool number(double *out, const char *text, double low, double high)
{
    char *end;
    double v;

    errno = 0;
    v = strtod(text, &end);
    if (errno || end == text || *end || !isfinite(v) || v < low || v > high)
        return false;
    *out = v;
    return true;
}

static bool whole(uint64_t *out, const char *text, uint64_t low, uint64_t high)
{
    char *end;
    unsigned long long v;

    errno = 0;
    v = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-' || v < low || v > high)
        return false;
    *out = v;
    return true;
}

static bool whole32(uint32_t *out, const char *text, uint32_t low, uint32_t high)
{
    uint64_t v;

    if (!whole(&v, text, low, high))
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool assertion(struct mr_load_options *o, const char *text)
{
    const char *equals = strchr(text, '=');
    struct mr_load_assert *a = &o->asserts[o->asserts_count];

    if (!equals || equals == text || (size_t)(equals - text) >= sizeof a->key ||
        o->asserts_count == MR_LOAD_ASSERTS_MAX || !number(&a->max, equals + 1, -1e18, 1e18))
        return false;
    memcpy(a->key, text, (size_t)(equals - text));
    a->key[equals - text] = 0;
    o->asserts_count++;
    return true;
}

/* ---- options ---- */

enum option {
    TARGET,
    NETWORK,
    PEERS,
    SENDERS,
    RATE,
    DURATION,
    CORPUS,
    SYNTHETIC,
    ETH_VERSION,
    SEED,
    CONNECTING,
    CONNECT_TIMEOUT,
    DRAIN,
    JSON,
    HGRM,
    SVG,
    RELAY_PID,
    ASSERT,
    HELP,
    OPTIONS
};
static const char *const names[OPTIONS] = {
    "--target",     "--network",         "--peers",     "--senders",     "--rate",
    "--duration",   "--corpus",          "--synthetic", "--eth-version", "--seed",
    "--connecting", "--connect-timeout", "--drain",     "--json",        "--hgrm",
    "--svg",        "--relay-pid",       "--assert",    "--help"};

static bool takes_value(enum option i)
{
    return i != SYNTHETIC && i != HELP;
}

/* False if the value is none that the option takes. */
static bool set(struct mr_load_options *o, enum option i, const char *v)
{
    uint64_t n = 0;

    switch (i) {
    case TARGET:
        o->target_text = v;
        return mr_enode_parse(&o->target, NULL, v, strlen(v)) == MR_OK && o->target.tcp.port > 0;
    case NETWORK:
        return (o->network = mr_network_find(v)) != NULL;
    case PEERS:
        return whole32(&o->peers, v, 2, MR_LOAD_PEERS_MAX);
    case SENDERS:
        return whole32(&o->senders, v, 1, MR_LOAD_PEERS_MAX);
    case RATE:
        return number(&o->rate, v, 0.001, RATE_MAX);
    case DURATION:
        return number(&o->duration_s, v, 0.001, DURATION_MAX);
    case CORPUS:
        if (o->corpora_count == MR_LOAD_CORPORA_MAX)
            return false;
        o->corpora[o->corpora_count++] = v;
        return true;
    case SYNTHETIC:
        return o->synthetic = true;
    case ETH_VERSION:
        return whole32(&o->eth_version, v, MR_ETH_VERSION_MIN, MR_ETH_VERSION_ADVERTISED);
    case SEED:
        return whole(&o->seed, v, 0, UINT64_MAX);
    case CONNECTING:
        return whole32(&o->connecting, v, 1, 4096);
    case CONNECT_TIMEOUT:
        return number(&o->connect_s, v, 0.1, DURATION_MAX);
    case DRAIN:
        return number(&o->drain_s, v, 0, 600);
    case JSON:
        return (o->json = v) != NULL;
    case HGRM:
        return (o->hgrm = v) != NULL;
    case SVG:
        return (o->svg = v) != NULL;
    case RELAY_PID:
        if (!whole(&n, v, 1, INT32_MAX))
            return false;
        o->relay_pid = (int64_t)n;
        return true;
    case ASSERT:
        return assertion(o, v);
    case HELP:
        return o->help = true;
    case OPTIONS:
        break;
    }
    return false;
}

static enum option find(const char *arg, size_t n)
{
    for (int i = 0; i < OPTIONS; i++)
        if (strlen(names[i]) == n && memcmp(names[i], arg, n) == 0)
            return (enum option)i;
    return OPTIONS;
}

static enum mr_err check(struct mr_load_options *o, char *sentence, size_t cap)
{
    if (!o->target_text)
        snprintf(sentence, cap, "--target is missing: whom to connect to (enode://ID@IP:PORT)");
    else if (o->synthetic && o->corpora_count > 0)
        snprintf(sentence, cap, "--synthetic and --corpus exclude each other");
    else if (o->rate * o->duration_s > MR_CORPUS_MAX)
        snprintf(sentence, cap, "rate times duration is over %u transactions", MR_CORPUS_MAX);
    else
        return MR_OK;
    return MR_INVALID;
}

enum mr_err mr_load_options_read(struct mr_load_options *o, char *sentence, size_t cap, int argc,
                                 char **argv)
{
    *o = (struct mr_load_options){.network = mr_network_find("mainnet"),
                                  .peers = 100,
                                  .senders = 10,
                                  .rate = 20,
                                  .duration_s = 30,
                                  .drain_s = 30,
                                  .connecting = 64,
                                  .seed = 1};
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '='), *value = NULL;
        size_t n = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        enum option which = find(argv[i], n);

        if (which == OPTIONS || (equals && !takes_value(which))) {
            snprintf(sentence, cap, "unknown option %s (millrace-load --help lists them)", argv[i]);
            return MR_INVALID;
        }
        if (takes_value(which)) {
            value = equals ? equals + 1 : argv[++i];
            if (!value) {
                snprintf(sentence, cap, "%s wants a value", names[which]);
                return MR_INVALID;
            }
        }
        if (!set(o, which, value)) {
            snprintf(sentence, cap, "%s does not take '%s' (millrace-load --help)", names[which],
                     value ? value : "");
            return MR_INVALID;
        }
        if (o->help)
            return MR_OK;
    }
    o->senders = MR_MIN(o->senders, o->peers);
    if (o->connect_s == 0)
        o->connect_s = 60 + o->peers / 50.0;
    return check(o, sentence, cap);
}
