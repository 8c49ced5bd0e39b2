/* The chain that the load's peers claim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/eth/header.h"
#include "net/eth/message.h"
#include "perf/load_chain.h"

#define WALL_S UINT64_C(1795000003)
#define ROOM   (2u << 20)

static struct mr_load_chain chain; /* 760 KiB */
static uint8_t room[ROOM];

static struct mr_header decoded(const struct mr_load_header *h)
{
    struct mr_header out;

    assert_int_equal(mr_header_decode(&out, mr_span(h->rlp, h->size)), MR_OK);
    assert_true(mr_hash_equal(&out.hash, &h->hash));
    assert_int_equal(out.number, h->number);
    assert_int_equal(out.time, h->time);
    return out;
}

static void headers_link_by_the_rules_on_every_network(void **state)
{
    (void)state;
    for (size_t net = 0; mr_network_preset(net); net++) {
        struct mr_header child, parent;

        mr_load_chain_init(&chain, mr_network_preset(net), WALL_S);
        assert_int_equal(chain.count, MR_LOAD_CHAIN_FIRST);
        for (uint64_t i = 0; i < chain.count; i++) {
            child = decoded(&chain.headers[i]);
            assert_int_equal(mr_header_check(&child, MR_HEADER_EXTRA_MAX), MR_OK);
            if (i > 0)
                assert_int_equal(mr_header_check_child(&child, &parent), MR_OK);
            parent = child;
        }
        assert_int_equal(child.gas_limit, MR_LOAD_CHAIN_GAS_LIMIT);
        assert_true(child.time <= WALL_S && child.time + MR_LOAD_CHAIN_SLOT_S > WALL_S);
        assert_true(child.number > mr_network_last_block_fork(mr_network_preset(net)));
    }
}

static void mainnets_headers_have_todays_fields(void **state)
{
    struct mr_header h;

    (void)state;
    mr_load_chain_init(&chain, mr_network_find("mainnet"), WALL_S);
    h = decoded(mr_load_chain_head(&chain));
    assert_int_equal(h.fields, MR_HEADER_HAS_REQUESTS);
    assert_int_equal(mr_load_be64(h.base_fee.b + 24), MR_LOAD_CHAIN_BASE_FEE);
    mr_load_chain_init(&chain, mr_network_find("classic"), WALL_S);
    assert_int_equal(decoded(mr_load_chain_head(&chain)).fields, MR_HEADER_FIELDS_MIN);
}

static void it_grows_with_the_clock(void **state)
{
    uint64_t number;

    (void)state;
    mr_load_chain_init(&chain, mr_network_find("mainnet"), WALL_S);
    number = mr_load_chain_head(&chain)->number;
    assert_false(mr_load_chain_grow(&chain, WALL_S));
    assert_true(mr_load_chain_grow(&chain, WALL_S + MR_LOAD_CHAIN_SLOT_S));
    assert_int_equal(mr_load_chain_head(&chain)->number, number + 1);
    assert_true(mr_load_chain_grow(&chain, WALL_S + 24 * 3600));
    assert_int_equal(mr_load_chain_head(&chain)->number, number + 7200);
}

/* The numbers of an answer, first to last. */
static size_t ask(uint64_t numbers[16], const struct mr_get_block_headers *q)
{
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_eth_items items;
    struct mr_span item;
    size_t n = 0;

    assert_int_equal(mr_load_chain_serve(&chain, 77, q, &w), MR_OK);
    assert_int_equal(mr_response_decode(&items, mr_writer_span(&w), 1024), MR_OK);
    assert_int_equal(items.request_id, 77);
    while (mr_eth_items_next(&items, &item)) {
        struct mr_header h;

        assert_int_equal(mr_header_decode(&h, item), MR_OK);
        if (n < 16)
            numbers[n] = h.number;
        n++;
    }
    return n;
}

static void headers_are_served_as_asked(void **state)
{
    const struct mr_network *net = mr_network_find("mainnet");
    struct mr_get_block_headers q = {.by_hash = true, .amount = 8, .reverse = true};
    uint64_t numbers[16], head;

    (void)state;
    mr_load_chain_init(&chain, net, WALL_S);
    head = mr_load_chain_head(&chain)->number;
    q.origin_hash = mr_load_chain_head(&chain)->hash;
    assert_int_equal(ask(numbers, &q), 8);
    assert_int_equal(numbers[0], head);
    assert_int_equal(numbers[7], head - 7);
    q.reverse = false; /* forward from the head: itself only */
    assert_int_equal(ask(numbers, &q), 1);
    q = (struct mr_get_block_headers){.origin_number = head - 6, .amount = 3, .skip = 1};
    assert_int_equal(ask(numbers, &q), 3);
    assert_int_equal(numbers[2], head - 2);
    q = (struct mr_get_block_headers){
        .by_hash = true, .origin_hash = net->genesis_hash, .amount = 1};
    assert_int_equal(ask(numbers, &q), 1);
    assert_int_equal(numbers[0], 0);
    q.origin_hash.b[0] ^= 1;
    assert_int_equal(ask(numbers, &q), 0);
    q = (struct mr_get_block_headers){
        .origin_number = UINT64_MAX, .amount = UINT64_MAX, .skip = UINT64_MAX};
    assert_int_equal(ask(numbers, &q), 0);
    q = (struct mr_get_block_headers){.origin_number = head, .amount = 0};
    assert_int_equal(ask(numbers, &q), 0);
}

static void what_has_fallen_off_is_not_served(void **state)
{
    struct mr_get_block_headers q = {.amount = 1};
    uint64_t numbers[16], first;

    (void)state;
    mr_load_chain_init(&chain, mr_network_find("mainnet"), WALL_S);
    first = chain.headers[0].number;
    mr_load_chain_grow(&chain, WALL_S + MR_LOAD_CHAIN_SLOT_S * MR_LOAD_CHAIN_HEADERS);
    q.origin_number = first;
    assert_int_equal(ask(numbers, &q), 0);
    q.origin_number = mr_load_chain_head(&chain)->number - MR_LOAD_CHAIN_HEADERS;
    assert_int_equal(ask(numbers, &q), 0);
    q.origin_number++;
    assert_int_equal(ask(numbers, &q), 1);
    q.amount = 2000;
    assert_int_equal(ask(numbers, &q), MR_LOAD_CHAIN_HEADERS);
}

static void status_claims_the_head_in_every_version(void **state)
{
    (void)state;
    mr_load_chain_init(&chain, mr_network_find("mainnet"), WALL_S);
    for (unsigned v = 68; v <= 71; v++) {
        struct mr_writer w = mr_writer(room, sizeof room);
        struct mr_eth_status s, back;

        mr_load_chain_status(&chain, &s, v, WALL_S);
        assert_int_equal(mr_eth_status_encode(&w, &s), MR_OK);
        assert_int_equal(mr_eth_status_decode(&back, v, mr_writer_span(&w)), MR_OK);
        assert_true(mr_hash_equal(&back.latest_hash, &mr_load_chain_head(&chain)->hash));
        assert_int_equal(mr_fork_id_check(chain.network,
                                          mr_network_point(chain.network, NULL, WALL_S),
                                          &back.fork_id),
                         MR_FORK_COMPATIBLE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_link_by_the_rules_on_every_network),
        cmocka_unit_test(mainnets_headers_have_todays_fields),
        cmocka_unit_test(it_grows_with_the_clock),
        cmocka_unit_test(headers_are_served_as_asked),
        cmocka_unit_test(what_has_fallen_off_is_not_served),
        cmocka_unit_test(status_claims_the_head_in_every_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
