#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/hex.h"
#include "net/eth/tx_check.h"

/* Transactions are put together item by item here, so that any item can be of a wrong shape. The
 * signatures are of the right form and lead to some sender: recovery has its own tests. */

#define X4(b)  b b b b
#define X16(b) X4(b) X4(b) X4(b) X4(b)
#define X20(b) X16(b) X4(b)
#define X31(b) X16(b) X4(b) X4(b) X4(b) b b b
#define X32(b) X16(b) X16(b)

#define ORDER_LESS_1 "a0fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
#define ORDER        "a0fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define HALF         "a07fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"
#define HALF_PLUS_1  "a07fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1"
#define MAX          "a0" X32("ff")
#define BITS_257     "a101" X32("00")
#define WORD         "a0" X32("11")
#define ADDRESS      "94" X20("35")
#define HASH         "a001" X31("22")
#define TUPLE        "(01" ADDRESS "8001" WORD WORD ")" /* chain 1, nonce 0, parity 1 */

enum field {
    CHAIN,
    NONCE,
    TIP,
    CAP,
    GAS,
    TO,
    VALUE,
    DATA,
    ACCESS,
    BLOB_FEE,
    HASHES,
    AUTHS,
    V,
    R,
    S
};

static const enum field layout[MR_TX_TYPES][16] = {
    {NONCE, CAP, GAS, TO, VALUE, DATA, V, R, S},
    {CHAIN, NONCE, CAP, GAS, TO, VALUE, DATA, ACCESS, V, R, S},
    {CHAIN, NONCE, TIP, CAP, GAS, TO, VALUE, DATA, ACCESS, V, R, S},
    {CHAIN, NONCE, TIP, CAP, GAS, TO, VALUE, DATA, ACCESS, BLOB_FEE, HASHES, V, R, S},
    {CHAIN, NONCE, TIP, CAP, GAS, TO, VALUE, DATA, ACCESS, AUTHS, V, R, S},
};
static const size_t layout_count[MR_TX_TYPES] = {9, 11, 12, 14, 13};

/* A valid item for each: chain 1, 100,000 gas. */
static const char *const valid[] = {
    [CHAIN] = "01",
    [NONCE] = "05",
    [TIP] = "01",
    [CAP] = "843b9aca00",
    [GAS] = "830186a0",
    [TO] = ADDRESS,
    [VALUE] = "80",
    [DATA] = "80",
    [ACCESS] = "c0",
    [BLOB_FEE] = "01",
    [HASHES] = "(" HASH ")",
    [AUTHS] = "(" TUPLE ")",
    [V] = "01",
    [R] = WORD,
    [S] = WORD,
};

static uint8_t raw[1 << 20], text[1 << 20];

/* Hexadecimal, with lists in brackets: "(01(0203))". */
static void put(struct mr_writer *w, const char *items)
{
    size_t marks[8], depth = 0, n;

    while (*items) {
        size_t digits = strcspn(items, "()");

        assert_int_equal(mr_hex_decode(w->p + w->n, &n, w->cap - w->n, items, digits), MR_OK);
        w->n += n;
        items += digits;
        if (*items == '(')
            marks[depth++] = mr_rlp_open(w);
        else if (*items == ')')
            assert_int_equal(mr_rlp_close(w, marks[--depth]), MR_OK);
        items += *items != 0;
    }
    assert_int_equal(depth, 0);
}

/* A transaction of the type with one field's item replaced (NULL: none). */
static struct mr_span make(uint8_t type, enum field field, const char *item)
{
    struct mr_writer body = mr_writer(text, sizeof text), w = mr_writer(raw, sizeof raw);

    for (size_t i = 0; i < layout_count[type]; i++) {
        enum field f = layout[type][i];

        put(&body, item && f == field ? item : f == V && type == 0 ? "25" : valid[f]);
    }
    if (type)
        w.p[w.n++] = type;
    assert_int_equal(mr_rlp_put_list_head(&w, body.n), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&w, body.p, body.n), MR_OK);
    return mr_writer_span(&w);
}

