#include "net/eth/network.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/json.h"
#include "crypto/keccak.h"

struct load {
    struct mr_network_file *out;
    const char *file;
    char *error;
    size_t error_size;
};

/* One sentence with the file's name in front. */
static enum mr_err MR_PRINTF(3, 4) fail(struct load *l, enum mr_err e, const char *format, ...)
{
    va_list ap;
    int n = snprintf(l->error, l->error_size, "%s: ", l->file);

    if (n < 0 || (size_t)n >= l->error_size)
        return e;
    va_start(ap, format);
    vsnprintf(l->error + n, l->error_size - (size_t)n, format, ap);
    va_end(ap);
    return e;
}

/* Says what is wrong with a key's value; e is what its getter returned. */
static enum mr_err bad_key(struct load *l, const char *key, enum mr_err e, const char *wanted)
{
    if (e == MR_NOT_FOUND)
        return fail(l, MR_INVALID, "key \"%s\" is missing: give %s", key, wanted);
    return fail(l, MR_INVALID, "key \"%s\" is not %s", key, wanted);
}

static enum mr_err text_keep(struct load *l, const char **out, const char *key,
                             const struct mr_json *j, size_t n_max)
{
    struct mr_network_file *f = l->out;
    size_t n;
    const char *s = mr_json_string(j, &n);

    if (!s || n == 0)
        return bad_key(l, key, j ? MR_INVALID : MR_NOT_FOUND, "a text that is not empty");
    n = MR_MIN(n, n_max);
    if (n + 1 > sizeof f->text - f->text_used)
        return fail(l, MR_TOO_BIG, "key \"%s\": names and bootnodes take over %d bytes", key,
                    MR_NETWORK_TEXT_MAX);
    *out = memcpy(f->text + f->text_used, s, n);
    f->text_used += n;
    f->text[f->text_used++] = 0;
    return MR_OK;
}

static enum mr_err u64_need(struct load *l, uint64_t *out, const char *key, const struct mr_json *j)
{
    enum mr_err e = mr_json_u64(j, out);

    return e ? bad_key(l, key, e, "a whole number") : MR_OK;
}

static enum mr_err fork_read(struct load *l, struct mr_fork *f, size_t i, const struct mr_json *j)
{
    const struct mr_fork *before = i > 0 ? f - 1 : NULL;
    const char *name = mr_json_string(mr_json_get(j, "name"), NULL);
    const char *kind = mr_json_string(mr_json_get(j, "activation"), NULL);
    char key[64];
    enum mr_err e;

    /* "tangerine_whistle(EIP-150)" is known by what stands before the bracket. */
    snprintf(key, sizeof key, "forks[%zu].name", i);
    if ((e = text_keep(l, &f->name, key, mr_json_get(j, "name"), name ? strcspn(name, "( ") : 0)))
        return e;
    snprintf(key, sizeof key, "forks[%zu].activation", i);
    if (!kind || (strcmp(kind, "block") != 0 && strcmp(kind, "timestamp") != 0))
        return bad_key(l, key, kind ? MR_INVALID : MR_NOT_FOUND, "\"block\" or \"timestamp\"");
    f->by_time = *kind == 't';
    snprintf(key, sizeof key, "forks[%zu].value", i);
    if ((e = u64_need(l, &f->value, key, mr_json_get(j, "value"))))
        return e;
    if (before && (before->by_time > f->by_time ||
                   (before->by_time == f->by_time && before->value > f->value)))
        return fail(l, MR_INVALID,
                    "key \"%s\" is out of order: blocks first, then timestamps, both ascending",
                    key);
    f->in_fork_id = true;
    snprintf(key, sizeof key, "forks[%zu].in_fork_id", i);
    e = mr_json_bool(mr_json_get(j, "in_fork_id"), &f->in_fork_id);
    return e == MR_INVALID ? bad_key(l, key, e, "true or false") : MR_OK;
}

static enum mr_err forks_read(struct load *l, const struct mr_json *j)
{
    struct mr_network_file *f = l->out;
    size_t n = mr_json_count(j);
    enum mr_err e;

    if (mr_json_kind(j) != MR_JSON_ARRAY)
        return bad_key(l, "forks", j ? MR_INVALID : MR_NOT_FOUND, "a list of forks");
    if (n > MR_NETWORK_FORKS_MAX)
        return fail(l, MR_TOO_BIG, "key \"forks\" has over %d entries", MR_NETWORK_FORKS_MAX);
    for (size_t i = 0; i < n; i++)
        if ((e = fork_read(l, &f->forks[i], i, mr_json_at(j, i))))
            return e;
    f->net.forks = f->forks;
    f->net.forks_count = n;
    return MR_OK;
}

static enum mr_err blob_number(struct load *l, uint64_t *out, const char *fork, const char *what,
                               uint64_t max, const struct mr_json *step)
{
    char key[128];
    enum mr_err e;

    snprintf(key, sizeof key, "blob_schedule.%.64s.%s", fork, what);
    if ((e = u64_need(l, out, key, mr_json_get(step, what))))
        return e;
    return *out <= max ? MR_OK : fail(l, MR_INVALID, "key \"%s\" is too large", key);
}

