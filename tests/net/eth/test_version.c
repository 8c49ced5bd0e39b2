#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/eth/message.h"
#include "net/eth/version.h"
#include "tests/net/eth/helper_wire.h"

#define HASH_A "a0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "a0bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void versions_have_the_lengths_that_peers_compute(void **state)
{
    (void)state;
    assert_int_equal(mr_eth_version_length(67), 0);
    assert_int_equal(mr_eth_version_length(68), 17);
    assert_int_equal(mr_eth_version_length(69), 18);
    assert_int_equal(mr_eth_version_length(70), 18);
    assert_int_equal(mr_eth_version_length(71), 20);
    assert_int_equal(mr_eth_version_length(72), 22);
    assert_int_equal(mr_eth_version_length(73), 0);
    assert_int_equal(MR_ETH_VERSION_ADVERTISED, 71);
}

/* F-06: what the specification gives each version, written out. */
static bool exists(unsigned version, uint64_t id, bool legacy_blocks)
{
    if (version < 68 || version > 72)
        return false;
    if (id == 1 || id == 7)
        return legacy_blocks;
    if (id <= 10)
        return true;
    switch (id) {
    case 15:
    case 16:
        return true;
    case 17:
        return version >= 69;
    case 18:
    case 19:
        return version >= 71;
    case 20:
    case 21:
        return version >= 72;
    default:
        return false;
    }
}

static void exactly_the_specified_ids_are_known(void **state)
{
    static const uint64_t large[] = {
        1 << 10, 1 << 16, (uint64_t)1 << 32, ((uint64_t)1 << 32) + 2, UINT64_MAX - 253, UINT64_MAX};

    (void)state;
    for (unsigned version = 0; version < 300; version++) {
        for (int legacy = 0; legacy < 2; legacy++) {
            for (uint64_t id = 0; id <= 600; id++) {
                const struct mr_eth_message *m = mr_eth_message_find(version, id, legacy);

                assert_int_equal(m != NULL, exists(version, id, legacy));
                if (m != NULL) {
                    assert_int_equal(m->id, id);
                    assert_true(id < mr_eth_version_length(version));
                }
            }
            for (size_t i = 0; i < MR_COUNT_OF(large); i++)
                assert_null(mr_eth_message_find(version, large[i], legacy));
        }
    }
}

static void every_request_and_nothing_else_has_an_answer(void **state)
{
    (void)state;
    for (unsigned version = 68; version <= 72; version++) {
        for (uint64_t id = 0; id < MR_ETH_IDS_MAX; id++) {
            const struct mr_eth_message *m = mr_eth_message_find(version, id, true), *answer;

            if (m == NULL)
                continue;
            assert_non_null(m->check);
            assert_int_equal(m->kind == MR_ETH_REQUEST, m->empty != NULL);
            assert_int_equal(strncmp(m->name, "Get", 3) == 0, m->kind == MR_ETH_REQUEST);
            if (m->kind != MR_ETH_REQUEST)
                continue;
            answer = mr_eth_message_find(version, m->answer_id, true);
            assert_non_null(answer);
            assert_int_equal(answer->kind, MR_ETH_RESPONSE);
            assert_string_equal(answer->name, m->name + 3);
        }
    }
}

struct answer_row {
    unsigned first, last;
    uint64_t id, answer_id;
    const char *request, *answer; /* NULL: refused */
};

/* design: "I have none" differs by version */
static const struct answer_row answers[] = {
    {68, 72, 3, 4, "c605c405018080", "c205c0"},
    {68, 72, 3, 4, "c8820457c405018080", "c4820457c0"},
    {68, 72, 5, 6, "c205c0", "c205c0"},
    {68, 72, 5, 6, "e305e1" HASH_A, "c205c0"},
    {68, 72, 5, 6,
     "c405c201"
     "02",
     NULL}, /* no hashes */
    {68, 72, 9, 10, "f84505f842" HASH_A HASH_B, "c205c0"},
    {68, 69, 15, 16, "e305e1" HASH_A, "c205c0"},
    {68, 69, 15, 16, "e40580e1" HASH_A, NULL}, /* the form of eth/70 */
    {70, 72, 15, 16, "e40580e1" HASH_A, "c30580c0"},
    {70, 72, 15, 16, "e40507e1" HASH_A, "c30580c0"},
    {70, 72, 15, 16, "e305e1" HASH_A, NULL}, /* the form of eth/69 */
    {71, 72, 18, 19, "c205c0", "c205c0"},
    {71, 72, 18, 19, "e305e1" HASH_A, "c305c180"},
    {71, 72, 18, 19, "f84505f842" HASH_A HASH_B, "c405c28080"},
    {68, 70, 18, 0, "c205c0", NULL}, /* unknown there */
    {72, 72, 20, 21,
     "f405e1" HASH_A "90"
     "03000000000000000000000000000000",
     "d405c0c090"
     "00000000000000000000000000000000"},
    {68, 71, 20, 0,
     "f405e1" HASH_A "90"
     "03000000000000000000000000000000",
     NULL},
    {68, 72, 4, 0, "c205c0", NULL}, /* a response is no request */
    {68, 72, 2, 0, "c0", NULL},
};