static struct mr_rules rules_today(void)
{
    struct mr_rules r;

    assert_true(mr_rules_by_name(&r, mr_network_find("mainnet"), "bpo2"));
    return r;
}

/* What becomes of the bytes, both alone and as an element of a list: the error of decoding, or the
 * verdict. A refusal leaves everything as it was. */
static void expect(const char *what, struct mr_span s, enum mr_err e, enum mr_tx_verdict v)
{
    static uint8_t item[(1 << 20) + 16];
    struct mr_writer w = mr_writer(item, sizeof item);
    struct mr_rules rules = rules_today();
    struct mr_tx tx, before;
    struct mr_reader in;
    enum mr_err got;

    memset(&tx, 0xa5, sizeof tx);
    before = tx;
    got = mr_tx_decode_raw(&tx, s.p, s.n);
    if (got != e)
        fail_msg("%s: decoding says %s, not %s", what, mr_err_name(got), mr_err_name(e));
    if (e)
        assert_memory_equal(&tx, &before, sizeof tx);
    else if (mr_tx_check(&tx, &rules) != v)
        fail_msg("%s: %s, not %s", what, mr_tx_verdict_name(mr_tx_check(&tx, &rules)),
                 mr_tx_verdict_name(v));

    if (s.n > 0 && s.p[0] >= 0xc0)
        assert_int_equal(mr_rlp_put_raw(&w, s.p, s.n), MR_OK);
    else
        assert_int_equal(mr_rlp_put_bytes(&w, s.p, s.n), MR_OK);
    tx = before;
    in = mr_reader(w.p, w.n);
    got = mr_tx_decode_item(&in, &tx);
    if (e) {
        assert_int_not_equal(got, MR_OK);
        assert_ptr_equal(in.p, w.p);
        assert_memory_equal(&tx, &before, sizeof tx);
    } else {
        assert_int_equal(got, MR_OK);
        assert_true(mr_reader_done(&in));
        assert_int_equal(mr_tx_check(&tx, &rules), v);
    }
}

#define T0  1
#define T1  2
#define T2  4
#define T3  8
#define T4  16
#define ALL 31

#define OK(types, field, item)                                                                     \
    {                                                                                              \
        types, field, item, MR_OK, MR_TX_VERDICT_OK                                                \
    }
#define NO(types, field, item, verdict)                                                            \
    {                                                                                              \
        types, field, item, MR_OK, MR_TX_VERDICT_##verdict                                         \
    }
#define BAD(types, field, item)                                                                    \
    {                                                                                              \
        types, field, item, MR_MALFORMED, 0                                                        \
    }
#define BIG(types, field, item)                                                                    \
    {                                                                                              \
        types, field, item, MR_TOO_BIG, 0                                                          \
    }
/* An integer of up to 64 or 256 bits, in every way that it must not be written. */
#define INTEGER(types, field)                                                                      \
    BAD(types, field, "00"), BAD(types, field, "8105"), BAD(types, field, "820001"),               \
        BAD(types, field, "b80105"), BAD((types) & ~(field == CHAIN ? T3 : 0), field, "c0"),       \
        BAD((types) & ~(field == CHAIN ? T3 : 0), field, "c105")
#define INTEGER_64(types, field)                                                                   \
    INTEGER(types, field), BIG(types, field, "89010000000000000000"), BIG(types, field, MAX)
#define INTEGER_256(types, field)                                                                  \
    INTEGER(types, field), BIG(types, field, BITS_257), BAD(types, field, "a0" X32("00"))

