#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/rlpx/hello.h"
#include "net/rlpx/transport.h"
#include "tests/net/rlpx/helper_rlp_text.h"

static struct mr_capabilities eth68_snap1(void)
{
    const struct mr_protocol ours[] = {*mr_protocol_find("eth", 68), *mr_protocol_find("snap", 1)};
    const struct mr_capability theirs[] = {ours[1].capability, ours[0].capability};
    struct mr_capabilities c;

    assert_int_equal(mr_capabilities_match(&c, ours, 2, theirs, 2), MR_OK);
    return c;
}

static const struct mr_transport before_hello = {.shared = NULL, .snappy = false};
static uint8_t arena[MR_MESSAGE_MAX], frame[1 << 21];

static void compression_needs_version_5_on_both_sides(void **state)
{
    struct mr_capabilities c = eth68_snap1();
    static const struct {
        uint64_t ours, theirs;
        bool snappy;
    } rows[] = {{5, 5, true},  {5, 4, false},         {4, 5, false}, {5, 0, false},
                {5, 22, true}, {5, UINT64_MAX, true}, {5, 6, true},  {5, 1, false}};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        assert_int_equal(mr_transport_after_hello(&c, rows[i].ours, rows[i].theirs).snappy,
                         rows[i].snappy);
}

/* F-02 */
static void frames_are_bounded_on_their_header(void **state)
{
    struct mr_capabilities c = eth68_snap1();
    struct mr_transport t = mr_transport_after_hello(&c, 5, 5);
    struct mr_message m;

    (void)state;
    assert_int_equal(mr_transport_frame_max(&before_hello), 2048);
    assert_int_equal(mr_transport_frame_max(&t), (10 << 20) + (10 << 20) / 6 + 32 + 1);
    assert_true(mr_transport_frame_max(&t) < MR_FRAME_MAX);
    memset(frame, 0, 3000);
    frame[0] = 0x80;
    assert_int_equal(mr_transport_open(&m, &before_hello, mr_span(frame, 2048)), MR_P2P_NONE);
    assert_int_equal(mr_transport_open(&m, &before_hello, mr_span(frame, 2049)),
                     MR_P2P_FRAME_TOO_BIG);
}

struct row {
    const char *text; /* frame-data */
    enum mr_p2p_fault fault;
    uint8_t capability;
    uint16_t id;
    int payload_n; /* or -1: the payload does not inflate */
};

static void check(const struct mr_transport *t, const struct row *row)
{
    static const struct mr_message mark = {.capability = 77, .id = 4711};
    struct mr_message m = mark;
    size_t n = rlp_text(frame, sizeof frame, row->text);
    enum mr_p2p_fault f = mr_transport_open(&m, t, mr_span(frame, n));
    struct mr_span payload = mr_span(frame, 4711);

    if (f != row->fault)
        fail_msg("%s: %s, not %s", row->text, mr_p2p_fault_name(f), mr_p2p_fault_name(row->fault));
    if (f) {
        assert_memory_equal(&m, &mark, sizeof m);
        return;
    }
    assert_int_equal(m.capability, row->capability);
    assert_int_equal(m.id, row->id);
    f = mr_transport_payload(&payload, &m, arena, sizeof arena);
    if (f != (row->payload_n < 0 ? MR_P2P_BAD_SNAPPY : MR_P2P_NONE))
        fail_msg("%s: payload %s", row->text, mr_p2p_fault_name(f));
    assert_int_equal(payload.n, row->payload_n < 0 ? 4711 : row->payload_n);
}

#define BASE MR_CAPABILITY_BASE

