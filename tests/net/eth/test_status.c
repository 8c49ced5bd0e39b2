#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/eth/status.h"
#include "net/eth/version.h"
#include "tests/net/eth/helper_wire.h"

static struct mr_eth_status sample(unsigned version)
{
    struct mr_eth_status s = {
        .version = version,
        .network_id = 560048,
        .fork_id = {.hash = 0x23aa1351, .next = 1764798551},
    };

    memset(s.genesis.b, 0xd4, 32);
    memset(s.latest_hash.b, 0x22, 32);
    if (version == MR_ETH_68) {
        s.total_difficulty.b[21] = 0x0c; /* 80 bits and more */
        s.total_difficulty.b[31] = 1;
    } else {
        s.earliest = 15537393;
        s.latest = 24476009;
    }
    return s;
}

static enum mr_err read_status(struct mr_span message, void *context)
{
    struct mr_eth_status s;

    return mr_eth_status_decode(&s, *(unsigned *)context, message);
}

static void every_version_survives_a_round_trip_and_refuses_every_prefix(void **state)
{
    (void)state;
    for (unsigned v = MR_ETH_VERSION_MIN; v <= MR_ETH_VERSION_MAX; v++) {
        uint8_t buf[MR_ETH_STATUS_MAX], again_buf[MR_ETH_STATUS_MAX];
        struct mr_writer w = mr_writer(buf, sizeof buf), again = mr_writer(again_buf, sizeof buf);
        struct mr_eth_status s = sample(v), got;

        assert_int_equal(mr_eth_status_encode(&w, &s), MR_OK);
        assert_int_equal(mr_eth_status_decode(&got, v, mr_writer_span(&w)), MR_OK);
        assert_int_equal(got.version, v);
        assert_int_equal(got.network_id, s.network_id);
        assert_int_equal(got.fork_id.hash, s.fork_id.hash);
        assert_int_equal(got.fork_id.next, s.fork_id.next);
        assert_memory_equal(&got.genesis, &s.genesis, 32);
        assert_memory_equal(&got.latest_hash, &s.latest_hash, 32);
        assert_memory_equal(&got.total_difficulty, &s.total_difficulty, 32);
        assert_int_equal(got.earliest, s.earliest);
        assert_int_equal(got.latest, s.latest);
        assert_int_equal(mr_eth_status_encode(&again, &got), MR_OK);
        assert_int_equal(again.n, w.n);
        assert_memory_equal(buf, again_buf, w.n);
        wire_refuses_all_but(read_status, &v, mr_writer_span(&w));
        for (size_t room = 0; room < w.n; room++) {
            struct mr_writer tight = mr_writer(wire_fill(0, room), room);

            assert_int_equal(mr_eth_status_encode(&tight, &s), MR_FULL);
            assert_int_equal(tight.n, 0);
        }
    }
}

static void the_longest_status_has_room(void **state)
{
    (void)state;
    for (unsigned v = MR_ETH_VERSION_MIN; v <= MR_ETH_VERSION_MAX; v++) {
        uint8_t buf[MR_ETH_STATUS_MAX];
        struct mr_writer w = mr_writer(buf, sizeof buf);
        struct mr_eth_status s;

        memset(&s, 0xff, sizeof s);
        s.version = v;
        assert_int_equal(mr_eth_status_encode(&w, &s), MR_OK);
    }
}

static void another_versions_status_is_refused(void **state)
{
    (void)state;
    for (unsigned sent = MR_ETH_VERSION_MIN; sent <= MR_ETH_VERSION_MAX; sent++) {
        uint8_t buf[MR_ETH_STATUS_MAX];
        struct mr_writer w = mr_writer(buf, sizeof buf);
        struct mr_eth_status s = sample(sent);

        assert_int_equal(mr_eth_status_encode(&w, &s), MR_OK);
        for (unsigned v = MR_ETH_VERSION_MIN; v <= MR_ETH_VERSION_MAX; v++) {
            enum mr_err e = mr_eth_status_decode(&s, v, mr_writer_span(&w));

            assert_int_equal(e, v == sent ? MR_OK : MR_INVALID);
        }
        /* The form of one class under the number of the other. */
        buf[2] = sent == MR_ETH_68 ? MR_ETH_69 : MR_ETH_68;
        assert_int_not_equal(mr_eth_status_decode(&s, buf[2], mr_writer_span(&w)), MR_OK);
    }
}