static const struct row {
    unsigned types;
    enum field field;
    const char *item;
    enum mr_err e;
    enum mr_tx_verdict v;
} rows[] = {
    INTEGER_256(ALL - T0, CHAIN),
    /* a list in the first place announces the network form, whose second element is no 5 */
    {T3, CHAIN, "c0", MR_UNSUPPORTED, 0},
    {T3, CHAIN, "c105", MR_UNSUPPORTED, 0},
    NO(ALL - T0, CHAIN, "80", CHAIN_ID),
    NO(ALL - T0, CHAIN, "02", CHAIN_ID),
    NO(ALL - T0, CHAIN, "88ffffffffffffffff", CHAIN_ID),
    NO(ALL - T0, CHAIN, "89010000000000000001", CHAIN_ID), /* 1 in its low 64 bits */
    NO(ALL - T0, CHAIN, MAX, CHAIN_ID),

    INTEGER_64(ALL, NONCE),
    OK(ALL, NONCE, "80"),
    OK(ALL, NONCE, "88fffffffffffffffe"),
    NO(ALL, NONCE, "88ffffffffffffffff", NONCE),

    INTEGER_256(T2 + T3 + T4, TIP),
    OK(T2 + T3 + T4, TIP, "80"),
    OK(T2 + T3 + T4, TIP, "843b9aca00"),
    NO(T2 + T3 + T4, TIP, "843b9aca01", TIP_OVER_CAP),
    NO(T2 + T3 + T4, TIP, MAX, TIP_OVER_CAP),

    INTEGER_256(ALL, CAP),
    OK(T0 + T1, CAP, "80"),
    NO(T2 + T3 + T4, CAP, "80", TIP_OVER_CAP),
    OK(ALL, CAP, "01"),
    NO(ALL, CAP, MAX, COST_OVERFLOW),
    /* 2^256 / 100,000, rounded down: the last one that fits (blob gas takes 131,072 more) */
    OK(ALL - T3, CAP, "9ea7c5ac471b4784230fcf80dc33721d53cddd6e04c059210385c67dfe32a0"),
    NO(ALL, CAP, "9ea7c5ac471b4784230fcf80dc33721d53cddd6e04c059210385c67dfe32a1", COST_OVERFLOW),

    INTEGER_64(ALL, GAS),
    NO(ALL, GAS, "80", GAS_INTRINSIC),
    NO(ALL, GAS, "825207", GAS_INTRINSIC),
    OK(ALL - T4, GAS, "825208"),
    NO(T4, GAS, "82b3af", GAS_INTRINSIC), /* 25,000 more for an authorization */
    OK(T4, GAS, "82b3b0"),
    OK(ALL, GAS, "8401000000"),
    NO(ALL, GAS, "8401000001", GAS_CAP),
    NO(ALL, GAS, "88ffffffffffffffff", GAS_CAP),

    OK(T0 + T1 + T2, TO, "80"),
    NO(T3 + T4, TO, "80", CREATION),
    OK(ALL, TO, "94" X20("00")),
    BAD(ALL, TO, "93" X16("35") "353535"),
    BAD(ALL, TO, "95" X20("35") "35"),
    BAD(ALL, TO, "35"),
    BAD(ALL, TO, "c0"),
    BAD(ALL, TO, "d4" X20("35")),
    BAD(ALL, TO, "b814" X20("35")),
    BAD(ALL, TO, WORD),

    INTEGER_256(ALL, VALUE),
    OK(ALL, VALUE, "01"),
    NO(ALL, VALUE, MAX, COST_OVERFLOW),

    OK(ALL, DATA, "00"),
    OK(ALL, DATA, "7f"),
    OK(ALL, DATA, "8180"),
    BAD(ALL, DATA, "8100"),
    BAD(ALL, DATA, "b80100"),
    BAD(ALL, DATA, "b9000100"),
    BAD(ALL, DATA, "c0"),
    BAD(ALL, DATA, "c20000"),

    BAD(ALL - T0, ACCESS, "80"),
    BAD(ALL - T0, ACCESS, "01"),
    BAD(ALL - T0, ACCESS, "(80)"),
    BAD(ALL - T0, ACCESS, "(())"),
    OK(ALL - T0, ACCESS, "((" ADDRESS "()))"),
    OK(ALL - T0, ACCESS, "((" ADDRESS "(" WORD ")))"),
    OK(ALL - T0, ACCESS, "((" ADDRESS "(" WORD WORD "))(" ADDRESS "()))"),
    BAD(ALL - T0, ACCESS, "((" ADDRESS "))"),                    /* no keys */
    BAD(ALL - T0, ACCESS, "((" ADDRESS "80))"),                  /* keys no list */
    BAD(ALL - T0, ACCESS, "((" ADDRESS WORD "))"),               /* a key, but no list */
    BAD(ALL - T0, ACCESS, "((" ADDRESS "()()))"),                /* a third element */
    BAD(ALL - T0, ACCESS, "((93" X16("35") "353535()))"),        /* 19 bytes */
    BAD(ALL - T0, ACCESS, "((95" X20("35") "35()))"),            /* 21 bytes */
    BAD(ALL - T0, ACCESS, "(((" ADDRESS ")()))"),                /* address in a list */
    BAD(ALL - T0, ACCESS, "((" ADDRESS "(9f" X31("11") ")))"),   /* a key of 31 bytes */
    BAD(ALL - T0, ACCESS, "((" ADDRESS "(a1" X32("11") "11)))"), /* 33 */
    BAD(ALL - T0, ACCESS, "((" ADDRESS "(" WORD "80)))"),
    BAD(ALL - T0, ACCESS, "((" ADDRESS "((" WORD "))))"), /* a key in a list */
    BAD(ALL - T0, ACCESS, "((" ADDRESS "())80)"),

    INTEGER_256(T3, BLOB_FEE),
    NO(T3, BLOB_FEE, "80", BLOB_FEE),
    NO(T3, BLOB_FEE, MAX, COST_OVERFLOW),
    NO(T3, HASHES, "()", BLOBS_NONE),
    OK(T3, HASHES, "(" HASH HASH HASH HASH HASH HASH ")"),
    NO(T3, HASHES, "(" HASH HASH HASH HASH HASH HASH HASH ")", BLOBS_MANY),
    NO(T3, HASHES, "(a002" X31("22") ")", BLOB_HASH_VERSION),
    NO(T3, HASHES, "(a000" X31("22") ")", BLOB_HASH_VERSION),
    NO(T3, HASHES, "(" HASH "a002" X31("22") ")", BLOB_HASH_VERSION),
    BAD(T3, HASHES, "80"),
    BAD(T3, HASHES, HASH),
    BAD(T3, HASHES, "(01)"),
    BAD(T3, HASHES, "(80)"),
    BAD(T3, HASHES, "(9f" X31("22") ")"),
    BAD(T3, HASHES, "(a101" X32("22") ")"),
    BAD(T3, HASHES, "((" HASH "))"),
    BAD(T3, HASHES, "(" HASH "9f" X31("22") "80)"),
    BAD(T3, HASHES, "(b820" X32("01") ")"),

    NO(T4, AUTHS, "()", AUTH_EMPTY),
    OK(T4, AUTHS, "(" TUPLE TUPLE TUPLE ")"),
    NO(T4, AUTHS, "(" TUPLE TUPLE TUPLE TUPLE ")", GAS_INTRINSIC), /* 121,000 */
    BAD(T4, AUTHS, "80"),
    BAD(T4, AUTHS, "(80)"),
    BAD(T4, AUTHS, "(())"),
    BAD(T4, AUTHS, TUPLE),
    BAD(T4, AUTHS, "((01" ADDRESS "8001" WORD "))"),                /* no s */
    BAD(T4, AUTHS, "((01" ADDRESS "8001" WORD WORD "80))"),         /* a seventh */
    BAD(T4, AUTHS, "((0193" X16("35") "3535358001" WORD WORD "))"), /* 19 bytes */
    BAD(T4, AUTHS, "((01808001" WORD WORD "))"),                    /* no address */
    BAD(T4, AUTHS, "((00" ADDRESS "8001" WORD WORD "))"),           /* 0 as a byte */
    BAD(T4, AUTHS, "((01" ADDRESS "0001" WORD WORD "))"),
    BAD(T4, AUTHS, "((01" ADDRESS "8000" WORD WORD "))"),
    BAD(T4, AUTHS, "((01" ADDRESS "8001" WORD "a000" X31("11") "))"),
    BAD(T4, AUTHS, "((01" ADDRESS "()01" WORD WORD "))"),
    BAD(T4, AUTHS, "(" TUPLE "80)"),
    OK(T4, AUTHS, "((80" ADDRESS "8080" WORD WORD "))"), /* any chain, parity 0 */
    OK(T4, AUTHS, "((" MAX ADDRESS "8001" WORD WORD "))"),
    BIG(T4, AUTHS, "((" BITS_257 ADDRESS "8001" WORD WORD "))"),
    /* EIP-7702 bounds it by 2^64; that 2^64 - 1 has no effect is the tuple's business */
    OK(T4, AUTHS, "((01" ADDRESS "88ffffffffffffffff01" WORD WORD "))"),
    BIG(T4, AUTHS, "((01" ADDRESS "8901000000000000000001" WORD WORD "))"),
    OK(T4, AUTHS, "((01" ADDRESS "8081ff" WORD WORD "))"),
    BIG(T4, AUTHS, "((01" ADDRESS "80820100" WORD WORD "))"),
    OK(T4, AUTHS, "((01" ADDRESS "800180" WORD "))"), /* r = 0: without effect, not invalid */
    OK(T4, AUTHS, "((01" ADDRESS "8001" MAX MAX "))"),
    BIG(T4, AUTHS, "((01" ADDRESS "8001" BITS_257 WORD "))"),
    BIG(T4, AUTHS, "((01" ADDRESS "8001" WORD BITS_257 "))"),

    INTEGER_256(ALL, V),
    OK(T0, V, "1b"),
    OK(T0, V, "1c"),
    OK(T0, V, "25"),
    OK(T0, V, "26"),
    NO(T0, V, "80", SIGNATURE_V),
    NO(T0, V, "01", SIGNATURE_V),
    NO(T0, V, "1a", SIGNATURE_V),
    NO(T0, V, "1d", SIGNATURE_V),
    NO(T0, V, "22", SIGNATURE_V),
    NO(T0, V, "23", CHAIN_ID), /* chain 0 */
    NO(T0, V, "24", CHAIN_ID),
    NO(T0, V, "27", CHAIN_ID), /* chain 2 */
    NO(T0, V, "88ffffffffffffffff", CHAIN_ID),
    NO(T0, V, "89010000000000000000", CHAIN_ID),
    NO(T0, V, "89020000000000000025", CHAIN_ID), /* 2^64 + 1 */
    NO(T0, V, "9101" X16("00"), CHAIN_ID),
    NO(T0, V, MAX, CHAIN_ID),
    OK(ALL - T0, V, "80"),
    OK(ALL - T0, V, "01"),
    NO(ALL - T0, V, "02", SIGNATURE_V),
    NO(ALL - T0, V, "1b", SIGNATURE_V),
    NO(ALL - T0, V, "1c", SIGNATURE_V),
    NO(ALL - T0, V, "25", SIGNATURE_V),
    NO(ALL - T0, V, "81ff", SIGNATURE_V),
    NO(ALL - T0, V, "820100", SIGNATURE_V),
    NO(ALL - T0, V, "820101", SIGNATURE_V),
    NO(ALL - T0, V, "89010000000000000001", SIGNATURE_V),
    NO(ALL - T0, V, MAX, SIGNATURE_V),

    INTEGER_256(ALL, R),
    OK(ALL, R, "01"),
    OK(ALL, R, ORDER_LESS_1),
    NO(ALL, R, "80", SIGNATURE_R),
    NO(ALL, R, ORDER, SIGNATURE_R),
    NO(ALL, R, MAX, SIGNATURE_R),

    INTEGER_256(ALL, S),
    OK(ALL, S, "01"),
    OK(ALL, S, HALF),
    NO(ALL, S, HALF_PLUS_1, SIGNATURE_HIGH_S),
    NO(ALL, S, ORDER_LESS_1, SIGNATURE_HIGH_S),
    NO(ALL, S, "80", SIGNATURE_S),
    NO(ALL, S, ORDER, SIGNATURE_S),
    NO(ALL, S, MAX, SIGNATURE_S),
};