/* H-18, and a Disconnect in the place of Hello (F-08). */
static void before_hello_nothing_is_compressed_and_little_allowed(void **state)
{
    static const struct row rows[] = {
        {"80 l{05}", MR_P2P_NONE, BASE, MR_BASE_HELLO, 2},
        {"80", MR_P2P_NONE, BASE, MR_BASE_HELLO, 0},
        {"80 00*2047", MR_P2P_NONE, BASE, MR_BASE_HELLO, 2047},
        {"80 00*2048", MR_P2P_FRAME_TOO_BIG, 0, 0, 0},
        {"01 c104", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 2},
        {"01 04", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 1},
        {"01 0204c104", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 4}, /* compressed: read as it is */
        {"01", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 0},
        {"02 c0", MR_P2P_BEFORE_HELLO, 0, 0, 0},
        {"03 c0", MR_P2P_BEFORE_HELLO, 0, 0, 0},
        {"04 c0", MR_P2P_BEFORE_HELLO, 0, 0, 0},
        {"0f c0", MR_P2P_BEFORE_HELLO, 0, 0, 0},
        {"10 c0", MR_P2P_BEFORE_HELLO, 0, 0, 0},
        {"7f c0", MR_P2P_BEFORE_HELLO, 0, 0, 0},
        {"820100 c0", MR_P2P_BEFORE_HELLO, 0, 0, 0},
        {"00 l{05}", MR_P2P_BAD_MESSAGE_ID, 0, 0, 0},
        {"8100 l{05}", MR_P2P_BAD_MESSAGE_ID, 0, 0, 0},
        {"", MR_P2P_BAD_MESSAGE_ID, 0, 0, 0},
        {"c0", MR_P2P_BAD_MESSAGE_ID, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        check(&before_hello, &rows[i]);
}

static void after_hello_everything_is_compressed_but_some_disconnects(void **state)
{
    static const struct row rows[] = {
        /* Disconnect in both encodings, both ways (F-08) */
        {"01 0204c104", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 2},
        {"01 010004", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 1},
        {"01 00", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 0},
        {"01", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 0},
        {"01 c104", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 2},
        {"01 c180", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 2},
        {"01 c0", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 1},
        {"01 04", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 1},
        {"01 10", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 1},
        {"01 80", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 1},
        {"01 ff*5", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 5},
        {"01 ff*1024", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 1024},
        {"01 ff*1025", MR_P2P_BASE_TOO_BIG, 0, 0, 0},
        {"01 8108 ff*2", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 4},   /* 1,025 bytes claimed */
        {"01 ffffff7f 04", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 5}, /* a bomb is never inflated */
        /* ping and pong */
        {"02 0100c0", MR_P2P_NONE, BASE, MR_BASE_PING, 1},
        {"03 0100c0", MR_P2P_NONE, BASE, MR_BASE_PONG, 1},
        {"02 00", MR_P2P_NONE, BASE, MR_BASE_PING, 0},
        {"02", MR_P2P_NONE, BASE, MR_BASE_PING, 0},
        {"02 c0", MR_P2P_BAD_SNAPPY, 0, 0, 0},
        {"02 8008 00*10", MR_P2P_NONE, BASE, MR_BASE_PING, -1}, /* 1,024 claimed */
        {"02 8108 00*10", MR_P2P_BASE_TOO_BIG, 0, 0, 0},        /* 1,025 */
        {"02 80808008 00", MR_P2P_INFLATED_TOO_BIG, 0, 0, 0},   /* 16 MiB on a ping */
        {"02 0100c0 00*2046", MR_P2P_BASE_TOO_BIG, 0, 0, 0},    /* much around little */
        /* a second Hello, ids of nobody */
        {"80 0105c0", MR_P2P_SECOND_HELLO, 0, 0, 0},
        {"80 l{05}", MR_P2P_SECOND_HELLO, 0, 0, 0},
        {"04 0100c0", MR_P2P_UNKNOWN_MESSAGE_ID, 0, 0, 0},
        {"0f 0100c0", MR_P2P_UNKNOWN_MESSAGE_ID, 0, 0, 0},
        {"29 0100c0", MR_P2P_UNKNOWN_MESSAGE_ID, 0, 0, 0},
        {"7f 0100c0", MR_P2P_UNKNOWN_MESSAGE_ID, 0, 0, 0},
        /* capabilities */
        {"10 0100c0", MR_P2P_NONE, 0, 0, 1},
        {"20 0100c0", MR_P2P_NONE, 0, 16, 1},
        {"21 0100c0", MR_P2P_NONE, 1, 0, 1},
        {"28 0100c0", MR_P2P_NONE, 1, 7, 1},
        {"10 00", MR_P2P_NONE, 0, 0, 0},
        {"10", MR_P2P_BAD_SNAPPY, 0, 0, 0},
        /* H-18: not compressed, or in snappy's stream format */
        {"10 l{ 44 01 80 s{11*32} s{22*32} }", MR_P2P_NONE, 0, 0, -1},
        {"10 c0", MR_P2P_BAD_SNAPPY, 0, 0, 0},
        {"10 ff060000734e61507059", MR_P2P_NONE, 0, 0, -1},
        /* sizes */
        {"10 ffffff07", MR_P2P_MESSAGE_TOO_BIG, 0, 0, 0},    /* 2^24 - 1 */
        {"10 80808008", MR_P2P_INFLATED_TOO_BIG, 0, 0, 0},   /* 2^24 */
        {"10 ffffffff0f", MR_P2P_INFLATED_TOO_BIG, 0, 0, 0}, /* 2^32 - 1 */
        {"10 8080808010", MR_P2P_BAD_SNAPPY, 0, 0, 0},       /* 2^32 */
        {"10 80808005", MR_P2P_NONE, 0, 0, -1},              /* 10 MiB */
        {"10 81808005", MR_P2P_MESSAGE_TOO_BIG, 0, 0, 0},    /* and one */
        {"21 81808005", MR_P2P_MESSAGE_TOO_BIG, 0, 0, 0},
        {"10 8180808000 00c0", MR_P2P_NONE, 0, 0, 1}, /* needless groups */
        {"10 818080808000 00c0", MR_P2P_BAD_SNAPPY, 0, 0, 0},
    };
    struct mr_capabilities c = eth68_snap1();
    struct mr_transport t = mr_transport_after_hello(&c, 5, 5);

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        check(&t, &rows[i]);
}

static void old_peers_are_spoken_to_without_compression(void **state)
{
    static const struct row rows[] = {
        {"01 c104", MR_P2P_NONE, BASE, MR_BASE_DISCONNECT, 2},
        {"02 c0", MR_P2P_NONE, BASE, MR_BASE_PING, 1},
        {"02 c0*1024", MR_P2P_NONE, BASE, MR_BASE_PING, 1024},
        {"02 c0*1025", MR_P2P_BASE_TOO_BIG, 0, 0, 0},
        {"10 0100c0", MR_P2P_NONE, 0, 0, 3},
        {"10", MR_P2P_NONE, 0, 0, 0},
        {"80 c0", MR_P2P_SECOND_HELLO, 0, 0, 0},
    };
    struct mr_capabilities c = eth68_snap1();
    struct mr_transport t = mr_transport_after_hello(&c, 5, 4);

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(rows); i++)
        check(&t, &rows[i]);
}

/* F-06: the outcome of one id, written as an RLP integer, for what is negotiated. */
static void check_id(const struct mr_transport *t, uint64_t id)
{
    uint8_t data[16];
    struct mr_writer w = mr_writer(data, sizeof data);
    struct mr_message m = {.id = 4711};
    enum mr_p2p_fault f, expected;

    assert_int_equal(mr_rlp_put_u64(&w, id), MR_OK);
    assert_int_equal(mr_rlp_put_raw(&w, "\x01\x00\xc0", 3), MR_OK);
    f = mr_transport_open(&m, t, mr_writer_span(&w));
    expected = id == 0                                           ? MR_P2P_SECOND_HELLO
               : id <= 3 || (id >= 16 && id < t->shared->end_id) ? MR_P2P_NONE
                                                                 : MR_P2P_UNKNOWN_MESSAGE_ID;
    if (f != expected)
        fail_msg("id %llu: %s", (unsigned long long)id, mr_p2p_fault_name(f));
    if (!f)
        assert_int_equal(mr_capabilities_wire_id(t->shared, m.capability, m.id), id);
    else
        assert_int_equal(m.id, 4711);
}

static void exactly_the_ids_of_the_table_are_taken(void **state)
{
    static const uint64_t far_away[] = {1 << 8,           (1 << 8) + 0x10, 1 << 16,
                                        (1 << 16) + 0x10, 1ull << 32,      (1ull << 32) + 0x10,
                                        1ull << 63,       UINT64_MAX};

    (void)state;
    for (unsigned set = 1; set < 1u << 7; set++) { /* of eth/68 to 72, snap/1 and 2 */
        struct mr_protocol ours[7];
        struct mr_capability theirs[7];
        struct mr_capabilities c;
        struct mr_transport t;
        size_t n = 0;

        for (unsigned i = 0; i < 7; i++) {
            if (set >> i & 1) {
                ours[n] = *mr_protocol_find(i < 5 ? "eth" : "snap", i < 5 ? 68 + i : i - 4);
                theirs[n] = ours[n].capability;
                n++;
            }
        }
        assert_int_equal(mr_capabilities_match(&c, ours, n, theirs, n), MR_OK);
        t = mr_transport_after_hello(&c, 5, 5);
        for (uint64_t id = 0; id <= 300; id++)
            check_id(&t, id);
        for (size_t i = 0; i < MR_COUNT_OF(far_away); i++)
            check_id(&t, far_away[i]);
    }
}

static void ids_are_canonical_integers(void **state)
{
    static const char *const bad[] = {
        "00 0100c0",
        "8100 0100c0",
        "8110 0100c0",
        "817f 0100c0",
        "820001 0100c0",
        "820010 0100c0",
        "830000100100c0",
        "b80110 0100c0",
        "b90001 10",
        "c0 0100c0",
        "c110 0100c0",
        "81",
        "82 01",
        "b8",
        "s{01 00*8} 0100c0",
        "s{ff*16} 0100c0",
        "s{10*60} 0100c0",
        "ff ff*8 0100c0",
        "bf ff*8",
        "",
    };
    struct mr_capabilities c = eth68_snap1();
    struct mr_transport t = mr_transport_after_hello(&c, 5, 5);

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(bad); i++) {
        check(&t, &(struct row){bad[i], MR_P2P_BAD_MESSAGE_ID, 0, 0, 0});
        check(&before_hello, &(struct row){bad[i], MR_P2P_BAD_MESSAGE_ID, 0, 0, 0});
    }
}

