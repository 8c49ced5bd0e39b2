#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/hex.h"
#include "crypto/secp.h"
#include "net/eth/version.h"
#include "node/commands.h"
#include "node/decode.h"
#include "node/flags.h"
#include "node/lines.h"
#include "node/network_choice.h"

#define BYTES_MAX  (16u << 20)
#define DIGITS_MAX (2 * BYTES_MAX + 2)

enum sort { RLP, TX, MSG };

static const char *const usage = "usage: millrace decode rlp [--json] HEX|-\n"
                                 "       millrace decode tx [--network NAME | --network-file FILE] "
                                 "[--fork NAME] [--json] HEX|-\n"
                                 "       millrace decode msg --eth 68..72 --id N [--network NAME | "
                                 "--network-file FILE] [--json] "
                                 "HEX|-\n";

struct decode {
    enum sort sort;
    bool json, help, version_given, id_given;
    uint32_t version;
    uint64_t id;
    const char *network_name, *network_path, *fork, *input;
    const struct mr_network *network;
    struct mr_network_file *network_file;
    struct mr_secp *secp;
    struct mr_tx_judge judge;
    uint8_t *bytes; /* of the input at hand */
    size_t bytes_cap, done;
    bool refused;
};

/* ---- the command line ---- */

static bool fork_choose(struct decode *d, char *error, size_t error_cap)
{
    size_t n;

    if (!d->fork) {
        mr_rules_now(&d->judge.now, d->network, NULL, mr_time_wall_s(mr_clock_now()));
        return true;
    }
    d->judge.now.n = 1;
    if (mr_rules_by_name(&d->judge.now.rules[0], d->network, d->fork))
        return true;
    n = (size_t)snprintf(error, error_cap, "--fork \"%.64s\" is none of %s's:", d->fork,
                         d->network->name);
    for (size_t i = 0; i < d->network->forks_count && n < error_cap; i++)
        n += (size_t)snprintf(error + n, error_cap - n, "%s %s", i ? "," : "",
                              d->network->forks[i].name);
    return false;
}

static bool values_check(const struct decode *d, size_t words, char *error, size_t error_cap)
{
    if (words != 1)
        snprintf(error, error_cap, "one HEX is needed, or - for lines of standard input");
    else if (d->sort == MSG && (!d->version_given || !mr_eth_version_known(d->version)))
        snprintf(error, error_cap, "--eth takes a version of eth, %d to %d", MR_ETH_VERSION_MIN,
                 MR_ETH_VERSION_MAX);
    else if (d->sort == MSG && !d->id_given)
        snprintf(error, error_cap, "--id is needed: the message's id inside the eth capability");
    else
        return true;
    return false;
}

static bool line_parse(struct decode *d, int argc, char **argv, char *error, size_t error_cap)
{
    const struct {
        struct mr_flag flag;
        unsigned sorts; /* bit s: decode of sort s takes it */
    } known[] = {
        {{"json", MR_FLAG_BOOL, &d->json, NULL, "", NULL}, 1 << RLP | 1 << TX | 1 << MSG},
        {{"help", MR_FLAG_BOOL, &d->help, NULL, "", NULL}, 1 << RLP | 1 << TX | 1 << MSG},
        {{"network", MR_FLAG_TEXT, &d->network_name, "", "", NULL}, 1 << TX | 1 << MSG},
        {{"network-file", MR_FLAG_TEXT, &d->network_path, "", "", NULL}, 1 << TX | 1 << MSG},
        {{"fork", MR_FLAG_TEXT, &d->fork, "", "", NULL}, 1 << TX},
        {{"eth", MR_FLAG_U32, &d->version, "", "", &d->version_given}, 1 << MSG},
        {{"id", MR_FLAG_U64, &d->id, "", "", &d->id_given}, 1 << MSG},
    };
    struct mr_flag flags[MR_COUNT_OF(known)];
    size_t n = 0, words;

    for (size_t i = 0; i < MR_COUNT_OF(known); i++)
        if (known[i].sorts >> d->sort & 1)
            flags[n++] = known[i].flag;
    if (!mr_flags_parse(flags, n, argc, argv, &d->input, &words, 1, error, error_cap))
        return false;
    if (d->help)
        return true;
    return values_check(d, words, error, error_cap) &&
           (d->sort == RLP || mr_network_choose(&d->network, &d->network_file, d->network_name,
                                                d->network_path, error, error_cap)) &&
           (d->sort != TX || fork_choose(d, error, error_cap));
}

/* ---- printing ---- */

#define SHOWN_MAX 100 /* characters of the input that are repeated between key and value */

static void member_print(const char *key, const struct mr_json *value)
{
    size_t n;
    const char *text = mr_json_string(value, &n);
    char *dump;

    if (text && n > SHOWN_MAX && strcmp(key, "input") == 0) {
        printf("%s: %.*s... (%zu characters)\n", key, SHOWN_MAX, text, n);
    } else if (text) {
        printf("%s: %s\n", key, text);
    } else if (mr_json_kind(value) == MR_JSON_NULL) {
        printf("%s: none\n", key);
    } else {
        dump = mr_json_dump(value, NULL);
        printf("%s: %s\n", key, dump);
        free(dump);
    }
}