static void empty_answers_have_their_versions_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(answers); i++) {
        const struct answer_row *row = &answers[i];
        struct mr_span request = wire_hex(row->request), want;

        for (unsigned v = row->first; v <= row->last; v++) {
            uint8_t buf[64];
            struct mr_writer w = mr_writer(buf, sizeof buf);
            uint64_t answer_id = 99;
            enum mr_err e = mr_eth_empty_answer(v, row->id, request, &w, &answer_id);

            if ((e == MR_OK) != (row->answer != NULL))
                fail_msg("row %zu, eth/%u: %s", i, v, mr_err_name(e));
            if (e != MR_OK) {
                assert_int_equal(w.n, 0);
                assert_int_equal(answer_id, 99);
                continue;
            }
            want = wire_hex(row->answer);
            assert_int_equal(answer_id, row->answer_id);
            assert_int_equal(w.n, want.n);
            assert_memory_equal(w.p, want.p, want.n);
            assert_int_equal(mr_eth_message_check(v, answer_id, false, want), MR_OK);
            for (size_t room = 0; room < want.n; room++) {
                struct mr_writer tight = mr_writer(wire_fill(0, room), room);

                assert_int_equal(mr_eth_empty_answer(v, row->id, request, &tight, &answer_id),
                                 MR_FULL);
                assert_int_equal(tight.n, 0);
            }
        }
    }
}

static enum mr_err answer_to(struct mr_span message, void *context)
{
    const struct answer_row *row = context;
    uint8_t buf[64];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    uint64_t answer_id;

    return mr_eth_empty_answer(row->last, row->id, message, &w, &answer_id);
}

static void no_prefix_of_a_request_is_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(answers); i++) {
        if (answers[i].answer != NULL)
            wire_refuses_all_but(answer_to, (void *)(uintptr_t)&answers[i],
                                 wire_hex(answers[i].request));
    }
}

/* E-05: an answer of nothing grows with the question, up to a bound. */
static void access_lists_are_missed_at_most_1024_times(void **state)
{
    static const size_t asked[] = {1023, 1024, 1025, 4096};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(asked); i++) {
        struct mr_writer request = mr_writer(wire_fill(0, 140000), 140000);
        struct mr_writer w = mr_writer(wire_fill(0, 2048), 2048);
        struct mr_hash *hashes = (struct mr_hash *)wire_fill(3, 32 * asked[i]);
        struct mr_eth_items got;
        uint64_t id;

        assert_int_equal(mr_hash_request_encode(&request, 8, hashes, asked[i]), MR_OK);
        assert_int_equal(mr_eth_empty_answer(71, 18, mr_writer_span(&request), &w, &id), MR_OK);
        assert_int_equal(mr_response_decode(&got, mr_writer_span(&w), 4096), MR_OK);
        assert_int_equal(got.count, MR_MIN(asked[i], 1024));
    }
}

static void messages_over_10_mib_are_refused(void **state)
{
    size_t n = (10u << 20) + 1;
    uint8_t *p = wire_fill(0, n);

    (void)state;
    for (uint64_t id = 0; id < MR_ETH_IDS_MAX; id++) {
        if (mr_eth_message_find(72, id, false) != NULL)
            assert_int_equal(mr_eth_message_check(72, id, false, mr_span(p, n)), MR_TOO_BIG);
    }
}

/* A nest of depth lists. */
static void put_nest(struct wire *b, size_t depth)
{
    size_t len = 0;
    uint8_t *p;

    /* Built from the inside: each list's prefix stands before what it holds. */
    p = wire_fill(0, 9 * depth);
    for (size_t i = 0; i < depth; i++) {
        struct mr_writer head = mr_writer(wire_fill(0, 9), 9);

        assert_int_equal(mr_rlp_put_list_head(&head, len), MR_OK);
        len += head.n;
        memcpy(p + 9 * depth - len, head.p, head.n);
    }
    wire_raw(b, p + 9 * depth - len, len);
}

