#include "perf/corpus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/map.h"
#include "core/random.h"
#include "crypto/keccak.h"
#include "net/eth/tx_build.h"
#include "net/eth/tx_sample.h"

/* The lowest base fee that EIP-1559 can come to: nothing below enters a block ever again. */
#define FEE_FLOOR    7
#define ACCOUNTS_MIN 256u /* of generated ones, unless there are fewer transactions */
#define TX_MAX       (UINT32_C(2) << 20) /* bytes of a record */

void mr_corpus_init(struct mr_corpus *c, const struct mr_network *network,
                    const struct mr_secp *secp, uint64_t wall_s)
{
    *c = (struct mr_corpus){.network = network, .secp = secp};
    mr_rules_now(&c->rules, network, NULL, wall_s);
}

void mr_corpus_fini(struct mr_corpus *c)
{
    free(c->bytes);
    free(c->txs);
    memset(c, 0, sizeof *c);
}

static enum mr_err append(struct mr_corpus *c, struct mr_span raw, uint8_t type)
{
    if (c->count == MR_CORPUS_MAX)
        return MR_FULL;
    if (c->count == c->cap) {
        uint32_t cap = MR_MAX(1024u, 2 * c->cap);
        void *p = realloc(c->txs, cap * sizeof *c->txs);

        if (!p)
            return MR_FULL;
        c->txs = p;
        c->cap = cap;
    }
    if (c->bytes_cap - c->bytes_n < raw.n) {
        uint64_t cap = MR_MAX(2 * c->bytes_cap, c->bytes_n + raw.n + (UINT64_C(1) << 20));
        void *p = realloc(c->bytes, cap);

        if (!p)
            return MR_FULL;
        c->bytes = p;
        c->bytes_cap = cap;
    }
    memcpy(c->bytes + c->bytes_n, raw.p, raw.n);
    c->txs[c->count++] =
        (struct mr_corpus_tx){.at = c->bytes_n, .size = (uint32_t)raw.n, .type = type};
    c->bytes_n += raw.n;
    return MR_OK;
}

/* ---- files ---- */

static bool under_fee_floor(const struct mr_tx *tx)
{
    const struct mr_u256 floor = mr_u256_of(FEE_FLOOR);

    return memcmp(tx->fee_cap.b, floor.b, sizeof floor.b) < 0;
}

static bool charges_base_fee(const struct mr_corpus *c)
{
    return mr_network_fork(c->network, "london") != NULL;
}

static enum mr_err take_record(struct mr_corpus *c, struct mr_span raw)
{
    enum mr_tx_verdict v;
    struct mr_tx tx;

    c->read++;
    if (mr_tx_decode_raw(&tx, raw.p, raw.n) != MR_OK) {
        c->undecodable++;
        return MR_OK;
    }
    v = mr_tx_check_now(&tx, &c->rules);
    if (v != MR_TX_VERDICT_OK) {
        c->refused[v]++;
        return MR_OK;
    }
    c->accepted++;
    if (charges_base_fee(c) && under_fee_floor(&tx)) {
        c->under_fee_floor++;
        return MR_OK;
    }
    return append(c, raw, tx.type);
}

static enum mr_err take_records(struct mr_corpus *c, struct mr_span file, uint64_t *bad_at)
{
    for (size_t at = 0; at < file.n;) {
        uint32_t n;
        enum mr_err e;

        *bad_at = at;
        if (file.n - at < sizeof n)
            return MR_MALFORMED;
        memcpy(&n, file.p + at, sizeof n);
        at += sizeof n;
        if (n == 0 || n > TX_MAX || file.n - at < n)
            return MR_MALFORMED;
        if ((e = take_record(c, mr_span(file.p + at, n))))
            return e;
        at += n;
    }
    return MR_OK;
}

enum mr_err mr_corpus_read(struct mr_corpus *c, const char *path, char *sentence, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint64_t bad_at = 0;
    enum mr_err e;
    void *p = NULL;

    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(sentence, cap, "cannot read %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return MR_SYSTEM;
    }
    if ((uint64_t)st.st_size > MR_CORPUS_FILE_MAX) {
        snprintf(sentence, cap, "%s is over 4 GiB", path);
        close(fd);
        return MR_TOO_BIG;
    }
    if (st.st_size > 0)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED) {
        snprintf(sentence, cap, "cannot read %s: %s", path, strerror(errno));
        return MR_SYSTEM;
    }
    e = take_records(c, mr_span(p, (size_t)st.st_size), &bad_at);
    if (p)
        munmap(p, (size_t)st.st_size);
    if (e == MR_MALFORMED)
        snprintf(sentence, cap, "%s is no corpus: no record at byte %llu", path,
                 (unsigned long long)bad_at);
    else if (e)
        snprintf(sentence, cap, "%s: too many transactions for memory", path);
    return e;
}

