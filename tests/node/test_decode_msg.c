#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/eth/version.h"
#include "node/decode.h"

static void every_vector_is_shown_or_refused_as_it_says(void **state)
{
    struct mr_json *root = mr_json_load(NULL, MR_TEST_VECTORS "/eth_messages.json");
    const struct mr_json *all = mr_json_get(root, "messages");
    size_t shown = 0, refused = 0;

    (void)state;
    assert_non_null(root);
    for (size_t i = 0; i < mr_json_count(all); i++) {
        const struct mr_json *row = mr_json_at(all, i);
        const struct mr_json *versions = mr_json_get(row, "eth_versions");
        bool invalid = false;
        uint64_t id, version;
        size_t n;
        uint8_t *bytes = mr_json_hex_dup(mr_json_get(row, "rlp"), &n);

        (void)mr_json_bool(mr_json_get(row, "invalid"), &invalid);
        /* In geth's own table of tests these bytes are a GetBlockHeaders. */
        invalid |= strcmp(mr_json_string(mr_json_get(row, "name"), NULL), "ReceiptsPacket69") == 0;
        for (size_t k = 0;
             k < mr_json_count(versions) && mr_json_u64(mr_json_get(row, "msg_id"), &id) == MR_OK;
             k++) {
            struct mr_decode_error error = {.text = ""};
            struct mr_json *o;

            assert_int_equal(mr_json_u64(mr_json_at(versions, k), &version), MR_OK);
            if (!mr_eth_version_known((unsigned)version))
                continue;
            o = mr_decode_msg(&error, (unsigned)version, id, true, mr_span(bytes, n));
            if ((o == NULL) != invalid)
                fail_msg("%s: %s", mr_json_string(mr_json_get(row, "name"), NULL), error.text);
            assert_true(invalid == (error.text[0] != 0));
            shown += !invalid, refused += invalid;
            mr_json_free(o);
        }
        free(bytes);
    }
    assert_true(shown > 40);
    assert_true(refused > 5);
    mr_json_free(root);
}

static void an_id_that_does_not_exist_is_named(void **state)
{
    static const struct {
        unsigned version;
        uint64_t id;
        bool legacy_blocks;
        const char *text;
    } rows[] = {
        {69, 30, false, "eth/69 has no message with id 30"},
        {68, 17, false, "eth/68 has no message with id 17"},
        {68, 13, true, "eth/68 has no message with id 13"},
        {68, 1, false,
         "eth/68 has no message with id 1 on this network: only those with proof of work have it"},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_decode_error error;

        assert_null(mr_decode_msg(&error, rows[i].version, rows[i].id, rows[i].legacy_blocks,
                                  mr_span("\xc0", 1)));
        assert_string_equal(error.text, rows[i].text);
    }
}

static void broken_rlp_is_told_from_a_wrong_message(void **state)
{
    struct mr_decode_error error;

    (void)state;
    assert_null(mr_decode_msg(&error, 69, 5, false, mr_span("\xc2\x05", 2)));
    assert_string_equal(error.text, "an item of 2 bytes, but the input ends after 1");
    assert_null(mr_decode_msg(&error, 69, 5, false, mr_span("\xc2\x05\x05", 3)));
    assert_string_equal(error.text, "GetBlockBodies: encoding rule broken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_is_shown_or_refused_as_it_says),
        cmocka_unit_test(an_id_that_does_not_exist_is_named),
        cmocka_unit_test(broken_rlp_is_told_from_a_wrong_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
