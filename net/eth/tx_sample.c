#include "net/eth/tx_sample.h"

#define WORD         32
#define ROUTER_MIN   8 /* words of data */
#define ROUTER_MAX   50
#define ACCESS_MAX   4  /* addresses */
#define GAS_PER_BYTE 40 /* a nonzero byte under EIP-7623: more than any other byte costs */

static uint64_t between(struct mr_random *random, uint64_t low, uint64_t high)
{
    return low + mr_random_below(random, high - low + 1);
}

/* A selector and words as contracts take them: addresses and small numbers, zeros in front. */
static size_t call_data(uint8_t *p, size_t words, struct mr_random *random)
{
    uint64_t selector = mr_random_u64(random);

    memcpy(p, &selector, 4);
    memset(p + 4, 0, words * WORD);
    for (size_t i = 0; i < words; i++) {
        static const uint8_t widths[] = {20, 32, 8, 2, 12, 32}; /* on average half a word */
        size_t n = widths[mr_random_below(random, MR_COUNT_OF(widths))];

        mr_random_fill(random, p + 4 + i * WORD + WORD - n, n);
    }
    return 4 + words * WORD;
}

/* [[address, [key]], ...] without the outer prefix: 56 bytes a tuple, two prefixes in it. */
static size_t access_list(uint8_t *p, size_t addresses, struct mr_random *random)
{
    uint8_t *at = p;

    for (size_t i = 0; i < addresses; i++) {
        *at++ = 0xf7; /* 21 + 34 bytes follow */
        *at++ = 0x94;
        mr_random_fill(random, at, 20);
        at += 20;
        *at++ = 0xe1;
        *at++ = 0xa0;
        mr_random_fill(random, at, 32);
        at += 32;
    }
    return (size_t)(at - p);
}

void mr_tx_sample_shape(struct mr_tx_fields *f, uint8_t room[MR_TX_SAMPLE_ROOM],
                        enum mr_tx_shape shape, struct mr_random *random)
{
    struct mr_tx_fields out = {.chain_id = f->chain_id, .nonce = f->nonce};
    size_t words = 2, addresses = 0, data = 0;

    out.type = shape == MR_TX_SHAPE_LEGACY   ? MR_TX_LEGACY
               : shape == MR_TX_SHAPE_ACCESS ? MR_TX_ACCESS_LIST
                                             : MR_TX_DYNAMIC_FEE;
    if (shape == MR_TX_SHAPE_ROUTER)
        words = between(random, ROUTER_MIN, ROUTER_MAX);
    if (shape != MR_TX_SHAPE_TRANSFER)
        data = call_data(room, words, random);
    if (shape == MR_TX_SHAPE_ACCESS)
        addresses = between(random, 1, ACCESS_MAX);
    _Static_assert(4 + ROUTER_MAX * WORD + ACCESS_MAX * 56 <= MR_TX_SAMPLE_ROOM, "room");
    out.data = mr_span(room, data);
    out.access_list = mr_span(room + data, access_list(room + data, addresses, random));
    if (data == 0 || shape == MR_TX_SHAPE_ROUTER)
        out.value = mr_u256_of(between(random, 1, 10000000000000000000u)); /* up to 10 ether */
    mr_random_fill(random, out.to.b, sizeof out.to.b);
    out.tip = mr_u256_of(between(random, 1, 2000000000));
    out.fee_cap = mr_u256_of(between(random, 2000000000, 60000000000));
    if (out.type != MR_TX_DYNAMIC_FEE)
        out.tip = out.fee_cap;
    out.gas = data == 0
                  ? 21000
                  : 21000 + GAS_PER_BYTE * data + 4300 * addresses + between(random, 20000, 300000);
    *f = out;
}

void mr_tx_sample(struct mr_tx_fields *f, uint8_t room[MR_TX_SAMPLE_ROOM], struct mr_random *random)
{
    static const uint8_t percent[MR_TX_SHAPES] = {46, 20, 12, 20, 2};
    uint64_t draw = mr_random_below(random, 100);
    unsigned shape = 0;

    while (draw >= percent[shape])
        draw -= percent[shape++];
    mr_tx_sample_shape(f, room, (enum mr_tx_shape)shape, random);
}