static void every_row_of_the_table_meets_its_fate(void **state)
{
    size_t cases = 0;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        for (uint8_t type = 0; type < MR_TX_TYPES; type++) {
            char what[200];

            if (!(rows[i].types >> type & 1))
                continue;
            snprintf(what, sizeof what, "type %u, field %d, item %.120s", type, rows[i].field,
                     rows[i].item);
            expect(what, make(type, rows[i].field, rows[i].item), rows[i].e, rows[i].v);
            cases++;
        }
    }
    assert_true(cases >= 300);
}

static void the_bases_of_the_table_are_valid(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < MR_TX_TYPES; type++)
        expect("base", make(type, CHAIN, NULL), MR_OK, MR_TX_VERDICT_OK);
}

static void an_element_too_few_or_too_many_is_malformed(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < MR_TX_TYPES; type++) {
        for (size_t i = 0; i < layout_count[type]; i++) {
            enum field f = layout[type][i];
            char twice[512], what[64];
            struct mr_span s;
            struct mr_tx tx;
            enum mr_err e;

            /* The fields behind it move up: a number may meet an address first. */
            s = make(type, f, "");
            e = mr_tx_decode_raw(&tx, s.p, s.n);
            if (e != MR_MALFORMED && e != MR_TOO_BIG)
                fail_msg("type %u without field %d: %s", type, f, mr_err_name(e));
            if (f == TO || f == ACCESS || f == HASHES || f == AUTHS || f == S) {
                snprintf(twice, sizeof twice, "%s%s", valid[f], valid[f]);
                snprintf(what, sizeof what, "type %u with field %d twice", type, f);
                expect(what, make(type, f, twice), MR_MALFORMED, 0);
            }
        }
    }
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < MR_TX_TYPES; type++) {
        struct mr_span s = make(type, CHAIN, NULL);
        uint8_t item[1024];
        struct mr_writer w = mr_writer(item, sizeof item);
        struct mr_tx tx, before;

        memset(&before, 0x5a, sizeof before);
        for (size_t cut = 0; cut < s.n; cut++) {
            tx = before;
            assert_int_equal(mr_tx_decode_raw(&tx, s.p, cut), MR_SHORT);
            assert_memory_equal(&tx, &before, sizeof tx);
        }
        assert_int_equal(type ? mr_rlp_put_bytes(&w, s.p, s.n) : mr_rlp_put_raw(&w, s.p, s.n),
                         MR_OK);
        for (size_t cut = 0; cut < w.n; cut++) {
            struct mr_reader in = mr_reader(w.p, cut);

            assert_int_equal(mr_tx_decode_item(&in, &tx), MR_SHORT);
            assert_ptr_equal(in.p, w.p);
            assert_memory_equal(&tx, &before, sizeof tx);
        }
    }
}

