#include "net/eth/message_block.h"

#include "net/eth/version.h"

enum mr_err mr_block_body_read(struct mr_reader *r, struct mr_block_body *out)
{
    struct mr_reader at = *r, list;
    struct mr_block_body b = {.has_withdrawals = false};
    enum mr_err e;

    if ((e = mr_rlp_list(&at, &list)) || (e = mr_rlp_list(&list, &b.transactions)) ||
        (e = mr_rlp_list(&list, &b.ommers)))
        return e;
    b.has_withdrawals = !mr_reader_done(&list);
    b.withdrawals = list;
    if (b.has_withdrawals && (e = mr_rlp_list(&list, &b.withdrawals)))
        return e;
    if (!mr_reader_done(&list))
        return MR_MALFORMED;
    *out = b, *r = at;
    return MR_OK;
}

enum mr_err mr_withdrawal_read(struct mr_reader *r, struct mr_withdrawal *out)
{
    struct mr_reader at = *r, list;
    struct mr_withdrawal w;
    enum mr_err e;

    if ((e = mr_rlp_list(&at, &list)) || (e = mr_rlp_u64(&list, &w.index)) ||
        (e = mr_rlp_u64(&list, &w.validator)) || (e = mr_rlp_fixed(&list, w.address.b, 20)) ||
        (e = mr_rlp_u64(&list, &w.amount_gwei)))
        return e;
    if (!mr_reader_done(&list))
        return MR_MALFORMED;
    *out = w, *r = at;
    return MR_OK;
}

enum mr_err mr_log_read(struct mr_reader *r, struct mr_log *out)
{
    struct mr_reader at = *r, list, topics;
    struct mr_log l = {.topics_count = 0};
    enum mr_err e;

    if ((e = mr_rlp_list(&at, &list)) || (e = mr_rlp_fixed(&list, l.address.b, 20)) ||
        (e = mr_rlp_list(&list, &topics)) || (e = mr_rlp_bytes(&list, &l.data)))
        return e;
    for (; !mr_reader_done(&topics); l.topics_count++) {
        if (l.topics_count == MR_LOG_TOPICS_MAX)
            return MR_TOO_BIG;
        if ((e = mr_rlp_fixed(&topics, l.topics[l.topics_count].b, 32)))
            return e;
    }
    if (!mr_reader_done(&list))
        return MR_MALFORMED;
    *out = l, *r = at;
    return MR_OK;
}

/* Empty, 01, or 32 bytes. */
static enum mr_err status_read(struct mr_reader *r, struct mr_span *out)
{
    enum mr_err e;

    if ((e = mr_rlp_bytes(r, out)))
        return e;
    return out->n == 0 || out->n == 32 || (out->n == 1 && out->p[0] == 1) ? MR_OK : MR_MALFORMED;
}

/* eth/68: the list, or type || list in a byte string, whose list is then *list. */
static enum mr_err receipt_68(struct mr_reader *at, struct mr_receipt *t, struct mr_reader *list)
{
    struct mr_reader inside;
    struct mr_span typed, bloom;
    enum mr_err e;

    if (mr_rlp_is_list(at)) {
        if ((e = mr_rlp_list(at, list)))
            return e;
    } else {
        if ((e = mr_rlp_bytes(at, &typed)))
            return e;
        if (typed.n < 2)
            return MR_MALFORMED;
        t->type = typed.p[0];
        inside = mr_reader(typed.p + 1, typed.n - 1);
        if ((e = mr_rlp_list(&inside, list)))
            return e;
        if (!mr_reader_done(&inside))
            return MR_MALFORMED;
    }
    if ((e = status_read(list, &t->status)) || (e = mr_rlp_u64(list, &t->cumulative_gas)) ||
        (e = mr_rlp_bytes(list, &bloom)))
        return e;
    t->bloom = bloom.p;
    return bloom.n == 256 ? MR_OK : MR_MALFORMED;
}

static enum mr_err receipt_69(struct mr_reader *at, struct mr_receipt *t, struct mr_reader *list)
{
    uint64_t type;
    enum mr_err e;

    if ((e = mr_rlp_list(at, list)) || (e = mr_rlp_u64(list, &type)) ||
        (e = status_read(list, &t->status)))
        return e;
    if (type > 0x7f) /* EIP-2718 */
        return MR_TOO_BIG;
    t->type = (uint8_t)type;
    return mr_rlp_u64(list, &t->cumulative_gas);
}

enum mr_err mr_receipt_read(struct mr_reader *r, struct mr_receipt *out, unsigned version)
{
    struct mr_reader at = *r, list, logs;
    struct mr_receipt t = {.bloom = NULL};
    struct mr_log log;
    enum mr_err e;

    if ((e = version == MR_ETH_68 ? receipt_68(&at, &t, &list) : receipt_69(&at, &t, &list)) ||
        (e = mr_rlp_list(&list, &t.logs)))
        return e;
    if (!mr_reader_done(&list))
        return MR_MALFORMED;
    for (logs = t.logs; !mr_reader_done(&logs);) {
        if ((e = mr_log_read(&logs, &log)))
            return e;
    }
    *out = t, *r = at;
    return MR_OK;
}
