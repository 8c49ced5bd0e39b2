#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/eth/eth_json.h"
#include "net/eth/header.h"
#include "tests/net/eth/helper_wire.h"

#define HASH "a02222222222222222222222222222222222222222222222222222222222222222"

static void messages_become_one_line_each(void **state)
{
    static const struct {
        unsigned version;
        uint64_t id;
        const char *hex, *json;
    } rows[] = {
        {69, 17, "e30509" HASH,
         "{\"name\":\"BlockRangeUpdate\",\"version\":69,\"id\":17,\"EarliestBlock\":5,"
         "\"LatestBlock\":9,\"LatestBlockHash\":"
         "\"0x2222222222222222222222222222222222222222222222222222222222222222\"}"},
        {68, 3, "cb8204d2c784deadbeef0280", NULL},   /* an element short */
        {68, 3, "cc8204d2c884deadbeef020001", NULL}, /* skip is 00 */
        {68, 3, "cc8204d2c884deadbeef028001",
         "{\"name\":\"GetBlockHeaders\",\"version\":68,\"id\":3,\"RequestId\":1234,\"Origin\":"
         "{\"Hash\":\"0x0000000000000000000000000000000000000000000000000000000000000000\","
         "\"Number\":3735928559},\"Amount\":2,\"Skip\":0,\"Reverse\":true}"},
        {68, 5, "c205c0",
         "{\"name\":\"GetBlockBodies\",\"version\":68,\"id\":5,\"RequestId\":5,"
         "\"GetBlockBodiesPacket\":[]}"},
        {70, 15, "c30507c0",
         "{\"name\":\"GetReceipts\",\"version\":70,\"id\":15,\"RequestId\":5,"
         "\"FirstBlockReceiptIndex\":7,\"GetReceiptsPacket\":[]}"},
        {70, 16, "cb0701c8c7c68001825208c0",
         "{\"name\":\"Receipts\",\"version\":70,\"id\":16,\"RequestId\":7,"
         "\"LastBlockIncomplete\":true,\"ReceiptsPacket\":[[{\"type\":\"0x0\",\"root\":\"0x\","
         "\"status\":\"0x1\",\"cumulativeGasUsed\":\"0x5208\",\"logs\":[]}]]}"},
        {71, 19, "c709c580c3020102",
         "{\"name\":\"BlockAccessLists\",\"version\":71,\"id\":19,\"RequestId\":9,"
         "\"BlockAccessListsPacket\":[\"0x80\",\"0xc3020102\"]}"},
        {68, 1, "e4e3" HASH "8201f4", NULL}, /* a list that overruns */
        {68, 1, "e5e4" HASH "8201f4",
         "{\"name\":\"NewBlockHashes\",\"version\":68,\"id\":1,\"NewBlockHashesPacket\":[{\"Hash\":"
         "\"0x2222222222222222222222222222222222222222222222222222222222222222\","
         "\"Number\":500}]}"},
        {72, 8, "d480c0c09011111111111111111111111111111111",
         "{\"name\":\"NewPooledTransactionHashes\",\"version\":72,\"id\":8,\"Types\":\"0x\","
         "\"Sizes\":[],\"Hashes\":[],\"Mask\":\"0x11111111111111111111111111111111\"}"},
        {72, 21, "d40bc0c09000000000000000000000000000000000",
         "{\"name\":\"Cells\",\"version\":72,\"id\":21,\"RequestId\":11,\"Hashes\":[],\"Cells\":[],"
         "\"Mask\":\"0x00000000000000000000000000000000\"}"},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        enum mr_err error;
        size_t offset;
        struct mr_json *j =
            mr_eth_json(&error, &offset, rows[i].version, rows[i].id, true, wire_hex(rows[i].hex));
        char *text;

        if (rows[i].json == NULL) {
            assert_null(j);
            assert_int_not_equal(error, MR_OK);
            continue;
        }
        if (j == NULL)
            fail_msg("row %zu: %s at %zu", i, mr_err_name(error), offset);
        assert_int_equal(error, MR_OK);
        text = mr_json_dump(j, NULL);
        assert_string_equal(text, rows[i].json);
        free(text);
        mr_json_free(j);
    }
}

static void errors_name_the_byte_that_is_wrong(void **state)
{
    static const struct {
        unsigned version;
        uint64_t id;
        enum mr_err error;
        size_t offset;
        const char *hex;
    } rows[] = {
        {68, 13, MR_NOT_FOUND, 0, "c0"},
        {73, 2, MR_NOT_FOUND, 0, "c0"},
        {68, 2, MR_SHORT, 0, ""},
        {68, 2, MR_SHORT, 0, "c3"},
        {68, 2, MR_MALFORMED, 1, "c080"},       /* bytes behind the message */
        {68, 5, MR_MALFORMED, 3, "c405c28105"}, /* 81 05 inside the list of hashes */
        {68, 17, MR_NOT_FOUND, 0, "e30509" HASH},
        {69, 17, MR_INVALID, 0, "e30905" HASH},    /* no byte to blame: the two disagree */
        {71, 19, MR_MALFORMED, 4, "c409c28005"},   /* an access list that is a number */
        {68, 4, MR_SHORT, 3, "c309c1c0"},          /* a header without fields */
        {68, 16, MR_MALFORMED, 4, "c505c3c28001"}, /* a receipt that is a string */
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        enum mr_err error = MR_OK;
        size_t offset = 99;

        assert_null(
            mr_eth_json(&error, &offset, rows[i].version, rows[i].id, true, wire_hex(rows[i].hex)));
        if (error != rows[i].error || offset != rows[i].offset)
            fail_msg("row %zu: %s at %zu", i, mr_err_name(error), offset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_become_one_line_each),
        cmocka_unit_test(errors_name_the_byte_that_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