static void trailing_bytes_are_malformed(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < MR_TX_TYPES; type++) {
        struct mr_span s = make(type, CHAIN, NULL);

        for (unsigned byte = 0; byte < 256; byte += 51) {
            raw[s.n] = (uint8_t)byte;
            if (type) {
                expect("trailing byte", mr_span(s.p, s.n + 1), MR_MALFORMED, 0);
            } else { /* in a list it would be the next element */
                struct mr_tx tx;

                assert_int_equal(mr_tx_decode_raw(&tx, s.p, s.n + 1), MR_MALFORMED);
            }
        }
    }
}

static void of_the_256_first_bytes_four_are_types(void **state)
{
    struct mr_span s = make(2, CHAIN, NULL);

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        enum mr_err e = byte == 0 || (byte > 4 && byte < 0x80) ? MR_UNSUPPORTED : MR_MALFORMED;
        struct mr_tx tx;

        if (byte == 2)
            continue;
        raw[0] = (uint8_t)byte;
        if (byte < 0xc0)
            expect("first byte", s, e, 0);
        else
            assert_int_not_equal(mr_tx_decode_raw(&tx, s.p, s.n), MR_OK);
    }
}

static void wrong_envelopes_are_refused(void **state)
{
    static const struct {
        const char *hex;
        enum mr_err e;
    } items[] = {
        {"", MR_SHORT},
        {"80", MR_MALFORMED},
        {"01", MR_MALFORMED},
        {"05", MR_UNSUPPORTED},
        {"7f", MR_UNSUPPORTED},
        {"00", MR_UNSUPPORTED},
        {"8180", MR_MALFORMED},
        {"c0", MR_MALFORMED},
        {"8201c0", MR_MALFORMED},
        {"820180", MR_MALFORMED},
        {"81c0", MR_MALFORMED},
        {"b80101", MR_MALFORMED},
        {"8102", MR_MALFORMED},
        {"b90000", MR_MALFORMED},
        {"f800", MR_MALFORMED},
        {"ffffffffffffffffff", MR_SHORT},
        {"bfffffffffffffffff", MR_SHORT},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(items); i++) {
        struct mr_writer w = mr_writer(raw, sizeof raw);
        struct mr_reader in;
        struct mr_tx tx;
        enum mr_err e;

        put(&w, items[i].hex);
        in = mr_reader(w.p, w.n);
        e = mr_tx_decode_item(&in, &tx);
        if (e != items[i].e)
            fail_msg("%s: %s", items[i].hex, mr_err_name(e));
        assert_ptr_equal(in.p, w.p);
    }
}

