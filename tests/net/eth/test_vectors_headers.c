/* Real headers: the genesis blocks of genesis_index.json, and the blocks of the corpora where they
 * are present. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/eth/header.h"
#include "tests/net/eth/helper_corpus.h"
#include "tests/net/eth/helper_wire.h"

static void genesis_headers_have_their_hashes(void **state)
{
    struct mr_json *file = vectors_load("genesis_index.json");
    const struct mr_json *all = mr_json_get(file, "files");

    (void)state;
    assert_true(mr_json_count(all) >= 10);
    for (size_t i = 0; i < mr_json_count(all); i++) {
        const struct mr_json *g = mr_json_at(all, i);
        uint8_t hash[32], root[32];
        uint64_t fields;
        struct mr_header h;

        assert_int_equal(mr_json_hex_exact(mr_json_get(g, "genesis_hash"), hash, 32), MR_OK);
        assert_int_equal(mr_json_hex_exact(mr_json_get(g, "state_root"), root, 32), MR_OK);
        assert_int_equal(mr_json_u64(mr_json_get(g, "header_fields"), &fields), MR_OK);
        assert_int_equal(mr_header_decode(&h, wire_json_hex(mr_json_get(g, "header_rlp"))), MR_OK);
        assert_memory_equal(h.hash.b, hash, 32);
        assert_memory_equal(h.state_root.b, root, 32);
        assert_int_equal(h.fields, fields);
        assert_int_equal(h.number, 0);
        assert_int_equal(mr_header_check(&h, MR_HEADER_EXTRA_MAX), MR_OK);
    }
    mr_json_free(file);
}

/* The block's header, with its and every ommer's checks. */
static void read_block(struct mr_span record, struct mr_header *h, size_t extra_max)
{
    struct mr_reader r = mr_reader_of(record), block, ommers;
    struct mr_header ommer;

    assert_int_equal(mr_rlp_list(&r, &block), MR_OK);
    assert_int_equal(mr_header_read(&block, h), MR_OK);
    assert_int_equal(mr_header_check(h, extra_max), MR_OK);
    assert_int_equal(mr_rlp_skip(&block), MR_OK);
    assert_int_equal(mr_rlp_list(&block, &ommers), MR_OK);
    while (!mr_reader_done(&ommers)) {
        assert_int_equal(mr_header_read(&ommers, &ommer), MR_OK);
        assert_int_equal(mr_header_check(&ommer, extra_max), MR_OK);
    }
}

static unsigned fields_at(const char *fork)
{
    static const struct {
        const char *fork;
        unsigned fields;
    } known[] = {
        {"paris", 16}, {"shanghai", 17}, {"cancun", 20}, {"prague", 21},   {"osaka", 21},
        {"bpo1", 21},  {"bpo2", 21},     {"london", 16}, {"frontier", 15},
    };

    for (size_t i = 0; i < MR_COUNT_OF(known); i++) {
        if (strcmp(known[i].fork, fork) == 0)
            return known[i].fields;
    }
    return 0;
}

/* Reads a corpus whole: number, hash and time as its table says (columns 1 to 3), children after
 * their parents. fork_column: 0 for none. */
static void read_corpus(const char *name, size_t at_least, size_t extra_max, size_t fork_column,
                        size_t *children)
{
    struct mr_header h, last = {.number = UINT64_MAX};
    struct mr_span record;
    struct corpus c;
    size_t n = 0;

    if (!corpus_open(&c, name))
        return;
    for (; corpus_next(&c, &record); n++) {
        read_block(record, &h, extra_max);
        assert_int_equal(h.number, strtoull(c.column[1], NULL, 10));
        assert_true(hex_is(c.column[2], h.hash.b, 32));
        assert_int_equal(h.time, strtoull(c.column[3], NULL, 10));
        if (fork_column > 0 && fields_at(c.column[fork_column]) != 0)
            assert_int_equal(h.fields, fields_at(c.column[fork_column]));
        if (last.number != UINT64_MAX && h.number == last.number + 1) {
            assert_int_equal(mr_header_check_child(&h, &last), MR_OK);
            ++*children;
        }
        last = h;
    }
    assert_true(n >= at_least);
    corpus_close(&c);
}

static void headers_of_real_blocks_have_their_hashes(void **state)
{
    size_t children = 0;

    (void)state;
    read_corpus("mainnet_blocks_frontier", 1003, 32, 4, &children);
    read_corpus("mainnet_blocks_pow", 66, 32, 4, &children);
    read_corpus("mainnet_blocks_pos", 60, 32, 4, &children);
    read_corpus("etc_blocks", 3, 32, 0, &children);
    read_corpus("sepolia_blocks_genesis_100", 101, 32, 0, &children);
    read_corpus("sepolia_blocks_pow", 624, 32, 0, &children);
    read_corpus("testnet_blocks_pos", 4, 97, 0, &children);
    printf("%zu children follow their parents\n", children);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genesis_headers_have_their_hashes),
        cmocka_unit_test(headers_of_real_blocks_have_their_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
