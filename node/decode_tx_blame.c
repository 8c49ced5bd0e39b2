#include "core/rlp.h"
#include "node/decode.h"

enum kind {
    U64,
    U256,
    SMALL, /* a number of one byte */
    TO,    /* 20 bytes or none */
    OWNER, /* 20 bytes */
    BYTES,
    ACCESS, /* [[address, [key, ...]], ...] */
    AUTHS,  /* [[chain id, address, nonce, y parity, r, s], ...] */
    HASHES,
    POINTS, /* commitments, proofs */
    BLOBS,
};

struct field {
    const char *name;
    enum kind kind;
    unsigned types; /* bit t: transactions of type t have it */
};

#define ALL 0x1f

/* The fields of all transactions in their order. */
static const struct field transaction[] = {
    {"chain id", U256, 0x1e},
    {"nonce", U64, ALL},
    {"gas price", U256, 0x03},
    {"max priority fee per gas", U256, 0x1c},
    {"max fee per gas", U256, 0x1c},
    {"gas", U64, ALL},
    {"to", TO, ALL},
    {"value", U256, ALL},
    {"data", BYTES, ALL},
    {"access list", ACCESS, 0x1e},
    {"max fee per blob gas", U256, 0x08},
    {"blob hashes", HASHES, 0x08},
    {"authorization list", AUTHS, 0x10},
    {"v", U256, 0x01},
    {"y parity", U256, 0x1e},
    {"r", U256, ALL},
    {"s", U256, ALL},
    {NULL, BYTES, 0},
};
static const struct field sidecar[] = {
    {"blobs", BLOBS, ALL},
    {"commitments", POINTS, ALL},
    {"proofs", POINTS, ALL},
    {NULL, BYTES, 0},
};
static const struct field access_tuple[] = {
    {"address", OWNER, ALL},
    {"storage keys", HASHES, ALL},
    {NULL, BYTES, 0},
};
static const struct field authorization[] = {
    {"chain id", U256, ALL}, {"address", OWNER, ALL}, {"nonce", U64, ALL}, {"y parity", SMALL, ALL},
    {"r", U256, ALL},        {"s", U256, ALL},        {NULL, BYTES, 0},
};

struct blame {
    struct mr_decode_error *error;
    const uint8_t *start;
    const char *around; /* the list that a tuple lies in, or "" */
};

static bool fault(const struct blame *b, const uint8_t *at, const char *name, const char *what)
{
    mr_decode_fail(b->error, (size_t)(at - b->start), "%s%s%s: %s", b->around,
                   *b->around ? ", " : "", name, what);
    return true;
}

/* Bytes of a field that holds no list. */
static bool scalar_blame(const struct blame *b, const uint8_t *at, const struct field *f,
                         struct mr_span s)
{
    size_t max = f->kind == U256 ? 32 : f->kind == U64 ? 8 : 1;

    switch (f->kind) {
    case BYTES:
        return false;
    case TO:
    case OWNER:
        if (s.n == 20 || (f->kind == TO && s.n == 0))
            return false;
        return fault(b, at, f->name, "an address has 20 bytes");
    default:
        if (s.n > 0 && s.p[0] == 0)
            return fault(b, at, f->name, "a number with leading zeros");
        if (s.n > max)
            return fault(b, at, f->name,
                         max == 32  ? "a number over 256 bits"
                         : max == 8 ? "a number over 64 bits"
                                    : "a number over 8 bits");
        return false;
    }
}

/* Items of one size. */
static bool items_blame(const struct blame *b, const struct field *f, struct mr_reader list)
{
    size_t size = f->kind == HASHES ? 32 : f->kind == POINTS ? MR_PROOF_SIZE : MR_BLOB_SIZE;

    while (!mr_reader_done(&list)) {
        const uint8_t *at = list.p;
        struct mr_span s;

        if (mr_rlp_bytes(&list, &s) || s.n != size)
            return fault(b, at, f->name,
                         size == 32          ? "an item is not of 32 bytes"
                         : f->kind == POINTS ? "an item is not of 48 bytes"
                                             : "an item is not of 131,072 bytes");
    }
    return false;
}

