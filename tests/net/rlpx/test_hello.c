#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/rlpx/hello.h"
#include "tests/net/rlpx/helper_rlp_text.h"

/* H-11. A Hello is built from its parts; a row replaces one of them and says exactly what follows.
 */
enum part { VERSION, CLIENT, CAPS, PORT, ID, EXTRA, AFTER, WHOLE, PARTS = WHOLE };

static const char *const usual[PARTS] = {
    [VERSION] = "05",
    [CLIENT] = "s{676574682f76312e3137}",
    [CAPS] = "l{ l{ s{657468} 44 } }",
    [PORT] = "82765f",
    [ID] = "s{33*64}",
    [EXTRA] = "",
    [AFTER] = "",
};

#define OK    MR_P2P_NONE
#define BAD   MR_P2P_HELLO_MALFORMED
#define BIG   MR_P2P_HELLO_TOO_BIG
#define IDLEN MR_P2P_HELLO_ID_LENGTH
#define NULLS MR_P2P_HELLO_NULL_ID

struct row {
    enum part part;
    const char *text;
    enum mr_p2p_fault fault;
    unsigned kept, seen;
};

#define ETH "l{s{657468}44}"

static const struct row rows[] = {
    /* the parts as they are, and versions of the base protocol: any is taken */
    {EXTRA, "", OK, 1, 1},
    {VERSION, "80", OK, 1, 1},
    {VERSION, "01", OK, 1, 1},
    {VERSION, "03", OK, 1, 1},
    {VERSION, "04", OK, 1, 1},
    {VERSION, "06", OK, 1, 1},
    {VERSION, "16", OK, 1, 1},
    {VERSION, "7f", OK, 1, 1},
    {VERSION, "8180", OK, 1, 1},
    {VERSION, "820100", OK, 1, 1},
    {VERSION, "s{80 00*7}", OK, 1, 1},  /* 2^63 */
    {VERSION, "s{ff*8}", OK, 1, 1},     /* 2^64 - 1 */
    {VERSION, "s{01 00*8}", BAD, 0, 0}, /* 2^64 */
    {VERSION, "s{ff*32}", BAD, 0, 0},
    {VERSION, "s{00 05}", BAD, 0, 0},
    /* client ids: anything that fits */
    {CLIENT, "80", OK, 1, 1},
    {CLIENT, "61", OK, 1, 1},
    {CLIENT, "s{61*55}", OK, 1, 1},
    {CLIENT, "s{61*56}", OK, 1, 1},
    {CLIENT, "s{61*127}", OK, 1, 1},
    {CLIENT, "s{61*128}", OK, 1, 1},
    {CLIENT, "s{61*129}", OK, 1, 1},
    {CLIENT, "s{61*255}", OK, 1, 1},
    {CLIENT, "s{61*256}", OK, 1, 1},
    {CLIENT, "s{61*1900}", OK, 1, 1},
    {CLIENT, "s{61*2048}", BIG, 0, 0},
    {CLIENT, "s{61*1048576}", BIG, 0, 0},
    {CLIENT, "s{00*20}", OK, 1, 1},
    {CLIENT, "s{0a0d1b5b324a}", OK, 1, 1},
    {CLIENT, "s{ff*64}", OK, 1, 1},
    {CLIENT, "s{c3a9c3a9}", OK, 1, 1},
    /* how many capabilities */
    {CAPS, "l{}", OK, 0, 0},
    {CAPS, "l{" ETH "l{s{657468}45}}", OK, 2, 2},
    {CAPS, "l{" ETH ETH ETH "}", OK, 3, 3}, /* the same again */
    {CAPS, "l{" ETH "l{s{736e6170}01}l{s{736e6170}02}}", OK, 3, 3},
    {CAPS, "l{l{s{736e6170}01}" ETH "}", OK, 2, 2}, /* not sorted */
    /* names */
    {CAPS, "l{l{80 44}}", OK, 0, 1},
    {CAPS, "l{l{61 44}}", OK, 1, 1},
    {CAPS, "l{l{s{61*7}44}}", OK, 1, 1},
    {CAPS, "l{l{s{61*8}44}}", OK, 1, 1},
    {CAPS, "l{l{s{61*9}44}}", OK, 0, 1},
    {CAPS, "l{l{s{61*55}44}}", OK, 0, 1},
    {CAPS, "l{l{s{61*56}44}}", OK, 0, 1},
    {CAPS, "l{l{s{61*255}44}}", OK, 0, 1},
    {CAPS, "l{l{s{61*1800}44}}", OK, 0, 1},
    {CAPS, "l{l{s{65746800}44}}", OK, 0, 1}, /* "eth\0" is not "eth" */
    {CAPS, "l{l{00 44}}", OK, 0, 1},
    {CAPS, "l{l{s{457468}44}}", OK, 1, 1}, /* "Eth": case matters */
    {CAPS, "l{l{s{c3a9}44}}", OK, 0, 1},
    {CAPS, "l{l{s{ff*3}44}}", OK, 0, 1},
    {CAPS, "l{l{s{0a}44}}", OK, 0, 1},
    {CAPS, "l{l{s{20}44}}", OK, 0, 1},
    {CAPS, "l{l{7f 44}}", OK, 0, 1},
    {CAPS, "l{l{7e 44}}", OK, 1, 1},
    {CAPS, "l{l{80 44}" ETH "l{s{61*9}01}}", OK, 1, 3}, /* odd ones do not hide a good one */
    /* their versions */
    {CAPS, "l{l{s{657468}80}}", OK, 1, 1},
    {CAPS, "l{l{s{657468}s{ff*8}}}", OK, 1, 1},
    {CAPS, "l{l{s{657468}s{80 00*7}}}", OK, 1, 1},
    {CAPS, "l{l{s{657468}s{01 00*8}}}", BAD, 0, 0},
    {CAPS, "l{l{s{657468}00}}", BAD, 0, 0},
    {CAPS, "l{l{s{657468}8144}}", BAD, 0, 0},
    {CAPS, "l{l{s{657468}820044}}", BAD, 0, 0},
    {CAPS, "l{l{s{657468}c0}}", BAD, 0, 0},
    {CAPS, "l{l{s{657468}l{44}}}", BAD, 0, 0},
    {CAPS, "l{l{80 00}}", BAD, 0, 0}, /* odd name, and bad version */
    /* shapes of an entry */
    {CAPS, "l{l{}}", BAD, 0, 0},
    {CAPS, "l{l{s{657468}}}", BAD, 0, 0},
    {CAPS, "l{l{s{657468}44 80}}", BAD, 0, 0},
    {CAPS, "l{l{s{657468}44 45}}", BAD, 0, 0},
    {CAPS, "l{l{44 s{657468}}}", OK, 1, 1}, /* "D", version 0x657468 */
    {CAPS, "l{l{l{s{657468}}44}}", BAD, 0, 0},
    {CAPS, "l{l{c0 44}}", BAD, 0, 0},
    {CAPS, "l{s{657468}44}", BAD, 0, 0},
    {CAPS, "l{s{657468}}", BAD, 0, 0},
    {CAPS, "l{80}", BAD, 0, 0},
    {CAPS, "l{" ETH "80}", BAD, 0, 0},
    {CAPS, "l{" ETH "c0}", BAD, 0, 0},
    {CAPS, "l{l{" ETH "}}", BAD, 0, 0},
    {CAPS, "s{" ETH "}", BAD, 0, 0},
    {CAPS, "l{ c6 83657468 44 }", BAD, 0, 0},   /* entry longer than its list */
    {CAPS, "l{ c4 83657468 44 }", BAD, 0, 0},   /* entry shorter than its content */
    {CAPS, "l{ f805 83657468 44 }", BAD, 0, 0}, /* long form of a short length */
    {CAPS, "l{ c6 8103 657468 44 }", BAD, 0, 0},
    {CAPS, "l{ c7 b803657468 44 }", BAD, 0, 0},
    /* ports: ignored, whatever they say */
    {PORT, "80", OK, 1, 1},
    {PORT, "01", OK, 1, 1},
    {PORT, "82ffff", OK, 1, 1},
    {PORT, "83010000", OK, 1, 1},
    {PORT, "850100000000", OK, 1, 1},
    {PORT, "s{ff*8}", OK, 1, 1},
    {PORT, "s{01 00*8}", BAD, 0, 0},
    /* node ids */
    {ID, "80", IDLEN, 0, 0},
    {ID, "33", IDLEN, 0, 0},
    {ID, "s{33*20}", IDLEN, 0, 0},
    {ID, "s{33*32}", IDLEN, 0, 0},
    {ID, "s{02 33*32}", IDLEN, 0, 0},
    {ID, "s{33*63}", IDLEN, 0, 0},
    {ID, "s{33*65}", IDLEN, 0, 0},
    {ID, "s{04 33*64}", IDLEN, 0, 0},
    {ID, "s{33*66}", IDLEN, 0, 0},
    {ID, "s{33*128}", IDLEN, 0, 0},
    {ID, "s{33*1900}", IDLEN, 0, 0},
    {ID, "s{33*2048}", BIG, 0, 0},
    {ID, "s{00*64}", NULLS, 0, 0},
    {ID, "s{00*63}", IDLEN, 0, 0},
    {ID, "s{00*63 01}", OK, 1, 1},
    {ID, "s{80 00*63}", OK, 1, 1},
    {ID, "s{ff*64}", OK, 1, 1}, /* no point of the curve: it can equal no authenticated id */
    {ID, "b83f 33*63", IDLEN, 0, 0},
    {ID, "b840 33*63", BAD, 0, 0},
    {ID, "b90040 33*64", BAD, 0, 0},
    {ID, "b840 33*64 00", OK, 1, 1}, /* the last byte is one more element */
    {ID, "l{ s{33*64} }", BAD, 0, 0},
    /* elements of later versions are ignored (EIP-8) */
    {EXTRA, "80", OK, 1, 1},
    {EXTRA, "00", OK, 1, 1},
    {EXTRA, "01 02 03", OK, 1, 1},
    {EXTRA, "80*100", OK, 1, 1},
    {EXTRA, "c0*100", OK, 1, 1},
    {EXTRA, "c0*1900", OK, 1, 1},
    {EXTRA, "s{666f6f}s{626172} l{0304}", OK, 1, 1},
    {EXTRA, "l{l{l{l{l{l{l{l{l{l{l{l{l{l{l{l{l{l{l{l{}}}}}}}}}}}}}}}}}}}}", OK, 1, 1},
    {EXTRA, "s{61*1900}", OK, 1, 1},
    {EXTRA, "l{61*1900}", OK, 1, 1},
    {EXTRA, "s{61*2000}", BIG, 0, 0},
    {EXTRA, "8100", BAD, 0, 0},
    {EXTRA, "81", BAD, 0, 0},
    {EXTRA, "b80161", BAD, 0, 0},
    {EXTRA, "c1", BAD, 0, 0},
    {EXTRA, "bf ff*8", BAD, 0, 0},
    {EXTRA, "ff ff*8", BAD, 0, 0},
    {EXTRA, "l{bf ff*8}", OK, 1, 1}, /* inside of what is ignored nobody looks */
    /* bytes behind the list */
    {AFTER, "00", BAD, 0, 0},
    {AFTER, "80", BAD, 0, 0},
    {AFTER, "c0", BAD, 0, 0},
    {AFTER, "00*16", BAD, 0, 0},
    {AFTER, "33*64", BAD, 0, 0},
    /* no Hello at all */
    {WHOLE, "", BAD, 0, 0},
    {WHOLE, "00", BAD, 0, 0},
    {WHOLE, "80", BAD, 0, 0},
    {WHOLE, "c0", BAD, 0, 0},
    {WHOLE, "c104", BAD, 0, 0}, /* a Disconnect's payload */
    {WHOLE, "c105", BAD, 0, 0},
    {WHOLE, "l{05 80}", BAD, 0, 0},
    {WHOLE, "l{05 80 c0}", BAD, 0, 0},
    {WHOLE, "l{05 80 c0 80}", BAD, 0, 0},
    {WHOLE, "l{05 80 c0 80 80}", IDLEN, 0, 0},
    {WHOLE, "l{05 80 c0 80 s{33*64}}", OK, 0, 0}, /* the shortest */
    {WHOLE, "l{05 80 c0 s{33*64}}", BAD, 0, 0},
    {WHOLE, "l{80 c0 80 s{33*64}}", BAD, 0, 0},
    {WHOLE, "l{05 c0 80 80 s{33*64}}", BAD, 0, 0},
    {WHOLE, "l{05 80 c0 s{33*64} 80}", BAD, 0, 0},
    {WHOLE, "s{05 80 c0 80 s{33*64}}", BAD, 0, 0},
    {WHOLE, "l{l{05 80 c0 80 s{33*64}}}", BAD, 0, 0},
    {WHOLE, "05 80 c0 80 s{33*64}", BAD, 0, 0},
    {WHOLE, "f845 05 80 c0 80 b840 33*64", BAD, 0, 0},   /* one byte less than its content */
    {WHOLE, "f847 05 80 c0 80 b840 33*64", BAD, 0, 0},   /* one byte more */
    {WHOLE, "f90046 05 80 c0 80 b840 33*64", BAD, 0, 0}, /* a length with a leading zero */
    {WHOLE, "ff ff*8", BAD, 0, 0},
    {WHOLE, "ff 80 00*7", BAD, 0, 0},
    {WHOLE, "fb ffffffff", BAD, 0, 0},
    {WHOLE, "00*2048", BAD, 0, 0},
    {WHOLE, "00*2049", BIG, 0, 0},
    {WHOLE, "ff*2048", BAD, 0, 0},
    {WHOLE, "ff*65535", BIG, 0, 0},
    {WHOLE, "c0*2048", BAD, 0, 0},
    {WHOLE, "f907fd 80*2045", BAD, 0, 0},
    {WHOLE, "f907fd c0*2045", BAD, 0, 0},
    {WHOLE, "54 f053 05 80 c0 80 b840 33*64", BAD, 0, 0}, /* H-18: it was compressed */
    {WHOLE, "ff060000734e61507059", BAD, 0, 0},           /* snappy's stream format */
};