/* A legacy list inside a byte string is no typed transaction. */
static void a_wrapped_legacy_list_is_malformed(void **state)
{
    struct mr_span s = make(0, CHAIN, NULL);
    uint8_t item[1024];
    struct mr_writer w = mr_writer(item, sizeof item);
    struct mr_reader in;
    struct mr_tx tx;

    (void)state;
    assert_int_equal(mr_rlp_put_bytes(&w, s.p, s.n), MR_OK);
    in = mr_reader(w.p, w.n);
    assert_int_equal(mr_tx_decode_item(&in, &tx), MR_MALFORMED);
}

/* A list of n equal items. */
static char *repeat(const char *item, size_t n)
{
    size_t size = strlen(item);
    char *out = malloc(size * n + 3);

    assert_non_null(out);
    out[0] = '(';
    for (size_t i = 0; i < n; i++)
        memcpy(out + 1 + i * size, item, size);
    memcpy(out + 1 + n * size, ")", 2);
    return out;
}

static void huge_lists_cost_gas_and_then_room(void **state)
{
    static const struct {
        enum field field;
        const char *item;
        size_t n;
        uint8_t type;
        enum mr_tx_verdict v;
    } lists[] = {
        {ACCESS, "(" ADDRESS "())", 32, 1, MR_TX_VERDICT_OK},            /* 97,800 gas */
        {ACCESS, "(" ADDRESS "())", 33, 1, MR_TX_VERDICT_GAS_INTRINSIC}, /* 100,200 */
        {ACCESS, "(" ADDRESS "())", 5000, 2, MR_TX_VERDICT_GAS_INTRINSIC},
        {ACCESS, "(" ADDRESS "())", 6000, 2, MR_TX_VERDICT_TOO_LARGE},
        {ACCESS, "(" ADDRESS "(" WORD "))", 18, 3, MR_TX_VERDICT_OK}, /* 98,400 */
        {ACCESS, "(" ADDRESS "(" WORD "))", 19, 3, MR_TX_VERDICT_GAS_INTRINSIC},
        {HASHES, HASH, 3900, 3, MR_TX_VERDICT_BLOBS_MANY},
        {HASHES, HASH, 4000, 3, MR_TX_VERDICT_TOO_LARGE},
        {AUTHS, TUPLE, 1400, 4, MR_TX_VERDICT_GAS_INTRINSIC},
        {AUTHS, TUPLE, 1500, 4, MR_TX_VERDICT_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(lists); i++) {
        char *item = repeat(lists[i].item, lists[i].n), what[32];

        snprintf(what, sizeof what, "list %zu", i);
        expect(what, make(lists[i].type, lists[i].field, item), MR_OK, lists[i].v);
        free(item);
    }
}

/* n bytes of data in a transaction of the type. */
static struct mr_span with_data(uint8_t type, uint8_t byte, size_t n, enum field f,
                                const char *item)
{
    static uint8_t out[1 << 20];
    struct mr_span s = make(type, f, item);
    struct mr_writer w = mr_writer(out, sizeof out), body = mr_writer(text, sizeof text);
    struct mr_reader r = mr_reader(s.p + (type > 0), s.n - (type > 0)), in;
    static uint8_t data[1 << 18];

    memset(data, byte, n);
    assert_int_equal(mr_rlp_list(&r, &in), MR_OK);
    for (size_t i = 0; i < layout_count[type]; i++) {
        struct mr_span x;

        assert_int_equal(mr_rlp_item(&in, &x), MR_OK);
        assert_int_equal(layout[type][i] == DATA ? mr_rlp_put_bytes(&body, data, n)
                                                 : mr_rlp_put_raw(&body, x.p, x.n),
                         MR_OK);
    }
    if (type)
        w.p[w.n++] = type;
    assert_int_equal(mr_rlp_put_list_head(&w, body.n), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&w, body.p, body.n), MR_OK);
    return mr_writer_span(&w);
}