/* ---- drawing ---- */

/* Its hash, unless the transaction is one that is there already or that nobody signed. */
static bool keep(struct mr_corpus *c, struct mr_map *seen, struct mr_corpus_tx *t)
{
    struct mr_address sender;
    struct mr_tx tx;

    if (mr_tx_decode_raw(&tx, c->bytes + t->at, t->size) != MR_OK)
        MR_ASSERT(!"it was decoded when it was read");
    mr_tx_hash(&tx, &t->hash);
    if (mr_map_put(seen, t->hash.b, 0) != MR_OK) {
        c->twice++;
        return false;
    }
    if (!mr_tx_sender(&tx, &sender, c->secp)) {
        c->refused[MR_TX_VERDICT_SIGNATURE]++;
        c->accepted--;
        return false;
    }
    return true;
}

enum mr_err mr_corpus_draw(struct mr_corpus *c, uint32_t n, uint64_t seed)
{
    const uint64_t key[2] = {seed, ~seed};
    struct mr_random random;
    struct mr_map seen;
    uint32_t kept = 0;

    if (c->count == 0)
        return MR_OK;
    if (mr_map_init(&seen, c->count, sizeof(struct mr_hash), key) != MR_OK)
        return MR_FULL;
    mr_random_init(&random, seed);
    for (uint32_t i = 0; i < c->count && kept < n; i++) { /* Fisher and Yates, as far as needed */
        uint32_t j = i + (uint32_t)mr_random_below(&random, c->count - i);
        struct mr_corpus_tx t = c->txs[j];

        c->txs[j] = c->txs[i];
        c->txs[i] = t; /* kept <= i: what is overwritten has been looked at */
        if (keep(c, &seen, &t))
            c->txs[kept++] = t;
    }
    mr_map_fini(&seen);
    c->count = c->drawn = kept;
    return MR_OK;
}

/* ---- generating ---- */

static void account_key(uint8_t key[32], const struct mr_secp *secp, uint64_t seed, uint32_t number)
{
    uint8_t text[32] = "millrace-load";
    struct mr_hash h;

    mr_store_be64(text + 16, seed);
    mr_store_be32(text + 24, number);
    do {
        mr_keccak256(&h, text, sizeof text);
        memcpy(text, h.b, 16); /* for the one key in 2^127 that is none */
    } while (!mr_secp_key_valid(secp, h.b));
    memcpy(key, h.b, 32);
}

/* Of a shape that the rules in force allow. */
static void sample(const struct mr_corpus *c, struct mr_tx_fields *f,
                   uint8_t room[MR_TX_SAMPLE_ROOM], struct mr_random *random)
{
    uint32_t types = c->rules.rules[0].types;

    for (size_t i = 1; i < c->rules.n; i++)
        types &= c->rules.rules[i].types;
    do
        mr_tx_sample(f, room, random);
    while (!(types >> f->type & 1));
}

enum mr_err mr_corpus_generate(struct mr_corpus *c, uint32_t n, uint64_t seed)
{
    uint32_t more = n > c->count ? n - c->count : 0;
    uint8_t room[MR_TX_SAMPLE_ROOM], raw[2 * MR_TX_SAMPLE_ROOM], key[32] = {0};
    struct mr_random random;
    enum mr_err e;

    /* Neighbours in time are of different accounts: account after account, then their next nonce.
     */
    c->accounts = MR_MAX((more + MR_CORPUS_PER_ACCOUNT - 1) / MR_CORPUS_PER_ACCOUNT,
                         MR_MIN(more, ACCOUNTS_MIN));
    mr_random_init(&random, ~seed);
    for (uint32_t i = 0; i < more; i++) {
        struct mr_tx_fields f = {.chain_id = c->network->chain_id, .nonce = i / c->accounts};
        struct mr_writer w = mr_writer(raw, sizeof raw);

        account_key(key, c->secp, seed, i % c->accounts);
        sample(c, &f, room, &random);
        if ((e = mr_tx_build(&w, &f, c->secp, key)) != MR_OK ||
            (e = append(c, mr_writer_span(&w), f.type)) != MR_OK)
            return e;
        mr_keccak256(&c->txs[c->count - 1].hash, w.p, w.n);
        c->generated++;
    }
    return MR_OK;
}