/* An object, fork name to numbers; kept in the order of the forks. */
static enum mr_err blobs_read(struct load *l, const struct mr_json *j)
{
    struct mr_network_file *f = l->out;
    const struct mr_json *step;
    const char *fork;
    void *it = NULL;
    size_t n = 0;
    enum mr_err e;

    if (mr_json_kind(j) != MR_JSON_OBJECT)
        return bad_key(l, "blob_schedule", j ? MR_INVALID : MR_NOT_FOUND,
                       "an object of fork names ({} if none)");
    while (mr_json_next(j, &it, &fork, &step))
        if (!mr_network_fork(&f->net, fork))
            return fail(l, MR_INVALID, "key \"blob_schedule.%.64s\" names no fork of the list",
                        fork);
    for (size_t i = 0; i < f->net.forks_count; i++) {
        uint64_t target, max, fraction;
        struct mr_blob_step *s = &f->blob_steps[n];

        fork = f->forks[i].name;
        if (!(step = mr_json_get(j, fork)))
            continue;
        if (n == MR_NETWORK_BLOB_STEPS_MAX)
            return fail(l, MR_TOO_BIG, "key \"blob_schedule\" has over %d entries",
                        MR_NETWORK_BLOB_STEPS_MAX);
        if ((e = blob_number(l, &target, fork, "target", UINT32_MAX, step)) ||
            (e = blob_number(l, &max, fork, "max", UINT32_MAX, step)) ||
            (e = blob_number(l, &fraction, fork, "base_fee_update_fraction", UINT64_MAX, step)))
            return e;
        *s = (struct mr_blob_step){fork, (uint32_t)target, (uint32_t)max, fraction};
        n++;
    }
    f->net.blob_steps = n > 0 ? f->blob_steps : NULL;
    f->net.blob_steps_count = n;
    return MR_OK;
}

/* A key that may be absent, but not wrong. */
static enum mr_err optional(struct load *l, const char *key, enum mr_err e, const char *wanted)
{
    return e == MR_OK || e == MR_NOT_FOUND ? MR_OK : bad_key(l, key, MR_INVALID, wanted);
}

static enum mr_err genesis_read(struct load *l, const struct mr_json *j)
{
    struct mr_network_file *f = l->out;
    struct mr_network *net = &f->net;
    struct mr_hash hash;
    size_t n = 0;
    enum mr_err e;

    if ((e = optional(l, "genesis.timestamp",
                      mr_json_u64(mr_json_get(j, "timestamp"), &net->genesis_time),
                      "a whole number")) ||
        (e = optional(l, "genesis.difficulty",
                      mr_json_u256(mr_json_get(j, "difficulty"), &net->genesis_difficulty),
                      "a whole number")) ||
        (e = optional(l, "genesis.header_rlp",
                      mr_json_hex(mr_json_get(j, "header_rlp"), f->header, &n, sizeof f->header),
                      "hexadecimal of at most 1,024 bytes")))
        return e;
    if (n == 0)
        return MR_OK;
    mr_keccak256(&hash, f->header, n);
    if (!mr_hash_equal(&hash, &net->genesis_hash))
        return fail(l, MR_INVALID, "key \"genesis.header_rlp\" does not hash to \"genesis_hash\"");
    net->genesis_header = mr_span(f->header, n);
    return MR_OK;
}

static enum mr_err consensus_read(struct load *l, const struct mr_json *j,
                                  const struct mr_json *final_td)
{
    struct mr_network *net = &l->out->net;
    const char *type = mr_json_string(mr_json_get(j, "type"), NULL);
    enum mr_err e;

    if (mr_json_get(j, "type")) {
        if (type && (strcmp(type, "ethash") == 0 || strcmp(type, "etchash") == 0))
            net->consensus = MR_CONSENSUS_POW;
        else if (!type || strcmp(type, "pos") != 0)
            return bad_key(l, "consensus.type", MR_INVALID, "\"pos\", \"ethash\" or \"etchash\"");
    }
    e = mr_json_u256(mr_json_get(j, "terminal_total_difficulty"), &net->terminal_total_difficulty);
    net->has_terminal_total_difficulty = e == MR_OK;
    if ((e = optional(l, "consensus.terminal_total_difficulty", e, "a whole number")) ||
        (e = optional(l, "consensus.dao_fork_support",
                      mr_json_bool(mr_json_get(j, "dao_fork_support"), &net->dao_fork_support),
                      "true or false")) ||
        (e = optional(l, "consensus.dao_fork_block",
                      mr_json_u64(mr_json_get(j, "dao_fork_block"), &net->dao_fork_block),
                      "a whole number")))
        return e;
    net->total_difficulty = net->consensus == MR_CONSENSUS_POW ? net->genesis_difficulty
                                                               : net->terminal_total_difficulty;
    if (net->consensus == MR_CONSENSUS_POW)
        return MR_OK;
    return optional(l, "final_total_difficulty", mr_json_u256(final_td, &net->total_difficulty),
                    "a whole number");
}