/* Messages in which something is passed over or nested: where the nest stands is written as N. */
static const struct {
    unsigned first, last;
    uint64_t id;
    bool opaque; /* the nest is never entered: any list of lists within the bound passes */
    const char *before, *open, *after;
} nests[] = {
    {68, 72, 0, false, "45", "", ""},      /* [69, N] */
    {68, 72, 1, false, "", "(", ""},       /* [[N]] */
    {68, 72, 2, false, "", "", ""},        /* [N] */
    {68, 72, 3, false, "05", "(", ""},     /* [5, [N]] */
    {68, 72, 4, false, "05", "((", ""},    /* [5, [[N]]] */
    {68, 72, 5, false, "05", "(", ""},     /* [5, [N]] */
    {68, 72, 6, false, "05", "(((", ""},   /* [5, [[[N]]]] */
    {68, 72, 7, false, "", "((", ""},      /* [[[N]]] */
    {68, 72, 8, false, "80", "(", ""},     /* ["", [N]] */
    {68, 72, 9, false, "05", "(", ""},     /* [5, [N]] */
    {68, 72, 10, false, "05", "(", ""},    /* [5, [N]] */
    {68, 69, 15, false, "05", "(", ""},    /* [5, [N]] */
    {70, 72, 15, false, "0580", "(", ""},  /* [5, 0, [N]] */
    {68, 69, 16, false, "05", "((", ""},   /* [5, [[N]]] */
    {70, 72, 16, false, "0580", "((", ""}, /* [5, 0, [[N]]] */
    {69, 72, 17, false, "8080", "", ""},   /* [0, 0, N] */
    {71, 72, 18, false, "05", "(", ""},    /* [5, [N]] */
    {71, 72, 19, true, "05", "(", ""},     /* [5, [N]] */
    {72, 72, 20, false, "05", "(", ""},    /* [5, [N]] */
    {72, 72, 21, false, "05c0", "((", ""}, /* [5, [], [[N]]] */
};

static struct mr_span nested_message(size_t row, size_t depth)
{
    size_t marks[4], n = 0;
    struct wire b;

    wire_begin(&b, 64 + 5 * depth);
    marks[n++] = wire_open(&b);
    wire_put(&b, nests[row].before);
    for (const char *c = nests[row].open; *c != 0; c++)
        marks[n++] = wire_open(&b);
    put_nest(&b, depth);
    wire_put(&b, nests[row].after);
    while (n > 0)
        wire_close(&b, marks[--n]);
    return wire_end(&b);
}

/* F-10 */
static void nesting_deeper_than_16_lists_is_refused_in_every_message(void **state)
{
    static const size_t deeper[] = {17, 18, 24, 100, 10000, 600000, 1000000};

    (void)state;
    for (size_t row = 0; row < MR_COUNT_OF(nests); row++) {
        unsigned v = nests[row].last;

        assert_non_null(mr_eth_message_find(v, nests[row].id, true));
        for (size_t depth = 3; depth <= 16; depth++)
            assert_int_equal(
                mr_eth_message_check(v, nests[row].id, true, nested_message(row, depth)) == MR_OK,
                nests[row].opaque);
        for (size_t i = 0; i < MR_COUNT_OF(deeper); i++)
            assert_int_not_equal(
                mr_eth_message_check(v, nests[row].id, true, nested_message(row, deeper[i])),
                MR_OK);
    }
}

/* F-11: a message of ten million items is refused in every version, under every id. */
static void ten_million_items_are_refused_by_count(void **state)
{
    static const uint8_t items[] = {0x80, 0xc0};
    size_t n = (10u << 20) - 16;

    (void)state;
    for (size_t k = 0; k < MR_COUNT_OF(items); k++) {
        struct wire flat, response;
        size_t outer, list;

        wire_begin(&flat, n + 16);
        outer = wire_open(&flat);
        wire_raw(&flat, wire_fill(items[k], n), n);
        wire_close(&flat, outer);
        wire_begin(&response, n + 16);
        outer = wire_open(&response);
        wire_u64(&response, 5);
        list = wire_open(&response);
        wire_raw(&response, wire_fill(items[k], n - 16), n - 16);
        wire_close(&response, list);
        wire_close(&response, outer);
        for (unsigned v = 68; v <= 72; v++) {
            for (uint64_t id = 0; id < MR_ETH_IDS_MAX; id++) {
                if (mr_eth_message_find(v, id, true) == NULL)
                    continue;
                if (mr_eth_message_check(v, id, true, wire_end(&flat)) == MR_OK)
                    fail_msg("eth/%u took id %d", v, (int)id);
                if (mr_eth_message_check(v, id, true, wire_end(&response)) == MR_OK)
                    fail_msg("eth/%u took id %d", v, (int)id);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_have_the_lengths_that_peers_compute),
        cmocka_unit_test(exactly_the_specified_ids_are_known),
        cmocka_unit_test(every_request_and_nothing_else_has_an_answer),
        cmocka_unit_test(empty_answers_have_their_versions_form),
        cmocka_unit_test(no_prefix_of_a_request_is_answered),
        cmocka_unit_test(access_lists_are_missed_at_most_1024_times),
        cmocka_unit_test(messages_over_10_mib_are_refused),
        cmocka_unit_test(nesting_deeper_than_16_lists_is_refused_in_every_message),
        cmocka_unit_test(ten_million_items_are_refused_by_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