static size_t build(uint8_t *out, size_t cap, const struct row *row)
{
    struct mr_writer w = mr_writer(out, cap);
    size_t mark = mr_rlp_open(&w);

    if (row->part == WHOLE)
        return rlp_text(out, cap, row->text);
    for (enum part p = 0; p < PARTS; p++) {
        if (p == AFTER)
            assert_int_equal(mr_rlp_close(&w, mark), MR_OK);
        w.n += rlp_text(w.p + w.n, w.cap - w.n, p == row->part ? row->text : usual[p]);
    }
    return w.n;
}

static uint8_t message[1 << 21];

static void check_row(const struct row *row, struct mr_span payload, const char *what)
{
    static const struct mr_hello mark = {.version = 4711, .capabilities_seen = 99};
    struct mr_hello h = mark;
    enum mr_p2p_fault f = mr_hello_decode(&h, payload);

    if (f != row->fault)
        fail_msg("%s: %s, not %s", what, mr_p2p_fault_name(f), mr_p2p_fault_name(row->fault));
    if (f) {
        assert_memory_equal(&h, &mark, sizeof h);
    } else {
        if (h.capabilities_count != row->kept || h.capabilities_seen != row->seen)
            fail_msg("%s: kept %u of %u", what, h.capabilities_count, h.capabilities_seen);
        assert_true(h.client_id.n <= MR_HELLO_CLIENT_ID_MAX);
    }
}

