#include "perf/fan_skim.h"

void mr_fan_skim_init(struct mr_fan_skim *k, const struct mr_rlpx_session *s)
{
    *k = (struct mr_fan_skim){.ctr = s->ingress.ctr, .head_need = MR_FRAME_HEADER_LEN};
}

/* Header and MAC are there: how much of the data is to be looked at, and skipped. */
static void read_header(struct mr_fan_skim *k, const struct mr_rlpx_session *s)
{
    uint32_t padded, peek;

    mr_aes_ctr_xor(&s->aes, &k->ctr, k->head, k->head, MR_AES_BLOCK);
    k->size = mr_load_be24(k->head);
    padded = MR_FRAME_PADDED(k->size);
    peek = MR_MIN(padded, (uint32_t)MR_FAN_PEEK);
    k->head_need = (uint8_t)(MR_FRAME_HEADER_LEN + peek);
    k->skip = padded - peek + MR_FRAME_MAC_LEN;
}

static void read_data(struct mr_fan_skim *k, const struct mr_rlpx_session *s)
{
    uint8_t *const data = k->head + MR_FRAME_HEADER_LEN;
    const uint32_t peek = k->head_need - MR_FRAME_HEADER_LEN;

    mr_aes_ctr_xor(&s->aes, &k->ctr, data, data, peek);
    k->ctr.lo += (MR_FRAME_PADDED(k->size) - peek) / MR_AES_BLOCK; /* 2^64 blocks never come */
}

bool mr_fan_skim_frame(struct mr_fan_skim *k, struct mr_fan_frame *out,
                       const struct mr_rlpx_session *s, struct mr_span *in)
{
    size_t n;

    while (k->head_n < k->head_need) {
        n = MR_MIN((size_t)(k->head_need - k->head_n), in->n);
        if (n == 0)
            return false;
        memcpy(k->head + k->head_n, in->p, n);
        in->p += n, in->n -= n;
        k->head_n = (uint8_t)(k->head_n + n);
        if (k->head_n < k->head_need)
            return false;
        if (k->head_need == MR_FRAME_HEADER_LEN)
            read_header(k, s);
        if (k->head_n == k->head_need)
            read_data(k, s);
    }
    n = MR_MIN((size_t)k->skip, in->n);
    in->p += n, in->n -= n;
    k->skip -= (uint32_t)n;
    if (k->skip > 0)
        return false;
    *out = (struct mr_fan_frame){
        .size = k->size,
        .data = mr_span(k->head + MR_FRAME_HEADER_LEN, MR_MIN(k->size, (uint32_t)MR_FAN_PEEK))};
    k->head_n = 0;
    k->head_need = MR_FRAME_HEADER_LEN;
    return true;
}
