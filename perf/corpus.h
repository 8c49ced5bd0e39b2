/* corpus.h: the transactions of a load run: real ones from files, drawn by a seeded shuffle, and
 * generated and signed ones behind them, all before the run starts.
 * Thread: the owner's. Memory: grows while filled, never afterwards. */
#pragma once
#include "core/base.h"
#include "crypto/secp.h"
#include "net/eth/network.h"
#include "net/eth/tx_check.h"

#define MR_CORPUS_FILE_MAX (UINT64_C(4) << 30) /* bytes */
#define MR_CORPUS_MAX      (UINT32_C(1) << 22) /* transactions */

struct mr_corpus_tx {
    uint64_t at; /* in bytes */
    uint32_t size;
    uint8_t type;
    struct mr_hash hash;
};

struct mr_corpus {
    const struct mr_network *network;
    const struct mr_secp *secp;
    struct mr_rules_now rules;
    uint8_t *bytes;
    uint64_t bytes_n, bytes_cap;
    struct mr_corpus_tx *txs;
    uint32_t count, cap;

    uint32_t read, accepted;             /* records of files */
    uint32_t refused[MR_TX_VERDICTS];    /* by what today's rules say */
    uint32_t undecodable, twice;         /* records that are no transaction; that came before */
    uint32_t under_fee_floor;            /* fee cap below any base fee that can be: 7 wei */
    uint32_t drawn, generated, accounts; /* of count */
};

/* wall_s: whose fork's rules hold. Borrows. */
void mr_corpus_init(struct mr_corpus *c, const struct mr_network *network,
                    const struct mr_secp *secp, uint64_t wall_s);
void mr_corpus_fini(struct mr_corpus *c);

/* Adds the transactions of a file (records: u32 little-endian length, bytes) that today's rules
 * accept, and counts the others. MR_SYSTEM (errno tells), MR_MALFORMED (framing), MR_FULL,
 * MR_TOO_BIG: sentence then names the file. */
MR_MUST_USE enum mr_err mr_corpus_read(struct mr_corpus *c, const char *path, char *sentence,
                                       size_t cap);
/* Keeps n of what was read, in an order that depends on seed only; their senders are recovered now
 * (50 us each), those without one are refused. When there are not so many, keeps all. */
MR_MUST_USE enum mr_err mr_corpus_draw(struct mr_corpus *c, uint32_t n, uint64_t seed);
/* Signs further ones until there are n. Each of many accounts sends MR_CORPUS_PER_ACCOUNT at most,
 * so that no relay finds one of them busy. MR_FULL when memory is short. */
#define MR_CORPUS_PER_ACCOUNT 32
MR_MUST_USE enum mr_err mr_corpus_generate(struct mr_corpus *c, uint32_t n, uint64_t seed);

static inline struct mr_span mr_corpus_bytes(const struct mr_corpus *c, uint32_t i)
{
    return mr_span(c->bytes + c->txs[i].at, c->txs[i].size);
}
