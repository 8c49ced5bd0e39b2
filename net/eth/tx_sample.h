/* tx_sample.h: transactions of the shapes that mainnet carries, where the real ones are not at
 * hand. Thread: any. Nothing is allocated. */
#pragma once
#include "core/random.h"
#include "net/eth/tx_build.h"

/* Drawn in about mainnet's proportions (29,282 transactions of 2015 to 2026). */
enum mr_tx_shape {
    MR_TX_SHAPE_TRANSFER, /* 46 in 100: type 2, no data: 115 bytes */
    MR_TX_SHAPE_TOKEN,    /* 20: type 2, 68 bytes of data (ERC-20 transfer) */
    MR_TX_SHAPE_LEGACY,   /* 12: type 0, 68 bytes of data */
    MR_TX_SHAPE_ROUTER,   /* 20: type 2, a swap's words, half of their bytes zero */
    MR_TX_SHAPE_ACCESS,   /* 2: type 1 with a short access list */
    MR_TX_SHAPES
};

#define MR_TX_SAMPLE_ROOM 4096

/* Fills f (all but the nonce and the chain id, which are kept) with a transaction of the shape that
 * today's rules accept. An equal source gives equal fields. room (MR_TX_SAMPLE_ROOM bytes) holds
 * what f then points to. */
void mr_tx_sample_shape(struct mr_tx_fields *f, uint8_t room[MR_TX_SAMPLE_ROOM],
                        enum mr_tx_shape shape, struct mr_random *random);
/* The same for a shape drawn from random. Signed sizes average about 330 bytes. */
void mr_tx_sample(struct mr_tx_fields *f, uint8_t room[MR_TX_SAMPLE_ROOM],
                  struct mr_random *random);