static void every_row_ends_as_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        check_row(&rows[i], mr_span(message, build(message, sizeof message, &rows[i])),
                  rows[i].text);
}

/* Each of the five elements replaced by each of these: 5 x 14 rows more. A letter an element: '.'
 * taken, 'b' malformed, 'i' an id of wrong length. */
static void elements_of_wrong_kind_are_refused(void **state)
{
    static const struct {
        const char *text, *outcome;
    } items[] = {
        {"", "bbbbb"},                               /* left out */
        {"c0", "bb.bb"},                             /* empty list */
        {"80", "..b.i"},                             /* empty string, zero */
        {"00", "b.bbi"},                             /* zero with a byte */
        {"01", "..b.i"},                             /* one */
        {"8101", "bbbbb"},                           /* a byte behind a prefix */
        {"8100", "bbbbb"},      {"820001", "b.bbi"}, /* leading zero */
        {"b80161", "bbbbb"},                         /* long form of a short string */
        {"b90001 61", "bbbbb"}, {"f800", "bbbbb"},   /* long form of a short list */
        {"c101", "bbbbb"},                           /* a list of one byte */
        {"bf ff*8", "bbbbb"},                        /* 2^64 - 1 bytes to come */
        {"ff ff*8", "bbbbb"},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(items); i++) {
        for (enum part p = VERSION; p <= ID; p++) {
            char letter = items[i].outcome[p];
            struct row row = {
                .part = p,
                .text = items[i].text,
                .fault = letter == '.'   ? OK
                         : letter == 'i' ? IDLEN
                                         : BAD,
                .kept = p == CAPS ? 0 : 1,
                .seen = p == CAPS ? 0 : 1,
            };

            check_row(&row, mr_span(message, build(message, sizeof message, &row)), row.text);
        }
    }
}

