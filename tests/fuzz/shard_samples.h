/* shard_samples.h: the transactions of fuzz_shard.c, signed once, and who has had which of them. */
#pragma once
#include "tests/shards/helper_shard.h"

enum {
    PLAIN = 10,   /* of five accounts, two nonces each */
    LONG = PLAIN, /* over body_max */
    LONGER,       /* over a slice of 64 KiB */
    LEGACY,
    SET_CODE,
    FOREIGN, /* of another chain */
    BLOB,    /* two of them */
    SAMPLES = BLOB + 2
};

static struct sample_tx samples[SAMPLES];

static void samples_make(void)
{
    static struct stage maker; /* keeps their bytes */
    struct stage_options o;

    stage_options_default(&o);
    o.actors_max = 1;
    stage_init(&maker, &o);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        struct sample_tx_options t = {
            .who = i < PLAIN ? i / 2 : i, .nonce = i % 2, .type = MR_TX_DYNAMIC_FEE};

        if (i == LONG || i == LONGER)
            t.data_bytes = i == LONG ? 5000 : 70000;
        else if (i == LEGACY || i == SET_CODE)
            t.type = i == LEGACY ? MR_TX_LEGACY : MR_TX_SET_CODE;
        else if (i == FOREIGN)
            t.chain_id = 5;
        else if (i >= BLOB)
            t.type = MR_TX_BLOB, t.blobs = 1;
        stage_tx_make(&maker, &samples[i], &t);
    }
}

/* Its place among them; SAMPLES: it is none of them. */
static uint32_t sample_find(const struct mr_hash *hash)
{
    uint32_t i = 0;

    while (i < SAMPLES && !mr_hash_equal(&samples[i].hash, hash))
        i++;
    return i;
}