/* What we write is what we read, for every id and in all three phases. */
static void written_messages_are_read_back(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 59, 60, 61, 62, 255, 256, 257, 1000, 70000};
    struct mr_capabilities c = eth68_snap1();
    const struct mr_transport phases[] = {before_hello, mr_transport_after_hello(&c, 5, 4),
                                          mr_transport_after_hello(&c, 5, 5)};
    uint8_t *payload = malloc(70000), head[MR_MESSAGE_HEAD_MAX];

    (void)state;
    for (size_t i = 0; i < 70000; i++)
        payload[i] = (uint8_t)(i * 31 >> 3);
    for (size_t p = 0; p < MR_COUNT_OF(phases); p++) {
        uint16_t last = p == 0 ? 1 : (uint16_t)(c.end_id - 1);

        for (uint16_t id = p == 0 ? 0 : 1; id <= last; id = (uint16_t)(id == 3 ? 16 : id + 1)) {
            for (size_t s = 0; s < MR_COUNT_OF(sizes); s++) {
                struct mr_span spans[2], got;
                struct mr_writer w = mr_writer(frame, sizeof frame);
                struct mr_message m;
                size_t n;

                if (sizes[s] > 1000 && id < 16)
                    continue; /* over the base protocol's limit */
                n = mr_message_spans(spans, head, &phases[p], id, mr_span(payload, sizes[s]));
                assert_int_equal(n, sizes[s] ? 2 : 1);
                for (size_t i = 0; i < n; i++)
                    assert_int_equal(mr_rlp_put_raw(&w, spans[i].p, spans[i].n), MR_OK);
                assert_int_equal(mr_transport_open(&m, &phases[p], mr_writer_span(&w)),
                                 MR_P2P_NONE);
                assert_int_equal(m.inflated_n, sizes[s]);
                assert_int_equal(mr_transport_payload(&got, &m, arena, sizes[s]), MR_P2P_NONE);
                assert_int_equal(got.n, sizes[s]);
                assert_memory_equal(got.p, payload, got.n);
                if (p > 0)
                    assert_int_equal(mr_capabilities_wire_id(&c, m.capability, m.id), id);
            }
        }
    }
    free(payload);
}