static void capabilities_are_counted_and_64_are_kept(void **state)
{
    static const struct {
        unsigned n;
        enum mr_p2p_fault fault;
        unsigned kept;
    } counts[] = {
        {0, OK, 0},    {1, OK, 1},     {2, OK, 2},      {63, OK, 63},
        {64, OK, 64},  {65, OK, 64},   {100, OK, 64},   {650, OK, 64},
        {680, BIG, 0}, {1000, BIG, 0}, {10000, BIG, 0}, {100000, BIG, 0},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(counts); i++) {
        struct mr_writer w = mr_writer(message, sizeof message);
        size_t whole = mr_rlp_open(&w), list;
        struct row row = {.fault = counts[i].fault, .kept = counts[i].kept, .seen = counts[i].n};

        w.n = rlp_text(w.p, w.cap, "05 80");
        list = mr_rlp_open(&w);
        for (unsigned k = 0; k < counts[i].n; k++)
            assert_int_equal(mr_rlp_put_raw(&w, "\xc2\x61\x01", 3), MR_OK);
        assert_int_equal(mr_rlp_close(&w, list), MR_OK);
        w.n += rlp_text(w.p + w.n, w.cap - w.n, "80 s{33*64}");
        assert_int_equal(mr_rlp_close(&w, whole), MR_OK);
        check_row(&row, mr_writer_span(&w), "count of capabilities");
    }
}

