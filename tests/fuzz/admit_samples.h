/* admit_samples.h: the transactions that fuzz_admit.c offers, signed once: accounts that replace
 * their own, large ones, blob transactions, and some that break a rule. */
#pragma once
#include <stdlib.h>

#include "net/eth/blob.h"
#include "net/eth/tx_sample.h"

#define ACCOUNTS    4 /* of plain transfers */
#define NONCES      3
#define PRICES      4
#define PLAIN       (ACCOUNTS * NONCES * PRICES)
#define LARGE       4 /* 24 KiB of calldata */
#define BLOBS       4
#define BAD         4
#define SAMPLES     (PLAIN + LARGE + BLOBS + BAD)
#define LARGE_BYTES 24576

enum fault { SOUND, INVALID, BREACH, UNSIGNED }; /* UNSIGNED: no sender can be recovered */

struct sample {
    struct mr_span item;
    struct mr_tx tx; /* a view of item */
    struct mr_hash hash;
    struct mr_address sender;
    enum fault fault;
    uint32_t account, nonce;
    unsigned price; /* per cent of 30 gwei, and of the other fees */
};

static struct sample samples[SAMPLES];

static const unsigned prices[PRICES] = {100, 105, 110, 200};

/* raw as an item, in memory that stays. */
static void sample_keep(struct sample *s, struct mr_span raw, const struct mr_secp *secp)
{
    uint8_t *room = malloc(raw.n + 16);
    struct mr_writer w = mr_writer(room, raw.n + 16);
    struct mr_reader r;
    struct mr_tx tx;

    MR_ASSERT(room);
    MR_ASSERT(mr_tx_decode_raw(&tx, raw.p, raw.n) == MR_OK);
    MR_ASSERT(mr_tx_put_item(&w, &tx) == MR_OK);
    s->item = mr_writer_span(&w);
    while (s->fault == UNSIGNED && mr_tx_sender(&tx, &s->sender, secp)) { /* another r */
        MR_ASSERT(room[w.n - 66] == 0xa0);
        room[w.n - 65]++;
        r = mr_reader_of(s->item);
        MR_ASSERT(mr_tx_decode_item(&r, &tx) == MR_OK);
    }
    r = mr_reader_of(s->item);
    MR_ASSERT(mr_tx_decode_item(&r, &s->tx) == MR_OK);
    mr_tx_hash(&s->tx, &s->hash);
    MR_ASSERT(mr_tx_sender(&s->tx, &s->sender, secp) == (s->fault != UNSIGNED));
}

static void sample_fields(struct mr_tx_fields *f, const struct sample *s, struct mr_random *random)
{
    static uint8_t room[MR_TX_SAMPLE_ROOM];

    *f = (struct mr_tx_fields){.chain_id = 1, .nonce = s->nonce};
    mr_tx_sample_shape(f, room, MR_TX_SHAPE_TRANSFER, random);
    f->tip = mr_u256_of(UINT64_C(10000000) * s->price);
    f->fee_cap = mr_u256_of(UINT64_C(300000000) * s->price);
}

static void sample_plain(struct sample *s, uint32_t data, const struct mr_secp *secp,
                         struct mr_random *random)
{
    static uint8_t raw[LARGE_BYTES + 4096], calldata[LARGE_BYTES];
    struct mr_writer w = mr_writer(raw, sizeof raw);
    uint8_t key[32] = {1, (uint8_t)s->account};
    struct mr_tx_fields f;

    sample_fields(&f, s, random);
    if (data > 0) {
        f.data = mr_span(calldata, data);
        f.gas = 2000000;
    }
    if (s->fault == INVALID)
        f.chain_id = 5;
    do { /* until r has all its bytes: sample_keep looks for it */
        w.n = 0;
        f.value = mr_u256_of(mr_random_u64(random));
        MR_ASSERT(mr_tx_build(&w, &f, secp, key) == MR_OK);
    } while (w.n < 66 || raw[w.n - 66] != 0xa0);
    sample_keep(s, mr_writer_span(&w), secp);
}

/* Whether its proofs hold is the service's to say. A breach: its commitment is another. */
static void sample_blob(struct sample *s, const struct mr_secp *secp, struct mr_random *random)
{
    static uint8_t blob[MR_BLOB_SIZE], proofs[MR_CELLS_PER_BLOB * MR_PROOF_SIZE];
    static uint8_t network[MR_BLOB_SIZE + sizeof proofs + 4096];
    uint8_t key[32] = {1, (uint8_t)s->account}, consensus[1024],
            commitment[MR_COMMITMENT_SIZE] = {7};
    struct mr_writer w = mr_writer(consensus, sizeof consensus);
    struct mr_writer whole = mr_writer(network, sizeof network);
    struct mr_tx_fields f;
    struct mr_hash hash;

    MR_ASSERT(mr_versioned_hash(&hash, commitment));
    commitment[1] = s->fault == BREACH;
    sample_fields(&f, s, random);
    f.type = MR_TX_BLOB;
    f.gas = 100000;
    f.blob_fee_cap = mr_u256_of(UINT64_C(10000000) * s->price);
    f.blob_hashes = &hash, f.blob_hashes_count = 1;
    MR_ASSERT(mr_tx_build(&w, &f, secp, key) == MR_OK);
    MR_ASSERT(mr_tx_build_blob_wrapper(
                  &whole, MR_WRAPPER_V1, mr_writer_span(&w), mr_span(blob, sizeof blob),
                  mr_span(commitment, sizeof commitment), mr_span(proofs, sizeof proofs)) == MR_OK);
    sample_keep(s, mr_writer_span(&whole), secp);
}

static void samples_make(const struct mr_secp *secp)
{
    struct mr_random random;

    mr_random_init(&random, 1);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        struct sample *s = &samples[i];
        uint32_t k = i - PLAIN - LARGE - BLOBS;

        *s = (struct sample){.account = i / (NONCES * PRICES),
                             .nonce = i / PRICES % NONCES,
                             .price = prices[i % PRICES]};
        if (i < PLAIN) {
            sample_plain(s, 0, secp, &random);
        } else if (i < PLAIN + LARGE) {
            s->account = ACCOUNTS;
            s->nonce = i;
            sample_plain(s, LARGE_BYTES, secp, &random);
        } else if (i < PLAIN + LARGE + BLOBS) { /* two of them replace another */
            s->account = ACCOUNTS + 1;
            s->nonce = i % PRICES == 1;
            sample_blob(s, secp, &random);
        } else {
            s->account = ACCOUNTS + 2;
            s->nonce = i;
            s->fault = k == 0 ? INVALID : k == 1 ? BREACH : UNSIGNED;
            if (s->fault == BREACH)
                sample_blob(s, secp, &random);
            else
                sample_plain(s, 0, secp, &random);
        }
    }
}