static void data_is_bounded_by_floor_init_code_and_size(void **state)
{
    /* Prefixes of the list and of the data are 2 and 3 bytes longer then, the gas 1. */
    size_t room = MR_TX_SIZE_MAX - make(0, CHAIN, NULL).n - 2 - 3 - 1;

    (void)state;
    /* 100,000 gas: 79,000 / 40 bytes that are not zero, 79,000 / 10 that are */
    expect("floor", with_data(2, 1, 1975, CHAIN, NULL), MR_OK, MR_TX_VERDICT_OK);
    expect("floor", with_data(2, 1, 1976, CHAIN, NULL), MR_OK, MR_TX_VERDICT_GAS_FLOOR);
    expect("floor", with_data(2, 0, 7900, CHAIN, NULL), MR_OK, MR_TX_VERDICT_OK);
    expect("floor", with_data(2, 0, 7901, CHAIN, NULL), MR_OK, MR_TX_VERDICT_GAS_FLOOR);
    expect("intrinsic", with_data(2, 1, 5000, CHAIN, NULL), MR_OK, MR_TX_VERDICT_GAS_INTRINSIC);
    /* 53,000 + 2 a word + 4 a byte; the floor is lower until 2^24 gas are there */
    expect("init code", with_data(2, 0, 49152, TO, "80"), MR_OK, MR_TX_VERDICT_GAS_INTRINSIC);
    expect("init code", with_data(2, 0, 49153, TO, "80"), MR_OK, MR_TX_VERDICT_INIT_CODE);
    expect("no creation", with_data(2, 0, 49153, GAS, "8401000000"), MR_OK, MR_TX_VERDICT_OK);
    expect("size", with_data(0, 0, room, GAS, "8401000000"), MR_OK, MR_TX_VERDICT_OK);
    assert_int_equal(with_data(0, 0, room, GAS, "8401000000").n, MR_TX_SIZE_MAX);
    expect("size", with_data(0, 0, room + 1, GAS, "8401000000"), MR_OK, MR_TX_VERDICT_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bases_of_the_table_are_valid),
        cmocka_unit_test(every_row_of_the_table_meets_its_fate),
        cmocka_unit_test(an_element_too_few_or_too_many_is_malformed),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(trailing_bytes_are_malformed),
        cmocka_unit_test(of_the_256_first_bytes_four_are_types),
        cmocka_unit_test(wrong_envelopes_are_refused),
        cmocka_unit_test(a_wrapped_legacy_list_is_malformed),
        cmocka_unit_test(huge_lists_cost_gas_and_then_room),
        cmocka_unit_test(data_is_bounded_by_floor_init_code_and_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