/* The items of f that are neither lists nor hold any but of one size. */
static bool flat_blame(const struct blame *b, const struct field *f, struct mr_reader *r)
{
    bool wants_list = f->kind == HASHES || f->kind == POINTS || f->kind == BLOBS;
    const uint8_t *at = r->p;
    struct mr_reader list;
    struct mr_span s;

    if (mr_reader_done(r))
        return fault(b, at, f->name, "missing: its list ends before it");
    if (mr_rlp_is_list(r) != wants_list)
        return fault(b, at, f->name, wants_list ? "bytes, not a list" : "a list, not bytes");
    if (wants_list)
        return mr_rlp_list(r, &list) == MR_OK && items_blame(b, f, list);
    return mr_rlp_bytes(r, &s) == MR_OK && scalar_blame(b, at, f, s);
}

/* A list of tuples. */
static bool tuples_blame(const struct blame *b, const struct field *f, struct mr_reader *r)
{
    const struct field *tuple = f->kind == ACCESS ? access_tuple : authorization;
    struct blame inner = {b->error, b->start, f->name};
    struct mr_reader list, body;

    if (mr_reader_done(r) || !mr_rlp_is_list(r))
        return flat_blame(b, &(struct field){f->name, HASHES, ALL}, r); /* the same words */
    if (mr_rlp_list(r, &list))
        return false;
    while (!mr_reader_done(&list)) {
        const uint8_t *at = list.p;

        if (!mr_rlp_is_list(&list) || mr_rlp_list(&list, &body))
            return fault(b, at, f->name, "bytes, not a list");
        for (const struct field *part = tuple; part->name; part++)
            if (flat_blame(&inner, part, &body))
                return true;
        if (!mr_reader_done(&body))
            return fault(b, body.p, f->name, "an element too many");
    }
    return false;
}

static bool fields_blame(const struct blame *b, const struct field *f, unsigned type,
                         struct mr_reader *body, const char *what)
{
    for (; f->name; f++) {
        bool tuples = f->kind == ACCESS || f->kind == AUTHS;

        if (!(f->types >> type & 1))
            continue;
        if (tuples ? tuples_blame(b, f, body) : flat_blame(b, f, body))
            return true;
    }
    if (!mr_reader_done(body))
        return fault(b, body->p, what, "an element too many");
    return false;
}

/* [transaction, (1,) blobs, commitments, proofs] */
static bool network_form_blame(const struct blame *b, struct mr_reader *wrapper)
{
    const uint8_t *at;
    struct mr_reader body;
    uint64_t version;

    if (mr_rlp_list(wrapper, &body))
        return false;
    if (fields_blame(b, transaction, MR_TX_BLOB, &body, "transaction"))
        return true;
    at = wrapper->p;
    if (!mr_reader_done(wrapper) && !mr_rlp_is_list(wrapper) &&
        (mr_rlp_u64(wrapper, &version) || version != MR_WRAPPER_V1))
        return fault(b, at, "wrapper version", "not 1 (EIP-7594)");
    return fields_blame(b, sidecar, MR_TX_BLOB, wrapper, "wrapper");
}

bool mr_decode_tx_blame(struct mr_decode_error *error, struct mr_span input)
{
    struct blame b = {error, input.p, ""};
    struct mr_reader r = mr_reader_of(input), body;
    unsigned type = 0;

    if (input.n == 0) {
        mr_decode_fail(error, 0, "no bytes at all");
        return true;
    }
    if (*r.p < 0xc0) {
        type = *r.p++;
        if (type >= 0x80)
            mr_decode_fail(error, 0,
                           "starts with 0x%02x: neither a type, which is below 0x80, "
                           "nor the list of a legacy transaction",
                           type);
        else if (type == 0 || type >= MR_TX_TYPES)
            mr_decode_fail(error, 0, "transactions of type %u are not known", type);
        if (type == 0 || type >= MR_TX_TYPES)
            return true;
    }
    if (!mr_decode_rlp(error, NULL, MR_DECODE_LINES, mr_span(r.p, mr_reader_left(&r)))) {
        error->offset += (size_t)(r.p - input.p);
        return true;
    }
    if (!mr_rlp_is_list(&r) || mr_rlp_list(&r, &body))
        return fault(&b, r.p, "transaction", "bytes, not a list");
    if (type == MR_TX_BLOB && mr_rlp_is_list(&body))
        return network_form_blame(&b, &body);
    return fields_blame(&b, transaction, type, &body, "transaction");
}