/* Depth costs nothing: what is ignored is skipped, not walked. */
static void deep_extra_elements_are_skipped(void **state)
{
    struct mr_writer w = mr_writer(message, sizeof message);
    size_t whole = mr_rlp_open(&w), marks[400];
    struct row row = {.fault = OK};

    (void)state;
    w.n = rlp_text(w.p, w.cap, "05 80 c0 80 s{33*64}");
    for (unsigned i = 0; i < MR_COUNT_OF(marks); i++)
        marks[i] = mr_rlp_open(&w);
    for (unsigned i = MR_COUNT_OF(marks); i-- > 0;)
        assert_int_equal(mr_rlp_close(&w, marks[i]), MR_OK);
    assert_int_equal(mr_rlp_close(&w, whole), MR_OK);
    check_row(&row, mr_writer_span(&w), "deep");
}

static void decode_refuses_every_prefix(void **state)
{
    struct row row = {.part = EXTRA, .text = "c0 80 s{61*70}", .fault = OK, .kept = 1, .seen = 1};
    size_t n = build(message, sizeof message, &row);

    (void)state;
    check_row(&row, mr_span(message, n), "whole");
    row.fault = BAD;
    for (size_t cut = 0; cut < n; cut++)
        check_row(&row, mr_span(message, cut), "prefix");
}

static struct mr_hello sample(void)
{
    struct mr_hello h = {.version = MR_P2P_VERSION,
                         .client_id = mr_span("millrace/v0.1.0/linux-amd64", 27),
                         .listen_port = 30303,
                         .capabilities_count = 3,
                         .capabilities_seen = 3};

    memset(h.id.b, 0x5a, sizeof h.id.b);
    for (unsigned i = 0; i < 3; i++)
        assert_true(mr_capability_make(&h.capabilities[i], mr_span("eth", 3), 68 + i));
    return h;
}