static void heads_without_room_write_nothing(void **state)
{
    struct mr_capabilities c = eth68_snap1();
    struct mr_transport t = mr_transport_after_hello(&c, 5, 5);
    uint8_t b[8];
    struct mr_writer w;

    (void)state;
    for (size_t cap = 0; cap < 4; cap++) {
        w = mr_writer(b, cap);
        assert_int_equal(mr_message_put_head(&w, &t, 0x12, 70000), MR_FULL);
        assert_int_equal(w.n, 0);
    }
    w = mr_writer(b, 4);
    assert_int_equal(mr_message_put_head(&w, &t, 0x12, 70000), MR_OK);
    assert_memory_equal(b, "\x12\xf0\xa2\x04", 4);
    w = mr_writer(b, 8);
    assert_int_equal(mr_message_put_head(&w, &before_hello, 0, 70000), MR_OK);
    assert_int_equal(w.n, 1);
    assert_int_equal(b[0], 0x80);
}

/* A peer that speaks by the letter: Hello, then a compressed ping, through both layers. */
static void a_hello_passes_through_a_frame(void **state)
{
    struct mr_hello h = {.version = 5, .client_id = mr_span("x", 1)}, back;
    uint8_t payload[MR_HELLO_MAX], head[MR_MESSAGE_HEAD_MAX];
    struct mr_writer p = mr_writer(payload, sizeof payload), w = mr_writer(frame, sizeof frame);
    struct mr_span spans[2], got;
    struct mr_message m;
    size_t n;

    (void)state;
    h.id.b[5] = 5;
    assert_int_equal(mr_hello_encode(&p, &h), MR_OK);
    n = mr_message_spans(spans, head, &before_hello, MR_BASE_HELLO, mr_writer_span(&p));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(mr_rlp_put_raw(&w, spans[i].p, spans[i].n), MR_OK);
    assert_int_equal(mr_transport_open(&m, &before_hello, mr_writer_span(&w)), MR_P2P_NONE);
    assert_int_equal(mr_transport_payload(&got, &m, NULL, 0), MR_P2P_NONE);
    assert_int_equal(mr_hello_decode(&back, got), MR_P2P_NONE);
    assert_true(mr_node_id_equal(&back.id, &h.id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compression_needs_version_5_on_both_sides),
        cmocka_unit_test(frames_are_bounded_on_their_header),
        cmocka_unit_test(before_hello_nothing_is_compressed_and_little_allowed),
        cmocka_unit_test(after_hello_everything_is_compressed_but_some_disconnects),
        cmocka_unit_test(old_peers_are_spoken_to_without_compression),
        cmocka_unit_test(exactly_the_ids_of_the_table_are_taken),
        cmocka_unit_test(ids_are_canonical_integers),
        cmocka_unit_test(written_messages_are_read_back),
        cmocka_unit_test(heads_without_room_write_nothing),
        cmocka_unit_test(a_hello_passes_through_a_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