static enum mr_err expected_read(struct load *l, const struct mr_json *j)
{
    struct mr_network_file *f = l->out;
    size_t n = mr_json_count(j);
    enum mr_err e;

    if (j && mr_json_kind(j) != MR_JSON_ARRAY)
        return bad_key(l, "expected_fork_ids", MR_INVALID, "a list");
    if (n > MR_COUNT_OF(f->expected))
        return fail(l, MR_TOO_BIG, "key \"expected_fork_ids\" has over %zu entries",
                    MR_COUNT_OF(f->expected));
    for (size_t i = 0; i < n; i++) {
        const struct mr_json *x = mr_json_at(j, i);
        const char *from = mr_json_string(mr_json_get(x, "from"), NULL);
        struct mr_expected_fork_id *id = &f->expected[i];
        uint8_t be[4];

        if ((e = u64_need(l, &id->at, "expected_fork_ids[].at", mr_json_get(x, "at"))) ||
            (e = u64_need(l, &id->next, "expected_fork_ids[].next", mr_json_get(x, "next"))))
            return e;
        if ((e = mr_json_hex_exact(mr_json_get(x, "fork_hash"), be, sizeof be)))
            return bad_key(l, "expected_fork_ids[].fork_hash", e, "four bytes in hexadecimal");
        id->hash = mr_load_be32(be);
        id->by_time = from && strcmp(from, "timestamp") == 0;
    }
    f->net.expected_fork_ids = n > 0 ? f->expected : NULL;
    f->net.expected_fork_ids_count = n;
    return MR_OK;
}

/* A list of texts, or of objects that hold the text under member. */
static enum mr_err strings_read(struct load *l, struct mr_strings *out, const char **v,
                                const char *key, const char *member, const struct mr_json *j)
{
    size_t n = mr_json_count(j);
    enum mr_err e;

    if (j && mr_json_kind(j) != MR_JSON_ARRAY)
        return bad_key(l, key, MR_INVALID, "a list");
    if (n > MR_NETWORK_STRINGS_MAX)
        return fail(l, MR_TOO_BIG, "key \"%s\" has over %d entries", key, MR_NETWORK_STRINGS_MAX);
    for (size_t i = 0; i < n; i++) {
        const struct mr_json *x = mr_json_at(j, i);

        if (mr_json_kind(x) == MR_JSON_OBJECT)
            x = mr_json_get(x, member);
        if ((e = text_keep(l, &v[i], key, x, MR_NETWORK_TEXT_MAX)))
            return e;
    }
    *out = n > 0 ? (struct mr_strings){v, n} : (struct mr_strings){NULL, 0};
    return MR_OK;
}

static enum mr_err network_read(struct load *l, const struct mr_json *j)
{
    struct mr_network_file *f = l->out;
    struct mr_network *net = &f->net;
    const struct mr_json *boot = mr_json_get(j, "bootnodes");
    enum mr_err e;

    if (mr_json_kind(j) != MR_JSON_OBJECT)
        return fail(l, MR_INVALID, "a network is a JSON object");
    if ((e = text_keep(l, &net->name, "name", mr_json_get(j, "name"), 64)) ||
        (e = u64_need(l, &net->network_id, "network_id", mr_json_get(j, "network_id"))) ||
        (e = u64_need(l, &net->chain_id, "chain_id", mr_json_get(j, "chain_id"))))
        return e;
    e = mr_json_hex_exact(mr_json_get(j, "genesis_hash"), net->genesis_hash.b,
                          sizeof net->genesis_hash.b);
    if (e)
        return bad_key(l, "genesis_hash", e, "32 bytes in hexadecimal");
    if ((e = forks_read(l, mr_json_get(j, "forks"))) ||
        (e = blobs_read(l, mr_json_get(j, "blob_schedule"))) ||
        (e = genesis_read(l, mr_json_get(j, "genesis"))) ||
        (e = consensus_read(l, mr_json_get(j, "consensus"),
                            mr_json_get(j, "final_total_difficulty"))) ||
        (e = expected_read(l, mr_json_get(j, "expected_fork_ids"))))
        return e;
    if ((e = strings_read(l, &net->bootnodes_v4, f->v4, "bootnodes.v4", "url",
                          mr_json_get(boot, "v4"))) ||
        (e = strings_read(l, &net->bootnodes_v5, f->v5, "bootnodes.v5", "enr",
                          mr_json_get(boot, "v5"))))
        return e;
    return strings_read(l, &net->dns, f->dns, "dns_discovery", "url",
                        mr_json_get(j, "dns_discovery"));
}

enum mr_err mr_network_load(struct mr_network_file *out, char *error, size_t error_size,
                            const char *file_name, const char *json, size_t json_size)
{
    struct load l = {out, file_name, error, error_size};
    struct mr_json_error at;
    struct mr_json *j;
    enum mr_err e;

    memset(out, 0, sizeof *out);
    if (!(j = mr_json_parse(&at, json, json_size)))
        return fail(&l, MR_MALFORMED, "line %d is not JSON: %s", at.line, at.text);
    e = network_read(&l, j);
    mr_json_free(j);
    return e;
}