/* Prints and frees. */
static void object_print(const struct decode *d, struct mr_json *o)
{
    const struct mr_json *value;
    const char *key;
    void *it = NULL;

    if (d->json)
        (void)mr_json_write(o, stdout, false); /* a failed write shows at the end */
    else
        while (mr_json_next(o, &it, &key, &value))
            member_print(key, value);
    mr_json_free(o);
}

static void refuse(struct decode *d, const struct mr_decode_error *error)
{
    struct mr_json *o = mr_json_new_object();

    d->refused = true;
    mr_json_set_string(o, "error", error->text);
    mr_json_set_u64(o, "offset", error->offset);
    object_print(d, o);
}

/* ---- one input ---- */

static bool hex_read(struct decode *d, struct mr_decode_error *error, struct mr_span *out,
                     const char *text, size_t len)
{
    bool prefixed = len >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x';
    size_t n, bad_at;

    if (len > DIGITS_MAX) {
        mr_decode_fail(error, 0, "over %u bytes", BYTES_MAX);
        return false;
    }
    if (mr_hex_check(&n, &bad_at, text, len)) {
        size_t offset = (bad_at - (prefixed ? 2 : 0)) / 2;

        if (bad_at == len)
            mr_decode_fail(error, offset, "an odd number of hexadecimal digits");
        else
            mr_decode_fail(error, offset, "character %zu is no hexadecimal digit", bad_at + 1);
        return false;
    }
    if (d->bytes_cap < n + 1) {
        d->bytes_cap = MR_MAX(2 * d->bytes_cap, n + 1);
        free(d->bytes);
        d->bytes = malloc(d->bytes_cap);
        MR_ASSERT(d->bytes);
    }
    MR_ASSERT(mr_hex_decode(d->bytes, NULL, n, text, len) == MR_OK);
    *out = mr_span(d->bytes, n);
    return true;
}

static bool one_decode(struct decode *d, struct mr_decode_error *error, const char *text,
                       size_t len)
{
    struct mr_tx_report report;
    struct mr_json *o;
    struct mr_span in;

    if (!hex_read(d, error, &in, text, len))
        return false;
    switch (d->sort) {
    case RLP:
        return mr_decode_rlp(error, stdout, d->json ? MR_DECODE_JSON : MR_DECODE_LINES, in);
    case TX:
        if (!mr_decode_tx(&report, error, &d->judge, in))
            return false;
        d->refused |= report.verdict != MR_TX_VERDICT_OK;
        o = mr_json_new_object();
        mr_json_set(o, "input", mr_json_new_string(text, len));
        mr_tx_report_json(o, &report);
        object_print(d, o);
        return true;
    case MSG:
        o = mr_decode_msg(error, d->version, d->id, d->network->consensus == MR_CONSENSUS_POW, in);
        if (o)
            object_print(d, o);
        return o != NULL;
    }
    return false;
}

static void one(struct decode *d, const char *text, size_t len)
{
    struct mr_decode_error error;

    if (d->done++ > 0 && !d->json)
        putchar('\n');
    if (!one_decode(d, &error, text, len))
        refuse(d, &error);
}

/* False: standard input cannot be read. */
static bool all(struct decode *d)
{
    enum mr_lines_got got;
    struct mr_lines lines;
    const char *text;
    size_t n;

    if (strcmp(d->input, "-") != 0) {
        one(d, d->input, strlen(d->input));
        return true;
    }
    mr_lines_init(&lines, STDIN_FILENO, DIGITS_MAX);
    while ((got = mr_lines_next(&lines, &text, &n)) == MR_LINES_LINE || got == MR_LINES_TOO_LONG)
        one(d, text, got == MR_LINES_TOO_LONG ? DIGITS_MAX + 1 : n);
    mr_lines_free(&lines);
    return got == MR_LINES_END;
}

static int run(struct decode *d)
{
    uint8_t seed[32];
    bool ok;

    if (d->sort == TX && (!mr_entropy(seed, sizeof seed) || !(d->secp = mr_secp_create(seed))))
        return mr_command_fail("no randomness, or no memory");
    d->judge.secp = d->secp;
    ok = all(d);
    mr_kzg_free(d->judge.kzg);
    mr_secp_destroy(d->secp);
    if (!ok)
        return mr_command_fail("cannot read standard input: %s", strerror(errno));
    if (fflush(stdout) || ferror(stdout))
        return mr_command_fail("cannot write to standard output: %s", strerror(errno));
    return d->refused;
}

int mr_command_decode(int argc, char **argv)
{
    static const char *const words[] = {[RLP] = "rlp", [TX] = "tx", [MSG] = "msg"};
    struct decode d = {0};
    char error[1024];
    int code;

    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    while (argc >= 2 && d.sort < MR_COUNT_OF(words) && strcmp(argv[1], words[d.sort]) != 0)
        d.sort++;
    if (argc < 2 || d.sort == MR_COUNT_OF(words))
        return mr_command_fail("decode takes rlp, tx or msg: millrace decode --help shows how");
    if (!line_parse(&d, argc - 1, argv + 1, error, sizeof error))
        code = mr_command_fail("decode %s: %s", words[d.sort], error);
    else if (d.help)
        code = fputs(usage, stdout) == EOF;
    else
        code = run(&d);
    free(d.bytes);
    free(d.network_file);
    return code;
}