static void ranges_that_peers_refuse_are_refused(void **state)
{
    (void)state;
    for (unsigned v = MR_ETH_69; v <= MR_ETH_VERSION_MAX; v++) {
        uint8_t buf[MR_ETH_STATUS_MAX];
        struct mr_writer w = mr_writer(buf, sizeof buf);
        struct mr_eth_status s = sample(v), got;

        s.earliest = s.latest;
        assert_int_equal(mr_eth_status_encode(&w, &s), MR_OK);
        assert_int_equal(mr_eth_status_decode(&got, v, mr_writer_span(&w)), MR_OK);
        w.n = 0;
        s.earliest = s.latest + 1;
        assert_int_equal(mr_eth_status_encode(&w, &s), MR_OK);
        memset(&got, 0xee, sizeof got);
        assert_int_equal(mr_eth_status_decode(&got, v, mr_writer_span(&w)), MR_INVALID);
        assert_int_equal(got.version, 0xeeeeeeeeeeeeeeee); /* untouched */
        w.n = 0;
        s = sample(v);
        memset(s.latest_hash.b, 0, 32);
        assert_int_equal(mr_eth_status_encode(&w, &s), MR_OK);
        assert_int_equal(mr_eth_status_decode(&got, v, mr_writer_span(&w)), MR_INVALID);
    }
}

#define HASH                                                                                       \
    "a0"                                                                                           \
    "d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4"
#define HASH33                                                                                     \
    "a1"                                                                                           \
    "d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4"
#define FORK "c684b715077d80"

static void one_wrong_part_refuses_the_status(void **state)
{
    /* RLP of the fields of eth/69 and what stands behind them. */
    static const struct {
        enum mr_err want;
        const char *network, *genesis, *fork, *earliest, *latest, *hash, *behind;
    } rows[] = {
        {MR_OK, "01", HASH, FORK, "80", "05", HASH, ""}, /* positive control */
        {MR_MALFORMED, "01", HASH, FORK, "80", "05", HASH, "80"},
        {MR_MALFORMED, "01", HASH, FORK, "80", "05", HASH, "c0"},
        {MR_MALFORMED, "00", HASH, FORK, "80", "05", HASH, ""},
        {MR_MALFORMED, "c0", HASH, FORK, "80", "05", HASH, ""},
        {MR_MALFORMED, "01", HASH33, FORK, "80", "05", HASH, ""},
        {MR_MALFORMED, "01", "80", FORK, "80", "05", HASH, ""},
        {MR_MALFORMED, "01", HASH, "c784b715077d8001", "80", "05", HASH, ""}, /* three elements */
        {MR_MALFORMED, "01", HASH, "c584b715077d", "80", "05", HASH, ""},     /* no next */
        {MR_MALFORMED, "01", HASH, "c583b7150780", "80", "05", HASH, ""},     /* 3-byte hash */
        {MR_TOO_BIG, "01", HASH, "cf84b715077d89010101010101010101", "80", "05", HASH, ""},
        {MR_MALFORMED, "01", HASH, "84b715077d", "80", "05", HASH, ""}, /* no list */
        {MR_MALFORMED, "01", HASH, FORK, "00", "05", HASH, ""},
        {MR_MALFORMED, "01", HASH, FORK, "80", "820005", HASH, ""},
        {MR_TOO_BIG, "01", HASH, FORK, "80", "89050505050505050505", HASH, ""},
        {MR_MALFORMED, "01", HASH, FORK, "80", "05", HASH33, ""},
        {MR_SHORT, "01", HASH, FORK, "80", "05", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        struct mr_eth_status s;
        struct wire b;
        size_t mark;

        wire_begin(&b, 256);
        mark = wire_open(&b);
        wire_put(&b, "45");
        wire_put(&b, rows[i].network);
        wire_put(&b, rows[i].genesis);
        wire_put(&b, rows[i].fork);
        wire_put(&b, rows[i].earliest);
        wire_put(&b, rows[i].latest);
        wire_put(&b, rows[i].hash);
        wire_put(&b, rows[i].behind);
        wire_close(&b, mark);
        assert_int_equal(mr_eth_status_decode(&s, MR_ETH_69, wire_end(&b)), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_survives_a_round_trip_and_refuses_every_prefix),
        cmocka_unit_test(the_longest_status_has_room),
        cmocka_unit_test(another_versions_status_is_refused),
        cmocka_unit_test(ranges_that_peers_refuse_are_refused),
        cmocka_unit_test(one_wrong_part_refuses_the_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
