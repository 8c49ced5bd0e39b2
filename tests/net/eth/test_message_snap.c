/* snap_messages.json is made from caps/snap.md and geth's layouts; the file says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/eth/message.h"
#include "net/eth/message_snap.h"
#include "tests/net/eth/helper_corpus.h"
#include "tests/net/eth/helper_wire.h"

static void exactly_the_specified_ids_are_known(void **state)
{
    (void)state;
    assert_int_equal(mr_snap_version_length(0), 0);
    assert_int_equal(mr_snap_version_length(1), 8);
    assert_int_equal(mr_snap_version_length(2), 10);
    assert_int_equal(mr_snap_version_length(3), 0);
    for (unsigned v = 0; v <= 4; v++) {
        for (uint64_t id = 0; id <= 300; id++) {
            bool known = (v == 1 && id <= 7) || (v == 2 && (id <= 5 || id == 8 || id == 9));
            const struct mr_snap_message *m = mr_snap_message_find(v, id), *answer;

            assert_int_equal(m != NULL, known);
            if (m == NULL)
                continue;
            assert_int_equal(m->id, id);
            assert_int_equal(m->kind, id % 2 == 0 ? MR_ETH_REQUEST : MR_ETH_RESPONSE);
            if (m->kind != MR_ETH_REQUEST)
                continue;
            answer = mr_snap_message_find(v, m->answer_id);
            assert_non_null(answer);
            assert_string_equal(m->name + 3, answer->name);
        }
        assert_null(mr_snap_message_find(v, UINT64_MAX));
    }
}

struct question {
    unsigned version;
    uint64_t id;
};

static enum mr_err answer_to(struct mr_span message, void *context)
{
    const struct question *q = context;
    uint8_t buf[64];
    struct mr_writer w = mr_writer(buf, sizeof buf);
    uint64_t answer_id;

    return mr_snap_empty_answer(q->version, q->id, message, &w, &answer_id);
}

static void vectors_are_recognised_and_requests_answered(void **state)
{
    static const char *const empty[] = {"c0c0", "c0c0", "c0", "c0", "c180"};
    struct mr_json *file = vectors_load("snap_messages.json");
    const struct mr_json *all = mr_json_get(file, "messages");
    size_t answered = 0;

    (void)state;
    for (size_t i = 0; i < mr_json_count(all); i++) {
        const struct mr_json *m = mr_json_at(all, i);
        struct mr_span rlp = wire_json_hex(mr_json_get(m, "rlp")), want;
        struct mr_writer w = mr_writer(wire_fill(0, 64), 64);
        struct question q = {.version = MR_SNAP_1};
        uint64_t request_id, answer_id, got_id;
        struct mr_reader body;

        assert_int_equal(mr_json_u64(mr_json_get(m, "msg_id"), &q.id), MR_OK);
        q.version = q.id >= 8 ? MR_SNAP_2 : MR_SNAP_1;
        assert_non_null(mr_snap_message_find(q.version, q.id));
        assert_int_equal(mr_eth_request_id(rlp, &request_id, &body), MR_OK);
        if (q.id % 2 == 1) {
            assert_int_equal(mr_snap_empty_answer(q.version, q.id, rlp, &w, &answer_id),
                             MR_NOT_FOUND);
            continue;
        }
        assert_int_equal(mr_snap_empty_answer(q.version, q.id, rlp, &w, &answer_id), MR_OK);
        assert_int_equal(answer_id, q.id + 1);
        assert_int_equal(mr_eth_request_id(mr_writer_span(&w), &got_id, &body), MR_OK);
        assert_true(got_id == request_id);
        want = wire_hex(empty[q.id / 2]);
        assert_int_equal(mr_reader_left(&body), want.n);
        assert_memory_equal(body.p, want.p, want.n);
        wire_refuses_all_but(answer_to, &q, rlp);
        answered++;
    }
    assert_int_equal(answered, 5);
    mr_json_free(file);
}

#define HASH "a00101010101010101010101010101010101010101010101010101010101010101"

static const struct {
    enum mr_err want;
    unsigned version;
    uint64_t id;
    const char *parts;
} parts_rows[] = {
    {MR_OK, 1, 0, "01" HASH HASH HASH "05"}, /* positive control */
    {MR_MALFORMED, 1, 0,
     "01" HASH HASH HASH "05"
     "80"},
    {MR_MALFORMED, 1, 0, "01" HASH "80" HASH "05"},
    {MR_MALFORMED, 1, 0,
     "01" HASH HASH "80"
     "05"},
    {MR_MALFORMED, 1, 0,
     "01"
     "80" HASH HASH "05"},
    {MR_OK, 2, 2,
     "01" HASH "c0"
     "80"
     "80"
     "05"},
    {MR_OK, 2, 2, "01" HASH "e1" HASH "80" HASH "05"},
    {MR_MALFORMED, 2, 2,
     "01" HASH "c101"
     "80"
     "80"
     "05"},
    {MR_OK, 1, 4,
     "01"
     "e1" HASH "05"},
    {MR_SHORT, 1, 4,
     "01"
     "e1" HASH},
    {MR_MALFORMED, 1, 4,
     "01"
     "e1" HASH "c0"},
    {MR_OK, 1, 6,
     "01" HASH "c3c20102"
     "05"},
    {MR_MALFORMED, 1, 6,
     "01" HASH "c3c201c0"
     "05"},
    {MR_MALFORMED, 1, 6,
     "01" HASH "c101"
     "05"},
    {MR_NOT_FOUND, 2, 6,
     "01" HASH "c3c20102"
     "05"},
    {MR_OK, 2, 8,
     "01"
     "e1" HASH "05"},
    {MR_NOT_FOUND, 1, 8,
     "01"
     "e1" HASH "05"},
};

static void one_wrong_part_leaves_a_request_unanswered(void **state)
{
    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(parts_rows); i++) {
        struct mr_writer w = mr_writer(wire_fill(0, 64), 64);
        uint64_t answer_id = 99;
        struct wire b;
        size_t mark;

        wire_begin(&b, 512);
        mark = wire_open(&b);
        wire_put(&b, parts_rows[i].parts);
        wire_close(&b, mark);
        if (mr_snap_empty_answer(parts_rows[i].version, parts_rows[i].id, wire_end(&b), &w,
                                 &answer_id) != parts_rows[i].want)
            fail_msg("row %zu", i);
        if (parts_rows[i].want != MR_OK) {
            assert_int_equal(w.n, 0);
            assert_int_equal(answer_id, 99);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_specified_ids_are_known),
        cmocka_unit_test(vectors_are_recognised_and_requests_answered),
        cmocka_unit_test(one_wrong_part_leaves_a_request_unanswered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