static void decode_gives_what_encode_wrote(void **state)
{
    struct mr_hello h = sample(), back;
    struct mr_writer w = mr_writer(message, MR_HELLO_MAX);

    (void)state;
    assert_int_equal(mr_hello_encode(&w, &h), MR_OK);
    assert_int_equal(mr_hello_decode(&back, mr_writer_span(&w)), MR_P2P_NONE);
    assert_int_equal(back.version, h.version);
    assert_int_equal(back.listen_port, h.listen_port);
    assert_int_equal(back.client_id.n, h.client_id.n);
    assert_memory_equal(back.client_id.p, h.client_id.p, h.client_id.n);
    assert_true(mr_node_id_equal(&back.id, &h.id));
    assert_int_equal(back.capabilities_count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(mr_capability_equal(&back.capabilities[i], &h.capabilities[i]));
}

static void encode_without_room_writes_nothing(void **state)
{
    struct mr_hello h = sample();
    struct mr_writer w = mr_writer(message, MR_HELLO_MAX);
    size_t n;

    (void)state;
    assert_int_equal(mr_hello_encode(&w, &h), MR_OK);
    n = w.n;
    for (size_t cap = 0; cap < n; cap++) {
        w = mr_writer(message, cap);
        assert_int_equal(mr_hello_encode(&w, &h), MR_FULL);
        assert_int_equal(w.n, 0);
    }
    w = mr_writer(message, n);
    assert_int_equal(mr_hello_encode(&w, &h), MR_OK);
}

/* The largest that we could ever send fits the bound that peers enforce, message id included. */
static void our_largest_hello_fits_2_kib(void **state)
{
    struct mr_hello h = sample();
    struct mr_writer w = mr_writer(message, MR_HELLO_MAX - 1);
    uint8_t name[MR_HELLO_CLIENT_ID_MAX];

    (void)state;
    memset(name, 'x', sizeof name);
    h.client_id = mr_span(name, sizeof name);
    h.listen_port = h.version = UINT64_MAX;
    h.capabilities_count = MR_CAPABILITY_OFFERED_MAX;
    for (unsigned i = 0; i < MR_CAPABILITY_OFFERED_MAX; i++)
        assert_true(mr_capability_make(&h.capabilities[i], mr_span("eightchr", 8), UINT64_MAX));
    assert_int_equal(mr_hello_encode(&w, &h), MR_OK);
}

/* H-10 */
static void an_id_other_than_the_authenticated_one_is_refused(void **state)
{
    struct mr_hello h = sample();
    struct mr_node_id own, authenticated = h.id;

    (void)state;
    memset(own.b, 0x77, sizeof own.b);
    assert_int_equal(mr_hello_check_identity(&h, &authenticated, &own), MR_P2P_NONE);
    for (unsigned bit = 0; bit < 512; bit++) {
        struct mr_hello other = h;

        other.id.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(mr_hello_check_identity(&other, &authenticated, &own),
                         MR_P2P_HELLO_OTHER_ID);
    }
    h.id = own; /* it says to be us, but is not */
    assert_int_equal(mr_hello_check_identity(&h, &authenticated, &own), MR_P2P_HELLO_OTHER_ID);
    assert_int_equal(mr_hello_check_identity(&h, &own, &own), MR_P2P_HELLO_OWN_ID);
}

static void client_text_is_safe_to_log(void **state)
{
    struct mr_hello h = sample();
    uint8_t every[256];
    char out[300];

    (void)state;
    for (unsigned i = 0; i < 256; i++)
        every[i] = (uint8_t)i;
    h.client_id = mr_span(every, 256);
    assert_int_equal(mr_hello_client_text(out, sizeof out, &h), 256);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(out[i], i >= 0x20 && i <= 0x7e ? (int)i : '.');
    assert_int_equal(out[256], '\0');
    assert_int_equal(mr_hello_client_text(out, 10, &h), 9);
    assert_int_equal(out[9], '\0');
    assert_int_equal(mr_hello_client_text(out, 1, &h), 0);
    assert_int_equal(out[0], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_ends_as_it_says),
        cmocka_unit_test(elements_of_wrong_kind_are_refused),
        cmocka_unit_test(capabilities_are_counted_and_64_are_kept),
        cmocka_unit_test(deep_extra_elements_are_skipped),
        cmocka_unit_test(decode_refuses_every_prefix),
        cmocka_unit_test(decode_gives_what_encode_wrote),
        cmocka_unit_test(encode_without_room_writes_nothing),
        cmocka_unit_test(our_largest_hello_fits_2_kib),
        cmocka_unit_test(an_id_other_than_the_authenticated_one_is_refused),
        cmocka_unit_test(client_text_is_safe_to_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
